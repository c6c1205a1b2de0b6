/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/gzip.h"
#include "common/banned.h"

enum { PACKED_BYTES = 64 << 10 };

struct source {
    char *name;
    int fd;
    struct stat was;     /* when it was opened; of a spool: when it was written */
    off_t start;         /* standard input may stand in the middle of a file */
    struct gzip *unpack; /* NULL: it is not packed */
    char *packed;        /* PACKED_BYTES, of which `in` is not unpacked yet */
    struct str in;
    bool ended; /* nothing more behind `in` */
};

static ssize_t read_some(int fd, char *to, size_t room)
{
    ssize_t n;

    do
        n = read(fd, to, room);
    while (n < 0 && errno == EINTR);
    return n;
}

/* --- opening ------------------------------------------------------------- */

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);

        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

/* Prompts are the user's data: nobody else may read the file, and it has no name. */
static int unlinked_file(void)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];
    int fd;

    if (!dir || !*dir)
        dir = "/var/tmp"; /* on a disk, where /tmp may be memory */
    fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    if (snprintf(path, sizeof path, "%s/sandfleet-XXXXXX", dir) >= (int)sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

static enum err_code spool(struct source *s, int from, struct err *err)
{
    char chunk[65536];
    ssize_t n;

    s->fd = unlinked_file();
    if (s->fd < 0)
        return err_errno(err, errno, "cannot make a temporary file for %s (TMPDIR)", s->name);
    while ((n = read_some(from, chunk, sizeof chunk)) > 0)
        if (!write_all(s->fd, chunk, (size_t)n))
            return err_errno(err, errno, "cannot spool %s (TMPDIR)", s->name);
    return n < 0 ? err_errno(err, errno, "cannot read %s", s->name) : ERR_OK;
}

static enum err_code open_fd(struct source *s, const char *path, struct err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    enum err_code rc = ERR_OK;

    if (fd < 0)
        return err_set(err, ERR_NOT_FOUND, "cannot open '%s': %s", s->name, strerror(errno));
    if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        close(fd);
        return err_set(err, ERR_NOT_FOUND, "cannot read '%s': it is a directory", s->name);
    }
    if (S_ISREG(st.st_mode)) {
        s->fd = fd;
        s->start = is_stdin ? lseek(fd, 0, SEEK_CUR) : 0;
        return ERR_OK;
    }
    rc = spool(s, fd, err);
    close(fd);
    return rc;
}

static enum err_code sniff(struct source *s, struct err *err)
{
    char magic[2] = {0};
    enum err_code rc = source_rewind(s, err);

    if (fstat(s->fd, &s->was) != 0)
        return err_errno(err, errno, "cannot read '%s'", s->name);

    if (rc != ERR_OK || read_some(s->fd, magic, sizeof magic) < (ssize_t)sizeof magic ||
        memcmp(magic, "\x1f\x8b", sizeof magic) != 0)
        return rc == ERR_OK ? source_rewind(s, err) : rc;
    s->packed = malloc(PACKED_BYTES);
    s->unpack = gzip_unpacker(SOURCE_UNPACKED_MAX_BYTES);
    if (!s->packed || !s->unpack)
        return err_set(err, ERR_NOMEM, "cannot unpack '%s'", s->name);
    return source_rewind(s, err);
}

enum err_code source_open(const char *path, struct source **out, struct err *err)
{
    struct source *s = calloc(1, sizeof(*s));
    enum err_code rc;

    if (!s)
        return err_set(err, ERR_NOMEM, "cannot open '%s'", path);
    s->fd = -1;
    s->name = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
    rc = s->name ? open_fd(s, path, err) : err_set(err, ERR_NOMEM, "cannot open '%s'", path);
    if (rc == ERR_OK)
        rc = sniff(s, err);
    if (rc != ERR_OK)
        source_close(s);
    else
        *out = s;
    return rc;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    gzip_free(s->unpack);
    free(s->packed);
    free(s->name);
    free(s);
}

const char *source_name(const struct source *s)
{
    return s->name;
}

/* --- reading ------------------------------------------------------------- */

bool source_is_same(const struct source *s)
{
    struct stat st;

    return fstat(s->fd, &st) == 0 && st.st_size == s->was.st_size &&
           st.st_mtim.tv_sec == s->was.st_mtim.tv_sec &&
           st.st_mtim.tv_nsec == s->was.st_mtim.tv_nsec;
}

enum err_code source_rewind(struct source *s, struct err *err)
{
    if (lseek(s->fd, s->start, SEEK_SET) < 0)
        return err_errno(err, errno, "cannot read '%s' again", s->name);
    s->in = (struct str){0};
    s->ended = false;
    if (s->unpack) {
        gzip_free(s->unpack);
        s->unpack = gzip_unpacker(SOURCE_UNPACKED_MAX_BYTES);
        if (!s->unpack)
            return err_set(err, ERR_NOMEM, "cannot unpack '%s'", s->name);
    }
    return ERR_OK;
}

static enum err_code read_plain(struct source *s, char *to, size_t room, size_t *n, struct err *err)
{
    ssize_t got = read_some(s->fd, to, room);

    if (got < 0)
        return err_errno(err, errno, "cannot read '%s'", s->name);
    *n = (size_t)got;
    return ERR_OK;
}

static enum err_code refill(struct source *s, struct err *err)
{
    size_t n = 0;

    if (s->in.n > 0 || s->ended)
        return ERR_OK;
    if (read_plain(s, s->packed, PACKED_BYTES, &n, err) != ERR_OK)
        return err->code;
    s->in = (struct str){s->packed, n};
    s->ended = n == 0;
    return ERR_OK;
}

enum err_code source_read(struct source *s, char *to, size_t room, size_t *n, struct err *err)
{
    if (!s->unpack)
        return read_plain(s, to, room, n, err);
    *n = 0;
    while (*n == 0) {
        if (refill(s, err) != ERR_OK)
            return err->code;
        if (gzip_step(s->unpack, &s->in, s->ended, to, room, n, err) != ERR_OK)
            return err_wrap(err, "cannot unpack '%s'", s->name);
        if (s->ended && *n < room)
            break;
    }
    return ERR_OK;
}
