/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what a producer writes, a worker reads; the ceilings hold to the byte; the same
 * work has the same hash and other work another; a refused record is fit for the dead
 * letters; messages help, and show nothing that came from outside but a field's name.
 * What is refused for which reason: schema/examples/invalid (test_examples.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/uuid.h"
#include "schema/run_request.h"
#include "common/banned.h"

#define HEAD          "{\"v\":1,\"run_id\":\"018f2f6e-7b1c-7abc-8def-0123456789ab\""
#define TEXT(members) HEAD ",\"prompt\":\"x\"," members "}"

static void parse_ok(const char *text, struct run_request *r)
{
    struct err err = ERR_INIT;

    if (run_request_parse(str_of(text), r, &err) != ERR_OK)
        fail_msg("%s", err.msg);
}

static void refused(struct str text, const char *reason, struct err *err)
{
    struct run_request r;

    if (run_request_parse(text, &r, err) == ERR_OK)
        fail_msg("accepted, want %s", reason);
    if (!str_is(run_request_reason(err), reason))
        fail_msg("%s, want %s", err->msg, reason);
}

static void defaults_are_filled_in(void **state)
{
    struct run_request r;

    (void)state;
    parse_ok(HEAD ",\"prompt\":\"x\"}", &r);
    assert_string_equal(r.tenant, "default");
    assert_string_equal(r.credential, "default");
    assert_string_equal(r.working_dir, "work");
    assert_string_equal(r.template, "claude");
    assert_int_equal(r.timeout_s, 3600);
    assert_int_equal(r.n_warn, 2);
    assert_int_equal(r.warn_at_s[0], 1800);
    assert_int_equal(r.warn_at_s[1], 3000);
    assert_int_equal(r.max_attempts, 3);
    assert_int_equal(r.priority, 5);
    assert_int_equal(r.created_ms, INT64_C(0x018f2f6e7b1c)); /* the id's */
    run_request_release(&r);
}

static void values_arrive(void **state)
{
    struct run_request r;

    (void)state;
    parse_ok(TEXT("\"priority\":0,\"timeout_s\":86400,\"max_budget_usd\":0.1,\"warn_at_s\":[7],"
                  "\"created_at\":\"2026-11-21T01:02:03.004+01:00\",\"session\":{\"id\":\"s\"},"
                  "\"env\":{\"A\":\"b\"},\"max_turns\":1e1"),
             &r);
    assert_int_equal(r.priority, 0);
    assert_int_equal(r.timeout_s, 86400);
    assert_true(r.max_budget_usd > 0.0999 && r.max_budget_usd < 0.1001);
    assert_int_equal(r.n_warn, 1);
    assert_int_equal(r.created_ms, INT64_C(1795219323004));
    assert_string_equal(r.session_id, "s");
    assert_string_equal(json_get_string(r.env, "A"), "b");
    assert_int_equal(r.max_turns, 10);
    assert_true(str_is(run_request_key(&r), "s"));
    run_request_release(&r);
}

/* A caller's struct, as a producer fills it. */
static void written_by_hand(void **state)
{
    AUTO_BUF out = BUF_INIT(RUN_REQUEST_MAX_BYTES);
    struct run_request r = RUN_REQUEST_INIT, back;
    struct err err = ERR_INIT;

    (void)state;
    r.run_id = "018f2f6e-7b1c-7abc-8def-0123456789ab";
    r.prompt = "a \"quoted\"\nprompt \x01 \xc3\xa9";
    r.created_ms = INT64_C(1795219323004);
    assert_string_equal(err_name(run_request_write(&r, &out, &err)), "OK");
    assert_string_equal(out.p, HEAD ",\"prompt\":\"a \\\"quoted\\\"\\nprompt \\u0001 \xc3\xa9\","
                                    "\"created_at\":\"2026-11-21T00:02:03.004Z\"}");
    parse_ok(out.p, &back);
    assert_string_equal(back.prompt, r.prompt);
    assert_int_equal(back.created_ms, r.created_ms);
    assert_int_equal(back.created_us, 0);
    assert_true(str_is(run_request_key(&back), r.run_id));
    run_request_release(&back);
    buf_clear(&out);
    r.created_us = 7;
    assert_string_equal(err_name(run_request_write(&r, &out, &err)), "OK");
    assert_non_null(strstr(out.p, "\"created_at\":\"2026-11-21T00:02:03.004007Z\""));
    parse_ok(out.p, &back);
    assert_int_equal(back.created_ms, r.created_ms);
    assert_int_equal(back.created_us, 7);
    run_request_release(&back);
}

/* --- ceilings ------------------------------------------------------------------- */

static void check_prompt_of(size_t n, const char *reason)
{
    AUTO_BUF text = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    struct run_request r;
    struct err err = ERR_INIT;
    char *room;

    buf_adds(&text, HEAD ",\"prompt\":\"");
    room = buf_room(&text, n);
    assert_non_null(room);
    memset(room, 'a', n);
    buf_grew(&text, n);
    buf_adds(&text, "\"}");
    if (reason) {
        refused(buf_str(&text), reason, &err);
        assert_string_equal(err_name(err.code), "TOO_BIG");
        return;
    }
    parse_ok(text.p, &r);
    assert_int_equal(strlen(r.prompt), n);
    run_request_release(&r);
}

static void ceilings_hold_to_the_byte(void **state)
{
    (void)state;
    check_prompt_of(RUN_PROMPT_MAX_BYTES, NULL);
    check_prompt_of(RUN_PROMPT_MAX_BYTES + 1, "too_large");
    check_prompt_of(RUN_REQUEST_MAX_BYTES, "too_large"); /* not parsed at all */
}

static void too_large_is_not_written(void **state)
{
    AUTO_BUF out = BUF_INIT(4 * RUN_REQUEST_MAX_BYTES);
    struct run_request r = RUN_REQUEST_INIT;
    struct err err = ERR_INIT;
    char *prompt = malloc(RUN_REQUEST_MAX_BYTES + 1);

    (void)state;
    assert_non_null(prompt);
    memset(prompt, 'a', RUN_REQUEST_MAX_BYTES);
    prompt[RUN_REQUEST_MAX_BYTES] = '\0';
    r.run_id = "018f2f6e-7b1c-7abc-8def-0123456789ab";
    r.prompt = prompt;
    assert_string_equal(err_name(run_request_write(&r, &out, &err)), "TOO_BIG");
    free(prompt);
}

static void deep_is_refused(void **state)
{
    AUTO_BUF text = BUF_INIT(RUN_REQUEST_MAX_BYTES);
    struct err err = ERR_INIT;

    (void)state;
    buf_adds(&text, HEAD ",\"prompt\":\"x\",\"metadata\":");
    for (int i = 0; i < 100000; i++)
        buf_addc(&text, '[');
    refused(buf_str(&text), "malformed", &err);
}

static void check_env_of(int n, bool ok)
{
    AUTO_BUF text = BUF_INIT(RUN_REQUEST_MAX_BYTES);
    struct err err = ERR_INIT;
    struct run_request r;

    buf_adds(&text, HEAD ",\"prompt\":\"x\",\"env\":{");
    for (int i = 0; i < n; i++)
        buf_addf(&text, "%s\"A%d\":\"\"", i ? "," : "", i);
    buf_adds(&text, "}}");
    if (!ok) {
        refused(buf_str(&text), "invalid_field", &err);
        return;
    }
    parse_ok(text.p, &r);
    run_request_release(&r);
}

static void env_has_64_entries(void **state)
{
    (void)state;
    check_env_of(64, true);
    check_env_of(65, false);
}

static void a_raw_nul_is_refused(void **state)
{
    static const char text[] = HEAD ",\"prompt\":\"a\0b\"}";
    struct err err = ERR_INIT;

    (void)state;
    refused((struct str){text, sizeof(text) - 1}, "malformed", &err);
    refused(STR(HEAD ",\"prompt\":\"\xc3\x28\"}"), "malformed", &err);
    refused((struct str){NULL, 0}, "empty", &err);
}

/* --- messages ------------------------------------------------------------------- */

static struct message {
    const char *name, *text, *want;
} messages[] = {
    {"near: letter case", HEAD ",\"Prompt\":\"a\"}",
     "unknown_field: 'Prompt'; did you mean 'prompt'?"},
    {"near: underscore", TEXT("\"maxturns\":1"),
     "unknown_field: 'maxturns'; did you mean 'max_turns'?"},
    {"near: a letter", TEXT("\"tmeout_s\":1"),
     "unknown_field: 'tmeout_s'; did you mean 'timeout_s'?"},
    {"far", TEXT("\"xyzzy\":1"), "unknown_field: 'xyzzy'"},
    {"a name that is not shown", TEXT("\"a\\nb\":1"), "unknown_field: a name of 3 bytes"},
    {"type", HEAD ",\"prompt\":5}", "invalid_field: 'prompt' must be a string"},
    {"range", TEXT("\"max_attempts\":0"),
     "invalid_field: 'max_attempts' must be a whole number in 1..20"},
    {"not supported", TEXT("\"webhook\":\"x\""),
     "invalid_field: 'webhook' is not taken in a request: `sandfleet webhook add` names who is "
     "told"},
    {"one of few", TEXT("\"session\":{\"id\":\"s\",\"on_busy\":\"replace\"}"),
     "invalid_field: 'session' on_busy must be enqueue, reject or interrupt"},
};

static void check_message(void **state)
{
    const struct message *row = *state;
    struct run_request r;
    struct err err = ERR_INIT;

    assert_string_equal(err_name(run_request_parse(str_of(row->text), &r, &err)), "INVALID");
    assert_string_equal(err.msg, row->want);
}

static void drafts_may_lack_an_id(void **state)
{
    struct run_request r;
    struct err err = ERR_INIT;

    (void)state;
    assert_string_equal(err_name(run_request_parse_draft(STR("{\"prompt\":\"x\"}"), &r, &err)),
                        "OK");
    assert_null(r.run_id);
    run_request_release(&r);
    assert_string_equal(
        err_name(run_request_parse_draft(STR("{\"v\":2,\"prompt\":\"x\"}"), &r, &err)), "INVALID");
    assert_string_equal(
        err_name(run_request_parse_draft(STR("{\"run_id\":\"r1\",\"prompt\":\"x\"}"), &r, &err)),
        "INVALID");
}

static void keys_are_checked(void **state)
{
    struct run_request r;
    struct err err = ERR_INIT;

    (void)state;
    parse_ok(TEXT("\"session\":{\"id\":\"s\"}"), &r);
    assert_string_equal(err_name(run_request_check_key(&r, STR("s"), &err)), "OK");
    assert_string_equal(err_name(run_request_check_key(&r, str_of(r.run_id), &err)), "INVALID");
    assert_true(str_is(run_request_reason(&err), "key_mismatch"));
    assert_string_equal(err_name(run_request_check_key(&r, (struct str){0}, &err)), "INVALID");
    run_request_release(&r);
}

/* --- names and prompts ------------------------------------------------------------ */

static void names(void **state)
{
    static const char *const bad[] = {
        "",        "..", "a b", "-rf", ".hidden", "%s%n%x", "a\n", "a\"b", "'; drop table runs;--",
        "\xc3\xa9"};
    char longest[RUN_NAME_MAX_BYTES + 1];

    (void)state;
    memset(longest, 'a', sizeof(longest));
    assert_true(run_name_ok((struct str){longest, RUN_NAME_MAX_BYTES}));
    assert_false(run_name_ok((struct str){longest, RUN_NAME_MAX_BYTES + 1}));
    assert_true(run_name_ok(STR("a/b:c@d+e-f.g_9")));
    assert_false(run_name_ok((struct str){"a\0b", 3}));
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_false(run_name_ok(str_of(bad[i])));
}

static void prompts(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_string_equal(err_name(run_prompt_check(STR("--version"), &err)), "OK");
    assert_string_equal(err_name(run_prompt_check(STR(" \n"), &err)), "INVALID");
    assert_string_equal(err_name(run_prompt_check((struct str){"a\0b", 3}, &err)), "INVALID");
    assert_string_equal(err.msg, "the prompt has a NUL at byte 1");
    assert_string_equal(err_name(run_prompt_check(STR("ab\xff\xfe"), &err)), "INVALID");
    assert_string_equal(err.msg, "the prompt is not UTF-8 at byte 2");
}

/* --- hash ------------------------------------------------------------------------- */

static struct pair {
    const char *name, *a, *b;
    bool same;
} pairs[] = {
    {"hash: another id, time and key",
     TEXT("\"idempotency_key\":\"k\",\"created_at\":\"2026-11-21T00:00:00Z\""),
     "{\"v\":1,\"run_id\":\"018f2f6e-7b1c-7abc-8def-0123456789ac\",\"prompt\":\"x\"}", true},
    {"hash: a default said aloud",
     TEXT("\"tenant\":\"default\",\"priority\":5,\"warn_at_s\":[1800,3000]"),
     HEAD ",\"prompt\":\"x\"}", true},
    {"hash: order of fields", TEXT("\"user_id\":\"u\",\"tenant\":\"t\""),
     TEXT("\"tenant\":\"t\",\"user_id\":\"u\""), true},
    {"hash: order of members", TEXT("\"metadata\":{\"a\":{\"x\":1,\"y\":2},\"b\":[]}"),
     TEXT("\"metadata\":{\"b\":[],\"a\":{\"y\":2,\"x\":1}}"), true},
    {"hash: spelling", TEXT("\"metadata\":{\"a\":1.0}"), TEXT("\"metadata\": {\"\\u0061\" : 1}"),
     true},
    {"hash: minus zero", TEXT("\"metadata\":{\"a\":-0}"), TEXT("\"metadata\":{\"a\":0}"), true},
    {"hash: another field", TEXT("\"project_id\":\"a\""), TEXT("\"user_id\":\"a\""), false},
    {"hash: another prompt", TEXT("\"tenant\":\"t\""), HEAD ",\"prompt\":\"y\",\"tenant\":\"t\"}",
     false},
    {"hash: order in lists", TEXT("\"tags\":[\"a\",\"b\"]"), TEXT("\"tags\":[\"b\",\"a\"]"), false},
    {"hash: text is no number", TEXT("\"metadata\":{\"a\":1}"), TEXT("\"metadata\":{\"a\":\"1\"}"),
     false},
    {"hash: true is not false", TEXT("\"metadata\":{\"a\":true}"),
     TEXT("\"metadata\":{\"a\":false}"), false},
    {"hash: empty is not absent", TEXT("\"metadata\":{}"), TEXT("\"tags\":[]"), false},
    {"hash: values do not run together", TEXT("\"project_id\":\"ab\",\"user_id\":\"c\""),
     TEXT("\"project_id\":\"a\",\"user_id\":\"bc\""), false},
    {"hash: swapped values", TEXT("\"metadata\":{\"a\":1,\"b\":2}"),
     TEXT("\"metadata\":{\"a\":2,\"b\":1}"), false},
    {"hash: priority 0 is one", TEXT("\"priority\":0"), TEXT("\"priority\":5"), false},
};

static void check_pair(void **state)
{
    const struct pair *row = *state;
    struct run_request a, b;
    uint8_t hash_a[32], hash_b[32];

    parse_ok(row->a, &a);
    parse_ok(row->b, &b);
    run_request_hash(&a, hash_a);
    run_request_hash(&b, hash_b);
    assert_int_equal(memcmp(hash_a, hash_b, sizeof(hash_a)) == 0, row->same);
    run_request_release(&a);
    run_request_release(&b);
}

static void derived_ids(void **state)
{
    char a[UUID_TEXT], b[UUID_TEXT];

    (void)state;
    run_request_derive_id("t", "k", a);
    run_request_derive_id("t", "k", b);
    assert_string_equal(a, b);
    assert_true(uuid_valid(str_of(a)));
    run_request_derive_id("tk", "", b);
    assert_string_not_equal(a, b);
    run_request_derive_id("u", "k", b);
    assert_string_not_equal(a, b);
}

/* --- masking ------------------------------------------------------------------------ */

static struct mask {
    const char *name, *text, *want;
} masks[] = {
    {"mask: a token", "{\"a\":\"sk-ant-oat01-A_b-9\",\"b\":1}",
     "{\"a\":\"******************\",\"b\":1}"},
    {"mask: two", "sk-ant-a sk-ant-b", "******** ********"},
    {"mask: at the end", "x sk-ant-", "x *******"},
    {"mask: cut", "x sk-ant", "x sk-ant"},
    {"mask: escaped", "\"s\\u006b-ant-o\\u0061t\\n\"", "\"********************\\n\""},
    {"mask: behind a backslash", "\"\\\\sk-ant-x\"", "\"\\\\********\""},
    {"mask: an escaped backslash is no escape", "\"\\\\u0073k-ant-x\"", "\"\\\\u0073k-ant-x\""},
    {"mask: not JSON", "\\sk-ant-x", "\\********"},
    {"mask: a cut escape", "\\u00", "\\u00"},
    {"mask: nothing", "{\"a\":\"sk-an\"}", "{\"a\":\"sk-an\"}"},
};

static void check_mask(void **state)
{
    const struct mask *row = *state;
    char *text = str_dup(str_of(row->text));

    assert_non_null(text);
    (void)run_request_mask(text, strlen(text));
    assert_string_equal(text, row->want);
    free(text);
}

static void tell(void *ctx, const char *member, const struct err *e)
{
    struct buf *b = ctx;

    buf_addf(b, "%s=" STR_FMT " ", member, STR_ARG(run_request_reason(e)));
}

static bool read_body(const char *json, struct run_request *out, struct buf *told)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    assert_int_equal(json_parse(str_of(json), JSON_STRICT, &tree, &err), ERR_OK);
    *out = RUN_REQUEST_INIT;
    out->run_id = "018f2f6e-7b1c-7abc-8def-0123456789ab";
    out->tenant = "acme";
    out->created_ms = INT64_C(0x018f2f6e7b1c);
    return run_request_read(tree, out, tell, told);
}

