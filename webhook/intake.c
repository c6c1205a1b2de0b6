/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/intake.h"

#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/fault.h"
#include "common/log.h"
#include "common/uuid.h"
#include "schema/event.h"
#include "webhook/sql.h"

#include "common/banned.h"

enum {
    WAITING_MAX = 4096, /* then the topic waits */
    ASK_MAX = 256,
    COMMIT_MS = 1000,
    AGAIN_MS = 20, /* the sink is most often a few milliseconds behind */
    AGAIN_CAP_MS = 1000,
    ARRAY_BYTES = 64 << 10
};

struct end_seen { /* of a run, whose rows are not there yet */
    char run_id[UUID_TEXT];
    int32_t partition;
    int64_t offset;
};

struct place { /* of one partition */
    int32_t partition;
    int64_t next, committed;
};

struct intake {
    struct pg *pg;
    const struct intake_opts *opts;
    struct consumer *consumer;
    struct timer *again, *commit;
    struct backoff backoff;
    struct end_seen waiting[WAITING_MAX]; /* in the order in which they came */
    size_t n;
    struct place *places;
    size_t n_places;
    bool up, asking, paused;
};

static void ask(struct intake *in);

static void pause_when_full(struct intake *in)
{
    bool full = in->n == WAITING_MAX;

    if (full == in->paused)
        return;
    in->paused = full;
    consumer_pause(in->consumer, NULL, full);
}

/* --- rows --------------------------------------------------------------------------- */

static void forget(struct intake *in, int64_t partition, int64_t offset)
{
    for (size_t i = 0; i < in->n; i++)
        if (in->waiting[i].partition == partition && in->waiting[i].offset == offset) {
            memmove(&in->waiting[i], &in->waiting[i + 1], (in->n - i - 1) * sizeof(in->waiting[0]));
            in->n--;
            return;
        }
}

static void on_made(void *ctx, PGresult *res, const struct err *e)
{
    struct intake *in = ctx;
    int passed = e->code == ERR_OK ? PQntuples(res) : 0;

    in->asking = false;
    if (e->code == ERR_CONFIG || e->code == ERR_INVALID) {
        in->opts->failed(in->opts->ctx, e);
        return;
    }
    for (int row = 0; row < passed; row++)
        forget(in, pg_int(res, row, MAKE_PARTITION), pg_int(res, row, MAKE_OFFSET));
    pause_when_full(in);
    if (passed > 0) {
        backoff_reset(&in->backoff);
        if (pg_int(res, 0, MAKE_ROWS) > 0) {
            fault_pass("rows", "made");
            in->opts->made(in->opts->ctx, pg_int(res, 0, MAKE_ROWS));
        }
        ask(in);
    } else {
        timer_start(in->again, backoff_next_ms(&in->backoff));
    }
}

struct arrays {
    struct buf runs, partitions, offsets;
};

static void arrays_release(struct arrays *a)
{
    buf_release(&a->runs);
    buf_release(&a->partitions);
    buf_release(&a->offsets);
}

static enum err_code arrays_of(const struct intake *in, struct arrays *a, struct err *err)
{
    size_t n = in->n < ASK_MAX ? in->n : ASK_MAX;

    *a = (struct arrays){BUF_INIT(ARRAY_BYTES), BUF_INIT(ARRAY_BYTES), BUF_INIT(ARRAY_BYTES)};
    for (size_t i = 0; i < n; i++) {
        char before = i == 0 ? '{' : ',';

        buf_addf(&a->runs, "%c%s", before, in->waiting[i].run_id);
        buf_addf(&a->partitions, "%c%d", before, in->waiting[i].partition);
        buf_addf(&a->offsets, "%c%lld", before, (long long)in->waiting[i].offset);
    }
    buf_addc(&a->runs, '}');
    buf_addc(&a->partitions, '}');
    buf_addc(&a->offsets, '}');
    if (a->runs.rc != ERR_OK || a->partitions.rc != ERR_OK || a->offsets.rc != ERR_OK)
        return err_set(err, ERR_NOMEM, "ends of runs");
    return ERR_OK;
}

static void ask(struct intake *in)
{
    AUTO(arrays_release) struct arrays a = {0};
    struct err err = ERR_INIT;

    if (!in->up || in->asking || in->n == 0)
        return;
    timer_stop(in->again);
    struct pg_cmd cmd = {.sql = sql_make, .keep = true, .n = 5};
    if (arrays_of(in, &a, &err) == ERR_OK) {
        cmd.v[0] = a.runs.p;
        cmd.v[1] = a.partitions.p;
        cmd.v[2] = a.offsets.p;
        cmd.v[3] = in->opts->topic;
        cmd.v[4] = in->opts->public_url;
        in->asking = pg_send(in->pg, &cmd, on_made, in, &err) == ERR_OK;
    }
    if (!in->asking)
        timer_start(in->again, backoff_next_ms(&in->backoff));
}

static void on_again(void *ctx)
{
    ask(ctx);
}

