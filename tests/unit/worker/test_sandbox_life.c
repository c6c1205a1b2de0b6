/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a sandbox always has one owner, each of them has an end, and what one tenant had no
 * other one gets. Proof: the whole table is walked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/attrs.h"
#include "worker/sandbox/sandbox_life.h"
#include "common/banned.h"

static struct row {
    const char *name;
    enum sandbox_life from;
    enum sandbox_event on;
    const char *to;
} rows[] = {
    {"the pool's is ready when it is made", LIFE_CREATING, LIFE_EV_WARMED, "ready"},
    {"a run's is busy when it is made", LIFE_CREATING, LIFE_EV_TAKEN, "busy"},
    {"what could not be made may still be there", LIFE_CREATING, LIFE_EV_RELEASED, "dead"},
    {"a warm one is taken", LIFE_READY, LIFE_EV_TAKEN, "busy"},
    {"a take-over changes nothing", LIFE_BUSY, LIFE_EV_TAKEN, "busy"},
    {"it stays for its session", LIFE_BUSY, LIFE_EV_KEPT, "parked"},
    {"or is paused for it", LIFE_BUSY, LIFE_EV_FROZEN, "paused"},
    {"a follow-up has it back", LIFE_PARKED, LIFE_EV_TAKEN, "busy"},
    {"also from a pause", LIFE_PAUSED, LIFE_EV_TAKEN, "busy"},
    {"what works is not evicted", LIFE_BUSY, LIFE_EV_EVICTED, ""},
    {"what is paused takes no room", LIFE_PAUSED, LIFE_EV_EVICTED, ""},
    {"a run finds out by itself that its sandbox is gone", LIFE_BUSY, LIFE_EV_MISSED, "lost"},
    {"the dead stay dead", LIFE_DEAD, LIFE_EV_TAKEN, ""},
    {"only a confirmed end removes the row", LIFE_DEAD, LIFE_EV_FREED, ""},
};

static void check(void **state)
{
    const struct row *row = *state;
    assert_string_equal(sandbox_life_name(sandbox_life_next(row->from, row->on)), row->to);
}

static enum sandbox_life next(int s, int e)
{
    return sandbox_life_next((enum sandbox_life)s, (enum sandbox_event)e);
}

/* Marks what can be reached from s. */
static void spread(int s, bool seen[SANDBOX_LIVES])
{
    if (s == LIFE_NONE || seen[s])
        return;
    seen[s] = true;
    for (int e = 0; e < SANDBOX_EVENTS; e++)
        spread((int)next(s, e), seen);
}

static void every_life_can_end_and_none_begins_anew(void **state)
{
    (void)state;
    for (int s = LIFE_CREATING; s < LIFE_GONE; s++) {
        bool seen[SANDBOX_LIVES] = {false};
        spread(s, seen);
        assert_true(seen[LIFE_GONE]);
        for (int e = 0; e < SANDBOX_EVENTS; e++)
            assert_int_not_equal(next(s, e), LIFE_CREATING);
    }
    for (int e = 0; e < SANDBOX_EVENTS; e++)
        assert_int_equal(next(LIFE_GONE, e), LIFE_NONE);
}

static void what_was_busy_is_never_ready_again(void **state)
{
    bool seen[SANDBOX_LIVES] = {false};
    (void)state;
    spread(LIFE_BUSY, seen);
    assert_false(seen[LIFE_READY]);
    assert_true(seen[LIFE_PARKED] && seen[LIFE_PAUSED] && seen[LIFE_LOST]);
}

/* Its row goes only when the service said so. */
static void nothing_but_the_dead_is_removed(void **state)
{
    (void)state;
    for (int s = LIFE_CREATING; s < SANDBOX_LIVES; s++)
        for (int e = 0; e < SANDBOX_EVENTS; e++)
            if (next(s, e) == LIFE_GONE)
                assert_true(s == LIFE_DEAD && e == LIFE_EV_FREED);
}

/* A run is not robbed by those who clear away. */
static void what_a_run_has_is_its(void **state)
{
    const int others[] = {LIFE_EV_EVICTED, LIFE_EV_EXPIRED, LIFE_EV_WARMED, LIFE_EV_FREED};
    (void)state;
    for (size_t i = 0; i < COUNTOF(others); i++) {
        assert_int_equal(next(LIFE_BUSY, others[i]), LIFE_NONE);
        assert_int_equal(next(LIFE_LOST, others[i]), LIFE_NONE);
    }
}

static void names_come_back(void **state)
{
    (void)state;
    for (int s = LIFE_CREATING; s < LIFE_GONE; s++)
        assert_int_equal(sandbox_life_parse(sandbox_life_name((enum sandbox_life)s)), s);
    assert_int_equal(sandbox_life_parse(""), LIFE_NONE);
    assert_int_equal(sandbox_life_parse(NULL), LIFE_NONE);
    assert_int_equal(sandbox_life_parse("asleep"), LIFE_NONE);
    for (int e = 0; e < SANDBOX_EVENTS; e++)
        assert_true(strlen(sandbox_event_name((enum sandbox_event)e)) > 1);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows)];
    const struct CMUnitTest walks[] = {cmocka_unit_test(every_life_can_end_and_none_begins_anew),
                                       cmocka_unit_test(what_was_busy_is_never_ready_again),
                                       cmocka_unit_test(nothing_but_the_dead_is_removed),
                                       cmocka_unit_test(what_a_run_has_is_its),
                                       cmocka_unit_test(names_come_back)};

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("sandbox_life", tests, NULL, NULL) +
           cmocka_run_group_tests_name("sandbox_life walks", walks, NULL, NULL);
}
