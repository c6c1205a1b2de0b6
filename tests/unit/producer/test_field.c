/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what the API answers is read as people read it, fits the terminal, and cannot drive it.
 * Proof: values as rows, a table of two pages, a page of details. */
#include "producer/show/field.h"
#include "tests/lib/table.h"

static const int64_t now_ms = INT64_C(1772359260000); /* 2026-03-01T10:01:00Z */

static const char doc_text[] =
    "{\"a\":\"x\\u001b\\ny\",\"none\":null,\"n\":1234567,\"usd\":0.5,\"deep\":{\"er\":7},"
    "\"list\":[\"a\",\"b\"],\"yes\":true,\"obj\":{\"k\":1},\"ms\":61500,"
    "\"from\":\"2026-03-01T10:00:00.000Z\",\"to\":\"2026-03-01T10:00:05.500Z\"}";

static struct value_row {
    const char *name;
    struct field f;
    const char *want;
} value_rows[] = {
    {"text is safe and on one line", {"", "a", FIELD_TEXT, 0}, "x? y"},
    {"null", {"", "none", FIELD_TEXT, 0}, ""},
    {"missing", {"", "nope.x", FIELD_TEXT, 0}, ""},
    {"the first there is", {"", "none|nope|a", FIELD_TEXT, 0}, "x? y"},
    {"count", {"", "n", FIELD_COUNT, 0}, "1,234,567"},
    {"money", {"", "usd", FIELD_USD, 0}, "$0.5000"},
    {"bytes", {"", "n", FIELD_BYTES, 0}, "1.2 MiB"},
    {"deep", {"", "deep.er", FIELD_COUNT, 0}, "7"},
    {"list", {"", "list", FIELD_TEXT, 0}, "a, b"},
    {"object", {"", "obj", FIELD_TEXT, 0}, "{\"k\":1}"},
    {"yes", {"", "yes", FIELD_YES, 0}, "yes"},
    {"duration", {"", "ms", FIELD_MS, 0}, "1m01s"},
    {"ago", {"", "from", FIELD_AGO, 0}, "1m00s"},
    {"span", {"", "from..to", FIELD_SPAN, 0}, "5.5s"},
    {"span until now", {"", "from..none", FIELD_SPAN, 0}, "1m00s"},
    {"span that has not begun", {"", "none..to", FIELD_SPAN, 0}, ""},
};

static cJSON *parse(const char *text)
{
    struct err err = ERR_INIT;
    cJSON *doc = NULL;

    assert_int_equal(json_parse(str_of(text), 0, &doc, &err), ERR_OK);
    return doc;
}

static void check_value(void **state)
{
    const struct value_row *row = *state;
    AUTO_JSON *doc = parse(doc_text);
    AUTO_BUF out = BUF_INIT(4096);

    field_text(&row->f, doc, now_ms, &out);
    assert_string_equal(out.p ? out.p : "", row->want);
}

static const struct field fields[] = {
    {"ID", "id", FIELD_TEXT, 0},
    {"WIDE", "w", FIELD_TEXT, 100},
    {"N", "n", FIELD_COUNT, 0},
    {"NAME", "name", FIELD_TEXT, 0},
};

static struct table_row {
    const char *name;
    struct terminal t;
    const char *want;
} table_rows[] = {
    {"piped",
     {.columns = 160},
     "ID   WIDE  N  NAME\n"
     "a1   w     5  short\n"
     "b22  -     -  a name that is longer than forty columns are\n"
     "c33  -     1,000  -\n"},
    {"on a terminal",
     {.columns = 40, .terminal = true, .unicode = true},
     "ID   N  NAME\n"
     "a1   5  short\n"
     "b22  -  a name that is longer than fort…\n"
     "c33  1,000  -\n"},
};

static void check_table(void **state)
{
    const struct table_row *row = *state;
    AUTO_JSON *a = parse("{\"id\":\"a1\",\"n\":5,\"name\":\"short\",\"w\":\"w\"}");
    AUTO_JSON *b =
        parse("{\"id\":\"b22\",\"name\":\"a name that is longer than forty columns are\"}");
    AUTO_JSON *c = parse("{\"id\":\"c33\",\"n\":1000}");
    AUTO_BUF out = BUF_INIT(4096);
    struct table t;

    table_init(&t, fields, COUNTOF(fields), &row->t, now_ms);
    table_add(&t, a);
    table_add(&t, b);
    table_flush(&t, &out);
    table_add(&t, c);
    table_flush(&t, &out);
    assert_string_equal(out.p, row->want);
    table_release(&t);
}

static void details_stand_one_under_the_other(void **state)
{
    const struct terminal t = {.columns = 40, .terminal = true};
    AUTO_JSON *doc =
        parse("{\"id\":\"a1\",\"n\":null,\"name\":\"a name that is longer than forty\"}");
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    field_details(fields, COUNTOF(fields), doc, now_ms, &t, &out);
    assert_string_equal(out.p, "ID    a1\n"
                               "NAME  a name that is longer than forty\n");
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(details_stand_one_under_the_other)};

    return TABLE_RUN("values", value_rows, check_value) +
           TABLE_RUN("tables", table_rows, check_table) +
           cmocka_run_group_tests_name("details", others, NULL, NULL);
}
