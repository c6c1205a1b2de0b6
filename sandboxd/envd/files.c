/* SPDX-License-Identifier: Apache-2.0 */
/* envd's GET /files: a file, or a range of it, or it as gzip. */
#include "sandboxd/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandboxd/envd/files_call.h"
#include "sandboxd/envd/files_pack.h"
#include "sandboxd/envd/files_type.h"
#include "sandboxd/web/query.h"

#include "common/banned.h"

enum { HEAD_BYTES = 512, DISPOSITION_MAX = 3 * PATH_MAX_BYTES };

static void fail(struct path_call *p, int errnum)
{
    struct request *r = p->r;

    if (errnum == ESRCH && request_sandbox(r) == NULL)
        return; /* it has ended, and that is answered */
    if (errnum == ENOENT)
        request_error(r, 404, "path '%s' does not exist", p->path);
    else if (errnum == EISDIR)
        request_error(r, 400, "path '%s' is a directory", p->path);
    else if (errnum == EINVAL)
        request_error(r, 400, "path '%s' is not a regular file", p->path);
    else
        request_error(r, file_refused(errnum) ? 403 : 500, "error opening file '%s': %s", p->path,
                      errno_text(errnum));
}

/* By its name, else by how it begins. */
static const char *type_of(const char *path, int fd)
{
    const char *type = file_type_of(path);
    char head[HEAD_BYTES];

    if (type != NULL)
        return type;
    ssize_t n = pread(fd, head, sizeof(head), 0);
    return file_type_guess((struct str){head, n > 0 ? (size_t)n : 0});
}

static void put_headers(struct MHD_Response *m, const char *path, const char *type,
                        const struct stat *st)
{
    AUTO_BUF disposition = BUF_INIT(DISPOSITION_MAX);
    char date[HTTP_DATE_ROOM];

    file_disposition(&disposition, path_base(path));
    (void)MHD_add_response_header(m, "Content-Type", type);
    (void)MHD_add_response_header(m, "Last-Modified", http_date(st->st_mtim.tv_sec, date));
    (void)MHD_add_response_header(m, "Vary", "Accept-Encoding");
    if (disposition.rc == ERR_OK)
        (void)MHD_add_response_header(m, "Content-Disposition", disposition.p);
}

static void answer_beyond(struct request *r, int64_t size)
{
    char text[64];

    request_error(r, 416, "invalid range: the file has %" PRId64 " bytes", size);
    (void)snprintf(text, sizeof(text), "bytes */%" PRId64, size);
    (void)MHD_add_response_header(r->response, "Content-Range", text);
}

static void answer_packed(struct path_call *p, int fd, const struct stat *st)
{
    const char *type = file_type_of(p->path);
    struct MHD_Response *m = file_packed(p->r, fd);

    if (m != NULL) {
        put_headers(m, p->path, type != NULL ? type : "application/octet-stream", st);
        (void)MHD_add_response_header(m, "Content-Encoding", "gzip");
    }
    request_respond(p->r, 200, m);
}

/* Takes fd. */
static void answer_part(struct path_call *p, int fd, const struct stat *st)
{
    int64_t size = st->st_size, from = 0, n = size;
    enum range kind = range_parse(request_header(p->r, "Range"), size, &from, &n);
    const char *type = type_of(p->path, fd);
    char text[96];

    if (kind == RANGE_BEYOND) {
        (void)close(fd);
        answer_beyond(p->r, size);
        return;
    }
    struct MHD_Response *m = request_file(p->r, fd, (uint64_t)from, (uint64_t)n);
    if (m != NULL) {
        put_headers(m, p->path, type, st);
        (void)MHD_add_response_header(m, "Accept-Ranges", "bytes");
        (void)snprintf(text, sizeof(text), "bytes %" PRId64 "-%" PRId64 "/%" PRId64, from,
                       from + n - 1, size);
        if (kind == RANGE_PART)
            (void)MHD_add_response_header(m, "Content-Range", text);
    }
    request_respond(p->r, kind == RANGE_PART ? 206 : 200, m);
}

/* What is asked of the bytes as they are is answered without packing them. */
static bool plain_wanted(const struct request *r)
{
    static const char *const names[] = {"Range", "If-Modified-Since", "If-None-Match", "If-Range"};

    for (size_t i = 0; i < COUNTOF(names); i++)
        if (request_header(r, names[i]) != NULL)
            return true;
    return r->effect.kind != FAULT_NONE; /* which counts the bytes of the file */
}

static void on_open(struct file_call *c, int errnum, int fd)
{
    struct path_call *p = c->owner;
    enum encoding want = encoding_wanted(request_header(p->r, "Accept-Encoding"));
    struct stat st;

    if (errnum == 0 && (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
        errnum = EINVAL; /* it came from the sandbox */
    if (errnum == 0 && want != ENCODING_IMPOSSIBLE) {
        if (want == ENCODING_GZIP && !plain_wanted(p->r))
            answer_packed(p, fd, &st);
        else
            answer_part(p, fd, &st);
        return;
    }
    if (fd >= 0)
        (void)close(fd);
    if (errnum != 0)
        fail(p, errnum);
    else
        request_error(p->r, 406,
                      "error parsing Accept-Encoding: no acceptable encoding found, "
                      "supported: [gzip]");
}

void handle_file_get(struct request *r)
{
    const struct file_op op = {.kind = FILE_OP_READ, .strings = 1};
    AUTO_BUF names = BUF_INIT(PATH_MAX_BYTES + 1);
    struct sandbox *sb = request_sandbox(r);
    struct err e = ERR_INIT;

    if (sb == NULL || !request_user_ok(r))
        return;
    struct path_call *p = path_call_new(r);
    if (p == NULL)
        return;
    if (path_resolve(sandbox_home(sb), request_query(r, "path"), p->path, &e) != ERR_OK) {
        request_error(r, 400, "%s", e.msg);
        return;
    }
    put_path(&names, p->path);
    if (file_call(&p->call, sb, &op, buf_str(&names), on_open, &e) != ERR_OK)
        request_error(r, 503, "%s", e.msg);
}
