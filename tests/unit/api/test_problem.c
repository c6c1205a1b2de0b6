/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a problem's code, status and meaning are those that the contract lists, and the
 * document is one of RFC 9457. Proof: each row beside its line in schema/openapi.yaml, both ways.
 */
#include <stdio.h>
#include <string.h>

#include "api/problem.h"
#include "common/json/json.h"
#include "tests/lib/table.h"

static void read_contract(struct buf *out)
{
    FILE *f = fopen(SF_SOURCE_DIR "/schema/openapi.yaml", "re");
    char chunk[4096];
    size_t n;

    assert_non_null(f);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        buf_add(out, chunk, n);
    fclose(f);
    assert_int_equal(out->rc, ERR_OK);
}

static void every_code_is_in_the_contract(void **state)
{
    AUTO_BUF text = BUF_INIT(4 << 20);
    struct str rest, line;
    size_t rows = 0;
    bool in = false;

    (void)state;
    read_contract(&text);
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line)) {
        struct str row = str_trim(line), word;

        if (str_is(row, "x-codes:")) {
            in = true;
            continue;
        }
        if (!in || !str_starts(line, "        ")) {
            in = false;
            continue;
        }
        assert_true(str_next(&row, ':', &word));
        rows++;
        enum problem p = problem_find(word);
        if (p == PROBLEMS)
            fail_msg("the contract has " STR_FMT ", problem.h has not", STR_ARG(word));
        char want[64];
        snprintf(want, sizeof(want), " { status: %d, retryable: %s,", problem_status(p),
                 problem_may_do_later(p) ? "true" : "false");
        if (!str_starts(row, want))
            fail_msg(STR_FMT ":" STR_FMT ", not%s", STR_ARG(word), STR_ARG(row), want);
    }
    assert_int_equal(rows, PROBLEMS);
}

static void a_document_says_it_all(void **state)
{
    const struct problem_field fields[] = {{PROBLEM_INVALID, "/max_turns", "it is \"x\""},
                                           {PROBLEM_UNKNOWN_FIELD, "/a~1b", "no such"}};
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    problem_write(&(struct problem_text){.problem = PROBLEM_INVALID,
                                         .request_id = "r",
                                         .detail = "it is \"x\"",
                                         .fields = fields,
                                         .n_fields = 2},
                  &out);
    assert_string_equal(
        out.p, "{\"type\":\"urn:sandfleet:problem:invalid_field\",\"title\":\"a member is wrong or "
               "missing\",\"status\":422,\"detail\":\"it is \\\"x\\\"\",\"code\":\"invalid_field\","
               "\"request_id\":\"r\",\"retryable\":false,\"errors\":[{\"pointer\":\"/max_turns\","
               "\"code\":\"invalid_field\",\"detail\":\"it is \\\"x\\\"\"},{\"pointer\":\"/a~1b\","
               "\"code\":\"unknown_field\",\"detail\":\"no such\"}]}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_in_the_contract),
        cmocka_unit_test(a_document_says_it_all),
    };
    return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
