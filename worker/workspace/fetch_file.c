/* SPDX-License-Identifier: Apache-2.0 */
/* A file of the folder that the settings name, read by another thread: a disk may take its time. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/workspace/fetch_internal.h"
#include "common/banned.h"

enum { PIECE_BYTES = 64 << 10 };

struct fetch_file {
    struct fetch *f; /* NULL: nobody waits any more */
    struct loop *loop;
    const char *folder;
    char *path; /* below it */
    int fd;     /* -1: not open yet */
    ssize_t got;
    int failure; /* errno */
    bool busy;   /* the thread has it */
    bool held;
    char piece[PIECE_BYTES];
};

/* --- the thread's side ------------------------------------------------------------ */

/* Neither ".." nor a link leads out of the folder, whoever puts one there meanwhile. */
static int open_below(const char *folder, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    long fd = dir >= 0 ? syscall(SYS_openat2, dir, path, &how, sizeof(how)) : -1;
    int failure = errno;
    struct stat st;

    if (dir >= 0)
        (void)close(dir);
    if (fd >= 0 && (fstat((int)fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        (void)close((int)fd);
        fd = -1;
        failure = EISDIR;
    }
    errno = failure;
    return (int)fd;
}

static void read_piece(void *ctx)
{
    struct fetch_file *file = ctx;

    if (file->fd < 0)
        file->fd = open_below(file->folder, file->path);
    file->got = file->fd >= 0 ? read(file->fd, file->piece, sizeof(file->piece)) : -1;
    file->failure = file->got < 0 ? errno : 0;
}

/* --- the loop's side ---------------------------------------------------------------- */

static void release(struct fetch_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    free(file->path);
    free(file);
}

static void next(struct fetch_file *file);

static void on_read(void *ctx)
{
    struct fetch_file *file = ctx;
    struct err e = ERR_INIT;

    file->busy = false;
    if (!file->f) {
        release(file);
        return;
    }
    if (file->got <= 0) {
        if (file->failure)
            (void)err_set(&e, file->failure == ENOENT ? ERR_NOT_FOUND : ERR_INVALID, "archive: %s",
                          strerror(file->failure));
        fetch_end(file->f, &e);
        return;
    }
    file->busy = true; /* who is told may free us */
    if (fetch_give(file->f, (struct str){file->piece, (size_t)file->got}) && file->f) {
        file->busy = false;
        next(file);
        return;
    }
    release(file);
}

static void next(struct fetch_file *file)
{
    struct err e = ERR_INIT;

    if (file->busy || file->held)
        return;
    file->busy = loop_work(file->loop, read_piece, on_read, file, &e) == ERR_OK;
    if (!file->busy)
        fetch_end(file->f, &e);
}

enum err_code fetch_file_start(struct fetch *f, const char *path, struct err *err)
{
    struct fetch_file *file = calloc(1, sizeof(*file));

    if (!file)
        return err_set(err, ERR_NOMEM, "archive");
    *file = (struct fetch_file){.f = f,
                                .loop = f->policy->loop,
                                .folder = f->policy->local_files,
                                .path = str_dup(str_of(path)),
                                .fd = -1};
    if (!file->path || loop_work(file->loop, read_piece, on_read, file, err) != ERR_OK) {
        release(file);
        return err_set(err, ERR_NOMEM, "archive");
    }
    file->busy = true;
    f->file = file;
    return ERR_OK;
}

void fetch_file_hold(struct fetch_file *file, bool held)
{
    file->held = held;
    if (!held)
        next(file);
}

void fetch_file_free(struct fetch_file *file)
{
    if (!file)
        return;
    file->f = NULL;
    if (!file->busy)
        release(file);
}
