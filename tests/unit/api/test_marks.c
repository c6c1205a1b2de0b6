/* SPDX-License-Identifier: Apache-2.0 */
/* Marks are the furthest place in each partition of each topic, whatever order they come in. */
#include "tests/lib/table.h"

#include "api/intake/marks.h"

#include "common/banned.h"

static const struct topics topics = {.name = {"t.runs.interactive", "t.runs.batch"}};

static void written(const struct marks *m, const char *want)
{
    AUTO_BUF text = BUF_INIT(MARKS_MAX_BYTES);

    marks_write(m, &topics, &text);
    assert_string_equal(text.p, want);
}

static void the_furthest_of_each(void **state)
{
    struct marks m = {0};

    (void)state;
    written(&m, "{}");
    assert_true(marks_add(&m, LANE_BATCH, 3, 7));
    assert_true(marks_add(&m, LANE_BATCH, 3, 9));
    assert_true(marks_add(&m, LANE_BATCH, 3, 8));
    assert_true(marks_add(&m, LANE_INTERACTIVE, 3, 0));
    assert_true(marks_add(&m, LANE_BATCH, 0, 1));
    written(&m, "{\"t.runs.batch:3\":9,\"t.runs.interactive:3\":0,\"t.runs.batch:0\":1}");
    marks_release(&m);
}

static void many_partitions(void **state)
{
    struct marks m = {0};

    (void)state;
    for (int round = 0; round < 2; round++)
        for (int32_t p = 0; p < 1000; p++)
            assert_true(marks_add(&m, LANE_BATCH, p, round));
    assert_int_equal(m.n, 1000);
    assert_int_equal(m.v[999].offset, 1);
    marks_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_furthest_of_each),
        cmocka_unit_test(many_partitions),
    };

    return cmocka_run_group_tests_name("marks", tests, NULL, NULL);
}
