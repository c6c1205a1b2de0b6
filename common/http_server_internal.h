/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDFLEET_COMMON_HTTP_SERVER_INTERNAL_H
#define SANDFLEET_COMMON_HTTP_SERVER_INTERNAL_H

#include <sys/queue.h>

#include "common/http_daemon.h"
#include "common/http_server.h"

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
    size_t n_guests;
    bool quiet, closing;
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
};

/* The request goes on, if it waits. */
void exchange_resume(struct exchange *x);
/* The answer, once; response is taken; NULL: out of memory. */
void exchange_respond(struct exchange *x, int status, struct MHD_Response *response);

#endif
