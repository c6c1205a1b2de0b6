/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a sandbox service that is away is asked rarely, by one at a time, and is used again
 * by all as soon as it answered. Proof: scripts of calls' ends, each with what the breaker then
 * says, on a clock that the script moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/attrs.h"
#include "worker/e2b/breaker.h"
#include "common/banned.h"

/* b bad, g good, > until it may be tried, < a millisecond before that. Behind each step
 * c closed, o open, h half open: so stands in `says`. */
static struct row {
    const char *name, *script, *says;
} rows[] = {
    {"some failures are nothing", "bbbb", "cccc"},
    {"in a row only", "bbbbgbbbb", "ccccccccc"},
    {"five open it", "bbbbb", "cccco"},
    {"nobody calls until its time", "bbbbb<", "ccccoo"},
    {"then it is half open", "bbbbb>", "ccccoh"},
    {"a good one closes it", "bbbbb>g", "ccccohc"},
    {"a bad one opens it again", "bbbbb>b", "ccccoho"},
    {"what was under way changes nothing", "bbbbbbbb>", "ccccooooh"},
    {"what was under way and is good closes it", "bbbbbg", "ccccoc"},
    {"closed, it has forgotten", "bbbbb>gbbbb", "ccccohccccc"},
};

static char letter(const struct breaker *b, int64_t now)
{
    return "coh"[breaker_state(b, now)];
}

static void script(void **state)
{
    const struct row *row = *state;
    struct breaker b = {0};
    int64_t now = 1000;

    for (size_t i = 0; row->script[i]; i++) {
        if (row->script[i] == 'b')
            breaker_bad(&b, now, 0);
        else if (row->script[i] == 'g')
            breaker_good(&b);
        else
            now = b.open_until_ms - (row->script[i] == '<');
        if (letter(&b, now) != row->says[i])
            fail_msg("step %d: %c, not %c", (int)i, letter(&b, now), row->says[i]);
    }
}

static void one_at_a_time(void **state)
{
    struct breaker b = {0};

    (void)state;
    assert_true(breaker_room(&b, 0, 1000) > 1000);
    for (int i = 0; i < BREAKER_FAILURES; i++)
        assert_int_equal(breaker_bad(&b, 1000, 0), i == BREAKER_FAILURES - 1);
    assert_int_equal(breaker_room(&b, b.open_until_ms - 1, 0), 0);
    assert_int_equal(breaker_room(&b, b.open_until_ms, 0), 1);
    assert_int_equal(breaker_room(&b, b.open_until_ms, 1), 0);
    assert_true(breaker_good(&b));
    assert_false(breaker_good(&b));
}

static void it_stays_open_for_longer_but_not_for_ever(void **state)
{
    static const int64_t least[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    struct breaker b = {.failures = BREAKER_FAILURES - 1};
    int64_t now = 5;

    (void)state;
    for (size_t i = 0; i < COUNTOF(least); i++) {
        struct breaker other = b;

        assert_true(breaker_bad(&b, now, 0));
        assert_true(breaker_bad(&other, now, UINT32_MAX));
        assert_int_equal(b.open_until_ms - now, least[i] + 1);
        assert_int_equal(other.open_until_ms - now, 2 * least[i]);
        now = b.open_until_ms;
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 2];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = script, .initial_state = &rows[i]};
    tests[COUNTOF(rows)] = (struct CMUnitTest)cmocka_unit_test(one_at_a_time);
    tests[COUNTOF(rows) + 1] =
        (struct CMUnitTest)cmocka_unit_test(it_stays_open_for_longer_but_not_for_ever);
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
