/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an accepted record is acknowledged or reported, once; ceilings hold and
 * hurt nobody else. Proof: a real broker; each story has a topic of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/common/kafka_world.h"

/* --- round trips --- */

static void check_full(void *ctx, struct kafka_record *r)
{
    struct world *w = ctx;
    if (r->offset == 0) {
        assert_true(str_is(r->key, "k") && str_is(r->value, "v"));
        assert_int_equal(r->n_headers, 2);
        assert_true(str_eq(kafka_header(r, "bytes"), (struct str){"a\0b", 3}));
        assert_true(str_is(kafka_header(r, "empty"), ""));
        assert_null(kafka_header(r, "none").p);
        assert_true(r->timestamp_ms > 1500000000000);
    } else {
        assert_true(str_is(r->key, "k"));
        assert_null(r->value.p);
        assert_int_equal(r->n_headers, 0);
    }
    if (++w->records == 2)
        loop_stop(w->l);
}

static void keys_headers_and_tombstones_survive(void **state)
{
    struct world *w = *state;
    const struct kafka_header headers[] = {{"bytes", {"a\0b", 3}}, {"empty", {"", 0}}};
    make_topic(w, w->topic, 1);
    open_producer(w, 0);
    assert_int_equal(
        producer_send(w->p, w->topic, STR("k"), STR("v"), headers, 2, on_report, w, NULL), ERR_OK);
    assert_int_equal(
        producer_send(w->p, w->topic, STR("k"), (struct str){0}, NULL, 0, NULL, NULL, NULL),
        ERR_OK);
    assert_true(producer_flush(w->p, 60000));
    w->c = open_consumer(w, NULL,
                         &(struct consumer_events){.record = check_full, .failed = on_failed});
    assign(w, w->c, KAFKA_EARLIEST, 1);
    loop_run(w->l);
    assert_int_equal(w->records, 2);
}

static void keys_go_where_kafka_partition_says(void **state)
{
    struct world *w = *state;
    make_topic(w, w->topic, 7);
    open_producer(w, 0);
    for (int i = 0; i < 30; i++) {
        char key[32];
        snprintf(key, sizeof key, "%.*s%d", i % 9, "key-with-", i);
        send_text(w, str_of(key), STR("1"));
        loop_run(w->l); /* until it is reported */
        assert_int_equal(w->partition, kafka_partition(str_of(key), 7));
    }
}

/* --- ceilings --- */

static void back_pressure_and_room(void **state)
{
    struct world *w = *state;
    static char big[10000];
    struct err e = ERR_INIT;
    size_t sent = 0;
    make_topic(w, w->topic, 1);
    open_producer(w, 100000);
    memset(big, 'x', sizeof big);
    while (producer_send(w->p, w->topic, STR("k"), (struct str){big, sizeof big}, NULL, 0,
                         on_report, w, &e) == ERR_OK)
        sent++;
    assert_string_equal(err_name(e.code), "THROTTLED");
    assert_in_range(sent, 5, 10);
    assert_int_equal(w->rooms, 0);
    while (w->rooms == 0)
        loop_run(w->l);
    send_text(w, STR("k"), STR("1"));
    loop_run(w->l);
    assert_int_equal(w->rooms, 1);
    assert_int_equal(w->refused, 0);
}

static void too_big_hurts_nobody_else(void **state)
{
    struct world *w = *state;
    size_t n = 1500000;
    char *noise = malloc(n + 200000);
    uint32_t x = 1;
    for (size_t i = 0; i < n + 200000; i++) {
        x = x * 1664525 + 1013904223;
        noise[i] = (char)(x >> 24);
    }
    make_topic(w, w->topic, 1);
    open_producer(w, 0);
    send_numbers(w, 0, 50);
    send_text(w, STR("k"), (struct str){noise, n}); /* the topic refuses it */
    send_numbers(w, 50, 50);
    assert_string_equal(
        err_name(producer_send(w->p, w->topic, STR("k"), (struct str){noise, n + 200000}, NULL, 0,
                               on_report, w, NULL)),
        "TOO_BIG");
    loop_run(w->l);
    assert_int_equal(w->reported, 101);
    assert_int_equal(w->refused, 1);
    assert_string_equal(err_name(w->refusal.code), "TOO_BIG");
    assert_int_equal(w->dead.code, ERR_OK);
    free(noise);
}

