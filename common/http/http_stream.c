/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that go on. */
#include "common/http/http_server_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

enum { SMALL_BLOCK = 4 << 10, BIG_BLOCK = 32 << 10, BIG_BOUND = 256 << 10 };

size_t http_stream_waiting(const struct http_stream *s)
{
    return s->server ? alone_waiting(s) : s->out.len - s->sent;
}

static size_t take(struct http_stream *s, char *to, size_t max)
{
    size_t n = http_stream_waiting(s) < max ? http_stream_waiting(s) : max;

    memcpy(to, s->out.p + s->sent, n);
    s->sent += n;
    s->taken += n;
    if (s->sent == s->out.len) {
        buf_release(&s->out); /* most streams wait most of the time: they hold nothing then */
        s->sent = 0;
    } else if (s->sent > s->out.len / 2) { /* moves stay rare */
        buf_drop(&s->out, s->sent);
        s->sent = 0;
    }
    return n;
}

static ssize_t on_read(void *ctx, uint64_t pos, char *to, size_t max)
{
    struct http_stream *s = ctx;

    (void)pos;
    if (s->cut || s->out.rc != ERR_OK)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (http_stream_waiting(s) > 0) {
        size_t n = take(s, to, max);

        if (s->full && http_stream_waiting(s) <= s->low) {
            s->full = false;
            if (s->ev->drained)
                s->ev->drained(s->ctx);
        }
        return (ssize_t)n;
    }
    if (s->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    MHD_suspend_connection(s->conn);
    s->suspended = true;
    return 0;
}

static void on_free(void *ctx)
{
    struct http_stream *s = ctx;

    if (s->ev->closed)
        s->ev->closed(s->ctx);
    buf_release(&s->out);
    free(s);
}

struct http_stream *http_stream_open(struct http_request *r, int status, const char *type,
                                     size_t bound, const struct http_stream_events *ev, void *ctx)
{
    struct exchange *x = (struct exchange *)r; /* its first member */
    struct http_stream *s = calloc(1, sizeof(*s));
    size_t block = bound < BIG_BOUND ? SMALL_BLOCK : BIG_BLOCK;
    struct MHD_Response *m =
        s ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, block, on_read, s, on_free) : NULL;

    if (!m) {
        free(s);
        exchange_respond(x, 500, NULL);
        return NULL;
    }
    *s = (struct http_stream){
        .x = x, .conn = x->conn, .ev = ev, .ctx = ctx, .out = BUF_INIT(bound), .low = bound / 2};
    if (strcmp(r->method, "HEAD") == 0) /* else a last chunk is sent behind its headers */
        (void)MHD_set_response_options(m, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    (void)MHD_add_response_header(m, "Content-Type", type);
    http_request_lasts(r);
    x->stream = s;
    exchange_respond(x, status, m);
    return s;
}

void http_stream_low(struct http_stream *s, size_t low)
{
    s->low = low;
}

uint64_t http_stream_taken(const struct http_stream *s)
{
    return s->server ? alone_taken(s) : s->taken;
}

struct buf *http_stream_buf(struct http_stream *s)
{
    buf_drop(&s->out, s->sent); /* what went takes no room */
    s->sent = 0;
    return &s->out;
}

void http_stream_flush(struct http_stream *s)
{
    if (s->server) {
        alone_flush(s);
        return;
    }
    if (http_stream_waiting(s) > s->low)
        s->full = true;
    if (!s->suspended)
        return;
    s->suspended = false;
    MHD_resume_connection(s->conn);
    http_daemon_kick(s->x->server->daemon);
}

void http_stream_end(struct http_stream *s)
{
    s->ended = true;
    http_stream_flush(s);
}

void http_stream_cut(struct http_stream *s)
{
    s->cut = true;
    http_stream_flush(s);
}
