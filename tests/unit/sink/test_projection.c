/* SPDX-License-Identifier: Apache-2.0 */
/* What records do to rows. A story is a list of records; the rows it gives must not
 * depend on whether the request came before or after the events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sink/projection.h"
#include "tests/unit/sink/records.h"

#include "common/banned.h"

#define CONTROL(t, a, e, number, json)                                                             \
    {.type = EVENT_##t, .attempt = (a), .epoch = (e), .n = (number), .data = STR(json)}
#define LINE(a, e, number)                                                                         \
    {.type = EVENT_AGENT_TEXT, .attempt = (a), .epoch = (e), .n = (number), .offset = 10 * (number)}

static const struct event whole_run[] = {
    CONTROL(RUN_HELD, 0, 1, 1, "{\"reason\":\"session_busy\",\"until\":\"2026-11-21T02:00:00Z\"}"),
    CONTROL(ATTEMPT_STARTING, 1, 1, 2, "{\"worker\":\"w1\",\"template\":\"claude\"}"),
    CONTROL(SANDBOX_CREATED, 1, 1, 3, "{\"sandbox_id\":\"sb1\"}"),
    CONTROL(
        ATTEMPT_STARTED, 1, 1, 4,
        "{\"worker\":\"w1\",\"sandbox_id\":\"sb1\",\"template\":\"t\",\"arguments\":[\"-p\",\"é\"],"
        "\"arguments_hash\":\"aa\",\"prompt_hash\":\"bb\"}"),
    CONTROL(RUN_HEARTBEAT, 1, 1, 5, "{\"elapsed_ms\":60000}"),
    {.type = EVENT_AGENT_INIT,
     .attempt = 1,
     .epoch = 1,
     .n = 1,
     .offset = 10,
     .model = {"claude-x", 8}},
    LINE(1, 1, 2),
    CONTROL(
        ATTEMPT_ENDED, 1, 1, 6,
        "{\"outcome\":\"overloaded\",\"exit_code\":1,\"lines\":2,\"bytes\":20,\"cost_usd\":0.25,"
        "\"input_tokens\":10,\"output_tokens\":5}"),
    CONTROL(RUN_RETRYING, 1, 1, 7, "{\"outcome\":\"overloaded\",\"delay_ms\":4000}"),
    CONTROL(ATTEMPT_STARTING, 2, 2, 1, "{\"worker\":\"w2\"}"),
    CONTROL(ATTEMPT_STARTED, 2, 2, 2,
            "{\"worker\":\"w2\",\"sandbox_id\":\"sb2\",\"credential\":\"team-1\","
            "\"credential_mode\":\"proxy\"}"),
    LINE(2, 2, 1),
    CONTROL(ATTEMPT_ENDED, 2, 2, 3,
            "{\"outcome\":\"completed\",\"exit_code\":0,\"cost_usd\":0.5,\"input_tokens\":7,"
            "\"claude_session\":\"s-1\",\"claude_version\":\"2.1\",\"files_hash\":\"cc\"}"),
    CONTROL(RUN_COMPLETED, 2, 2, 4,
            "{\"state\":\"completed\",\"outcome\":\"completed\",\"cost_usd\":0.75,"
            "\"input_tokens\":17,\"result\":\"done\",\"output_tail\":\"…done\"}"),
};

#define REQUEST_A                                                                                  \
    "{\"v\":1,\"run_id\":\"" RUN_A "\",\"tenant\":\"acme\",\"batch_id\":\"b-1\","                  \
    "\"custom_id\":\"c-1\",\"prompt\":\"hi\",\"model\":\"opus\",\"user_id\":\"u\","                \
    "\"metadata\":{\"k\":1}}"

struct world {
    struct batch batch;
    struct projection rows;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    batch_init(&w->batch, &record_topics, 1000, 1 << 24);
    projection_init(&w->rows);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    projection_release(&w->rows);
    batch_release(&w->batch);
    free_records();
    free(w);
    return 0;
}

static enum verdict fold_event_at(struct world *w, size_t i, int64_t *missing)
{
    const struct batch_item *item = &w->batch.items[i];
    struct err err = ERR_INIT;
    enum verdict verdict;

    assert_int_equal(item->kind, ITEM_EVENT);
    if (projection_event(&w->rows, item->run, &item->event, &verdict, missing, &err) != ERR_OK)
        fail_msg("event %zu: %s", i, err.msg);
    return verdict;
}

static void fold_all(struct world *w)
{
    struct err err = ERR_INIT;
    int64_t missing;

    for (size_t i = 0; i < w->batch.n; i++) {
        const struct batch_item *item = &w->batch.items[i];
        if (item->kind == ITEM_EVENT)
            (void)fold_event_at(w, i, &missing);
        else
            assert_int_equal(
                projection_request(&w->rows, item->run, item->request, LANE_INTERACTIVE, 0, &err),
                ERR_OK);
    }
}

static struct run_row *run_a(struct world *w)
{
    return projection_find(&w->rows, w->batch.items[0].run);
}

/* Adds the story with the request before record `at`. */
static void add_story(struct world *w, size_t at)
{
    for (size_t i = 0; i < COUNTOF(whole_run); i++) {
        if (i == at)
            add_request(&w->batch, TOPIC_INTERACTIVE, RUN_A, REQUEST_A);
        add_event(&w->batch, RUN_A, whole_run[i]);
    }
    if (at == COUNTOF(whole_run))
        add_request(&w->batch, TOPIC_INTERACTIVE, RUN_A, REQUEST_A);
}

