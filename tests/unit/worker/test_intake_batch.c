/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a record is a claim or a dead letter with its reason, its bytes kept, never
 * nothing; the offset behind each partition's last record is known; a token in it is masked.
 * Proof: a table of records, and mixed batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "worker/fleet/intake_batch.h"
#include "common/banned.h"

#define ID "0197a0b4-0000-7000-8000-000000000001"

static struct row {
    const char *name, *key, *value;
    const char *reason; /* NULL: a claim */
} rows[] = {
    {"good", ID, "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\"}", NULL},
    {"good in a session", "s",
     "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\",\"session\":"
     "{\"id\":\"s\"}}",
     NULL},
    {"tombstone", ID, NULL, "empty"},
    {"no bytes", ID, "", "empty"},
    {"no JSON", ID, "not json", "malformed"},
    {"newer", ID, "{\"v\":99,\"run_id\":\"" ID "\",\"prompt\":\"x\"}", "unsupported_version"},
    {"no id", ID, "{\"v\":1,\"prompt\":\"x\"}", "missing_run_id"},
    {"bad id", ID, "{\"v\":1,\"run_id\":\"r1\",\"prompt\":\"x\"}", "invalid_run_id"},
    {"other key", "k", "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\"}", "key_mismatch"},
    {"a token", ID, "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"sk-ant-oat01-AAAA\"}",
     "secret_in_record"},
};

static struct kafka_record record(const char *key, const char *value, int32_t partition,
                                  int64_t offset)
{
    return (struct kafka_record){.topic = "t",
                                 .partition = partition,
                                 .offset = offset,
                                 .key = str_of(key),
                                 .value =
                                     value ? (struct str){value, strlen(value)} : (struct str){0}};
}

static void check(void **state)
{
    const struct row *row = *state;
    struct kafka_record r = record(row->key, row->value, 0, 7);
    struct batch b = {0};
    struct err err = ERR_INIT;

    assert_int_equal(batch_add(&b, LANE_BATCH, &r, &err), ERR_OK);
    assert_int_equal(b.n, row->reason ? 0 : 1);
    assert_int_equal(b.letters != NULL, row->reason != NULL);
    if (row->reason)
        assert_string_equal(b.letters->reason, row->reason);
    assert_int_equal(b.n_marks, 1);
    assert_int_equal(b.marks[0].next, 8);
    batch_release(&b);
}

static void letters_keep_the_record_but_no_token(void **state)
{
    const struct kafka_header headers[] = {{"h", STR("v")}, {"token", STR("sk-ant-api03-BBBB")}};
    struct kafka_record r = record("sk-ant-oat01-KEY", "say sk-ant-oat01-AAAA twice", 3, 9);
    struct dead_letter *d;

    (void)state;
    r.headers = headers;
    r.n_headers = COUNTOF(headers);
    d = dead_letter_new(&r, STR("malformed"), "malformed: why");
    assert_non_null(d);
    assert_true(str_is(d->record.value, "say ***************** twice"));
    assert_true(str_is(d->record.key, "****************"));
    assert_true(str_is(kafka_header(&d->record, "h"), "v"));
    assert_true(str_is(kafka_header(&d->record, "token"), "*****************"));
    assert_int_equal(d->record.partition, 3);
    assert_string_equal(d->reason, "malformed");
    free(d);
}

static void a_giant_is_cut(void **state)
{
    size_t n = 5 << 20;
    char *text = malloc(n);
    struct kafka_record r = {.topic = "t", .value = {text, n}};
    struct batch b = {0};
    struct err err = ERR_INIT;

    (void)state;
    memset(text, 'a', n);
    assert_int_equal(batch_add(&b, LANE_BATCH, &r, &err), ERR_OK);
    assert_string_equal(b.letters->reason, "too_large");
    assert_int_equal(b.letters->record.value.n, DEAD_LETTER_MAX_BYTES);
    assert_int_equal(b.letters->true_bytes, n);
    batch_release(&b);
    free(text);
}

