/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a shortened text fits, is JSON with the same members, and says what it lost; a
 * text that fits is untouched; keys stay whole.
 * Proof: the whole results of small cases, and every ceiling of one text with everything in it. */
#include <stdio.h>
#include <string.h>

#include "common/json/json.h"
#include "tests/lib/table.h"

#define DIGITS_50 "01234567890123456789012345678901234567890123456789"
#define ELLIPSIS  "\xe2\x80\xa6"

static struct row {
    const char *name, *text;
    size_t max;
    const char *want; /* NULL: TOO_BIG */
} rows[] = {
    {"what fits is left alone", "{\"a\": \"" DIGITS_50 "\"}", 59, "{\"a\": \"" DIGITS_50 "\"}"},
    {"a long string loses its end", "{\"a\":\"" DIGITS_50 "\"}", 50,
     "{\"a\":\"0123456789" ELLIPSIS "[+40 bytes]\"}"},
    {"the longer string is cut first", "[\"" DIGITS_50 DIGITS_50 "\",\"" DIGITS_50 "\"]", 110,
     "[\"012345678901234567890" ELLIPSIS "[+79 bytes]\",\"" DIGITS_50 "\"]"},
    {"no escape is cut in two", "\"\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\"",
     37, "\"\\n" ELLIPSIS "[+38 bytes]\""},
    {"no surrogate pair is cut in two",
     "\"\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\"", 50,
     "\"\\ud83d\\ude00" ELLIPSIS "[+48 bytes]\""},
    {"no character is cut in two",
     "\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
     "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\"",
     39, "\"\xe2\x82\xac" ELLIPSIS "[+39 bytes]\""},
    {"a key is never cut", "{\"" DIGITS_50 "\" : 1}", 40, NULL},
    {"numbers cannot be cut", "[1,2,3,4,5,6,7,8,9,10]", 10, NULL},
    {"a quote in a string does not end it", "[\"\\\\\\\"" DIGITS_50 "\",\"b\"]", 45,
     "[\"\\\\\\\"0" ELLIPSIS "[+49 bytes]\",\"b\"]"},
};

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_BUF out = BUF_INIT(1000);
    struct err err = ERR_INIT;
    enum err_code rc = json_shorten(str_of(r->text), r->max, &out, &err);

    assert_string_equal(err_name(rc), r->want ? "OK" : "TOO_BIG");
    if (!r->want)
        return;
    assert_string_equal(out.p, r->want);
    assert_true(out.len <= r->max);
}

static void every_ceiling_gives_json_that_fits(void **state)
{
    static const char text[] =
        "{\"k\":\"\xe2\x82\xac\xc3\xa9\\u00e9\\ud83d\\ude00\\\"\\\\" DIGITS_50
        "\",\"n\":[1,\"" DIGITS_50 "\",{\"deep\":\"" DIGITS_50 DIGITS_50 DIGITS_50
        "\"}],\"" DIGITS_50 "\":\"\"}";
    size_t fitted = 0;

    (void)state;
    for (size_t max = 0; max <= sizeof text; max++) {
        AUTO_BUF out = BUF_INIT(sizeof text);
        struct json_scan scan;

        if (json_shorten(str_of(text), max, &out, NULL) != ERR_OK) {
            assert_int_equal(fitted, 0); /* once it fits, it fits with more room, too */
            continue;
        }
        fitted++;
        assert_true(out.len <= max);
        assert_int_equal(json_scan(buf_str(&out), NULL, 0, &scan, NULL), ERR_OK);
        assert_int_equal(scan.n_members, 3);
    }
    assert_true(fitted > 100);
}

static void a_huge_line_is_shortened_in_place_order(void **state)
{
    enum { MANY = 20000, MAX = 1 << 20 };
    AUTO_BUF text = BUF_INIT(8 << 20), out = BUF_INIT(MAX);

    (void)state;
    buf_addc(&text, '[');
    for (int i = 0; i < MANY; i++) {
        buf_addf(&text, "%s\"%d", i ? "," : "", i);
        for (int k = 0; k < 250; k++)
            buf_addc(&text, 'x');
        buf_addc(&text, '"');
    }
    buf_addc(&text, ']');
    assert_int_equal(text.rc, ERR_OK);
    assert_int_equal(json_shorten(buf_str(&text), MAX, &out, NULL), ERR_OK);
    assert_int_equal(json_scan(buf_str(&out), NULL, 0, NULL, NULL), ERR_OK);
    assert_in_range(out.len, MAX * 3 / 5, MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ceiling_gives_json_that_fits),
        cmocka_unit_test(a_huge_line_is_shortened_in_place_order),
    };
    int failed = TABLE_RUN("json_shorten texts", rows, check);

    return failed + cmocka_run_group_tests_name("json_shorten", tests, NULL, NULL);
}
