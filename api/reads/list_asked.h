/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a list: read from the query and checked, and the statement that answers it. */
#ifndef SANDFLEET_API_READS_LIST_ASKED_H
#define SANDFLEET_API_READS_LIST_ASKED_H

#include "api/reads/cursor.h"
#include "api/reads/list.h"

enum { LIST_FILTERS_MAX = 16, LIST_VALUE_MAX = 256 };

struct list_asked {
    const struct list *list;
    int64_t limit;
    int64_t looks; /* rows that are looked at for the page */
    bool ascending, goes_on, by_labels;
    struct cursor cursor;
    struct cursor_bound bound;
    const struct list_filter *filter[LIST_FILTERS_MAX]; /* those that were given */
    char value[LIST_FILTERS_MAX][LIST_VALUE_MAX]; /* as Postgres takes it; of labels and tags: */
    struct buf labels[LIST_FILTERS_MAX];
    size_t n_labels[LIST_FILTERS_MAX], n;
};

/* Into one that is zeroed. False: it is not as it must be, and was answered. */
bool list_asked_read(struct call *c, const struct list *list, struct list_asked *out);
void list_asked_release(struct list_asked *a); /* what it holds */

/* Appends the statement: rows of a time in microseconds, an id, and the row as JSON or NULL; one
 * more than is looked at. $1 is the tenant, then come the filters' values, then the cursor's time
 * and id. Pure. */
void list_asked_write_sql(const struct list_asked *a, struct buf *sql);

#endif
