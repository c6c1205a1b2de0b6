/* SPDX-License-Identifier: Apache-2.0 */
/* envd's process.Process: requests checked and handed on to process.h. */
#include "sandboxd/server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/json.h"
#include "sandboxd/envd/path.h"
#include "sandboxd/envd/process.h"

#include "common/banned.h"

void handle_envd_health(struct request *r)
{
    request_empty(r, 204);
}

/* A streaming method that fails before it streams: 200 and an end frame. */
static void answer_end_error(struct request *r, enum rpc_code code, const char *message)
{
    AUTO_BUF body = BUF_INIT(8192);

    rpc_put_end_error(&body, code, message);
    request_answer(r, 200, "application/connect+json", &body);
}

/* What the headers ask for; false: answered. */
static bool read_follow(struct request *r, struct follow *how)
{
    const char *ping = request_header(r, "Keepalive-Ping-Interval");
    const char *timeout = request_header(r, "Connect-Timeout-Ms");
    struct err e = ERR_INIT;
    int64_t s = 0;

    *how = (struct follow){.keepalive_ms = PROCESS_KEEPALIVE_MS, .deadline_ms = -1};
    if (ping != NULL && (rpc_header_int(ping, &s, &e) != ERR_OK || s < 1 || s > 86400)) {
        answer_end_error(r, RPC_INVALID_ARGUMENT, "Keepalive-Ping-Interval must be 1 to 86400 s");
        return false;
    }
    if (ping != NULL)
        how->keepalive_ms = s * 1000;
    if (timeout == NULL)
        return true;
    if (rpc_header_int(timeout, &how->deadline_ms, &e) != ERR_OK)
        answer_end_error(r, RPC_INVALID_ARGUMENT, e.msg);
    else if (how->deadline_ms <= 0)
        answer_end_error(r, RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    else
        return true;
    return false;
}

/* The one message of a streaming request; NULL: answered. Yours. */
static cJSON *read_message(struct request *r)
{
    struct err e = ERR_INIT;
    struct str text;
    cJSON *m = NULL;

    if (rpc_open_request(buf_str(&r->body), &text, &e) == ERR_OK &&
        json_parse(text, 0, &m, &e) == ERR_OK && cJSON_IsObject(m))
        return m;
    cJSON_Delete(m);
    answer_end_error(r, RPC_INVALID_ARGUMENT, e.code != ERR_OK ? e.msg : "no JSON object");
    return NULL;
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

    if (cmd == NULL || *cmd == '\0' || strlen(cmd) >= PROCESS_ARG_MAX)
        return "process.cmd must be a string";
    if ((args != NULL && !cJSON_IsArray(args)) || (envs != NULL && !cJSON_IsObject(envs)))
        return "process.args must be an array, process.envs an object";
    why = strings_refused(args, "process.args must be strings");
    return why != NULL ? why : strings_refused(envs, "process.envs must be strings");
}

/* The absolute working directory; false: answered. */
static bool find_cwd(struct request *r, const struct sandbox *sb, const cJSON *config,
                     char out[PATH_MAX_BYTES])
{
    const struct server *s = r->app;
    const char *cwd = json_get_string(config, "cwd");
    struct err e = ERR_INIT;
    struct stat st;
    char text[PATH_MAX_BYTES + 64];

    if (cwd == NULL || *cwd == '\0')
        cwd = "~";
    if (path_resolve(sandbox_home(sb), str_of(cwd), out, &e) != ERR_OK) {
        answer_end_error(r, RPC_INVALID_ARGUMENT, e.msg);
        return false;
    }
    identity_enter(&s->identity);
    bool there = stat(out, &st) == 0 && S_ISDIR(st.st_mode);
    identity_leave(&s->identity);
    if (there)
        return true;
    (void)snprintf(text, sizeof(text), "cwd '%s' does not exist", cwd);
    answer_end_error(r, RPC_INVALID_ARGUMENT, text);
    return false;
}

void handle_start(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *m = sb != NULL ? read_message(r) : NULL;
    const cJSON *config = json_get(m, "process");
    struct process_spec spec = {.config = config, .want_stdin = true};
    struct follow how;
    char cwd[PATH_MAX_BYTES];
    const char *why;

    if (m == NULL || !read_follow(r, &how))
        return;
    if ((why = config_refused(config)) != NULL) {
        answer_end_error(r, RPC_INVALID_ARGUMENT, why);
        return;
    }
    if (json_get(m, "pty") != NULL) {
        answer_end_error(r, RPC_UNIMPLEMENTED, "terminals are not available yet");
        return;
    }
    if (!find_cwd(r, sb, config, cwd))
        return;
    (void)json_get_bool(m, "stdin", &spec.want_stdin);
    spec.cwd = cwd;
    spec.tag = json_get_string(m, "tag");
    how.kills = true;
    process_start(sb, &spec, r, &how);
}

/* --- Connect, List, SendSignal ------------------------------------------------------ */

/* {"process":{"pid":N}} or {"process":{"tag":"t"}}; NULL: none, and why says so. */
static struct process *select_process(struct sandbox *sb, const cJSON *m, char why[160])
{
    const cJSON *selector = json_get(m, "process");
    const char *tag = json_get_string(selector, "tag");
    int64_t pid = 0;
    struct process *p;

    (void)json_get_int(selector, "pid", &pid);
    p = pid != 0 || tag != NULL ? process_find(sb, pid, tag) : NULL;
    if (p == NULL && tag != NULL && pid == 0)
        (void)snprintf(why, 160, "process with tag %.100s not found", tag);
    else if (p == NULL)
        (void)snprintf(why, 160, "process with pid %lld not found", (long long)pid);
    return p;
}

void handle_process_connect(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *m = sb != NULL ? read_message(r) : NULL;
    struct follow how;
    char why[160];

    if (m == NULL || !read_follow(r, &how))
        return;
    struct process *p = select_process(sb, m, why);
    if (p == NULL)
        answer_end_error(r, RPC_NOT_FOUND, why);
    else
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

/* The two that the protocol knows, by name or number; 0: another. */
static int wanted_signal(const cJSON *m)
{
    const char *name = json_get_string(m, "signal");
    int64_t number = 0;

    (void)json_get_int(m, "signal", &number);
    if (number == SIGTERM || (name != NULL && strcmp(name, "SIGNAL_SIGTERM") == 0))
        return SIGTERM;
    if (number == SIGKILL || (name != NULL && strcmp(name, "SIGNAL_SIGKILL") == 0))
        return SIGKILL;
    return 0;
}

void handle_send_signal(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *m = sb != NULL ? request_object(r) : NULL;
    AUTO_BUF body = BUF_INIT(16);
    struct err e = ERR_INIT;
    char why[160];

    if (m == NULL)
        return;
    struct process *p = select_process(sb, m, why);
    if (p == NULL || !process_alive(p)) {
        request_rpc_error(r, RPC_NOT_FOUND, "%s", p == NULL ? why : "process has ended");
        return;
    }
    int signum = wanted_signal(m);
    if (signum == 0) {
        request_rpc_error(r, RPC_UNIMPLEMENTED, "invalid signal");
        return;
    }
    if (process_signal(p, signum, &e) != ERR_OK) {
        request_rpc_error(r, RPC_UNAVAILABLE, "%s", e.msg);
        return;
    }
    buf_adds(&body, "{}");
    request_json(r, 200, &body);
}
