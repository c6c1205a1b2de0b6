/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/projection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sink/projection_fold.h"

#include "common/banned.h"

#define DAY_MS INT64_C(86400000)

void projection_init(struct projection *p)
{
    *p = (struct projection){0};
}

void projection_clear(struct projection *p)
{
    for (size_t i = 0; i < p->n_trees; i++)
        cJSON_Delete(p->trees[i]);
    p->n_trees = p->n_runs = p->n_attempts = p->n_words = p->n_superseded = 0;
    if (p->slots)
        memset(p->slots, 0, p->n_slots * sizeof(*p->slots));
}

void projection_release(struct projection *p)
{
    projection_clear(p);
    free(p->runs);
    free(p->attempts);
    free(p->words);
    free(p->superseded);
    free(p->slots);
    free(p->trees);
    projection_init(p);
}

/* Room for one more element of `size` bytes in *array. */
static bool grow(void *array, size_t n, size_t *cap, size_t size)
{
    void *old, *bigger;
    size_t want = *cap ? *cap * 2 : 64;

    if (n < *cap)
        return true;
    memcpy(&old, array, sizeof(old));
    bigger = reallocarray(old, want, size);
    if (!bigger)
        return false;
    memcpy(array, &bigger, sizeof(bigger));
    *cap = want;
    return true;
}

/* Ids are random in their low half; a batch holds few of them. */
size_t projection_hash(const uint8_t id[16])
{
    uint64_t h;
    memcpy(&h, id + 8, sizeof(h));
    return (size_t)((h * UINT64_C(0x9e3779b97f4a7c15)) >> 20);
}

/* The id's slot: its own, or the free one where it belongs. */
static uint32_t *slot_of(const struct projection *p, const uint8_t id[16])
{
    size_t mask = p->n_slots - 1;

    for (size_t i = projection_hash(id) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &p->slots[i];
        if (*slot == 0 || memcmp(p->runs[*slot - 1].id, id, 16) == 0)
            return slot;
    }
}

/* Keeps at least half of the slots free. */
static bool grow_slots(struct projection *p)
{
    uint32_t *old = p->slots;
    size_t want = p->n_slots ? p->n_slots * 2 : 256;

    if (p->n_runs * 2 < p->n_slots)
        return true;
    p->slots = calloc(want, sizeof(*p->slots));
    if (!p->slots) {
        p->slots = old;
        return false;
    }
    p->n_slots = want;
    for (size_t i = 0; i < p->n_runs; i++)
        *slot_of(p, p->runs[i].id) = (uint32_t)i + 1;
    free(old);
    return true;
}

struct run_row *projection_find(const struct projection *p, const uint8_t id[16])
{
    const uint32_t *slot = p->n_slots ? slot_of(p, id) : NULL;
    return slot && *slot ? &p->runs[*slot - 1] : NULL;
}

struct run_row *projection_run(struct projection *p, const uint8_t id[16])
{
    struct run_row *run = projection_find(p, id);

    if (run)
        return run;
    if (!grow_slots(p) || !grow(&p->runs, p->n_runs, &p->cap_runs, sizeof(*p->runs)))
        return NULL;
    run = &p->runs[p->n_runs];
    *run = (struct run_row){.state = RUN_STATE_QUEUED};
    memcpy(run->id, id, 16);
    *slot_of(p, id) = (uint32_t)++p->n_runs;
    return run;
}

static struct attempt_row *attempt_of(struct projection *p, struct run_row *run, int64_t attempt)
{
    struct attempt_row *a;

    for (uint32_t i = run->last_attempt; i; i = p->attempts[i - 1].previous)
        if (p->attempts[i - 1].attempt == attempt)
            return &p->attempts[i - 1];
    if (!grow(&p->attempts, p->n_attempts, &p->cap_attempts, sizeof(*p->attempts)))
        return NULL;
    a = &p->attempts[p->n_attempts];
    *a = (struct attempt_row){
        .run = (uint32_t)(run - p->runs), .previous = run->last_attempt, .attempt = attempt};
    run->last_attempt = (uint32_t)++p->n_attempts;
    return a;
}

static bool keeps_attempt(enum event_type t)
{
    return event_is_line(t) || t == EVENT_ATTEMPT_STARTING || t == EVENT_ATTEMPT_STARTED ||
           t == EVENT_ATTEMPT_ENDED;
}

/* What every event that belongs to an attempt says about it. */
static void move_attempt(struct attempt_row *a, const struct event *e)
{
    enum attempt_state to = e->type == EVENT_ATTEMPT_ENDED      ? ATTEMPT_ENDED
                            : e->type == EVENT_ATTEMPT_STARTING ? ATTEMPT_STARTING
                                                                : ATTEMPT_RUNNING;
    if (to > a->state)
        a->state = to;
    if (!event_is_line(e->type))
        return;
    if (e->n > a->lines)
        a->lines = e->n;
    if (e->offset > a->bytes)
        a->bytes = e->offset;
    if (e->type == EVENT_AGENT_INIT && e->model.n > 0)
        a->model = e->model;
}

/* The first event settles what the request could only propose. */
static void identify(struct run_row *run, const struct event_view *v)
{
    bool settles = run->judge.sequence == 1;

    if (settles) {
        run->day_ms = v->created_day_ms;
        if (v->batch_id.n > 0)
            run->batch_id = v->batch_id;
        if (v->custom_id.n > 0)
            run->custom_id = v->custom_id;
    }
    if (settles || !run->tenant.p)
        run->tenant = v->tenant;
}

