/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP in, asked over real sockets by a client that is not ours: bodies, late answers, streams,
 * refusals, and an end that waits for what is under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/http/http_server.h"
#include "common/http/listen.h"
#include "common/banned.h"

enum { BODY_MAX = 8 << 10, ANSWER_MAX = 1 << 20, GUARD_MS = 20000, BOUND = 64 << 10 };

static struct world {
    struct loop *loop;
    struct http_server *server;
    struct timer *guard, *later, *tick;
    int port;
    /* the server's side */
    struct http_request *waits; /* for a late answer */
    struct http_stream *stream;
    size_t pieces, gone, drained, closed, connections;
    bool alone; /* the next late answer is a stream with a connection for itself */
    /* the client's */
    int fd;
    struct watch *watch;
    const char *request;
    size_t sent, got, total;
    bool ended, reads;
    char answer[ANSWER_MAX];
} w;

/* --- the application ------------------------------------------------------------------ */

static void reply(struct http_request *r, int status, const char *text)
{
    struct buf body = BUF_INIT(1 << 16);

    buf_adds(&body, text);
    http_answer(r, status, "text/plain", &body);
}

static void on_drained(void *ctx)
{
    (void)ctx;
    w.drained++;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    w.closed++;
    w.stream = NULL;
}

static const struct http_stream_events stream_events = {.drained = on_drained, .closed = on_closed};

static void on_gone(struct http_request *r)
{
    w.gone++;
    if (w.waits == r)
        w.waits = NULL;
}

static void on_piece(struct http_request *r, struct str piece)
{
    (void)piece;
    w.pieces++;
    if (w.pieces == 1) { /* the rest of the body waits for the timer */
        http_request_hold(r);
        w.waits = r;
        timer_start(w.later, 20);
    }
}

static void on_begin(struct http_request *r)
{
    r->gone = on_gone;
    if (strcmp(r->path, "/none") == 0)
        return;
    r->body_max = BODY_MAX;
    if (strcmp(r->path, "/pieces") == 0)
        r->piece = on_piece;
    if (strcmp(r->path, "/refused") == 0)
        reply(r, 401, "not you\n");
}

static void echo(struct http_request *r)
{
    struct buf body = BUF_INIT(BODY_MAX + 1024);
    struct str name = http_request_query(r, "name");

    buf_addf(&body, "%s %s [" STR_FMT "] ", r->method, r->path, STR_ARG(name));
    buf_addstr(&body, buf_str(&r->body));
    http_reply_header(r, "X-Echo", "yes");
    http_answer(r, 200, "text/plain", &body);
}

static void on_whole(struct http_request *r)
{
    if (strcmp(r->path, "/late") == 0) {
        w.waits = r;
        timer_start(w.later, 20);
    } else if (strcmp(r->path, "/stream") == 0) {
        w.stream = http_stream_open(r, 200, "text/event-stream", BOUND, &stream_events, NULL);
        timer_start(w.later, 20);
    } else if (strcmp(r->path, "/never") == 0) {
        w.waits = r;
    } else if (strcmp(r->path, "/alone") == 0) {
        w.waits = r;
        w.alone = true;
        timer_start(w.later, 20);
    } else {
        echo(r);
    }
}

static void on_refuse(struct http_request *r, int status, const char *why)
{
    reply(r, status, why);
}

/* What was to come later comes now. */
static void on_later(void *ctx)
{
    (void)ctx;
    if (w.alone) {
        w.alone = false;
        http_reply_header(w.waits, "X-Alone", "yes");
        w.stream =
            http_stream_open_alone(w.waits, 200, "text/event-stream", BOUND, &stream_events, NULL);
        timer_start(w.later, 20);
    } else if (w.stream) {
        buf_adds(http_stream_buf(w.stream), "one\n");
        http_stream_flush(w.stream);
        buf_adds(http_stream_buf(w.stream), "two\n");
        http_stream_end(w.stream);
    } else if (w.waits && w.pieces) {
        http_request_go_on(w.waits);
    } else if (w.waits) {
        reply(w.waits, 202, "at last\n");
    }
}

/* --- the client ------------------------------------------------------------------------ */

static void too_long(void *ctx)
{
    (void)ctx;
    fail_msg("nothing more in %d ms; so far: %.200s", GUARD_MS, w.answer);
}

