/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a batch that one transaction takes: its partitions' ranges, its runs,
 * and, once the runs are known, its rows. Pure but for reading results and the log. */
#ifndef SANDFLEET_SINK_WRITER_SLICE_H
#define SANDFLEET_SINK_WRITER_SLICE_H

#include <libpq-fe.h>

#include "sink/batch.h"
#include "sink/projection.h"
#include "sink/writer.h"

struct span {
    enum topic topic;
    int32_t id;
    int64_t from, next; /* from KAFKA_EARLIEST: the table may have no row yet */
    int64_t first;      /* offset of its first record */
};

enum slice_copy { COPY_EVENTS, COPY_RUNS, COPY_ATTEMPTS, COPY_GAPS, COPY_QUARANTINE, COPIES };

struct slice {
    struct batch *batch;
    size_t at, n; /* items at … at + n - 1 */
    struct span *spans;
    size_t n_spans, cap_spans;
    struct projection rows;
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
/* The rows that sql_read_runs gave. */
enum err_code slice_load(struct slice *s, const PGresult *res, struct err *err) MUST_USE;
/* Judges and folds every record in log order, and writes the rows out. */
enum err_code slice_fold(struct slice *s, struct err *err) MUST_USE;

/* Array literals for the statements. */
enum span_field { SPAN_TOPIC, SPAN_PARTITION, SPAN_FROM, SPAN_NEXT };
void slice_spans(const struct slice *s, enum span_field f, bool only_new, struct buf *out);
void slice_run_ids(const struct slice *s, struct buf *out);
/* Each element a payload of ids that changed; "{}" when none did. */
void slice_payloads(const struct slice *s, struct buf *out);
bool slice_has_new(const struct slice *s); /* a span whose row may not be there */

/* Do the locked rows say that this slice comes next? */
bool slice_comes_next(const struct slice *s, const PGresult *locked);

#endif
