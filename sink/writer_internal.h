/* SPDX-License-Identifier: Apache-2.0 */
/* What writer.c (the engine) and writer_steps.c (the transaction) share. */
#ifndef SANDFLEET_SINK_WRITER_INTERNAL_H
#define SANDFLEET_SINK_WRITER_INTERNAL_H

#include "sink/writer.h"
#include "sink/writer_slice.h"

enum { DAYS_KNOWN = 32 /* days whose partition was asked for, the newest of them */ };

struct writer {
    struct pg *pg;
    struct writer_events ev;
    void *ctx;
    struct batch *batch; /* NULL: at rest */
    size_t at, n;        /* the slice under way: items at … at + n - 1 */
    struct slice slice;
    size_t step;
    bool failed, moved; /* an abort is under way; because of the positions */
    bool forgets;       /* what the batch under way leaves behind is not to be remembered */
    struct err why;
    int64_t days[DAYS_KNOWN];
    size_t n_days;
    struct writer_counts counts;
};

/* One step: either `copy` (index + 1 into slice.copies: that COPY, or with `merge` the
 * statement behind it, when it has rows), or `send`, when `wanted`. `data`: a refusal
 * is the data's fault. */
struct step {
    const char *name;
    bool (*wanted)(const struct writer *w);
    enum err_code (*send)(struct writer *w, struct err *err);
    enum err_code (*done)(struct writer *w, const PGresult *res, struct err *err);
    int copy;
    const char *sql;
    bool merge, data;
};

extern const struct step writer_steps[]; /* in this order; the last is COMMIT */
extern const size_t writer_steps_n;

void writer_on_result(void *ctx, PGresult *res, const struct err *e);

#endif
