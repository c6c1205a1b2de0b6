/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a key is read exactly as it is written, and its hash opens for it alone. */
#include "tests/lib/table.h"

#include <string.h>

#include <sodium.h>

#include "schema/api_key.h"
#include "common/banned.h"

#define ID     "00ff10ab2c3d"
#define SECRET "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct key_row {
    const char *name, *text;
    bool good;
} keys[] = {
    {"as made", "sfk_" ID "_" SECRET, true},
    {"nothing", "", false},
    {"another prefix", "sfx_" ID "_" SECRET, false},
    {"capitals", "sfk_00FF10ab2c3d_" SECRET, false},
    {"capitals in the secret",
     "sfk_" ID "_00112233445566778899AABBccddeeff00112233445566778899aabbccddeeff", false},
    {"no digit", "sfk_00ff10ab2c3g_" SECRET, false},
    {"a colon in the secret",
     "sfk_" ID "_0:112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false},
    {"a space before", " sfk_" ID "_" SECRET, false},
    {"a byte more", "sfk_" ID "_" SECRET "0", false},
    {"a byte less", "sfk_" ID "_0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
     false},
    {"another separator", "sfk_" ID "-" SECRET, false},
    {"only an id", "sfk_" ID, false},
};

static void check_key(void **state)
{
    const struct key_row *r = *state;
    struct api_key k;

    assert_int_equal(api_key_parse(str_of(r->text), &k), r->good);
    if (!r->good)
        return;
    assert_string_equal(k.id, ID);
    assert_int_equal(k.secret[1], 0x11);
    assert_int_equal(k.secret[31], 0xff);
}

static void one_byte_off(void **state)
{
    uint8_t hash[API_KEY_BYTES];
    struct api_key k;

    (void)state;
    assert_true(api_key_parse(STR("sfk_" ID "_" SECRET), &k));
    api_key_hash(&k, hash);
    assert_true(api_key_matches(&k, hash));
    assert_memory_not_equal(hash, k.secret, sizeof(hash));
    for (size_t i = 0; i < sizeof(k.secret); i++) {
        k.secret[i] ^= 1;
        assert_false(api_key_matches(&k, hash));
        k.secret[i] ^= 1;
    }
}

static struct scope_row {
    const char *name, *words;
    unsigned scopes; /* 0: refused */
    const char *written;
} scopes[] = {
    {"one", "read", API_READ, "read"},
    {"all", "admin, read,submit", API_ADMIN | API_READ | API_SUBMIT, "submit,read,admin"},
    {"as Postgres writes it", "{submit,read}", API_SUBMIT | API_READ, "submit,read"},
    {"none", "", 0, NULL},
    {"an empty array", "{}", 0, NULL},
    {"another word", "read,write", 0, NULL},
    {"twice", "read,read", 0, NULL},
    {"a comma at the end", "read,", 0, NULL},
};

static void check_scopes(void **state)
{
    const struct scope_row *r = *state;
    AUTO_BUF text = BUF_INIT(64);
    unsigned got = 0;

    assert_int_equal(api_scopes_parse(str_of(r->words), &got), r->scopes != 0);
    if (r->scopes == 0)
        return;
    assert_int_equal(got, r->scopes);
    api_scopes_write(got, &text);
    assert_string_equal(text.p, r->written);
}

static void allowed(void **state)
{
    (void)state;
    assert_true(api_scopes_allow(API_READ, API_READ));
    assert_false(api_scopes_allow(API_READ, API_SUBMIT));
    assert_false(api_scopes_allow(API_SUBMIT, API_READ));
    assert_false(api_scopes_allow(API_SUBMIT | API_READ, API_ADMIN));
    assert_true(api_scopes_allow(API_ADMIN, API_SUBMIT));
    assert_true(api_scopes_allow(API_ADMIN, API_READ));
    assert_false(api_scopes_allow(0, API_READ));
}

int main(void)
{
    const struct CMUnitTest alone[] = {cmocka_unit_test(one_byte_off), cmocka_unit_test(allowed)};

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("api_key", alone, NULL, NULL) +
           TABLE_RUN("api_key text", keys, check_key) +
           TABLE_RUN("api_key scopes", scopes, check_scopes);
}
