/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a binary COPY are exactly what the server expects: each row is a
 * field and its bytes, taken from `COPY (SELECT …) TO STDOUT (FORMAT binary)`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sink/copy_binary.h"

#include "common/banned.h"

static const uint8_t some_uuid[16] = {0x01, 0x8f, 0x00, 0x00, 0x00, 0x00, 0x70, 0x00,
                                      0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff};

static void begin(struct buf *b)
{
    copy_begin(b);
}
static void end(struct buf *b)
{
    copy_end(b);
}
static void row(struct buf *b)
{
    copy_row(b, 16);
}
static void null(struct buf *b)
{
    copy_null(b);
}
static void yes(struct buf *b)
{
    copy_bool(b, true);
}
static void no(struct buf *b)
{
    copy_bool(b, false);
}
static void int4_max(struct buf *b)
{
    copy_int4(b, INT32_MAX);
}
static void int4_minus(struct buf *b)
{
    copy_int4(b, -2);
}
static void int8_big(struct buf *b)
{
    copy_int8(b, INT64_C(0x0102030405060708));
}
static void int8_min(struct buf *b)
{
    copy_int8(b, INT64_MIN);
}
static void one_and_half(struct buf *b)
{
    copy_float8(b, 1.5);
}
static void uuid(struct buf *b)
{
    copy_uuid(b, some_uuid);
}
static void day_2000(struct buf *b)
{
    copy_date(b, INT64_C(946684800000));
}
static void day_2026(struct buf *b)
{
    copy_date(b, INT64_C(1795219200000) + 86399999);
}
static void day_1969(struct buf *b)
{
    copy_date(b, -1);
}
static void time_2000(struct buf *b)
{
    copy_timestamptz(b, INT64_C(946684800001));
}
static void time_1970(struct buf *b)
{
    copy_timestamptz(b, 0);
}
static void text(struct buf *b)
{
    copy_text(b, STR("h\303\251"));
}
static void text_empty(struct buf *b)
{
    copy_text(b, STR(""));
}
static void text_null(struct buf *b)
{
    copy_text(b, (struct str){0});
}
static void absent(struct buf *b)
{
    copy_int8_or_null(b, 0);
}
static void present(struct buf *b)
{
    copy_int8_or_null(b, 7);
}
static void never(struct buf *b)
{
    copy_timestamptz_or_null(b, 0);
}

static const struct row {
    const char *name;
    void (*write)(struct buf *b);
    struct str want;
} rows[] = {
    {"signature, flags and extension", begin, STR("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0")},
    {"trailer", end, STR("\xff\xff")},
    {"a row of 16 fields", row, STR("\0\x10")},
    {"null", null, STR("\xff\xff\xff\xff")},
    {"true", yes, STR("\0\0\0\x01\x01")},
    {"false", no, STR("\0\0\0\x01\0")},
    {"int4 greatest", int4_max, STR("\0\0\0\x04\x7f\xff\xff\xff")},
    {"int4 negative", int4_minus, STR("\0\0\0\x04\xff\xff\xff\xfe")},
    {"int8", int8_big, STR("\0\0\0\x08\x01\x02\x03\x04\x05\x06\x07\x08")},
    {"int8 least", int8_min, STR("\0\0\0\x08\x80\0\0\0\0\0\0\0")},
    {"float8", one_and_half, STR("\0\0\0\x08\x3f\xf8\0\0\0\0\0\0")},
    {"uuid", uuid, STR("\0\0\0\x10\x01\x8f\0\0\0\0\x70\0\x80\0\0\0\0\0\0\xff")},
    {"date zero", day_2000, STR("\0\0\0\x04\0\0\0\0")},
    {"date, last millisecond", day_2026, STR("\0\0\0\x04\0\0\x26\x5d")},
    {"date before 1970", day_1969, STR("\0\0\0\x04\xff\xff\xd5\x32")},
    {"timestamptz", time_2000, STR("\0\0\0\x08\0\0\0\0\0\0\x03\xe8")},
    {"timestamptz before 2000", time_1970, STR("\0\0\0\x08\xff\xfc\xa2\xfe\xc4\xc8\x20\0")},
    {"text", text, STR("\0\0\0\x03h\303\251")},
    {"text empty", text_empty, STR("\0\0\0\0")},
    {"text null", text_null, STR("\xff\xff\xff\xff")},
    {"0 is null", absent, STR("\xff\xff\xff\xff")},
    {"7 is not", present, STR("\0\0\0\x08\0\0\0\0\0\0\0\x07")},
    {"no time is null", never, STR("\xff\xff\xff\xff")},
};

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_BUF b = BUF_INIT(1024);
    r->write(&b);
    assert_int_equal(b.len, r->want.n);
    assert_memory_equal(b.p, r->want.p, r->want.n);
}

static void ceiling_sticks(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(10);
    copy_int8(&b, 1);
    copy_null(&b);
    assert_string_equal(err_name(b.rc), "TOO_BIG");
    assert_int_equal(b.len, 0);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 1];
    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = (void *)(uintptr_t)&rows[i]};
    tests[COUNTOF(rows)] = (struct CMUnitTest)cmocka_unit_test(ceiling_sticks);
    return cmocka_run_group_tests_name("copy_binary", tests, NULL, NULL);
}
