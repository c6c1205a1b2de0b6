/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox: one isolated machine behind E2B's API, and the client that asks for it.
 * Control plane and routing: E2B's REST API (v2 create with Idempotency-Key, v1
 * where v2 is missing); the daemon inside ("envd") is spoken to by worker/e2b/envd.h.
 * Single-threaded: call only from the loop's thread. Nothing here blocks. */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_H
#define SANDFLEET_WORKER_E2B_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/http/http.h"
#include "common/loop.h"
#include "common/secret/secret.h"

struct sandbox_service; /* opaque: address, key, connections */
struct sandbox;         /* opaque: id and access token of one sandbox */

struct sandbox_service_opts { /* borrowed for the life of the service */
    const char *api_url;      /* NULL: https://api.{domain}; E2B_API_URL */
    const char *sandbox_url;  /* one address for all sandboxes; NULL: by domain; E2B_SANDBOX_URL */
    const char *domain;       /* "e2b.app"; E2B_DOMAIN. A create answer may name another */
    const struct secret *api_key;
    const char *fleet;            /* metadata tag of this installation */
    const struct http_opts *http; /* until return; NULL: defaults */
    int64_t keepalive_s;          /* of streams, as in envd_opts; 0: the default */
};
/* ERR_CONFIG: an address or the domain is none. */
enum err_code sandbox_service_new(struct loop *l, const struct sandbox_service_opts *opts,
                                  struct sandbox_service **out, struct err *err) MUST_USE;
/* Did one create or open after the other find the service away, and none since find it back? */
bool sandbox_service_is_down(const struct sandbox_service *s);
/* How many more sandboxes may be asked for now, with `busy` on their way: as many as one likes;
 * while it is down none or, from time to time, one to find out (breaker.h). */
int64_t sandbox_service_room(const struct sandbox_service *s, int64_t busy);
void sandbox_service_free(struct sandbox_service *s); /* ends what is under way, tells nobody */

struct sandbox_events {                           /* called from the loop; exactly one of the two */
    void (*ready)(void *ctx, struct sandbox *sb); /* yours, healthy: sandbox_free it */
    /* e is borrowed. THROTTLED with retry_ms: asked to wait. CAPACITY: the plan's cap, hold, no
     * attempt burnt. NOT_FOUND: the template is unknown, no retry. GONE: sandbox_open's
     * sandbox is no more. UNAUTHORIZED: the API key. UNAVAILABLE, TIMEOUT, PROTOCOL: try again. */
    void (*failed)(void *ctx, const struct err *e);
};

struct sandbox_want {     /* borrowed until return */
    const char *template; /* "claude" */
    int64_t ttl_ms;       /* it may live so long unattended */
    const char *key;      /* Idempotency-Key, and metadata; NULL: {run_id}-{attempt} */
    const char *ledger;   /* metadata: whose row names it; NULL: nobody's */
    const char *run_id;   /* metadata; NULL: for whoever comes */
    int64_t attempt;
    const char *tenant;
};
/* Creates, then waits for envd's health. *out: to cancel by sandbox_op_cancel (NULL is fine). */
struct sandbox_op;
enum err_code sandbox_create(struct sandbox_service *s, const struct sandbox_want *want,
                             const struct sandbox_events *ev, void *ctx, struct sandbox_op **out,
                             struct err *err) MUST_USE;
/* Connects to an existing sandbox (after a takeover, or of a session) and extends its life. */
enum err_code sandbox_open(struct sandbox_service *s, const char *sandbox_id, int64_t ttl_ms,
                           const struct sandbox_events *ev, void *ctx, struct sandbox_op **out,
                           struct err *err) MUST_USE;
void sandbox_op_cancel(
    struct sandbox_op *op); /* no callback after it; a sandbox made meanwhile is killed */

/* --- single calls ---------------------------------------------------------------
 * Each is tried a few times when that can do no harm, waits as long as it is asked to, and has
 * a deadline: the table in sandbox_call.c. A callback is called once, never from inside the
 * call that asks. The ids are checked: ERR_INVALID. Many calls end in GONE: no such sandbox. */
typedef void (*sandbox_fn)(void *ctx, const struct err *e); /* e->code ERR_OK: done */