static void move_run(struct run_row *run, const struct event_view *v)
{
    const struct event *e = &v->event;
    enum run_state to = v->known_type ? run_state_next(run->state, e->type) : run->state;

    if (to != run->state) {
        run->state = to;
        run->hold_reason = (struct str){0};
        run->hold_until_ms = 0;
    }
    run->last_event_ms = e->time_ms;
    if (e->attempt > run->attempt)
        run->attempt = e->attempt;
    if (v->known_type && e->type == EVENT_AGENT_INIT && e->model.n > 0) {
        run->model = e->model;
        run->has_model = true;
    }
}

/* Reads the data of an event that needs it; the tree lives as long as the rows. */
static enum err_code read_data(struct projection *p, const struct event_view *v, cJSON **out,
                               struct err *err)
{
    *out = NULL;
    if (!v->known_type || !fold_reads_data(v->event.type))
        return ERR_OK;
    if (!grow(&p->trees, p->n_trees, &p->cap_trees, sizeof(*p->trees)))
        return err_set(err, ERR_NOMEM, "rows of a batch");
    if (json_parse(v->event.data, 0, out, err) != ERR_OK)
        return err_wrap(err, "malformed: data");
    p->trees[p->n_trees++] = *out;
    if (!cJSON_IsObject(*out))
        return err_set(err, ERR_INVALID, "malformed: data is not an object");
    return ERR_OK;
}

static void fold_counted(struct projection *p, struct run_row *run, const struct event_view *v,
                         struct attempt_row *attempt, cJSON *data)
{
    const struct fold f = {run, attempt, &v->event, data};

    identify(run, v);
    move_run(run, v);
    if (attempt)
        move_attempt(attempt, &v->event);
    if (!data)
        return;
    fold_event(&f);
    if (fold_sandbox(&f, &p->words[p->n_words]))
        p->words[p->n_words++].run = (uint32_t)(run - p->runs);
}

/* Everything that can fail, before anything is moved. */
static enum err_code prepare(struct projection *p, struct run_row *run, const struct event_view *v,
                             struct attempt_row **attempt, cJSON **data, struct err *err)
{
    if (read_data(p, v, data, err) != ERR_OK)
        return err->code;
    if (!grow(&p->words, p->n_words, &p->cap_words, sizeof(*p->words)))
        return err_set(err, ERR_NOMEM, "rows of a batch");
    *attempt = NULL;
    if (!v->known_type || v->event.attempt == 0 || !keeps_attempt(v->event.type))
        return ERR_OK;
    *attempt = attempt_of(p, run, v->event.attempt);
    return *attempt ? ERR_OK : err_set(err, ERR_NOMEM, "rows of a batch");
}

/* A run's records are folded one behind the other: its old owners' rows are the last ones. */
static bool mark_superseded(struct projection *p, const struct run_row *run, const struct event *e)
{
    uint32_t index = (uint32_t)(run - p->runs);
    size_t at = p->n_superseded;

    while (at > 0 && p->superseded[at - 1].run == index)
        if (p->superseded[--at].epoch == e->epoch) {
            p->superseded[at].records++;
            return true;
        }
    if (!grow(&p->superseded, p->n_superseded, &p->cap_superseded, sizeof(*p->superseded)))
        return false;
    p->superseded[p->n_superseded++] =
        (struct superseded_row){.run = index,
                                .epoch = e->epoch,
                                .by_epoch = run->judge.epoch,
                                .after_sequence = run->judge.sequence,
                                .records = 1};
    return true;
}

enum err_code projection_event(struct projection *p, const uint8_t id[16],
                               const struct event_view *v, enum verdict *verdict, int64_t *missing,
                               struct err *err)
{
    struct run_row *run = projection_run(p, id);
    struct attempt_row *attempt;
    struct judge next;
    cJSON *data;

    if (!run)
        return err_set(err, ERR_NOMEM, "rows of a batch");
    next = run->judge;
    *missing = 0;
    *verdict = judge_next(&next, &v->event, missing);
    if (*verdict == JUDGE_STORE || *verdict == JUDGE_GAP) {
        if (prepare(p, run, v, &attempt, &data, err) != ERR_OK)
            return err->code;
        run->judge = next;
        run->missing_lines += *missing;
        fold_counted(p, run, v, attempt, data);
    } else {
        if (*verdict == JUDGE_SUPERSEDED && !mark_superseded(p, run, &v->event))
            return err_set(err, ERR_NOMEM, "rows of a batch");
        *(*verdict == JUDGE_REPEAT ? &run->repeats : &run->superseded) += 1;
        if (!run->tenant.p) /* an upsert names it whether it counts or not */
            run->tenant = v->tenant;
    }
    run->by_event = true;
    return ERR_OK;
}

enum err_code projection_request(struct projection *p, const uint8_t id[16],
                                 const struct run_request *request, enum run_lane lane,
                                 int64_t created_ms, struct err *err)
{
    struct run_row *run = projection_run(p, id);

    if (!run)
        return err_set(err, ERR_NOMEM, "rows of a batch");
    if (!run->tenant.p)
        run->tenant = str_of(request->tenant);
    if (run->has_request || run->request)
        return ERR_OK;
    run->request = request;
    run->lane = lane;
    run->created_ms = request->created_ms ? request->created_ms : created_ms;
    run->created_us = request->created_ms ? request->created_us : 0;
    if (run->judge.sequence == 0)
        run->day_ms = run->created_ms - run->created_ms % DAY_MS;
    if (!run->batch_id.p)
        run->batch_id = str_of(request->batch_id);
    if (!run->custom_id.p)
        run->custom_id = str_of(request->custom_id);
    if (!run->model.p && !run->has_model)
        run->model = str_of(request->model);
    return ERR_OK;
}
