/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a sealed secret opens with its master key and for what it is about, and in no other way:
 * not changed by a bit, not cut, not in another row; wrapped with a new master key it is the same.
 * Proof: vectors made by another program (the draft's algorithm, written anew, and Python's
 * BLAKE2b); every bit of one turned; every part of what it is about changed. */
#include <string.h>

#include <sodium.h>

#include "common/secret/sealed.h"
#include "tests/lib/table.h"

#include "common/banned.h"

#define OLD "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define NEW "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct keyring *keys(const char *text)
{
    struct keyring *k = NULL;
    struct err err = ERR_INIT;

    assert_string_equal(err_name(keyring_parse(str_of(text), &k, &err)), "OK");
    return k;
}

/* --- vectors ------------------------------------------------------------------ */

static unsigned turn;

static const char *random_name(void)
{
    return "counted";
}

static uint32_t random_word(void)
{
    return 0;
}

/* The data key, then the two nonces. */
static void random_bytes(void *out, size_t n)
{
    static const uint8_t first[] = {100, 0, 50};

    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = (uint8_t)(first[turn % 3] + i);
    turn++;
}

static struct vector {
    const char *name, *about[4], *secret;
    const char *box; /* hex */
} vectors[] = {
    {"a token of a tenant",
     {"acme", "team-1", "oauth", ""},
     "sk-ant-oat01-0123456789",
     "32333435363738393a3b3c3d3e3f40414243444546474849eee1c6f332ad279af8b02db67a1a04b68d38d1b1c225"
     "de16b212f5fdc9f8e7d2785125da7a5559"},
    {"one byte",
     {"*", "gw", "gateway", "https://gw.example/v1"},
     "g",
     "32333435363738393a3b3c3d3e3f40414243444546474849fafc9e3dbabe609da577d8f5085daf3329"},
};
static const char *const wrapped[] = {
    "000102030405060708090a0b0c0d0e0f1011121314151617faa76918f8bbe7c55f2948a1bb23da9b3f325ed285af67"
    "90036741c9bd2c77da98b4cdd1a5b1c659264e4a7ce446f729",
    "000102030405060708090a0b0c0d0e0f1011121314151617faa76918f8bbe7c55f2948a1bb23da9b3f325ed285af67"
    "90036741c9bd2c77da3f6aa74eb598ebe899b2963dc201778b",
};

static void assert_hex(const void *p, size_t n, const char *want)
{
    char have[1024];

    assert_true(2 * n < sizeof(have));
    sodium_bin2hex(have, sizeof(have), p, n);
    assert_string_equal(have, want);
}

static void check_vector(void **state)
{
    static randombytes_implementation counted = {
        .implementation_name = random_name, .random = random_word, .buf = random_bytes};
    const struct vector *v = *state;
    struct str part[4];
    struct keyring *k = keys(OLD);
    struct secret *plain = NULL, *again = NULL;
    struct sealed s;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < 4; i++)
        part[i] = str_of(v->about[i]);
    struct sealed_about about = {part, 4};
    assert_int_equal(secret_new(str_of(v->secret), &plain, &err), ERR_OK);
    randombytes_set_implementation(&counted);
    turn = 0;
    assert_string_equal(err_name(sealed_close(k, about, plain, &s, &err)), "OK");
    randombytes_set_implementation(&randombytes_sysrandom_implementation);
    assert_string_equal(s.key_id, "c362e0878438069b");
    assert_hex(s.wrapped, sizeof(s.wrapped), wrapped[v - vectors]);
    assert_hex(s.box.p, s.box.len, v->box);
    assert_string_equal(err_name(sealed_open(k, about, &s, &again, &err)), "OK");
    assert_true(str_is(secret_value(again), v->secret));
    secret_free(plain);
    secret_free(again);
    sealed_release(&s);
    keyring_free(k);
}

/* --- what does not open ---------------------------------------------------------- */

static struct str row_part[] = {{"acme", 4}, {"team", 4}, {"oauth", 5}};
static const struct sealed_about row_about = {row_part, 3};

static void make(struct keyring *k, struct sealed *out)
{
    struct secret *plain = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(secret_new(STR("sk-ant-oat01-abcdef"), &plain, &err), ERR_OK);
    assert_int_equal(sealed_close(k, row_about, plain, out, &err), ERR_OK);
    secret_free(plain);
}

static const char *opened(struct keyring *k, struct sealed_about about, const struct sealed *s)
{
    struct secret *plain = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = sealed_open(k, about, s, &plain, &err);

    assert_true((rc == ERR_OK) == (plain != NULL));
    assert_true(rc == ERR_OK || err.msg[0]);
    secret_free(plain);
    return err_name(rc);
}

