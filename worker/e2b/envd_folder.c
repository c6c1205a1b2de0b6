/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the file system, and the watch of a folder. */
#include "worker/e2b/envd_answer.h"
#include "worker/e2b/envd_internal.h"

#include "common/json/json.h"

#include "common/banned.h"

static void put_path(struct buf *json, const char *path)
{
    buf_addc(json, '{');
    json_kv(json, "path", path);
}

static enum err_code path_call(struct envd *d, const char *method, const char *path, envd_fn fn,
                               void *ctx, struct envd_call **out, struct err *err)
{
    AUTO_BUF json = BUF_INIT(ENVD_REQUEST_MAX_BYTES);

    put_path(&json, path);
    buf_addc(&json, '}');
    return envd_rpc_buf(d, method, &json, fn, ctx, out, err);
}

enum err_code envd_stat(struct envd *d, const char *path, envd_fn fn, void *ctx,
                        struct envd_call **out, struct err *err)
{
    return path_call(d, "filesystem.Filesystem/Stat", path, fn, ctx, out, err);
}

enum err_code envd_make_dir(struct envd *d, const char *path, envd_fn fn, void *ctx,
                            struct envd_call **out, struct err *err)
{
    return path_call(d, "filesystem.Filesystem/MakeDir", path, fn, ctx, out, err);
}

enum err_code envd_remove(struct envd *d, const char *path, envd_fn fn, void *ctx,
                          struct envd_call **out, struct err *err)
{
    return path_call(d, "filesystem.Filesystem/Remove", path, fn, ctx, out, err);
}

enum err_code envd_list_dir(struct envd *d, const char *path, int depth, envd_fn fn, void *ctx,
                            struct envd_call **out, struct err *err)
{
    AUTO_BUF json = BUF_INIT(ENVD_REQUEST_MAX_BYTES);

    put_path(&json, path);
    json_kv_int(&json, "depth", depth);
    buf_addc(&json, '}');
    return envd_rpc_buf(d, "filesystem.Filesystem/ListDir", &json, fn, ctx, out, err);
}

enum err_code envd_move(struct envd *d, const char *from, const char *to, envd_fn fn, void *ctx,
                        struct envd_call **out, struct err *err)
{
    AUTO_BUF json = BUF_INIT(ENVD_REQUEST_MAX_BYTES);

    envd_put_move(&json, from, to);
    return envd_rpc_buf(d, "filesystem.Filesystem/Move", &json, fn, ctx, out, err);
}

/* --- watch ------------------------------------------------------------------------ */

static void on_message(struct envd_stream *s, struct str json)
{
    const struct envd_watch_events *ev = &s->ev.watch;
    struct watch_event e;

    if (watch_event_parse(json, &e, &s->broken) != ERR_OK)
        return;
    if (e.kind == WATCH_STARTED && ev->started)
        ev->started(s->ctx);
    else if (e.kind == WATCH_CHANGED)
        ev->changed(s->ctx, e.change, e.name);
}

static void on_ended(struct envd_stream *s, const struct err *e)
{
    s->ev.watch.ended(s->ctx, e);
}

enum err_code envd_watch(struct envd *d, const char *path, bool recursive,
                         const struct envd_watch_events *ev, void *ctx, struct envd_stream **out,
                         struct err *err)
{
    static const struct envd_stream_kind kind = {
        .method = "filesystem.Filesystem/WatchDir", .message = on_message, .ended = on_ended};
    struct envd_stream *s = envd_stream_new(&kind, ctx);
    AUTO_BUF json = BUF_INIT(ENVD_REQUEST_MAX_BYTES);

    put_path(&json, path);
    json_kv_bool(&json, "recursive", recursive);
    buf_addc(&json, '}');
    if (s)
        s->ev.watch = *ev;
    return envd_stream_start(d, s, &json, out, err);
}
