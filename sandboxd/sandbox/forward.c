/* SPDX-License-Identifier: Apache-2.0 */
/* The way out of a sandbox that has no network: whoever connects to the proxy's
 * port on its loopback is connected to the proxy's socket. Bytes only; what they
 * mean is the proxy's business. */
#include "sandboxd/sandbox/init_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/attrs.h"

#include "common/banned.h"

enum { PAIRS_MAX = 128, PIECE = 32 << 10, BACKLOG = 64 };

struct way { /* from one end to the other */
    char *bytes;
    size_t at, n; /* what is still to be written */
    bool ended, told;
};

struct pair {
    int fd[2];         /* -1: free. 0: inside, 1: the proxy */
    struct way way[2]; /* way[i] leads from fd[i] to fd[1 - i] */
};

static void drop(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        if (p->fd[i] >= 0)
            (void)close(p->fd[i]);
        free(p->way[i].bytes);
    }
    *p = (struct pair){.fd = {-1, -1}};
}

static int connect_proxy(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = INIT_PROXY_SOCKET};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static void take(struct pair pairs[PAIRS_MAX], int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    size_t i = 0;

    while (i < PAIRS_MAX && pairs[i].fd[0] >= 0)
        i++;
    if (fd < 0)
        return;
    if (i == PAIRS_MAX) {
        (void)close(fd);
        return;
    }
    pairs[i] = (struct pair){.fd = {fd, connect_proxy()}};
    pairs[i].way[0].bytes = malloc(PIECE);
    pairs[i].way[1].bytes = malloc(PIECE);
    if (pairs[i].fd[1] < 0 || pairs[i].way[0].bytes == NULL || pairs[i].way[1].bytes == NULL)
        drop(&pairs[i]);
}

static bool later(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* False: the pair is over. */
static bool move(struct way *w, int from, int to)
{
    if (w->n == 0 && !w->ended) {
        ssize_t got = read(from, w->bytes, PIECE);

        if (got < 0 && !later())
            return false;
        w->ended = got == 0;
        w->at = 0;
        w->n = got > 0 ? (size_t)got : 0;
    }
    if (w->n > 0) {
        ssize_t put = send(to, w->bytes + w->at, w->n, MSG_NOSIGNAL);

        if (put < 0 && !later())
            return false;
        w->at += put > 0 ? (size_t)put : 0;
        w->n -= put > 0 ? (size_t)put : 0;
    }
    if (w->ended && w->n == 0 && !w->told) {
        w->told = true;
        (void)shutdown(to, SHUT_WR);
    }
    return true;
}

static bool relay(struct pair *p)
{
    return move(&p->way[0], p->fd[0], p->fd[1]) && move(&p->way[1], p->fd[1], p->fd[0]) &&
           !(p->way[0].told && p->way[1].told);
}

/* Reading while there is room, writing while there is something to write. */
static short wanted(const struct pair *p, int end)
{
    const struct way *from = &p->way[end], *to = &p->way[1 - end];

    return (short)((from->n == 0 && !from->ended ? POLLIN : 0) | (to->n > 0 ? POLLOUT : 0));
}

static void serve(int listener)
{
    static struct pair pairs[PAIRS_MAX];
    static struct pollfd p[1 + 2 * PAIRS_MAX];

    for (size_t i = 0; i < PAIRS_MAX; i++)
        pairs[i] = (struct pair){.fd = {-1, -1}};
    for (;;) {
        p[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (size_t i = 0; i < PAIRS_MAX; i++)
            for (int end = 0; end < 2; end++) { /* a negative one is passed over */
                short events = pairs[i].fd[0] >= 0 ? wanted(&pairs[i], end) : 0;
                int fd = events != 0 ? pairs[i].fd[end] : -1;
                p[1 + 2 * i + (size_t)end] = (struct pollfd){.fd = fd, .events = events};
            }
        if (poll(p, COUNTOF(p), -1) < 0)
            continue;
        for (size_t i = 0; i < PAIRS_MAX; i++)
            if ((p[1 + 2 * i].revents | p[2 + 2 * i].revents) != 0 && !relay(&pairs[i]))
                drop(&pairs[i]);
        if (p[0].revents != 0)
            take(pairs, listener);
    }
}

static int listen_inside(void)
{
    const struct sockaddr_in a = {.sin_family = AF_INET,
                                  .sin_port = htons(INIT_PROXY_PORT),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, BACKLOG) != 0)
        return -1;
    return fd;
}

pid_t forward_start(void)
{
    pid_t pid = _Fork();

    if (pid != 0)
        return pid;
    (void)close(INIT_SOCKET);
    (void)prctl(PR_SET_NAME, "sandbox-forward");
    int listener = listen_inside();
    if (listener < 0)
        _exit(1);
    serve(listener);
    _exit(1);
}
