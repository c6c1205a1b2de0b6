/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reads/list.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api_internal.h"
#include "api/reads/list_asked.h"
#include "common/banned.h"

enum { SQL_MAX = 32 << 10 };

/* The rows of the page; returns the last one that was looked at, or -1: there is nothing behind. */
static int write_rows(const struct list_asked *a, PGresult *res, struct buf *body)
{
    int n = PQntuples(res), shown = 0;

    for (int i = 0; i < n && i < (int)a->looks; i++) {
        if (PQgetisnull(res, i, 2))
            continue;
        if (shown == (int)a->limit)
            return i - 1;
        if (shown++ > 0)
            buf_addc(body, ',');
        buf_adds(body, PQgetvalue(res, i, 2));
    }
    return n > (int)a->looks ? (int)a->looks - 1 : -1;
}

static void write_next(const struct list_asked *a, PGresult *res, int last, struct buf *body)
{
    struct cursor next = {.at_us = last < 0 ? 0 : pg_int(res, last, 0)};

    if (last < 0) {
        buf_adds(body, "null");
        return;
    }
    (void)snprintf(next.id, sizeof(next.id), "%s", pg_text(res, last, 1));
    buf_addc(body, '"');
    cursor_write(&next, &a->bound, body);
    buf_addc(body, '"');
}

static void on_rows(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    const struct list_asked *a = c->state;
    struct buf body = BUF_INIT(API_ANSWER_MAX);
    int last;

    (void)e;
    buf_adds(&body, "{\"data\":[");
    last = write_rows(a, res, &body);
    buf_adds(&body, "],\"next_cursor\":");
    write_next(a, res, last, &body);
    buf_adds(&body, "}\n");
    call_json(c, 200, &body);
}

/* Of a label it matters which one it is: planned for its value, in the same round trip. */
#define PLANNED_FOR_VALUES "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"

static void ask(struct call *c, const struct list_asked *a)
{
    AUTO_BUF sql = BUF_INIT(SQL_MAX);
    struct pg_cmd cmd = {.n = 1, .v = {c->who.tenant}};
    char at[CURSOR_TIME_TEXT];

    list_asked_write_sql(a, &sql);
    if (sql.rc != ERR_OK) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    cmd.sql = sql.p;
    cmd.before = a->by_labels ? PLANNED_FOR_VALUES : NULL;
    for (size_t i = 0; i < a->n; i++)
        cmd.v[cmd.n++] = a->filter[i]->several ? a->labels[i].p : a->value[i];
    if (a->goes_on) {
        cmd.v[cmd.n++] = cursor_time(&a->cursor, at);
        cmd.v[cmd.n++] = a->cursor.id;
    }
    call_query(c, &cmd, on_rows);
}

static void release(struct call *c)
{
    list_asked_release(c->state);
    free(c->state);
}

void list_answer(struct call *c, const struct list *list)
{
    struct list_asked *a = calloc(1, sizeof(*a));

    if (!a) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    c->state = a;
    c->release = release;
    if (list_asked_read(c, list, a))
        ask(c, a);
}
