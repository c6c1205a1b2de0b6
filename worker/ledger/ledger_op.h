/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the ledger: statements that are repeated until the database answers. */
#ifndef SANDFLEET_WORKER_LEDGER_OP_H
#define SANDFLEET_WORKER_LEDGER_OP_H

#include "worker/ledger/ledger.h"

struct ledger {
    struct pg *pg;
    struct pg *heart;        /* a connection for the beats alone: they wait behind nothing */
    bool told_up;            /* both are up, and the fleet knows */
    struct pg_events events; /* the fleet's */
    void *ctx;
    struct timer *again;
    struct ledger_op *first, **last; /* in the order they were asked for */
    char worker_id[128];
};

/* Sends cmd now, and again until an answer comes; NULL: no memory. */
struct ledger_op *ledger_op_start(struct ledger *l, const struct pg_cmd *cmd, ledger_fn fn,
                                  void *ctx);
struct ledger_op *ledger_op_start_row(struct ledger *l, const struct pg_cmd *cmd, ledger_row_fn fn,
                                      void *ctx);
void ledger_op_send_all(struct ledger *l); /* those that wait */
void ledger_op_free_all(struct ledger *l);

#endif
