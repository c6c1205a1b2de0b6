/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/file_do.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

enum { BLOCK = 64 << 10, STEP = 64 << 20, COPY_DEPTH_MAX = 512, NAMES_MAX = 4096 };

/* --- bytes ---------------------------------------------------------------------- */

static int write_block(int to, const char *p, ssize_t n)
{
    while (n > 0) {
        ssize_t wrote = write(to, p, (size_t)n);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return errno;
        p += wrote;
        n -= wrote;
    }
    return 0;
}

int file_copy_bytes(int from, int to)
{
    char block[BLOCK];
    ssize_t n;

    while ((n = copy_file_range(from, NULL, to, NULL, STEP, 0)) > 0)
        continue;
    if (n == 0)
        return 0;
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return errno;
    while ((n = read(from, block, sizeof(block))) != 0) {
        int errnum = n > 0 ? write_block(to, block, n) : errno == EINTR ? 0 : errno;

        if (errnum != 0)
            return errnum;
    }
    return 0;
}

/* --- trees ---------------------------------------------------------------------- */

/* User attributes; those that cannot be had or given are left behind. */
static void copy_attributes(int from, int to)
{
    char names[NAMES_MAX], value[NAMES_MAX];
    ssize_t have = flistxattr(from, names, sizeof(names));

    for (ssize_t i = 0; i < have; i += (ssize_t)strlen(names + i) + 1) {
        ssize_t n = fgetxattr(from, names + i, value, sizeof(value));

        if (n >= 0 && strncmp(names + i, "user.", 5) == 0)
            (void)fsetxattr(to, names + i, value, (size_t)n, 0);
    }
}

static void copy_facts(int from, int to, const struct stat *st)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};

    copy_attributes(from, to);
    (void)fchmod(to, st->st_mode & 07777);
    (void)futimens(to, times);
}

static int copy_file(int from, const char *to, const struct stat *st)
{
    char temp[FILE_PATH_ROOM];
    int fd = -1, errnum = file_temp(to, 0600, temp, &fd);

    if (errnum != 0)
        return errnum;
    errnum = file_copy_bytes(from, fd);
    copy_facts(from, fd, st);
    if (close(fd) != 0 && errnum == 0)
        errnum = errno;
    if (errnum == 0 && rename(temp, to) != 0)
        errnum = errno;
    if (errnum != 0)
        (void)unlink(temp);
    return errnum;
}

static int copy_link(const char *from, const char *to)
{
    char target[FILE_PATH_ROOM];
    ssize_t n = readlink(from, target, sizeof(target) - 1);

    if (n < 0)
        return errno;
    target[n] = '\0';
    if (unlink(to) != 0 && errno != ENOENT)
        return errno;
    return symlink(target, to) == 0 ? 0 : errno;
}

static int copy_any(const char *from, const char *to, int depth);

static int copy_entries(DIR *d, const char *from, const char *to, int depth)
{
    char source[FILE_PATH_ROOM], target[FILE_PATH_ROOM];

    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (!file_join(source, from, e->d_name) || !file_join(target, to, e->d_name))
            return ENAMETOOLONG;
        int errnum = copy_any(source, target, depth + 1);
        if (errnum != 0)
            return errnum;
    }
    return 0;
}

/* Takes `from_fd`. */
static int copy_folder(int from_fd, const char *from, const char *to, const struct stat *st,
                       int depth)
{
    DIR *d = fdopendir(from_fd);

    if (d == NULL || depth > COPY_DEPTH_MAX || mkdir(to, 0700) != 0) {
        int errnum = d == NULL ? errno : depth > COPY_DEPTH_MAX ? ELOOP : errno;

        (void)(d != NULL ? closedir(d) : close(from_fd));
        return errnum;
    }
    int errnum = copy_entries(d, from, to, depth);
    int to_fd = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to_fd >= 0) {
        copy_facts(dirfd(d), to_fd, st);
        (void)close(to_fd);
    }
    (void)closedir(d);
    return errnum;
}

static int copy_any(const char *from, const char *to, int depth)
{
    struct stat st;

    if (lstat(from, &st) != 0)
        return errno;
    if (S_ISLNK(st.st_mode))
        return copy_link(from, to);
    if (S_ISFIFO(st.st_mode))
        return mkfifo(to, st.st_mode & 07777) == 0 ? 0 : errno;
    int fd = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), errnum;
    if (fd < 0 || fstat(fd, &st) != 0) {
        errnum = errno;
        if (fd >= 0)
            (void)close(fd);
        return errnum;
    }
    if (S_ISDIR(st.st_mode))
        return copy_folder(fd, from, to, &st, depth);
    errnum = S_ISREG(st.st_mode) ? copy_file(fd, to, &st) : EXDEV;
    (void)close(fd);
    return errnum;
}

int file_copy_tree(const char *from, const char *to)
{
    int errnum = copy_any(from, to, 0);
    struct stat st;

    if (errnum != 0 && errnum != EEXIST && lstat(to, &st) == 0 && S_ISDIR(st.st_mode))
        (void)tree_remove(to); /* half of a tree */
    return errnum;
}

/* --- compose --------------------------------------------------------------------- */

static int append(int to, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    int errnum = fstat(fd, &st) != 0   ? errno
                 : S_ISREG(st.st_mode) ? file_copy_bytes(fd, to)
                                       : EINVAL;
    (void)close(fd);
    return errnum;
}

static int answer_fault(uint32_t source, int errnum, int *answer)
{
    AUTO_BUF text = BUF_INIT(128);

    buf_addf(&text, "{\"source\":%u,\"errno\":%d}", source, errnum);
    return file_answer(&text, answer);
}

static bool at_fault(int errnum) /* the source, not the disk */
{
    return errnum != ENOSPC && errnum != EDQUOT && errnum != EFBIG && errnum != EIO;
}

int file_do_compose(const struct file_job *j, int *answer)
{
    uint32_t next = 1;
    char temp[FILE_PATH_ROOM];
    int fd = -1, errnum = file_make_parents(j->s[0]);

    if (errnum == 0)
        errnum = file_temp(j->s[0], 0666, temp, &fd);
    if (errnum != 0)
        return errnum;
    while (next < j->op.strings && (errnum = append(fd, j->s[next])) == 0)
        next++;
    if (close(fd) != 0 && errnum == 0)
        errnum = errno;
    if (errnum == 0 && rename(temp, j->s[0]) != 0)
        errnum = errno;
    if (errnum != 0) {
        (void)unlink(temp);
        return next < j->op.strings && at_fault(errnum) ? answer_fault(next - 1, errnum, answer)
                                                        : errnum;
    }
    for (uint32_t i = 1; i < j->op.strings; i++)
        (void)unlink(j->s[i]);
    return file_answer_entry(j->s[0], answer);
}
