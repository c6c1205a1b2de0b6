/* SPDX-License-Identifier: Apache-2.0 */
/* What the fault tests tell, and the rows that must be there whatever happened meanwhile. */
#ifndef SANDFLEET_TESTS_INTEGRATION_SINK_STORY_H
#define SANDFLEET_TESTS_INTEGRATION_SINK_STORY_H

#include "tests/integration/sink/lab.h"

enum { RUNS = 7, LINES = 300 };

#define SOON   "-X", "session.timeout.ms=1500", "-X", "heartbeat.interval.ms=300"
#define POISON "SELECT count(*) FROM fleet.quarantine"
#define BAD    "01990000-0000-7000-8000-00000000ffff"

/* RUNS runs of LINES lines; in each, line 100 is missing; then a record that is no event. */
static inline void produce(struct lab *lab)
{
    char run[UUID_TEXT];

    for (unsigned r = 0; r < RUNS; r++)
        lab_request(lab, TOPIC_BATCH, lab_run(r, run),
                    ",\"metadata\":{\"team\":\"t\"},\"tags\":[\"b\",\"a\"]");
    for (int64_t line = 1; line <= LINES; line++)
        for (unsigned r = 0; r < RUNS; r++) {
            if (line != 100)
                lab_line(lab, lab_run(r, run), 1, 1, line);
            if (line % 100 == 50 && r == 0)
                lab_send(lab, TOPIC_EVENTS, STR(BAD), STR("no event"), NULL, 0);
        }
    for (unsigned r = 0; r < RUNS; r++)
        lab_control(lab, lab_run(r, run), EVENT_RUN_COMPLETED, 1, 1, 1,
                    "{\"state\":\"completed\",\"outcome\":\"completed\"}");
    lab_flush(lab);
}

static inline void check(struct lab *lab)
{
    lab_await(lab, "SELECT count(*) FROM fleet.runs WHERE ended", RUNS);
    lab_await(lab, POISON, 3);
    lab_await(lab, "SELECT sum(next) FROM fleet.sink_offsets", RUNS * (LINES + 1) + 3);
    lab_expect(
        lab,
        "SELECT concat_ws('|', count(*), count(DISTINCT (run_id, sequence))) FROM fleet.events",
        "2100|2100");
    lab_expect(lab,
               "SELECT count(*) FROM fleet.events WHERE type = 'sandfleet.agent.text' AND"
               " sequence <> line - (line > 100)::int",
               "0");
    lab_expect(
        lab,
        "SELECT concat_ws('|', sum(sequence), sum(missing_lines), sum(repeats), sum(superseded),"
        " count(prompt), min(state), max(state)) FROM fleet.runs",
        "2100|7|0|0|7|completed|completed");
    lab_expect(lab, "SELECT concat_ws('|', count(*), min(from_line), max(to_line)) FROM fleet.gaps",
               "7|100|100");
    lab_expect(lab, "SELECT concat_ws('|', count(*), min(reason)) FROM fleet.quarantine",
               "3|malformed");
}

#endif
