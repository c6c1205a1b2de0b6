/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/writer_slice.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/uuid.h"

#include "sink/copy_binary.h"
#include "sink/rows.h"

#include "common/banned.h"

enum {
    COPY_MAX = 1 << 30,       /* a batch is far below: its rows and bytes have ceilings */
    ROW_OVERHEAD = 256,       /* an event's row without its texts */
    PAYLOAD_MAX_BYTES = 7900, /* NOTIFY takes less than 8,000 */
};
#define DAY_MS INT64_C(86400000)

void slice_init(struct slice *s)
{
    *s = (struct slice){0};
    for (size_t i = 0; i < COPIES; i++)
        s->copies[i].data = BUF_INIT(COPY_MAX);
    projection_init(&s->rows);
}

void slice_release(struct slice *s)
{
    projection_release(&s->rows);
    for (size_t i = 0; i < COPIES; i++)
        buf_release(&s->copies[i].data);
    free(s->spans);
}

/* --- ranges --------------------------------------------------------------------- */

static struct span *span_of(struct slice *s, const struct batch_item *item)
{
    size_t cap = s->cap_spans ? s->cap_spans * 2 : 16;

    for (size_t i = s->n_spans; i-- > 0;)
        if (s->spans[i].id == item->record.partition && s->spans[i].topic == item->topic)
            return &s->spans[i];
    if (s->n_spans == s->cap_spans) {
        struct span *bigger = reallocarray(s->spans, cap, sizeof(*bigger));
        if (!bigger)
            return NULL;
        s->spans = bigger;
        s->cap_spans = cap;
    }
    s->spans[s->n_spans] = (struct span){.topic = item->topic,
                                         .id = item->record.partition,
                                         .from = item->from,
                                         .first = item->record.offset};
    return &s->spans[s->n_spans++];
}

enum err_code slice_begin(struct slice *s, struct batch *b, size_t at, size_t n, struct err *err)
{
    s->batch = b;
    s->at = at;
    s->n = n;
    s->n_spans = 0;
    s->counts = (struct writer_counts){0};
    projection_clear(&s->rows);
    for (size_t i = at; i < at + n; i++) {
        const struct batch_item *item = &b->items[i];
        struct span *span = span_of(s, item);

        if (!span)
            return err_set(err, ERR_NOMEM, "rows of a batch");
        span->next = item->record.offset + 1;
        if ((item->kind == ITEM_EVENT || item->kind == ITEM_REQUEST) &&
            !projection_run(&s->rows, item->run))
            return err_set(err, ERR_NOMEM, "rows of a batch");
    }
    return ERR_OK;
}

bool slice_has_new(const struct slice *s)
{
    for (size_t i = 0; i < s->n_spans; i++)
        if (s->spans[i].from == KAFKA_EARLIEST)
            return true;
    return false;
}

/* A partition without a row begins at the first record there is. */
static int64_t start_of(const struct span *span)
{
    return span->from == KAFKA_EARLIEST ? span->first : span->from;
}

bool slice_comes_next(const struct slice *s, const PGresult *locked)
{
    int n = PQntuples(locked);

    if ((size_t)n != s->n_spans)
        return false;
    for (int row = 0; row < n; row++) {
        bool found = false;

        for (size_t i = 0; i < s->n_spans && !found; i++) {
            const struct span *span = &s->spans[i];
            found = span->id == pg_int(locked, row, 1) &&
                    start_of(span) == pg_int(locked, row, 2) &&
                    strcmp(s->batch->topics->name[span->topic], pg_text(locked, row, 0)) == 0;
        }
        if (!found)
            return false;
    }
    return true;
}

/* --- parameters ----------------------------------------------------------------- */

