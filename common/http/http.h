/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP out: libcurl's multi interface in the loop. Answers and streams have
 * ceilings and deadlines; redirects are not followed; TLS is verified.
 *
 * Proxies come from the environment, as libcurl reads it: https_proxy or HTTPS_PROXY,
 * http_proxy (small letters only), all_proxy or ALL_PROXY, and no_proxy or NO_PROXY for
 * the hosts that are reached without one ("*": all).
 *
 * Calls share HTTP/2 connections where the server offers it. A stream has a connection of
 * its own, HTTP/1.1: it never waits for one of the 100 streams such a connection may carry,
 * nor for other streams' bytes, and a cut ends one stream, not a hundred.
 * Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_COMMON_HTTP_HTTP_H
#define SANDFLEET_COMMON_HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/loop.h"

struct sockaddr;
struct http;     /* opaque: the connection pool of a process */
struct http_req; /* opaque: one request under way */

enum http_version { HTTP_VERSION_AUTO, HTTP_VERSION_1_1, HTTP_VERSION_2 };

struct http_opts {    /* borrowed until return; 0 and NULL: the default */
    int64_t drain_ms; /* how long bytes of long streams wait for more, when many streams have some:
                       * on average, and at most twice that; a fifth of it when few have. 0: they
                       * do not */
    int64_t max_multiplexed;   /* requests under way in one HTTP/2 connection; 0: 100 */
    const char *ca_file;       /* PEM: trusted instead of the system's authorities */
    const char *proxy;         /* NULL: by the environment; "": none */
    enum http_version version; /* AUTO: as said above. Others: of calls and streams alike */
};

struct http_answer { /* borrowed for the call */
    int status;
    struct str body;            /* empty when it was streamed */
    const char *content_type;   /* NULL: none */
    int64_t retry_after_ms;     /* 0: none or unreadable */
    int64_t content_range_size; /* the SIZE of "Content-Range: bytes … /SIZE"; -1: none */
    int should_retry;           /* of "Should-Retry"; -1: not told, 0: false, 1: true */
    const struct http_req *req; /* for http_answer_header(); NULL: it has no headers */
};

/* A header by its name in any case, the last one of several. Borrowed as the answer is;
 * NULL: there is none. */
const char *http_answer_header(const struct http_answer *a, const char *name);

struct http_events { /* called from the loop */
    /* A piece of the body of a 2xx answer. NULL: it is collected for done. */
    void (*data)(void *ctx, struct str piece);
    /* Exactly once, unless cancelled. e->code ERR_OK: an HTTP answer came, of
     * whatever status; else a->status is what was seen before the failure, or 0.
     * The request is gone when this returns. */
    void (*done)(void *ctx, const struct http_answer *a, const struct err *e);
    /* More of a body that is sent piece by piece (http_call.pulls): at most `room` bytes to p, and
     * how many; HTTP_LATER: http_go_on() says when; HTTP_STOP: the request fails, ERR_CANCELLED. */
    ssize_t (*more)(void *ctx, char *p, size_t room);
};
enum { HTTP_LATER = -1, HTTP_STOP = -2 };

struct http_call { /* all borrowed until http_start returns */
    const char *method, *url;
    const char *const *headers; /* "Name: value" */
    size_t n_headers;
    struct str body;    /* copied; p NULL: none */
    int64_t connect_ms; /* 0: 10 s */
    int64_t total_ms;   /* 0: no limit, for streams */
    int64_t silence_ms; /* fails with ERR_TIMEOUT when no byte came for so long; 0: never */
    size_t max_body;    /* of a collected answer; 0: 1 MiB. More is ERR_TOO_BIG */
    bool stream;        /* its answer is long: see above, and http_opts.drain_ms */
    bool gzip;          /* asks for gzip; what arrives is unpacked, and ceilings mean that */
    bool once;          /* must not be done twice: never sent again when a kept connection dies */
    bool bulk;          /* many bytes, one way or the other: a connection of its own, HTTP/1.1 */
    bool pulls;         /* its body comes from ev->more; bulk and once, too */
    int64_t pull_bytes; /* of that body; -1: not known before its end, which more() tells by 0 */
    /* Asked for each address before it is tried (NULL: all are good), and then no proxy is used.
     * None is: ERR_INVALID. Keep a pool for such calls: a kept connection is not asked about. */
    bool (*allowed)(void *ctx, const struct sockaddr *to);
    /* AWS Signature Version 4, headers only; NULL: none */
    const char *aws_sigv4;   /* "aws:amz:<region>:s3" */
    const char *aws_account; /* "<access key>:<secret key>" */
};

/* opts NULL: all defaults. ERR_CONFIG: ca_file cannot be read. */
enum err_code http_new(struct loop *l, const struct http_opts *opts, struct http **out,
                       struct err *err) MUST_USE;
void http_free(struct http *h); /* cancels what is under way */

/* ERR_OK: ev->done will be called, never from inside this call. */
enum err_code http_start(struct http *h, const struct http_call *call, const struct http_events *ev,
                         void *ctx, struct http_req **out, struct err *err) MUST_USE;
int http_status(const struct http_req *r); /* inside data(): of the answer */
void http_cancel(struct http_req *r);      /* NULL is fine; done is not called */
/* Back-pressure: held, it gives no data and its silence is nobody's fault. */
void http_hold(struct http_req *r, bool held);
void http_go_on(struct http_req *r); /* more() has something now */

/* Where `location`, as a header says it, leads to from `base`; out is appended to. ERR_INVALID. */
enum err_code http_resolve(const char *base, const char *location, struct buf *out,
                           struct err *err) MUST_USE;

/* --- connections of one's own ---------------------------------------------------
 * TCP ("http://host:port") or TLS, verified ("https://host:port"); what is said there is the
 * caller's. Keep a pool for nothing else: libcurl takes an open one for idle, and may close it
 * to make room for a call's. Close them before http_free(). */
struct http_conn; /* opaque */

struct http_conn_events { /* called from the loop; each may close the connection */
    void (*opened)(void *ctx);
    void (*failed)(void *ctx, const struct err *e); /* last call; the connection is gone */
    void (*ready)(void *ctx, int events);           /* as http_conn_watch() asked for */
};
struct http_conn_call { /* borrowed until return */
    const char *url;
    int64_t connect_ms; /* name, TCP and TLS together; 0: 10 s */
    /* Asked for each address before it is tried; NULL: all are good. None is: ERR_INVALID. */
    bool (*allowed)(void *ctx, const struct sockaddr *to);
};
/* ERR_OK: opened or failed will be called, never from inside this call. */
enum err_code http_connect(struct http *h, const struct http_conn_call *call,
                           const struct http_conn_events *ev, void *ctx, struct http_conn **out,
                           struct err *err) MUST_USE;
void http_conn_watch(struct http_conn *c, int events); /* WATCH_READ | WATCH_WRITE; 0: none */
/* As send(2) and recv(2) on a non-blocking socket. Read until EAGAIN before waiting. */
ssize_t http_conn_send(struct http_conn *c, const void *p, size_t n);
ssize_t http_conn_recv(struct http_conn *c, void *p, size_t n);
void http_conn_shut(struct http_conn *c);  /* no more is sent; with TLS it does nothing */
void http_conn_close(struct http_conn *c); /* no call after it; NULL is fine */

void http_escape(struct buf *out, struct str s); /* percent-encoding of a query value */

#endif
