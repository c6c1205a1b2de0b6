/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a cursor reads back as what it was made of, with the list, tenant and filters it was
 * made for and with no others; whatever else comes is refused.
 * Proof: each kind of place there and back; every single byte changed; other bindings. */
#include "tests/lib/table.h"

#include <string.h>

#include "api/reads/cursor.h"
#include "common/attrs.h"

#include "common/banned.h"

static struct row {
    const char *name;
    int64_t at_us;
    const char *id, *time;
} rows[] = {
    {"a run", 1700000000123456, "01950f3c-8a00-7000-8000-000000000001",
     "2023-11-14T22:13:20.123456Z"},
    {"a run without a time", CURSOR_FOR_EVER, "01950f3c-8a00-7000-8000-000000000001", "infinity"},
    {"the first moment", 0, "a", "1970-01-01T00:00:00.000000Z"},
    {"a moment with zeros", 1000007, "a", "1970-01-01T00:00:01.000007Z"},
    {"the last moment", 253402300799999999, "b/@+:c", "9999-12-31T23:59:59.999999Z"},
    {"no id", 1, "", "1970-01-01T00:00:00.000001Z"},
};

static struct cursor_bound bound(const char *list, const char *tenant, const char *filter)
{
    struct cursor_bound b;

    cursor_bind(&b, list, tenant);
    cursor_bind_to(&b, "state", filter);
    return b;
}

static void there_and_back(void **state)
{
    const struct row *row = *state;
    struct cursor c = {.at_us = row->at_us}, back;
    struct cursor_bound b = bound("runs", "acme", "{failed}");
    AUTO_BUF text = BUF_INIT(CURSOR_TEXT_MAX);
    char time[CURSOR_TIME_TEXT];

    memcpy(c.id, row->id, strlen(row->id) + 1);
    cursor_write(&c, &b, &text);
    assert_true(cursor_parse(buf_str(&text), &b, &back));
    assert_true(back.at_us == row->at_us);
    assert_string_equal(back.id, row->id);
    assert_string_equal(cursor_time(&back, time), row->time);
}

static void write_one(const struct cursor_bound *b, struct buf *text)
{
    cursor_write(&(struct cursor){.at_us = 1700000000123456, .id = "x"}, b, text);
}

static void of_another(void **state)
{
    struct cursor_bound mine = bound("runs", "acme", "{failed}"), other;
    AUTO_BUF text = BUF_INIT(CURSOR_TEXT_MAX);
    struct cursor back;

    (void)state;
    write_one(&mine, &text);
    other = bound("sessions", "acme", "{failed}");
    assert_false(cursor_parse(buf_str(&text), &other, &back));
    other = bound("runs", "umbrella", "{failed}");
    assert_false(cursor_parse(buf_str(&text), &other, &back));
    other = bound("runs", "acme", "{expired}");
    assert_false(cursor_parse(buf_str(&text), &other, &back));
    cursor_bind_to(&mine, "order", "asc");
    assert_false(cursor_parse(buf_str(&text), &mine, &back));
}

static void changed(void **state)
{
    struct cursor_bound b = bound("runs", "acme", "");
    AUTO_BUF text = BUF_INIT(CURSOR_TEXT_MAX);
    struct cursor back;

    (void)state;
    write_one(&b, &text);
    for (size_t i = 0; i < text.len; i++) {
        char was = text.p[i];

        text.p[i] = was == 'A' ? 'B' : 'A';
        assert_false(cursor_parse(buf_str(&text), &b, &back));
        text.p[i] = was;
        assert_false(cursor_parse((struct str){text.p, i}, &b, &back));
    }
}

static void longest(void **state)
{
    struct cursor_bound b = bound("dlq", "acme", "");
    struct cursor c = {.at_us = CURSOR_FOR_EVER}, back;
    AUTO_BUF text = BUF_INIT(CURSOR_TEXT_MAX);

    (void)state;
    memset(c.id, 'x', CURSOR_ID_MAX);
    cursor_write(&c, &b, &text);
    assert_int_equal(text.rc, ERR_OK);
    assert_true(cursor_parse(buf_str(&text), &b, &back));
    assert_string_equal(back.id, c.id);
}

static void garbage(void **state)
{
    static const char *const texts[] = {"", "x", "none", "AQ", "====", "\xff\xfe", "a b"};
    struct cursor_bound b = bound("runs", "acme", "");
    struct cursor back;

    (void)state;
    for (size_t i = 0; i < COUNTOF(texts); i++)
        assert_false(cursor_parse(str_of(texts[i]), &b, &back));
    assert_false(cursor_parse((struct str){0}, &b, &back));
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(of_another),
        cmocka_unit_test(changed),
        cmocka_unit_test(longest),
        cmocka_unit_test(garbage),
    };
    int failed = TABLE_RUN("cursor", rows, there_and_back);

    return failed + cmocka_run_group_tests_name("cursors refused", others, NULL, NULL);
}
