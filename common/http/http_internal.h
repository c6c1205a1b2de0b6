/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by http.c (the pool, the life of a request), http_call.c (what a request says to
 * curl, and what curl's end means), http_flow.c (bodies piece by
 * piece, and addresses that are looked at) and http_socket.c (curl's sockets in the loop). */
#ifndef SANDFLEET_COMMON_HTTP_HTTP_INTERNAL_H
#define SANDFLEET_COMMON_HTTP_HTTP_INTERNAL_H

#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include <curl/curl.h>

#include "common/http/http.h"

enum {
    HTTP_CONNECT_MS = 10000,
    HTTP_MAX_BODY = 1 << 20,
    HTTP_MAX_HEADERS = 256 << 10, /* bytes of one answer's headers, 1xx ones included */
    HTTP_MULTIPLEXED = 100,
    HTTP_EAGER_PIECES = 16, /* a stream's first reads do not wait: it may be a short one */
    HTTP_DRAIN_BATCH = 64,
    HTTP_TURN_MAX_BYTES = 4 << 20, /* of drained streams; then others have a turn */
    HTTP_IDLE_CONNECTIONS = 64     /* kept open for the next request, above those in use */
};

enum req_state {
    REQ_WAITING, /* in h->waiting: not yet in curl */
    REQ_RUNNING, /* in h->running: in curl */
    REQ_DROPPED, /* in h->dropped: cancelled while curl was on the stack */
    REQ_DONE     /* in no list: its end is being told */
};

TAILQ_HEAD(http_reqs, http_req);

struct http_req {
    TAILQ_ENTRY(http_req) link;
    struct http *h;
    enum req_state state;
    CURL *easy;
    struct curl_slist *headers;
    struct timer *silence; /* NULL: no silence deadline */
    int64_t silence_ms, last_byte_ms;
    bool doubted;               /* that long no byte was seen: it is looked at once more */
    bool drains;                /* once its body is long, its socket goes to the drain set */
    int pieces;                 /* of a body that drains, up to HTTP_EAGER_PIECES */
    struct http_socket *socket; /* of one that drains; NULL: none at the moment */
    struct http_events ev;
    void *ctx;
    struct http_conn *conn; /* NULL: a call */
    struct buf body;
    size_t header_bytes;
    int status;   /* from its body's first byte on */
    bool held;    /* http_hold() */
    bool starved; /* more() said HTTP_LATER */
    bool wakes;   /* curl is to be told that it goes on */
    bool refused; /* an address was not allowed */
    bool (*allowed)(void *ctx, const struct sockaddr *to);
    enum err_code failure; /* ours, seen inside a callback of curl; ERR_OK: none */
    char *name;            /* "POST http://host/path": for messages, without the query */
    char detail[CURL_ERROR_SIZE];
};

LIST_HEAD(http_socket_list, http_socket);

/* The drain set is an epoll descriptor of its own, which the loop watches as one: it wakes us
 * once, then nobody looks for drain_ms, then all that came meanwhile is read. */
struct http_sockets {
    struct http_socket_list live;
    struct http_socket_list dead; /* closed, but maybe named in `ready` */
    int64_t drain_ms;             /* 0: no drain set, nothing below is used */
    int epoll;
    struct watch *watch;
    struct timer *due;
    struct epoll_event ready[HTTP_DRAIN_BATCH]; /* … [at..n) are still to be read */
    int at, n;
    size_t bytes; /* of bodies in this turn */
};

struct http {
    struct loop *loop;
    char *ca_file, *proxy; /* as in http_opts */
    enum http_version version;
    CURLM *multi;
    struct timer *timer; /* curl's own */
    struct timer *kick;  /* to act on h->waiting */
    struct http_reqs waiting, running, dropped;
    long n_reqs;
    struct http_sockets sockets;
    bool wakes;   /* one of `running` does */
    bool in_curl; /* curl is on the stack: its handles must not be touched */
    int busy;     /* calls of ours on the stack that go on using h */
    bool freed;   /* http_free() came from a callback */
};

/* --- http_conn.c --- */
void http_conn_opened(struct http_conn *c); /* its request is in curl until it is closed */

/* --- http.c --- */
void http_enter(struct http *h); /* around what may come to free h, … */
void http_leave(struct http *h); /* … which happens here */
void http_turn(struct http *h, curl_socket_t fd, int events);

/* --- http_flow.c --- */
bool http_flow_setup(struct http_req *r, const struct http_call *call);
void http_flow_wake(struct http *h); /* tells curl of those that go on; it is not on the stack */

/* --- http_socket.c --- */
bool http_sockets_init(struct http *h, int64_t drain_ms);
void http_sockets_release(struct http_sockets *s);
void http_socket_count(struct http_req *r, size_t n); /* n bytes of its body came */
void http_socket_forget(struct http_req *r);

/* --- http_call.c --- */
enum err_code http_call_check(const struct http_call *call, char **name, struct err *err) MUST_USE;
enum err_code http_call_setup(struct http_req *r, const struct http_call *call,
                              struct err *err) MUST_USE;
void http_read_answer(const struct http_req *r, struct http_answer *out);
/* What the end of a transfer means; ERR_OK when an answer came. */
enum err_code http_judge(const struct http_req *r, CURLcode code, struct err *err);

#endif
