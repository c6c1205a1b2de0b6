/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of HTTP in: a server whose application answers by the path, and a client that is
 * not ours, on a real socket, in one loop. */
#ifndef SANDFLEET_TESTS_HTTP_SERVER_WORLD_H
#define SANDFLEET_TESTS_HTTP_SERVER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/http/http_server.h"
#include "common/http/listen.h"

enum { BODY_MAX = 8 << 10, ANSWER_MAX = 1 << 20, GUARD_MS = 20000, BOUND = 64 << 10 };

static struct world {
    struct loop *loop;
    struct http_server *server;
    struct timer *guard, *later, *tick;
    int port;
    /* the server's side */
    struct http_request *waits; /* for a late answer */
    struct http_stream *stream;
    size_t pieces, gone, drained, closed, connections;
    bool alone;  /* the next late answer is a stream with a connection for itself */
    bool silent; /* by itself a stream says nothing, and has no end */
    /* the client's */
    int fd;
    struct watch *watch;
    const char *request;
    size_t sent, got, total;
    bool ended, reads;
    char answer[ANSWER_MAX];
} w;

/* --- the application ------------------------------------------------------------------ */

static inline void reply(struct http_request *r, int status, const char *text)
{
    struct buf body = BUF_INIT(1 << 16);

    buf_adds(&body, text);
    http_answer(r, status, "text/plain", &body);
}

static inline void on_drained(void *ctx)
{
    (void)ctx;
    w.drained++;
}

static inline void on_closed(void *ctx)
{
    (void)ctx;
    w.closed++;
    w.stream = NULL;
}

static const struct http_stream_events stream_events = {.drained = on_drained, .closed = on_closed};

static inline void on_gone(struct http_request *r)
{
    w.gone++;
    if (w.waits == r)
        w.waits = NULL;
}

static inline void on_piece(struct http_request *r, struct str piece)
{
    (void)piece;
    w.pieces++;
    if (w.pieces == 1) { /* the rest of the body waits for the timer */
        http_request_hold(r);
        w.waits = r;
        timer_start(w.later, 20);
    }
}

static inline void on_begin(struct http_request *r)
{
    r->gone = on_gone;
    if (strcmp(r->path, "/none") == 0)
        return;
    r->body_max = BODY_MAX;
    if (strcmp(r->path, "/pieces") == 0)
        r->piece = on_piece;
    if (strcmp(r->path, "/refused") == 0)
        reply(r, 401, "not you\n");
}

static inline void echo(struct http_request *r)
{
    struct buf body = BUF_INIT(BODY_MAX + 1024);
    struct str name = http_request_query(r, "name");

    buf_addf(&body, "%s %s [" STR_FMT "] ", r->method, r->path, STR_ARG(name));
    buf_addstr(&body, buf_str(&r->body));
    http_reply_header(r, "X-Echo", "yes");
    http_answer(r, 200, "text/plain", &body);
}

static inline void on_whole(struct http_request *r)
{
    if (strcmp(r->path, "/late") == 0) {
        w.waits = r;
        timer_start(w.later, 20);
    } else if (strcmp(r->path, "/stream") == 0) {
        w.stream = http_stream_open(r, 200, "text/event-stream", BOUND, &stream_events, NULL);
        if (!w.silent)
            timer_start(w.later, 20);
    } else if (strcmp(r->path, "/never") == 0) {
        w.waits = r;
    } else if (strcmp(r->path, "/alone") == 0) {
        w.waits = r;
        w.alone = true;
        timer_start(w.later, 20);
    } else {
        echo(r);
    }
}

static inline void on_refuse(struct http_request *r, int status, const char *why)
{
    reply(r, status, why);
}

/* What was to come later comes now. */
static inline void on_later(void *ctx)
{
    (void)ctx;
    if (w.alone) {
        w.alone = false;
        http_reply_header(w.waits, "X-Alone", "yes");
        w.stream =
            http_stream_open_alone(w.waits, 200, "text/event-stream", BOUND, &stream_events, NULL);
        if (!w.silent)
            timer_start(w.later, 20);
    } else if (w.stream) {
        buf_adds(http_stream_buf(w.stream), "one\n");
        http_stream_flush(w.stream);
        buf_adds(http_stream_buf(w.stream), "two\n");
        http_stream_end(w.stream);
    } else if (w.waits && w.pieces) {
        http_request_go_on(w.waits);
    } else if (w.waits) {
        reply(w.waits, 202, "at last\n");
    }
}

