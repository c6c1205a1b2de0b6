/* SPDX-License-Identifier: Apache-2.0 */
/* Tests as tables: every row becomes a named cmocka test. Brings cmocka and what it needs. */
#ifndef SANDFLEET_TESTS_LIB_TABLE_H
#define SANDFLEET_TESTS_LIB_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Runs check(&rows[i]) for each row; a row's first member is `const char *name`. */
#define TABLE_RUN(group, rows, check)                                                              \
    table_run(group, rows, sizeof(rows) / sizeof(rows)[0], sizeof(rows)[0], check)

static inline int table_run(const char *group, void *rows, size_t n, size_t size,
                            CMUnitTestFunction check)
{
    struct CMUnitTest *tests = calloc(n, sizeof *tests);
    int failed;

    if (!tests)
        abort();
    for (size_t i = 0; i < n; i++) {
        char *row = (char *)rows + i * size;

        tests[i] = (struct CMUnitTest){
            .name = *(const char **)(void *)row, .test_func = check, .initial_state = row};
    }
    failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
    free(tests);
    return failed;
}

#endif
