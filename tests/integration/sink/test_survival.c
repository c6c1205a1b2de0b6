/* SPDX-License-Identifier: Apache-2.0 */
/* Every line is in the tables exactly once, in order, whatever dies in between: the
 * sink, its connection, one sink of two, or one that was only frozen and wakes up as
 * a stranger. Missing servers are waited for; a wrong shape of the database ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/sink/lab.h"

#include "common/banned.h"

enum { RUNS = 20, LINES = 1000 };

/* The group notices a death soon; the figures are the least a test broker takes. */
#define SOON      "-X", "session.timeout.ms=1500", "-X", "heartbeat.interval.ms=300"
#define POSITIONS "SELECT coalesce(sum(next), 0) FROM fleet.sink_offsets"
#define STORED    "SELECT count(*) FROM fleet.events"
#define FINISHED  "SELECT count(*) FROM fleet.runs WHERE ended"
#define REQUESTED "SELECT count(prompt) FROM fleet.runs"

/* RUNS runs of LINES lines each, interleaved, each with a request and a terminal. */
static void produce(struct lab *lab)
{
    char run[UUID_TEXT];

    for (unsigned r = 0; r < RUNS; r++)
        lab_request(lab, r % 2 ? TOPIC_BATCH : TOPIC_INTERACTIVE, lab_run(r, run), "");
    for (int64_t line = 1; line <= LINES; line++)
        for (unsigned r = 0; r < RUNS; r++)
            lab_line(lab, lab_run(r, run), 1, 1, line);
    for (unsigned r = 0; r < RUNS; r++)
        lab_control(lab, lab_run(r, run), EVENT_RUN_COMPLETED, 1, 1, 1,
                    "{\"state\":\"completed\",\"outcome\":\"completed\"}");
    lab_flush(lab);
}

static void check_exactly_once(struct lab *lab)
{
    char want[32];

    lab_await(lab, FINISHED, RUNS);
    lab_await(lab, REQUESTED, RUNS); /* of other partitions: another sink may have them */
    snprintf(want, sizeof(want), "%d", RUNS * (LINES + 1));
    lab_expect(lab, STORED, want);
    /* the n-th event of a run is its n-th line, and the terminal is the last */
    lab_expect(lab,
               "SELECT count(*) FROM fleet.events WHERE sequence IS DISTINCT FROM line AND"
               " type <> 'sandfleet.run.completed'",
               "0");
    lab_expect(lab,
               "SELECT count(*) FROM fleet.runs r WHERE NOT ended OR sequence <> 1001 OR"
               " sequence <> (SELECT count(*) FROM fleet.events e WHERE e.run_id = r.run_id)",
               "0");
    lab_expect(lab,
               "SELECT concat_ws('|', sum(repeats), sum(superseded), sum(missing_lines),"
               " count(prompt)) FROM fleet.runs",
               "0|0|0|20");
}

static void killed(void **state)
{
    struct lab *lab = *state;

    produce(lab);
    for (int64_t i = 1; i <= 4; i++) {
        LAB_SINK(lab, 0, "--batch-rows", "200", SOON);
        lab_await(lab, STORED, i * 3000);
        lab_kill(lab, 0);
    }
    LAB_SINK(lab, 0, "--batch-rows", "200", SOON);
    check_exactly_once(lab);
    lab_stop(lab, 0);
}

