/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"

#include "common/banned.h"

struct pipe_end { /* our end of stdout or stderr */
    struct process *p;
    const char *name;
    int fd; /* -1: it has ended */
    struct watch *watch;
};

struct process {
    struct sandbox *sb;
    LIST_ENTRY(process) link;
    uint32_t ticket;
    int pid; /* 0: init did not report it yet */
    char *tag;
    cJSON *config;
    struct pipe_end out, err;
    int in; /* -1: none, or closed */
    bool exited, ended;
    int status; /* as waitpid() */
    struct subscribers readers;
    struct timer *cache;
};

/* --- output ------------------------------------------------------------------ */

static void watch_output(struct process *p)
{
    int events = subscribers_full(&p->readers) ? 0 : WATCH_READ;

    if (p->out.watch != NULL)
        watch_set(p->out.watch, events);
    if (p->err.watch != NULL)
        watch_set(p->err.watch, events);
}

static void pipe_close(struct pipe_end *e)
{
    watch_free(e->watch);
    e->watch = NULL;
    if (e->fd >= 0)
        (void)close(e->fd);
    e->fd = -1;
}

static void process_free(struct process *p)
{
    LIST_REMOVE(p, link);
    subscribers_cut(&p->readers);
    pipe_close(&p->out);
    pipe_close(&p->err);
    if (p->in >= 0)
        (void)close(p->in);
    timer_free(p->cache);
    cJSON_Delete(p->config);
    free(p->tag);
    free(p);
}

static void on_cache_over(void *ctx)
{
    process_free(ctx);
}

/* The end is: it exited, and nobody holds its output open any more. */
static void maybe_end(struct process *p)
{
    if (p->ended || !p->exited || p->out.fd >= 0 || p->err.fd >= 0)
        return;
    p->ended = true;
    if (p->in >= 0)
        (void)close(p->in);
    p->in = -1;
    subscribers_exit(&p->readers, p->status);
    timer_start(p->cache, PROCESS_CACHE_MS);
}

static void on_output(void *ctx, int events)
{
    static char bytes[PROCESS_READ_BYTES];
    struct pipe_end *e = ctx;
    struct process *p = e->p;
    ssize_t n = read(e->fd, bytes, sizeof(bytes));

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        pipe_close(e);
        maybe_end(p);
        return;
    }
    subscribers_output(&p->readers, e->name, (struct str){bytes, (size_t)n});
    if (subscribers_full(&p->readers))
        watch_output(p);
}

static void on_drained(void *ctx)
{
    watch_output(ctx);
}

static void on_overdue(void *ctx)
{
    struct process *p = ctx;
    struct err e = ERR_INIT;

    if (process_alive(p) && process_signal(p, SIGKILL, &e) != ERR_OK)
        log_event(LOG_WARN, "process.not_killed", LF_INT("pid", p->pid), LF_ERR(&e));
    watch_output(p);
}

/* --- start ------------------------------------------------------------------- */

static bool pipe_open(struct process *p, struct pipe_end *e, const char *name, int *theirs)
{
    int fds[2];

    *e = (struct pipe_end){.p = p, .name = name, .fd = -1};
    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    e->fd = fds[0];
    *theirs = fds[1];
    (void)fcntl(e->fd, F_SETFL, O_NONBLOCK); /* our end only */
    e->watch = watch_new(p->sb->fleet->loop, e->fd, on_output, e);
    return e->watch != NULL;
}

