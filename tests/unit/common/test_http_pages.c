/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of a process, asked over real sockets by a client that is not ours: what
 * is answered, what is refused, and that no client can hold it up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "common/http/http_pages.h"
#include "common/http/listen.h"
#include "common/secret/secret.h"
#include "common/banned.h"

enum { CONNECTIONS = 4, ANSWER_MAX = 64 << 10, WAIT_S = 20 };

static struct {
    pid_t pid;
    int port;
} server;

/* --- the server, a process of its own ------------------------------------------- */

static void hello(void *ctx, struct http_reply *out)
{
    buf_addf(&out->body, "hello %d\n", *(int *)ctx);
}

static void sick(void *ctx, struct http_reply *out)
{
    (void)ctx;
    out->status = 503;
    out->type = "application/json";
    buf_adds(&out->body, "{}");
}

static void huge(void *ctx, struct http_reply *out)
{
    (void)ctx;
    out->type = "text/html";
    while (out->body.rc == ERR_OK)
        buf_adds(&out->body, "the secret half of a page ");
}

static void serve(int fd)
{
    static const struct http_page pages[] = {{"/hello", hello}, {"/sick", sick}, {"/huge", huge}};
    struct loop *loop = NULL;
    struct http_pages *s = NULL;
    struct err err = ERR_INIT;
    int number = 7;
    const struct http_pages_opts opts = {.listen_fd = fd,
                                         .pages = pages,
                                         .n_pages = COUNTOF(pages),
                                         .ctx = &number,
                                         .connections = CONNECTIONS,
                                         .idle_ms = 2000,
                                         .life_ms = 4000};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (loop_new(&loop, &err) != ERR_OK || http_pages_new(loop, &opts, &s, &err) != ERR_OK)
        _exit(1);
    loop_run(loop);
    _exit(0);
}

static int start(void **state)
{
    char url[LISTEN_URL_ROOM];
    struct err err = ERR_INIT;
    int fd = -1;

    (void)state;
    if (secret_init(&err) != ERR_OK || listen_open("--l", "127.0.0.1:0", &fd, url, &err) != ERR_OK)
        return -1;
    server.port = (int)strtol(strrchr(url, ':') + 1, NULL, 10);
    server.pid = fork();
    if (server.pid == 0)
        serve(fd);
    (void)close(fd);
    return server.pid > 0 ? 0 : -1;
}

static int stop(void **state)
{
    int status = 0;

    (void)state;
    (void)kill(server.pid, SIGKILL);
    return waitpid(server.pid, &status, 0) == server.pid && WIFSIGNALED(status) ? 0 : -1;
}

/* --- the client -------------------------------------------------------------------- */

static int dial(void)
{
    const struct timeval limit = {.tv_sec = WAIT_S};
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)server.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&to, sizeof(to)), 0);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* All until the server closes; false: it did not within WAIT_S. */
static bool read_all(int fd, char answer[ANSWER_MAX])
{
    size_t n = 0;
    ssize_t got = 0;

    while (n < ANSWER_MAX - 1 && (got = recv(fd, answer + n, ANSWER_MAX - 1 - n, 0)) > 0)
        n += (size_t)got;
    answer[n] = '\0';
    (void)close(fd);
    return got == 0;
}

static struct row {
    const char *name, *request, *status;
    const char *has, *has_not; /* NULL: do not ask */
} rows[] = {
    {"a page", "GET /hello HTTP/1.0\r\n\r\n", "200", "\r\n\r\nhello 7\n", NULL},
    {"its type", "GET /hello HTTP/1.0\r\n\r\n", "200",
     "Content-Type: text/plain; charset=utf-8\r\n", NULL},
    {"not kept by anybody", "GET /hello HTTP/1.0\r\n\r\n", "200", "Cache-Control: no-store", NULL},
    {"with a query", "GET /hello?a=b HTTP/1.0\r\n\r\n", "200", "hello 7", NULL},
    {"HEAD has no body", "HEAD /hello HTTP/1.0\r\n\r\n", "200", "Content-Length: 8", "hello"},
    {"a status and a type", "GET /sick HTTP/1.0\r\n\r\n", "503", "application/json", NULL},
    {"never half a page", "GET /huge HTTP/1.0\r\n\r\n", "500", "too big", "secret half"},
    {"nothing there", "GET /hell HTTP/1.0\r\n\r\n", "404", "  /hello\n  /sick\n", NULL},
    {"no walking up", "GET /../hello HTTP/1.0\r\n\r\n", "404", NULL, NULL},
    {"POST", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", "405",
     "Allow: GET, HEAD", "hello 7"},
    {"DELETE", "DELETE /hello HTTP/1.0\r\n\r\n", "405", "Only GET", NULL},
    {"a body", "GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n", "413",
     "no body", NULL},
    {"a body in chunks", "GET /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
     "413", "no body", NULL},
};

static void answers(void **state)
{
    const struct row *row = *state;
    char answer[ANSWER_MAX], status[32];
    int fd = dial();

    put(fd, row->request);
    assert_true(read_all(fd, answer));
    (void)snprintf(status, sizeof(status), "HTTP/1.1 %s ", row->status);
    if (strncmp(answer, status, strlen(status)) != 0)
        fail_msg("wanted %s, got: %.200s", row->status, answer);
    if (row->has && !strstr(answer, row->has))
        fail_msg("no '%s' in: %.400s", row->has, answer);
    if (row->has_not)
        assert_null(strstr(answer, row->has_not));
}

/* 200 KiB of headers are refused after a few. */
static void long_headers(void **state)
{
    char answer[ANSWER_MAX], line[1024];
    int fd = dial();

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line, "X: ", 3);
    memcpy(line + sizeof(line) - 3, "\r\n", 3);
    put(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 200; i++)
        if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
            break;
    (void)read_all(fd, answer); /* an answer, or a reset: never a page */
    assert_null(strstr(answer, "hello 7"));
    assert_true(answer[0] == '\0' || strncmp(answer, "HTTP/1.1 4", 10) == 0);
}

/* Clients that say nothing, or a byte now and then, take all connections: they are let go, and
 * whoever waits behind them is served. */
static void slow_clients(void **state)
{
    char answer[ANSWER_MAX];
    int slow[CONNECTIONS], fd;
    int64_t begun = clock_boot_ms();

    (void)state;
    for (int i = 0; i < CONNECTIONS; i++) {
        slow[i] = dial();
        put(slow[i], "GET /hello HTTP/1.1\r\nX: ");
    }
    fd = dial();
    put(fd, "GET /hello HTTP/1.0\r\n\r\n");
    for (bool more = true; more;) { /* a byte each 100 ms: never idle */
        struct timeval nap = {.tv_usec = 100000};
        fd_set ready;

        FD_ZERO(&ready);
        FD_SET(fd, &ready);
        more = select(fd + 1, &ready, NULL, NULL, &nap) == 0;
        for (int i = 0; more && i < CONNECTIONS; i++)
            (void)send(slow[i], "x", 1, MSG_NOSIGNAL);
        assert_true(clock_boot_ms() - begun < WAIT_S * 1000);
    }
    assert_true(read_all(fd, answer));
    assert_non_null(strstr(answer, "hello 7"));
    for (int i = 0; i < CONNECTIONS; i++)
        (void)close(slow[i]);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 2];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = answers, .initial_state = &rows[i]};
    tests[COUNTOF(rows)] = (struct CMUnitTest)cmocka_unit_test(long_headers);
    tests[COUNTOF(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(slow_clients);
    return cmocka_run_group_tests_name("http_pages", tests, start, stop);
}
