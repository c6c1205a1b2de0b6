/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: every run ends, from wherever it is, and nothing leaves an end. Proof: the whole
 * table is walked; and the promise of the order of writes: no way to a killed sandbox or a
 * published terminal that skips a step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/attrs.h"
#include "worker/run/run_state.h"
#include "common/banned.h"

static struct row {
    const char *name;
    enum run_state from;
    enum run_event on;
    const char *to;
} rows[] = {
    {"a fit request asks the ledger which sandbox it is to use", RUN_CLAIMED, RUN_EV_GO, "PLACING"},
    {"and then the service for it", RUN_PLACING, RUN_EV_SAVED, "BOOTING"},
    {"one that is gone is replaced", RUN_BOOTING, RUN_EV_VANISHED, "PLACING"},
    {"an unfit one ends without", RUN_CLAIMED, RUN_EV_REFUSED, "SETTLING"},
    {"the sandbox's id goes to the ledger first", RUN_BOOTING, RUN_EV_SANDBOX, "OWNING"},
    {"then the agent's program is updated", RUN_OWNING, RUN_EV_SAVED, "UPDATING"},
    {"then the working directory is filled", RUN_UPDATING, RUN_EV_UPDATED, "FILLING"},
    {"then the agent starts", RUN_FILLING, RUN_EV_FILLED, "STARTING"},
    {"it does not without what was to be there", RUN_FILLING, RUN_EV_ENDED, "SETTLING"},
    {"and prints", RUN_STARTING, RUN_EV_STARTED, "STREAMING"},
    {"it may end before we saw it start", RUN_STARTING, RUN_EV_ENDED, "SETTLING"},
    {"what it left is stored first", RUN_STREAMING, RUN_EV_ENDED, "COLLECTING"},
    {"acknowledgements are waited for", RUN_COLLECTING, RUN_EV_COLLECTED, "SETTLING"},
    {"the terminal goes to the ledger first", RUN_PARKING, RUN_EV_FREED, "CLOSING"},
    {"then to the broker", RUN_CLOSING, RUN_EV_SAVED, "PUBLISHING"},
    {"then the outbox is told", RUN_PUBLISHING, RUN_EV_ACKED, "MARKING"},
    {"then the sandbox is killed", RUN_MARKING, RUN_EV_SAVED, "CLEANING"},
    {"verdict and cost are in the ledger before the sandbox is killed", RUN_REQUEUEING,
     RUN_EV_SAVED, "CLEANING"},
    {"another attempt waits as a row", RUN_RELEASING, RUN_EV_FREED, "REQUEUEING"},
    {"a lapsed lease stops the reading", RUN_STREAMING, RUN_EV_LAPSED, "SUSPENDED"},
    {"a confirmed run starts at its sandbox", RUN_SUSPENDED, RUN_EV_CONFIRMED, "BOOTING"},
    {"a suspended run may be another's", RUN_SUSPENDED, RUN_EV_DEPOSED, "GONE"},
    {"no line counts while suspended", RUN_SUSPENDED, RUN_EV_ENDED, "NONE"},
    {"cancelled before an agent was started, it ends", RUN_BOOTING, RUN_EV_CANCEL, "SETTLING"},
    {"a sandbox's making does not keep it", RUN_UPDATING, RUN_EV_CANCEL, "SETTLING"},
    {"an agent that may be at work is looked for first", RUN_BOOTING, RUN_EV_INTERRUPT, "BOOTING"},
    {"without an update", RUN_UPDATING, RUN_EV_INTERRUPT, "CANCELLING"},
    {"and interrupted, while it starts", RUN_STARTING, RUN_EV_INTERRUPT, "CANCELLING"},
    {"or while it works", RUN_STREAMING, RUN_EV_INTERRUPT, "CANCELLING"},
    {"its last words count", RUN_CANCELLING, RUN_EV_ENDED, "SETTLING"},
    {"a cancel is no reason to publish without a lease", RUN_CANCELLING, RUN_EV_LAPSED,
     "SUSPENDED"},
    {"nor is what was brought in waited for", RUN_FILLING, RUN_EV_CANCEL, "SETTLING"},
    {"a cancel does not wait for what is carried out", RUN_COLLECTING, RUN_EV_CANCEL, "SETTLING"},
    {"the session's next run does", RUN_COLLECTING, RUN_EV_INTERRUPT, "COLLECTING"},
    {"force does not wait for them", RUN_CANCELLING, RUN_EV_FORCE, "KILLING"},
    {"nor for anything else of it", RUN_STREAMING, RUN_EV_FORCE, "KILLING"},
    {"the ledger's answer tells which sandbox to kill", RUN_PLACING, RUN_EV_FORCE, "PLACING"},
    {"a killed sandbox's run ends as any other", RUN_KILLING, RUN_EV_FREED, "SETTLING"},
    {"what ends already ends", RUN_CLOSING, RUN_EV_FORCE, "CLOSING"},
    {"nothing is published before the ledger has it", RUN_SETTLING, RUN_EV_ACKED, "NONE"},
};

