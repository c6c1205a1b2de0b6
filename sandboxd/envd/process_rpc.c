/* SPDX-License-Identifier: Apache-2.0 */
/* envd's process.Process: requests checked and handed on to process.h. */
#include "sandboxd/server.h"

#include <string.h>
#include <sys/stat.h>

#include "common/json/json.h"
#include "sandboxd/envd/path.h"
#include "sandboxd/envd/process_rpc.h"

#include "common/banned.h"

void handle_envd_health(struct request *r)
{
    request_empty(r, 204);
}

bool request_follow(struct request *r, struct follow *how)
{
    struct err e = ERR_INIT;

    *how = (struct follow){.keepalive_ms = PROCESS_KEEPALIVE_MS, .deadline_ms = FOLLOW_FOREVER};
    if (rpc_keepalive(request_header(r, "Keepalive-Ping-Interval"), &how->keepalive_ms, &e) !=
            ERR_OK ||
        rpc_timeout(request_header(r, "Connect-Timeout-Ms"), &how->deadline_ms, &e) != ERR_OK)
        request_rpc_error(r, RPC_INVALID_ARGUMENT, "%s", e.msg);
    else if (how->deadline_ms <= 0)
        request_rpc_error(r, RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    else
        return true;
    return false;
}

/* --- Start ------------------------------------------------------------------------ */

static const char *strings_refused(const cJSON *list, const char *what)
{
    const cJSON *e;

    cJSON_ArrayForEach(e, list)
    {
        const char *text = cJSON_GetStringValue(e);

        if (text == NULL)
            return what;
        if (strlen(text) >= PROCESS_ARG_MAX)
            return "argument list too long";
        if (e->string != NULL && (*e->string == '\0' || strchr(e->string, '=') != NULL))
            return what;
    }
    return NULL;
}

/* NULL: fine. */
static const char *config_refused(const cJSON *config)
{
    const char *cmd = json_get_string(config, "cmd"), *why;
    const cJSON *args = json_get(config, "args"), *envs = json_get(config, "envs");

    if (json_get(config, "cmd") != NULL && cmd == NULL)
        return "process.cmd must be a string";
    if (cmd != NULL && strlen(cmd) >= PROCESS_ARG_MAX)
        return "argument list too long";
    if ((args != NULL && !cJSON_IsArray(args)) || (envs != NULL && !cJSON_IsObject(envs)))
        return "process.args must be an array, process.envs an object";
    why = strings_refused(args, "process.args must be strings");
    return why != NULL ? why : strings_refused(envs, "process.envs must be strings");
}

/* The absolute working directory, which may not be there; false: answered. */
static bool find_cwd(struct request *r, const struct sandbox *sb, const cJSON *config,
                     char out[PATH_MAX_BYTES])
{
    const char *cwd = json_get_string(config, "cwd");
    struct err e = ERR_INIT;

    if (cwd == NULL || *cwd == '\0')
        cwd = "~";
    if (path_resolve(sandbox_home(sb), str_of(cwd), out, &e) == ERR_OK)
        return true;
    request_rpc_error(r, RPC_INVALID_ARGUMENT, "%s", e.msg);
    return false;
}

void handle_start(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *m = sb != NULL ? request_message(r) : NULL;
    const cJSON *config = json_get(m, "process");
    struct process_spec spec = {.config = config, .want_stdin = true};
    struct follow how;
    struct terminal size;
    char cwd[PATH_MAX_BYTES];
    const char *why;

    if (m == NULL || !request_follow(r, &how))
        return;
    if ((why = config_refused(config)) != NULL) {
        request_rpc_error(r, RPC_INVALID_ARGUMENT, "%s", why);
        return;
    }
    if (!find_cwd(r, sb, config, cwd))
        return;
    (void)json_get_bool(m, "stdin", &spec.want_stdin);
    spec.cwd = cwd;
    spec.tag = json_get_string(m, "tag");
    spec.terminal = terminal_read(m, &size) ? &size : NULL;
    how.kills = true;
    process_start(sb, &spec, r, &how);
}

/* --- Connect, List ------------------------------------------------------------------- */

struct process *request_process(struct request *r, struct sandbox *sb, const cJSON *m)
{
    struct selector who;
    struct process *p;

    if (!selector_read(m, &who)) {
        request_rpc_error(r, RPC_UNIMPLEMENTED, "invalid input type: neither pid nor tag");
        return NULL;
    }
    p = process_find(sb, &who);
    if (p == NULL && who.tag != NULL)
        request_rpc_error(r, RPC_NOT_FOUND, "process with tag %.1024s not found", who.tag);
    else if (p == NULL)
        request_rpc_error(r, RPC_NOT_FOUND, "process with pid %lld not found", (long long)who.pid);
    return p;
}

void handle_process_connect(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *m = sb != NULL ? request_message(r) : NULL;
    struct follow how;

    if (m == NULL || !request_follow(r, &how))
        return;
    struct process *p = request_process(r, sb, m);
    if (p != NULL)
        process_connect(p, r, &how);
}

void handle_process_list(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_BUF list = BUF_INIT(64 << 20), body = BUF_INIT(64 << 20);

    if (sb == NULL)
        return;
    process_list(sb, &list);
    buf_adds(&body, list.len > 0 ? "{\"processes\":[" : "{"); /* an empty list is left out */
    buf_addstr(&body, buf_str(&list));
    buf_adds(&body, list.len > 0 ? "]}" : "}");
    request_json(r, 200, &body);
}

/* --- SendSignal, Update ------------------------------------------------------------------ */

struct process *request_live_process(struct request *r, cJSON **m)
{
    struct sandbox *sb = request_sandbox(r);

    *m = sb != NULL ? request_object(r) : NULL;
    struct process *p = *m != NULL ? request_process(r, sb, *m) : NULL;
    if (p == NULL || process_alive(p))
        return p;
    request_rpc_error(r, RPC_NOT_FOUND, "process with pid %d not found", process_pid(p));
    return NULL;
}

void request_done(struct request *r)
{
    AUTO_BUF body = BUF_INIT(16);

    buf_adds(&body, "{}");
    request_json(r, 200, &body);
}

void handle_send_signal(struct request *r)
{
    AUTO_JSON *m = NULL;
    struct process *p = request_live_process(r, &m);
    struct err e = ERR_INIT;
    char name[64];

    if (p == NULL)
        return;
    int signum = signal_read(m, name);
    if (signum == 0)
        request_rpc_error(r, RPC_UNIMPLEMENTED, "invalid signal: %s", name);
    else if (process_doomed(p))
        request_rpc_error(r, RPC_NOT_FOUND, "process with pid %d not found", process_pid(p));
    else if (process_signal(p, signum, &e) != ERR_OK)
        request_rpc_error(r, RPC_UNAVAILABLE, "error sending signal: %s", e.msg);
    else
        request_done(r);
}

void handle_update(struct request *r)
{
    AUTO_JSON *m = NULL;
    struct process *p = request_live_process(r, &m);
    struct terminal size;
    struct err e = ERR_INIT;

    if (p == NULL)
        return;
    if (terminal_read(m, &size) && process_resize(p, &size, &e) != ERR_OK)
        request_rpc_error(r, RPC_INTERNAL, "error resizing tty: %s", e.msg);
    else
        request_done(r);
}
