/* SPDX-License-Identifier: Apache-2.0 */
/* What this worker counts: one registry a process, as the log is, so that whoever counts need
 * not be handed it. Names, labels and help are in the table in seen.c. Nothing here allocates
 * once seen_init() is done; before it nothing is counted. */
#ifndef SANDFLEET_WORKER_SEEN_H
#define SANDFLEET_WORKER_SEEN_H

#include "common/loop.h"
#include "common/metrics.h"
#include "worker/run/outcome.h"
#include "worker/run/run_state.h"

enum seen {            /* the rows of the table */
            SEEN_RUNS, /* by enum run_state */
            SEEN_BUFFERS,
            SEEN_SLOTS,
            SEEN_SLOTS_USED,
            SEEN_HELD,    /* by enum seen_hold */
            SEEN_TAKEN,   /* by lane */
            SEEN_RESUMED, /* by enum seen_from */
            SEEN_HANDED_OVER,
            SEEN_ATTEMPTS,   /* by enum outcome */
            SEEN_RUNS_ENDED, /* by enum outcome */
            SEEN_LINES,
            SEEN_LINE_BYTES,
            SEEN_COST,      /* by enum seen_cost */
            SEEN_TOKENS,    /* by enum seen_token */
            SEEN_CALLS,     /* by enum seen_call and enum seen_end */
            SEEN_CALL_TIME, /* by enum seen_call */
            SEEN_DEAD_LETTERS,
            SEEN_LOOP_DELAY,
            SEEN_KAFKA_UP,
            SEEN_KAFKA_RECORDS,
            SEEN_KAFKA_BYTES,
            SEEN_KAFKA_ERRORS,
            SEEN_LEDGER_UP,
            SEEN_LEASE,
            SEEN_SANDBOXES_UP,
            SEEN_DRAINING,
            SEEN_LEADS,
            SEEN_METRICS
};

/* name, label: the calls of the sandbox service and of the daemon in a sandbox */
#define SEEN_CALL_MAP(X)                                                                           \
    X(CREATE, "create")                                                                            \
    X(CONNECT, "connect")                                                                          \
    X(GET, "get")                                                                                  \
    X(TTL, "set_timeout")                                                                          \
    X(KILL, "kill")                                                                                \
    X(PAUSE, "pause")                                                                              \
    X(LIST, "list")                                                                                \
    X(OTHER, "other")                                                                              \
    X(HEALTH, "health")                                                                            \
    X(FILE_PUT, "file_put")                                                                        \
    X(FILE_GET, "file_get")                                                                        \
    X(RPC, "rpc")                                                                                  \
    X(STREAM, "stream")
#define SEEN_CALL_ENUM(name, text) SEEN_CALL_##name,
enum seen_call { SEEN_CALL_MAP(SEEN_CALL_ENUM) SEEN_CALL_KINDS };
#undef SEEN_CALL_ENUM

enum seen_from { SEEN_FROM_DEAD, SEEN_FROM_RELEASED, SEEN_FROM_KINDS };
enum seen_cost { SEEN_COST_AGENT, SEEN_COST_SANDBOX, SEEN_COST_KINDS };
enum seen_token { SEEN_INPUT, SEEN_OUTPUT, SEEN_CACHE_READ, SEEN_CACHE_WRITE, SEEN_TOKEN_KINDS };

/* ERR_NOMEM. */
enum err_code seen_init(struct err *err) MUST_USE;
void seen_release(void);

void seen_add(enum seen what, size_t label, double by); /* label: 0 where there is none */
void seen_set(enum seen what, size_t label, double to);
void seen_flag(enum seen what, bool is);
/* A call of the sandbox service ended so. begun_ms: clock_boot_ms() then. */
void seen_call(enum seen_call call, int64_t begun_ms, enum err_code rc);
/* What waits in the ledger: first all reasons are 0, then each has its runs; a reason that the
 * table has no label for counts as "other". Who does not ask the ledger forgets them. */
void seen_holds_zero(void);
void seen_hold(const char *reason, double runs);
void seen_holds_forget(void);

/* Measures from now on how late the loop comes to what is due. NULL: no memory. */
struct seen_delay;
struct seen_delay *seen_delay_new(struct loop *l);
void seen_delay_free(struct seen_delay *d);

/* All of it, the process's own figures included. */
void seen_write(struct buf *out);

#endif
