/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a time or duration is read exactly or refused, never guessed; what is written
 * reads back.
 * Proof: tables of both, with the calendar's edges; reference instants from date(1). */
#include <string.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "tests/lib/table.h"

#define NONE INT64_MIN

static struct row {
    const char *name; /* the text itself */
    int64_t ms;
} times[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"2026-11-21T01:02:03.004Z", 1795222923004},
    {"2026-11-21T01:02:03.0049999999Z", 1795222923004},
    {"2026-11-21t01:02:03.1z", 1795222923100},
    {"2026-11-21 06:32:03+05:30", 1795222923000},
    {"2026-11-20T20:02:03-05:00", 1795222923000},
    {"2024-02-29T00:00:00Z", 1709164800000},
    {"2000-02-29T00:00:00Z", 951782400000},
    {"1969-12-31T23:59:59.5Z", -500},
    {"9999-12-31T23:59:59.999Z", 253402300799999},
    {"2016-12-31T23:59:60Z", 1483228800000},
    {"2023-02-29T00:00:00Z", NONE},
    {"1900-02-29T00:00:00Z", NONE},
    {"2026-04-31T00:00:00Z", NONE},
    {"2026-13-01T00:00:00Z", NONE},
    {"2026-00-01T00:00:00Z", NONE},
    {"2026-11-21T24:00:00Z", NONE},
    {"2026-11-21T01:02:03", NONE},
    {"2026-11-21T01:02:03.Z", NONE},
    {"2026-11-21T01:02:03Zx", NONE},
    {"2026-11-21T01:02:03+24:00", NONE},
    {"2026-11-21T01:02Z", NONE},
    {"2026-11-21", NONE},
    {"", NONE},
};

static void check_time(void **state)
{
    const struct row *r = *state;
    int64_t ms = NONE;
    char *exact = malloc(strlen(r->name) + 1);

    memcpy(exact, r->name, strlen(r->name)); /* without a NUL behind it */
    assert_int_equal(clock_parse_rfc3339((struct str){exact, strlen(r->name)}, &ms), r->ms != NONE);
    assert_true(ms == r->ms);
    free(exact);
}

static struct row durations[] = {
    {"0", 0},
    {"0s", 0},
    {"250ms", 250},
    {"90s", 90000},
    {"5m", 300000},
    {"1h30m", 5400000},
    {"1d", 86400000},
    {"1.5s", 1500},
    {"0.25h", 900000},
    {"1d2h3m4s5ms", 93784005},
    {"10", NONE},
    {"10x", NONE},
    {"-1s", NONE},
    {"s", NONE},
    {"", NONE},
    {"1m1h", NONE},
    {"1s1s", NONE},
    {"1.s", NONE},
    {"1 s", NONE},
    {"106751991d", 106751991 * INT64_C(86400000)},
    {"106751992d", NONE},
    {"99999999999999999999s", NONE},
    {"800000000h0009000000002007s", NONE}, /* could not be read back once written */
};

static void check_duration(void **state)
{
    const struct row *r = *state;
    int64_t ms = NONE;

    assert_int_equal(clock_parse_duration(str_of(r->name), &ms), r->ms != NONE);
    assert_true(ms == r->ms);
}

static struct row written[] = {
    {"0ms", 0},
    {"250ms", 250},
    {"1s", 1000},
    {"1.9s", 1999},
    {"59.9s", 59999},
    {"1m00s", 60000},
    {"1m04s", 64999},
    {"2h05m", 7500000},
    {"1d00h", 86400000},
    {"-1.5s", -1500},
    {"-106751991167d07h", INT64_MIN},
};

static void check_written(void **state)
{
    const struct row *r = *state;
    char text[CLOCK_TEXT];

    assert_string_equal(clock_duration(r->ms, text), r->name);
}

static void no_two_times_are_the_same(void **state)
{
    int64_t before = clock_wall_next_us();

    (void)state;
    assert_in_range(clock_wall_ms() - before / 1000, 0, 60000);
    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_wall_next_us();

        assert_true(now > before);
        before = now;
    }
}

static void wall_time_reads_back(void **state)
{
    char text[CLOCK_TEXT];
    int64_t back;
    int us;

    (void)state;
    assert_string_equal(clock_rfc3339(1795222923004, text), "2026-11-21T01:02:03.004Z");
    assert_true(clock_parse_rfc3339(str_of(text), &back));
    assert_true(back == 1795222923004);
    assert_string_equal(clock_day(1795222923004, text), "2026-11-21");
    assert_string_equal(clock_rfc3339(-1, text), "-");
    assert_string_equal(clock_rfc3339_us(1795222923004, 56, text), "2026-11-21T01:02:03.004056Z");
    assert_true(clock_parse_rfc3339_us(str_of(text), &back, &us));
    assert_true(back == 1795222923004 && us == 56);
    assert_true(clock_parse_rfc3339_us(STR("2026-11-21T02:02:03.0040567+01:00"), &back, &us));
    assert_true(back == 1795222923004 && us == 56);
    assert_string_equal(clock_rfc3339_us(-1, 1, text), "-");
    assert_string_equal(clock_rfc3339(253402300800000, text), "-");
    assert_string_equal(clock_rfc3339(INT64_MAX, text), "-");
}

static void the_boot_clock_goes_on(void **state)
{
    int64_t before = clock_boot_ms();

    (void)state;
    assert_true(before > 0);
    assert_true(clock_boot_ms() >= before);
    assert_true(clock_wall_ms() > 1700000000000);
}

static void backoff_doubles_up_to_its_cap(void **state)
{
    struct backoff b = BACKOFF_INIT(100, 1000);

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        static const int64_t most[] = {100, 200, 400, 800, 1000, 1000};
        int64_t ms;

        assert_int_equal(backoff_delay_ms(&b, 0), 1);
        assert_int_equal(backoff_delay_ms(&b, UINT32_MAX), most[i]);
        ms = backoff_next_ms(&b);
        assert_in_range(ms, 1, most[i]);
    }
    backoff_reset(&b);
    assert_int_equal(backoff_delay_ms(&b, UINT32_MAX), 100);
    b = (struct backoff){.base_ms = INT64_MAX / 2, .cap_ms = INT64_MAX, .tries = UINT32_MAX};
    assert_true(backoff_delay_ms(&b, UINT32_MAX) > INT64_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_reads_back),
        cmocka_unit_test(no_two_times_are_the_same),
        cmocka_unit_test(the_boot_clock_goes_on),
        cmocka_unit_test(backoff_doubles_up_to_its_cap),
    };
    int failed = TABLE_RUN("clock times", times, check_time);

    failed += TABLE_RUN("clock durations", durations, check_duration);
    failed += TABLE_RUN("clock written", written, check_written);
    return failed + cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
