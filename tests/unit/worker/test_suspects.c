/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: one look condemns nobody. Proof: what was seen before, and without a break, is told
 * with its age; the rest is new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/attrs.h"
#include "worker/sandbox/suspects.h"
#include "common/banned.h"

static int64_t look(struct suspects *s, int64_t now_ms, const char *kind, const char *name)
{
    int64_t age = 0;

    suspects_begin(s, now_ms);
    if (name)
        age = suspects_see(s, kind, name);
    suspects_end(s);
    return age;
}

static void age_counts_from_the_first_look_of_a_row(void **state)
{
    struct suspects s = {0};

    (void)state;
    assert_int_equal(look(&s, 1000, "orphan", "a"), 0);
    assert_int_equal(look(&s, 4000, "orphan", "a"), 3000);
    assert_int_equal(look(&s, 9000, "orphan", "a"), 8000);
    assert_int_equal(look(&s, 9500, "orphan", "b"), 0); /* a was not seen: it is forgotten */
    assert_int_equal(look(&s, 9900, "orphan", "a"), 0);
    suspects_release(&s);
}

static void kinds_are_apart(void **state)
{
    struct suspects s = {0};

    (void)state;
    look(&s, 1000, "orphan", "a");
    assert_int_equal(look(&s, 2000, "missing", "a"), 0);
    suspects_release(&s);
}

static void many_are_remembered(void **state)
{
    struct suspects s = {0};
    char name[] = "a0";

    (void)state;
    for (int64_t now = 1; now <= 2; now++) {
        suspects_begin(&s, now);
        for (char c = 'a'; c <= 'z'; c++) {
            name[0] = c;
            assert_int_equal(suspects_see(&s, "orphan", name), now - 1);
        }
        suspects_end(&s);
    }
    assert_int_equal(s.n, 26);
    suspects_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(age_counts_from_the_first_look_of_a_row),
                                       cmocka_unit_test(kinds_are_apart),
                                       cmocka_unit_test(many_are_remembered)};
    return cmocka_run_group_tests_name("suspects", tests, NULL, NULL);
}
