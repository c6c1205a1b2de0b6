/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: `sandfleet-sink rebuild` makes the read model anew from the topics, row for row
 * what it was, whatever the tables had become; readers and a running sink go on meanwhile; it
 * may be killed and begun again; and what the topics no longer hold stays as it is.
 * Proof: noise of many owners, repeats, gaps, ends and poison over several days; hashes of all
 * tables before and behind; a sink and a reader beside; SIGKILL in the middle; topics cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/sink/topic_cut.h"

#include "common/banned.h"

enum { RUNS = 24, NOISE = 2500, OLD = 5, REBUILD = 3 /* its place among the sinks */ };

#define DAY INT64_C(86400000)

static uint32_t next_random(uint32_t *x) /* the same on every machine, to be looked at again */
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static void send_event(struct lab *lab, unsigned i, struct event e)
{
    char id[UUID_TEXT];
    const struct event_run run = {.tenant = i % 3 ? "acme" : "umbrella",
                                  .run_id = lab_run(i, id),
                                  .batch_id = i % 2 ? "b-1" : NULL,
                                  .created_ms = INT64_C(1795219200000) + (i % 4) * DAY};

    e.time_ms = run.created_ms + 1000 * e.n;
    MUST(event_write(&run, &e, &lab->record, &err));
    lab_send(lab, TOPIC_EVENTS, str_of(id), buf_str(&lab->record.value), lab->record.headers,
             lab->record.n_headers);
}

static void send_request(struct lab *lab, unsigned i)
{
    char json[512], id[UUID_TEXT], key[64];

    snprintf(key, sizeof(key), "talk-%u", i % 5);
    snprintf(
        json, sizeof(json),
        "{\"v\":1,\"run_id\":\"%s\",\"tenant\":\"%s\",\"prompt\":\"say %u\",\"model\":\"opus\","
        "\"created_at\":\"2026-11-%02uT00:00:%02uZ\"%s,\"session\":{\"id\":\"%s\"}}",
        lab_run(i, id), i % 3 ? "acme" : "umbrella", i, 21 + i % 4, i % 60,
        i % 2 ? ",\"batch_id\":\"b-1\"" : "", key);
    lab_send(lab, i % 2 ? TOPIC_BATCH : TOPIC_INTERACTIVE, str_of(key), str_of(json), NULL, 0);
}

static const struct {
    enum event_type type;
    const char *data;
} kinds[] = {
    {EVENT_AGENT_TEXT, "{\"text\":\"hello\"}"},
    {EVENT_AGENT_TOOL_USE, "{\"native\":{\"a\":1.50}}"},
    {EVENT_ATTEMPT_STARTED, "{\"worker\":\"w1\",\"sandbox_id\":\"sb-?\"}"},
    {EVENT_SANDBOX_PARKED,
     "{\"sandbox_id\":\"sb-?\",\"reason\":\"kept\",\"running_ms\":700,\"age_ms\":900}"},
    {EVENT_SANDBOX_ENDED, "{\"sandbox_id\":\"sb-?\",\"reason\":\"released\",\"cost_usd\":0.003}"},
    {EVENT_ATTEMPT_ENDED,
     "{\"outcome\":\"overloaded\",\"cost_usd\":0.1,\"input_tokens\":7,\"claude_session\":\"c\"}"},
    {EVENT_RUN_HELD, "{\"reason\":\"usage_limit\"}"},
    {EVENT_RUN_RETRYING, "{\"outcome\":\"overloaded\",\"delay_ms\":5}"},
    {EVENT_RUN_COMPLETED, "{\"outcome\":\"success\",\"cost_usd\":0.3,\"result\":\"ok\"}"},
};

static void send_noise(struct lab *lab, uint32_t *x, unsigned run, unsigned growth)
{
    size_t kind = next_random(x) % 3 ? next_random(x) % 2 : next_random(x) % COUNTOF(kinds);
    char data[256], *mark;
    struct event e = {.type = kinds[kind].type,
                      .attempt = 1 + next_random(x) % (1 + growth / 8),
                      .epoch = 1 + next_random(x) % (1 + growth / 6),
                      .n = 1 + next_random(x) % (1 + growth)};

    if (kind == COUNTOF(kinds) - 1 && next_random(x) % 4)
        return; /* not all runs end soon */
    snprintf(data, sizeof(data), "%s", kinds[kind].data);
    if ((mark = strchr(data, '?')))
        *mark = (char)('0' + next_random(x) % 6);
    e.data = str_of(data);
    e.offset = event_is_line(e.type) ? 100 * e.n : 0;
    send_event(lab, run, e);
}