static void no_bit_may_differ(void **state)
{
    struct keyring *k = keys(OLD);
    struct sealed s;

    (void)state;
    make(k, &s);
    for (size_t i = 0; i < 8 * sizeof(s.wrapped); i++) {
        s.wrapped[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_string_equal(opened(k, row_about, &s), "INVALID");
        s.wrapped[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t i = 0; i < 8 * s.box.len; i++) {
        s.box.p[i / 8] = (char)(s.box.p[i / 8] ^ (1 << i % 8));
        assert_string_equal(opened(k, row_about, &s), "INVALID");
        s.box.p[i / 8] = (char)(s.box.p[i / 8] ^ (1 << i % 8));
    }
    assert_string_equal(opened(k, row_about, &s), "OK");
    for (size_t n = s.box.len; n-- > 0;) {
        s.box.len = n;
        assert_string_equal(opened(k, row_about, &s), "INVALID");
    }
    sealed_release(&s);
    keyring_free(k);
}

static struct elsewhere {
    const char *name;
    struct str part[4];
    size_t n;
} others[] = {
    {"another tenant", {{"acmf", 4}, {"team", 4}, {"oauth", 5}}, 3},
    {"another name", {{"acme", 4}, {"tean", 4}, {"oauth", 5}}, 3},
    {"another kind", {{"acme", 4}, {"team", 4}, {"api_key", 7}}, 3},
    {"a letter across a border", {{"acmet", 5}, {"eam", 3}, {"oauth", 5}}, 3},
    {"in another order", {{"team", 4}, {"acme", 4}, {"oauth", 5}}, 3},
    {"a part more", {{"acme", 4}, {"team", 4}, {"oauth", 5}, {"", 0}}, 4},
    {"a part less", {{"acme", 4}, {"team", 4}}, 2},
    {"nothing", {{0}}, 0},
};

static void it_opens_nowhere_else(void **state)
{
    struct keyring *k = keys(OLD);
    struct sealed s;
    struct err err = ERR_INIT;

    (void)state;
    make(k, &s);
    for (size_t i = 0; i < COUNTOF(others); i++) {
        struct sealed_about about = {others[i].part, others[i].n};
        struct sealed before = s;

        assert_string_equal(opened(k, about, &s), "INVALID");
        assert_string_equal(err_name(sealed_rewrap(k, about, &s, &err)), "INVALID");
        assert_memory_equal(&before, &s, sizeof(s));
    }
    sealed_release(&s);
    keyring_free(k);
}

/* --- keys ------------------------------------------------------------------------- */

static void a_new_master_key_comes_in_beside_the_old(void **state)
{
    struct keyring *old = keys(OLD), *both = keys(NEW "\n" OLD), *new = keys(NEW);
    struct sealed s;
    struct err err = ERR_INIT;

    (void)state;
    make(old, &s);
    assert_string_equal(opened(both, row_about, &s), "OK");
    assert_string_equal(opened(new, row_about, &s), "NOT_FOUND");
    assert_string_equal(err_name(sealed_rewrap(new, row_about, &s, &err)), "NOT_FOUND");
    struct buf box = s.box;
    assert_string_equal(err_name(sealed_rewrap(both, row_about, &s, &err)), "OK");
    assert_ptr_equal(box.p, s.box.p);
    assert_string_equal(s.key_id, keyring_id(new, 0));
    assert_string_equal(opened(new, row_about, &s), "OK");
    assert_string_equal(opened(both, row_about, &s), "OK");
    assert_string_equal(opened(old, row_about, &s), "NOT_FOUND");
    /* a key's id is bound, too */
    memcpy(s.key_id, keyring_id(old, 0), sizeof(s.key_id));
    assert_string_equal(opened(both, row_about, &s), "INVALID");
    sealed_release(&s);
    keyring_free(old);
    keyring_free(both);
    keyring_free(new);
}

static void nothing_is_sealed_without_a_key(void **state)
{
    struct secret *plain = NULL;
    struct sealed s;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(secret_new(STR("secret"), &plain, &err), ERR_OK);
    assert_string_equal(err_name(sealed_close(NULL, row_about, plain, &s, &err)), "CONFIG");
    assert_null(s.box.p);
    secret_free(plain);
}

static void no_two_are_alike(void **state)
{
    struct keyring *k = keys(OLD);
    struct sealed a, b;

    (void)state;
    make(k, &a);
    make(k, &b);
    assert_memory_not_equal(a.wrapped, b.wrapped, sizeof(a.wrapped));
    assert_memory_not_equal(a.box.p, b.box.p, a.box.len);
    sealed_release(&a);
    sealed_release(&b);
    keyring_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bit_may_differ),
        cmocka_unit_test(it_opens_nowhere_else),
        cmocka_unit_test(a_new_master_key_comes_in_beside_the_old),
        cmocka_unit_test(nothing_is_sealed_without_a_key),
        cmocka_unit_test(no_two_are_alike),
    };

    return TABLE_RUN("sealed: vectors", vectors, check_vector) +
           cmocka_run_group_tests_name("sealed", tests, NULL, NULL);
}
