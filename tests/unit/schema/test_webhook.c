/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an endpoint's URL is one that curl reads as we do, over TLS unless plain HTTP is asked
 * for; its keys have Standard Webhooks' forms, and open only as what they were sealed for. Proof: a
 * table of URLs; a known key's texts; one key sealed, and opened as each other thing. */
#include <string.h>

#include "schema/webhook.h"
#include "tests/lib/table.h"

static struct row {
    const char *name; /* the URL */
    bool plain;
    const char *want;
} rows[] = {
    {"https://example.org", false, "OK"},
    {"https://example.org/hook?a=b", false, "OK"},
    {"https://[2606:4700::1]:8443/", false, "OK"},
    {"https://127.0.0.1/", false, "OK"}, /* the address is judged when it is connected to */
    {"http://example.org/", true, "OK"},
    {"http://example.org/", false, "INVALID"},
    {"", false, "INVALID"},
    {"https://", false, "INVALID"},
    {"https:///x", false, "INVALID"},
    {"https://?x", false, "INVALID"},
    {"https://:443", false, "INVALID"},
    {"HTTPS://example.org", false, "INVALID"},
    {"ftp://example.org", true, "INVALID"},
    {"file:///etc/passwd", true, "INVALID"},
    {"https://user:secret@example.org/", false, "INVALID"},
    {"https://example.org/#a", false, "INVALID"},
    {"https://example.org/a b", false, "INVALID"},
    {"https://example.org/\r\nX: y", false, "INVALID"},
    {"https://exam\"ple.org/", false, "INVALID"},
    {"https://example.org\\@evil", false, "INVALID"},
};

static void check(void **state)
{
    const struct row *r = *state;
    struct err err = ERR_INIT;

    assert_string_equal(err_name(webhook_check(STR("ci"), str_of(r->name), r->plain, &err)),
                        r->want);
}

static void a_name_and_a_length_are_bounded(void **state)
{
    AUTO_BUF url = BUF_INIT(WEBHOOK_URL_MAX_BYTES + 2);
    struct err err = ERR_INIT;

    (void)state;
    assert_string_equal(
        err_name(webhook_check(STR("a b"), STR("https://example.org"), false, &err)), "INVALID");
    buf_adds(&url, "https://example.org/");
    while (url.len < WEBHOOK_URL_MAX_BYTES)
        buf_addc(&url, 'a');
    assert_string_equal(err_name(webhook_check(STR("ci"), buf_str(&url), false, &err)), "OK");
    buf_addc(&url, 'a');
    assert_string_equal(err_name(webhook_check(STR("ci"), buf_str(&url), false, &err)), "INVALID");
}

static void keys_have_their_texts(void **state)
{
    static const char secret[] = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    AUTO_BUF v1 = BUF_INIT(WEBHOOK_KEY_TEXT_MAX_BYTES), v1a = BUF_INIT(WEBHOOK_KEY_TEXT_MAX_BYTES);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(webhook_key_shown(WEBHOOK_V1, str_of(secret), &v1, &err), ERR_OK);
    assert_string_equal(v1.p, secret);
    assert_int_equal(webhook_key_shown(WEBHOOK_V1A,
                                       STR("whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
                                       &v1a, &err),
                     ERR_OK);
    /* of OpenSSL, from the same seed */
    assert_string_equal(v1a.p, "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
}

static void no_two_keys_are_alike(void **state)
{
    (void)state;
    for (int s = 0; s < WEBHOOK_SCHEMES; s++) {
        uint8_t bytes[WEBHOOK_KEY_MAX_BYTES];
        struct err err = ERR_INIT;
        struct secret *one = NULL, *other = NULL;
        size_t n = 0;

        assert_int_equal(webhook_key_new((enum webhook_scheme)s, &one, &err), ERR_OK);
        assert_int_equal(webhook_key_new((enum webhook_scheme)s, &other, &err), ERR_OK);
        assert_false(str_eq(secret_value(one), secret_value(other)));
        assert_int_equal(
            webhook_key_bytes((enum webhook_scheme)s, secret_value(one), bytes, &n, &err), ERR_OK);
        assert_int_equal(n, WEBHOOK_KEY_BYTES);
        secret_free(one);
        secret_free(other);
    }
}

static void a_sealed_key_is_bound_to_its_endpoint(void **state)
{
    const struct webhook_key_of is = {STR("acme"), STR("ci"), WEBHOOK_V1};
    const struct webhook_key_of not[] = {{STR("other"), STR("ci"), WEBHOOK_V1},
                                         {STR("acme"), STR("cd"), WEBHOOK_V1},
                                         {STR("acme"), STR("ci"), WEBHOOK_V1A}};
    AUTO(sealed_release) struct sealed sealed = {0};
    struct keyring *keys = NULL;
    struct secret *k = NULL, *open = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(keyring_parse(STR("1111111111111111111111111111111111111111111111111111111111"
                                       "111111\n"),
                                   &keys, &err),
                     ERR_OK);
    assert_int_equal(webhook_key_new(WEBHOOK_V1, &k, &err), ERR_OK);
    assert_int_equal(webhook_key_seal(keys, &is, k, &sealed, &err), ERR_OK);
    for (size_t i = 0; i < COUNTOF(not); i++)
        assert_string_equal(err_name(webhook_key_open(keys, &not[i], &sealed, &open, &err)),
                            "INVALID");
    assert_string_equal(err_name(webhook_key_open(keys, &is, &sealed, &open, &err)), "OK");
    assert_true(str_eq(secret_value(open), secret_value(k)));
    secret_free(open);
    secret_free(k);
    keyring_free(keys);
}

static void schemes_and_states_are_known_by_name(void **state)
{
    enum webhook_scheme s = WEBHOOK_V1;

    (void)state;
    assert_true(webhook_scheme_parse(STR("v1a"), &s));
    assert_string_equal(webhook_scheme_name(s), "v1a");
    assert_false(webhook_scheme_parse(STR("v2"), &s));
    assert_true(webhook_state_ok(STR("timed_out")));
    assert_false(webhook_state_ok(STR("running")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_name_and_a_length_are_bounded),
                                       cmocka_unit_test(keys_have_their_texts),
                                       cmocka_unit_test(no_two_keys_are_alike),
                                       cmocka_unit_test(a_sealed_key_is_bound_to_its_endpoint),
                                       cmocka_unit_test(schemes_and_states_are_known_by_name)};

    return TABLE_RUN("webhook", rows, check) + cmocka_run_group_tests(tests, NULL, NULL);
}
