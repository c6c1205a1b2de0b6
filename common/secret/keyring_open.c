/* SPDX-License-Identifier: Apache-2.0 */
/* Where master keys come from. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/secret/keyring.h"
#include "common/secret/secret.h"
#include "common/banned.h"

enum { COMMAND_MS = 30000, PATH_ROOM = 4096 };

extern char **environ;

/* --- a command ---------------------------------------------------------------- */

/* A group of its own, so that what the shell started ends with it. */
static int start(const char *command, int out, pid_t *pid)
{
    char sh[] = "/bin/sh", dash_c[] = "-c";
    char *argv[] = {sh, dash_c, (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int rc = posix_spawn_file_actions_init(&files);

    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc != 0) {
        (void)posix_spawn_file_actions_destroy(&files);
        return rc;
    }
    rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    if (rc == 0)
        rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    if (rc == 0)
        rc = posix_spawn(pid, sh, &files, &attr, argv, environ);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

static enum err_code read_all(int fd, char *text, size_t room, size_t *n, struct err *err)
{
    int64_t until = clock_boot_ms() + COMMAND_MS;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = until - clock_boot_ms();
        int ready = left > 0 ? poll(&p, 1, (int)left) : 0;

        if (ready == 0)
            return err_set(err, ERR_CONFIG, "no end within %d s", COMMAND_MS / 1000);
        ssize_t got = ready > 0 ? read(fd, text + *n, room - *n) : -1;
        if (got == 0)
            return ERR_OK;
        if (got < 0 && errno != EINTR)
            return err_errno(err, errno, "cannot read its output");
        *n += got > 0 ? (size_t)got : 0;
        if (*n == room)
            return err_set(err, ERR_TOO_BIG, "over %zu bytes of output", room - 1);
    }
}

static enum err_code wait_for(pid_t pid, struct err *err)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return ERR_OK;
    return err_set(err, ERR_CONFIG, "%s %d", WIFEXITED(status) ? "exit status" : "ended by signal",
                   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static enum err_code run(const char *command, char *text, size_t room, size_t *n, struct err *err)
{
    int ends[2], rc;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    rc = start(command, ends[1], &pid);
    (void)close(ends[1]);
    if (rc != 0) {
        (void)close(ends[0]);
        return err_errno(err, rc, "cannot start /bin/sh");
    }
    enum err_code done = read_all(ends[0], text, room, n, err);
    (void)close(ends[0]);
    if (done != ERR_OK)
        (void)kill(-pid, SIGKILL);
    struct err end = ERR_INIT;
    enum err_code ended = wait_for(pid, done == ERR_OK ? err : &end);
    return done == ERR_OK ? ended : done;
}

/* --- the source ----------------------------------------------------------------- */

static enum err_code systemd_path(char path[PATH_ROOM], struct err *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");

    path[0] = '\0';
    if (!folder || !*folder)
        return ERR_OK;
    if (snprintf(path, PATH_ROOM, "%s/%s", folder, KEYRING_CREDENTIAL) >= PATH_ROOM)
        return err_set(err, ERR_CONFIG, "CREDENTIALS_DIRECTORY is too long");
    if (access(path, F_OK) != 0)
        path[0] = '\0';
    return ERR_OK;
}

/* *n 0: there is no source. */
static enum err_code read_source(const struct keyring_source *from, char *text, size_t *n,
                                 struct err *err)
{
    char path[PATH_ROOM];

    if (from->command) {
        enum err_code rc = run(from->command, text, KEYRING_FILE_BYTES, n, err);
        return rc == ERR_OK ? rc : err_wrap(err, "the command for the master keys");
    }
    if (from->file)
        return secret_read_file(from->file, text, KEYRING_FILE_BYTES, n, err);
    enum err_code rc = systemd_path(path, err);
    return rc == ERR_OK && path[0] ? secret_read_file(path, text, KEYRING_FILE_BYTES, n, err) : rc;
}

enum err_code keyring_open(const struct keyring_source *from, struct keyring **out, struct err *err)
{
    char *text;
    size_t n = 0;

    *out = NULL;
    if (from->file && from->command)
        return err_set(err, ERR_CONFIG, "the master keys have a file and a command: give one");
    text = sodium_malloc(KEYRING_FILE_BYTES);
    if (!text)
        return err_set(err, ERR_NOMEM, "master keys: no locked memory");
    enum err_code rc = read_source(from, text, &n, err);
    if (rc == ERR_OK && (n > 0 || from->file || from->command)) {
        rc = keyring_parse((struct str){text, n}, out, err);
        if (rc != ERR_OK)
            (void)err_wrap(err, "the master keys");
    }
    sodium_free(text);
    return rc;
}
