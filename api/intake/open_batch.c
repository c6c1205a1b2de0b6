/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/open_batch.h"

#include <stdlib.h>

#include "api/api_internal.h"
#include "common/banned.h"

enum { LOOK_EVERY_MS = 1000 };

bool open_batch_init(struct open_batch *b, struct call *c)
{
    *b = (struct open_batch){.call = c, .id = str_dup(c->param[0])};
    return b->id != NULL;
}

/* --- is it open? ------------------------------------------------------------------------- */

/* The batch's defaults; whether it is open; whether there is one at all. */
static void on_batch(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct open_batch *b = c->state;
    bool found = PQntuples(res) > 0;
    const char *open = found ? pg_text(res, 0, 1) : NULL;
    const char *defaults = found ? pg_text(res, 0, 0) : NULL;
    struct err err = ERR_INIT;

    (void)e;
    if (!open) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch: POST /v1/batches begins one");
    } else if (open[0] != 't') {
        call_problem(c, PROBLEM_BATCH_SEALED, "the batch takes no more items");
    } else if (defaults && json_parse(str_of(defaults), 0, &b->defaults, &err) != ERR_OK) {
        call_problem(c, PROBLEM_INTERNAL, "the batch's defaults: %s", err.msg);
    } else {
        b->known = true;
        b->looked_ms = loop_now_ms(c->api->loop);
        b->next(c);
    }
}

void open_batch_find(struct open_batch *b, void (*found)(struct call *c))
{
    static const char sql[] =
        "SELECT b.defaults, b.sealed_at IS NULL FROM door.batches b WHERE tenant = $1"
        " AND batch_id = $2 UNION ALL SELECT NULL, false FROM fleet.batches WHERE tenant = $1"
        " AND batch_id = $2 AND NOT EXISTS (SELECT FROM door.batches WHERE tenant = $1"
        " AND batch_id = $2)";
    struct call *c = b->call;
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {c->who.tenant, b->id}};

    b->next = found;
    call_query(c, &cmd, on_batch);
}

static void on_looked(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct open_batch *b = c->state;

    if (e->code == ERR_OK && PQntuples(res) > 0)
        b->sealed = true;
    call_drop(c);
}

/* A seal in the middle of a long body is seen within a second. */
void open_batch_look(struct open_batch *b)
{
    static const char sql[] = "SELECT FROM door.batches WHERE tenant = $1 AND batch_id = $2"
                              " AND sealed_at IS NOT NULL";
    struct call *c = b->call;
    int64_t now = loop_now_ms(c->api->loop);
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {c->who.tenant, b->id}};
    struct pg *db = api_db(c->api);
    struct err err = ERR_INIT;

    if (now < b->looked_ms + LOOK_EVERY_MS || !db)
        return;
    b->looked_ms = now;
    call_keep(c);
    if (pg_send(db, &cmd, on_looked, c, &err) != ERR_OK)
        call_drop(c);
}

/* --- how far it reaches ------------------------------------------------------------------ */

static const char mark_sql[] =
    "UPDATE door.batches SET marks = " MARKS_MERGED("$3") " WHERE tenant = $1 AND batch_id = $2";

static void on_marked(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct open_batch *b = c->state;

    (void)res, (void)e;
    b->told = true;
    b->next(c);
}

void open_batch_mark(struct open_batch *b, void (*marked)(struct call *c))
{
    struct call *c = b->call;
    AUTO_BUF marks = BUF_INIT(MARKS_MAX_BYTES);

    if (b->marks.n == 0) {
        marked(c);
        return;
    }
    b->next = marked;
    marks_write(&b->marks, &c->api->topics, &marks);
    if (marks.rc != ERR_OK)
        call_problem(c, PROBLEM_INTERNAL,
                     "out of memory; send all of it again: nothing is doubled");
    else
        call_query(c,
                   &(struct pg_cmd){.sql = mark_sql, .n = 3, .v = {c->who.tenant, b->id, marks.p}},
                   on_marked);
}

static void ignore(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res, (void)e;
}

/* Whoever asked went away: what was accepted is there all the same. */
static void mark_unasked(const struct open_batch *b)
{
    struct call *c = b->call;
    struct pg *db = api_db(c->api);
    AUTO_BUF marks = BUF_INIT(MARKS_MAX_BYTES);
    struct err err = ERR_INIT;

    marks_write(&b->marks, &c->api->topics, &marks);
    const struct pg_cmd cmd = {.sql = mark_sql, .n = 3, .v = {c->who.tenant, b->id, marks.p}};
    if (db && marks.rc == ERR_OK)
        (void)!pg_send(db, &cmd, ignore, NULL, &err);
}

void open_batch_release(struct open_batch *b)
{
    if (b->marks.n > 0 && !b->told)
        mark_unasked(b);
    marks_release(&b->marks);
    cJSON_Delete(b->defaults);
    free(b->id);
}
