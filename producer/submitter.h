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
    void (*acked)(void *ctx, const struct submit_receipt *r);
};

/* many: a file of runs; else each record goes at once. */
enum err_code submitter_new(struct loop *l, const struct client *c, const struct topics *topics,
                            bool many, const struct submit_events *ev, void *ctx,
                            struct submitter **out, struct err *err) MUST_USE;

struct submit_record { /* borrowed for the call */
    struct str key;
    const char *run_id;
    struct str custom_id;
    int64_t line;
};

/* Where the next record's value is to be written: empty, and the submitter's. NULL: no memory. */
struct buf *submitter_value(struct submitter *s);
/* Sends the record whose value is there; runs the loop while the queue is full. ERR_TIMEOUT when
 * the broker acknowledged nothing for the client's ack_ms. */
enum err_code submitter_put(struct submitter *s, const struct submit_record *r, enum run_lane lane,
                            struct err *err) MUST_USE;
/* The same, with the record made of the request. */
enum err_code submitter_send(struct submitter *s, const struct run_request *r, enum run_lane lane,
                             struct err *err) MUST_USE;
/* Waits until all is acknowledged, ms at most. *all: it is. ERR_TIMEOUT as submitter_put. */
enum err_code submitter_drain(struct submitter *s, int64_t ms, bool *all, struct err *err) MUST_USE;
enum err_code submitter_finish(struct submitter *s, struct err *err) MUST_USE; /* until it is */
int64_t submitter_acked(const struct submitter *s);
void submitter_free(struct submitter *s);

#endif