static void check_story(struct world *w)
{
    const struct run_row *run = run_a(w);
    const struct attempt_row *a1 = &w->rows.attempts[0], *a2 = &w->rows.attempts[1];

    assert_string_equal(run_state_name(run->state), "completed");
    assert_int_equal(run->judge.sequence, COUNTOF(whole_run));
    assert_true(run->judge.ended && run->by_event);
    assert_int_equal(run->attempt, 2);
    assert_true(run->cost_usd == 0.75);
    assert_int_equal(run->tokens[TOKENS_INPUT], 17);
    assert_int_equal(run->tokens[TOKENS_OUTPUT], 5); /* the terminal does not name it */
    assert_true(str_is(run->result, "done"));
    assert_true(str_is(run->outcome, "completed"));
    assert_true(str_is(run->worker, "w2"));
    assert_true(str_is(run->sandbox, "sb2"));
    assert_true(str_is(run->session, "s-1"));
    assert_true(str_is(run->tenant, "acme"));
    assert_true(str_is(run->batch_id, "b-1"));
    assert_true(str_is(run->custom_id, "c-1"));
    assert_true(str_is(run->model, "claude-x"));
    assert_string_equal(run->request->user_id, "u");
    assert_int_equal(run->day_ms, DAY_0);
    assert_int_equal(w->rows.n_attempts, 2);
    assert_int_equal(a1->state, ATTEMPT_ENDED);
    assert_int_equal(a1->lines, 2);
    assert_int_equal(a1->bytes, 20);
    assert_true(str_is(a1->outcome, "overloaded"));
    assert_true(str_is(a1->model, "claude-x"));
    assert_true(a1->has_exit_code && a1->exit_code == 1);
    assert_true(str_is(a1->template, "t"));
    assert_true(str_is(a1->arguments, "[\"-p\",\"é\"]"));
    assert_true(str_is(a1->hashes[HASH_ARGUMENTS], "aa"));
    assert_true(str_is(a1->hashes[HASH_PROMPT], "bb"));
    assert_null(a1->hashes[HASH_SYSTEM_PROMPT].p);
    assert_true(str_is(a2->credential, "team-1"));
    assert_true(str_is(a2->credential_mode, "proxy"));
    assert_true(str_is(a2->hashes[HASH_FILES], "cc")); /* who took it over says it at the end */
    assert_int_equal(a2->lines, 1);
    assert_true(str_is(a2->claude_version, "2.1"));
    assert_true(a2->cost_usd == 0.5);
}

static void request_anywhere(void **state)
{
    struct world *w = *state;

    for (size_t at = 0; at <= COUNTOF(whole_run); at++) {
        projection_clear(&w->rows);
        batch_clear(&w->batch);
        add_story(w, at);
        fold_all(w);
        check_story(w);
    }
}