/* Runs `from` to `to`: requests and events in between each other, poison among them. */
/* As a worker writes one, and as nobody should. */
static void send_letters(struct lab *lab)
{
    struct kafka_header worker[] = {{"dlq.reason", STR("the record's own")},
                                    {"dlq.reason", STR("unknown_field")},
                                    {"dlq.detail", STR("unknown_field: 'colour'")},
                                    {"dlq.topic", STR("runs.batch")}},
                        hostile[] = {{"dlq.reason", STR("no\0word \xff")},
                                     {"dlq.detail", STR("cut \xff here")}};

    lab_send(lab, TOPIC_DLQ, STR("talk-1"), STR("{\"colour\":1}"), worker, COUNTOF(worker));
    lab_send(lab, TOPIC_DLQ, STR("talk-1"), STR("\0\xff"), hostile, COUNTOF(hostile));
    lab_send(lab, TOPIC_DLQ, (struct str){0}, (struct str){0}, NULL, 0);
}

static void tell(struct lab *lab, unsigned from, unsigned to)
{
    uint32_t x = 20261121 + from;
    char id[UUID_TEXT];

    for (unsigned i = 0; i < NOISE; i++) {
        if (i % 50 == 0 && from + i / 50 < to)
            send_request(lab, from + i / 50);
        send_noise(lab, &x, from + next_random(&x) % (to - from), i / 100);
        if (i % 500 == 7)
            lab_send(lab, TOPIC_EVENTS, str_of(lab_run(from, id)), STR("no event"), NULL, 0);
    }
    send_letters(lab);
    lab_flush(lab);
}

/* All that is in the topics is in the tables. */
static void await_all(struct lab *lab)
{
    struct kafka_admin *admin;
    char sql[512];

    MUST(kafka_admin_new(&(struct kafka_conf){.brokers = lab->brokers}, &admin, &err));
    for (int t = 0; t < TOPICS; t++)
        for (int32_t id = 0; id < LAB_PARTITIONS; id++) {
            int64_t low, high;

            MUST(kafka_admin_offsets(admin, lab->topics.name[t], id, LAB_WAIT_MS, &low, &high,
                                     &err));
            if (high == 0)
                continue;
            snprintf(
                sql, sizeof(sql),
                "SELECT coalesce(sum(next), 0) FROM fleet.sink_offsets WHERE (topic, partition) ="
                " ('%s', %d)",
                lab->topics.name[t], (int)id);
            lab_await(lab, sql, high);
        }
    kafka_admin_free(admin);
}

static void project(struct lab *lab, char out[LAB_PRINT])
{
    LAB_SINK(lab, 0);
    await_all(lab);
    lab_stop(lab, 0);
    lab_fingerprint(lab, out);
    assert_true(lab_int(lab, "SELECT count(*) FROM fleet.gaps") > 5);
    assert_true(lab_int(lab, "SELECT sum(records) FROM fleet.superseded") > 50);
    assert_true(lab_int(lab, "SELECT sum(repeats) FROM fleet.runs") > 50);
    assert_true(lab_int(lab, "SELECT count(*) FROM fleet.runs WHERE ended") > 2);
    assert_true(lab_int(lab, "SELECT count(*) FROM fleet.sandboxes") > 4);
    assert_int_equal(lab_int(lab, "SELECT count(DISTINCT tableoid) FROM fleet.events"), 4);
}

static void rebuilt_as(struct lab *lab, const char *want)
{
    char got[LAB_PRINT];

    lab_fingerprint(lab, got);
    assert_string_equal(got, want);
    lab_expect(lab, "SELECT to_regnamespace('fleet_next') IS NULL", "t");
    lab_check_sums(lab);
}

