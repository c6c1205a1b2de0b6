/* SPDX-License-Identifier: Apache-2.0 */
/* A request from its headers until nothing refers to it any more. */
#include "api/call.h"

#include <stdlib.h>

#include <sodium.h>

#include "api/api_internal.h"
#include "api/audit.h"
#include "api/auth/cors.h"
#include "api/live/wait.h"
#include "api/seen.h"
#include "common/clock.h"
#include "common/banned.h"

struct call_owned {
    LIST_ENTRY(call_owned) link;
    size_t n;
    max_align_t bytes[];
};

void *call_own(struct call *c, size_t n)
{
    struct call_owned *o = calloc(1, sizeof(*o) + n);

    if (!o)
        return NULL;
    o->n = n;
    LIST_INSERT_HEAD(&c->owned, o, link);
    return o->bytes;
}

void call_disown(void *p)
{
    struct call_owned *o = p ? CONTAINER_OF(p, struct call_owned, bytes) : NULL;

    if (!o)
        return;
    LIST_REMOVE(o, link);
    sodium_memzero(o->bytes, o->n);
    free(o);
}

static void call_free(struct call *c)
{
    wait_forget(c);
    if (c->release)
        c->release(c);
    while (!LIST_EMPTY(&c->owned))
        call_disown(LIST_FIRST(&c->owned)->bytes);
    LIST_REMOVE(c, link);
    c->api->n_calls--;
    c->api->bodies -= c->body;
    free(c->params_text);
    free(c);
}

void call_keep(struct call *c)
{
    c->refs++;
}

void call_drop(struct call *c)
{
    if (--c->refs == 0)
        call_free(c);
}

bool call_is_open(const struct call *c)
{
    return c->http && !http_answered(c->http);
}

static void on_gone(struct http_request *r)
{
    struct call *c = r->state;

    seen_request(c->api->metrics, c->route, http_answer_status(r), c->began_us,
                 http_answer_streams(r));
    audit_answered(c, http_answer_status(r));
    c->http = NULL;
    call_drop(c);
}

struct call *call_new(struct http_request *r)
{
    struct call *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->api = r->app;
    c->http = r;
    c->refs = 1;
    LIST_INIT(&c->owned);
    LIST_INSERT_HEAD(&c->api->calls, c, link);
    c->api->n_calls++;
    c->began_us = clock_boot_us();
    uuid_v7(clock_wall_ms(), c->id);
    r->state = c;
    r->gone = on_gone;
    http_reply_header(r, "X-Request-Id", c->id);
    cors_allow(c);
    return c;
}

size_t calls_unanswered(const struct api *a)
{
    const struct call *c;
    size_t n = 0;

    LIST_FOREACH(c, &a->calls, link)
    n += call_is_open(c);
    return n;
}

void calls_abandon(struct api *a)
{
    while (!LIST_EMPTY(&a->calls))
        call_free(LIST_FIRST(&a->calls));
}
