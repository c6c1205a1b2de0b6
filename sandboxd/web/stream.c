/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/web/stream.h"

#include <stdlib.h>
#include <string.h>

#include "sandboxd/envd/connect_rpc.h"
#include "sandboxd/web/gate.h"
#include "common/gzip.h"

#include "common/banned.h"

enum { BLOCK_BYTES = 4 << 10, STREAM_MAX = STREAM_BOUND + (1 << 20) };

struct stream {
    struct web *web;
    struct MHD_Connection *conn;
    const struct stream_events *ev;
    void *ctx;
    struct buf out, plain; /* plain: frames that are still to be compressed */
    struct gate *gate;     /* a scripted fault; NULL: none */
    size_t sent;           /* bytes at the start of out that went already */
    bool gzip, suspended, ended, cut;
};

static size_t waiting(const struct stream *s)
{
    return s->out.len - s->sent;
}

static size_t take(struct stream *s, char *to, size_t max)
{
    size_t n = waiting(s) < max ? waiting(s) : max;

    memcpy(to, s->out.p + s->sent, n);
    s->sent += n;
    if (s->sent == s->out.len) {
        buf_clear(&s->out);
        s->sent = 0;
    } else if (s->sent > STREAM_BOUND / 2) { /* memory stays bounded, moves stay rare */
        buf_drop(&s->out, s->sent);
        s->sent = 0;
    }
    return n;
}

static ssize_t on_read(void *ctx, uint64_t pos, char *to, size_t max)
{
    struct stream *s = ctx;
    bool was_full = stream_full(s);
    ssize_t answer;

    (void)pos;
    if (s->cut || s->out.rc != ERR_OK)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (!gate_ask(s->gate, &max, &answer))
        return answer;
    if (waiting(s) > 0) {
        size_t n = take(s, to, max);

        gate_passed(s->gate, n);

        if (was_full && !stream_full(s))
            s->ev->drained(s->ctx);
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
    struct stream *s = ctx;

    s->ev->closed(s->ctx);
    gate_free(s->gate);
    buf_release(&s->out);
    buf_release(&s->plain);
    free(s);
}

struct stream *stream_open(struct request *r, const char *type, const struct stream_events *ev,
                           void *ctx)
{
    struct stream *s = calloc(1, sizeof(*s));
    struct MHD_Response *m = NULL;

    if (s != NULL)
        m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, s, on_free);
    if (m == NULL) {
        free(s);
        request_error(r, 500, "out of memory");
        return NULL;
    }
    *s = (struct stream){.web = r->web,
                         .conn = r->conn,
                         .ev = ev,
                         .ctx = ctx,
                         .gate = gate_new(r),
                         .gzip = gzip_accepted(request_header(r, "Connect-Accept-Encoding")),
                         .out = BUF_INIT(STREAM_MAX),
                         .plain = BUF_INIT(STREAM_MAX)};
    (void)MHD_add_response_header(m, "Content-Type", type);
    (void)MHD_add_response_header(m, "Connect-Accept-Encoding", "gzip");
    if (s->gzip)
        (void)MHD_add_response_header(m, "Connect-Content-Encoding", "gzip");
    request_may_idle(r);
    r->stream = s;
    request_respond(r, 200, m);
    return s;
}

struct buf *stream_buf(struct stream *s)
{
    return s->gzip ? &s->plain : &s->out;
}

static void compress(struct stream *s)
{
    if (s->plain.rc != ERR_OK || rpc_compress(buf_str(&s->plain), &s->out, NULL) != ERR_OK)
        s->out.rc = ERR_NOMEM; /* cuts the connection */
    buf_clear(&s->plain);
}

void stream_flush(struct stream *s)
{
    if (s->gzip)
        compress(s);
    if (!s->suspended)
        return;
    s->suspended = false;
    MHD_resume_connection(s->conn);
    web_kick(s->web);
}

bool stream_full(const struct stream *s)
{
    return waiting(s) >= STREAM_BOUND;
}

/* Takes the end frame, which is the last in the buffer, off again. */
static void drop_end(struct buf *b)
{
    for (size_t n = 5; n <= b->len; n++) {
        const unsigned char *f = (const unsigned char *)b->p + b->len - n;

        if (f[0] == 2 && (size_t)f[1] << 24 == 0 &&
            n - 5 == ((size_t)f[2] << 16 | (size_t)f[3] << 8 | f[4])) {
            b->len -= n;
            return;
        }
    }
}

void stream_end(struct stream *s)
{
    if (gate_drops_end(s->gate))
        drop_end(stream_buf(s));
    s->ended = true;
    stream_flush(s);
}

void stream_cut(struct stream *s)
{
    s->cut = true;
    stream_flush(s);
}
