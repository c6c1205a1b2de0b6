/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a walk over text that json_scan accepted finds every member and element as it
 * stands; scalars outside their range read as nothing, never as something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "worker/run/json_walk.h"

static struct row {
    const char *name, *text, *want; /* members as "key=value;", elements as "value;" */
} rows[] = {
    {"object", "{\"a\":1,\"b\":\"x\"}", "a=1;b=\"x\";"},
    {"array", "[1,true,null,\"x\"]", "1;true;null;\"x\";"},
    {"white space", "{ \"a\" :\t[ 1 , 2 ] ,\n\"b\" : { } }", "a=[ 1 , 2 ];b={ };"},
    {"brackets in strings", "{\"a\":\"]}\\\"[{\",\"b\":[\"}\"]}", "a=\"]}\\\"[{\";b=[\"}\"];"},
    {"escaped backslash", "{\"a\":\"\\\\\",\"b\":1}", "a=\"\\\\\";b=1;"},
    {"quote in a key", "{\"a\\\"b\":1}", "a\\\"b=1;"},
    {"empty object", "{}", ""},
    {"empty array", "[ ]", ""},
    {"no container", "\"a\"", ""},
    {"nothing", "", ""},
    {"cut object", "{\"a\":1,\"b", "a=1;"},
    {"cut string", "[\"a", "\"a;"},
};

static void walks(void **state)
{
    const struct row *row = *state;
    struct json_walk w = json_walk(str_of(row->text));
    struct json_member m;
    struct str e;
    AUTO_BUF got = BUF_INIT(1024);

    if (*row->text == '{')
        while (json_walk_member(&w, &m))
            buf_addf(&got, STR_FMT "=" STR_FMT ";", STR_ARG(m.key), STR_ARG(m.value));
    else
        while (json_walk_element(&w, &e))
            buf_addf(&got, STR_FMT ";", STR_ARG(e));
    assert_string_equal(got.p ? got.p : "", row->want);
}

static struct count_row {
    const char *text;
    int64_t count;
} count_rows[] = {
    {"0", 0},
    {"42", 42},
    {"9007199254740992", 9007199254740992},
    {"1e3", 1000},
    {"1.5", 0},
    {"-1", 0},
    {"9007199254740994", 0},
    {"1e999", 0},
    {"\"42\"", 0},
    {"", 0},
    {"null", 0},
    {"[1]", 0},
    {"00000000000000000000000000000000000000000000000000000000001", 0},
};

static void counts(void **state)
{
    const struct count_row *row = *state;

    assert_int_equal(json_to_count(str_of(row->text)), row->count);
}

static void texts_are_cut_between_characters(void **state)
{
    char out[6];

    (void)state;
    json_to_text(STR("\"a\\u20ac\\u20ac\""), out, sizeof(out));
    assert_string_equal(out, "a\xe2\x82\xac");
    json_to_text(STR("\"abcde\""), out, sizeof(out));
    assert_string_equal(out, "abcde");
    json_to_text(STR("\"abcdef\""), out, sizeof(out));
    assert_string_equal(out, "abcde");
    json_to_text(STR("7"), out, sizeof(out));
    assert_string_equal(out, "");
}

static void words_have_no_escapes(void **state)
{
    (void)state;
    assert_true(str_is(json_to_word(STR("\"Bash\""), 8), "Bash"));
    assert_int_equal(json_to_word(STR("\"B\\u0061sh\""), 20).n, 0);
    assert_int_equal(json_to_word(STR("\"Bash\""), 3).n, 0);
    assert_int_equal(json_to_word(STR("7"), 3).n, 0);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + COUNTOF(count_rows) + 2];
    size_t n = 0;

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[n++] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = walks, .initial_state = &rows[i]};
    for (size_t i = 0; i < COUNTOF(count_rows); i++)
        tests[n++] = (struct CMUnitTest){
            .name = count_rows[i].text, .test_func = counts, .initial_state = &count_rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(texts_are_cut_between_characters);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(words_have_no_escapes);
    return cmocka_run_group_tests_name("json_walk", tests, NULL, NULL);
}
