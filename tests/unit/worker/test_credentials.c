/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a credentials file is read whole or refused by line, a name means one credential or
 * one pool, a file that others may read is refused, and no error tells a token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/run/credentials.h"
#include "common/banned.h"

#define TOKEN "sk-ant-oat01-0123456789"

static struct row {
    const char *name, *text, *code, *says; /* says: a part of the message; NULL: none */
    size_t n;
} rows[] = {
    {"nothing", "", "OK", NULL, 0},
    {"comments and empty lines", "# x\n\n  \t\n", "OK", NULL, 0},
    {"one, no newline at its end", "a oauth - " TOKEN, "OK", NULL, 1},
    {"tabs and blanks", " a\toauth \t -   " TOKEN " \n", "OK", NULL, 1},
    {"two of a pool", "a oauth p " TOKEN "\nb api_key p " TOKEN "\n", "OK", NULL, 2},
    {"a word is missing", "a oauth " TOKEN, "CONFIG", "line 1: want a name", 0},
    {"a word too many", "a oauth - " TOKEN " x", "CONFIG", "line 1: want a name", 0},
    {"another kind", "\na none - " TOKEN, "CONFIG", "line 2: the kind", 0},
    {"a bad name", "-a oauth - " TOKEN, "CONFIG", "line 1: a name is", 0},
    {"a bad pool", "a oauth .p " TOKEN, "CONFIG", "line 1: a name is", 0},
    {"twice", "a oauth - " TOKEN "\na oauth - " TOKEN, "CONFIG", "line 2: credential 'a'", 1},
    {"named as its pool", "a oauth a " TOKEN, "CONFIG", "line 1: credential 'a'", 0},
    {"named as another's pool", "a oauth p " TOKEN "\np oauth - " TOKEN, "CONFIG", "line 2", 1},
    {"a pool named as another", "p oauth - " TOKEN "\na oauth p " TOKEN, "CONFIG", "line 2", 1},
    {"a control byte in the token", "a oauth - " TOKEN "\x01", "INVALID", "line 1: the secret", 0},
};

static void check(void **state)
{
    const struct row *r = *state;
    struct credentials c = {0};
    struct err err = ERR_INIT;

    assert_string_equal(err_name(credentials_parse(&c, str_of(r->text), &err)), r->code);
    assert_int_equal(c.n, r->n);
    if (r->says && !strstr(err.msg, r->says))
        fail_msg("'%s' does not say '%s'", err.msg, r->says);
    assert_null(strstr(err.msg, TOKEN));
    credentials_release(&c);
}

static void what_was_read_is_found(void **state)
{
    struct credentials c = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(credentials_parse(&c, STR("a oauth p " TOKEN "\nb api_key - key\n"), &err),
                     ERR_OK);
    const struct credential *a = credentials_find(&c, "a"), *b = credentials_find(&c, "b");
    assert_non_null(a);
    assert_string_equal(a->pool, "p");
    assert_true(str_is(secret_value(a->secret), TOKEN));
    assert_string_equal(credential_kind_env(a->kind), "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR");
    assert_non_null(b);
    assert_null(b->pool);
    assert_string_equal(credential_kind_name(b->kind), "api_key");
    assert_null(credentials_find(&c, "p"));
    assert_null(credentials_find(&c, NULL));
    credentials_release(&c);
}

static void others_must_not_read_the_file(void **state)
{
    char path[] = "/tmp/sandfleet-credentials-XXXXXX";
    int fd = mkstemp(path);
    struct credentials c = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(write(fd, "a oauth - x\n", 12), 12);
    assert_int_equal(fchmod(fd, 0640), 0);
    assert_int_equal(credentials_read(&c, path, &err), ERR_CONFIG);
    assert_int_equal(fchmod(fd, 0600), 0);
    assert_int_equal(credentials_read(&c, path, &err), ERR_OK);
    assert_int_equal(c.n, 1);
    credentials_release(&c);
    close(fd);
    unlink(path);
    assert_int_equal(credentials_read(&c, path, &err), ERR_NOT_FOUND);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 2];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    tests[COUNTOF(rows)] = (struct CMUnitTest)cmocka_unit_test(what_was_read_is_found);
    tests[COUNTOF(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(others_must_not_read_the_file);
    return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
