/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a read token opens the run it was signed for, for its tenant, until its time, and
 * nothing that was changed in it passes. */
#include "tests/lib/table.h"

#include <string.h>

#include <sodium.h>

#include "api/auth/read_token.h"
#include "common/banned.h"

#define RUN   "01950f3c-8a00-7000-8000-000000000001"
#define OTHER "01950f3c-8a00-7000-8000-000000000002"

static const uint8_t hash[API_KEY_BYTES] = {1, 2, 3}, other_hash[API_KEY_BYTES] = {1, 2, 4};

static struct read_token fresh(const char *tenant)
{
    struct read_token t = {.key_id = "00ff10ab2c3d", .expires_s = 1900000000};

    memcpy(t.tenant, tenant, strlen(tenant) + 1);
    return t;
}

static void comes_back_as_it_was(void **state)
{
    static const char *const tenants[] = {"default", "a", "acme/eu+1:x@y.z"};

    (void)state;
    for (size_t i = 0; i < COUNTOF(tenants); i++) {
        struct read_token t = fresh(tenants[i]), got;
        AUTO_BUF text = BUF_INIT(1024);

        read_token_write(&t, RUN, hash, &text);
        assert_true(read_token_parse(buf_str(&text), &got));
        assert_string_equal(got.key_id, t.key_id);
        assert_string_equal(got.tenant, tenants[i]);
        assert_int_equal(got.expires_s, t.expires_s);
        assert_true(read_token_matches(&got, RUN, hash));
        assert_false(read_token_matches(&got, OTHER, hash));
        assert_false(read_token_matches(&got, RUN, other_hash));
        assert_null(strpbrk(text.p, "/+=&? %#")); /* it goes into a URL as it is */
    }
}

static void nothing_in_it_can_be_changed(void **state)
{
    struct read_token t = fresh("acme"), got;
    AUTO_BUF text = BUF_INIT(1024);
    size_t parsed = 0;

    (void)state;
    read_token_write(&t, RUN, hash, &text);
    for (size_t i = 0; i < text.len; i++)
        for (int c = '!'; c <= '~'; c++) {
            char was = text.p[i];

            if (c == was)
                continue;
            text.p[i] = (char)c;
            if (read_token_parse(buf_str(&text), &got)) {
                parsed++;
                assert_false(read_token_matches(&got, RUN, hash));
            }
            text.p[i] = was;
        }
    assert_true(parsed > 1000); /* most are well formed, and are refused by their signature */
}

static struct row {
    const char *name, *text;
} rows[] = {
    {"nothing", ""},
    {"a key", "sfk_00ff10ab2c3d_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"},
    {"a part less", "sfr_00ff10ab2c3d.1900000000.YWNtZQ"},
    {"a part more", "sfr_00ff10ab2c3d.1900000000.YWNtZQ."
                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.x"},
    {"a short mac", "sfr_00ff10ab2c3d.1900000000.YWNtZQ.AAAA"},
    {"a long mac", "sfr_00ff10ab2c3d.1900000000.YWNtZQ."
                   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    {"no tenant", "sfr_00ff10ab2c3d.1900000000.."
                  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    {"a tenant with a line's end", "sfr_00ff10ab2c3d.1900000000.YQpi."
                                   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    {"a time that is none", "sfr_00ff10ab2c3d.19x.YWNtZQ."
                            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    {"a time of many digits", "sfr_00ff10ab2c3d.9999999999999.YWNtZQ."
                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    {"another key's form", "sfr_00FF10ab2c3d.1900000000.YWNtZQ."
                           "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
};

static void is_none(void **state)
{
    const struct row *r = *state;
    struct read_token got;

    assert_false(read_token_parse(str_of(r->text), &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(comes_back_as_it_was),
                                       cmocka_unit_test(nothing_in_it_can_be_changed)};

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("read_token", tests, NULL, NULL) +
           TABLE_RUN("read_token text", rows, is_none);
}
