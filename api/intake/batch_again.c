/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/batch_again.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/intake/body.h"
#include "api/intake/doc.h"
#include "api/intake/retry.h"
#include "common/clock.h"
#include "schema/cancel.h"
#include "common/banned.h"

enum { LOCK_MS = 60000 };

/* --- the end ----------------------------------------------------------------------------- */

/* $1 tenant $2 batch $3 key $4 who asks $5 location $6 answer $7 sealed, Unix ms $8 marks */
static const char seal_sql[] =
    "WITH told AS (UPDATE door.idempotency i SET answer = $6, location = $5, holder = NULL,"
    " locked_until = NULL WHERE i.tenant = $1 AND i.key = $3 AND i.holder = $4::uuid)"
    " UPDATE door.batches SET sealed_at = to_timestamp($7::bigint / 1000.0),"
    " marks = " MARKS_MERGED("$8") " WHERE tenant = $1"
                                   " AND batch_id = $2 AND sealed_at IS NULL";

static void on_sealed(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct batch_again *g = c->state;

    (void)res, (void)e;
    g->done = true;
    idem_answer(c, g->row.location, buf_str(&g->row.answer), false);
}

static void seal(struct batch_again *g)
{
    struct call *c = g->call;
    struct batch_row *b = &g->row;
    AUTO_BUF marks = BUF_INIT(MARKS_MAX_BYTES);
    char sealed[24];

    marks_write(&g->marks, &c->api->topics, &marks);
    if (marks.rc != ERR_OK) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    g->sealed_ms = clock_wall_ms();
    (void)snprintf(sealed, sizeof(sealed), "%" PRId64, g->sealed_ms);
    doc_batch(&(struct doc_batch){.batch_id = b->batch_id,
                                  .tenant = c->who.tenant,
                                  .retry_of = b->retry_of,
                                  .metadata = b->metadata,
                                  .created_ms = b->created_ms,
                                  .sealed_ms = g->sealed_ms,
                                  .runs = g->sent},
              &b->answer);
    const struct pg_cmd cmd = {.sql = seal_sql,
                               .n = 8,
                               .v = {c->who.tenant, b->batch_id, b->idem.key, c->id, b->location,
                                     b->answer.p, sealed, marks.p}};
    call_query(c, &cmd, on_sealed);
}

static void ignore(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res, (void)e;
}

/* Does whoever asks again come to this batch? */
static bool leads_here(const struct batch_again *g)
{
    return g->row.idem.key[0] || g->named;
}

static void give_up(struct batch_again *g)
{
    idem_let_go(g->call, false);
    call_problem(g->call, intake_problem(&g->failed), "%s; ask again%s", g->failed.msg,
                 leads_here(g) ? ": it goes on where it was" : "");
}

/* A batch that nobody will find is not to be. */
static void abandon(struct call *c)
{
    const struct batch_again *g = c->state;
    struct pg *db = api_db(c->api);
    const struct pg_cmd cancel = {.sql = cancel_batch_sql,
                                  .n = 4,
                                  .v = {c->who.tenant, g->row.batch_id, "true", "sandfleet-api"}};
    struct err err = ERR_INIT;

    if (db)
        (void)!pg_send(db, &cancel, ignore, NULL, &err);
}

/* --- to Kafka ------------------------------------------------------------------------------ */

static void go_on(struct batch_again *g);

static void acked(struct call *c, const struct err *e, const struct mark *at)
{
    struct batch_again *g = c->state;

    g->pending--;
    if (e->code != ERR_OK && g->failed.code == ERR_OK)
        g->failed = *e;
    if (e->code == ERR_OK && !marks_add(&g->marks, at->lane, at->partition, at->offset))
        (void)err_set(&g->failed, ERR_NOMEM, "out of memory");
    go_on(g);
    call_drop(c);
}

static void on_interactive(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    acked(ctx, e, &(struct mark){LANE_INTERACTIVE, partition, offset});
}

static void on_batched(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    acked(ctx, e, &(struct mark){LANE_BATCH, partition, offset});
}

static enum err_code send(struct batch_again *g, const struct body_run *run)
{
    AUTO_BUF value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    struct err err = ERR_INIT;
    enum err_code rc = run_request_write(&run->request, &value, &err);

    call_keep(g->call);
    if (rc == ERR_OK)
        rc = intake_send(g->call->api, &run->request, run->lane, buf_str(&value),
                         run->lane == LANE_BATCH ? on_batched : on_interactive, g->call, &err);
    if (rc == ERR_OK) {
        g->pending++;
        g->sent++;
        return rc;
    }
    call_drop(g->call); /* never the last one: our caller has it */
    if (rc != ERR_THROTTLED)
        g->failed = err;
    return rc;
}

static void on_bad(const struct batch_again *g, const char *run_id,
                   const struct body_errors *errors, struct err *out)
{
    (void)g;
    (void)err_set(out, ERR_INTERNAL, "the request of run %s is not taken any more: %s", run_id,
                  errors->n ? errors->fields[0].detail : "it cannot be read");
}

/* ERR_THROTTLED: once more, when there is room. */
static enum err_code again_one(struct batch_again *g)
{
    const char *run_id = pg_text(g->page, g->at, 0), *request = pg_text(g->page, g->at, 1);
    const char *lane = pg_text(g->page, g->at, 2), *name;
    struct body_errors errors = BODY_ERRORS_INIT;
    struct body_run run = {.request = RUN_REQUEST_INIT, .lane = LANE_BATCH};
    char key[RUN_KEY_MAX_BYTES + 1], id[UUID_TEXT];
    struct err err = ERR_INIT;
    int64_t now_us = clock_wall_next_us();
    cJSON *tree = NULL;
    enum err_code rc;

