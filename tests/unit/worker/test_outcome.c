/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what happened has one name and one consequence. Each row of the command's
 * documented ends (result lines, exits, refusals on stderr) is a row here; the plan's
 * counting and waiting is checked cell by cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "worker/run/outcome.h"

static struct end {
    const char *name;
    const char *lines[4]; /* of stdout */
    int exit_status;
    const char *stderr_tail;
    const char *want;
} ends[] = {
#define INIT           "{\"type\":\"system\",\"subtype\":\"init\"}"
#define OK_RESULT      "{\"is_error\":false,\"subtype\":\"success\",\"type\":\"result\"}"
#define BAD(members)   "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":true," members "}"
#define SAYS(word)     "{\"type\":\"assistant\",\"error\":\"" word "\",\"is_api_error_message\":true}"
#define API(n)         BAD("\"terminal_reason\":\"api_error\",\"api_error_status\":" #n)
#define REASON(reason) BAD("\"terminal_reason\":\"" reason "\"")
    {"success", {INIT, OK_RESULT}, 0, "", "success"},
    {"success, exit status aside", {INIT, OK_RESULT}, 1, "", "success"},
    {"killed after the last result", {INIT, OK_RESULT}, 137, "", "success"},
    {"killed in the turn after a result", {INIT, OK_RESULT, INIT}, 137, "", "no_result"},
    {"lines after the result", {INIT, OK_RESULT, SAYS("x")}, 0, "", "success"},
    {"the last result counts", {INIT, BAD("\"a\":1"), INIT, OK_RESULT}, 0, "", "success"},
    {"success by subtype only", {INIT, BAD("\"a\":1")}, 1, "", "agent_error"},
    {"timed out", {INIT}, 124, "", "timed_out"},
    {"timed out behind a result", {INIT, OK_RESULT}, 124, "", "timed_out"},
    {"interrupted in a tool, exit 0", {INIT, REASON("aborted_tools")}, 0, "", "interrupted"},
    {"interrupted in the stream", {INIT, REASON("aborted_streaming")}, 0, "", "interrupted"},
    {"max turns",
     {INIT, "{\"type\":\"result\",\"subtype\":\"error_max_turns\",\"is_error\":true}"},
     1,
     "",
     "max_turns"},
    {"budget",
     {INIT, "{\"type\":\"result\",\"subtype\":\"error_max_budget_usd\",\"is_error\":true}"},
     1,
     "",
     "budget"},
    {"structured output never came",
     {"{\"type\":\"result\",\"subtype\":\"error_max_structured_output_retries\",\"is_error\":"
      "true}"},
     1,
     "",
     "agent_error"},
    {"prompt of 10 MB", {INIT, REASON("blocking_limit")}, 1, "", "context_limit"},
    {"prompt too long", {INIT, REASON("prompt_too_long")}, 1, "", "context_limit"},
    {"refusal",
     {INIT, BAD("\"terminal_reason\":\"api_error\",\"stop_reason\":\"refusal\"")},
     1,
     "",
     "refusal"},
    {"max output tokens",
     {INIT, SAYS("max_output_tokens"), REASON("api_error")},
     1,
     "",
     "agent_error"},
    {"400", {INIT, SAYS("invalid_request"), API(400)}, 1, "", "invalid_request"},
    {"402", {INIT, SAYS("billing_error"), API(402)}, 1, "", "billing"},
    {"403", {INIT, SAYS("authentication_failed"), API(403)}, 1, "", "auth"},
    {"404", {INIT, SAYS("model_not_found"), API(404)}, 1, "", "invalid_request"},
    {"413", {INIT, SAYS("invalid_request"), API(413)}, 1, "", "invalid_request"},
    {"401", {INIT, SAYS("authentication_failed"), API(401)}, 1, "", "auth"},
    {"429", {INIT, SAYS("rate_limit"), API(429)}, 1, "", "rate_limited"},
    {"500", {INIT, SAYS("server_error"), API(500)}, 1, "", "api_error"},
    {"503", {INIT, SAYS("server_error"), API(503)}, 1, "", "api_error"},
    {"529", {INIT, SAYS("server_error"), API(529)}, 1, "", "overloaded"},
    {"overloaded by word", {INIT, SAYS("overloaded"), REASON("api_error")}, 1, "", "overloaded"},
    {"connection refused", {INIT, SAYS("unknown"), REASON("api_error")}, 1, "", "api_error"},
    {"credit too low", {INIT, SAYS("billing_error"), API(400)}, 1, "", "billing"},
    {"not logged in", {INIT, SAYS("authentication_failed"), REASON("api_error")}, 1, "", "auth"},
    {"five-hour limit",
     {INIT, BAD("\"api_error\":\"usage_limit_reached\",\"api_error_status\":429")},
     1,
     "",
     "usage_limit"},
    {"limit told by its event only",
     {"{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\"}}", API(429)},
     1,
     "",
     "usage_limit"},
    {"limit near, then a failure of another kind",
     {"{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"allowed_warning\"}}",
      API(429)},
     1,
     "",
     "rate_limited"},
    {"unknown session",
     {"{\"type\":\"result\",\"subtype\":\"error_during_execution\",\"is_error\":true,"
      "\"errors\":[\"No conversation found with session ID: x\"]}"},
     1,
     "",
     "session_lost"},
    {"SIGTERM", {INIT}, 143, "", "no_result"},
    {"SIGHUP", {INIT}, 129, "", "no_result"},
    {"SIGKILL", {INIT}, 137, "", "no_result"},
    {"exit 0 without a result", {INIT}, 0, "", "no_result"},
    {"exit 0 without a word", {NULL}, 0, "", "no_result"},
    {"stderr is no reason once it spoke", {INIT}, 1, "error: unknown option '-x'", "no_result"},
    {"unknown session on stderr",
     {NULL},
     1,
     "No conversation found with session ID: 00000000-0000-4000-8000-000000000000\n",
     "session_lost"},
    {"unknown option", {NULL}, 1, "error: unknown option '-x'\n", "invalid_request"},
    {"session id in use", {NULL}, 1, "Error: Session ID 1 is already in use.\n", "agent_error"},
    {"session id no UUID",
     {NULL},
     1,
     "Error: Invalid session ID. Must be a valid UUID.",
     "invalid_request"},
    {"session id with resume",
     {NULL},
     1,
     "Error: --session-id with --continue or --resume also needs --fork-session.",
     "invalid_request"},
    {"no prompt",
     {NULL},
     1,
     "Error: Input must be provided either through stdin or as a prompt argument when using "
     "--print",
     "invalid_request"},
    {"stdin over 10 MB",
     {NULL},
     1,
     "Error: piped stdin input exceeds 10MB. Pass large content…",
     "invalid_request"},
    {"not verbose",
     {NULL},
     1,
     "Error: When using --print, --output-format=stream-json requires --verbose",
     "invalid_request"},
    {"root",
     {NULL},
     1,
     "--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons",
     "agent_error"},
    {"MCP file",
     {NULL},
     1,
     "Error: Invalid MCP configuration:\nMCP config file not found: x",
     "invalid_request"},
    {"JSON schema", {NULL}, 1, "Error: --json-schema is not valid JSON: x", "invalid_request"},
    {"budget of 0",
     {NULL},
     1,
     "error: option '--max-budget-usd <amount>' argument '0' is invalid.",
     "invalid_request"},
    {"argument over 128 KiB",
     {NULL},
     126,
     "env: 'claude': Argument list too long",
     "invalid_request"},
    {"program missing", {NULL}, 127, "env: 'claude': No such file or directory", "agent_missing"},
    {"program not executable", {NULL}, 126, "env: 'claude': Permission denied", "agent_missing"},
    {"a reason nobody knows", {NULL}, 1, "boom", "no_result"},
};

