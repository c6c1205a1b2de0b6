/* SPDX-License-Identifier: Apache-2.0 */
/* A sandfleet-api over a laboratory of the sink's, and readers of its events: HTTP/1.1 by hand, so
 * that a mistake of ours at one end cannot hide at the other. */
#ifndef SANDFLEET_TESTS_INTEGRATION_API_READER_H
#define SANDFLEET_TESTS_INTEGRATION_API_READER_H

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/integration/sink/lab.h"

/* --- the process ------------------------------------------------------------------------ */

struct door {
    struct lab *lab;
    pid_t pid;
    int port, rcvbuf; /* rcvbuf: of readers that are opened next; 0: the system's */
    char log[160];
};

static inline void door_read_port(struct door *d)
{
    int64_t until = clock_boot_ms() + LAB_WAIT_MS;
    static char all[1 << 16];

    while (d->port == 0) {
        FILE *f = fopen(d->log, "r");
        size_t n = f ? fread(all, 1, sizeof(all) - 1, f) : 0;
        const char *url;

        if (f)
            fclose(f);
        all[n] = '\0';
        url = strstr(all, "event=api.ready");
        if (url && (url = strstr(url, "127.0.0.1:")) != NULL)
            d->port = (int)strtol(url + 10, NULL, 10);
        if (clock_boot_ms() > until)
            fail_msg("sandfleet-api is not ready: %s", d->log);
        lab_nap();
    }
}

