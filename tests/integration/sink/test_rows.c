/* SPDX-License-Identifier: Apache-2.0 */
/* What is in the topics is in the tables: judged by log order, numbered without
 * holes, repeats dropped and counted, gaps recorded, poison set aside. And the rows
 * depend on the log alone: not on where batches end, not on what happened before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/sink/lab.h"

#include "common/banned.h"

#define RUN   "01990000-0000-7000-8000-00000000000a"
#define OTHER "01990000-0000-7000-8000-00000000000b"

/* One event in which as many bytes, from the first `find` on, are others. */
static void send_spoilt(struct lab *lab, const char *find, struct str with)
{
    const struct event_record *r = lab_write(
        lab, RUN,
        (struct event){
            .type = EVENT_AGENT_TEXT, .attempt = 1, .epoch = 9, .n = 1, .data = STR("{\"x\":1}")});

    memcpy(strstr(r->value.p, find), with.p, with.n);
    lab_send(lab, TOPIC_EVENTS, STR(RUN), buf_str(&r->value), r->headers, r->n_headers);
}

/* The run of the story: two owners, a gap, repeats, two terminals, poison in between. */
static void tell(struct lab *lab)
{
    lab_control(lab, RUN, EVENT_ATTEMPT_STARTING, 1, 1, 1, "{\"worker\":\"w1\"}");
    lab_control(
        lab, RUN, EVENT_ATTEMPT_STARTED, 1, 1, 2,
        "{\"worker\":\"w1\",\"sandbox_id\":\"sb\",\"template\":\"t\",\"arguments\":[\"-p\",\"é\"],"
        "\"arguments_hash\":\"aa\",\"prompt_hash\":\"bb\"}");
    lab_line(lab, RUN, 1, 1, 1);
    lab_line(lab, RUN, 1, 1, 2);
    lab_line(lab, RUN, 1, 1, 2); /* repeat: B094 */
    lab_request(lab, TOPIC_INTERACTIVE, RUN,
                ",\"user_id\":\"ann\",\"metadata\":{\"k\":\"é\"},\"tags\":[\"b\",\"a\",\"b\"]");
    lab_request(lab, TOPIC_INTERACTIVE, RUN, ",\"user_id\":\"bob\"");
    send_spoilt(lab, "\"tenant\":\"acme", (struct str){"\"tenant\":\"a\0me", 14});
    send_spoilt(lab, "1}}", STR("z"));
    lab_control(lab, RUN, EVENT_RUN_RESUMED, 1, 2, 1, "{\"worker\":\"w2\",\"line\":2}");
    lab_line(lab, RUN, 1, 1, 3); /* superseded: B097 */
    lab_line(lab, RUN, 1, 2, 3);
    lab_event(lab, RUN,
              (struct event){.type = EVENT_AGENT_TOOL_USE,
                             .attempt = 1,
                             .epoch = 2,
                             .n = 6, /* 4 and 5 are missing: B093 */
                             .offset = 600,
                             .tool = STR("Bash"),
                             .model = STR("claude-x"),
                             .input_tokens = 12,
                             .data = STR("{\"native\":\"a\\u0000b\\ud800c\"}")}); /* B099 */
    lab_control(lab, RUN, EVENT_ATTEMPT_ENDED, 1, 2, 2,
                "{\"outcome\":\"completed\",\"exit_code\":0,\"cost_usd\":0.1}");
    lab_control(lab, RUN, EVENT_RUN_COMPLETED, 1, 2, 3,
                "{\"state\":\"completed\",\"outcome\":\"completed\",\"cost_usd\":0.3,"
                "\"result\":\"ok \\u0000\",\"output_tail\":\"tail\"}");
    lab_control(lab, RUN, EVENT_RUN_FAILED, 1, 2, 4, "{\"state\":\"failed\"}"); /* B098 */
    lab_line(lab, RUN, 1, 3, 7);
    lab_request(lab, TOPIC_BATCH, OTHER, ",\"session\":{\"id\":\"s\"}"); /* key mismatch */
    lab_send(lab, TOPIC_BATCH, STR(OTHER), STR("garbage"), NULL,
             0); /* B092 is of topic events: e2e.bad_input */
    lab_request(lab, TOPIC_BATCH, OTHER, "");
    lab_flush(lab);
}

static void await_story(struct lab *lab)
{
    lab_await(lab, "SELECT coalesce(sum(superseded), 0) FROM fleet.runs", 3);
    lab_await(lab, "SELECT count(*) FROM fleet.runs WHERE created_at IS NOT NULL", 2);
}

