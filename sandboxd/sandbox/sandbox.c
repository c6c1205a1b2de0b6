/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/log.h"
#include "sandboxd/envd/process.h"
#include "sandboxd/envd/watcher.h"
#include "sandboxd/sandbox/packet.h"
#include "sandboxd/sandbox/sandbox_internal.h"
#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

/* --- names and folders ----------------------------------------------------- */

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

static void make_paths(struct sandbox *sb)
{
    bool own = isolation_own_root(sb->fleet->isolation);

    (void)snprintf(sb->home, sizeof(sb->home), "%s/home", sb->folder);
    (void)snprintf(sb->temp, sizeof(sb->temp), "%s/tmp", sb->folder);
    (void)snprintf(sb->source, sizeof(sb->source), "%s/templates/%s", sb->fleet->data,
                   sb->template);
    (void)snprintf(sb->bin, sizeof(sb->bin), "%s/bin", own ? SANDBOX_TEMPLATE : sb->source);
    (void)snprintf(sb->path, sizeof(sb->path), "%s:/usr/local/bin:/usr/bin:/bin", sb->bin);
}

static bool make_own(const struct identity *id, const char *path)
{
    return mkdir(path, 0700) == 0 && (!id->drop || chown(path, id->uid, id->gid) == 0);
}

static bool make_hosts(const struct sandbox *sb)
{
    char path[SANDBOX_PATH_ROOM + 8];

    (void)snprintf(path, sizeof(path), "%s/hosts", sb->folder);
    FILE *f = fopen(path, "wxe");
    bool good = f != NULL && fprintf(f, "127.0.0.1 localhost %s\n::1 localhost\n", sb->id) > 0;
    return f != NULL && fclose(f) == 0 && good;
}

/* The folder is the server's, what the sandbox writes to its user's. */
static enum err_code make_folders(struct sandbox *sb, struct err *err)
{
    const struct identity *id = sb->fleet->identity;
    int n = snprintf(sb->folder, sizeof(sb->folder), "%s/sandboxes/%s", sb->fleet->data, sb->id);

    if (n < 0 || (size_t)n + 8 > sizeof(sb->folder))
        return err_set(err, ERR_CONFIG, "the path of --data is too long");
    make_paths(sb);
    if (mkdir(sb->folder, 0711) == 0 && make_own(id, sb->home) &&
        (isolation_own_root(sb->fleet->isolation) ? make_hosts(sb) : make_own(id, sb->temp)))
        return ERR_OK;
    return err_errno(err, errno, "cannot make '%s'", sb->folder);
}

