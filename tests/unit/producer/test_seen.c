/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: no name is forgotten while the table grows, and a million of them take at most 26 MB.
 * Proof: a million names put in, each found again, with the same and with other work. */
#include <stdio.h>
#include <string.h>

#include "producer/batch/seen.h"
#include "tests/lib/table.h"

enum { NAMES = 1000000 };

static enum sight sight_of(struct seen *s, int i, uint64_t work)
{
    struct err err = ERR_INIT;
    enum sight sight;
    char name[32];
    int n = snprintf(name, sizeof name, "item-%d", i);

    assert_int_equal(seen_name(s, seen_key((struct str){name, (size_t)n}), work, &sight, &err),
                     ERR_OK);
    return sight;
}

static void a_million(void **state)
{
    struct seen *s = seen_new();

    (void)state;
    for (int i = 0; i < NAMES; i++)
        if (sight_of(s, i, (uint64_t)i) != SEEN_NEW)
            fail_msg("%d was there", i);
    for (int i = 0; i < NAMES; i += 7)
        if (sight_of(s, i, (uint64_t)i) != SEEN_SAME || sight_of(s, i, 7) != SEEN_OTHER)
            assert_int_equal(i, 7);
    assert_true(seen_bytes(s) < 26 << 20);
    seen_free(s);
}

static void times(void **state)
{
    struct seen *s = seen_new();
    struct err err = ERR_INIT;
    uint64_t n;

    (void)state;
    for (uint64_t i = 1; i < 1000; i++)
        for (uint64_t work = 0; work < 100; work++) {
            assert_int_equal(seen_times(s, work, &n, &err), ERR_OK);
            assert_int_equal(n, i);
        }
    seen_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_million), cmocka_unit_test(times)};

    return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}
