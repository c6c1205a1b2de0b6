/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a sandbox that clients see can always come back to RUNNING, whatever it is doing, and
 * nothing leads back to STARTING.
 * Proof: every cell of the table, and the shortest ways through it. */
#include <stdbool.h>

#include "sandboxd/control/life_state.h"
#include "tests/lib/table.h"

static struct row {
    const char *name;
    enum life_state from;
    enum life_event event;
    enum life_state to;
} rows[] = {
    {"ready", LIFE_STARTING, EV_READY, LIFE_RUNNING},
    {"pause", LIFE_RUNNING, EV_PAUSE, LIFE_PAUSING},
    {"paused", LIFE_PAUSING, EV_DONE, LIFE_PAUSED},
    {"not paused", LIFE_PAUSING, EV_FAILED, LIFE_RUNNING},
    {"resume", LIFE_PAUSED, EV_RESUME, LIFE_RESUMING},
    {"resumed", LIFE_RESUMING, EV_DONE, LIFE_RUNNING},
    {"not resumed", LIFE_RESUMING, EV_FAILED, LIFE_PAUSED},
    {"save", LIFE_RUNNING, EV_SAVE, LIFE_SAVING},
    {"saved", LIFE_SAVING, EV_DONE, LIFE_RUNNING},
    {"pause twice", LIFE_PAUSED, EV_PAUSE, LIFE_NONE},
    {"pause while saving", LIFE_SAVING, EV_PAUSE, LIFE_NONE},
    {"resume while running", LIFE_RUNNING, EV_RESUME, LIFE_NONE},
    {"save while paused", LIFE_PAUSED, EV_SAVE, LIFE_NONE},
    {"ready twice", LIFE_RUNNING, EV_READY, LIFE_NONE},
};

static void check(void **state)
{
    const struct row *r = *state;

    assert_string_equal(life_state_name(life_next(r->from, r->event)), life_state_name(r->to));
}

static bool reaches(enum life_state from, enum life_state to, int steps)
{
    if (from == to)
        return true;
    for (int e = 0; e < LIFE_EVENTS && steps > 0; e++) {
        enum life_state next = life_next(from, (enum life_event)e);

        if (next != LIFE_NONE && reaches(next, to, steps - 1))
            return true;
    }
    return false;
}

static void every_cell(void **state)
{
    (void)state;
    for (int s = LIFE_NONE + 1; s < LIFE_STATES; s++) {
        assert_true(reaches((enum life_state)s, LIFE_RUNNING, LIFE_STATES));
        for (int e = 0; e < LIFE_EVENTS; e++) {
            assert_int_not_equal(life_next((enum life_state)s, (enum life_event)e), LIFE_STARTING);
            assert_int_not_equal(life_event_name((enum life_event)e)[0], '\0');
        }
    }
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(every_cell)};
    int failed = TABLE_RUN("life_state table", rows, check);

    return failed + cmocka_run_group_tests_name("life_state", more, NULL, NULL);
}
