/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a tree is given only for a text that means one thing; strict refuses what the
 * database could not keep; a getter never gives a value of another type; what is written reads
 * back. Proof: tables of texts; numbers and strings written and parsed again. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "common/json/json.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *text;
    bool strict, loose; /* accepted? */
} rows[] = {
    {"object", "{\"a\":[1,{\"a\":2}]}", true, true},
    {"duplicate key", "{\"a\":1,\"b\":2,\"a\":3}", false, true},
    {"duplicate key, spelled otherwise", "{\"a\":1,\"\\u0061\":3}", false, true},
    {"duplicate key, deep", "[1,[{\"x\":{\"a\":1,\"a\":1}}]]", false, true},
    {"keys that differ in case", "{\"a\":1,\"A\":3}", true, true},
    {"escaped NUL", "{\"a\":\"x\\u0000y\"}", false, true},
    {"lone surrogate", "\"\\ud800\"", false, true},
    {"surrogate pair", "\"\\ud83d\\ude00\"", true, true},
    {"number out of range", "[1e999]", false, true},
    {"the greatest number", "1.7976931348623157e308", true, true},
    {"garbage behind", "{} x", false, false},
    {"no JSON", "{", false, false},
};

static void check(void **state)
{
    const struct row *r = *state;

    for (unsigned flags = 0; flags <= JSON_STRICT; flags += JSON_STRICT) {
        char *exact = malloc(strlen(r->text)); /* text need not end in NUL */
        AUTO_JSON *tree = NULL;
        struct err err = ERR_INIT;
        enum err_code rc;

        memcpy(exact, r->text, strlen(r->text));
        rc = json_parse((struct str){exact, strlen(r->text)}, flags, &tree, &err);
        assert_string_equal(err_name(rc), (flags ? r->strict : r->loose) ? "OK" : "INVALID");
        assert_int_equal(tree != NULL, rc == ERR_OK);
        free(exact);
    }
}

/* Releases of cJSON differ in whether they read more than 63 digits; none may lose some. */
static void a_long_number_is_right_or_refused(void **state)
{
    AUTO_BUF text = BUF_INIT(100);
    AUTO_JSON *tree = NULL;
    struct err err = ERR_INIT;

    (void)state;
    buf_addf(&text, "1%069d", 0);
    if (json_parse(buf_str(&text), 0, &tree, &err) == ERR_OK)
        assert_true(tree->valuedouble > 0.9e69 && tree->valuedouble < 1.1e69);
    else
        assert_string_equal(err.msg, "a number has 63 digits or more");
}

static void getters_take_their_own_type_only(void **state)
{
    AUTO_JSON *t = NULL;
    struct err err = ERR_INIT;
    int64_t n = 0;
    double d;
    bool b = false;

    (void)state;
    assert_int_equal(
        json_parse(STR("{\"s\":\"x\",\"n\":9007199254740992,\"h\":1.5,\"b\":true,\"z\":null,"
                       "\"big\":1e300,\"nul\":\"a\\u0000b\"}"),
                   0, &t, &err),
        ERR_OK);
    assert_string_equal(json_get_string(t, "s"), "x");
    assert_null(json_get_string(t, "n"));
    assert_null(json_get_string(t, "S"));
    assert_null(json_get_string(NULL, "s"));
    assert_string_equal(json_get_string(t, "nul"), "a\xef\xbf\xbd"
                                                   "b");
    assert_true(json_get_int(t, "n", &n));
    assert_true(n == INT64_C(9007199254740992));
    assert_false(json_get_int(t, "h", &n));
    assert_false(json_get_int(t, "big", &n));
    assert_false(json_get_int(t, "s", &n));
    assert_true(json_get_number(t, "h", &d) && d > 1.4 && d < 1.6);
    assert_true(json_get_bool(t, "b", &b) && b);
    assert_false(json_get_bool(t, "n", &b));
    assert_true(cJSON_IsNull(json_get(t, "z")));
    assert_null(json_get(json_get(t, "z"), "s"));
}

static void what_is_written_reads_back(void **state)
{
    AUTO_BUF b = BUF_INIT(1000);

    (void)state;
    buf_addc(&b, '{');
    json_kv(&b, "s", "a\"\\\n\x01\x7f\xc3\xa9");
    json_kv(&b, "none", NULL);
    json_kv_str(&b, "bad", STR("\xff\xe2\x82x"));
    json_kv_int(&b, "i", INT64_MIN);
    json_kv_bool(&b, "b", false);
    json_key(&b, "a");
    buf_adds(&b, "[{");
    json_kv_raw(&b, "r", STR("[1]"));
    buf_adds(&b, "}]}");
    assert_string_equal(b.p, "{\"s\":\"a\\\"\\\\\\n\\u0001\x7f\xc3\xa9\","
                             "\"bad\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\","
                             "\"i\":-9223372036854775808,\"b\":false,\"a\":[{\"r\":[1]}]}");
    assert_int_equal(json_scan(buf_str(&b), NULL, 0, NULL, NULL), ERR_OK);
    buf_clear(&b);
    buf_addc(&b, '[');
    json_key(&b, "k"); /* no comma behind a bracket either */
    assert_string_equal(b.p, "[\"k\":");
}

static struct number {
    const char *name; /* the text wanted */
    double d;
} numbers[] = {
    {"0.1", 0.1},
    {"1", 1.0},
    {"0.30000000000000004", 0.1 + 0.2},
    {"-2.5", -2.5},
    {"null", (double)INFINITY},
    {"1.7976931348623157e+308", DBL_MAX},
    {"1e-07", 1e-7},
    {"null", (double)NAN},
};

static void check_number(void **state)
{
    const struct number *r = *state;
    AUTO_BUF b = BUF_INIT(100), want = BUF_INIT(100);

    json_kv_num(&b, "n", r->d);
    buf_addf(&want, ",\"n\":%s", r->name);
    assert_string_equal(b.p, want.p + 1);
}

static struct quoted {
    const char *name; /* the text */
    struct str want;  /* p NULL: refused */
} quoted[] = {
    {"\"\"", {"", 0}},
    {"\"plain\"", {"plain", 5}},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", {"\"\\/\b\f\n\r\t", 8}},
    {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", {"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10}},
    {"\"a\\u0000b\"", {"a\0b", 3}},
    {"\"\\ud800x\\udc00\"", {"\xef\xbf\xbdx\xef\xbf\xbd", 7}},
    {"\"", {NULL, 0}},
    {"\"a\" ", {NULL, 0}},
    {"\"a\\\"", {NULL, 0}},
    {"\"a\",\"b\"", {NULL, 0}},
    {"12", {NULL, 0}},
    {"", {NULL, 0}},
};

static void check_quoted(void **state)
{
    const struct quoted *r = *state;
    AUTO_BUF out = BUF_INIT(100);
    enum err_code rc = json_unquote(str_of(r->name), &out, NULL);

    assert_string_equal(err_name(rc), r->want.p ? "OK" : "INVALID");
    assert_true(str_eq(buf_str(&out), r->want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_number_is_right_or_refused),
        cmocka_unit_test(getters_take_their_own_type_only),
        cmocka_unit_test(what_is_written_reads_back),
    };
    int failed = TABLE_RUN("json_tree texts", rows, check);

    failed += TABLE_RUN("json numbers", numbers, check_number);
    failed += TABLE_RUN("json strings", quoted, check_quoted);
    return failed + cmocka_run_group_tests_name("json_tree", tests, NULL, NULL);
}
