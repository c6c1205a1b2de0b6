/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fleet/intake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/fault.h"
#include "common/log.h"
#include "worker/fleet/intake_batch.h"
#include "worker/ledger/ledger_sql.h"
#include "worker/seen/seen.h"
#include "common/banned.h"

enum { AGAIN_BASE_MS = 100, AGAIN_CAP_MS = 5000, PREFETCH_BYTES = 4 << 20 };

struct intake {
    struct ledger *ledger;
    struct producer *producer;
    const struct topics *topics;
    struct intake_events ev;
    void *ctx;
    struct consumer *consumer;
    struct timer *timer; /* to collect, or to try again */
    struct backoff backoff;
    struct batch filling, flying;
    bool under_way;        /* `flying` is */
    size_t from, count;    /* of flying's items in the statement under way */
    bool isolating;        /* one item a statement: one of them is refused by the ledger */
    int answers;           /* awaited from the ledger */
    enum err_code verdict; /* the worst of them */
    size_t letters;        /* not yet acknowledged */
    int64_t claimed[LANES];
    bool rejected;                          /* one of them has ended already */
    bool lane_paused[LANES], paused[LANES]; /* wanted by the worker; as the consumer was told */
};

static void fly(struct intake *in);
static void go_on(struct intake *in);

/* --- pausing ----------------------------------------------------------------- */

static void apply_pause(struct intake *in)
{
    for (int lane = 0; lane < LANES && in->consumer; lane++) {
        bool want = in->lane_paused[lane] || batch_is_full(&in->filling);
        if (want != in->paused[lane])
            consumer_pause(in->consumer, in->topics->name[topic_of_lane((enum run_lane)lane)],
                           want);
        in->paused[lane] = want;
    }
}

void intake_pause(struct intake *in, enum run_lane lane, bool paused)
{
    if (in->lane_paused[lane] != paused)
        log_event(LOG_DEBUG, "intake.paused", LF("lane", run_lane_name(lane)),
                  LF_INT("paused", paused));
    in->lane_paused[lane] = paused;
    apply_pause(in);
}

/* --- records ----------------------------------------------------------------- */

static void fail(struct intake *in, const struct err *e)
{
    in->ev.failed(in->ctx, e);
}

static void on_record(void *ctx, struct kafka_record *r)
{
    struct intake *in = ctx;
    enum run_lane lane = LANE_BATCH;
    struct err err = ERR_INIT;
    struct kafka_record mine = *r;

    if (strcmp(r->topic, in->topics->name[TOPIC_INTERACTIVE]) == 0)
        lane = LANE_INTERACTIVE;
    mine.topic = in->topics->name[topic_of_lane(lane)]; /* lives as long as we do */
    if (batch_add(&in->filling, lane, &mine, &err) != ERR_OK) {
        fail(in, &err);
        return;
    }
    apply_pause(in);
    if (!in->under_way && !timer_pending(in->timer)) /* behind this turn's other records */
        timer_start(in->timer, 0);
}

static void on_failed(void *ctx, const struct err *e)
{
    struct intake *in = ctx;

    if (err_action(e->code) == ERR_DO_STOP)
        fail(in, e);
    else
        log_event(LOG_WARN, "intake.kafka", LF_ERR(e));
}

/* --- the end of a batch ------------------------------------------------------ */

static void commit(struct intake *in)
{
    for (size_t i = 0; i < in->flying.n_marks && in->consumer; i++) {
        const struct batch_mark *m = &in->flying.marks[i];
        struct err err = ERR_INIT;
        if (consumer_commit(in->consumer, in->topics->name[topic_of_lane(m->lane)], m->partition,
                            m->next, &err) != ERR_OK)
            log_event(LOG_WARN, "intake.commit", LF_ERR(&err)); /* delivered again, no harm */
    }
}

