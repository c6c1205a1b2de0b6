/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an event's data is valid JSON under its ceiling that jsonb takes, with
 * Claude's object verbatim where nothing had to be changed, and says what was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "worker/run/stream_json.h"

enum { LINE_NO = 7, OFFSET = 1234 };

static void make(const char *line, size_t n, int64_t true_bytes, size_t masked, struct buf *out)
{
    struct stream_state st = {0};
    struct stream_line kind;
    struct err e = ERR_INIT;
    struct json_scan scan;
    char *copy = malloc(n + 1);

    memcpy(copy, line, n);
    stream_json_line(&st, (struct str){copy, n}, &kind);
    assert_string_equal(
        err_name(stream_json_data(copy, n, &kind, LINE_NO, OFFSET, true_bytes, masked, out, &e)),
        "OK");
    free(copy);
    assert_true(out->len <= EVENT_DATA_MAX_BYTES);
    assert_string_equal(err_name(json_scan(buf_str(out), NULL, 0, &scan, &e)), "OK");
    assert_true(scan.is_object);
    assert_int_equal(scan.unsafe, 0);
}

static struct row {
    const char *name, *line;
    size_t n, masked;
    const char *want;
} rows[] = {
#define LINE(s) s, sizeof(s) - 1
    {"verbatim", LINE("{ \"type\":\"x\", \"n\":1.50e2, \"s\":\"\\u00e9\"}"), 0,
     "{\"line\":7,\"offset\":1234,\"native\":{ \"type\":\"x\", \"n\":1.50e2, \"s\":\"\\u00e9\"}}"},
    {"masked", LINE("{\"k\":\"****\"}"), 2,
     "{\"line\":7,\"offset\":1234,\"masked\":2,\"native\":{\"k\":\"****\"}}"},
    {"NUL and lone surrogate", LINE("{\"k\":\"a\\u0000\\ud83d\"}"), 0,
     "{\"line\":7,\"offset\":1234,\"sanitized\":2,\"native\":{\"k\":\"a\\ufffd\\ufffd\"}}"},
    {"text", LINE("Error: \"x\"\t1"), 0,
     "{\"line\":7,\"offset\":1234,\"text\":\"Error: \\\"x\\\"\\t1\"}"},
    {"JSON, but no object", LINE("[1,2]"), 0, "{\"line\":7,\"offset\":1234,\"text\":\"[1,2]\"}"},
    {"text with a NUL", LINE("a\0b"), 0,
     "{\"line\":7,\"offset\":1234,\"sanitized\":1,\"text\":\"a\\ufffdb\"}"},
    {"invalid UTF-8", LINE("\xff\xfe"), 0,
     "{\"line\":7,\"offset\":1234,\"text\":\"\xef\xbf\xbd\xef\xbf\xbd\",\"base64\":\"//4=\"}"},
};

static void writes(void **state)
{
    const struct row *row = *state;
    AUTO_BUF out = BUF_INIT(2 << 20);

    make(row->line, row->n, (int64_t)row->n, row->masked, &out);
    assert_string_equal(out.p, row->want);
}

/* A long line of each kind: what is cut says so, and how long it was. */
static struct big {
    const char *name, *head, *tail;
    char fill;
    size_t n;
    bool native, base64, cut;
} bigs[] = {
    {"object of 5 MB", "{\"type\":\"user\",\"s\":\"", "\"}", 'x', 5 << 20, true, false, true},
    {"object just under the ceiling", "{\"s\":\"", "\"}", 'x', 900 << 10, true, false, false},
    {"text of 5 MB", "", "", 'x', 5 << 20, false, false, true},
    {"text of escapes", "", "", '\x1b', 500 << 10, false, false, true},
    {"text of quotes", "", "", '"', 300 << 10, false, false, false},
    {"NULs", "", "", '\0', 2 << 20, false, false, true},
    {"bytes, not UTF-8", "", "", '\xff', 100 << 10, false, true, false},
    {"5 MB, not UTF-8", "", "", '\xff', 5 << 20, false, true, true},
    {"object no string of which is long", "{\"a\":[1", "]}", ' ', 2 << 20, false, false, true},
};

