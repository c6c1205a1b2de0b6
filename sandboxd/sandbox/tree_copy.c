/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/tree_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/banned.h"

enum { COPY_DEPTH = 256, ATTRIBUTE_MAX = 4096, PIECE = 1 << 24 };

struct copy {
    struct tree_limits left;
    dev_t device; /* what is mounted below is left out */
    int depth;
};

static int copy_folder(struct copy *c, int from, int to);

static void copy_attributes(int from, int to)
{
    char names[ATTRIBUTE_MAX], value[ATTRIBUTE_MAX];
    ssize_t n = flistxattr(from, names, sizeof(names));

    for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
        ssize_t size = strncmp(names + i, "user.", 5) == 0
                           ? fgetxattr(from, names + i, value, sizeof(value))
                           : -1;
        if (size >= 0)
            (void)fsetxattr(to, names + i, value, (size_t)size, 0);
    }
}

static void copy_marks(int to, const struct stat *st)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};

    (void)fchmod(to, st->st_mode & 0777);
    (void)futimens(to, times);
}

/* So many bytes from where both stand; fewer when the file has become shorter. */
static int copy_extent(struct copy *c, int from, int to, off_t n)
{
    while (n > 0) {
        size_t piece = n < PIECE ? (size_t)n : PIECE;
        ssize_t did = copy_file_range(from, NULL, to, NULL, piece, 0);

        if (did < 0 &&
            (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
            did = sendfile(to, from, NULL, piece);
        if (did <= 0)
            return did < 0 ? errno : 0;
        n -= did;
        c->left.bytes -= did;
        if (c->left.bytes < 0)
            return EFBIG;
    }
    return 0;
}

/* Holes stay holes: a file of nothing else would take what it only claims to have. Extents are
 * shared where the file system can do that. */
static int copy_bytes(struct copy *c, int from, int to)
{
    off_t at = 0, end;

    while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
        if ((end = lseek(from, at, SEEK_HOLE)) < 0 || lseek(from, at, SEEK_SET) < 0 ||
            lseek(to, at, SEEK_SET) < 0)
            return errno;
        int rc = copy_extent(c, from, to, end - at);
        if (rc != 0)
            return rc;
        at = end;
    }
    if (errno != ENXIO) /* that one says: no more of it */
        return errno;
    return (end = lseek(from, 0, SEEK_END)) >= 0 && ftruncate(to, end) == 0 ? 0 : errno;
}

static int copy_file(struct copy *c, int dir, int to_dir, const char *name)
{
    struct stat st;
    int rc = 0, out = -1;
    int in = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (in < 0)
        return errno == ENOENT || errno == ELOOP ? 0 : errno; /* it has just changed */
    if (fstat(in, &st) == 0 && S_ISREG(st.st_mode)) {
        out = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        rc = out >= 0 ? copy_bytes(c, in, out) : errno;
    }
    if (out >= 0 && rc == 0) {
        copy_attributes(in, out);
        copy_marks(out, &st);
    }
    if (out >= 0 && close(out) != 0 && rc == 0)
        rc = errno;
    (void)close(in);
    return rc;
}

static int copy_link(int dir, int to_dir, const char *name)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

    if (n < 0)
        return errno == ENOENT || errno == EINVAL ? 0 : errno;
    target[n] = '\0';
    return symlinkat(target, to_dir, name) == 0 ? 0 : errno;
}

static int copy_below(struct copy *c, int dir, int to_dir, const char *name)
{
    struct stat st;
    int from = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), to = -1, rc = 0;

    if (from < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : errno;
    if (fstat(from, &st) != 0)
        rc = errno;
    else if (st.st_dev == c->device && mkdirat(to_dir, name, 0700) != 0)
        rc = errno;
    else if (st.st_dev == c->device &&
             (to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
        rc = errno;
    if (to >= 0) {
        rc = copy_folder(c, from, to);
        copy_marks(to, &st);
        (void)close(to);
    }
    (void)close(from);
    return rc;
}

static int copy_entry(struct copy *c, int dir, int to_dir, const char *name)
{
    struct stat st;

    if (--c->left.entries < 0)
        return EFBIG;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : errno;
    if (S_ISREG(st.st_mode))
        return copy_file(c, dir, to_dir, name);
    if (S_ISLNK(st.st_mode))
        return copy_link(dir, to_dir, name);
    return S_ISDIR(st.st_mode) ? copy_below(c, dir, to_dir, name) : 0;
}

/* Both stay the caller's. */
static int copy_folder(struct copy *c, int from, int to)
{
    int again = fcntl(from, F_DUPFD_CLOEXEC, 3), rc = 0;
    DIR *d = again >= 0 ? fdopendir(again) : NULL;

    if (d == NULL || ++c->depth > COPY_DEPTH) {
        rc = d == NULL ? errno : ELOOP;
        if (d != NULL)
            (void)closedir(d);
        else if (again >= 0)
            (void)close(again);
        return rc;
    }
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = copy_entry(c, from, to, e->d_name);
    (void)closedir(d);
    c->depth--;
    return rc;
}

int tree_copy(const char *from, const char *to, const struct tree_limits *most)
{
    struct copy c = {.left = *most};
    struct stat st;
    int in = open(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int out = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = in < 0 || out < 0 || fstat(in, &st) != 0 ? errno : 0;

    if (rc == 0) {
        c.device = st.st_dev;
        rc = copy_folder(&c, in, out);
    }
    if (in >= 0)
        (void)close(in);
    if (out >= 0)
        (void)close(out);
    return rc;
}
