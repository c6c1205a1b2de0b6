/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: json_scan accepts exactly RFC 8259 in strict UTF-8 to a depth of 64, says at
 * which byte it stops, and never reads outside; json_sanitize leaves nothing jsonb refuses.
 * Proof: a table of texts, each in memory of exactly its size. */
#include <string.h>

#include "common/json/json.h"
#include "tests/lib/table.h"

#define GOOD          (-1)
#define TEXT(literal) {literal, sizeof(literal) - 1}

static struct row {
    const char *name;
    struct str text;
    int bad_at;
    size_t unsafe;
} rows[] = {
    {"object", TEXT("{\"a\":1,\"b\":[true,false,null],\"c\":{}}"), GOOD, 0},
    {"white space everywhere", TEXT(" \t\r\n{ \"a\" : [ 1 , 2 ] } \n"), GOOD, 0},
    {"a bare number", TEXT("-0.5e+10"), GOOD, 0},
    {"a bare string", TEXT("\"\""), GOOD, 0},
    {"every escape", TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00E9\""), GOOD, 0},
    {"a surrogate pair", TEXT("\"\\ud83d\\ude00\""), GOOD, 0},
    {"raw UTF-8", TEXT("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""), GOOD, 0},
    {"DEL is no control byte here", TEXT("\"\x7f\""), GOOD, 0},
    {"a number out of a double's range", TEXT("1e999"), GOOD, 0},
    {"escaped NUL", TEXT("\"a\\u0000b\""), GOOD, 1},
    {"lone surrogates", TEXT("\"\\ud800 \\udc00\\ud800\\ud83d\\ude00\\ud800\\u0041\""), GOOD, 4},
    {"lone surrogate in a key", TEXT("{\"\\ud800\":1}"), GOOD, 1},
    {"a backslash before u is no escape", TEXT("\"\\\\u0000\""), GOOD, 0},

    {"nothing", {NULL, 0}, 0, 0},
    {"only space", TEXT("  "), 2, 0},
    {"something behind", TEXT("{} x"), 3, 0},
    {"two values", TEXT("1 2"), 2, 0},
    {"a byte order mark", TEXT("\xef\xbb\xbf{}"), 0, 0},
    {"a comma too many", TEXT("[1,]"), 3, 0},
    {"a comma too many in an object", TEXT("{\"a\":1,}"), 7, 0},
    {"a missing comma", TEXT("[1 2]"), 3, 0},
    {"a missing colon", TEXT("{\"a\" 1}"), 5, 0},
    {"a missing value", TEXT("{\"a\":}"), 5, 0},
    {"a key without quotes", TEXT("{a:1}"), 1, 0},
    {"the wrong bracket", TEXT("[1}"), 2, 0},
    {"an open object", TEXT("{\"a\":1"), 6, 0},
    {"an open array", TEXT("["), 1, 0},
    {"an open string", TEXT("\"abc"), 4, 0},
    {"a backslash at the end", TEXT("\"abc\\"), 4, 0},
    {"an escape that is none", TEXT("\"\\x41\""), 1, 0},
    {"an escaped byte over 0x7f", TEXT("\"\\\xc3\xa9\""), 1, 0},
    {"a short \\u", TEXT("\"\\u12\""), 1, 0},
    {"no hex", TEXT("\"\\u12g4\""), 1, 0},
    {"a raw newline in a string", TEXT("\"a\nb\""), 2, 0},
    {"a raw NUL in a string", TEXT("\"a\0b\""), 2, 0},
    {"a NUL behind", TEXT("1\0"), 1, 0},
    {"not UTF-8", TEXT("\"abcdefghij\xff\""), 11, 0},
    {"UTF-8 cut by the quote", TEXT("\"\xe2\x82\""), 1, 0},
    {"a raw surrogate", TEXT("\"\xed\xa0\x80\""), 1, 0},
    {"a leading zero", TEXT("01"), 1, 0},
    {"a plus sign", TEXT("+1"), 0, 0},
    {"a bare minus", TEXT("-"), 1, 0},
    {"no digit after the point", TEXT("1."), 2, 0},
    {"no digit before the point", TEXT(".5"), 0, 0},
    {"no digit in the exponent", TEXT("1e+"), 3, 0},
    {"hexadecimal", TEXT("0x10"), 1, 0},
    {"not a number", TEXT("NaN"), 0, 0},
    {"a word cut short", TEXT("tru"), 0, 0},
    {"a word too long", TEXT("nullx"), 4, 0},
    {"single quotes", TEXT("'a'"), 0, 0},
    {"a comment", TEXT("[1/*x*/]"), 2, 0},
};

static void check(void **state)
{
    const struct row *r = *state;
    char *exact = r->text.n ? malloc(r->text.n) : NULL;
    struct str text = {exact, r->text.n};
    struct json_scan scan;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (exact)
        memcpy(exact, r->text.p, r->text.n);
    rc = json_scan(text, NULL, 0, &scan, &err);
    assert_string_equal(err_name(rc), r->bad_at == GOOD ? "OK" : "INVALID");
    if (r->bad_at != GOOD)
        assert_int_equal(scan.error_at, r->bad_at);
    else
        assert_int_equal(json_sanitize(exact, text.n), r->unsafe);
    assert_int_equal(scan.unsafe, r->unsafe);
    if (rc == ERR_OK) {
        assert_int_equal(json_scan(text, NULL, 0, &scan, &err), ERR_OK);
        assert_int_equal(scan.unsafe, 0);
    }
    free(exact);
}

static void sanitizing_touches_nothing_else(void **state)
{
    char text[] = "\"\\\\u0000 \\u0000 \\ud83d\\ude00 \\ud83dx \\udc00\\n\"";

    (void)state;
    assert_int_equal(json_sanitize(text, strlen(text)), 3);
    assert_string_equal(text, "\"\\\\u0000 \\ufffd \\ud83d\\ude00 \\ufffdx \\ufffd\\n\"");
}

static void members_are_views_of_the_text(void **state)
{
    static const char text[] = "{ \"type\" : \"x\", \"in\":{\"type\":1} ,\"n\":-1.5,\"more\":[ ]}";
    struct json_member m[3];
    struct json_scan scan;

    (void)state;
    assert_int_equal(json_scan(str_of(text), m, 3, &scan, NULL), ERR_OK);
    assert_true(scan.is_object);
    assert_int_equal(scan.n_members, 4);
    assert_true(str_is(json_member(m, 3, "type"), "\"x\""));
    assert_true(str_is(json_member(m, 3, "in"), "{\"type\":1}"));
    assert_true(str_is(json_member(m, 3, "n"), "-1.5"));
    assert_null(json_member(m, 3, "more").p);
    assert_int_equal(json_scan(STR("[{\"a\":1}]"), m, 3, &scan, NULL), ERR_OK);
    assert_false(scan.is_object);
    assert_int_equal(scan.n_members, 0);
}

static enum err_code scan_nested(const char *open, const char *close, int depth, struct err *err)
{
    AUTO_BUF text = BUF_INIT(1 << 20);

    for (int i = 0; i < depth; i++)
        buf_adds(&text, open);
    buf_adds(&text, "1");
    for (int i = 0; i < depth; i++)
        buf_adds(&text, close);
    return json_scan(buf_str(&text), NULL, 0, NULL, err);
}

static void depth_has_a_ceiling(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(scan_nested("[", "]", 64, &err), ERR_OK);
    assert_int_equal(scan_nested("[", "]", 65, &err), ERR_INVALID);
    assert_string_equal(err.msg, "not JSON: nested too deep at byte 64");
    assert_int_equal(scan_nested("{\"a\":", "}", 64, &err), ERR_OK);
    assert_int_equal(scan_nested("{\"a\":", "}", 100000, &err), ERR_INVALID);
}

/* The eight-byte step must see a special byte at each of its places. */
static void no_place_in_a_string_is_skipped(void **state)
{
    static const char special[] = {'"', '\\', '\n', '\x1f', '\x80', '\0'};

    (void)state;
    for (size_t at = 1; at < 33; at++)
        for (size_t i = 0; i < sizeof special; i++) {
            char text[35];
            struct json_scan scan;

            memset(text, 'x', sizeof text);
            text[0] = text[34] = '"';
            text[at] = special[i];
            assert_int_equal(json_scan((struct str){text, sizeof text}, NULL, 0, &scan, NULL),
                             ERR_INVALID);
            assert_int_equal(scan.error_at, special[i] == '"' ? at + 1 : at);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sanitizing_touches_nothing_else),
        cmocka_unit_test(members_are_views_of_the_text),
        cmocka_unit_test(depth_has_a_ceiling),
        cmocka_unit_test(no_place_in_a_string_is_skipped),
    };
    int failed = TABLE_RUN("json_scan texts", rows, check);

    return failed + cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
