/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane as its parts see it: sandbox.c (the service, a sandbox's address),
 * sandbox_op.c (create and open, which take several calls), sandbox_call.c (single calls). */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_INTERNAL_H
#define SANDFLEET_WORKER_E2B_SANDBOX_INTERNAL_H

#include <sys/queue.h>

#include "worker/e2b/breaker.h"
#include "worker/e2b/envd.h"
#include "worker/e2b/sandbox.h"

enum { SANDBOX_API_MS = 75 * 1000 /* the service's own limit is 70 s */ };

struct sandbox_service {
    struct loop *loop;
    struct http *http;
    struct sandbox_service_opts opts;
    char *api_url;          /* without a slash at its end */
    bool v2;                /* known to speak v2 */
    int64_t v1_until_ms;    /* until then it is taken to speak only v1 */
    struct breaker breaker; /* of creates and opens */
    LIST_HEAD(, sandbox_op) ops;
    LIST_HEAD(, sandbox_call) calls;
    LIST_HEAD(, sandbox_list) lists;
};

struct sandbox {
    struct sandbox_service *service;
    struct envd *envd;
    char id[SANDBOX_ID_MAX_BYTES];
};

struct sandbox_request {
    const char *method, *path, *body; /* body NULL: none */
    const char *idempotency_key;      /* checked; NULL: none */
    int64_t total_ms;                 /* 0: SANDBOX_API_MS */
    size_t max_body;                  /* of the answer; 0: 1 MiB */
    bool once;                        /* what it does must not be done twice */
};
enum err_code sandbox_request_start(struct sandbox_service *s, const struct sandbox_request *r,
                                    const struct http_events *ev, void *ctx, struct http_req **out,
                                    struct err *err) MUST_USE;

/* From a create or connect answer's body. ERR_PROTOCOL: it is none. */
enum err_code sandbox_of_answer(struct sandbox_service *s, struct str body, struct sandbox **out,
                                struct err *err) MUST_USE;
/* How a create or an open ended: was the service there? */
void sandbox_service_judge(struct sandbox_service *s, const struct err *e);
void sandbox_op_free(struct sandbox_op *op); /* no callback, nothing killed */
void sandbox_list_free_all(struct sandbox_service *s);

#endif
