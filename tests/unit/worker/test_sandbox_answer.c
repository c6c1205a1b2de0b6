/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what the sandbox service says is taken only when it is what the service promises, and
 * nothing of it gets into an address or a header that could end one; addresses, queries, keys
 * and prices are those of the protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "worker/e2b/sandbox_answer.h"
#include "worker/e2b/sandbox_op.h"
#include "worker/e2b/sandbox_query.h"
#include "worker/e2b/sandbox_report.h"
#include "worker/e2b/sandbox_route.h"

/* --- create and connect ------------------------------------------------------------------ */

static const struct made_row {
    const char *body, *id, *token, *domain; /* id NULL: refused */
} made_rows[] = {
    {"{\"sandboxID\":\"iabc\"}", "iabc", "", ""},
    {"{\"sandboxID\":\"iabc-0f\",\"envdAccessToken\":null,\"domain\":null}", "iabc", "", ""},
    {"{\"sandboxID\":\"i1\",\"envdAccessToken\":\"a_b-c.d=\",\"domain\":\"x.example\"}", "i1",
     "a_b-c.d=", "x.example"},
    {"{\"sandboxID\":\"i1\",\"envdAccessToken\":\"\",\"domain\":\"\"}", "i1", "", ""},
    {"", NULL, "", ""},
    {"[]", NULL, "", ""},
    {"{}", NULL, "", ""},
    {"{\"sandboxID\":7}", NULL, "", ""},
    {"{\"sandboxID\":\"\"}", NULL, "", ""},
    {"{\"sandboxID\":\"../x\"}", NULL, "", ""},
    {"{\"sandboxID\":\"Iabc\"}", NULL, "", ""},
    {"{\"sandboxID\":\"i1\",\"envdAccessToken\":\"a\\r\\nX: y\"}", NULL, "", ""},
    {"{\"sandboxID\":\"i1\",\"envdAccessToken\":5}", NULL, "", ""},
    {"{\"sandboxID\":\"i1\",\"trafficAccessToken\":\"a b\"}", NULL, "", ""},
    {"{\"sandboxID\":\"i1\",\"domain\":\"x/y\"}", NULL, "", ""},
    {"{\"sandboxID\":\"i1\",\"domain\":\"a@b\"}", NULL, "", ""},
    {"{\"sandboxID\":\"i1\",\"domain\":[]}", NULL, "", ""},
};

static void reads_what_was_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(made_rows); i++) {
        const struct made_row *row = &made_rows[i];
        struct sandbox_made m;
        struct err e = ERR_INIT;
        enum err_code rc = sandbox_made_parse(str_of(row->body), &m, &e);

        print_message("%s\n", row->body);
        assert_string_equal(err_name(rc), row->id ? "OK" : "PROTOCOL");
        assert_null(strstr(e.msg, "X: y"));
        if (row->id) {
            assert_string_equal(m.id, row->id);
            assert_string_equal(m.token, row->token);
            assert_string_equal(m.domain, row->domain);
        }
    }
}

/* --- one of a list ------------------------------------------------------------------------- */

#define INFO(id, start, state, rest)                                                               \
    "{\"sandboxID\":\"" id "\",\"templateID\":\"t/n:v1\",\"cpuCount\":2,\"memoryMB\":512,"         \
    "\"startedAt\":\"" start "\",\"endAt\":\"2026-01-02T04:04:05.5Z\",\"state\":\"" state          \
    "\"" rest "}"
#define START "2026-01-02T03:04:05Z"

static const struct info_row {
    const char *body;
    bool ok, paused;
} info_rows[] = {
    {INFO("i1", START, "running", ""), true, false},
    {INFO("i1-c", START, "paused", ",\"metadata\":{}"), true, true},
    {INFO("i1", START, "something new", ",\"metadata\":null"), true, false},
    {INFO("i1", START, "running", ",\"metadata\":{\"a\":\"b\"}"), true, false},
    {INFO("i1", START, "running", ",\"metadata\":{\"a\":1}"), false, false},
    {INFO("i1", START, "running", ",\"metadata\":[]"), false, false},
    {INFO("i/1", START, "running", ""), false, false},
    {INFO("i1", "yesterday", "running", ""), false, false},
    {"{\"sandboxID\":\"i1\"}", false, false},
    {"{}", false, false},
};

static void reads_one_of_a_list(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(info_rows); i++) {
        const struct info_row *row = &info_rows[i];
        AUTO_JSON *tree = NULL;
        struct sandbox_info info;
        struct err e;

        print_message("%s\n", row->body);
        assert_string_equal(err_name(json_parse(str_of(row->body), 0, &tree, &e)), "OK");
        assert_string_equal(err_name(sandbox_info_parse(tree, &info, &e)),
                            row->ok ? "OK" : "PROTOCOL");
        if (!row->ok)
            continue;
        assert_string_equal(info.id, "i1");
        assert_int_equal(info.paused, row->paused);
        assert_int_equal(info.end_ms - info.started_ms, 3600500);
        assert_int_equal(info.cpu_count * info.memory_mb, 1024);
    }
}

static void a_list_has_a_ceiling(void **state)
{
    static const struct {
        const char *body;
        bool ok;
    } rows[] = {{"[]", true},      {"[{},{}]", true}, {"[{},{},{}]", false},
                {"[{},1]", false}, {"{}", false},     {"[{}", false},
                {"", false}};

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        AUTO_JSON *tree = NULL;
        struct err e;

        assert_string_equal(err_name(sandbox_array_parse(str_of(rows[i].body), 2, &tree, &e)),
                            rows[i].ok ? "OK" : "PROTOCOL");
    }
}

/* --- what we say ---------------------------------------------------------------------------- */

