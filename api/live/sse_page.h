/* SPDX-License-Identifier: Apache-2.0 */
/* Events of one run, written once as messages for all its readers. Pure. */
#ifndef SANDFLEET_API_LIVE_SSE_PAGE_H
#define SANDFLEET_API_LIVE_SSE_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "common/buf.h"

enum {
    SSE_PAGE_EVENTS = 256,
    SSE_PAGE_MAX = 32 << 20 /* bytes; what is read is far below: each reader says how much */
};

struct sse_page {
    int64_t from;                /* all events of the run above this one, without a hole */
    int64_t to;                  /* up to this one */
    int64_t last;                /* the run's newest when it was read */
    bool ended;                  /* nothing follows that one */
    const char *state, *outcome; /* borrowed; outcome NULL: none */
    struct buf text;
    size_t n;
    struct sse_page_event {
        int64_t sequence;
        size_t end;       /* of its message in text */
        const char *type; /* borrowed from the result */
    } events[SSE_PAGE_EVENTS];
};

void sse_page_begin(struct sse_page *p, int64_t from);
/* The row's event, whose columns (EVENT_TEXT) begin at `at`. False: it was not read, or there is
 * no room for it: it is of a later page, as all behind it. */
bool sse_page_add(struct sse_page *p, const PGresult *res, int row, int at);
/* The messages of the i-th event up to before the j-th. */
struct str sse_page_slice(const struct sse_page *p, size_t i, size_t j);
/* The first event above a sequence; n: none. */
size_t sse_page_above(const struct sse_page *p, int64_t sequence);
void sse_page_release(struct sse_page *p);

#endif
