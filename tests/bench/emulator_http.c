/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/emulator_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "worker/e2b/connect_rpc.h"
#include "common/banned.h"

enum { READ_BYTES = 64 << 10, IN_MAX = 8 << 20, OUT_MAX = 64 << 20, EVENTS = 512, CONNS = 16384 };

static struct {
    int listener, epoll;
    serve_fn serve;
    gone_fn gone;
    struct conn *conns[CONNS]; /* by descriptor */
    struct conn *buried;       /* freed when no event of this turn can name them */
} h;

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "emulator: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- out ----------------------------------------------------------------------- */

static void watch(struct conn *c, bool writing)
{
    struct epoll_event ev = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c};

    if (c->writing == writing)
        return;
    c->writing = writing;
    (void)epoll_ctl(h.epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

static void flush(struct conn *c)
{
    while (c->out.len > 0) {
        ssize_t n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);
        if (n < 0)
            break;
        buf_drop(&c->out, (size_t)n);
    }
    watch(c, c->out.len > 0);
    if (c->out.len == 0)
        buf_release(&c->out);
}

void http_send(struct conn *c, const void *p, size_t n)
{
    ssize_t sent = c->out.len == 0 ? send(c->fd, p, n, MSG_NOSIGNAL) : 0;
    size_t done = sent > 0 ? (size_t)sent : 0;

    if (done == n)
        return;
    buf_add(&c->out, (const char *)p + done, n - done);
    watch(c, true);
}

void http_answer(struct conn *c, int status, const char *headers, struct str body)
{
    AUTO_BUF all = BUF_INIT(IN_MAX);

    buf_addf(&all, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%s", status, headers);
    if (status != 204)
        buf_addf(&all, "Content-Length: %zu\r\n", body.n);
    buf_adds(&all, "\r\n");
    buf_addstr(&all, body);
    http_send(c, all.p, all.len);
}

void http_begin(struct conn *c)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/connect+json\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    http_send(c, head, sizeof(head) - 1);
}

void http_frame(struct buf *out, unsigned flags, const char *json)
{
    AUTO_BUF frame = BUF_INIT(IN_MAX);

    connect_frame_put(&frame, flags, str_of(json));
    buf_addf(out, "%zx\r\n", frame.len);
    buf_addstr(out, buf_str(&frame));
    buf_adds(out, "\r\n");
}

void http_finish(struct conn *c)
{
    http_send(c, "0\r\n\r\n", 5);
}

/* --- in ------------------------------------------------------------------------ */

static struct str header(struct str head, const char *name)
{
    struct str rest = head, line;
    size_t n = strlen(name);

    while (str_next(&rest, '\n', &line))
        if (line.n > n && line.p[n] == ':' && strncasecmp(line.p, name, n) == 0)
            return str_trim((struct str){line.p + n + 1, line.n - n - 1});
    return (struct str){0};
}

static bool first_line(struct str head, struct request *r)
{
    struct str line, rest = head;

    return str_next(&rest, '\n', &line) && str_next(&line, ' ', &r->method) &&
           str_next(&line, ' ', &r->path);
}

/* One whole request off the front; false: it is not there yet. */
static bool serve_one(struct conn *c)
{
    const char *end = c->in.len > 0 ? memmem(c->in.p, c->in.len, "\r\n\r\n", 4) : NULL;
    struct request r = {.from = -1};
    int64_t length = 0;

    if (!end)
        return false;
    struct str head = {c->in.p, (size_t)(end - c->in.p) + 2}, text = header(head, "Content-Length");
    if (text.n > 0 && !str_int(text, IN_MAX, &length))
        die("a request without a length");
    if (c->in.len < head.n + 2 + (size_t)length)
        return false;
    r.body = (struct str){end + 4, (size_t)length};
    r.sandbox = header(head, "E2b-Sandbox-Id");
    text = header(head, "Range");
    if (str_starts(text, "bytes=") && text.n > 7)
        (void)str_int((struct str){text.p + 6, text.n - 7}, INT64_MAX, &r.from);
    if (!first_line(head, &r))
        die("a request without a first line");
    h.serve(c, &r);
    buf_drop(&c->in, head.n + 2 + (size_t)length);
    return true;
}

static void bury(struct conn *c)
{
    if (c->dead)
        return;
    c->dead = true;
    h.gone(c);
    h.conns[c->fd] = NULL;
    (void)close(c->fd);
    c->next = h.buried;
    h.buried = c;
}

static void receive(struct conn *c)
{
    char *room;
    ssize_t n;

    do {
        room = buf_room(&c->in, READ_BYTES);
        n = room ? recv(c->fd, room, READ_BYTES, 0) : 0;
        if (n > 0)
            buf_grew(&c->in, (size_t)n);
    } while (n == READ_BYTES);
    while (n > 0 && serve_one(c))
        continue;
    if (c->in.len == 0)
        buf_release(&c->in);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        bury(c);
}

static void take_in(void)
{
    int fd;

    while ((fd = accept4(h.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof(*c));
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

        if (!c || fd >= CONNS || epoll_ctl(h.epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
            die("take a connection");
        h.conns[fd] = c;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        c->fd = fd;
        c->in = BUF_INIT(IN_MAX);
        c->out = BUF_INIT(OUT_MAX);
    }
    if (errno != EAGAIN)
        die("take a connection");
}

/* --- the loop -------------------------------------------------------------------- */

int http_listen(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    struct epoll_event ev = {.events = EPOLLIN};

    h.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    h.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (h.listener < 0 || h.epoll < 0 ||
        bind(h.listener, (struct sockaddr *)(void *)&at, sizeof(at)) != 0 ||
        listen(h.listener, 4096) != 0 ||
        getsockname(h.listener, (struct sockaddr *)(void *)&at, &n) != 0 ||
        epoll_ctl(h.epoll, EPOLL_CTL_ADD, h.listener, &ev) != 0)
        die("listen");
    return ntohs(at.sin_port);
}

static void turn(const struct epoll_event *ev)
{
    struct conn *c = ev->data.ptr;

    if (!c)
        take_in();
    else if (!c->dead && ev->events & EPOLLOUT)
        flush(c);
    if (c && !c->dead && ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(c);
}

static void free_buried(void)
{
    for (struct conn *c; (c = h.buried);) {
        h.buried = c->next;
        buf_release(&c->in);
        buf_release(&c->out);
        free(c);
    }
}

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void http_serve(serve_fn serve, gone_fn gone, void (*tick)(void), int tick_ms,
                const volatile bool *stop)
{
    struct epoll_event ready[EVENTS];

    h.serve = serve;
    h.gone = gone;
    for (int64_t due = now_ms(), left; !*stop;) {
        left = due - now_ms();
        int n = epoll_wait(h.epoll, ready, EVENTS, left > 0 ? (int)left : 0);
        for (int i = 0; i < n; i++)
            turn(&ready[i]);
        free_buried();
        if (now_ms() < due)
            continue;
        tick();
        due = now_ms() + tick_ms;
    }
    for (size_t fd = 0; fd < CONNS; fd++)
        if (h.conns[fd])
            bury(h.conns[fd]);
    free_buried();
}
