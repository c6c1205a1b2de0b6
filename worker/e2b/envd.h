/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon inside a sandbox ("envd"): processes and files over HTTP and Connect.
 * Routed by the E2b-Sandbox-* headers on one shared address, or by host name.
 * Single-threaded: call only from the loop's thread. Nothing here blocks; a callback may
 * free anything, its own handle included. */
#ifndef SANDFLEET_WORKER_E2B_ENVD_H
#define SANDFLEET_WORKER_E2B_ENVD_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/http.h"

enum { ENVD_PORT = 49983, ENVD_KEEPALIVE_S = 15, ENVD_SILENCE_MS = 40 * 1000 };

struct envd; /* opaque: one sandbox's daemon */

struct envd_opts {     /* borrowed until return */
    const char *url;   /* "https://sandbox.e2b.app", "https://49983-i….e2b.app" */
    const char *id;    /* of the sandbox, for the routing headers; NULL: url names it */
    const char *token; /* X-Access-Token; NULL: the sandbox needs none */
};
enum err_code envd_new(struct http *http, const struct envd_opts *opts, struct envd **out,
                       struct err *err) MUST_USE;
void envd_free(struct envd *d); /* after its calls and streams; NULL is fine */

/* --- processes --- */
struct envd_stream; /* opaque: a started process and what it prints, while we listen */

struct envd_command { /* borrowed until return; it is logged there: no secrets, no prompt */
    const char *cmd;
    const char *const *args; /* NULL-terminated */
};
struct envd_stream_events {                   /* called from the loop */
    void (*out)(void *ctx, struct str bytes); /* of stdout */
    void (*idle)(void *ctx);                  /* a keepalive came; may be NULL */
    /* Last call, never from inside envd_run; the handle is gone by then. e->code ERR_OK: the
     * process ended, -1 by a signal. Else: the stream did, and the process may go on. */
    void (*ended)(void *ctx, int64_t exit_code, const struct err *e);
};
/* Without a time limit there: that would kill the process at expiry. A stream that is
 * silent for ENVD_SILENCE_MS, keepalives counted, is dead: ERR_TIMEOUT. */
enum err_code envd_run(struct envd *d, const struct envd_command *command,
                       const struct envd_stream_events *ev, void *ctx, struct envd_stream **out,
                       struct err *err) MUST_USE;
void envd_stream_free(struct envd_stream *s); /* stops listening; NULL is fine */

/* --- files and single calls --- */
struct envd_call; /* opaque: one request under way */

struct envd_answer { /* borrowed for the call */
    struct str body; /* empty when it was streamed to `data` */
    int64_t size;    /* of the whole file, for ranged reads; -1: not told */
    bool at_end;     /* the file was read to its end, or the range starts there */
};
/* Called once, unless freed before; the handle is gone by then. e->code ERR_OK: done. NOT_FOUND: no
 * such file. GONE: the sandbox is no more. THROTTLED, UNAVAILABLE, TIMEOUT, IO, PROTOCOL: try
 * again. */
typedef void (*envd_fn)(void *ctx, const struct envd_answer *a, const struct err *e);

enum err_code envd_health(struct envd *d, envd_fn fn, void *ctx, struct envd_call **out,
                          struct err *err) MUST_USE;
/* `path` is absolute or begins with "~/". Not atomic: who reads half a file is told later. */
enum err_code envd_put(struct envd *d, const char *path, struct str bytes, envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err) MUST_USE;
/* From byte `offset` on; data NULL: collected, at most 64 KiB. */
enum err_code envd_get(struct envd *d, const char *path, int64_t offset,
                       void (*data)(void *ctx, struct str piece), envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err) MUST_USE;
/* A unary Connect call: "process.Process/List", "process.Process/SendSignal",
 * "filesystem.Filesystem/Move", … with their JSON. */
enum err_code envd_rpc(struct envd *d, const char *method, struct str json, envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err) MUST_USE;
void envd_call_free(struct envd_call *c); /* NULL is fine */

#endif
