/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/json/json.h"
#include "common/log.h"
#include "sandboxd/control/life.h"
#include "sandboxd/envd/path.h"
#include "sandboxd/envd/process_internal.h"

#include "common/banned.h"

/* --- its end ----------------------------------------------------------------- */

static void process_free(struct process *p)
{
    struct err e = ERR_INIT;

    LIST_REMOVE(p, link);
    subscribers_cut(&p->readers);
    pipe_close(&p->out);
    pipe_close(&p->err);
    (void)err_set(&e, ERR_GONE, "the sandbox has ended");
    input_close(&p->in, &e);
    timer_free(p->cache);
    cJSON_Delete(p->config);
    free(p->tag);
    free(p);
}

static void on_cache_over(void *ctx)
{
    process_free(ctx);
}

void process_maybe_end(struct process *p)
{
    struct err e = ERR_INIT;

    if (p->ended || !p->exited || p->out.end.fd >= 0 || p->err.end.fd >= 0)
        return;
    p->ended = true;
    (void)err_set(&e, ERR_GONE, "broken pipe");
    input_close(&p->in, &e);
    subscribers_exit(&p->readers, p->status);
    timer_start(p->cache, PROCESS_CACHE_MS);
}

static void on_drained(void *ctx)
{
    process_watch_output(ctx);
}

static void on_overdue(void *ctx)
{
    struct process *p = ctx;
    struct err e = ERR_INIT;

    p->overdue = true;
    if (process_alive(p) && process_signal(p, SIGKILL, &e) != ERR_OK)
        log_event(LOG_WARN, "process.not_killed", LF_INT("pid", p->pid), LF_ERR(&e));
    process_watch_output(p);
}

/* --- start ------------------------------------------------------------------- */

/* Of what a client sent, what List gives back. NULL: no memory. */
static cJSON *known_members(const cJSON *config)
{
    static const char *const names[] = {"cmd", "args", "envs", "cwd"};
    cJSON *out = cJSON_CreateObject();

    for (size_t i = 0; out != NULL && i < COUNTOF(names); i++) {
        const cJSON *one = json_get(config, names[i]);
        cJSON *copy = one != NULL ? cJSON_Duplicate(one, true) : NULL;

        if (one != NULL && !cJSON_AddItemToObject(out, names[i], copy)) {
            cJSON_Delete(copy);
            cJSON_Delete(out);
            return NULL;
        }
    }
    return out;
}

static struct process *process_new(struct sandbox *sb, const struct process_spec *spec)
{
    struct process *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->sb = sb;
    p->ticket = sandbox_ticket(sb);
    p->out = p->err = (struct pipe_end){.p = p, .end = {.fd = -1}};
    p->terminal = spec->terminal != NULL;
    input_init(&p->in, sb->fleet->loop);
    p->readers = (struct subscribers){
        .loop = sb->fleet->loop, .drained = on_drained, .kill = on_overdue, .ctx = p};
    subscribers_init(&p->readers);
    p->config = known_members(spec->config);
    p->tag = spec->tag != NULL ? str_dup(str_of(spec->tag)) : NULL;
    p->cache = timer_new(sb->fleet->loop, on_cache_over, p);
    LIST_INSERT_HEAD(&sb->processes, p, link);
    if (p->config != NULL && p->cache != NULL)
        return p;
    process_free(p);
    return NULL;
}

void process_start(struct sandbox *sb, const struct process_spec *spec, struct request *r,
                   const struct follow *how)
{
    struct err e = ERR_INIT;
    struct process *p = process_new(sb, spec);

    if (p == NULL) {
        request_error(r, 500, "out of memory");
        return;
    }
    if (subscribe(&p->readers, r, how) == NULL) {
        process_free(p);
        return;
    }
    if (process_launch(p, spec, &e) != ERR_OK) {
        subscribers_fail(&p->readers, RPC_INTERNAL, e.msg);
        process_free(p);
    }
}

void process_connect(struct process *p, struct request *r, const struct follow *how)
{
    struct subscriber *s = subscribe(&p->readers, r, how);

    if (s != NULL && p->pid != 0)
        subscriber_start(s, p->pid);
    if (s != NULL && p->ended)
        subscribers_exit(&p->readers, p->status);
}

/* --- what init reports ---------------------------------------------------------- */

