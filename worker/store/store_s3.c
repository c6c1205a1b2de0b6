/* SPDX-License-Identifier: Apache-2.0 */
/* A store in an S3 bucket, or in what speaks as one. libcurl signs each request (Signature Version
 * 4); what is put is not part of the signature: TLS keeps it whole, and S3 takes nothing that is
 * shorter than it was said to be. In keys only '=' has to be escaped. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/store/store_internal.h"
#include "common/banned.h"

enum {
    URL_MAX_BYTES = 2048,
    HEADER_MAX_BYTES = 4096,
    CALL_MS = 300 * 1000,
    SILENCE_MS = 30 * 1000,
    HEADERS = 3
};
#define SCHEME "s3://"

struct store_s3 {
    struct http *http;
    char *base, *where; /* "https://endpoint/bucket[/prefix]"; "s3://bucket[/prefix]" */
    char *sigv4, *account, *token_header;
};

bool store_is_s3(const char *where)
{
    return strncmp(where, SCHEME, sizeof(SCHEME) - 1) == 0;
}

static void wipe(char *text)
{
    if (text)
        sodium_memzero(text, strlen(text));
    free(text);
}

static void s3_free(struct store_s3 *x)
{
    http_free(x->http);
    free(x->base);
    free(x->where);
    free(x->sigv4);
    wipe(x->account);
    wipe(x->token_header);
    free(x);
}

static void s3_release(struct store *s)
{
    s3_free(s->s3);
}

static void s3_location(const struct store *s, const char *key, struct buf *out)
{
    buf_addf(out, "%s/%s", s->s3->where, key);
}

/* --- calls ------------------------------------------------------------------------- */

static void judge(const struct store_call *c, const struct http_answer *a, struct err *e)
{
    int s = a->status;

    if (e->code != ERR_OK || s / 100 == 2 || (s == 404 && c->verb == STORE_REMOVE))
        return;
    (void)err_set(e,
                  s == 404               ? ERR_NOT_FOUND
                  : s == 401 || s == 403 ? ERR_UNAUTHORIZED
                  : s == 429             ? ERR_THROTTLED
                  : s >= 500             ? ERR_UNAVAILABLE
                                         : ERR_PROTOCOL,
                  "store: '%s': HTTP status %d%s", c->key, s,
                  s == 403 ? "; look at the keys, the bucket and its policy" : "");
}

static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct store_call *c = ctx;

    c->req = NULL;
    c->more = NULL;
    c->err = *e;
    judge(c, a, &c->err);
    if (c->verb == STORE_PUT_FROM && c->size < 0)
        (void)err_set(&c->err, ERR_CONFLICT, "store: '%s': it changed while it was read", c->key);
    if (c->verb == STORE_GET && c->err.code == ERR_OK)
        buf_addstr(&c->bytes, a->body);
    else
        buf_release(&c->bytes);
    if (c->err.code == ERR_OK && c->bytes.rc != ERR_OK)
        (void)err_set(&c->err, c->bytes.rc, "store: '%s'", c->key);
    store_call_end(c);
}

static ssize_t on_more(void *ctx, char *p, size_t room)
{
    struct store_call *c = ctx;

    ssize_t n = c->more ? c->more(c->ctx, p, room) : HTTP_STOP;

    c->sent += n > 0 ? n : 0;
    if (n != 0 || c->sent == c->size)
        return n;
    c->size = -1; /* shorter than it was said to be */
    return HTTP_STOP;
}

