/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox: one isolated machine behind E2B's API, and the client that asks for it.
 * Control plane and routing: E2B's REST API (v2 create with Idempotency-Key, v1
 * where v2 is missing); the daemon inside ("envd") is spoken to by worker/e2b/envd.h.
 * Single-threaded: call only from the loop's thread. Nothing here blocks. */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_H
#define SANDFLEET_WORKER_E2B_SANDBOX_H

#include <stdint.h>

#include "common/err.h"
#include "common/http.h"
#include "common/loop.h"
#include "common/secret.h"

struct sandbox_service; /* opaque: address, key, connections */
struct sandbox;         /* opaque: id and access token of one sandbox */

struct sandbox_service_opts { /* borrowed for the life of the service */
    const char *api_url;      /* "https://api.e2b.app"; E2B_API_URL */
    const char *sandbox_url;  /* NULL: https://49983-{id}.{domain}, or the create answer's domain */
    const char *domain;       /* "e2b.app"; E2B_DOMAIN */
    const struct secret *api_key;
    const char *fleet; /* metadata tag of this installation */
};
enum err_code sandbox_service_new(struct loop *l, const struct sandbox_service_opts *opts,
                                  struct sandbox_service **out, struct err *err) MUST_USE;
void sandbox_service_free(struct sandbox_service *s);

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
    const char *run_id;   /* metadata; with attempt also the Idempotency-Key */
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

typedef void (*sandbox_fn)(void *ctx, const struct err *e); /* e->code ERR_OK: done */
/* Its life ends ttl_ms from now. */
enum err_code sandbox_set_ttl(struct sandbox_service *s, const char *sandbox_id, int64_t ttl_ms,
                              sandbox_fn fn, void *ctx, struct err *err) MUST_USE;
/* Success also when it was already gone. Retries a few times by itself. */
enum err_code sandbox_kill(struct sandbox_service *s, const char *sandbox_id, sandbox_fn fn,
                           void *ctx, struct err *err) MUST_USE;

const char *sandbox_id(const struct sandbox *sb); /* borrowed */
struct envd;
struct envd *sandbox_envd(const struct sandbox *sb); /* its daemon; lives as long as sb */
struct loop *sandbox_loop(const struct sandbox *sb);
void sandbox_free(struct sandbox *sb); /* forgets it; does not kill it; NULL is fine */

#endif
