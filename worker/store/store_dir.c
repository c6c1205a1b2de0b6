/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a directory: a key is a path in it. What is put is written to tmp/ first, made
 * durable, and renamed, so a crash leaves the old bytes or the new ones. Several workers may
 * share it, on one machine or by a network file system. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "worker/store/store_internal.h"
#include "common/banned.h"

enum {
    READ_BYTES = 64 * 1024,
    STALE_S = 24 * 3600 /* a file in tmp/ that nobody writes any more */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}
#define AUTO_FD AUTO(close_fd) int

/* --- the thread's side: these block ------------------------------------------- */

/* The folders above the last name. */
int store_dir_make_parents(int dir, const char *key)
{
    char path[STORE_KEY_MAX + 1];

    for (const char *slash = strchr(key, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(path, key, (size_t)(slash - key));
        path[slash - key] = '\0';
        if (mkdirat(dir, path, 0700) != 0 && errno != EEXIST)
            return errno;
    }
    return 0;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static int sync_parent(int dir, const char *key)
{
    char path[STORE_KEY_MAX + 1];
    const char *slash = strrchr(key, '/');

    memcpy(path, slash ? key : ".", slash ? (size_t)(slash - key) : 1);
    path[slash ? slash - key : 1] = '\0';
    AUTO_FD fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? 0 : errno;
}

int store_dir_settle(int dir, const char *tmp, const char *key, int fd)
{
    int rc = fsync(fd) == 0 ? 0 : errno;

    if (rc == 0 && renameat(dir, tmp, dir, key) != 0)
        rc = errno;
    if (rc != 0)
        (void)unlinkat(dir, tmp, 0);
    return rc == 0 ? sync_parent(dir, key) : rc;
}

static int put_as(int dir, const char *tmp, const struct store_call *c)
{
    AUTO_FD fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd >= 0 ? write_all(fd, c->bytes.p, c->bytes.len) : errno;

    if (fd >= 0 && rc != 0)
        (void)unlinkat(dir, tmp, 0);
    return rc == 0 ? store_dir_settle(dir, tmp, c->key, fd) : rc;
}

void store_dir_tmp_name(char out[64])
{
    snprintf(out, 64, "tmp/%d-%08x%08x", (int)getpid(), (unsigned)randombytes_random(),
             (unsigned)randombytes_random());
}

static int do_put(struct store_call *c)
{
    char tmp[64];
    int dir = c->store->dir, rc = store_dir_make_parents(dir, c->key);

    store_dir_tmp_name(tmp);
    return rc == 0 ? put_as(dir, tmp, c) : rc;
}

/* One byte more than the ceiling is looked for, so that a file of just its size is fine. */
static int read_all(int fd, struct buf *b)
{
    for (;;) {
        char beyond, *room = &beyond;
        size_t n = b->max - b->len < READ_BYTES ? b->max - b->len : READ_BYTES;
        if (n > 0 && !(room = buf_room(b, n)))
            return ENOMEM;
        ssize_t got = read(fd, room, n > 0 ? n : 1);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return errno;
        if (got > 0 && n == 0)
            return EFBIG;
        if (got > 0)
            buf_grew(b, (size_t)got);
    }
}

static int do_get(struct store_call *c)
{
    AUTO_FD fd = openat(c->store->dir, c->key, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 ? read_all(fd, &c->bytes) : errno;
}

static int do_remove(const struct store_call *c)
{
    return unlinkat(c->store->dir, c->key, 0) == 0 || errno == ENOENT ? 0 : errno;
}

static void work(void *ctx)
{
    struct store_call *c = ctx;
    int rc = c->verb == STORE_PUT ? do_put(c) : c->verb == STORE_GET ? do_get(c) : do_remove(c);

    if (rc == EFBIG)
        (void)err_set(&c->err, ERR_TOO_BIG, "store: '%s' has more than %zu bytes", c->key,
                      c->bytes.max);
    else if (rc != 0)
        (void)err_errno(&c->err, rc, "store: '%s'", c->key);
}

/* --- the loop's side ----------------------------------------------------------- */

static void done(void *ctx)
{
    struct store_call *c = ctx;

    if (c->verb != STORE_GET || c->err.code != ERR_OK)
        buf_release(&c->bytes);
    store_call_end(c);
}

static enum err_code dir_start(struct store_call *c, struct err *err)
{
    if (c->verb == STORE_PUT_FROM)
        return store_stream_start(c, err);
    return loop_work(c->store->loop, work, done, c, err);
}

static void dir_release(struct store *s)
{
    (void)close(s->dir);
    free(s->path);
}

static void dir_location(const struct store *s, const char *key, struct buf *out)
{
    buf_addf(out, "file://%s/%s", s->path, key);
}

/* What writers that were killed left behind. */
static void sweep(int dir)
{
    int fd = openat(dir, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct stat st;

    if (!d)
        return;
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        if (e->d_name[0] != '.' && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime < time(NULL) - STALE_S)
            (void)unlinkat(fd, e->d_name, 0);
    (void)closedir(d);
}

enum err_code store_dir_open(struct store *s, const char *path, struct err *err)
{
    static const struct store_kind kind = {.start = dir_start,
                                           .release = dir_release,
                                           .go_on = store_stream_go_on,
                                           .cancel = store_stream_cancel,
                                           .location = dir_location};
    int fd = -1, rc = mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;

    if (rc == 0 && (fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        rc = errno;
    if (rc == 0 && mkdirat(fd, "tmp", 0700) != 0 && errno != EEXIST)
        rc = errno;
    if (rc != 0) {
        close_fd(&fd);
        return err_set(err, ERR_CONFIG, "the store '%s': %s", path, strerror(rc));
    }
    sweep(fd);
    s->kind = &kind;
    s->dir = fd;
    s->path = realpath(path, NULL);
    if (s->path)
        return ERR_OK;
    close_fd(&fd);
    return err_set(err, ERR_NOMEM, "the store");
}
