/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the terminal that the outbox publishes is byte for byte the one that was
 * written before the crash. Proof: write, read, compare; damaged rows are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/attrs.h"
#include "worker/publish/terminal.h"
#include "common/banned.h"

static void there_and_back(void **state)
{
    const struct event in = {.type = EVENT_RUN_TIMED_OUT,
                             .attempt = 2,
                             .epoch = 5,
                             .n = 3,
                             .time_ms = 1763688000123,
                             .data = STR("{\"a\":1.50,\"b\":\"\\u0000 x\" }")};
    struct event out;
    struct err err = ERR_INIT;
    AUTO_BUF text = BUF_INIT(4096);

    (void)state;
    terminal_write(&in, &text);
    if (terminal_read(buf_str(&text), &out, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    assert_string_equal(event_type_name(out.type), event_type_name(in.type));
    assert_int_equal(out.attempt, 2);
    assert_int_equal(out.epoch, 5);
    assert_int_equal(out.n, 3);
    assert_int_equal(out.time_ms, in.time_ms);
    assert_true(str_eq(out.data, in.data));
}

#define NUMBERS "\"attempt\":1,\"epoch\":1,\"n\":1,\"time_ms\":1"
static const struct row {
    const char *name, *text;
} rows[] = {
    {"nothing", ""},
    {"no JSON", "{"},
    {"not a terminal", "{\"type\":\"sandfleet.run.held\"," NUMBERS ",\"data\":{}}"},
    {"unknown type", "{\"type\":\"x\"," NUMBERS ",\"data\":{}}"},
    {"no data", "{\"type\":\"sandfleet.run.failed\"," NUMBERS "}"},
    {"a negative number", "{\"type\":\"sandfleet.run.failed\",\"attempt\":-1,\"epoch\":1,\"n\":1,"
                          "\"time_ms\":1,\"data\":{}}"},
    {"a huge number", "{\"type\":\"sandfleet.run.failed\",\"attempt\":99999999999999999999999,"
                      "\"epoch\":1,\"n\":1,\"time_ms\":1,\"data\":{}}"},
};

static void refused(void **state)
{
    const struct row *row = *state;
    struct event out;
    struct err err = ERR_INIT;
    assert_string_equal(err_name(terminal_read(str_of(row->text), &out, &err)), "INVALID");
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 1] = {cmocka_unit_test(there_and_back)};

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i + 1] = (struct CMUnitTest){.name = rows[i].name,
                                           .test_func = refused,
                                           .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
