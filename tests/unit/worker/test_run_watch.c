/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an agent that is stuck is ended, once, and one that works is not; a run under way says
 * how far it is. Proof: the histories of run_world.h, in which "later" moves the clock. */
#include "run_world.h"
#include "common/banned.h"

static struct history rows[] = {
    {"an agent that falls silent is ended, and tried once more", WATCHED,
     .script = TO_AGENT "init later killed ack ack held done held",
     .trace = T_TO_AGENT "line:1 interrupt say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:stalled,2,0 kill:sb1 freed"},
    {"and no third time", WATCHED, .failures = 2,
     .script = TO_AGENT "init later killed ack ack held ack held done held",
     .trace =
         T_TO_AGENT "line:1 interrupt say:attempt.ended say:sandbox.ended close say:run.failed "
                    "mark:published kill:sb1 freed"},
    {"it is ended once", WATCHED, .script = TO_AGENT "init later later later",
     .trace = T_TO_AGENT "line:1 interrupt say:run.warning say:run.warning"},
    {"nothing comes behind a tool's result", WATCHED,
     .script = TO_AGENT "init tool later killed ack ack",
     .trace = T_TO_AGENT "line:1 line:2 line:3 interrupt say:attempt.ended say:run.retrying "
                         "say:sandbox.ended requeue:stalled,2,0"},
    {"what comes to an end while it is ended has ended", WATCHED,
     .script = TO_AGENT "init later result exit0 ack ack held",
     .trace = T_TO_AGENT "line:1 interrupt line:2 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed"},
    {"what is interrupted has not", WATCHED, .script = TO_AGENT "init later int exit0 ack ack",
     .trace = T_TO_AGENT "line:1 interrupt line:2 say:attempt.ended say:run.retrying "
                         "say:sandbox.ended requeue:stalled,2,0"},
    {"alive behind its result: the result counts", WATCHED,
     .script = TO_AGENT "init result later int killed ack ack held",
     .trace = T_TO_AGENT "line:1 line:2 interrupt line:3 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed"},
    {"one with something in the background is waited for", WATCHED,
     .script = TO_AGENT "init task result later later",
     .trace = T_TO_AGENT "line:1 line:2 line:3 interrupt"},
    {"a lapse is no silence", WATCHED,
     .script = TO_AGENT "init lapse confirm ready held started init later",
     .trace = T_TO_AGENT "line:1 open:sb1 own:sb1 agent:look interrupt"},
    {"a run that is under way says so", .times = {.heartbeat_ms = 60000},
     .script = TO_AGENT "init later later",
     .trace = T_TO_AGENT "line:1 say:run.heartbeat say:run.heartbeat"},
};

static void waited(const char *script, int64_t least, int64_t most)
{
    const struct history row = {.script = script, WATCHED};

    world_play(&row);
    assert_in_range(w.later_ms, least, most);
    world_end();
}

/* By the run's own clock; the real one runs a little beside it. */
static void each_silence_has_its_length(void **state)
{
    (void)state;
    waited(TO_AGENT "init later", 95000, 100000);
    waited(TO_AGENT "init tool later", 45000, 50000);
    waited(TO_AGENT "init result later", 5000, 10000);
    waited(TO_AGENT "init task result later later", 695000, 700000);
}

static void an_end_by_the_watchdog_says_so(void **state)
{
    const struct history stuck = {.script = TO_AGENT "init later killed", WATCHED};
    const struct history done = {.script = TO_AGENT "init result later int killed ack ack held",
                                 WATCHED};

    (void)state;
    world_play(&stuck);
    world_act(STR("ack"));
    assert_non_null(strstr(w.trace.p, "say:attempt.ended say:run.retrying"));
    assert_non_null(strstr(w.data, "\"outcome\":\"stalled\",\"reason\":\"silence\""));
    world_end();
    world_play(&done);
    assert_non_null(strstr(w.data, "\"outcome\":\"success\""));
    assert_non_null(strstr(w.data, "\"result\":\"ok\""));
    assert_null(strstr(w.data, "synthetic"));
    world_end();
}

/* What earlier turns and the sandbox cost is in it; what the turn under way costs is not known. */
static void a_warning_tells_the_cost_so_far(void **state)
{
    const struct history row = {.script = "new ready held started init"};

    (void)state;
    world_sizes = (struct sandbox_sizes){.rates = {0.05, 0.02}};
    world_play(&row);
    world_tell_size(2, 1024);
    world_say("{\"type\":\"result\",\"is_error\":false,\"model_usage_since_last_result\":"
              "{\"m\":{\"costUSD\":0.25}}}");
    world_act(STR("init"));
    world_act(STR("later"));
    assert_string_equal(w.trace.p + w.trace.len - strlen("say:run.warning"), "say:run.warning");
    assert_non_null(
        strstr(w.data, "{\"elapsed_s\":1800,\"cost_usd\":0.25,\"sandbox_cost_usd\":0.06"));
    assert_non_null(strstr(w.data, "\"turn_open\":true"));
    world_act(STR("later"));
    assert_non_null(strstr(w.data, "\"elapsed_s\":3000"));
    world_sizes = (struct sandbox_sizes){0};
    world_end();
}

static void a_heartbeat_tells_how_far_it_is(void **state)
{
    const struct history row = {.script = TO_AGENT "init text later",
                                .times = {.heartbeat_ms = 60000}};

    (void)state;
    world_play(&row);
    assert_non_null(strstr(w.data, "{\"elapsed_ms\":60"));
    assert_non_null(strstr(w.data, ",\"idle_ms\":60"));
    assert_non_null(strstr(w.data, ",\"lines\":2,\"bytes\":200,\"cost_usd\":0,"));
    assert_non_null(strstr(w.data, ",\"turn_open\":true}"));
    world_end();
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(each_silence_has_its_length),
                                        cmocka_unit_test(an_end_by_the_watchdog_says_so),
                                        cmocka_unit_test(a_warning_tells_the_cost_so_far),
                                        cmocka_unit_test(a_heartbeat_tells_how_far_it_is)};

    return world_run("run watch", rows, COUNTOF(rows), others, COUNTOF(others));
}
