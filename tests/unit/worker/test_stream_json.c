/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: every captured run of the real program is counted, priced and judged as
 * tests/fixtures/claude/expected.json says, older version included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "worker/capture/lines.h"
#include "worker/run/outcome.h"
#include "worker/run/stream_json.h"

#define FIXTURES SF_SOURCE_DIR "/tests/fixtures/claude/"

static cJSON *expected;

static void read_all(FILE *f, struct buf *out)
{
    char piece[65536];
    size_t n;

    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(out, piece, n);
    assert_int_equal(out->rc, ERR_OK);
}

static void read_fixture(const char *name, struct buf *out)
{
    size_t n = strlen(name);
    bool packed = n > 3 && strcmp(name + n - 3, ".gz") == 0;
    char command[512];
    FILE *f;

    (void)snprintf(command, sizeof(command), "%s%s%s%s", packed ? "exec gzip -dc '" : "", FIXTURES,
                   name, packed ? "'" : "");
    f = packed ? popen(command, "r") : fopen(command, "r");
    assert_non_null(f);
    read_all(f, out);
    assert_int_equal(packed ? pclose(f) : fclose(f), 0);
}

/* What the fixtures call a class, and what we call it. */
static const struct {
    const char *class, *outcome;
} names[] = {
    {"rate_limit", "rate_limited"},
    {"no_conversation", "session_lost"},
    {"max_output_tokens", "agent_error"},
};

static const char *our_name(const char *class)
{
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (strcmp(names[i].class, class) == 0)
            return names[i].outcome;
    return class;
}

static int64_t number(const cJSON *obj, const char *key)
{
    double d = 0;

    (void)json_get_number(obj, key, &d);
    return (int64_t)d;
}

struct count {
    struct stream_state st;
    int64_t of[EVENT_TYPES];
    size_t longest;
    int64_t unparsable;
};

static void count_lines(struct buf *text, struct count *c)
{
    struct str piece = buf_str(text);
    struct lines l;
    struct line line;

    lines_init(&l, 8 << 20, 0, 0);
    while (lines_next(&l, &piece, &line) == LINES_LINE || lines_end(&l, &line) == LINES_LINE) {
        struct stream_line kind;

        stream_json_line(&c->st, (struct str){line.text, line.len}, &kind);
        c->of[kind.type]++;
        c->unparsable += !kind.is_json;
        c->longest = line.len > c->longest ? line.len : c->longest;
    }
    lines_release(&l);
}

/* Events of expected.json whose key begins so. */
static int64_t events(const cJSON *want, const char *prefix, bool exact)
{
    const cJSON *e;
    int64_t n = 0;

    cJSON_ArrayForEach(e, json_get(want, "events"))
    {
        if (strncmp(e->string, prefix, strlen(prefix)) == 0 &&
            (!exact || strcmp(e->string, prefix) == 0))
            n += (int64_t)e->valuedouble;
    }
    return n;
}

static void check_events(const cJSON *want, const struct count *c)
{
    const int64_t *of = c->of;

    assert_int_equal(c->st.lines, number(want, "lines"));
    assert_int_equal(c->longest, number(want, "longest_line"));
    assert_int_equal(c->unparsable, number(want, "unparsable_lines"));
    assert_int_equal(of[EVENT_AGENT_RESULT], events(want, "result/", false));
    assert_int_equal(of[EVENT_AGENT_INIT], events(want, "system/init", true));
    assert_int_equal(of[EVENT_AGENT_INIT] + of[EVENT_AGENT_SYSTEM], events(want, "system/", false));
    assert_int_equal(of[EVENT_AGENT_DELTA], events(want, "stream_event", true));
    assert_int_equal(of[EVENT_AGENT_PROGRESS], events(want, "tool_progress", true));
    assert_int_equal(of[EVENT_AGENT_RATE_LIMIT], events(want, "rate_limit_event", true));
    assert_int_equal(of[EVENT_AGENT_MESSAGE] + of[EVENT_AGENT_TOOL_USE] +
                         of[EVENT_AGENT_TOOL_RESULT],
                     events(want, "assistant", true) + events(want, "user", true));
    assert_int_equal(of[EVENT_AGENT_OTHER], 0);
    assert_int_equal(c->st.results, number(want, "results"));
    assert_int_equal(c->st.tool_uses, number(want, "tool_uses"));
    assert_int_equal(c->st.tool_results, number(want, "tool_results"));
    assert_int_equal(c->st.tool_errors, number(want, "tool_errors"));
}

static void check_text(const cJSON *final, const char *key, const char *have)
{
    const char *want = json_get_string(final, key);

    assert_string_equal(have, want ? want : "");
}

static void check_final(const cJSON *want, const struct stream_state *st)
{
    const cJSON *final = json_get(want, "final");
    bool is_error = false;

    assert_int_equal(st->last.seen, final != NULL);
    if (!final)
        return;
    (void)json_get_bool(final, "is_error", &is_error);
    assert_int_equal(st->last.is_error, is_error);
    assert_int_equal(st->last.num_turns, number(final, "num_turns"));
    assert_int_equal(st->last.api_error_status, number(final, "api_error_status"));
    check_text(final, "subtype", st->last.subtype);
    check_text(final, "terminal_reason", st->last.terminal_reason);
    check_text(final, "stop_reason", st->last.stop_reason);
    check_text(final, "session_id", st->session_id);
}

