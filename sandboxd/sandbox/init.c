/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

enum { SOCKET_FD = 3 };

struct init { /* lives in the forked child, on its stack */
    const struct init_conf *conf;
    int child_fd; /* signalfd for SIGCHLD */
};

/* --- the command: after the second fork ----------------------------------- */

static void die(const char *what, const char *subject, int status)
{
    (void)dprintf(STDERR_FILENO, "%s: %s: %s\n", what, subject, strerror(errno));
    _exit(status);
}

/* The NULL-terminated vector of the next n strings; moves *p behind them. */
static char **take_strings(char **p, const char *end, uint32_t n)
{
    char **v = calloc((size_t)n + 1, sizeof(*v));

    for (uint32_t i = 0; v != NULL && i < n && *p < end; i++) {
        v[i] = *p;
        *p += strlen(*p) + 1;
    }
    return v;
}

static void exec_spec(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_size <= (off_t)sizeof(struct init_spec))
        _exit(126);
    char *map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        _exit(126);
    struct init_spec head;
    memcpy(&head, map, sizeof(head));
    char *p = map + sizeof(head);
    const char *end = map + st.st_size, *cwd = p;

    p += strlen(p) + 1;
    char **argv = take_strings(&p, end, head.argc), **envp = take_strings(&p, end, head.envc);
    if (argv == NULL || envp == NULL)
        _exit(126);
    if (chdir(cwd) != 0)
        die("cannot enter", cwd, 126);
    environ = envp;
    execvp(argv[0], argv);
    die(argv[0], "cannot start", errno == ENOENT ? 127 : 126);
}

static void run_command(const struct init *in, const int fds[INIT_FDS])
{
    const struct rlimit files = {in->conf->max_files, in->conf->max_files};
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (setsid() < 0 || dup2(fds[INIT_FD_IN], 0) < 0 || dup2(fds[INIT_FD_OUT], 1) < 0 ||
        dup2(fds[INIT_FD_ERR], 2) < 0 || setrlimit(RLIMIT_NOFILE, &files) != 0 ||
        !identity_drop(in->conf->identity))
        _exit(126);
    (void)umask(022);
    exec_spec(fds[INIT_FD_SPEC]);
    _exit(126);
}

/* --- init: after the first fork ------------------------------------------- */

static void report(enum init_kind kind, uint32_t ticket, int pid, int status)
{
    const struct init_report r = {.kind = kind, .ticket = ticket, .pid = pid, .status = status};

    while (send(SOCKET_FD, &r, sizeof(r), MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue;
}

static void start(const struct init *in, uint32_t ticket, const int fds[INIT_FDS])
{
    pid_t pid = _Fork();

    if (pid == 0)
        run_command(in, fds);
    if (pid < 0)
        report(INIT_FAILED, ticket, 0, errno);
    else
        report(INIT_STARTED, ticket, pid, 0);
}

static void reap(void)
{
    int status, pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        report(INIT_EXITED, 0, pid, status);
}

/* A child that was not reaped yet keeps its number: the signal cannot hit a stranger. */
static void send_signal(int pid, int signum)
{
    siginfo_t info;

    if (pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        (void)kill(pid, signum);
}

/* The orphans of each round become children of ours, so rounds end it. */
static void end_everything(const struct init *in)
{
    while (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) {
        (void)tree_kill_children(NULL, 0);
        (void)poll(NULL, 0, 1);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
    }
    (void)tree_remove(in->conf->folder);
    _exit(0);
}

static size_t take_fds(struct msghdr *m, int fds[INIT_FDS])
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);

    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(c), (n < INIT_FDS ? n : INIT_FDS) * sizeof(int));
    return n;
}

static void serve_one(const struct init *in)
{
    struct init_request q;
    union {
        char room[CMSG_SPACE(INIT_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {&q, sizeof(q)};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    int fds[INIT_FDS] = {-1, -1, -1, -1};
    ssize_t n = recvmsg(SOCKET_FD, &m, MSG_CMSG_CLOEXEC);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n != (ssize_t)sizeof(q) || q.op == INIT_KILL)
        end_everything(in); /* told to, or the server is gone */
    size_t n_fds = take_fds(&m, fds);
    if (q.op == INIT_START && n_fds == INIT_FDS)
        start(in, q.ticket, fds);
    if (q.op == INIT_SIGNAL)
        send_signal(q.pid, q.signum);
    for (size_t i = 0; i < INIT_FDS; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

static void serve(const struct init *in)
{
    struct pollfd p[2] = {{.fd = SOCKET_FD, .events = POLLIN},
                          {.fd = in->child_fd, .events = POLLIN}};

    for (;;) {
        struct signalfd_siginfo info;

        if (poll(p, 2, -1) < 0)
            continue;
        if (p[1].revents != 0 && read(in->child_fd, &info, sizeof(info)) > 0)
            reap();
        if (p[0].revents != 0)
            serve_one(in);
    }
}

/* Leaves nothing of the server's but the socket, as descriptor 3. All signals are blocked. */
static void shed(int socket)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd < 3; fd++)
        (void)dup2(null, fd);
    (void)dup2(socket, SOCKET_FD);
    (void)fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC);
    (void)fcntl(SOCKET_FD, F_SETFL, 0); /* blocking on this side */
    (void)close_range(SOCKET_FD + 1, ~0U, 0);
    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL);
}

static void init_main(const struct init_conf *conf, int socket)
{
    const struct rlimit no_core = {0, 0};
    struct init in = {.conf = conf};
    sigset_t child;

    shed(socket);
    (void)prctl(PR_SET_NAME, "sandbox-init");
    if (setsid() < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0)
        _exit(1);
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    in.child_fd = signalfd(-1, &child, SFD_CLOEXEC);
    if (in.child_fd < 0)
        _exit(1);
    serve(&in);
}

/* --- the server's side ---------------------------------------------------- */

enum err_code init_fork(const struct init_conf *conf, pid_t *pid, int *fd, struct err *err)
{
    sigset_t all, before;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return err_errno(err, errno, "cannot make a socket pair");
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
    *pid = _Fork(); /* without the handlers of libuv, which reopen its descriptors */
    if (*pid == 0) {
        init_main(conf, pair[1]);
        _exit(1);
    }
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