static void on_socket(void *ctx, int events)
{
    (void)ctx;
    (void)events;
    size_t left = strlen(w.request) - w.sent;
    ssize_t n = left ? send(w.fd, w.request + w.sent, left, MSG_NOSIGNAL) : 0;

    if (n > 0)
        w.sent += (size_t)n;
    watch_set(w.watch, (w.sent < strlen(w.request) ? WATCH_WRITE : 0) | (w.reads ? WATCH_READ : 0));
    if (!w.reads)
        return;
    n = recv(w.fd, w.answer + w.got, ANSWER_MAX - 1 - w.got, 0);
    if (n > 0) {
        w.got += (size_t)n;
        w.total += (size_t)n;
    }
    if (w.got > ANSWER_MAX / 2) /* nobody looks at so much */
        w.got = 0;
    w.answer[w.got] = '\0';
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        w.ended = true;
        loop_stop(w.loop);
    }
}

static void dial(const char *request)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)w.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    w.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(w.fd >= 0);
    assert_int_equal(connect(w.fd, (const struct sockaddr *)(const void *)&to, sizeof(to)), 0);
    assert_int_equal(fcntl(w.fd, F_SETFL, O_NONBLOCK), 0);
    w.request = request;
    w.sent = w.got = 0;
    w.ended = false;
    w.reads = true;
    w.watch = watch_new(w.loop, w.fd, on_socket, NULL);
    watch_set(w.watch, WATCH_READ | WATCH_WRITE);
}

static void on_tick(void *ctx)
{
    (void)ctx;
    loop_stop(w.loop);
}

/* The loop for a millisecond, for who looks at a condition. */
static void turn(void)
{
    timer_start(w.tick, 1);
    loop_run(w.loop);
}

/* To the end of the connection. */
static void ask(const char *request)
{
    dial(request);
    while (!w.ended)
        loop_run(w.loop);
}

static void expect(const char *status, const char *text)
{
    char line[64];

    (void)snprintf(line, sizeof(line), "HTTP/1.1 %s ", status);
    if (strncmp(w.answer, line, strlen(line)) != 0 || (text && !strstr(w.answer, text)))
        fail_msg("wanted %s with '%s', got: %.600s", status, text ? text : "", w.answer);
}

/* --- life -------------------------------------------------------------------------------- */

static int start(void **state)
{
    char url[LISTEN_URL_ROOM];
    struct err err = ERR_INIT;
    struct http_server_opts opts = {.begin = on_begin,
                                    .whole = on_whole,
                                    .refuse = on_refuse,
                                    .connections = 8,
                                    .headers_max = 16 << 10,
                                    .idle_ms = 10000,
                                    .life_ms = 2000};

    (void)state;
    memset(&w, 0, sizeof(w));
    if (loop_new(&w.loop, &err) != ERR_OK ||
        listen_open("--l", "127.0.0.1:0", &opts.listen_fd, url, &err) != ERR_OK ||
        http_server_new(w.loop, &opts, &w.server, &err) != ERR_OK)
        return -1;
    w.port = (int)strtol(strrchr(url, ':') + 1, NULL, 10);
    w.guard = timer_new(w.loop, too_long, NULL);
    w.later = timer_new(w.loop, on_later, NULL);
    w.tick = timer_new(w.loop, on_tick, NULL);
    timer_start(w.guard, GUARD_MS);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    http_server_free(w.server);
    assert_null(w.stream);
    watch_free(w.watch);
    if (w.fd > 0)
        (void)close(w.fd);
    timer_free(w.guard);
    timer_free(w.later);
    timer_free(w.tick);
    loop_free(w.loop);
    return 0;
}

/* --- rows --------------------------------------------------------------------------------- */

