/* SPDX-License-Identifier: Apache-2.0 */
/* envd's /files: one file up or down. Done in the name of the sandbox's user. */
#include "sandboxd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/json.h"
#include "sandboxd/envd/path.h"
#include "sandboxd/web/query.h"

#include "common/banned.h"

static void answer_errno(struct request *r, int errnum, const char *what, const char *path)
{
    int status = errnum == ENOENT                       ? 404
                 : errnum == ENOSPC || errnum == EDQUOT ? 507
                 : errnum == EACCES || errnum == EPERM  ? 403
                 : errnum == EIO                        ? 500
                                                        : 400;

    request_error(r, status, "cannot %s '%s': %s", what, path, strerror(errnum));
}

static bool wanted_path(struct request *r, const struct sandbox *sb, char out[PATH_MAX_BYTES])
{
    struct err e = ERR_INIT;

    if (path_resolve(sandbox_home(sb), request_query(r, "path"), out, &e) == ERR_OK)
        return true;
    request_error(r, 400, "%s", e.msg);
    return false;
}

/* --- down ---------------------------------------------------------------------- */

/* A regular file, open; or -1 and an answer. */
static int open_file(struct request *r, const char *path, int64_t *size)
{
    const struct server *s = r->app;
    struct stat st = {0};

    identity_enter(&s->identity);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), errnum = errno;
    identity_leave(&s->identity);
    if (fd < 0) {
        answer_errno(r, errnum, "open", path);
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *size = st.st_size;
        return fd;
    }
    (void)close(fd);
    request_error(r, 400, "path '%s' is %s", path,
                  S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
    return -1;
}

static void answer_beyond(struct request *r, int64_t size)
{
    char text[64];

    request_error(r, 416, "nothing there: the file has %lld bytes", (long long)size);
    (void)snprintf(text, sizeof(text), "bytes */%" PRId64, size);
    (void)MHD_add_response_header(r->response, "Content-Range", text);
}

/* Takes fd. */
static void answer_part(struct request *r, int fd, enum range kind, int64_t from, int64_t n,
                        int64_t size)
{
    struct MHD_Response *m;
    char text[96];

    if (n > 0) {
        m = request_file(r, fd, (uint64_t)from, (uint64_t)n);
    } else {
        m = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        (void)close(fd);
    }
    if (m != NULL) {
        (void)MHD_add_response_header(m, "Content-Type", "application/octet-stream");
        (void)MHD_add_response_header(m, "Accept-Ranges", "bytes");
        (void)snprintf(text, sizeof(text), "bytes %" PRId64 "-%" PRId64 "/%" PRId64, from,
                       from + n - 1, size);
        if (kind == RANGE_PART)
            (void)MHD_add_response_header(m, "Content-Range", text);
    }
    request_respond(r, kind == RANGE_PART ? 206 : 200, m);
}

void handle_file_get(struct request *r)
{
    const struct sandbox *sb = request_sandbox(r);
    char path[PATH_MAX_BYTES];
    int64_t size = 0, from = 0, n = 0;

    if (sb == NULL || !wanted_path(r, sb, path))
        return;
    int fd = open_file(r, path, &size);
    if (fd < 0)
        return;
    enum range kind = range_parse(request_header(r, "Range"), size, &from, &n);
    if (kind == RANGE_BEYOND) {
        answer_beyond(r, size);
        (void)close(fd);
        return;
    }
    answer_part(r, fd, kind, from, kind == RANGE_PART ? n : size, size);
}

/* --- up -------------------------------------------------------------------------- */

struct upload { /* to a file beside the target, which it replaces at the end */
    char path[PATH_MAX_BYTES], temp[PATH_MAX_BYTES + 32];
    int fd;
};

static void upload_gone(struct request *r)
{
    const struct server *s = r->app;
    struct upload *u = r->state;

    if (u->fd >= 0) {
        (void)close(u->fd);
        identity_enter(&s->identity);
        (void)unlink(u->temp);
        identity_leave(&s->identity);
    }
    free(u);
}

/* 0 or an errno. An existing file keeps its mode. */
static int upload_open(struct upload *u)
{
    struct stat st;
    bool known = stat(u->path, &st) == 0;
    int rc = path_make_parents(u->path);

    if (rc != 0)
        return rc;
    if (known && S_ISDIR(st.st_mode))
        return EISDIR;
    (void)snprintf(u->temp, sizeof(u->temp), "%s.upload-%08x", u->path, randombytes_random());
    u->fd = open(u->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (u->fd < 0)
        return errno;
    if (known)
        (void)fchmod(u->fd, st.st_mode & 0777);
    return 0;
}

static void on_begin(struct request *r)
{
    const struct server *s = r->app;
    const struct sandbox *sb = request_sandbox(r);
    const char *type = request_header(r, "Content-Type");
    struct upload *u = sb != NULL ? calloc(1, sizeof(*u)) : NULL;

    if (sb == NULL)
        return;
    if (u == NULL) {
        request_error(r, 500, "out of memory");
        return;
    }
    u->fd = -1;
    r->state = u;
    r->gone = upload_gone;
    if (type != NULL && strncasecmp(type, "multipart/", 10) == 0) {
        request_error(r, 400,
                      "multipart uploads are not available yet: send the file as "
                      "application/octet-stream");
        return;
    }
    if (!wanted_path(r, sb, u->path))
        return;
    identity_enter(&s->identity);
    int errnum = upload_open(u);
    identity_leave(&s->identity);
    if (errnum != 0)
        answer_errno(r, errnum, "write", u->path);
}

static void on_piece(struct request *r, struct str piece)
{
    const struct upload *u = r->state;

    while (piece.n > 0) {
        ssize_t n = write(u->fd, piece.p, piece.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            answer_errno(r, errno, "write", u->path);
            return;
        }
        piece.p += n;
        piece.n -= (size_t)n;
    }
}

const struct body_sink file_sink = {.begin = on_begin, .piece = on_piece};

static int upload_finish(struct upload *u)
{
    if (close(u->fd) != 0) {
        u->fd = -1;
        return errno;
    }
    u->fd = -1;
    if (rename(u->temp, u->path) == 0)
        return 0;
    int errnum = errno;
    (void)unlink(u->temp);
    return errnum;
}

void handle_file_put(struct request *r)
{
    const struct server *s = r->app;
    struct upload *u = r->state;
    const char *slash = strrchr(u->path, '/');
    AUTO_BUF body = BUF_INIT(4 * PATH_MAX_BYTES);

    if (request_sandbox(r) == NULL) /* it may have ended meanwhile */
        return;
    identity_enter(&s->identity);
    int errnum = upload_finish(u);
    identity_leave(&s->identity);
    if (errnum != 0) {
        answer_errno(r, errnum, "write", u->path);
        return;
    }
    buf_adds(&body, "[{");
    json_kv(&body, "name", slash != NULL ? slash + 1 : u->path);
    json_kv(&body, "path", u->path);
    json_kv(&body, "type", "file");
    buf_adds(&body, "}]");
    request_answer(r, 200, "text/plain; charset=utf-8", &body);
}