static void second_request_changes_nothing(void **state)
{
    struct world *w = *state;

    add_request(&w->batch, TOPIC_INTERACTIVE, RUN_A, REQUEST_A);
    add_request(&w->batch, TOPIC_INTERACTIVE, RUN_A,
                "{\"v\":1,\"run_id\":\"" RUN_A "\",\"tenant\":\"evil\",\"prompt\":\"other\"}");
    fold_all(w);
    assert_string_equal(run_a(w)->request->prompt, "hi");
    assert_true(str_is(run_a(w)->tenant, "acme"));
    assert_false(run_a(w)->by_event);
    assert_string_equal(run_state_name(run_a(w)->state), "queued");
}

/* The worker that publishes has judged the request; a forged one does not override it. */
static void events_overrule_the_request(void **state)
{
    struct world *w = *state;

    add_request(&w->batch, TOPIC_INTERACTIVE, RUN_A,
                "{\"v\":1,\"run_id\":\"" RUN_A "\",\"tenant\":\"evil\",\"prompt\":\"x\"}");
    add_event(&w->batch, RUN_A, whole_run[0]);
    fold_all(w);
    assert_true(str_is(run_a(w)->tenant, "acme"));
    assert_int_equal(run_a(w)->day_ms, DAY_0);
}

static const struct {
    struct event event;
    enum verdict want;
    int64_t missing;
} judged[] = {
    {CONTROL(ATTEMPT_STARTED, 1, 1, 1, "{}"), JUDGE_STORE, 0},
    {LINE(1, 1, 1), JUDGE_STORE, 0},
    {LINE(1, 1, 1), JUDGE_REPEAT, 0},
    {LINE(1, 1, 4), JUDGE_GAP, 2},
    {CONTROL(RUN_RESUMED, 1, 2, 1, "{\"worker\":\"w2\"}"), JUDGE_STORE, 0},
    {LINE(1, 1, 5), JUDGE_SUPERSEDED, 0},
    {LINE(1, 2, 5), JUDGE_STORE, 0},
    {CONTROL(RUN_FAILED, 1, 2, 2, "{\"state\":\"failed\",\"result\":{\"a\":[1]}}"), JUDGE_STORE, 0},
    {CONTROL(RUN_COMPLETED, 1, 2, 3, "{\"state\":\"completed\"}"), JUDGE_SUPERSEDED, 0},
    {LINE(1, 2, 6), JUDGE_SUPERSEDED, 0},
};

static void verdicts_count(void **state)
{
    struct world *w = *state;
    int64_t missing;

    for (size_t i = 0; i < COUNTOF(judged); i++) {
        add_event(&w->batch, RUN_A, judged[i].event);
        assert_int_equal(fold_event_at(w, i, &missing), judged[i].want);
        assert_int_equal(missing, judged[i].missing);
    }
    assert_int_equal(run_a(w)->judge.sequence, 6);
    assert_int_equal(run_a(w)->repeats, 1);
    assert_int_equal(run_a(w)->superseded, 3);
    assert_int_equal(run_a(w)->missing_lines, 2);
    assert_string_equal(run_state_name(run_a(w)->state), "failed");
    assert_true(str_is(run_a(w)->result, "{\"a\":[1]}"));
}

/* Poison among the events: nothing of it is kept, not even the run's row. */
static void bad_data_moves_nothing(void **state)
{
    struct world *w = *state;
    struct batch_item *item;
    struct err err = ERR_INIT;
    enum verdict verdict;
    int64_t missing;

    add_event(&w->batch, RUN_A, whole_run[0]);
    item = &w->batch.items[0];
    item->event.event.data = STR("{\"a\":");
    assert_int_equal(projection_event(&w->rows, item->run, &item->event, &verdict, &missing, &err),
                     ERR_INVALID);
    assert_true(str_starts(str_of(err.msg), "malformed"));
    assert_int_equal(run_a(w)->judge.sequence, 0);
    assert_false(run_a(w)->by_event);
}

