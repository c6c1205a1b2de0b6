/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandboxd/sandbox/file_op.h"
#include "sandboxd/sandbox/init_internal.h"
#include "sandboxd/sandbox/packet.h"
#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

enum { FILES_AT_ONCE = 64 };

struct file_child {
    pid_t pid; /* 0: free */
    uint32_t ticket;
};

struct init {
    const struct init_setup *setup;
    int child_fd;  /* signalfd for SIGCHLD */
    pid_t forward; /* 0: none */
    struct file_child files[FILES_AT_ONCE];
};

bool init_report_send(enum init_kind kind, uint32_t ticket, int pid, int status, int fd)
{
    const struct init_report r = {.kind = kind, .ticket = ticket, .pid = pid, .status = status};

    bool sent;

    do
        sent = packet_send(INIT_SOCKET, &r, sizeof(r), &fd, fd >= 0, 0);
    while (!sent && errno == EINTR);
    return sent;
}

/* What was asked for cannot even be tried: somebody waits for an answer all the same. */
static void refuse(const struct init_request *q, int errnum)
{
    enum init_kind kind = q->op == INIT_START ? INIT_FAILED : INIT_DONE;

    (void)init_report_send(kind, q->ticket, 0, errnum, -1);
}

/* --- commands -------------------------------------------------------------- */

/* fds with what came is closed by the caller. */
static void start(const struct init *in, const struct init_request *q, int fds[INIT_FDS])
{
    bool tty = (q->flags & INIT_WITH_PTY) != 0;
    int errnum = command_look(in->setup, fds[INIT_FD_SPEC]);

    if (errnum != 0) {
        (void)init_report_send(INIT_FAILED, q->ticket, INIT_NO_CWD, errnum, -1);
        return;
    }
    int master = tty ? terminal_open(in->setup, q->cols, q->rows, fds) : -1;
    pid_t pid = tty && master < 0 ? -1 : command_start(in->setup, fds, tty);

    if (pid < 0) {
        refuse(q, errno);
    } else if (!init_report_send(INIT_STARTED, q->ticket, pid, 0, master) && master >= 0) {
        refuse(q, errno);
        (void)kill(pid, SIGKILL); /* nobody has its terminal */
    }
    if (master < 0)
        return;
    (void)close(master);
    (void)close(fds[INIT_FD_IN]);
    fds[INIT_FD_IN] = fds[INIT_FD_OUT] = fds[INIT_FD_ERR] = -1;
}

/* A child that was not reaped yet keeps its number: the signal cannot hit a stranger. */
static void send_signal(int pid, int signum)
{
    siginfo_t info;

    if (pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        (void)kill(pid, signum);
}

/* --- files: each in a child, because a path may lead to something that blocks ------ */

static void file_main(const struct init_setup *setup, uint32_t ticket, int request_fd)
{
    int answer_fd = -1;

    if (!command_become(setup))
        _exit(1);
    int errnum = file_op_run(request_fd, &answer_fd);
    int fd = errnum == 0 ? answer_fd : -1;
    _exit(init_report_send(INIT_DONE, ticket, 0, errnum, fd) ? 0 : 1);
}

static void start_file(struct init *in, uint32_t ticket, int request_fd)
{
    size_t i = 0;

    while (i < FILES_AT_ONCE && in->files[i].pid != 0)
        i++;
    pid_t pid = i < FILES_AT_ONCE ? _Fork() : -1;
    if (pid == 0)
        file_main(in->setup, ticket, request_fd);
    if (pid < 0)
        (void)init_report_send(INIT_DONE, ticket, 0, EAGAIN, -1);
    else
        in->files[i] = (struct file_child){pid, ticket};
}

/* True: it was one of these. Killed before it could answer, we do. */
static bool file_ended(struct init *in, pid_t pid, int status)
{
    for (size_t i = 0; i < FILES_AT_ONCE; i++) {
        if (in->files[i].pid != pid)
            continue;
        in->files[i].pid = 0;
        if (status != 0)
            (void)init_report_send(INIT_DONE, in->files[i].ticket, 0, EINTR, -1);
        return true;
    }
    return false;
}

/* --- the loop ---------------------------------------------------------------- */

/* Whoever killed it gets it back; when it ends by itself, its port is taken. */
static void forward_again(struct init *in, int status)
{
    in->forward = WIFSIGNALED(status) ? forward_start() : 0;
    if (in->forward < 0)
        in->forward = 0;
}

static void reap(struct init *in)
{
    int status, pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == in->forward)
            forward_again(in, status);
        else if (!file_ended(in, pid, status))
            (void)init_report_send(INIT_EXITED, 0, pid, status, -1);
    }
}

