/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the writer's transaction: what is sent, and what its answer means. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#include "common/fault.h"
#include "sink/writer_internal.h"
#include "sink/writer_sql.h"

#include "common/banned.h"

enum {
    PARAM_MAX = 16 << 20, /* bytes of one array parameter */
    SCRIPT_MAX = 1 << 30  /* a batch is far below: its rows and bytes have ceilings */
};

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

/* --- several statements in one message ------------------------------------------------ */

struct script {
    struct buf sql, value; /* value: of the argument under way */
    bool open;             /* an EXECUTE has an argument already */
};

#define SCRIPT_INIT {.sql = BUF_INIT(SCRIPT_MAX), .value = BUF_INIT(SCRIPT_MAX)}

static void script_release(struct script *s)
{
    buf_release(&s->sql);
    buf_release(&s->value);
}

static void execute(struct script *s, const char *name)
{
    buf_addf(&s->sql, "EXECUTE %s (", name);
    s->open = false;
}

/* s->value as the next argument: a literal, its quotes doubled. */
static void argument(struct script *s)
{
    struct str left = buf_str(&s->value);

    buf_adds(&s->sql, s->open ? ", '" : "'");
    while (left.n > 0) {
        const char *quote = memchr(left.p, '\'', left.n);
        size_t n = quote ? (size_t)(quote - left.p) + 1 : left.n;

        buf_add(&s->sql, left.p, n);
        if (quote)
            buf_addc(&s->sql, '\'');
        left = (struct str){left.p + n, left.n - n};
    }
    buf_addc(&s->sql, '\'');
    if (s->value.rc != ERR_OK)
        s->sql.rc = s->value.rc;
    buf_clear(&s->value);
    s->open = true;
}

static void execute_end(struct script *s)
{
    buf_adds(&s->sql, ");");
}

static void execute_spans(struct script *s, const struct slice *slice, const char *name,
                          enum span_field last, bool only_new)
{
    execute(s, name);
    for (int f = SPAN_TOPIC; f <= (int)last; f++) {
        slice_spans(slice, (enum span_field)f, only_new, &s->value);
        argument(s);
    }
    execute_end(s);
}

static void execute_rows(struct script *s, const struct slice *slice, const char *name,
                         void (*rows)(const struct slice *slice, struct buf *out))
{
    rows(slice, &s->value);
    if (s->value.len <= 2 && s->value.rc == ERR_OK) { /* "[]", "{}" */
        buf_clear(&s->value);
        return;
    }
    execute(s, name);
    argument(s);
    execute_end(s);
}

static enum err_code send_script(struct writer *w, struct script *s, struct err *err)
{
    if (s->sql.rc != ERR_OK)
        return err_set(err, ERR_NOMEM, "statements of a batch");
    return pg_send(w->pg, &(struct pg_cmd){.sql = s->sql.p}, writer_on_result, w, err);
}

/* --- the steps -------------------------------------------------------------------------- */

/* Locks the positions, then moves them: whoever stands elsewhere moves fewer of them. */
static enum err_code begin_send(struct writer *w, struct err *err)
{
    AUTO(script_release) struct script s = SCRIPT_INIT;

    buf_adds(&s.sql, "BEGIN;");
    if (slice_has_new(&w->slice))
        execute_spans(&s, &w->slice, EXEC_MAKE, SPAN_FROM, true);
    execute_spans(&s, &w->slice, EXEC_LOCK, SPAN_PARTITION, false);
    execute_spans(&s, &w->slice, EXEC_ADVANCE, SPAN_NEXT, false);
    return send_script(w, &s, err);
}

static enum err_code begin_done(struct writer *w, const PGresult *res, struct err *err)
{
    const char *n = PQcmdTuples((PGresult *)(uintptr_t)res); /* libpq does not change it */

    if (strtoull(n, NULL, 10) == w->slice.n_spans)
        return ERR_OK;
    w->moved = true;
    return err_set(err, ERR_GONE, "the database stands at another position");
}

static bool read_wanted(const struct writer *w)
{
    return slice_has_unknown(&w->slice);
}

static enum err_code read_send(struct writer *w, struct err *err)
{
    AUTO(params_release) struct params p = PARAMS_INIT;

    slice_unknown_ids(&w->slice, &p.v[0]);
    return send_with(w, sql_read_runs, &p, 1, err);
}

static enum err_code read_done(struct writer *w, const PGresult *res, struct err *err)
{
    return slice_load(&w->slice, res, err);
}

static bool events_wanted(const struct writer *w)
{
    return w->slice.has_events;
}

static enum err_code events_more(void *ctx, struct buf *piece, struct err *err)
{
    struct writer *w = ctx;

    fault_pass("copy events", "piece");
    return slice_fold_some(&w->slice, piece, err);
}

static enum err_code events_send(struct writer *w, struct err *err)
{
    return pg_copy_from(w->pg, sql_copy_events, events_more, writer_on_result, w, err);
}

static enum err_code commit_send(struct writer *w, struct err *err)
{
    AUTO(script_release) struct script s = SCRIPT_INIT;

    execute_rows(&s, &w->slice, EXEC_RUNS, slice_runs);
    execute_rows(&s, &w->slice, EXEC_ATTEMPT, slice_attempts);
    execute_rows(&s, &w->slice, EXEC_SANDBOX, slice_sandboxes);
    execute_rows(&s, &w->slice, EXEC_SUPERSEDED, slice_superseded);
    execute_rows(&s, &w->slice, EXEC_NOTIFY, slice_payloads);
    buf_adds(&s.sql, "COMMIT");
    return send_script(w, &s, err);
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
    {.name = "begin",             .send = begin_send, .done = begin_done},
    {.name = "read runs",         .wanted = read_wanted, .send = read_send, .done = read_done},
    {.name = "copy events",       .wanted = events_wanted, .send = events_send, .data = true},
    {.name = "copy gaps",         COPY(COPY_GAPS, sql_copy_gaps)},
    {.name = "copy quarantine",   COPY(COPY_QUARANTINE, sql_copy_quarantine)},
    {.name = "merge quarantine",  COPY(COPY_QUARANTINE, sql_merge_quarantine), .merge = true},
    {.name = "merge and commit",  .send = commit_send, .done = commit_done, .data = true},
};
// clang-format on
const size_t writer_steps_n = COUNTOF(writer_steps);
