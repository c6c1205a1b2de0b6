/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for the sandboxes, and for what is done in one. */
#include <string.h>

#include "run_world.h"
#include "worker/run/claude_update.h"
#include "common/banned.h"

enum err_code eviction_start(struct ledger *l, struct sandbox_service *s, eviction_fn fn, void *ctx,
                             struct eviction **out, struct err *err)
{
    (void)l, (void)s, (void)err;
    *out = (struct eviction *)&w.room;
    world_note("evict");
    w.room = fn;
    w.room_ctx = ctx;
    return ERR_OK;
}

void eviction_free(struct eviction *v)
{
    assert_null(v);
}

bool claude_update_applies(bool policy_once, const char *template)
{
    return policy_once && strcmp(template, "claude") == 0;
}

static enum err_code carry(const char *what, carry_fn fn, void *ctx, struct carry **out)
{
    world_note("%s", what);
    w.carried = fn;
    w.carried_ctx = ctx;
    *out = (struct carry *)(uintptr_t)&w.carried;
    return ERR_OK;
}

enum err_code carry_out(const struct carry_store *s, const struct carry_from *from, const char *key,
                        carry_fn fn, void *ctx, struct carry **out, struct err *err)
{
    (void)s, (void)key, (void)err;
    assert_string_equal(from->claude_session, TALK);
    return carry("carry-out", fn, ctx, out);
}

enum err_code carry_in(const struct carry_store *s, const char *key, const char *sha256,
                       carry_fn fn, void *ctx, struct carry **out, struct err *err)
{
    (void)s, (void)err;
    assert_string_equal(key, "transcripts/k");
    assert_string_equal(sha256, "cafe");
    return carry("carry-in", fn, ctx, out);
}

void carry_free(struct carry *c)
{
    if (c)
        w.carried = NULL;
}

struct claude_update *claude_update_start(struct sandbox *sb, void (*done)(void *ctx), void *ctx)
{
    (void)sb;
    world_note("update");
    w.updated = done;
    w.updated_ctx = ctx;
    return (struct claude_update *)&w.updated;
}

void claude_update_free(struct claude_update *u)
{
    if (u)
        w.updated = NULL;
}

bool fill_applies(const struct run_request *r)
{
    return r->files;
}

enum err_code fill_start(const struct fetch_policy *policy, struct sandbox *sb,
                         const struct fill_want *want, fill_fn fn, void *ctx, struct fill **out,
                         struct err *err)
{
    (void)policy, (void)sb, (void)want, (void)err;
    world_note("fill");
    w.filled = fn;
    w.filled_ctx = ctx;
    *out = (struct fill *)&w.filled;
    return ERR_OK;
}

enum err_code collect_start(struct store *store, struct sandbox *sb,
                            const struct collect_want *want, const struct collect_events *ev,
                            void *ctx, struct collect **out, struct err *err)
{
    (void)store, (void)sb, (void)err;
    world_note("collect%s", want->output ? ":output" : "");
    w.collect = ev;
    w.collect_ctx = ctx;
    *out = (struct collect *)&w.collect;
    return ERR_OK;
}

void collect_free(struct collect *c)
{
    if (c)
        w.collect = NULL;
}

void fill_free(struct fill *f)
{
    if (f)
        w.filled = NULL;
}

enum err_code sandbox_create(struct sandbox_service *s, const struct sandbox_want *want,
                             const struct sandbox_events *ev, void *ctx, struct sandbox_op **out,
                             struct err *err)
{
    (void)s, (void)out, (void)err;
    world_note("create:%d", (int)want->attempt);
    w.answered = false;
    w.boot = ev;
    w.boot_ctx = ctx;
    return ERR_OK;
}

bool sandbox_service_is_down(const struct sandbox_service *s)
{
    (void)s;
    return false;
}

