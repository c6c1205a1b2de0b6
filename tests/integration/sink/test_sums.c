/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: batches, sessions, sandboxes and usage say what the runs and their events say, and
 * are the same rows however the records are cut into batches, whichever partition comes first,
 * and with several sinks at once; what an old owner wrote too late is marked.
 * Proof: one story, into a fresh database each time, by one sink and by three, with rows told
 * by hand; then the sums are taken anew from the runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/sink/lab.h"

#include "common/banned.h"

enum { MANY = 60 };

#define SOON "-X", "session.timeout.ms=1500", "-X", "heartbeat.interval.ms=300"

static void ask(struct lab *lab, unsigned run, const char *key, const char *created,
                const char *more)
{
    char json[1024], id[UUID_TEXT];

    snprintf(json, sizeof(json),
             "{\"v\":1,\"run_id\":\"%s\",\"tenant\":\"acme\",\"created_at\":\"2026-11-21T%sZ\","
             "\"prompt\":\"say hi\",\"model\":\"opus\",\"credential\":\"c1\"%s}",
             lab_run(run, id), created, more);
    lab_send(lab, TOPIC_BATCH, str_of(key ? key : id), str_of(json), NULL, 0);
}

static void say(struct lab *lab, unsigned run, enum event_type type, int64_t epoch, int64_t n,
                int64_t second, const char *data)
{
    char id[UUID_TEXT];

    lab_event(lab, lab_run(run, id),
              (struct event){.type = type,
                             .attempt = type == EVENT_RUN_HELD ? 0 : 1,
                             .epoch = epoch,
                             .n = n,
                             .time_ms = INT64_C(1795219200000) + 1000 * second,
                             .data = str_of(data)});
}

#define TALK ",\"batch_id\":\"b-1\",\"session\":{\"id\":\"talk\"}"

/* A conversation of two runs in one sandbox, which makes room in the third. */
static void tell_session(struct lab *lab)
{
    ask(lab, 1, "talk", "00:00:00", TALK);
    say(lab, 1, EVENT_SANDBOX_CREATED, 1, 1, 1,
        "{\"sandbox_id\":\"sb1\",\"template\":\"claude\",\"age_ms\":500,\"running_ms\":500}");
    say(lab, 1, EVENT_ATTEMPT_STARTED, 1, 2, 2, "{\"worker\":\"w1\",\"sandbox_id\":\"sb1\"}");
    say(lab, 1, EVENT_ATTEMPT_ENDED, 1, 3, 9,
        "{\"outcome\":\"success\",\"cost_usd\":0.1,\"input_tokens\":10,\"sandbox_ms\":7000,"
        "\"sandbox_cost_usd\":0.01,\"claude_session\":\"cs1\"}");
    say(lab, 1, EVENT_SANDBOX_PARKED, 1, 4, 10,
        "{\"sandbox_id\":\"sb1\",\"reason\":\"paused\",\"running_ms\":9000,\"cost_usd\":0.02}");
    say(lab, 1, EVENT_RUN_COMPLETED, 1, 5, 11,
        "{\"outcome\":\"success\",\"cost_usd\":0.1,\"input_tokens\":10,\"sandbox_ms\":7000,"
        "\"sandbox_cost_usd\":0.01,\"claude_session\":\"cs1\"}");
    ask(lab, 2, "talk", "00:01:00", TALK);
    say(lab, 2, EVENT_ATTEMPT_STARTED, 1, 1, 61, "{\"worker\":\"w2\",\"sandbox_id\":\"sb1\"}");
    say(lab, 2, EVENT_SANDBOX_PARKED, 1, 2, 70,
        "{\"sandbox_id\":\"sb1\",\"reason\":\"kept\",\"running_ms\":18000,\"cost_usd\":0.04}");
    say(lab, 2, EVENT_RUN_FAILED, 1, 3, 71, "{\"outcome\":\"agent_error\",\"cost_usd\":0.2}");
    say(lab, 3, EVENT_SANDBOX_EVICTED, 1, 1, 80,
        "{\"sandbox_id\":\"sb1\",\"was\":\"parked\",\"reason\":\"capacity\",\"running_ms\":28000}");
    say(lab, 3, EVENT_ATTEMPT_STARTED, 1, 2, 81, "{\"worker\":\"w1\",\"sandbox_id\":\"sb3\"}");
    say(lab, 3, EVENT_SANDBOX_LOST, 1, 3, 82, "{\"sandbox_id\":\"sb3\",\"reason\":\"gone\"}");
}

