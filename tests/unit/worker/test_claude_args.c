/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a request becomes exactly Claude's arguments; no text of a user can become a
 * flag, and the prompt is never among them. Proof: a table of requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "worker/run/claude_args.h"
#include "common/banned.h"

#define ID "\"v\":1,\"run_id\":\"0197a0b4-0000-7000-8000-000000000001\",\"prompt\":\"secret words\""
#define HEAD                                                                                       \
    "--output-format stream-json --verbose --dangerously-skip-permissions "                        \
    "--disable-slash-commands --strict-mcp-config "

static struct row {
    const char *name, *request, *resume;
    int64_t attempt;
    const char *args; /* joined by spaces; S: the session id of the attempt */
} rows[] = {
    {"nothing asked for", "{" ID "}", NULL, 1, HEAD "--session-id S"},
    {"another attempt", "{" ID "}", NULL, 2, HEAD "--session-id S"},
    {"a session goes on", "{" ID "}", "abc", 1, HEAD "--resume abc"},
    {"model", "{" ID ",\"model\":\"m\"}", NULL, 1, HEAD "--session-id S --model m"},
    {"limits", "{" ID ",\"max_turns\":3,\"max_budget_usd\":0.5}", NULL, 1,
     HEAD "--session-id S --max-turns 3 --max-budget-usd 0.500000"},
    {"system prompt", "{" ID ",\"system_prompt\":\"be -kind\"}", NULL, 1,
     HEAD "--session-id S --append-system-prompt be -kind"},
    {"each tool has its flag", "{" ID ",\"allowed_tools\":[\"Bash(git log:*)\",\"Read\"]}", NULL, 1,
     HEAD "--session-id S --allowedTools Bash(git log:*) --allowedTools Read"},
    {"schema", "{" ID ",\"json_schema\":{\"type\":\"object\"}}", NULL, 1,
     HEAD "--session-id S --json-schema {\"type\":\"object\"}"},
};

static void join(char **list, struct buf *out)
{
    for (size_t i = 0; list[i]; i++)
        buf_addf(out, "%s%s", i ? " " : "", list[i]);
}

static void want_args(const struct row *row, const struct run_request *q, struct buf *out)
{
    char id[UUID_TEXT];
    const char *s = strstr(row->args, "--session-id S");

    claude_session_id(q->run_id, row->attempt, id);
    if (!s) {
        buf_adds(out, row->args);
        return;
    }
    buf_add(out, row->args, (size_t)(s - row->args));
    buf_addf(out, "--session-id %s%s", id, s + strlen("--session-id S"));
}

static void check(void **state)
{
    const struct row *row = *state;
    struct run_request q;
    struct claude_args a;
    struct err err = ERR_INIT;
    AUTO_BUF got = BUF_INIT(4096), want = BUF_INIT(4096);

    if (run_request_parse(str_of(row->request), &q, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    struct claude_want w = {.request = &q, .attempt = row->attempt, .resume = row->resume};
    assert_int_equal(claude_args_make(&w, &a, &err), ERR_OK);
    join(a.args, &got);
    want_args(row, &q, &want);
    assert_string_equal(got.p, want.p);
    assert_null(strstr(got.p, "secret words"));
    claude_args_release(&a);
    run_request_release(&q);
}

static void environment(void **state)
{
    struct run_request q;
    struct claude_args a;
    struct err err = ERR_INIT;
    AUTO_BUF got = BUF_INIT(4096);

    (void)state;
    assert_int_equal(run_request_parse(str_of("{" ID ",\"env\":{\"COLOR\":\"a b=c\"}}"), &q, &err),
                     ERR_OK);
    struct claude_want w = {.request = &q, .attempt = 1, .base_url = "http://127.0.0.1:1"};
    assert_int_equal(claude_args_make(&w, &a, &err), ERR_OK);
    join(a.env, &got);
    assert_non_null(strstr(got.p, "DISABLE_AUTOUPDATER=1"));
    assert_non_null(strstr(got.p, "ANTHROPIC_BASE_URL=http://127.0.0.1:1"));
    assert_non_null(strstr(got.p, "COLOR=a b=c"));
    claude_args_release(&a);
    run_request_release(&q);
}

static void each_attempt_is_a_conversation_of_its_own(void **state)
{
    char a[UUID_TEXT], b[UUID_TEXT], again[UUID_TEXT];

    (void)state;
    claude_session_id("r", 1, a);
    claude_session_id("r", 2, b);
    claude_session_id("r", 1, again);
    assert_string_equal(a, again);
    assert_string_not_equal(a, b);
    assert_true(uuid_valid(str_of(a)));
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(environment), cmocka_unit_test(each_attempt_is_a_conversation_of_its_own)};

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("claude_args", tests, NULL, NULL) +
           cmocka_run_group_tests_name("claude_args others", others, NULL, NULL);
}
