/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of what comes unasked: the agent's lines and its end, the clock, acknowledgements, the
 * lease and who wants the run to end. */
#include <stdio.h>

#include "run_world.h"
#include "common/banned.h"

static const struct {
    const char *name, *lines[2];
} said[] = {
    {"init",
     {"{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"" TALK "\",\"model\":\"m\"}"}},
    {"text", {"plain"}},
    {"result",
     {"{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"ok\","
      "\"session_id\":\"" TALK "\"}"}},
    /* A usage limit that is said to last for hundreds of thousands of years. */
    {"limit",
     {"{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\","
      "\"resetsAt\":9007199254740991}}",
      "{\"type\":\"result\",\"is_error\":true,\"api_error_status\":429}"}},
    {"near",
     {"{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"allowed_warning\","
      "\"rateLimitType\":\"five_hour\",\"utilization\":0.93}}"}},
    /* What the agent says when it is interrupted. */
    {"int",
     {"{\"type\":\"result\",\"subtype\":\"error_during_execution\",\"is_error\":true,"
      "\"terminal_reason\":\"aborted_streaming\"}"}},
    {"tool",
     {"{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"tool_use\"}]}}",
      "{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\"}]}}"}},
    {"task", {"{\"type\":\"system\",\"subtype\":\"background_tasks_changed\",\"tasks\":[{}]}"}},
    {"badtoken", {"{\"type\":\"result\",\"is_error\":true,\"api_error_status\":401}"}},
    /* The interrupted turn's result, as Claude prints it. */
    {"aborted",
     {"{\"type\":\"result\",\"subtype\":\"error_during_execution\",\"is_error\":true,"
      "\"terminal_reason\":\"aborted_streaming\",\"session_id\":\"" TALK "\","
      "\"total_cost_usd\":0.25,\"model_usage_since_last_result\":{\"m\":{\"costUSD\":0.25}}}"}},
};

void world_say(const char *text)
{
    char copy[512];
    struct capture_line line = {.n = ++w.line, .end_offset = w.line * 100};

    snprintf(copy, sizeof(copy), "%s", text);
    line.mutable_text = copy;
    line.text = str_of(copy);
    line.true_bytes = (int64_t)line.text.n;
    w.agent->line(w.agent_ctx, &line);
}

#define TOTAL(usd) STR("{\"type\":\"cost-state\",\"modelUsage\":{\"m\":{\"costUSD\":" usd "}}}")

/* The transcript is read where somebody wants it: this agent added 0.4 USD. */
static void agent_ended(int status)
{
    struct capture_end end = {.exit_status = status, .lines = w.line};

    if (w.agent->wants_cost(w.agent_ctx)) {
        end.cost_before = TOTAL("0.5");
        end.cost_after = TOTAL("0.9");
    }
    w.agent->ended(w.agent_ctx, &end);
}

static void v_started(void)
{
    w.agent->started(w.agent_ctx);
}
static void v_exit0(void)
{
    agent_ended(0);
}
static void v_killed(void)
{
    agent_ended(137);
}
static void v_flood(void)
{
    struct capture_end end = {.exit_status = 143, .lines = w.line, .log_ceiling = true};
    w.agent->ended(w.agent_ctx, &end);
}
static void v_lostit(void)
{
    struct err e = {.code = ERR_INTERNAL, .msg = "no exit status"};
    w.agent->failed(w.agent_ctx, &e);
}
static void v_tick(void)
{
    assert_non_null(w.timer.fn);
    w.timer.fn(w.timer.ctx);
}
static void v_later(void)
{
    assert_in_range(w.timer_ms, 0, 3660000);
    w.later_ms += w.timer_ms;
    v_tick();
}
static void v_ack(void)
{
    w.unacked = 0;
    if (w.moved)
        w.moved(w.moved_ctx);
}
static void v_lapse(void)
{
    w.may_publish = false;
    run_lapse(w.run);
}
static void v_confirm(void)
{
    w.may_publish = true;
    run_confirm(w.run);
}
static void v_cancel(void)
{
    run_cancel(w.run, false, "ann");
}
static void v_force(void)
{
    run_cancel(w.run, true, NULL);
}
static void v_outrun(void)
{
    run_interrupt(w.run, "0197a0b4-0000-7000-8000-000000000002");
}

static const struct verb verbs[] = {
    {"started", v_started}, {"exit0", v_exit0},     {"killed", v_killed}, {"flood", v_flood},
    {"lostit", v_lostit},   {"tick", v_tick},       {"later", v_later},   {"ack", v_ack},
    {"lapse", v_lapse},     {"confirm", v_confirm}, {"cancel", v_cancel}, {"force", v_force},
    {"outrun", v_outrun},   {NULL, NULL},
};

void world_turn(void)
{
    loop_fn fn = w.deferred;
    w.deferred = NULL;
    if (fn)
        fn(w.deferred_ctx);
}

static bool says(struct str word)
{
    for (size_t i = 0; i < COUNTOF(said); i++)
        if (str_is(word, said[i].name)) {
            for (size_t k = 0; k < COUNTOF(said[i].lines) && said[i].lines[k]; k++)
                world_say(said[i].lines[k]);
            return true;
        }
    return false;
}

static bool does(struct str word, const struct verb *verb)
{
    for (; verb->name; verb++)
        if (str_is(word, verb->name)) {
            verb->act();
            return true;
        }
    return false;
}

void world_act(struct str word)
{
    if (!says(word) && !does(word, verbs) && !does(word, world_answers))
        fail_msg("no verb is called '" STR_FMT "'", STR_ARG(word));
    world_turn();
}
