/* SPDX-License-Identifier: Apache-2.0 */
/* One run, from a checked request to the 201: Idempotency-Key, Kafka's acknowledgement, the
 * database's. Single-threaded. */
#ifndef SANDFLEET_API_CREATE_H
#define SANDFLEET_API_CREATE_H

#include "api/intake/body.h"
#include "api/intake/idem.h"
#include "common/loop.h"

struct creation { /* c->state */
    struct idem idem;
    struct body_run run;
    char run_id[UUID_TEXT], location[64], hash[IDEM_HASH];
    struct buf value, answer;
    struct timer *deadline;
    bool acked, given_up;
};

/* Makes c->state, reads the key, and begins the request: who asks, its id, its time. NULL: it was
 * answered. */
struct creation *creation_new(struct call *c);
/* cr->run is as it shall be. op and what: see idem_work(). Answers, now or later. */
void creation_submit(struct call *c, const char *op, const void *what, size_t n);

#endif
