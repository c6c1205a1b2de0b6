/* SPDX-License-Identifier: Apache-2.0 */
/* curl's sockets in the loop. Most are watched one by one. Those of long streams are in the
 * drain set: a wakeup costs more than the bytes it brings, so that many streams' bytes are
 * waited for together, and many bytes of each. */
#include "common/http/http_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/banned.h"

enum {
    DRAIN_LEAST_PART = 5, /* of the delay: between two looks, however little there is */
    DRAIN_SOCKETS = 12    /* so many of them are worth the delay */
};

struct http_socket { /* one of curl's */
    LIST_ENTRY(http_socket) link;
    struct http *h;
    struct http_req *req; /* that drains and holds this one; NULL: none */
    curl_socket_t fd;     /* -1: closed, in `dead` */
    struct watch *watch;
    bool drained; /* in the drain set; the watch sleeps */
};

static void on_ready(void *ctx, int events)
{
    struct http_socket *s = ctx;
    http_turn(s->h, s->fd,
              (events & WATCH_READ ? CURL_CSELECT_IN : 0) |
                  (events & WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

/* --- the drain set --- */

static void drain_put(struct http_socket *s)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = s};
    if (s->drained || epoll_ctl(s->h->sockets.epoll, EPOLL_CTL_ADD, s->fd, &ev) != 0)
        return; /* it stays where it is watched */
    s->drained = true;
    watch_set(s->watch, 0);
    setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){0}, sizeof(int));
}

static void drain_remove(struct http_socket *s)
{
    if (s->drained)
        epoll_ctl(s->h->sockets.epoll, EPOLL_CTL_DEL, s->fd, NULL);
    s->drained = false;
}

static void on_drain_ready(void *ctx, int events)
{
    struct http_sockets *all = ctx;
    (void)events;
    watch_set(all->watch, 0);
    timer_start(all->due, all->drain_ms / DRAIN_LEAST_PART);
}

static void free_list(struct http_socket_list *list)
{
    struct http_socket *s;
    while ((s = LIST_FIRST(list))) {
        LIST_REMOVE(s, link);
        watch_free(s->watch);
        free(s);
    }
}

/* The next one of those that epoll named; NULL: all were read. */
static struct http_socket *next_ready(struct http_sockets *all)
{
    if (all->at == all->n) {
        int n = all->n < HTTP_DRAIN_BATCH && all->n > 0
                    ? 0
                    : epoll_wait(all->epoll, all->ready, HTTP_DRAIN_BATCH, 0);
        free_list(&all->dead);
        all->at = 0;
        all->n = n > 0 ? n : 0;
    }
    return all->at < all->n ? all->ready[all->at++].data.ptr : NULL;
}

/* Until the next look, when so many sockets had something. Few cost little, each for itself: they
 * are read soon. With many it is twice the delay, so that what comes evenly waits the delay on
 * average, and one look brings many bytes of each. */
static int64_t rest_ms(const struct http_sockets *all, int64_t found)
{
    int64_t least = all->drain_ms / DRAIN_LEAST_PART, rest = found * all->drain_ms / DRAIN_SOCKETS;
    if (rest > 2 * all->drain_ms)
        rest = 2 * all->drain_ms;
    return rest > least ? rest : least;
}

/* With the turn's bytes used up the rest of the named waits, at the head, for the next turn.
 * Where something came, more will: the set is looked at once more without being woken for it. */
static void on_due(void *ctx)
{
    struct http *h = ctx;
    struct http_sockets *all = &h->sockets;
    struct http_socket *s;
    int64_t found = 0;
    http_enter(h);
    all->bytes = 0;
    while (!h->freed && all->bytes < HTTP_TURN_MAX_BYTES && (s = next_ready(all)))
        if (s->fd >= 0) {
            http_turn(h, s->fd, CURL_CSELECT_IN);
            found++;
        }
    if (all->bytes == 0)
        watch_set(all->watch, WATCH_READ);
    else
        timer_start(all->due, all->bytes < HTTP_TURN_MAX_BYTES ? rest_ms(all, found) : 0);
    http_leave(h);
}

void http_socket_count(struct http_req *r, size_t n)
{
    r->h->sockets.bytes += n;
    if (r->pieces < HTTP_EAGER_PIECES && ++r->pieces == HTTP_EAGER_PIECES && r->socket)
        drain_put(r->socket);
}

/* --- what curl asks for --- */

static struct http_socket *socket_new(struct http *h, curl_socket_t fd)
{
    struct http_socket *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct http_socket){.h = h, .fd = fd};
    s->watch = watch_new(h->loop, fd, on_ready, s);
    if (!s->watch) {
        free(s);
        return NULL;
    }
    LIST_INSERT_HEAD(&h->sockets.live, s, link);
    curl_multi_assign(h->multi, fd, s);
    return s;
}

static void socket_gone(struct http_socket *s)
{
    struct http_sockets *all = &s->h->sockets;
    if (s->req)
        s->req->socket = NULL;
    s->req = NULL;
    drain_remove(s);
    watch_set(s->watch, 0);
    s->fd = -1;
    LIST_REMOVE(s, link);
    LIST_INSERT_HEAD(&all->dead, s, link);
    if (all->at == all->n)
        free_list(&all->dead);
}

void http_socket_forget(struct http_req *r)
{
    if (r->socket)
        r->socket->req = NULL;
    r->socket = NULL;
}

static void bind_req(struct http_socket *s, CURL *easy)
{
    struct http_req *r = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &r);
    if (!r || !r->drains || r->socket == s)
        return;
    http_socket_forget(r);
    s->req = r;
    r->socket = s;
}

static void socket_want(struct http_socket *s, int what)
{
    bool drains = s->req && s->req->pieces == HTTP_EAGER_PIECES && what == CURL_POLL_IN;
    if (drains)
        drain_put(s);
    else
        drain_remove(s);
    if (!s->drained)
        watch_set(s->watch, (what & CURL_POLL_IN ? WATCH_READ : 0) |
                                (what & CURL_POLL_OUT ? WATCH_WRITE : 0));
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
    struct http *h = ctx;
    struct http_socket *s = of_socket;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            socket_gone(s);
        return 0;
    }
    if (!s && !(s = socket_new(h, fd)))
        return -1;
    bind_req(s, easy);
    socket_want(s, what);
    return 0;
}

/* --- life --- */

bool http_sockets_init(struct http *h, int64_t drain_ms)
{
    struct http_sockets *all = &h->sockets;
    LIST_INIT(&all->live);
    LIST_INIT(&all->dead);
    all->epoll = -1;
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    if (drain_ms <= 0)
        return true;
    all->drain_ms = drain_ms;
    all->epoll = epoll_create1(EPOLL_CLOEXEC);
    all->due = timer_new(h->loop, on_due, h);
    if (all->epoll < 0 || !all->due)
        return false;
    all->watch = watch_new(h->loop, all->epoll, on_drain_ready, all);
    if (all->watch)
        watch_set(all->watch, WATCH_READ);
    return all->watch;
}

void http_sockets_release(struct http_sockets *all)
{
    free_list(&all->live);
    free_list(&all->dead);
    watch_free(all->watch);
    timer_free(all->due);
    if (all->drain_ms > 0 && all->epoll >= 0)
        close(all->epoll);
}
