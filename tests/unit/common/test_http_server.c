/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP in, asked over real sockets by a client that is not ours: bodies, late answers, streams,
 * refusals, and an end that waits for what is under way. */
#include "http_server_world.h"
#include "common/banned.h"

/* --- rows --------------------------------------------------------------------------------- */

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
    {"no host", "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", "400", "Connection: close\r\n"},
    {"no host, which HTTP/1.0 may", "GET /a HTTP/1.0\r\n\r\n", "200", "GET /a"},
    {"another coding", "POST /a HTTP/1.1\r\n" END "Transfer-Encoding: gzip, chunked\r\n\r\n", "400",
     "Transfer-Encoding"},
    {"no coding", "POST /a HTTP/1.1\r\n" END "Transfer-Encoding: identity\r\n\r\n", "400",
     "Transfer-Encoding"},
    {"a coding behind a control character",
     "POST /a HTTP/1.1\r\n" END "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", "400",
     "control character"},
    {"chunks of HTTP/1.0", "POST /a HTTP/1.0\r\n" END "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "400", "HTTP/1.0"},
    {"a control character", "GET /a HTTP/1.1\r\n" END "X-A: a\x01\r\n\r\n", "400",
     "control character"},
    {"two keys", "GET /a HTTP/1.1\r\n" END "Authorization: a\r\nauthorization: b\r\n\r\n", "400",
     "comes twice"},
    {"two of what may be two", "GET /a HTTP/1.1\r\n" END "Accept: a\r\nAccept: b\r\n\r\n", "200",
     "GET /a"},
    {"an address with its host", "GET http://x:80/a?name=b HTTP/1.1\r\n" END "\r\n", "200",
     "GET /a [b]"},
    {"an address that is its host", "GET HTTPS://x?name=b HTTP/1.1\r\n" END "\r\n", "200",
     "GET / [b]"},
    {"refused, before a body that waits to be asked for",
     "POST /refused HTTP/1.1\r\n" END "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", "401",
     "not you"},
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
    dial_stream("GET /stream HTTP/1.1\r\n" END "\r\n");
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

/* A last chunk behind it would be the beginning of the next answer. */
static void a_head_of_a_stream(void **state)
{
    const char *end;

    (void)state;
    ask("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    expect("200", "text/event-stream");
    end = strstr(w.answer, "\r\n\r\n");
    assert_non_null(end);
    assert_string_equal(end, "\r\n\r\n");
}

static void a_client_that_goes(void **state)
{
    (void)state;
    dial_stream("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
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
    dial_stream("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    watch_free(w.watch);
    (void)close(w.fd);
    dial_stream(ALONE);
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
        cmocka_unit_test_setup_teardown(a_head_of_a_stream, start, stop),
        cmocka_unit_test_setup_teardown(a_slow_reader, start, stop),
        cmocka_unit_test_setup_teardown(a_client_that_goes, start, stop),
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
