/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a key may ask `burst` times at once and `per_second` times a second for ever, and who is
 * refused is told when to come again: then it may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/auth/bucket.h"
#include "common/banned.h"

enum { START_MS = 86400000 };

static int64_t taken(struct bucket *b, int64_t now_ms, int64_t per_second, int64_t burst, int tries)
{
    int64_t n = 0, wait_s;

    for (int i = 0; i < tries; i++)
        n += bucket_take(b, now_ms, per_second, burst, &wait_s);
    return n;
}

static void a_burst_and_no_more(void **state)
{
    struct bucket b = {0};

    (void)state;
    assert_int_equal(taken(&b, START_MS, 10, 25, 100), 25);
    assert_int_equal(taken(&b, START_MS + 100, 10, 25, 100), 1);
    assert_int_equal(taken(&b, START_MS + 1100, 10, 25, 100), 10);
    assert_int_equal(taken(&b, START_MS + 3600000, 10, 25, 100), 25);
}

static void a_rate_for_ever(void **state)
{
    struct bucket b = {0};
    int64_t n = 0;

    (void)state;
    for (int64_t ms = 0; ms < 60000; ms++)
        n += taken(&b, START_MS + ms, 200, 1, 3);
    assert_in_range(n, 11999, 12001);
}

static void refused_and_told_when(void **state)
{
    struct bucket b = {0};
    int64_t wait_s = 0;

    (void)state;
    assert_int_equal(taken(&b, START_MS, 1, 3, 3), 3);
    assert_false(bucket_take(&b, START_MS, 1, 3, &wait_s));
    assert_int_equal(wait_s, 1);
    assert_false(bucket_take(&b, START_MS + 1, 1, 3, &wait_s));
    assert_int_equal(wait_s, 1);
    assert_true(bucket_take(&b, START_MS + 1000, 1, 3, &wait_s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_burst_and_no_more),
                                       cmocka_unit_test(a_rate_for_ever),
                                       cmocka_unit_test(refused_and_told_when)};

    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
