/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what the service tells of its limits is kept window by window, and a made-up line leaves
 * nothing odd behind. Proof: lines, among them the real one of a reached limit, and what is kept.
 */
#include <stdio.h>
#include <string.h>

#include "tests/lib/table.h"
#include "worker/run/limit_windows.h"
#include "common/banned.h"

#define INFO(s) "{\"type\":\"rate_limit_event\",\"rate_limit_info\":" s "}"

static struct row {
    const char *name, *line, *want; /* want NULL: it tells of none */
} rows[] = {
    {"reached",
     INFO("{\"status\":\"rejected\",\"resetsAt\":1795198486,\"rateLimitType\":\"five_hour\","
          "\"unifiedWindows\":{\"five_hour\":{\"utilization\":1,\"resetsAt\":1795198486,"
          "\"status\":\"rejected\"}}}"),
     "{\"five_hour\":{\"status\":\"rejected\",\"utilization\":1,"
     "\"resets_at\":\"2026-11-20T18:14:46.000Z\"}}"},
    {"near, without the list",
     INFO("{\"status\":\"allowed_warning\",\"rateLimitType\":\"seven_day\",\"utilization\":0.93}"),
     "{\"seven_day\":{\"status\":\"allowed_warning\",\"utilization\":0.93}}"},
    {"several",
     INFO("{\"status\":\"allowed\",\"rateLimitType\":\"five_hour\",\"unifiedWindows\":{\"seven_"
          "day\":"
          "{\"utilization\":0,\"status\":\"allowed\"}}}"),
     "{\"seven_day\":{\"status\":\"allowed\",\"utilization\":0},\"five_hour\":{\"status\":"
     "\"allowed\"}}"},
    {"none", INFO("{\"status\":\"allowed\"}"), NULL},
    {"no object", INFO("7"), NULL},
    {"names and words that are none",
     INFO("{\"rateLimitType\":\"A'; --\",\"unifiedWindows\":{\"../x\":{},\"\":{},\"ok\":{"
          "\"status\":\"Not \\u0041 word\",\"utilization\":\"1\",\"resetsAt\":-1}}}"),
     "{\"ok\":{}}"},
    {"a time beyond the calendar",
     INFO("{\"rateLimitType\":\"a\",\"resetsAt\":9007199254740991,\"utilization\":1e300}"),
     "{\"a\":{\"utilization\":0}}"},
};

static void check(void **state)
{
    const struct row *row = *state;
    AUTO_BUF out = BUF_INIT(LIMIT_WINDOWS_BYTES);

    assert_int_equal(limit_windows(str_of(row->line), &out), row->want != NULL);
    if (row->want)
        assert_string_equal(out.p, row->want);
}

static void there_is_an_end_to_them(void **state)
{
    AUTO_BUF line = BUF_INIT(8192), out = BUF_INIT(LIMIT_WINDOWS_BYTES);
    size_t n = 0;

    (void)state;
    buf_adds(&line,
             "{\"rate_limit_info\":{\"rateLimitType\":\"last\",\"unifiedWindows\":{\"w0\":{}");
    for (int i = 1; i < 50; i++)
        buf_addf(&line, ",\"w%d\":{}", i);
    buf_adds(&line, "}}}");
    assert_true(limit_windows(buf_str(&line), &out));
    for (const char *p = out.p; (p = strstr(p, ":{")); p += 2)
        n++;
    assert_int_equal(n, LIMIT_WINDOWS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_is_an_end_to_them)};
    int failed = TABLE_RUN("windows", rows, check);

    return failed + cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
