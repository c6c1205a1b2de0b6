/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: settings that contradict each other, or promise what they cannot keep, are refused
 * before anything starts. Proof: a table of environments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "worker/settings.h"

#define LONG_ENOUGH "0123456789abcdef0123456789abcdef"

static struct row {
    const char *name, *variable, *value, *and_variable, *and_value;
    const char *verdict, *says;
} rows[] = {
    {"nothing is set", NULL, NULL, NULL, NULL, "OK", NULL},
    {"a store key", "SANDFLEET_STORE_KEY", LONG_ENOUGH, NULL, NULL, "OK", NULL},
    {"one that can be guessed", "SANDFLEET_STORE_KEY", "0123456789abcdef0123456789abcde", NULL,
     NULL, "CONFIG", "store key has fewer than 32"},
    {"credentials outside, or not at all", "SANDFLEET_CREDENTIAL_MODE", "proxy", NULL, NULL, "OK",
     NULL},
    {"outside where that can be", "SANDFLEET_CREDENTIAL_MODE", "prefer", NULL, NULL, "OK", NULL},
    {"a way that is none", "SANDFLEET_CREDENTIAL_MODE", "env", NULL, NULL, "USAGE",
     "credential-mode"},
    {"a mode that is none", "SANDFLEET_PARK_MODE", "freeze", NULL, NULL, "USAGE", "park-mode"},
};

static void judges(void **state)
{
    const struct row *row = *state;
    struct settings s = {0};
    struct err err = ERR_INIT;
    char *argv[] = {(char[]){"sandfleet-worker"}, NULL};

    if (row->variable)
        assert_int_equal(setenv(row->variable, row->value, 1), 0);
    if (row->and_variable)
        assert_int_equal(setenv(row->and_variable, row->and_value, 1), 0);
    assert_string_equal(err_name(settings_parse(&s, 1, argv, &err)), row->verdict);
    if (row->says && !strstr(err.msg, row->says))
        fail_msg("%s", err.msg);
    settings_release(&s);
    if (row->variable)
        assert_int_equal(unsetenv(row->variable), 0);
    if (row->and_variable)
        assert_int_equal(unsetenv(row->and_variable), 0);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows)];
    struct err err = ERR_INIT;

    if (clearenv() != 0 || secret_init(&err) != ERR_OK)
        return 1;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = judges, .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