void slice_spans(const struct slice *s, enum span_field f, bool only_new, struct buf *out)
{
    char sep = '{';

    for (size_t i = 0; i < s->n_spans; i++) {
        const struct span *span = &s->spans[i];

        if (only_new && span->from != KAFKA_EARLIEST)
            continue;
        buf_addc(out, sep);
        sep = ',';
        switch (f) {
        case SPAN_TOPIC: /* topic names need no quotes */
            buf_adds(out, s->batch->topics->name[span->topic]);
            break;
        case SPAN_PARTITION:
            buf_addf(out, "%" PRId32, span->id);
            break;
        case SPAN_FROM:
            buf_addf(out, "%" PRId64, start_of(span));
            break;
        case SPAN_NEXT:
            buf_addf(out, "%" PRId64, span->next);
            break;
        }
    }
    buf_adds(out, sep == '{' ? "{}" : "}");
}

void slice_run_ids(const struct slice *s, struct buf *out)
{
    char id[UUID_TEXT];

    for (size_t i = 0; i < s->rows.n_runs; i++) {
        uuid_text(s->rows.runs[i].id, id);
        buf_addf(out, "%c%s", i ? ',' : '{', id);
    }
    buf_adds(out, s->rows.n_runs ? "}" : "{}");
}

static bool run_changed(const struct run_row *run)
{
    return run->by_event || run->request;
}

void slice_payloads(const struct slice *s, struct buf *out)
{
    char id[UUID_TEXT];
    size_t used = 0;

    buf_addc(out, '{');
    for (size_t i = 0; i < s->rows.n_runs; i++) {
        if (!run_changed(&s->rows.runs[i]))
            continue;
        uuid_text(s->rows.runs[i].id, id);
        if (used && used + UUID_TEXT > PAYLOAD_MAX_BYTES) {
            buf_adds(out, "\",");
            used = 0;
        }
        buf_addf(out, "%c%s", used ? ',' : '"', id);
        used += UUID_TEXT;
    }
    buf_adds(out, used ? "\"}" : "}");
}

/* --- reading runs ---------------------------------------------------------------- */

/* The columns of sql_read_runs behind run_id, run_day and state. */
static const size_t memory_at[] = {
    offsetof(struct run_row, judge.sequence),  offsetof(struct run_row, judge.epoch),
    offsetof(struct run_row, judge.control_n), offsetof(struct run_row, judge.attempt),
    offsetof(struct run_row, judge.line),
};

static enum err_code load_row(struct slice *s, const PGresult *res, int row, struct err *err)
{
    uint8_t id[16];
    struct run_row *run;
    int col = 3;

    if (!uuid_bytes(str_of(pg_text(res, row, 0)), id) || !(run = projection_find(&s->rows, id)) ||
        !run_state_parse(pg_text(res, row, 2), &run->state))
        return err_set(err, ERR_CONFIG, "fleet.runs holds what this program does not know");
    run->day_ms = pg_int(res, row, 1) * DAY_MS;
    for (size_t i = 0; i < COUNTOF(memory_at); i++)
        *(int64_t *)(void *)((char *)run + memory_at[i]) = pg_int(res, row, col++);
    run->judge.ended = pg_int(res, row, col++) != 0;
    run->attempt = pg_int(res, row, col++);
    run->repeats = pg_int(res, row, col++);
    run->superseded = pg_int(res, row, col++);
    run->missing_lines = pg_int(res, row, col++);
    run->cost_usd = strtod(pg_text(res, row, col++), NULL);
    for (size_t i = 0; i < TOKENS; i++)
        run->tokens[i] = pg_int(res, row, col++);
    run->has_request = pg_int(res, row, col++) != 0;
    run->has_model = pg_int(res, row, col) != 0;
    return ERR_OK;
}

enum err_code slice_load(struct slice *s, const PGresult *res, struct err *err)
{
    for (int row = 0; row < PQntuples(res); row++)
        if (load_row(s, res, row, err) != ERR_OK)
            return err->code;
    return ERR_OK;
}

/* --- folding ---------------------------------------------------------------------- */

/* The copy's buffer, for one more row. */
static struct buf *row_in(struct slice *s, enum slice_copy copy)
{
    s->copies[copy].rows++;
    return &s->copies[copy].data;
}