static void stays_under_the_ceiling(void **state)
{
    const struct big *row = *state;
    AUTO_BUF line = BUF_INIT(16 << 20), out = BUF_INIT(2 << 20);
    AUTO_JSON *tree = NULL;
    bool cut = false;
    int64_t bytes = 0;
    struct err e;

    buf_adds(&line, row->head);
    memset(buf_room(&line, row->n), row->fill, row->n);
    buf_grew(&line, row->n);
    buf_adds(&line, row->tail);
    make(line.p, line.len, (int64_t)line.len, 0, &out);
    assert_string_equal(err_name(json_parse(buf_str(&out), 0, &tree, &e)), "OK");
    assert_int_equal(json_get(tree, "native") != NULL, row->native);
    assert_int_equal(json_get(tree, "base64") != NULL, row->base64);
    (void)json_get_bool(tree, "truncated", &cut);
    (void)json_get_int(tree, "bytes", &bytes);
    assert_int_equal(cut, row->cut);
    assert_int_equal(bytes, row->cut ? (int64_t)line.len : 0);
}

/* The reader's own ceiling cut the line in the middle of a euro sign. */
static void a_cut_character_is_no_bad_text(void **state)
{
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    make("5 \xe2\x82", 4, 9000000, 0, &out);
    assert_string_equal(out.p, "{\"line\":7,\"offset\":1234,\"truncated\":true,\"bytes\":9000000,"
                               "\"text\":\"5 \"}");
}

static struct seen {
    const char *name, *line, *want;
} seens[] = {
    {"text and tool",
     "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\\nb\"},"
     "{\"type\":\"tool_use\",\"name\":\"Bash\"}]}}",
     "a\nb\n[Bash]\n"},
    {"a sub-agent's",
     "{\"type\":\"assistant\",\"parent_tool_use_id\":\"t\",\"message\":{\"content\":["
     "{\"type\":\"thinking\",\"thinking\":\"x\"},{\"type\":\"text\",\"text\":\"3 files\"},"
     "{\"type\":\"tool_use\",\"name\":\"Bash\"}]}}",
     "> 3 files\n> [Bash]\n"},
    {"a delta: its block comes as a line, too",
     "{\"type\":\"stream_event\",\"event\":{\"type\":\"content_block_delta\",\"delta\":{\"type\":"
     "\"text_delta\",\"text\":\"a\"}}}",
     ""},
    {"the command's own words to the model",
     "{\"type\":\"user\",\"isSynthetic\":true,\"message\":{\"content\":[{\"type\":\"text\","
     "\"text\":\"cut off mid-stream\"}]}}",
     ""},
    {"not JSON", "boom", "boom\n"},
    {"errors of a result", "{\"type\":\"result\",\"errors\":[\"too many\"]}", "too many\n"},
    {"a good result repeats the text", "{\"type\":\"result\",\"result\":\"a\"}", ""},
    {"tool result", "{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\"}]}}",
     ""},
};

static void renders(void **state)
{
    const struct seen *row = *state;
    AUTO_BUF out = BUF_INIT(4096);
    struct stream_state st = {0};
    struct stream_line kind;

    stream_json_line(&st, str_of(row->line), &kind);
    stream_json_render(str_of(row->line), &kind, &out);
    assert_true(str_is(buf_str(&out), row->want));
}

#define ADD(table, fn)                                                                             \
    for (size_t i = 0; i < COUNTOF(table); i++)                                                    \
        tests[n++] = (struct CMUnitTest)                                                           \
        {                                                                                          \
            .name = table[i].name, .test_func = fn, .initial_state = &table[i]                     \
        }

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + COUNTOF(bigs) + COUNTOF(seens) + 1];
    size_t n = 0;

    ADD(rows, writes);
    ADD(bigs, stays_under_the_ceiling);
    ADD(seens, renders);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_cut_character_is_no_bad_text);
    return cmocka_run_group_tests_name("stream_json_data", tests, NULL, NULL);
}
