/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked, and what is answered. */
#include "common/http/http_server_internal.h"

#include <stdlib.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/attrs.h"
#include "common/banned.h"

static struct exchange *of(const struct http_request *r)
{
    return (struct exchange *)(uintptr_t)r; /* its first member */
}

/* --- asked ------------------------------------------------------------------------ */

const char *http_request_header(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(of(r)->conn, MHD_HEADER_KIND, name);
}

struct str http_request_query(const struct http_request *r, const char *name)
{
    const char *value = NULL;
    size_t n = 0;

    if (MHD_lookup_connection_value_n(of(r)->conn, MHD_GET_ARGUMENT_KIND, name, strlen(name),
                                      &value, &n) == MHD_NO)
        return (struct str){0};
    return value ? (struct str){value, n} : STR(""); /* "?name" has an empty one */
}

static bool is(struct str name, const char *known)
{
    return name.n == strlen(known) && strncasecmp(name.p, known, name.n) == 0;
}

struct walk {
    bool (*fn)(void *ctx, struct str name, struct str value);
    void *ctx;
    size_t bytes;
};

static enum MHD_Result on_pair(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_n,
                               const char *value, size_t value_n)
{
    const struct walk *w = ctx;

    (void)kind;
    return w->fn(w->ctx, (struct str){name, name_n}, (struct str){value ? value : "", value_n})
               ? MHD_YES
               : MHD_NO;
}

void http_request_query_each(const struct http_request *r,
                             bool (*fn)(void *ctx, struct str name, struct str value), void *ctx)
{
    struct walk w = {.fn = fn, .ctx = ctx};

    (void)MHD_get_connection_values_n(of(r)->conn, MHD_GET_ARGUMENT_KIND, on_pair, &w);
}

struct list {
    const char *name;
    struct buf *out;
};

static bool add_to_list(void *ctx, struct str name, struct str value)
{
    const struct list *l = ctx;

    if (!is(name, l->name))
        return true;
    if (l->out->len)
        buf_addc(l->out, ',');
    buf_addstr(l->out, value);
    return true;
}

void http_request_header_list(const struct http_request *r, const char *name, struct buf *out)
{
    struct list l = {name, out};
    struct walk w = {.fn = add_to_list, .ctx = &l};

    (void)MHD_get_connection_values_n(of(r)->conn, MHD_HEADER_KIND, on_pair, &w);
}

static bool add_bytes(void *ctx, struct str name, struct str value)
{
    *(size_t *)ctx += name.n + value.n;
    return true;
}

/* --- in two ways ------------------------------------------------------------------- */

/* Of two, nobody knows which one counts. */
static const char *const once[] = {
    "Host",         "Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key",
    "Last-Event-ID"};
enum { ONCE_HOST };

struct oddity {
    int seen[COUNTOF(once)], lengths, codings;
    bool name, value, length, coding;
};

/* RFC 9110, 5.6.2 */
static bool is_token(struct str s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && (!s.p[i] || !strchr(others, s.p[i])))
            return false;
    return s.n > 0;
}

static bool all_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

/* RFC 9110, 5.5: an end of a line that somebody else may see where we see none */
static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
            return true;
    return false;
}

static bool look_at(void *ctx, struct str name, struct str value)
{
    struct oddity *o = ctx;

    o->name |= !is_token(name);
    o->value |= has_control(value);
    for (size_t i = 0; i < COUNTOF(once); i++)
        o->seen[i] += is(name, once[i]);
    if (is(name, "Transfer-Encoding")) {
        o->codings++;
        o->coding |= !is(value, "chunked"); /* where would the body end? */
    }
    if (is(name, "Content-Length")) {
        o->lengths++;
        o->length |= !all_digits(value);
    }
    return true;
}

static bool has_twice(const struct oddity *o)
{
    for (size_t i = 0; i < COUNTOF(once); i++)
        if (o->seen[i] > 1)
            return true;
    return false;
}

const char *http_request_odd(const struct http_request *r)
{
    struct oddity o = {.lengths = 0};
    struct walk w = {.fn = look_at, .ctx = &o};
    bool old = of(r)->http10;

    (void)MHD_get_connection_values_n(of(r)->conn, MHD_HEADER_KIND, on_pair, &w);
    return o.name                       ? "a header's name has a character that no name has"
           : o.value                    ? "a header's value has a control character"
           : has_twice(&o)              ? "a header comes twice that may come once"
           : o.lengths + o.codings > 1  ? "its length is told twice"
           : o.length                   ? "Content-Length is no number"
           : o.coding                   ? "Transfer-Encoding is chunked, or there is none"
           : old && o.codings > 0       ? "HTTP/1.0 has no Transfer-Encoding"
           : !old && !o.seen[ONCE_HOST] ? "there is no Host header"
                                        : NULL;
}

size_t http_request_headers_bytes(const struct http_request *r)
{
    size_t n = 0;
    struct walk w = {.fn = add_bytes, .ctx = &n};

    (void)MHD_get_connection_values_n(of(r)->conn, MHD_HEADER_KIND, on_pair, &w);
    return n;
}

/* --- answered ---------------------------------------------------------------------- */

void exchange_resume(struct exchange *x)
{
    if (!x->suspended)
        return;
    x->suspended = false;
    MHD_resume_connection(x->conn);
    http_daemon_kick(x->server->daemon);
}

void http_request_hold(struct http_request *r)
{
    of(r)->held = true; /* suspended when more comes */
}

void http_request_go_on(struct http_request *r)
{
    struct exchange *x = of(r);

    if (x->held)
        exchange_resume(x);
    x->held = false;
}

void http_request_lasts(struct http_request *r)
{
    if (of(r)->guest)
        of(r)->guest->until_ms = INT64_MAX;
}

void http_reply_header(struct http_request *r, const char *name, const char *value)
{
    struct buf *b = &of(r)->headers;

    buf_add(b, name, strlen(name) + 1);
    buf_add(b, value, strlen(value) + 1);
}

bool http_answered(const struct http_request *r)
{
    return of(r)->response != NULL;
}

int http_answer_status(const struct http_request *r)
{
    return of(r)->status;
}

bool http_answer_streams(const struct http_request *r)
{
    return of(r)->stream != NULL;
}

static bool add_headers(const struct exchange *x, struct MHD_Response *m)
{
    const char *p = x->headers.p, *end = x->headers.len ? p + x->headers.len : p;

    if (x->headers.rc != ERR_OK)
        return false;
    while (p < end) {
        const char *value = p + strlen(p) + 1;

        if (MHD_add_response_header(m, p, value) == MHD_NO)
            return false;
        p = value + strlen(value) + 1;
    }
    return true;
}

void exchange_respond(struct exchange *x, int status, struct MHD_Response *m)
{
    if (x->response) { /* the first answer stands */
        if (m)
            MHD_destroy_response(m);
        return;
    }
    if (m && !add_headers(x, m)) {
        MHD_destroy_response(m);
        m = NULL;
    }
    x->status = m ? status : 500;
    x->response = m ? m : MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    exchange_resume(x);
}

void http_answer(struct http_request *r, int status, const char *type, struct buf *body)
{
    size_t n = body->len;
    bool whole = body->rc == ERR_OK;
    char *text = n || !whole ? buf_take(body) : NULL;
    struct MHD_Response *m = NULL;

    if (whole && text)
        m = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);
    else if (whole && n == 0)
        m = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (!m)
        free(text);
    else if (type)
        (void)MHD_add_response_header(m, "Content-Type", type);
    buf_release(body);
    exchange_respond(of(r), status, m);
}
