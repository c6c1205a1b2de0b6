/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what event_write writes, event_read reads back, and the value is a CloudEvent
 * whose members say what the headers say. What did not come from event_write is refused
 * with the reason of its dead letter, never believed.
 * Proof: round trips over both streams; a table of one broken attribute each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
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

static enum err_code read_back(const struct event_record *w, struct event_view *v, struct err *err)
{
    return event_read(STR(RUN), buf_str(&w->value), v, err);
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

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    if (read_back(&w, &v, &err) != ERR_OK)
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

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    if (read_back(&w, &v, &err) != ERR_OK)
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

#define S(text)    {text, sizeof(text) - 1}
#define TEXT(text) S("\"" text "\"")

static struct broken {
    const char *name, *attr; /* this attribute … */
    struct str value;        /* … has this JSON as its value; p NULL: it is missing */
    const char *want;        /* how the message begins; NULL: accepted */
} breaks[] = {
    {"read: no run id", "runid", {0}, "missing_attribute: runid"},
    {"read: no source", "source", {0}, "missing_attribute: source"},
    {"read: no tool is fine", "tool", {0}, NULL},
    {"read: another version", "specversion", TEXT("2.0"), "unsupported_version"},
    {"read: run id no UUID", "runid", TEXT("'; drop table runs;--"), "bad_attribute: runid"},
    {"read: another run's id", "runid", TEXT("018f2f6e-7b1c-7abc-8def-0123456789ac"), "malformed"},
    {"read: tenant", "tenant", TEXT("../x"), "bad_attribute: tenant"},
    {"read: tenant empty", "tenant", TEXT(""), "bad_attribute: tenant"},
    {"read: attempt no number", "attempt", S("0x1"), "malformed"},
    {"read: attempt a text", "attempt", TEXT("1"), "bad_attribute: attempt"},
    {"read: zeros in front", "attempt", S("02"), "bad_attribute: attempt"},
    {"read: attempt negative", "attempt", S("-1"), "bad_attribute: attempt"},
    {"read: epoch 0", "epoch", S("0"), "bad_attribute: epoch"},
    {"read: epoch of 20 digits", "epoch", S("99999999999999999999"), "bad_attribute: epoch"},
    {"read: epoch other than the id's", "attempt", S("1"), "bad_attribute: id"},
    {"read: number other than the id's", "sequence", TEXT("42"), "bad_attribute: id"},
    {"read: number no text", "sequence", S("41"), "missing_attribute: sequence"},
    {"read: id of the other stream", "id", TEXT(RUN ".2.c3-41"), "bad_attribute: id"},
    {"read: id with a tail", "id", TEXT(RUN ".2.l41-1"), "bad_attribute: id"},
    {"read: id without number", "id", TEXT(RUN ".2.l"), "bad_attribute: id"},
    {"read: type of the other stream", "type", TEXT("sandfleet.run.held"), "bad_attribute: id"},
    {"read: type with a blank", "type", TEXT("a b"), "bad_attribute: type"},
    {"read: time", "time", TEXT("yesterday"), "bad_attribute: time"},
    {"read: day", "runday", TEXT("2026-02-30"), "bad_attribute: runday"},
    {"read: day with a time", "runday", TEXT("2026-02-20T"), "bad_attribute: runday"},
    {"read: cost", "costusd", TEXT("nan"), "bad_attribute: costusd"},
    {"read: cost with a tail", "costusd", TEXT("1.5x"), "bad_attribute: costusd"},
    {"read: model not UTF-8", "model", TEXT("\xff"), "bad_attribute: model"},
    {"read: model not ASCII is fine", "model", TEXT("caf\xc3\xa9"), NULL},
    {"read: tool with a NUL", "tool", TEXT("a\0b"), "bad_attribute: tool"},
    {"read: tool with a newline", "tool", TEXT("a\nb"), "bad_attribute: tool"},
    {"read: tool with a DEL", "tool", TEXT("a\x7f"), "bad_attribute: tool"},
    {"read: tool with an escape", "tool", TEXT("a\\\"b"), "bad_attribute: tool"},
    {"read: a second one", "tool", TEXT("a\",\"tenant\":\"b"), "bad_attribute: tenant"},
    {"read: unknown texts pass", "tool", TEXT("a\",\"newer\":\"b\\\"\\\\"), NULL},
    {"read: unknown numbers pass", "tool", TEXT("a\",\"newer\":-1.5,\"x\":true,\"y\":\""), NULL},
    {"read: unknown objects do not", "tool", TEXT("a\",\"newer\":{\"a\":1},\"y\":\""), "malformed"},
    {"read: a text without end", "tool", S("\"a"), "malformed"},
    {"read: an unknown without end", "tool", TEXT("a\",\"newer"), "malformed"},
    {"read: data a text", "data", TEXT("x"), "malformed"},
    {"read: no data", "data", {0}, "malformed"},
};

static const char *member_end(const char *p)
{
    if (*p == '{')
        return p + strlen(p) - 1;
    return *p == '"' ? strchr(p + 1, '"') + 1 : p + strspn(p, "0123456789");
}

/* The value with another JSON text for this member, or without it. */
static void break_attr(struct event_record *w, const char *name, struct str value)
{
    AUTO_BUF out = BUF_INIT(EVENT_MAX_BYTES);
    char key[64];
    const char *at, *from;

    (void)snprintf(key, sizeof(key), "\"%s\":", name);
    at = strstr(w->value.p, key);
    if (!at)
        fail_msg("no attribute %s", name);
    from = at + strlen(key);
    buf_add(&out, w->value.p, (size_t)((value.p ? from : at - 1) - w->value.p));
    buf_addstr(&out, value);
    buf_addstr(&out, str_of(member_end(from)));
    if (out.p[0] == ',')
        out.p[0] = '{'; /* the first one is missing */
    buf_clear(&w->value);
    buf_addstr(&w->value, buf_str(&out));
}

static void check_broken(void **state)
{
    const struct broken *row = *state;
    struct event e = line_event();
    struct event_record w;
    struct event_view v;
    struct err err = ERR_INIT;

    event_record_init(&w);
    write_ok(&e, &w);
    break_attr(&w, row->attr, row->value);
    assert_string_equal(err_name(read_back(&w, &v, &err)), row->want ? "INVALID" : "OK");
    if (row->want && strncmp(err.msg, row->want, strlen(row->want)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", err.msg, row->want);
    if (row->want)
        assert_true(strncmp(row->want, event_reason(&err).p, event_reason(&err).n) == 0);
    event_record_release(&w);
}

static void values_that_are_none(void **state)
{
    static const struct {
        struct str value;
        const char *want;
    } rows[] = {
        {{0}, "malformed"}, /* a tombstone */
        {S("not json"), "malformed"},
        {S("{}"), "missing_attribute"},
        {S("{\"data\":{}}"), "missing_attribute"},
        {S("{\"data\":{}"), "malformed"},
        {S("{\"a\":1}"), "malformed"},
        {S("{\"a}"), "malformed"},
        {S("{\"a\":}"), "malformed"},
        {S("{ \"specversion\":\"1.0\"}"), "malformed"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct event_view v;
        struct err err = ERR_INIT;

        assert_string_equal(err_name(event_read(STR(RUN), rows[i].value, &v, &err)), "INVALID");
        assert_str(event_reason(&err), rows[i].want);
    }
}

/* Refused, or with data that is no JSON, which its reader looks at. */
static void is_no_event(struct str value)
{
    struct event_view v;
    struct json_scan scan;
    struct err err = ERR_INIT;

    if (event_read(STR(RUN), value, &v, &err) == ERR_OK)
        assert_string_equal(err_name(json_scan(v.event.data, NULL, 0, &scan, &err)), "INVALID");
}

/* However a value is cut short, nothing behind it is read. */
static void cut_anywhere(void **state)
{
    struct event e = line_event();
    struct event_record w;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    for (size_t n = 0; n < w.value.len; n++) {
        char *exact = malloc(n + !n);

        memcpy(exact, w.value.p, n);
        is_no_event((struct str){exact, n});
        free(exact);
    }
    event_record_release(&w);
}

static void data_that_is_not_the_last(void **state)
{
    struct event e = line_event();
    struct event_record w;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    break_attr(&w, "traceparent", STR("\"x\",\"data\":{\"a\":1}"));
    is_no_event(buf_str(&w.value));
    event_record_release(&w);
}

static void a_key_of_another_run(void **state)
{
    struct event e = line_event();
    struct event_record w;
    struct event_view v;
    struct err err = ERR_INIT;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    assert_string_equal(err_name(event_read(STR("other"), buf_str(&w.value), &v, &err)), "INVALID");
    assert_str(event_reason(&err), "malformed");
    event_record_release(&w);
}

/* Another program may write the members in another order. */
static void in_any_order(void **state)
{
    struct event e = line_event();
    struct event_record w;
    struct event_view v;
    struct err err = ERR_INIT;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    break_attr(&w, "tenant", (struct str){0});
    break_attr(&w, "specversion", (struct str){0});
    break_attr(&w, "datacontenttype", STR("\"x\",\"specversion\":\"1.0\",\"tenant\":\"acme\""));
    if (read_back(&w, &v, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    assert_str(v.tenant, "acme");
    event_record_release(&w);
}

/* A newer worker's event is stored like any other. */
static void unknown_types_are_numbered(void **state)
{
    struct event e = line_event();
    struct event_record w;
    struct event_view v;
    struct err err = ERR_INIT;

    (void)state;
    event_record_init(&w);
    write_ok(&e, &w);
    break_attr(&w, "type", STR("\"sandfleet.agent.dream\""));
    assert_string_equal(err_name(read_back(&w, &v, &err)), "OK");
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
    cmocka_unit_test(cut_anywhere),
    cmocka_unit_test(data_that_is_not_the_last),
    cmocka_unit_test(in_any_order),
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
