/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the frames of a stream are the same however it is cut; a hostile length costs
 * no memory; the messages of the real daemon are read as it writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "worker/e2b/connect_rpc.h"

static const char *const messages[] = {
    "{\"event\":{\"start\":{\"pid\":23}}}",
    "{\"event\":{\"data\":{\"stdout\":\"bGluZSAxCg==\"}}}",
    "{}",
    "{\"event\":{\"end\":{\"exitCode\":3,\"exited\":true,\"status\":\"exit status 3\"}}}",
};

static void make_stream(struct buf *out)
{
    for (size_t i = 0; i < COUNTOF(messages); i++)
        connect_frame_put(out, 0, str_of(messages[i]));
    connect_frame_put(out, CONNECT_END, STR("{}"));
}

static void expect_frames(struct connect_reader *r, struct str piece, size_t *n)
{
    struct connect_frame f;
    struct err e = ERR_INIT;

    while (connect_next(r, &piece, &f, &e) == CONNECT_FRAME) {
        bool end = *n == COUNTOF(messages);

        assert_int_equal(f.flags, end ? CONNECT_END : 0);
        assert_true(str_is(f.message, end ? "{}" : messages[*n]));
        (*n)++;
    }
    assert_int_equal(piece.n, 0);
    assert_string_equal(err_name(e.code), "OK");
}

static void every_piece_size_gives_the_same_frames(void **state)
{
    AUTO_BUF stream = BUF_INIT(4096);

    (void)state;
    make_stream(&stream);
    for (size_t size = 1; size <= stream.len; size++) {
        struct connect_reader r = CONNECT_READER_INIT;
        size_t n = 0;

        for (size_t at = 0; at < stream.len; at += size) {
            size_t left = stream.len - at;

            expect_frames(&r, (struct str){stream.p + at, left < size ? left : size}, &n);
        }
        assert_int_equal(n, COUNTOF(messages) + 1);
        assert_true(r.ended);
        connect_reader_release(&r);
    }
}

static struct broken {
    const char *name, *bytes;
    size_t n;
} broken_rows[] = {
    {"length over the ceiling", "\x00\xff\xff\xff\xff", 5},
    {"length one over the ceiling", "\x00\x00\x40\x00\x01", 5},
    {"compressed", "\x01\x00\x00\x00\x02{}", 7},
    {"unknown flag", "\x04\x00\x00\x00\x02{}", 7},
    {"behind the end", "\x02\x00\x00\x00\x02{}\x00\x00\x00\x00\x02{}", 14},
};

static void refuses(void **state)
{
    const struct broken *row = *state;
    struct connect_reader r = CONNECT_READER_INIT;
    struct str piece = {row->bytes, row->n};
    struct connect_frame f;
    struct err e = ERR_INIT;
    enum connect_step step;

    while ((step = connect_next(&r, &piece, &f, &e)) == CONNECT_FRAME)
        ;
    assert_int_equal(step, CONNECT_BROKEN);
    assert_string_equal(err_name(e.code), "PROTOCOL");
    assert_int_equal(r.body.cap, 0); /* nothing was allocated for it */
    connect_reader_release(&r);
}

