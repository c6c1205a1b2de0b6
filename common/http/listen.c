/* SPDX-License-Identifier: Apache-2.0 */
#include "common/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "common/banned.h"

enum { PORT_LOW = 20000, PORT_HIGH = 32767, TRIES = 200 };

struct address {
    char host[64];
    int port;
    bool v6;
};

static bool parse(const char *text, struct address *out)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    unsigned char raw[16];

    if (colon == NULL)
        return false;
    size_t n = (size_t)(colon - text);
    out->v6 = text[0] == '[';
    if (out->v6 && (n < 2 || text[n - 1] != ']'))
        return false;
    if (out->v6) {
        text++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof(out->host))
        return false;
    memcpy(out->host, text, n);
    out->host[n] = '\0';
    long port = strtol(colon + 1, &end, 10);
    out->port = (int)port;
    return end != colon + 1 && *end == '\0' && port >= 0 && port <= 65535 &&
           inet_pton(out->v6 ? AF_INET6 : AF_INET, out->host, raw) == 1;
}

/* The socket, or -1 with errno. */
static int try_port(const struct address *a, int port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const void *raw = a->v6 ? (const void *)&six : &four;
    int on = 1,
        fd = socket(a->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void)inet_pton(a->v6 ? AF_INET6 : AF_INET, a->host,
                    a->v6 ? (void *)&six.sin6_addr : (void *)&four.sin_addr);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, raw, a->v6 ? sizeof(six) : sizeof(four)) == 0 && listen(fd, 1024) == 0)
        return fd;
    int errnum = errno;
    (void)close(fd);
    errno = errnum;
    return -1;
}

enum err_code listen_open(const char *flag, const char *text, int *fd, char url[LISTEN_URL_ROOM],
                          struct err *err)
{
    struct address a = {0};

    if (!parse(text, &a))
        return err_set(err, ERR_USAGE, "%s '%s' is not ADDRESS:PORT", flag, text);
    int port = a.port;
    *fd = -1;
    for (int i = 0; *fd < 0 && i < (a.port == 0 ? TRIES : 1); i++) {
        if (a.port == 0)
            port = PORT_LOW + (int)randombytes_uniform(PORT_HIGH - PORT_LOW + 1);
        *fd = try_port(&a, port);
    }
    if (*fd < 0)
        return err_set(err, ERR_CONFIG, "cannot listen on '%s': %s; give %s another port", text,
                       strerror(errno), flag);
    (void)snprintf(url, LISTEN_URL_ROOM, a.v6 ? "http://[%s]:%d" : "http://%s:%d", a.host, port);
    return ERR_OK;
}
