/* SPDX-License-Identifier: Apache-2.0 */
/* A batch decodes what comes, says what is poison and why, and trusts no producer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sink/records.h"

#include "common/banned.h"

static int setup(void **state)
{
    struct batch *b = malloc(sizeof(*b));

    batch_init(b, &record_topics, 100, 1 << 20);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    batch_release(*state);
    free_records();
    free(*state);
    return 0;
}

#define REQUEST(id, more) "{\"v\":1,\"run_id\":\"" id "\",\"prompt\":\"say hi\"" more "}"

static void requests(void **state)
{
    struct batch *b = *state;
    static const struct {
        const char *key, *json;
        enum item_kind want;
    } rows[] = {
        {RUN_A, REQUEST(RUN_A, ""), ITEM_REQUEST},
        {"chat-1", REQUEST(RUN_A, ",\"session\":{\"id\":\"chat-1\"}"), ITEM_REQUEST},
        {RUN_B, REQUEST(RUN_A, ""), ITEM_REFUSED}, /* the worker says key_mismatch */
        {RUN_A, REQUEST(RUN_A, ",\"colour\":1"), ITEM_REFUSED},
        {RUN_A, "garbage", ITEM_REFUSED},
        {RUN_A, "", ITEM_REFUSED},
    };

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        add_request(b, TOPIC_BATCH, rows[i].key, rows[i].json);
        assert_int_equal(b->items[i].kind, rows[i].want);
    }
    assert_int_equal(b->refused, 4);
    assert_string_equal(b->items[0].request->prompt, "say hi");
}

static void events(void **state)
{
    struct batch *b = *state;

    add_event(b, RUN_A,
              (struct event){.type = EVENT_AGENT_TOOL_USE,
                             .attempt = 2,
                             .epoch = 3,
                             .n = 4,
                             .offset = 99,
                             .tool = STR("Bash"),
                             .data = STR("{\"a\":\"b\\u0000c\\ud800\"}")});
    assert_int_equal(b->items[0].kind, ITEM_EVENT);
    assert_int_equal(b->items[0].run[15], 0x0a);
    assert_int_equal(b->items[0].event.event.n, 4);
    assert_true(str_is(b->items[0].event.event.tool, "Bash"));
    assert_true(str_is(b->items[0].event.event.data, "{\"a\":\"b\\ufffdc\\ufffd\"}"));
}

/* The bytes behind `find` become `with`, which are as many. */
static void poison_with(struct batch *b, const char *find, struct str with, const char *reason)
{
    struct kafka_record k;
    struct event_run run = {.tenant = "acme", .run_id = RUN_A, .created_ms = DAY_0};
    struct err err = ERR_INIT;
    size_t at = b->n;

    k = record_of(&run, (struct event){.type = EVENT_AGENT_TEXT,
                                       .attempt = 1,
                                       .epoch = 1,
                                       .n = 1,
                                       .data = STR("{\"x\":[1,2,3]}")});
    if (find)
        memcpy(strstr(last_record(), find), with.p, with.n);
    else
        k.value = (struct str){0};
    assert_int_equal(batch_add(b, TOPIC_EVENTS, &k, 0, &err), ERR_OK);
    assert_int_equal(b->items[at].kind, ITEM_POISON);
    if (!str_is(b->items[at].reason, reason))
        fail_msg("reason " STR_FMT ", not %s", STR_ARG(b->items[at].reason), reason);
    assert_true(b->items[at].detail.n > 0);
}

static void poison(void **state)
{
    poison_with(*state, NULL, (struct str){0}, "malformed");
    poison_with(*state, "\"tenant\"", STR("\"tenanx\""), "missing_attribute");
    poison_with(*state, "[1,2,3]", STR("{1,2,3]"), "malformed");
    poison_with(*state, "[1,2,3]", (struct str){"[\0,2,3]", 7}, "malformed");
    poison_with(*state, "acme\"", STR("ac\xffm\""), "bad_attribute");
    poison_with(*state, "acme\"", (struct str){"ac\0m\"", 5}, "bad_attribute");
}

/* Views stay valid while the batch grows; one huge record is taken, alone. */
static void bounds(void **state)
{
    struct batch *b = *state;
    char *big = malloc(EVENT_DATA_MAX_BYTES);
    const char *first;

    batch_release(b);
    batch_init(b, &record_topics, 1000, 600 * 1000);
    add_event(b, RUN_A, (struct event){.type = EVENT_AGENT_TEXT, .attempt = 1, .epoch = 1, .n = 1});
    first = b->items[0].event.tenant.p;
    for (int64_t n = 2; n < 500; n++)
        add_event(b, RUN_A,
                  (struct event){.type = EVENT_AGENT_TEXT, .attempt = 1, .epoch = 1, .n = n});
    assert_ptr_equal(b->items[0].event.tenant.p, first);
    assert_true(str_is(b->items[0].event.tenant, "acme"));
    assert_false(batch_full(b));
    memset(big, ' ', EVENT_DATA_MAX_BYTES);
    big[0] = '{';
    big[EVENT_DATA_MAX_BYTES - 1] = '}';
    add_event(b, RUN_A,
              (struct event){.type = EVENT_AGENT_TEXT,
                             .attempt = 1,
                             .epoch = 1,
                             .n = 500,
                             .data = {big, EVENT_DATA_MAX_BYTES}});
    assert_true(batch_full(b));
    batch_clear(b);
    assert_int_equal(b->bytes, 0);
    assert_false(batch_full(b));
    free(big);
}

static void details_are_whole_characters(void **state)
{
    struct batch *b = *state;
    struct err err = ERR_INIT;

    add_request(b, TOPIC_BATCH, RUN_A, "x");
    assert_int_equal(batch_poison(b, 0, STR("why"), "caf\303", &err), ERR_OK);
    assert_true(str_is(b->items[0].detail, "caf"));
    assert_true(str_is(b->items[0].reason, "why"));
}

/* What its headers say is looked at by test_rebuild.c, with a broker. */
static void letters(void **state)
{
    struct batch *b = *state;

    add_request(b, TOPIC_DLQ, RUN_A, REQUEST(RUN_A, ""));
    assert_int_equal(b->items[0].kind, ITEM_POISON);
    assert_true(str_is(b->items[0].reason, "unspecified"));
    assert_int_equal(b->refused, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests, setup, teardown),
        cmocka_unit_test_setup_teardown(events, setup, teardown),
        cmocka_unit_test_setup_teardown(poison, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(letters, setup, teardown),
        cmocka_unit_test_setup_teardown(details_are_whole_characters, setup, teardown)};
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
