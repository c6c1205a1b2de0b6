/* SPDX-License-Identifier: Apache-2.0 */
/* envd's POST /files: a body as it is, or a form with several files, either of it
 * maybe packed. It goes to the files piece by piece; while one is being opened in
 * the sandbox, the body waits. */
#include "sandboxd/envd/files_upload.h"

#include <stdlib.h>
#include <string.h>

#include "sandboxd/envd/files_type.h"
#include "sandboxd/server.h"

#include "common/banned.h"

/* --- a form ------------------------------------------------------------------------- */

static bool already_done(const struct upload *u, const char *path)
{
    struct str rest = buf_str(&u->done), one;

    while (rest.n > 0 && str_next(&rest, '\0', &one))
        if (str_is(one, path))
            return true;
    return false;
}

static void list_done(const struct upload *u, const char *but, struct buf *out)
{
    struct str rest = buf_str(&u->done), one;

    while (rest.n > 0 && str_next(&rest, '\0', &one))
        if (!str_is(one, but)) {
            buf_adds(out, out->len > 0 ? ", " : "");
            buf_addstr(out, one);
        }
}

static void refuse_double(struct upload *u)
{
    AUTO_BUF others = BUF_INIT(2048);

    list_done(u, u->path, &others);
    request_error(u->r, 400,
                  "you cannot upload multiple files to the same path '%s' in one upload request, "
                  "only the first specified file was uploaded%s%s",
                  u->path, others.len > 0 ? ", also the following files were uploaded: " : "",
                  others.len > 0 ? others.p : "");
}

static void begin_part(struct upload *u)
{
    struct sandbox *sb = request_sandbox(u->r);
    struct err e = ERR_INIT;

    u->skipping = !str_is(buf_str(&u->form.name), "file");
    if (u->skipping || sb == NULL)
        return;
    if (!u->has_path && !u->form.has_file)
        request_error(u->r, 400,
                      "error getting multipart custom part file name: filename not found in "
                      "Content-Disposition header");
    else if (!u->has_path &&
             path_resolve(sandbox_home(sb), buf_str(&u->form.file), u->path, &e) != ERR_OK)
        request_error(u->r, 400, "error resolving path: %s", e.msg);
    else if (already_done(u, u->path))
        refuse_double(u);
    else
        upload_open(u, sb);
}

static void take_form(struct upload *u)
{
    struct str data = {0};

    switch (form_next(&u->form, &u->plain, &data)) {
    case FORM_MORE:
    case FORM_END:
        break;
    case FORM_PART:
        begin_part(u);
        break;
    case FORM_DATA:
        if (!u->skipping)
            upload_write(u, data);
        break;
    case FORM_PART_END:
        if (!u->skipping)
            upload_close(u);
        break;
    case FORM_BAD:
        request_error(u->r, 500, "error reading form: malformed multipart body");
        break;
    }
}

/* --- moving on ----------------------------------------------------------------------- */

static bool stopped(const struct upload *u)
{
    return u->opening || u->r->response != NULL;
}

static void take_plain(struct upload *u)
{
    while (u->plain.n > 0 && !stopped(u)) {
        if (u->is_form) {
            take_form(u);
        } else {
            upload_write(u, u->plain);
            u->plain.n = 0;
        }
    }
}

/* More of the body as it is. False: none is there. */
static bool unpack(struct upload *u)
{
    struct err e = ERR_INIT;
    size_t n = 0;

    if (u->gzip == NULL) {
        u->plain = u->in;
        u->in = (struct str){0};
        return u->plain.n > 0;
    }
    if (gzip_step(u->gzip, &u->in, u->last, u->room, sizeof(u->room), &n, &e) != ERR_OK) {
        request_error(u->r, e.code == ERR_TOO_BIG ? 413 : 400,
                      "error decompressing request body: %s", e.msg);
        return false;
    }
    u->plain = (struct str){u->room, n};
    return n > 0;
}

static void complete(struct upload *u)
{
    if (u->is_form && !form_done(&u->form)) {
        request_error(u->r, 500, "error reading form: multipart: NextPart: EOF");
        return;
    }
    if (u->fd >= 0)
        upload_close(u);
    if (u->r->response == NULL)
        upload_answer(u);
}

