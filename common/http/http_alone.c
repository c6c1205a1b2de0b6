/* SPDX-License-Identifier: Apache-2.0 */
/* A stream that has its connection for itself (docs/adr/0026). libmicrohttpd keeps a connection's
 * memory for as long as it lasts, and walks the list of all that wait each time one goes on. So the
 * socket is taken from it: we go on with a copy of the descriptor, and put a dead socket in the
 * place of its own, which it closes. This is done to a connection that it has suspended, and of
 * whose descriptor it therefore knows nothing but the number. */
#include "common/http/http_server_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "common/banned.h"

enum {
    HEAD_MAX = 16 << 10,
    FRAME_ROOM = 24,
    KERNEL_BYTES = 128 << 10, /* that may wait in the socket, about */
    HEARD_MAX = 64 << 10,
    LINGER_MS = 5000 /* for the client to close, when all is sent */
};

#define LAST_CHUNK STR("0\r\n\r\n")

/* --- its end -------------------------------------------------------------------------- */

static void finish(struct http_stream *s)
{
    LIST_REMOVE(s, link);
    s->server->n_alone--;
    watch_free(s->watch);
    if (s->cut) /* so that the client does not take it for an end */
        (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                         sizeof(struct linger));
    (void)close(s->fd);
    if (s->ev->closed)
        s->ev->closed(s->ctx);
    buf_release(&s->out);
    buf_release(&s->wire);
    free(s);
}

/* Found at the next turn as the end of what can be read: nothing is freed in here. */
static void doom(struct http_stream *s)
{
    s->cut = true;
    (void)shutdown(s->fd, SHUT_RD);
}

void alone_sweep(struct http_server *server)
{
    int64_t now = loop_now_ms(server->loop);
    struct http_stream *s, *next;

    for (s = LIST_FIRST(&server->alone); s; s = next) {
        next = LIST_NEXT(s, link);
        if (s->shut && now >= s->until_ms)
            finish(s);
    }
}

void alone_close_all(struct http_server *server)
{
    struct http_stream *s;

    while ((s = LIST_FIRST(&server->alone))) {
        s->cut |= !s->shut;
        finish(s);
    }
}

/* --- out ------------------------------------------------------------------------------------ */

size_t alone_waiting(const struct http_stream *s)
{
    return s->out.len + s->wire.len - s->wire_sent;
}

/* Less what waits in the kernel. */
uint64_t alone_taken(const struct http_stream *s)
{
    int n = 0;

    return ioctl(s->fd, SIOCOUTQ, &n) == 0 && n >= 0 ? s->taken - (uint64_t)n : s->taken;
}

static void watch_for(struct http_stream *s, int events)
{
    if (s->watched == events)
        return;
    s->watched = events;
    watch_set(s->watch, events);
}

static bool gave_up(ssize_t n)
{
    return n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
}

/* What was framed before, as far as it goes. */
static void send_wire(struct http_stream *s)
{
    while (s->wire_sent < s->wire.len) {
        ssize_t n = send(s->fd, s->wire.p + s->wire_sent, s->wire.len - s->wire_sent, MSG_NOSIGNAL);

        if (gave_up(n))
            doom(s);
        if (n <= 0)
            return;
        s->wire_sent += (size_t)n;
        s->taken += (uint64_t)n;
    }
    buf_release(&s->wire); /* most streams wait most of the time: they hold nothing then */
    s->wire_sent = 0;
}

/* The pieces at once; what does not go is kept. */
static void send_pieces(struct http_stream *s, const struct str *pieces, size_t n_pieces)
{
    struct iovec v[3];
    size_t done = 0;
    ssize_t n;

    for (size_t i = 0; i < n_pieces; i++)
        v[i] = (struct iovec){(void *)(uintptr_t)pieces[i].p, pieces[i].n};
    n = s->wire.len
            ? 0
            : sendmsg(s->fd, &(struct msghdr){.msg_iov = v, .msg_iovlen = n_pieces}, MSG_NOSIGNAL);
    if (gave_up(n))
        doom(s);
    if (n > 0)
        done = (size_t)n;
    s->taken += done;
    for (size_t i = 0; i < n_pieces; i++) {
        size_t skip = done < pieces[i].n ? done : pieces[i].n;

        done -= skip;
        buf_add(&s->wire, pieces[i].p + skip, pieces[i].n - skip);
    }
    if (s->wire.rc != ERR_OK)
        doom(s);
}

static void send_out(struct http_stream *s)
{
    char head[FRAME_ROOM];
    int n = snprintf(head, sizeof(head), "%zx\r\n", s->out.len);
    struct str pieces[] = {{head, (size_t)n}, buf_str(&s->out), STR("\r\n")};

    if (s->out.rc != ERR_OK)
        doom(s);
    else if (s->chunked)
        send_pieces(s, pieces, 3);
    else
        send_pieces(s, &pieces[1], 1);
    buf_release(&s->out);
}

static void shut(struct http_stream *s)
{
    if (s->wire.len)
        return;
    s->shut = true;
    s->until_ms = loop_now_ms(s->server->loop) + LINGER_MS;
    (void)shutdown(s->fd, SHUT_WR);
}

