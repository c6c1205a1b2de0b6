/* SPDX-License-Identifier: Apache-2.0 */
/* What the database has to be told behind an answer: rows, as JSON objects. One statement at a time
 * tells all that wait, an array in $1; what comes meanwhile goes with the next. What is to be done
 * when that failed is its owner's: telling_again() or telling_end(). Single-threaded. */
#ifndef SANDFLEET_API_TELLING_H
#define SANDFLEET_API_TELLING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "common/backoff.h"
#include "common/buf.h"
#include "common/err.h"

struct api;
struct timer;
struct telling;

struct told_row {
    TAILQ_ENTRY(told_row) link;
    void (*fn)(void *ctx, bool told); /* NULL: nobody waits, or was called */
    void *ctx;
    size_t n;
    char json[]; /* and a NUL */
};
TAILQ_HEAD(told_rows, told_row);

struct telling_kind {
    const char *before, *sql; /* as in struct pg_cmd */
    size_t row_max;           /* bytes */
    size_t at_once, at_once_bytes, waiting_bytes;
    /* The statement ended so, or could not be sent; empties t->flying. */
    void (*landed)(struct telling *t, const struct err *e);
    void (*dropped)(const struct told_row *row); /* by telling_free(); may be NULL */
};

struct telling {
    const struct telling_kind *kind;
    struct api *api;
    struct timer *timer;
    struct told_rows waiting, flying;
    size_t n_flying;
    size_t bytes;  /* of all of them */
    size_t single; /* so many go one by one: the database refused one of them */
    struct backoff backoff;
};

struct telling *telling_new(struct api *a, const struct telling_kind *kind); /* NULL: no memory */
/* Copies the row. False: too much waits already, or no memory; fn is not called. */
bool telling_add(struct telling *t, struct str row, void (*fn)(void *ctx, bool told), void *ctx);
/* For landed(): the first of those that flew is over, and its fn hears so. */
void telling_end(struct telling *t, bool told);
/* For landed(): those that flew wait again, before all others, and no longer than so. */
void telling_again(struct telling *t, int64_t in_ms);
bool telling_idle(const struct telling *t);
void telling_free(struct telling *t); /* NULL is fine; no fn is called */

#endif