static void whatever_the_tables_had_become(void **state)
{
    struct lab *lab = *state;
    char first[LAB_PRINT];

    tell(lab, 0, RUNS);
    project(lab, first);
    lab_do(lab, "CREATE VIEW public.mine AS SELECT run_id, prompt FROM fleet.runs");
    lab_do(lab, "UPDATE fleet.runs SET cost_usd = 7, prompt = 'nonsense', sequence = 3 WHERE "
                "run_day > '2026-11-22';"
                "DELETE FROM fleet.events WHERE sequence % 3 = 0;"
                "DELETE FROM fleet.attempts; DELETE FROM fleet.gaps; DELETE FROM fleet.quarantine;"
                "UPDATE fleet.sandboxes SET state = 'busy', since = now();"
                "INSERT INTO fleet.superseded SELECT run_id, 77, 1, 1, 1 FROM fleet.runs;"
                "UPDATE fleet.usage SET runs = 99; DELETE FROM fleet.batches;"
                "DELETE FROM fleet.run_labels; INSERT INTO fleet.run_labels SELECT 'x', run_id "
                "FROM fleet.runs");
    LAB_SINK(lab, REBUILD, "rebuild", "--batch-rows", "70");
    assert_int_equal(lab_wait(lab, REBUILD), 0);
    rebuilt_as(lab, first);
    assert_int_equal(lab_int(lab, "SELECT count(*) FROM public.mine WHERE prompt LIKE 'say%'"),
                     RUNS);
    assert_int_equal(lab_int(lab, "SELECT count(DISTINCT tableoid) FROM fleet.events"), 4);

    tell(lab, RUNS, 2 * RUNS); /* and a sink goes on from there */
    LAB_SINK(lab, 0);
    await_all(lab);
    lab_stop(lab, 0);
    lab_check_sums(lab);
}

/* Readers see the old rows, then the new ones, and never fewer; what comes meanwhile is there. */
static void beside_a_sink_and_a_reader(void **state)
{
    struct lab *lab = *state;
    char kept[LAB_PRINT], anew[LAB_PRINT];
    int64_t seen = 0, now;
    int status;

    tell(lab, 0, RUNS);
    LAB_SINK(lab, 0, "--offsets-check", "50ms");
    await_all(lab);
    LAB_SINK(lab, REBUILD, "rebuild", "--batch-rows", "20");
    tell(lab, RUNS, 2 * RUNS);
    while (waitpid(lab->sinks[REBUILD], &status, WNOHANG) == 0) {
        now = lab_int(lab, "SELECT count(*) FROM fleet.events");
        assert_true(now >= seen);
        seen = now;
    }
    lab->sinks[REBUILD] = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    await_all(lab);
    lab_stop(lab, 0);
    lab_fingerprint(lab, kept);

    lab_drop_database(lab);
    lab_database(lab, "");
    project(lab, anew);
    assert_string_equal(kept, anew);
}

/* A rebuild that is killed in the middle; nobody who reads can tell. */
static void interrupted(struct lab *lab, char first[LAB_PRINT])
{
    char meanwhile[LAB_PRINT];

    tell(lab, 0, RUNS);
    project(lab, first);
    LAB_SINK(lab, REBUILD, "rebuild", "--batch-rows", "5");
    lab_await(lab, "SELECT count(*) FROM pg_namespace WHERE nspname = 'fleet_next'", 1);
    lab_await(lab, "SELECT count(*) FROM fleet_next.events", 200);
    lab_kill(lab, REBUILD);
    lab_fingerprint(lab, meanwhile);
    assert_string_equal(meanwhile, first);
}

static void killed_and_begun_again(void **state)
{
    struct lab *lab = *state;
    char first[LAB_PRINT];

    interrupted(lab, first);
    LAB_SINK(lab, REBUILD, "rebuild");
    assert_int_equal(lab_wait(lab, REBUILD), 0);
    lab_await_log(lab, "tables=resumed");
    rebuilt_as(lab, first);
}

/* What another build left half done is of no use to this one. */
static void left_by_another_build(void **state)
{
    struct lab *lab = *state;
    char first[LAB_PRINT];

    interrupted(lab, first);
    lab_do(lab, "COMMENT ON SCHEMA fleet_next IS 'another build';"
                "UPDATE fleet_next.runs SET prompt = 'nonsense', tenant = 'nobody'");
    LAB_SINK(lab, REBUILD, "rebuild");
    assert_int_equal(lab_wait(lab, REBUILD), 0);
    rebuilt_as(lab, first);
}

