/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/log.h"
#include "sandboxd/envd/process.h"
#include "sandboxd/envd/watcher.h"
#include "sandboxd/sandbox/packet.h"
#include "sandboxd/sandbox/sandbox_internal.h"

#include "common/banned.h"

static void make_names(struct sandbox *sb)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char key[32];

    sb->id[0] = 'i';
    for (int i = 1; i <= 20; i++)
        sb->id[i] = alphabet[randombytes_uniform(sizeof(alphabet) - 1)];
    randombytes_buf(key, sizeof(key));
    (void)sodium_bin2hex(sb->token, sizeof(sb->token), key, sizeof(key));
}

/* --- init ---------------------------------------------------------------------- */

static void close_egress(struct sandbox *sb)
{
    if (sb->door != NULL)
        sb->fleet->egress_close(sb->fleet->egress, sb);
}

static void sandbox_free(struct sandbox *sb)
{
    command_forget(sb);
    process_forget_all(sb);
    watchers_forget_all(sb);
    sandbox_answer_all(sb, ESRCH);
    watch_free(sb->watch);
    timer_free(sb->expiry);
    if (sb->init_fd >= 0)
        (void)close(sb->init_fd);
    cJSON_Delete(sb->metadata);
    cJSON_Delete(sb->env);
    cJSON_Delete(sb->network);
    free(sb->template);
    if (sb->fleet->freed != NULL)
        sb->fleet->freed(sb);
    free(sb);
}

static void sandbox_gone(struct sandbox *sb)
{
    struct fleet *f = sb->fleet;
    struct waiter *w;

    log_event(LOG_INFO, "sandbox.gone", LF("sandbox", sb->id));
    fleet_drop(sb);
    while ((w = LIST_FIRST(&sb->waiters)) != NULL) {
        LIST_REMOVE(w, link);
        w->ended(w);
    }
    sandbox_free(sb);
    if (f->count == 0 && f->emptied != NULL)
        f->emptied(f->ctx);
}

/* Nobody can use it any more, or waits for it. */
static void sandbox_ends(struct sandbox *sb, const char *reason)
{
    sb->ending = true;
    timer_stop(sb->expiry);
    if (sb->fleet->ending != NULL)
        sb->fleet->ending(sb, reason);
    command_forget(sb);
    process_forget_all(sb);
    watchers_forget_all(sb);
    sandbox_answer_all(sb, ESRCH);
    close_egress(sb);
}

static void on_init(void *ctx, int events);

static enum err_code start_init(struct sandbox *sb, struct err *err)
{
    const struct init_launch l = {.isolation = sb->fleet->isolation,
                                  .identity = sb->fleet->identity,
                                  .id = sb->id,
                                  .folder = sb->folder,
                                  .home = sb->home,
                                  .template = sb->source,
                                  .max_files = sb->fleet->max_files,
                                  .egress = sb->door != NULL,
                                  .sweep = sb->sweeping,
                                  .complaints = -1};
    enum err_code rc = init_launch(&l, &sb->init_pid, &sb->init_fd, err);

    if (rc != ERR_OK)
        return rc;
    sb->watch = watch_new(sb->fleet->loop, sb->init_fd, on_init, sb);
    if (sb->watch == NULL)
        return err_set(err, ERR_NOMEM, "sandbox");
    watch_set(sb->watch, WATCH_READ);
    return ERR_OK;
}

static void ask_to_end(struct sandbox *sb)
{
    const struct init_request q = {.op = INIT_KILL};

    if (sandbox_ask(sb, &q, NULL, 0, NULL) != ERR_OK) /* its queue is full: the end says the same */
        (void)shutdown(sb->init_fd, SHUT_WR);
}

/* What init did not take away itself. True: one that does so was started. */
static bool sweep(struct sandbox *sb)
{
    struct err e = ERR_INIT;

    if (sb->sweeping || folders_remove(sb))
        return false;
    sb->sweeping = true;
    if (start_init(sb, &e) == ERR_OK) {
        ask_to_end(sb);
        return true;
    }
    log_event(LOG_ERROR, "sandbox.left", LF("folder", sb->folder), LF_ERR(&e));
    return false;
}

/* Both its socket and its process have ended. After a kill that is the end of the
 * sandbox, else something killed it, and it may have left more. */
static void init_ended(struct sandbox *sb)
{
    if (sb->init_fd >= 0 || sb->init_pid != 0)
        return;
    if (!sb->ending) {
        log_event(LOG_WARN, "sandbox.lost", LF("sandbox", sb->id));
        sandbox_ends(sb, "lost");
        fleet_kill_strangers(sb->fleet);
    }
    if (sweep(sb))
        return;
    cgroup_remove(&sb->fleet->isolation->cgroups, sb->id);
    sandbox_gone(sb);
}

