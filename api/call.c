/* SPDX-License-Identifier: Apache-2.0 */
/* A request's way to its handler. */
#include "api/call.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api_internal.h"
#include "api/auth/auth.h"
#include "api/auth/cors.h"
#include "common/percent.h"
#include "common/banned.h"

/* --- by the headers alone ----------------------------------------------------------- */

static bool add_query(void *ctx, struct str name, struct str value)
{
    *(size_t *)ctx += name.n + value.n + 2;
    return true;
}

/* Two who read it may find two requests in it. */
static bool odd(struct call *c)
{
    const char *why = http_request_odd(c->http);

    if (why)
        call_problem(c, PROBLEM_BAD_REQUEST, "%s", why);
    return why != NULL;
}

static bool too_long(struct call *c)
{
    size_t target = strlen(c->http->path);

    http_request_query_each(c->http, add_query, &target);
    if (target > API_TARGET_MAX)
        call_problem(c, PROBLEM_LONG_TARGET, "the URL is over %d bytes", API_TARGET_MAX);
    else if (http_request_headers_bytes(c->http) > API_HEADERS_MAX)
        call_problem(c, PROBLEM_LONG_HEADERS, "the headers are over %d bytes", API_HEADERS_MAX);
    return http_answered(c->http);
}

/* Each parameter on its own, so that a name may hold a slash: %2F. */
static bool decode(struct call *c, const struct str param[ROUTE_PARAMS])
{
    AUTO_BUF text = BUF_INIT(API_TARGET_MAX + ROUTE_PARAMS);
    size_t end[ROUTE_PARAMS];
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ROUTE_PARAMS; i++) {
        size_t start = text.len;

        if (percent_decode(param[i], false, &text, &err) != ERR_OK ||
            !str_utf8((struct str){text.p + start, text.len - start}, NULL)) {
            call_problem(c, PROBLEM_BAD_REQUEST, "the path has a bad percent escape");
            return false;
        }
        end[i] = text.len;
        buf_add(&text, "", 1);
    }
    c->params_text = buf_take(&text);
    for (size_t i = 0; c->params_text && i < ROUTE_PARAMS; i++) {
        size_t start = i ? end[i - 1] + 1 : 0;

        c->param[i] = (struct str){c->params_text + start, end[i] - start};
    }
    if (!c->params_text)
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
    return c->params_text != NULL;
}

static bool find(struct call *c)
{
    struct route_match m;

    route_find(api_routes, api_routes_n, c->http->method, str_of(c->http->path), &m);
    if (m.route) {
        c->route = m.route;
        return decode(c, m.param);
    }
    if (m.allowed[0] && strcmp(c->http->method, "OPTIONS") == 0) {
        http_reply_header(c->http, "Allow", m.allowed);
        cors_preflight(c, m.allowed);
        call_empty(c, 204);
    } else if (m.allowed[0]) {
        http_reply_header(c->http, "Allow", m.allowed);
        call_problem(c, PROBLEM_NO_METHOD, "%.40s is none of this path's methods: %s",
                     c->http->method, m.allowed);
    } else {
        call_problem(c, PROBLEM_NO_ROUTE, "no route has this path: see GET /openapi.yaml");
    }
    return false;
}

static bool has_type(const char *have, const char *want)
{
    size_t n = strlen(want);

    return have && strncasecmp(have, want, n) == 0 && strchr("; ", have[n]) != NULL;
}

/* Nothing is unpacked here: a little could become a lot. */
static bool wrong_coding(struct call *c)
{
    const char *coding = http_request_header(c->http, "Content-Encoding");

    if (c->route->body_max == 0 || !coding || strcasecmp(coding, "identity") == 0)
        return false;
    http_reply_header(c->http, "Accept-Encoding", "identity");
    call_problem(c, PROBLEM_BAD_TYPE, "a body is taken without Content-Encoding only");
    return true;
}

/* Who sends nothing may call it what he likes. */
static bool sends_a_body(const struct call *c)
{
    const char *length = http_request_header(c->http, "Content-Length");

    return (length && strcmp(length, "0") != 0) ||
           http_request_header(c->http, "Transfer-Encoding");
}

static bool wrong_type(struct call *c)
{
    bool lines = (c->route->flags & ROUTE_NDJSON) != 0;
    const char *want = lines ? "application/x-ndjson" : "application/json";
    const char *have = http_request_header(c->http, "Content-Type");

    if (c->route->body_max == 0 || has_type(have, want) || !sends_a_body(c))
        return false;
    http_reply_header(c->http, "Accept-Post", want);
    call_problem(c, PROBLEM_BAD_TYPE, "the body must be %s: say so in Content-Type", want);
    return true;
}

/* --- in turn -------------------------------------------------------------------------- */

/* Its part of the memory that all bodies may take. */
static bool reserve(struct call *c)
{
    const char *length = http_request_header(c->http, "Content-Length");
    int64_t told = (int64_t)c->route->body_max;
    size_t want;

    if (length && !str_int(str_of(length), told, &told))
        told = (int64_t)c->route->body_max;
    want = c->route->begin ? c->route->held : (size_t)told;
    if (want > API_BODIES_MAX - c->api->bodies) {
        call_problem(c, PROBLEM_OVERLOADED, "too many bodies are under way");
        return false;
    }
    c->api->bodies += want;
    c->body = want;
    return true;
}

static void refuse_body(struct call *c)
{
    call_problem(c, PROBLEM_UNWANTED_BODY, "this takes no body: leave it out, or send {}");
}

static void on_unwanted(struct http_request *r, struct str piece)
{
    struct call *c = r->state;

    if (!no_body_take(&c->none, piece))
        refuse_body(c);
}

/* What may come, and who takes it. */
static void expect_body(struct call *c)
{
    c->http->body_max = c->route->body_max;
    if (c->route->body_max == 0) {
        c->http->body_max = API_BODY_MAX; /* none of it is kept */
        c->http->piece = on_unwanted;
    }
}

static void on_authorised(struct call *c)
{
    if (!call_is_open(c) || (c->route->body_max > 0 && !reserve(c)))
        return;
    if (c->route->begin)
        c->route->begin(c);
    http_request_go_on(c->http);
}

void call_begin(struct http_request *r)
{
    struct call *c = call_new(r);
    struct buf none = BUF_INIT(0);

    if (!c) {
        http_answer(r, 500, NULL, &none);
        return;
    }
    if (c->api->stopping) {
        call_problem(c, PROBLEM_STOPPING, "this server is stopping: ask another, or again");
        return;
    }
    if (odd(c) || too_long(c) || !find(c) || wrong_type(c) || wrong_coding(c))
        return;
    expect_body(c);
    if (c->route->flags & ROUTE_LASTS)
        http_request_lasts(r);
    http_request_hold(r); /* the body waits for whether it is wanted */
    auth_check(c, on_authorised);
}

void call_whole(struct http_request *r)
{
    struct call *c = r->state;

    if (!no_body_is_whole(&c->none))
        refuse_body(c);
    else
        c->route->handler(c);
}

void call_refuse(struct http_request *r, int status, const char *why)
{
    struct call *c = r->state;

    if (status == 413 && c->route)
        call_problem(c, PROBLEM_TOO_BIG, "%s: at most %zu bytes here", why, r->body_max);
    else
        call_problem(c, status == 503 ? PROBLEM_STOPPING : PROBLEM_INTERNAL, "%s", why);
}
