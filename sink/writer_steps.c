/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the writer's transaction: what is sent, and what its answer means. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#include "sink/writer_internal.h"
#include "sink/writer_sql.h"

#include "common/banned.h"

enum { PARAM_MAX = 16 << 20 /* bytes of one array parameter */ };

struct params {
    struct buf v[4];
};

static void params_release(struct params *p)
{
    for (size_t i = 0; i < COUNTOF(p->v); i++)
        buf_release(&p->v[i]);
}

#define PARAM BUF_INIT(PARAM_MAX)
#define PARAMS_INIT                                                                                \
    {                                                                                              \
        {                                                                                          \
            PARAM, PARAM, PARAM, PARAM                                                             \
        }                                                                                          \
    }

/* Sends sql with the first n of the parameters. */
static enum err_code send_with(struct writer *w, const char *sql, const struct params *p, int n,
                               struct err *err)
{
    struct pg_cmd cmd = {.sql = sql, .n = n};

    for (int i = 0; i < n; i++) {
        if (p->v[i].rc != ERR_OK)
            return err_set(err, ERR_NOMEM, "parameters of a batch");
        cmd.v[i] = p->v[i].p;
    }
    return pg_send(w->pg, &cmd, writer_on_result, w, err);
}

static bool knows_day(const struct writer *w, int64_t day_ms)
{
    size_t n = w->n_days < DAYS_KNOWN ? w->n_days : DAYS_KNOWN;

    for (size_t i = 0; i < n; i++)
        if (w->days[i] == day_ms)
            return true;
    return false;
}

/* Days that come up for the first time; more than a batch can hold in any honest
 * installation go to the default partition. */
static bool days_wanted(const struct writer *w)
{
    for (size_t i = w->at; i < w->at + w->n; i++)
        if (w->batch->items[i].kind == ITEM_EVENT &&
            !knows_day(w, w->batch->items[i].event.created_day_ms))
            return true;
    return false;
}

static enum err_code days_send(struct writer *w, struct err *err)
{
    AUTO(params_release) struct params p = PARAMS_INIT;
    char text[CLOCK_TEXT], sep = '{';
    size_t asked = 0;

    for (size_t i = w->at; i < w->at + w->n && asked < DAYS_KNOWN; i++) {
        int64_t day = w->batch->items[i].event.created_day_ms;

        if (w->batch->items[i].kind != ITEM_EVENT || knows_day(w, day))
            continue;
        w->days[w->n_days++ % DAYS_KNOWN] = day;
        buf_addf(&p.v[0], "%c%s", sep, clock_day(day, text));
        sep = ',';
        asked++;
    }
    buf_addc(&p.v[0], '}');
    return send_with(w, sql_ensure_days, &p, 1, err);
}

static enum err_code begin_send(struct writer *w, struct err *err)
{
    return pg_send(w->pg, &(struct pg_cmd){.sql = "BEGIN"}, writer_on_result, w, err);
}

static bool new_wanted(const struct writer *w)
{
    return slice_has_new(&w->slice);
}

static enum err_code new_send(struct writer *w, struct err *err)
{
    AUTO(params_release) struct params p = PARAMS_INIT;

    slice_spans(&w->slice, SPAN_TOPIC, true, &p.v[0]);
    slice_spans(&w->slice, SPAN_PARTITION, true, &p.v[1]);
    slice_spans(&w->slice, SPAN_FROM, true, &p.v[2]);
    return send_with(w, sql_make_offsets, &p, 3, err);
}

static enum err_code lock_send(struct writer *w, struct err *err)
{
    AUTO(params_release) struct params p = PARAMS_INIT;

    slice_spans(&w->slice, SPAN_TOPIC, false, &p.v[0]);
    slice_spans(&w->slice, SPAN_PARTITION, false, &p.v[1]);
    return send_with(w, sql_lock_offsets, &p, 2, err);
}

