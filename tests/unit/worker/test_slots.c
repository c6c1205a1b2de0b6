/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: interactive runs get most of the free slots, batch never starves, and batch never
 * has all of them. Proof: a table of shares, and a fleet of one slot that both lanes want. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/attrs.h"
#include "worker/fleet/slots.h"
#include "common/banned.h"

static struct row {
    const char *name;
    struct slots slots;
    int64_t waiting[LANES];
    int64_t want[LANES];
} rows[] = {
    {"nothing waits", {.total = 50}, {0, 0}, {0, 0}},
    {"one lane alone takes what it needs", {.total = 50}, {7, 0}, {7, 0}},
    {"interactive alone may have all", {.total = 50}, {99, 0}, {50, 0}},
    {"batch alone leaves a tenth", {.total = 50}, {0, 99}, {0, 45}},
    {"a small fleet has no reserve", {.total = 4}, {0, 99}, {0, 4}},
    {"four of five for interactive", {.total = 50}, {99, 99}, {40, 10}},
    {"what interactive leaves is batch's", {.total = 50}, {10, 99}, {10, 40}},
    {"what batch leaves is interactive's", {.total = 50}, {99, 3}, {47, 3}},
    {"running ones count", {.total = 50, .running = {30, 15}}, {99, 99}, {4, 1}},
    {"a full worker takes nothing", {.total = 2, .running = {1, 1}}, {9, 9}, {0, 0}},
    {"more running than slots", {.total = 1, .running = {2, 2}}, {9, 9}, {0, 0}},
    {"batch at its limit", {.total = 50, .running = {0, 45}}, {0, 9}, {0, 0}},
};

static void check(void **state)
{
    struct row *row = *state;
    int64_t take[LANES] = {-1, -1};

    slots_share(&row->slots, row->waiting, take);
    assert_int_equal(take[LANE_INTERACTIVE], row->want[LANE_INTERACTIVE]);
    assert_int_equal(take[LANE_BATCH], row->want[LANE_BATCH]);
}

static void one_slot_serves_both(void **state)
{
    struct slots s = {.total = 1};
    const int64_t waiting[LANES] = {1000, 1000};
    int64_t got[LANES] = {0, 0}, take[LANES];

    (void)state;
    for (int i = 0; i < 100; i++) { /* each run ends before the next share */
        slots_share(&s, waiting, take);
        got[LANE_INTERACTIVE] += take[LANE_INTERACTIVE];
        got[LANE_BATCH] += take[LANE_BATCH];
    }
    assert_int_equal(got[LANE_INTERACTIVE], 80);
    assert_int_equal(got[LANE_BATCH], 20);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 1];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    tests[COUNTOF(rows)] = (struct CMUnitTest)cmocka_unit_test(one_slot_serves_both);
    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
