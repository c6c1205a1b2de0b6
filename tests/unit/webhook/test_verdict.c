/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a delivery that failed is sent again, each time after longer, never at once and never
 * sooner than it asked for; an endpoint that is gone is known as such.
 * Proof: a table of statuses; the bounds of the waits for the least and the greatest luck. */
#include "tests/lib/table.h"
#include "webhook/verdict.h"

#include "common/attrs.h"

static struct row {
    const char *name;
    int status;
    const char *want;
} rows[] = {
    {"no answer", 0, "again"},
    {"a redirect is none", 302, "again"},
    {"an interim answer is none", 103, "again"},
    {"200", 200, "delivered"},
    {"204", 204, "delivered"},
    {"299", 299, "delivered"},
    {"300", 300, "again"},
    {"400", 400, "again"},
    {"404", 404, "again"},
    {"409", 409, "again"},
    {"410", 410, "gone"},
    {"429", 429, "again"},
    {"500", 500, "again"},
    {"503", 503, "again"},
};

static void check(void **state)
{
    const struct row *r = *state;

    assert_string_equal(verdict_name(verdict_of(r->status)), r->want);
}

static void waits_grow_to_the_cap(void **state)
{
    static const struct {
        int64_t tries, asked, least, most;
    } cases[] = {
        {1, 0, 2501, 5000},          {2, 0, 5001, 10000},       {3, 0, 10001, 20000},
        {4, 0, 20001, 40000},        {11, 0, 2560001, 5120000}, {12, 0, 3600001, 7200000},
        {1000, 0, 3600001, 7200000}, {1, 90000, 90000, 90000},  {4, 30000, 30000, 40000},
        {4, 5, 20001, 40000},
    };
    const struct verdict_waits w = {5000, 7200000};

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_int_equal(verdict_wait_ms(&w, cases[i].tries, cases[i].asked, 0), cases[i].least);
        assert_int_equal(verdict_wait_ms(&w, cases[i].tries, cases[i].asked, UINT32_MAX),
                         cases[i].most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(waits_grow_to_the_cap)};

    return TABLE_RUN("verdict", rows, check) + cmocka_run_group_tests(tests, NULL, NULL);
}
