/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: run ids rise within a process, also when the wall clock does not; the same
 * parts make the same id in every process and release.
 * Proof: 100,000 ids in one millisecond and with a clock that steps back; a written-down id. */
#include <string.h>

#include "common/uuid.h"
#include "tests/lib/table.h"

static struct row {
    const char *name; /* the text */
    bool valid;
} rows[] = {
    {"01a1fbb5-afa2-7688-8488-f3eedcf4131e", true},
    {"00000000-0000-0000-0000-000000000000", true},
    {"01A1FBB5-afa2-7688-8488-f3eedcf4131e", false},
    {"01a1fbb5-afa2-7688-8488-f3eedcf4131", false},
    {"01a1fbb5-afa2-7688-8488-f3eedcf4131e0", false},
    {"01a1fbb5aafa2-7688-8488-f3eedcf4131e", false},
    {"01a1fbb-5afa2-7688-8488-f3eedcf4131e", false},
    {"g1a1fbb5-afa2-7688-8488-f3eedcf4131e", false},
    {"../../etc/passwd", false},
    {"", false},
};

static void check(void **state)
{
    const struct row *r = *state;
    uint8_t bytes[16];
    char text[UUID_TEXT];

    assert_int_equal(uuid_valid(str_of(r->name)), r->valid);
    if (!uuid_bytes(str_of(r->name), bytes))
        return;
    uuid_text(bytes, text);
    assert_string_equal(text, r->name);
}

static void run_ids_rise(void **state)
{
    char last[UUID_TEXT] = "", id[UUID_TEXT];
    int64_t ms;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uuid_v7(1795222923004 - (i % 1000), id);
        assert_true(strcmp(id, last) > 0);
        assert_int_equal(id[14], '7');
        assert_non_null(strchr("89ab", id[19]));
        memcpy(last, id, sizeof last);
    }
    uuid_v7(1895222923004, id);
    assert_true(uuid_v7_ms(str_of(id), &ms));
    assert_true(ms == 1895222923004);
}

static void the_same_parts_make_the_same_id(void **state)
{
    char id[UUID_TEXT], other[UUID_TEXT];
    int64_t ms;

    (void)state;
    uuid_v8((struct str[]){STR("a"), STR("b")}, 2, id);
    assert_string_equal(id, "3fc7a7c7-4527-824a-bcef-c814d2c23336");
    assert_false(uuid_v7_ms(str_of(id), &ms));
    uuid_v8((struct str[]){STR("ab"), STR("")}, 2, other);
    assert_string_not_equal(id, other);
    uuid_v8((struct str[]){STR("a"), STR("b"), STR("")}, 3, other);
    assert_string_not_equal(id, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_ids_rise),
        cmocka_unit_test(the_same_parts_make_the_same_id),
    };
    int failed = TABLE_RUN("uuid texts", rows, check);

    return failed + cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
