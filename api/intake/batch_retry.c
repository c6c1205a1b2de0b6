/* SPDX-License-Identifier: Apache-2.0 */
/* POST …/retry of a batch: the requests of its runs that did not succeed, a page of them at a time,
 * as runs of a new batch, which is sealed behind the last. Ids derive from the new batch's name, so
 * what was cut off is gone on with by whoever asks again: with the same key, or the same name. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/intake/batch_row.h"
#include "api/intake/body.h"
#include "api/intake/doc.h"
#include "api/intake/handlers.h"
#include "api/intake/intake.h"
#include "api/intake/marks.h"
#include "api/intake/retry.h"
#include "common/clock.h"
#include "schema/cancel.h"
#include "common/banned.h"

enum { STATES_TEXT = 64, PLACE_TEXT = 64, LOCK_MS = 60000 };

struct again { /* c->state */
    struct batch_row row;
    struct call *call;
    char states[STATES_TEXT]; /* {failed,expired} */
    bool named;               /* the new batch, by whoever asks */
    struct buf metadata;
    PGresult *page; /* NULL: none */
    int at;         /* the row of it that is next */
    char last_at[PLACE_TEXT], last_id[UUID_TEXT];
    size_t pending;
    struct marks marks;
    int64_t sent, sealed_ms;
    bool done;
    struct err failed;
    struct intake_waiter waiter;
};

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
    struct again *g = c->state;

    (void)res, (void)e;
    g->done = true;
    idem_answer(c, g->row.location, buf_str(&g->row.answer), false);
}

static void seal(struct again *g)
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
static bool leads_here(const struct again *g)
{
    return g->row.idem.key[0] || g->named;
}

static void give_up(struct again *g)
{
    idem_let_go(g->call, false);
    call_problem(g->call, intake_problem(&g->failed), "%s; ask again%s", g->failed.msg,
                 leads_here(g) ? ": it goes on where it was" : "");
}

/* A batch that nobody will find is not to be. */
static void abandon(struct call *c)
{
    const struct again *g = c->state;
    struct pg *db = api_db(c->api);
    const struct pg_cmd cancel = {.sql = cancel_batch_sql,
                                  .n = 4,
                                  .v = {c->who.tenant, g->row.batch_id, "true", "sandfleet-api"}};
    struct err err = ERR_INIT;

    if (db)
        (void)!pg_send(db, &cancel, ignore, NULL, &err);
}

/* --- to Kafka ------------------------------------------------------------------------------ */

static void go_on(struct again *g);

static void acked(struct call *c, const struct err *e, const struct mark *at)
{
    struct again *g = c->state;

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

static enum err_code send(struct again *g, const struct body_run *run)
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

static void on_bad(const struct again *g, const char *run_id, const struct body_errors *errors,
                   struct err *out)
{
    (void)g;
    (void)err_set(out, ERR_INTERNAL, "the request of run %s is not taken any more: %s", run_id,
                  errors->n ? errors->fields[0].detail : "it cannot be read");
}

/* ERR_THROTTLED: once more, when there is room. */
static enum err_code again_one(struct again *g)
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
    struct again *g = c->state;

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

static void next_page(struct again *g)
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

static bool send_rows(struct again *g)
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
static void go_on(struct again *g)
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
    struct again *g = CONTAINER_OF(w, struct again, waiter);
    struct call *c = g->call;

    call_keep(c);
    go_on(g);
    call_drop(c);
}

/* --- the beginning --------------------------------------------------------------------------- */

static void on_made(struct call *c, bool made)
{
    struct again *g = c->state;

    if (made)
        next_page(g);
    else
        call_problem_at(c, PROBLEM_BATCH_EXISTS, "/batch_id", "there is a batch '%s' already",
                        g->row.batch_id);
}

static void begin(struct call *c)
{
    batch_row_insert(c, on_made);
}

/* $1 tenant $2 batch $3 states. Takes it no more items; runs that have not ended; those that are
 * asked for; its metadata. */
