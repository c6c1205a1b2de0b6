/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: signatures are those of Standard Webhooks: any receiver's library accepts them.
 * Proof: the published example of v1; for v1a, which has none, what OpenSSL made of the same
 * message with a known seed. */
#include <string.h>

#include "tests/lib/table.h"
#include "webhook/sign.h"

#define ID    "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define BODY  "{\"test\": 2432232314}"
#define KEY   "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SEED  "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define BY_V1 "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define BY_V1A                                                                                     \
    "v1a,yoUrgEkc12aGqm0n4Sydmdz55xJfTz4AsAgieHFjmkR7LJtqVCZOQYzvvHjI5kAey+r4iaBGxTFRrl2iBQxtDQ=="

static const struct sign_message message = {ID, 1614265330, {BODY, sizeof(BODY) - 1}};

static struct row {
    const char *name, *key;
    enum webhook_scheme scheme;
    const char *want;
} rows[] = {
    {"the published example of v1", KEY, WEBHOOK_V1, BY_V1},
    {"v1a as OpenSSL signs it", SEED, WEBHOOK_V1A, BY_V1A},
};

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_BUF out = BUF_INIT(256);
    struct err err = ERR_INIT;

    assert_string_equal(err_name(sign_add(&message, r->scheme, str_of(r->key), &out, &err)), "OK");
    assert_string_equal(out.p, r->want);
}

static void several_keys_stand_side_by_side(void **state)
{
    AUTO_BUF out = BUF_INIT(256);
    struct err err = ERR_INIT;

    (void)state;
    assert_string_equal(err_name(sign_add(&message, WEBHOOK_V1, STR(KEY), &out, &err)), "OK");
    assert_string_equal(err_name(sign_add(&message, WEBHOOK_V1A, STR(SEED), &out, &err)), "OK");
    assert_string_equal(out.p, BY_V1 " " BY_V1A);
}

static void all_that_is_signed_counts(void **state)
{
    static const struct sign_message others[] = {{ID "x", 1614265330, {BODY, sizeof(BODY) - 1}},
                                                 {ID, 1614265331, {BODY, sizeof(BODY) - 1}},
                                                 {ID, 1614265330, {BODY, sizeof(BODY) - 2}}};

    (void)state;
    for (size_t i = 0; i < COUNTOF(others); i++) {
        AUTO_BUF out = BUF_INIT(256);
        struct err err = ERR_INIT;

        assert_string_equal(err_name(sign_add(&others[i], WEBHOOK_V1, STR(KEY), &out, &err)), "OK");
        assert_string_not_equal(out.p, BY_V1);
    }
}

static void no_key_signs_nothing(void **state)
{
    static const struct {
        enum webhook_scheme scheme;
        const char *key;
    } bad[] = {
        {WEBHOOK_V1, ""},
        {WEBHOOK_V1, "whsec_"},
        {WEBHOOK_V1, SEED},
        {WEBHOOK_V1, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"},  /* no whole byte */
        {WEBHOOK_V1, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ=="}, /* 22 bytes */
        {WEBHOOK_V1, KEY " "},
        {WEBHOOK_V1A, "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, /* 24 bytes */
        {WEBHOOK_V1A, KEY},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        AUTO_BUF out = BUF_INIT(256);
        struct err err = ERR_INIT;

        assert_string_equal(
            err_name(sign_add(&message, bad[i].scheme, str_of(bad[i].key), &out, &err)), "INVALID");
        assert_int_equal(out.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(several_keys_stand_side_by_side),
                                       cmocka_unit_test(all_that_is_signed_counts),
                                       cmocka_unit_test(no_key_signs_nothing)};

    return TABLE_RUN("sign", rows, check) + cmocka_run_group_tests(tests, NULL, NULL);
}
