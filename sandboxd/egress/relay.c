/* SPDX-License-Identifier: Apache-2.0 */
/* One connection through a door: HEAD (the request is read) -> OPENING (the origin is connected)
 * -> RELAYING (bytes both ways, unread, each way bounded) or REFUSED (our answer goes back). */
#include "sandboxd/egress/egress_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "sandboxd/egress/head.h"

#include "common/banned.h"

enum { URL_MAX = 512, REFUSAL_MAX = 1024 };
enum state { HEAD, OPENING, RELAYING, REFUSED };

struct relay {
    LIST_ENTRY(relay) link;
    struct door *door;
    enum state state;
    int fd; /* the sandbox's side */
    struct watch *watch;
    struct http_conn *origin; /* NULL: none */
    bool tunnel, named;       /* named: allowed by its name */
    bool in_ended, out_ended; /* the sandbox, the origin has said all */
    bool shut;                /* the origin was told so */
    struct buf up, down;      /* towards the origin, towards the sandbox */
    struct timer *idle;
    int64_t last_ms;
};

void relay_close(struct relay *r)
{
    LIST_REMOVE(r, link);
    r->door->n_relays--;
    http_conn_close(r->origin);
    watch_free(r->watch);
    timer_free(r->idle);
    (void)close(r->fd);
    if (r->up.p != NULL)
        sodium_memzero(r->up.p, r->up.cap); /* it may have held a rule's headers */
    buf_release(&r->up);
    buf_release(&r->down);
    free(r);
}

/* --- what each side waits for -------------------------------------------------- */

static bool room(const struct buf *b)
{
    return b->len < EGRESS_BUFFER_BYTES;
}

static void watch_both(struct relay *r)
{
    bool reads = r->state == HEAD || (r->state == RELAYING && room(&r->up));
    int in = reads && !r->in_ended ? WATCH_READ : 0;

    watch_set(r->watch, in | (r->down.len > 0 ? WATCH_WRITE : 0));
    if (r->state == RELAYING)
        http_conn_watch(r->origin, (room(&r->down) && !r->out_ended ? WATCH_READ : 0) |
                                       (r->up.len > 0 ? WATCH_WRITE : 0));
}

static void refuse(struct relay *r, int status, const char *why)
{
    static const char *const reasons[] = {"Bad Request", "Forbidden", "Bad Gateway"};
    const char *reason = reasons[status == 400 ? 0 : status == 403 ? 1 : 2];

    r->state = REFUSED;
    buf_clear(&r->down);
    buf_addf(&r->down,
             "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nConnection: close\r\n"
             "Content-Length: %zu\r\n\r\negress: %s\n",
             status, reason, strlen(why) + 9, why);
    watch_both(r);
}

/* --- relaying -------------------------------------------------------------------- */

/* Each returns false when its side broke. */
static bool from_sandbox(struct relay *r)
{
    char *to = buf_room(&r->up, EGRESS_BUFFER_BYTES / 4);
    ssize_t n = to != NULL ? recv(r->fd, to, EGRESS_BUFFER_BYTES / 4, 0) : -1;

    if (n > 0)
        buf_grew(&r->up, (size_t)n);
    r->in_ended = r->in_ended || n == 0;
    return n >= 0 || errno == EAGAIN || errno == EINTR;
}

static bool to_sandbox(struct relay *r)
{
    ssize_t n = r->down.len > 0 ? send(r->fd, r->down.p, r->down.len, MSG_NOSIGNAL) : 0;

    if (n > 0)
        buf_drop(&r->down, (size_t)n);
    return n >= 0 || errno == EAGAIN || errno == EINTR;
}

/* TLS may hold bytes that no socket tells of: until it has no more, or there is no room. */
static bool from_origin(struct relay *r)
{
    while (room(&r->down) && !r->out_ended) {
        char *to = buf_room(&r->down, EGRESS_BUFFER_BYTES / 4);
        ssize_t n = to != NULL ? http_conn_recv(r->origin, to, EGRESS_BUFFER_BYTES / 4) : -1;

        if (n < 0)
            return to != NULL && errno == EAGAIN;
        buf_grew(&r->down, (size_t)n);
        r->out_ended = n == 0;
    }
    return true;
}

static bool to_origin(struct relay *r)
{
    ssize_t n = r->up.len > 0 ? http_conn_send(r->origin, r->up.p, r->up.len) : 0;

    if (n > 0)
        buf_drop(&r->up, (size_t)n);
    if (r->in_ended && r->up.len == 0 && !r->shut) {
        r->shut = true;
        http_conn_shut(r->origin);
    }
    return n >= 0 || errno == EAGAIN;
}

/* As far as both sides go without waiting; closes the relay at its end. */
static void go_on(struct relay *r)
{
    bool good = to_sandbox(r);

    r->last_ms = loop_now_ms(r->door->egress->loop);
    if (good && r->state == RELAYING)
        good = to_origin(r) && from_origin(r) && to_sandbox(r);
    bool over = r->down.len == 0 && (r->state == REFUSED || r->out_ended);
    if (!good || over)
        relay_close(r);
    else
        watch_both(r);
}

/* --- opening --------------------------------------------------------------------- */

static bool allowed(void *ctx, const struct sockaddr *to)
{
    const struct relay *r = ctx;
    const struct door *d = r->door;

    if (egress_is_local(d->egress, to))
        return true;
    return !net_private(to) && (r->named || !egress_denies(d->rules, to));
}

static void on_opened(void *ctx)
{
    struct relay *r = ctx;

    r->state = RELAYING;
    if (r->tunnel)
        buf_adds(&r->down, "HTTP/1.1 200 Connection established\r\n\r\n");
    go_on(r);
}

