/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of the sandbox service that is no success means for us: one table
 * (worker/e2b/e2b_error.c), in the order of the service's three surfaces. Pure. */
#ifndef SANDFLEET_WORKER_E2B_E2B_ERROR_H
#define SANDFLEET_WORKER_E2B_E2B_ERROR_H

#include <stdbool.h>

#include "common/err.h"
#include "common/http/http.h"
#include "worker/e2b/connect_rpc.h"

enum e2b_surface {
    E2B_API,  /* the control plane */
    E2B_EDGE, /* what stands before a sandbox, and envd's plain HTTP */
    E2B_RPC   /* an end frame's Connect error */
};

enum { E2B_RETRY_AFTER_MAX_MS = 300 * 1000 };

struct e2b_answer {
    enum e2b_surface surface;
    int status;       /* of HTTP; 0 for E2B_RPC */
    struct str word;  /* error_code, or the Connect code */
    struct str text;  /* the message */
    bool json;        /* the service itself spoke, no gateway before it */
    int should_retry; /* Should-Retry: -1 not told, 0, 1 */
    int64_t retry_after_ms;
};

/* Fills err by the first row that matches; err->retry_ms by the row or Retry-After
 * (at most E2B_RETRY_AFTER_MAX_MS). Should-Retry: true makes of what would end a run, or
 * this process, a thing to try again. Should-Retry: false is for the caller, who does not ask
 * again by himself; whether there is another attempt is the code's to say.
 * CONFLICT: what the request asks for cannot be had by asking again: its idempotency key is
 * used up, it is paused already, its memory cannot be brought back.
 * The service's text is never copied into err: it can echo a whole command. */
enum err_code e2b_error(const struct e2b_answer *a, struct err *err);

/* The same, from an HTTP answer whose body may be JSON, text or nothing. */
enum err_code e2b_error_of_http(enum e2b_surface surface, const struct http_answer *a,
                                struct err *err);
enum err_code e2b_error_of_end(const struct connect_failure *f, struct err *err);

#endif
