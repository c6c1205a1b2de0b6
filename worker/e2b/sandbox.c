/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/sandbox_internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/e2b/sandbox_answer.h"
#include "worker/e2b/sandbox_call.h"
#include "worker/e2b/sandbox_route.h"

#include "common/banned.h"

enum { URL_MAX_BYTES = 12288, HEADER_MAX_BYTES = SECRET_MAX_BYTES + 32, KEY_LINE_MAX_BYTES = 320 };

/* --- service ---------------------------------------------------------------- */

/* Addresses and names go into URLs and header lines: they are checked once, here. */
static enum err_code check_opts(const struct sandbox_service_opts *o, struct err *err)
{
    if (o->api_url && !sandbox_url_ok(str_of(o->api_url)))
        return err_set(err, ERR_CONFIG, "E2B_API_URL is not http(s)://host[:port]");
    if (o->sandbox_url && !sandbox_url_ok(str_of(o->sandbox_url)))
        return err_set(err, ERR_CONFIG, "E2B_SANDBOX_URL is not http(s)://host[:port]");
    if (!sandbox_host_ok(str_of(o->domain)))
        return err_set(err, ERR_CONFIG, "E2B_DOMAIN is not a host name");
    return ERR_OK;
}

enum err_code sandbox_service_new(struct loop *l, const struct sandbox_service_opts *opts,
                                  struct sandbox_service **out, struct err *err)
{
    struct sandbox_service *s;
    struct buf api = BUF_INIT(URL_MAX_BYTES);

    if (check_opts(opts, err) != ERR_OK)
        return err->code;
    s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, ERR_NOMEM, "sandbox service");
    *s = (struct sandbox_service){.loop = l, .opts = *opts};
    LIST_INIT(&s->ops);
    LIST_INIT(&s->calls);
    LIST_INIT(&s->lists);
    sandbox_route_api(&api, opts->api_url, opts->domain);
    s->api_url = buf_take(&api);
    if (!s->api_url)
        (void)err_set(err, ERR_NOMEM, "sandbox service");
    if (!s->api_url || http_new(l, opts->http, &s->http, err) != ERR_OK) {
        sandbox_service_free(s);
        return err->code;
    }
    *out = s;
    return ERR_OK;
}

/* --- is it there? ------------------------------------------------------------ */

bool sandbox_service_is_down(const struct sandbox_service *s)
{
    return breaker_state(&s->breaker, loop_now_ms(s->loop)) != BREAKER_CLOSED;
}

int64_t sandbox_service_room(const struct sandbox_service *s, int64_t busy)
{
    return breaker_room(&s->breaker, loop_now_ms(s->loop), busy);
}

static bool says_away(enum err_code code)
{
    return code == ERR_UNAVAILABLE || code == ERR_TIMEOUT || code == ERR_PROTOCOL || code == ERR_IO;
}

/* A refusal is an answer, too. */
void sandbox_service_judge(struct sandbox_service *s, const struct err *e)
{
    int64_t now = loop_now_ms(s->loop);

    if (!says_away(e->code) && breaker_good(&s->breaker))
        log_event(LOG_INFO, "sandboxes.up");
    if (says_away(e->code) && breaker_bad(&s->breaker, now, randombytes_random()))
        log_event(LOG_WARN, "sandboxes.down", LF_ERR(e),
                  LF_INT("ms", s->breaker.open_until_ms - now),
                  LF("next", "runs wait until one that is tried then gets its sandbox"));
}

void sandbox_service_free(struct sandbox_service *s)
{
    if (!s)
        return;
    while (!LIST_EMPTY(&s->ops))
        sandbox_op_free(LIST_FIRST(&s->ops));
    sandbox_list_free_all(s);
    sandbox_call_free_all(s);
    http_free(s->http);
    free(s->api_url);
    free(s);
}

enum err_code sandbox_request_start(struct sandbox_service *s, const struct sandbox_request *r,
                                    const struct http_events *ev, void *ctx, struct http_req **out,
                                    struct err *err)
{
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES), key = BUF_INIT(HEADER_MAX_BYTES);
    AUTO_BUF idempotency = BUF_INIT(KEY_LINE_MAX_BYTES);
    const char *headers[4] = {"User-Agent: sandfleet/" SF_VERSION,
                              "Content-Type: application/json"};
    struct http_call call = {.method = r->method, .headers = headers, .n_headers = 2};
    enum err_code rc;

    buf_addf(&url, "%s%s", s->api_url, r->path);
    buf_addf(&key, "X-API-Key: " STR_FMT, STR_ARG(secret_value(s->opts.api_key)));
    buf_addf(&idempotency, "Idempotency-Key: %s", r->idempotency_key ? r->idempotency_key : "");
    if (url.rc != ERR_OK || key.rc != ERR_OK || idempotency.rc != ERR_OK)
        return err_set(err, ERR_TOO_BIG, "request to the sandbox service");
    headers[call.n_headers++] = key.p;
    if (r->idempotency_key)
        headers[call.n_headers++] = idempotency.p;
    call.url = url.p;
    call.body = str_of(r->body);
    call.total_ms = r->total_ms > 0 ? r->total_ms : SANDBOX_API_MS;
    call.max_body = r->max_body;
    call.once = r->once;
    rc = http_start(s->http, &call, ev, ctx, out, err);
    sodium_memzero(key.p, key.len);
    return rc;
}

/* --- a sandbox ----------------------------------------------------------------- */

static enum err_code make_envd(struct sandbox *sb, const struct sandbox_made *made, struct err *err)
{
    const struct sandbox_service_opts *o = &sb->service->opts;
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);
    struct envd_opts opts = {.token = made->token, .keepalive_s = o->keepalive_s};

    if (sandbox_route_envd(&url, o->sandbox_url, made->domain[0] ? made->domain : o->domain,
                           sb->id))
        opts.id = sb->id;
    if (url.rc != ERR_OK)
        return err_set(err, url.rc, "address of sandbox '%s'", sb->id);
    opts.url = url.p;
    return envd_new(sb->service->http, &opts, &sb->envd, err);
}

static enum err_code make_sandbox(struct sandbox_service *s, const struct sandbox_made *made,
                                  struct sandbox **out, struct err *err)
{
    struct sandbox *sb = calloc(1, sizeof(*sb));

    if (!sb)
        return err_set(err, ERR_NOMEM, "sandbox");
    sb->service = s;
    memcpy(sb->id, made->id, sizeof(sb->id));
    if (make_envd(sb, made, err) == ERR_OK) {
        *out = sb;
        return ERR_OK;
    }
    sandbox_free(sb);
    return err->code;
}

enum err_code sandbox_of_answer(struct sandbox_service *s, struct str body, struct sandbox **out,
                                struct err *err)
{
    struct sandbox_made made;
    enum err_code rc = sandbox_made_parse(body, &made, err);

    if (rc == ERR_OK)
        rc = make_sandbox(s, &made, out, err);
    sandbox_made_wipe(&made);
    return rc;
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

struct sandbox_service *sandbox_service_of(const struct sandbox *sb)
{
    return sb->service;
}

void sandbox_free(struct sandbox *sb)
{
    if (!sb)
        return;
    envd_free(sb->envd);
    free(sb);
}
