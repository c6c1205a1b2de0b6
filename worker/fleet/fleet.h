/* SPDX-License-Identifier: Apache-2.0 */
/* One worker process of the fleet: intake, takings, lease, runs and outbox tied together.
 * Single-threaded; nothing here blocks but the end. */
#ifndef SANDFLEET_WORKER_FLEET_H
#define SANDFLEET_WORKER_FLEET_H

#include "common/kafka/kafka.h"
#include "common/loop.h"
#include "schema/topics.h"
#include "worker/settings.h"

struct fleet; /* opaque */

/* All borrowed for the life of the fleet. It starts by itself once the ledger answers. */
enum err_code fleet_new(struct loop *l, const struct settings *s, const struct topics *t,
                        const struct kafka_conf *kafka, struct fleet **out,
                        struct err *err) MUST_USE;
/* count 1: takes no more, lets runs finish until --drain, then hands them over; 2: at once.
 * The loop is stopped at the end. */
void fleet_stop(struct fleet *f, int count);
int fleet_exit_status(const struct fleet *f); /* once the loop has stopped */
void fleet_free(struct fleet *f);

#endif