    if (json_parse(str_of(request), JSON_STRICT, &tree, &err) != ERR_OK ||
        !retry_request(tree, run_id)) {
        cJSON_Delete(tree);
        on_bad(g, run_id, &errors, &g->failed);
        return g->failed.code;
    }
    name = json_get_string(tree, "custom_id");
    (void)snprintf(key, sizeof(key), "%s/%s", g->row.batch_id, name ? name : run_id);
    run_request_derive_id(g->call->who.tenant, key, id);
    if (strcmp(lane, run_lane_name(LANE_INTERACTIVE)) == 0)
        run.lane = LANE_INTERACTIVE;
    run.request.run_id = id;
    run.request.tenant = g->call->who.tenant;
    run.request.batch_id = g->row.batch_id;
    run.request.idempotency_key = key;
    run.request.created_ms = now_us / 1000;
    run.request.created_us = (int)(now_us % 1000);
    if (body_run_read(tree, &run, &errors)) {
        rc = send(g, &run);
    } else {
        on_bad(g, run_id, &errors, &g->failed);
        rc = g->failed.code;
    }
    run_request_release(&run.request);
    return rc;
}

/* --- pages --------------------------------------------------------------------------------- */

/* $1 tenant $2 batch $3 states $4 behind this time $5 and this run $6 key $7 who asks $8 ms that
 * it stays locked. In the order of their creation. */
static const char page_sql[] =
    "WITH locked AS (UPDATE door.idempotency SET locked_until = clock_timestamp()"
    " + $8::bigint * interval '1 ms' WHERE tenant = $1 AND key = $6 AND holder = $7::uuid)"
    " SELECT r.run_id, c.request, c.lane, coalesce(r.created_at, 'infinity') FROM fleet.runs r"
    " JOIN ledger.claims c USING (run_id) WHERE r.tenant = $1 AND r.batch_id = $2"
    " AND r.state = ANY ($3::text[])"
    " AND (coalesce(r.created_at, 'infinity'), r.run_id) > ($4::timestamptz, $5::uuid)"
    " ORDER BY coalesce(r.created_at, 'infinity'), r.run_id LIMIT 50";

static void on_page(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct batch_again *g = c->state;

    (void)e;
    PQclear(g->page);
    g->page = PQcopyResult(res, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
    g->at = 0;
    if (!g->page)
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
    else if (PQntuples(g->page) == 0)
        seal(g);
    else
        go_on(g);
}

static void next_page(struct batch_again *g)
{
    struct call *c = g->call;
    char lock[24];

    (void)snprintf(lock, sizeof(lock), "%d", LOCK_MS);
    const struct pg_cmd cmd = {.sql = page_sql,
                               .n = 8,
                               .v = {c->who.tenant, g->row.retry_of, g->states, g->last_at,
                                     g->last_id, g->row.idem.key, c->id, lock}};
    call_query(c, &cmd, on_page);
}

static bool send_rows(struct batch_again *g)
{
    while (g->at < PQntuples(g->page)) {
        enum err_code rc = again_one(g);

        if (rc == ERR_THROTTLED)
            intake_wait(g->call->api, &g->waiter);
        if (rc != ERR_OK)
            return false;
        (void)snprintf(g->last_id, sizeof(g->last_id), "%s", pg_text(g->page, g->at, 0));
        (void)snprintf(g->last_at, sizeof(g->last_at), "%s", pg_text(g->page, g->at, 3));
        g->at++;
    }
    return true;
}

/* The page, then its word from Kafka, then the next page. The caller holds a reference. */
static void go_on(struct batch_again *g)
{
    bool all = g->failed.code == ERR_OK && send_rows(g);

    if (g->pending > 0)
        return;
    if (g->failed.code != ERR_OK)
        give_up(g);
    else if (all && call_is_open(g->call))
        next_page(g);
}

static void on_room(struct intake_waiter *w)
{
    struct batch_again *g = CONTAINER_OF(w, struct batch_again, waiter);
    struct call *c = g->call;

    call_keep(c);
    go_on(g);
    call_drop(c);
}

/* --- the beginning --------------------------------------------------------------------------- */

static void on_made(struct call *c, bool made)
{
    struct batch_again *g = c->state;

    if (made)
        next_page(g);
    else
        call_problem_at(c, PROBLEM_BATCH_EXISTS, "/batch_id", "there is a batch '%s' already",
                        g->row.batch_id);
}

void batch_again_begin(struct call *c)
{
    batch_row_insert(c, on_made);
}

static void release(struct call *c)
{
    struct batch_again *g = c->state;

    if (g->sent > 0 && !g->done && !leads_here(g))
        abandon(c);
    intake_unwait(&g->waiter);
    PQclear(g->page);
    marks_release(&g->marks);
    buf_release(&g->metadata);
    batch_row_release(&g->row);
    free(g);
}

struct batch_again *batch_again_new(struct call *c)
{
    struct batch_again *g = calloc(1, sizeof(*g));

    if (!g) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return NULL;
    }
    g->call = c;
    g->waiter.room = on_room;
    g->metadata = BUF_INIT(API_BODY_MAX);
    g->row.answer = BUF_INIT(DOC_MAX_BYTES + API_BODY_MAX);
    g->row.retry_of = c->param[0].p;
    (void)snprintf(g->last_at, sizeof(g->last_at), "-infinity");
    (void)snprintf(g->last_id, sizeof(g->last_id), "00000000-0000-0000-0000-000000000000");
    c->state = g;
    c->release = release;
    return g;
}