static inline void door_start(struct door *d, struct lab *lab, const char *const *args)
{
    char path[512];
    const char *argv[32] = {path,          "--brokers",   lab->brokers, "--database",
                            lab->conninfo, "--prefix",    lab->prefix,  "--listen",
                            "127.0.0.1:0", "--anonymous", "acme"};
    size_t n = 11;

    *d = (struct door){.lab = lab};
    snprintf(path, sizeof(path), "%s/sandfleet-api", lab_server("SANDFLEET_BIN"));
    snprintf(d->log, sizeof(d->log), "%s.api", lab->log);
    (void)unlink(d->log);
    for (; args && *args && n < COUNTOF(argv) - 1; args++)
        argv[n++] = *args;
    d->pid = fork();
    if (d->pid == 0) {
        int fd = open(d->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fd, STDERR_FILENO);
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_true(d->pid > 0);
    door_read_port(d);
}

#define DOOR(d, lab, ...) door_start(d, lab, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* Its exit status; 128 + signal when one ended it. */
static inline int door_wait(struct door *d)
{
    int64_t until = clock_boot_ms() + LAB_WAIT_MS;
    int status;

    while (waitpid(d->pid, &status, WNOHANG) == 0) {
        if (clock_boot_ms() > until) {
            kill(d->pid, SIGKILL);
            fail_msg("sandfleet-api does not end: %s", d->log);
        }
        lab_nap();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void door_stop(struct door *d)
{
    kill(d->pid, SIGTERM);
    assert_int_equal(door_wait(d), 0);
}

/* --- a client ------------------------------------------------------------------------------ */

enum { READER_MAX = 8 << 20, READER_WAIT_MS = LAB_WAIT_MS };

struct reader {
    int fd, status;
    struct buf raw, body; /* as it came; without the chunks */
    size_t chunk;         /* of it that is yet to come, with its CRLF */
    bool chunked, ended;  /* ended: by its last chunk, not by a cut */
    bool closed;
    int64_t last_id;
};

struct message { /* of server-sent events; texts borrowed until the next one */
    int64_t id;  /* 0: none */
    char event[32];
    struct str data;
    int64_t retry; /* -1: none */
    bool comment;
};

static inline void reader_close(struct reader *r)
{
    close(r->fd);
    buf_release(&r->raw);
    buf_release(&r->body);
}

/* Something came, or it closed; false: nothing within ms. */
static inline bool reader_more(struct reader *r, int ms)
{
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    char *room = buf_room(&r->raw, 65536);
    ssize_t n;

    if (poll(&p, 1, ms) <= 0)
        return false;
    assert_non_null(room);
    n = recv(r->fd, room, 65536, 0);
    if (n <= 0)
        r->closed = true;
    else
        buf_grew(&r->raw, (size_t)n);
    return true;
}

/* From raw to body, as far as it goes. */
static inline void reader_unchunk(struct reader *r)
{
    while (r->chunked && !r->ended) {
        if (r->chunk == 0) {
            char *end = r->raw.len ? memmem(r->raw.p, r->raw.len, "\r\n", 2) : NULL;

            if (!end)
                return;
            r->chunk = strtoul(r->raw.p, NULL, 16) + 2;
            buf_drop(&r->raw, (size_t)(end - r->raw.p) + 2);
            r->ended = r->chunk == 2;
        } else {
            size_t n = r->raw.len < r->chunk ? r->raw.len : r->chunk;
            size_t text = r->chunk > 2 ? r->chunk - 2 : 0;

            if (n == 0)
                return;
            buf_add(&r->body, r->raw.p, n < text ? n : text);
            buf_drop(&r->raw, n);
            r->chunk -= n;
        }
    }
    if (r->chunked || !r->raw.len)
        return;
    buf_add(&r->body, r->raw.p, r->raw.len);
    buf_drop(&r->raw, r->raw.len);
}

static inline void reader_send(struct reader *r, int port, const char *request, int rcvbuf)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    *r = (struct reader){.raw = BUF_INIT(READER_MAX), .body = BUF_INIT(READER_MAX)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (rcvbuf)
        setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
    assert_int_equal(connect(r->fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(send(r->fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
}

static inline void reader_head(struct reader *r)
{
    char *end = NULL, *head;

    while (!end) {
        if (!reader_more(r, READER_WAIT_MS) || r->closed)
            fail_msg("no answer: '%s'", r->raw.p ? r->raw.p : "");
        end = r->raw.len ? memmem(r->raw.p, r->raw.len, "\r\n\r\n", 4) : NULL;
    }
    head = str_dup((struct str){r->raw.p, (size_t)(end - r->raw.p)});
    r->status = (int)strtol(head + 9, NULL, 10);
    r->chunked = strcasestr(head, "\r\ntransfer-encoding: chunked") != NULL;
    free(head);
    buf_drop(&r->raw, (size_t)(end - r->raw.p) + 4);
}

/* GET path?query as an event stream; what is answered 503 is asked again, as the contract has it.
 * since < 0: no Last-Event-ID. */
static inline void reader_open(struct reader *r, const struct door *d, const char *run,
                               const char *query, int64_t last_id)
{
    char request[1024], resume[64] = "";

    if (last_id >= 0)
        snprintf(resume, sizeof(resume), "Last-Event-ID: %lld\r\n", (long long)last_id);
    snprintf(request, sizeof(request),
             "GET /v1/runs/%s/events%s HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream\r\n%s\r\n",
             run, query, resume);
    int64_t until = clock_boot_ms() + READER_WAIT_MS;

    for (;;) {
        reader_send(r, d->port, request, d->rcvbuf);
        reader_head(r);
        if (r->status != 503 || clock_boot_ms() > until)
            break;
        reader_close(r);
        lab_nap();
    }
    assert_int_equal(r->status, 200);
}

/* The next message of the stream; false: it is over. */
static inline bool reader_next(struct reader *r, struct message *m)
{
    static char text[4 << 20];
    const char *end;
    struct str rest, line;
    int64_t until = clock_boot_ms() + READER_WAIT_MS;

    for (;;) {
        reader_unchunk(r);
        end = r->body.len ? memmem(r->body.p, r->body.len, "\n\n", 2) : NULL;
        if (end || r->ended || r->closed)
            break;
        if (!reader_more(r, 1000) && clock_boot_ms() > until)
            fail_msg("nothing came; so far up to %lld", (long long)r->last_id);
    }
    *m = (struct message){.retry = -1};
    if (!end)
        return false;
    size_t n = (size_t)(end - r->body.p) + 1;
    assert_true(n < sizeof(text));
    memcpy(text, r->body.p, n);
    buf_drop(&r->body, n + 1);
    rest = (struct str){text, n - 1};
    while (str_next(&rest, '\n', &line)) {
        if (str_starts(line, "id: "))
            assert_true(str_int((struct str){line.p + 4, line.n - 4}, INT64_MAX, &m->id));
        else if (str_starts(line, "event: "))
            snprintf(m->event, sizeof(m->event), "%.*s", (int)line.n - 7, line.p + 7);
        else if (str_starts(line, "data: "))
            m->data = (struct str){line.p + 6, line.n - 6};
        else if (str_starts(line, "retry: "))
            assert_true(str_int((struct str){line.p + 7, line.n - 7}, INT64_MAX, &m->retry));
        else
            m->comment = str_starts(line, ": ");
    }
    return true;
}

/* The next event; comments are passed over. False: the stream is over, *last says how. */
static inline bool reader_event(struct reader *r, struct message *m)
{
    while (reader_next(r, m)) {
        if (m->id == 0 && !m->event[0])
            continue;
        if (m->id)
            r->last_id = m->id;
        return true;
    }
    return false;
}

/* Events from..to come next, one after the other. */
static inline void reader_expect(struct reader *r, int64_t from, int64_t to)
{
    struct message m;

    for (int64_t i = from; i <= to; i++) {
        if (!reader_event(r, &m))
            fail_msg("the stream ended before %lld", (long long)i);
        if (m.id != i)
            fail_msg("event %lld came for %lld", (long long)m.id, (long long)i);
    }
}

/* `end`, and then the stream's own end. */
static inline void reader_expect_end(struct reader *r, const char *data)
{
    struct message m;

    assert_true(reader_event(r, &m));
    assert_string_equal(m.event, "end");
    assert_int_equal(m.id, 0);
    if (data && !str_is(m.data, data))
        fail_msg("the end says " STR_FMT, STR_ARG(m.data));
    assert_false(reader_next(r, &m));
    assert_true(r->ended);
}

/* The whole answer to a request that is no stream; closes. `body` is yours. */
static inline int door_ask(const struct door *d, const char *method, const char *path,
                           const char *headers, struct buf *body)
{
    char request[2048];
    struct reader r;

    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n%s\r\n",
             method, path, headers);
    reader_send(&r, d->port, request, 0);
    reader_head(&r);
    while (!r.closed && reader_more(&r, READER_WAIT_MS))
        continue;
    assert_true(r.closed);
    reader_unchunk(&r);
    buf_clear(body);
    buf_addstr(body, buf_str(&r.body));
    buf_addc(body, '\0');
    reader_close(&r);
    return r.status;
}

#endif
