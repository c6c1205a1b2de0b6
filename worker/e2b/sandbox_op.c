/* SPDX-License-Identifier: Apache-2.0 */
/* Create and open: ask the control plane, then wait for the daemon's health.
 *   ASKING -> (v2 is missing: ASKING v1) -> WAKING -> ready()
 * With an idempotency key a create may be asked again: it gives the same sandbox. Without
 * one (v1) an answer that was lost may have made a sandbox, so it is not. */
#include "worker/e2b/sandbox_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/json.h"
#include "worker/e2b/e2b_error.h"
#include "worker/e2b/sandbox_answer.h"
#include "worker/e2b/sandbox_call.h"

#include "common/banned.h"

enum { ASK_TRIES = 4, WAKE_MS = 60 * 1000, BODY_MAX_BYTES = 4096 };

struct sandbox_op {
    LIST_ENTRY(sandbox_op) link;
    struct sandbox_service *service;
    struct sandbox_events ev;
    void *ctx;
    bool create, cancelled, v1;
    char *body, *key;              /* key: create only */
    char id[SANDBOX_ID_MAX_BYTES]; /* open only */
    struct http_req *req;
    struct envd_call *health;
    struct timer *timer; /* the next try of what is under way */
    struct backoff backoff;
    int64_t wake_until_ms;
    struct sandbox *sb;
};

static void op_ask(struct sandbox_op *op);
static void op_probe(struct sandbox_op *op);

void sandbox_op_free(struct sandbox_op *op)
{
    LIST_REMOVE(op, link);
    http_cancel(op->req);
    envd_call_free(op->health);
    timer_free(op->timer);
    sandbox_free(op->sb);
    free(op->body);
    free(op->key);
    free(op);
}

/* What we made and nobody takes. When even this fails, its own time limit ends it. */
static void kill_made(struct sandbox_op *op)
{
    struct err e;
    enum err_code ignored = ERR_OK;

    if (op->create && op->sb)
        ignored = sandbox_kill(op->service, op->sb->id, NULL, NULL, &e);
    (void)ignored;
}

/* For whoever asked, "it took too long" is "not reachable". */
static void op_fail(struct sandbox_op *op, const struct err *e)
{
    struct sandbox_events ev = op->ev;
    void *ctx = op->ctx;
    bool tell = !op->cancelled;
    struct err copy = *e;

    if (copy.code == ERR_TIMEOUT || (copy.code == ERR_GONE && op->create))
        copy.code = ERR_UNAVAILABLE;
    kill_made(op);
    sandbox_op_free(op);
    if (tell)
        ev.failed(ctx, &copy);
}

static void op_ready(struct sandbox_op *op)
{
    struct sandbox_events ev = op->ev;
    struct sandbox *sb = op->sb;
    void *ctx = op->ctx;

    op->sb = NULL;
    sandbox_op_free(op);
    ev.ready(ctx, sb);
}

static void op_again(struct sandbox_op *op, const struct err *e)
{
    int64_t own = backoff_next_ms(&op->backoff); /* counts the try, too */

    timer_start(op->timer, e->retry_ms > 0 ? e->retry_ms : own);
}

/* --- health -------------------------------------------------------------------- */

static void on_health(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct sandbox_op *op = ctx;

    (void)a;
    op->health = NULL;
    if (e->code == ERR_OK)
        op_ready(op);
    else if (e->code == ERR_GONE || loop_now_ms(op->service->loop) >= op->wake_until_ms)
        op_fail(op, e);
    else
        op_again(op, e);
}

static void op_probe(struct sandbox_op *op)
{
    struct err e = ERR_INIT;

    if (envd_health(op->sb->envd, on_health, op, &op->health, &e) != ERR_OK)
        op_fail(op, &e);
}

static void op_wake(struct sandbox_op *op, struct str body)
{
    struct err e = ERR_INIT;

    if (sandbox_of_answer(op->service, body, &op->sb, &e) != ERR_OK) {
        op_fail(op, &e);
        return;
    }
    if (op->cancelled) {
        op_fail(op, &(struct err){.code = ERR_CANCELLED});
        return;
    }
    op->backoff = BACKOFF_INIT(50, 1000);
    op->wake_until_ms = loop_now_ms(op->service->loop) + WAKE_MS;
    op_probe(op);
}

/* --- the control plane ------------------------------------------------------------ */

static bool route_missing(const struct sandbox_op *op, const struct http_answer *a)
{
    return !op->v1 && !op->service->v2 && sandbox_route_missing(a);
}

static bool may_ask_again(const struct sandbox_op *op, const struct err *e)
{
    bool passing = e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT ||
                   e->code == ERR_PROTOCOL || e->code == ERR_IO;

    return passing && !op->cancelled && !(op->create && op->v1) &&
           op->backoff.tries + 1 < ASK_TRIES;
}

static void op_refused(struct sandbox_op *op, const struct err *e)
{
    if (may_ask_again(op, e))
        op_again(op, e);
    else
        op_fail(op, e);
}

/* A 2xx answer that makes no sense: the same request again gives the same sandbox. */
static bool answer_ok(struct sandbox_op *op, struct str body, struct err *e)
{
    struct sandbox *sb = NULL;

    if (sandbox_of_answer(op->service, body, &sb, e) != ERR_OK)
        return false;
    sandbox_free(sb);
    return true;
}

