/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/envd_internal.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "worker/e2b/e2b_error.h"

#include "common/banned.h"

enum {
    CALL_MS = 20 * 1000,      /* of a small call */
    TRANSFER_MS = 300 * 1000, /* of a file */
    TRANSFER_SILENCE_MS = 20 * 1000,
    COLLECT_MAX_BYTES = 64 << 10,
    URL_MAX_BYTES = 8192,
    HTTP_OK = 200,
    HTTP_NOT_SATISFIABLE = 416
};

struct envd_call {
    struct http_req *req;
    void (*data)(void *ctx, struct str piece);
    envd_fn fn;
    void *ctx;
    int64_t before; /* bytes that come before the range, should all of the file come */
};

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

static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct envd_call *c = ctx;
    struct envd_answer answer = {
        .body = a->body, .size = a->content_range_size, .at_end = reached_end(a)};
    struct err verdict = *e;
    struct envd_call copy = *c;

    judge(a, &verdict);
    free(c);
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

static enum err_code start_call(struct envd *d, struct http_call *call, const char *header,
                                const struct envd_call *want, struct envd_call **out,
                                struct err *err)
{
    const char *headers[ENVD_HEADERS + 1];
    struct envd_call *c = malloc(sizeof(*c));
    const struct http_events ev = {.data = want->data ? on_data : NULL, .done = on_done};

    if (!c)
        return err_set(err, ERR_NOMEM, "call to a sandbox");
    *c = *want;
    memcpy(headers, d->headers, d->n_headers * sizeof(headers[0]));
    call->headers = headers;
    call->n_headers = d->n_headers;
    if (header)
        headers[call->n_headers++] = header;
    if (http_start(d->http, call, &ev, c, &c->req, err) != ERR_OK) {
        free(c);
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
    free(c);
}

enum err_code envd_health(struct envd *d, envd_fn fn, void *ctx, struct envd_call **out,
                          struct err *err)
{
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);
    struct http_call call = {.method = "GET", .total_ms = CALL_MS};
    const struct envd_call want = {.fn = fn, .ctx = ctx};

    buf_addf(&url, "%s/health", d->url);
    if (url.rc != ERR_OK)
        return err_set(err, url.rc, "address of a sandbox's health");
    call.url = url.p;
    return start_call(d, &call, NULL, &want, out, err);
}

static void put_files_url(struct buf *url, const struct envd *d, const char *path)
{
    buf_addf(url, "%s/files?path=", d->url);
    http_escape(url, str_of(path));
}

enum err_code envd_put(struct envd *d, const char *path, struct str bytes, envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err)
{
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);
    struct http_call call = {.method = "POST", .total_ms = TRANSFER_MS};
    const struct envd_call want = {.fn = fn, .ctx = ctx};

    put_files_url(&url, d, path);
    if (url.rc != ERR_OK)
        return err_set(err, url.rc, "address of a file");
    call.url = url.p;
    call.body = bytes.p ? bytes : STR("");
    return start_call(d, &call, "Content-Type: application/octet-stream", &want, out, err);
}

enum err_code envd_get(struct envd *d, const char *path, int64_t offset,
                       void (*data)(void *ctx, struct str piece), envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err)
{
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES), range = BUF_INIT(64);
    struct http_call call = {.method = "GET",
                             .total_ms = TRANSFER_MS,
                             .silence_ms = TRANSFER_SILENCE_MS,
                             .max_body = COLLECT_MAX_BYTES};
    const struct envd_call want = {.data = data, .fn = fn, .ctx = ctx, .before = offset};

    put_files_url(&url, d, path);
    buf_addf(&range, "Range: bytes=%" PRId64 "-", offset);
    if (url.rc != ERR_OK || range.rc != ERR_OK)
        return err_set(err, url.rc != ERR_OK ? url.rc : range.rc, "address of a file");
    call.url = url.p;
    return start_call(d, &call, range.p, &want, out, err);
}

enum err_code envd_rpc(struct envd *d, const char *method, struct str json, envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err)
{
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);
    struct http_call call = {
        .method = "POST", .total_ms = CALL_MS, .body = json, .max_body = 1 << 20};
    const struct envd_call want = {.fn = fn, .ctx = ctx};

    buf_addf(&url, "%s/%s", d->url, method);
    if (url.rc != ERR_OK)
        return err_set(err, url.rc, "address of %s", method);
    call.url = url.p;
    return start_call(d, &call, "Content-Type: application/json", &want, out, err);
}
