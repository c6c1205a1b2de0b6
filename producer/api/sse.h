/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events, as WHATWG HTML has them: bytes in pieces of any size in, messages out. Pure.
 */
#ifndef SANDFLEET_PRODUCER_API_SSE_H
#define SANDFLEET_PRODUCER_API_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

enum { SSE_NAME = 64 };

struct sse_message {   /* borrowed until the next call */
    const char *event; /* "message" unless it says so */
    const char *id;    /* the last one that was told, "" for none */
    struct str data;
};

struct sse {
    struct buf line, data;
    char event[SSE_NAME], id[SSE_NAME];
    int64_t retry_ms; /* the wait that the server asks for before a reconnect; -1: none */
    bool begun, cr, has_data, delivered;
};

enum sse_step {
    SSE_MORE,    /* the piece is used up */
    SSE_MESSAGE, /* there is one; call again with what is left of the piece */
    SSE_FULL     /* a line or a message is over its ceiling, or memory is out: give up */
};

void sse_init(struct sse *s, size_t max_bytes); /* of one message */
void sse_release(struct sse *s);
/* A new connection: what was half there is gone, the id stays. */
void sse_restart(struct sse *s);
enum sse_step sse_next(struct sse *s, struct str *piece, struct sse_message *out);

#endif
