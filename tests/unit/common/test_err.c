/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an error's code alone says what to do, and its message never overruns.
 * Proof: the map's rows spelled out; messages at and past the room they have. */
#include <errno.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "tests/lib/table.h"

static struct row {
    const char *name;
    enum err_code code;
    const char *action;
    int status;
} rows[] = {
    {"OK", ERR_OK, "none", 0},
    {"INVALID", ERR_INVALID, "reject", 65},
    {"NOT_FOUND", ERR_NOT_FOUND, "reject", 66},
    {"USAGE", ERR_USAGE, "reject", 2},
    {"TIMEOUT", ERR_TIMEOUT, "retry", 75},
    {"UNAVAILABLE", ERR_UNAVAILABLE, "retry", 75},
    {"CANCELLED", ERR_CANCELLED, "none", 130},
    {"CONFIG", ERR_CONFIG, "stop", 78},
    {"NOMEM", ERR_NOMEM, "stop", 71},
    {"INTERNAL", ERR_INTERNAL, "stop", 70},
    {"INTERNAL", ERR_CODES, "stop", 70}, /* no code at all is a bug of ours */
};

static void check(void **state)
{
    const struct row *r = *state;

    assert_string_equal(err_name(r->code), r->name);
    assert_string_equal(err_action_name(err_action(r->code)), r->action);
    assert_int_equal(err_exit_status(r->code), r->status);
    assert_true(strlen(err_meaning(r->code)) > 0);
}

static void a_message_grows_at_the_front(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(err_set(&e, ERR_TIMEOUT, "no answer in %d ms", 5000), ERR_TIMEOUT);
    e.retry_ms = 7;
    assert_int_equal(err_wrap(&e, "start run %s", "r1"), ERR_TIMEOUT);
    assert_string_equal(e.msg, "start run r1: no answer in 5000 ms");
    assert_int_equal(e.retry_ms, 7);
    (void)err_set(&e, ERR_IO, "another");
    assert_int_equal(e.retry_ms, 0);
}

static void a_message_may_be_made_of_itself(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    (void)err_set(&e, ERR_IO, "one");
    (void)err_set(&e, ERR_IO, "<%s>", e.msg);
    (void)err_wrap(&e, "(%s)", e.msg);
    assert_string_equal(e.msg, "(<one>): <one>");
}

static void a_message_is_cut_between_characters(void **state)
{
    static const char *const marks[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};

    (void)state;
    for (size_t m = 0; m < COUNTOF(marks); m++)
        for (int before = 0; before < 8; before++) {
            char text[600] = "";
            struct err e = ERR_INIT;

            memset(text, 'x', (size_t)before);
            for (size_t at = (size_t)before; at < 500; at += strlen(marks[m]))
                memcpy(text + at, marks[m], strlen(marks[m]) + 1);
            (void)err_set(&e, ERR_IO, "%s", text);
            assert_true(str_utf8(str_of(e.msg), NULL));
            assert_true(strlen(e.msg) > sizeof e.msg - 5);
            (void)err_wrap(&e, "start");
            assert_true(str_utf8(str_of(e.msg), NULL));
            assert_true(strlen(e.msg) > sizeof e.msg - 9);
            (void)err_wrap(&e, "%s", text);
            assert_true(str_utf8(str_of(e.msg), NULL));
        }
}

static void a_long_message_is_cut(void **state)
{
    char text[1000];
    struct err e = ERR_INIT;

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    (void)err_set(&e, ERR_IO, "%s", text);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    (void)err_wrap(&e, "start");
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    assert_memory_equal(e.msg, "start: xxx", 10);
    (void)err_wrap(&e, "%s", text);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

static void errno_gets_a_code(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(err_errno(&e, ENOENT, "cannot open '%s'", "x"), ERR_NOT_FOUND);
    assert_string_equal(e.msg, "cannot open 'x': No such file or directory");
    assert_int_equal(err_errno(&e, ENOMEM, "x"), ERR_NOMEM);
    assert_int_equal(err_errno(&e, EACCES, "x"), ERR_IO);
    assert_int_equal(err_errno(NULL, EACCES, "x"), ERR_IO);
    assert_int_equal(err_set(NULL, ERR_GONE, "x"), ERR_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_grows_at_the_front),
        cmocka_unit_test(a_message_may_be_made_of_itself),
        cmocka_unit_test(a_long_message_is_cut),
        cmocka_unit_test(a_message_is_cut_between_characters),
        cmocka_unit_test(errno_gets_a_code),
    };
    int failed = TABLE_RUN("err codes", rows, check);

    return failed + cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
