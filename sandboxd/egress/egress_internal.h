/* SPDX-License-Identifier: Apache-2.0 */
/* What egress.c (doors) and relay.c (one connection through one) share. */
#ifndef SANDFLEET_SANDBOXD_EGRESS_EGRESS_INTERNAL_H
#define SANDFLEET_SANDBOXD_EGRESS_EGRESS_INTERNAL_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/http/http.h"
#include "sandboxd/egress/egress.h"

struct relay;

struct local { /* an exception of the server's */
    struct net net;
    int port; /* 0: all */
};

struct egress {
    struct loop *loop;
    struct http *http;
    struct local *local;
    size_t n_local;
};

struct door {
    struct egress *egress;
    const char *sandbox;
    int fd;
    struct watch *watch;
    struct egress_rules *rules;
    int n_relays;
    int64_t told_ms; /* when a refusal was logged; 0: never */
    LIST_HEAD(, relay) relays;
};

bool egress_is_local(const struct egress *g, const struct sockaddr *to);

/* A refusal, for the log: a sandbox that asks for many gets one line a second. */
void door_tell(struct door *d, const char *event);
void relay_open(struct door *d, int fd); /* takes fd */
void relay_close(struct relay *r);

#endif
