/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/file_do.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "sandboxd/sandbox/file_entry.h"
#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

enum { OPEN_FLAGS = O_NONBLOCK | O_NOCTTY | O_CLOEXEC }; /* no pipe and no terminal holds us up */

/* --- shared ------------------------------------------------------------------------- */

bool file_join(char out[FILE_PATH_ROOM], const char *dir, const char *name)
{
    bool slash = dir[0] != '\0' && name[0] != '\0' && strcmp(dir, "/") != 0;

    return snprintf(out, FILE_PATH_ROOM, "%s%s%s", dir, slash ? "/" : "", name) < FILE_PATH_ROOM;
}

int file_make_parents(const char *path)
{
    char copy[FILE_PATH_ROOM];

    if (snprintf(copy, sizeof(copy), "%s", path) >= FILE_PATH_ROOM)
        return ENAMETOOLONG;
    for (char *p = copy + 1; (p = strchr(p, '/')) != NULL; p++) {
        struct stat st;

        *p = '\0';
        if (mkdir(copy, 0755) != 0) {
            int errnum = errno;

            if (stat(copy, &st) != 0)
                return errnum;
            if (!S_ISDIR(st.st_mode))
                return ENOTDIR;
        }
        *p = '/';
    }
    return 0;
}

int file_answer(struct buf *text, int *answer)
{
    if (text->rc != ERR_OK)
        return text->rc == ERR_TOO_BIG ? E2BIG : ENOMEM;
    int fd = memfd_create("answer", MFD_CLOEXEC);
    if (fd < 0)
        return errno;
    if (text->len > 0 && write(fd, text->p, text->len) != (ssize_t)text->len) {
        (void)close(fd);
        return ENOMEM;
    }
    *answer = fd;
    return 0;
}

int file_answer_entry(const char *path, int *answer)
{
    AUTO_BUF text = BUF_INIT(FILE_OP_ANSWER_MAX);
    int errnum = file_entry_add(&text, path, path);

    return errnum != 0 ? errnum : file_answer(&text, answer);
}

int file_temp(const char *path, mode_t mode, char name[FILE_PATH_ROOM], int *fd)
{
    if (snprintf(name, FILE_PATH_ROOM, "%s.%08x%08x.tmp", path, randombytes_random(),
                 randombytes_random()) >= FILE_PATH_ROOM)
        return ENAMETOOLONG;
    *fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    return *fd < 0 ? errno : 0;
}

/* --- opening ------------------------------------------------------------------------ */

/* Takes fd; 0 when it is a regular file. */
static int regular(int fd, int *answer)
{
    struct stat st;
    int errnum = fstat(fd, &st) != 0   ? errno
                 : S_ISREG(st.st_mode) ? 0
                 : S_ISDIR(st.st_mode) ? EISDIR
                                       : EINVAL;

    if (errnum == 0)
        *answer = fd;
    else
        (void)close(fd);
    return errnum;
}

int file_do_read(const struct file_job *j, int *answer)
{
    int fd = open(j->s[0], O_RDONLY | OPEN_FLAGS);

    return fd < 0 ? errno : regular(fd, answer);
}

int file_do_write(const struct file_job *j, int *answer)
{
    int errnum = file_make_parents(j->s[0]), fd = -1;

    if (errnum != 0)
        return errnum;
    int raw = open(j->s[0], O_WRONLY | O_CREAT | OPEN_FLAGS, 0666);
    if (raw < 0)
        return errno == ENXIO ? EINVAL : errno; /* a pipe that nobody reads */
    errnum = regular(raw, &fd);
    if (errnum != 0)
        return errnum;
    if (ftruncate(fd, 0) != 0)
        errnum = errno;
    if (errnum == 0)
        errnum = file_metadata_set(fd, j->s + 1, j->op.strings - 1);
    if (errnum != 0)
        (void)close(fd);
    else
        *answer = fd;
    return errnum;
}

/* The path may be another file's by now. */
int file_do_discard(const struct file_job *j, int *answer)
{
    struct stat st;

    (void)answer;
    if (lstat(j->s[0], &st) != 0)
        return errno;
    if (st.st_dev != j->op.device || st.st_ino != j->op.inode)
        return ESTALE;
    return unlink(j->s[0]) == 0 ? 0 : errno;
}

/* --- one entry ---------------------------------------------------------------------- */

int file_do_stat(const struct file_job *j, int *answer)
{
    return file_answer_entry(j->s[0], answer);
}

int file_do_mkdir(const struct file_job *j, int *answer)
{
    const char *path = j->s[0];
    struct stat st;

    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? EEXIST : ENOTDIR;
    if (errno != ENOENT)
        return errno;
    int errnum = file_make_parents(path);
    if (errnum == 0 && mkdir(path, 0755) != 0 && errno != EEXIST) /* "a/" was made as a parent */
        errnum = errno;
    return errnum != 0 ? errnum : file_answer_entry(path, answer);
}

/* What a rename cannot do between two file systems. */
static int move_by_copy(const char *from, const char *to)
{
    struct stat st;

    if (lstat(from, &st) != 0)
        return errno;
    if (S_ISDIR(st.st_mode) && rmdir(to) != 0 && errno != ENOENT)
        return errno; /* as rename(): only an empty folder gives way */
    int errnum = file_copy_tree(from, to);
    if (errnum != 0)
        return errnum;
    return tree_remove(from) != 0 ? errno : 0;
}

int file_do_move(const struct file_job *j, int *answer)
{
    const char *from = j->s[0], *to = j->s[1];
    int errnum = file_make_parents(to);

    if (errnum == 0 && rename(from, to) != 0)
        errnum = errno == EXDEV ? move_by_copy(from, to) : errno;
    return errnum != 0 ? errnum : file_answer_entry(to, answer);
}

int file_do_remove(const struct file_job *j, int *answer)
{
    (void)answer;
    return tree_remove(j->s[0]) != 0 ? errno : 0;
}
