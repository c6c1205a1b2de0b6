/* SPDX-License-Identifier: Apache-2.0 */
/* The right rows at the end, though the sink was killed at each named point of a batch. The
 * program is sink.faults: the sink, with its fault sites open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/sink/story.h"

#include "common/banned.h"

static const char *const points[] = {
    "make partitions/sent/1",
    "make partitions/answered/1",
    "begin/sent/2",
    "begin/answered/2",
    "read runs/sent/1",
    "read runs/answered/1",
    "copy events/sent/2",
    "copy events/piece/2",
    "copy events/piece/4",
    "copy events/answered/2",
    "copy gaps/sent/1",
    "copy gaps/answered/1",
    "copy quarantine/sent/1",
    "copy quarantine/answered/1",
    "merge quarantine/sent/1",
    "merge quarantine/answered/1",
    "merge and commit/sent/2",
    "merge and commit/answered/2",
};

static void killed_at_each_point(void **state)
{
    struct lab *lab = *state;

    produce(lab);
    for (size_t i = 0; i < COUNTOF(points); i++) {
        lab_clear(lab);
        setenv("SANDFLEET_FAULT", points[i], 1);
        LAB_SINK(lab, 0, "--batch-rows", "400", SOON);
        if (lab_wait(lab, 0) != 128 + SIGKILL)
            fail_msg("not killed at %s", points[i]);
        unsetenv("SANDFLEET_FAULT");
        LAB_SINK(lab, 0, "--batch-rows", "400", SOON);
        check(lab);
        lab_stop(lab, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {LAB_TEST(killed_at_each_point)};
    return cmocka_run_group_tests_name("sink kill points", tests, NULL, NULL);
}
