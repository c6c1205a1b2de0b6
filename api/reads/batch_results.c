/* SPDX-License-Identifier: Apache-2.0 */
/* What came out of a batch so far, a line each. */
#include "api/api_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/reads/cursor.h"
#include "api/reads/pages.h"
#include "api/reads/reads.h"
#include "api/reads/run_json.h"
#include "common/banned.h"

struct results { /* c->state */
    bool submitted, errors, begun;
    struct cursor last; /* told so far */
    char at[CURSOR_TIME_TEXT];
};

/* $1 tenant $2 batch $3, $4 the last one that was told. How long a text is, is known without
 * fetching it: a page ends with the run that is over its bytes. */
// clang-format off
#define PAGE(at, also)                                                                             \
    "SELECT " SQL_US(at) ", r.run_id, " ROW_JSON(RESULT_COLUMNS) " FROM (SELECT r.*,"              \
    " sum(octet_length(coalesce(r.result, ''))) OVER (ORDER BY " at ", r.run_id)"                  \
    " - octet_length(coalesce(r.result, '')) AS before FROM (SELECT * FROM fleet.runs AS r"        \
    " WHERE r.tenant = $1 AND r.batch_id = $2 AND r.ended" also                                    \
    " AND (" at ", r.run_id) > ($3::timestamptz, $4::uuid) ORDER BY " at ", r.run_id"              \
    " LIMIT " PAGES_ROWS_SQL ") AS r) AS r WHERE r.before < " PAGES_BYTES_SQL                      \
    " ORDER BY " at ", r.run_id"
// clang-format on
#define ENDED   "coalesce(r.ended_at, 'infinity')"
#define CREATED "coalesce(r.created_at, 'infinity')"
#define ERRORS  " AND r.state <> 'completed'"

static void ask(struct call *c, struct pg_cmd *cmd)
{
    static const char *const sql[2][2] = {{PAGE(ENDED, ""), PAGE(ENDED, ERRORS)},
                                          {PAGE(CREATED, ""), PAGE(CREATED, ERRORS)}};
    struct results *r = c->state;

    *cmd = (struct pg_cmd){.sql = sql[r->submitted][r->errors],
                           .n = 4,
                           .v = {c->who.tenant, c->param[0].p,
                                 r->begun ? cursor_time(&r->last, r->at) : "-infinity",
                                 r->begun ? r->last.id : "00000000-0000-0000-0000-000000000000"}};
}

static bool take(struct call *c, const PGresult *res, struct buf *out)
{
    struct results *r = c->state;
    int n = PQntuples(res);

    for (int i = 0; i < n; i++)
        pages_line(out, pg_text(res, i, 2));
    if (n == 0)
        return false;
    r->begun = true;
    r->last.at_us = pg_int(res, n - 1, 0);
    (void)snprintf(r->last.id, sizeof(r->last.id), "%s", pg_text(res, n - 1, 1));
    return true;
}

static void on_found(void *ctx, PGresult *res, const struct err *e)
{
    static const struct pages pages = {.ask = ask, .take = take};
    struct call *c = ctx;

    (void)e;
    if (PQntuples(res) > 0)
        pages_start(c, &pages);
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch");
}

/* One of the two words, the first if absent. */
static bool read_choice(struct call *c, const char *name, const char *first, const char *second,
                        bool *is_second)
{
    char text[16];
    bool given;

    if (!call_text(c, name, text, sizeof(text), &given))
        return false;
    *is_second = strcmp(text, second) == 0;
    if (!given || *is_second || strcmp(text, first) == 0)
        return true;
    call_problem_at(c, PROBLEM_BAD_REQUEST, name, "%s is %s or %s", name, first, second);
    return false;
}

static void release(struct call *c)
{
    free(c->state);
}

void batch_results(struct call *c)
{
    static const char *const params[] = {"order", "errors_only", NULL};
    static const char sql[] = "SELECT FROM fleet.batches WHERE tenant = $1 AND batch_id = $2"
                              " UNION ALL SELECT FROM door.batches WHERE tenant = $1"
                              " AND batch_id = $2";
    struct results *r = calloc(1, sizeof(*r));

    if (!r) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    c->state = r;
    c->release = release;
    if (call_params(c, params) && read_choice(c, "order", "ended", "submitted", &r->submitted) &&
        read_choice(c, "errors_only", "false", "true", &r->errors))
        call_query(c, &(struct pg_cmd){.sql = sql, .n = 2, .v = {c->who.tenant, c->param[0].p}},
                   on_found);
}