/* Init has emptied what the sandbox wrote to. False: there is more. */
static bool remove_folders(const struct sandbox *sb)
{
    static const char *const files[] = {"hosts", "egress.sock"};
    char path[SANDBOX_PATH_ROOM + 16];

    for (size_t i = 0; i < COUNTOF(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", sb->folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(sb->temp);
    (void)rmdir(sb->home);
    return rmdir(sb->folder) == 0 || errno == ENOENT;
}

const char *sandbox_home(const struct sandbox *sb)
{
    return isolation_own_root(sb->fleet->isolation) ? SANDBOX_HOME : sb->home;
}

const char *sandbox_bin(const struct sandbox *sb)
{
    return sb->bin;
}

void sandbox_egress_path(const struct sandbox *sb, char out[SANDBOX_PATH_ROOM + 16])
{
    (void)snprintf(out, SANDBOX_PATH_ROOM + 16, "%s/egress.sock", sb->folder);
}

const char *const *sandbox_environ(const struct sandbox *sb)
{
    static const char *const proxied[] = {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"};
    static const char *const direct[] = {"NO_PROXY", "no_proxy"};
    static const char *list[32];
    size_t n = 0;

    list[n++] = "PATH", list[n++] = sb->path;
    list[n++] = "HOME", list[n++] = sandbox_home(sb);
    list[n++] = "USER", list[n++] = "user";
    list[n++] = "LOGNAME", list[n++] = "user";
    if (sb->fleet->isolation->mechanisms & MECH_FENCE)
        list[n++] = "TMPDIR", list[n++] = sb->temp;
    for (size_t i = 0; sb->egress && i < COUNTOF(proxied); i++)
        list[n++] = proxied[i], list[n++] = "http://127.0.0.1:3128";
    for (size_t i = 0; sb->egress && i < COUNTOF(direct); i++)
        list[n++] = direct[i], list[n++] = "127.0.0.1,localhost";
    list[n] = NULL;
    return list;
}

/* --- init ---------------------------------------------------------------------- */

static void close_egress(struct sandbox *sb)
{
    if (sb->egress)
        sb->fleet->egress_close(sb->fleet->egress, sb);
    sb->egress = false;
}

static size_t bucket_of(struct str id)
{
    uint32_t h = 2166136261U; /* FNV-1a */

    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (unsigned char)id.p[i]) * 16777619U;
    return h % FLEET_BUCKETS;
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
    TAILQ_REMOVE(&f->all, sb, link);
    LIST_REMOVE(sb, bucket);
    f->count--;
    while ((w = LIST_FIRST(&sb->waiters)) != NULL) {
        LIST_REMOVE(w, link);
        w->ended(w);
    }
    sandbox_free(sb);
    if (f->count == 0 && f->emptied != NULL)
        f->emptied(f->ctx);
}

static void kill_leftovers(struct fleet *f)
{
    size_t room = (size_t)f->count + 1;
    const struct child *c;
    const struct sandbox *sb;

    LIST_FOREACH(c, &f->children, link)
    room++;
    int *pids = calloc(room, sizeof(*pids)), n = 0;
    TAILQ_FOREACH(sb, &f->all, link)
    if (pids != NULL && sb->init_pid > 0 && n < f->count)
        pids[n++] = sb->init_pid;
    LIST_FOREACH(c, &f->children, link)
    if (pids != NULL)
        pids[n++] = c->pid;
    if (pids != NULL)
        (void)tree_kill_children(pids, n);
    free(pids);
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
                                  .egress = sb->egress,
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

    if (sb->sweeping || remove_folders(sb))
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
        kill_leftovers(sb->fleet);
    }
    if (sweep(sb))
        return;
    cgroup_remove(&sb->fleet->isolation->cgroups, sb->id);
    sandbox_gone(sb);
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
    enum err_code rc = f->egress_open(f->egress, sb, err);
    sb->egress = rc == ERR_OK;
    return rc;
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
    enum err_code rc = make_folders(sb, err);
    if (rc == ERR_OK)
        rc = open_egress(sb, err);
    if (rc == ERR_OK)
        rc = start_init(sb, err);
    if (rc != ERR_OK) {
        close_egress(sb);
        (void)remove_folders(sb);
        sandbox_free(sb);
        return rc;
    }
    TAILQ_INSERT_TAIL(&f->all, sb, link);
    LIST_INSERT_HEAD(&f->buckets[bucket_of(str_of(sb->id))], sb, bucket);
    f->count++;
    sandbox_expire_in(sb, want->timeout_ms);
    log_event(LOG_INFO, "sandbox.created", LF("sandbox", sb->id), LF("template", sb->template),
              LF_INT("init_pid", sb->init_pid));
    *out = sb;
    return ERR_OK;
}

struct sandbox *sandbox_find(struct fleet *f, struct str id)
{
    struct sandbox *sb;

    LIST_FOREACH(sb, &f->buckets[bucket_of(id)], bucket)
    if (!sb->ending && str_is(id, sb->id))
        return sb;
    return NULL;
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

void sandbox_kill_all(struct fleet *f, const char *reason)
{
    struct sandbox *sb;

    TAILQ_FOREACH(sb, &f->all, link)
    sandbox_kill(sb, reason, NULL);
}

static struct sandbox *by_pid(struct fleet *f, pid_t pid)
{
    struct sandbox *sb;

    TAILQ_FOREACH(sb, &f->all, link)
    if (sb->init_pid == pid)
        return sb;
    return NULL;
}

void fleet_reap(struct fleet *f)
{
    bool stranger = false;
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct sandbox *sb = by_pid(f, pid);

        if (sb != NULL) {
            sb->init_pid = 0;
            init_ended(sb);
        } else {
            stranger = !child_exited(f, pid, status) || stranger;
        }
    }
    if (stranger) /* an orphan of a dead init; it may have left more */
        kill_leftovers(f);
}
