/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a run says its end behind its last line, keeps what its agent left before the sandbox
 * goes, and lets no secret out. Proof: the histories of run_world.h. */
#include "run_world.h"
#include "common/banned.h"

static struct history rows[] = {
    {"a run that works", .script = TO_AGENT "init result exit0 ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed mark:published kill:sb1 freed"},
    {"nothing is said before its acknowledgements", .script = TO_AGENT "init result exit0",
     .trace = T_TO_AGENT "line:1 line:2"},
    {"no result: another attempt, counted", .script = TO_AGENT "text exit0 ack ack held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:no_result,1,0 kill:sb1 freed"},
    {"no result, for the last time", .failures = 2,
     .script = TO_AGENT "text exit0 ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:sandbox.ended close say:run.failed "
                         "mark:published kill:sb1 freed"},
    {"a kill that fails is left to the janitor",
     .script = TO_AGENT "init result exit0 ack ack held ack held broken",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed mark:published kill:sb1"},
    {"what the agent left is stored before its sandbox goes", GLOBS,
     .script = TO_AGENT "init result exit0 stored collected ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 line:2 collect say:artifact.stored say:attempt.ended "
                         "say:sandbox.ended close say:run.completed mark:published kill:sb1 freed"},
    {"an artifact that cannot be stored changes no verdict", GLOBS,
     .script = TO_AGENT "init result exit0 unstored collected ack ack held ack",
     .trace = T_TO_AGENT "line:1 line:2 collect say:run.warning say:attempt.ended "
                         "say:sandbox.ended close say:run.completed mark:published"},
    {"what was under way when the lease lapsed is stored again", GLOBS,
     .script = TO_AGENT "init result exit0 stored lapse confirm ready held started init result "
                        "exit0 stored collected ack ack held",
     .trace = T_TO_AGENT "line:1 line:2 collect say:artifact.stored open:sb1 own:sb1 agent:look "
                         "collect say:artifact.stored say:attempt.ended say:sandbox.ended close "
                         "say:run.completed"},
    {"an agent that did not end leaves nothing", GLOBS, .script = "new gone ack ack held",
     .trace = "say:attempt.starting place create:1 say:attempt.ended say:run.retrying "
              "requeue:sandbox_lost,1,0"},
    {"deposed at the terminal", .script = TO_AGENT "init result exit0 ack ack lost",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended say:sandbox.ended close"},
    {"deposed at the verdict: the next owner has it to write",
     .script = TO_AGENT "text exit0 ack ack lost",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:no_result,1,0"},
    {"an agent that prints without end is ended, and not tried again",
     .script = TO_AGENT "init flood ack ack held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:sandbox.ended close say:run.failed"},
};

static void no_secret_leaves_in_a_line(void **state)
{
    const struct history row = {.script = TO_AGENT "init"};

    (void)state;
    world_play(&row);
    world_say("{\"type\":\"user\",\"message\":\"TOKEN=canary-0123456789\"}");
    assert_null(strstr(w.data, "canary"));
    assert_non_null(strstr(w.data, "TOKEN=*****************"));
    assert_non_null(strstr(w.data, "\"masked\":1"));
    world_end();
}

static void an_end_names_its_artifacts(void **state)
{
    const struct history row = {
        .request = GLOBS, .script = TO_AGENT "init result exit0 stored collected ack ack held"};
    const struct history bad = {.request = GLOBS, .script = TO_AGENT "init result exit0 unstored"};

    (void)state;
    world_play(&row);
    assert_non_null(strstr(w.data, "\"artifacts\":[{\"name\":\"artifacts.tar.gz\",\"bytes\":7,"
                                   "\"sha256\":\"ab\",\"location\":\"file:///a\",\"files\":2}]"));
    world_end();
    world_play(&bad);
    assert_non_null(strstr(w.data, "\"reason\":\"artifact_not_stored\""));
    assert_null(strstr(w.data, "canary"));
    world_end();
}

/* Where events tell less than it printed, the whole of it is kept; nobody had to ask. */
static void a_long_line_keeps_the_output(void **state)
{
    const struct history row = {.script = TO_AGENT "init"};
    AUTO_BUF text = BUF_INIT(1 << 20);

    (void)state;
    world_host.artifacts = (struct store *)&w;
    world_play(&row);
    for (int i = 0; i < 160000; i++)
        buf_addc(&text, 'x');
    w.agent->line(w.agent_ctx, &(struct capture_line){.text = buf_str(&text),
                                                      .mutable_text = text.p,
                                                      .n = ++w.line,
                                                      .end_offset = 200000,
                                                      .true_bytes = (int64_t)text.len});
    world_act(STR("result"));
    world_act(STR("exit0"));
    assert_non_null(strstr(w.trace.p, "collect:output"));
    world_host.artifacts = NULL;
    world_end();
}

static void an_end_tells_cost_result_and_tail(void **state)
{
    const struct history row = {.script = TO_AGENT "init text result exit0 ack ack held"};

    (void)state;
    world_play(&row);
    assert_non_null(strstr(w.data, "\"state\":\"completed\",\"outcome\":\"success\""));
    assert_non_null(strstr(w.data, "\"attempts\":1"));
    assert_non_null(strstr(w.data, "\"claude_session\":\"" TALK "\""));
    assert_non_null(strstr(w.data, "\"result\":\"ok\""));
    assert_non_null(strstr(w.data, "plain"));
    world_end();
}

/* Its claim and its agent are kept; only the stream goes, and comes back. */
static void the_stream_goes_while_kafka_does_not_keep_up(void **state)
{
    const struct history row = {.script = TO_AGENT "init"};

    (void)state;
    world_play(&row);
    buf_clear(&w.trace);
    w.blocked = true;
    run_flow_changed(w.run);
    run_flow_changed(w.run);
    assert_string_equal(w.trace.p, "stop-reading");
    w.blocked = false;
    run_flow_changed(w.run);
    assert_string_equal(w.trace.p, "stop-reading read-on");
    world_end();
}

static void an_end_without_a_result_is_synthetic(void **state)
{
    const struct history row = {.script = TO_AGENT "init exit0 ack ack held", .failures = 2};

    (void)state;
    world_play(&row);
    assert_non_null(strstr(w.data, "\"outcome\":\"no_result\""));
    assert_non_null(strstr(w.data, "\"synthetic\":true"));
    world_end();
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(no_secret_leaves_in_a_line),
        cmocka_unit_test(an_end_names_its_artifacts),
        cmocka_unit_test(a_long_line_keeps_the_output),
        cmocka_unit_test(an_end_tells_cost_result_and_tail),
        cmocka_unit_test(the_stream_goes_while_kafka_does_not_keep_up),
        cmocka_unit_test(an_end_without_a_result_is_synthetic)};

    return world_run("run end", rows, COUNTOF(rows), others, COUNTOF(others));
}
