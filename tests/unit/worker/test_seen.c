/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the table of what a worker counts is one that Prometheus takes: every metric has a
 * name and says what it is, no series stands there twice, and a reason without a label of its own
 * is counted as "other". Proof: all of it is set, written and read. */
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"
#include "tests/lib/table.h"
#include "worker/seen/seen.h"

enum { SERIES_MAX = 4096, PAGE_MAX = 1 << 20 };

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The series of a page, without their values. */
static size_t series_of(struct buf *page, const char *all[SERIES_MAX])
{
    size_t n = 0;
    char *rest = NULL;

    for (char *line = strtok_r(page->p, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (line[0] == '#')
            continue;
        assert_true(n < SERIES_MAX);
        *strrchr(line, ' ') = '\0';
        all[n++] = line;
    }
    return n;
}

static void no_series_twice(void **state)
{
    static const char *all[SERIES_MAX];
    AUTO_BUF page = BUF_INIT(PAGE_MAX);

    (void)state;
    seen_holds_zero();
    for (size_t s = 1; s < RUN_STATES; s++)
        seen_set(SEEN_RUNS, s - 1, 1);
    seen_write(&page);
    assert_int_equal(page.rc, ERR_OK);
    assert_null(strstr(page.p, "(null)"));
    size_t n = series_of(&page, all);
    assert_true(n > 300);
    qsort(all, n, sizeof(*all), by_text);
    for (size_t i = 1; i < n; i++)
        if (strcmp(all[i - 1], all[i]) == 0)
            fail_msg("twice: %s", all[i]);
}

static void expect(const char *line)
{
    AUTO_BUF page = BUF_INIT(PAGE_MAX);

    seen_write(&page);
    if (!strstr(page.p, line))
        fail_msg("there is no '%s'", line);
}

static void holds(void **state)
{
    (void)state;
    seen_holds_zero();
    seen_hold("usage_limit", 3);
    seen_hold("scheduled", 4);
    seen_hold("something new", 5);
    seen_hold("something else", 6);
    expect("sandfleet_ledger_waiting_runs{reason=\"usage_limit\"} 3\n");
    expect("sandfleet_ledger_waiting_runs{reason=\"scheduled\"} 4\n");
    expect("sandfleet_ledger_waiting_runs{reason=\"other\"} 11\n");
    expect("sandfleet_ledger_waiting_runs{reason=\"none\"} 0\n");
}

static void calls(void **state)
{
    (void)state;
    seen_call(SEEN_CALL_CREATE, 0, ERR_OK);
    seen_call(SEEN_CALL_CREATE, 0, ERR_CAPACITY);
    seen_call(SEEN_CALL_STREAM, 0, ERR_UNAVAILABLE);
    expect("sandfleet_worker_sandbox_calls_total{operation=\"create\",outcome=\"ok\"} 1\n");
    expect("sandfleet_worker_sandbox_calls_total{operation=\"create\",outcome=\"throttled\"} 1\n");
    expect(
        "sandfleet_worker_sandbox_calls_total{operation=\"stream\",outcome=\"unavailable\"} 1\n");
    expect("sandfleet_worker_sandbox_call_seconds_count{operation=\"create\"} 2\n");
}

static int set_up(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    return seen_init(&err) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    seen_release();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_series_twice), cmocka_unit_test(holds),
                                       cmocka_unit_test(calls)};
    return cmocka_run_group_tests_name("seen", tests, set_up, tear_down);
}
