/* SPDX-License-Identifier: Apache-2.0 */
/* Puts run requests on Kafka and tells which ones the broker acknowledged. An id is handed out
 * only behind that. Single-threaded, in a loop of its own. */
#ifndef SANDFLEET_PRODUCER_SUBMITTER_H
#define SANDFLEET_PRODUCER_SUBMITTER_H

#include <stdint.h>

#include "common/err.h"
#include "common/loop.h"
#include "producer/client.h"
#include "schema/run_request.h"
#include "schema/topics.h"

struct submitter; /* opaque */

struct submit_receipt {             /* borrowed for the call */
    const char *run_id, *custom_id; /* custom_id NULL: none */
    const char *topic;
    int32_t partition;
    int64_t offset;
};

struct submit_events {
    void (*acked)(void *ctx, const struct submit_receipt *r);
};

enum err_code submitter_new(struct loop *l, const struct client *c, const struct topics *topics,
                            const struct submit_events *ev, void *ctx, struct submitter **out,
                            struct err *err) MUST_USE;

/* Sends; runs the loop while the queue is full. ERR_TIMEOUT when the broker acknowledged
 * nothing for the client's ack_ms. */
enum err_code submitter_send(struct submitter *s, const struct run_request *r, enum run_lane lane,
                             struct err *err) MUST_USE;
/* Runs the loop until all is acknowledged. */
enum err_code submitter_finish(struct submitter *s, struct err *err) MUST_USE;
int64_t submitter_acked(const struct submitter *s);
void submitter_free(struct submitter *s);

#endif
