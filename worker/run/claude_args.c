/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/claude_args.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/banned.h"

enum { TEXT_MAX_BYTES = 1 << 20 }; /* of one argument; the record's own ceiling is lower */

/* Always there. The queue retries better than the agent does, so it gives up early;
 * IS_SANDBOX lets it skip permissions where the sandbox's user is root. */
static const char *const fixed_args[] = {
    "--output-format",          "stream-json",        "--verbose", "--dangerously-skip-permissions",
    "--disable-slash-commands", "--strict-mcp-config"};
static const char *const fixed_env[] = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
                                        "DISABLE_AUTOUPDATER=1", "CLAUDE_CODE_MAX_RETRIES=3",
                                        "IS_SANDBOX=1"};

/* Appends a copy of text (taken from b) to a NULL-terminated list; frees nothing on failure. */
static enum err_code push(char ***list, size_t *n, struct buf *b, struct err *err)
{
    if (b->rc != ERR_OK)
        return err_set(err, b->rc, "an argument of claude");
    char **more = realloc(*list, (*n + 2) * sizeof(*more));
    if (!more)
        return err_set(err, ERR_NOMEM, "claude's arguments");
    *list = more;
    char *text = buf_take(b);
    if (!text)
        return err_set(err, ERR_NOMEM, "claude's arguments");
    more[(*n)++] = text;
    more[*n] = NULL;
    return ERR_OK;
}

static enum err_code arg(struct claude_args *a, const char *text, struct err *err)
{
    AUTO_BUF b = BUF_INIT(TEXT_MAX_BYTES);
    buf_adds(&b, text);
    return push(&a->args, &a->n_args, &b, err);
}

/* --name value; nothing when value is NULL. */
static enum err_code flag(struct claude_args *a, const char *name, const char *value,
                          struct err *err)
{
    if (!value)
        return ERR_OK;
    enum err_code rc = arg(a, name, err);
    return rc != ERR_OK ? rc : arg(a, value, err);
}

static enum err_code env(struct claude_args *a, const char *name, const char *value,
                         struct err *err)
{
    AUTO_BUF b = BUF_INIT(TEXT_MAX_BYTES);
    buf_adds(&b, name);
    if (value) {
        buf_addc(&b, '=');
        buf_adds(&b, value);
    }
    return push(&a->env, &a->n_env, &b, err);
}

static enum err_code add_limits(const struct run_request *r, struct claude_args *a, struct err *err)
{
    AUTO_BUF turns = BUF_INIT(64), budget = BUF_INIT(64);
    enum err_code rc = ERR_OK;

    buf_addf(&turns, "%" PRId64, r->max_turns);
    buf_addf(&budget, "%.6f", r->max_budget_usd);
    if (r->max_turns > 0)
        rc = flag(a, "--max-turns", turns.p, err);
    if (rc == ERR_OK && r->max_budget_usd > 0)
        rc = flag(a, "--max-budget-usd", budget.p, err);
    return rc;
}

/* One flag a tool: the flag takes many values, and would swallow what follows. */
static enum err_code add_tools(const struct run_request *r, struct claude_args *a, struct err *err)
{
    const cJSON *tool;
    cJSON_ArrayForEach(tool, r->allowed_tools)
    {
        enum err_code rc = flag(a, "--allowedTools", cJSON_GetStringValue(tool), err);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code add_schema(const struct run_request *r, struct claude_args *a, struct err *err)
{
    if (!r->json_schema)
        return ERR_OK;
    char *text = cJSON_PrintUnformatted(r->json_schema);
    if (!text)
        return err_set(err, ERR_NOMEM, "the JSON schema's text");
    enum err_code rc = flag(a, "--json-schema", text, err);
    cJSON_free(text);
    return rc;
}

static enum err_code add_session(const struct claude_want *w, struct claude_args *a,
                                 struct err *err)
{
    char id[UUID_TEXT];
    if (w->resume)
        return flag(a, "--resume", w->resume, err);
    claude_session_id(w->request->run_id, w->attempt, id);
    return flag(a, "--session-id", id, err);
}

static enum err_code add_args(const struct claude_want *w, struct claude_args *a, struct err *err)
{
    const struct run_request *r = w->request;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < COUNTOF(fixed_args) && rc == ERR_OK; i++)
        rc = arg(a, fixed_args[i], err);
    if (rc == ERR_OK)
        rc = add_session(w, a, err);
    if (rc == ERR_OK)
        rc = flag(a, "--model", r->model, err);
    if (rc == ERR_OK)
        rc = add_limits(r, a, err);
    if (rc == ERR_OK)
        rc = flag(a, "--append-system-prompt", r->system_prompt, err);
    if (rc == ERR_OK)
        rc = add_schema(r, a, err);
    return rc == ERR_OK ? add_tools(r, a, err) : rc;
}

static enum err_code add_env(const struct claude_want *w, struct claude_args *a, struct err *err)
{
    const cJSON *v;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < COUNTOF(fixed_env) && rc == ERR_OK; i++)
        rc = env(a, fixed_env[i], NULL, err);
    cJSON_ArrayForEach(v, w->request->env)
    {
        if (rc == ERR_OK && cJSON_IsString(v))
            rc = env(a, v->string, v->valuestring, err);
    }
    /* Behind those of the request: the last one counts, and a credential goes where it belongs. */
    if (rc == ERR_OK && w->base_url)
        rc = env(a, "ANTHROPIC_BASE_URL", w->base_url, err);
    if (rc == ERR_OK && w->stand_in)
        rc = env(a, w->stand_in, "added-outside-the-sandbox", err);
    return rc;
}

enum err_code claude_args_make(const struct claude_want *w, struct claude_args *out,
                               struct err *err)
{
    *out = (struct claude_args){0};
    enum err_code rc = add_args(w, out, err);
    if (rc == ERR_OK)
        rc = add_env(w, out, err);
    if (rc != ERR_OK)
        claude_args_release(out);
    return rc;
}

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

void claude_args_release(struct claude_args *a)
{
    free_list(a->args);
    free_list(a->env);
    *a = (struct claude_args){0};
}

void claude_session_id(const char *run_id, int64_t attempt, char out[UUID_TEXT])
{
    AUTO_BUF n = BUF_INIT(32);
    buf_addf(&n, "%" PRId64, attempt);
    struct str parts[] = {STR("claude-session"), str_of(run_id), buf_str(&n)};
    uuid_v8(parts, COUNTOF(parts), out);
}