void alone_flush(struct http_stream *s)
{
    bool ending = s->ended && !s->last_sent;

    if (s->cut) {
        doom(s);
        return;
    }
    if (s->no_body)
        buf_release(&s->out);
    s->full |= alone_waiting(s) > s->low; /* the next turn tells when it is not any more */
    if (s->out.len || s->out.rc != ERR_OK)
        send_out(s);
    if (ending && s->chunked && !s->no_body)
        send_pieces(s, &LAST_CHUNK, 1);
    s->last_sent |= ending;
    if (s->ended && !s->shut)
        shut(s);
    watch_for(s, WATCH_READ | (s->wire.len || s->full ? WATCH_WRITE : 0));
}

/* --- in -------------------------------------------------------------------------------------- */

/* False: its client went, or says too much. */
static bool listen_to(struct http_stream *s)
{
    char junk[4096];
    ssize_t n = recv(s->fd, junk, sizeof(junk), 0);

    if (n > 0)
        s->heard += (size_t)n;
    return !gave_up(n) && n != 0 && s->heard <= HEARD_MAX;
}

static void on_ready(void *ctx, int events)
{
    struct http_stream *s = ctx;

    if ((events & WATCH_READ) && !listen_to(s)) {
        finish(s);
        return;
    }
    if (!(events & WATCH_WRITE) || s->cut)
        return;
    send_wire(s);
    if (s->full && alone_waiting(s) <= s->low) {
        s->full = false;
        if (s->ev->drained)
            s->ev->drained(s->ctx);
    }
    alone_flush(s);
}

/* --- its beginning ------------------------------------------------------------------------------
 */

static void put_headers(const struct exchange *x, struct buf *out)
{
    const char *p = x->headers.p, *end = x->headers.len ? p + x->headers.len : p;

    while (p < end) {
        const char *value = p + strlen(p) + 1;

        buf_addf(out, "%s: %s\r\n", p, value);
        p = value + strlen(value) + 1;
    }
}

static void put_head(const struct http_stream *s, const struct exchange *x, int status,
                     const char *type, struct buf *out)
{
    time_t now = time(NULL);
    struct tm tm;
    char date[40];

    (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    buf_addf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n", status,
             MHD_get_reason_phrase_for((unsigned)status), date, type);
    put_headers(x, out);
    buf_adds(out, s->chunked ? "Transfer-Encoding: chunked\r\n" : "");
    buf_adds(out, "Connection: close\r\n\r\n");
    if (x->headers.rc != ERR_OK && out->rc == ERR_OK)
        out->rc = x->headers.rc;
}

/* libmicrohttpd's descriptor is a dead socket from here on. The copy; -1: it could not be had, and
 * nothing was changed. */
static int take_socket(const struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    int dead = info ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    int fd = dead >= 0 ? fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (fd >= 0) {
        http_daemon_forget(x->server->daemon, info->connect_fd);
        if (dup3(dead, info->connect_fd, O_CLOEXEC) < 0) { /* as if nothing had been */
            (void)close(fd);
            fd = -1;
        }
    }
    if (dead >= 0)
        (void)close(dead);
    return fd;
}

static bool make_alone(struct http_stream *s, struct exchange *x, int status, const char *type)
{
    static const int yes = 1, bytes = KERNEL_BYTES;
    AUTO_BUF head = BUF_INIT(HEAD_MAX);
    struct str piece;

    s->chunked = !x->http10;
    s->no_body = strcmp(x->method, "HEAD") == 0;
    put_head(s, x, status, type, &head);
    if (head.rc != ERR_OK)
        return false;
    s->fd = take_socket(x);
    if (s->fd < 0)
        return false;
    x->left = true;
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    (void)setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    s->watch = watch_new(x->server->loop, s->fd, on_ready, s);
    piece = buf_str(&head);
    send_pieces(s, &piece, 1);
    return true;
}

struct http_stream *http_stream_open_alone(struct http_request *r, int status, const char *type,
                                           size_t bound, const struct http_stream_events *ev,
                                           void *ctx)
{
    struct exchange *x = (struct exchange *)r; /* its first member */
    bool may_leave = x->suspended && !x->response && !x->server->by_tls;
    struct http_stream *s = may_leave ? calloc(1, sizeof(*s)) : NULL;

    if (!s)
        return http_stream_open(r, status, type, bound, ev, ctx);
    *s = (struct http_stream){.ev = ev,
                              .ctx = ctx,
                              .out = BUF_INIT(bound),
                              .wire = BUF_INIT(2 * bound + HEAD_MAX),
                              .low = bound / 2};
    if (!make_alone(s, x, status, type)) {
        free(s);
        return http_stream_open(r, status, type, bound, ev, ctx);
    }
    if (!s->watch) {
        (void)close(s->fd);
        buf_release(&s->wire);
        free(s);
        exchange_respond(x, 500, NULL);
        return NULL;
    }
    s->server = x->server;
    LIST_INSERT_HEAD(&s->server->alone, s, link);
    s->server->n_alone++;
    watch_for(s, WATCH_READ | (s->wire.len ? WATCH_WRITE : 0));
    if (!timer_pending(s->server->sweep))
        timer_start(s->server->sweep, SWEEP_MS);
    exchange_respond(x, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
    return s;
}
