/* SPDX-License-Identifier: Apache-2.0 */
/* The streams that follow one process: what happens to it is written to each,
 * with keepalives in silence and each one's own deadline. */
#ifndef SANDFLEET_SANDBOXD_ENVD_SUBSCRIBER_H
#define SANDFLEET_SANDBOXD_ENVD_SUBSCRIBER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "sandboxd/envd/connect_rpc.h"
#include "sandboxd/web/stream.h"

#define FOLLOW_FOREVER INT64_MAX

struct follow {           /* how a stream wants to follow */
    int64_t keepalive_ms; /* silence after which a keepalive is sent */
    int64_t deadline_ms;  /* FOLLOW_FOREVER: none */
    bool kills;           /* the deadline is the process's, too */
};

struct subscriber;
struct subscribers {
    struct loop *loop;
    void (*drained)(void *ctx); /* the slowest reader has read: go on */
    void (*kill)(void *ctx);    /* a deadline passed that is the process's, too */
    void *ctx;
    TAILQ_HEAD(, subscriber) all;
};

void subscribers_init(struct subscribers *l);
/* Answers r with a stream. NULL: r was answered with an error. */
struct subscriber *subscribe(struct subscribers *l, struct request *r, const struct follow *how);

bool subscribers_full(const struct subscribers *l); /* one of them is at its bound */
void subscriber_start(struct subscriber *s, int pid);
void subscribers_start(struct subscribers *l, int pid);
void subscribers_output(struct subscribers *l, const char *name, struct str bytes);

/* The ends; the list is empty after each. */
void subscribers_exit(struct subscribers *l, int wait_status);
void subscribers_fail(struct subscribers *l, enum rpc_code code, const char *message);
void subscribers_cut(struct subscribers *l);

#endif
