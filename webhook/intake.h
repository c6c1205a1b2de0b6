/* SPDX-License-Identifier: Apache-2.0 */
/* From the events topic to rows of webhook.deliveries. A run's end wakes it; once the sink is past
 * that record, what the read model says of the run becomes rows, and only then may the topic's
 * committed position move on. A process that dies makes its successor read some ends again, whose
 * rows are there already. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WEBHOOK_INTAKE_H
#define SANDFLEET_WEBHOOK_INTAKE_H

#include <stdbool.h>

#include "common/kafka/kafka.h"
#include "common/loop.h"
#include "common/pg/pg.h"

struct intake; /* opaque */

struct intake_opts { /* borrowed for the intake's life */
    const char *group, *topic, *public_url;
    void (*made)(void *ctx, int64_t rows);          /* that are new */
    void (*failed)(void *ctx, const struct err *e); /* waiting does not cure it */
    void *ctx;
};

enum err_code intake_new(struct loop *l, struct pg *pg, const struct kafka_conf *kafka,
                         const struct intake_opts *opts, struct intake **out,
                         struct err *err) MUST_USE;
void intake_up(struct intake *in, bool up);     /* the database's session is there, or gone */
size_t intake_waiting(const struct intake *in); /* ends without their rows */
/* Commits what may be; leaves the group, which may take a second. NULL is fine. */
void intake_free(struct intake *in);

#endif
