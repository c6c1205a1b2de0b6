/* SPDX-License-Identifier: Apache-2.0 */
/* Single calls about one sandbox: how long it lives, whether it does. */
#include <inttypes.h>

#include "common/json/json.h"
#include "worker/e2b/sandbox_answer.h"
#include "worker/e2b/sandbox_call.h"

#include "common/banned.h"

enum { REFRESH_MAX_MS = 3600 * 1000 };

static enum err_code id_checked(const char *id, struct err *err)
{
    return sandbox_id_ok(str_of(id)) ? ERR_OK : err_set(err, ERR_INVALID, "sandbox id");
}

/* --- done or not ---------------------------------------------------------------------- */

enum err_code sandbox_tell_done(struct sandbox_call *c, const struct http_answer *a,
                                const struct err *e, struct err *err)
{
    struct sandbox_answered to = sandbox_call_take(c);

    (void)a;
    (void)err;
    if (to.fn.done && !to.forgotten)
        to.fn.done(to.ctx, e);
    return ERR_OK;
}

static enum err_code act(struct sandbox_service *s, enum sandbox_verb verb, const char *id,
                         const char *body, sandbox_fn fn, void *ctx, struct err *err)
{
    if (id_checked(id, err) != ERR_OK)
        return err->code;
    return sandbox_call_start(s,
                              &(struct sandbox_ask){.verb = verb,
                                                    .id = id,
                                                    .body = body,
                                                    .told = sandbox_tell_done,
                                                    .fn.done = fn,
                                                    .ctx = ctx},
                              err);
}

/* {"NAME":SECONDS}, begun seconds counted whole. */
static enum err_code act_seconds(struct sandbox_service *s, enum sandbox_verb verb, const char *id,
                                 const char *name, int64_t ms, sandbox_fn fn, void *ctx,
                                 struct err *err)
{
    AUTO_BUF body = BUF_INIT(64);

    buf_addf(&body, "{\"%s\":%" PRId64 "}", name, (ms + 999) / 1000);
    if (body.rc != ERR_OK)
        return err_set(err, body.rc, "call to the sandbox service");
    return act(s, verb, id, body.p, fn, ctx, err);
}

enum err_code sandbox_set_ttl(struct sandbox_service *s, const char *id, int64_t ttl_ms,
                              sandbox_fn fn, void *ctx, struct err *err)
{
    return act_seconds(s, SANDBOX_CALL_TTL, id, "timeout", ttl_ms, fn, ctx, err);
}

enum err_code sandbox_refresh(struct sandbox_service *s, const char *id, int64_t duration_ms,
                              sandbox_fn fn, void *ctx, struct err *err)
{
    if (duration_ms < 0 || duration_ms > REFRESH_MAX_MS)
        return err_set(err, ERR_INVALID, "refresh a sandbox: at most an hour at a time");
    return act_seconds(s, SANDBOX_CALL_REFRESH, id, "duration", duration_ms, fn, ctx, err);
}

enum err_code sandbox_kill(struct sandbox_service *s, const char *id, sandbox_fn fn, void *ctx,
                           struct err *err)
{
    return act(s, SANDBOX_CALL_KILL, id, NULL, fn, ctx, err);
}

enum err_code sandbox_pause(struct sandbox_service *s, const char *id, sandbox_fn fn, void *ctx,
                            struct err *err)
{
    return act(s, SANDBOX_CALL_PAUSE, id, "{\"memory\":true}", fn, ctx, err);
}

/* A service that has no such call, asked again and again, has no rules: that is no failure. */
static enum err_code tell_ruled(struct sandbox_call *c, const struct http_answer *a,
                                const struct err *e, struct err *err)
{
    struct err none = ERR_INIT;

    if (!a || e->code != ERR_PROTOCOL || !sandbox_route_missing(a))
        return sandbox_tell_done(c, a, e, err);
    (void)err_set(&none, ERR_NOT_FOUND, "sandbox service: it has no network rules (HTTP %ld)",
                  (long)a->status);
    return sandbox_tell_done(c, a, &none, err);
}

enum err_code sandbox_set_network(struct sandbox_service *s, const char *id, const char *network,
                                  sandbox_fn fn, void *ctx, struct err *err)
{
    if (id_checked(id, err) != ERR_OK)
        return err->code;
    return sandbox_call_start(s,
                              &(struct sandbox_ask){.verb = SANDBOX_CALL_NETWORK,
                                                    .id = id,
                                                    .body = network,
                                                    .told = tell_ruled,
                                                    .fn.done = fn,
                                                    .ctx = ctx},
                              err);
}

/* --- looking ------------------------------------------------------------------------------ */

static enum err_code read_info(const struct http_answer *a, cJSON **tree, struct sandbox_info *info,
                               struct err *err)
{
    if (json_parse(a->body, 0, tree, err) != ERR_OK)
        return err_set(err, ERR_PROTOCOL, "sandbox service: its answer is not JSON");
    return sandbox_info_parse(*tree, info, err);
}

static enum err_code tell_info(struct sandbox_call *c, const struct http_answer *a,
                               const struct err *e, struct err *err)
{
    AUTO_JSON *tree = NULL;
    struct sandbox_info info;
    struct sandbox_answered to;

    if (e->code == ERR_OK && read_info(a, &tree, &info, err) != ERR_OK)
        return err->code;
    to = sandbox_call_take(c);
    if (!to.forgotten)
        to.fn.info(to.ctx, e->code == ERR_OK ? &info : NULL, e);
    return ERR_OK;
}

enum err_code sandbox_get(struct sandbox_service *s, const char *id, sandbox_info_fn fn, void *ctx,
                          struct err *err)
{
    if (id_checked(id, err) != ERR_OK)
        return err->code;
    return sandbox_call_start(
        s,
        &(struct sandbox_ask){
            .verb = SANDBOX_CALL_GET, .id = id, .told = tell_info, .fn.info = fn, .ctx = ctx},
        err);
}

static enum err_code tell_state(struct sandbox_call *c, const struct http_answer *a,
                                const struct err *e, struct err *err)
{
    AUTO_JSON *tree = NULL;
    struct sandbox_info info = {0};
    struct sandbox_answered to;
    enum sandbox_state state = SANDBOX_GONE;

    if (e->code == ERR_OK) {
        if (read_info(a, &tree, &info, err) != ERR_OK)
            return err->code;
        state = info.paused ? SANDBOX_PAUSED : SANDBOX_RUNNING;
    }
    to = sandbox_call_take(c);
    if (!to.forgotten)
        to.fn.probe(to.ctx, state, e->code == ERR_GONE ? &ERR_INIT : e);
    return ERR_OK;
}

enum err_code sandbox_probe(struct sandbox_service *s, const char *id, sandbox_probe_fn fn,
                            void *ctx, struct err *err)
{
    if (id_checked(id, err) != ERR_OK)
        return err->code;
    return sandbox_call_start(
        s,
        &(struct sandbox_ask){
            .verb = SANDBOX_CALL_GET, .id = id, .told = tell_state, .fn.probe = fn, .ctx = ctx},
        err);
}
