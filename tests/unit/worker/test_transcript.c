/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a transcript comes back as it was; what is stored shows nothing where there is a
 * key, and is taken for another session's, or for another transcript, by nobody. Two owners,
 * attempts, sessions or tenants never store under one key.
 * Proof: round trips, each byte of what is stored turned over, and a table of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "worker/session/transcript.h"

#define RUN_ID "0197a0b4-0000-7000-8000-000000000001"
#define TEXT   "{\"type\":\"user\",\"message\":\"sk-ant-canary and more\"}\n"

static struct secret *key_a, *key_b;

static struct buf text_of(const char *p)
{
    struct buf b = BUF_INIT(4096);

    buf_adds(&b, p);
    return b;
}

static struct buf closed(const struct secret *seal, const char *key,
                         char hash[TRANSCRIPT_HASH_TEXT])
{
    struct buf text = text_of(TEXT), out = BUF_INIT(0);
    struct err err = ERR_INIT;

    assert_int_equal(transcript_close(seal, key, &text, &out, hash, &err), ERR_OK);
    assert_int_equal(text.len, 0);
    return out;
}

/* The verdict's name; the text must be right when it is OK. */
static const char *opened(const struct secret *seal, const char *key, const char *hash,
                          struct buf *stored)
{
    AUTO_BUF out = BUF_INIT(0);
    struct err err = ERR_INIT;
    enum err_code rc = transcript_open(seal, key, hash, stored, &out, &err);

    if (rc == ERR_OK)
        assert_true(str_is(buf_str(&out), TEXT));
    else
        assert_int_equal(out.len, 0);
    buf_release(stored);
    return err_name(rc);
}

static void it_comes_back(void **state)
{
    const struct secret *seals[] = {NULL, key_a};
    char hash[TRANSCRIPT_HASH_TEXT];

    (void)state;
    for (size_t i = 0; i < COUNTOF(seals); i++) {
        struct buf stored = closed(seals[i], "k", hash);

        assert_true(stored.len <= sizeof(TEXT) + TRANSCRIPT_SEAL_BYTES);
        assert_int_equal(memmem(stored.p, stored.len, "canary", 6) != NULL, seals[i] == NULL);
        assert_string_equal(opened(seals[i], "k", hash, &stored), "OK");
    }
}

static void what_was_stored_unsealed_opens_with_a_key_too(void **state)
{
    char hash[TRANSCRIPT_HASH_TEXT];
    struct buf stored = closed(NULL, "k", hash);

    (void)state;
    assert_string_equal(opened(key_a, "k", hash, &stored), "OK");
}

static void it_opens_with_its_own_key_and_name_only(void **state)
{
    char hash[TRANSCRIPT_HASH_TEXT];
    struct buf stored;

    (void)state;
    stored = closed(key_a, "k", hash);
    assert_string_equal(opened(key_b, "k", hash, &stored), "CONFIG");
    stored = closed(key_a, "k", hash);
    assert_string_equal(opened(NULL, "k", hash, &stored), "CONFIG");
    stored = closed(key_a, "k", hash);
    assert_string_equal(opened(key_a, "l", hash, &stored), "CONFIG");
}

static void not_a_bit_of_it_may_change(void **state)
{
    const struct secret *seals[] = {NULL, key_a};
    char hash[TRANSCRIPT_HASH_TEXT];

    (void)state;
    for (size_t i = 0; i < COUNTOF(seals); i++) {
        size_t n = sizeof(TEXT) - 1;

        for (size_t at = 0; at < n; at++) {
            struct buf stored = closed(seals[i], "k", hash);

            n = stored.len;
            stored.p[at] = (char)(stored.p[at] ^ 1);
            assert_string_equal(opened(seals[i], "k", hash, &stored), "INVALID");
        }
    }
}

/* The ledger vouches for it by its hash; that it is cut short is another matter. */
static void a_sealed_one_cut_short_is_refused(void **state)
{
    char hash[TRANSCRIPT_HASH_TEXT], again[TRANSCRIPT_HASH_TEXT];
    struct err err = ERR_INIT;

    (void)state;
    for (size_t cut = 1; cut < 40; cut++) {
        struct buf stored = closed(key_a, "k", hash), copy = BUF_INIT(0);
        stored.len -= sizeof(TEXT) - 1 + cut;
        assert_int_equal(transcript_close(NULL, "k", &stored, &copy, again, &err), ERR_OK);
        assert_string_equal(opened(key_a, "k", again, &copy), "INVALID");
    }
}

static void names_never_meet(void **state)
{
    static const struct transcript_name names[] = {
        {"t", "s", RUN_ID, 1, 1},  {"t", "s", RUN_ID, 1, 2}, {"t", "s", RUN_ID, 2, 1},
        {"t", "ss", RUN_ID, 1, 1}, {"u", "s", RUN_ID, 1, 1}, {"ts", "", RUN_ID, 1, 1},
        {"", "ts", RUN_ID, 1, 1},  {"t", "s", RUN_ID, 11, 1}};
    char keys[COUNTOF(names)][STORE_KEY_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNTOF(names); i++) {
        transcript_key(&names[i], keys[i]);
        assert_true(store_key_ok(keys[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
    }
}

static void names_tell_nothing(void **state)
{
    struct transcript_name n = {"acme/../corp", "customer 12", RUN_ID, 3, 4};
    char key[STORE_KEY_MAX + 1];

    (void)state;
    transcript_key(&n, key);
    assert_true(store_key_ok(key));
    assert_null(strstr(key, "acme"));
    assert_null(strstr(key, "customer"));
    assert_non_null(strstr(key, "/" RUN_ID ".3.4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_back),
        cmocka_unit_test(what_was_stored_unsealed_opens_with_a_key_too),
        cmocka_unit_test(it_opens_with_its_own_key_and_name_only),
        cmocka_unit_test(not_a_bit_of_it_may_change),
        cmocka_unit_test(a_sealed_one_cut_short_is_refused),
        cmocka_unit_test(names_never_meet),
        cmocka_unit_test(names_tell_nothing),
    };
    struct err err = ERR_INIT;
    int failed;

    if (secret_init(&err) != ERR_OK ||
        secret_new(STR("0123456789abcdef0123456789abcdef"), &key_a, &err) != ERR_OK ||
        secret_new(STR("another key of thirty-two letters"), &key_b, &err) != ERR_OK)
        return 1;
    failed = cmocka_run_group_tests_name("transcript", tests, NULL, NULL);
    secret_free(key_a);
    secret_free(key_b);
    return failed;
}
