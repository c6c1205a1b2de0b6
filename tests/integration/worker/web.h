/* SPDX-License-Identifier: Apache-2.0 */
/* A web server for the tests of what requests name: the files of one folder, a redirect, a
 * connection that is cut in the middle. */
#ifndef SANDFLEET_TESTS_WORKER_WEB_H
#define SANDFLEET_TESTS_WORKER_WEB_H

#include "fixture.h"

struct web {
    char dir[80], url[64];
    pid_t pid;
};

static void web_say(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        _exit(1);
}

static void web_send(int fd, const char *path, bool half)
{
    char head[128], piece[65536];
    struct stat st;
    int file = open(path, O_RDONLY);
    ssize_t n;

    if (file < 0 || fstat(file, &st) != 0 || !S_ISREG(st.st_mode)) {
        web_say(fd, "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    }
    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\n\r\n",
                   (long long)st.st_size);
    web_say(fd, head);
    while ((n = read(file, piece, half ? (size_t)st.st_size / 2 : sizeof(piece))) > 0)
        if (write(fd, piece, (size_t)n) != n || half)
            break;
    (void)close(file);
}

/* "/moved/a": a redirect to /a; "/far/a" to a host that does not count as ours; "/half/a". */
static void web_answer(const struct web *w, int fd)
{
    char request[4096] = "", name[256] = "", path[512];
    ssize_t n = read(fd, request, sizeof(request) - 1);

    if (n <= 0 || sscanf(request, "GET /%255[a-z./] ", name) != 1)
        return;
    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    if (strncmp(name, "moved/", 6) == 0)
        (void)snprintf(path, sizeof(path), "HTTP/1.1 302 F\r\nLocation: /%s\r\n\r\n", name + 6);
    else if (strncmp(name, "ftp/", 4) == 0)
        (void)snprintf(path, sizeof(path), "HTTP/1.1 302 F\r\nLocation: ftp://127.0.0.1/\r\n\r\n");
    else if (strncmp(name, "half/", 5) == 0)
        (void)snprintf(path, sizeof(path), "%s/%s", w->dir, name + 5);
    if (strncmp(path, "HTTP", 4) == 0)
        web_say(fd, path);
    else
        web_send(fd, path, strncmp(name, "half/", 5) == 0);
}

FX_HELPER struct web web_up(void)
{
    struct web w = {0};
    int port, listener = fx_listen(&port);

    (void)snprintf(w.dir, sizeof(w.dir), "%s/web", fx.dir);
    (void)snprintf(w.url, sizeof(w.url), "http://127.0.0.1:%d", port);
    (void)mkdir(w.dir, 0755);
    w.pid = fx_fork();
    for (int fd; w.pid == 0 && (fd = accept(listener, NULL, NULL)) >= 0; (void)close(fd))
        web_answer(&w, fd);
    (void)close(listener);
    return w;
}

FX_HELPER void web_down(const struct web *w)
{
    (void)kill(w->pid, SIGKILL);
    (void)waitpid(w->pid, NULL, 0);
}

#endif