static const struct {
    const char *sql, *want;
} story[] = {
    {"SELECT string_agg(sequence || ':' || coalesce(line, 0), ' ' ORDER BY sequence)"
     " FROM fleet.events WHERE run_id = '" RUN "'",
     "1:0 2:0 3:1 4:2 5:0 6:3 7:6 8:0 9:0"},
    {"SELECT concat_ws('|', state, outcome, attempt, worker_id, sandbox_id, cost_usd, tenant,"
     " batch_id, lane, user_id, prompt, run_day, output_tail) FROM fleet.runs WHERE run_id = '" RUN
     "'",
     "completed|completed|1|w2|sb|0.3|acme|b-1|interactive|ann|say hi|2026-11-21|tail"},
    {"SELECT concat_ws('|', sequence, epoch, control_n, line_attempt, line, ended, repeats,"
     " superseded, missing_lines) FROM fleet.runs WHERE run_id = '" RUN "'",
     "9|2|3|1|6|t|1|3|2"},
    {"SELECT metadata->>'k' FROM fleet.runs WHERE run_id = '" RUN "'", "é"},
    {"SELECT tags FROM fleet.runs WHERE run_id = '" RUN "'", "{b,a,b}"},
    {"SELECT string_agg(label, '|' ORDER BY label COLLATE \"C\") FROM fleet.run_labels WHERE "
     "run_id = '" RUN "'",
     "acme #a|acme #b|acme 1:k=é"},
    {"SELECT result FROM fleet.runs WHERE run_id = '" RUN "'", "ok \xef\xbf\xbd"},
    {"SELECT data::text FROM fleet.events WHERE tool = 'Bash'",
     "{\"native\":\"a\\ufffdb\\ufffdc\"}"},
    {"SELECT fleet.as_jsonb(data)->>'native' FROM fleet.events WHERE tool = 'Bash'", "a\xef\xbf\xbd"
                                                                                     "b\xef\xbf\xbd"
                                                                                     "c"},
    {"SELECT concat_ws('|', type, model, input_tokens, log_offset, epoch, time AT TIME ZONE 'UTC')"
     " FROM fleet.events WHERE tool = 'Bash'",
     "sandfleet.agent.tool_use|claude-x|12|600|2|2026-11-21 00:00:06"},
    {"SELECT concat_ws('|', sequence, attempt, from_line, to_line) FROM fleet.gaps", "7|1|4|5"},
    {"SELECT string_agg(reason, ' ' ORDER BY \"offset\") FROM fleet.quarantine",
     "bad_attribute malformed"},
    {"SELECT headers->>'ce_runid' FROM fleet.quarantine LIMIT 1", RUN},
    {"SELECT concat_ws('|', state, worker_id, sandbox_id, outcome, exit_code, lines, bytes,"
     " cost_usd) FROM fleet.attempts",
     "ended|w1|sb|completed|0|6|600|0.1"},
    {"SELECT concat_ws('|', template, arguments->>1, arguments_hash, prompt_hash, "
     "system_prompt_hash)"
     " FROM fleet.attempts",
     "t|é|aa|bb"},
    {"SELECT concat_ws('|', state, sequence, lane, prompt) FROM fleet.runs WHERE run_id = '" OTHER
     "'",
     "queued|0|batch|say hi"},
    {"SELECT tableoid::regclass::text FROM fleet.events LIMIT 1", "fleet.events_20261121"},
};

static void check_story(struct lab *lab)
{
    for (size_t i = 0; i < COUNTOF(story); i++)
        lab_expect(lab, story[i].sql, story[i].want);
}

/* The same topics into a fresh database each time, cut differently. */
static void any_batches_same_rows(void **state)
{
    struct lab *lab = *state;
    static const char *const sizes[] = {"5000", "1", "3"};
    char first[LAB_PRINT], again[LAB_PRINT];

    tell(lab);
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        LAB_SINK(lab, 0, "--batch-rows", sizes[i]);
        await_story(lab);
        lab_stop(lab, 0);
        check_story(lab);
        lab_fingerprint(lab, i == 0 ? first : again);
        if (i > 0)
            assert_string_equal(first, again);
        lab_drop_database(lab);
        lab_database(lab, "");
    }
}

