/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The parent of a process by /proc; 0: it is gone. */
static int parent_of(int pid)
{
    char path[64], text[512];

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *p = strrchr(text, ')'); /* a program's name may hold anything */
    return p != NULL && strlen(p) > 4 ? (int)strtol(p + 4, NULL, 10) : 0;
}

static bool is_kept(int pid, const int *keep, int n)
{
    for (int i = 0; i < n; i++)
        if (keep[i] == pid)
            return true;
    return false;
}

int tree_kill_children(const int *keep, int n)
{
    DIR *proc = opendir("/proc");
    int self = (int)getpid(), killed = 0;

    if (proc == NULL)
        return 0;
    for (struct dirent *e; (e = readdir(proc)) != NULL;) {
        int pid = (int)strtol(e->d_name, NULL, 10);

        if (pid > 0 && parent_of(pid) == self && !is_kept(pid, keep, n) && kill(pid, SIGKILL) == 0)
            killed++;
    }
    (void)closedir(proc);
    return killed;
}
