/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: wherever a run is, a cancel that comes in time ends it as cancelled, once; one that
 * comes late changes nothing. Proof: the histories of run_world.h. */
#include "run_world.h"
#include "common/banned.h"

static struct history rows[] = {
    {"cancelled while its place is looked for: no sandbox is asked for",
     .script = "cancel new ack ack held ack held",
     .trace = "say:attempt.starting place say:run.cancelling say:attempt.ended close "
              "say:run.cancelled mark:published"},
    {"cancelled while the sandbox is made: it does not outlive the run",
     .script = "new cancel ack ack held ack held ready done held",
     .trace = "say:attempt.starting place create:1 say:run.cancelling say:attempt.ended close "
              "say:run.cancelled mark:published kill:sb1 freed"},
    {"and the making fails", .script = "new cancel ack ack held ack held away",
     .trace = "say:attempt.starting place create:1 say:run.cancelling say:attempt.ended close "
              "say:run.cancelled mark:published"},
    {"cancelled while room is made: no sandbox is asked for any more",
     .script = "new full cancel room ack ack held ack held",
     .trace = "say:attempt.starting place create:1 evict say:run.cancelling say:attempt.ended "
              "close say:run.cancelled mark:published"},
    {"cancelled while the sandbox's id is written",
     .script = "new ready cancel held ack ack held ack held done held",
     .trace = T_MAKE "say:run.cancelling say:attempt.ended say:sandbox.ended close "
                     "say:run.cancelled mark:published kill:sb1 freed"},
    {"cancelled while claude is updated", .update = true,
     .script = "new ready held cancel ack ack held ack held done held",
     .trace = T_MAKE "update say:run.cancelling say:attempt.ended say:sandbox.ended close "
                     "say:run.cancelled mark:published kill:sb1 freed"},
    {"cancelled while the agent starts: it may have",
     .script = "new ready held cancel killed ack ack held ack held done held",
     .trace = T_MAKE "say:sandbox.created agent say:run.cancelling interrupt "
                     "say:attempt.ended say:sandbox.ended close "
                     "say:run.cancelled mark:published kill:sb1 freed"},
    {"cancelled at work: its last words count",
     .script = TO_AGENT "init cancel aborted exit0 ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt line:2 say:attempt.ended "
                         "say:sandbox.ended close say:run.cancelled mark:published kill:sb1 freed"},
    {"cancelled, it ends so, whatever it still says",
     .script = TO_AGENT "init cancel result exit0 ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt line:2 say:attempt.ended "
                         "say:sandbox.ended close say:run.cancelled mark:published kill:sb1 freed"},
    {"cancelled while what it left is stored: nobody waits for that", GLOBS,
     .script = TO_AGENT "init result exit0 cancel ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 line:2 collect say:run.cancelling say:attempt.ended "
                         "say:sandbox.ended close say:run.cancelled mark:published kill:sb1 freed"},
    {"several cancels are one",
     .script = TO_AGENT "init cancel cancel cancel aborted exit0 cancel ack ack held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt line:2 say:attempt.ended "
                         "say:sandbox.ended close say:run.cancelled"},
    {"an agent without an end is one, too",
     .script = TO_AGENT "init cancel lostit ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt say:attempt.ended say:sandbox.ended "
                         "close say:run.cancelled mark:published kill:sb1 freed"},
    {"by force: the sandbox first",
     .script = TO_AGENT "init force done ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling kill:sb1 say:attempt.ended say:sandbox.ended "
                         "close say:run.cancelled mark:published kill:sb1 freed"},
    {"by force, when asking did not help", .script = TO_AGENT "init cancel force done ack ack held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt say:run.cancelling kill:sb1 "
                         "say:attempt.ended say:sandbox.ended close say:run.cancelled"},
    {"an agent that does not end in time loses its sandbox",
     .script = TO_AGENT "init cancel tick done ack ack held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt say:run.cancelling kill:sb1 "
                         "say:attempt.ended say:sandbox.ended close say:run.cancelled"},
    {"a sandbox that cannot be killed now is killed later",
     .script = TO_AGENT "init force broken ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling kill:sb1 say:attempt.ended say:sandbox.ended "
                         "close say:run.cancelled mark:published kill:sb1 freed"},
    {"by force while the sandbox is made", .resumed = true,
     .script = "new force ack ack held ack held ready done held",
     .trace = "say:run.resumed place create:1 say:run.cancelling say:attempt.ended close "
              "say:run.cancelled mark:published kill:sb1 freed"},
    {"suspended and cancelled: heeded when the lease is ours again",
     .script = TO_AGENT "init lapse cancel confirm ready held init aborted exit0 ack ack held",
     .trace = T_TO_AGENT "line:1 open:sb1 own:sb1 say:run.cancelling agent:look interrupt line:2 "
                         "say:attempt.ended say:sandbox.ended close say:run.cancelled"},
    {"lapsed while it ends: asked again",
     .script = TO_AGENT "init cancel lapse confirm ready held init aborted exit0 ack ack held",
     .trace = T_TO_AGENT
     "line:1 say:run.cancelling interrupt open:sb1 own:sb1 "
     "say:run.cancelling agent:look interrupt line:2 say:attempt.ended say:sandbox.ended "
     "close say:run.cancelled"},
    {"taken over with its cancel: the agent is looked for", .resumed = true, .begun = true,
     .line = 1, .script = "cancel mine ready held init aborted exit0 ack ack held",
     .trace = "say:run.resumed place open:sb1 own:sb1 say:run.cancelling agent:look interrupt "
              "line:2 say:attempt.ended say:sandbox.ended close say:run.cancelled"},
    {"a result that came before the cancel stands",
     .script = TO_AGENT "init result exit0 cancel ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed mark:published kill:sb1 freed"},
    {"a failure that came before it has no other attempt",
     .script = TO_AGENT "text exit0 cancel ack ack held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:sandbox.ended close say:run.cancelled"},
    {"behind the verdict it is for the waiting row",
     .script = TO_AGENT "text exit0 ack cancel ack held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:no_result,1,0 kill:sb1 freed"},
    {"a session's cancelled turn keeps the conversation", SESSION,
     .script = TO_AGENT "init cancel aborted exit0 ack ack held done held ack held",
     .trace = T_TO_AGENT
     "line:1 say:run.cancelling interrupt line:2 say:attempt.ended session:not-stored park:sb1 "
     "say:sandbox.parked close:parked say:run.cancelled mark:published"},
    {"a turn that is interrupted for the session's next run keeps it, too", SESSION,
     .script = TO_AGENT "init outrun aborted exit0 ack ack held done held ack held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt line:2 say:attempt.ended "
                         "session:not-stored park:sb1 say:sandbox.parked close:parked "
                         "say:run.failed mark:published"},
    {"interrupted before its agent was there: nothing was said", SESSION,
     .script = "new outrun ack ack held ack held ready done held",
     .trace = "say:attempt.starting place create:1 say:run.cancelling say:attempt.ended close "
              "say:run.failed mark:published kill:sb1 freed"},
    {"somebody's cancel behind an interrupt is the one that counts", SESSION,
     .script = TO_AGENT "init outrun cancel aborted exit0 ack ack held done held ack held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt line:2 say:attempt.ended "
                         "session:not-stored park:sb1 say:sandbox.parked close:parked "
                         "say:run.cancelled mark:published"},
    {"not one that had to be killed", SESSION,
     .script = TO_AGENT "init cancel killed ack ack held held ack held done held",
     .trace = T_TO_AGENT
     "line:1 say:run.cancelling interrupt say:attempt.ended session:not-stored say:sandbox.ended "
     "close say:run.cancelled mark:published kill:sb1 freed"},
    {"nor one whose sandbox was killed: there is nothing to be carried out", SESSION, .store = true,
     .script = TO_AGENT "init force done ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling kill:sb1 say:attempt.ended say:sandbox.ended "
                         "close say:run.cancelled mark:published kill:sb1 freed"},
    {"a session's sandbox goes back as it was", SESSION,
     .script = "kept cancel ack ack held ack ready held",
     .trace = "say:attempt.starting place open:sb1 say:run.cancelling say:attempt.ended "
              "say:sandbox.parked close:parked say:run.cancelled mark:published"},
};

