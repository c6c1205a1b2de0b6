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

static void feed(struct sieve *s, struct str text, size_t bite, struct buf *out)
{
    while (text.n > 0) {
        size_t n = text.n < bite ? text.n : bite;

        assert_int_equal(sieve_feed(s, (struct str){text.p, n}, out), ERR_OK);
        text = (struct str){text.p + n, text.n - n};
    }
}

static struct redactor *r;

static void no_cut_lets_one_through(void **state)
{
    (void)state;
    for (size_t bite = 1; bite <= sizeof(TEXT); bite++) {
        AUTO_BUF out = BUF_INIT(1024);
        struct sieve s;

        sieve_init(&s, r, 0);
        feed(&s, STR(TEXT), bite, &out);
        assert_true(s.any);
        assert_int_equal(sieve_end(&s, &out), ERR_OK);
        assert_int_equal(s.stretches, 4);
        assert_string_equal(out.p, WANT);
        sieve_release(&s);
    }
}

/* Longer than the window, so that most of it is given out before the end. */
static void what_looks_like_a_key_is_found_too(void **state)
{
    size_t n = 5 * redactor_longest(r);
    char *text = malloc(n);

    (void)state;
    assert_non_null(text);
    for (size_t bite = 1000; bite < 1020; bite++) {
        AUTO_BUF out = BUF_INIT(n + 1);
        struct sieve s;

        memset(text, 'a', n);
        for (size_t at = 17; at + 20 < n; at += 3001)
            memcpy(text + at, "AKIAABCDEFGHIJ234567", 20);
        sieve_init(&s, r, 0);
        feed(&s, (struct str){text, n}, bite, &out);
        assert_true(out.len > 0);
        assert_int_equal(sieve_end(&s, &out), ERR_OK);
        assert_int_equal(out.len, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(out.p[i], text[i] == 'a' ? 'a' : '*');
        sieve_release(&s);
        buf_clear(&out);
        sieve_init(&s, r, REDACT_KNOWN);
        feed(&s, (struct str){text, n}, bite, &out);
        assert_false(s.any);
        sieve_release(&s);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_cut_lets_one_through),
                                       cmocka_unit_test(what_looks_like_a_key_is_found_too)};
    struct err e;

    if (redactor_new(&r, &e) != ERR_OK || redactor_know(r, STR(SHORT), &e) != ERR_OK ||
        redactor_know(r, STR(LONG), &e) != ERR_OK)
        return 1;
    int failed = cmocka_run_group_tests_name("sieve", tests, NULL, NULL);
    redactor_free(r);
    return failed;
}
