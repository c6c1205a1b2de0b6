/* SPDX-License-Identifier: Apache-2.0 */
/* What the sink remembers of runs from one batch to the next, so that it need not read them
 * again: right as long as it alone moves their partitions, which the compare-and-set of the
 * positions proves with every batch. Whoever loses a partition, a batch or the database
 * forgets all of it. Bounded: when it is full, it begins anew. Pure. */
#ifndef SANDFLEET_SINK_MEMORY_H
#define SANDFLEET_SINK_MEMORY_H

#include "sink/projection.h"

enum { MEMORY_RUNS = 8192 };

struct memory {
    struct run_row *runs; /* only their first part is used */
    uint32_t *slots;      /* open addressing: index + 1; 0: free */
    size_t n;
};

void memory_release(struct memory *m);
void memory_forget(struct memory *m);
/* Fills the row's first part and says so in run->known. */
void memory_recall(const struct memory *m, struct run_row *run);
/* As the table has it now that the batch is committed. Without memory it forgets. */
void memory_keep(struct memory *m, const struct run_row *run);

#endif
