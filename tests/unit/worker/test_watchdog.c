/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an agent that is stuck is found out and the reason has a name; one that works,
 * waits for its tool, for a slow answer or for something in the background is left alone.
 * Proof: a table of what was printed and when, by a clock that the rows move; and each
 * captured run of the real program, cut behind each of its lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "worker/run/watchdog.h"
#include "common/banned.h"

#define FIXTURES SF_SOURCE_DIR "/tests/fixtures/claude/"

#define INIT "{\"type\":\"system\",\"subtype\":\"init\"}"
#define TEXT                                                                                       \
    "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}}"
#define TOOL                                                                                       \
    "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"tool_use\",\"name\":\"B\"}]}}"
#define DONE   "{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\"}]}}"
#define BEAT   "{\"type\":\"tool_progress\",\"parent_tool_use_id\":\"t\"}"
#define RETRY  "{\"type\":\"system\",\"subtype\":\"api_retry\"}"
#define RESULT "{\"type\":\"result\",\"is_error\":false}"
#define LISTED                                                                                     \
    "{\"type\":\"system\",\"subtype\":\"background_tasks_changed\",\"tasks\":[{\"a\":1}]}"
#define EMPTY "{\"type\":\"system\",\"subtype\":\"background_tasks_changed\",\"tasks\":[]}"
#define BEGUN "{\"type\":\"system\",\"subtype\":\"task_started\"}"
#define OVER  "{\"type\":\"system\",\"subtype\":\"task_notification\"}"
#define SUB   "{\"type\":\"assistant\",\"parent_tool_use_id\":\"t\",\"message\":{\"content\":[]}}"
#define SUBRES                                                                                     \
    "{\"type\":\"user\",\"parent_tool_use_id\":\"t\",\"message\":{\"content\":[{\"type\":\"tool_"  \
    "result\"}]}}"
#define FOLLOW "{\"type\":\"user\",\"parent_tool_use_id\":null,\"message\":{\"content\":\"hi\"}}"

/* Of the rows below: 100 ms of silence, 50 behind a tool's result, 10 behind a result. */
static const struct watchdog_limits limits = {100, 50, 10};

static struct row {
    const char *name;
    const char *lines[6]; /* one every 5 ms, from 5 */
    int64_t due_ms;       /* -1: never */
    const char *reason;
} rows[] = {
    {"nothing at all", {NULL}, 100, "silence"},
    {"a first line, and no more", {INIT}, 105, "silence"},
    {"in the middle of an answer", {INIT, TEXT}, 110, "silence"},
    {"a line that is no JSON", {INIT, "oops"}, 110, "silence"},
    {"a tool at work", {INIT, TOOL}, 110, "silence"},
    {"a tool at work tells so", {INIT, TOOL, BEAT}, 115, "silence"},
    {"a tool's result", {INIT, TOOL, DONE}, 65, "after_tool_result"},
    {"one of two tools' results", {INIT, TOOL, TOOL, DONE}, 120, "silence"},
    {"both tools' results", {INIT, TOOL, TOOL, DONE, DONE}, 75, "after_tool_result"},
    {"it tries again behind a tool's result", {INIT, TOOL, DONE, RETRY}, 70, "after_tool_result"},
    {"it went on", {INIT, TOOL, DONE, TEXT}, 120, "silence"},
    {"a message that is no result", {INIT, FOLLOW}, 110, "silence"},
    {"a result", {INIT, TEXT, RESULT}, 25, "after_result"},
    {"a notice behind the result", {INIT, RESULT, RETRY}, 25, "after_result"},
    {"a second turn", {INIT, RESULT, INIT}, 115, "silence"},
    {"two results", {INIT, RESULT, RESULT}, 25, "after_result"},
    {"a command in the background", {INIT, LISTED, RESULT}, 600115, "silence"},
    {"its end", {INIT, LISTED, RESULT, EMPTY}, 30, "after_result"},
    {"an older program's", {INIT, BEGUN, RESULT}, 600115, "silence"},
    {"its end, too", {INIT, BEGUN, RESULT, OVER}, 30, "after_result"},
    {"a list counts more than a start", {INIT, EMPTY, BEGUN, RESULT}, 30, "after_result"},
    {"a sub-agent at work", {INIT, LISTED, RESULT, SUB}, 600120, "silence"},
    {"a sub-agent's tool's result", {INIT, LISTED, RESULT, SUBRES}, 600120, "silence"},
    {"it hangs behind its sub-agent", {INIT, LISTED, RESULT, SUB, EMPTY}, 35, "after_result"},
    {"a sub-agent that is waited for", {INIT, TOOL, SUB, SUBRES}, 120, "silence"},
};