/* --- the client ------------------------------------------------------------------------ */

static inline void too_long(void *ctx)
{
    (void)ctx;
    fail_msg("nothing more in %d ms; so far: %.200s", GUARD_MS, w.answer);
}

static inline void on_socket(void *ctx, int events)
{
    (void)ctx;
    (void)events;
    size_t left = strlen(w.request) - w.sent;
    ssize_t n = left ? send(w.fd, w.request + w.sent, left, MSG_NOSIGNAL) : 0;

    if (n > 0)
        w.sent += (size_t)n;
    watch_set(w.watch, (w.sent < strlen(w.request) ? WATCH_WRITE : 0) | (w.reads ? WATCH_READ : 0));
    if (!w.reads)
        return;
    n = recv(w.fd, w.answer + w.got, ANSWER_MAX - 1 - w.got, 0);
    if (n > 0) {
        w.got += (size_t)n;
        w.total += (size_t)n;
    }
    if (w.got > ANSWER_MAX / 2) /* nobody looks at so much */
        w.got = 0;
    w.answer[w.got] = '\0';
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        w.ended = true;
        loop_stop(w.loop);
    }
}

static inline void dial(const char *request)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)w.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    w.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(w.fd >= 0);
    assert_int_equal(connect(w.fd, (const struct sockaddr *)(const void *)&to, sizeof(to)), 0);
    assert_int_equal(fcntl(w.fd, F_SETFL, O_NONBLOCK), 0);
    w.request = request;
    w.sent = w.got = 0;
    w.ended = false;
    w.reads = true;
    w.watch = watch_new(w.loop, w.fd, on_socket, NULL);
    watch_set(w.watch, WATCH_READ | WATCH_WRITE);
}

static inline void on_tick(void *ctx)
{
    (void)ctx;
    loop_stop(w.loop);
}

/* The loop for a millisecond, for who looks at a condition. */
static inline void turn(void)
{
    timer_start(w.tick, 1);
    loop_run(w.loop);
}

/* A stream is open, and all that it says the test does. */
static inline void dial_stream(const char *request)
{
    w.stream = NULL;
    w.silent = true;
    dial(request);
    while (!w.stream)
        turn();
}

/* To the end of the connection. */
static inline void ask(const char *request)
{
    dial(request);
    while (!w.ended)
        loop_run(w.loop);
}

static inline void expect(const char *status, const char *text)
{
    char line[64];

    (void)snprintf(line, sizeof(line), "HTTP/1.1 %s ", status);
    if (strncmp(w.answer, line, strlen(line)) != 0 || (text && !strstr(w.answer, text)))
        fail_msg("wanted %s with '%s', got: %.600s", status, text ? text : "", w.answer);
}

/* --- life -------------------------------------------------------------------------------- */

static inline int start(void **state)
{
    char url[LISTEN_URL_ROOM];
    struct err err = ERR_INIT;
    struct http_server_opts opts = {.begin = on_begin,
                                    .whole = on_whole,
                                    .refuse = on_refuse,
                                    .connections = 8,
                                    .headers_max = 16 << 10,
                                    .idle_ms = 10000,
                                    .life_ms = 2000};

    (void)state;
    memset(&w, 0, sizeof(w));
    if (loop_new(&w.loop, &err) != ERR_OK ||
        listen_open("--l", "127.0.0.1:0", &opts.listen_fd, url, &err) != ERR_OK ||
        http_server_new(w.loop, &opts, &w.server, &err) != ERR_OK)
        return -1;
    w.port = (int)strtol(strrchr(url, ':') + 1, NULL, 10);
    w.guard = timer_new(w.loop, too_long, NULL);
    w.later = timer_new(w.loop, on_later, NULL);
    w.tick = timer_new(w.loop, on_tick, NULL);
    timer_start(w.guard, GUARD_MS);
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    http_server_free(w.server);
    assert_null(w.stream);
    watch_free(w.watch);
    if (w.fd > 0)
        (void)close(w.fd);
    timer_free(w.guard);
    timer_free(w.later);
    timer_free(w.tick);
    loop_free(w.loop);
    return 0;
}

#define END   "Host: x\r\nConnection: close\r\n" /* of a request */
#define ALONE "GET /alone HTTP/1.1\r\nHost: x\r\n\r\n"

#endif
