/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what event_write writes, event_read reads back, and the value is a CloudEvent
 * whose members say what the headers say. What did not come from event_write is refused
 * with the reason of its dead letter, never believed.
 * Proof: round trips over both streams; a table of one broken header each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "schema/event.h"
#include "common/banned.h"

#define RUN "018f2f6e-7b1c-7abc-8def-0123456789ab"

static const struct event_run run = {
    .tenant = "acme",
    .run_id = RUN,
    .batch_id = "b1",
    .custom_id = "row/7",
    .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    .created_ms = INT64_C(1795219200123), /* 2026-11-21T00:00:00.123Z */
};

static struct event line_event(void)
{
    return (struct event){
        .type = EVENT_AGENT_TOOL_USE,
        .attempt = 2,
        .epoch = 3,
        .n = 41,
        .offset = 8192,
        .time_ms = INT64_C(1795219323004),
        .data = STR("{\"line\":41,\"native\":{\"type\":\"assistant\"}}"),
        .tool = STR("Bash"),
        .model = STR("claude-sonnet-4-5"),
        .input_tokens = 17,
        .output_tokens = 4,
        .cost_usd = 0.0123,
    };
}

static struct kafka_record record_of(const struct event_record *w)
{
    return (struct kafka_record){
        .topic = "events",
        .key = STR(RUN),
        .value = buf_str(&w->value),
        .headers = w->headers,
        .n_headers = w->n_headers,
    };
}

static struct str header_of(const struct event_record *w, const char *name)
{
    for (size_t i = 0; i < w->n_headers; i++)
        if (strcmp(w->headers[i].name, name) == 0)
            return w->headers[i].value;
    return (struct str){0};
}

static void assert_str(struct str have, const char *want)
{
    assert_int_equal(have.n, strlen(want));
    assert_memory_equal(have.p, want, have.n);
}

static void write_ok(const struct event *e, struct event_record *w)
{
    struct err err = ERR_INIT;

    if (event_write(&run, e, w, &err) != ERR_OK)
        fail_msg("%s", err.msg);
}

