/* SPDX-License-Identifier: Apache-2.0 */
/* A server in the sandbox service's place that answers request by request from a script, for
 * what sandboxd does not do: be old, be broken, be behind a gateway. */
#ifndef SANDFLEET_TESTS_WORKER_SCRIPT_H
#define SANDFLEET_TESTS_WORKER_SCRIPT_H

#include "fixture.h"

enum { SCRIPT_ANSWERS = 8, SCRIPT_ROOM = 1 << 17 };

#define LOST "" /* the connection ends without an answer */
#define BODY(status, body)                                                                         \
    status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body
#define REFUSED(status, word) BODY(status, "{\"code\":400,\"error_code\":\"" word "\"}")
#define SANDBOX                                                                                    \
    "{\"sandboxID\":\"iabc\",\"templateID\":\"claude\",\"clientID\":\"x\",\"envdVersion\":\"0\","  \
    "\"envdAccessToken\":\"tok\"}"
#define LISTED(id, state)                                                                          \
    "{\"sandboxID\":\"" id "\",\"templateID\":\"claude\",\"clientID\":\"x\",\"cpuCount\":2,"       \
    "\"memoryMB\":512,\"diskSizeMB\":1,\"startedAt\":\"2026-01-02T03:04:05Z\","                    \
    "\"endAt\":\"2026-01-02T04:04:05.5Z\",\"state\":\"" state "\",\"envdVersion\":\"0\"}"
#define MADE    BODY("201 Created", SANDBOX)
#define HEALTHY BODY("204 No Content", "")
#define KILLED  BODY("204 No Content", "")
#define NO_SUCH                                                                                    \
    BODY("404 Not Found", "{\"code\":404,\"message\":\"Sandbox \\\"iabc\\\" doesn't exist or you " \
                          "don't have access to it\"}")
#define EDGE_GONE BODY("502 Bad Gateway", "{\"message\":\"The sandbox was not found\"}")

struct heard { /* shared with the server's process */
    volatile int n;
    volatile size_t len;
    char text[SCRIPT_ROOM]; /* the requests, one behind the other */
};

static void script_hear(int fd, struct heard *h)
{
    char text[16384] = "";
    size_t n = 0, want = 0;

    for (;;) {
        ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);
        const char *end, *length;

        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = '\0';
        end = strstr(text, "\r\n\r\n");
        length = strcasestr(text, "content-length: ");
        want = length ? strtoul(length + 16, NULL, 10) : 0;
        if (end && n >= (size_t)(end + 4 - text) + want)
            break;
    }
    memcpy(h->text + h->len, text, n);
    h->len += n;
    h->n++;
}

static pid_t script_serve(int listener, const char *const *answers, struct heard *h)
{
    pid_t pid = fx_fork();

    if (pid != 0)
        return pid;
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0;;) {
        int fd = accept(listener, NULL, NULL);

        script_hear(fd, h);
        if (answers[i][0])
            (void)dprintf(fd, "HTTP/1.1 %s", answers[i]);
        (void)close(fd);
        i += answers[i + 1] != NULL; /* the last one for ever */
    }
}

struct stage {
    struct heard *heard;
    struct sandbox_service *service;
    char saved[64];
    pid_t pid;
};

static struct stage stage_up(const char *const *answers)
{
    struct stage st = {.heard = mmap(NULL, sizeof(struct heard), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    int port, fd = fx_listen(&port);

    st.pid = script_serve(fd, answers, st.heard);
    (void)close(fd);
    memcpy(st.saved, fx.url, sizeof(st.saved));
    (void)snprintf(fx.url, sizeof(fx.url), "http://127.0.0.1:%d", port);
    st.service = fx_service(NULL, NULL);
    return st;
}

static void stage_down(struct stage *st)
{
    sandbox_service_free(st->service);
    memcpy(fx.url, st->saved, sizeof(st->saved));
    (void)kill(st->pid, SIGKILL);
    (void)waitpid(st->pid, NULL, 0);
    (void)munmap(st->heard, sizeof(*st->heard));
}

/* "POST /v2/sandboxes|GET /health|": the queries are left out. */
static void stage_lines(const struct heard *h, struct buf *out)
{
    const char *p = h->text;

    while ((p = strstr(p, " HTTP/1.1\r\n"))) {
        const char *line = p, *query;
        size_t n;

        while (line > h->text && line[-1] != '\n' && line[-1] != '}')
            line--;
        n = (size_t)(p - line);
        query = memchr(line, '?', n);
        buf_add(out, line, query ? (size_t)(query - line) : n);
        buf_addc(out, '|');
        p++;
    }
}

FX_HELPER void stage_turn(void)
{
    struct timer *t = timer_new(fx.loop, (loop_fn)(void (*)(void))loop_stop, fx.loop);

    timer_start(t, 5);
    loop_run(fx.loop);
    timer_free(t);
}

/* Until the requests of `asked` came; and they are those. */
static void stage_asked(const struct stage *st, const char *asked)
{
    AUTO_BUF lines = BUF_INIT(SCRIPT_ROOM);
    int n = 0;

    for (const char *p = asked; *p; p++)
        n += *p == '|';
    for (int i = 0; i < 2000 && st->heard->n < n; i++)
        stage_turn();
    stage_lines(st->heard, &lines);
    assert_string_equal(lines.p ? lines.p : "", asked);
}

#endif