#define END "Host: x\r\nConnection: close\r\n"
static struct row {
    const char *name, *request, *status;
    const char *has; /* NULL: do not ask */
} rows[] = {
    {"a body", "POST /a HTTP/1.1\r\n" END "Content-Length: 5\r\n\r\nhello", "200",
     "POST /a [] hello"},
    {"a header of the answer", "GET /a HTTP/1.1\r\n" END "\r\n", "200", "X-Echo: yes\r\n"},
    {"a body in chunks",
     "POST /a HTTP/1.1\r\n" END
     "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
     "200", "[] hello"},
    {"the path as it came", "GET /a%2Fb?name=c%2Fd HTTP/1.1\r\n" END "\r\n", "200",
     "GET /a%2Fb [c/d]"},
    {"a late answer", "GET /late HTTP/1.1\r\n" END "\r\n", "202", "\r\n\r\nat last\n"},
    {"a late answer behind a body", "POST /late HTTP/1.1\r\n" END "Content-Length: 1\r\n\r\nx",
     "202", "at last\n"},
    {"a stream", "GET /stream HTTP/1.1\r\n" END "\r\n", "200", "one\n"},
    {"pieces that are held", "POST /pieces HTTP/1.1\r\n" END "Content-Length: 5\r\n\r\nhello",
     "200", "POST /pieces"},
    {"no body wanted", "POST /none HTTP/1.1\r\n" END "Content-Length: 5\r\n\r\nhello", "413",
     "no body is taken"},
    {"a body over the ceiling, by its length",
     "POST /a HTTP/1.1\r\n" END "Content-Length: 900000000\r\n\r\n", "413", "too big"},
    {"a length that is no number of ours",
     "POST /a HTTP/1.1\r\n" END "Content-Length: 9999999999999999\r\n\r\n", "413", "too big"},
    {"refused by its headers, behind a small body",
     "POST /refused HTTP/1.1\r\n" END "Content-Length: 5\r\n\r\nhello", "401", "not you"},
    {"refused by its headers, before a big body",
     "POST /refused HTTP/1.1\r\n" END "Content-Length: 8000000\r\n\r\n", "401", "not you"},
    {"two lengths",
     "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400",
     "Connection: close\r\n"},
    {"a length and chunks",
     "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0\r\n\r\n",
     "400", "Connection: close\r\n"},
    {"two hosts", "GET /a HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n", "400", "Connection: close\r\n"},
    {"a space before the colon", "GET /a HTTP/1.1\r\nHost: x\r\nFoo : bar\r\n\r\n", "400",
     "Connection: close\r\n"},
    {"a body that does not come", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell",
     "408", "Connection: close\r\n"},
    {"HEAD", "HEAD /a HTTP/1.1\r\n" END "\r\n", "200", "Content-Length: 11"},
};

static void answers(void **state)
{
    const struct row *row = *state;

    assert_int_equal(start(NULL), 0);
    ask(row->request);
    expect(row->status, row->has);
    assert_int_equal(w.gone, 1);
    assert_int_equal(stop(NULL), 0);
}

/* --- what a row cannot say ------------------------------------------------------------------ */

static void chunks_over_the_ceiling(void **state)
{
    static char request[4 * BODY_MAX];
    size_t n = (size_t)snprintf(
        request, sizeof(request),
        "POST /a HTTP/1.1\r\n" END "Transfer-Encoding: chunked\r\n\r\n%x\r\n", BODY_MAX + 1);

    (void)state;
    memset(request + n, 'x', BODY_MAX + 1);
    memcpy(request + n + BODY_MAX + 1, "\r\n0\r\n\r\n", 8);
    ask(request);
    expect("413", "too big");
}

/* What a client does not read waits up to the bound; the handler is told when it went on. */
static void a_slow_reader(void **state)
{
    size_t filled = 0;
    char text[8 << 10]; /* not too small: an idle connection is let go */

    (void)state;
    memset(text, 'x', sizeof(text));
    dial("GET /stream HTTP/1.1\r\n" END "\r\n");
    timer_stop(w.later);
    while (!w.stream)
        turn();
    timer_stop(w.later);
    w.reads = false;
    watch_set(w.watch, 0);
    for (int turns = 0; turns < 4000 && http_stream_waiting(w.stream) + sizeof(text) <= BOUND;
         turns++) {
        buf_add(http_stream_buf(w.stream), text, sizeof(text));
        http_stream_flush(w.stream);
        filled += sizeof(text);
        turn();
    }
    assert_true(http_stream_waiting(w.stream) + sizeof(text) > BOUND);
    assert_int_equal(w.drained, 0);
    w.reads = true;
    watch_set(w.watch, WATCH_READ);
    while (w.drained == 0)
        turn();
    http_stream_end(w.stream);
    while (!w.ended)
        loop_run(w.loop);
    assert_true(w.total > filled);
    assert_int_equal(w.closed, 1);
}

