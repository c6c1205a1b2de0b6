/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: whoever reads the events topic without us, by the rule that schema/README.md gives,
 * comes to the sink's rows, column by column.
 * Proof: the page's own kcat and SQL lines are run on a real broker and a real database beside a
 * sink: on a story of takeovers, zombies and gaps, and on records in no order at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/sink/lab.h"

#include "common/banned.h"

enum { RUNS = 8, NOISE = 1500 };

/* What fleet.events and the example's view have in common: all but the types' names. */
#define ROW(data)                                                                                  \
    "run_id, run_day, sequence, attempt, epoch, line, log_offset, type, time, tenant, tool, "      \
    "model, input_tokens, output_tokens, cost_usd, " data "::text AS data"
#define OLD_OWNERS "SELECT run_id, epoch, records, by_epoch, after_sequence FROM fleet.superseded"
#define THEIR_OLD_OWNERS                                                                           \
    "SELECT (e ->> 'runid')::uuid, (e ->> 'epoch')::int, count(*), min(j[2])::int, min(j[1])"      \
    " FROM judged WHERE j[8] = 2 GROUP BY 1, 2"
#define OURS   "SELECT " ROW("data") " FROM fleet.events"
#define THEIRS "SELECT " ROW("data") " FROM my_events"

static void block(struct lab *lab, const char *language, const char *command)
{
    char line[2048];

    setenv("DATABASE", lab->conninfo, 1);
    setenv("SANDFLEET_PREFIX", lab->prefix, 1);
    (void)snprintf(line, sizeof(line),
                   "awk '/^```%s$/ { on = 1; next } /^```/ { on = 0 } on' schema/README.md | %s",
                   language, command);
    if (system(line) != 0)
        fail_msg("failed: %s", line);
}

/* The sink has passed all of the topic; the example is run on the same records. */
static void compare(struct lab *lab, int64_t records)
{
    LAB_SINK(lab, 0);
    lab_await(lab, "SELECT coalesce(sum(sequence + repeats + superseded), 0) FROM fleet.runs",
              records);
    lab_stop(lab, 0);
    block(lab, "sh", "sh -e");
    block(lab, "sql", "psql \"$DATABASE\" -X -q -v ON_ERROR_STOP=1");
    lab_expect(lab, "SELECT count(*) FROM (" OURS " EXCEPT " THEIRS ") AS lacks", "0");
    lab_expect(lab, "SELECT count(*) FROM (" THEIRS " EXCEPT " OURS ") AS has_more", "0");
    lab_expect(lab, "SELECT (SELECT count(*) FROM my_events) - (SELECT count(*) FROM fleet.events)",
               "0");
    lab_expect(lab,
               "SELECT count(*) FROM (SELECT run_id, repeats, superseded FROM fleet.runs EXCEPT "
               "SELECT (e ->> 'runid')::uuid, count(*) FILTER (WHERE j[8] = 1),"
               " count(*) FILTER (WHERE j[8] = 2) FROM judged GROUP BY 1) AS counted_otherwise",
               "0");
    lab_expect(lab, "SELECT count(*) FROM (" OLD_OWNERS " EXCEPT " THEIR_OLD_OWNERS ") AS lacks",
               "0");
    lab_expect(lab, "SELECT count(*) FROM (" THEIR_OLD_OWNERS " EXCEPT " OLD_OWNERS ") AS more",
               "0");
}

static void a_story(void **state)
{
    struct lab *lab = *state;
    char run[UUID_TEXT];

    lab_run(1, run);
    lab_control(lab, run, EVENT_ATTEMPT_STARTED, 1, 1, 1, "{\"worker\":\"w1\"}");
    for (int64_t n = 1; n <= 3; n++)
        lab_line(lab, run, 1, 1, n);
    lab_line(lab, run, 1, 2, 3); /* the successor reads the same line: a repeat, of no epoch */
    lab_line(lab, run, 1, 1, 4); /* so the old owner may still write */
    lab_line(lab, run, 1, 2, 5);
    lab_line(lab, run, 1, 1, 6);
    lab_control(lab, run, EVENT_RUN_FAILED, 1, 1, 2, "{\"outcome\":\"internal\"}");
    lab_line(lab, run, 2, 2, 2); /* a gap */
    lab_line(lab, run, 2, 2, 1);
    lab_line(lab, run, 1, 3, 6);
    lab_event(lab, run,
              (struct event){.type = EVENT_AGENT_TOOL_USE,
                             .attempt = 2,
                             .epoch = 2,
                             .n = 3,
                             .offset = 77,
                             .tool = STR("Bash"),
                             .model = STR("m-1"),
                             .input_tokens = 12,
                             .output_tokens = 5,
                             .data = STR("{\"native\": {\"a\" : [1.50, \"\\\\ \\n \xc3\xa9\"]}}")});
    lab_event(lab, run,
              (struct event){.type = EVENT_RUN_COMPLETED,
                             .attempt = 2,
                             .epoch = 2,
                             .n = 9,
                             .cost_usd = 0.0213,
                             .data = STR("{\"outcome\":\"success\"}")});
    lab_control(lab, run, EVENT_RUN_FAILED, 2, 3, 1, "{\"outcome\":\"internal\"}");
    lab_flush(lab);
    compare(lab, 15);
    lab_expect(lab, "SELECT max(j[1]) || ' ' || count(*) FILTER (WHERE j[8] > 0) FROM judged",
               "9 6");
}

static uint32_t next_random(uint32_t *x) /* the same on every machine, to be looked at again */
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static void in_no_order(void **state)
{
    struct lab *lab = *state;
    uint32_t x = 20261121;

    for (int i = 0; i < NOISE; i++) {
        char run[UUID_TEXT];
        bool line = next_random(&x) % 3 > 0;

        struct event e = {.attempt = 1 + next_random(&x) % (1 + (uint32_t)i / 300),
                          .epoch = 1 + next_random(&x) % (1 + (uint32_t)i / 200),
                          .n = 1 + next_random(&x) % (1 + (uint32_t)i / 10)};

        e.type = line                        ? EVENT_AGENT_TEXT
                 : next_random(&x) % 40 == 0 ? EVENT_RUN_CANCELLED
                                             : EVENT_RUN_WARNING;
        e.offset = line ? 100 * e.n : 0;
        lab_event(lab, lab_run(next_random(&x) % RUNS, run), e);
    }
    lab_flush(lab);
    compare(lab, NOISE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {LAB_TEST(a_story), LAB_TEST(in_no_order)};

    return cmocka_run_group_tests_name("consumer", tests, NULL, NULL);
}
