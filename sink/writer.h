/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one batch: positions locked and compared, runs read, events judged, rows
 * copied and merged, positions moved, readers notified, all in one transaction.
 * A batch the database refuses is cut in halves down to the record at fault,
 * which goes to fleet.quarantine; each half is a transaction of its own.
 * Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_SINK_WRITER_H
#define SANDFLEET_SINK_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/pg/pg.h"
#include "sink/batch.h"

struct writer;

enum writer_end {
    WRITER_DONE,  /* all of it is committed */
    WRITER_MOVED, /* the database stands elsewhere: read the positions again and seek */
    WRITER_LOST,  /* the database cannot be asked; whether it committed is unknown */
    WRITER_FATAL  /* e says why the process has to end */
};

struct writer_counts { /* since the start */
    int64_t batches, rows, events, requests, repeats, superseded, gaps, quarantined, halvings;
};

struct writer_events { /* called from the loop */
    /* A transaction committed up to `next` of this partition. */
    void (*committed)(void *ctx, enum topic topic, int32_t partition, int64_t next);
    void (*ended)(void *ctx, enum writer_end how, const struct err *e); /* last of a batch */
};

enum err_code writer_new(struct pg *pg, const struct writer_events *ev, void *ctx,
                         struct writer **out, struct err *err) MUST_USE;
void writer_free(struct writer *w); /* NULL is fine; a batch under way is forgotten */

/* Begins with a batch that is not empty, borrowed until ended(), which is never called
 * from inside this call unless it fails at once. */
void writer_start(struct writer *w, struct batch *b);
/* The partitions are no longer ours, or the positions were read anew: what is remembered of
 * runs may be wrong, also what the batch under way says. */
void writer_forget(struct writer *w);
bool writer_busy(const struct writer *w);
const struct writer_counts *writer_counts(const struct writer *w);

#endif
