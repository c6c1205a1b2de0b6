/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what was put into a parcel is in it until it is cleared, whatever came behind it; a
 * record that has no room changes nothing. */
#include <stdio.h>
#include <string.h>

#include "producer/parcel.h"
#include "schema/run_request.h"
#include "tests/lib/table.h"

static const char id[] = "00000000-0000-8000-8000-00000000000x";

static struct parcel_record record(const char *custom_id, const char *key, struct str value)
{
    return (struct parcel_record){.run_id = id,
                                  .custom_id = str_of(custom_id),
                                  .key = str_of(key),
                                  .value = value,
                                  .line = 7};
}

static void add(struct parcel *p, struct parcel_record r)
{
    struct err err = ERR_INIT;

    if (parcel_add(p, &r, &err) != ERR_OK)
        fail_msg("%s", err.msg);
}

static void all_of_it_is_there(void **state)
{
    struct parcel *p = parcel_new();
    char value[400], custom_id[16];

    (void)state;
    for (int i = 0; i < PARCEL_RECORDS; i++) {
        assert_false(parcel_is_full(p));
        (void)snprintf(custom_id, sizeof custom_id, "item-%d", i);
        memset(value, 'a' + i % 26, sizeof value);
        add(p, record(custom_id, "k", (struct str){value, sizeof value}));
    }
    assert_true(parcel_is_full(p));
    for (size_t i = 0; i < PARCEL_RECORDS; i++) {
        struct parcel_item *item = &p->items[i];
        struct str text = parcel_text(p, item->value);

        (void)snprintf(custom_id, sizeof custom_id, "item-%zu", i);
        assert_true(str_is(parcel_text(p, item->custom_id), custom_id));
        assert_true(str_is(parcel_text(p, item->key), "k"));
        assert_string_equal(item->run_id, id);
        assert_int_equal(item->line, 7);
        assert_int_equal(text.n, sizeof value);
        assert_int_equal(text.p[sizeof value - 1], 'a' + (int)i % 26);
        assert_ptr_equal(parcel_of(item), p);
    }
    parcel_free(p);
}

static void a_long_text_fills_one(void **state)
{
    struct parcel *p = parcel_new();
    char *text = calloc(1, RUN_REQUEST_MAX_BYTES);

    (void)state;
    add(p, record("a", "k", (struct str){text, PARCEL_BYTES - 3}));
    assert_false(parcel_is_full(p));
    add(p, record("b", "k", (struct str){text, RUN_REQUEST_MAX_BYTES}));
    assert_true(parcel_is_full(p));
    parcel_clear(p);
    assert_int_equal(p->n, 0);
    assert_int_equal(p->text.len, 0);
    assert_true(p->text.cap < RUN_REQUEST_MAX_BYTES);
    parcel_free(p);
    free(text);
}

static void no_room_changes_nothing(void **state)
{
    struct parcel *p = parcel_new();
    size_t most = 4 * (size_t)RUN_REQUEST_MAX_BYTES;
    char *text = calloc(1, most);
    struct parcel_record more = record("b", "k", (struct str){text, most});
    struct err err = ERR_INIT;

    (void)state;
    add(p, record("a", "k", STR("value")));
    size_t was = p->text.len;
    assert_int_equal(parcel_add(p, &more, &err), ERR_TOO_BIG);
    assert_non_null(strstr(err.msg, id));
    assert_int_equal(p->n, 1);
    assert_int_equal(p->text.len, was);
    add(p, record("c", "k", STR("other")));
    assert_true(str_is(parcel_text(p, p->items[0].value), "value"));
    assert_true(str_is(parcel_text(p, p->items[1].custom_id), "c"));
    assert_true(str_is(parcel_text(p, p->items[1].value), "other"));
    parcel_free(p);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_there),
        cmocka_unit_test(a_long_text_fills_one),
        cmocka_unit_test(no_room_changes_nothing),
    };

    return cmocka_run_group_tests_name("parcel", tests, NULL, NULL);
}
