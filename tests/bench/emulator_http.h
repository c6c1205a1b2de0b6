/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 for the emulator: many connections in one epoll, answers at once or as a stream of
 * chunks. Only what our own client asks for: it is no server for anybody else. */
#ifndef SANDFLEET_BENCH_EMULATOR_HTTP_H
#define SANDFLEET_BENCH_EMULATOR_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

struct conn {
    int fd;
    struct buf in, out; /* read and not yet served; not yet taken by the kernel */
    bool writing, dead;
    void *stream; /* the emulator's own; NULL: none */
    struct conn *next;
};

struct request { /* borrowed for the call */
    struct str method, path, body;
    struct str sandbox; /* of E2b-Sandbox-Id; n 0: the control plane is asked */
    int64_t from;       /* of "Range: bytes=FROM-"; -1: none */
};

/* Answers, or begins a stream. */
typedef void (*serve_fn)(struct conn *c, const struct request *r);
typedef void (*gone_fn)(struct conn *c); /* the client went */

/* Listens on a free loopback port, which it returns; exits when it cannot. */
int http_listen(void);
/* Serves until `stop`, and calls tick() each tick_ms. */
void http_serve(serve_fn serve, gone_fn gone, void (*tick)(void), int tick_ms,
                const volatile bool *stop);

void http_answer(struct conn *c, int status, const char *headers, struct str body);
void http_begin(struct conn *c); /* of a Connect stream: 200, chunked */
/* Frames of a stream, each a chunk: head and text as they were made by http_frame(). */
void http_send(struct conn *c, const void *p, size_t n);
void http_frame(struct buf *out, unsigned flags, const char *json);
void http_finish(struct conn *c); /* the last chunk */

#endif
