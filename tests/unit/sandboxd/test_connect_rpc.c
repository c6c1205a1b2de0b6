/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a client sees the frames of the protocol, byte for byte, and a request that is not
 * exactly one envelope is refused.
 * Proof: the frames measured on the wire of the real daemon; envelopes with one thing wrong. */
#include <errno.h>
#include <string.h>

#include "sandboxd/envd/connect_rpc.h"
#include "common/gzip.h"
#include "tests/lib/table.h"

/* printf {} | gzip -n, in an envelope */
#define PACKED "\1\0\0\0\x16\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\2\0\0\0"

static struct row {
    const char *name;
    struct str body;
    bool gzip;
    const char *message; /* NULL: refused */
    const char *rc;
} rows[] = {
    {"plain", {"\0\0\0\0\2{}", 7}, false, "{}", "OK"},
    {"plain where gzip is allowed", {"\0\0\0\0\2{}", 7}, true, "{}", "OK"},
    {"empty message", {"\0\0\0\0\0", 5}, false, "", "OK"},
    {"compressed", {PACKED, sizeof(PACKED) - 1}, true, "{}", "OK"},
    {"compressed and empty", {"\1\0\0\0\0", 5}, true, "", "OK"},
    {"compressed unannounced", {PACKED, sizeof(PACKED) - 1}, false, NULL, "INVALID"},
    {"said to be compressed", {"\1\0\0\0\2{}", 7}, true, NULL, "INVALID"},
    {"nothing", {"", 0}, false, NULL, "INVALID"},
    {"half a head", {"\0\0\0", 3}, false, NULL, "INVALID"},
    {"cut", {"\0\0\0\0\3{}", 7}, false, NULL, "INVALID"},
    {"two envelopes", {"\0\0\0\0\2{}\0\0\0\0\2{}", 14}, false, NULL, "INVALID"},
    {"an end frame", {"\2\0\0\0\2{}", 7}, false, NULL, "INVALID"},
    {"4 GiB promised", {"\0\xff\xff\xff\xff{}", 7}, false, NULL, "TOO_BIG"},
};

static void check(void **state)
{
    const struct row *r = *state;
    struct err err = ERR_INIT;
    struct str message = {0};
    AUTO_BUF room = BUF_INIT(64);
    enum err_code rc = rpc_open_request(r->body, r->gzip, &room, &message, &err);

    assert_string_equal(err_name(rc), r->rc);
    if (r->message != NULL)
        assert_true(str_is(message, r->message));
    else
        assert_true(err.msg[0] != '\0');
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

static void headers(void **state)
{
    static const struct {
        const char *text, *keepalive, *timeout;
        int64_t n;
    } cases[] = {
        {NULL, "OK", "OK", -7},
        {"50", "OK", "OK", 50},
        {"1", "OK", "OK", 1},
        {"86400", "OK", "OK", 86400},
        {"86401", "INVALID", "OK", 86401},
        {"0", "INVALID", "OK", 0},
        {"-1", "INVALID", "OK", -1},
        {"", "INVALID", "OK", -7},
        {"-", "INVALID", "INVALID", 0},
        {"5s", "INVALID", "INVALID", 0},
        {" 5", "INVALID", "INVALID", 0},
        {"1.5", "INVALID", "INVALID", 0},
        {"9999999999", "INVALID", "OK", 9999999999},
        {"10000000000", "INVALID", "INVALID", 0},
        {"99999999999999999999", "INVALID", "INVALID", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int64_t every = -7, timeout = -7;

        assert_string_equal(err_name(rpc_keepalive(cases[i].text, &every, NULL)),
                            cases[i].keepalive);
        assert_string_equal(err_name(rpc_timeout(cases[i].text, &timeout, NULL)), cases[i].timeout);
        if (strcmp(cases[i].keepalive, "OK") == 0 && cases[i].text != NULL)
            assert_int_equal(every, cases[i].n * 1000);
        if (strcmp(cases[i].timeout, "OK") == 0)
            assert_int_equal(timeout, cases[i].n);
    }
}

static void what_is_supported(void **state)
{
    bool gzip;

    (void)state;
    assert_true(rpc_version_ok(NULL) && rpc_version_ok("1"));
    assert_false(rpc_version_ok("2") || rpc_version_ok("1.0"));
    assert_true(rpc_encoding_ok(NULL, &gzip) && !gzip);
    assert_true(rpc_encoding_ok("identity", &gzip) && !gzip);
    assert_true(rpc_encoding_ok("gzip", &gzip) && gzip);
    assert_false(rpc_encoding_ok("br", &gzip) || gzip);
    assert_string_equal(rpc_code_text(rpc_code_of_errno(EEXIST)), "already_exists");
    assert_int_equal(rpc_http_status(RPC_NOT_FOUND), 404);
    assert_string_equal(rpc_code_text(rpc_code_of_err(ERR_TOO_BIG)), "resource_exhausted");
}

static void compressed_frames(void **state)
{
    AUTO_BUF plain = BUF_INIT(4096), packed = BUF_INIT(4096), text = BUF_INIT(4096);

    (void)state;
    rpc_put_start(&plain, 23);
    rpc_put_end(&plain);
    assert_int_equal(rpc_compress(buf_str(&plain), &packed, NULL), ERR_OK);
    for (int i = 0; i < 2; i++) {
        const unsigned char *h = (const unsigned char *)packed.p;
        size_t n = (size_t)h[3] << 8 | h[4];

        assert_int_equal(h[0], i == 0 ? 1 : 3);
        buf_clear(&text);
        assert_int_equal(gzip_unpack((struct str){packed.p + 5, n}, &text, NULL), ERR_OK);
        assert_string_equal(text.p, i == 0 ? "{\"event\":{\"start\":{\"pid\":23}}}" : "{}");
        buf_drop(&packed, 5 + n);
    }
    assert_int_equal(packed.len, 0);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(frames),
        cmocka_unit_test(exits),
        cmocka_unit_test(headers),
        cmocka_unit_test(what_is_supported),
        cmocka_unit_test(compressed_frames),
    };
    int failed = TABLE_RUN("connect_rpc table", rows, check);

    return failed + cmocka_run_group_tests_name("connect_rpc", more, NULL, NULL);
}
