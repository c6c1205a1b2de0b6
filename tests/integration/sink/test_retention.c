/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a sink that runs while `sandfleet retention` drops a day goes on: a run that comes
 * to life again behind its retention keeps its row and its numbers, what it says is stored,
 * and the next retention takes that, too.
 * Proof: a run of three days ago, lines of it before and behind, a sink that stays and one
 * that is started anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/sink/lab.h"

#include "common/banned.h"

#define RUN    "01990000-0000-7000-8000-00000000000a"
#define EVENTS "SELECT count(*) FROM fleet.events"
#define WHERE  "SELECT string_agg(DISTINCT tableoid::regclass::text, ' ') FROM fleet.events"

static void lines(struct lab *lab, int64_t from, int64_t to)
{
    struct event_run run = {
        .tenant = "acme", .run_id = RUN, .created_ms = clock_wall_ms() - INT64_C(3 * 86400000)};

    for (int64_t n = from; n <= to; n++) {
        struct event e = {.type = EVENT_AGENT_TEXT,
                          .attempt = 1,
                          .epoch = 1,
                          .n = n,
                          .offset = n,
                          .time_ms = run.created_ms,
                          .data = STR("{}")};

        MUST(event_write(&run, &e, &lab->record, &err));
        lab_send(lab, TOPIC_EVENTS, STR(RUN), buf_str(&lab->record.value), lab->record.headers,
                 lab->record.n_headers);
    }
    lab_flush(lab);
    lab_await(lab, "SELECT coalesce(max(line), 0) FROM fleet.runs", to);
}

static void keep_a_day(const struct lab *lab)
{
    char line[2048];

    setenv("DATABASE", lab->conninfo, 1);
    snprintf(line, sizeof(line), "%s/sandfleet retention --keep 1d --database \"$DATABASE\"",
             lab_server("SANDFLEET_BIN"));
    if (system(line) != 0)
        fail_msg("failed: %s", line);
}

static void goes_on(void **state)
{
    struct lab *lab = *state;

    LAB_SINK(lab, 0);
    lines(lab, 1, 3);
    keep_a_day(lab);
    lab_expect(lab, EVENTS, "0");
    lab_expect(lab, "SELECT concat_ws(' ', sequence, line) FROM fleet.runs", "3 3");

    lines(lab, 4, 5); /* it still takes the day's partition for there */
    lab_expect(lab, WHERE, "fleet.events_default");
    lab_stop(lab, 0);
    LAB_SINK(lab, 0); /* and this one finds the day's rows in the default one */
    lines(lab, 6, 6);
    lab_expect(
        lab, "SELECT string_agg(sequence || ':' || line, ' ' ORDER BY sequence) FROM fleet.events",
        "4:4 5:5 6:6");
    lab_expect(lab, WHERE, "fleet.events_default");
    lab_stop(lab, 0);

    keep_a_day(lab);
    lab_expect(lab, EVENTS, "0");
    LAB_SINK(lab, 0);
    lines(lab, 7, 7);
    lab_expect(lab,
               "SELECT count(*) = 1 AND bool_and(tableoid::regclass::text ~ '[0-9]{8}$')"
               " FROM fleet.events",
               "t");
    lab_expect(lab, "SELECT concat_ws(' ', sequence, line, missing_lines, repeats) FROM fleet.runs",
               "7 7 0 0");
    lab_expect(lab, "SELECT sum(runs) FROM fleet.usage", "1");
    lab_stop(lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {LAB_TEST(goes_on)};
    return cmocka_run_group_tests_name("sink retention", tests, NULL, NULL);
}
