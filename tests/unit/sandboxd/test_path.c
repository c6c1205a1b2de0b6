/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a path means to us what it means to envd. Proof: a table of what clients write. */
#include <string.h>

#include "sandboxd/envd/path.h"
#include "tests/lib/table.h"

static struct row {
    const char *name;
    struct str path;
    const char *want; /* NULL: refused */
} rows[] = {
    {"home", {"~", 1}, "/h/u"},
    {"nothing is home", {"", 0}, "/h/u"},
    {"below home", {"~/x", 3}, "/h/u/x"},
    {"relative", {"x/y", 3}, "/h/u/x/y"},
    {"dots are taken out", {"./x/../y//z/.", 13}, "/h/u/y/z"},
    {"above home", {"../../../x", 10}, "/x"},
    {"up to the root", {"../..", 5}, "/"},
    {"tilde and dots", {"~/../x", 6}, "/h/x"},
    {"absolute stays as it is", {"/etc/../x/", 10}, "/etc/../x/"},
    {"a tilde inside", {"a/~", 3}, "/h/u/a/~"},
    {"another's home", {"~x", 2}, NULL},
    {"NUL", {"a\0b", 3}, NULL},
};

static void check(void **state)
{
    const struct row *row = *state;
    char out[PATH_MAX_BYTES];
    enum err_code rc = path_resolve("/h/u", row->path, out, NULL);

    assert_string_equal(err_name(rc), row->want != NULL ? "OK" : "INVALID");
    if (row->want != NULL)
        assert_string_equal(out, row->want);
}

static void too_long(void **state)
{
    char big[PATH_MAX_BYTES], out[PATH_MAX_BYTES];

    (void)state;
    memset(big, 'a', sizeof(big));
    for (int absolute = 0; absolute < 2; absolute++) {
        big[0] = absolute ? '/' : 'a';
        assert_string_equal(err_name(path_resolve("/h", (struct str){big, sizeof(big)}, out, NULL)),
                            "INVALID");
    }
    assert_string_equal(err_name(path_resolve("/h", (struct str){big, sizeof(big) - 1}, out, NULL)),
                        "OK");
}

static void bases(void **state)
{
    (void)state;
    assert_string_equal(path_base("/a/x"), "x");
    assert_string_equal(path_base("/"), "/");
    assert_string_equal(path_base("x"), "x");
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(too_long), cmocka_unit_test(bases)};
    int failed = TABLE_RUN("path", rows, check);

    return failed + cmocka_run_group_tests_name("path", more, NULL, NULL);
}