void sandbox_reaped(struct sandbox *sb)
{
    sb->init_pid = 0;
    init_ended(sb);
}

static void socket_ended(struct sandbox *sb)
{
    watch_free(sb->watch);
    (void)close(sb->init_fd);
    sb->watch = NULL;
    sb->init_fd = -1;
    init_ended(sb);
}

static void take_report(struct sandbox *sb, const struct init_report *r, int fd)
{
    switch ((enum init_kind)r->kind) {
    case INIT_STARTED:
    case INIT_FAILED:
    case INIT_EXITED:
        if (command_report(sb, r))
            break;
        process_report(sb, r, fd);
        return;
    case INIT_DONE:
        sandbox_answered(sb, r->ticket, r->status, fd);
        return;
    }
    if (fd >= 0) /* a kind that there is not */
        (void)close(fd);
}

static void on_init(void *ctx, int events)
{
    struct sandbox *sb = ctx;
    struct init_report r;
    int fds[PACKET_FDS];

    (void)events;
    for (;;) {
        ssize_t n = packet_receive(sb->init_fd, &r, sizeof(r), fds, NULL, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n != (ssize_t)sizeof(r)) {
            packet_close(fds);
            socket_ended(sb);
            return;
        }
        int first = fds[0];
        fds[0] = -1;
        packet_close(fds);
        take_report(sb, &r, first);
    }
}

/* --- life ------------------------------------------------------------------------ */

static void on_expiry(void *ctx)
{
    struct sandbox *sb = ctx;

    if (sb->fleet->expired != NULL)
        sb->fleet->expired(sb);
    else
        sandbox_kill(sb, "expired", NULL);
}

void sandbox_expire_in(struct sandbox *sb, int64_t ms)
{
    sb->end_ms = clock_wall_ms() + ms;
    timer_start(sb->expiry, ms);
}

static struct sandbox *sandbox_new(struct fleet *f, const struct sandbox_want *want)
{
    struct sandbox *sb = calloc(1, sizeof(*sb));

    if (sb == NULL)
        return NULL;
    sb->fleet = f;
    sb->init_fd = -1;
    sb->started_ms = clock_wall_ms();
    sb->template = str_dup(str_of(want->template));
    sb->metadata = want->metadata ? cJSON_Duplicate(want->metadata, true) : cJSON_CreateObject();
    sb->env = want->env ? cJSON_Duplicate(want->env, true) : cJSON_CreateObject();
    sb->expiry = timer_new(f->loop, on_expiry, sb);
    make_names(sb);
    if (sb->template != NULL && sb->metadata != NULL && sb->env != NULL && sb->expiry != NULL)
        return sb;
    sandbox_free(sb);
    return NULL;
}

static enum err_code open_egress(struct sandbox *sb, struct err *err)
{
    const struct fleet *f = sb->fleet;

    if (f->egress_open == NULL || !(f->isolation->mechanisms & MECH_NETWORK))
        return ERR_OK;
    return f->egress_open(f->egress, sb, err);
}

enum err_code sandbox_create(struct fleet *f, const struct sandbox_want *want, struct sandbox **out,
                             struct err *err)
{
    if (f->count >= f->max_sandboxes)
        return err_set(err, ERR_CAPACITY,
                       "you have reached the maximum number of concurrent E2B sandboxes (%lld)",
                       (long long)f->max_sandboxes);
    struct sandbox *sb = sandbox_new(f, want);
    if (sb == NULL)
        return err_set(err, ERR_NOMEM, "sandbox");
    enum err_code rc = folders_make(sb, err);
    if (rc == ERR_OK)
        rc = open_egress(sb, err);
    if (rc == ERR_OK)
        rc = start_init(sb, err);
    if (rc != ERR_OK) {
        close_egress(sb);
        (void)folders_remove(sb);
        cgroup_remove(&f->isolation->cgroups, sb->id);
        sandbox_free(sb);
        return rc;
    }
    fleet_add(sb);
    sandbox_expire_in(sb, want->timeout_ms);
    log_event(LOG_INFO, "sandbox.created", LF("sandbox", sb->id), LF("template", sb->template),
              LF_INT("init_pid", sb->init_pid));
    *out = sb;
    return ERR_OK;
}

void sandbox_kill(struct sandbox *sb, const char *reason, struct waiter *w)
{
    if (w != NULL)
        LIST_INSERT_HEAD(&sb->waiters, w, link);
    if (sb->ending)
        return;
    log_event(LOG_INFO, "sandbox.killed", LF("sandbox", sb->id), LF("reason", reason));
    sandbox_ends(sb, reason);
    if (sb->init_fd >= 0)
        ask_to_end(sb);
}
