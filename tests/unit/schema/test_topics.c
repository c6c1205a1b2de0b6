/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: topics.yaml says what the programs use, and a slip of the pen in it is named by
 * its line. Proof: the embedded file, and a table of broken ones. */
#include "tests/lib/table.h"

#include <stdio.h>
#include <string.h>

#include "schema/topics.h"
#include "common/banned.h"

#define TOPIC(name, rest) "  - name: " name "\n    partitions: 2\n" rest
#define OTHERS            TOPIC("runs.interactive", "") TOPIC("runs.batch", "") TOPIC("runs.dlq", "")

static struct row {
    const char *name, *yaml, *want; /* NULL: accepted */
} rows[] = {
    {"good", "topics:\n" OTHERS TOPIC("events", "    replication: 3\n    config: { a.b: 1 }\n"),
     NULL},
    {"no YAML", "topics: [", "topics.yaml line 2: "},
    {"empty", "", "topics.yaml line 0: a mapping must stand here"},
    {"no list", "topics: 5\n", "topics.yaml line 1: topics must be a list"},
    {"a topic is missing", "topics:\n" OTHERS, "topics.yaml: topic 'events' is missing"},
    {"a topic stands twice", "topics:\n" OTHERS TOPIC("runs.batch", ""),
     "topics.yaml line 8: the topic stands twice"},
    {"an unknown topic", "topics:\n" TOPIC("evnets", ""),
     "topics.yaml line 2: this program knows no topic"},
    {"an unknown key", "topics:\n" TOPIC("events", "    particions: 1\n"),
     "topics.yaml line 4: unknown key"},
    {"no partitions", "topics:\n  - name: events\n", "topics.yaml line 2: partitions is missing"},
    {"partitions 0", "topics:\n  - name: events\n    partitions: 0\n",
     "topics.yaml line 3: a whole number"},
    {"partitions 2x", "topics:\n  - name: events\n    partitions: 2x\n",
     "topics.yaml line 3: a whole number"},
    {"partitions too many", "topics:\n  - name: events\n    partitions: 99999999999999999999\n",
     "topics.yaml line 3: a whole number"},
    {"config is a list", "topics:\n" TOPIC("events", "    config: [a]\n"),
     "topics.yaml line 4: config must be a mapping"},
    {"config nests", "topics:\n" TOPIC("events", "    config: { a: { b: c } }\n"),
     "topics.yaml line 4: not a topic setting"},
    {"config of nine",
     "topics:\n" TOPIC("events",
                       "    config: {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1}\n"),
     "topics.yaml line 4: not a topic setting"},
};

static void check(void **state)
{
    const struct row *row = *state;
    struct topics t;
    struct err err = ERR_INIT;
    enum err_code rc = topics_parse(str_of(row->yaml), "p.", &t, &err);

    assert_string_equal(err_name(rc), row->want ? "CONFIG" : "OK");
    if (row->want && strncmp(err.msg, row->want, strlen(row->want)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", err.msg, row->want);
    if (row->want)
        return;
    assert_string_equal(t.name[TOPIC_EVENTS], "p.events");
    assert_int_equal(t.replication[TOPIC_EVENTS], 3);
    assert_int_equal(t.replication[TOPIC_DLQ], -1);
    assert_string_equal(t.config[TOPIC_EVENTS][0], "a.b=1");
    topics_release(&t);
}

static void the_embedded_file(void **state)
{
    struct topics t;
    struct err err = ERR_INIT;

    (void)state;
    if (topics_load("sandfleet.", &t, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    assert_string_equal(t.name[topic_of_lane(LANE_INTERACTIVE)], "sandfleet.runs.interactive");
    assert_string_equal(t.name[topic_of_lane(LANE_BATCH)], "sandfleet.runs.batch");
    for (size_t i = 0; i < TOPICS; i++) {
        assert_true(t.partitions[i] > 0);
        assert_true(t.n_config[i] > 0);
    }
    topics_release(&t);
}

static void prefixes(void **state)
{
    static const char *const bad[] = {"a b", "x/", "\n", "é"};
    struct topics t;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_string_equal(err_name(topics_load(bad[i], &t, &err)), "CONFIG");
    assert_string_equal(err_name(topics_load("", &t, &err)), "OK");
    topics_release(&t);
}

int main(void)
{
    static const struct CMUnitTest singles[] = {
        cmocka_unit_test(the_embedded_file),
        cmocka_unit_test(prefixes),
    };

    return TABLE_RUN("topics", rows, check) +
           cmocka_run_group_tests_name("topics", singles, NULL, NULL);
}
