/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of init.h. */
#include "sandboxd/sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandboxd/sandbox/bubblewrap.h"
#include "sandboxd/sandbox/init_setup.h"
#include "sandboxd/sandbox/isolation.h"
#include "sandboxd/sandbox/packet.h"
#include "sandboxd/sandbox/sandbox.h"
#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

enum { TRY_MS = 10000, DATA_LEAST = 1536 << 20, KEPT_FROM = 64 };

/* --- what init is told ------------------------------------------------------------ */

static void set_limits(const struct init_launch *l, struct init_setup *s)
{
    const struct isolation *iso = l->isolation;
    bool each = iso->cgroups.kind == CGROUP_NONE; /* then a limit of each process must do */

    s->max_files = l->max_files;
    if (!(iso->mechanisms & MECH_LIMITS))
        return;
    s->max_file_bytes = (uint64_t)iso->want.file_bytes;
    if (each && iso->want.memory_bytes > 0) /* Claude's runtime dies of less */
        s->max_data_bytes =
            (uint64_t)(iso->want.memory_bytes > DATA_LEAST ? iso->want.memory_bytes : DATA_LEAST);
    if (isolation_own_root(iso)) /* its users are counted apart */
        s->max_procs = (uint64_t)iso->want.pids;
    else if (each)
        s->max_procs = (uint64_t)(iso->want.pids + tree_tasks_of(l->identity->uid));
}

static void set_paths(const struct init_launch *l, struct init_setup *s)
{
    if (isolation_own_root(l->isolation) && !l->sweep) {
        (void)snprintf(s->home, sizeof(s->home), "%s", l->folder != NULL ? SANDBOX_HOME : "");
        return;
    }
    (void)snprintf(s->folder, sizeof(s->folder), "%s", l->folder);
    (void)snprintf(s->home, sizeof(s->home), "%s", l->home);
    (void)snprintf(s->temp, sizeof(s->temp), "%s/tmp", l->folder);
    (void)snprintf(s->template, sizeof(s->template), "%s", l->template);
}

static enum err_code make_setup(const struct init_launch *l, int *fd, struct err *err)
{
    const struct isolation *iso = l->isolation;
    struct init_setup s = {.size = sizeof(s)};
    struct str filter = STR("");

    set_paths(l, &s);
    if (!l->sweep) {
        set_limits(l, &s);
        if (isolation_own_root(iso))
            s.traits = INIT_ALONE | (l->egress ? INIT_FORWARD : 0);
        else
            s.identity = *l->identity;
        if (iso->mechanisms != 0)
            s.traits |= INIT_SCOPED;
        if (iso->mechanisms & MECH_FENCE)
            s.traits |= INIT_FENCED;
        filter = buf_str(&iso->filter);
        memcpy(s.ports, iso->want.ports, sizeof(s.ports));
        s.n_ports = iso->want.n_ports;
    }
    s.filter_bytes = (uint32_t)filter.n;
    *fd = memfd_create("setup", MFD_CLOEXEC);
    if (*fd >= 0 && write(*fd, &s, sizeof(s)) == (ssize_t)sizeof(s) &&
        write(*fd, filter.p, filter.n) == (ssize_t)filter.n && lseek(*fd, 0, SEEK_SET) == 0)
        return ERR_OK;
    return err_errno(err, errno, "cannot write a memory file");
}

static enum err_code make_args(const struct init_launch *l, int *fd, struct err *err)
{
    AUTO_BUF b = BUF_INIT(BUBBLEWRAP_ARGS_MAX);

    bubblewrap_args(l->isolation, l, &b);
    if (b.rc != ERR_OK)
        return err_set(err, b.rc, "the words for bubblewrap");
    *fd = memfd_create("arguments", MFD_CLOEXEC);
    if (*fd >= 0 && write(*fd, b.p, b.len) == (ssize_t)b.len && lseek(*fd, 0, SEEK_SET) == 0)
        return ERR_OK;
    return err_errno(err, errno, "cannot write a memory file");
}

/* --- the child, from fork to exec: only what a signal handler might do ------------------ */

struct spawn {
    const struct init_launch *l;
    int fds[INIT_BWRAP_ARGS + 1]; /* by their number in init; 0..2 unused */
    int groups[CGROUP_TREES];
    size_t n_groups;
    bool wrapped;
};

static bool join_groups(const struct spawn *c)
{
    for (size_t i = 0; i < c->n_groups; i++)
        if (write(c->groups[i], "0", 1) != 1)
            return false;
    return true;
}

/* First out of the way of one another, then to their numbers; nothing else stays open. */
static bool place_fds(const struct spawn *c)
{
    int null = open("/dev/null", O_RDWR), high[INIT_BWRAP_ARGS + 1];
    int told = fcntl(c->l->complaints >= 0 ? c->l->complaints : STDERR_FILENO, F_DUPFD, KEPT_FROM);

    for (int i = INIT_SOCKET; i <= INIT_BWRAP_ARGS; i++)
        high[i] = c->fds[i] >= 0 ? fcntl(c->fds[i], F_DUPFD, KEPT_FROM) : -1;
    if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(told >= 0 ? told : null, 2) < 0)
        return false;
    for (int i = INIT_SOCKET; i <= INIT_BWRAP_ARGS; i++)
        if (high[i] < 0 ? close(i) != 0 && errno != EBADF : dup2(high[i], i) < 0)
            return false;
    return close_range(INIT_BWRAP_ARGS + 1, ~0U, 0) == 0;
}

