/* SPDX-License-Identifier: Apache-2.0 */
/* An answer of any length: NDJSON from a query that is asked page by page, each when the client has
 * taken most of the one before. So it costs a page of memory, however long it is. */
#ifndef SANDFLEET_API_READS_PAGES_H
#define SANDFLEET_API_READS_PAGES_H

#include "api/call.h"

enum {
    PAGES_ROWS = 500,           /* of a page at most */
    PAGES_BYTES = 256 << 10,    /* about so many of a page: it ends with the row that is over it */
    PAGES_WAITING_MAX = 8 << 20 /* that wait for the client: a page, and its longest row */
};
#define PAGES_ROWS_SQL  "500"
#define PAGES_BYTES_SQL "262144"

struct pages {
    /* The next page's statement; what it points to is c->state's. */
    void (*ask)(struct call *c, struct pg_cmd *cmd);
    /* Appends the page's lines and moves behind them; false: that was the last one. */
    bool (*take)(struct call *c, const PGresult *res, struct buf *out);
};

/* Answers 200 and goes on until take() says that there is no more. `pages` must outlive c. */
void pages_start(struct call *c, const struct pages *pages);
/* A line; a newline between its tokens becomes a space. */
void pages_line(struct buf *out, const char *json);

#endif
