/* SPDX-License-Identifier: Apache-2.0 */
/* What a process counts, for Prometheus: counters, gauges and histograms, declared in one
 * table. Every label has a closed set of values, so that the cells are all there from the
 * start: counting allocates nothing and can never grow. Single-threaded. */
#ifndef SANDFLEET_COMMON_METRICS_H
#define SANDFLEET_COMMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

enum { METRIC_LABELS = 2, METRIC_BOUNDS_MAX = 24 };

enum metric_kind {
    METRIC_COUNTER,  /* only grows; there as 0 from the start */
    METRIC_GAUGE,    /* written once it was set */
    METRIC_HISTOGRAM /* of what was observed, in buckets up to its bounds */
};

struct metric_label {
    const char *name;                   /* NULL: there is none */
    const char *(*value)(size_t index); /* of 0..n-1; borrowed, the same for ever */
    size_t n;
};

struct metric {
    const char *name; /* a counter's ends with _total; a unit is in it: _seconds, _bytes */
    const char *help; /* one sentence */
    enum metric_kind kind;
    struct metric_label label[METRIC_LABELS];
    const double *bounds; /* of a histogram, rising */
    size_t n_bounds;
};

struct metrics; /* opaque */

/* The table is borrowed for the life of the metrics; its index names a metric from here on.
 * NULL: no memory. */
struct metrics *metrics_new(const struct metric *table, size_t n);
void metrics_free(struct metrics *m); /* NULL is fine */

/* The cell of a metric whose labels have the values with these indices; 0 where it has none.
 * m NULL: nobody counts, and nothing happens. */
void metrics_add(struct metrics *m, size_t metric, size_t first, size_t second, double by);
void metrics_set(struct metrics *m, size_t metric, size_t first, size_t second, double to);
void metrics_observe(struct metrics *m, size_t metric, size_t first, size_t second, double value);
/* A gauge's cells are no longer known, and not written until they are set again. */
void metrics_forget(struct metrics *m, size_t metric);
double metrics_value(const struct metrics *m, size_t metric, size_t first, size_t second);

/* Appends all of it in Prometheus' text format, 0.0.4, and then what every process tells of itself:
 * version, log lines lost, CPU, memory, files, begin (that of metrics_new). */
void metrics_write(const struct metrics *m, struct buf *out);
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