static void child_main(const struct spawn *c)
{
    static char name[] = "sandfleet-init", bwrap[] = "bwrap", args[] = "--args", from[] = "6",
                program[] = "/proc/self/fd/5";
    static char *const nothing[] = {NULL}, *const plain[] = {name, NULL},
                       *const wrapped[] = {bwrap, args, from, program, NULL};

    _Static_assert(INIT_PROGRAM == 5 && INIT_BWRAP_ARGS == 6, "the words above say so");
    if (!join_groups(c) || !place_fds(c))
        _exit(1);
    if (!c->wrapped) {
        (void)fexecve(INIT_PROGRAM, plain, nothing);
    } else if (identity_drop(c->l->identity)) {
        (void)execve(c->l->isolation->bwrap, wrapped, nothing);
    }
    (void)dprintf(STDERR_FILENO, "cannot execute a sandbox's first process: %s\n", strerror(errno));
    _exit(1);
}

/* --- the whole ----------------------------------------------------------------------- */

static enum err_code prepare(struct spawn *c, struct err *err)
{
    const struct init_launch *l = c->l;
    const struct isolation *iso = l->isolation;
    const struct cgroup_limits limits = {iso->want.memory_bytes, iso->want.pids};
    enum err_code rc = make_setup(l, &c->fds[INIT_SETUP], err);

    if (rc == ERR_OK && c->wrapped)
        rc = make_args(l, &c->fds[INIT_BWRAP_ARGS], err);
    if (rc == ERR_OK && !l->sweep && l->folder != NULL)
        rc = cgroup_make(&iso->cgroups, l->id, &limits, c->groups, &c->n_groups, err);
    c->fds[INIT_PROGRAM] = iso->program;
    return rc;
}

static enum err_code fork_it(struct spawn *c, pid_t *pid, int *fd, struct err *err)
{
    sigset_t all, before;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_errno(err, errno, "cannot make a socket pair");
    (void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
    c->fds[INIT_SOCKET] = pair[1];
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
    *pid = _Fork(); /* without the handlers of libuv, which reopen its descriptors */
    if (*pid == 0)
        child_main(c);
    int failed = *pid < 0 ? errno : 0;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)close(pair[1]);
    if (failed != 0) {
        (void)close(pair[0]);
        return err_errno(err, failed, "cannot fork");
    }
    *fd = pair[0];
    return ERR_OK;
}

enum err_code init_launch(const struct init_launch *l, pid_t *pid, int *fd, struct err *err)
{
    struct spawn c = {.l = l, .wrapped = isolation_own_root(l->isolation) && !l->sweep};

    for (size_t i = 0; i < COUNTOF(c.fds); i++)
        c.fds[i] = -1;
    enum err_code rc = prepare(&c, err);
    if (rc == ERR_OK)
        rc = fork_it(&c, pid, fd, err);
    if (c.fds[INIT_SETUP] >= 0)
        (void)close(c.fds[INIT_SETUP]);
    if (c.fds[INIT_BWRAP_ARGS] >= 0)
        (void)close(c.fds[INIT_BWRAP_ARGS]);
    for (size_t i = 0; i < c.n_groups; i++)
        (void)close(c.groups[i]);
    return rc;
}

/* --- a try ------------------------------------------------------------------------------ */

/* All of it, as far as it fits, until the last who could write is gone. */
static void read_complaints(int fd, char *out, size_t room)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t n = 0;
    ssize_t got = 1;

    while (got > 0 && n + 1 < room && poll(&p, 1, TRY_MS) > 0) {
        got = read(fd, out + n, room - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    while (n > 0 && out[n - 1] == '\n')
        n--;
    out[n] = '\0';
}

enum err_code init_try(const struct isolation *iso, const struct identity *id, struct err *err)
{
    struct init_launch l = {.isolation = iso, .identity = id, .id = "try"};
    const struct init_request q = {.op = INIT_KILL};
    char text[160];
    int told[2], fd = -1, status = -1;
    pid_t pid = 0;

    if (pipe2(told, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    l.complaints = told[1];
    enum err_code rc = init_launch(&l, &pid, &fd, err);
    (void)close(told[1]);
    if (rc == ERR_OK) {
        (void)packet_send(fd, &q, sizeof(q), NULL, 0, 0);
        read_complaints(told[0], text, sizeof(text));
        (void)close(fd);
        (void)kill(pid, SIGKILL); /* it has ended, or hangs */
        (void)waitpid(pid, &status, 0);
        if (status != 0)
            rc = err_set(err, ERR_CONFIG,
                         "%.110s: allow user namespaces (user.max_user_namespaces, AppArmor, "
                         "the container's profile), or take --isolation weak",
                         *text != '\0' ? text : "bubblewrap ended without a word");
    }
    (void)close(told[0]);
    return rc;
}

enum err_code init_spec_fd(const struct init_spec *head, struct str strings, int *out,
                           struct err *err)
{
    int fd = memfd_create("command", MFD_CLOEXEC);

    if (fd < 0)
        return err_errno(err, errno, "cannot make a memory file");
    if (write(fd, head, sizeof(*head)) != (ssize_t)sizeof(*head) ||
        write(fd, strings.p, strings.n) != (ssize_t)strings.n) {
        (void)close(fd);
        return err_set(err, ERR_IO, "cannot write a command to a memory file");
    }
    *out = fd;
    return ERR_OK;
}