static enum err_code moved(struct writer *w, struct err *err)
{
    w->moved = true;
    return err_set(err, ERR_GONE, "the database stands at another position");
}

static enum err_code lock_done(struct writer *w, const PGresult *res, struct err *err)
{
    return slice_comes_next(&w->slice, res) ? ERR_OK : moved(w, err);
}

static enum err_code read_send(struct writer *w, struct err *err)
{
    AUTO(params_release) struct params p = PARAMS_INIT;

    slice_run_ids(&w->slice, &p.v[0]);
    return send_with(w, sql_read_runs, &p, 1, err);
}

static enum err_code read_done(struct writer *w, const PGresult *res, struct err *err)
{
    if (slice_load(&w->slice, res, err) != ERR_OK)
        return err->code;
    return slice_fold(&w->slice, err);
}

static enum err_code advance_send(struct writer *w, struct err *err)
{
    AUTO(params_release) struct params p = PARAMS_INIT;

    for (int f = SPAN_TOPIC; f <= SPAN_NEXT; f++)
        slice_spans(&w->slice, (enum span_field)f, false, &p.v[f]);
    return send_with(w, sql_advance_offsets, &p, 4, err);
}

static enum err_code advance_done(struct writer *w, const PGresult *res, struct err *err)
{
    const char *n = PQcmdTuples((PGresult *)(uintptr_t)res); /* libpq does not change it */

    return strtoull(n, NULL, 10) == w->slice.n_spans ? ERR_OK : moved(w, err);
}

static enum err_code notify_send(struct writer *w, struct err *err)
{
    AUTO(params_release) struct params p = PARAMS_INIT;

    slice_payloads(&w->slice, &p.v[0]);
    return send_with(w, sql_notify, &p, 1, err);
}

static enum err_code commit_send(struct writer *w, struct err *err)
{
    return pg_send(w->pg, &(struct pg_cmd){.sql = "COMMIT"}, writer_on_result, w, err);
}

/* A COMMIT of a failed transaction succeeds, as a ROLLBACK. */
static enum err_code commit_done(struct writer *w, const PGresult *res, struct err *err)
{
    (void)w;
    if (strcmp(PQcmdStatus((PGresult *)(uintptr_t)res), "COMMIT") == 0)
        return ERR_OK;
    return err_set(err, ERR_UNAVAILABLE, "postgres rolled the batch back");
}

#define COPY(part, into) .copy = (part) + 1, .sql = (into), .data = true

// clang-format off
const struct step writer_steps[] = {
    {.name = "make partitions",   .wanted = days_wanted, .send = days_send},
    {.name = "begin",             .send = begin_send},
    {.name = "make positions",    .wanted = new_wanted, .send = new_send},
    {.name = "lock positions",    .send = lock_send, .done = lock_done},
    {.name = "read runs",         .send = read_send, .done = read_done},
    {.name = "copy events",       COPY(COPY_EVENTS, sql_copy_events)},
    {.name = "copy runs",         COPY(COPY_RUNS, sql_copy_runs)},
    {.name = "merge runs",        COPY(COPY_RUNS, sql_merge_runs), .merge = true},
    {.name = "copy attempts",     COPY(COPY_ATTEMPTS, sql_copy_attempts)},
    {.name = "merge attempts",    COPY(COPY_ATTEMPTS, sql_merge_attempts), .merge = true},
    {.name = "copy gaps",         COPY(COPY_GAPS, sql_copy_gaps)},
    {.name = "copy quarantine",   COPY(COPY_QUARANTINE, sql_copy_quarantine)},
    {.name = "merge quarantine",  COPY(COPY_QUARANTINE, sql_merge_quarantine), .merge = true},
    {.name = "advance positions", .send = advance_send, .done = advance_done},
    {.name = "notify",            .send = notify_send},
    {.name = "commit",            .send = commit_send, .done = commit_done},
};
// clang-format on
const size_t writer_steps_n = COUNTOF(writer_steps);
