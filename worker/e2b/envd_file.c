/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a sandbox, up and down. */
#include "worker/e2b/envd_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "common/clock.h"
#include "common/uuid.h"

#include "common/banned.h"

enum {
    TRANSFER_MS = 300 * 1000,
    TRANSFER_SILENCE_MS = 20 * 1000,
    COLLECT_MAX_BYTES = 64 << 10,
    GZIP_LEAST_BYTES = 4 << 10, /* less fits into a packet or three as it is */
    GZIP_WINDOW = 15 + 16       /* zlib's way to say: with gzip's frame */
};

static void put_url(struct buf *url, const struct envd *d, const char *path)
{
    buf_addf(url, "%s/files?path=", d->url);
    http_escape(url, str_of(path));
}

/* Into `to`, whose ceiling is what it must stay below to pay. False: send them as they are. */
static bool gzip_if_it_pays(struct str bytes, struct buf *to)
{
    z_stream z = {.next_in = (const Bytef *)bytes.p, .avail_in = (uInt)bytes.n};
    char *room;
    int rc;

    if (bytes.n < GZIP_LEAST_BYTES || bytes.n > UINT32_MAX)
        return false;
    *to = BUF_INIT(bytes.n - bytes.n / 4);
    room = buf_room(to, to->max);
    if (!room || deflateInit2(&z, 1, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    z.next_out = (Bytef *)room;
    z.avail_out = (uInt)to->max;
    rc = deflate(&z, Z_FINISH);
    buf_grew(to, to->max - z.avail_out);
    (void)deflateEnd(&z);
    return rc == Z_STREAM_END;
}

static enum err_code put(struct envd *d, const char *path, struct str bytes, struct envd_call *want,
                         struct envd_call **out, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/octet-stream",
                                          "Content-Encoding: gzip"};
    AUTO_BUF url = BUF_INIT(ENVD_URL_MAX_BYTES), small = BUF_INIT(0);
    struct http_call call = {.method = "POST", .total_ms = TRANSFER_MS};
    bool zipped = gzip_if_it_pays(bytes, &small);

    put_url(&url, d, path);
    if (url.rc != ERR_OK) {
        free(want->move_from);
        free(want->move_to);
        return err_set(err, url.rc, "address of a file");
    }
    call.url = url.p;
    call.body = zipped ? buf_str(&small) : bytes.p ? bytes : STR("");
    return envd_call_start(&call, headers, zipped ? 2 : 1, want, out, err);
}

enum err_code envd_put(struct envd *d, const char *path, struct str bytes, envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err)
{
    struct envd_call want = {.d = d, .fn = fn, .ctx = ctx, .seen = SEEN_CALL_FILE_PUT};

    return put(d, path, bytes, &want, out, err);
}

/* Beside the file, so that the rename stays within one file system. */
enum err_code envd_put_whole(struct envd *d, const char *path, struct str bytes, envd_fn fn,
                             void *ctx, struct envd_call **out, struct err *err)
{
    struct envd_call want = {.d = d, .fn = fn, .ctx = ctx, .seen = SEEN_CALL_FILE_PUT};
    struct buf from = BUF_INIT(ENVD_URL_MAX_BYTES);
    char id[UUID_TEXT];

    uuid_v7(clock_wall_ms(), id);
    buf_addf(&from, "%s.%s.part", path, id);
    want.move_from = buf_take(&from);
    want.move_to = str_dup(str_of(path));
    if (!want.move_from || !want.move_to) {
        free(want.move_from);
        free(want.move_to);
        return err_set(err, ERR_NOMEM, "name of a file");
    }
    return put(d, want.move_from, bytes, &want, out, err);
}

/* From its start the whole is asked for, which may come as gzip; a range comes as it is. */
enum err_code envd_get(struct envd *d, const char *path, int64_t offset,
                       void (*data)(void *ctx, struct str piece), envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err)
{
    AUTO_BUF url = BUF_INIT(ENVD_URL_MAX_BYTES), range = BUF_INIT(64);
    struct http_call call = {.method = "GET",
                             .total_ms = TRANSFER_MS,
                             .silence_ms = TRANSFER_SILENCE_MS,
                             .max_body = COLLECT_MAX_BYTES,
                             .gzip = offset == 0};
    const struct envd_call want = {
        .d = d, .data = data, .fn = fn, .ctx = ctx, .seen = SEEN_CALL_FILE_GET, .before = offset};
    const char *header;

    put_url(&url, d, path);
    buf_addf(&range, "Range: bytes=%" PRId64 "-", offset);
    if (url.rc != ERR_OK || range.rc != ERR_OK)
        return err_set(err, url.rc != ERR_OK ? url.rc : range.rc, "address of a file");
    call.url = url.p;
    header = range.p;
    return envd_call_start(&call, &header, offset > 0 ? 1 : 0, &want, out, err);
}

/* --- of any size ------------------------------------------------------------------- */

enum err_code envd_put_from(struct envd *d, const char *path, int64_t size,
                            ssize_t (*more)(void *ctx, char *p, size_t room), envd_fn fn, void *ctx,
                            struct envd_call **out, struct err *err)
{
    static const char *const type = "Content-Type: application/octet-stream";
    AUTO_BUF url = BUF_INIT(ENVD_URL_MAX_BYTES);
    struct http_call call = {.method = "POST",
                             .total_ms = TRANSFER_MS,
                             .silence_ms = TRANSFER_SILENCE_MS,
                             .pulls = true,
                             .pull_bytes = size};
    const struct envd_call want = {.d = d, .more = more, .fn = fn, .ctx = ctx};

    put_url(&url, d, path);
    if (url.rc != ERR_OK)
        return err_set(err, url.rc, "address of a file");
    call.url = url.p;
    return envd_call_start(&call, &type, 1, &want, out, err);
}

enum err_code envd_get_all(struct envd *d, const char *path,
                           void (*data)(void *ctx, struct str piece), envd_fn fn, void *ctx,
                           struct envd_call **out, struct err *err)
{
    AUTO_BUF url = BUF_INIT(ENVD_URL_MAX_BYTES);
    struct http_call call = {
        .method = "GET", .total_ms = TRANSFER_MS, .silence_ms = TRANSFER_SILENCE_MS, .bulk = true};
    const struct envd_call want = {.d = d, .data = data, .fn = fn, .ctx = ctx};

    put_url(&url, d, path);
    if (url.rc != ERR_OK)
        return err_set(err, url.rc, "address of a file");
    call.url = url.p;
    return envd_call_start(&call, NULL, 0, &want, out, err);
}