static void judges(void **state)
{
    const struct end *row = *state;
    struct stream_state st = {0};
    struct stream_line line;

    for (size_t i = 0; i < COUNTOF(row->lines) && row->lines[i]; i++)
        stream_json_line(&st, str_of(row->lines[i]), &line);
    assert_string_equal(
        outcome_name(outcome_of_exit(&st, row->exit_status, str_of(row->stderr_tail))), row->want);
}

static struct plan {
    const char *name;
    enum outcome o;
    int64_t failures, uncounted, max, hold_ms;
    bool retry, counted;
    int64_t failures_after;
    int64_t least, most; /* ms */
} plans[] = {
    {"an end", OUTCOME_SUCCESS, 0, 0, 3, 0, false, true, 0, 0, 0},
    {"an end keeps no attempts", OUTCOME_MAX_TURNS, 0, 0, 3, 0, false, true, 0, 0, 0},
    {"first failure", OUTCOME_API_ERROR, 0, 0, 3, 0, true, true, 1, 2500, 5000},
    {"second failure waits longer", OUTCOME_API_ERROR, 1, 0, 3, 0, true, true, 2, 5000, 10000},
    {"last attempt", OUTCOME_API_ERROR, 2, 0, 3, 0, false, true, 0, 0, 0},
    {"one attempt only", OUTCOME_SANDBOX_LOST, 0, 0, 1, 0, false, true, 0, 0, 0},
    {"the other side's wait is kept", OUTCOME_API_ERROR, 0, 0, 3, 60000, true, true, 1, 60000,
     60000},
    {"stalled: once more", OUTCOME_STALLED, 0, 0, 9, 0, true, true, 8, 500, 1000},
    {"stalled: and no other", OUTCOME_STALLED, 8, 0, 9, 0, false, true, 0, 0, 0},
    {"stalled: not even once more", OUTCOME_STALLED, 0, 0, 1, 0, false, true, 0, 0, 0},
    {"overload is not counted", OUTCOME_OVERLOADED, 0, 0, 1, 0, true, false, 0, 2500, 5000},
    {"… nineteen times", OUTCOME_OVERLOADED, 0, 19, 1, 0, true, false, 0, 150000, 300000},
    {"… then it is", OUTCOME_OVERLOADED, 0, 20, 1, 0, false, true, 0, 0, 0},
    {"… with attempts left", OUTCOME_RATE_LIMITED, 0, 20, 3, 0, true, true, 1, 2500, 5000},
    {"limit until a known time", OUTCOME_USAGE_LIMIT, 2, 99, 3, 7200000, true, false, 2, 7200000,
     7200999},
    {"limit until nobody knows when", OUTCOME_USAGE_LIMIT, 0, 0, 3, 0, true, false, 0, 30000,
     60000},
    {"no room", OUTCOME_SANDBOX_CAPACITY, 0, 9, 1, 0, true, false, 0, 15000, 30000},
};

