/* SPDX-License-Identifier: Apache-2.0 */
/* projection.c's inner half: what each type of control event says about its run
 * and its attempt. Pure. */
#ifndef SANDFLEET_SINK_PROJECTION_FOLD_H
#define SANDFLEET_SINK_PROJECTION_FOLD_H

#include "sink/projection.h"

struct fold {
    struct run_row *run;
    struct attempt_row *attempt; /* NULL: the event belongs to none */
    const struct event *event;
    cJSON *data;
};

/* Does this type's data need to be read at all? Lines' never does. */
bool fold_reads_data(enum event_type t);
void fold_event(const struct fold *f);
/* Does the event say something about a sandbox? Fills all of *out but its run. */
bool fold_sandbox(const struct fold *f, struct sandbox_word *out);

#endif
