/* SPDX-License-Identifier: Apache-2.0 */
/* One run's life in this worker, from the claim to its terminal or to another owner:
 * one struct, driven by events (run_state.h). Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_RUN_H
#define SANDFLEET_WORKER_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/loop.h"
#include "common/secret/redact.h"
#include "common/secret/secret.h"
#include "worker/ledger/ledger.h"
#include "worker/publish/publish.h"
#include "worker/run/run_state.h"
#include "worker/run/watchdog.h"
#include "worker/sandbox/sandbox_sizes.h"
#include "worker/store/store.h"
#include "worker/e2b/sandbox.h"
#include "worker/workspace/fetch.h"

struct run; /* opaque */

struct run_sandboxes {     /* what all runs' sandboxes share */
    const char *ledger_id; /* in their metadata; "" until the ledger told it */
    int64_t park_ms;       /* so long a session's sandbox waits for the next run */
    bool pause;            /* …paused */
    int64_t cancel_ms;     /* so long an interrupted agent may take to end its turn */
    bool update_claude;    /* once in a new sandbox */
    struct sandbox_sizes *sizes;
};

struct run_times { /* ms; 0: never */
    int64_t heartbeat_ms;
    struct watchdog_limits watchdog;
};

struct run_proxy {            /* of credentials that the sandbox service adds outside */
    bool only;                /* no agent gets one in another way */
    int64_t refused_until_ms; /* boot clock: it was asked, and does not */
};

struct run_host { /* what all runs share; outlives them */
    struct loop *loop;
    struct ledger *ledger;
    struct publish_hub *hub;
    struct sandbox_service *sandboxes;
    struct run_sandboxes life;
    struct run_times times;
    struct store *store;              /* of transcripts; NULL: none are kept */
    const struct secret *store_key;   /* they are sealed with it; NULL: masked */
    struct store *artifacts;          /* NULL: none are kept */
    const struct fetch_policy *fetch; /* of what requests want in their working directories */
    const char *worker_id;
    const struct keyring *keys; /* open the claims' credentials; NULL: none */
    const char *base_url;       /* ANTHROPIC_BASE_URL where a credential has none; NULL: neither */
    struct run_proxy *proxy;    /* NULL: agents get their credentials by descriptor */
    struct redactor *redactor;  /* what it finds is cut out of every line */
    bool (*may_publish)(void *ctx); /* does our lease hold? */
    /* The sandbox service refuses our key: no run can go on here, and none is at fault. */
    void (*refused)(void *ctx, const struct err *e);
    void (*streams)(void *ctx);             /* its agent is at work, and its output is followed */
    void (*gone)(void *ctx, struct run *r); /* last call, from the loop: run_free() it */
    void *ctx;
};

/* Takes *claim (left empty). resumed: taken over from another worker. ERR_INVALID: this
 * program cannot read the request; ERR_NOMEM. */
enum err_code run_new(const struct run_host *host, struct claim *claim, bool resumed,
                      struct run **out, struct err *err) MUST_USE;
void run_start(struct run *r);
void run_free(struct run *r); /* after gone(), or when the process ends; NULL is fine */

const char *run_id(const struct run *r);
int64_t run_epoch(const struct run *r);
enum run_lane run_lane(const struct run *r);
enum run_state run_state(const struct run *r);
bool run_is_starting(const struct run *r); /* on its way to its first line */
size_t run_buffered(const struct run *r);  /* bytes of the buffers that hold its output */

/* What the worker learnt about its lease and its claims. */
void run_lapse(struct run *r);   /* publish nothing until run_confirm() or run_depose() */
void run_confirm(struct run *r); /* the ledger says it is ours */
void run_depose(struct run *r);  /* another owner has it: gone() follows, nothing is touched */
void run_release(struct run *r); /* we leave: as above; the agent goes on without us */

/* It is to end, wherever it is; `by` (borrowed, NULL: unknown) asked for it. force: at once,
 * with its sandbox. May be called again and again: several cancels are one. */
void run_cancel(struct run *r, bool force, const char *by);
/* The same for its session's run by_run (borrowed): it ends as interrupted. */
void run_interrupt(struct run *r, const char *by_run);

/* Kafka keeps up again, or does not any more (publish_hub_look). */
void run_flow_changed(struct run *r);

/* The acknowledged position, when the ledger does not have it yet. */
bool run_position_due(const struct run *r, struct publish_position *out);
void run_position_saved(struct run *r, int64_t line);

#endif
