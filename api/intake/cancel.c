/* SPDX-License-Identifier: Apache-2.0 */
/* …/cancel of a run and of a batch: rows of ledger.cancellations, which the workers find. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/intake/body.h"
#include "api/intake/handlers.h"
#include "common/json/json.h"
#include "schema/cancel.h"
#include "common/banned.h"

/* A run of a batch is known a moment after its id was handed out: to the sink or a worker. */
enum { LOOKS = 20, LOOK_MS = 150, ANSWER_MAX = 1024 };

struct cancel { /* c->state */
    struct timer *timer;
    int looks;
    bool force;
    char state[32], by[CANCEL_BY_MAX_BYTES];
};

/* --- both ------------------------------------------------------------------------------ */

static void release(struct call *c)
{
    struct cancel *x = c->state;

    timer_free(x->timer);
    free(x);
}

static bool read_body(struct call *c, bool *force)
{
    static const char *const members[] = {"force", NULL};
    struct body_errors errors = BODY_ERRORS_INIT;
    AUTO_JSON *tree = call_object(c);
    const cJSON *item = tree ? json_get(tree, "force") : NULL;

    if (!tree)
        return false;
    body_only(tree, members, &errors);
    if (item && !cJSON_IsBool(item))
        body_errors_add(&errors, "", "force", PROBLEM_INVALID, "'force' must be true or false");
    if (errors.n > 0)
        call_problem_fields(c, errors.fields, errors.n);
    *force = cJSON_IsTrue(item);
    return errors.n == 0;
}

static void look(void *ctx);

/* Reads the body into c->state. NULL: it was answered. */
static struct cancel *cancel_new(struct call *c)
{
    static const char *const none[] = {NULL};
    struct cancel *x;
    bool force;

    if (!call_params(c, none) || !read_body(c, &force))
        return NULL;
    x = calloc(1, sizeof(*x));
    if (x)
        x->timer = timer_new(c->api->loop, look, c);
    if (!x || !x->timer) {
        free(x);
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return NULL;
    }
    x->force = force;
    (void)snprintf(x->by, sizeof(x->by), c->who.key_id[0] ? "key %s" : "sandfleet-api%s",
                   c->who.key_id);
    c->state = x;
    c->release = release;
    return x;
}

/* --- a run -------------------------------------------------------------------------------- */

static void on_asked(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    const struct cancel *x = c->state;
    struct buf body = BUF_INIT(ANSWER_MAX);
    struct cancel_run run;

    (void)e;
    cancel_run_read(res, 0, &run);
    buf_addc(&body, '{');
    json_kv(&body, "run_id", run.run_id);
    json_kv(&body, "found", cancel_found_name(run.found));
    json_kv_bool(&body, "asked", !run.ended);
    json_kv(&body, "state", run.state[0] ? run.state : x->state);
    buf_adds(&body, "}\n");
    call_json(c, run.ended ? 200 : 202, &body);
}

static void ask(struct call *c)
{
    const struct cancel *x = c->state;
    const char *id = c->param[0].p;
    char ids[UUID_TEXT + 2];

    (void)snprintf(ids, sizeof(ids), "{%s}", id);
    const struct pg_cmd cmd = {
        .sql = cancel_sql,
        .n = 6,
        .v = {c->who.tenant, ids, NULL, x->force ? "true" : "false", x->by, id}};
    call_query(c, &cmd, on_asked);
}

static void on_known(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct cancel *x = c->state;

    (void)e;
    if (PQntuples(res) > 0) {
        (void)snprintf(x->state, sizeof(x->state), "%s", pg_text(res, 0, 0));
        ask(c);
    } else if (++x->looks < LOOKS) {
        timer_start(x->timer, LOOK_MS);
    } else {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such run");
    }
}

static void look(void *ctx)
{
    static const char sql[] = "SELECT state FROM door.runs WHERE run_id = $1 AND tenant = $2"
                              " UNION ALL SELECT CASE state WHEN 'waiting' THEN 'queued'"
                              " WHEN 'running' THEN 'starting' ELSE 'failed' END"
                              " FROM ledger.claims WHERE run_id = $1 AND tenant = $2";
    struct call *c = ctx;
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {c->param[0].p, c->who.tenant}};

    call_query(c, &cmd, on_known);
}

void run_cancel(struct call *c)
{
    if (call_run_id(c) && cancel_new(c))
        look(c);
}

/* --- a batch --------------------------------------------------------------------------------- */

static void on_batch_asked(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct buf body = BUF_INIT(ANSWER_MAX);

    (void)e;
    buf_addc(&body, '{');
    json_kv(&body, "batch_id", c->param[0].p);
    json_kv_int(&body, "asked", pg_int(res, 0, 0));
    buf_adds(&body, "}\n");
    call_json(c, 202, &body);
}

static void on_batch_known(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    const struct cancel *x = c->state;
    const struct pg_cmd cmd = {
        .sql = cancel_batch_sql,
        .n = 4,
        .v = {c->who.tenant, c->param[0].p, x->force ? "true" : "false", x->by}};

    (void)e;
    if (PQntuples(res) > 0)
        call_query(c, &cmd, on_batch_asked);
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch");
}

void batch_cancel(struct call *c)
{
    static const char sql[] = "SELECT FROM door.batches WHERE tenant = $1 AND batch_id = $2"
                              " UNION ALL SELECT FROM fleet.batches WHERE tenant = $1"
                              " AND batch_id = $2";
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {c->who.tenant, c->param[0].p}};

    if (!run_name_ok(c->param[0]))
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch");
    else if (cancel_new(c))
        call_query(c, &cmd, on_batch_known);
}