static bool input_open(struct process *p, bool want, int *theirs)
{
    int fds[2];

    if (!want)
        return (*theirs = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    *theirs = fds[0];
    p->in = fds[1];
    (void)fcntl(p->in, F_SETFL, O_NONBLOCK);
    return true;
}

/* NAME=value, unless an object that goes before has that name, too. */
static void add_env(struct buf *b, uint32_t *n, const char *name, const char *value,
                    const cJSON *before, const cJSON *before_that)
{
    if (json_get(before, name) != NULL || json_get(before_that, name) != NULL)
        return;
    buf_addf(b, "%s=%s", name, value);
    buf_addc(b, '\0');
    ++*n;
}

/* The request's, then the sandbox's, then our own. */
static void add_envs(struct buf *b, uint32_t *n, const struct process *p)
{
    const struct sandbox *sb = p->sb;
    const cJSON *envs = json_get(p->config, "envs"), *e;
    char path[SANDBOX_PATH_ROOM + 128];

    cJSON_ArrayForEach(e, envs) add_env(b, n, e->string, cJSON_GetStringValue(e), NULL, NULL);
    cJSON_ArrayForEach(e, sb->env) add_env(b, n, e->string, cJSON_GetStringValue(e), envs, NULL);
    (void)snprintf(path, sizeof(path), "%s/templates/%s/bin:/usr/local/bin:/usr/bin:/bin",
                   sb->fleet->data, sb->template);
    add_env(b, n, "PATH", path, envs, sb->env);
    add_env(b, n, "HOME", sb->home, envs, sb->env);
    add_env(b, n, "USER", "user", envs, sb->env);
    add_env(b, n, "LOGNAME", "user", envs, sb->env);
}

static enum err_code make_spec(const struct process *p, const char *cwd, int *fd, struct err *err)
{
    AUTO_BUF b = BUF_INIT(PROCESS_SPEC_MAX);
    struct init_spec head = {.argc = 1};
    const cJSON *arg;

    buf_add(&b, cwd, strlen(cwd) + 1);
    buf_adds(&b, json_get_string(p->config, "cmd"));
    buf_addc(&b, '\0');
    cJSON_ArrayForEach(arg, json_get(p->config, "args"))
    {
        buf_adds(&b, cJSON_GetStringValue(arg));
        buf_addc(&b, '\0');
        head.argc++;
    }
    add_envs(&b, &head.envc, p);
    if (b.rc != ERR_OK)
        return err_set(err, b.rc, "the command is over %d bytes", PROCESS_SPEC_MAX);
    return init_spec_fd(&head, buf_str(&b), fd, err);
}

static enum err_code launch(struct process *p, const struct process_spec *spec, struct err *err)
{
    int fds[INIT_FDS] = {-1, -1, -1, -1};
    enum err_code rc = make_spec(p, spec->cwd, &fds[INIT_FD_SPEC], err);

    if (rc == ERR_OK && (!input_open(p, spec->want_stdin, &fds[INIT_FD_IN]) ||
                         !pipe_open(p, &p->out, "stdout", &fds[INIT_FD_OUT]) ||
                         !pipe_open(p, &p->err, "stderr", &fds[INIT_FD_ERR])))
        rc = err_errno(err, errno, "cannot make pipes");
    if (rc == ERR_OK)
        rc = sandbox_ask(p->sb, &(struct init_request){.op = INIT_START, .ticket = p->ticket}, fds,
                         err);
    for (size_t i = 0; i < INIT_FDS; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return rc;
}

static struct process *process_new(struct sandbox *sb, const struct process_spec *spec)
{
    struct process *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->sb = sb;
    p->ticket = ++sb->tickets;
    p->out = p->err = (struct pipe_end){.p = p, .fd = -1};
    p->in = -1;
    p->readers = (struct subscribers){
        .loop = sb->fleet->loop, .drained = on_drained, .kill = on_overdue, .ctx = p};
    subscribers_init(&p->readers);
    p->config = cJSON_Duplicate(spec->config, true);
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
    if (launch(p, spec, &e) != ERR_OK) {
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

static void started(struct process *p, const struct init_report *r)
{
    if (r->kind == INIT_FAILED) {
        subscribers_fail(&p->readers, RPC_INTERNAL, strerror(r->status));
        process_free(p);
        return;
    }
    p->pid = r->pid;
    subscribers_start(&p->readers, p->pid);
    watch_output(p);
}

void process_report(struct sandbox *sb, const struct init_report *r)
{
    struct process *p;

    LIST_FOREACH(p, &sb->processes, link)
    {
        if (r->kind != INIT_EXITED && p->pid == 0 && p->ticket == r->ticket) {
            started(p, r);
            return;
        }
        if (r->kind == INIT_EXITED && p->pid == r->pid && !p->exited) {
            p->exited = true;
            p->status = r->status;
            maybe_end(p);
            return;
        }
    }
}

/* --- the rest -------------------------------------------------------------------- */

bool process_alive(const struct process *p)
{
    return p->pid != 0 && !p->exited;
}

struct process *process_find(struct sandbox *sb, int64_t pid, const char *tag)
{
    struct process *p, *cached = NULL;

    LIST_FOREACH(p, &sb->processes, link)
    {
        if (pid != 0 ? p->pid != pid : tag == NULL || p->tag == NULL || strcmp(p->tag, tag) != 0)
            continue;
        if (!p->ended)
            return p;
        if (cached == NULL)
            cached = p;
    }
    return cached;
}

enum err_code process_signal(struct process *p, int signum, struct err *err)
{
    const struct init_request q = {.op = INIT_SIGNAL, .pid = p->pid, .signum = signum};

    return sandbox_ask(p->sb, &q, NULL, err);
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
