/* SPDX-License-Identifier: Apache-2.0 */
/* A session's row in the ledger, and its transcripts'. Statements that must get through are
 * repeated until the database answers, as in ledger.h. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_SESSION_ROW_H
#define SANDFLEET_WORKER_SESSION_ROW_H

#include "worker/ledger/ledger.h"
#include "worker/session/transcript.h"

struct session_end { /* borrowed until return */
    const char *claude_session;
    const char *transcript; /* key; NULL: not carried out, the rest means nothing */
    int64_t bytes;
    const char *sha256; /* in hex */
};

/* NULL: no memory. Never calls fn from inside the call. */
struct ledger_op *session_row_storing(struct ledger *l, struct ledger_run r, const char *key,
                                      ledger_fn fn, void *ctx);
struct ledger_op *session_row_kept(struct ledger *l, struct ledger_run r,
                                   const struct session_end *e, ledger_fn fn, void *ctx);
struct ledger_op *session_row_removed(struct ledger *l, const char *key, ledger_fn fn, void *ctx);

#endif
