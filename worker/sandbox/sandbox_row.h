/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox's row in the ledger, which alone says whose it is (sandbox_life.h). Statements
 * that must get through are repeated until the database answers, as in ledger.h.
 * Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_SANDBOX_ROW_H
#define SANDFLEET_WORKER_SANDBOX_ROW_H

#include "worker/ledger/ledger.h"
#include "worker/sandbox/sandbox_sizes.h"
#include "worker/session/transcript.h"

enum { SANDBOX_KEY_TEXT = 160, SANDBOX_ID_TEXT = 128, SANDBOX_TALK_TEXT = 64 };

struct sandbox_talk {                       /* where its session's conversation is, if it has one */
    char claude_session[SANDBOX_TALK_TEXT]; /* "": it has none */
    char transcript[STORE_KEY_MAX + 1];     /* key in the store; "": in a sandbox only */
    char sha256[TRANSCRIPT_HASH_TEXT];
};

struct sandbox_place { /* what the ledger says a run is to use */
    char key[SANDBOX_KEY_TEXT];
    char sandbox_id[SANDBOX_ID_TEXT];       /* "": to be asked for, with that key */
    char claude_session[SANDBOX_TALK_TEXT]; /* the conversation that lies in it; "" none */
    bool busy;                              /* it is the run's; else it is being made */
    bool warm;                              /* it was made for the pool */
    int64_t state_ms;                       /* so long it is busy already */
    int64_t age_ms;                         /* since it was first asked for */
    int64_t running_ms;                     /* before it became busy */
    double usd_per_hour;                    /* 0: not known */
    struct sandbox_talk talk;
};

/* Of a run's own sandbox. NULL: no memory. Never calls fn from inside the call. */
struct ledger_op *sandbox_row_place(struct ledger *l, struct ledger_run r, const char *template,
                                    const char *new_key, ledger_row_fn fn, void *ctx);
void sandbox_row_place_read(const PGresult *res, struct sandbox_place *out);
struct ledger_op *sandbox_row_own(struct ledger *l, struct ledger_run r, const char *key,
                                  const char *sandbox_id, const struct sandbox_size *size,
                                  ledger_fn fn, void *ctx);
struct ledger_op *sandbox_row_give_up(struct ledger *l, struct ledger_run r, const char *key,
                                      ledger_fn fn, void *ctx);
/* Of a dead one, whoever killed it. */
struct ledger_op *sandbox_row_freed(struct ledger *l, const char *key, ledger_fn fn, void *ctx);

/* Of the pool's. */
struct ledger_op *sandbox_row_warmed(struct ledger *l, const char *key, const char *maker,
                                     const char *sandbox_id, int64_t wait_ms,
                                     const struct sandbox_size *size, ledger_fn fn, void *ctx);
struct ledger_op *sandbox_row_unmade(struct ledger *l, const char *key, const char *maker,
                                     ledger_fn fn, void *ctx);

struct sandbox_figures { /* of one that ends; borrowed from the result */
    const char *key, *sandbox_id, *template, *state; /* state: the last one it had */
    int64_t age_ms, running_ms;
    const char *cost_usd; /* NULL: its size was not known */
};
/* A row of sandbox_sql_evict, _expire, _dead or _missed. */
struct sandbox_figures sandbox_figures_read(const PGresult *res, int row);

#endif