/* Two days of the first runs, and the first requests, are gone from the topics. */
static void older_than_the_topics(void **state)
{
    struct lab *lab = *state;
    char first[LAB_PRINT];

    tell(lab, 0, RUNS);
    LAB_SINK(lab, 0);
    await_all(lab);
    for (int32_t id = 0; id < LAB_PARTITIONS; id++) { /* some of each partition's first runs */
        char sql[256];

        snprintf(sql, sizeof(sql),
                 "SELECT coalesce(max(next), 0) FROM fleet.sink_offsets WHERE topic = '%s' AND "
                 "partition = %d",
                 lab->topics.name[TOPIC_EVENTS], (int)id);
        lab_cut(lab, TOPIC_EVENTS, id, lab_int(lab, sql) / 2);
    }
    lab_cut(lab, TOPIC_BATCH, 0, 1);
    lab_do(
        lab,
        "DELETE FROM fleet.events WHERE run_day = '2026-11-22' AND run_id IN"
        " (SELECT run_id FROM fleet.runs WHERE run_id < '01990000-0000-7000-8000-000000000018')");
    tell(lab, RUNS, RUNS + OLD);
    await_all(lab);
    lab_stop(lab, 0);
    lab_fingerprint(lab, first);
    LAB_SINK(lab, REBUILD, "rebuild", "--batch-rows", "70");
    assert_int_equal(lab_wait(lab, REBUILD), 0);
    rebuilt_as(lab, first);
    lab_await_log(lab, "5 runs anew, 24 carried over");
}

/* Somebody's long query is not waited for: everybody else's would wait behind us. */
static void a_reader_who_stays(void **state)
{
    struct lab *lab = *state;
    char first[LAB_PRINT], meanwhile[LAB_PRINT];
    PGconn *reader;

    tell(lab, 0, RUNS);
    project(lab, first);
    reader = lab_connect(lab->conninfo);
    PQclear(lab_exec(reader, "BEGIN; SELECT count(*) FROM fleet.events"));
    LAB_SINK(lab, REBUILD, "rebuild");
    assert_int_equal(lab_wait(lab, REBUILD), 75);
    lab_await_log(lab, "rebuild.not_switched");
    lab_fingerprint(lab, meanwhile);
    assert_string_equal(meanwhile, first);
    PQclear(lab_exec(reader, "COMMIT"));
    PQfinish(reader);
    LAB_SINK(lab, REBUILD, "rebuild");
    assert_int_equal(lab_wait(lab, REBUILD), 0);
    lab_await_log(lab, "tables=resumed");
    rebuilt_as(lab, first);
}

/* Topics that were made anew cannot tell what the tables have. */
static void another_topic(void **state)
{
    struct lab *lab = *state;
    char first[LAB_PRINT], behind[LAB_PRINT];

    tell(lab, 0, RUNS);
    project(lab, first);
    lab_do(lab, "UPDATE fleet.sink_offsets SET next = next + 1000 WHERE topic LIKE '%events'");
    lab_fingerprint(lab, first);
    LAB_SINK(lab, REBUILD, "rebuild");
    assert_int_equal(lab_wait(lab, REBUILD), 78);
    lab_await_log(lab, "not the one they were made from");
    lab_fingerprint(lab, behind);
    assert_string_equal(first, behind);
}

#define LETTERS " FROM fleet.quarantine WHERE topic LIKE '%runs.dlq'"

static void letters(void **state)
{
    struct lab *lab = *state;
    char first[LAB_PRINT];

    tell(lab, 0, RUNS);
    project(lab, first);
    lab_expect(lab,
               "SELECT string_agg(reason || ':' || detail, ' ' ORDER BY reason, detail)" LETTERS,
               "unknown_field:unknown_field: 'colour' unspecified: unspecified:cut ");
    lab_expect(lab,
               "SELECT convert_from(key, 'UTF8') || convert_from(value, 'UTF8') ||"
               " (headers ->> 'dlq.topic')" LETTERS " AND reason = 'unknown_field'",
               "talk-1{\"colour\":1}runs.batch");
    lab_do(lab,
           "WITH gone AS (DELETE" LETTERS " AND reason = 'unknown_field' RETURNING *)"
           " INSERT INTO door.settled_letters SELECT topic, partition, \"offset\", at, 'purged'"
           " FROM gone");
    lab_fingerprint(lab, first);
    LAB_SINK(lab, REBUILD, "rebuild");
    assert_int_equal(lab_wait(lab, REBUILD), 0);
    rebuilt_as(lab, first); /* it does not come back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {LAB_TEST(whatever_the_tables_had_become),
                                       LAB_TEST(beside_a_sink_and_a_reader),
                                       LAB_TEST(killed_and_begun_again),
                                       LAB_TEST(left_by_another_build),
                                       LAB_TEST(older_than_the_topics),
                                       LAB_TEST(a_reader_who_stays),
                                       LAB_TEST(another_topic),
                                       LAB_TEST(letters)};
    return cmocka_run_group_tests_name("sink rebuild", tests, NULL, NULL);
}
