/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/banned.h"

enum { TREE_DEPTH = 512 };

static int remove_at(int dir, const char *name, dev_t dev, int depth);

static int remove_entries(int fd, dev_t dev, int depth)
{
    DIR *d = fdopendir(fd);
    int rc = 0;

    if (d == NULL) {
        (void)close(fd);
        return -1;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            remove_at(dirfd(d), e->d_name, dev, depth + 1) != 0)
            rc = -1;
    (void)closedir(d);
    return rc;
}

static int remove_at(int dir, const char *name, dev_t dev, int depth)
{
    struct stat st;

    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    int errnum = errno;
    if (errnum != EISDIR && errnum != EPERM && errnum != EACCES)
        return -1;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        errno = errno == ENOTDIR || errno == ELOOP ? errnum : errno; /* no folder after all */
        return -1;
    }
    if (depth > TREE_DEPTH || fstat(fd, &st) != 0 || st.st_dev != dev) {
        (void)close(fd);
        errno = EXDEV;
        return -1;
    }
    (void)fchmod(fd, 0700);
    if (remove_entries(fd, dev, depth) != 0)
        return -1;
    return unlinkat(dir, name, AT_REMOVEDIR);
}

int tree_remove(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : -1;
    return remove_at(AT_FDCWD, path, st.st_dev, 0);
}

int tree_empty(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    if (fstat(fd, &st) == 0)
        return remove_entries(fd, st.st_dev, 0);
    (void)close(fd);
    return -1;
}
