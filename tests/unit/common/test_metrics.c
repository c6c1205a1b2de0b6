/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted is written as Prometheus' text format 0.0.4 asks: the very bytes. What every
 * process tells of itself comes behind it, and is so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/process.h"
#include "common/banned.h"

static const char *colour(size_t i)
{
    return (const char *const[]){"red", "a \"blue\"\\\n"}[i];
}

static const char *size(size_t i)
{
    return (const char *const[]){"big", "small", "none"}[i];
}

enum { DONE, LEVEL, TOOK, BY_TWO };
static const double bounds[] = {0.001, 0.5, 10};
static const struct metric table[] = {
    [DONE] = {"done_total", "What is \\done\n.", METRIC_COUNTER, {{"colour", colour, 2}}, NULL, 0},
    [LEVEL] = {"level_bytes", "How high.", METRIC_GAUGE, {{NULL, NULL, 0}}, NULL, 0},
    [TOOK] = {"took_seconds", "How long.", METRIC_HISTOGRAM, {{NULL, NULL, 0}}, bounds, 3},
    [BY_TWO] = {"by_two",
                "Two labels.",
                METRIC_GAUGE,
                {{"colour", colour, 2}, {"size", size, 3}},
                NULL,
                0},
};

static struct metrics *make(void)
{
    struct metrics *m = metrics_new(table, COUNTOF(table));
    assert_non_null(m);
    return m;
}

static void expect(const struct metrics *m, const char *want)
{
    AUTO_BUF out = BUF_INIT(1 << 20);

    metrics_write(m, &out);
    *strstr(out.p, "# HELP sandfleet_build_info ") = '\0';
    assert_string_equal(out.p, want);
}

#define HEAD_DONE  "# HELP done_total What is \\\\done\\n.\n# TYPE done_total counter\n"
#define HEAD_LEVEL "# HELP level_bytes How high.\n# TYPE level_bytes gauge\n"
#define HEAD_TOOK  "# HELP took_seconds How long.\n# TYPE took_seconds histogram\n"
#define HEAD_TWO   "# HELP by_two Two labels.\n# TYPE by_two gauge\n"
#define BLUE       "{colour=\"a \\\"blue\\\"\\\\\\n\"}"

/* Counters and histograms are there as zeros; a gauge that nobody set is not. */
static void at_first(void **state)
{
    struct metrics *m = make();

    (void)state;
    expect(m, HEAD_DONE "done_total{colour=\"red\"} 0\ndone_total" BLUE " 0\n" HEAD_LEVEL HEAD_TOOK
                        "took_seconds_bucket{le=\"0.001\"} 0\ntook_seconds_bucket{le=\"0.5\"} 0\n"
                        "took_seconds_bucket{le=\"10\"} 0\ntook_seconds_bucket{le=\"+Inf\"} 0\n"
                        "took_seconds_sum 0\ntook_seconds_count 0\n" HEAD_TWO);
    metrics_free(m);
}

/* A value on a bound is inside it; buckets add up; what is above all is in +Inf only. */
static void observed(void **state)
{
    struct metrics *m = make();

    (void)state;
    metrics_observe(m, TOOK, 0, 0, 0.001);
    metrics_observe(m, TOOK, 0, 0, 0.0011);
    metrics_observe(m, TOOK, 0, 0, 0.5);
    metrics_observe(m, TOOK, 0, 0, 11);
    expect(m, HEAD_DONE "done_total{colour=\"red\"} 0\ndone_total" BLUE " 0\n" HEAD_LEVEL HEAD_TOOK
                        "took_seconds_bucket{le=\"0.001\"} 1\ntook_seconds_bucket{le=\"0.5\"} 3\n"
                        "took_seconds_bucket{le=\"10\"} 3\ntook_seconds_bucket{le=\"+Inf\"} 4\n"
                        "took_seconds_sum 11.5021\ntook_seconds_count 4\n" HEAD_TWO);
    metrics_free(m);
}