void intake_up(struct intake *in, bool up)
{
    in->up = up;
    in->asking = in->asking && up;
    if (up)
        ask(in);
}

size_t intake_waiting(const struct intake *in)
{
    return in->n;
}

/* --- positions ------------------------------------------------------------------------ */

static struct place *place_of(struct intake *in, int32_t partition)
{
    for (size_t i = 0; i < in->n_places; i++)
        if (in->places[i].partition == partition)
            return &in->places[i];
    struct place *more = realloc(in->places, (in->n_places + 1) * sizeof(*more));
    if (!more)
        return NULL;
    in->places = more;
    more[in->n_places] = (struct place){.partition = partition, .committed = -1};
    return &more[in->n_places++];
}

/* Up to the first end that has no rows yet. */
static int64_t done_up_to(const struct intake *in, const struct place *p)
{
    int64_t next = p->next;

    for (size_t i = 0; i < in->n; i++)
        if (in->waiting[i].partition == p->partition && in->waiting[i].offset < next)
            next = in->waiting[i].offset;
    return next;
}

static void commit(struct intake *in)
{
    for (size_t i = 0; i < in->n_places; i++) {
        struct place *p = &in->places[i];
        int64_t next = done_up_to(in, p);
        struct err ignored = ERR_INIT; /* the next time again */

        if (next > p->committed &&
            consumer_commit(in->consumer, in->opts->topic, p->partition, next, &ignored) == ERR_OK)
            p->committed = next;
    }
}

static void on_commit(void *ctx)
{
    struct intake *in = ctx;

    timer_start(in->commit, COMMIT_MS);
    if (in->n > 0)
        fault_pass("commit", "rows are missing");
    commit(in);
}

/* --- the consumer's events -------------------------------------------------------------- */

/* What cannot be read is the sink's to put aside. */
static bool is_end(const struct kafka_record *r, char run_id[UUID_TEXT])
{
    struct event_view v;
    struct err ignored = ERR_INIT;

    if (event_read(r->key, r->value, &v, &ignored) != ERR_OK || !v.known_type ||
        !event_is_terminal(v.event.type) || !uuid_valid(v.run_id))
        return false;
    memcpy(run_id, v.run_id.p, UUID_TEXT - 1);
    run_id[UUID_TEXT - 1] = '\0';
    return true;
}

static void on_record(void *ctx, struct kafka_record *r)
{
    struct intake *in = ctx;
    struct place *p = place_of(in, r->partition);
    struct err err = ERR_INIT;

    if (!p || in->n == WAITING_MAX) { /* paused at that: none should come */
        err_set(&err, p ? ERR_INTERNAL : ERR_NOMEM, "an end of a run");
        in->opts->failed(in->opts->ctx, &err);
        return;
    }
    p->next = r->offset + 1;
    if (!is_end(r, in->waiting[in->n].run_id))
        return;
    in->waiting[in->n].partition = r->partition;
    in->waiting[in->n++].offset = r->offset;
    pause_when_full(in);
    ask(in);
}

/* Whoever has them next begins at what was committed; the rows that an answer under way tells of
 * are made all the same. */
static void on_revoked(void *ctx, const struct partition *ps, size_t n)
{
    struct intake *in = ctx;

    (void)ps;
    log_event(LOG_INFO, "webhook.revoked", LF_INT("partitions", n));
    in->n = in->n_places = 0;
    pause_when_full(in);
}

static void on_failed(void *ctx, const struct err *e)
{
    struct intake *in = ctx;

    if (err_action(e->code) == ERR_DO_RETRY)
        log_event(LOG_WARN, "webhook.kafka_trouble", LF_ERR(e));
    else
        in->opts->failed(in->opts->ctx, e);
}

/* --- life --------------------------------------------------------------------------------- */

enum err_code intake_new(struct loop *l, struct pg *pg, const struct kafka_conf *kafka,
                         const struct intake_opts *opts, struct intake **out, struct err *err)
{
    static const struct consumer_events events = {
        .record = on_record, .revoked = on_revoked, .failed = on_failed};
    const struct consumer_opts wants = {
        .group = opts->group, .topics = &opts->topic, .n_topics = 1};
    struct intake *in = calloc(1, sizeof(*in));

    *out = in;
    if (!in)
        return err_set(err, ERR_NOMEM, "the intake");
    in->pg = pg;
    in->opts = opts;
    in->backoff = BACKOFF_INIT(AGAIN_MS, AGAIN_CAP_MS);
    in->again = timer_new(l, on_again, in);
    in->commit = timer_new(l, on_commit, in);
    if (!in->again || !in->commit)
        return err_set(err, ERR_NOMEM, "timers");
    timer_start(in->commit, COMMIT_MS);
    return consumer_new(l, kafka, &wants, &events, in, &in->consumer, err);
}

void intake_free(struct intake *in)
{
    if (!in)
        return;
    if (in->consumer)
        commit(in);
    consumer_free(in->consumer);
    timer_free(in->again);
    timer_free(in->commit);
    free(in->places);
    free(in);
}
