/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a download's headers say what envd's say. Proof: tables. */
#include <string.h>

#include "sandboxd/envd/files_type.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *accept;
    enum encoding want;
} rows[] = {
    {"nothing said", NULL, ENCODING_NONE},
    {"empty", "", ENCODING_NONE},
    {"gzip", "gzip", ENCODING_GZIP},
    {"any case", "GZip", ENCODING_GZIP},
    {"among others", "br, gzip;q=0.8, deflate", ENCODING_GZIP},
    {"refused", "gzip;q=0", ENCODING_NONE},
    {"refused in digits", "gzip; q=0.000", ENCODING_NONE},
    {"identity is better", "gzip;q=0.5, identity", ENCODING_NONE},
    {"gzip is better", "identity;q=0.5, gzip;q=0.6", ENCODING_GZIP},
    {"anything", "*", ENCODING_NONE},
    {"anything but plain", "identity;q=0, *", ENCODING_GZIP},
    {"only unknown ones", "br", ENCODING_NONE},
    {"only unknown ones, not plain", "br, identity;q=0", ENCODING_IMPOSSIBLE},
    {"nothing at all", "identity;q=0, gzip;q=0", ENCODING_IMPOSSIBLE},
};

static void check(void **state)
{
    const struct row *row = *state;

    assert_int_equal(encoding_wanted(row->accept), row->want);
}

static void used(void **state)
{
    (void)state;
    assert_int_equal(encoding_used(NULL), ENCODING_NONE);
    assert_int_equal(encoding_used("identity"), ENCODING_NONE);
    assert_int_equal(encoding_used("GZIP"), ENCODING_GZIP);
    assert_int_equal(encoding_used("br"), ENCODING_IMPOSSIBLE);
    assert_int_equal(encoding_used("gzip, gzip"), ENCODING_IMPOSSIBLE);
}

static void types(void **state)
{
    static const struct {
        const char *path, *want;
    } cases[] = {
        {"/a/x.json", "application/json"},
        {"x.HTML", "text/html; charset=utf-8"},
        {"/a.json/x", NULL},
        {"x.", NULL},
        {".json", "application/json"},
        {"x.json.unknown", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *got = file_type_of(cases[i].path);

        assert_string_equal(got != NULL ? got : "-", cases[i].want != NULL ? cases[i].want : "-");
    }
    assert_string_equal(file_type_guess(STR("")), "text/plain; charset=utf-8");
    assert_string_equal(file_type_guess(STR("a\tb\r\n\xc3\xa9")), "text/plain; charset=utf-8");
    assert_string_equal(file_type_guess(STR("a\0b")), "application/octet-stream");
}

static void dispositions(void **state)
{
    static const struct {
        const char *name, *want;
    } cases[] = {
        {"x.txt", "inline; filename=x.txt"},
        {"x y", "inline; filename=\"x y\""},
        {"a\"b\\", "inline; filename=\"a\\\"b\\\\\""},
        {"\xc3\xa9.txt", "inline; filename*=utf-8''%C3%A9.txt"},
        {"a\r\nX: y", "inline; filename*=utf-8''a%0D%0AX%3A%20y"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        AUTO_BUF out = BUF_INIT(256);

        file_disposition(&out, cases[i].name);
        assert_string_equal(out.p, cases[i].want);
    }
}

static void dates(void **state)
{
    char out[HTTP_DATE_ROOM];

    (void)state;
    assert_string_equal(http_date(0, out), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(http_date(1795261524, out), "Sat, 21 Nov 2026 11:45:24 GMT");
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(used), cmocka_unit_test(types),
                                      cmocka_unit_test(dispositions), cmocka_unit_test(dates)};
    int failed = TABLE_RUN("accepted encodings", rows, check);

    return failed + cmocka_run_group_tests_name("types", more, NULL, NULL);
}
