/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: who takes a run over goes on where it was, and who lost it, for a while or for good,
 * says and changes nothing. Proof: the histories of run_world.h. */
#include "run_world.h"
#include "common/banned.h"

static struct history rows[] = {
    {"away while an agent is at work: knock again", .resumed = true, .begun = true,
     .script = "mine away", .trace = "say:run.resumed place open:sb1"},
    {"a run that kills its workers ends", .resumed = true, .failures = 3, .begun = true,
     .script = "held ack held", .trace = "close say:run.failed mark:published"},
    {"B091 a run that kills its workers behind its start ends", .resumed = true, .takeovers = 20,
     .begun = true, .script = "held ack held", .trace = "close say:run.failed mark:published"},
    {"a run that waited often is none that kills its workers", .uncounted = 30,
     .script = "new ready", .trace = "say:attempt.starting place create:1 own:sb1"},
    {"taken over: same sandbox, no line twice", .resumed = true, .begun = true, .line = 1,
     .script = "mine ready held started init result exit0 ack ack held ack held done held",
     .trace = "say:run.resumed place open:sb1 own:sb1 agent:look line:2 say:attempt.ended "
              "say:sandbox.ended close say:run.completed mark:published kill:sb1 freed"},
    {"taken over: the sandbox is gone", .resumed = true, .begun = true, .line = 1,
     .script = "mine gone ack ack held done held",
     .trace = "say:run.resumed place open:sb1 say:sandbox.lost say:attempt.ended say:run.retrying "
              "requeue:sandbox_lost,1,0 kill:sb1 freed"},
    {"taken over before the sandbox was known", .resumed = true, .script = "new ready held started",
     .trace = "say:run.resumed place create:1 own:sb1 say:sandbox.created agent:look mark:started "
              "say:attempt.started"},
    {"a lapse: read again, publish what is new",
     .script = TO_AGENT "init lapse confirm ready held started init result exit0 ack ack held ack "
                        "held done held",
     .trace = T_TO_AGENT "line:1 open:sb1 own:sb1 agent:look line:2 say:attempt.ended "
                         "say:sandbox.ended close say:run.completed mark:published kill:sb1 "
                         "freed"},
    {"a lapse while settling: says nothing until it is over",
     .script = TO_AGENT "init result exit0 lapse ack confirm ack held ack held done held",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed mark:published kill:sb1 freed"},
    {"a lapse behind the report: the sandbox may be another's",
     .script = TO_AGENT "text exit0 ack lapse ack",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying"},
    {"a lapse behind the report that is over",
     .script = TO_AGENT "text exit0 ack lapse ack confirm held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:no_result,1,0 kill:sb1 freed"},
};

static void a_wait_that_was_asked_for_is_kept(void **state)
{
    const struct history row = {.resumed = true, .begun = true, .script = "mine away"};
    struct err e = {.code = ERR_THROTTLED, .retry_ms = 45000, .msg = "slow down"};

    (void)state;
    world_play(&row);
    w.boot->failed(w.boot_ctx, &e);
    assert_in_range(w.timer_ms, 45000, 60000);
    world_end();
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(a_wait_that_was_asked_for_is_kept)};

    return world_run("run takeover", rows, COUNTOF(rows), others, COUNTOF(others));
}