/* Whoever says that an attempt began says what it was given; else whoever says that it ended. */
static void who_interrupted_a_run_is_told(void **state)
{
    const struct history row = {.request = SESSION, .script = TO_AGENT "init outrun"};
    const struct history end_of = {
        .request = SESSION, .script = TO_AGENT "init outrun aborted exit0 ack ack held done held"};

    (void)state;
    world_play(&row);
    assert_non_null(strstr(w.data, "\"interrupted_by\":\"0197a0b4-0000-7000-8000-000000000002\""));
    world_end();
    world_play(&end_of);
    assert_non_null(strstr(w.data, "\"state\":\"failed\",\"outcome\":\"interrupted\""));
    assert_non_null(strstr(w.data, "\"reason\":\"by run 0197a0b4-0000-7000-8000-000000000002\""));
    world_end();
}

/* Where the agent was gone before its result line, by its transcript. */
static void a_cancelled_run_tells_who_asked_and_what_it_cost(void **state)
{
    static const struct {
        const char *script, *cost;
        bool synthetic;
    } ends_of[] = {
        {TO_AGENT "init cancel aborted exit0 ack ack held", "\"cost_usd\":0.25,", false},
        {TO_AGENT "init cancel exit0 ack ack held", "\"cost_usd\":0.4,", true},
        {TO_AGENT "init aborted init cancel exit0 ack ack held", "\"cost_usd\":0.4,", false},
        {TO_AGENT "cancel exit0 ack ack held", "\"cost_usd\":0,", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(ends_of); i++) {
        world_play(&(struct history){.script = ends_of[i].script});
        assert_non_null(strstr(w.data, "\"state\":\"cancelled\",\"outcome\":\"cancelled\""));
        assert_non_null(strstr(w.data, "\"reason\":\"by ann\""));
        assert_non_null(strstr(w.data, ends_of[i].cost));
        assert_int_equal(strstr(w.data, "\"synthetic\":true") != NULL, ends_of[i].synthetic);
        world_end();
    }
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(who_interrupted_a_run_is_told),
        cmocka_unit_test(a_cancelled_run_tells_who_asked_and_what_it_cost)};

    return world_run("run cancel", rows, COUNTOF(rows), others, COUNTOF(others));
}
