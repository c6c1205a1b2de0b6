/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what a client means is read whatever else stands in its message, and what it does not
 * say is not made up.
 * Proof: messages by table; each of the two alphabets of base64. */
#include <signal.h>
#include <string.h>

#include "common/json/json.h"
#include "sandboxd/envd/process_message.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *json;
    bool pty;
    const char *bytes; /* NULL: refused with code */
    enum rpc_code code;
} rows[] = {
    {"stdin", "{\"input\":{\"stdin\":\"aGk=\"}}", false, "hi", 0},
    {"pty", "{\"input\":{\"pty\":\"aGk=\",\"x\":1}}", true, "hi", 0},
    {"no padding", "{\"input\":{\"stdin\":\"aGk\"}}", false, "hi", 0},
    {"the other alphabet", "{\"input\":{\"stdin\":\"Pj4_Pj4-\"}}", false, ">>?>>>", 0},
    {"nothing to write", "{\"input\":{\"stdin\":\"\"}}", false, "", 0},
    {"no base64", "{\"input\":{\"stdin\":\"a\"}}", false, NULL, RPC_INVALID_ARGUMENT},
    {"a mixture", "{\"input\":{\"stdin\":\"a b-\"}}", false, NULL, RPC_INVALID_ARGUMENT},
    {"a number", "{\"input\":{\"stdin\":1}}", false, NULL, RPC_UNIMPLEMENTED},
    {"neither", "{\"input\":{}}", false, NULL, RPC_UNIMPLEMENTED},
    {"no input", "{}", false, NULL, RPC_UNIMPLEMENTED},
};

static cJSON *tree(const char *json)
{
    cJSON *m = NULL;

    assert_int_equal(json_parse(str_of(json), 0, &m, NULL), ERR_OK);
    return m;
}

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_JSON *m = tree(r->json);
    struct input in = {.bytes = BUF_INIT(INPUT_MAX)};
    enum rpc_code code = RPC_CODES;
    struct err err = ERR_INIT;

    if (r->bytes != NULL) {
        assert_int_equal(input_read(m, &in, &code, &err), ERR_OK);
        assert_int_equal(in.pty, r->pty);
        assert_true(str_is(buf_str(&in.bytes), r->bytes));
    } else {
        assert_int_not_equal(input_read(m, &in, &code, &err), ERR_OK);
        assert_string_equal(rpc_code_text(code), rpc_code_text(r->code));
    }
    buf_release(&in.bytes);
}

static void selectors(void **state)
{
    static const struct {
        const char *json;
        bool ok;
        int64_t pid;
        const char *tag;
    } cases[] = {
        {"{\"process\":{\"pid\":7}}", true, 7, NULL},
        {"{\"process\":{\"tag\":\"t\"}}", true, 0, "t"},
        {"{\"process\":{\"tag\":\"\"}}", true, 0, ""},
        {"{\"process\":{}}", false, 0, NULL},
        {"{\"process\":{\"pid\":\"x\"}}", false, 0, NULL},
        {"{\"process\":7}", false, 0, NULL},
        {"{}", false, 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        AUTO_JSON *m = tree(cases[i].json);
        struct selector who;

        assert_int_equal(selector_read(m, &who), cases[i].ok);
        assert_int_equal(who.pid, cases[i].pid);
        assert_true(str_eq(str_of(who.tag), str_of(cases[i].tag)));
    }
}

static void events_of_a_stream(void **state)
{
    static const struct {
        const char *json;
        enum input_event event;
    } cases[] = {
        {"{\"start\":{\"process\":{\"pid\":7}}}", INPUT_START},
        {"{\"data\":{\"input\":{}}}", INPUT_DATA},
        {"{\"keepalive\":{}}", INPUT_KEEPALIVE},
        {"{\"keepalive\":1}", INPUT_OTHER},
        {"{\"other\":{}}", INPUT_OTHER},
        {"{}", INPUT_OTHER},
        {"[]", INPUT_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        AUTO_JSON *m = tree(cases[i].json);
        const cJSON *body = NULL;

        assert_int_equal(input_event(m, &body), cases[i].event);
        assert_int_equal(body != NULL, cases[i].event != INPUT_OTHER);
    }
}

static void sizes(void **state)
{
    static const struct {
        const char *json;
        bool asked;
        int cols, rows;
    } cases[] = {
        {"{\"pty\":{\"size\":{\"cols\":80,\"rows\":24}}}", true, 80, 24},
        {"{\"pty\":{\"size\":{\"cols\":65535,\"rows\":65536}}}", true, 65535, 0},
        {"{\"pty\":{\"size\":{\"cols\":-1}}}", true, 0, 0},
        {"{\"pty\":{}}", true, 0, 0},
        {"{\"pty\":null}", false, 0, 0},
        {"{}", false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        AUTO_JSON *m = tree(cases[i].json);
        struct terminal t;

        assert_int_equal(terminal_read(m, &t), cases[i].asked);
        assert_int_equal(t.cols, cases[i].cols);
        assert_int_equal(t.rows, cases[i].rows);
    }
}

static void signals(void **state)
{
    static const struct {
        const char *json;
        int signum;
        const char *name;
    } cases[] = {
        {"{\"signal\":\"SIGNAL_SIGKILL\"}", SIGKILL, ""},
        {"{\"signal\":9}", SIGKILL, ""},
        {"{\"signal\":\"SIGNAL_SIGTERM\"}", SIGTERM, ""},
        {"{\"signal\":15}", SIGTERM, ""},
        {"{\"signal\":2}", 0, "2"},
        {"{\"signal\":-9}", 0, "-9"},
        {"{}", 0, "SIGNAL_UNSPECIFIED"},
        {"{\"signal\":\"INT\"}", 0, "INT"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        AUTO_JSON *m = tree(cases[i].json);
        char name[64] = "";

        assert_int_equal(signal_read(m, name), cases[i].signum);
        assert_string_equal(name, cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(selectors),
        cmocka_unit_test(events_of_a_stream),
        cmocka_unit_test(sizes),
        cmocka_unit_test(signals),
    };
    int failed = TABLE_RUN("input", rows, check);

    return failed + cmocka_run_group_tests_name("process_message", more, NULL, NULL);
}
