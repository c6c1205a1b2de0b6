/* SPDX-License-Identifier: Apache-2.0 */
/* Create and open under way: sandbox_op.c (their ends), sandbox_op_ask.c (the control plane),
 * sandbox_op_wake.c (the daemon's health).
 *   ASKING  the control plane is asked, v1 where v2 is missing -> WAKING
 *   LOOKING whether a create whose answer is lost made one: -> ASKING to open that one, or
 *           to create again
 *   WAKING  the daemon's health -> ready(); an edge that says "gone" -> PROBING
 *   PROBING the control plane says what it is: paused -> ASKING, running -> WAKING */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_OP_H
#define SANDFLEET_WORKER_E2B_SANDBOX_OP_H

#include "common/backoff.h"
#include "worker/e2b/sandbox_internal.h"

enum {
    SANDBOX_ASK_TRIES = 4,
    SANDBOX_KEYS = 3, /* idempotency keys of one create: each but the first after a look */
    SANDBOX_KEY_MAX_BYTES = 512,
    SANDBOX_BODY_MAX_BYTES = 8192
};

struct sandbox_op {
    LIST_ENTRY(sandbox_op) link;
    struct sandbox_service *service;
    struct sandbox_events ev;
    void *ctx;
    bool create, cancelled;
    bool v1, cold, resumed; /* cold: without its memory; resumed: it was found paused once */
    bool lost, unsure;      /* one may have been made; it is looked for before the next try */
    char *body, *key;       /* create only; the key is in the metadata, too */
    int64_t ttl_s;
    int nth;                       /* which of the SANDBOX_KEYS */
    char id[SANDBOX_ID_MAX_BYTES]; /* of the one to open; "": create */
    struct http_req *req;
    struct sandbox_list *look;
    struct envd_call *health;
    struct timer *timer; /* the next try of what is under way */
    struct backoff backoff;
    int64_t wake_until_ms;
    int64_t asked_ms;   /* boot clock: what is under way was sent */
    struct sandbox *sb; /* set: waking */
};

void sandbox_op_ask(struct sandbox_op *op);
void sandbox_op_again(struct sandbox_op *op, const struct err *e); /* later; counts the try */
void sandbox_op_wake(struct sandbox_op *op, struct str body);      /* of the good answer */
void sandbox_op_probe(struct sandbox_op *op);
void sandbox_op_fail(struct sandbox_op *op, const struct err *e);
void sandbox_op_ready(struct sandbox_op *op);
void sandbox_op_drop(struct sandbox_op *op); /* a cancelled one: kills what was made, and ends */

/* The idempotency key for the n-th time (from 0): only [a-z0-9-], at most 255 bytes, whatever
 * `key` is. Pure. */
void sandbox_op_key(struct buf *out, const char *key, int n);

#endif