static void connection_cut(void **state)
{
    struct lab *lab = *state;

    produce(lab);
    LAB_SINK(lab, 0, "--batch-rows", "200", SOON);
    for (int64_t i = 1; i <= 5; i++) {
        lab_await(lab, STORED, i * 3000);
        lab_do(lab, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'sandfleet-sink' AND datname = current_database()");
    }
    check_exactly_once(lab);
    lab_stop(lab, 0);
}

/* Somebody else moves the positions: backwards and forwards again, under its feet. */
static void positions_moved(void **state)
{
    struct lab *lab = *state;

    produce(lab);
    LAB_SINK(lab, 0, "--batch-rows", "200", SOON);
    for (int64_t i = 1; i <= 3; i++) {
        lab_await(lab, STORED, i * 3000);
        lab_do(lab, "UPDATE fleet.sink_offsets SET next = next - least(next, 37)");
    }
    lab_await(lab, FINISHED, RUNS);
    lab_await(lab, POSITIONS, RUNS * (LINES + 2));
    lab_expect(lab, STORED, "20020");
    lab_expect(lab,
               "SELECT count(*) FROM fleet.events WHERE sequence IS DISTINCT FROM line AND"
               " type <> 'sandfleet.run.completed'",
               "0");
    lab_stop(lab, 0);
}

static void two_sinks(void **state)
{
    struct lab *lab = *state;

    LAB_SINK(lab, 0, "--batch-rows", "200", SOON);
    LAB_SINK(lab, 1, "--batch-rows", "200", SOON);
    produce(lab);
    lab_await(lab, STORED, 4000);
    lab_kill(lab, 0);
    LAB_SINK(lab, 2, "--batch-rows", "200", SOON);
    lab_await(lab, STORED, 12000);
    lab_stop(lab, 1);
    check_exactly_once(lab);
    lab_stop(lab, 2);
}

/* Frozen until the group gave its partitions away; then both are awake. */
static void frozen(void **state)
{
    struct lab *lab = *state;

    LAB_SINK(lab, 0, "--batch-rows", "100", SOON);
    lab_await_log(lab, "sink.ready");
    produce(lab);
    lab_await(lab, STORED, 3000);
    kill(lab->sinks[0], SIGSTOP);
    LAB_SINK(lab, 1, "--batch-rows", "100", SOON);
    lab_await(lab, STORED, 18000);
    kill(lab->sinks[0], SIGCONT);
    check_exactly_once(lab);
    lab_stop(lab, 0);
    lab_stop(lab, 1);
}

static void stop_keeps_what_is_committed(void **state)
{
    struct lab *lab = *state;

    produce(lab);
    LAB_SINK(lab, 0, "--batch-rows", "100", SOON);
    lab_await(lab, STORED, 2000);
    lab_stop(lab, 0);
    LAB_SINK(lab, 0, SOON);
    check_exactly_once(lab);
    lab_stop(lab, 0);
}

static void wrong_shape(void **state)
{
    struct lab *lab = *state;

    lab_do(lab, "DROP SCHEMA fleet CASCADE");
    lab_do(lab, "DROP SCHEMA ledger CASCADE");
    lab_do(lab, "DROP TABLE public.sandfleet_migrations");
    LAB_SINK(lab, 0);
    assert_int_equal(lab_wait(lab, 0), 78);
    lab_await_log(lab, "sandfleet migrate");
}

static void table_gone(void **state)
{
    struct lab *lab = *state;

    LAB_SINK(lab, 0);
    lab_await_log(lab, "sink.ready");
    lab_do(lab, "DROP TABLE fleet.gaps");
    lab_line(lab, "01990000-0000-7000-8000-00000000000a", 1, 1, 5);
    lab_flush(lab);
    assert_int_equal(lab_wait(lab, 0), 78);
}

static void no_topics(void **state)
{
    struct lab *lab = *state;

    snprintf(lab->prefix, sizeof(lab->prefix), "sinktest-none-%d.", (int)getpid());
    LAB_SINK(lab, 0);
    assert_int_equal(lab_wait(lab, 0), 78);
    lab_await_log(lab, "sandfleet topics apply");
}

/* Nobody listens on port 1. */
static void servers_missing(void **state)
{
    struct lab *lab = *state;
    const char *brokers = lab->brokers;

    lab->brokers = "127.0.0.1:1";
    LAB_SINK(lab, 0);
    lab_await_log(lab, "sink.kafka_down");
    lab_stop(lab, 0);
    lab->brokers = brokers;
    snprintf(lab->conninfo, sizeof(lab->conninfo), "host=127.0.0.1 port=1");
    LAB_SINK(lab, 0);
    lab_await_log(lab, "sink.database_down");
    lab_stop(lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(killed),         LAB_TEST(connection_cut), LAB_TEST(positions_moved),
        LAB_TEST(two_sinks),      LAB_TEST(frozen),         LAB_TEST(stop_keeps_what_is_committed),
        LAB_TEST(wrong_shape),    LAB_TEST(table_gone),     LAB_TEST(no_topics),
        LAB_TEST(servers_missing)};
    return cmocka_run_group_tests_name("sink survival", tests, NULL, NULL);
}