/* What this run alone cost; older versions only tell what their process cost. */
static void check_usage(const cJSON *want, const struct stream_state *st)
{
    const cJSON *own = json_get(want, "this_run");
    const cJSON *total = json_get(want, "session_tokens");
    double cost = 0;

    assert_int_equal(st->usage_exact, own != NULL);
    if (!own && !total)
        return;
    (void)json_get_number(own ? own : json_get(want, "final"), own ? "cost_usd" : "total_cost_usd",
                          &cost);
    assert_true(st->cost_usd - cost < 1e-9 && cost - st->cost_usd < 1e-9);
    assert_int_equal(st->input_tokens, number(own ? own : total, "input"));
    assert_int_equal(st->output_tokens, number(own ? own : total, "output"));
}

static void agrees(void **state)
{
    const cJSON *want = *state;
    AUTO_BUF text = BUF_INIT(64 << 20);
    struct count c = {0};
    enum outcome o;

    read_fixture(want->string, &text);
    assert_int_equal(text.len, number(want, "bytes"));
    count_lines(&text, &c);
    check_events(want, &c);
    check_final(want, &c.st);
    check_usage(want, &c.st);
    o = outcome_of_exit(&c.st, (int)number(want, "exit_code"),
                        str_of(json_get_string(want, "stderr")));
    assert_string_equal(outcome_name(o), our_name(json_get_string(want, "class")));
}

static void remembers_the_limit(void **state)
{
    AUTO_BUF text = BUF_INIT(1 << 20);
    struct count c = {0};

    (void)state;
    read_fixture("usage-limit-5h.ndjson", &text);
    count_lines(&text, &c);
    assert_true(c.st.limit_rejected);
    assert_int_equal(c.st.limit_resets_at_s, 1795198486);
    assert_string_equal(c.st.limit_type, "five_hour");
    assert_string_equal(c.st.error, "rate_limit");
    assert_int_equal(c.st.error_status, 429);
}

static void names_tool_and_model(void **state)
{
    static const char line[] =
        "{\"type\":\"assistant\",\"message\":{\"model\":\"m-1\",\"content\":["
        "{\"type\":\"text\",\"text\":\"{\\\"type\\\":\\\"tool_use\\\"}\"},"
        "{\"type\":\"tool_use\",\"name\":\"Bash\",\"input\":{\"a\":\"]}\"}}]}}";
    struct stream_state st = {0};
    struct stream_line out;

    (void)state;
    stream_json_line(&st, str_of(line), &out);
    assert_string_equal(event_type_name(out.type), "sandfleet.agent.tool_use");
    assert_true(str_is(out.tool, "Bash"));
    assert_true(str_is(out.model, "m-1"));
    assert_int_equal(st.tool_uses, 1);
}

static struct odd {
    const char *name, *line, *type;
} odd_rows[] = {
    {"not JSON", "Error: cannot reach the API", "sandfleet.agent.text"},
    {"JSON, but no object", "[1,2]", "sandfleet.agent.text"},
    {"invalid UTF-8", "{\"type\":\"assistant\",\"x\":\"\xff\xfe\"}", "sandfleet.agent.text"},
    {"unknown type", "{\"type\":\"future_thing\",\"a\":1}", "sandfleet.agent.other"},
    {"no type", "{}", "sandfleet.agent.other"},
    {"type is no string", "{\"type\":7}", "sandfleet.agent.other"},
    {"unknown system line", "{\"type\":\"system\",\"subtype\":\"x\"}", "sandfleet.agent.system"},
    {"message is no object", "{\"type\":\"assistant\",\"message\":[]}", "sandfleet.agent.message"},
    {"content is text", "{\"type\":\"user\",\"message\":{\"content\":\"hi\"}}",
     "sandfleet.agent.message"},
    {"type last", "{\"is_error\":false,\"type\":\"result\"}", "sandfleet.agent.result"},
};

static void classifies(void **state)
{
    const struct odd *row = *state;
    struct stream_state st = {0};
    struct stream_line out;

    stream_json_line(&st, str_of(row->line), &out);
    assert_string_equal(event_type_name(out.type), row->type);
}

static int load_expected(void **state)
{
    AUTO_BUF text = BUF_INIT(4 << 20);
    FILE *f = fopen(FIXTURES "expected.json", "r");
    struct err e;

    (void)state;
    if (!f)
        return -1;
    read_all(f, &text);
    (void)fclose(f);
    return json_parse(buf_str(&text), 0, &expected, &e) == ERR_OK ? 0 : -1;
}

int main(void)
{
    struct CMUnitTest tests[96];
    size_t n = 0;
    cJSON *file;
    int failed;

    if (load_expected(NULL) != 0)
        return 1;
    cJSON_ArrayForEach(file, expected)
    {
        tests[n++] =
            (struct CMUnitTest){.name = file->string, .test_func = agrees, .initial_state = file};
    }
    for (size_t i = 0; i < COUNTOF(odd_rows); i++)
        tests[n++] = (struct CMUnitTest){
            .name = odd_rows[i].name, .test_func = classifies, .initial_state = &odd_rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(remembers_the_limit);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(names_tool_and_model);
    if (cJSON_GetArraySize(expected) != 48)
        return 1;
    failed = _cmocka_run_group_tests("stream_json", tests, n, NULL, NULL);
    cJSON_Delete(expected);
    return failed;
}