static void not_started(struct process *p, const struct init_report *r)
{
    const char *cwd = json_get_string(p->config, "cwd");
    char path[PATH_MAX_BYTES], text[PATH_MAX_BYTES + 64];

    if (r->pid != INIT_NO_CWD) {
        subscribers_fail(&p->readers, RPC_INTERNAL, strerror(r->status));
    } else {
        if (path_resolve(sandbox_home(p->sb), str_of(cwd != NULL && *cwd != '\0' ? cwd : "~"), path,
                         NULL) != ERR_OK)
            *path = '\0';
        (void)snprintf(text, sizeof(text),
                       r->status == ENOENT ? "cwd '%s' does not exist" : "cwd '%s': %s", path,
                       strerror(r->status));
        subscribers_fail(&p->readers, RPC_INVALID_ARGUMENT, text);
    }
    process_free(p);
}

static void tell_end(const struct process *p)
{
    char text[32];

    if (WIFSIGNALED(p->status))
        (void)snprintf(text, sizeof(text), "signal %d", WTERMSIG(p->status));
    else
        (void)snprintf(text, sizeof(text), "exit status %d", WEXITSTATUS(p->status));
    life_tell_process(p->sb, p->pid, json_get_string(p->config, "cmd"), text);
}

/* Takes fd, a terminal's or -1. */
static void started(struct process *p, const struct init_report *r, int fd)
{
    if (r->kind == INIT_FAILED) {
        not_started(p, r);
        return;
    }
    p->pid = r->pid;
    life_tell_process(p->sb, p->pid, json_get_string(p->config, "cmd"), NULL);
    if (p->terminal && !process_take_terminal(p, fd))
        log_event(LOG_WARN, "process.no_terminal", LF_INT("pid", p->pid));
    subscribers_start(&p->readers, p->pid);
    if (p->overdue)
        on_overdue(p);
    else
        process_watch_output(p);
}

void process_report(struct sandbox *sb, const struct init_report *r, int fd)
{
    struct process *p;

    LIST_FOREACH(p, &sb->processes, link)
    {
        if (r->kind != INIT_EXITED && p->pid == 0 && p->ticket == r->ticket) {
            started(p, r, fd);
            return;
        }
        if (r->kind == INIT_EXITED && p->pid == r->pid && !p->exited) {
            p->exited = true;
            p->status = r->status;
            tell_end(p);
            process_give_up_output(p);
            process_drain(p);
            process_maybe_end(p);
            break;
        }
    }
    if (fd >= 0) /* of a process that was forgotten meanwhile */
        (void)close(fd);
}

/* --- the rest -------------------------------------------------------------------- */

bool process_alive(const struct process *p)
{
    return p->pid != 0 && !p->ended;
}

int process_pid(const struct process *p)
{
    return p->pid;
}

static bool is_selected(const struct process *p, const struct selector *who)
{
    if (who->tag == NULL)
        return p->pid != 0 && p->pid == who->pid;
    return p->tag != NULL && strcmp(p->tag, who->tag) == 0;
}

struct process *process_find(struct sandbox *sb, const struct selector *who)
{
    struct process *p, *cached = NULL;

    LIST_FOREACH(p, &sb->processes, link)
    {
        if (!is_selected(p, who))
            continue;
        if (!p->ended)
            return p;
        if (cached == NULL)
            cached = p;
    }
    return cached;
}

bool process_doomed(const struct process *p)
{
    return p->exited || p->killed;
}

enum err_code process_signal(struct process *p, int signum, struct err *err)
{
    const struct init_request q = {.op = INIT_SIGNAL, .pid = p->pid, .signum = signum};
    enum err_code rc = sandbox_ask(p->sb, &q, NULL, 0, err);

    if (rc == ERR_OK && signum == SIGKILL) {
        p->killed = true;
        process_give_up_output(p);
        process_maybe_end(p);
    }
    return rc;
}

void process_list(struct sandbox *sb, struct buf *out)
{
    struct process *p;

    LIST_FOREACH(p, &sb->processes, link)
    {
        char *config = process_alive(p) ? cJSON_PrintUnformatted(p->config) : NULL;

        if (config == NULL)
            continue;
        if (out->len > 0 && out->p[out->len - 1] == '}')
            buf_addc(out, ',');
        buf_addc(out, '{');
        json_kv_raw(out, "config", str_of(config));
        json_kv_int(out, "pid", p->pid);
        json_kv(out, "tag", p->tag);
        buf_addc(out, '}');
        cJSON_free(config);
    }
}

void process_forget_all(struct sandbox *sb)
{
    struct process *p;

    while ((p = LIST_FIRST(&sb->processes)) != NULL)
        process_free(p);
}
