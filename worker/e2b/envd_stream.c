/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of the daemon: one message up, then frames down until the end frame. */
#include "worker/e2b/envd_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "worker/e2b/e2b_error.h"

#include "common/banned.h"

enum { STREAM_HEADERS = 3, FRAME_HEAD_BYTES = 16 };

static void release(struct envd_stream *s)
{
    connect_reader_release(&s->reader);
    buf_release(&s->bytes);
    free(s);
}

void envd_stream_free(struct envd_stream *s)
{
    if (!s)
        return;
    http_cancel(s->req);
    s->req = NULL;
    s->freed = true;
    if (!s->busy)
        release(s);
}

/* --- frames ----------------------------------------------------------------- */

static void on_end(struct envd_stream *s, struct str message)
{
    struct connect_failure f;

    if (connect_end_parse(message, &f, &s->broken) == ERR_OK && f.failed)
        (void)e2b_error_of_end(&f, &s->broken);
}

/* What follows a broken frame means nothing: it is not waited for. */
static void end_broken(struct envd_stream *s)
{
    struct err e = s->broken;

    http_cancel(s->req);
    s->req = NULL;
    s->freed = true;
    s->kind->ended(s, &e);
}

static void on_data(void *ctx, struct str piece)
{
    struct envd_stream *s = ctx;
    struct connect_frame f;

    s->busy = true;
    while (!s->freed && s->broken.code == ERR_OK &&
           connect_next(&s->reader, &piece, &f, &s->broken) == CONNECT_FRAME) {
        if (f.flags & CONNECT_END)
            on_end(s, f.message);
        else
            s->kind->message(s, f.message);
    }
    if (!s->freed && s->broken.code != ERR_OK)
        end_broken(s);
    s->busy = false;
    if (s->freed)
        release(s);
}

/* An end frame without the process's end, or no end frame at all: cut, either way. */
static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct envd_stream *s = ctx;
    struct err verdict = *e;

    if (e->code == ERR_OK && a->status != 200)
        (void)e2b_error_of_http(E2B_EDGE, a, &verdict);
    else if (e->code == ERR_OK)
        (void)err_set(&verdict, ERR_UNAVAILABLE, "sandbox process: its stream was cut");
    seen_call(SEEN_CALL_STREAM, 0, s->exited ? ERR_OK : verdict.code);
    s->req = NULL;
    s->busy = true;
    s->kind->ended(s, &verdict);
    release(s);
}

/* --- start ------------------------------------------------------------------ */

struct envd_stream *envd_stream_new(const struct envd_stream_kind *kind, void *ctx)
{
    struct envd_stream *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->kind = kind;
    s->ctx = ctx;
    s->reader = CONNECT_READER_INIT;
    s->bytes = BUF_INIT(CONNECT_FRAME_MAX_BYTES);
    return s;
}

/* Never with Connect-Timeout-Ms: it would end the process, too. */
static enum err_code start(struct envd *d, struct envd_stream *s, struct str body, struct err *err)
{
    static const struct http_events ev = {.data = on_data, .done = on_done};
    AUTO_BUF url = BUF_INIT(ENVD_URL_MAX_BYTES), keepalive = BUF_INIT(64);
    const char *headers[ENVD_HEADERS + STREAM_HEADERS];
    struct http_call call = {
        .method = "POST", .silence_ms = d->keepalive_s * 8000 / 3, .body = body, .stream = true};

    buf_addf(&url, "%s/%s", d->url, s->kind->method);
    buf_addf(&keepalive, "Keepalive-Ping-Interval: %" PRId64, d->keepalive_s);
    if (url.rc != ERR_OK || keepalive.rc != ERR_OK)
        return err_set(err, url.rc != ERR_OK ? url.rc : keepalive.rc, "address of a stream");
    memcpy(headers, d->headers, d->n_headers * sizeof(headers[0]));
    call.url = url.p;
    call.headers = headers;
    call.n_headers = d->n_headers;
    headers[call.n_headers++] = "Content-Type: application/connect+json";
    headers[call.n_headers++] = "Connect-Protocol-Version: 1";
    headers[call.n_headers++] = keepalive.p;
    return http_start(d->http, &call, &ev, s, &s->req, err);
}

enum err_code envd_stream_start(struct envd *d, struct envd_stream *s, struct buf *json,
                                struct envd_stream **out, struct err *err)
{
    AUTO_BUF body = BUF_INIT(ENVD_REQUEST_MAX_BYTES + FRAME_HEAD_BYTES);
    enum err_code rc = json->rc;

    if (!s)
        return err_set(err, ERR_NOMEM, "stream of a sandbox");
    connect_frame_put(&body, 0, buf_str(json));
    if (rc == ERR_OK)
        rc = body.rc;
    if (rc != ERR_OK)
        (void)err_set(err, rc, "start a stream of a sandbox");
    else
        rc = start(d, s, buf_str(&body), err);
    if (rc != ERR_OK)
        release(s);
    else
        *out = s;
    return rc;
}