static void many_runs(void **state)
{
    struct world *w = *state;
    uint8_t id[16] = {0};

    for (unsigned i = 0; i < 5000; i++) {
        memcpy(id + 10, &i, sizeof(i));
        projection_run(&w->rows, id)->attempt = i;
    }
    assert_int_equal(w->rows.n_runs, 5000);
    for (unsigned i = 0; i < 5000; i++) {
        memcpy(id + 10, &i, sizeof(i));
        assert_int_equal(projection_find(&w->rows, id)->attempt, i);
    }
    projection_clear(&w->rows);
    assert_null(projection_find(&w->rows, id));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* --- sandboxes, old owners --- */

static const struct {
    const char *name;
    enum event_type type;
    const char *data, *state; /* state NULL: says nothing about a sandbox */
    bool used;
    int64_t running_ms;
    double cost_usd;
} sandbox_rows[] = {
    {"created", EVENT_SANDBOX_CREATED, "{\"sandbox_id\":\"s\",\"template\":\"t\"}", "busy", true, 0,
     -1},
    {"taken", EVENT_ATTEMPT_STARTED, "{\"sandbox_id\":\"s\"}", "busy", true, 0, -1},
    {"kept", EVENT_SANDBOX_PARKED, "{\"sandbox_id\":\"s\",\"reason\":\"kept\"}", "parked", true, 0,
     -1},
    {"frozen", EVENT_SANDBOX_PARKED, "{\"sandbox_id\":\"s\",\"reason\":\"paused\"}", "paused", true,
     0, -1},
    {"ended", EVENT_SANDBOX_ENDED, "{\"sandbox_id\":\"s\",\"running_ms\":7,\"cost_usd\":0}",
     "ended", true, 7, 0},
    {"lost", EVENT_SANDBOX_LOST, "{\"sandbox_id\":\"s\"}", "lost", true, 0, -1},
    {"another one's", EVENT_SANDBOX_EVICTED, "{\"sandbox_id\":\"s\",\"cost_usd\":0.5}", "evicted",
     false, 0, 0.5},
    {"no name", EVENT_SANDBOX_ENDED, "{}", NULL, false, 0, 0},
    {"not of a sandbox", EVENT_ATTEMPT_ENDED, "{\"sandbox_id\":\"s\"}", NULL, false, 0, 0},
    {"wrong types", EVENT_SANDBOX_ENDED, "{\"sandbox_id\":7}", NULL, false, 0, 0},
};

static void says_of_sandboxes(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < COUNTOF(sandbox_rows); i++)
        add_event(&w->batch, RUN_A,
                  (struct event){.type = sandbox_rows[i].type,
                                 .attempt = 1,
                                 .epoch = 1,
                                 .n = (int64_t)i + 1,
                                 .data = str_of(sandbox_rows[i].data)});
    for (size_t i = 0; i < COUNTOF(sandbox_rows); i++) {
        const struct sandbox_word *word;
        size_t before = w->rows.n_words;
        int64_t missing;

        assert_int_equal(fold_event_at(w, i, &missing), JUDGE_STORE);
        if (w->rows.n_words - before != (sandbox_rows[i].state ? 1 : 0))
            fail_msg("%s: %zu words", sandbox_rows[i].name, w->rows.n_words - before);
        if (!sandbox_rows[i].state)
            continue;
        word = &w->rows.words[before];
        assert_string_equal(word->state, sandbox_rows[i].state);
        assert_int_equal(word->used, sandbox_rows[i].used);
        assert_int_equal(word->running_ms, sandbox_rows[i].running_ms);
        assert_true(word->cost_usd == sandbox_rows[i].cost_usd);
        assert_true(str_is(word->id, "s"));
    }
}

static void marks_old_owners(void **state)
{
    struct world *w = *state;
    static const int64_t epochs[] = {1, 2, 1, 3, 1, 2, 1};
    const struct superseded_row *s;

    for (size_t i = 0; i < COUNTOF(epochs); i++)
        add_event(&w->batch, RUN_A, (struct event)LINE(1, epochs[i], (int64_t)i + 1));
    fold_all(w);
    s = w->rows.superseded;
    assert_int_equal(w->rows.n_superseded, 2);
    assert_true(s[0].epoch == 1 && s[0].records == 3 && s[0].by_epoch == 2 &&
                s[0].after_sequence == 2);
    assert_true(s[1].epoch == 2 && s[1].records == 1 && s[1].by_epoch == 3 &&
                s[1].after_sequence == 3);
    assert_int_equal(run_a(w)->superseded, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(request_anywhere),
                                       TEST(second_request_changes_nothing),
                                       TEST(events_overrule_the_request),
                                       TEST(verdicts_count),
                                       TEST(bad_data_moves_nothing),
                                       TEST(says_of_sandboxes),
                                       TEST(marks_old_owners),
                                       TEST(many_runs)};
    return cmocka_run_group_tests_name("projection", tests, NULL, NULL);
}
