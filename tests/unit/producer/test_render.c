/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a person sees what the agent said and did, and nothing the agent prints can drive
 * the terminal. Proof: events as rows with the text they must give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "producer/show/render.h"

struct row {
    const char *name;
    enum event_type type;
    const char *data, *text; /* text: the whole output */
};

#define NATIVE(json) "{\"native\":" json "}"
#define SAYS(type, content)                                                                        \
    "{\"native\":{\"type\":\"" type "\",\"message\":{\"content\":" content "}}}"

static struct row rows[] = {
    {"text", EVENT_AGENT_MESSAGE, SAYS("assistant", "[{\"type\":\"text\",\"text\":\"hello\"}]"),
     "hello\n"},
    {"escape sequences do not reach the terminal", EVENT_AGENT_MESSAGE,
     SAYS("assistant", "[{\"type\":\"text\",\"text\":\"a\\u001b[2Jb\\u009bc\"}]"), "a?[2Jb?c\n"},
    {"tool call", EVENT_AGENT_TOOL_USE,
     SAYS("assistant", "[{\"type\":\"tool_use\",\"name\":\"Bash\",\"input\":{\"description\":\"x\","
                       "\"command\":\"ls -la\\nrm x\"}}]"),
     "* Bash ls -la~\n"},
    {"a tool's name cannot drive the terminal, either", EVENT_AGENT_TOOL_USE,
     SAYS("assistant",
          "[{\"type\":\"tool_use\",\"name\":\"\\u001b[H\",\"input\":{\"a\":\"\\u0007\"}}]"),
     "* ?[H a=?\n"},
    {"list of things to do", EVENT_AGENT_TOOL_USE,
     SAYS("assistant", "[{\"type\":\"tool_use\",\"name\":\"TodoWrite\",\"input\":{\"todos\":["
                       "{\"content\":\"a\",\"status\":\"completed\"},"
                       "{\"content\":\"b\",\"status\":\"in_progress\"},"
                       "{\"content\":\"c\",\"status\":\"pending\"}]}}]"),
     "* TodoWrite\n  [x] a\n  [-] b\n  [ ] c\n"},
    {"tool result is folded", EVENT_AGENT_TOOL_RESULT,
     SAYS("user", "[{\"type\":\"tool_result\",\"content\":\"1\\n2\\n3\\n4\\n5\\n6\"}]"),
     "* an earlier call\n  | 1\n    2\n    3\n    4\n    ... 2 more lines\n"},
    {"content that is a string", EVENT_AGENT_MESSAGE, SAYS("assistant", "\"plain\""), "plain\n"},
    {"thoughts are folded", EVENT_AGENT_MESSAGE,
     SAYS("assistant", "[{\"type\":\"thinking\",\"thinking\":\"1\\n2\\n3\\n4\\n5\"}]"),
     ". 1\n  2\n  3\n  4\n  ... 1 more line\n"},
    {"init", EVENT_AGENT_INIT, NATIVE("{\"claude_code_version\":\"2.1.329\",\"model\":\"m\"}"),
     "- claude 2.1.329, model m\n"},
    {"an error of the API", EVENT_AGENT_MESSAGE,
     NATIVE("{\"type\":\"assistant\",\"error\":\"rate_limit\",\"message\":{\"content\":["
            "{\"type\":\"text\",\"text\":\"slow down\"}]}}"),
     "- slow down\n"},
    {"a limit that is near", EVENT_AGENT_RATE_LIMIT,
     NATIVE("{\"rate_limit_info\":{\"status\":\"allowed_warning\",\"rateLimitType\":\"seven_day\","
            "\"utilization\":0.93,\"resetsAt\":1795198486}}"),
     "- usage limit seven_day: allowed_warning, 93 % used, resets at\n"
     "  2026-11-20T18:14:46.000Z\n"},
    {"a limit that is far", EVENT_AGENT_RATE_LIMIT,
     NATIVE("{\"rate_limit_info\":{\"status\":\"allowed\"}}"), ""},
    {"a system line of tomorrow", EVENT_AGENT_SYSTEM,
     NATIVE("{\"subtype\":\"notification\",\"content\":\"look\"}"), "- notification: look\n"},
    {"one without words", EVENT_AGENT_SYSTEM, NATIVE("{\"subtype\":\"x\",\"a\":1}"), ""},
    {"hold", EVENT_RUN_HELD, "{\"reason\":\"fleet_full\"}",
     "- waiting: the fleet runs as many as it may (fleet_full)\n"},
    {"hold of tomorrow", EVENT_RUN_HELD, "{\"reason\":\"moon\",\"until\":\"2030-01-01T00:00:00Z\"}",
     "- waiting: moon, until 2030-01-01T00:00:00Z\n"},
    {"retry", EVENT_RUN_RETRYING,
     "{\"outcome\":\"overloaded\",\"delay_ms\":5000,\"counted\":false}",
     "- attempt 3 failed: overloaded; the next one in 5s (this one does not count)\n"},
    {"resumed", EVENT_RUN_RESUMED, "{\"worker\":\"w2\",\"line\":14}",
     "- worker w2 took over at line 14; nothing was run twice\n"},
    {"long", EVENT_RUN_WARNING, "{\"elapsed_s\":1800,\"cost_usd\":1.5}",
     "- still running after 30m00s, $1.5000 so far\n"},
    {"artifact not stored", EVENT_RUN_WARNING,
     "{\"reason\":\"artifact_not_stored\",\"artifact\":\"a.txt\",\"message\":\"no room\"}",
     "- artifact a.txt could not be kept: no room\n"},
    {"transcript not kept", EVENT_RUN_WARNING,
     "{\"reason\":\"transcript_not_kept\",\"detail\":\"no room\"}",
     "- the conversation could not be kept outside of its sandbox: no room\n"},
    {"warning of tomorrow", EVENT_RUN_WARNING, "{\"reason\":\"moon\"}", "- moon\n"},
    {"heartbeat", EVENT_RUN_HEARTBEAT, "{\"elapsed_ms\":1}", ""},
    {"cancelling", EVENT_RUN_CANCELLING, "{\"force\":true,\"requested_by\":\"eve\"}",
     "- is being cancelled by eve, by force\n"},
    {"interrupted", EVENT_RUN_CANCELLING, "{\"force\":false,\"interrupted_by\":\"r2\"}",
     "- is being cancelled for run r2\n"},
    {"starting", EVENT_ATTEMPT_STARTING, "{\"worker\":\"w1\"}", "- attempt 3 on worker w1\n"},
    {"started", EVENT_ATTEMPT_STARTED, "{\"sandbox_id\":\"s\"}", ""},
    {"started with a conversation", EVENT_ATTEMPT_STARTED, "{\"resumed_from\":\"transcript\"}",
     "- goes on with the session's conversation, from its transcript\n"},
    {"credential", EVENT_CREDENTIAL_HELD,
     "{\"credential\":\"team\",\"until\":\"2030-01-01T00:00:00Z\",\"outcome\":\"auth\","
     "\"alert\":true}",
     "- credential team is held until 2030-01-01T00:00:00Z: auth\n"},
    {"sandbox", EVENT_SANDBOX_CREATED, "{\"sandbox_id\":\"s1\",\"template\":\"claude\"}",
     "- sandbox s1, template claude\n"},
    {"sandbox lost", EVENT_SANDBOX_LOST, "{\"sandbox_id\":\"s1\"}", "- sandbox s1 is lost\n"},
    {"sandbox parked", EVENT_SANDBOX_PARKED, "{\"sandbox_id\":\"s1\"}",
     "- sandbox s1 is kept for the session's next run\n"},
    {"sandbox evicted", EVENT_SANDBOX_EVICTED, "{\"sandbox_id\":\"s1\",\"was\":\"parked\"}",
     "- sandbox s1, which was parked, was ended to make room\n"},
    {"sandbox ended", EVENT_SANDBOX_ENDED, "{\"sandbox_id\":\"s1\"}", ""},
    {"artifact", EVENT_ARTIFACT_STORED, "{\"name\":\"a.txt\",\"bytes\":2048}",
     "- kept a.txt (2.0 KiB)\n"},
    {"completed", EVENT_RUN_COMPLETED,
     "{\"state\":\"completed\",\"duration_ms\":64000,\"cost_usd\":0.0123,\"input_tokens\":10,"
     "\"output_tokens\":20}",
     "ok: completed in 1m04s, $0.0123, 10 tokens in, 20 out, 0 lines\n"},
    {"completed with artifacts", EVENT_RUN_COMPLETED,
     "{\"duration_ms\":64000,\"cost_usd\":123.4,\"input_tokens\":1234567,\"attempts\":2,"
     "\"artifacts\":[{\"name\":\"a\",\"bytes\":5,\"location\":\"s3://b/a\"}]}",
     "ok: completed in 1m04s, $123.40, 1,234,567 tokens in, 0 out, 0 lines, 2\n"
     "    attempts, 1 artifact\n  a  5 bytes  s3://b/a\n"},
    {"failed", EVENT_RUN_FAILED,
     "{\"state\":\"failed\",\"outcome\":\"auth\",\"reason\":\"Not logged in\"}",
     "not ok: failed (auth): Not logged in; in 0ms, $0.0000, 0 tokens in, 0 out, 0\n"
     "        lines\n"},
    {"timed out", EVENT_RUN_TIMED_OUT, "{\"outcome\":\"timed_out\",\"duration_ms\":3600000}",
     "not ok: timed_out (timed_out) in 1h00m, $0.0000, 0 tokens in, 0 out, 0 lines\n"},
    {"cancelled", EVENT_RUN_CANCELLED, "{\"outcome\":\"cancelled\",\"reason\":\"by eve\"}",
     "not ok: cancelled (cancelled): by eve; in 0ms, $0.0000, 0 tokens in, 0 out, 0\n"
     "        lines\n"},
    {"expired", EVENT_RUN_EXPIRED, "{\"outcome\":\"expired\"}",
     "not ok: expired (expired) in 0ms, $0.0000, 0 tokens in, 0 out, 0 lines\n"},
    {"a line that is not JSON", EVENT_AGENT_TEXT, "{\"text\":\"oops\\rx\"}", "oops?x\n"},
    {"stderr", EVENT_AGENT_STDERR, "{\"text\":\"a\\nb\\n\"}", "stderr a\nstderr b\n"},
    {"deltas are for live terminals", EVENT_AGENT_DELTA, "{\"native\":{}}", ""},
    {"data of another shape", EVENT_AGENT_TOOL_USE, "{\"native\":[1]}", ""},
    {"data that is no JSON", EVENT_RUN_HELD, "{", NULL},
};

