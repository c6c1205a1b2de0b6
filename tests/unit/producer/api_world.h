/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the API's client: a server in its own loop that expects requests in order and
 * gives each its answer. */
#ifndef SANDFLEET_TESTS_API_WORLD_H
#define SANDFLEET_TESTS_API_WORLD_H

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

#include "common/secret/secret.h"
#include "producer/api/api_client.h"

struct step {
    const char *want[4]; /* what the request's head or body has in it; NULL: no more */
    const char *answer;  /* as it goes over the wire; NULL: none, the connection is closed */
    bool open;           /* and the connection stays, silent */
};

#define JSON_OK(body)   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" BODY_(body)
#define PROBLEM(s, doc) "HTTP/1.1 " s "\r\nContent-Type: application/problem+json\r\n" BODY_(doc)
#define BODY_(body)     "Connection: close\r\n\r\n" body
#define STREAM(events)  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" BODY_(events)

enum { WORLD_CONNS = 16 };

struct api_conn {
    struct api_world *w;
    int fd;
    struct watch *watch;
    char in[16384];
    size_t n;
};

struct api_world {
    struct client client;
    struct api_client *api;
    const struct step *steps;
    size_t n_steps, at;
    int fd;
    char url[64];
    struct watch *watch;
    struct api_conn conns[WORLD_CONNS];
    size_t n_conns;
    struct timer *guard;
};

static inline void world_close(struct api_conn *c)
{
    if (c->watch) {
        watch_free(c->watch);
        close(c->fd);
    }
    c->watch = NULL;
}

static inline bool world_whole(const struct api_conn *c)
{
    const char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "content-length:");
    size_t want = length ? strtoul(length + 15, NULL, 10) : 0;

    return end && c->n >= (size_t)(end + 4 - c->in) + want;
}

static inline void world_answer(struct api_conn *c)
{
    struct api_world *w = c->w;
    const struct step *s;

    if (w->at == w->n_steps)
        fail_msg("nobody expected: %s", c->in);
    s = &w->steps[w->at++];
    for (size_t i = 0; i < COUNTOF(s->want) && s->want[i]; i++) {
        bool not = s->want[i][0] == '!';

        if (!strstr(c->in, s->want[i] + not) != not)
            fail_msg("request %zu %s '%s': %s", w->at, not? "has" : "has no", s->want[i] + not,
                     c->in);
    }
    if (s->answer)
        assert_true(write(c->fd, s->answer, strlen(s->answer)) > 0);
    c->n = 0;
    if (!s->open)
        world_close(c);
}

static inline void world_on_request(void *ctx, int events)
{
    struct api_conn *c = ctx;
    ssize_t n = read(c->fd, c->in + c->n, sizeof(c->in) - 1 - c->n);

    (void)events;
    if (n <= 0)
        return world_close(c);
    c->n += (size_t)n;
    c->in[c->n] = '\0';
    if (world_whole(c))
        world_answer(c);
}

static inline void world_on_accept(void *ctx, int events)
{
    struct api_world *w = ctx;
    struct api_conn *c = &w->conns[w->n_conns++];

    (void)events;
    assert_true(w->n_conns <= WORLD_CONNS);
    c->w = w;
    c->fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK);
    c->watch = watch_new(api_client_loop(w->api), c->fd, world_on_request, c);
    watch_set(c->watch, WATCH_READ);
}

static inline void world_too_long(void *ctx)
{
    (void)ctx;
    fail_msg("nothing happened in 30 s");
}

static inline void world_open(struct api_world *w, const struct step *steps, size_t n)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    struct err err = ERR_INIT;

    *w = (struct api_world){.steps = steps, .n_steps = n, .client = w->client};
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w->fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(w->fd, 16), 0);
    assert_int_equal(getsockname(w->fd, (struct sockaddr *)&at, &size), 0);
    snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%d/", ntohs(at.sin_port));
    w->client.api_url = w->url;
    assert_int_equal(api_client_new(&w->client, &w->api, &err), ERR_OK);
    w->watch = watch_new(api_client_loop(w->api), w->fd, world_on_accept, w);
    watch_set(w->watch, WATCH_READ);
    w->guard = timer_new(api_client_loop(w->api), world_too_long, w);
    timer_start(w->guard, 30000);
}

/* All that was expected came. */
static inline void world_shut(struct api_world *w)
{
    assert_int_equal(w->at, w->n_steps);
    for (size_t i = 0; i < w->n_conns; i++)
        world_close(&w->conns[i]);
    watch_free(w->watch);
    close(w->fd);
    timer_free(w->guard);
    api_client_free(w->api);
}

#endif