static void check(void **state)
{
    const struct row *row = *state;
    assert_string_equal(run_state_name(run_state_next(row->from, row->on)), row->to);
}

/* States from which `to` can be reached. */
static void reach(enum run_state to, bool seen[RUN_STATES])
{
    bool more = true;
    seen[to] = true;
    while (more) {
        more = false;
        for (int s = RUN_CLAIMED; s < RUN_STATES; s++)
            for (int e = 0; e < RUN_EVENTS && !seen[s]; e++)
                if (seen[run_state_next((enum run_state)s, (enum run_event)e)])
                    seen[s] = more = true;
    }
}

static void every_state_reaches_the_end(void **state)
{
    bool seen[RUN_STATES] = {false};
    (void)state;
    reach(RUN_GONE, seen);
    for (int s = RUN_CLAIMED; s < RUN_STATES; s++)
        assert_true(seen[s]);
}

static void nothing_leaves_the_end(void **state)
{
    (void)state;
    for (int e = 0; e < RUN_EVENTS; e++) {
        assert_string_equal(run_state_name(run_state_next(RUN_GONE, (enum run_event)e)), "NONE");
        assert_string_equal(run_state_name(run_state_next(RUN_NONE, (enum run_event)e)), "NONE");
    }
}

/* Whatever happens, another owner or our own going ends it, and a lapse is survived. */
static void every_state_bears_the_worker(void **state)
{
    (void)state;
    for (int s = RUN_CLAIMED; s < RUN_GONE; s++) {
        enum run_state from = (enum run_state)s;
        assert_string_equal(run_state_name(run_state_next(from, RUN_EV_DEPOSED)), "GONE");
        assert_string_equal(run_state_name(run_state_next(from, RUN_EV_RELEASED)), "GONE");
        assert_string_not_equal(run_state_name(run_state_next(from, RUN_EV_LAPSED)), "NONE");
        assert_string_not_equal(run_state_name(run_state_next(from, RUN_EV_CONFIRMED)), "NONE");
    }
}

/* A cancel is heeded or left to a later state, and never leads back to work. Before an agent
 * can be at work there is nobody to interrupt; behind that, somebody may be. */
static void every_state_bears_a_cancel(void **state)
{
    (void)state;
    for (int s = RUN_CLAIMED; s < RUN_GONE; s++) {
        enum run_state from = (enum run_state)s;
        bool agent = from == RUN_STARTING || from == RUN_STREAMING || from == RUN_CANCELLING;
        enum run_state calm = run_state_next(from, RUN_EV_CANCEL);
        enum run_state soft = run_state_next(from, RUN_EV_INTERRUPT);
        enum run_state hard = run_state_next(from, RUN_EV_FORCE);
        /* as long as the service is asked for rules, none was started */
        bool started = agent && from != RUN_STARTING;
        assert_true(started ? calm == RUN_NONE : calm == from || calm == RUN_SETTLING);
        assert_true(soft == from || soft == RUN_CANCELLING);
        assert_true(hard == from || hard == RUN_KILLING);
        assert_true(!agent || hard == RUN_KILLING);
    }
}

/* Each of these is entered from nowhere else: a kill only behind a ledger write. */
static void the_order_of_writes_has_no_short_cut(void **state)
{
    static const struct {
        enum run_state to, from[2];
    } only[] = {{RUN_PUBLISHING, {RUN_CLOSING, RUN_CLOSING}},
                {RUN_MARKING, {RUN_PUBLISHING, RUN_PUBLISHING}},
                {RUN_CLEANING, {RUN_MARKING, RUN_REQUEUEING}}};
    (void)state;
    for (int s = RUN_CLAIMED; s < RUN_STATES; s++)
        for (int e = 0; e < RUN_EVENTS; e++) {
            enum run_state to = run_state_next((enum run_state)s, (enum run_event)e);
            for (size_t i = 0; i < COUNTOF(only); i++)
                if (to == only[i].to && s != (int)to)
                    assert_true(s == (int)only[i].from[0] || s == (int)only[i].from[1]);
        }
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows)];
    const struct CMUnitTest walks[] = {cmocka_unit_test(every_state_reaches_the_end),
                                       cmocka_unit_test(nothing_leaves_the_end),
                                       cmocka_unit_test(every_state_bears_the_worker),
                                       cmocka_unit_test(every_state_bears_a_cancel),
                                       cmocka_unit_test(the_order_of_writes_has_no_short_cut)};

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("run_state", tests, NULL, NULL) +
           cmocka_run_group_tests_name("run_state walks", walks, NULL, NULL);
}