static void a_client_that_goes(void **state)
{
    (void)state;
    dial("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    while (!w.stream)
        turn();
    timer_stop(w.later);
    watch_free(w.watch);
    w.watch = NULL;
    (void)close(w.fd);
    w.fd = 0;
    while (w.closed == 0 && w.stream) { /* found out when something is sent */
        buf_adds(http_stream_buf(w.stream), ": beat\n\n");
        http_stream_flush(w.stream);
        turn();
    }
    assert_int_equal(w.gone, 1);
}

/* --- a stream that has its connection for itself ------------------------------------------- */

static void open_alone(const char *request)
{
    dial(request);
    while (!w.stream)
        turn();
    timer_stop(w.later);
    while (w.gone == 0) /* libmicrohttpd has nothing of it any more */
        turn();
    assert_int_equal(http_server_connections(w.server), 1);
}

#define ALONE "GET /alone HTTP/1.1\r\nHost: x\r\n\r\n"

static void alone_it_is_an_answer_like_others(void **state)
{
    (void)state;
    ask(ALONE);
    expect("200", "\r\nX-Alone: yes\r\n");
    expect("200", "\r\nContent-Type: text/event-stream\r\n");
    expect("200", "\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                  "4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n");
    watch_free(w.watch);
    (void)close(w.fd);
    while (w.closed == 0)
        turn();
    assert_int_equal(http_server_connections(w.server), 0);
    ask("GET /alone HTTP/1.0\r\nHost: x\r\n\r\n");
    expect("200", "Connection: close\r\n\r\none\ntwo\n");
    watch_free(w.watch);
    (void)close(w.fd);
    ask("HEAD /alone HTTP/1.1\r\nHost: x\r\n\r\n");
    expect("200", "Connection: close\r\n\r\n");
    assert_null(strstr(w.answer, "one\n"));
}

static void alone_a_slow_reader_is_told_of(void **state)
{
    size_t filled = 0;
    char text[1024];

    (void)state;
    memset(text, 'x', sizeof(text));
    open_alone(ALONE);
    http_stream_low(w.stream, 4096);
    w.reads = false;
    watch_set(w.watch, 0);
    while (http_stream_waiting(w.stream) + 1024 <= BOUND) {
        buf_add(http_stream_buf(w.stream), text, sizeof(text));
        http_stream_flush(w.stream);
        filled += sizeof(text);
        turn();
    }
    assert_int_equal(w.drained, 0);
    assert_true(http_stream_taken(w.stream) + http_stream_waiting(w.stream) <= filled + filled / 4);
    w.reads = true;
    watch_set(w.watch, WATCH_READ);
    while (w.drained == 0)
        turn();
    assert_true(http_stream_waiting(w.stream) <= 4096);
    http_stream_end(w.stream);
    while (!w.ended)
        loop_run(w.loop);
    assert_true(w.total > filled);
    assert_string_equal(w.answer + w.got - 7, "\r\n0\r\n\r\n");
}

/* Nothing has to be sent for that. */
static void alone_a_client_that_goes_is_found_out(void **state)
{
    (void)state;
    open_alone(ALONE);
    watch_free(w.watch);
    w.watch = NULL;
    (void)close(w.fd);
    w.fd = 0;
    while (w.closed == 0)
        turn();
    assert_int_equal(http_server_connections(w.server), 0);
}

static void alone_a_cut_is_no_end(void **state)
{
    (void)state;
    open_alone(ALONE);
    buf_adds(http_stream_buf(w.stream), "one\n");
    http_stream_flush(w.stream);
    while (!strstr(w.answer, "one\n"))
        turn();
    http_stream_cut(w.stream);
    assert_int_equal(w.closed, 0); /* not from inside */
    while (!w.ended)
        loop_run(w.loop);
    assert_int_equal(w.closed, 1);
    assert_null(strstr(w.answer, "\r\n0\r\n\r\n"));
}

/* What waits is over the bound: as with any stream, that is a cut. */
static void alone_too_much_is_a_cut(void **state)
{
    char text[1024];

    (void)state;
    memset(text, 'x', sizeof(text));
    open_alone(ALONE);
    for (int i = 0; i <= BOUND / 1024; i++)
        buf_add(http_stream_buf(w.stream), text, sizeof(text));
    http_stream_flush(w.stream);
    while (!w.ended)
        loop_run(w.loop);
    assert_int_equal(w.closed, 1);
}

static void alone_who_does_not_close_is_closed(void **state)
{
    (void)state;
    open_alone(ALONE);
    http_stream_end(w.stream);
    w.reads = false;
    watch_set(w.watch, 0);
    while (w.closed == 0)
        turn();
}

static void alone_who_says_too_much_is_closed(void **state)
{
    static char junk[200 << 10];

    (void)state;
    open_alone(ALONE);
    memset(junk, 'j', sizeof(junk) - 1);
    w.request = junk;
    w.sent = 0;
    watch_set(w.watch, WATCH_READ | WATCH_WRITE);
    while (!w.ended)
        loop_run(w.loop);
    assert_int_equal(w.closed, 1);
}

/* Its connection is none of libmicrohttpd's: as many as there may be are open besides. */
static void alone_they_take_nobodys_place(void **state)
{
    enum { MANY = 40 }; /* of 8 */
    int fds[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        dial(ALONE);
        while (!w.stream)
            turn();
        w.stream = NULL;
        timer_stop(w.later);
        watch_free(w.watch);
        fds[i] = w.fd;
    }
    while (w.gone < MANY)
        turn();
    assert_int_equal(http_server_connections(w.server), MANY);
    ask("GET /a HTTP/1.1\r\n" END "\r\n");
    expect("200", "GET /a");
    for (int i = 0; i < MANY; i++)
        (void)close(fds[i]);
    while (w.closed < MANY)
        turn();
}

/* --- ends --------------------------------------------------------------------------------------
 */

/* One that is asked goes on, one that idles is let go, nobody new comes in. */
static void a_quiet_end(void **state)
{
    int idle;

    (void)state;
    dial("");
    idle = w.fd;
    watch_free(w.watch);
    while (http_server_connections(w.server) < 1)
        turn();
    dial("GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
    while (!w.waits)
        turn();
    http_server_quiesce(w.server);
    while (http_server_connections(w.server) > 1)
        turn();
    assert_int_equal(recv(idle, w.answer, 1, 0), 0);
    (void)close(idle);
    idle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)w.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(idle, (const struct sockaddr *)(const void *)&to, sizeof(to)), -1);
    (void)close(idle);
    reply(w.waits, 200, "done\n");
    while (!w.ended)
        loop_run(w.loop);
    expect("200", "Connection: close");
    while (http_server_connections(w.server) > 0)
        turn();
}

/* A request that is not answered within life_ms is let go, unless it was said to last. */
static void a_life(void **state)
{
    (void)state;
    ask("GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(w.got, 0);
    assert_int_equal(w.gone, 1);
}

static void freed_with_all_kinds_open(void **state)
{
    (void)state;
    dial("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    while (!w.stream)
        turn();
    timer_stop(w.later);
    watch_free(w.watch);
    (void)close(w.fd);
    w.stream = NULL;
    dial(ALONE);
    while (!w.stream)
        turn();
    timer_stop(w.later);
    watch_free(w.watch);
    (void)close(w.fd);
    dial("GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
    w.waits = NULL;
    while (!w.waits)
        turn(); /* stop() does the rest */
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test_setup_teardown(chunks_over_the_ceiling, start, stop),
        cmocka_unit_test_setup_teardown(a_slow_reader, start, stop),
        cmocka_unit_test_setup_teardown(a_client_that_goes, start, stop),
        cmocka_unit_test_setup_teardown(alone_it_is_an_answer_like_others, start, stop),
        cmocka_unit_test_setup_teardown(alone_a_slow_reader_is_told_of, start, stop),
        cmocka_unit_test_setup_teardown(alone_a_client_that_goes_is_found_out, start, stop),
        cmocka_unit_test_setup_teardown(alone_a_cut_is_no_end, start, stop),
        cmocka_unit_test_setup_teardown(alone_too_much_is_a_cut, start, stop),
        cmocka_unit_test_setup_teardown(alone_who_does_not_close_is_closed, start, stop),
        cmocka_unit_test_setup_teardown(alone_who_says_too_much_is_closed, start, stop),
        cmocka_unit_test_setup_teardown(alone_they_take_nobodys_place, start, stop),
        cmocka_unit_test_setup_teardown(a_quiet_end, start, stop),
        cmocka_unit_test_setup_teardown(a_life, start, stop),
        cmocka_unit_test_setup_teardown(freed_with_all_kinds_open, start, stop),
    };
    struct CMUnitTest tests[COUNTOF(rows) + COUNTOF(others)];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = answers, .initial_state = &rows[i]};
    memcpy(tests + COUNTOF(rows), others, sizeof(others));
    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
