/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a batch that one transaction takes: its partitions' ranges, its runs,
 * and, once the runs are known, its rows. Pure but for reading results and the log. */
#ifndef SANDFLEET_SINK_WRITER_SLICE_H
#define SANDFLEET_SINK_WRITER_SLICE_H

#include <libpq-fe.h>

#include "sink/batch.h"
#include "sink/memory.h"
#include "sink/projection.h"
#include "sink/writer.h"

struct span {
    enum topic topic;
    int32_t id;
    int64_t from, next; /* from KAFKA_EARLIEST: the table may have no row yet */
    int64_t first;      /* offset of its first record */
};

/* Rows that are few, kept until the events are on their way. */
enum slice_copy { COPY_GAPS, COPY_QUARANTINE, COPIES };

struct slice {
    struct batch *batch;
    size_t at, n; /* items at … at + n - 1 */
    struct span *spans;
    size_t n_spans, cap_spans;
    /* Items in the order in which they are folded: run by run, since the rows of a run then
     * lie together in the table and its index; a run's own items in log order. */
    uint32_t *order, *run_of; /* n each; run_of: index into rows.runs, or n_runs: none */
    size_t cap_order, folded; /* so many of them are done */
    bool has_events, ended;   /* the events' copy */
    bool closed;              /* the other copies are whole */
    struct projection rows;
    struct memory memory;
    struct {
        struct buf data; /* for pg_copy(), which takes it */
        size_t rows;
    } copies[COPIES];
    struct writer_counts counts;
};

void slice_init(struct slice *s);
void slice_release(struct slice *s);

/* Begins: ranges and run ids. ERR_NOMEM. */
enum err_code slice_begin(struct slice *s, struct batch *b, size_t at, size_t n,
                          struct err *err) MUST_USE;
/* The rows that sql_read_runs gave for slice_unknown_ids(). */
enum err_code slice_load(struct slice *s, const PGresult *res, struct err *err) MUST_USE;
/* Judges and folds the next records, and appends a piece of the events' copy: some of
 * it, then its end, then nothing. */
enum err_code slice_fold_some(struct slice *s, struct buf *out, struct err *err) MUST_USE;
/* Folds what is left where no event is among it, and ends the other copies. */
enum err_code slice_fold_rest(struct slice *s, struct err *err) MUST_USE;
/* It is committed: remembers its runs. */
void slice_keep(struct slice *s);

/* Array literals for the statements. */
enum span_field { SPAN_TOPIC, SPAN_PARTITION, SPAN_FROM, SPAN_NEXT };
void slice_spans(const struct slice *s, enum span_field f, bool only_new, struct buf *out);
bool slice_has_unknown(const struct slice *s);
void slice_unknown_ids(const struct slice *s, struct buf *out);
/* JSON arrays of the rows of fleet.runs and fleet.attempts that changed. */
void slice_runs(const struct slice *s, struct buf *out);
void slice_attempts(const struct slice *s, struct buf *out);
/* And of what the batch says for fleet.sandboxes and fleet.superseded. */
void slice_sandboxes(const struct slice *s, struct buf *out);
void slice_superseded(const struct slice *s, struct buf *out);
/* Each element a payload of ids that changed; "{}" when none did. */
void slice_payloads(const struct slice *s, struct buf *out);
bool slice_has_new(const struct slice *s); /* a span whose row may not be there */

#endif
