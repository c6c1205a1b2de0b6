/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: bytes survive base64; a text that no encoder writes is refused.
 * Proof: RFC 4648's own vectors both ways, and texts with one thing wrong. */
#include "common/base64.h"
#include "tests/lib/table.h"

static struct row {
    const char *name;  /* the text */
    const char *bytes; /* NULL: refused */
    size_t n;
} rows[] = {
    {"", "", 0},
    {"Zg==", "f", 1},
    {"Zm8=", "fo", 2},
    {"Zm9v", "foo", 3},
    {"Zm9vYg==", "foob", 4},
    {"Zm9vYmE=", "fooba", 5},
    {"Zm9vYmFy", "foobar", 6},
    {"+/8A", "\xfb\xff\x00", 3},
    {"Zg", "f", 1},
    {"Zm8", "fo", 2},
    {"A", NULL, 0},
    {"Zm9vA", NULL, 0},
    {"Zg=", NULL, 0},
    {"Zg===", NULL, 0},
    {"Zh==", NULL, 0},
    {"Zm9=", NULL, 0},
    {"Z===", NULL, 0},
    {"====", NULL, 0},
    {"Zm9v\n", NULL, 0},
    {"Zm_v", NULL, 0},
    {"Zg==Zg==", NULL, 0},
};

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_BUF bytes = BUF_INIT(64), text = BUF_INIT(64);
    struct err err = ERR_INIT;
    enum err_code rc = base64_decode(str_of(r->name), &bytes, &err);

    assert_string_equal(err_name(rc), r->bytes ? "OK" : "INVALID");
    if (!r->bytes) {
        assert_int_equal(bytes.len, 0);
        return;
    }
    assert_true(str_eq(buf_str(&bytes), (struct str){r->bytes, r->n}));
    base64_add(&text, buf_str(&bytes));
    assert_true(str_starts(buf_str(&text), r->name)); /* it may have come without padding */
}

static void ceilings_hold(void **state)
{
    AUTO_BUF out = BUF_INIT(5);
    struct err err = ERR_INIT;

    (void)state;
    assert_string_equal(err_name(base64_decode(STR("Zm9vYmFy"), &out, &err)), "TOO_BIG");
    buf_clear(&out);
    base64_add(&out, STR("foob"));
    assert_string_equal(err_name(out.rc), "TOO_BIG");
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ceilings_hold)};
    int failed = TABLE_RUN("base64 texts", rows, check);

    return failed + cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
