/* SPDX-License-Identifier: Apache-2.0 */
/* Single calls of the control plane. Whether one may be tried again, how often, and until
 * when: one table. */
#include "worker/e2b/sandbox_call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "worker/e2b/e2b_error.h"
#include "worker/e2b/sandbox_answer.h"
#include "worker/seen/seen.h"

#include "common/banned.h"

enum { SECOND = 1000, PATH_MAX_BYTES = 8192, LIST_MAX_BYTES = 8 << 20 };
enum {
    FINE_GONE = 1u << ERR_GONE,
    FINE_NOT_FOUND = 1u << ERR_NOT_FOUND,
    FINE_CONFLICT = 1u << ERR_CONFLICT
};

struct verb {
    const char *method, *before, *after; /* the path is before, the id, after */
    unsigned tries; /* 1: what was done by a request whose answer is lost must not be done twice */
    int64_t one_ms, all_ms; /* of one try; after all_ms none is begun */
    size_t max_body;        /* of the answer */
    unsigned fine;          /* failures that are as good as success */
    bool newer;             /* an old service has no such path, and says so at once */
    enum seen_call seen;
};

// clang-format off
static const struct verb verbs[SANDBOX_CALL_VERBS] = {
    [SANDBOX_CALL_GET]      = {"GET",    "/sandboxes/", "",           4, 20 * SECOND, 90 * SECOND,  1 << 20, 0, false, SEEN_CALL_GET},
    [SANDBOX_CALL_TTL]      = {"POST",   "/sandboxes/", "/timeout",   4, 20 * SECOND, 90 * SECOND,  1 << 16, 0, false, SEEN_CALL_TTL},
    [SANDBOX_CALL_REFRESH]  = {"POST",   "/sandboxes/", "/refreshes", 4, 20 * SECOND, 90 * SECOND,  1 << 16, 0, false, SEEN_CALL_TTL},
    [SANDBOX_CALL_KILL]     = {"DELETE", "/sandboxes/", "",           4, SANDBOX_API_MS, 300 * SECOND, 1 << 16, FINE_GONE, false, SEEN_CALL_KILL},
    [SANDBOX_CALL_PAUSE]    = {"POST",   "/sandboxes/", "/pause",     4, SANDBOX_API_MS, 300 * SECOND, 1 << 16, FINE_CONFLICT, false, SEEN_CALL_PAUSE},
    [SANDBOX_CALL_NETWORK]  = {"PUT",    "/sandboxes/", "/network",   4, 20 * SECOND, 90 * SECOND,  1 << 16, 0, false, SEEN_CALL_OTHER},
    [SANDBOX_CALL_LIST]     = {"GET",    "/v2/sandboxes", "",         4, 30 * SECOND, 120 * SECOND, LIST_MAX_BYTES, 0, true, SEEN_CALL_LIST},
    [SANDBOX_CALL_LIST_OLD] = {"GET",    "/sandboxes", "",            4, 30 * SECOND, 120 * SECOND, LIST_MAX_BYTES, 0, false, SEEN_CALL_LIST},
    [SANDBOX_CALL_SNAPSHOT] = {"POST",   "/sandboxes/", "/snapshots", 1, SANDBOX_API_MS, 300 * SECOND, 1 << 16, 0, false, SEEN_CALL_OTHER},
    [SANDBOX_CALL_SNAPSHOT_LIST]   = {"GET", "/snapshots", "",        4, 30 * SECOND, 120 * SECOND, LIST_MAX_BYTES, 0, false, SEEN_CALL_OTHER},
    [SANDBOX_CALL_SNAPSHOT_DELETE] = {"DELETE", "/templates/", "",    4, 30 * SECOND, 120 * SECOND, 1 << 16, FINE_GONE | FINE_NOT_FOUND, false, SEEN_CALL_OTHER},
    [SANDBOX_CALL_METRICS]  = {"GET",    "/sandboxes/", "/metrics",   4, 20 * SECOND, 90 * SECOND,  4 << 20, 0, false, SEEN_CALL_OTHER},
    [SANDBOX_CALL_LOGS]     = {"GET",    "/v2/sandboxes/", "/logs",   4, 30 * SECOND, 120 * SECOND, LIST_MAX_BYTES, 0, true, SEEN_CALL_OTHER},
};
// clang-format on

struct sandbox_call {
    LIST_ENTRY(sandbox_call) link;
    struct sandbox_service *service;
    const struct verb *verb;
    char *path, *body;
    sandbox_call_fn told;
    struct sandbox_answered to;
    struct http_req *req;
    struct timer *timer;
    struct backoff backoff;
    int64_t until_ms, asked_ms; /* asked_ms: this try, by the boot clock */
};

static void call_free(struct sandbox_call *c)
{
    LIST_REMOVE(c, link);
    http_cancel(c->req);
    timer_free(c->timer);
    free(c->path);
    if (c->body) /* network rules hold credentials */
        sodium_memzero(c->body, strlen(c->body));
    free(c->body);
    free(c);
}

void sandbox_call_free_all(struct sandbox_service *s)
{
    while (!LIST_EMPTY(&s->calls))
        call_free(LIST_FIRST(&s->calls));
}

void *sandbox_call_ctx(const struct sandbox_call *c)
{
    return c->to.ctx;
}

