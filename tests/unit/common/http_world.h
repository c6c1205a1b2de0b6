/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of common/http/http.h: a scripted server in the client's own loop. */
#ifndef SANDFLEET_TESTS_HTTP_WORLD_H
#define SANDFLEET_TESTS_HTTP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/http/http.h"

/* --- the server: the path names the answer --- */

struct script {
    const char *path, *answer;
    bool close; /* after the answer */
};

static const struct script scripts[] = {
    {"/named",
     "HTTP/1.1 103 E\r\nX-Next-Token: early\r\n\r\n"
     "HTTP/1.1 200 OK\r\nx-next-token: t1\r\nShould-Retry: false\r\nTwice: a\r\n"
     "Twice: b\r\nContent-Length: 0\r\n\r\n",
     false},
    {"/again", "HTTP/1.1 409 C\r\nshould-retry: TRUE\r\nContent-Length: 0\r\n\r\n", false},
    {"/maybe", "HTTP/1.1 500 E\r\nShould-Retry: maybe\r\nContent-Length: 0\r\n\r\n", false},
    {"/ok", "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nhello", false},
    {"/none", "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"/busy", "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy", false},
    {"/ages", "HTTP/1.1 503 X\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n", false},
    {"/moved", "HTTP/1.1 302 F\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", false},
    {"/part", "HTTP/1.1 206 P\r\nContent-Range: bytes 0-1/1234\r\nContent-Length: 2\r\n\r\nab",
     false},
    {"/range", "HTTP/1.1 416 R\r\nContent-Range: bytes */77\r\nContent-Length: 0\r\n\r\n", false},
    {"/odd", "HTTP/1.1 206 P\r\nContent-Range: bytes 0-1/7x\r\nContent-Length: 2\r\n\r\nab", false},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", true},
    {"/empty", "", true},
    {"/junk", "\x16\x03\x01 this is not HTTP\r\n\r\n", true},
    {"/stall", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", false},
    {"/mute", "", false},
    {"/hold", "", false},
    {"nowhere.invalid:443", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", true},
    {"/flow", "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", false},
};

struct conn {
    struct server *s;
    int fd;
    struct watch *w;
    char in[8192];
    size_t n;
    bool held;
};

struct server {
    struct loop *l;
    int fd, port;
    struct watch *w;
    struct conn *conns[512];
    size_t n_conns, accepted;
    size_t held;     /* requests for /hold that wait for their answer */
    char last[8192]; /* the last request's bytes */
};

static void conn_close(struct conn *c)
{
    if (!c->w)
        return;
    watch_free(c->w);
    close(c->fd);
    c->w = NULL;
}

static bool whole(const struct conn *c)
{
    const char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "content-length:");
    size_t want = length ? strtoul(length + 15, NULL, 10) : 0;
    return end && c->n >= (size_t)(end + 4 - c->in) + want;
}

static void answer(struct conn *c)
{
    const char *path = strchr(c->in, ' ') + 1;
    size_t n = strcspn(path, " ?");
    memcpy(c->s->last, c->in, sizeof c->in);
    c->n = 0;
    c->held = n == 5 && strncmp(path, "/hold", n) == 0;
    c->s->held += c->held;
    for (size_t i = 0; i < COUNTOF(scripts); i++) {
        const struct script *s = &scripts[i];
        if (strlen(s->path) != n || strncmp(s->path, path, n) != 0)
            continue;
        if (*s->answer)
            assert_true(write(c->fd, s->answer, strlen(s->answer)) > 0);
        if (s->close)
            conn_close(c);
        return;
    }
    fail_msg("no script for %s", path);
}

static void on_request(void *ctx, int events)
{
    struct conn *c = ctx;
    (void)events;
    ssize_t n = read(c->fd, c->in + c->n, sizeof c->in - 1 - c->n);
    if (n <= 0) {
        conn_close(c);
        return;
    }
    c->n += (size_t)n;
    c->in[c->n] = '\0';
    if (whole(c))
        answer(c);
}

static void on_accept(void *ctx, int events)
{
    struct server *s = ctx;
    struct conn *c = calloc(1, sizeof *c);
    (void)events;
    assert_true(c && s->n_conns < COUNTOF(s->conns));
    c->s = s;
    c->fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK);
    c->w = watch_new(s->l, c->fd, on_request, c);
    watch_set(c->w, WATCH_READ);
    s->conns[s->n_conns++] = c;
    s->accepted++;
}

/* Below 32768, where no client's port can be in the way. */
static void server_listen(struct server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    s->port = 20000 + getpid() % 10000;
    do {
        at.sin_port = htons((uint16_t)++s->port);
    } while (bind(s->fd, (struct sockaddr *)&at, sizeof at) != 0);
    assert_int_equal(listen(s->fd, 512), 0);
    s->w = watch_new(s->l, s->fd, on_accept, s);
    watch_set(s->w, WATCH_READ);
}

/* --- the world --- */

struct world {
    struct loop *l;
    struct server s;
    struct http *h;
    struct http_req *r, *other;
    struct timer *guard;
    int done, pieces;
    struct err e;
    int status, should_retry;
    int64_t retry_after_ms, range_size;
    char body[256], type[64], streamed[256];
};

static void too_long(void *ctx)
{
    (void)ctx;
    fail_msg("nothing happened in 20 s");
}

static const struct http_opts *world_opts; /* for setup(); NULL: defaults */

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_int_equal(loop_new(&w->l, NULL), ERR_OK);
    assert_int_equal(http_new(w->l, world_opts, &w->h, NULL), ERR_OK);
    w->s.l = w->l;
    server_listen(&w->s);
    w->guard = timer_new(w->l, too_long, w);
    timer_start(w->guard, 20000);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    http_free(w->h);
    for (size_t i = 0; i < w->s.n_conns; i++) {
        conn_close(w->s.conns[i]);
        free(w->s.conns[i]);
    }
    watch_free(w->s.w);
    close(w->s.fd);
    timer_free(w->guard);
    loop_free(w->l);
    free(w);
    return 0;
}

static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct world *w = ctx;
    w->done++;
    w->e = *e;
    w->status = a->status;
    w->retry_after_ms = a->retry_after_ms;
    w->range_size = a->content_range_size;
    w->should_retry = a->should_retry;
    snprintf(w->body, sizeof w->body, STR_FMT, STR_ARG(a->body));
    snprintf(w->type, sizeof w->type, "%s", a->content_type ? a->content_type : "");
    loop_stop(w->l);
}

static void on_data(void *ctx, struct str piece)
{
    struct world *w = ctx;
    w->pieces++;
    strncat(w->streamed, piece.p, piece.n);
}

static const struct http_events collecting = {.done = on_done};
static const
    __attribute__((unused)) struct http_events streaming = {.data = on_data, .done = on_done};

static __attribute__((unused)) struct http_req *start(struct world *w, const char *path,
                                                      struct http_call call,
                                                      const struct http_events *ev)
{
    char url[256];
    struct http_req *r = NULL;
    struct err e = ERR_INIT;
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", w->s.port, path);
    call.url = url;
    if (!call.method)
        call.method = "GET";
    if (http_start(w->h, &call, ev, w, &r, &e) != ERR_OK)
        fail_msg("%s", e.msg);
    return r;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
