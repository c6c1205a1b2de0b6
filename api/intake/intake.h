/* SPDX-License-Identifier: Apache-2.0 */
/* The way of run requests to Kafka, for all who send some. Single-threaded. */
#ifndef SANDFLEET_API_INTAKE_H
#define SANDFLEET_API_INTAKE_H

#include <sys/queue.h>

#include "api/call.h"
#include "common/kafka/kafka.h"

struct intake_waiter { /* for room in Kafka's queue; embedded in its owner */
    LIST_ENTRY(intake_waiter) link;
    void (*room)(struct intake_waiter *w); /* once; it may wait again */
    bool waits;
};
LIST_HEAD(intake_waiters, intake_waiter);

/* As producer_send, into the topic of its lane. `value` is run_request_write()'s. */
enum err_code intake_send(struct api *a, const struct run_request *r, enum run_lane lane,
                          struct str value, produced_fn fn, void *ctx, struct err *err) MUST_USE;

void intake_wait(struct api *a, struct intake_waiter *w); /* for room() */
void intake_unwait(struct intake_waiter *w);
void intake_on_room(void *api); /* producer_opts.room */

/* What a failure of Kafka's is for the caller. */
enum problem intake_problem(const struct err *e);

#endif
