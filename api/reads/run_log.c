/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent printed, line by line, as it printed it. */
#include "api/api_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/reads/pages.h"
#include "api/reads/reads.h"
#include "common/banned.h"

enum { NUMBER_TEXT = 24, DAY_TEXT = 16 };

struct log { /* c->state */
    char attempt[NUMBER_TEXT], day[DAY_TEXT];
    char behind[NUMBER_TEXT], before[NUMBER_TEXT]; /* sequences: what is left lies between them */
    char offset[NUMBER_TEXT];                      /* of the output, so far */
};

/* $1 run $2 its day $3 attempt $4, $5 sequences, between which its lines lie $6 bytes of its output
 * that were told: its size says beforehand how much a line holds, without fetching it. */
static const char page_sql[] =
    "SELECT sequence, reaches, coalesce(data -> 'native', data -> 'text', data) FROM"
    " (SELECT sequence, data, coalesce(log_offset, 0) AS reaches,"
    " first_value(coalesce(log_offset, 0)) OVER (ORDER BY sequence) AS first FROM"
    " (SELECT sequence, data, log_offset FROM fleet.events WHERE run_id = $1 AND run_day = $2::date"
    " AND attempt = $3::int AND sequence > $4::bigint AND sequence < $5::bigint"
    " AND line IS NOT NULL ORDER BY sequence LIMIT " PAGES_ROWS_SQL ") AS e) AS e"
    " WHERE reaches <= greatest(first, $6::bigint + " PAGES_BYTES_SQL ") ORDER BY sequence";

static void ask(struct call *c, struct pg_cmd *cmd)
{
    const struct log *l = c->state;

    *cmd =
        (struct pg_cmd){.sql = page_sql,
                        .n = 6,
                        .v = {c->param[0].p, l->day, l->attempt, l->behind, l->before, l->offset}};
}

static bool take(struct call *c, const PGresult *res, struct buf *out)
{
    struct log *l = c->state;
    int n = PQntuples(res);

    for (int i = 0; i < n; i++)
        pages_line(out, pg_text(res, i, 2));
    if (n == 0)
        return false;
    (void)snprintf(l->behind, sizeof(l->behind), "%s", pg_text(res, n - 1, 0));
    (void)snprintf(l->offset, sizeof(l->offset), "%s", pg_text(res, n - 1, 1));
    return true;
}

/* Attempts follow each other, each with a word of the fleet's at its beginning. */
static const char find_sql[] =
    "SELECT r.run_day, w.attempt, coalesce((SELECT min(e.sequence) FROM fleet.events AS e"
    " WHERE e.run_id = r.run_id AND e.run_day = r.run_day AND e.line IS NULL"
    " AND e.attempt = w.attempt) - 1, 0), coalesce((SELECT min(e.sequence) FROM fleet.events AS e"
    " WHERE e.run_id = r.run_id AND e.run_day = r.run_day AND e.line IS NULL"
    " AND e.attempt > w.attempt), 9223372036854775807)"
    " FROM door.runs AS r CROSS JOIN LATERAL (SELECT coalesce($3::int, r.attempt) AS attempt) AS w"
    " WHERE r.run_id = $1 AND r.tenant = $2 AND ($3 IS NULL OR w.attempt <= r.attempt)";

static void on_found(void *ctx, PGresult *res, const struct err *e)
{
    static const struct pages pages = {.ask = ask, .take = take};
    struct call *c = ctx;
    struct log *l = c->state;

    (void)e;
    if (PQntuples(res) == 0) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such run, or it has not that attempt");
        return;
    }
    (void)snprintf(l->day, sizeof(l->day), "%s", pg_text(res, 0, 0));
    (void)snprintf(l->attempt, sizeof(l->attempt), "%s", pg_text(res, 0, 1));
    (void)snprintf(l->behind, sizeof(l->behind), "%s", pg_text(res, 0, 2));
    (void)snprintf(l->before, sizeof(l->before), "%s", pg_text(res, 0, 3));
    (void)snprintf(l->offset, sizeof(l->offset), "0");
    pages_start(c, &pages);
}

static void release(struct call *c)
{
    free(c->state);
}

void run_log(struct call *c)
{
    static const char *const params[] = {"attempt", NULL};
    const char *id = call_params(c, params) ? call_run_id(c) : NULL;
    char attempt[NUMBER_TEXT];
    int64_t n;

    if (!id || !call_int(c, "attempt", 1, INT32_MAX, 0, &n))
        return;
    c->state = calloc(1, sizeof(struct log));
    if (!c->state) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    c->release = release;
    (void)snprintf(attempt, sizeof(attempt), "%" PRId64, n);
    call_query(
        c, &(struct pg_cmd){.sql = find_sql, .n = 3, .v = {id, c->who.tenant, n ? attempt : NULL}},
        on_found);
}