static const char find_sql[] =
    "SELECT (d.batch_id IS NULL OR d.sealed_at IS NOT NULL) AND door.passed(d.marks),"
    " coalesce(f.runs - f.completed - f.failed - f.timed_out - f.cancelled - f.expired, 0),"
    " coalesce(CASE WHEN 'failed' = ANY ($3::text[]) THEN f.failed ELSE 0 END"
    " + CASE WHEN 'timed_out' = ANY ($3::text[]) THEN f.timed_out ELSE 0 END"
    " + CASE WHEN 'cancelled' = ANY ($3::text[]) THEN f.cancelled ELSE 0 END"
    " + CASE WHEN 'expired' = ANY ($3::text[]) THEN f.expired ELSE 0 END, 0), d.metadata"
    " FROM (SELECT) AS one LEFT JOIN door.batches d ON d.tenant = $1 AND d.batch_id = $2"
    " LEFT JOIN fleet.batches f ON f.tenant = $1 AND f.batch_id = $2"
    " WHERE d.batch_id IS NOT NULL OR f.batch_id IS NOT NULL";

static void on_found(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct again *g = c->state;
    const char *metadata;

    (void)e;
    if (PQntuples(res) == 0) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch");
        return;
    }
    if (pg_text(res, 0, 0)[0] != 't' || pg_int(res, 0, 1) > 0) {
        call_problem(c, PROBLEM_NOT_ENDED, "the batch has not ended: seal it, and wait");
        return;
    }
    if (pg_int(res, 0, 2) == 0) {
        call_problem(c, PROBLEM_NOTHING_TO_RETRY, "no run of it ended like that");
        return;
    }
    metadata = pg_text(res, 0, 3);
    if (metadata)
        buf_adds(&g->metadata, metadata);
    g->row.metadata = g->metadata.p;
    idem_begin(c, NULL, NULL, begin);
}

static bool is_end(const char *word)
{
    static const char *const ends[] = {"failed", "timed_out", "cancelled", "expired"};

    for (size_t i = 0; i < COUNTOF(ends); i++)
        if (strcmp(word, ends[i]) == 0)
            return true;
    return false;
}

static void read_states(const cJSON *tree, struct again *g, struct body_errors *errors)
{
    const cJSON *states = json_get(tree, "states"), *word;
    AUTO_BUF text = BUF_INIT(STATES_TEXT - 1);
    bool good = cJSON_IsArray(states) && cJSON_GetArraySize(states) > 0;

    cJSON_ArrayForEach(word, states)
    {
        good = good && cJSON_IsString(word) && is_end(word->valuestring);
        if (good)
            buf_addf(&text, "%c%s", text.len ? ',' : '{', word->valuestring);
    }
    buf_addc(&text, '}');
    if (!states)
        (void)snprintf(g->states, sizeof(g->states), "{failed,timed_out,expired}");
    else if (good && text.rc == ERR_OK) /* each once: there is no room for more */
        (void)snprintf(g->states, sizeof(g->states), "%s", text.p);
    else
        body_errors_add(errors, "", "states", PROBLEM_INVALID,
                        "'states' must be some of failed, timed_out, cancelled, expired, each "
                        "once");
}

static void release(struct call *c)
{
    struct again *g = c->state;

    if (g->sent > 0 && !g->done && !leads_here(g))
        abandon(c);
    intake_unwait(&g->waiter);
    PQclear(g->page);
    marks_release(&g->marks);
    buf_release(&g->metadata);
    batch_row_release(&g->row);
    free(g);
}

static struct again *again_new(struct call *c)
{
    struct again *g = calloc(1, sizeof(*g));

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

void batch_retry(struct call *c)
{
    static const char *const none[] = {NULL};
    static const char *const members[] = {"batch_id", "states", NULL};
    struct body_errors errors = BODY_ERRORS_INIT;
    const char *batch_id;
    AUTO_JSON *tree = NULL;
    AUTO_BUF work = BUF_INIT(1024);
    struct again *g;

    if (!call_params(c, none) || !(tree = call_object(c)) || !(g = again_new(c)) ||
        !idem_read(c, &g->row.idem))
        return;
    body_only(tree, members, &errors);
    batch_id = body_name(tree, "batch_id", &errors);
    read_states(tree, g, &errors);
    if (errors.n > 0) {
        call_problem_fields(c, errors.fields, errors.n);
        return;
    }
    if (!run_name_ok(c->param[0])) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch");
        return;
    }
    g->named = batch_id != NULL;
    batch_row_begin(c, batch_id);
    buf_addf(&work, "%s %s %s", c->param[0].p, batch_id ? batch_id : "", g->states);
    idem_work(&g->row.idem, "POST /v1/batches/{}/retry", work.p, work.len);
    const struct pg_cmd cmd = {
        .sql = find_sql, .n = 3, .v = {c->who.tenant, c->param[0].p, g->states}};
    call_query(c, &cmd, on_found);
}