static void a_body_hears_of_all_its_mistakes(void **state)
{
    AUTO_BUF told = BUF_INIT(1024);
    struct run_request r;

    (void)state;
    assert_false(read_body("{\"max_turns\":0,\"prompt\":\"\",\"modle\":\"x\",\"run_id\":\"a\","
                           "\"tenant\":\"acme\",\"not_before\":\"2100-01-01T00:00:00Z\"}",
                           &r, &told));
    assert_string_equal(told.p, "max_turns=invalid_field prompt=empty_prompt modle=unknown_field "
                                "run_id=invalid_field tenant=invalid_field "
                                "not_before=invalid_field ");
    assert_string_equal(r.tenant, "acme");
    run_request_release(&r);
    buf_clear(&told);
    assert_false(read_body("{\"model\":\"sk-ant-x\"}", &r, &told));
    assert_string_equal(told.p, "=secret_in_record ");
    run_request_release(&r);
    buf_clear(&told);
    assert_false(read_body("{}", &r, &told));
    assert_string_equal(told.p, "prompt=missing_prompt ");
    run_request_release(&r);
}

static void a_body_is_the_request_that_its_record_is(void **state)
{
    AUTO_BUF told = BUF_INIT(1024), text = BUF_INIT(4096);
    struct run_request r, again;
    struct err err = ERR_INIT;
    uint8_t a[32], b[32];

    (void)state;
    assert_true(read_body("{\"prompt\":\"x\",\"session\":{\"id\":\"s\"},\"tags\":[\"t\"],"
                          "\"not_before\":\"2024-05-01T00:00:00Z\"}",
                          &r, &told));
    assert_int_equal(run_request_write(&r, &text, &err), ERR_OK);
    parse_ok(text.p, &again);
    run_request_hash(&r, a);
    run_request_hash(&again, b);
    assert_memory_equal(a, b, sizeof(a));
    assert_string_equal(again.tenant, "acme");
    assert_int_equal(again.created_ms, r.created_ms);
    run_request_release(&r);
    run_request_release(&again);
}

