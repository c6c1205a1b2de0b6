/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a stream that has its connection for itself is told of, cut and closed like any, and
 * takes no other's place. Asked over real sockets by a client that is not ours. */
#include "http_server_world.h"
#include "common/banned.h"

static void open_alone(const char *request)
{
    dial_stream(request);
    while (w.gone == 0) /* libmicrohttpd has nothing of it any more */
        turn();
    assert_int_equal(http_server_connections(w.server), 1);
}

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
        dial_stream(ALONE);
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(alone_it_is_an_answer_like_others, start, stop),
        cmocka_unit_test_setup_teardown(alone_a_slow_reader_is_told_of, start, stop),
        cmocka_unit_test_setup_teardown(alone_a_client_that_goes_is_found_out, start, stop),
        cmocka_unit_test_setup_teardown(alone_a_cut_is_no_end, start, stop),
        cmocka_unit_test_setup_teardown(alone_too_much_is_a_cut, start, stop),
        cmocka_unit_test_setup_teardown(alone_who_does_not_close_is_closed, start, stop),
        cmocka_unit_test_setup_teardown(alone_who_says_too_much_is_closed, start, stop),
        cmocka_unit_test_setup_teardown(alone_they_take_nobodys_place, start, stop),
    };

    return cmocka_run_group_tests_name("http_server, alone", tests, NULL, NULL);
}
