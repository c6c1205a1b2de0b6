/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a session's conversation is stored, then named in the ledger, and then its sandbox is
 * parked; it is found again, or said to be lost. Proof: the histories of run_world.h. */
#include "run_world.h"
#include "common/banned.h"

static struct history rows[] = {
    {"a session's first run parks", SESSION,
     .script = TO_AGENT "init result exit0 ack ack held done held ack held",
     .trace = T_TO_AGENT
     "line:1 line:2 say:attempt.ended session:not-stored park:sb1 say:sandbox.parked "
     "close:parked say:run.completed mark:published"},
    {"or pauses", SESSION, .pause = true,
     .script = TO_AGENT "init result exit0 ack ack held done held ack held",
     .trace = T_TO_AGENT
     "line:1 line:2 say:attempt.ended session:not-stored pause:sb1 say:sandbox.parked "
     "close:paused say:run.completed mark:published"},
    {"where nothing can be paused it is kept", SESSION, .pause = true,
     .script = TO_AGENT "init result exit0 ack ack held broken done held ack held",
     .trace = T_TO_AGENT
     "line:1 line:2 say:attempt.ended session:not-stored pause:sb1 park:sb1 say:sandbox.parked "
     "close:parked say:run.completed mark:published"},
    {"a session goes on in its sandbox", SESSION,
     .script = "kept ready held started init result exit0 ack ack held done held ack held",
     .trace = "say:attempt.starting place open:sb1 own:sb1 agent:resume mark:started "
              "say:attempt.started line:1 line:2 say:attempt.ended session:not-stored park:sb1 "
              "say:sandbox.parked "
              "close:parked say:run.completed mark:published"},
    {"a session whose sandbox is gone goes on by its transcript", SESSION, .store = true,
     .script = "kept gone held far carried ready held started",
     .trace = "say:attempt.starting place open:sb1 say:sandbox.lost give-up:key-sb1 place carry-in "
              "create:1 own:sb1 say:sandbox.created agent:resume:transcript mark:started "
              "say:attempt.started"},
    {"a conversation survives the service's absence", SESSION, .script = "kept away ack ack held",
     .trace = "say:attempt.starting place open:sb1 say:attempt.ended say:run.held "
              "say:sandbox.parked requeue:sandbox_service_down,0,0,parked"},
    {"a session that cannot be parked is killed", SESSION,
     .script = TO_AGENT "init result exit0 ack ack held broken held ack held done held",
     .trace = T_TO_AGENT
     "line:1 line:2 say:attempt.ended session:not-stored park:sb1 say:sandbox.ended close "
     "say:run.completed mark:published kill:sb1 freed"},
    {"a session's failed attempt keeps the conversation", SESSION,
     .script = TO_AGENT "init exit0 ack ack held done held",
     .trace = T_TO_AGENT
     "line:1 say:attempt.ended say:run.retrying session:not-stored park:sb1 say:sandbox.parked "
     "requeue:no_result,1,0,parked"},
    {"a transcript is stored first, in the ledger second, and then the sandbox is parked", SESSION,
     .store = true,
     .script = TO_AGENT "init result exit0 ack ack held carried held done held ack held",
     .trace =
         T_TO_AGENT "line:1 line:2 say:attempt.ended storing carry-out session:stored park:sb1 "
                    "say:sandbox.parked close:parked say:run.completed mark:published"},
    {"one that cannot be stored is said so, and the run goes on", SESSION, .store = true,
     .script = TO_AGENT "init result exit0 ack ack held nostore held done held ack held",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended storing carry-out say:run.warning "
                         "session:not-stored park:sb1 say:sandbox.parked close:parked "
                         "say:run.completed mark:published"},
    {"a failed attempt's is stored, too", SESSION, .store = true,
     .script = TO_AGENT "init exit0 ack ack held carried held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying storing carry-out "
                         "session:stored park:sb1 say:sandbox.parked requeue:no_result,1,0,parked"},
    {"nothing was said: nothing is stored", SESSION, .store = true,
     .script = TO_AGENT "text exit0 ack ack held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:no_result,1,0 kill:sb1 freed"},
    {"deposed while it is stored: the next owner does it again", SESSION, .store = true,
     .script = TO_AGENT "init result exit0 ack ack held carried lost",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended storing carry-out session:stored"},
    {"a session of which nothing is left is lost, without a sandbox", SESSION, .store = true,
     .script = "adrift ack ack held ack held",
     .trace = "say:attempt.starting place say:attempt.ended close say:run.failed mark:published"},
    {"as is one whose transcript is not there", SESSION, .store = true,
     .script = "far notthere ack ack held ack held",
     .trace = "say:attempt.starting place carry-in say:attempt.ended close say:run.failed "
              "mark:published"},
    {"a store that does not answer is no loss", SESSION, .store = true,
     .script = "far nostore ack ack held",
     .trace = "say:attempt.starting place carry-in say:attempt.ended say:run.retrying "
              "requeue:internal,1,0"},
    {"an agent at work has its conversation", SESSION, .store = true, .resumed = true,
     .begun = true, .script = "minefar ready held",
     .trace = "say:run.resumed place open:sb1 own:sb1 agent:look:resume"},
};

int main(void)
{
    return world_run("run session", rows, COUNTOF(rows), NULL, 0);
}
