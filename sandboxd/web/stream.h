/* SPDX-License-Identifier: Apache-2.0 */
/* An answer that goes on: what is appended is sent at once, in order, as fast as
 * the client reads, with a bound on what waits for it. */
#ifndef SANDFLEET_SANDBOXD_WEB_STREAM_H
#define SANDFLEET_SANDBOXD_WEB_STREAM_H

#include <stdbool.h>

#include "sandboxd/web/web.h"

enum { STREAM_BOUND = 256 << 10 }; /* bytes that may wait for a slow reader */

struct stream;

struct stream_events {
    void (*drained)(void *ctx); /* below the bound again */
    void (*closed)(void *ctx);  /* last call: sent to the end, cut, or the client went away */
};

/* Answers r with status 200 and an open end of Connect frames, each compressed if the client
 * wants that. NULL: no memory, r was answered 500. */
struct stream *stream_open(struct request *r, const char *type, const struct stream_events *ev,
                           void *ctx);
struct buf *stream_buf(struct stream *s); /* append here, then stream_flush() */
void stream_flush(struct stream *s);
bool stream_full(const struct stream *s); /* at the bound: append no more output */
void stream_end(struct stream *s);        /* what waits is sent, then the answer ends */
void stream_cut(struct stream *s);        /* the connection is closed without an end */

#endif
