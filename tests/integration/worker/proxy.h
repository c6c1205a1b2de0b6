/* SPDX-License-Identifier: Apache-2.0 */
/* A proxy between the worker and its sandboxes that breaks things. */
#ifndef SANDFLEET_TESTS_WORKER_PROXY_H
#define SANDFLEET_TESTS_WORKER_PROXY_H

#include "fixture.h"

static int fx_port(const char *url)
{
    const char *colon = strrchr(url, ':');

    return colon ? (int)strtol(colon + 1, NULL, 10) : 0;
}

enum fx_harm {
    FX_CUT,    /* every `every` bytes of answers all connections are reset, `times` times */
    FX_NO_TAIL /* a request that holds "tail -c \"+" is cut off, always */
};

struct fx_proxy {
    char url[64];
    pid_t pid;
    volatile int *cuts; /* shared with the process */
};

enum { PROXY_PAIRS = 32 };

struct fx_pair {
    int client, server;
};

static void fx_cut(struct fx_pair *p)
{
    const struct linger now = {.l_onoff = 1};

    (void)setsockopt(p->client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(p->client);
    (void)close(p->server);
    *p = (struct fx_pair){-1, -1};
}

static void fx_accept(struct fx_pair *pairs, int listener)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = accept(listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_port = htons((uint16_t)fx_port(fx.url));
    (void)!connect(server, (struct sockaddr *)&to, sizeof(to));
    for (size_t i = 0; i < PROXY_PAIRS; i++)
        if (pairs[i].client < 0) {
            pairs[i] = (struct fx_pair){client, server};
            return;
        }
    _exit(1);
}

static ssize_t fx_pass(int from, int to, char *text, size_t size)
{
    ssize_t n = read(from, text, size);

    for (ssize_t at = 0; at < n;) {
        ssize_t w = write(to, text + at, (size_t)(n - at));

        if (w <= 0)
            return -1;
        at += w;
    }
    return n;
}

static void fx_proxy_turn(struct fx_pair *pairs, const struct pollfd *fds, enum fx_harm harm,
                          int64_t *left, int64_t every, int times, volatile int *cuts)
{
    static char text[65536];

    for (size_t i = 0; i < PROXY_PAIRS; i++) {
        ssize_t n;

        if (pairs[i].client >= 0 && fds[2 * i].revents) {
            n = fx_pass(pairs[i].client, pairs[i].server, text, sizeof(text));
            if (n <= 0 || (harm == FX_NO_TAIL && memmem(text, (size_t)n, "tail -c \\\"+", 11))) {
                *cuts += n > 0;
                fx_cut(&pairs[i]);
            }
        }
        if (pairs[i].client >= 0 && fds[2 * i + 1].revents) {
            n = fx_pass(pairs[i].server, pairs[i].client, text, sizeof(text));
            if (n <= 0)
                fx_cut(&pairs[i]);
            *left -= n > 0 ? n : 0;
        }
    }
    if (harm == FX_CUT && *left <= 0 && *cuts < times) {
        *left = every;
        ++*cuts;
        for (size_t i = 0; i < PROXY_PAIRS; i++)
            if (pairs[i].client >= 0)
                fx_cut(&pairs[i]);
    }
}

static void fx_proxy_loop(int listener, enum fx_harm harm, int64_t every, int times,
                          volatile int *cuts)
{
    struct fx_pair pairs[PROXY_PAIRS];
    int64_t left = every;

    memset(pairs, 0xff, sizeof(pairs));
    (void)signal(SIGPIPE, SIG_IGN);
    for (;;) {
        struct pollfd fds[2 * PROXY_PAIRS + 1];

        for (size_t i = 0; i < PROXY_PAIRS; i++) {
            fds[2 * i] = (struct pollfd){.fd = pairs[i].client, .events = POLLIN};
            fds[2 * i + 1] = (struct pollfd){.fd = pairs[i].server, .events = POLLIN};
        }
        fds[2 * PROXY_PAIRS] = (struct pollfd){.fd = listener, .events = POLLIN};
        (void)poll(fds, COUNTOF(fds), -1);
        fx_proxy_turn(pairs, fds, harm, &left, every, times, cuts);
        if (fds[2 * PROXY_PAIRS].revents)
            fx_accept(pairs, listener);
    }
}

static struct fx_proxy fx_proxy_up(enum fx_harm harm, int64_t every, int times)
{
    struct fx_proxy p = {0};
    int port, fd = fx_listen(&port);

    p.cuts = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)snprintf(p.url, sizeof(p.url), "http://127.0.0.1:%d", port);
    p.pid = fx_fork();
    if (p.pid == 0)
        fx_proxy_loop(fd, harm, every, times, p.cuts);
    (void)close(fd);
    return p;
}

static int fx_proxy_down(struct fx_proxy *p)
{
    int cuts = *p->cuts;

    (void)kill(p->pid, SIGKILL);
    (void)waitpid(p->pid, NULL, 0);
    (void)munmap((void *)(uintptr_t)p->cuts, sizeof(int));
    return cuts;
}

#endif
