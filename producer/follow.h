/* SPDX-License-Identifier: Apache-2.0 */
/* Follows one run on the events topic to its end, each record that counts once and in order
 * (schema/judge.h). Single-threaded, in the loop. */
#ifndef SANDFLEET_PRODUCER_FOLLOW_H
#define SANDFLEET_PRODUCER_FOLLOW_H

#include <stdint.h>

#include "common/err.h"
#include "common/loop.h"
#include "producer/client.h"
#include "schema/event.h"

struct follow; /* opaque */

struct follow_events { /* called from the loop */
    /* sequence is the one the sink gives; value is the whole CloudEvents record. */
    void (*event)(void *ctx, const struct event_view *v, int64_t sequence, struct str value);
    void (*failed)(void *ctx, const struct err *e); /* cannot go on; last call */
};

/* Where a run's events are: its partition, and the offset that any event yet to come lies at or
 * behind. Blocks. from_start: the partition's first offset instead. */
enum err_code follow_locate(const struct topics *topics, struct kafka_admin *admin,
                            const char *run_id, bool from_start, struct partition *out,
                            struct err *err) MUST_USE;

enum err_code follow_start(struct loop *l, const struct client *c, const struct partition *at,
                           const char *run_id, const struct follow_events *ev, void *ctx,
                           struct follow **out, struct err *err) MUST_USE;
void follow_free(struct follow *f);

#endif
