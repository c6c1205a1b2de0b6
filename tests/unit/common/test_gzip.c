/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what was packed comes out the same, however it is cut into pieces; what is damaged,
 * cut short or swells over its ceiling is refused, with memory for one piece only.
 * Proof: bytes made by gzip(1), each with one thing wrong; round trips through tiny rooms. */
#include <string.h>

#include "common/gzip.h"
#include "tests/lib/table.h"

/* printf hello | gzip -n */
#define HELLO    "\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0"
#define BYTES(s) {(s), sizeof(s) - 1}

static struct row {
    const char *name;
    struct str in;
    const char *out; /* NULL: refused */
    const char *rc;
} rows[] = {
    {"one body", BYTES(HELLO), "hello", "OK"},
    {"two bodies", BYTES(HELLO HELLO), "hellohello", "OK"},
    {"nothing", {"", 0}, NULL, "INVALID"},
    {"half a head", {HELLO, 5}, NULL, "INVALID"},
    {"without its sum", {HELLO, 18}, NULL, "INVALID"},
    {"cut by one byte", {HELLO, 24}, NULL, "INVALID"},
    {"no gzip", BYTES("hello"), NULL, "INVALID"},
    {"something behind it", BYTES(HELLO "x"), NULL, "INVALID"},
    {"wrong sum",
     BYTES("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x87\xa6\x10\x36\x05\0\0\0"),
     NULL, "INVALID"},
};

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_BUF out = BUF_INIT(64);
    struct err err = ERR_INIT;

    assert_string_equal(err_name(gzip_unpack(r->in, &out, &err)), r->rc);
    if (r->out != NULL)
        assert_true(str_is(buf_str(&out), r->out));
    else
        assert_true(err.msg[0] != '\0');
}

/* Feeds `in` by `bite` bytes, takes by `room`. */
static enum err_code in_pieces(struct gzip *z, struct str in, size_t bite, size_t room,
                               struct buf *out)
{
    enum err_code rc = ERR_OK;
    char to[64];
    size_t n = room;

    while (rc == ERR_OK && (in.n > 0 || n == room || !gzip_done(z))) {
        struct str piece = {in.p, in.n < bite ? in.n : bite};
        size_t given = piece.n;

        rc = gzip_step(z, &piece, given == in.n, to, room, &n, NULL);
        in.p += given - piece.n;
        in.n -= given - piece.n;
        if (rc == ERR_OK)
            buf_add(out, to, n);
    }
    gzip_free(z);
    return rc;
}

static void pieces(void **state)
{
    static char text[50000];
    static const struct {
        size_t bite, room;
    } cases[] = {{1, 1}, {7, 64}, {50000, 1}, {50000, 64}, {1, 64}};

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)("abcdefg\n"[i * i % 8] + (char)(i / 5000));
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        AUTO_BUF packed = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
        struct str in = {text, sizeof(text)};

        assert_int_equal(in_pieces(gzip_packer(), in, cases[i].bite, cases[i].room, &packed),
                         ERR_OK);
        assert_true(packed.len < sizeof(text) / 2);
        assert_int_equal(in_pieces(gzip_unpacker(sizeof(text)), buf_str(&packed), cases[i].bite,
                                   cases[i].room, &back),
                         ERR_OK);
        assert_int_equal(back.len, sizeof(text));
        assert_memory_equal(back.p, text, sizeof(text));
    }
}

static void bomb(void **state)
{
    static char zeros[4 << 20];
    AUTO_BUF packed = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20), exact = BUF_INIT(sizeof(zeros));
    struct str in = {zeros, sizeof(zeros)};

    (void)state;
    assert_int_equal(gzip_pack(in, &packed, NULL), ERR_OK);
    assert_true(packed.len < 8192);
    assert_string_equal(err_name(gzip_unpack(buf_str(&packed), &out, NULL)), "TOO_BIG");
    assert_string_equal(err_name(gzip_unpack(buf_str(&packed), &exact, NULL)), "OK");
    assert_string_equal(
        err_name(in_pieces(gzip_unpacker(sizeof(zeros) - 1), buf_str(&packed), 64, 64, &exact)),
        "TOO_BIG");
}

static void headers(void **state)
{
    static const struct {
        const char *header;
        bool yes;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"gzip", true},
        {"deflate, GZIP", true},
        {"br;q=1, gzip;q=0.5", true},
        {"gzip;q=0", false},
        {"gzip; q=0.000", false},
        {"*", true},
        {"*;q=0", false},
        {"identity", false},
        {"x-gzip", false},
        {"gzip;q=0, *", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_int_equal(gzip_accepted(cases[i].header), cases[i].yes);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(pieces),
        cmocka_unit_test(bomb),
        cmocka_unit_test(headers),
    };
    int failed = TABLE_RUN("gzip table", rows, check);

    return failed + cmocka_run_group_tests_name("gzip", more, NULL, NULL);
}