/* Each of many is reported as if it were alone; one that cannot go hurts nobody else, and what
 * finds no room is told so and goes later. */
static void many_at_once(void **state)
{
    struct world *w = *state;
    static char values[PRODUCER_MANY][1000], big[1700000];
    struct producer_record records[PRODUCER_MANY];
    struct err e = ERR_INIT;
    size_t sent = 0;

    make_topic(w, w->topic, 3);
    open_producer(w, 16 * (sizeof values[0] + 300)); /* room for half of them */
    for (size_t i = 0; i < COUNTOF(records); i++) {
        memset(values[i], 'a' + (int)(i % 26), sizeof values[i]);
        records[i] = (struct producer_record){.key = {values[i], 5},
                                              .value = {values[i], sizeof values[i]},
                                              .fn = on_report,
                                              .ctx = w};
    }
    records[2].value = (struct str){big, sizeof big};
    assert_string_equal(err_name(producer_send_many(w->p, w->topic, records, COUNTOF(records), &e)),
                        "THROTTLED");
    for (size_t i = 0; i < COUNTOF(records); i++)
        sent += records[i].rc == ERR_OK;
    assert_int_equal(sent, 2); /* the big one has no room behind the first two */
    while (w->rooms == 0)
        loop_run(w->l);
    assert_string_equal(err_name(producer_send_many(w->p, w->topic, records + 2, 1, &e)),
                        "TOO_BIG");
    assert_non_null(strstr(e.msg, w->topic));
    for (size_t at = 3; at < COUNTOF(records); at += sent) {
        enum err_code rc =
            producer_send_many(w->p, w->topic, records + at, COUNTOF(records) - at, &e);

        for (sent = 0; at + sent < COUNTOF(records) && records[at + sent].rc == ERR_OK;)
            sent++;
        assert_string_equal(err_name(rc), at + sent < COUNTOF(records) ? "THROTTLED" : "OK");
        if (sent == 0)
            loop_run(w->l);
    }
    assert_true(producer_flush(w->p, 60000));
    assert_int_equal(w->reported, COUNTOF(records) - 1);
    assert_int_equal(w->refused, 0);
}

/* --- what stops --- */

static void an_unknown_topic_is_reported_to_the_sender(void **state)
{
    struct world *w = *state;
    open_producer(w, 0);
    send_text(w, STR("k"), STR("1"));
    loop_run(w->l);
    assert_string_equal(err_name(w->refusal.code), "CONFIG");
    assert_non_null(strstr(w->refusal.msg, "sandfleet topics apply"));
}

/* --- freed in a callback --- */

static void free_consumer(void *ctx, struct kafka_record *r)
{
    struct world *w = ctx;
    (void)r;
    w->records++;
    consumer_free(w->c);
    w->c = NULL;
    loop_stop(w->l);
}

static void free_producer(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct world *w = ctx;
    (void)e;
    (void)partition;
    (void)offset;
    w->reported++;
    producer_free(w->p);
    w->p = NULL;
    loop_stop(w->l);
}

static void freed_in_a_callback(void **state)
{
    struct world *w = *state;
    make_topic(w, w->topic, 1);
    produce_numbers(w, 10);
    w->c = open_consumer(w, NULL,
                         &(struct consumer_events){.record = free_consumer, .failed = on_failed});
    assign(w, w->c, KAFKA_EARLIEST, 1);
    while (w->records == 0)
        loop_run(w->l);
    w->reported = 0;
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            producer_send(w->p, w->topic, STR("k"), STR("1"), NULL, 0, free_producer, w, NULL),
            ERR_OK);
    while (w->reported == 0)
        loop_run(w->l);
    assert_int_equal(w->reported, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_headers_and_tombstones_survive),
        TEST(keys_go_where_kafka_partition_says),
        TEST(back_pressure_and_room),
        TEST(too_big_hurts_nobody_else),
        TEST(many_at_once),
        TEST(an_unknown_topic_is_reported_to_the_sender),
        TEST(freed_in_a_callback),
    };
    return cmocka_run_group_tests_name("kafka_producer", tests, NULL, NULL);
}
