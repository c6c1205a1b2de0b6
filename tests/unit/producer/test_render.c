/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a person sees what the agent said and did, and nothing the agent prints can drive
 * the terminal. Proof: events as rows with the text they must give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "producer/render.h"

struct row {
    const char *name;
    enum event_type type;
    const char *data, *text; /* text: the whole output */
};

static struct row rows[] = {
    {"text", EVENT_AGENT_MESSAGE,
     "{\"line\":2,\"native\":{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"hello\"}]}}}",
     "hello\n"},
    {"escape sequences do not reach the terminal", EVENT_AGENT_MESSAGE,
     "{\"native\":{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\\u001b[2Jb\\u009bc\"}]"
     "}}}",
     "a?[2Jb?c\n"},
    {"tool call", EVENT_AGENT_TOOL_USE,
     "{\"native\":{\"message\":{\"content\":[{\"type\":\"tool_use\",\"name\":\"Bash\","
     "\"input\":{\"description\":\"x\",\"command\":\"ls -la\\nrm x\"}}]}}}",
     "* Bash ls -la~\n"},
    {"tool result is folded", EVENT_AGENT_TOOL_RESULT,
     "{\"native\":{\"message\":{\"content\":[{\"type\":\"tool_result\",\"content\":"
     "\"1\\n2\\n3\\n4\\n5\\n6\"}]}}}",
     "  | 1\n    2\n    3\n    4\n    ... 2 more lines\n"},
    {"content that is a string", EVENT_AGENT_MESSAGE,
     "{\"native\":{\"message\":{\"content\":\"plain\"}}}", ""},
    {"init", EVENT_AGENT_INIT, "{\"native\":{\"claude_code_version\":\"2.1.329\",\"model\":\"m\"}}",
     "- claude 2.1.329, model m\n"},
    {"retry", EVENT_RUN_RETRYING, "{\"outcome\":\"overloaded\",\"delay_ms\":5000}",
     "- overloaded: trying again in 5s\n"},
    {"completed", EVENT_RUN_COMPLETED,
     "{\"state\":\"completed\",\"duration_ms\":64000,\"cost_usd\":0.0123,\"input_tokens\":10,"
     "\"output_tokens\":20}",
     "ok: completed in 1m04s, $0.0123, 10 tokens in, 20 out, 0 lines\n"},
    {"failed", EVENT_RUN_FAILED,
     "{\"state\":\"failed\",\"outcome\":\"auth\",\"reason\":\"Not logged in\"}",
     "not ok: failed (auth): Not logged in in 0ms, $0.0000, 0 tokens in, 0 out, 0 lines\n"},
    {"a line that is not JSON", EVENT_AGENT_TEXT, "{\"text\":\"oops\\rx\"}", "oops?x\n"},
    {"deltas are not shown", EVENT_AGENT_DELTA, "{\"native\":{}}", ""},
    {"data of another shape", EVENT_AGENT_TOOL_USE, "{\"native\":[1]}", ""},
};

static void check(void **state)
{
    const struct row *row = *state;
    struct render r = {.columns = 80};
    struct event_view v = {.event = {.type = row->type, .data = str_of(row->data)},
                           .known_type = true};
    AUTO_BUF out = BUF_INIT(65536);

    render_event(&r, &v, &out);
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

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 1];
    size_t n = COUNTOF(rows);

    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(long_lines_are_cut_between_characters);
    return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
