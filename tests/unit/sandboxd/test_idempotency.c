/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the same key and body get the same answer, another body is seen, memory is bounded.
 * Proof: keys of every kind; more keys than are kept. */
#include <stdio.h>
#include <string.h>

#include "sandboxd/control/idempotency.h"
#include "tests/lib/table.h"

static struct row {
    const char *name;
    bool valid;
} rows[] = {
    {"a", true},  {"run-7-1", true}, {"0", true},    {"", false},
    {"A", false}, {"a b", false},    {"a_b", false},
};

static void check(void **state)
{
    const struct row *r = *state;

    assert_int_equal(idempotency_key_valid(str_of(r->name)), r->valid);
}

static void remembers(void **state)
{
    struct idempotency *t = idempotency_new();
    struct str answer;
    char key[32];

    (void)state;
    assert_non_null(t);
    assert_int_equal(idempotency_begin(t, STR("k"), STR("{}"), &answer), IDEM_NEW);
    assert_int_equal(idempotency_begin(t, STR("k"), STR("{}"), &answer), IDEM_IN_PROGRESS);
    assert_int_equal(idempotency_begin(t, STR("k"), STR("{ }"), &answer), IDEM_OTHER_BODY);
    idempotency_keep(t, STR("k"), STR("one"));
    assert_int_equal(idempotency_begin(t, STR("k"), STR("{}"), &answer), IDEM_SAME);
    assert_true(str_is(answer, "one"));
    assert_int_equal(idempotency_begin(t, STR("k"), STR("{ }"), &answer), IDEM_OTHER_BODY);
    assert_int_equal(idempotency_begin(t, STR("kk"), STR("{}"), &answer), IDEM_NEW);
    idempotency_drop(t, STR("kk"));
    assert_int_equal(idempotency_begin(t, STR("kk"), STR("{ }"), &answer), IDEM_NEW);
    for (int i = 0; i < IDEMPOTENCY_KEPT; i++) {
        (void)snprintf(key, sizeof(key), "n-%d", i);
        assert_int_equal(idempotency_begin(t, str_of(key), STR("{}"), &answer), IDEM_NEW);
        idempotency_keep(t, str_of(key), STR("many"));
    }
    assert_int_equal(idempotency_begin(t, STR("k"), STR("{}"), &answer), IDEM_NEW);
    assert_int_equal(idempotency_begin(t, STR("n-1"), STR("{}"), &answer), IDEM_SAME);
    idempotency_free(t);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(remembers),
    };
    int failed = TABLE_RUN("idempotency table", rows, check);

    return failed + cmocka_run_group_tests_name("idempotency", more, NULL, NULL);
}