static void step(struct watchdog *w, struct stream_state *st, struct str text, int64_t now_ms)
{
    struct stream_line line;

    stream_json_line(st, text, &line);
    watchdog_line(w, st, &line, now_ms);
}

static void finds_out(void **state)
{
    const struct row *row = *state;
    struct stream_state st = {0};
    struct watchdog w = {0};
    int64_t now = 0, due;

    watchdog_start(&w, now);
    for (size_t i = 0; i < COUNTOF(row->lines) && row->lines[i]; i++)
        step(&w, &st, str_of(row->lines[i]), now += 5);
    due = watchdog_due_ms(&w, &limits);
    assert_int_equal(due, row->due_ms);
    assert_string_equal(watchdog_reason_name(watchdog_verdict(&w, &limits, due - 1)), "none");
    assert_string_equal(watchdog_reason_name(watchdog_verdict(&w, &limits, due)), row->reason);
}

static struct off {
    const char *name;
    struct watchdog_limits limits;
    const char *lines[4];
    int64_t due_ms; /* INT64_MAX: never */
} offs[] = {
    {"no silence is too long", {0, 50, 10}, {INIT}, INT64_MAX},
    {"but behind a tool's result it is", {0, 50, 10}, {INIT, TOOL, DONE}, 50},
    {"behind a tool's result as ever", {100, 0, 10}, {INIT, TOOL, DONE}, 100},
    {"a short silence is too long behind a tool's result, too",
     {20, 50, 10},
     {INIT, TOOL, DONE},
     20},
    {"it may live on for ever", {100, 50, 0}, {INIT, RESULT}, INT64_MAX},
    {"so may what is in the background", {0, 50, 10}, {INIT, LISTED, RESULT}, INT64_MAX},
    {"never", {0, 0, 0}, {INIT, TOOL, DONE}, INT64_MAX},
};

static void can_be_switched_off(void **state)
{
    const struct off *row = *state;
    struct stream_state st = {0};
    struct watchdog w = {0};

    watchdog_start(&w, 0);
    for (size_t i = 0; i < COUNTOF(row->lines) && row->lines[i]; i++)
        step(&w, &st, str_of(row->lines[i]), 0);
    assert_true(watchdog_due_ms(&w, &row->limits) == row->due_ms);
}

static void what_was_not_read_is_no_silence(void **state)
{
    struct stream_state st = {0};
    struct watchdog w = {0};

    (void)state;
    assert_true(watchdog_due_ms(&w, &limits) == INT64_MAX);
    watchdog_start(&w, 0);
    step(&w, &st, STR(RESULT), 1000);
    watchdog_start(&w, 5000);
    assert_int_equal(watchdog_due_ms(&w, &limits), 5010);
    assert_string_equal(watchdog_reason_name(watchdog_verdict(&w, &limits, 5010)), "after_result");
}

/* No captured run that goes on may be ended as one that is over: behind a line that is not the
 * last, "after_result" may only be said where more results or a second turn's init follow at
 * once; 2.1.329 prints those within a second. */
static void no_captured_run_is_over_while_a_task_is_at_work(void **state)
{
    static const char *const names[] = {"bash-auto-background.ndjson",
                                        "subagent-background.ndjson"};
    char path[512], line[65536];

    (void)state;
    for (size_t i = 0; i < COUNTOF(names); i++) {
        struct stream_state st = {0};
        struct watchdog w = {0};
        int waited = 0;

        (void)snprintf(path, sizeof(path), FIXTURES "%s", names[i]);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        watchdog_start(&w, 0);
        while (fgets(line, sizeof(line), f)) {
            step(&w, &st, str_trim(str_of(line)), 0);
            waited += w.tasks > 0 && w.place == WATCHDOG_AFTER_RESULT;
            if (w.tasks > 0)
                assert_true(watchdog_due_ms(&w, &limits) > limits.after_result_ms);
        }
        (void)fclose(f);
        assert_int_equal(waited > 0, i == 0); /* the other one's first result came late */
        assert_int_equal(w.tasks, 0);
        assert_string_equal(watchdog_reason_name(w.place), "after_result");
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + COUNTOF(offs)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(what_was_not_read_is_no_silence),
        cmocka_unit_test(no_captured_run_is_over_while_a_task_is_at_work)};
    size_t n = 0;

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[n++] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = finds_out, .initial_state = &rows[i]};
    for (size_t i = 0; i < COUNTOF(offs); i++)
        tests[n++] = (struct CMUnitTest){
            .name = offs[i].name, .test_func = can_be_switched_off, .initial_state = &offs[i]};
    return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL) +
           cmocka_run_group_tests_name("watchdog, captured", others, NULL, NULL);
}