static void check(void **state)
{
    const struct row *row = *state;
    struct render r = {.columns = 80};
    struct event_view v = {.event = {.type = row->type, .attempt = 3, .data = str_of(row->data)},
                           .known_type = true};
    AUTO_BUF out = BUF_INIT(65536);

    render_event(&r, &v, &out);
    if (row->text)
        assert_string_equal(out.p ? out.p : "", row->text);
    assert_int_equal(r.ended, event_is_terminal(row->type));
}

static void long_lines_are_cut_between_characters(void **state)
{
    struct render r = {.columns = 60, .unicode = true};
    struct event_view v = {.event = {.type = EVENT_AGENT_TEXT}, .known_type = true};
    AUTO_BUF data = BUF_INIT(4096);
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    buf_adds(&data, "{\"text\":\"");
    for (int i = 0; i < 200; i++)
        buf_adds(&data, "ä");
    buf_adds(&data, "\"}");
    v.event.data = buf_str(&data);
    render_event(&r, &v, &out);
    assert_true(str_utf8(buf_str(&out), NULL));
    assert_int_equal(out.len, 59 * 2 + strlen("…") + 1);
}

static void a_type_of_tomorrow_is_named(void **state)
{
    struct render r = {.columns = 80};
    struct event_view v = {.event = {.type = EVENT_AGENT_STDERR, .data = STR("{}")},
                           .type_text = STR("sandfleet.moon.risen")};
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    render_event(&r, &v, &out);
    assert_string_equal(out.p, "- sandfleet.moon.risen\n");
}

