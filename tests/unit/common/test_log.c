/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: one event is one line, whatever its fields hold; user data is not in it; a
 * reader that does not read stops nobody.
 * Proof: what arrives at the other end of a pipe, an empty one and a full one. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"
#include "common/log.h"
#include "tests/lib/table.h"

static int ends[2];

static int open_pipe(void **state)
{
    (void)state;
    return pipe2(ends, O_NONBLOCK);
}

static int close_pipe(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_TEXT, STDERR_FILENO);
    log_user_data(false);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}

/* What was logged since the last call, without the time at its front. */
static const char *logged(void)
{
    static char line[2 * PIPE_BUF];
    ssize_t n = read(ends[0], line, sizeof line - 1);

    line[n > 0 ? n : 0] = '\0';
    if (strncmp(line, "time=20", 7) == 0)
        return strchr(line, ' ') + 1;
    return line;
}

static void fields_are_quoted_when_they_must(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_TEXT, ends[1]);
    log_event(LOG_INFO, "run.started", LF("run", "r1"), LF_INT("ms", -4), LF("none", NULL),
              LF_STR("odd", STR("a b\n\t\"\\\x1b[0m\xff\xc2\x9b\xc3\xa9=")));
    assert_string_equal(logged(), "level=info event=run.started run=r1 ms=-4 none=\"\" "
                                  "odd=\"a b\\n\\t\\\"\\\\\\x1b[0m\\xff\\xc2\\x9b\xc3\xa9=\"\n");
}

static void an_error_brings_what_to_do(void **state)
{
    struct err e = {.code = ERR_TIMEOUT, .msg = "no answer"};

    (void)state;
    log_setup(LOG_INFO, LOG_TEXT, ends[1]);
    log_event(LOG_ERROR, "x", LF_ERR(&e));
    assert_string_equal(logged(),
                        "level=error event=x error=\"no answer\" code=TIMEOUT action=retry\n");
}

static void json_lines_are_json(void **state)
{
    struct json_member m[4];
    struct json_scan scan;
    const char *line;

    (void)state;
    log_setup(LOG_INFO, LOG_JSON, ends[1]);
    log_event(LOG_WARN, "x", LF_STR("odd", STR("\"\n\xff")));
    line = logged();
    assert_int_equal(json_scan(str_of(line), m, 4, &scan, NULL), ERR_OK);
    assert_true(str_is(json_member(m, 4, "level"), "\"warn\""));
    assert_true(str_is(json_member(m, 4, "odd"), "\"\\\"\\n\xef\xbf\xbd\""));
}

static void user_data_is_a_length_and_a_hash(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_TEXT, ends[1]);
    log_event(LOG_INFO, "x", LF_USER("prompt", STR("my secret plan")));
    assert_non_null(strstr(logged(), " prompt=14B#"));
    log_event(LOG_INFO, "x", LF_USER("prompt", STR("my secret plan")));
    assert_null(strstr(logged(), "plan"));
    log_user_data(true);
    log_event(LOG_INFO, "x", LF_USER("prompt", STR("my secret plan")));
    assert_string_equal(logged(), "level=info event=x prompt=\"my secret plan\"\n");
}

static void less_than_asked_for_is_not_written(void **state)
{
    enum log_level level = LOG_INFO;

    (void)state;
    assert_true(log_parse_level(STR("warn"), &level));
    assert_false(log_parse_level(STR("loud"), &level));
    log_setup(level, LOG_TEXT, ends[1]);
    log_event(LOG_INFO, "x");
    assert_string_equal(logged(), "");
    log_event(LOG_WARN, "x");
    assert_string_equal(logged(), "level=warn event=x\n");
}

static void a_long_line_is_cut_at_a_field(void **state)
{
    static char value[3000];
    const char *line;

    (void)state;
    memset(value, 'v', sizeof value - 1);
    log_setup(LOG_INFO, LOG_JSON, ends[1]);
    log_event(LOG_INFO, "x", LF("a", value), LF("b", value), LF("c", value), LF("d", value),
              LF("e", value));
    line = logged();
    assert_in_range(strlen(line), 3 * 1024, PIPE_BUF);
    assert_int_equal(line[strlen(line) - 1], '\n');
    assert_int_equal(json_scan(str_of(line), NULL, 0, NULL, NULL), ERR_OK);
}

static void a_full_pipe_loses_lines_and_says_so(void **state)
{
    uint64_t before = log_dropped();
    char all[65536];

    (void)state;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0); /* a write could block now */
    log_setup(LOG_INFO, LOG_TEXT, ends[1]);
    for (int i = 0; i < 20000; i++)
        log_event(LOG_INFO, "flood", LF("text", "the reader does not read"));
    assert_true(log_dropped() > before);
    while (read(ends[0], all, sizeof all) > 0)
        ;
    log_event(LOG_INFO, "after");
    assert_non_null(strstr(logged(), "event=after log_dropped="));
    log_event(LOG_INFO, "after");
    assert_string_equal(logged(), "level=info event=after\n");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_pipe, close_pipe)
    const struct CMUnitTest tests[] = {
        TEST(fields_are_quoted_when_they_must),
        TEST(an_error_brings_what_to_do),
        TEST(json_lines_are_json),
        TEST(user_data_is_a_length_and_a_hash),
        TEST(less_than_asked_for_is_not_written),
        TEST(a_long_line_is_cut_at_a_field),
        TEST(a_full_pipe_loses_lines_and_says_so),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
