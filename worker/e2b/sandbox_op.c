/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/sandbox_op.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "worker/e2b/sandbox_answer.h"
#include "worker/e2b/sandbox_call.h"

#include "common/banned.h"

/* --- ends ---------------------------------------------------------------------------- */

void sandbox_op_free(struct sandbox_op *op)
{
    LIST_REMOVE(op, link);
    http_cancel(op->req);
    sandbox_list_cancel(op->look);
    sandbox_call_cancel(op->service, op);
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
    const char *id = op->sb ? op->sb->id : op->id; /* waking, or found */
    struct err e;
    enum err_code ignored = ERR_OK;

    if (op->create && id[0])
        ignored = sandbox_kill(op->service, id, NULL, NULL, &e);
    (void)ignored;
}

/* For whoever asked, "it took too long" is "not reachable". */
void sandbox_op_fail(struct sandbox_op *op, const struct err *e)
{
    struct sandbox_events ev = op->ev;
    void *ctx = op->ctx;
    bool tell = !op->cancelled;
    struct err copy = *e;

    if (tell)
        sandbox_service_judge(op->service, e);
    if (copy.code == ERR_TIMEOUT || (copy.code == ERR_GONE && op->create))
        copy.code = ERR_UNAVAILABLE;
    kill_made(op);
    sandbox_op_free(op);
    if (tell)
        ev.failed(ctx, &copy);
}

void sandbox_op_ready(struct sandbox_op *op)
{
    struct sandbox_events ev = op->ev;
    struct sandbox *sb = op->sb;
    void *ctx = op->ctx;

    op->sb = NULL;
    sandbox_service_judge(op->service, &ERR_INIT);
    sandbox_op_free(op);
    ev.ready(ctx, sb);
}

void sandbox_op_again(struct sandbox_op *op, const struct err *e)
{
    int64_t own = backoff_next_ms(&op->backoff); /* counts the try, too */

    timer_start(op->timer, e->retry_ms > 0 ? e->retry_ms : own);
}

void sandbox_op_drop(struct sandbox_op *op)
{
    bool look = op->create && op->lost && !op->unsure && !op->sb && !op->id[0];

    if (look) { /* once, and then it is dropped whatever was found */
        op->unsure = true;
        timer_start(op->timer, 0);
        return;
    }
    kill_made(op);
    sandbox_op_free(op);
}

void sandbox_op_cancel(struct sandbox_op *op)
{
    if (!op || op->cancelled)
        return;
    op->cancelled = true;
    if (op->create && (op->req || op->look)) /* it may be made at this moment: wait and see */
        return;
    op->unsure = false;
    sandbox_op_drop(op);
}

/* --- begin ----------------------------------------------------------------------------- */

static void on_timer(void *ctx)
{
    struct sandbox_op *op = ctx;

    if (op->sb)
        sandbox_op_probe(op);
    else
        sandbox_op_ask(op);
}

static struct sandbox_op *op_new(struct sandbox_service *s, int64_t ttl_ms,
                                 const struct sandbox_events *ev, void *ctx)
{
    struct sandbox_op *op = calloc(1, sizeof(*op));

    if (!op)
        return NULL;
    op->service = s;
    op->ev = *ev;
    op->ctx = ctx;
    op->ttl_s = (ttl_ms + 999) / 1000;
    op->v1 = loop_now_ms(s->loop) < s->v1_until_ms;
    op->backoff = BACKOFF_INIT(500, 8000);
    op->timer = timer_new(s->loop, on_timer, op);
    LIST_INSERT_HEAD(&s->ops, op, link);
    return op;
}

/* Metadata are strings, and none of them is null. */
static void put_owner(struct buf *b, const struct sandbox_want *want)
{
    char attempt[24];

    json_kv(b, "ledger", want->ledger);
    if (!want->run_id)
        return;
    (void)snprintf(attempt, sizeof(attempt), "%" PRId64, want->attempt);
    json_kv(b, "run", want->run_id);
    json_kv(b, "attempt", attempt);
    json_kv(b, "tenant", want->tenant);
}

static void put_create_body(struct buf *b, const struct sandbox_op *op,
                            const struct sandbox_want *want)
{
    buf_addc(b, '{');
    json_kv(b, "templateID", want->template);
    json_kv_int(b, "timeout", op->ttl_s);
    json_kv_bool(b, "secure", true); /* v1 asks; v2 always is */
    json_key(b, "metadata");
    buf_addc(b, '{');
    json_kv(b, "fleet", op->service->opts.fleet);
    json_kv(b, "key", op->key);
    put_owner(b, want);
    buf_adds(b, "}}");
}

static char *key_of(const struct sandbox_want *want)
{
    struct buf key = BUF_INIT(SANDBOX_KEY_MAX_BYTES);

    if (want->key)
        buf_adds(&key, want->key);
    else
        buf_addf(&key, "%s-%" PRId64, want->run_id, want->attempt);
    return buf_take(&key);
}

static enum err_code prepare_create(struct sandbox_op *op, const struct sandbox_want *want,
                                    struct err *err)
{
    AUTO_BUF body = BUF_INIT(SANDBOX_BODY_MAX_BYTES);

    op->create = true;
    op->key = key_of(want);
    if (!op->key || !op->timer)
        return err_set(err, ERR_NOMEM, "create a sandbox");
    put_create_body(&body, op, want);
    if (body.rc != ERR_OK)
        return err_set(err, body.rc, "create a sandbox: its request");
    op->body = buf_take(&body);
    return op->body ? ERR_OK : err_set(err, ERR_NOMEM, "create a sandbox");
}

enum err_code sandbox_create(struct sandbox_service *s, const struct sandbox_want *want,
                             const struct sandbox_events *ev, void *ctx, struct sandbox_op **out,
                             struct err *err)
{
    struct sandbox_op *op = op_new(s, want->ttl_ms, ev, ctx);

    if (!op)
        return err_set(err, ERR_NOMEM, "create a sandbox");
    if (prepare_create(op, want, err) != ERR_OK) {
        sandbox_op_free(op);
        return err->code;
    }
    timer_start(op->timer, 0); /* so that nothing is called from inside the caller's call */
    if (out)
        *out = op;
    return ERR_OK;
}

enum err_code sandbox_open(struct sandbox_service *s, const char *id, int64_t ttl_ms,
                           const struct sandbox_events *ev, void *ctx, struct sandbox_op **out,
                           struct err *err)
{
    struct sandbox_op *op;

    if (!sandbox_id_ok(str_of(id)))
        return err_set(err, ERR_INVALID, "open a sandbox: its id");
    op = op_new(s, ttl_ms, ev, ctx);
    if (!op || !op->timer) {
        if (op)
            sandbox_op_free(op);
        return err_set(err, ERR_NOMEM, "open a sandbox");
    }
    memcpy(op->id, id, strlen(id));
    timer_start(op->timer, 0);
    if (out)
        *out = op;
    return ERR_OK;
}
