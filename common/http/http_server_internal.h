/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDFLEET_COMMON_HTTP_HTTP_SERVER_INTERNAL_H
#define SANDFLEET_COMMON_HTTP_HTTP_SERVER_INTERNAL_H

#include <sys/queue.h>

#include "common/http/http_daemon.h"
#include "common/http/http_server.h"

enum { SWEEP_MS = 1000 };

struct guest { /* a connection */
    LIST_ENTRY(guest) link;
    int fd;
    int64_t until_ms;          /* it is shut then, whatever it is doing */
    struct exchange *exchange; /* its request; NULL: none */
    char *target;              /* of its last request's line; NULL: out of memory */
};

struct http_server {
    struct http_server_opts opts;
    struct loop *loop;
    struct http_daemon *daemon;
    struct timer *sweep;
    LIST_HEAD(, guest) guests;
    LIST_HEAD(, exchange) exchanges;
    LIST_HEAD(, http_stream) alone; /* their connections are no guests any more */
    size_t n_guests, n_alone;
    bool quiet, closing, by_tls;
};

struct exchange { /* a request and what becomes of it; r is its first member */
    struct http_request r;
    struct http_server *server;
    LIST_ENTRY(exchange) link;
    struct MHD_Connection *conn;
    struct guest *guest;
    char *path, *method;
    struct buf headers; /* of the answer: name, NUL, value, NUL */
    struct MHD_Response *response;
    int status;
    struct http_stream *stream; /* the answer is one; NULL: not */
    size_t taken, dropped;      /* bytes of the body: in all, behind the answer */
    bool dispatched, suspended, held, close, over;
    bool http10; /* its client does not know chunks */
    bool left;   /* its connection is another's: http_alone.c */
};

struct http_stream {
    const struct http_stream_events *ev;
    void *ctx;
    struct buf out;
    size_t low;
    uint64_t taken;
    bool ended, cut, full;

    /* in libmicrohttpd's hands */
    struct exchange *x;
    struct MHD_Connection *conn;
    size_t sent; /* bytes at the start of out that went already */
    bool suspended;

    /* alone: http_alone.c */
    struct http_server *server; /* NULL: it is not */
    LIST_ENTRY(http_stream) link;
    int fd, watched;
    struct watch *watch;
    struct buf wire; /* framed, and not yet taken by the kernel */
    size_t wire_sent;
    size_t heard;          /* bytes that its client had no business to send */
    bool chunked, no_body; /* no_body: the answer to a HEAD */
    bool last_sent, shut;  /* its last chunk; its last byte */
    int64_t until_ms;      /* closed then, when it is shut */
};

/* --- http_alone.c --- */
size_t alone_waiting(const struct http_stream *s);
uint64_t alone_taken(const struct http_stream *s);
void alone_flush(struct http_stream *s);
void alone_sweep(struct http_server *server);
void alone_close_all(struct http_server *server);

/* The request goes on, if it waits. */
void exchange_resume(struct exchange *x);
/* The answer, once; response is taken; NULL: out of memory. */
void exchange_respond(struct exchange *x, int status, struct MHD_Response *response);

#endif