/* Its life ends ttl_ms from now; that may be sooner than before. */
enum err_code sandbox_set_ttl(struct sandbox_service *s, const char *sandbox_id, int64_t ttl_ms,
                              sandbox_fn fn, void *ctx, struct err *err) MUST_USE;
/* It lives at least duration_ms from now, 0..1 h; never sooner than before. */
enum err_code sandbox_refresh(struct sandbox_service *s, const char *sandbox_id,
                              int64_t duration_ms, sandbox_fn fn, void *ctx,
                              struct err *err) MUST_USE;
/* Success also when it was already gone. */
enum err_code sandbox_kill(struct sandbox_service *s, const char *sandbox_id, sandbox_fn fn,
                           void *ctx, struct err *err) MUST_USE;
/* Keeps its memory and costs nothing until sandbox_open() resumes it. Close its streams
 * before. Success also when it was already paused. */
enum err_code sandbox_pause(struct sandbox_service *s, const char *sandbox_id, sandbox_fn fn,
                            void *ctx, struct err *err) MUST_USE;

/* Which networks it reaches, and what is added to its requests there: E2B's `network` object as
 * JSON (wiped once it is sent), in place of what it had. REJECT or UNAUTHORIZED: the service does
 * not, be it that it knows no such call (NOT_FOUND). */
enum err_code sandbox_set_network(struct sandbox_service *s, const char *sandbox_id,
                                  const char *network, sandbox_fn fn, void *ctx,
                                  struct err *err) MUST_USE;

/* The calls with this ctx go on, but their callbacks are not called any more. */
void sandbox_forget(struct sandbox_service *s, const void *ctx);

/* --- looking ---------------------------------------------------------------------- */
enum { SANDBOX_ID_MAX_BYTES = 64, SANDBOX_TEMPLATE_MAX_BYTES = 160 };

struct cJSON;
struct sandbox_info { /* borrowed for the call */
    char id[SANDBOX_ID_MAX_BYTES];
    char template_id[SANDBOX_TEMPLATE_MAX_BYTES]; /* the service's id, not our name for it */
    bool paused;
    int64_t started_ms, end_ms; /* wall time, by the service's clock */
    int64_t cpu_count, memory_mb;
    const struct cJSON *metadata; /* object of strings; NULL: none */
};
/* info is NULL unless e->code is ERR_OK. GONE: there is no such sandbox. */
typedef void (*sandbox_info_fn)(void *ctx, const struct sandbox_info *info, const struct err *e);
enum err_code sandbox_get(struct sandbox_service *s, const char *sandbox_id, sandbox_info_fn fn,
                          void *ctx, struct err *err) MUST_USE;

/* What an edge that says "gone" cannot tell: state counts when e->code is ERR_OK. */
enum sandbox_state { SANDBOX_GONE, SANDBOX_PAUSED, SANDBOX_RUNNING };
typedef void (*sandbox_probe_fn)(void *ctx, enum sandbox_state state, const struct err *e);
enum err_code sandbox_probe(struct sandbox_service *s, const char *sandbox_id, sandbox_probe_fn fn,
                            void *ctx, struct err *err) MUST_USE;

struct sandbox_query {           /* borrowed until return */
    const char *const *metadata; /* NAME, VALUE, …, NULL: all must match; NULL: any */
    const char *states;          /* "running", "paused" or "running,paused"; NULL: both */
};
struct sandbox_list; /* opaque: a list under way, page by page */

/* Calls each() for each sandbox, then done() once, after which the handle is gone. After a
 * failure in the middle some were told. A service that knows no v2 lists running ones only. */
enum err_code sandbox_list(struct sandbox_service *s, const struct sandbox_query *query,
                           void (*each)(void *ctx, const struct sandbox_info *info),
                           sandbox_fn done, void *ctx, struct sandbox_list **out,
                           struct err *err) MUST_USE;
void sandbox_list_cancel(struct sandbox_list *l); /* also from inside each(); NULL is fine */

const char *sandbox_id(const struct sandbox *sb); /* borrowed */
struct envd;
struct envd *sandbox_envd(const struct sandbox *sb); /* its daemon; lives as long as sb */
struct loop *sandbox_loop(const struct sandbox *sb);
struct sandbox_service *sandbox_service_of(const struct sandbox *sb); /* borrowed */
void sandbox_free(struct sandbox *sb); /* forgets it; does not kill it; NULL is fine */

#endif
