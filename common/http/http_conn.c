/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that libcurl opens (name, addresses, TLS) and then leaves to us. Its request
 * stays in curl: curl_easy_send() and curl_easy_recv() find the connection through it. */
#include "common/http/http_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/banned.h"

struct http_conn {
    struct http_req *req;
    struct watch *watch; /* NULL until it is open */
    struct http_conn_events ev;
    void *ctx;
    bool (*allowed)(void *ctx, const struct sockaddr *to);
    bool refused; /* an address was not allowed */
    bool tls;
    curl_socket_t fd;
};

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct http_conn *c = ctx;

    (void)purpose;
    if (c->allowed && !c->allowed(c->ctx, &to->addr)) {
        c->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static void conn_free(struct http_conn *c)
{
    watch_free(c->watch);
    free(c);
}

static void conn_failed(struct http_conn *c, const struct err *e)
{
    struct http_conn_events ev = c->ev;
    struct err copy = *e;
    void *ctx = c->ctx;

    if (c->refused)
        (void)err_set(&copy, ERR_INVALID, "its address is not allowed");
    conn_free(c);
    ev.failed(ctx, &copy);
}

/* The end of the request is the end of the attempt to connect: an open one has none. */
static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct http_conn *c = ctx;

    (void)a;
    conn_failed(c, e);
}

static void on_ready(void *ctx, int events)
{
    struct http_conn *c = ctx;

    c->ev.ready(c->ctx, events);
}

void http_conn_opened(struct http_conn *c)
{
    struct err e = ERR_INIT;

    if (curl_easy_getinfo(c->req->easy, CURLINFO_ACTIVESOCKET, &c->fd) == CURLE_OK &&
        c->fd != CURL_SOCKET_BAD)
        c->watch = watch_new(c->req->h->loop, c->fd, on_ready, c);
    if (c->watch) {
        c->ev.opened(c->ctx);
        return;
    }
    http_cancel(c->req);
    err_set(&e, ERR_NOMEM, "open a connection");
    conn_failed(c, &e);
}

static void setup(struct http_conn *c, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, c);
}

enum err_code http_connect(struct http *h, const struct http_conn_call *call,
                           const struct http_conn_events *ev, void *ctx, struct http_conn **out,
                           struct err *err)
{
    static const struct http_events done = {.done = on_done};
    /* As a stream: HTTP/1.1 is all that the TLS handshake then offers. */
    const struct http_call how = {
        .method = "CONNECT", .url = call->url, .connect_ms = call->connect_ms, .stream = true};
    struct http_conn *c = calloc(1, sizeof *c);

    if (!c)
        return err_set(err, ERR_NOMEM, "open a connection");
    *c = (struct http_conn){.ev = *ev, .ctx = ctx, .allowed = call->allowed};
    c->tls = str_starts(str_of(call->url), "https:");
    if (http_start(h, &how, &done, c, &c->req, err) != ERR_OK) {
        enum err_code rc = err ? err->code : ERR_INVALID;
        conn_free(c);
        return rc;
    }
    c->req->conn = c;
    setup(c, c->req->easy);
    *out = c;
    return ERR_OK;
}

void http_conn_watch(struct http_conn *c, int events)
{
    if (c->watch)
        watch_set(c->watch, events);
}

static ssize_t result(CURLcode rc, size_t n)
{
    if (rc == CURLE_OK)
        return (ssize_t)n;
    errno = rc == CURLE_AGAIN ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t http_conn_send(struct http_conn *c, const void *p, size_t n)
{
    size_t done = 0;
    CURLcode rc = curl_easy_send(c->req->easy, p, n, &done);

    return result(rc, done);
}

ssize_t http_conn_recv(struct http_conn *c, void *p, size_t n)
{
    size_t done = 0;
    CURLcode rc = curl_easy_recv(c->req->easy, p, n, &done);

    return result(rc, done);
}

void http_conn_shut(struct http_conn *c)
{
    if (!c->tls && c->watch)
        (void)shutdown(c->fd, SHUT_WR);
}

void http_conn_close(struct http_conn *c)
{
    if (!c)
        return;
    watch_free(c->watch);
    c->watch = NULL;
    http_cancel(c->req);
    conn_free(c);
}