enum err_code sandbox_open(struct sandbox_service *s, const char *id, int64_t ttl_ms,
                           const struct sandbox_events *ev, void *ctx, struct sandbox_op **out,
                           struct err *err)
{
    (void)s, (void)ttl_ms, (void)out, (void)err;
    world_note("open:%s", id);
    w.answered = false;
    w.boot = ev;
    w.boot_ctx = ctx;
    return ERR_OK;
}

static enum err_code call(sandbox_fn fn, void *ctx)
{
    assert_null(w.call);
    w.call = fn;
    w.call_ctx = ctx;
    return ERR_OK;
}

enum err_code sandbox_set_ttl(struct sandbox_service *s, const char *id, int64_t ttl_ms,
                              sandbox_fn fn, void *ctx, struct err *err)
{
    (void)s, (void)err;
    w.ttl_ms = ttl_ms;
    world_note("park:%s", id);
    return call(fn, ctx);
}

enum err_code sandbox_set_network(struct sandbox_service *s, const char *id, const char *network,
                                  sandbox_fn fn, void *ctx, struct err *err)
{
    (void)s, (void)err;
    bool off = strcmp(network, "{}") == 0;
    if (!off)
        assert_string_equal(network,
                            "{\"rules\":{\"api.anthropic.com\":[{\"transform\":{\"headers\":{"
                            "\"Authorization\":\"Bearer canary-0123456789\"}}}]}}");
    world_note("rules:%s,%s", id, off ? "off" : "on");
    return call(fn, ctx);
}

enum err_code sandbox_kill(struct sandbox_service *s, const char *id, sandbox_fn fn, void *ctx,
                           struct err *err)
{
    (void)s, (void)err;
    world_note("kill:%s", id);
    return call(fn, ctx);
}

enum err_code sandbox_pause(struct sandbox_service *s, const char *id, sandbox_fn fn, void *ctx,
                            struct err *err)
{
    (void)s, (void)err;
    world_note("pause:%s", id);
    return call(fn, ctx);
}

enum err_code sandbox_get(struct sandbox_service *s, const char *id, sandbox_info_fn fn, void *ctx,
                          struct err *err)
{
    (void)s, (void)id, (void)err;
    w.info = fn;
    w.info_ctx = ctx;
    return ERR_OK;
}

const char *sandbox_id(const struct sandbox *sb)
{
    return (const char *)sb;
}

void sandbox_free(struct sandbox *sb)
{
    (void)sb;
}

enum err_code capture_start(struct sandbox *sb, const struct capture_spec *spec,
                            const struct capture_events *ev, void *ctx, struct capture **out,
                            struct err *err)
{
    (void)sb, (void)err;
    bool again = false;
    const char *talk = NULL;
    for (size_t i = 0; spec->args[i]; i++) {
        again = again || strcmp(spec->args[i], "--resume") == 0;
        if (strcmp(spec->args[i], "--resume") == 0 || strcmp(spec->args[i], "--session-id") == 0)
            talk = spec->args[i + 1];
    }
    assert_non_null(talk);
    assert_string_equal(spec->claude_session, talk);
    world_note("agent%s%s%s%s", spec->resume ? ":look" : "", again ? ":resume" : "",
               spec->transcript.n > 0 ? ":transcript" : "", spec->proxied ? ":proxied" : "");
    if (spec->credential)
        assert_true(!spec->proxied && str_is(secret_value(spec->credential), "canary-0123456789"));
    else /* or it is only looked for, to be ended */
        assert_true(spec->proxied || !spec->credential_env || run_state(w.run) == RUN_CANCELLING);
    w.agent = ev;
    w.agent_ctx = ctx;
    w.line = 0;
    *out = (struct capture *)&w.agent;
    return ERR_OK;
}

void capture_pause(struct capture *c, bool paused)
{
    (void)c;
    world_note(paused ? "stop-reading" : "read-on");
}

void capture_cancel(struct capture *c, int64_t grace_ms)
{
    assert_non_null(c);
    assert_int_equal(grace_ms, 1300);
    world_note("interrupt");
    w.interrupted = true;
}

void capture_free(struct capture *c)
{
    if (c)
        w.agent = NULL;
}
