/* SPDX-License-Identifier: Apache-2.0 */
/* From the request topics to the ledger: a record becomes a claim or a dead letter, and
 * its offset is committed only behind that. One batch at a time is under way, so offsets
 * move in order. Single-threaded; nothing here blocks but intake_stop(). */
#ifndef SANDFLEET_WORKER_INTAKE_H
#define SANDFLEET_WORKER_INTAKE_H

#include <stdbool.h>

#include "common/kafka/kafka.h"
#include "common/loop.h"
#include "schema/topics.h"
#include "worker/ledger/ledger.h"

struct intake; /* opaque */

struct intake_events {
    /* So many new claims are durable. */
    void (*claimed)(void *ctx, const int64_t claimed[LANES]);
    /* New claims have ended where they were made: their ends are owed. */
    void (*rejected)(void *ctx);
    /* The consumer or the ledger's shape is broken for good: the process must end. */
    void (*failed)(void *ctx, const struct err *e);
};

struct intake_opts { /* kafka, group borrowed until return; the rest outlives the intake */
    const struct kafka_conf *kafka;
    const char *group;
    const struct topics *topics;
    struct ledger *ledger;
    struct producer *producer; /* of the dead letters */
};

enum err_code intake_new(struct loop *l, const struct intake_opts *opts,
                         const struct intake_events *ev, void *ctx, struct intake **out,
                         struct err *err) MUST_USE;
/* Kafka stays the queue: a lane with enough claims that could start is not read. */
void intake_pause(struct intake *in, enum run_lane lane, bool paused);
/* Leaves the group: no more records. Blocks, a second at most. NULL is fine. */
void intake_stop(struct intake *in);
void intake_free(struct intake *in); /* after the ledger and the producer; NULL is fine */

#endif
