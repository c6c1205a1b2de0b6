/* SPDX-License-Identifier: Apache-2.0 */
/* Children of the server that do what would block its loop. */
#include "sandboxd/sandbox/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/banned.h"

/* Of the server's nothing is left: no descriptor, no handler, not its user. */
static void child_main(const struct fleet *f, int (*fn)(const void *ctx), const void *ctx)
{
    sigset_t none;

    (void)prctl(PR_SET_NAME, "sandboxd-copy");
    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)close_range(3, ~0U, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !identity_drop(f->identity))
        _exit(EXIT_FAILURE);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user would clear it */
    _exit(fn(ctx));
}

enum err_code fleet_fork(struct fleet *f, struct child *c, int (*fn)(const void *ctx),
                         const void *ctx, struct err *err)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
    pid_t pid = _Fork();
    if (pid == 0)
        child_main(f, fn, ctx);
    int errnum = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return err_errno(err, errnum, "cannot fork");
    c->pid = pid;
    LIST_INSERT_HEAD(&f->children, c, link);
    return ERR_OK;
}

void fleet_forget(struct child *c)
{
    if (c->pid == 0)
        return;
    (void)kill(c->pid, SIGKILL);
    LIST_REMOVE(c, link); /* whoever reaps it finds no name for it */
    c->pid = 0;
}

void fleet_release(struct fleet *f)
{
    struct child *c;

    while ((c = LIST_FIRST(&f->children)) != NULL) {
        fleet_forget(c);
        c->exited(c, -1);
    }
}

bool child_exited(struct fleet *f, pid_t pid, int wait_status)
{
    struct child *c;

    LIST_FOREACH(c, &f->children, link)
    if (c->pid == pid)
        break;
    if (c == NULL)
        return false;
    LIST_REMOVE(c, link);
    c->pid = 0;
    c->exited(c, wait_status);
    return true;
}
