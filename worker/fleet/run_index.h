/* SPDX-License-Identifier: Apache-2.0 */
/* Runs by their id, as a hash table: a worker has thousands, and each answer of the ledger
 * names hundreds of them. An id may be there twice: a run that only waits for its sandbox's end
 * may be back already. Pure. */
#ifndef SANDFLEET_WORKER_RUN_INDEX_H
#define SANDFLEET_WORKER_RUN_INDEX_H

#include <stdbool.h>
#include <stddef.h>

struct run;

struct run_entry {
    const char *id; /* borrowed; NULL: a free place */
    struct run *run;
    bool marked; /* the caller's; false at first */
};

struct run_index { /* zeroed at first */
    struct run_entry *all;
    size_t n, cap;
};

bool run_index_add(struct run_index *x, const char *id, struct run *r); /* false: no memory */
void run_index_remove(struct run_index *x, const char *id, const struct run *r);
/* The first entry of that id, or the next one after `after`; NULL: there is none. Entries stay
 * where they are until something is added or removed. */
struct run_entry *run_index_find(const struct run_index *x, const char *id,
                                 const struct run_entry *after);
void run_index_unmark(struct run_index *x); /* all */
void run_index_release(struct run_index *x);

#endif
