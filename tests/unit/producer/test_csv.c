/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: CSV is read as RFC 4180 has it, and what is none is told with its place.
 * Proof: texts as rows; what comes out is written as [field|field] a record. Each text is also
 * read in two pieces, cut at every byte. */
#include <stdio.h>
#include <string.h>

#include "producer/batch/csv.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *text, *want;
} rows[] = {
    {"plain", "a,b\nc,d\n", "[a|b][c|d]"},
    {"no newline at the end", "a,b", "[a|b]"},
    {"CRLF", "a,b\r\nc,d\r\n", "[a|b][c|d]"},
    {"empty fields", ",\n,,\n", "[|][||]"},
    {"blank lines", "a\n\n\r\nb\n", "[a][][][b]"},
    {"an empty text is no blank line", "\"\"\n", "[]"},
    {"quoted", "\"a\",\"b c\"\n", "[a|b c]"},
    {"comma inside", "\"a,b\",c\n", "[a,b|c]"},
    {"newline inside", "\"a\nb\",c\nd,e\n", "[a\nb|c][d|e]"},
    {"CRLF inside", "\"a\r\nb\"\r\n", "[a\r\nb]"},
    {"quotes doubled", "\"\"\"a\"\" b\"\"\",\"\"\"\"\n", "[\"a\" b\"|\"]"},
    {"quoted at the end", "a,\"b\"", "[a|b]"},
    {"quoted nothing at the end", "a,\"\"", "[a|]"},
    {"comma at the end", "a,", "[a|]"},
    {"space is part of a field", " a , b \n", "[ a | b ]"},
    {"quote in the middle", "a,b\nc\"d\",e\nf,g\n", "[a|b]<1:2 a quote inside>[f|g]"},
    {"space before a quote", "a, \"b\"\n", "<0:4 a quote inside>"},
    {"text behind a quote", "\"a\"b,c\nd\n", "<0:4 text behind th>[d]"},
    {"quote never closed", "a\n\"b\nc\n", "[a]<1:1 a quote is ope>"},
    {"quote never closed, later field", "a,\"b\nc\n", "<0:3 a quote is ope>"},
    {"fault behind newlines", "\"a\nb\"x\nc\n", "<1:3 text behind th>[c]"},
    {"lone CR", "a\rb\nc\n", "<0:2 a carriage ret>[c]"},
    {"CR at the end", "a\r", "[a]"},
};

static void put(struct buf *out, const struct csv_record *r)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < r->n; i++)
        buf_addf(out, "%s" STR_FMT, i ? "|" : "", STR_ARG(r->fields[i]));
    buf_addc(out, ']');
}

/* Reads text, of which `first` bytes are there at first. */
static void read_all(const char *given, size_t first, struct buf *out)
{
    static struct csv_record r;
    struct csv_fault fault;
    size_t total = strlen(given), end = first, at = 0, used = 0;
    int64_t line = 0;
    char text[256];

    memcpy(text, given, total + 1);
    for (;;) {
        enum csv_step step = CSV_MORE;

        if (at < end)
            step = csv_read(text + at, end - at, end == total, &r, &used, &fault);
        if (step == CSV_MORE && end == total)
            return;
        if (step == CSV_MORE) {
            end = total;
        } else if (step == CSV_FAULT) {
            buf_addf(out, "<%d:%d %.14s>", (int)(line + fault.line), (int)fault.column, fault.why);
            line += fault.line + 1;
            at += used;
        } else {
            put(out, &r);
            line += r.lines;
            at += used;
        }
    }
}

static void check(void **state)
{
    const struct row *row = *state;

    for (size_t first = 0; first <= strlen(row->text); first++) {
        AUTO_BUF got = BUF_INIT(4096);

        read_all(row->text, first, &got);
        if (!str_is(buf_str(&got), row->want))
            fail_msg("cut at %zu: '%s', not '%s'", first, got.p, row->want);
    }
}

static void too_many_fields(void **state)
{
    static struct csv_record r;
    struct csv_fault fault;
    char text[2 * CSV_FIELDS_MAX + 2];
    size_t used;

    (void)state;
    memset(text, ',', sizeof text);
    text[CSV_FIELDS_MAX - 1] = '\n';
    assert_int_equal(csv_read(text, CSV_FIELDS_MAX, true, &r, &used, &fault), CSV_RECORD);
    assert_int_equal(r.n, CSV_FIELDS_MAX);
    text[CSV_FIELDS_MAX - 1] = ',';
    text[CSV_FIELDS_MAX] = '\n';
    assert_int_equal(csv_read(text, sizeof text, true, &r, &used, &fault), CSV_FAULT);
    assert_int_equal(used, CSV_FIELDS_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest whole[] = {cmocka_unit_test(too_many_fields)};

    return TABLE_RUN("csv", rows, check) +
           cmocka_run_group_tests_name("csv ceiling", whole, NULL, NULL);
}
