/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of init.h. */
#include "sandboxd/sandbox/init.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandboxd/sandbox/init_internal.h"

#include "common/banned.h"

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
