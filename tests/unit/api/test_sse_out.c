/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an event is one message on the wire, whatever stands in its data, and all columns of
 * its row are in it; a page gives each reader what it has not, and ends where the result does.
 * Proof: the bytes, from rows made by hand. */
#include <stdio.h>
#include <string.h>

#include "api/live/event_row.h"
#include "api/live/sse_out.h"
#include "api/live/sse_page.h"
#include "common/attrs.h"
#include "common/json/json.h"
#include "tests/lib/table.h"

/* --- rows ---------------------------------------------------------------------------------- */

enum { BEFORE = 2 }; /* columns of the question's own */

static PGresult *result(void)
{
    PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc columns[BEFORE + EV_COLUMNS];

    memset(columns, 0, sizeof(columns));
    for (size_t i = 0; i < COUNTOF(columns); i++)
        columns[i].name = (char *)(uintptr_t)"c";
    assert_true(PQsetResultAttrs(res, (int)COUNTOF(columns), columns));
    return res;
}

static void set(PGresult *res, int row, int column, const char *text)
{
    char copy[256];

    snprintf(copy, sizeof(copy), "%s", text ? text : "");
    assert_true(PQsetvalue(res, row, BEFORE + column, copy, text ? (int)strlen(copy) : -1));
}

static void add(PGresult *res, const char *const values[EV_COLUMNS])
{
    int row = PQntuples(res);

    assert_true(PQsetvalue(res, row, 0, (char *)(uintptr_t)"", 0));
    assert_true(PQsetvalue(res, row, 1, (char *)(uintptr_t)"", 0));
    for (int i = 0; i < EV_COLUMNS; i++)
        set(res, row, i, values[i]);
}

