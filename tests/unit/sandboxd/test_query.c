/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: ranges, metadata filters and page tokens mean what the clients mean by them.
 * Proof: the filter as both SDKs encode it, once, twice and thrice; ranges at every border. */
#include <stdio.h>
#include <string.h>

#include "sandboxd/web/query.h"
#include "common/json/json.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *header; /* of a file of 10 bytes */
    enum range want;
    int64_t from, n;
} rows[] = {
    {"none", NULL, RANGE_NONE, 0, 0},
    {"from the start", "bytes=0-", RANGE_PART, 0, 10},
    {"the rest", "bytes=4-", RANGE_PART, 4, 6},
    {"the last byte", "bytes=9-", RANGE_PART, 9, 1},
    {"at the end", "bytes=10-", RANGE_BEYOND, 0, 0},
    {"beyond", "bytes=999999999999-", RANGE_BEYOND, 0, 0},
    {"middle", "bytes=2-3", RANGE_PART, 2, 2},
    {"to beyond", "bytes=2-300", RANGE_PART, 2, 8},
    {"last three", "bytes=-3", RANGE_PART, 7, 3},
    {"last of all", "bytes=-30", RANGE_PART, 0, 10},
    {"last none", "bytes=-0", RANGE_BEYOND, 0, 0},
    {"backwards", "bytes=5-4", RANGE_NONE, 0, 0},
    {"no number", "bytes=a-", RANGE_NONE, 0, 0},
    {"only a dash", "bytes=-", RANGE_NONE, 0, 0},
    {"other unit", "lines=1-", RANGE_NONE, 0, 0},
    {"several", "bytes=1-2,4-5", RANGE_NONE, 0, 0},
    {"overflow", "bytes=99999999999999999999-", RANGE_NONE, 0, 0},
};

static void check(void **state)
{
    const struct row *r = *state;
    int64_t from = 0, n = 0;

    assert_int_equal(range_parse(r->header, 10, &from, &n), r->want);
    assert_int_equal(from, r->from);
    assert_int_equal(n, r->n);
}

static void filters(void **state)
{
    static const struct {
        const char *query; /* as it is after the server's own decoding */
        bool match;
        const char *rc;
    } cases[] = {
        {"job=a%2520b%2526c", true, "OK"},
        {"job%3Da%252520b%252526c", false, "OK"}, /* one decoding too few: no such pair */
        {"job=a%2520b%2526c&run=7", true, "OK"},
        {"job=a%2520b%2526c&run=8", false, "OK"},
        {"run=7", true, "OK"},
        {"none=1", false, "OK"},
        {"", true, "OK"},
        {"run=%zz", false, "INVALID"},
        {"run=%", false, "INVALID"},
        {"run=7%", false, "INVALID"},
        {"run=%00", false, "INVALID"},
    };
    AUTO_JSON *metadata = cJSON_Parse("{\"job\":\"a b&c\",\"run\":\"7\"}");

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        enum err_code rc = ERR_OK;

        assert_int_equal(metadata_matches(str_of(cases[i].query), metadata, &rc), cases[i].match);
        assert_string_equal(err_name(rc), cases[i].rc);
    }
}

static void tokens_survive(void **state)
{
    struct page_mark out, in = {.started_ms = 1795198486123, .id = "i0123456789abcdefghij"};

    (void)state;
    for (int ascending = 0; ascending < 2; ascending++) {
        AUTO_BUF b = BUF_INIT(512);

        in.ascending = ascending == 1;
        page_token(&in, &b);
        assert_true(page_token_parse(buf_str(&b), &out));
        assert_int_equal(out.started_ms, in.started_ms);
        assert_string_equal(out.id, in.id);
        assert_int_equal(out.ascending, in.ascending);
    }
    assert_false(page_token_parse(STR(""), &out));
    assert_false(page_token_parse(STR("!!!"), &out));
    assert_false(page_token_parse(STR("aGVsbG8"), &out));
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(filters),
        cmocka_unit_test(tokens_survive),
    };
    int failed = TABLE_RUN("query table", rows, check);

    return failed + cmocka_run_group_tests_name("query", more, NULL, NULL);
}
