/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by http.c (the pool, the life of a request) and http_call.c (what a
 * request says to curl, and what curl's end means). */
#ifndef SANDFLEET_COMMON_HTTP_INTERNAL_H
#define SANDFLEET_COMMON_HTTP_INTERNAL_H

#include <stdbool.h>
#include <sys/queue.h>

#include <curl/curl.h>

#include "common/http.h"

enum {
    HTTP_CONNECT_MS = 10000,
    HTTP_MAX_BODY = 1 << 20,
    HTTP_MAX_HEADERS = 256 << 10, /* bytes of one answer's headers, 1xx ones included */
    HTTP_MULTIPLEXED = 100,
    HTTP_IDLE_CONNECTIONS = 64 /* kept open for the next request, above those in use */
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
    struct http_events ev;
    void *ctx;
    struct http_conn *conn; /* NULL: a call */
    struct buf body;
    size_t header_bytes;
    enum err_code failure; /* ours, seen inside a callback of curl; ERR_OK: none */
    char *name;            /* "POST http://host/path": for messages, without the query */
    char detail[CURL_ERROR_SIZE];
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
    LIST_HEAD(, http_socket) sockets;
    bool in_curl; /* curl is on the stack: its handles must not be touched */
    int busy;     /* calls of ours on the stack that go on using h */
    bool freed;   /* http_free() came from a callback */
};

/* --- http_conn.c --- */
void http_conn_opened(struct http_conn *c); /* its request is in curl until it is closed */

/* --- http_call.c --- */
enum err_code http_call_check(const struct http_call *call, char **name, struct err *err) MUST_USE;
enum err_code http_call_setup(struct http_req *r, const struct http_call *call,
                              struct err *err) MUST_USE;
void http_read_answer(const struct http_req *r, struct http_answer *out);
/* What the end of a transfer means; ERR_OK when an answer came. */
enum err_code http_judge(const struct http_req *r, CURLcode code, struct err *err);

#endif
