/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the daemon inside. An edge answers "not found" for a sandbox that is gone, for
 * one that is paused, and for one it has not heard of yet: the control plane knows which. */
#include "worker/e2b/sandbox_op.h"

#include "common/fault.h"
#include "worker/e2b/sandbox_call.h"

#include "common/banned.h"

enum { WAKE_MS = 60 * 1000 };

static bool too_late(const struct sandbox_op *op)
{
    return loop_now_ms(op->service->loop) >= op->wake_until_ms;
}

static void ask_anew(struct sandbox_op *op)
{
    sandbox_free(op->sb);
    op->sb = NULL;
    op->resumed = true;
    op->backoff = BACKOFF_INIT(500, 8000);
    sandbox_op_ask(op);
}

static void on_state(void *ctx, enum sandbox_state state, const struct err *e)
{
    struct sandbox_op *op = ctx;
    struct err verdict = *e;

    if (e->code == ERR_OK && state == SANDBOX_PAUSED && !op->create && !op->resumed) {
        ask_anew(op);
        return;
    }
    if (e->code == ERR_OK && state == SANDBOX_GONE)
        (void)err_set(&verdict, ERR_GONE, "sandbox: it is no more");
    else if (e->code == ERR_OK && too_late(op))
        (void)err_set(&verdict, ERR_UNAVAILABLE, "sandbox: its gateway does not find it");
    if (verdict.code == ERR_OK)
        sandbox_op_again(op, e);
    else
        sandbox_op_fail(op, &verdict);
}

static void on_health(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct sandbox_op *op = ctx;
    struct err probe = ERR_INIT;

    (void)a;
    op->health = NULL;
    if (e->code == ERR_OK)
        sandbox_op_ready(op);
    else if (e->code == ERR_GONE) {
        if (sandbox_probe(op->service, op->sb->id, on_state, op, &probe) != ERR_OK)
            sandbox_op_fail(op, &probe);
    } else if (too_late(op))
        sandbox_op_fail(op, e);
    else
        sandbox_op_again(op, e);
}

void sandbox_op_probe(struct sandbox_op *op)
{
    struct err e = ERR_INIT;

    if (envd_health(op->sb->envd, on_health, op, &op->health, &e) != ERR_OK)
        sandbox_op_fail(op, &e);
}

void sandbox_op_wake(struct sandbox_op *op, struct str body)
{
    struct err e = ERR_INIT;

    fault_pass(op->create ? "create" : "connect", "answered");
    if (sandbox_of_answer(op->service, body, &op->sb, &e) != ERR_OK) {
        sandbox_op_fail(op, &e);
        return;
    }
    if (op->cancelled) {
        sandbox_op_fail(op, &(struct err){.code = ERR_CANCELLED});
        return;
    }
    op->backoff = BACKOFF_INIT(50, 1000);
    op->wake_until_ms = loop_now_ms(op->service->loop) + WAKE_MS;
    sandbox_op_probe(op);
}