/* The orphans of each round become children of ours, so rounds end it. */
static void end_everything(const struct init *in)
{
    const struct init_setup *s = in->setup;

    while (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) {
        if (s->traits & INIT_ALONE)
            (void)kill(-1, SIGKILL);
        else
            (void)tree_kill_children(NULL, 0);
        (void)poll(NULL, 0, 1);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
    }
    (void)tree_empty(s->home);
    (void)tree_empty(s->temp);
    if (*s->folder != '\0')
        (void)tree_remove(s->folder);
    _exit(0);
}

static void serve_one(struct init *in)
{
    struct init_request q;
    int fds[PACKET_FDS];
    size_t n_fds, want;
    ssize_t n = packet_receive(INIT_SOCKET, &q, sizeof(q), fds, &n_fds, 0);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n != (ssize_t)sizeof(q))
        end_everything(in); /* the server is gone */
    switch ((enum init_op)q.op) {
    case INIT_START:
        want = q.flags & INIT_WITH_PTY ? 1 : INIT_FDS;
        if (n_fds == want)
            start(in, &q, fds);
        else /* no room for descriptors */
            refuse(&q, EMFILE);
        break;
    case INIT_SIGNAL:
        send_signal(q.pid, q.signum);
        break;
    case INIT_KILL:
        end_everything(in);
        break;
    case INIT_PAUSE:
        (void)init_report_send(INIT_DONE, q.ticket, 0, tree_stop() ? 0 : EBUSY, -1);
        break;
    case INIT_RESUME:
        tree_continue();
        (void)init_report_send(INIT_DONE, q.ticket, 0, 0, -1);
        break;
    case INIT_FILE:
        if (n_fds == 1)
            start_file(in, q.ticket, fds[0]);
        else
            refuse(&q, EMFILE);
        break;
    }
    packet_close(fds);
}

static void serve(struct init *in)
{
    struct pollfd p[2] = {{.fd = INIT_SOCKET, .events = POLLIN},
                          {.fd = in->child_fd, .events = POLLIN}};

    for (;;) {
        struct signalfd_siginfo info;

        if (poll(p, 2, -1) < 0)
            continue;
        if (p[1].revents != 0 && read(in->child_fd, &info, sizeof(info)) > 0)
            reap(in);
        if (p[0].revents != 0)
            serve_one(in);
    }
}

/* --- the program ------------------------------------------------------------- */

/* The setup, then its filter; for ever. NULL: there is none, or of another build. */
static const struct init_setup *read_setup(void)
{
    struct stat st;

    if (fstat(INIT_SETUP, &st) != 0 || st.st_size < (off_t)sizeof(struct init_setup))
        return NULL;
    const struct init_setup *s =
        mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, INIT_SETUP, 0);
    if (s == MAP_FAILED || s->size != sizeof(*s) ||
        st.st_size != (off_t)(sizeof(*s) + s->filter_bytes))
        return NULL;
    return s;
}

/* Keeps the socket, and nothing that the server or bubblewrap had beside it. */
static void shed(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; fd < 3; fd++)
        (void)dup2(null, fd);
    (void)fcntl(INIT_SOCKET, F_SETFD, FD_CLOEXEC);
    (void)close_range(INIT_SOCKET + 1, ~0U, 0);
}

static void block_signals(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL);
}

int init_main(void)
{
    struct init in = {.setup = read_setup()};
    sigset_t child;

    if (in.setup == NULL) {
        (void)fputs("sandfleet-init is started by sandfleet-sandboxd of the same version\n",
                    stderr);
        return 64;
    }
    block_signals();
    (void)prctl(PR_SET_NAME, "sandbox-init");
    if (!init_enter(in.setup, in.setup + 1))
        return 1;
    shed();
    if (in.setup->traits & INIT_FORWARD)
        in.forward = forward_start();
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    in.child_fd = signalfd(-1, &child, SFD_CLOEXEC);
    if (in.child_fd < 0)
        return 1;
    serve(&in);
    return 0;
}