void upload_pump(struct upload *u)
{
    do
        take_plain(u);
    while (!stopped(u) && unpack(u));
    if (u->r->response != NULL)
        upload_discard(u);
    else if (!u->opening && u->last)
        complete(u);
    if (!u->opening) {
        u->in = (struct str){0};
        request_go_on(u->r);
    }
}

/* --- the body's sink ------------------------------------------------------------------ */

static void on_gone(struct request *r)
{
    struct upload *u = r->state;

    file_call_cancel(&u->call);
    upload_discard(u);
    form_release(&u->form);
    gzip_free(u->gzip);
    buf_release(&u->metadata.pairs);
    buf_release(&u->told);
    buf_release(&u->done);
    buf_release(&u->wait);
    free(u);
}

static struct upload *upload_new(struct request *r)
{
    struct upload *u = calloc(1, sizeof(*u));

    if (u == NULL) {
        request_error(r, 500, "out of memory");
        return NULL;
    }
    u->r = r;
    u->fd = -1;
    u->call.owner = u;
    u->metadata.pairs = BUF_INIT(FILES_METADATA_ROOM);
    u->told = BUF_INIT(UPLOAD_ANSWER_MAX);
    u->done = BUF_INIT(UPLOAD_ANSWER_MAX);
    u->wait = BUF_INIT(UPLOAD_WAIT_MAX);
    r->state = u;
    r->gone = on_gone;
    return u;
}

/* The body's kind by its headers; false: refused. */
static bool read_headers(struct upload *u)
{
    const char *type = request_header(u->r, "Content-Type");
    const char *packed = request_header(u->r, "Content-Encoding");
    enum encoding encoding = encoding_used(packed);
    struct err e = ERR_INIT;

    if (encoding == ENCODING_IMPOSSIBLE) {
        request_error(u->r, 400,
                      "error decompressing request body: unsupported Content-Encoding: %.100s, "
                      "supported: [gzip]",
                      packed);
        return false;
    }
    u->gzip = encoding == ENCODING_GZIP ? gzip_unpacker(web_upload_max(u->r->web)) : NULL;
    if (encoding == ENCODING_GZIP && u->gzip == NULL) {
        request_error(u->r, 500, "out of memory");
        return false;
    }
    metadata_of(u->r, &u->metadata);
    if (metadata_check(&u->metadata, &e) != ERR_OK) {
        request_error(u->r, 400, "%s", e.msg);
        return false;
    }
    u->is_form = type != NULL && strncasecmp(type, "application/octet-stream", 24) != 0;
    if (!u->is_form || form_init(&u->form, type, &e) == ERR_OK)
        return true;
    request_error(u->r, 500, "error parsing multipart form: %s", e.msg);
    return false;
}

static void on_begin(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    struct str path = request_query(r, "path");
    struct err e = ERR_INIT;

    if (sb == NULL || !request_user_ok(r))
        return;
    struct upload *u = upload_new(r);
    if (u == NULL || !read_headers(u))
        return;
    u->has_path = path.p != NULL;
    if (!u->has_path && !u->is_form)
        request_error(r, 400, "path is required for an application/octet-stream upload");
    else if (u->has_path && path_resolve(sandbox_home(sb), path, u->path, &e) != ERR_OK)
        request_error(r, 400, "error resolving path: %s", e.msg);
    else if (!u->is_form)
        upload_open(u, sb);
    if (u->opening)
        request_hold(r);
}

static void on_piece(struct request *r, struct str piece)
{
    struct upload *u = r->state;

    u->in = piece;
    upload_pump(u);
    if (!u->opening)
        return;
    /* what is left of it comes out of a buffer when the file is open; the room that was
     * unpacked into is ours anyway */
    request_hold(r);
    bool from_piece = u->gzip == NULL;
    struct str *left = from_piece ? &u->plain : &u->in;
    buf_clear(&u->wait);
    buf_addstr(&u->wait, *left);
    if (u->wait.rc != ERR_OK)
        request_error(r, 500, "out of memory");
    *left = buf_str(&u->wait);
}

const struct body_sink file_sink = {.begin = on_begin, .piece = on_piece};

void handle_file_put(struct request *r)
{
    struct upload *u = r->state;

    if (request_sandbox(r) == NULL) /* it may have ended meanwhile */
        return;
    u->last = true;
    upload_pump(u);
}
