/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a client sees the frames of the protocol, byte for byte, and a request that is not
 * exactly one plain envelope is refused.
 * Proof: the frames measured on the wire of the real daemon; envelopes with one thing wrong. */
#include <errno.h>
#include <string.h>

#include "sandboxd/envd/connect_rpc.h"
#include "tests/lib/table.h"

static struct row {
    const char *name;
    struct str body;
    const char *message; /* NULL: refused */
} rows[] = {
    {"plain", {"\0\0\0\0\2{}", 7}, "{}"},
    {"empty message", {"\0\0\0\0\0", 5}, ""},
    {"nothing", {"", 0}, NULL},
    {"half a head", {"\0\0\0", 3}, NULL},
    {"cut", {"\0\0\0\0\3{}", 7}, NULL},
    {"two envelopes", {"\0\0\0\0\2{}\0\0\0\0\2{}", 14}, NULL},
    {"compressed", {"\1\0\0\0\2{}", 7}, NULL},
    {"an end frame", {"\2\0\0\0\2{}", 7}, NULL},
    {"4 GiB promised", {"\0\xff\xff\xff\xff{}", 7}, NULL},
};

static void check(void **state)
{
    const struct row *r = *state;
    struct err err = ERR_INIT;
    struct str message = {0};
    enum err_code rc = rpc_open_request(r->body, &message, &err);

    assert_string_equal(err_name(rc), r->message != NULL ? "OK" : "INVALID");
    if (r->message != NULL)
        assert_true(str_is(message, r->message));
}

static void is_frame(struct buf *b, unsigned flags, const char *json)
{
    const unsigned char *p = (const unsigned char *)b->p;
    size_t n = strlen(json);

    assert_int_equal(b->rc, ERR_OK);
    assert_int_equal(b->len, n + 5);
    assert_int_equal(p[0], flags);
    assert_int_equal((size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4], n);
    assert_memory_equal(p + 5, json, n);
    buf_clear(b);
}

static void frames(void **state)
{
    AUTO_BUF b = BUF_INIT(4096);

    (void)state;
    rpc_put_start(&b, 23);
    is_frame(&b, 0, "{\"event\":{\"start\":{\"pid\":23}}}");
    rpc_put_output(&b, "stdout", STR("line 1\n"));
    is_frame(&b, 0, "{\"event\":{\"data\":{\"stdout\":\"bGluZSAxCg==\"}}}");
    rpc_put_keepalive(&b);
    is_frame(&b, 0, "{\"event\":{\"keepalive\":{}}}");
    rpc_put_end(&b);
    is_frame(&b, 2, "{}");
    rpc_put_end_error(&b, RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    is_frame(
        &b, 2,
        "{\"error\":{\"code\":\"deadline_exceeded\",\"message\":\"context deadline exceeded\"}}");
}

static void exits(void **state)
{
    AUTO_BUF b = BUF_INIT(4096);

    (void)state;
    rpc_put_exit(&b, 0);
    is_frame(&b, 0, "{\"event\":{\"end\":{\"exited\":true,\"status\":\"exit status 0\"}}}");
    rpc_put_exit(&b, 3 << 8);
    is_frame(&b, 0,
             "{\"event\":{\"end\":{\"exitCode\":3,\"exited\":true,\"status\":\"exit status 3\","
             "\"error\":\"exit status 3\"}}}");
    rpc_put_exit(&b, 9);
    is_frame(&b, 0,
             "{\"event\":{\"end\":{\"exitCode\":-1,\"status\":\"signal: killed\","
             "\"error\":\"signal: killed\"}}}");
}

static void numbers(void **state)
{
    static const struct {
        const char *text, *rc;
        int64_t n;
    } cases[] = {
        {"50", "OK", 50},     {"0", "OK", 0},        {"-1", "OK", -1},
        {"", "INVALID", 0},   {"-", "INVALID", 0},   {"5s", "INVALID", 0},
        {" 5", "INVALID", 0}, {"1.5", "INVALID", 0}, {"99999999999999999999", "INVALID", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int64_t n = 0;

        assert_string_equal(err_name(rpc_header_int(cases[i].text, &n, NULL)), cases[i].rc);
        assert_int_equal(n, cases[i].n);
    }
    assert_string_equal(rpc_code_text(rpc_code_of_errno(EEXIST)), "already_exists");
    assert_int_equal(rpc_http_status(RPC_NOT_FOUND), 404);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(frames),
        cmocka_unit_test(exits),
        cmocka_unit_test(numbers),
    };
    int failed = TABLE_RUN("connect_rpc table", rows, check);

    return failed + cmocka_run_group_tests_name("connect_rpc", more, NULL, NULL);
}
