/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/api/api_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/secret/secret.h"
#include "common/banned.h"

enum {
    ANSWER_MS = 30 * 1000, /* of a call that is answered at once */
    URL_MAX = 16 << 10,
    HEADER_MAX = SECRET_MAX_BYTES + 64,
};

struct api_client {
    struct loop *loop;
    struct http *http;
    struct buf url;           /* without a slash at its end */
    struct buf authorization; /* the whole header; empty: no key */
    const char *tenant;       /* NULL: the key's */
    bool quiet;
};

/* --- the client ----------------------------------------------------------------- */

static enum err_code set_up(struct api_client *a, const struct client *c, struct err *err)
{
    struct str url = str_of(c->api_url ? c->api_url : API_URL_DEFAULT);
    struct str key = c->api_key ? secret_value(c->api_key) : (struct str){0};
    const struct http_opts opts = {.ca_file = c->api_ca_file};

    if (!str_starts(url, "http://") && !str_starts(url, "https://"))
        return err_set(err, ERR_USAGE, "--api-url is http://… or https://…, not '%.60s'", url.p);
    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    buf_addstr(&a->url, url);
    if (key.n)
        buf_addf(&a->authorization, "Authorization: Bearer " STR_FMT, STR_ARG(key));
    a->tenant = c->tenant;
    a->quiet = c->quiet;
    if (a->url.rc != ERR_OK || a->authorization.rc != ERR_OK)
        return err_set(err, ERR_USAGE, "--api-url or the key is too long");
    if (loop_new(&a->loop, err) != ERR_OK || http_new(a->loop, &opts, &a->http, err) != ERR_OK)
        return err->code;
    return ERR_OK;
}

enum err_code api_client_new(const struct client *c, struct api_client **out, struct err *err)
{
    struct api_client *a = calloc(1, sizeof(*a));

    if (!a)
        return err_set(err, ERR_NOMEM, "out of memory");
    a->url = BUF_INIT(URL_MAX);
    a->authorization = BUF_INIT(HEADER_MAX);
    if (set_up(a, c, err) != ERR_OK) {
        api_client_free(a);
        return err->code;
    }
    *out = a;
    return ERR_OK;
}

void api_client_free(struct api_client *a)
{
    if (!a)
        return;
    if (a->http)
        http_free(a->http);
    if (a->loop)
        loop_free(a->loop);
    if (a->authorization.p)
        sodium_memzero(a->authorization.p, a->authorization.cap);
    buf_release(&a->authorization);
    buf_release(&a->url);
    free(a);
}

struct loop *api_client_loop(struct api_client *a)
{
    return a->loop;
}

struct http *api_client_http(struct api_client *a)
{
    return a->http;
}

const char *api_client_url(const struct api_client *a)
{
    return a->url.p;
}

bool api_client_has_key(const struct api_client *a)
{
    return a->authorization.len > 0;
}

bool api_client_is_quiet(const struct api_client *a)
{
    return a->quiet;
}

int api_fail(const struct err *e)
{
    fprintf(stderr, "sandfleet: %s\n", e->msg[0] ? e->msg : err_meaning(e->code));
    if (e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT)
        client_note("is sandfleet-api up, and --api-url (SANDFLEET_API_URL) right?");
    else if (e->code == ERR_USAGE)
        client_note("%s", client_try_help());
    return (int)exit_status_of(e->code);
}

/* --- requests ------------------------------------------------------------------- */

static void add_header(struct api_request *r, const char *header)
{
    if (header && r->call.n_headers < API_HEADERS)
        r->headers[r->call.n_headers++] = header;
}

enum err_code api_request_make(struct api_client *a, const struct api_call *call,
                               struct api_request *out, struct err *err)
{
    *out = (struct api_request){
        .url = BUF_INIT(URL_MAX), .accept = BUF_INIT(256), .key = BUF_INIT(HEADER_MAX)};
    buf_addf(&out->url, "%s%s", a->url.p, call->path);
    api_query(&out->url, "tenant", a->tenant);
    buf_addf(&out->accept, "Accept: %s", call->accept ? call->accept : "application/json");
    if (call->idempotency_key)
        buf_addf(&out->key, "Idempotency-Key: %s", call->idempotency_key);
    if (call->last_event_id)
        buf_addf(&out->key, "Last-Event-ID: %s", call->last_event_id);
    if (out->url.rc != ERR_OK || out->accept.rc != ERR_OK || out->key.rc != ERR_OK)
        return err_set(err, ERR_USAGE, "what is asked for is too long an address");
    out->call = (struct http_call){.method = call->method ? call->method : "GET",
                                   .url = out->url.p,
                                   .headers = out->headers,
                                   .body = call->body,
                                   .total_ms = ANSWER_MS + call->wait_ms,
                                   .max_body = API_ANSWER_MAX,
                                   .once = call->once};
    add_header(out, out->accept.p);
    add_header(out, a->authorization.p);
    add_header(out, out->key.p);
    add_header(out, call->body.p ? "Content-Type: application/json" : NULL);
    return ERR_OK;
}

void api_request_release(struct api_request *r)
{
    buf_release(&r->url);
    buf_release(&r->accept);
    buf_release(&r->key);
}

/* --- addresses ------------------------------------------------------------------ */

void api_path(struct buf *out, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    for (const char *p = fmt; *p; p++) {
        if (p[0] == '%' && p[1] == 's') {
            http_escape(out, str_of(va_arg(ap, const char *)));
            p++;
        } else {
            buf_addc(out, *p);
        }
    }
    va_end(ap);
}

void api_query(struct buf *path, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    buf_addf(path, "%c%s=", path->p && strchr(path->p, '?') ? '&' : '?', name);
    http_escape(path, str_of(value));
}

void api_query_int(struct buf *path, const char *name, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    api_query(path, name, text);
}