static void end_batch(struct intake *in)
{
    fault_pass("claims", "saved");
    commit(in);
    fault_pass("offsets", "asked");
    batch_release(&in->flying);
    in->under_way = false;
    backoff_reset(&in->backoff);
    if (in->claimed[LANE_INTERACTIVE] + in->claimed[LANE_BATCH] > 0)
        in->ev.claimed(in->ctx, in->claimed);
    if (in->rejected)
        in->ev.rejected(in->ctx);
    if (in->consumer && !batch_is_empty(&in->filling))
        fly(in);
    apply_pause(in);
}

/* --- letters ----------------------------------------------------------------- */

static void on_letter(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct intake *in = ctx;

    (void)partition, (void)offset;
    if (e->code != ERR_OK) {
        fail(in, e);
        return;
    }
    in->letters--;
    go_on(in);
}

static bool send_letters(struct intake *in)
{
    for (struct dead_letter *d = in->flying.letters; d; d = d->next) {
        struct err err = ERR_INIT;
        if (d->sent)
            continue;
        if (dead_letter_send(d, in->producer, in->topics->name[TOPIC_DLQ], on_letter, in, &err) !=
            ERR_OK) {
            log_event(LOG_WARN, "intake.letter", LF_ERR(&err));
            return false;
        }
        d->sent = true;
        in->letters++;
        seen_add(SEEN_DEAD_LETTERS, 0, 1);
        log_event(LOG_WARN, "run.refused", LF("reason", d->reason), LF("topic", d->record.topic),
                  LF_INT("partition", d->record.partition), LF_INT("offset", d->record.offset));
    }
    return true;
}

/* --- claims ------------------------------------------------------------------ */

static void on_answer(struct intake *in, const struct err *e)
{
    if (e->code != ERR_OK && (in->verdict == ERR_OK || err_action(e->code) == ERR_DO_RETRY)) {
        in->verdict = e->code;
        log_event(LOG_WARN, "intake.ledger", LF_ERR(e));
    }
    if (--in->answers == 0)
        go_on(in);
}

static void on_inserted(void *ctx, PGresult *res, const struct err *e)
{
    struct intake *in = ctx;

    for (int row = 0; e->code == ERR_OK && row < PQntuples(res); row++) {
        const char *lane = pg_text(res, row, 0), *state = pg_text(res, row, 1);
        bool batch = lane && strcmp(lane, run_lane_name(LANE_BATCH)) == 0;
        if (state && strcmp(state, "waiting") == 0)
            in->claimed[batch ? LANE_BATCH : LANE_INTERACTIVE]++;
        else
            in->rejected = true;
    }
    on_answer(in, e);
}

static void on_conflicts(void *ctx, PGresult *res, const struct err *e)
{
    struct intake *in = ctx;

    for (int row = 0; e->code == ERR_OK && row < PQntuples(res); row++) {
        int64_t n = pg_int(res, row, 0);
        if (n >= 1 && (size_t)n <= in->count)
            batch_refuse(&in->flying, in->from + (size_t)n - 1, "conflict",
                         "this run id was used for another request");
    }
    on_answer(in, e);
}

static enum err_code send_both(struct intake *in, struct buf col[BATCH_COLUMNS], struct err *err)
{
    struct pg_cmd insert = {.sql = ledger_sql_insert, .keep = true, .n = BATCH_COLUMNS};
    struct pg_cmd conflicts = {.sql = ledger_sql_conflicts,
                               .keep = true,
                               .n = 2,
                               .v = {col[BATCH_COL_RUN].p, col[BATCH_COL_HASH].p}};

    for (int c = 0; c < BATCH_COLUMNS; c++)
        insert.v[c] = col[c].p;
    enum err_code rc = ledger_send(in->ledger, &insert, on_inserted, in, err);
    if (rc != ERR_OK)
        return rc;
    in->answers++;
    rc = ledger_send(in->ledger, &conflicts, on_conflicts, in, err);
    if (rc != ERR_OK)
        in->verdict = rc; /* the first one's answer goes on from there */
    else
        in->answers++;
    return ERR_OK;
}

