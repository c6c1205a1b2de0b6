/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a worker whose broker is away, or too slow for all its runs together, reads no
 * more of their outputs, and goes on once the broker keeps up. Proof: histories with a clock
 * the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/publish/flow.h"
#include "common/banned.h"

static void silence_blocks_and_one_word_ends_it(void **state)
{
    struct flow f = {0};

    (void)state;
    assert_false(flow_look(&f, 1000000)); /* nothing is waited for, however long */
    flow_sent(&f, 100, 1000000);
    flow_sent(&f, 100, 1004000); /* more of the same silence */
    assert_false(flow_look(&f, 1004999));
    assert_true(flow_look(&f, 1005000));
    assert_true(f.blocked);
    assert_false(flow_look(&f, 1009000));
    flow_acked(&f, 100, 1010000);
    assert_true(flow_look(&f, 1010000));
    assert_false(f.blocked);
    assert_true(flow_look(&f, 1015000)); /* the rest of it is still waited for */
    flow_acked(&f, 100, 1016000);
    assert_true(flow_look(&f, 1016000));
    assert_false(flow_look(&f, 2000000));
    flow_sent(&f, 1, 2000000); /* a long rest is no silence */
    assert_false(flow_look(&f, 2000001));
}

static void the_budget_is_all_runs_together(void **state)
{
    struct flow f = {0};

    (void)state;
    for (int run = 0; run < 32; run++) /* each far below what one may hold */
        flow_sent(&f, 1 << 20, 10);
    assert_false(flow_look(&f, 10));
    flow_sent(&f, 1, 10);
    assert_true(flow_look(&f, 10));
    assert_true(f.blocked);
    flow_acked(&f, 20 << 20, 20);
    assert_false(flow_look(&f, 20)); /* not in small steps around the limit */
    flow_acked(&f, 4 << 20, 30);
    assert_false(flow_look(&f, 30));
    flow_acked(&f, 1, 40);
    assert_true(flow_look(&f, 40));
    assert_false(f.blocked);
    assert_int_equal(f.unacked, 8 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(silence_blocks_and_one_word_ends_it),
                                       cmocka_unit_test(the_budget_is_all_runs_together)};
    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