static void line_comes_back(void **state)
{
    struct event e = line_event();
    struct event_record w;
    struct event_view v;
    struct err err = ERR_INIT;
    struct kafka_record r;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    r = record_of(&w);
    if (event_read(&r, &v, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    assert_true(v.known_type);
    assert_string_equal(event_type_name(v.event.type), "sandfleet.agent.tool_use");
    assert_str(v.id, RUN ".2.l41");
    assert_str(v.tenant, "acme");
    assert_str(v.run_id, RUN);
    assert_str(v.batch_id, "b1");
    assert_str(v.custom_id, "row/7");
    assert_str(v.event.tool, "Bash");
    assert_str(v.event.model, "claude-sonnet-4-5");
    assert_true(str_eq(v.event.data, e.data));
    assert_int_equal(v.event.attempt, 2);
    assert_int_equal(v.event.epoch, 3);
    assert_int_equal(v.event.n, 41);
    assert_int_equal(v.event.offset, 8192);
    assert_int_equal(v.event.time_ms, e.time_ms);
    assert_int_equal(v.event.input_tokens, 17);
    assert_int_equal(v.event.output_tokens, 4);
    assert_true(v.event.cost_usd > 0.01229 && v.event.cost_usd < 0.01231);
    assert_int_equal(v.created_day_ms, INT64_C(1795219200000));
    event_record_release(&w);
}

static void control_comes_back(void **state)
{
    struct event e = {
        .type = EVENT_RUN_COMPLETED, .attempt = 1, .epoch = 2, .n = 9, .data = STR("{}")};
    struct event_record w;
    struct event_view v;
    struct err err = ERR_INIT;
    struct kafka_record r;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    r = record_of(&w);
    if (event_read(&r, &v, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    assert_str(v.id, RUN ".1.c2-9");
    assert_true(event_is_terminal(v.event.type));
    assert_str(v.event.data, "{}");
    assert_int_equal(v.event.tool.n, 0);
    event_record_release(&w);
}

/* The value alone, as a consumer that knows only CloudEvents sees it. */
static void value_is_a_cloudevent(void **state)
{
    struct event e = line_event();
    struct event_record w;
    struct err err = ERR_INIT;
    cJSON *tree = NULL, *member;
    int64_t n;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    assert_string_equal(err_name(json_parse(buf_str(&w.value), JSON_STRICT, &tree, &err)), "OK");
    assert_string_equal(json_get_string(tree, "specversion"), "1.0");
    assert_string_equal(json_get_string(tree, "source"), "/tenants/acme/runs/" RUN);
    assert_string_equal(json_get_string(tree, "datacontenttype"), "application/json");
    assert_string_equal(json_get_string(tree, "time"), "2026-11-21T00:02:03.004Z");
    assert_string_equal(json_get_string(tree, "sequence"), "41");
    assert_true(json_get_int(tree, "attempt", &n) && n == 2);
    for (member = tree->child; member->next; member = member->next) {
        assert_in_range(strlen(member->string), 1, 20);
        assert_int_equal(strspn(member->string, "abcdefghijklmnopqrstuvwxyz0123456789"),
                         strlen(member->string));
        assert_false(cJSON_IsObject(member) || cJSON_IsArray(member) || cJSON_IsNull(member));
    }
    assert_string_equal(member->string, "data"); /* the last one */
    json_delete(&tree);
    event_record_release(&w);
}

static void headers_say_what_the_value_says(void **state)
{
    struct event e = line_event();
    struct event_record w;
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    assert_string_equal(err_name(json_parse(buf_str(&w.value), JSON_STRICT, &tree, &err)), "OK");
    assert_str(header_of(&w, "content-type"), "application/cloudevents+json; charset=UTF-8");
    for (size_t i = 0; i < w.n_headers; i++) {
        const cJSON *m;
        char text[64];

        if (strncmp(w.headers[i].name, "ce_", 3) != 0)
            continue;
        m = json_get(tree, w.headers[i].name + 3);
        assert_non_null(m);
        (void)snprintf(text, sizeof(text), "%lld",
                       cJSON_IsNumber(m) ? (long long)m->valuedouble : 0);
        assert_str(w.headers[i].value, cJSON_IsString(m) ? m->valuestring : text);
    }
    json_delete(&tree);
    event_record_release(&w);
}

static void reuse_does_not_leak_the_last_one(void **state)
{
    struct event first = line_event();
    struct event second = {
        .type = EVENT_AGENT_TEXT, .attempt = 1, .epoch = 1, .n = 1, .data = STR("{}")};
    struct event_record w, fresh;

    (void)state;
    event_record_init(&w);
    event_record_init(&fresh);
    write_ok(&first, &w);
    write_ok(&second, &w);
    write_ok(&second, &fresh);
    assert_true(str_eq(buf_str(&w.value), buf_str(&fresh.value)));
    assert_int_equal(w.n_headers, fresh.n_headers);
    event_record_release(&w);
    event_record_release(&fresh);
}

/* Columns are for filters: what does not fit one stays in data only. */
static void odd_columns_are_left_out(void **state)
{
    struct event e = line_event();
    struct event_record w;

    (void)state;
    event_record_init(&w);
    e.tool = STR("a\"b");
    e.model = (struct str){"a\0b", 3};
    e.input_tokens = INT64_MAX;
    e.cost_usd = -1;
    write_ok(&e, &w);
    assert_null(header_of(&w, "ce_tool").p);
    assert_null(header_of(&w, "ce_model").p);
    assert_null(header_of(&w, "ce_costusd").p);
    assert_str(header_of(&w, "ce_inputtokens"), "2147483647");
    event_record_release(&w);
}

/* --- what event_write refuses -------------------------------------------------- */

static void set_long_data(struct event *e, struct event_run *r)
{
    static char big[EVENT_DATA_MAX_BYTES + 1];

    (void)r;
    memset(big, ' ', sizeof(big));
    big[0] = '{';
    big[sizeof(big) - 1] = '}';
    e->data = (struct str){big, sizeof(big)};
}
static void set_array(struct event *e, struct event_run *r)
{
    (void)r;
    e->data = STR("[]");
}
static void set_epoch_0(struct event *e, struct event_run *r)
{
    (void)r;
    e->epoch = 0;
}
static void set_number_0(struct event *e, struct event_run *r)
{
    (void)r;
    e->n = 0;
}
static void set_run(struct event *e, struct event_run *r)
{
    (void)e;
    r->run_id = "r1";
}
static void set_tenant(struct event *e, struct event_run *r)
{
    (void)e;
    r->tenant = "a\"b";
}
static void set_created(struct event *e, struct event_run *r)
{
    (void)e;
    r->created_ms = -1;
}

static struct refused {
    const char *name;
    void (*set)(struct event *, struct event_run *);
    enum err_code want;
} refusals[] = {
    {"write: data over the ceiling", set_long_data, ERR_TOO_BIG},
    {"write: data no object", set_array, ERR_INVALID},
    {"write: epoch 0", set_epoch_0, ERR_INVALID},
    {"write: number 0", set_number_0, ERR_INVALID},
    {"write: run id no UUID", set_run, ERR_INVALID},
    {"write: tenant no name", set_tenant, ERR_INVALID},
    {"write: created before 1970", set_created, ERR_INVALID},
};

static void check_refused(void **state)
{
    const struct refused *row = *state;
    struct event e = line_event();
    struct event_run r = run;
    struct event_record w;
    struct err err = ERR_INIT;

    event_record_init(&w);
    row->set(&e, &r);
    assert_string_equal(err_name(event_write(&r, &e, &w, &err)), err_name(row->want));
    event_record_release(&w);
}

/* --- what event_read refuses --------------------------------------------------- */

#define S(text) {text, sizeof(text) - 1}

static struct broken {
    const char *name, *header; /* this header … */
    struct str value;          /* … has this value; p NULL: it is missing */
    const char *want;          /* how the message begins; NULL: accepted */
} breaks[] = {
    {"read: no run id", "ce_runid", {0}, "missing_header: ce_runid"},
    {"read: no data offset", "sf_data_at", {0}, "missing_header: sf_data_at"},
    {"read: no tool is fine", "ce_tool", {0}, NULL},
    {"read: another version", "ce_specversion", S("2.0"), "unsupported_version"},
    {"read: run id no UUID", "ce_runid", S("'; drop table runs;--"), "bad_header: ce_runid"},
    {"read: another run's id", "ce_runid", S("018f2f6e-7b1c-7abc-8def-0123456789ac"), "malformed"},
    {"read: tenant", "ce_tenant", S("../x"), "bad_header: ce_tenant"},
    {"read: attempt no number", "ce_attempt", S("0x1"), "bad_header: ce_attempt"},
    {"read: zeros in front", "ce_attempt", S("02"), "bad_header: ce_attempt"},
    {"read: attempt negative", "ce_attempt", S("-1"), "bad_header: ce_attempt"},
    {"read: epoch 0", "ce_epoch", S("0"), "bad_header: ce_epoch"},
    {"read: epoch of 20 digits", "ce_epoch", S("99999999999999999999"), "bad_header: ce_epoch"},
    {"read: epoch other than the id's", "ce_attempt", S("1"), "bad_header: ce_id"},
    {"read: number other than the id's", "ce_sequence", S("42"), "bad_header: ce_id"},
    {"read: id of the other stream", "ce_id", S(RUN ".2.c3-41"), "bad_header: ce_id"},
    {"read: id with a tail", "ce_id", S(RUN ".2.l41-1"), "bad_header: ce_id"},
    {"read: id without number", "ce_id", S(RUN ".2.l"), "bad_header: ce_id"},
    {"read: type of the other stream", "ce_type", S("sandfleet.run.held"), "bad_header: ce_id"},
    {"read: type with a blank", "ce_type", S("a b"), "bad_header: ce_type"},
    {"read: time", "ce_time", S("yesterday"), "bad_header: ce_time"},
    {"read: day", "ce_runday", S("2026-02-30"), "bad_header: ce_runday"},
    {"read: day with a time", "ce_runday", S("2026-02-20T"), "bad_header: ce_runday"},
    {"read: cost", "ce_costusd", S("nan"), "bad_header: ce_costusd"},
    {"read: cost with a tail", "ce_costusd", S("1.5x"), "bad_header: ce_costusd"},
    {"read: model not UTF-8", "ce_model", S("\xff"), "bad_header: ce_model"},
    {"read: tool with a NUL", "ce_tool", S("a\0b"), "bad_header: ce_tool"},
    {"read: tool with a newline", "ce_tool", S("a\nb"), "bad_header: ce_tool"},
    {"read: data offset 0", "sf_data_at", S("0"), "bad_header: sf_data_at"},
    {"read: data offset behind the end", "sf_data_at", S("100000"), "bad_header: sf_data_at"},
    {"read: data offset of 18 digits", "sf_data_at", S("999999999999999999"),
     "bad_header: sf_data_at"},
    {"read: data offset elsewhere", "sf_data_at", S("30"), "bad_header: sf_data_at"},
};

static void break_header(struct event_record *w, const char *name, struct str value)
{
    for (size_t i = 0; i < w->n_headers; i++)
        if (strcmp(w->headers[i].name, name) == 0) {
            if (value.p)
                w->headers[i].value = value;
            else
                w->headers[i] = w->headers[--w->n_headers];
            return;
        }
    fail_msg("no header %s", name);
}

static void check_broken(void **state)
{
    const struct broken *row = *state;
    struct event e = line_event();
    struct event_record w;
    struct event_view v;
    struct err err = ERR_INIT;
    struct kafka_record r;

    event_record_init(&w);
    write_ok(&e, &w);
    break_header(&w, row->header, row->value);
    r = record_of(&w);
    assert_string_equal(err_name(event_read(&r, &v, &err)), row->want ? "INVALID" : "OK");
    if (row->want && strncmp(err.msg, row->want, strlen(row->want)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", err.msg, row->want);
    if (row->want)
        assert_true(strncmp(row->want, event_reason(&err).p, event_reason(&err).n) == 0);
    event_record_release(&w);
}

static void read_says(struct kafka_record *r, const char *want)
{
    struct event_view v;
    struct err err = ERR_INIT;

    assert_string_equal(err_name(event_read(r, &v, &err)), "INVALID");
    assert_str(event_reason(&err), want);
}

static void values_that_are_none(void **state)
{
    struct kafka_record r = {.key = STR(RUN)};

    (void)state;
    read_says(&r, "malformed"); /* a tombstone */
    r.value = STR("not json");
    read_says(&r, "malformed");
    r.value = STR("{}");
    read_says(&r, "missing_header");
}

static void a_key_of_another_run(void **state)
{
    struct event e = line_event();
    struct event_record w;
    struct kafka_record r;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    r = record_of(&w);
    r.key = STR("other");
    read_says(&r, "malformed");
    event_record_release(&w);
}

/* Offsets that point at an object, and values that end in no object. */
static void data_that_is_not_the_data(void **state)
{
    struct event e = line_event();
    struct event_record w;
    struct kafka_record r;
    char text[24];

    (void)state;
    event_record_init(&w);
    e.data = STR("{\"line\":41,\"native\":{}}");
    write_ok(&e, &w);
    (void)snprintf(text, sizeof(text), "%zu", w.value.len - 4); /* of native's object */
    assert_memory_equal(w.value.p + w.value.len - 4, "{}}}", 4);
    break_header(&w, "sf_data_at", str_of(text));
    r = record_of(&w);
    read_says(&r, "bad_header");

    write_ok(&e, &w);
    w.value.p[w.value.len - 2] = ' ';
    r = record_of(&w);
    read_says(&r, "bad_header");
    event_record_release(&w);
}

static void a_header_that_stands_twice(void **state)
{
    struct event e = line_event();
    struct event_record w;
    struct kafka_record r;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    w.headers[w.n_headers] = w.headers[1];
    w.n_headers++;
    r = record_of(&w);
    read_says(&r, "bad_header");
    event_record_release(&w);
}

/* A newer worker's event is stored like any other. */
static void unknown_types_are_numbered(void **state)
{
    struct event e = line_event();
    struct event_record w;
    struct event_view v;
    struct err err = ERR_INIT;
    struct kafka_record r;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    break_header(&w, "ce_type", STR("sandfleet.agent.dream"));
    r = record_of(&w);
    assert_string_equal(err_name(event_read(&r, &v, &err)), "OK");
    assert_false(v.known_type);
    assert_true(event_is_line(v.event.type));
    assert_str(v.type_text, "sandfleet.agent.dream");
    event_record_release(&w);
}

static void names_of_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVENT_TYPES; i++) {
        enum event_type t;

        assert_true(event_type_parse(str_of(event_type_name((enum event_type)i)), &t));
        assert_int_equal(t, i);
        assert_false(event_is_line(t) && event_is_terminal(t));
    }
    assert_false(event_type_parse(STR("sandfleet.run"), &(enum event_type){0}));
}

static const struct CMUnitTest singles[] = {
    cmocka_unit_test(line_comes_back),
    cmocka_unit_test(control_comes_back),
    cmocka_unit_test(value_is_a_cloudevent),
    cmocka_unit_test(headers_say_what_the_value_says),
    cmocka_unit_test(reuse_does_not_leak_the_last_one),
    cmocka_unit_test(odd_columns_are_left_out),
    cmocka_unit_test(values_that_are_none),
    cmocka_unit_test(a_key_of_another_run),
    cmocka_unit_test(data_that_is_not_the_data),
    cmocka_unit_test(a_header_that_stands_twice),
    cmocka_unit_test(unknown_types_are_numbered),
    cmocka_unit_test(names_of_types),
};

int main(void)
{
    struct CMUnitTest tests[COUNTOF(singles) + COUNTOF(refusals) + COUNTOF(breaks)];
    size_t n = 0;

    for (size_t i = 0; i < COUNTOF(singles); i++)
        tests[n++] = singles[i];
    for (size_t i = 0; i < COUNTOF(refusals); i++)
        tests[n++] = (struct CMUnitTest){
            .name = refusals[i].name, .test_func = check_refused, .initial_state = &refusals[i]};
    for (size_t i = 0; i < COUNTOF(breaks); i++)
        tests[n++] = (struct CMUnitTest){
            .name = breaks[i].name, .test_func = check_broken, .initial_state = &breaks[i]};
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
