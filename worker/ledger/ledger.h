/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger (Postgres): who runs what. Statements that must get through are repeated
 * until the database answers; all conditional ones say so when the run is no longer ours.
 * Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_LEDGER_H
#define SANDFLEET_WORKER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/loop.h"
#include "common/pg/pg.h"
#include "common/uuid.h"
#include "schema/run_request.h"
#include "worker/ledger/claim_credential.h"

struct ledger;    /* opaque */
struct ledger_op; /* opaque: one statement that is repeated until it is answered */

struct ledger_opts { /* borrowed until return */
    const char *conninfo, *worker_id;
    int64_t statement_ms;
    const struct pg_events *events; /* copied */
    void *ctx;                      /* of the events */
};

enum err_code ledger_new(struct loop *l, const struct ledger_opts *opts, struct ledger **out,
                         struct err *err) MUST_USE;
void ledger_free(struct ledger *l); /* no callback after it */
bool ledger_is_up(const struct ledger *l);

struct usage { /* what a run used */
    double cost_usd;
    int64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens;
    int64_t sandbox_ms; /* how long a sandbox was its, and what that cost: an estimate */
    double sandbox_usd;
};
void usage_add(struct usage *sum, const struct usage *more);

struct claim { /* a row as a taking returned it */
    char run_id[UUID_TEXT];
    enum run_lane lane;
    char *request;                       /* the record's value as it came */
    struct claim_credential *credential; /* NULL: there is none of the name that was asked for */
    int64_t attempt, failures, uncounted, epoch;
    int64_t tellings; /* epochs that were raised only to tell why it waits */
    bool started, expired;
    int64_t log_line;
    struct usage used; /* by earlier attempts */
    char *terminal;    /* NULL: not ended */
    bool published;
    int64_t age_ms;         /* since the attempt started, by the database's clock; 0: it did not */
    int64_t created_age_ms; /* since the first delivery */
};
/* The row of a taking; yours: claim_release. ERR_PROTOCOL, ERR_NOMEM. */
enum err_code ledger_claim_read(const PGresult *res, int row, struct claim *out,
                                struct err *err) MUST_USE;
void claim_release(struct claim *c);

/* --- repeated until answered ---------------------------------------------------
 * held: the row is (still) ours and has the change. e->code is ERR_OK then and when we are
 * deposed; else the database refuses the statement itself, which no repetition helps. */
typedef void (*ledger_fn)(void *ctx, bool held, const struct err *e);
/* The same where the row is asked for, borrowed: res is NULL unless held. */
typedef void (*ledger_row_fn)(void *ctx, const PGresult *res, const struct err *e);

struct ledger_run { /* whom a change is about; copied */
    const char *run_id;
    int64_t epoch;
};

struct ledger_end {           /* how an attempt leaves the ledger; borrowed until return */
    const char *park_session; /* Claude's conversation that stays in the sandbox; NULL: killed */
    bool paused;              /* the sandbox, that is parked */
    int64_t park_ms;
    struct usage used; /* of the whole run */
    /* requeue: */
    const char *hold_reason;
    int64_t delay_ms, failures, uncounted;
    /* close: */
    const char *terminal;
};

/* NULL: no memory. Never calls fn from inside the call. */
struct ledger_op *ledger_set_started(struct ledger *l, struct ledger_run r, ledger_fn fn,
                                     void *ctx);
struct ledger_op *ledger_requeue(struct ledger *l, struct ledger_run r, const struct ledger_end *e,
                                 ledger_fn fn, void *ctx);
struct ledger_op *ledger_close(struct ledger *l, struct ledger_run r, const struct ledger_end *e,
                               ledger_fn fn, void *ctx);
struct ledger_op *ledger_set_published(struct ledger *l, struct ledger_run r, ledger_fn fn,
                                       void *ctx);
/* The broker has the event that says why it waits. */
struct ledger_op *ledger_set_told(struct ledger *l, struct ledger_run r, const char *reason,
                                  ledger_fn fn, void *ctx);
