/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/ledger/ledger_op.h"

#include <assert.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/banned.h"

enum { AGAIN_MS = 250 };

struct ledger_op {
    struct ledger *ledger;
    struct ledger_op *next;
    struct pg_cmd cmd; /* its parameters are ours */
    ledger_fn fn;      /* one of the two; none: cancelled */
    ledger_row_fn row_fn;
    void *ctx;
    bool sent;
};

static void op_free(struct ledger_op *op)
{
    for (int i = 0; i < op->cmd.n; i++)
        free((void *)(uintptr_t)op->cmd.v[i]);
    free(op);
}

static void op_unlink(struct ledger_op *op)
{
    struct ledger_op **at = &op->ledger->first;
    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
    if (!op->next)
        op->ledger->last = at;
    op_free(op);
}

static void answered(void *ctx, PGresult *res, const struct err *e)
{
    struct ledger_op *op = ctx;
    ledger_fn fn = op->fn;
    ledger_row_fn row_fn = op->row_fn;
    void *fn_ctx = op->ctx;

    op->sent = false;
    if ((fn || row_fn) && err_action(e->code) == ERR_DO_RETRY) {
        timer_start(op->ledger->again, AGAIN_MS);
        return;
    }
    bool held = e->code == ERR_OK && res && PQntuples(res) > 0;
    op_unlink(op);
    if (fn)
        fn(fn_ctx, held, e);
    else if (row_fn)
        row_fn(fn_ctx, held ? res : NULL, e);
}

static void op_send(struct ledger_op *op)
{
    struct err err = ERR_INIT;

    if (pg_send(op->ledger->pg, &op->cmd, answered, op, &err) == ERR_OK)
        op->sent = true;
    else
        timer_start(op->ledger->again, AGAIN_MS);
}

void ledger_op_send_all(struct ledger *l)
{
    if (!pg_is_up(l->pg)) {
        timer_start(l->again, AGAIN_MS);
        return;
    }
    for (struct ledger_op *op = l->first; op; op = op->next)
        if (!op->sent)
            op_send(op);
}

static bool copy_params(struct ledger_op *op, const struct pg_cmd *cmd)
{
    op->cmd.sql = cmd->sql;
    op->cmd.keep = cmd->keep;
    for (; op->cmd.n < cmd->n; op->cmd.n++) {
        const char *v = cmd->v[op->cmd.n];
        if (v && !(op->cmd.v[op->cmd.n] = str_dup(str_of(v))))
            return false;
    }
    return true;
}

static struct ledger_op *op_start(const struct ledger_op *want, const struct pg_cmd *cmd)
{
    struct ledger *l = want->ledger;
    struct ledger_op *op = calloc(1, sizeof(*op));

    assert((want->fn || want->row_fn) && cmd->n <= PG_MAX_PARAMS);
    if (!op)
        return NULL;
    *op = *want;
    if (!copy_params(op, cmd)) {
        op_free(op);
        return NULL;
    }
    *l->last = op;
    l->last = &op->next;
    op_send(op);
    return op;
}

struct ledger_op *ledger_op_start(struct ledger *l, const struct pg_cmd *cmd, ledger_fn fn,
                                  void *ctx)
{
    return op_start(&(struct ledger_op){.ledger = l, .fn = fn, .ctx = ctx}, cmd);
}

struct ledger_op *ledger_op_start_row(struct ledger *l, const struct pg_cmd *cmd, ledger_row_fn fn,
                                      void *ctx)
{
    return op_start(&(struct ledger_op){.ledger = l, .row_fn = fn, .ctx = ctx}, cmd);
}

void ledger_cancel(struct ledger_op *op)
{
    if (!op)
        return;
    op->fn = NULL;
    op->row_fn = NULL;
    if (!op->sent)
        op_unlink(op);
}

void ledger_op_free_all(struct ledger *l)
{
    for (struct ledger_op *op = l->first, *next; op; op = next) {
        next = op->next;
        op_free(op);
    }
    l->first = NULL;
    l->last = &l->first;
}