static void add_plain(PGresult *res, const char *sequence, const char *type, const char *data)
{
    add(res, (const char *const[EV_COLUMNS]){[EV_SEQUENCE] = sequence,
                                             [EV_TYPE] = type,
                                             [EV_TIME] = "t",
                                             [EV_ATTEMPT] = "1",
                                             [EV_EPOCH] = "1",
                                             [EV_DATA] = data});
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_row_is_one_line_of_json(void **state)
{
    PGresult *res = result();
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    add(res, (const char *const[EV_COLUMNS]){"7", "sandfleet.agent.tool_use",
                                             "2026-03-01T10:00:01.250Z", "1", "2", "3", "Ba\"sh\n",
                                             "m", "12", "5", "1e-05", "{\"a\":\r\n \"b\\n\"}"});
    add(res, (const char *const[EV_COLUMNS]){"8", "x", "t", "1", "2", NULL, NULL, NULL, NULL, NULL,
                                             "NaN", "{}"});
    event_row_write(res, 0, BEFORE, &out);
    assert_string_equal(out.p,
                        "{\"sequence\":7,\"type\":\"sandfleet.agent.tool_use\","
                        "\"time\":\"2026-03-01T10:00:01.250Z\",\"attempt\":1,\"epoch\":2,"
                        "\"line\":3,\"tool\":\"Ba\\\"sh\\n\",\"model\":\"m\",\"input_tokens\":12,"
                        "\"output_tokens\":5,\"cost_usd\":1e-05,\"data\":{\"a\":   \"b\\n\"}}");
    buf_clear(&out);
    event_row_write(res, 1, BEFORE, &out);
    assert_string_equal(out.p, "{\"sequence\":8,\"type\":\"x\",\"time\":\"t\",\"attempt\":1,"
                               "\"epoch\":2,\"line\":null,\"tool\":null,\"model\":null,"
                               "\"input_tokens\":null,\"output_tokens\":null,\"cost_usd\":null,"
                               "\"data\":{}}");
    PQclear(res);
}

static void a_message_has_its_lines(void **state)
{
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    sse_out_message(&out, 5, NULL, STR("{}"));
    sse_out_message(&out, 0, "end", STR("a\r\nb\rc\n"));
    sse_out_comment(&out, "still here");
    sse_out_retry(&out, 250);
    sse_out_message(&out, 0, NULL, STR(""));
    assert_string_equal(out.p, "id: 5\ndata: {}\n\n"
                               "event: end\ndata: a\ndata: b\ndata: c\ndata: \n\n"
                               ": still here\n\n"
                               "retry: 250\n\n"
                               "data: \n\n");
}

static void a_page_is_sliced(void **state)
{
    struct sse_page p = {0};
    PGresult *res = result();

    (void)state;
    add_plain(res, "5", "a", "{}");
    add_plain(res, "6", "b", "{}");
    add_plain(res, "9", "a", "{}");
    add_plain(res, "10", "a", NULL); /* cut by its bytes */
    sse_page_begin(&p, 4);
    for (int i = 0; i < 3; i++)
        assert_true(sse_page_add(&p, res, i, BEFORE));
    assert_false(sse_page_add(&p, res, 3, BEFORE));
    assert_int_equal(p.n, 3);
    assert_int_equal(p.from, 4);
    assert_int_equal(p.to, 9);
    assert_string_equal(p.events[1].type, "b");
    assert_int_equal(sse_page_above(&p, 4), 0);
    assert_int_equal(sse_page_above(&p, 5), 1);
    assert_int_equal(sse_page_above(&p, 7), 2);
    assert_int_equal(sse_page_above(&p, 9), 3);
    assert_true(str_eq(sse_page_slice(&p, 0, 3), buf_str(&p.text)));
    assert_true(str_starts(sse_page_slice(&p, 1, 2), "id: 6\ndata: {\"sequence\":6,"));
    assert_int_equal(sse_page_slice(&p, 3, 3).n, 0);
    sse_page_begin(&p, 9);
    assert_int_equal(p.n, 0);
    assert_int_equal(sse_page_slice(&p, 0, 0).n, 0);
    sse_page_release(&p);
    PQclear(res);
}

static void a_full_page_takes_no_more(void **state)
{
    struct sse_page p = {0};
    PGresult *res = result();

    (void)state;
    add_plain(res, "1", "a", "{}");
    sse_page_begin(&p, 0);
    for (int i = 0; i < SSE_PAGE_EVENTS; i++)
        assert_true(sse_page_add(&p, res, 0, BEFORE));
    assert_false(sse_page_add(&p, res, 0, BEFORE));
    sse_page_release(&p);
    PQclear(res);
}

static void an_id_is_a_number(void **state)
{
    int64_t id = -1;

    (void)state;
    assert_true(sse_out_read_id(STR("0"), &id));
    assert_int_equal(id, 0);
    assert_true(sse_out_read_id(STR(" 9223372036854775807 "), &id));
    assert_int_equal(id, INT64_MAX);
    assert_false(sse_out_read_id(STR(""), &id));
    assert_false(sse_out_read_id(STR("9223372036854775808"), &id));
    assert_false(sse_out_read_id(STR("-1"), &id));
    assert_false(sse_out_read_id(STR("7a"), &id));
    assert_int_equal(id, INT64_MAX);
}

static void types_are_matched(void **state)
{
    AUTO_BUF like = BUF_INIT(4096), many = BUF_INIT(4096);

    (void)state;
    assert_true(event_types_ok(STR("sandfleet.run.*,sandfleet.agent.tool_use")));
    assert_false(event_types_ok(STR("")));
    assert_false(event_types_ok(STR("*")));
    assert_false(event_types_ok(STR("a,,b")));
    assert_false(event_types_ok(STR("a,")));
    assert_false(event_types_ok(STR("a*b")));
    assert_false(event_types_ok(STR("a**")));
    assert_false(event_types_ok(STR("A")));
    assert_false(event_types_ok(STR("a%")));
    for (int i = 0; i < EVENT_TYPES_MAX; i++)
        buf_adds(&many, i ? ",a" : "a");
    assert_true(event_types_ok(buf_str(&many)));
    buf_adds(&many, ",a");
    assert_false(event_types_ok(buf_str(&many)));

    assert_true(event_types_match(NULL, "x"));
    assert_true(event_types_match("a.b,c.*", "a.b"));
    assert_true(event_types_match("a.b,c.*", "c.d"));
    assert_true(event_types_match("a.b,c.*", "c."));
    assert_false(event_types_match("a.b,c.*", "a.bc"));
    assert_false(event_types_match("a.b,c.*", "c"));

    event_types_like("a_b.*,c", &like);
    assert_string_equal(like.p, "{\"a\\\\_b.%\",\"c\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_one_line_of_json), cmocka_unit_test(a_message_has_its_lines),
        cmocka_unit_test(a_page_is_sliced),          cmocka_unit_test(a_full_page_takes_no_more),
        cmocka_unit_test(an_id_is_a_number),         cmocka_unit_test(types_are_matched),
    };

    return cmocka_run_group_tests_name("sse", tests, NULL, NULL);
}
