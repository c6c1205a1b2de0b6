/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/envd_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "worker/e2b/e2b_error.h"

#include "common/banned.h"

enum { KEEPALIVE_MAX_S = 3600, HTTP_OK = 200, HTTP_NOT_SATISFIABLE = 416 };

static void add_header(struct envd *d, const char *name, const char *value, struct err *err)
{
    struct buf b = BUF_INIT(ENVD_HEADER_MAX_BYTES);

    buf_addf(&b, "%s: %s", name, value);
    if (b.rc != ERR_OK) {
        (void)err_set(err, b.rc, "header %s of a sandbox", name);
        buf_release(&b);
        return;
    }
    d->headers[d->n_headers++] = buf_take(&b);
}

enum err_code envd_new(struct http *http, const struct envd_opts *opts, struct envd **out,
                       struct err *err)
{
    struct envd *d = calloc(1, sizeof(*d));
    struct err e = ERR_INIT;

    if (!d)
        return err_set(err, ERR_NOMEM, "address of a sandbox");
    d->http = http;
    d->keepalive_s = opts->keepalive_s ? opts->keepalive_s : ENVD_KEEPALIVE_S;
    if (d->keepalive_s < 1 || d->keepalive_s > KEEPALIVE_MAX_S) /* 0 would end the daemon */
        (void)err_set(&e, ERR_INVALID, "keepalive of %" PRId64 " s", d->keepalive_s);
    d->url = str_dup(str_of(opts->url));
    add_header(d, "User-Agent", "sandfleet/" SF_VERSION, &e);
    if (opts->token && *opts->token)
        add_header(d, "X-Access-Token", opts->token, &e);
    if (opts->id) {
        add_header(d, "E2b-Sandbox-Id", opts->id, &e);
        add_header(d, "E2b-Sandbox-Port", "49983", &e);
    }
    if (!d->url || e.code != ERR_OK) {
        envd_free(d);
        return err_set(err, e.code != ERR_OK ? e.code : ERR_NOMEM, "address of a sandbox");
    }
    *out = d;
    return ERR_OK;
}

void envd_free(struct envd *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n_headers; i++) {
        sodium_memzero(d->headers[i], strlen(d->headers[i])); /* one of them is a token */
        free(d->headers[i]);
    }
    free(d->url);
    free(d);
}

/* --- calls ------------------------------------------------------------------ */

/* 416 is no failure: "nothing there yet", and the size for free. */
static void judge(const struct http_answer *a, struct err *e)
{
    if (e->code == ERR_OK && a->status / 100 != 2 && a->status != HTTP_NOT_SATISFIABLE)
        (void)e2b_error_of_http(E2B_EDGE, a, e);
}

/* The whole file as a plain 200 ends at its end, too: that is how an empty file comes. */
static bool reached_end(const struct http_answer *a)
{
    return a->status == HTTP_NOT_SATISFIABLE || (a->status == HTTP_OK && a->content_range_size < 0);
}

static void call_free(struct envd_call *c)
{
    free(c->move_from);
    free(c->move_to);
    free(c);
}

static bool start_move(struct envd_call *c, struct err *err);

static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct envd_call *c = ctx, copy;
    struct envd_answer answer = {
        .body = a->body, .size = a->content_range_size, .at_end = reached_end(a)};
    struct err verdict = *e;

    judge(a, &verdict);
    seen_call(c->seen, c->begun_ms, verdict.code);
    if (verdict.code == ERR_OK && c->move_from && start_move(c, &verdict))
        return;
    copy = *c;
    call_free(c);
    copy.fn(copy.ctx, &answer, &verdict);
}

static void on_data(void *ctx, struct str piece)
{
    struct envd_call *c = ctx;

    if (c->before > 0 && http_status(c->req) == HTTP_OK) {
        size_t skip = (uint64_t)c->before < piece.n ? (size_t)c->before : piece.n;

        c->before -= (int64_t)skip;
        piece = (struct str){piece.p + skip, piece.n - skip};
    }
    if (piece.n > 0)
        c->data(c->ctx, piece);
}

static ssize_t on_more(void *ctx, char *p, size_t room)
{
    struct envd_call *c = ctx;

    return c->more(c->ctx, p, room);
}