static void on_answer(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct sandbox_op *op = ctx;
    struct err verdict = *e;

    op->req = NULL;
    if (e->code == ERR_OK && route_missing(op, a)) {
        op->v1 = true;
        op_ask(op);
        return;
    }
    if (e->code == ERR_OK && a->status / 100 != 2)
        (void)e2b_error_of_http(E2B_API, a, &verdict);
    if (verdict.code != ERR_OK || !answer_ok(op, a->body, &verdict)) {
        op_refused(op, &verdict);
        return;
    }
    *(op->v1 ? &op->service->v1 : &op->service->v2) = true;
    op_wake(op, a->body);
}

static void op_ask(struct sandbox_op *op)
{
    static const struct http_events ev = {.done = on_answer};
    AUTO_BUF path = BUF_INIT(SANDBOX_ID_MAX_BYTES + 64);
    struct sandbox_request r = {
        .method = "POST", .body = op->body, .idempotency_key = op->v1 ? NULL : op->key};
    struct err e = ERR_INIT;

    buf_adds(&path, op->v1 ? "/sandboxes" : "/v2/sandboxes");
    if (!op->create)
        buf_addf(&path, "/%s/connect", op->id);
    r.path = path.p;
    if (path.rc != ERR_OK)
        (void)err_set(&e, path.rc, "request to the sandbox service");
    else
        (void)!sandbox_request_start(op->service, &r, &ev, op, &op->req, &e);
    if (e.code != ERR_OK)
        op_fail(op, &e);
}

static void on_timer(void *ctx)
{
    struct sandbox_op *op = ctx;

    if (op->sb)
        op_probe(op);
    else
        op_ask(op);
}

/* --- public ------------------------------------------------------------------------- */

static void put_create_body(struct buf *b, const struct sandbox_want *want, const char *fleet)
{
    char attempt[24];

    (void)snprintf(attempt, sizeof(attempt), "%" PRId64, want->attempt);
    buf_addc(b, '{');
    json_kv(b, "templateID", want->template);
    json_kv_int(b, "timeout", (want->ttl_ms + 999) / 1000);
    json_kv_bool(b, "secure", true); /* v1 asks; v2 always is */
    json_key(b, "metadata");
    buf_addc(b, '{');
    json_kv(b, "fleet", fleet);
    json_kv(b, "run", want->run_id);
    json_kv(b, "attempt", attempt);
    json_kv(b, "tenant", want->tenant);
    buf_adds(b, "}}");
}

static enum err_code op_start(struct sandbox_op *op, struct sandbox_service *s,
                              const struct sandbox_events *ev, void *ctx, struct buf *body,
                              struct err *err)
{
    enum err_code rc = body->rc;

    op->service = s;
    op->ev = *ev;
    op->ctx = ctx;
    op->v1 = s->v1;
    op->backoff = BACKOFF_INIT(500, 8000);
    op->body = buf_take(body);
    op->timer = timer_new(s->loop, on_timer, op);
    LIST_INSERT_HEAD(&s->ops, op, link);
    if (rc != ERR_OK || !op->body || !op->timer) {
        sandbox_op_free(op);
        return err_set(err, rc != ERR_OK ? rc : ERR_NOMEM, "request to the sandbox service");
    }
    timer_start(op->timer, 0); /* so that nothing is called from inside the caller's call */
    return ERR_OK;
}

enum err_code sandbox_create(struct sandbox_service *s, const struct sandbox_want *want,
                             const struct sandbox_events *ev, void *ctx, struct sandbox_op **out,
                             struct err *err)
{
    struct sandbox_op *op = calloc(1, sizeof(*op));
    AUTO_BUF body = BUF_INIT(BODY_MAX_BYTES);
    struct buf key = BUF_INIT(200);

    if (!op)
        return err_set(err, ERR_NOMEM, "create a sandbox");
    put_create_body(&body, want, s->opts.fleet);
    buf_addf(&key, "%s-%" PRId64, want->run_id, want->attempt);
    op->create = true;
    op->key = buf_take(&key);
    if (op_start(op, s, ev, ctx, &body, err) != ERR_OK)
        return err_wrap(err, "create a sandbox");
    if (out)
        *out = op;
    return ERR_OK;
}

enum err_code sandbox_open(struct sandbox_service *s, const char *id, int64_t ttl_ms,
                           const struct sandbox_events *ev, void *ctx, struct sandbox_op **out,
                           struct err *err)
{
    struct sandbox_op *op;
    AUTO_BUF body = BUF_INIT(64);

    if (!sandbox_id_ok(str_of(id)))
        return err_set(err, ERR_INVALID, "open a sandbox: its id");
    op = calloc(1, sizeof(*op));
    if (!op)
        return err_set(err, ERR_NOMEM, "open a sandbox");
    memcpy(op->id, id, strlen(id));
    buf_addf(&body, "{\"timeout\":%" PRId64 "}", (ttl_ms + 999) / 1000);
    if (op_start(op, s, ev, ctx, &body, err) != ERR_OK)
        return err_wrap(err, "open a sandbox");
    if (out)
        *out = op;
    return ERR_OK;
}

void sandbox_op_cancel(struct sandbox_op *op)
{
    if (!op || op->cancelled)
        return;
    if (op->create && op->req) { /* it may be made at this moment: wait and see */
        op->cancelled = true;
        return;
    }
    kill_made(op);
    sandbox_op_free(op);
}
