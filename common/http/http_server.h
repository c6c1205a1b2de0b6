/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP in: libmicrohttpd in the loop. Takes a request's body under a ceiling, whole or in pieces,
 * and sends what the application answers, at once or later, whole or as a stream that goes on.
 * Everything is bounded: headers, bodies, connections, how long a client may dawdle, and what
 * waits for one that does not read. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_COMMON_HTTP_HTTP_SERVER_H
#define SANDFLEET_COMMON_HTTP_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/loop.h"

struct http_server; /* opaque */
struct http_stream; /* opaque */
struct http_tls;

struct http_request {          /* from its headers to the last byte of its answer; the server's */
    void *app;                 /* http_server_opts.app */
    const char *method, *path; /* the path as it came, not decoded, without the query */
    struct buf body;           /* collected; complete when whole() runs */

    /* The application's own, set from begin() on: */
    void *state;
    size_t body_max; /* bytes of a body that are taken; 0, as it comes: none is */
    void (*piece)(struct http_request *r, struct str piece); /* takes the body; NULL: collected */
    void (*gone)(struct http_request *r);                    /* its last call; may be NULL */
};

struct http_server_opts {
    int listen_fd;              /* taken, on failure, too */
    const struct http_tls *tls; /* NULL: plain HTTP. Read by http_server_new(), then yours again */
    void *app;
    /* The headers are there, the body is not: says what becomes of it, or answers. */
    void (*begin)(struct http_request *r);
    /* The request is whole: answer it, now or later. Not called for what begin() answered. */
    void (*whole)(struct http_request *r);
    /* The server itself refuses: 400, 413, 500, 503. Answer so, in the application's form. */
    void (*refuse)(struct http_request *r, int status, const char *why);
    size_t connections; /* at once, others wait to be accepted */
    size_t headers_max; /* bytes of a request's line and headers, and of what an answer keeps */
    int64_t idle_ms;    /* a connection without a byte, in whole seconds */
    int64_t life_ms;    /* from a request's first byte to its answer's last, and between two */
    /* A body that is not there by then is answered an empty 408; by TLS it is cut. */
};

enum err_code http_server_new(struct loop *l, const struct http_server_opts *opts,
                              struct http_server **out, struct err *err) MUST_USE;
/* No more are accepted; each connection closes behind its answer. */
void http_server_quiesce(struct http_server *s);
size_t http_server_connections(const struct http_server *s);
void http_server_free(struct http_server *s); /* NULL is fine; cuts what is not answered */

/* --- what was asked ----------------------------------------------------------- */

const char *http_request_header(const struct http_request *r, const char *name); /* NULL: none */
/* Appends what all lines of that name say: one list (RFC 9110, 5.3). Nothing: there is none. */
void http_request_header_list(const struct http_request *r, const char *name, struct buf *out);
/* The first value of that name, decoded once; p NULL: none. */
struct str http_request_query(const struct http_request *r, const char *name);
/* fn for each of the query's pairs, until it returns false. */
void http_request_query_each(const struct http_request *r,
                             bool (*fn)(void *ctx, struct str name, struct str value), void *ctx);
/* Why its headers could be read in two ways, as no honest client writes them: a begin() that is
 * told so refuses it, and its connection closes. NULL: they are in order. */
const char *http_request_odd(const struct http_request *r);
size_t http_request_headers_bytes(
    const struct http_request *r); /* names and values, without the line */

/* For a piece(): no more of the body comes, nor its end, until http_request_go_on() or an answer.
 */
void http_request_hold(struct http_request *r);
void http_request_go_on(struct http_request *r); /* not held: nothing */
/* Its connection's life_ms does not end it any more: it waits for something, or uploads much. */
void http_request_lasts(struct http_request *r);

/* --- the answer, once --------------------------------------------------------- */

/* A header of the answer that is yet to come. */
void http_reply_header(struct http_request *r, const char *name, const char *value);
bool http_answered(const struct http_request *r);
int http_answer_status(const struct http_request *r); /* 0: there is none */
bool http_answer_streams(const struct http_request *r);
/* `body` is taken and left empty; type NULL: none. No memory, or a broken buf: an empty 500. */
void http_answer(struct http_request *r, int status, const char *type, struct buf *body);

struct http_stream_events {     /* each may be NULL */
    void (*drained)(void *ctx); /* more than `low` waited, and does no longer */
    void (*closed)(void *ctx);  /* last call: sent to the end, cut, or the client went away */
};

/* An answer that goes on: what is appended is sent in order, as fast as the client reads.
 * bound: bytes that may wait for it. NULL: no memory, r was answered 500. Nothing below calls an
 * event from inside. */
struct http_stream *http_stream_open(struct http_request *r, int status, const char *type,
                                     size_t bound, const struct http_stream_events *ev, void *ctx);
/* The same on a connection that is this stream's alone, and closes behind it: one that mostly waits
 * holds a kilobyte so, instead of fifty, and costs the others nothing. It is no longer one of
 * http_server_opts.connections: whoever opens it keeps count. r is gone soon behind this. An answer
 * from inside whole(), or by TLS, gets an ordinary stream. */
struct http_stream *http_stream_open_alone(struct http_request *r, int status, const char *type,
                                           size_t bound, const struct http_stream_events *ev,
                                           void *ctx);
void http_stream_low(struct http_stream *s, size_t low); /* bytes; else half of bound */
struct buf *http_stream_buf(struct http_stream *s); /* append here, then flush; its max is bound */
void http_stream_flush(struct http_stream *s);
size_t http_stream_waiting(const struct http_stream *s); /* bytes that the client has not taken */
uint64_t http_stream_taken(const struct http_stream *s); /* that it has taken, in all */
void http_stream_end(struct http_stream *s); /* what waits is sent, then the answer ends */
void http_stream_cut(struct http_stream *s); /* the connection is closed without an end */

#endif
