/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/api_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/backoff.h"
#include "common/secret.h"
#include "common/banned.h"

enum {
    ANSWER_MS = 30 * 1000, /* of a call that is answered at once */
    SILENCE_MS = 60 * 1000,
    URL_MAX = 16 << 10,
    HEADER_MAX = SECRET_MAX_BYTES + 64,
    BACKOFF_MS = 200,
    BACKOFF_CAP_MS = 3000,
    MEMBERS = 32,
};

struct api_client {
    struct loop *loop;
    struct http *http;
    struct buf url;           /* without a slash at its end */
    struct buf authorization; /* the whole header; empty: no key */
    const char *tenant;       /* NULL: the key's */
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

int api_fail(const struct err *e)
{
    fprintf(stderr, "sandfleet: %s\n", e->msg[0] ? e->msg : err_meaning(e->code));
    if (e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT)
        client_note("is sandfleet-api up, and --api-url (SANDFLEET_API_URL) right?");
    else if (e->code == ERR_USAGE)
        client_note("try --help");
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

/* --- calls ---------------------------------------------------------------------- */

struct pending { /* one try */
    struct api_client *a;
    struct http_req *req;
    struct buf *out;
    api_piece_fn *piece; /* NULL: the body goes to out */
    void *ctx;
    struct api_problem problem;
    struct err err;
    int status; /* of the answer; 0: there was none */
    bool done, stopped;
};

static void on_piece(void *ctx, struct str piece)
{
    struct pending *p = ctx;

    if (p->stopped || p->piece(p->ctx, piece))
        return;
    p->stopped = true;
    loop_stop(p->a->loop);
}

/* The way there failed: told with the address, for that may be what is wrong. */
static void unreachable(struct pending *p, const struct err *e)
{
    p->err = *e;
    err_wrap(&p->err, "sandfleet-api at %s", p->a->url.p);
}

static void on_done(void *ctx, const struct http_answer *answer, const struct err *e)
{
    struct pending *p = ctx;

    p->done = true;
    p->req = NULL;
    loop_stop(p->a->loop);
    if (e->code != ERR_OK)
        return unreachable(p, e);
    p->status = answer->status;
    if (answer->status >= 200 && answer->status < 300) {
        if (p->out)
            buf_addstr(p->out, answer->body);
        return;
    }
    api_problem_read(answer->status, answer->body, &p->problem, &p->err);
    p->err.retry_ms = answer->retry_after_ms;
    if (p->err.code == ERR_UNAUTHORIZED && !p->a->authorization.len)
        err_set(&p->err, ERR_UNAUTHORIZED,
                "sandfleet-api wants a key: set SANDFLEET_API_KEY, or name its file by "
                "--api-key-file");
}

static enum err_code try_once(struct pending *p, const struct http_call *call, struct err *err)
{
    const struct http_events ev = {.data = p->piece ? on_piece : NULL, .done = on_done};

    p->done = false;
    p->err = ERR_INIT;
    if (http_start(p->a->http, call, &ev, p, &p->req, err) != ERR_OK)
        return err->code == ERR_INVALID
                   ? err_set(err, ERR_USAGE, "--api-url '%.60s' is no address", p->a->url.p)
                   : err->code;
    loop_run(p->a->loop);
    if (!p->done) { /* somebody else stopped the loop, or we did */
        http_cancel(p->req);
        p->req = NULL;
    }
    if (!p->done || p->stopped)
        return err_set(err, ERR_CANCELLED, "stopped");
    *err = p->err;
    return err->code;
}

static void on_rested(void *ctx)
{
    loop_stop(ctx);
}

bool api_rest(struct api_client *a, int64_t ms)
{
    struct timer *t = timer_new(a->loop, on_rested, a->loop);
    bool rested;

    if (!t)
        return false;
    timer_start(t, ms);
    loop_run(a->loop);
    rested = !timer_pending(t);
    timer_free(t);
    return rested;
}

/* The server answered that it cannot now, and did nothing: it is asked again. One that is not there
 * at all is not. */
static bool worth_another(const struct pending *p)
{
    return p->problem.retryable && (p->status == 503 || p->status == 429);
}

static enum err_code do_call(struct pending *p, const struct api_call *call, struct err *err)
{
    struct backoff backoff = BACKOFF_INIT(BACKOFF_MS, BACKOFF_CAP_MS);
    int64_t until = loop_now_ms(p->a->loop) + API_PATIENCE_MS;
    struct api_request r;
    enum err_code rc = api_request_make(p->a, call, &r, err);

    if (p->piece) {
        r.call.total_ms = 0;
        r.call.silence_ms = SILENCE_MS;
    }
    while (rc == ERR_OK) {
        int64_t wait;

        *err = ERR_INIT;
        p->status = 0;
        if (try_once(p, &r.call, err) == ERR_OK || !worth_another(p))
            break;
        wait = err->retry_ms > 0 ? err->retry_ms : backoff_next_ms(&backoff);
        if (loop_now_ms(p->a->loop) + wait > until || !api_rest(p->a, wait))
            break;
    }
    api_request_release(&r);
    return err->code;
}

enum err_code api_call(struct api_client *a, const struct api_call *call, struct buf *out,
                       struct api_problem *problem, struct err *err)
{
    struct pending p = {.a = a, .out = out};

    do_call(&p, call, err);
    if (problem)
        *problem = p.problem;
    if (err->code == ERR_OK && out && out->rc != ERR_OK)
        return err_set(err, out->rc, "the answer is over %zu bytes", out->max);
    return err->code;
}

enum err_code api_get(struct api_client *a, const char *path, cJSON **out, struct err *err)
{
    const struct api_call call = {.path = path};
    AUTO_BUF body = BUF_INIT(API_ANSWER_MAX);

    if (api_call(a, &call, &body, NULL, err) != ERR_OK)
        return err->code;
    if (json_parse(buf_str(&body), 0, out, err) != ERR_OK)
        return err_set(err, ERR_PROTOCOL,
                       "sandfleet-api at %s answers no JSON; is --api-url right?", a->url.p);
    return ERR_OK;
}

enum err_code api_get_text(struct api_client *a, const char *path, struct buf *out,
                           const char *name, struct str *member, struct err *err)
{
    const struct api_call call = {.path = path};
    struct json_member m[MEMBERS];
    struct json_scan scan;

    if (api_call(a, &call, out, NULL, err) != ERR_OK)
        return err->code;
    if (json_scan(buf_str(out), m, MEMBERS, &scan, err) != ERR_OK)
        return err_set(err, ERR_PROTOCOL,
                       "sandfleet-api at %s answers no JSON; is --api-url right?", a->url.p);
    *member = json_member(m, scan.n_members < MEMBERS ? scan.n_members : MEMBERS, name);
    return ERR_OK;
}

enum err_code api_pipe(struct api_client *a, const char *path, const char *accept, api_piece_fn *fn,
                       void *ctx, struct err *err)
{
    const struct api_call call = {.path = path, .accept = accept};
    struct pending p = {.a = a, .piece = fn, .ctx = ctx};

    return do_call(&p, &call, err);
}

struct lines {
    struct buf rest; /* of a line that is still to come */
    api_line_fn *fn;
    void *ctx;
    bool stopped;
};

static bool on_lines(void *ctx, struct str piece)
{
    struct lines *l = ctx;

    while (piece.n && !l->stopped && l->rest.rc == ERR_OK) {
        const char *end = memchr(piece.p, '\n', piece.n);
        size_t n = end ? (size_t)(end - piece.p) : piece.n;

        buf_add(&l->rest, piece.p, n);
        piece = (struct str){piece.p + n + (end != NULL), piece.n - n - (end != NULL)};
        if (!end || l->rest.rc != ERR_OK)
            break;
        l->stopped = !l->fn(l->ctx, buf_str(&l->rest));
        buf_clear(&l->rest);
    }
    return !l->stopped && l->rest.rc == ERR_OK;
}

enum err_code api_pipe_lines(struct api_client *a, const char *path, const char *accept,
                             api_line_fn *fn, void *ctx, struct err *err)
{
    struct lines l = {.rest = BUF_INIT(API_LINE_MAX), .fn = fn, .ctx = ctx};
    enum err_code rc = api_pipe(a, path, accept, on_lines, &l, err);

    if (l.rest.rc != ERR_OK)
        rc = err_set(err, l.rest.rc, "a line of the answer is over %d bytes", API_LINE_MAX);
    else if (rc == ERR_OK && l.rest.len && !fn(ctx, buf_str(&l.rest)))
        rc = err_set(err, ERR_CANCELLED, "stopped");
    buf_release(&l.rest);
    return rc;
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