static void send_claims(struct intake *in)
{
    struct buf col[BATCH_COLUMNS] = {0};
    struct err err = ERR_INIT;

    in->verdict = ERR_OK;
    in->count = in->isolating ? 1 : in->flying.n - in->from;
    enum err_code rc = batch_columns(&in->flying, in->from, in->count, col, &err);
    if (rc == ERR_OK)
        rc = send_both(in, col, &err);
    for (int c = 0; c < BATCH_COLUMNS; c++)
        buf_release(&col[c]);
    if (rc != ERR_OK)
        timer_start(in->timer, backoff_next_ms(&in->backoff));
}

/* What the ledger refuses is looked for one by one; the one becomes a letter. */
static void isolate(struct intake *in)
{
    if (in->isolating) {
        batch_refuse(&in->flying, in->from, "invalid_field", "the ledger refused it");
        in->from++;
    }
    in->isolating = true;
}

/* Goes on with the batch from wherever it stands, unless an answer is awaited. */
static void go_on(struct intake *in)
{
    if (!in->under_way || in->answers > 0)
        return;
    if (in->verdict != ERR_OK && err_action(in->verdict) == ERR_DO_REJECT) {
        isolate(in);
    } else if (in->verdict != ERR_OK) {
        in->verdict = ERR_OK;
        timer_start(in->timer, backoff_next_ms(&in->backoff));
        return;
    } else {
        in->from += in->count;
    }
    in->verdict = ERR_OK;
    in->count = 0;
    if (in->from < in->flying.n)
        send_claims(in);
    else if (!send_letters(in))
        timer_start(in->timer, backoff_next_ms(&in->backoff));
    else if (in->letters == 0)
        end_batch(in);
}

static void fly(struct intake *in)
{
    assert(!in->under_way);
    in->flying = in->filling;
    in->filling = (struct batch){0};
    in->under_way = true;
    in->isolating = false;
    in->from = in->count = 0;
    memset(in->claimed, 0, sizeof(in->claimed));
    in->rejected = false;
    go_on(in);
}

static void on_timer(void *ctx)
{
    struct intake *in = ctx;

    if (in->under_way) {
        in->count = 0; /* what was under way is asked again */
        go_on(in);
    } else if (in->consumer && !batch_is_empty(&in->filling)) {
        fly(in);
    }
}

/* --- life -------------------------------------------------------------------- */

enum err_code intake_new(struct loop *l, const struct intake_opts *opts,
                         const struct intake_events *ev, void *ctx, struct intake **out,
                         struct err *err)
{
    static const struct consumer_events events = {.record = on_record, .failed = on_failed};
    const char *topics[] = {opts->topics->name[TOPIC_INTERACTIVE], opts->topics->name[TOPIC_BATCH]};
    struct consumer_opts co = {.group = opts->group,
                               .headers = true,
                               .topics = topics,
                               .n_topics = COUNTOF(topics),
                               .prefetch_bytes = PREFETCH_BYTES};
    struct intake *in = calloc(1, sizeof(*in));
    if (!in)
        return err_set(err, ERR_NOMEM, "the intake");

    *in = (struct intake){.ledger = opts->ledger,
                          .producer = opts->producer,
                          .topics = opts->topics,
                          .ev = *ev,
                          .ctx = ctx,
                          .backoff = BACKOFF_INIT(AGAIN_BASE_MS, AGAIN_CAP_MS)};
    in->timer = timer_new(l, on_timer, in);
    enum err_code rc = in->timer
                           ? consumer_new(l, opts->kafka, &co, &events, in, &in->consumer, err)
                           : err_set(err, ERR_NOMEM, "the intake");
    if (rc != ERR_OK) {
        intake_free(in);
        return rc;
    }
    *out = in;
    return ERR_OK;
}

void intake_stop(struct intake *in)
{
    if (!in)
        return;
    consumer_free(in->consumer);
    in->consumer = NULL;
}

void intake_free(struct intake *in)
{
    if (!in)
        return;
    intake_stop(in);
    timer_free(in->timer);
    batch_release(&in->filling);
    batch_release(&in->flying);
    free(in);
}
