/* SPDX-License-Identifier: Apache-2.0 */
/* Records that Kafka dropped before they were read are never skipped in silence: the sink
 * ends and says what to do; told to, it goes on, and each lost range is a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/sink/topic_cut.h"

#include "common/banned.h"

#define RUN "01990000-0000-7000-8000-00000000000a"

static int32_t partition_of_run(void)
{
    return kafka_partition(STR(RUN), LAB_PARTITIONS);
}

static void delete_before(struct lab *lab, int64_t offset)
{
    lab_cut(lab, TOPIC_EVENTS, partition_of_run(), offset);
}

static void lines(struct lab *lab, int64_t from, int64_t to)
{
    for (int64_t n = from; n <= to; n++)
        lab_line(lab, RUN, 1, 1, n);
    lab_flush(lab);
}

static void truncated_below_us(void **state)
{
    struct lab *lab = *state;
    char want[512];

    lines(lab, 1, 10);
    LAB_SINK(lab, 0);
    lab_await(lab, "SELECT count(*) FROM fleet.events", 10);
    lab_stop(lab, 0);
    lines(lab, 11, 30);
    delete_before(lab, 25);

    LAB_SINK(lab, 0);
    assert_int_equal(lab_wait(lab, 0), 78);
    lab_await_log(lab, "--accept-loss");
    lab_expect(lab, "SELECT count(*) FROM fleet.events", "10");
    lab_expect(lab, "SELECT count(*) FROM fleet.losses", "0");

    LAB_SINK(lab, 0, "--accept-loss");
    lab_await(lab, "SELECT count(*) FROM fleet.events", 15);
    snprintf(want, sizeof(want), "%s|%d|10|25", lab->topics.name[TOPIC_EVENTS],
             (int)partition_of_run());
    lab_expect(lab,
               "SELECT concat_ws('|', topic, partition, from_offset, to_offset) FROM fleet.losses",
               want);
    lab_expect(lab, "SELECT concat_ws('|', from_line, to_line) FROM fleet.gaps", "11|25");
    lab_expect(lab, "SELECT concat_ws('|', sequence, line, missing_lines) FROM fleet.runs",
               "15|30|15");
    lab_stop(lab, 0);

    LAB_SINK(lab, 0); /* told once is enough */
    lines(lab, 31, 31);
    lab_await(lab, "SELECT count(*) FROM fleet.events", 16);
    lab_stop(lab, 0);
}

/* Nothing is lost, so nothing is moved. */
static void accepts_what_is_not_there(void **state)
{
    struct lab *lab = *state;

    lines(lab, 1, 10);
    LAB_SINK(lab, 0, "--accept-loss");
    lab_await(lab, "SELECT count(*) FROM fleet.events", 10);
    lab_stop(lab, 0);
    lines(lab, 11, 20);
    LAB_SINK(lab, 0, "--accept-loss");
    lab_await(lab, "SELECT count(*) FROM fleet.events", 20);
    lab_expect(lab, "SELECT count(*) FROM fleet.losses", "0");
    lab_stop(lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {LAB_TEST(truncated_below_us),
                                       LAB_TEST(accepts_what_is_not_there)};
    return cmocka_run_group_tests_name("sink loss", tests, NULL, NULL);
}
