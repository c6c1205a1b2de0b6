/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what happened has one name and one consequence. Each row of the command's
 * documented ends (result lines, exits, refusals on stderr) is a row here, with its class and
 * with what is done about it; the plan's counting and waiting is checked cell by cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "worker/run/outcome.h"

/* What is done, for a first attempt of three that names its credential: the words are
 * describe()'s. */
#define ENDS      "end"
#define RETRIES   "retry, counted, in 501..1000 ms"
#define API_AGAIN "retry, counted, in 2501..5000 ms"
#define ONCE_MORE RETRIES ", the last"
#define WAITS     "retry, not counted, in 2501..5000 ms"
#define HOLDS     "retry, not counted, in 300000..300999 ms; credential held for 300000 ms"
#define ALERTS    "end; credential held for 600000 ms, alert"

static struct end {
    const char *name;
    const char *lines[6]; /* of stdout */
    int exit_status;
    const char *stderr_tail;
    const char *want, *does;
    bool schema_asked;
} ends[] = {
// clang-format off
#define INIT           "{\"type\":\"system\",\"subtype\":\"init\"}"
#define OK_RESULT      "{\"is_error\":false,\"subtype\":\"success\",\"type\":\"result\"}"
#define BAD(members)   "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":true," members "}"
#define ERROR(subtype) "{\"type\":\"result\",\"subtype\":\"" subtype "\",\"is_error\":true}"
#define SAYS(word)     "{\"type\":\"assistant\",\"error\":\"" word "\",\"is_api_error_message\":true}"
#define API(n)         BAD("\"terminal_reason\":\"api_error\",\"api_error_status\":" #n)
#define REASON(reason) BAD("\"terminal_reason\":\"" reason "\"")
#define ABORTED(reason) "{\"type\":\"result\",\"subtype\":\"error_during_execution\",\"is_error\":true," \
                        "\"terminal_reason\":\"" reason "\",\"errors\":[\"[ede_diagnostic] x\"]}"
#define TURN           "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}}"
#define SYNTHETIC      "{\"type\":\"user\",\"isSynthetic\":true,\"message\":{\"content\":\"cut off mid-stream\"}}"
#define API_RETRY      "{\"type\":\"system\",\"subtype\":\"api_retry\",\"error_status\":null}"
#define LIMIT(status)  "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"" status "\"}}"

    /* --- claude-cli.md section 3, row by row --- */
    {.name = "text", {INIT, TURN, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "a tool", {INIT, TURN, SYNTHETIC, TURN, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "in the background: two results", {INIT, OK_RESULT, INIT, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "two results back to back", {INIT, INIT, OK_RESULT, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "--max-turns", {INIT, TURN, ERROR("error_max_turns")}, 1, "", "max_turns", ENDS},
    {.name = "--max-turns, by its reason", {INIT, TURN, REASON("max_turns")}, 1, "", "max_turns", ENDS},
    {.name = "--max-budget-usd", {INIT, TURN, ERROR("error_max_budget_usd")}, 1, "", "budget", ENDS},
    {.name = "--max-budget-usd, by its reason", {INIT, REASON("budget_exhausted")}, 1, "", "budget", ENDS},
    {.name = "--json-schema", {INIT, "{\"type\":\"result\",\"is_error\":false,\"structured_output\":{}}"}, 0, "", "success", ENDS, .schema_asked = true},
    {.name = "--json-schema, told before the last result", {INIT, "{\"type\":\"result\",\"is_error\":false,\"structured_output\":{}}", INIT, OK_RESULT}, 0, "", "success", ENDS, .schema_asked = true},
    {.name = "--json-schema, never complied with", {INIT, OK_RESULT}, 0, "", "agent_error", ENDS, .schema_asked = true},
    {.name = "--json-schema, given up", {INIT, ERROR("error_max_structured_output_retries")}, 1, "", "agent_error", ENDS, .schema_asked = true},
    {.name = "400", {INIT, SAYS("invalid_request"), API(400)}, 1, "", "invalid_request", ENDS},
    {.name = "402", {INIT, SAYS("billing_error"), API(402)}, 1, "", "billing", ALERTS},
    {.name = "402 without a word", {INIT, API(402)}, 1, "", "billing", ALERTS},
    {.name = "403", {INIT, SAYS("authentication_failed"), API(403)}, 1, "", "auth", ALERTS},
    {.name = "403 of an organization", {INIT, SAYS("oauth_org_not_allowed"), API(403)}, 1, "", "auth", ALERTS},
    {.name = "404", {INIT, SAYS("model_not_found"), API(404)}, 1, "", "invalid_request", ENDS},
    {.name = "413", {INIT, SAYS("invalid_request"), API(413)}, 1, "", "invalid_request", ENDS},
    {.name = "401, API key", {INIT, API_RETRY, SAYS("authentication_failed"), API(401)}, 1, "", "auth", ALERTS},
    {.name = "401, OAuth", {INIT, SAYS("unknown"), API(401)}, 1, "", "auth", ALERTS},
    {.name = "429", {INIT, API_RETRY, SAYS("rate_limit"), API(429)}, 1, "", "rate_limited", WAITS},
    {.name = "429 without a word", {INIT, API(429)}, 1, "", "rate_limited", WAITS},
    {.name = "500", {INIT, API_RETRY, SAYS("server_error"), API(500)}, 1, "", "api_error", API_AGAIN},
    {.name = "503", {INIT, API_RETRY, SAYS("server_error"), API(503)}, 1, "", "api_error", API_AGAIN},
    {.name = "529", {INIT, API_RETRY, SAYS("server_error"), API(529)}, 1, "", "overloaded", WAITS},
    {.name = "overloaded, by word", {INIT, SAYS("overloaded"), REASON("api_error")}, 1, "", "overloaded", WAITS},
    {.name = "529 twice, then an answer", {INIT, API_RETRY, API_RETRY, TURN, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "connection refused", {INIT, API_RETRY, SAYS("unknown"), REASON("api_error")}, 1, "", "api_error", API_AGAIN},
    {.name = "cut in the first block", {INIT, API_RETRY, TURN, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "cut behind a whole block", {INIT, TURN, SYNTHETIC, TURN, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "no answer within API_TIMEOUT_MS", {INIT, API_RETRY, SAYS("unknown"), REASON("api_error")}, 1, "", "api_error", API_AGAIN},
    {.name = "5-hour limit", {INIT, LIMIT("rejected"), SAYS("rate_limit"), BAD("\"api_error\":\"usage_limit_reached\",\"api_error_status\":429")}, 1, "", "usage_limit", HOLDS},
    {.name = "limit told by its event only", {INIT, LIMIT("rejected"), API(429)}, 1, "", "usage_limit", HOLDS},
    {.name = "the same headers with an API key", {INIT, SAYS("rate_limit"), API(429)}, 1, "", "rate_limited", WAITS},
    {.name = "limit near", {INIT, TURN, LIMIT("allowed_warning"), OK_RESULT}, 0, "", "success", ENDS},
    {.name = "limit near, then a failure of another kind", {INIT, LIMIT("allowed_warning"), API(429)}, 1, "", "rate_limited", WAITS},
    {.name = "no credentials", {INIT, SAYS("authentication_failed"), REASON("api_error")}, 1, "", "auth", ALERTS},
    {.name = "credit too low", {INIT, SAYS("billing_error"), API(400)}, 1, "", "billing", ALERTS},
    {.name = "unknown model", {INIT, SAYS("model_not_found"), API(404)}, 1, "[claude-code:unrecognized_model] {}", "invalid_request", ENDS},
    {.name = "unknown model that the API takes", {INIT, TURN, OK_RESULT}, 0, "[claude-code:unrecognized_model] {}", "success", ENDS},
    {.name = "prompt of 10 MB", {INIT, TURN, REASON("blocking_limit")}, 1, "", "context_limit", ENDS},
    {.name = "prompt too long", {INIT, REASON("prompt_too_long")}, 1, "", "context_limit", ENDS},
    {.name = "SIGINT in the stream, exit 0", {INIT, TURN, ABORTED("aborted_streaming")}, 0, "", "interrupted", ENDS},
    {.name = "SIGINT in a tool, exit 0", {INIT, TURN, ABORTED("aborted_tools")}, 0, "", "interrupted", ENDS},
    {.name = "SIGTERM", {INIT, TURN}, 143, "", "no_result", RETRIES},
    {.name = "SIGHUP", {INIT, TURN}, 129, "", "no_result", RETRIES},
    {.name = "SIGKILL", {INIT, TURN}, 137, "", "no_result", RETRIES},
    {.name = "--resume of an unknown session", {"{\"type\":\"result\",\"subtype\":\"error_during_execution\",\"is_error\":true,\"errors\":[\"No conversation found with session ID: x\"]}"}, 1, "", "session_lost", ENDS},
    {.name = "empty answer", {INIT, SYNTHETIC, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "max output tokens, four times", {INIT, SAYS("max_output_tokens"), REASON("api_error")}, 1, "", "agent_error", ENDS},
    {.name = "refusal", {INIT, TURN, BAD("\"terminal_reason\":\"api_error\",\"stop_reason\":\"refusal\"")}, 1, "", "refusal", ENDS},
    {.name = "context full", {INIT, SYNTHETIC, TURN, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "context full, compaction failed", {INIT, REASON("blocking_limit")}, 1, "", "context_limit", ENDS},
    {.name = "permission denied", {INIT, TURN, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "slash command", {INIT, TURN, OK_RESULT}, 0, "", "success", ENDS},

    /* --- its section 5: nothing on stdout --- */
    {.name = "unknown option", {NULL}, 1, "error: unknown option '-x'\n", "invalid_request", ENDS},
    {.name = "session id in use", {NULL}, 1, "Error: Session ID 1 is already in use.\n", "internal", RETRIES},
    {.name = "session id no UUID", {NULL}, 1, "Error: Invalid session ID. Must be a valid UUID.", "invalid_request", ENDS},
    {.name = "session id with resume", {NULL}, 1, "Error: --session-id with --continue or --resume also needs --fork-session.", "invalid_request", ENDS},
    {.name = "no prompt", {NULL}, 1, "Error: Input must be provided either through stdin or as a prompt argument when using --print", "invalid_request", ENDS},
    {.name = "prompt swallowed by a flag", {NULL}, 1, "\"hi\" was read as a value of --allowedTools, not as a prompt\nError: Input must be provided either through stdin", "invalid_request", ENDS},
    {.name = "stdin over 10 MB", {NULL}, 1, "Error: piped stdin input exceeds 10MB. Pass large content…", "invalid_request", ENDS},
    {.name = "not verbose", {NULL}, 1, "Error: When using --print, --output-format=stream-json requires --verbose", "invalid_request", ENDS},
    {.name = "root", {NULL}, 1, "--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons", "agent_error", ENDS},
    {.name = "MCP file", {NULL}, 1, "Error: Invalid MCP configuration:\nMCP config file not found: x", "invalid_request", ENDS},
    {.name = "JSON schema", {NULL}, 1, "Error: --json-schema is not valid JSON: x", "invalid_request", ENDS, .schema_asked = true},
    {.name = "budget of 0", {NULL}, 1, "error: option '--max-budget-usd <amount>' argument '0' is invalid.", "invalid_request", ENDS},
    {.name = "program missing", {NULL}, 127, "env: 'claude': No such file or directory", "agent_missing", ENDS},

    /* --- 2.1.197 --- */
    {.name = "2.1.197: an API error says 'completed'", {INIT, SAYS("server_error"), BAD("\"terminal_reason\":\"completed\",\"api_error_status\":500")}, 1, "", "api_error", API_AGAIN},
    {.name = "2.1.197: and 529 does", {INIT, SAYS("overloaded"), BAD("\"terminal_reason\":\"completed\",\"api_error_status\":529")}, 1, "", "overloaded", WAITS},
    {.name = "2.1.197: SIGINT, exit 1", {INIT, ABORTED("aborted_streaming")}, 1, "", "interrupted", ENDS},
    {.name = "2.1.197: type comes first", {INIT, "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false}"}, 0, "", "success", ENDS},

    /* --- what else ends a process --- */
    {.name = "success, exit status aside", {INIT, OK_RESULT}, 1, "", "success", ENDS},
    {.name = "killed after the last result", {INIT, OK_RESULT}, 137, "", "success", ENDS},
    {.name = "success, then cut off", {INIT, OK_RESULT, INIT}, 137, "", "no_result", RETRIES},
    {.name = "success, then cut off in the next turn's tool", {INIT, OK_RESULT, INIT, TURN}, 1, "", "no_result", RETRIES},
    {.name = "error, then success", {INIT, BAD("\"a\":1"), INIT, OK_RESULT}, 0, "", "success", ENDS},
    {.name = "success, then an error", {INIT, OK_RESULT, INIT, API(529)}, 1, "", "overloaded", WAITS},
    {.name = "success, then interrupted", {INIT, OK_RESULT, INIT, ABORTED("aborted_tools")}, 0, "", "interrupted", ENDS},
    {.name = "lines after the result", {INIT, OK_RESULT, SAYS("x")}, 0, "", "success", ENDS},
    {.name = "success by subtype only", {INIT, BAD("\"a\":1")}, 1, "", "agent_error", ENDS},
    {.name = "out of time", {INIT}, 124, "", "timed_out", ENDS},
    {.name = "out of time behind a result", {INIT, OK_RESULT}, 124, "", "timed_out", ENDS},
    {.name = "exit 0 without a result", {INIT}, 0, "", "no_result", RETRIES},
    {.name = "exit 0 without a word", {NULL}, 0, "", "no_result", RETRIES},
    {.name = "stderr is no reason once it spoke", {INIT}, 1, "error: unknown option '-x'", "no_result", RETRIES},
    {.name = "unknown session on stderr", {NULL}, 1, "No conversation found with session ID: 00000000-0000-4000-8000-000000000000\n", "session_lost", ENDS},
    {.name = "argument over 128 KiB", {NULL}, 126, "env: 'claude': Argument list too long", "invalid_request", ENDS},
    {.name = "program not executable", {NULL}, 126, "env: 'claude': Permission denied", "agent_missing", ENDS},
    {.name = "a reason nobody knows", {NULL}, 1, "boom", "no_result", RETRIES},
    // clang-format on
};

/* The plan in words, between the two ends of chance. */
static void describe(enum outcome o, const struct outcome_case *c, struct buf *out)
{
    struct outcome_plan least = outcome_plan(o, c, 0), most = outcome_plan(o, c, 0xfffffffe);
    /* of chance % 1000, the most is this one */
    struct outcome_plan whole = outcome_plan(o, c, 999);

    if (whole.delay_ms > most.delay_ms)
        most = whole;
    if (least.retry)
        buf_addf(out, "retry, %scounted, in %lld..%lld ms", least.counted ? "" : "not ",
                 (long long)least.delay_ms, (long long)most.delay_ms);
    else
        buf_adds(out, "end");
    if (least.failures > c->failures && least.failures + 1 == c->max_attempts)
        buf_adds(out, ", the last");
    if (least.credential_ms > 0)
        buf_addf(out, "; credential held for %lld ms%s", (long long)least.credential_ms,
                 least.alert ? ", alert" : "");
}

static void judges(void **state)
{
    const struct end *row = *state;
    struct stream_state st = {.schema_asked = row->schema_asked};
    struct outcome_case first = {.attempt = 1, .max_attempts = 3};
    AUTO_BUF does = BUF_INIT(256);
    struct stream_line line;
    enum outcome o;

    for (size_t i = 0; i < COUNTOF(row->lines) && row->lines[i]; i++)
        stream_json_line(&st, str_of(row->lines[i]), &line);
    o = outcome_of_exit(&st, row->exit_status, str_of(row->stderr_tail));
    assert_string_equal(outcome_name(o), row->want);
    describe(o, &first, &does);
    assert_string_equal(does.p, row->does);
}

/* The classes that no process's end has. */
static struct other {
    const char *name, *does;
    struct outcome_case c;
} others[] = {
    {"stalled", ONCE_MORE, {.attempt = 1, .max_attempts = 3}},
    {"stalled", ONCE_MORE, {.attempt = 1, .max_attempts = 9}},
    {"workspace_failed", API_AGAIN, {.attempt = 1, .max_attempts = 3}},
    {"cancelled", ENDS, {.attempt = 1, .max_attempts = 3}},
    {"expired", ENDS, {.attempt = 1, .max_attempts = 3}},
    {"invalid", ENDS, {.attempt = 1, .max_attempts = 3}},
    {"template_unknown", ENDS, {.attempt = 1, .max_attempts = 3}},
    {"credential_not_found", ENDS, {.attempt = 1, .max_attempts = 3}},
    {"credential_unreadable", ALERTS, {.attempt = 1, .max_attempts = 3}},
    {"credential_not_proxied",
     "retry, not counted, in 600000..600999 ms; credential held for 600000 ms, alert",
     {.attempt = 1, .max_attempts = 3}},
    {"credential_not_proxied",
     "retry, not counted, in 0..999 ms; credential held for 600000 ms, alert",
     {.attempt = 4, .max_attempts = 3, .pooled = true}},
    {"log_ceiling", ENDS, {.attempt = 1, .max_attempts = 3}},
    {"session_busy", ENDS, {.attempt = 1, .max_attempts = 3}},
    {"sandbox_service_down",
     "retry, not counted, in 1001..2000 ms",
     {.attempt = 1, .max_attempts = 3}},
    {"sandbox_capacity", "retry, not counted, in 1001..2000 ms", {.attempt = 1, .max_attempts = 3}},
    {"sandbox_failed", RETRIES, {.attempt = 1, .max_attempts = 3}},
    {"sandbox_lost", RETRIES, {.attempt = 1, .max_attempts = 3}},
    {"stream_lost", RETRIES, {.attempt = 1, .max_attempts = 3}},
    /* other credentials of the pool go on: the run with them, at once */
    {"usage_limit",
     "retry, not counted, in 0..999 ms; credential held for 7200000 ms",
     {.attempt = 4, .max_attempts = 3, .hold_ms = 7200000, .pooled = true}},
    {"usage_limit",
     "retry, not counted, in 7200000..7200999 ms; credential held for 7200000 ms",
     {.attempt = 400, .failures = 2, .max_attempts = 3, .hold_ms = 7200000}},
    {"auth",
     "retry, not counted, in 0..999 ms; credential held for 600000 ms, alert",
     {.attempt = 1, .max_attempts = 1, .pooled = true}},
    {"auth",
     "end; credential held for 600000 ms, alert",
     {.attempt = 22, .uncounted = 20, .max_attempts = 1, .pooled = true}},
};

static void does_the_rest(void **state)
{
    const struct other *row = *state;
    AUTO_BUF does = BUF_INIT(256);

    for (enum outcome o = 0; o < OUTCOMES; o++)
        if (strcmp(outcome_name(o), row->name) == 0)
            describe(o, &row->c, &does);
    assert_non_null(does.p);
    assert_string_equal(does.p, row->does);
}

/* A class that no row above has would be one that nobody has thought through. */
static void every_class_has_a_row(void **state)
{
    (void)state;
    for (enum outcome o = 0; o < OUTCOMES; o++) {
        size_t n = 0;

        for (size_t i = 0; i < COUNTOF(ends); i++)
            n += strcmp(ends[i].want, outcome_name(o)) == 0;
        for (size_t i = 0; i < COUNTOF(others); i++)
            n += strcmp(others[i].name, outcome_name(o)) == 0;
        if (n == 0)
            fail_msg("%s", outcome_name(o));
    }
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
    {"limit until nobody knows when", OUTCOME_USAGE_LIMIT, 0, 0, 3, 0, true, false, 0, 300000,
     300999},
    {"no room", OUTCOME_SANDBOX_CAPACITY, 0, 9, 1, 0, true, false, 0, 15000, 30000},
};

static void plans_what_next(void **state)
{
    static const uint32_t randoms[] = {0, 1, 0x7fffffff, 0xfffffffe, 0xffffffff};
    const struct plan *row = *state;

    for (size_t i = 0; i < COUNTOF(randoms); i++) {
        struct outcome_case c = {.attempt = row->uncounted + 1,
                                 .failures = row->failures,
                                 .uncounted = row->uncounted,
                                 .max_attempts = row->max,
                                 .hold_ms = row->hold_ms};
        struct outcome_plan p = outcome_plan(row->o, &c, randoms[i]);
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

/* Next and credential of a row of docs/outcomes.md, as its reader sees them. */
static const char *documented(enum outcome o)
{
    struct outcome_case c = {.attempt = 1, .max_attempts = 9};
    struct outcome_plan p = outcome_plan(o, &c, 0);
    const char *credential = p.credential_ms == 0 ? "" : p.alert ? "alert " : "until reset ";
    static const char *const nexts[] = {
        [NEXT_END] = "ends",   [NEXT_RETRY] = "again", [NEXT_ONCE] = "once",
        [NEXT_WAIT] = "waits", [NEXT_HOLD] = "held",   [NEXT_OTHER] = "other",
    };
    static char row[160];

    (void)snprintf(row, sizeof(row), "| `%s` | %s | %s| ", outcome_name(o), nexts[outcome_next(o)],
                   credential);
    return row;
}

static void the_documented_table_is_this_one(void **state)
{
    static char text[32768];
    FILE *f = fopen(SF_SOURCE_DIR "/docs/outcomes.md", "r");
    size_t rows_there = 0;

    (void)state;
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    (void)fclose(f);
    for (const char *p = text; (p = strstr(p, "\n| `")); p++)
        rows_there++;
    assert_int_equal(rows_there, OUTCOMES);
    for (enum outcome o = 0; o < OUTCOMES; o++)
        if (!strstr(text, documented(o)))
            fail_msg("docs/outcomes.md has no row: %s", documented(o));
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(ends) + COUNTOF(plans) + COUNTOF(others) + 4];
    size_t n = 0;

    for (size_t i = 0; i < COUNTOF(ends); i++)
        tests[n++] = (struct CMUnitTest){
            .name = ends[i].name, .test_func = judges, .initial_state = &ends[i]};
    for (size_t i = 0; i < COUNTOF(plans); i++)
        tests[n++] = (struct CMUnitTest){
            .name = plans[i].name, .test_func = plans_what_next, .initial_state = &plans[i]};
    for (size_t i = 0; i < COUNTOF(others); i++)
        tests[n++] = (struct CMUnitTest){
            .name = others[i].name, .test_func = does_the_rest, .initial_state = &others[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_class_has_a_row);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_documented_table_is_this_one);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_error_has_an_outcome);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_outcome_ends_as_a_terminal);
    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