static struct event_row {
    const char *name, *message;
    enum process_kind kind;
    int64_t pid, exit_code;
    const char *base64;
} event_rows[] = {
    {"start", "{\"event\":{\"start\":{\"pid\":23}}}", PROCESS_START, 23, 0, ""},
    {"stdout", "{\"event\":{\"data\":{\"stdout\":\"YQ==\"}}}", PROCESS_STDOUT, 0, 0, "YQ=="},
    {"stderr", "{\"event\":{\"data\":{\"stderr\":\"Yg==\"}}}", PROCESS_STDERR, 0, 0, "Yg=="},
    {"empty data", "{\"event\":{\"data\":{\"stdout\":\"\"}}}", PROCESS_STDOUT, 0, 0, ""},
    {"pty", "{\"event\":{\"data\":{\"pty\":\"Yw==\"}}}", PROCESS_PTY, 0, 0, "Yw=="},
    {"the usual form but for a space", "{\"event\":{\"data\": {\"stdout\":\"YQ==\"}}}",
     PROCESS_STDOUT, 0, 0, "YQ=="},
    {"more behind the data", "{\"event\":{\"data\":{\"stdout\":\"YQ==\",\"x\":\"y\"}}}",
     PROCESS_STDOUT, 0, 0, "YQ=="},
    {"usual at both ends, not between",
     "{\"event\":{\"data\":{\"stdout\":\"YQ==\"},\"x\":{\"y\":\"\"}}}", PROCESS_STDOUT, 0, 0,
     "YQ=="},
    {"another stream", "{\"event\":{\"data\":{\"stdxyz\":\"YQ==\"}}}", PROCESS_OTHER, 0, 0, ""},
    {"keepalive", "{\"event\":{\"keepalive\":{}}}", PROCESS_KEEPALIVE, 0, 0, ""},
    {"end by exit", "{\"event\":{\"end\":{\"exitCode\":3,\"exited\":true}}}", PROCESS_END, 0, 3,
     ""},
    {"end, defaults left out", "{\"event\":{\"end\":{\"exited\":true}}}", PROCESS_END, 0, 0, ""},
    {"end by signal", "{\"event\":{\"end\":{\"exitCode\":-1}}}", PROCESS_END, 0, -1, ""},
    {"white space", " { \"event\" : { \"start\" : { \"pid\" : 7 } } } ", PROCESS_START, 7, 0, ""},
    {"unknown kind", "{\"event\":{\"weather\":{}}}", PROCESS_OTHER, 0, 0, ""},
    {"no event", "{}", PROCESS_OTHER, 0, 0, ""},
    {"event of another type", "{\"event\":3}", PROCESS_OTHER, 0, 0, ""},
    {"pid as text", "{\"event\":{\"start\":{\"pid\":\"x\"}}}", PROCESS_START, 0, 0, ""},
};

static void reads_event(void **state)
{
    const struct event_row *row = *state;
    struct process_event e;
    struct err err = ERR_INIT;

    assert_string_equal(err_name(process_event_parse(str_of(row->message), &e, &err)), "OK");
    assert_int_equal(e.kind, row->kind);
    assert_int_equal(e.pid, row->pid);
    assert_int_equal(e.exit_code, row->exit_code);
    assert_true(str_is(e.base64, row->base64));
}

static const char *const bad_events[] = {"",
                                         "null",
                                         "[]",
                                         "{",
                                         "{\"event\":",
                                         "{\"event\":{\"data\":{\"stdout\":\"a\\/b=\"}}}",
                                         "{\"event\":{\"data\":{\"stdout\":7}}}"};

static void refuses_what_is_no_event(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(bad_events); i++) {
        struct process_event e;

        assert_string_equal(err_name(process_event_parse(str_of(bad_events[i]), &e, NULL)),
                            "PROTOCOL");
    }
}

static void reads_the_end(void **state)
{
    struct connect_failure f;

    (void)state;
    assert_string_equal(err_name(connect_end_parse(STR("{}"), &f, NULL)), "OK");
    assert_false(f.failed);
    assert_string_equal(
        err_name(connect_end_parse(
            STR("{\"error\":{\"code\":\"not_found\",\"message\":\"no process\"}}"), &f, NULL)),
        "OK");
    assert_true(f.failed);
    assert_string_equal(f.code, "not_found");
    assert_string_equal(f.text, "no process");
    assert_string_equal(err_name(connect_end_parse(STR("x"), &f, NULL)), "PROTOCOL");
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(broken_rows) + COUNTOF(event_rows) + 3];
    size_t n = 0;

    for (size_t i = 0; i < COUNTOF(broken_rows); i++)
        tests[n++] = (struct CMUnitTest){
            .name = broken_rows[i].name, .test_func = refuses, .initial_state = &broken_rows[i]};
    for (size_t i = 0; i < COUNTOF(event_rows); i++)
        tests[n++] = (struct CMUnitTest){
            .name = event_rows[i].name, .test_func = reads_event, .initial_state = &event_rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_piece_size_gives_the_same_frames);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(refuses_what_is_no_event);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(reads_the_end);
    return cmocka_run_group_tests_name("connect_rpc", tests, NULL, NULL);
}
