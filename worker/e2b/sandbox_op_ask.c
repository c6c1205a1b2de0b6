/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the control plane. With an idempotency key a create may be asked again: it gives the
 * same sandbox. Where that cannot be relied on (v1 has no keys; the service may have lost what
 * it knew of one) the sandbox is looked for by its metadata first: best effort, as a list may
 * lag; what is overlooked is the fleet's by its tag, and ends by its time limit. */
#include "worker/e2b/sandbox_op.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "worker/e2b/e2b_error.h"
#include "worker/e2b/sandbox_answer.h"
#include "worker/e2b/sandbox_call.h"
#include "worker/seen/seen.h"

#include "common/banned.h"

enum { KEY_MAX_BYTES = 255, V1_MS = 10 * 60 * 1000 /* then v2 is tried again */ };

static bool creating(const struct sandbox_op *op) /* else opening, what was found perhaps */
{
    return op->id[0] == '\0';
}

/* --- looking for what may have been made ------------------------------------------------- */

static void on_found(void *ctx, const struct sandbox_info *info)
{
    struct sandbox_op *op = ctx;

    memcpy(op->id, info->id, sizeof(op->id));
}

static void on_looked(void *ctx, const struct err *e)
{
    struct sandbox_op *op = ctx;

    op->look = NULL;
    op->lost = false;
    if (op->cancelled)
        sandbox_op_drop(op);
    else if (e->code != ERR_OK)
        sandbox_op_fail(op, e);
    else
        sandbox_op_ask(op);
}

static void look(struct sandbox_op *op)
{
    const char *const metadata[] = {"fleet", op->service->opts.fleet, "key", op->key, NULL};
    const struct sandbox_query q = {.metadata = metadata};
    struct err e = ERR_INIT;

    op->unsure = false;
    if (sandbox_list(op->service, &q, on_found, on_looked, op, &op->look, &e) != ERR_OK)
        sandbox_op_fail(op, &e);
}

/* --- answers -------------------------------------------------------------------------------- */

static bool route_missing(const struct sandbox_op *op, const struct http_answer *a)
{
    return !op->v1 && !op->service->v2 && sandbox_route_missing(a);
}

/* The same request would have the same end, and another one may not: true when there is one. */
static bool changed_request(struct sandbox_op *op, const struct err *e)
{
    bool found = op->create && !creating(op);

    if (found && e->code == ERR_GONE)
        op->id[0] = '\0';
    if (creating(op) && (e->code == ERR_CONFLICT || found))
        return ++op->nth < SANDBOX_KEYS;
    if (e->code != ERR_CONFLICT || op->cold)
        return false;
    op->cold = true;
    return true;
}

static bool passing(const struct err *e)
{
    return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_PROTOCOL ||
           e->code == ERR_IO;
}

static void op_refused(struct sandbox_op *op, const struct err *e, bool told_not_to)
{
    bool again = passing(e) && !told_not_to && op->backoff.tries + 1 < SANDBOX_ASK_TRIES;

    op->lost = op->lost || (creating(op) && passing(e));
    if (op->cancelled)
        sandbox_op_drop(op);
    else if (!changed_request(op, e) && !again)
        sandbox_op_fail(op, e);
    else {
        op->unsure = creating(op) && (op->v1 || e->code == ERR_CONFLICT);
        op->lost = op->lost || op->unsure;
        sandbox_op_again(op, e);
    }
}

/* A 2xx answer that makes no sense: the same request again gives the same sandbox. */
static bool answer_ok(struct str body, struct err *e)
{
    struct sandbox_made made;
    enum err_code rc = sandbox_made_parse(body, &made, e);

    sandbox_made_wipe(&made);
    return rc == ERR_OK;
}

static void on_answer(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct sandbox_op *op = ctx;
    struct sandbox_service *s = op->service;
    struct err verdict = *e;

    op->req = NULL;
    if (e->code == ERR_OK && a->status / 100 != 2)
        (void)e2b_error_of_http(E2B_API, a, &verdict);
    seen_call(creating(op) ? SEEN_CALL_CREATE : SEEN_CALL_CONNECT, op->asked_ms, verdict.code);
    if (e->code == ERR_OK && route_missing(op, a)) {
        op->v1 = true;
        sandbox_op_ask(op);
        return;
    }
    s->v2 = s->v2 || (!op->v1 && verdict.code == ERR_CONFLICT); /* it speaks of v2's keys */
    if (verdict.code != ERR_OK || !answer_ok(a->body, &verdict)) {
        op_refused(op, &verdict, a->should_retry == 0);
        return;
    }
    if (op->v1)
        s->v1_until_ms = loop_now_ms(s->loop) + V1_MS;
    else
        s->v2 = true;
    sandbox_op_wake(op, a->body);
}

/* --- asking -------------------------------------------------------------------------------- */

static bool key_ok(struct str key)
{
    if (key.n == 0 || key.n > KEY_MAX_BYTES)
        return false;
    for (size_t i = 0; i < key.n; i++)
        if (!(key.p[i] >= 'a' && key.p[i] <= 'z') && !(key.p[i] >= '0' && key.p[i] <= '9') &&
            key.p[i] != '-')
            return false;
    return true;
}

void sandbox_op_key(struct buf *out, const char *key, int n)
{
    AUTO_BUF plain = BUF_INIT(SANDBOX_KEY_MAX_BYTES + 16);
    struct str part;
    char uuid[UUID_TEXT];

    buf_adds(&plain, key);
    if (n > 0)
        buf_addf(&plain, "-again-%d", n);
    if (plain.rc != ERR_OK)
        out->rc = plain.rc;
    part = buf_str(&plain);
    if (!key_ok(part)) {
        uuid_v8(&part, 1, uuid);
        part = str_of(uuid);
    }
    buf_addstr(out, part);
}

static void put_connect_body(struct buf *b, const struct sandbox_op *op)
{
    buf_addf(b, "{\"timeout\":%" PRId64 "%s}", op->ttl_s,
             op->cold && !op->v1 ? ",\"memory\":false" : "");
}

static enum err_code op_send(struct sandbox_op *op, struct err *err)
{
    static const struct http_events ev = {.done = on_answer};
    AUTO_BUF path = BUF_INIT(SANDBOX_ID_MAX_BYTES + 64), body = BUF_INIT(64);
    AUTO_BUF key = BUF_INIT(SANDBOX_KEY_MAX_BYTES);
    struct sandbox_request r = {.method = "POST"};

    buf_adds(&path, op->v1 ? "/sandboxes" : "/v2/sandboxes");
    if (!creating(op))
        buf_addf(&path, "/%s/connect", op->id);
    put_connect_body(&body, op);
    if (creating(op) && !op->v1)
        sandbox_op_key(&key, op->key, op->nth);
    if (path.rc != ERR_OK || body.rc != ERR_OK || key.rc != ERR_OK)
        return err_set(err, ERR_NOMEM, "request to the sandbox service");
    r.path = path.p;
    r.body = creating(op) ? op->body : body.p;
    r.idempotency_key = key.p;
    r.once = creating(op) && op->v1;
    op->asked_ms = clock_boot_ms();
    return sandbox_request_start(op->service, &r, &ev, op, &op->req, err);
}

void sandbox_op_ask(struct sandbox_op *op)
{
    struct err e = ERR_INIT;

    if (op->unsure)
        look(op);
    else if (op_send(op, &e) != ERR_OK)
        sandbox_op_fail(op, &e);
}
