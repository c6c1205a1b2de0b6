/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secret/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/banned.h"

struct secret {
    size_t n;
    char value[];
};

/* The leak checker of a sanitized build has to look into its own process. */
#if defined(__SANITIZE_ADDRESS__)
#define MAY_BE_TRACED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAY_BE_TRACED 1
#endif
#endif
#ifndef MAY_BE_TRACED
#define MAY_BE_TRACED 0
#endif

enum err_code secret_init(struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "libsodium cannot be initialized");
    if (setrlimit(RLIMIT_CORE, &(struct rlimit){0}) != 0)
        return err_errno(err, errno, "cannot switch core files off");
    if (!MAY_BE_TRACED && prctl(PR_SET_DUMPABLE, 0) != 0)
        return err_errno(err, errno, "cannot hide the process's memory");
    return ERR_OK;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

enum err_code secret_check(struct str value, struct err *err)
{
    if (value.n == 0)
        return err_set(err, ERR_INVALID, "the secret is empty");
    if (value.n > SECRET_MAX_BYTES)
        return err_set(err, ERR_TOO_BIG, "the secret is over %d bytes", SECRET_MAX_BYTES);
    if (has_control(value))
        return err_set(err, ERR_INVALID, "the secret holds a control byte");
    return ERR_OK;
}

enum err_code secret_room(size_t n, struct secret **out, char **room, struct err *err)
{
    size_t align = _Alignof(struct secret);
    struct secret *s;

    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "libsodium cannot be initialized");
    /* The guard page follows at once: a rounded size keeps the start aligned. */
    s = sodium_malloc((sizeof *s + n + align - 1) / align * align);
    if (!s)
        return err_set(err, ERR_NOMEM, "secret: no locked memory");
    s->n = n;
    *room = s->value;
    *out = s;
    return ERR_OK;
}

enum err_code secret_new(struct str value, struct secret **out, struct err *err)
{
    enum err_code rc = secret_check(value, err);
    char *room = NULL;

    if (rc == ERR_OK)
        rc = secret_room(value.n, out, &room, err);
    if (rc == ERR_OK)
        memcpy(room, value.p, value.n);
    return rc;
}

/* rc, and on failure the source's name before the message. */
static enum err_code named(enum err_code rc, const char *source, struct err *err)
{
    if (rc != ERR_OK && err)
        (void)err_wrap(err, "'%s'", source);
    return rc;
}

/* --- from a file ---------------------------------------------------------------- */

/* systemd lets the service's user in by an access list, which shows as the group's right to read.
 */
static mode_t not_allowed(const char *path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t n = folder ? strlen(folder) : 0;

    return n > 0 && strncmp(path, folder, n) == 0 && path[n] == '/' ? S_IWGRP | S_IXGRP | S_IRWXO
                                                                    : S_IRWXG | S_IRWXO;
}

static enum err_code check_file(int fd, const char *path, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_errno(err, errno, "cannot look at '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_CONFIG, "'%s' is no regular file", path);
    if (st.st_mode & not_allowed(path))
        return err_set(err, ERR_CONFIG, "others may read '%s', its mode is %04o: chmod 600 it",
                       path, (unsigned)(st.st_mode & 07777));
    return ERR_OK;
}

static enum err_code read_all(int fd, const char *path, char *text, size_t room, size_t *len,
                              struct err *err)
{
    *len = 0;
    while (*len < room) {
        ssize_t n = read(fd, text + *len, room - *len);

        if (n == 0)
            return ERR_OK;
        if (n > 0)
            *len += (size_t)n;
        else if (errno != EINTR)
            return err_errno(err, errno, "cannot read '%s'", path);
    }
    return err_set(err, ERR_TOO_BIG, "'%s' is over %zu bytes", path, room - 1);
}

enum err_code secret_read_file(const char *path, char *text, size_t room, size_t *n,
                               struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    enum err_code rc;

    if (fd < 0)
        return err_errno(err, errno, "cannot open '%s'", path);
    rc = check_file(fd, path, err);
    if (rc == ERR_OK)
        rc = read_all(fd, path, text, room, n, err);
    (void)close(fd);
    return rc;
}

enum err_code secret_from_file(const char *path, struct secret **out, struct err *err)
{
    char text[SECRET_MAX_BYTES + 2]; /* a newline more, and one byte to see that it is too long */
    size_t n = 0;
    enum err_code rc = secret_read_file(path, text, sizeof text, &n, err);

    if (rc == ERR_OK && n > 0 && text[n - 1] == '\n')
        n--;
    if (rc == ERR_OK)
        rc = named(secret_new((struct str){text, n}, out, err), path, err);
    sodium_memzero(text, sizeof text);
    return rc;
}

/* --- from the environment --------------------------------------------------------- */

enum err_code secret_from_env(const char *name, struct secret **out, struct err *err)
{
    char *value = getenv(name);
    enum err_code rc = ERR_OK;

    *out = NULL;
    if (!value)
        return ERR_OK;
    if (*value)
        rc = named(secret_new(str_of(value), out, err), name, err);
    sodium_memzero(value, strlen(value)); /* /proc/PID/environ shows this very memory */
    (void)unsetenv(name);
    return rc;
}

struct str secret_value(const struct secret *s)
{
    return s ? (struct str){s->value, s->n} : (struct str){0};
}

void secret_free(struct secret *s)
{
    sodium_free(s);
}
