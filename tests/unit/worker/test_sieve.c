/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: no known secret gets through, wherever the bytes are cut; all else comes out as it went
 * in. Proof: a text with secrets at both ends, in the middle and one over the other, in pieces of
 * every size. */
#include <string.h>

#include "tests/lib/table.h"
#include "worker/artifact/sieve.h"
#include "common/banned.h"

#define SHORT "tok-12345678"
#define LONG  "tok-12345678-and-a-lot-more-of-it"
#define TEXT  SHORT " plain " LONG "\n" LONG LONG " tok-1234567 " SHORT
#define WANT                                                                                       \
    "************ plain *********************************\n"                                       \
    "****************************************************************** tok-1234567 ************"

static void no_cut_lets_one_through(void **state)
{
    struct secret *secrets[3] = {NULL};
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(secret_new(STR(SHORT), &secrets[0], &e), ERR_OK);
    assert_int_equal(secret_new(STR(LONG), &secrets[2], &e), ERR_OK);
    for (size_t bite = 1; bite <= sizeof(TEXT); bite++) {
        struct str rest = STR(TEXT);
        AUTO_BUF out = BUF_INIT(1024);
        struct sieve s;

        sieve_init(&s, secrets, COUNTOF(secrets));
        while (rest.n > 0) {
            size_t n = rest.n < bite ? rest.n : bite;

            assert_int_equal(sieve_feed(&s, (struct str){rest.p, n}, &out), ERR_OK);
            rest = (struct str){rest.p + n, rest.n - n};
        }
        assert_true(s.any);
        assert_int_equal(sieve_end(&s, &out), ERR_OK);
        assert_int_equal(s.stretches, 4);
        assert_string_equal(out.p, WANT);
        sieve_release(&s);
    }
    for (size_t i = 0; i < COUNTOF(secrets); i++)
        secret_free(secrets[i]);
}

static void without_secrets_nothing_is_kept_back(void **state)
{
    AUTO_BUF out = BUF_INIT(1024);
    struct sieve s;

    (void)state;
    sieve_init(&s, NULL, 0);
    assert_int_equal(sieve_feed(&s, STR("abc"), &out), ERR_OK);
    assert_string_equal(out.p, "abc");
    sieve_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_cut_lets_one_through),
                                       cmocka_unit_test(without_secrets_nothing_is_kept_back)};
    struct err e;

    return secret_init(&e) != ERR_OK || cmocka_run_group_tests_name("sieve", tests, NULL, NULL);
}
