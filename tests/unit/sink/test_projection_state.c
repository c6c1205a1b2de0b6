/* SPDX-License-Identifier: Apache-2.0 */
/* The moves of a run's state: every cell walked. An end is final; from everywhere
 * there is a way to one; cancelling is left for an end only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sink/projection.h"

#include "common/banned.h"

static const struct row {
    enum run_state from;
    enum event_type event;
    enum run_state to;
} rows[] = {
    {RUN_STATE_QUEUED, EVENT_RUN_HELD, RUN_STATE_HELD},
    {RUN_STATE_HELD, EVENT_RUN_HELD, RUN_STATE_HELD},
    {RUN_STATE_QUEUED, EVENT_ATTEMPT_STARTING, RUN_STATE_STARTING},
    {RUN_STATE_HELD, EVENT_ATTEMPT_STARTING, RUN_STATE_STARTING},
    {RUN_STATE_STARTING, EVENT_ATTEMPT_STARTED, RUN_STATE_RUNNING},
    {RUN_STATE_RUNNING, EVENT_ATTEMPT_ENDED, RUN_STATE_RUNNING},
    {RUN_STATE_RUNNING, EVENT_RUN_RETRYING, RUN_STATE_RETRYING},
    {RUN_STATE_RETRYING, EVENT_ATTEMPT_STARTING, RUN_STATE_STARTING},
    {RUN_STATE_STARTING, EVENT_RUN_RESUMED, RUN_STATE_RUNNING},
    {RUN_STATE_RUNNING, EVENT_RUN_CANCELLING, RUN_STATE_CANCELLING},
    {RUN_STATE_CANCELLING, EVENT_RUN_RESUMED, RUN_STATE_CANCELLING},
    {RUN_STATE_CANCELLING, EVENT_RUN_HELD, RUN_STATE_CANCELLING},
    {RUN_STATE_CANCELLING, EVENT_RUN_CANCELLED, RUN_STATE_CANCELLED},
    {RUN_STATE_CANCELLING, EVENT_RUN_COMPLETED, RUN_STATE_COMPLETED},
    {RUN_STATE_RUNNING, EVENT_RUN_COMPLETED, RUN_STATE_COMPLETED},
    {RUN_STATE_RUNNING, EVENT_RUN_TIMED_OUT, RUN_STATE_TIMED_OUT},
    {RUN_STATE_QUEUED, EVENT_RUN_EXPIRED, RUN_STATE_EXPIRED},
    {RUN_STATE_QUEUED, EVENT_RUN_FAILED, RUN_STATE_FAILED},
    {RUN_STATE_COMPLETED, EVENT_RUN_FAILED, RUN_STATE_COMPLETED},
    {RUN_STATE_RUNNING, EVENT_AGENT_RESULT, RUN_STATE_RUNNING},
    {RUN_STATE_QUEUED, EVENT_RUN_WARNING, RUN_STATE_QUEUED},
    {RUN_STATE_RUNNING, EVENT_SANDBOX_LOST, RUN_STATE_RUNNING},
};

static bool is_end(enum run_state s)
{
    return s >= RUN_STATE_COMPLETED;
}

static void moves(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_string_equal(run_state_name(run_state_next(rows[i].from, rows[i].event)),
                            run_state_name(rows[i].to));
}

static void ends_are_final(void **state)
{
    (void)state;
    for (size_t s = 0; s < RUN_STATES; s++)
        for (size_t e = 0; e < EVENT_TYPES && is_end((enum run_state)s); e++)
            assert_int_equal(run_state_next((enum run_state)s, (enum event_type)e), s);
}

/* Exactly the terminal types lead to an end, from every state that is none. */
static void terminals_end(void **state)
{
    (void)state;
    for (size_t s = 0; s < RUN_STATE_COMPLETED; s++)
        for (size_t e = 0; e < EVENT_TYPES; e++)
            assert_int_equal(is_end(run_state_next((enum run_state)s, (enum event_type)e)),
                             event_is_terminal((enum event_type)e));
}

static void lines_move_nothing(void **state)
{
    (void)state;
    for (size_t s = 0; s < RUN_STATES; s++)
        for (size_t e = 0; e < EVENT_TYPES; e++)
            if (event_is_line((enum event_type)e))
                assert_int_equal(run_state_next((enum run_state)s, (enum event_type)e), s);
}

static void names_read_back(void **state)
{
    enum run_state s;

    (void)state;
    for (size_t i = 0; i < RUN_STATES; i++) {
        assert_true(run_state_parse(run_state_name((enum run_state)i), &s));
        assert_int_equal(s, i);
    }
    assert_false(run_state_parse("Queued", &s));
    assert_false(run_state_parse("", &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves), cmocka_unit_test(ends_are_final), cmocka_unit_test(terminals_end),
        cmocka_unit_test(lines_move_nothing), cmocka_unit_test(names_read_back)};
    return cmocka_run_group_tests_name("projection_state", tests, NULL, NULL);
}
