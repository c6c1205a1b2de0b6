/* SPDX-License-Identifier: Apache-2.0 */
/* Which lane the next free slots go to. Pure.
 *
 * Interactive gets four of five while both lanes wait; batch always gets the fifth, so it
 * never starves. A tenth of the slots is kept free of batch runs, which may last an hour,
 * so that somebody who waits does not wait for one of them. */
#ifndef SANDFLEET_WORKER_SLOTS_H
#define SANDFLEET_WORKER_SLOTS_H

#include <stdint.h>

#include "schema/run_request.h"

enum { SLOTS_INTERACTIVE_IN_A_ROW = 4 };

struct slots {
    int64_t total;
    int64_t running[LANES];
    int64_t in_a_row; /* interactive starts since the last batch one, while batch waited */
};

int64_t slots_free(const struct slots *s);

/* How many runs to take from each lane now, given how many could start there.
 * Moves only in_a_row; the caller counts `running` when the runs are really taken. */
void slots_share(struct slots *s, const int64_t waiting[LANES], int64_t take[LANES]);

#endif