/* A letter must fit into its topic, whatever of the record is large. */
static void giant_headers_and_keys_are_cut(void **state)
{
    size_t n = 5 << 20, sum = 0;
    char *text = malloc(n);
    const struct kafka_header headers[] = {{"a", {text, n}}, {"b", STR("v")}, {text, STR("w")}};
    struct kafka_record r = {
        .topic = "t", .key = {text, n}, .value = {text, n}, .headers = headers, .n_headers = 3};
    struct dead_letter *d;

    (void)state;
    memset(text, 'a', n - 1);
    text[n - 1] = '\0';
    d = dead_letter_new(&r, STR("too_large"), "why");
    assert_non_null(d);
    sum = d->record.key.n + d->record.value.n;
    for (size_t i = 0; i < d->record.n_headers; i++)
        sum += strlen(d->headers[i].name) + d->headers[i].value.n;
    assert_in_range(sum, DEAD_LETTER_MAX_BYTES, 1200 * 1000);
    assert_true(str_is(kafka_header(&d->record, "b"), "v"));
    free(d);
    free(text);
}

/* While the ledger is away nothing flies: garbage, too, must make the batch full. */
static void letters_fill_a_batch(void **state)
{
    size_t n = 1 << 20;
    char *text = malloc(n);
    struct kafka_record small = record("k", "bad", 0, 0),
                        large = {.topic = "t", .value = {text, n}};
    struct batch b = {0};
    struct err err = ERR_INIT;

    (void)state;
    memset(text, 'a', n);
    for (int i = 0; i < BATCH_MAX_RECORDS; i++) {
        assert_false(batch_is_full(&b));
        assert_int_equal(batch_add(&b, LANE_BATCH, &small, &err), ERR_OK);
    }
    assert_true(batch_is_full(&b));
    batch_release(&b);
    for (int i = 0; i < 5; i++)
        assert_int_equal(batch_add(&b, LANE_BATCH, &large, &err), ERR_OK);
    assert_true(batch_is_full(&b));
    batch_release(&b);
    free(text);
}

static void marks_follow_each_partition(void **state)
{
    const int32_t partitions[] = {0, 1, 0, 2, 1, 0};
    struct batch b = {0};
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNTOF(partitions); i++) {
        struct kafka_record r = record("k", "bad", partitions[i], (int64_t)(100 + i));
        assert_int_equal(batch_add(&b, i % 2 ? LANE_BATCH : LANE_INTERACTIVE, &r, &err), ERR_OK);
    }
    assert_int_equal(b.n_marks, 5); /* 0 and 1 stand in both lanes */
    for (size_t i = 0; i < b.n_marks; i++)
        if (b.marks[i].lane == LANE_INTERACTIVE && b.marks[i].partition == 0)
            assert_int_equal(b.marks[i].next, 103);
    batch_release(&b);
}

static void a_refused_claim_becomes_a_letter(void **state)
{
    struct kafka_record r = record(ID, rows[0].value, 0, 0);
    struct buf col[BATCH_COLUMNS];
    struct batch b = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(batch_add(&b, LANE_BATCH, &r, &err), ERR_OK);
    assert_int_equal(batch_columns(&b, 0, 1, col, &err), ERR_OK);
    assert_string_equal(col[BATCH_COL_RUN].p, "{\"" ID "\"}");
    assert_int_equal(strlen(col[BATCH_COL_HASH].p), 64 + 4);
    assert_string_equal(col[2].p, "{\"batch\"}");
    assert_string_equal(col[3].p, "{NULL}");
    assert_string_equal(col[9].p, "{NULL}");
    for (int c = 0; c < BATCH_COLUMNS; c++)
        buf_release(&col[c]);
    batch_refuse(&b, 0, "conflict", "why");
    batch_refuse(&b, 0, "conflict", "once is enough");
    assert_string_equal(b.letters->detail, "why");
    assert_null(b.letters->next);
    assert_true(str_is(b.letters->record.value, rows[0].value));
    batch_release(&b);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows)];
    const struct CMUnitTest others[] = {cmocka_unit_test(letters_keep_the_record_but_no_token),
                                        cmocka_unit_test(a_giant_is_cut),
                                        cmocka_unit_test(giant_headers_and_keys_are_cut),
                                        cmocka_unit_test(letters_fill_a_batch),
                                        cmocka_unit_test(marks_follow_each_partition),
                                        cmocka_unit_test(a_refused_claim_becomes_a_letter)};

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("intake_batch", tests, NULL, NULL) +
           cmocka_run_group_tests_name("intake_batch others", others, NULL, NULL);
}