static void a_hold_is_told_once(void **state)
{
    struct render r = {.columns = 80};
    struct event_view v = {
        .event = {.type = EVENT_RUN_HELD, .data = STR("{\"reason\":\"no_slot\"}")},
        .known_type = true};
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    render_event(&r, &v, &out);
    render_event(&r, &v, &out);
    assert_string_equal(out.p, "- waiting: no worker has a free slot (no_slot)\n");
}

static void a_live_end_says_what_goes_on(void **state)
{
    struct render r = {.columns = 80, .rows = 24, .live = true};
    struct event_view v = {
        .event = {.type = EVENT_ATTEMPT_STARTING, .data = STR("{\"worker\":\"w\"}")},
        .known_type = true};
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    render_tick(&r, 1000, &out);
    assert_int_equal(out.len, 0);
    render_event(&r, &v, &out);
    render_tick(&r, 6500, &out);
    render_settle(&r, &out);
    assert_string_equal(out.p, "- attempt 0 on worker w\n"
                               "~ getting a sandbox\n"
                               "\r\033[1A\033[J~ 5s getting a sandbox\n"
                               "\r\033[1A\033[J");
    render_release(&r);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 4];
    size_t n = COUNTOF(rows);

    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(long_lines_are_cut_between_characters);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_type_of_tomorrow_is_named);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_hold_is_told_once);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_live_end_says_what_goes_on);
    return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
