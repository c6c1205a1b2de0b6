/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/request_build.h"

#include <string.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/uuid.h"
#include "common/banned.h"

/* Which of our members the user's own line already has: those are not written. */
struct given {
    const struct json_member *members;
    size_t n;
};

static bool absent(const struct given *g, const char *key)
{
    return json_member(g->members, g->n, key).n == 0;
}

static void put_text(struct buf *b, const struct given *g, const char *key, const char *value)
{
    if (value && absent(g, key))
        json_kv(b, key, value);
}

static void put_int(struct buf *b, const struct given *g, const char *key, int64_t value)
{
    if (value && absent(g, key))
        json_kv_int(b, key, value);
}

static void put_list(struct buf *b, const char *key, const struct opt_list *list)
{
    json_key(b, key);
    buf_addc(b, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            buf_addc(b, ',');
        json_put_string(b, str_of(list->items[i]));
    }
    buf_addc(b, ']');
}

static enum err_code put_env(struct buf *b, const struct opt_list *list, struct err *err)
{
    json_key(b, "env");
    buf_addc(b, '{');
    for (size_t i = 0; i < list->n; i++) {
        struct str rest = str_of(list->items[i]), name;
        if (!str_next(&rest, '=', &name) || name.n == 0 || !memchr(list->items[i], '=', name.n + 1))
            return err_set(err, ERR_USAGE, "--env takes NAME=value, not '%.40s'", list->items[i]);
        if (i)
            buf_addc(b, ',');
        json_put_string(b, name);
        buf_addc(b, ':');
        json_put_string(b, rest);
    }
    buf_addc(b, '}');
    return ERR_OK;
}

static void put_session(struct buf *b, const char *id, const char *on_busy)
{
    json_key(b, "session");
    buf_addc(b, '{');
    json_kv(b, "id", id);
    json_kv(b, "on_busy", on_busy);
    buf_addc(b, '}');
}

enum err_code request_put_flags(struct buf *b, const struct request_defaults *d,
                                const struct json_member *members, size_t n, struct err *err)
{
    const struct given given = {.members = members, .n = n}, *g = &given;
    const struct client *c = d->flags;

    put_text(b, g, "tenant", c->tenant);
    put_text(b, g, "model", c->model);
    put_text(b, g, "system_prompt", c->system_prompt);
    put_text(b, g, "template", c->template);
    put_text(b, g, "working_dir", c->working_dir);
    put_text(b, g, "credential", c->credential);
    put_int(b, g, "max_turns", c->max_turns);
    put_int(b, g, "timeout_s", c->timeout_ms / 1000);
    put_int(b, g, "max_attempts", c->max_attempts);
    if (c->priority >= 0 && absent(g, "priority"))
        json_kv_int(b, "priority", c->priority);
    if (c->max_budget_usd > 0 && absent(g, "max_budget_usd"))
        json_kv_num(b, "max_budget_usd", c->max_budget_usd);
    if (c->on_busy && !c->session && absent(g, "session"))
        return err_set(err, ERR_USAGE, "--on-busy is about a session: name it by --session");
    if (c->session && absent(g, "session"))
        put_session(b, c->session, c->on_busy);
    if (c->allowed_tools.n && absent(g, "allowed_tools"))
        put_list(b, "allowed_tools", &c->allowed_tools);
    if (c->env.n && absent(g, "env"))
        return put_env(b, &c->env, err);
    return ERR_OK;
}

/* The members that are never the user's: version, id, time, batch. */
static void put_head(struct buf *b, const struct request_defaults *d, const char *tenant,
                     const char *key)
{
    char id[UUID_TEXT], now[CLOCK_TEXT];
    int64_t ms = clock_wall_ms();

    if (key)
        run_request_derive_id(tenant ? tenant : "default", key, id);
    else
        uuid_v7(ms, id);
    buf_addc(b, '{');
    json_kv_int(b, "v", RUN_REQUEST_VERSION);
    json_kv(b, "run_id", id);
    json_kv(b, "created_at", clock_rfc3339(ms, now));
    json_kv(b, "batch_id", d->batch_id);
    json_kv(b, "idempotency_key", key);
}

/* The prompt was looked at before: what is wrong with a field now, a flag said. */
static enum err_code blame_flags(struct err *err)
{
    struct str reason = run_request_reason(err);
    char why[sizeof(err->msg)];

    if (!str_is(reason, "invalid_field"))
        return err->code;
    (void)snprintf(why, sizeof(why), "%s", err->msg + reason.n + strlen(": "));
    return err_set(err, ERR_USAGE, "the options are no good: %s", why);
}

enum err_code request_from_flags(const struct request_defaults *d, struct str prompt,
                                 struct run_request *out, struct err *err)
{
    const struct client *c = d->flags;
    AUTO_BUF text = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);

    if (run_prompt_check(prompt, err) != ERR_OK)
        return err->code;
    put_head(&text, d, c->tenant, c->idempotency_key);
    json_kv(&text, "custom_id", c->custom_id);
    json_kv_str(&text, "prompt", prompt);
    if (request_put_flags(&text, d, NULL, 0, err) != ERR_OK)
        return err->code;
    buf_addc(&text, '}');
    if (text.rc != ERR_OK)
        return err_set(err, text.rc, "the request is over %d bytes", 2 * RUN_REQUEST_MAX_BYTES);
    return run_request_parse(buf_str(&text), out, err) == ERR_OK ? ERR_OK : blame_flags(err);
}
