/* SPDX-License-Identifier: Apache-2.0 */
/* The slice's records become rows: what the table knows of their runs comes in, each record
 * is judged and folded, and its row goes out. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/uuid.h"

#include "sink/copy_binary.h"
#include "sink/rows.h"
#include "sink/writer_slice.h"

#include "common/banned.h"

enum { PIECE_BYTES = 128 << 10 /* of the events' copy, made at a time */ };
#define DAY_MS INT64_C(86400000)

/* --- reading runs ---------------------------------------------------------------- */

/* The columns of sql_read_runs behind run_id, run_day and state. */
static const size_t memory_at[] = {
    offsetof(struct run_row, judge.sequence),  offsetof(struct run_row, judge.epoch),
    offsetof(struct run_row, judge.control_n), offsetof(struct run_row, judge.attempt),
    offsetof(struct run_row, judge.line),      offsetof(struct run_row, judge.closed),
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
    run->sandbox_ms = pg_int(res, row, col++);
    run->sandbox_usd = strtod(pg_text(res, row, col++), NULL);
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

void slice_keep(struct slice *s)
{
    for (size_t i = 0; i < s->rows.n_runs; i++)
        memory_keep(&s->memory, &s->rows.runs[i]);
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

static struct log_place place_of(const struct batch_item *item)
{
    return (struct log_place){true, item->record.partition, item->record.offset};
}

static enum err_code fold_event_item(struct slice *s, size_t i, struct buf *out, struct err *err)
{
    struct batch_item *item = &s->batch->items[i];
    struct err why = ERR_INIT;
    enum verdict verdict;
    int64_t missing;
    struct run_row *run;

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
        rows_event(out, run, &item->event);
        if (run->judge.sequence == 1)
            run->event_at = place_of(item);
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

static enum err_code fold_request_item(struct slice *s, struct batch_item *item, struct err *err)
{
    enum run_lane lane = item->topic == TOPIC_INTERACTIVE ? LANE_INTERACTIVE : LANE_BATCH;
    struct run_row *run;

    if (projection_request(&s->rows, item->run, item->request, lane, item->record.timestamp_ms,
                           err) != ERR_OK)
        return err->code;
    run = projection_find(&s->rows, item->run);
    if (run->request == item->request)
        run->request_at = place_of(item);
    return ERR_OK;
}

static enum err_code fold_item(struct slice *s, size_t i, struct buf *out, struct err *err)
{
    struct batch_item *item = &s->batch->items[i];
    enum err_code rc = ERR_OK;

    if (item->kind == ITEM_EVENT)
        rc = fold_event_item(s, i, out, err);
    if (item->kind == ITEM_REQUEST) {
        s->counts.requests++;
        rc = fold_request_item(s, item, err);
    }
    if (rc == ERR_OK && item->kind == ITEM_POISON) { /* found just now, or before */
        s->counts.quarantined++;
        rows_quarantine(row_in(s, COPY_QUARANTINE), item);
    }
    return rc;
}

enum err_code slice_fold_some(struct slice *s, struct buf *out, struct err *err)
{
    if (s->ended)
        return ERR_OK;
    if (s->folded == 0)
        copy_begin(out);
    for (; s->folded < s->n && out->len < PIECE_BYTES; s->folded++)
        if (fold_item(s, s->at + s->order[s->folded], out, err) != ERR_OK)
            return err->code;
    if (s->folded == s->n) {
        copy_end(out);
        s->ended = true;
    }
    return ERR_OK;
}

enum err_code slice_fold_rest(struct slice *s, struct err *err)
{
    AUTO_BUF none = BUF_INIT(0); /* no event, no row */

    if (s->closed)
        return ERR_OK;
    s->closed = true;
    for (; s->folded < s->n; s->folded++)
        if (fold_item(s, s->at + s->order[s->folded], &none, err) != ERR_OK)
            return err->code;
    for (size_t i = 0; i < COPIES; i++) {
        copy_end(&s->copies[i].data);
        if (s->copies[i].data.rc != ERR_OK)
            return err_set(err, ERR_NOMEM, "rows of a batch");
    }
    return ERR_OK;
}
