/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: --warm is read as meant, or refused with the word that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "worker/sandbox/pool.h"
#include "worker/sandbox/sandbox_sizes.h"
#include "common/banned.h"

static struct row {
    const char *name, *items[3], *want; /* want: "OK", or what the message has */
    int n;
    int64_t first;
} rows[] = {
    {"none", {NULL}, "OK", 0, 0},
    {"one", {"claude=2"}, "OK", 1, 2},
    {"two in one word", {"claude=2,base=1"}, "OK", 2, 2},
    {"two words", {"claude=2", "team/base:v1=0"}, "OK", 2, 2},
    {"no number", {"claude"}, "'claude'", 0, 0},
    {"no name", {"=2"}, "'=2'", 0, 0},
    {"too many", {"claude=1001"}, "'claude=1001'", 0, 0},
    {"negative", {"claude=-1"}, "'claude=-1'", 0, 0},
    {"a space", {"a b=1"}, "'a b=1'", 0, 0},
    {"twice", {"claude=1", "claude=2"}, "comes twice", 0, 0},
};

static void check(void **state)
{
    const struct row *row = *state;
    struct opt_list list = {.items = (char **)(uintptr_t)row->items};
    struct pool_targets t;
    struct err e = ERR_INIT;

    while (list.n < 3 && row->items[list.n])
        list.n++;
    if (pool_targets_parse(&list, &t, &e) != ERR_OK) {
        assert_string_equal(err_name(e.code), "USAGE");
        assert_non_null(strstr(e.msg, row->want));
        return;
    }
    assert_string_equal(row->want, "OK");
    assert_int_equal(t.n, row->n);
    if (t.n > 0)
        assert_int_equal(t.of[0].n, row->first);
}

/* 2 vCPUs and half a GiB at the list prices: 0.109 an hour. */
static void a_template_is_looked_at_once(void **state)
{
    struct sandbox_sizes r = {.rates = SANDBOX_RATES_INIT};
    struct sandbox_size size;

    (void)state;
    assert_true(sandbox_sizes_of(&r, "claude").usd_per_hour <= 0);
    sandbox_sizes_learn(&r, "claude", 2, 512);
    size = sandbox_sizes_of(&r, "claude");
    assert_true(size.usd_per_hour > 0.1088 && size.usd_per_hour < 0.1090);
    assert_true(sandbox_size_cost(&size, 1800 * 1000) > 0.0544 &&
                sandbox_size_cost(&size, 1800 * 1000) < 0.0545);
    sandbox_sizes_learn(&r, NULL, 8, 512);
    sandbox_sizes_learn(&r, "claude", 4, 1024);
    assert_int_equal(sandbox_sizes_of(&r, "claude").cpu_count, 4);
    assert_int_equal(r.n, 1);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 1];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    tests[COUNTOF(rows)] = (struct CMUnitTest)cmocka_unit_test(a_template_is_looked_at_once);
    return cmocka_run_group_tests_name("pool_targets", tests, NULL, NULL);
}
