/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet sessions …` and `sandfleet sandbox …`. */
#include <stdio.h>
#include <string.h>

#include "producer/api/api_show.h"
#include "producer/show/term_text.h"
#include "producer/verbs/cmd_fleet.h"
#include "producer/verbs/cmd_runs.h"
#include "common/banned.h"

enum { OUT_MAX = 1 << 20 };

static const struct field session_list[] = {
    {"SESSION", "session_id", FIELD_TEXT, 0},    {"RUNS", "runs", FIELD_COUNT, 0},
    {"OPEN", "open_runs", FIELD_COUNT, 0},       {"LAST", "last_state", FIELD_TEXT, 0},
    {"SANDBOX", "sandbox_state", FIELD_TEXT, 0}, {"COST", "cost_usd", FIELD_USD, 0},
    {"ACTIVE", "last_active_at", FIELD_AGO, 0},
};

static const struct field session_get[] = {
    {"session", "session_id", FIELD_TEXT, 0},
    {"tenant", "tenant", FIELD_TEXT, 0},
    {"runs", "runs", FIELD_COUNT, 0},
    {"not ended", "open_runs", FIELD_COUNT, 0},
    {"last run", "last_run_id", FIELD_TEXT, 0},
    {"its state", "last_state", FIELD_TEXT, 0},
    {"claude session", "claude_session", FIELD_TEXT, 0},
    {"sandbox", "sandbox_id", FIELD_TEXT, 0},
    {"sandbox state", "sandbox_state", FIELD_TEXT, 0},
    {"since", "sandbox_since", FIELD_TIME, 0},
    {"cost", "cost_usd", FIELD_USD, 0},
    {"first run", "first_run_at", FIELD_TIME, 0},
    {"last active", "last_active_at", FIELD_TIME, 0},
};

static const struct field sandbox_list[] = {
    {"SANDBOX", "sandbox_id", FIELD_TEXT, 0}, {"STATE", "state", FIELD_TEXT, 0},
    {"FOR", "since", FIELD_AGO, 0},           {"RAN", "running_ms", FIELD_MS, 0},
    {"COST", "cost_usd", FIELD_USD, 0},       {"TEMPLATE", "template", FIELD_TEXT, 100},
    {"RUN", "run_id", FIELD_TEXT, 120},       {"SESSION", "session_id", FIELD_TEXT, 0},
};

static const struct field sandbox_get[] = {
    {"sandbox", "sandbox_id", FIELD_TEXT, 0}, {"state", "state", FIELD_TEXT, 0},
    {"reason", "reason", FIELD_TEXT, 0},      {"tenant", "tenant", FIELD_TEXT, 0},
    {"template", "template", FIELD_TEXT, 0},  {"run", "run_id", FIELD_TEXT, 0},
    {"session", "session_id", FIELD_TEXT, 0}, {"since", "since", FIELD_TIME, 0},
    {"created", "created_at", FIELD_TIME, 0}, {"used", "used_at", FIELD_TIME, 0},
    {"ended", "ended_at", FIELD_TIME, 0},     {"ran", "running_ms", FIELD_MS, 0},
    {"cost", "cost_usd", FIELD_USD, 0},
};

static const struct field sandbox_cost[] = {
    {"sandbox", "sandbox_id", FIELD_TEXT, 0},
    {"ran", "running_ms", FIELD_MS, 0},
    {"cost", "cost_usd", FIELD_USD, 0},
};

static enum err_code check_word(int n, char **words, const char *what, struct err *err)
{
    if (n != 1 || !*words[0])
        return err_set(err, ERR_USAGE, "%s is missing", what);
    return ERR_OK;
}

static int list(struct client *c, const char *path, const struct field *fields, size_t n_fields,
                const char *what)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    const struct api_list l = {.path = path,
                               .fields = fields,
                               .n_fields = n_fields,
                               .what = what,
                               .paged = true,
                               .limit = c->limit};

    if (api_client_new(c, &a, &err) == ERR_OK)
        (void)!api_show_list(a, c, &l, &err);
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

static int get(struct client *c, const char *fmt, int n, char **words, const struct field *fields,
               size_t n_fields)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF path = BUF_INIT(2048);

    if (check_word(n, words, "its name", &err) == ERR_OK && api_client_new(c, &a, &err) == ERR_OK) {
        buf_adds(&path, fmt);
        api_path(&path, "%s", words[0]);
        (void)!api_show_one(a, c, path.p, fields, n_fields, &err);
    }
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

/* --- sessions ------------------------------------------------------------------- */

int command_sessions_list(struct client *c, int n, char **words)
{
    (void)n;
    (void)words;
    return list(c, "/v1/sessions", session_list, COUNTOF(session_list), "sessions");
}

int command_sessions_get(struct client *c, int n, char **words)
{
    return get(c, "/v1/sessions/", n, words, session_get, COUNTOF(session_get));
}

int command_sessions_end(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF path = BUF_INIT(2048), out = BUF_INIT(OUT_MAX);

    if (check_word(n, words, "the session's name", &err) == ERR_OK &&
        api_client_new(c, &a, &err) == ERR_OK) {
        api_path(&path, "/v1/sessions/%s", words[0]);
        const struct api_call call = {.method = "DELETE", .path = path.p};
        if (api_call(a, &call, &out, NULL, &err) == ERR_OK && !c->quiet)
            client_note("session %s is forgotten; its next run begins a new conversation",
                        words[0]);
    }
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

/* --- sandboxes ------------------------------------------------------------------ */

int command_sandbox_list(struct client *c, int n, char **words)
{
    AUTO_BUF path = BUF_INIT(1024);

    (void)n;
    (void)words;
    api_path(&path, "/v1/sandboxes");
    api_query(&path, "state", ((const struct fleet_client *)c)->states);
    return list(c, path.p, sandbox_list, COUNTOF(sandbox_list), "sandboxes");
}

static enum err_code tell_asked(const struct client *c, const cJSON *doc, struct err *err)
{
    int64_t asked = 0;
    AUTO_BUF line = BUF_INIT(1024);

    if (c->output != OUTPUT_TEXT)
        return api_show_doc(c, doc, NULL, 0, err);
    json_get_int(doc, "asked", &asked);
    buf_addf(&line, "%lld of template %s will be made; the first runs that come have %s\n",
             (long long)asked, json_get_string(doc, "template"), asked == 1 ? "it" : "them");
    return api_show_put(buf_str(&line), err);
}

int command_sandbox_create(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF body = BUF_INIT(1024), out = BUF_INIT(OUT_MAX);
    AUTO_JSON *doc = NULL;

    buf_addc(&body, '{');
    json_kv(&body, "template", n > 0 ? words[0] : NULL);
    json_kv_int(&body, "count", ((const struct fleet_client *)c)->count);
    buf_addc(&body, '}');
    const struct api_call call = {
        .method = "POST", .path = "/v1/sandboxes", .body = buf_str(&body), .once = true};
    if (api_client_new(c, &a, &err) == ERR_OK && api_call(a, &call, &out, NULL, &err) == ERR_OK &&
        json_parse(buf_str(&out), 0, &doc, &err) == ERR_OK)
        (void)!tell_asked(c, doc, &err);
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

int command_sandbox_status(struct client *c, int n, char **words)
{
    return get(c, "/v1/sandboxes/", n, words, sandbox_get, COUNTOF(sandbox_get));
}

int command_sandbox_cost(struct client *c, int n, char **words)
{
    return get(c, "/v1/sandboxes/", n, words, sandbox_cost, COUNTOF(sandbox_cost));
}

/* Which run had it last; copied to run_id. */
static enum err_code last_run(struct client *c, const char *sandbox, char *run_id, size_t room,
                              struct err *err)
{
    struct api_client *a = NULL;
    AUTO_BUF path = BUF_INIT(2048);
    AUTO_JSON *doc = NULL;
    const char *id;

    api_path(&path, "/v1/sandboxes/%s", sandbox);
    if (api_client_new(c, &a, err) == ERR_OK && api_get(a, path.p, &doc, err) == ERR_OK) {
        id = json_get_string(doc, "run_id");
        snprintf(run_id, room, "%s", id ? id : "");
        if (!id)
            err_set(err, ERR_NOT_FOUND, "no run had sandbox '%s' yet", sandbox);
    }
    api_client_free(a);
    return err->code;
}

int command_sandbox_logs(struct client *c, int n, char **words)
{
    struct err err = ERR_INIT;
    char run_id[64], *run[] = {run_id};

    if (check_word(n, words, "the sandbox's id", &err) != ERR_OK ||
        last_run(c, words[0], run_id, sizeof(run_id), &err) != ERR_OK)
        return api_fail(&err);
    if (!c->quiet)
        client_note("what run %s, which had it last, printed", run_id);
    return command_runs_logs(c, 1, run);
}

int command_sandbox_terminate(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF path = BUF_INIT(2048), out = BUF_INIT(OUT_MAX);
    AUTO_JSON *doc = NULL;

    if (check_word(n, words, "the sandbox's id", &err) == ERR_OK &&
        api_client_new(c, &a, &err) == ERR_OK) {
        api_path(&path, "/v1/sandboxes/%s", words[0]);
        const struct api_call call = {.method = "DELETE", .path = path.p};
        if (api_call(a, &call, &out, NULL, &err) == ERR_OK &&
            json_parse(buf_str(&out), 0, &doc, &err) == ERR_OK)
            (void)!api_show_doc(c, doc, sandbox_get, COUNTOF(sandbox_get), &err);
        if (err.code == ERR_OK && !c->quiet)
            client_note("it is killed within seconds; `sandfleet sandbox status %s` tells when",
                        words[0]);
    }
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}