static enum err_code s3_start(struct store_call *c, struct err *err)
{
    static const char *const methods[] = {[STORE_PUT] = "PUT",
                                          [STORE_PUT_FROM] = "PUT",
                                          [STORE_GET] = "GET",
                                          [STORE_REMOVE] = "DELETE"};
    static const struct http_events ev = {.done = on_done, .more = on_more};
    const struct store_s3 *x = c->store->s3;
    const char *headers[HEADERS] = {"x-amz-content-sha256: UNSIGNED-PAYLOAD",
                                    "Content-Type: application/octet-stream", x->token_header};
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);
    struct http_call call = {.method = methods[c->verb],
                             .headers = headers,
                             .n_headers = x->token_header ? HEADERS : HEADERS - 1,
                             .body = c->verb == STORE_PUT ? buf_str(&c->bytes) : (struct str){0},
                             .total_ms = CALL_MS,
                             .silence_ms = SILENCE_MS,
                             .max_body = c->verb == STORE_GET ? c->bytes.max : 0,
                             .bulk = true,
                             .pulls = c->verb == STORE_PUT_FROM,
                             .pull_bytes = c->size,
                             .aws_sigv4 = x->sigv4,
                             .aws_account = x->account};

    buf_addf(&url, "%s/", x->base);
    for (const char *k = c->key; *k; k++)
        if (*k == '=')
            buf_adds(&url, "%3D");
        else
            buf_addc(&url, *k);
    if (url.rc != ERR_OK)
        return err_set(err, url.rc, "store: an address");
    call.url = url.p;
    return http_start(x->http, &call, &ev, c, &c->req, err);
}

static void s3_go_on(struct store_call *c)
{
    http_go_on(c->req);
}

/* It asks for more once more, and learns that there is none. */
static void s3_cancel(struct store_call *c)
{
    http_go_on(c->req);
}

/* --- life ---------------------------------------------------------------------------- */

static bool bucket_ok(const char *s)
{
    size_t n = strcspn(s, "/");

    return n >= 3 && n <= 63 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == n &&
           s[0] != '-' && s[0] != '.' && (s[n] == '\0' || store_key_ok(s + n + 1));
}

static char *text(const char *fmt, ...) PRINTF(1, 2);
static char *text(const char *fmt, ...)
{
    struct buf b = BUF_INIT(HEADER_MAX_BYTES);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    return buf_take(&b);
}

static bool fill(struct store_s3 *x, const struct store_s3_opts *o)
{
    const char *place = o->where + sizeof(SCHEME) - 1;
    struct str id = secret_value(o->key_id), key = secret_value(o->key);
    size_t n = o->endpoint ? strlen(o->endpoint) : 0;

    while (n > 0 && o->endpoint[n - 1] == '/')
        n--;
    x->where = text("%s", o->where);
    x->base = n > 0 ? text("%.*s/%s", (int)n, o->endpoint, place)
                    : text("https://s3.%s.amazonaws.com/%s", o->region, place);
    x->sigv4 = text("aws:amz:%s:s3", o->region);
    x->account = text(STR_FMT ":" STR_FMT, STR_ARG(id), STR_ARG(key));
    if (o->token)
        x->token_header = text("x-amz-security-token: " STR_FMT, STR_ARG(secret_value(o->token)));
    return x->where && x->base && x->sigv4 && x->account && (x->token_header || !o->token);
}

static enum err_code check(const struct store_s3_opts *o, struct err *err)
{
    if (!o->key_id || !o->key)
        return err_set(err, ERR_CONFIG, "the store '%s': it needs an access key and its secret",
                       o->where);
    if (!o->region || !*o->region ||
        o->region[strspn(o->region, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
        return err_set(err, ERR_CONFIG, "the store '%s': '%s' is no region", o->where,
                       o->region ? o->region : "");
    if (!bucket_ok(o->where + sizeof(SCHEME) - 1))
        return err_set(err, ERR_CONFIG, "the store '%s' is not s3://bucket or s3://bucket/prefix",
                       o->where);
    return ERR_OK;
}

enum err_code store_s3_new(struct loop *l, const struct store_s3_opts *opts, struct store **out,
                           struct err *err)
{
    static const struct store_kind kind = {.start = s3_start,
                                           .release = s3_release,
                                           .go_on = s3_go_on,
                                           .cancel = s3_cancel,
                                           .location = s3_location};
    struct store *s = calloc(1, sizeof(*s));
    struct store_s3 *x = calloc(1, sizeof(*x));
    enum err_code rc = s && x ? check(opts, err) : err_set(err, ERR_NOMEM, "the store");

    if (rc == ERR_OK)
        rc = fill(x, opts) ? http_new(l, opts->http, &x->http, err)
                           : err_set(err, ERR_NOMEM, "the store");
    if (rc != ERR_OK) {
        if (x)
            s3_free(x);
        free(s);
        return rc;
    }
    *s = (struct store){.kind = &kind, .loop = l, .references = 1, .dir = -1, .s3 = x};
    *out = s;
    return ERR_OK;
}
