/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a buf never holds more than its ceiling, is always NUL-terminated, and its
 * first failure sticks; a view is cut, trimmed and checked without reading outside.
 * Proof: the edges by name; tables for UTF-8 and fields. ASan sees a read outside. */
#include <string.h>

#include "common/buf.h"
#include "tests/lib/table.h"

static void the_ceiling_holds(void **state)
{
    AUTO_BUF b = BUF_INIT(10);

    (void)state;
    buf_adds(&b, "0123456789");
    assert_int_equal(b.rc, ERR_OK);
    buf_addc(&b, 'x');
    assert_string_equal(err_name(b.rc), "TOO_BIG");
    assert_string_equal(b.p, "0123456789");
    buf_drop(&b, 5);
    buf_addc(&b, 'x'); /* the failure sticks though there is room */
    assert_string_equal(b.p, "56789");
    buf_clear(&b);
    buf_addc(&b, 'x');
    assert_string_equal(b.p, "x");
}

static void a_format_is_added_whole_or_not(void **state)
{
    AUTO_BUF b = BUF_INIT(100);
    char long_text[99];

    (void)state;
    memset(long_text, 'y', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    buf_addf(&b, "%d-", 7);
    buf_addf(&b, "%s", long_text);
    assert_int_equal(b.len, 100);
    assert_int_equal(b.p[100], '\0');
    buf_addf(&b, "%d", 1);
    assert_string_equal(err_name(b.rc), "TOO_BIG");
    assert_int_equal(b.len, 100);
    buf_clear(&b);
    buf_adds(&b, "abc");
    buf_addf(&b, "%s", long_text);
    assert_string_equal(b.p, "abc");
}

static void room_is_counted_when_used(void **state)
{
    AUTO_BUF b = BUF_INIT(1000);
    char *to = buf_room(&b, 1000);

    (void)state;
    assert_non_null(to);
    memset(to, 'z', 1000);
    assert_int_equal(b.len, 0);
    buf_grew(&b, 1000);
    assert_int_equal(strlen(b.p), 1000);
    assert_null(buf_room(&b, 1));
    assert_string_equal(err_name(b.rc), "TOO_BIG");
}

static void a_huge_size_is_refused(void **state)
{
    AUTO_BUF b = BUF_INIT(SIZE_MAX);

    (void)state;
    buf_addc(&b, 'x');
    assert_null(buf_room(&b, SIZE_MAX - 1));
    assert_string_equal(err_name(b.rc), "TOO_BIG");
}

static void what_is_taken_is_a_string(void **state)
{
    AUTO_BUF b = BUF_INIT(10);
    char *empty = buf_take(&b), *text;

    (void)state;
    assert_string_equal(empty, "");
    buf_add(&b, "a\0b", 3);
    text = buf_take(&b);
    assert_memory_equal(text, "a\0b", 4);
    assert_null(b.p);
    buf_adds(&b, "01234567890");
    assert_null(buf_take(&b));
    assert_string_equal(err_name(b.rc), "OK");
    free(empty);
    free(text);
}

static void bytes_are_dropped_at_the_front(void **state)
{
    AUTO_BUF b = BUF_INIT(10);

    (void)state;
    buf_drop(&b, 0);
    buf_adds(&b, "abcdef");
    buf_drop(&b, 4);
    assert_string_equal(b.p, "ef");
    buf_drop(&b, 2);
    assert_string_equal(b.p, "");
}

/* --- views --------------------------------------------------------------------- */

static void views_compare(void **state)
{
    (void)state;
    assert_true(str_eq((struct str){NULL, 0}, STR("")));
    assert_false(str_eq(STR("a"), STR("b")));
    assert_true(str_is(str_of(NULL), NULL));
    assert_false(str_is(STR("ab"), "a"));
    assert_true(str_starts(STR("ab"), "a"));
    assert_true(str_starts((struct str){NULL, 0}, ""));
    assert_false(str_starts(STR("a"), "ab"));
    assert_true(str_is(str_trim(STR(" \t\r\n a b \v\f")), "a b"));
    assert_int_equal(str_trim(STR("  ")).n, 0);
}

static struct fields {
    const char *name;
    struct str text;
    size_t n;
    const char *last;
} fields[] = {
    {"two", {"a,b", 3}, 2, "b"},
    {"an empty last one", {"a,", 2}, 2, ""},
    {"only a separator", {",", 1}, 2, ""},
    {"an empty text is one", {"", 0}, 1, ""},
    {"no text has none", {NULL, 0}, 0, ""},
};

static void check_fields(void **state)
{
    const struct fields *r = *state;
    struct str rest = r->text, field = STR("");
    size_t n = 0;

    while (str_next(&rest, ',', &field))
        n++;
    assert_int_equal(n, r->n);
    assert_true(str_is(field, r->last));
}

static struct utf8 {
    const char *name;
    struct str text;
    int bad_at; /* -1: good */
} utf8[] = {
    {"empty", {NULL, 0}, -1},
    {"all lengths", {"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10}, -1},
    {"NUL", {"a\0b", 3}, -1},
    {"the last code point", {"\xf4\x8f\xbf\xbf", 4}, -1},
    {"a lone continuation", {"ab\x80", 3}, 2},
    {"cut in the middle", {"a\xe2\x82", 3}, 1},
    {"overlong two", {"\xc0\x80", 2}, 0},
    {"overlong three", {"\xe0\x9f\xbf", 3}, 0},
    {"overlong four", {"\xf0\x8f\xbf\xbf", 4}, 0},
    {"a surrogate", {"\xed\xa0\x80", 3}, 0},
    {"past the last", {"\xf4\x90\x80\x80", 4}, 0},
    {"never a lead", {"\xff", 1}, 0},
    {"bad third byte", {"\xe2\x82(", 3}, 0},
};

static void check_utf8(void **state)
{
    const struct utf8 *r = *state;
    char *exact = r->text.n ? malloc(r->text.n) : NULL; /* so that ASan sees the end */
    size_t bad_at = 0;

    if (exact)
        memcpy(exact, r->text.p, r->text.n);
    assert_int_equal(str_utf8((struct str){exact, r->text.n}, &bad_at), r->bad_at < 0);
    if (r->bad_at >= 0)
        assert_int_equal(bad_at, r->bad_at);
    free(exact);
}

static struct numbers {
    const char *name;
    struct str text;
    int64_t max, n; /* n < 0: refused */
} numbers[] = {
    {"zero", {"0", 1}, 10, 0},
    {"zeros in front", {"007", 3}, 10, 7},
    {"the largest", {"9223372036854775807", 19}, INT64_MAX, INT64_MAX},
    {"one above the largest", {"9223372036854775808", 19}, INT64_MAX, -1},
    {"twenty digits", {"99999999999999999999", 20}, INT64_MAX, -1},
    {"the ceiling", {"65535", 5}, 65535, 65535},
    {"one above the ceiling", {"65536", 5}, 65535, -1},
    {"a digit above the ceiling", {"7", 1}, 5, -1},
    {"no text", {NULL, 0}, 10, -1},
    {"a sign", {"+1", 2}, 10, -1},
    {"a minus", {"-1", 2}, 10, -1},
    {"a space behind", {"1 ", 2}, 10, -1},
    {"a NUL behind", {"1\0", 2}, 10, -1},
    {"a part", {"1.5", 3}, 10, -1},
    {"not ASCII", {"\xd9\xa1", 2}, 10, -1},
};

static void check_number(void **state)
{
    const struct numbers *r = *state;
    int64_t n = -1;

    assert_int_equal(str_int(r->text, r->max, &n), r->n >= 0);
    assert_int_equal(n, r->n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ceiling_holds),
        cmocka_unit_test(a_format_is_added_whole_or_not),
        cmocka_unit_test(room_is_counted_when_used),
        cmocka_unit_test(a_huge_size_is_refused),
        cmocka_unit_test(what_is_taken_is_a_string),
        cmocka_unit_test(bytes_are_dropped_at_the_front),
        cmocka_unit_test(views_compare),
    };
    int failed = TABLE_RUN("str fields", fields, check_fields);

    failed += TABLE_RUN("str utf8", utf8, check_utf8);
    failed += TABLE_RUN("str int", numbers, check_number);
    return failed + cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
