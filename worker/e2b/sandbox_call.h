/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the control plane, tried as often as its row allows: sandbox_call.c. */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_CALL_H
#define SANDFLEET_WORKER_E2B_SANDBOX_CALL_H

#include <stdbool.h>

#include "common/http/http.h"
#include "worker/e2b/sandbox_internal.h"
#include "worker/e2b/sandbox_report.h"
#include "worker/e2b/sandbox_snapshot.h"

enum sandbox_verb {
    SANDBOX_CALL_GET,
    SANDBOX_CALL_TTL,
    SANDBOX_CALL_REFRESH,
    SANDBOX_CALL_KILL,
    SANDBOX_CALL_PAUSE,
    SANDBOX_CALL_NETWORK,
    SANDBOX_CALL_LIST,
    SANDBOX_CALL_LIST_OLD,
    SANDBOX_CALL_SNAPSHOT,
    SANDBOX_CALL_SNAPSHOT_LIST,
    SANDBOX_CALL_SNAPSHOT_DELETE,
    SANDBOX_CALL_METRICS,
    SANDBOX_CALL_LOGS,
    SANDBOX_CALL_VERBS
};

struct sandbox_call; /* owned by its service */

/* e->code ERR_OK: `a` is a good answer; else it may be NULL. What it returns when that makes no
 * sense after all (ERR_PROTOCOL, in err) is tried again; it then has told nobody. Else it calls
 * sandbox_call_take() first, and then whoever asked. */
typedef enum err_code (*sandbox_call_fn)(struct sandbox_call *c, const struct http_answer *a,
                                         const struct err *e, struct err *err);

struct sandbox_ask { /* borrowed until return */
    enum sandbox_verb verb;
    const char *id;    /* stands in the path, checked or escaped; NULL: none */
    const char *query; /* behind the path: "?…"; NULL: none */
    const char *body;  /* NULL: none */
    sandbox_call_fn told;
    union sandbox_user {
        sandbox_fn done;
        sandbox_info_fn info;
        sandbox_probe_fn probe;
        sandbox_snapshot_fn snapshot;
        sandbox_metrics_fn metrics;
        sandbox_logs_fn logs;
    } fn;
    void *ctx;
};
enum err_code sandbox_call_start(struct sandbox_service *s, const struct sandbox_ask *ask,
                                 struct err *err) MUST_USE;

struct sandbox_answered {
    union sandbox_user fn;
    void *ctx;
    bool forgotten; /* nobody is to be told */
};
void *sandbox_call_ctx(const struct sandbox_call *c);
struct sandbox_answered sandbox_call_take(struct sandbox_call *c);    /* ends the call */
void sandbox_call_cancel(struct sandbox_service *s, const void *ctx); /* ends them, untold */
void sandbox_call_free_all(struct sandbox_service *s);

/* For the calls that are done or not: fn.done, which may be NULL. */
enum err_code sandbox_tell_done(struct sandbox_call *c, const struct http_answer *a,
                                const struct err *e, struct err *err);

/* A missing route and a missing thing are both 404: the thing is named. */
bool sandbox_route_missing(const struct http_answer *a);

#endif