static enum err_code start(struct envd_call *c, struct http_call *call, const char *const *own,
                           size_t n, struct err *err)
{
    const char *headers[ENVD_HEADERS + ENVD_OWN_HEADERS];
    const struct http_events ev = {
        .data = c->data ? on_data : NULL, .done = on_done, .more = call->pulls ? on_more : NULL};

    assert(n <= ENVD_OWN_HEADERS);
    memcpy(headers, c->d->headers, c->d->n_headers * sizeof(headers[0]));
    if (n > 0)
        memcpy(headers + c->d->n_headers, own, n * sizeof(headers[0]));
    call->headers = headers;
    call->n_headers = c->d->n_headers + n;
    c->begun_ms = clock_boot_ms();
    return http_start(c->d->http, call, &ev, c, &c->req, err);
}

enum err_code envd_call_start(struct http_call *call, const char *const *headers, size_t n,
                              const struct envd_call *want, struct envd_call **out, struct err *err)
{
    struct envd_call *c = malloc(sizeof(*c));

    if (!c) {
        free(want->move_from);
        free(want->move_to);
        return err_set(err, ERR_NOMEM, "call to a sandbox");
    }
    *c = *want;
    if (start(c, call, headers, n, err) != ERR_OK) {
        call_free(c);
        return err->code;
    }
    *out = c;
    return ERR_OK;
}

void envd_call_free(struct envd_call *c)
{
    if (!c)
        return;
    http_cancel(c->req);
    call_free(c);
}

void envd_call_go_on(struct envd_call *c)
{
    http_go_on(c->req);
}

void envd_call_hold(struct envd_call *c, bool held)
{
    http_hold(c->req, held);
}

enum err_code envd_health(struct envd *d, envd_fn fn, void *ctx, struct envd_call **out,
                          struct err *err)
{
    AUTO_BUF url = BUF_INIT(ENVD_URL_MAX_BYTES);
    struct http_call call = {.method = "GET", .total_ms = ENVD_CALL_MS};
    const struct envd_call want = {.d = d, .fn = fn, .ctx = ctx, .seen = SEEN_CALL_HEALTH};

    buf_addf(&url, "%s/health", d->url);
    if (url.rc != ERR_OK)
        return err_set(err, url.rc, "address of a sandbox's health");
    call.url = url.p;
    return envd_call_start(&call, NULL, 0, &want, out, err);
}

/* --- unary calls ---------------------------------------------------------------- */

static const char *const json_type = "Content-Type: application/json";

static enum err_code rpc_call(const struct envd *d, const char *method, struct str json,
                              struct buf *url, struct http_call *call, struct err *err)
{
    buf_addf(url, "%s/%s", d->url, method);
    if (url->rc != ERR_OK)
        return err_set(err, url->rc, "address of %s", method);
    *call = (struct http_call){.method = "POST",
                               .url = url->p,
                               .total_ms = ENVD_CALL_MS,
                               .body = json,
                               .max_body = ENVD_RPC_MAX_BYTES};
    return ERR_OK;
}

enum err_code envd_rpc(struct envd *d, const char *method, struct str json, envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err)
{
    AUTO_BUF url = BUF_INIT(ENVD_URL_MAX_BYTES);
    const struct envd_call want = {.d = d, .fn = fn, .ctx = ctx, .seen = SEEN_CALL_RPC};
    struct http_call call;

    if (rpc_call(d, method, json, &url, &call, err) != ERR_OK)
        return err->code;
    return envd_call_start(&call, &json_type, 1, &want, out, err);
}

enum err_code envd_rpc_buf(struct envd *d, const char *method, struct buf *json, envd_fn fn,
                           void *ctx, struct envd_call **out, struct err *err)
{
    if (json->rc != ERR_OK)
        return err_set(err, json->rc, "request %s", method);
    return envd_rpc(d, method, buf_str(json), fn, ctx, out, err);
}

void envd_put_move(struct buf *json, const char *from, const char *to)
{
    buf_addc(json, '{');
    json_kv(json, "source", from);
    json_kv(json, "destination", to);
    buf_addc(json, '}');
}

/* The second half of envd_put_whole, under the same handle. False: err says why not. */
static bool start_move(struct envd_call *c, struct err *err)
{
    AUTO_BUF url = BUF_INIT(ENVD_URL_MAX_BYTES), json = BUF_INIT(2 * ENVD_URL_MAX_BYTES);
    struct http_call call;

    envd_put_move(&json, c->move_from, c->move_to);
    free(c->move_from);
    c->move_from = NULL;
    c->seen = SEEN_CALL_RPC;
    if (json.rc != ERR_OK)
        (void)err_set(err, json.rc, "name of a file");
    return json.rc == ERR_OK &&
           rpc_call(c->d, "filesystem.Filesystem/Move", buf_str(&json), &url, &call, err) ==
               ERR_OK &&
           start(c, &call, &json_type, 1, err) == ERR_OK;
}