static const struct CMUnitTest singles[] = {
    cmocka_unit_test(defaults_are_filled_in),
    cmocka_unit_test(a_body_hears_of_all_its_mistakes),
    cmocka_unit_test(a_body_is_the_request_that_its_record_is),
    cmocka_unit_test(values_arrive),
    cmocka_unit_test(written_by_hand),
    cmocka_unit_test(ceilings_hold_to_the_byte),
    cmocka_unit_test(too_large_is_not_written),
    cmocka_unit_test(deep_is_refused),
    cmocka_unit_test(env_has_64_entries),
    cmocka_unit_test(a_raw_nul_is_refused),
    cmocka_unit_test(drafts_may_lack_an_id),
    cmocka_unit_test(keys_are_checked),
    cmocka_unit_test(names),
    cmocka_unit_test(prompts),
    cmocka_unit_test(derived_ids),
};

int main(void)
{
    struct CMUnitTest tests[COUNTOF(singles) + COUNTOF(messages) + COUNTOF(pairs) + COUNTOF(masks)];
    size_t n = 0;

    for (size_t i = 0; i < COUNTOF(singles); i++)
        tests[n++] = singles[i];
    for (size_t i = 0; i < COUNTOF(messages); i++)
        tests[n++] = (struct CMUnitTest){
            .name = messages[i].name, .test_func = check_message, .initial_state = &messages[i]};
    for (size_t i = 0; i < COUNTOF(pairs); i++)
        tests[n++] = (struct CMUnitTest){
            .name = pairs[i].name, .test_func = check_pair, .initial_state = &pairs[i]};
    for (size_t i = 0; i < COUNTOF(masks); i++)
        tests[n++] = (struct CMUnitTest){
            .name = masks[i].name, .test_func = check_mask, .initial_state = &masks[i]};
    return cmocka_run_group_tests_name("run_request", tests, NULL, NULL);
}
