/* SPDX-License-Identifier: Apache-2.0 */
/* Puts run requests on Kafka and tells which ones the broker acknowledged. An id is handed out
 * only behind that. Single-threaded, in a loop of its own. */
#ifndef SANDFLEET_PRODUCER_SUBMITTER_H
#define SANDFLEET_PRODUCER_SUBMITTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/loop.h"
#include "producer/client.h"
#include "producer/parcel.h"
#include "schema/run_request.h"
#include "schema/topics.h"

struct submitter; /* opaque */

struct submit_receipt { /* borrowed for the call */
    const char *run_id;
    struct str custom_id; /* n 0: none */
    int64_t line;         /* of the file; 0: none */
    const char *topic;
    int32_t partition;
    int64_t offset;
};

struct submit_events {
    void (*acked)(void *ctx, const struct submit_receipt *r); /* may be NULL */
    /* A parcel that was put is yours again: all of it is acknowledged, or the submitter is freed.
     * NULL: it is freed. */
    void (*returned)(void *ctx, struct parcel *p);
};

/* many: a file of runs; else each record goes at once. */
enum err_code submitter_new(struct loop *l, const struct client *c, const struct topics *topics,
                            bool many, const struct submit_events *ev, void *ctx,
                            struct submitter **out, struct err *err) MUST_USE;

/* Sends a parcel's records and keeps it until it is returned, also after an error; runs the loop
 * while the queue is full. ERR_TIMEOUT when the broker acknowledged nothing for the client's
 * ack_ms. */
enum err_code submitter_put(struct submitter *s, struct parcel *p, enum run_lane lane,
                            struct err *err) MUST_USE;
/* The same for one request. */
enum err_code submitter_send(struct submitter *s, const struct run_request *r, enum run_lane lane,
                             struct err *err) MUST_USE;
/* Waits until all is acknowledged, ms at most. *all: it is. ERR_TIMEOUT as submitter_put. */
enum err_code submitter_drain(struct submitter *s, int64_t ms, bool *all, struct err *err) MUST_USE;
enum err_code submitter_finish(struct submitter *s, struct err *err) MUST_USE; /* until it is */
int64_t submitter_acked(const struct submitter *s);
void submitter_free(struct submitter *s);

#endif