static void counted(void **state)
{
    struct metrics *m = make();

    (void)state;
    metrics_add(m, DONE, 1, 0, 3);
    metrics_add(m, DONE, 1, 0, 0.25);
    metrics_add(m, DONE, 1, 0, -5); /* never falls */
    metrics_add(m, DONE, 1, 0, (double)NAN);
    metrics_set(m, LEVEL, 0, 0, 9007199254740991.0);
    metrics_set(m, BY_TWO, 1, 2, -1);
    metrics_set(m, BY_TWO, 0, 1, 4e9);
    assert_true(metrics_value(m, DONE, 1, 0) == 3.25);
    expect(m, HEAD_DONE "done_total{colour=\"red\"} 0\ndone_total" BLUE " 3.25\n" HEAD_LEVEL
                        "level_bytes 9.00719925474e+15\n" HEAD_TOOK
                        "took_seconds_bucket{le=\"0.001\"} 0\ntook_seconds_bucket{le=\"0.5\"} 0\n"
                        "took_seconds_bucket{le=\"10\"} 0\ntook_seconds_bucket{le=\"+Inf\"} 0\n"
                        "took_seconds_sum 0\ntook_seconds_count 0\n" HEAD_TWO
                        "by_two{colour=\"red\",size=\"small\"} 4000000000\n"
                        "by_two{colour=\"a \\\"blue\\\"\\\\\\n\",size=\"none\"} -1\n");
    metrics_forget(m, BY_TWO);
    assert_true(isnan(metrics_value(m, BY_TWO, 1, 2)));
    metrics_free(m);
}

/* The value behind `series`, which stands there once, after "# TYPE" and its kind. */
static double told(const char *page, const char *series, const char *kind)
{
    char text[128];
    const char *at;

    (void)snprintf(text, sizeof(text), "# TYPE %s %s\n%s", series, kind, series);
    at = strstr(page, text);
    if (!at)
        fail_msg("no '%s'", text);
    assert_null(strstr(at + 1, text));
    return strtod(at + strlen(text), NULL);
}

static void itself(void **state)
{
    int64_t before_ms = clock_wall_ms();
    struct metrics *m = make();
    int64_t after_ms = clock_wall_ms();
    AUTO_BUF out = BUF_INIT(1 << 20);
    struct process_figures was, is;
    double cpu_s, begun_s;

    (void)state;
    process_look(&was);
    metrics_write(m, &out);
    process_look(&is);
    assert_non_null(strstr(out.p, "\nsandfleet_build_info{version=\"" SF_VERSION "\"} 1\n"));
    cpu_s = told(out.p, "process_cpu_seconds_total", "counter");
    assert_true(was.cpu_s - 1e-6 <= cpu_s && cpu_s <= is.cpu_s + 1e-6);
    assert_true(told(out.p, "process_resident_memory_bytes", "gauge") >= 4096);
    assert_true(told(out.p, "process_open_fds", "gauge") == (double)is.files);
    assert_true(told(out.p, "process_max_fds", "gauge") == (double)is.files_max);
    begun_s = told(out.p, "process_start_time_seconds", "gauge");
    assert_true((double)before_ms / 1000 - 1 <= begun_s && begun_s <= (double)after_ms / 1000 + 1);
    assert_true(told(out.p, "sandfleet_log_lines_dropped_total", "counter") ==
                (double)log_dropped());
    metrics_free(m);
}

/* Whoever counts need not ask whether somebody listens. */
static void nobody(void **state)
{
    (void)state;
    metrics_add(NULL, DONE, 0, 0, 1);
    metrics_set(NULL, LEVEL, 0, 0, 1);
    metrics_observe(NULL, TOOK, 0, 0, 1);
    metrics_forget(NULL, LEVEL);
    metrics_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_first), cmocka_unit_test(observed), cmocka_unit_test(counted),
        cmocka_unit_test(itself),   cmocka_unit_test(nobody),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
