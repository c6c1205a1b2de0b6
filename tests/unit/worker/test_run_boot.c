/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: until its agent is at work a run asks for one sandbox and no more, makes room where
 * there is none, and an attempt that could not begin costs none. Proof: the histories of
 * run_world.h. */
#include "run_world.h"
#include "common/banned.h"

static struct history rows[] = {
    {"a refused key is no run's fault", .script = "new badkey",
     .trace = "say:attempt.starting place create:1 refused"},
    {"no room and nobody to make it: held, not counted", .script = "new full noroom ack ack held",
     .trace = "say:attempt.starting place create:1 evict say:attempt.ended say:run.held "
              "requeue:sandbox_capacity,0,0"},
    {"no room: an idle sandbox makes it", .script = "new full room ready held started",
     .trace = "say:attempt.starting place create:1 evict say:sandbox.evicted create:1 own:sb1 "
              "say:sandbox.created agent mark:started say:attempt.started"},
    {"room that is not counted yet is waited for", .script = "new full room full tick ready held",
     .trace = "say:attempt.starting place create:1 evict say:sandbox.evicted create:1 create:1 "
              "own:sb1 say:sandbox.created agent"},
    {"not all idle sandboxes of the fleet for one run",
     .script = "new full room full tick full tick full tick full tick full tick full room "
               "full tick full tick full tick full tick full tick full room "
               "full tick full tick full tick full tick full tick full ack ack held",
     .trace = "say:attempt.starting place create:1 evict say:sandbox.evicted create:1 create:1 "
              "create:1 create:1 create:1 create:1 evict say:sandbox.evicted create:1 create:1 "
              "create:1 create:1 create:1 create:1 evict say:sandbox.evicted create:1 create:1 "
              "create:1 create:1 create:1 create:1 say:attempt.ended say:run.held "
              "requeue:sandbox_capacity,0,0"},
    {"the service is away: held, not counted", .script = "new away ack ack held",
     .trace = "say:attempt.starting place create:1 say:attempt.ended say:run.held "
              "requeue:sandbox_service_down,0,0"},
    {"a warm sandbox is as good as a new one, and quicker",
     .script = "warm ready held started init result exit0 ack ack held ack held done held",
     .trace = "say:attempt.starting place open:sb1 own:sb1 agent mark:started say:attempt.started "
              "line:1 line:2 say:attempt.ended say:sandbox.ended close say:run.completed "
              "mark:published kill:sb1 freed"},
    {"a warm sandbox that is gone costs no attempt", .script = "warm gone held new ready held",
     .trace = "say:attempt.starting place open:sb1 say:sandbox.lost give-up:key-sb1 place "
              "create:1 own:sb1 say:sandbox.created agent"},
    {"claude is updated in a new sandbox, before the agent", .update = true,
     .script = "new ready held updated", .trace = T_MAKE "update say:sandbox.created agent"},
    {"and in no other", .update = true, .script = "warm ready held",
     .trace = "say:attempt.starting place open:sb1 own:sb1 agent"},
    {"an update under way when the lease lapses is nobody's", .update = true,
     .script = "new ready held lapse confirm ready held",
     .trace = T_MAKE "update open:sb1 own:sb1 agent"},
    {"files are there before the agent", FILES, .script = "new ready held filled",
     .trace = T_MAKE "say:sandbox.created fill agent"},
    {"files that do not fit end the run, without an agent", FILES,
     .script = "new ready held badtar ack ack held ack held done held",
     .trace = T_MAKE "say:sandbox.created fill say:attempt.ended say:sandbox.ended close "
                     "say:run.failed mark:published kill:sb1 freed"},
    {"an archive that is not there may come: another attempt", FILES,
     .script = "new ready held nourl ack ack held",
     .trace = T_MAKE "say:sandbox.created fill say:attempt.ended say:run.retrying "
                     "say:sandbox.ended requeue:workspace_failed,1,0 kill:sb1"},
    {"a sandbox that is gone while it is filled", FILES, .script = "new ready held nobox ack ack",
     .trace = T_MAKE "say:sandbox.created fill say:sandbox.lost say:attempt.ended "
                     "say:run.retrying requeue:sandbox_lost,1,0"},
    {"a filling under way when the lease lapses is done again", FILES,
     .script = "new ready held lapse confirm ready held filled",
     .trace = T_MAKE "say:sandbox.created fill open:sb1 own:sb1 fill agent"},
    {"deposed at the sandbox's id", .script = "new ready lost",
     .trace = "say:attempt.starting place create:1 own:sb1"},
    {"deposed at its place: nothing is asked for", .script = "usurped",
     .trace = "say:attempt.starting place"},
};

static void no_secret_leaves_in_a_reason(void **state)
{
    const struct history row = {.request = FILES, .script = "new ready held nourl ack"};

    (void)state;
    world_play(&row);
    assert_null(strstr(w.data, "canary"));
    assert_non_null(strstr(w.data, "git said ****"));
    world_end();
}

static void what_an_attempt_was_given_is_told_once(void **state)
{
    const struct history row = {.script = "new ready held started"};
    const struct history taken = {
        .resumed = true, .begun = true, .script = "mine ready held started"};

    (void)state;
    world_play(&row);
    assert_non_null(strstr(w.data, "\"sandbox_origin\":\"new\",\"template\":\"claude\""));
    assert_non_null(strstr(w.data, "\"prompt_hash\":\""));
    world_act(STR("result"));
    world_act(STR("exit0"));
    world_act(STR("ack"));
    assert_non_null(strstr(w.data, "\"outcome\":\"success\""));
    assert_null(strstr(w.data, "_hash"));
    world_end();
    world_play(&taken);
    world_act(STR("result"));
    world_act(STR("exit0"));
    world_act(STR("ack"));
    assert_non_null(strstr(w.data, "\"outcome\":\"success\""));
    assert_non_null(strstr(w.data, "\"prompt_hash\":\""));
    world_end();
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(no_secret_leaves_in_a_reason),
                                        cmocka_unit_test(what_an_attempt_was_given_is_told_once)};

    return world_run("run boot", rows, COUNTOF(rows), others, COUNTOF(others));
}
