/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/sandbox_internal.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/json.h"
#include "worker/e2b/e2b_error.h"

#include "common/banned.h"

enum { URL_MAX_BYTES = 2048, HEADER_MAX_BYTES = SECRET_MAX_BYTES + 32, CALL_TRIES = 4 };

struct sandbox_call { /* a small request, tried a few times: timeout, kill */
    LIST_ENTRY(sandbox_call) link;
    struct sandbox_service *service;
    const char *method;
    char *path, *body;
    bool missing_ok; /* 404 is as good */
    sandbox_fn fn;
    void *ctx;
    struct http_req *req;
    struct timer *timer;
    struct backoff backoff;
};

/* --- service ---------------------------------------------------------------- */

enum err_code sandbox_service_new(struct loop *l, const struct sandbox_service_opts *opts,
                                  struct sandbox_service **out, struct err *err)
{
    struct sandbox_service *s = calloc(1, sizeof(*s));

    if (!s)
        return err_set(err, ERR_NOMEM, "sandbox service");
    *s = (struct sandbox_service){.loop = l, .opts = *opts};
    LIST_INIT(&s->ops);
    LIST_INIT(&s->calls);
    if (http_new(l, NULL, &s->http, err) != ERR_OK) {
        free(s);
        return err->code;
    }
    *out = s;
    return ERR_OK;
}

static void call_free(struct sandbox_call *c)
{
    LIST_REMOVE(c, link);
    http_cancel(c->req);
    timer_free(c->timer);
    free(c->path);
    free(c->body);
    free(c);
}

void sandbox_service_free(struct sandbox_service *s)
{
    if (!s)
        return;
    while (!LIST_EMPTY(&s->ops))
        sandbox_op_free(LIST_FIRST(&s->ops));
    while (!LIST_EMPTY(&s->calls))
        call_free(LIST_FIRST(&s->calls));
    http_free(s->http);
    free(s);
}

enum err_code sandbox_request_start(struct sandbox_service *s, const struct sandbox_request *r,
                                    const struct http_events *ev, void *ctx, struct http_req **out,
                                    struct err *err)
{
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES), key = BUF_INIT(HEADER_MAX_BYTES);
    AUTO_BUF idempotency = BUF_INIT(256);
    const char *headers[4] = {"User-Agent: sandfleet/" SF_VERSION,
                              "Content-Type: application/json"};
    struct http_call call = {.method = r->method, .headers = headers, .n_headers = 2};
    enum err_code rc;

    buf_addf(&url, "%s%s", s->opts.api_url, r->path);
    buf_addf(&key, "X-API-Key: " STR_FMT, STR_ARG(secret_value(s->opts.api_key)));
    buf_addf(&idempotency, "Idempotency-Key: %s", r->idempotency_key ? r->idempotency_key : "");
    if (url.rc != ERR_OK || key.rc != ERR_OK || idempotency.rc != ERR_OK)
        return err_set(err, ERR_TOO_BIG, "request to the sandbox service");
    headers[call.n_headers++] = key.p;
    if (r->idempotency_key)
        headers[call.n_headers++] = idempotency.p;
    call.url = url.p;
    call.body = str_of(r->body);
    call.total_ms = SANDBOX_API_MS;
    rc = http_start(s->http, &call, ev, ctx, out, err);
    sodium_memzero(key.p, key.len);
    return rc;
}

/* --- small calls -------------------------------------------------------------- */

static void call_go(void *ctx);

static void call_end(struct sandbox_call *c, const struct err *e)
{
    sandbox_fn fn = c->fn;
    void *ctx = c->ctx;

    call_free(c);
    if (fn)
        fn(ctx, e);
}

static void call_retry(struct sandbox_call *c, const struct err *e)
{
    bool again = err_action(e->code) == ERR_DO_RETRY && e->code != ERR_GONE &&
                 c->backoff.tries + 1 < CALL_TRIES;

    if (!again) {
        call_end(c, e);
        return;
    }
    int64_t own = backoff_next_ms(&c->backoff); /* counts the try, too */
    timer_start(c->timer, e->retry_ms > 0 ? e->retry_ms : own);
}

static void call_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct sandbox_call *c = ctx;
    struct err verdict = *e;

    c->req = NULL;
    if (e->code == ERR_OK && a->status / 100 != 2)
        (void)e2b_error_of_http(E2B_API, a, &verdict);
    if (verdict.code == ERR_GONE && c->missing_ok)
        verdict = ERR_INIT;
    if (verdict.code == ERR_OK)
        call_end(c, &verdict);
    else
        call_retry(c, &verdict);
}

static void call_go(void *ctx)
{
    static const struct http_events ev = {.done = call_done};
    struct sandbox_call *c = ctx;
    const struct sandbox_request r = {.method = c->method, .path = c->path, .body = c->body};
    struct err e = ERR_INIT;

    if (sandbox_request_start(c->service, &r, &ev, c, &c->req, &e) != ERR_OK)
        call_end(c, &e);
}