struct sandbox_answered sandbox_call_take(struct sandbox_call *c)
{
    struct sandbox_answered to = c->to;

    call_free(c);
    return to;
}

void sandbox_forget(struct sandbox_service *s, const void *ctx)
{
    struct sandbox_call *c;

    LIST_FOREACH(c, &s->calls, link)
    c->to.forgotten = c->to.forgotten || c->to.ctx == ctx;
}

void sandbox_call_cancel(struct sandbox_service *s, const void *ctx)
{
    struct sandbox_call *c = LIST_FIRST(&s->calls), *next;

    for (; c; c = next) {
        next = LIST_NEXT(c, link);
        if (c->to.ctx == ctx)
            call_free(c);
    }
}

/* --- trying ------------------------------------------------------------------------ */

static void call_fail(struct sandbox_call *c, const struct http_answer *a, const struct err *e)
{
    struct err unused;
    enum err_code ignored = c->told(c, a, e, &unused);

    (void)ignored;
}

/* An answer that says "slow down" did nothing, so any call may come again after it. */
static bool may_try_again(const struct sandbox_call *c, const struct err *e, int64_t wait_ms)
{
    bool undone = e->code == ERR_THROTTLED || c->verb->tries > 1;
    unsigned most = c->verb->tries > 1 ? c->verb->tries : 2;

    return err_action(e->code) == ERR_DO_RETRY && e->code != ERR_GONE && undone &&
           c->backoff.tries < most && loop_now_ms(c->service->loop) + wait_ms < c->until_ms;
}

static bool told_not_to(const struct sandbox_call *c, const struct http_answer *a)
{
    return a->should_retry == 0 || (c->verb->newer && sandbox_route_missing(a));
}

static void call_failed(struct sandbox_call *c, const struct http_answer *a, const struct err *e)
{
    int64_t own = backoff_next_ms(&c->backoff); /* counts the try, too */
    int64_t wait_ms = e->retry_ms > 0 ? e->retry_ms : own;

    if (!told_not_to(c, a) && may_try_again(c, e, wait_ms))
        timer_start(c->timer, wait_ms);
    else
        call_fail(c, a, e);
}

static void call_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct sandbox_call *c = ctx;
    struct err verdict = *e, why = ERR_INIT;

    c->req = NULL;
    if (e->code == ERR_OK && a->status / 100 != 2)
        (void)e2b_error_of_http(E2B_API, a, &verdict);
    if (verdict.code != ERR_OK && (c->verb->fine & 1u << verdict.code))
        verdict = ERR_INIT;
    seen_call(c->verb->seen, c->asked_ms, verdict.code);
    if (verdict.code != ERR_OK)
        call_failed(c, a, &verdict);
    else if (c->told(c, a, &verdict, &why) != ERR_OK)
        call_failed(c, a, &why);
}

static void call_go(void *ctx)
{
    static const struct http_events ev = {.done = call_done};
    struct sandbox_call *c = ctx;
    const struct sandbox_request r = {.method = c->verb->method,
                                      .path = c->path,
                                      .body = c->body,
                                      .total_ms = c->verb->one_ms,
                                      .max_body = c->verb->max_body,
                                      .once = c->verb->tries == 1};
    struct err e = ERR_INIT;

    c->asked_ms = clock_boot_ms();
    if (sandbox_request_start(c->service, &r, &ev, c, &c->req, &e) != ERR_OK)
        call_fail(c, NULL, &e);
}

static char *path_of(const struct sandbox_ask *ask)
{
    struct buf path = BUF_INIT(PATH_MAX_BYTES);

    buf_adds(&path, verbs[ask->verb].before);
    http_escape(&path, str_of(ask->id));
    buf_adds(&path, verbs[ask->verb].after);
    buf_adds(&path, ask->query ? ask->query : "");
    return buf_take(&path);
}

enum err_code sandbox_call_start(struct sandbox_service *s, const struct sandbox_ask *ask,
                                 struct err *err)
{
    struct sandbox_call *c = calloc(1, sizeof(*c));

    if (!c)
        return err_set(err, ERR_NOMEM, "call to the sandbox service");
    *c = (struct sandbox_call){.service = s,
                               .verb = &verbs[ask->verb],
                               .path = path_of(ask),
                               .body = ask->body ? str_dup(str_of(ask->body)) : NULL,
                               .told = ask->told,
                               .to = {.fn = ask->fn, .ctx = ask->ctx},
                               .timer = timer_new(s->loop, call_go, c),
                               .backoff = BACKOFF_INIT(200, 5000),
                               .until_ms = loop_now_ms(s->loop) + verbs[ask->verb].all_ms};
    LIST_INSERT_HEAD(&s->calls, c, link);
    if (!c->path || !c->timer || (ask->body && !c->body)) {
        call_free(c);
        return err_set(err, ERR_NOMEM, "call to the sandbox service");
    }
    timer_start(c->timer, 0); /* so that nothing is called from inside the caller's call */
    return ERR_OK;
}

bool sandbox_route_missing(const struct http_answer *a)
{
    struct err e;

    return a->status == 405 ||
           (a->status == 404 && e2b_error_of_http(E2B_API, a, &e) != ERR_NOT_FOUND);
}