/* Positions that go back by hand, as after a restore: seen while idle, read again. */
static void set_back(void **state)
{
    struct lab *lab = *state;

    tell(lab);
    LAB_SINK(lab, 0, "--offsets-check", "50ms");
    await_story(lab);
    lab_do(lab, "UPDATE fleet.sink_offsets SET next = 0");
    lab_await(lab, "SELECT count(*) FROM fleet.sink_offsets WHERE next > 0", 3);
    lab_await(lab, "SELECT count(*) FROM fleet.runs WHERE superseded > 3 AND run_id = '" RUN "'",
              1);
    lab_expect(lab, story[0].sql, story[0].want);
    lab_expect(lab, "SELECT count(*) FROM fleet.quarantine", "2");
    lab_expect(lab, "SELECT count(*) FROM fleet.gaps", "1");
    lab_stop(lab, 0);
}

/* Everything lost but the topics: the running sink rebuilds it, row for row. */
static void rebuild(void **state)
{
    struct lab *lab = *state;
    char before[LAB_PRINT], after[LAB_PRINT];

    tell(lab);
    LAB_SINK(lab, 0, "--offsets-check", "50ms");
    await_story(lab);
    lab_fingerprint(lab, before);
    lab_clear(lab);
    await_story(lab);
    lab_stop(lab, 0);
    lab_fingerprint(lab, after);
    assert_string_equal(before, after);
}

/* The database refuses one record of many: that one is set aside, the others stay. */
static void refused_by_the_database(void **state)
{
    struct lab *lab = *state;
    char run[UUID_TEXT];

    lab_do(lab, "ALTER TABLE fleet.events ADD CHECK (tool IS DISTINCT FROM 'Poison')");
    for (unsigned i = 0; i < 200; i++) {
        lab_line(lab, lab_run(i % 7, run), 1, 1, 1 + i / 7);
        if (i == 111)
            lab_event(lab, run,
                      (struct event){.type = EVENT_AGENT_STDERR,
                                     .attempt = 1,
                                     .epoch = 1,
                                     .n = 1,
                                     .tool = STR("Poison")});
    }
    lab_flush(lab);
    LAB_SINK(lab, 0);
    lab_await(lab, "SELECT count(*) FROM fleet.events", 200);
    lab_await(lab, "SELECT count(*) FROM fleet.quarantine", 1);
    lab_expect(lab, "SELECT reason FROM fleet.quarantine", "refused_by_database");
    lab_expect(lab, "SELECT count(*) FROM fleet.runs WHERE sequence <> line", "0");
    lab_expect(lab, "SELECT sum(sequence) FROM fleet.runs", "200");
    lab_stop(lab, 0);
}

/* B095, B096: a line is what its number says, whoever sends it; the first one stays. And one of an
 * attempt whose start is not in the log is not for that less a line of it (docs/adr/0032). */
static void the_first_of_a_number_stays(void **state)
{
    struct lab *lab = *state;
    static const char *const texts[] = {"{\"text\":\"first\"}", "{\"text\":\"other\"}"};

    for (size_t i = 0; i < COUNTOF(texts); i++)
        lab_event(lab, RUN,
                  (struct event){.type = EVENT_AGENT_TEXT,
                                 .attempt = 1,
                                 .epoch = 1,
                                 .n = 1,
                                 .offset = 100,
                                 .data = str_of(texts[i])});
    lab_flush(lab);
    LAB_SINK(lab, 0);
    lab_await(lab, "SELECT sum(repeats) FROM fleet.runs", 1);
    lab_expect(lab, "SELECT string_agg(data->>'text', ' ') FROM fleet.events", "first");
    lab_expect(lab, "SELECT count(*) FROM fleet.quarantine", "0");
    lab_stop(lab, 0);
}

static void notifies(void **state)
{
    struct lab *lab = *state;
    PGnotify *n = NULL;

    lab_do(lab, "LISTEN fleet_runs");
    lab_line(lab, RUN, 1, 1, 1);
    lab_flush(lab);
    LAB_SINK(lab, 0);
    lab_await(lab, "SELECT count(*) FROM fleet.events", 1);
    for (int i = 0; i < 1000 && !n; i++) {
        PQconsumeInput(lab->pg);
        n = PQnotifies(lab->pg);
        if (!n)
            lab_nap();
    }
    assert_non_null(n);
    assert_string_equal(n->extra, RUN);
    PQfreemem(n);
    lab_stop(lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {LAB_TEST(any_batches_same_rows),
                                       LAB_TEST(set_back),
                                       LAB_TEST(rebuild),
                                       LAB_TEST(refused_by_the_database),
                                       LAB_TEST(the_first_of_a_number_stays),
                                       LAB_TEST(notifies)};
    return cmocka_run_group_tests_name("sink rows", tests, NULL, NULL);
}
