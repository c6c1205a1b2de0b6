/* SPDX-License-Identifier: Apache-2.0 */
/* A command of a sandbox, from the fork in init to its exec. */
#include "sandboxd/sandbox/init_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "common/banned.h"

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

static bool limit(__rlimit_resource_t what, uint64_t most)
{
    const struct rlimit l = {most, most};

    return most == 0 || setrlimit(what, &l) == 0;
}

/* Of the command, not of what we still do on the way to it. */
static bool limit_command(const struct init_setup *s)
{
    return limit(RLIMIT_NOFILE, s->max_files) && limit(RLIMIT_NPROC, s->max_procs) &&
           limit(RLIMIT_DATA, s->max_data_bytes);
}

static void exec_spec(const struct init_setup *setup, int fd)
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
    if (!limit_command(setup))
        die(argv[0], "cannot limit it", 126);
    execvp(argv[0], argv);
    die(argv[0], "cannot start", errno == ENOENT ? 127 : 126);
}

bool command_become(const struct init_setup *s)
{
    if (!limit(RLIMIT_FSIZE, s->max_file_bytes) || !identity_drop(&s->identity))
        return false;
    (void)umask(022);
    return true;
}

static void run_command(const struct init_setup *setup, const int fds[INIT_FDS], bool tty)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (setsid() < 0 || dup2(fds[INIT_FD_IN], 0) < 0 || dup2(fds[INIT_FD_OUT], 1) < 0 ||
        dup2(fds[INIT_FD_ERR], 2) < 0 || (tty && ioctl(0, TIOCSCTTY, 0) != 0) ||
        !command_become(setup))
        _exit(126);
    exec_spec(setup, fds[INIT_FD_SPEC]);
    _exit(126);
}

pid_t command_start(const struct init_setup *setup, const int fds[INIT_FDS], bool tty)
{
    pid_t pid = _Fork();

    if (pid == 0)
        run_command(setup, fds, tty);
    return pid;
}

int command_look(const struct init_setup *setup, int spec_fd)
{
    char cwd[PATH_MAX];
    ssize_t n = pread(spec_fd, cwd, sizeof(cwd) - 1, sizeof(struct init_spec));

    cwd[n > 0 ? n : 0] = '\0';
    identity_enter(&setup->identity);
    int fd = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC), errnum = errno;
    identity_leave(&setup->identity);
    if (fd < 0)
        return errnum;
    (void)close(fd);
    return 0;
}

/* --- its terminal: of the devpts that init sees, owned by the sandbox's user ----- */

static int open_peer(int master)
{
    int unlock = 0;

    if (ioctl(master, TIOCSPTLCK, &unlock) != 0)
        return -1;
    return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

int terminal_open(const struct init_setup *setup, uint16_t cols, uint16_t rows, int fds[INIT_FDS])
{
    const struct winsize size = {.ws_col = cols, .ws_row = rows};

    identity_enter(&setup->identity);
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    int peer = master >= 0 ? open_peer(master) : -1, errnum = errno;
    identity_leave(&setup->identity);
    if (peer >= 0 && ioctl(master, TIOCSWINSZ, &size) == 0) {
        fds[INIT_FD_IN] = fds[INIT_FD_OUT] = fds[INIT_FD_ERR] = peer;
        return master;
    }
    if (peer >= 0)
        (void)close(peer);
    if (master >= 0)
        (void)close(master);
    errno = errnum;
    return -1;
}
