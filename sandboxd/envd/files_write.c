/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/files_upload.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json/json.h"
#include "sandboxd/server.h"

#include "common/banned.h"

static bool disk_full(int errnum)
{
    return errnum == ENOSPC || errnum == EDQUOT;
}

static void fail_open(struct upload *u, int errnum)
{
    struct request *r = u->r;

    if (errnum == ESRCH && request_sandbox(r) == NULL)
        return; /* it has ended, and that is answered */
    if (errnum == EISDIR)
        request_error(r, 400, "path is a directory: %s", u->path);
    else if (errnum == EINVAL)
        request_error(r, 400, "path is not a regular file: %s", u->path);
    else if (disk_full(errnum))
        request_error(r, 507, "not enough inodes available: open %s: %s", u->path,
                      errno_text(errnum));
    else
        request_error(r, file_refused(errnum) ? 403 : 500,
                      errnum == ENOTDIR ? "error ensuring directories: open %s: %s"
                                        : "error opening file: open %s: %s",
                      u->path, errno_text(errnum));
}

static void on_open(struct file_call *c, int errnum, int fd)
{
    struct upload *u = c->owner;
    struct stat st;

    u->opening = false;
    if (errnum == 0 && (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        errnum = EINVAL; /* it came from the sandbox */
        if (fd >= 0)
            (void)close(fd);
    }
    if (errnum == 0)
        u->fd = fd;
    else
        fail_open(u, errnum);
    upload_pump(u);
}

void upload_open(struct upload *u, struct sandbox *sb)
{
    const struct file_op op = {.kind = FILE_OP_WRITE, .strings = 1 + u->metadata.strings};
    AUTO_BUF names = BUF_INIT(FILE_OP_BYTES_MAX);
    struct err e = ERR_INIT;

    put_path(&names, u->path);
    buf_addstr(&names, buf_str(&u->metadata.pairs));
    if (file_call(&u->call, sb, &op, buf_str(&names), on_open, &e) != ERR_OK)
        request_error(u->r, 503, "%s", e.msg);
    else
        u->opening = true;
}

static void fail_write(struct upload *u, int errnum)
{
    const char *length = request_header(u->r, "Content-Length");

    if (!disk_full(errnum))
        request_error(u->r, 500, "error writing file: write %s: %s", u->path, errno_text(errnum));
    else if (length != NULL)
        request_error(u->r, 507, "attempted to write %.20s bytes: not enough disk space available",
                      length);
    else
        request_error(u->r, 507, "not enough disk space available");
    upload_discard(u);
}

void upload_write(struct upload *u, struct str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(u->fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail_write(u, errno);
            return;
        }
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
}

void upload_close(struct upload *u)
{
    int fd = u->fd;

    u->fd = -1;
    if (close(fd) != 0) {
        fail_write(u, errno);
        return;
    }
    put_path(&u->done, u->path);
    if (u->told.len > 0)
        buf_addc(&u->told, ',');
    buf_addc(&u->told, '{');
    json_kv(&u->told, "name", path_base(u->path));
    json_kv(&u->told, "path", u->path);
    json_kv(&u->told, "type", "file");
    metadata_json(&u->metadata, &u->told);
    buf_addc(&u->told, '}');
}

/* Its room is given back at once, its name by the sandbox, if it still is this file's. */
void upload_discard(struct upload *u)
{
    struct server *s = u->r->app;
    struct sandbox *sb = sandbox_find(&s->fleet, u->r->sandbox_id);
    AUTO_BUF names = BUF_INIT(PATH_MAX_BYTES + 1);
    struct stat st;

    if (u->fd < 0)
        return;
    (void)!ftruncate(u->fd, 0);
    if (sb != NULL && fstat(u->fd, &st) == 0) {
        const struct file_op op = {
            .kind = FILE_OP_DISCARD, .strings = 1, .device = st.st_dev, .inode = st.st_ino};

        put_path(&names, u->path);
        file_call_forgotten(sb, &op, buf_str(&names));
    }
    (void)close(u->fd);
    u->fd = -1;
}

void upload_answer(struct upload *u)
{
    AUTO_BUF body = BUF_INIT(UPLOAD_ANSWER_MAX + 2);

    buf_addc(&body, '[');
    buf_addstr(&body, buf_str(&u->told));
    buf_addc(&body, ']');
    if (u->told.rc != ERR_OK)
        request_error(u->r, 400, "too many files in one upload");
    else
        request_answer(u->r, 200, "text/plain; charset=utf-8", &body);
}