struct ledger_op *ledger_hand_out(struct ledger *l, struct ledger_run r, ledger_fn fn, void *ctx);
/* No run gets this credential for hold_ms (> 0) from now on, by the database's clock; those that
 * name its pool get another one. An earlier hold that lasts longer stays. reason: usage_limit,
 * auth, …; held is false where the ledger knows no such credential, or has another secret of it. */
struct ledger_op *ledger_hold_credential(struct ledger *l, const struct claim_credential *c,
                                         int64_t hold_ms, const char *reason, ledger_fn fn,
                                         void *ctx);
/* What the service told of its limits: limit_windows.h. Once, and nobody waits for it. */
enum err_code ledger_learn_windows(struct ledger *l, const struct claim_credential *c,
                                   const char *windows, struct err *err) MUST_USE;
void ledger_cancel(struct ledger_op *op); /* fn is not called; it may still take effect; NULL ok */

/* --- once: the caller's timer repeats it; fn as in common/pg/pg.h --------------- */
/* At most limit[] of each lane, and no more than the fleet's limits allow; keys: "{a,b}", the
 * master keys of this worker. */
enum err_code ledger_take(struct ledger *l, const int64_t limit[LANES], const char *keys, pg_fn fn,
                          void *ctx, struct err *err) MUST_USE;
enum err_code ledger_take_over(struct ledger *l, const char *dead_worker, int64_t counter,
                               int64_t limit, pg_fn fn, void *ctx, struct err *err) MUST_USE;
enum err_code ledger_adopt(struct ledger *l, int64_t limit, pg_fn fn, void *ctx,
                           struct err *err) MUST_USE;
enum err_code ledger_outbox(struct ledger *l, int64_t limit, pg_fn fn, void *ctx,
                            struct err *err) MUST_USE;
enum err_code ledger_backlog(struct ledger *l, int64_t limit, pg_fn fn, void *ctx,
                             struct err *err) MUST_USE;
enum err_code ledger_cancelled(struct ledger *l, pg_fn fn, void *ctx, struct err *err) MUST_USE;
enum err_code ledger_end_waiting(struct ledger *l, int64_t limit, pg_fn fn, void *ctx,
                                 struct err *err) MUST_USE;
struct ledger_worker { /* what its row says; borrowed */
    const char *host;
    int64_t pid, slots;
    const char *keys; /* as above */
};
enum err_code ledger_beat(struct ledger *l, const struct ledger_worker *w, pg_fn fn, void *ctx,
                          struct err *err) MUST_USE;
enum err_code ledger_peers(struct ledger *l, pg_fn fn, void *ctx, struct err *err) MUST_USE;
enum err_code ledger_bury(struct ledger *l, const char *dead_worker, int64_t counter, pg_fn fn,
                          void *ctx, struct err *err) MUST_USE;
enum err_code ledger_mine(struct ledger *l, pg_fn fn, void *ctx, struct err *err) MUST_USE;
/* known: "{id,id}" */
enum err_code ledger_disown(struct ledger *l, const char *known, pg_fn fn, void *ctx,
                            struct err *err) MUST_USE;
/* Of those that wait, at most `limit` that have waited for least_ms and were not looked at for
 * again_ms: the ones of which the reason is news, as teller.h reads them. */
enum err_code ledger_tell(struct ledger *l, int64_t limit, int64_t least_ms, int64_t again_ms,
                          pg_fn fn, void *ctx, struct err *err) MUST_USE;
enum err_code ledger_tidy(struct ledger *l, pg_fn fn, void *ctx, struct err *err) MUST_USE;
enum err_code ledger_leave(struct ledger *l, pg_fn fn, void *ctx, struct err *err) MUST_USE;
/* Any statement, as pg_send. */
enum err_code ledger_send(struct ledger *l, const struct pg_cmd *cmd, pg_fn fn, void *ctx,
                          struct err *err) MUST_USE;

/* --- array parameters: "{…}" ------------------------------------------------- */
void ledger_array_open(struct buf *b);
void ledger_array_text(struct buf *b, const char *cstr); /* NULL: SQL NULL; else quoted */
void ledger_array_int(struct buf *b, int64_t n);
void ledger_array_close(struct buf *b);

#endif