static void metadata_is_encoded_three_times(void **state)
{
    static const char *const job[] = {"job", "a b&c", NULL};
    static const char *const two[] = {"a", "1", "b=", "", NULL};
    const struct sandbox_query all = {.metadata = job, .states = "running"};
    AUTO_BUF b = BUF_INIT(1024);

    (void)state;
    sandbox_query_metadata(&b, job);
    assert_string_equal(b.p, "job%3Da%252520b%252526c"); /* as both of the vendor's SDKs do */
    buf_clear(&b);
    sandbox_query_metadata(&b, two);
    assert_string_equal(b.p, "a%3D1%26b%25253D%3D");
    buf_clear(&b);
    sandbox_query_list(&b, &all);
    assert_string_equal(b.p, "?limit=100&state=running&metadata=job%3Da%252520b%252526c");
    buf_clear(&b);
    sandbox_query_list_old(&b, &all);
    assert_string_equal(b.p, "?metadata=job%3Da%252520b%252526c");
}

static void keys_are_keys_whatever_the_run_is_called(void **state)
{
    static const struct {
        const char *key;
        int n;
        const char *want; /* NULL: a hash */
    } rows[] = {{"run-1", 0, "run-1"}, {"run-1", 2, "run-1-again-2"},
                {"Run 1", 0, NULL},    {"a\r\nX: y-1", 0, NULL},
                {"ü-1", 0, NULL},      {"", 0, NULL}};

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        AUTO_BUF one = BUF_INIT(300), again = BUF_INIT(300), other = BUF_INIT(300);

        sandbox_op_key(&one, rows[i].key, rows[i].n);
        sandbox_op_key(&again, rows[i].key, rows[i].n);
        sandbox_op_key(&other, rows[i].key, rows[i].n + 1);
        assert_string_equal(one.p, again.p);
        assert_string_not_equal(one.p, other.p);
        if (rows[i].want)
            assert_string_equal(one.p, rows[i].want);
        assert_int_equal(strspn(one.p, "abcdefghijklmnopqrstuvwxyz0123456789-"), one.len);
    }
}

static void sandboxes_are_reached_by_their_domain(void **state)
{
    static const struct {
        const char *sandbox_url, *domain, *want;
        bool shared;
    } rows[] = {
        {NULL, "e2b.app", "https://sandbox.e2b.app", true},
        {NULL, "e2b.dev", "https://sandbox.e2b.dev", true},
        {NULL, "e2b.pro", "https://sandbox.e2b.pro", true},
        {NULL, "x.e2b.app", "https://49983-i1.x.e2b.app", false},
        {NULL, "cloud.example", "https://49983-i1.cloud.example", false},
        {"http://127.0.0.1:7//", "e2b.app", "http://127.0.0.1:7", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        AUTO_BUF b = BUF_INIT(256);

        assert_int_equal(sandbox_route_envd(&b, rows[i].sandbox_url, rows[i].domain, "i1"),
                         rows[i].shared);
        assert_string_equal(b.p, rows[i].want);
    }
    AUTO_BUF api = BUF_INIT(256), given = BUF_INIT(256);
    sandbox_route_api(&api, NULL, "cloud.example");
    assert_string_equal(api.p, "https://api.cloud.example");
    sandbox_route_api(&given, "http://h:1/base/", "cloud.example");
    assert_string_equal(given.p, "http://h:1/base");
}

static void addresses_are_checked(void **state)
{
    static const char *const good[] = {"https://api.e2b.app", "http://127.0.0.1:3000", "http://h/",
                                       "https://h:1/a/b"};
    static const char *const bad[] = {
        "",           "h",          "ftp://h",      "https://",      "https:///x",
        "http://a@b", "http://a b", "http://a/b?c", "http://a\r\nb", "http://-a"};

    (void)state;
    for (size_t i = 0; i < COUNTOF(good); i++)
        assert_true(sandbox_url_ok(str_of(good[i])));
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_false(sandbox_url_ok(str_of(bad[i])));
}

/* --- cost ------------------------------------------------------------------------------------ */

static void costs_are_those_of_the_price_list(void **state)
{
    static const struct {
        int64_t cpu, mb, ms;
        double usd;
    } rows[] = {
        {2, 512, 3600000, 0.1089}, /* the price list's own example: $0.109 an hour */
        {1, 0, 3600000, 0.0504},
        {0, 1024, 3600000, 0.0162},
        {2, 512, 1, 0.1089 / 3600},
        {2, 512, 1000, 0.1089 / 3600},
        {2, 512, 1001, 0.1089 / 1800},
        {2, 512, 0, 0},
        {2, 512, -5, 0},
        {-2, 512, 1000, 0},
    };
    const struct sandbox_rates list = SANDBOX_RATES_INIT, free_of_charge = {0};

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_true(
            sandbox_cost_usd(&list, rows[i].cpu, rows[i].mb, rows[i].ms) - rows[i].usd < 1e-12 &&
            rows[i].usd - sandbox_cost_usd(&list, rows[i].cpu, rows[i].mb, rows[i].ms) < 1e-12);
    assert_true(sandbox_cost_usd(&free_of_charge, 2, 512, 1000) <= 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_made),
        cmocka_unit_test(reads_one_of_a_list),
        cmocka_unit_test(a_list_has_a_ceiling),
        cmocka_unit_test(metadata_is_encoded_three_times),
        cmocka_unit_test(keys_are_keys_whatever_the_run_is_called),
        cmocka_unit_test(sandboxes_are_reached_by_their_domain),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(costs_are_those_of_the_price_list),
    };
    struct err e;

    if (secret_init(&e) != ERR_OK)
        return 1;
    return cmocka_run_group_tests_name("sandbox_answer", tests, NULL, NULL);
}