static void plans_what_next(void **state)
{
    static const uint32_t randoms[] = {0, 1, 0x7fffffff, 0xfffffffe, 0xffffffff};
    const struct plan *row = *state;

    for (size_t i = 0; i < COUNTOF(randoms); i++) {
        struct outcome_counts was = {.attempt = row->uncounted + 1,
                                     .failures = row->failures,
                                     .uncounted = row->uncounted,
                                     .max_attempts = row->max};
        struct outcome_plan p = outcome_plan(row->o, &was, row->hold_ms, randoms[i]);
        bool waits = outcome_next(row->o) == NEXT_WAIT;

        assert_int_equal(p.retry, row->retry);
        assert_int_equal(p.counted, row->counted);
        assert_int_equal(p.failures, row->failures_after);
        if (p.retry)
            assert_int_equal(p.uncounted, row->uncounted + (waits && !row->counted));
        assert_in_range(p.delay_ms, row->least, row->most);
    }
}

/* No failure of ours is left without a name, and only an end ends at once. */
static void every_error_has_an_outcome(void **state)
{
    (void)state;
    for (enum err_code c = ERR_OK; c < ERR_CODES; c++) {
        struct err e = {.code = c};
        enum outcome o = outcome_of_error(&e);

        assert_int_not_equal(o, OUTCOME_SUCCESS);
        if (err_action(c) == ERR_DO_RETRY)
            assert_int_not_equal(outcome_next(o), NEXT_END);
    }
}

static void every_outcome_ends_as_a_terminal(void **state)
{
    (void)state;
    for (enum outcome o = 0; o < OUTCOMES; o++) {
        assert_true(event_is_terminal(outcome_event(o)));
        assert_true(strlen(outcome_name(o)) > 0);
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(ends) + COUNTOF(plans) + 2];
    size_t n = 0;

    for (size_t i = 0; i < COUNTOF(ends); i++)
        tests[n++] = (struct CMUnitTest){
            .name = ends[i].name, .test_func = judges, .initial_state = &ends[i]};
    for (size_t i = 0; i < COUNTOF(plans); i++)
        tests[n++] = (struct CMUnitTest){
            .name = plans[i].name, .test_func = plans_what_next, .initial_state = &plans[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_error_has_an_outcome);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_outcome_ends_as_a_terminal);
    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
