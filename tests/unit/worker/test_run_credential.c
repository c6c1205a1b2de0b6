/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an agent gets its credential the one way that is allowed, or the run waits; what is
 * learned of a credential is written before the run can be taken again. Proof: the histories of
 * run_world.h. */
#include "run_world.h"
#include "common/banned.h"

static struct history rows[] = {
    {"a credential that never enters the sandbox", .proxy = true,
     .script = "new ready held done started init result exit0 ack ack held ack held done held",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on agent:proxied mark:started "
                     "say:attempt.started line:1 line:2 say:attempt.ended say:sandbox.ended close "
                     "say:run.completed mark:published kill:sb1 freed"},
    {"the service adds nothing: by descriptor", .proxy = true,
     .script = "new ready held declined started",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on agent mark:started say:attempt.started"},
    {"nothing else is allowed, and the service adds nothing: it waits, and somebody is told",
     .only = true, .script = "new ready held declined ack ack holding held done",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on say:credential.held "
                     "hold:default,credential_not_proxied say:attempt.ended say:run.held "
                     "say:sandbox.ended requeue:credential_not_proxied,0,0 kill:sb1 freed"},
    {"nothing else is allowed, and the service adds it", .only = true,
     .script = "new ready held done started",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on agent:proxied mark:started "
                     "say:attempt.started"},
    {"what goes by plain HTTP goes by descriptor…", .proxy = true, .plain_http = true,
     .script = "new ready held started",
     .trace = T_MAKE "say:sandbox.created agent mark:started say:attempt.started"},
    {"…or waits, without a sandbox", .only = true, .plain_http = true, .script = "ack holding held",
     .trace = "say:credential.held hold:default,credential_not_proxied say:run.held "
              "requeue:credential_not_proxied,0,0"},
    {"…but is not ended when an agent has it already", .only = true, .plain_http = true,
     .resumed = true, .begun = true, .script = "mine ready held",
     .trace = "say:run.resumed place open:sb1 own:sb1 agent:look"},
    {"none needs no rules where nothing else is allowed", .only = true, .plain_http = true,
     .kind_none = true, .script = "new ready held started",
     .trace = T_MAKE "say:sandbox.created agent mark:started say:attempt.started"},
    {"the service is away when it is to add it", .proxy = true,
     .script = "new ready held broken ack ack held",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on say:attempt.ended say:run.retrying "
                     "say:sandbox.ended requeue:sandbox_failed,1,0 kill:sb1"},
    {"none needs no rules", .proxy = true, .kind_none = true, .script = "new ready held started",
     .trace = T_MAKE "say:sandbox.created agent mark:started say:attempt.started"},
    {"a session's sandbox keeps no rules", SESSION, .proxy = true,
     .script = "new ready held done started init result exit0 ack done ack held done held ack held",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on agent:proxied mark:started "
                     "say:attempt.started line:1 line:2 rules:sb1,off say:attempt.ended "
                     "session:not-stored park:sb1 say:sandbox.parked close:parked "
                     "say:run.completed mark:published"},
    {"who takes over an agent at work asks for none", .proxy = true, .resumed = true, .begun = true,
     .script = "mine ready held started",
     .trace = "say:run.resumed place open:sb1 own:sb1 agent:look:proxied"},
    {"cancelled while the rules are on their way", .proxy = true,
     .script = "new ready held cancel done ack ack held ack held done held",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on say:run.cancelling say:attempt.ended "
                     "say:sandbox.ended close say:run.cancelled mark:published kill:sb1 freed"},
    {"lapsed while the rules are on their way", .proxy = true,
     .script = "new ready held lapse done confirm",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on open:sb1"},
    {"a credential that does not open: no sandbox, and it is held", .damaged_credential = true,
     .script = "ack holding held ack held",
     .trace = "say:credential.held hold:default,credential_unreadable close say:run.failed "
              "mark:published"},
    {"the same of a pool: another one may do", POOLED, .damaged_credential = true,
     .script = "ack holding held",
     .trace = "say:credential.held hold:default,credential_unreadable say:run.retrying "
              "requeue:credential_unreadable,0,1"},
    {"no such credential: no sandbox", .unknown_credential = true, .script = "held ack held",
     .trace = "close say:run.failed mark:published"},
    {"a limit that is told of is the credential's", .script = TO_AGENT "init near",
     .trace =
         T_TO_AGENT "line:1 line:2 learn:default,{\"five_hour\":{\"status\":\"allowed_warning\","
                    "\"utilization\":0.93}}"},
    {"and nobody's where there is none", .kind_none = true, .script = TO_AGENT "init near",
     .trace = T_TO_AGENT "line:1 line:2"},
    {"a limit holds the credential before the run can be taken again",
     .script = TO_AGENT "init limit exit0 ack ack holding held",
     .trace = T_TO_AGENT "line:1 line:2 line:3 say:credential.held hold:default,usage_limit "
                         "say:attempt.ended say:run.held say:sandbox.ended requeue:usage_limit,0,0 "
                         "kill:sb1"},
    {"and not before that is known", .script = TO_AGENT "init limit exit0 ack ack",
     .trace = T_TO_AGENT "line:1 line:2 line:3 say:credential.held hold:default,usage_limit "
                         "say:attempt.ended say:run.held"},
    {"known before all is acknowledged", .script = TO_AGENT "init limit exit0 ack holding ack",
     .trace =
         T_TO_AGENT "line:1 line:2 line:3 say:credential.held hold:default,usage_limit "
                    "say:attempt.ended say:run.held say:sandbox.ended requeue:usage_limit,0,0"},
    {"a refused token holds it, too, before the run ends",
     .script = TO_AGENT "init badtoken exit0 ack ack holding",
     .trace = T_TO_AGENT "line:1 line:2 say:credential.held hold:default,auth say:attempt.ended "
                         "say:sandbox.ended close"},
    {"another one of the pool goes on", POOLED,
     .script = TO_AGENT "init badtoken exit0 ack ack holding",
     .trace = T_TO_AGENT "line:1 line:2 say:credential.held hold:default,auth say:attempt.ended "
                         "say:run.retrying say:sandbox.ended requeue:auth,0,1"},
    {"a credential that the ledger does not know stops no run", POOLED,
     .script = TO_AGENT "init badtoken exit0 ack ack nothold",
     .trace = T_TO_AGENT "line:1 line:2 say:credential.held hold:default,auth say:attempt.ended "
                         "say:run.retrying say:sandbox.ended requeue:auth,0,1"},
    {"the last attempt's does so before the end", POOLED, .uncounted = 20, .failures = 2,
     .script = TO_AGENT "init badtoken exit0 ack ack holding",
     .trace = T_TO_AGENT "line:1 line:2 say:credential.held hold:default,auth say:attempt.ended "
                         "say:sandbox.ended close"},
};

/* An agent that is not logged in, because it was given nothing: no credential is at fault. */
static void none_is_not_held(void **state)
{
    const struct history row = {.kind_none = true,
                                .script = TO_AGENT "init badtoken exit0 ack ack"};

    (void)state;
    world_play(&row);
    assert_null(strstr(w.trace.p, "hold:"));
    assert_non_null(strstr(w.trace.p, "say:attempt.ended say:sandbox.ended close"));
    world_end();
}

static void no_hold_is_longer_than_a_limit_lasts(void **state)
{
    const struct history row = {.script = TO_AGENT "limit exit0 ack ack holding"};

    (void)state;
    world_play(&row);
    assert_non_null(strstr(w.trace.p, "requeue:usage_limit,0,0"));
    assert_in_range(w.delay_ms, 1, (int64_t)9 * 86400 * 1000);
    assert_in_range(w.hold_ms, (int64_t)7 * 86400 * 1000, (int64_t)8 * 86400 * 1000);
    world_end();
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(none_is_not_held),
                                        cmocka_unit_test(no_hold_is_longer_than_a_limit_lasts)};

    return world_run("run credential", rows, COUNTOF(rows), others, COUNTOF(others));
}