static void on_failed(void *ctx, const struct err *e)
{
    struct relay *r = ctx;
    bool denied = e->code == ERR_INVALID;

    r->origin = NULL;
    if (denied)
        door_tell(r->door, "egress.denied");
    refuse(r, denied ? 403 : 502,
           denied ? "this sandbox may not reach that address" : "cannot connect to the origin");
}

static void on_origin(void *ctx, int events)
{
    (void)events;
    go_on(ctx);
}

static const struct http_conn_events origin_events = {
    .opened = on_opened, .failed = on_failed, .ready = on_origin};

/* A secret is added for TLS only; in clear, only to where the server itself points. */
static bool in_clear(const struct relay *r, const struct egress_head *h)
{
    const struct egress *g = r->door->egress;
    struct net one;

    if (!net_parse(h->host, &one) || one.bits != 128)
        return false;
    for (size_t i = 0; i < g->n_local; i++)
        if (g->local[i].port == h->port && memcmp(g->local[i].net.addr, one.addr, 16) == 0)
            return true;
    return false;
}

static void connect_to(struct relay *r, const struct egress_head *h, bool tls)
{
    AUTO_BUF url = BUF_INIT(URL_MAX);
    struct http_conn_call call = {.allowed = allowed};
    struct err e = ERR_INIT;

    buf_addf(&url, h->bracketed ? "%s://[" STR_FMT "]:%d" : "%s://" STR_FMT ":%d",
             tls ? "https" : "http", STR_ARG(h->host), tls && h->port == 80 ? 443 : h->port);
    call.url = url.p;
    r->named = egress_names(r->door->rules, h->host);
    r->tunnel = h->connect;
    r->state = OPENING;
    if (url.rc != ERR_OK ||
        http_connect(r->door->egress->http, &call, &origin_events, r, &r->origin, &e) != ERR_OK)
        refuse(r, 502, "cannot connect to the origin");
    else
        watch_both(r);
}

/* The head is replaced by what the origin is to read; what follows it stays. */
static bool replace_head(struct relay *r, const struct egress_head *h,
                         const struct egress_header *add, size_t n)
{
    AUTO_BUF bytes = BUF_INIT(2 * EGRESS_HEAD_MAX + EGRESS_HEADERS_MAX * EGRESS_HEADER_BYTES);

    if (!h->connect)
        egress_head_write(h, add, n, &bytes);
    if (bytes.rc != ERR_OK)
        return false;
    buf_add(&bytes, r->up.p + h->bytes, r->up.len - h->bytes);
    buf_clear(&r->up);
    buf_addstr(&r->up, buf_str(&bytes));
    if (bytes.p != NULL)
        sodium_memzero(bytes.p, bytes.len);
    return bytes.rc == ERR_OK && r->up.rc == ERR_OK;
}

static void on_head(struct relay *r, const struct egress_head *h)
{
    struct egress_header add[EGRESS_HEADERS_MAX];
    size_t n = h->connect ? 0 : egress_headers(r->door->rules, h->host, add);
    AUTO_BUF text = BUF_INIT(EGRESS_HOST_MAX + 1);
    struct egress_head copy = *h;

    buf_addstr(&text, h->host);
    if (text.rc != ERR_OK || !replace_head(r, h, add, n)) {
        refuse(r, 400, "the request is too large");
        return;
    }
    copy.host = buf_str(&text); /* the bytes it pointed into are replaced */
    connect_to(r, &copy, n > 0 && !in_clear(r, &copy));
}

/* --- the sandbox's side ------------------------------------------------------------ */

static void read_head(struct relay *r)
{
    struct egress_head h;

    switch (egress_head_parse(buf_str(&r->up), &h)) {
    case EGRESS_MORE:
        if (r->in_ended)
            relay_close(r);
        else
            watch_both(r);
        return;
    case EGRESS_HEAD:
        on_head(r, &h);
        return;
    case EGRESS_BAD:
        refuse(r, 400, "this is an HTTP proxy: CONNECT host:port, or METHOD http://host/path");
        return;
    }
}

static void on_sandbox(void *ctx, int events)
{
    struct relay *r = ctx;
    bool wants = r->state == HEAD || (r->state == RELAYING && room(&r->up));

    if ((events & WATCH_READ) && wants && !r->in_ended && !from_sandbox(r)) {
        relay_close(r);
        return;
    }
    if (r->state == HEAD)
        read_head(r);
    else
        go_on(r);
}

/* The deadline moves with every byte; the timer only looks when it fires. */
static void on_idle(void *ctx)
{
    struct relay *r = ctx;
    int64_t most = r->state == RELAYING ? EGRESS_IDLE_MS : EGRESS_HEAD_MS;
    int64_t left = r->last_ms + most - loop_now_ms(r->door->egress->loop);

    if (left <= 0)
        relay_close(r);
    else
        timer_start(r->idle, left);
}

void relay_open(struct door *d, int fd)
{
    struct relay *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        (void)close(fd);
        return;
    }
    *r = (struct relay){.door = d, .fd = fd, .last_ms = loop_now_ms(d->egress->loop)};
    r->up = BUF_INIT(2 * EGRESS_HEAD_MAX + EGRESS_HEADERS_MAX * EGRESS_HEADER_BYTES);
    r->down = BUF_INIT(2 * EGRESS_BUFFER_BYTES);
    LIST_INSERT_HEAD(&d->relays, r, link);
    d->n_relays++;
    r->watch = watch_new(d->egress->loop, fd, on_sandbox, r);
    r->idle = timer_new(d->egress->loop, on_idle, r);
    if (r->watch == NULL || r->idle == NULL) {
        relay_close(r);
        return;
    }
    timer_start(r->idle, EGRESS_HEAD_MS);
    watch_both(r);
}