static void log_gap(const struct run_row *run, const struct event *e, int64_t missing)
{
    char id[UUID_TEXT];

    uuid_text(run->id, id);
    log_event(LOG_ERROR, "sink.gap", LF("run", id), LF_INT("attempt", e->attempt),
              LF_INT("from_line", e->n - missing), LF_INT("to_line", e->n - 1));
}

static enum err_code fold_event_item(struct slice *s, size_t i, struct err *err)
{
    struct batch_item *item = &s->batch->items[i];
    struct err why = ERR_INIT;
    enum verdict verdict;
    int64_t missing;
    const struct run_row *run;

    if (projection_event(&s->rows, item->run, &item->event, &verdict, &missing, &why) != ERR_OK) {
        if (why.code == ERR_NOMEM)
            return err_set(err, why.code, "%s", why.msg);
        return batch_poison(s->batch, i, event_reason(&why), why.msg, err);
    }
    run = projection_find(&s->rows, item->run);
    switch (verdict) {
    case JUDGE_GAP:
        rows_gap(row_in(s, COPY_GAPS), run, &item->event.event, missing);
        log_gap(run, &item->event.event, missing);
        s->counts.gaps++;
        __attribute__((fallthrough));
    case JUDGE_STORE:
        rows_event(row_in(s, COPY_EVENTS), run, &item->event);
        s->counts.events++;
        break;
    case JUDGE_REPEAT:
        s->counts.repeats++;
        break;
    case JUDGE_SUPERSEDED:
        s->counts.superseded++;
        break;
    }
    return ERR_OK;
}

static enum err_code fold_item(struct slice *s, size_t i, struct err *err)
{
    struct batch_item *item = &s->batch->items[i];
    enum err_code rc = ERR_OK;

    if (item->kind == ITEM_EVENT)
        rc = fold_event_item(s, i, err);
    if (item->kind == ITEM_REQUEST) {
        s->counts.requests++;
        rc = projection_request(&s->rows, item->run, item->request,
                                item->topic == TOPIC_INTERACTIVE ? LANE_INTERACTIVE : LANE_BATCH,
                                item->record.timestamp_ms, err);
    }
    if (rc == ERR_OK && item->kind == ITEM_POISON) { /* found just now, or before */
        s->counts.quarantined++;
        rows_quarantine(row_in(s, COPY_QUARANTINE), item);
    }
    return rc;
}

static void begin_copies(struct slice *s)
{
    for (size_t i = 0; i < COPIES; i++) {
        s->copies[i].rows = 0;
        buf_clear(&s->copies[i].data);
        copy_begin(&s->copies[i].data);
    }
    /* grown once, not often */
    (void)buf_room(&s->copies[COPY_EVENTS].data, s->batch->bytes + s->n * ROW_OVERHEAD);
}

static enum err_code end_copies(struct slice *s, struct err *err)
{
    for (size_t i = 0; i < COPIES; i++) {
        copy_end(&s->copies[i].data);
        if (s->copies[i].data.rc != ERR_OK)
            return err_set(err, ERR_NOMEM, "rows of a batch");
    }
    return ERR_OK;
}

enum err_code slice_fold(struct slice *s, struct err *err)
{
    begin_copies(s);
    for (size_t i = s->at; i < s->at + s->n; i++)
        if (fold_item(s, i, err) != ERR_OK)
            return err->code;
    for (size_t i = 0; i < s->rows.n_runs; i++)
        if (run_changed(&s->rows.runs[i]))
            rows_run(row_in(s, COPY_RUNS), &s->rows.runs[i]);
    for (size_t i = 0; i < s->rows.n_attempts; i++) {
        const struct attempt_row *a = &s->rows.attempts[i];
        rows_attempt(row_in(s, COPY_ATTEMPTS), &s->rows.runs[a->run], a);
    }
    return end_copies(s, err);
}