static enum err_code call_start(const struct sandbox_call *want, const char *id, const char *suffix,
                                struct err *err)
{
    struct sandbox_call *c;
    AUTO_BUF path = BUF_INIT(SANDBOX_ID_MAX_BYTES + 64);

    if (!sandbox_id_ok(str_of(id))) {
        free(want->body);
        return err_set(err, ERR_INVALID, "sandbox id");
    }
    c = malloc(sizeof(*c));
    if (!c) {
        free(want->body);
        return err_set(err, ERR_NOMEM, "call to the sandbox service");
    }
    *c = *want;
    buf_addf(&path, "/sandboxes/%s%s", id, suffix);
    c->path = buf_take(&path);
    c->backoff = BACKOFF_INIT(200, 5000);
    c->timer = timer_new(c->service->loop, call_go, c);
    LIST_INSERT_HEAD(&c->service->calls, c, link);
    if (!c->path || !c->timer) {
        call_free(c);
        return err_set(err, ERR_NOMEM, "call to the sandbox service");
    }
    timer_start(c->timer, 0);
    return ERR_OK;
}

enum err_code sandbox_set_ttl(struct sandbox_service *s, const char *id, int64_t ttl_ms,
                              sandbox_fn fn, void *ctx, struct err *err)
{
    struct buf body = BUF_INIT(64);

    buf_addf(&body, "{\"timeout\":%" PRId64 "}", (ttl_ms + 999) / 1000);
    return call_start(
        &(struct sandbox_call){
            .service = s, .method = "POST", .body = buf_take(&body), .fn = fn, .ctx = ctx},
        id, "/timeout", err);
}

enum err_code sandbox_kill(struct sandbox_service *s, const char *id, sandbox_fn fn, void *ctx,
                           struct err *err)
{
    return call_start(
        &(struct sandbox_call){
            .service = s, .method = "DELETE", .missing_ok = true, .fn = fn, .ctx = ctx},
        id, "", err);
}

/* --- a sandbox ----------------------------------------------------------------- */

bool sandbox_id_ok(struct str id)
{
    if (id.n == 0 || id.n >= SANDBOX_ID_MAX_BYTES)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (!((id.p[i] >= 'a' && id.p[i] <= 'z') || (id.p[i] >= '0' && id.p[i] <= '9') ||
              (id.p[i] == '-' && i > 0)))
            return false;
    return true;
}

/* What goes into an address or a header line: no space, no control, nothing that ends it. */
static bool word_ok(const char *s, const char *also)
{
    size_t n = strlen(s);

    if (n == 0 || n > 512)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
              (s[i] >= '0' && s[i] <= '9') || strchr(also, s[i])))
            return false;
    return true;
}

static enum err_code make_envd(struct sandbox *sb, const char *domain, const char *token,
                               struct err *err)
{
    const struct sandbox_service_opts *o = &sb->service->opts;
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);
    struct envd_opts opts = {.token = token};

    if (o->sandbox_url) {
        buf_adds(&url, o->sandbox_url);
        opts.id = sb->id;
    } else {
        buf_addf(&url, "https://%d-%s.%s", ENVD_PORT, sb->id, domain ? domain : o->domain);
    }
    if (url.rc != ERR_OK)
        return err_set(err, url.rc, "address of sandbox '%s'", sb->id);
    opts.url = url.p;
    return envd_new(sb->service->http, &opts, &sb->envd, err);
}

enum err_code sandbox_of_answer(struct sandbox_service *s, struct str body, struct sandbox **out,
                                struct err *err)
{
    AUTO_JSON *tree = NULL;
    const char *id, *token, *domain;
    struct str bare = {0}, rest;
    struct sandbox *sb;

    if (json_parse(body, 0, &tree, err) != ERR_OK)
        return err_set(err, ERR_PROTOCOL, "sandbox service: its answer is not JSON");
    id = json_get_string(tree, "sandboxID");
    token = json_get_string(tree, "envdAccessToken");
    domain = json_get_string(tree, "domain");
    rest = str_of(id);
    if (!str_next(&rest, '-', &bare) || !sandbox_id_ok(bare) ||
        (token && !word_ok(token, "-_.=+/~:")) || (domain && !word_ok(domain, "-.")))
        return err_set(err, ERR_PROTOCOL, "sandbox service: its answer names no sandbox");
    sb = calloc(1, sizeof(*sb));
    if (!sb)
        return err_set(err, ERR_NOMEM, "sandbox");
    sb->service = s;
    memcpy(sb->id, bare.p, bare.n);
    if (make_envd(sb, domain, token, err) != ERR_OK) {
        free(sb);
        return err->code;
    }
    *out = sb;
    return ERR_OK;
}

const char *sandbox_id(const struct sandbox *sb)
{
    return sb->id;
}

struct envd *sandbox_envd(const struct sandbox *sb)
{
    return sb->envd;
}

struct loop *sandbox_loop(const struct sandbox *sb)
{
    return sb->service->loop;
}

void sandbox_free(struct sandbox *sb)
{
    if (!sb)
        return;
    envd_free(sb->envd);
    free(sb);
}
