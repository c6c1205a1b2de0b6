/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"
#include "sandboxd/envd/process_internal.h"

#include "common/banned.h"

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

void process_on_output(void *ctx, int events)
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

static struct process *process_new(struct sandbox *sb, const struct process_spec *spec)
{
    struct process *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->sb = sb;
    p->ticket = sandbox_ticket(sb);
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

void process_report(struct sandbox *sb, const struct init_report *r, int fd)
{
    struct process *p;

    if (fd >= 0) /* no terminal was asked for */
        (void)close(fd);
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

    return sandbox_ask(p->sb, &q, NULL, 0, err);
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