/* Requests that name another batch than the events do: the events' word counts. */
static void tell_batches(struct lab *lab)
{
    char id[UUID_TEXT];

    ask(lab, 3, NULL, "00:00:30", ",\"batch_id\":\"other\"");
    ask(lab, 4, NULL, "00:00:40", ",\"batch_id\":\"other\"");
    ask(lab, 5, NULL, "00:00:50", ",\"batch_id\":\"gone\"");
    say(lab, 5, EVENT_RUN_HELD, 1, 1, 51, "{\"reason\":\"usage_limit\"}");
    for (unsigned i = 0; i < MANY; i++) {
        ask(lab, 100 + i, NULL, "00:02:00", ",\"batch_id\":\"b-1\",\"project_id\":\"p\"");
        lab_line(lab, lab_run(100 + i, id), 1, 1, 1);
    }
    for (unsigned i = 0; i < MANY; i++)
        say(lab, 100 + i, EVENT_RUN_COMPLETED, 1, 1, 130 + i,
            "{\"outcome\":\"success\",\"cost_usd\":0.1,\"output_tokens\":3}");
}

/* The first owner writes on after a second one, and the second after the end. */
static void tell_zombies(struct lab *lab)
{
    char id[UUID_TEXT];

    lab_run(6, id);
    ask(lab, 6, NULL, "00:03:00", ",\"batch_id\":\"b-1\"");
    lab_line(lab, id, 1, 1, 1);
    say(lab, 6, EVENT_RUN_RESUMED, 2, 1, 200, "{\"worker\":\"w2\"}");
    for (int64_t n = 2; n <= 5; n++)
        lab_line(lab, id, 1, 1, n);
    lab_line(lab, id, 1, 2, 2);
    lab_line(lab, id, 1, 1, 9);
    say(lab, 6, EVENT_RUN_CANCELLED, 2, 2, 210, "{\"outcome\":\"cancelled\"}");
    lab_line(lab, id, 1, 2, 3);
}

enum { EVENTS = 11 + 1 + 2 * MANY + 10, REQUESTS = 2 + 3 + MANY + 1 };

static void tell(struct lab *lab)
{
    tell_session(lab);
    tell_batches(lab);
    tell_zombies(lab);
    lab_flush(lab);
}

