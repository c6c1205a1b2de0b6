/* SPDX-License-Identifier: Apache-2.0 */
/* A started process: frames in, decoded output out. */
#include "worker/e2b/envd_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/json.h"
#include "worker/e2b/connect_rpc.h"
#include "worker/e2b/e2b_error.h"

#include "common/banned.h"

enum {
    REQUEST_MAX_BYTES = 128 << 10,
    URL_MAX_BYTES = 2048,
    STREAM_HEADERS = 3,
    KEPT_BYTES = 4 << 10
};

struct envd_stream {
    struct http_req *req;
    struct envd_stream_events ev;
    void *ctx;
    struct connect_reader reader;
    struct buf bytes;  /* one frame's output */
    struct err broken; /* why the rest is not read */
    bool exited;
    int64_t exit_code;
    bool busy, freed; /* our callback is on the stack; free it behind that */
};

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

static void give_output(struct envd_stream *s, struct str base64)
{
    if (base64_decode(base64, &s->bytes, &s->broken) != ERR_OK)
        (void)err_set(&s->broken, ERR_PROTOCOL, "sandbox process: its output is no base64");
    else if (s->bytes.len > 0)
        s->ev.out(s->ctx, buf_str(&s->bytes));
    if (s->bytes.cap > KEPT_BYTES) /* most frames hold a line or two */
        buf_release(&s->bytes);
    buf_clear(&s->bytes);
}

static void on_event(struct envd_stream *s, struct str message)
{
    struct process_event e;

    if (process_event_parse(message, &e, &s->broken) != ERR_OK)
        return;
    switch (e.kind) {
    case PROCESS_STDOUT:
        give_output(s, e.base64);
        return;
    case PROCESS_END:
        s->exited = true;
        s->exit_code = e.exit_code;
        return;
    case PROCESS_KEEPALIVE:
        if (s->ev.idle)
            s->ev.idle(s->ctx);
        return;
    case PROCESS_START:
    case PROCESS_STDERR:
    case PROCESS_OTHER:
        return;
    }
}

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
    s->ev.ended(s->ctx, 0, &e);
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
            on_event(s, f.message);
    }
    if (!s->freed && s->broken.code != ERR_OK)
        end_broken(s);
    s->busy = false;
    if (s->freed)
        release(s);
}

/* An exit that was told stands, whatever became of the connection behind it. */
static void judge(const struct envd_stream *s, const struct http_answer *a, struct err *e)
{
    if (s->exited)
        *e = ERR_INIT;
    else if (e->code == ERR_OK && a->status != 200)
        (void)e2b_error_of_http(E2B_EDGE, a, e);
    else if (e->code == ERR_OK)
        (void)err_set(e, ERR_UNAVAILABLE, "sandbox process: its stream was cut");
}

static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct envd_stream *s = ctx;
    struct err verdict = *e;

    judge(s, a, &verdict);
    s->req = NULL;
    s->busy = true;
    s->ev.ended(s->ctx, s->exit_code, &verdict);
    release(s);
}

/* --- start ------------------------------------------------------------------ */

static void put_request(struct buf *out, const struct envd_command *command)
{
    AUTO_BUF json = BUF_INIT(REQUEST_MAX_BYTES);

    buf_adds(&json, "{\"process\":{");
    json_kv(&json, "cmd", command->cmd);
    json_key(&json, "args");
    buf_addc(&json, '[');
    for (const char *const *a = command->args; *a; a++) {
        if (a != command->args)
            buf_addc(&json, ',');
        json_put_string(&json, str_of(*a));
    }
    buf_adds(&json, "]},\"stdin\":false}");
    connect_frame_put(out, 0, buf_str(&json));
    if (json.rc != ERR_OK)
        out->rc = json.rc;
}

static enum err_code start_request(struct envd *d, const struct envd_command *command,
                                   struct envd_stream *s, struct err *err)
{
    static const struct http_events ev = {.data = on_data, .done = on_done};
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES), body = BUF_INIT(REQUEST_MAX_BYTES + 16);
    const char *headers[ENVD_HEADERS + STREAM_HEADERS];
    struct http_call call = {.method = "POST", .silence_ms = ENVD_SILENCE_MS, .stream = true};

    buf_addf(&url, "%s/process.Process/Start", d->url);
    put_request(&body, command);
    if (url.rc != ERR_OK || body.rc != ERR_OK)
        return err_set(err, body.rc != ERR_OK ? body.rc : url.rc, "start a sandbox process");
    memcpy(headers, d->headers, d->n_headers * sizeof(headers[0]));
    call.headers = headers;
    call.n_headers = d->n_headers;
    headers[call.n_headers++] = "Content-Type: application/connect+json";
    headers[call.n_headers++] = "Connect-Protocol-Version: 1";
    headers[call.n_headers++] = "Keepalive-Ping-Interval: 15"; /* ENVD_KEEPALIVE_S */
    call.url = url.p;
    call.body = buf_str(&body);
    return http_start(d->http, &call, &ev, s, &s->req, err);
}

enum err_code envd_run(struct envd *d, const struct envd_command *command,
                       const struct envd_stream_events *ev, void *ctx, struct envd_stream **out,
                       struct err *err)
{
    struct envd_stream *s = calloc(1, sizeof(*s));

    if (!s)
        return err_set(err, ERR_NOMEM, "start a sandbox process");
    s->ev = *ev;
    s->ctx = ctx;
    s->reader = CONNECT_READER_INIT;
    s->bytes = BUF_INIT(CONNECT_FRAME_MAX_BYTES);
    if (start_request(d, command, s, err) != ERR_OK) {
        release(s);
        return err->code;
    }
    *out = s;
    return ERR_OK;
}
