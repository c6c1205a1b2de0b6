/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/session/session_row.h"

#include <inttypes.h>
#include <stdio.h>

#include "worker/ledger/ledger_op.h"
#include "worker/session/session_sql.h"
#include "common/banned.h"

struct number {
    char text[32];
};

static const char *num(int64_t n, struct number *to)
{
    (void)snprintf(to->text, sizeof(to->text), "%" PRId64, n);
    return to->text;
}

struct ledger_op *session_row_storing(struct ledger *l, struct ledger_run r, const char *key,
                                      ledger_fn fn, void *ctx)
{
    struct number epoch;
    struct pg_cmd cmd = {
        .sql = session_sql_storing, .n = 3, .v = {r.run_id, num(r.epoch, &epoch), key}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

struct ledger_op *session_row_kept(struct ledger *l, struct ledger_run r,
                                   const struct session_end *e, ledger_fn fn, void *ctx)
{
    struct number n[2];
    bool carried = e->transcript;
    struct pg_cmd cmd = {.sql = session_sql_kept,
                         .n = 6,
                         .v = {r.run_id, num(r.epoch, &n[0]), e->claude_session, e->transcript,
                               carried ? num(e->bytes, &n[1]) : NULL, carried ? e->sha256 : NULL}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

struct ledger_op *session_row_removed(struct ledger *l, const char *key, ledger_fn fn, void *ctx)
{
    struct pg_cmd cmd = {.sql = session_sql_removed, .n = 1, .v = {key}};
    return ledger_op_start(l, &cmd, fn, ctx);
}