static const struct {
    const char *sql, *want;
} rows[] = {
    {"SELECT string_agg(concat_ws(' ', batch_id, runs, queued, held, running, completed, failed, "
     "cancelled,"
     " cost_usd, sandbox_cost_usd, input_tokens, output_tokens), E'\\n' ORDER BY batch_id) FROM "
     "fleet.batches",
     "b-1 65 0 1 1 61 1 1 6.300000000 0.010000000 10 180\n"
     "other 1 1 0 0 0 0 0 0.000000000 0.000000000 0 0"},
    {"SELECT concat_ws(' ', first_created_at, first_started_at, last_ended_at) FROM fleet.batches "
     "WHERE batch_id = 'b-1'",
     "2026-11-21 00:00:00+00 2026-11-21 00:00:02+00 2026-11-21 00:03:30+00"},
    {"SELECT string_agg(concat_ws(' ', run_day, tenant, project_id, model, credential, runs, "
     "ended, completed, attempts,"
     " cost_usd, sandbox_ms, sandbox_cost_usd), E'\\n' ORDER BY project_id) FROM fleet.usage",
     "2026-11-21 acme p opus c1 60 60 60 60 6.000000000 0 0.000000000\n"
     "2026-11-21 acme opus c1 6 3 1 4 0.300000000 7000 0.010000000"},
    {"SELECT concat_ws(' ', tenant, session_id, runs, open_runs, right(last_run_id::text, 1), "
     "last_state,"
     " claude_session, sandbox_id, sandbox_state, sandbox_since, cost_usd, first_run_at, "
     "last_active_at) FROM fleet.sessions",
     "acme talk 2 0 2 failed cs1 sb1 evicted 2026-11-21 00:01:20+00 0.300000000 2026-11-21 "
     "00:00:00+00 "
     "2026-11-21 00:01:11+00"},
    {"SELECT string_agg(concat_ws(' ', sandbox_id, template, tenant, right(run_id::text, 1), "
     "state, reason, since,"
     " created_at, ended_at, running_ms, cost_usd), E'\\n' ORDER BY sandbox_id) FROM "
     "fleet.sandboxes",
     "sb1 claude acme 2 evicted capacity 2026-11-21 00:01:20+00 2026-11-21 00:00:00.5+00 "
     "2026-11-21 00:01:20+00 28000 0.04\n"
     "sb3 acme 3 lost gone 2026-11-21 00:01:22+00 2026-11-21 00:01:21+00 2026-11-21 00:01:22+00 0"},
    {"SELECT string_agg(concat_ws(' ', right(run_id::text, 1), epoch, records, by_epoch, "
     "after_sequence), E'\\n'"
     " ORDER BY epoch) FROM fleet.superseded",
     "6 1 5 2 2\n6 2 1 2 4"},
};

static void check(struct lab *lab)
{
    lab_do(lab, "SET TIME ZONE 'UTC'");
    lab_await(lab, "SELECT coalesce(sum(sequence + superseded), 0) FROM fleet.runs", EVENTS);
    lab_await(lab, "SELECT count(*) FROM fleet.runs WHERE created_at IS NOT NULL", REQUESTS);
    for (size_t i = 0; i < COUNTOF(rows); i++)
        lab_expect(lab, rows[i].sql, rows[i].want);
    lab_check_sums(lab);
}

static void any_batches_same_sums(void **state)
{
    struct lab *lab = *state;
    static const char *const sizes[] = {"5000", "1", "7"};
    char first[LAB_PRINT], again[LAB_PRINT];

    tell(lab);
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        LAB_SINK(lab, 0, "--batch-rows", sizes[i]);
        check(lab);
        lab_stop(lab, 0);
        lab_fingerprint(lab, i == 0 ? first : again);
        if (i > 0)
            assert_string_equal(first, again);
        lab_drop_database(lab);
        lab_database(lab, "");
    }
}

/* Requests and events of one run by different sinks, at the same moment. */
static void three_sinks(void **state)
{
    struct lab *lab = *state;

    for (size_t i = 0; i < 3; i++)
        LAB_SINK(lab, i, "--batch-rows", "4", SOON);
    tell(lab);
    check(lab);
    for (size_t i = 0; i < 3; i++)
        lab_stop(lab, i);
}

/* What is taken away by hand is taken out of the sums. */
static void rows_taken_away(void **state)
{
    struct lab *lab = *state;

    tell(lab);
    LAB_SINK(lab, 0);
    check(lab);
    lab_do(lab, "DELETE FROM fleet.runs WHERE project_id = 'p' OR session_id = 'talk'");
    lab_expect(
        lab, "SELECT string_agg(batch_id || ' ' || runs, ' ' ORDER BY batch_id) FROM fleet.batches",
        "b-1 3 other 1");
    lab_expect(lab, "SELECT concat_ws(' ', count(*), sum(runs)) FROM fleet.usage", "1 4");
    lab_expect(lab, "SELECT count(*) FROM fleet.sessions", "0");
    lab_check_sums(lab);
    lab_stop(lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {LAB_TEST(any_batches_same_sums), LAB_TEST(three_sinks),
                                       LAB_TEST(rows_taken_away)};
    return cmocka_run_group_tests_name("sink sums", tests, NULL, NULL);
}
