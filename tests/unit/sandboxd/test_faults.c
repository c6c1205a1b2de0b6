/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a rule of scripted faults means what it says or is refused with its place and reason;
 * it fires after what it skips, as often as it is told, the first that is due alone.
 * Proof: rules good and bad as rows; sequences of requests and what each met. */
#include <string.h>

#include "sandboxd/web/faults.h"
#include "tests/lib/table.h"

#define HEALTH "\"on\":\"GET /health\","

static struct row {
    const char *name, *text;
    const char *want; /* in the message; NULL: it is good */
} rows[] = {
    {"none", "[]", NULL},
    {"as it is shown", "{\"rules\":[{" HEALTH "\"do\":\"lose\",\"seen\":3,\"fired\":1}]}", NULL},
    {"answer", "[{" HEALTH "\"do\":\"answer\",\"status\":429,\"body\":\"x\"}]", NULL},
    {"json body", "[{" HEALTH "\"do\":\"answer\",\"status\":200,\"body\":{\"a\":[]}}]", NULL},
    {"header", "[{" HEALTH "\"do\":\"answer\",\"status\":429,\"headers\":{\"A\":\"1\"}}]", NULL},
    {"delay", "[{" HEALTH "\"do\":\"delay\",\"ms\":0}]", NULL},
    {"cut", "[{" HEALTH "\"do\":\"cut\",\"after_bytes\":-1}]", NULL},
    {"drip", "[{" HEALTH "\"do\":\"drip\",\"bytes_per_s\":1}]", NULL},
    {"everywhere", "[{\"on\":\"* *\",\"do\":\"disk_full\",\"times\":0,\"skip\":7}]", NULL},
    {"no list", "{}", "must be a list"},
    {"no json", "[", ""},
    {"no object", "[7]", "rule 0: a rule must be an object"},
    {"the second", "[{" HEALTH "\"do\":\"lose\"},{" HEALTH "\"do\":\"loose\"}]", "rule 1: 'do' is"},
    {"no do", "[{" HEALTH "\"times\":1}]", "'do' must be a word"},
    {"no on", "[{\"do\":\"lose\"}]", "'on' must be"},
    {"on without a path", "[{\"on\":\"GET\",\"do\":\"lose\"}]", "'on' must be"},
    {"answer without status", "[{" HEALTH "\"do\":\"answer\"}]", "'answer' needs 'status'"},
    {"odd status", "[{" HEALTH "\"do\":\"answer\",\"status\":99}]", "'status' must be 200 to 599"},
    {"delay without ms", "[{" HEALTH "\"do\":\"delay\"}]", "'delay' needs 'ms'"},
    {"delay of two days", "[{" HEALTH "\"do\":\"delay\",\"ms\":172800000}]", "'ms' must be"},
    {"half a ms", "[{" HEALTH "\"do\":\"delay\",\"ms\":0.5}]", "'ms' must be"},
    {"drip of nothing", "[{" HEALTH "\"do\":\"drip\",\"bytes_per_s\":0}]", "'bytes_per_s' must"},
    {"of another kind", "[{" HEALTH "\"do\":\"lose\",\"ms\":5}]", "'ms' means nothing to 'lose'"},
    {"misspelt", "[{" HEALTH "\"do\":\"lose\",\"time\":5}]", "'time' means nothing"},
    {"header with a line end",
     "[{" HEALTH "\"do\":\"answer\",\"status\":200,\"headers\":{\"A\":\"1\\r\\nB: 2\"}}]",
     "'headers' must be"},
    {"header with a space",
     "[{" HEALTH "\"do\":\"answer\",\"status\":200,\"headers\":{\"A B\":\"1\"}}]",
     "'headers' must be"},
};

static void check(void **state)
{
    const struct row *r = *state;
    struct faults *f = NULL;
    struct err e = ERR_INIT;
    enum err_code rc = faults_parse(str_of(r->text), &f, &e);

    assert_string_equal(err_name(rc), r->want == NULL ? "OK" : "INVALID");
    assert_true((f != NULL) == (r->want == NULL));
    if (r->want != NULL)
        assert_non_null(strstr(e.msg, r->want));
    faults_free(f);
}

static struct faults *parse(const char *text)
{
    struct faults *f = NULL;

    assert_int_equal(faults_parse(str_of(text), &f, NULL), ERR_OK);
    return f;
}

static const char *meet(struct faults *f, const char *method, const char *path)
{
    const struct fault *rule = faults_next(f, method, path);

    return rule != NULL ? fault_word(rule->kind) : "";
}

static void in_their_order(void **state)
{
    struct faults *f = parse("[{\"on\":\"GET /a\",\"do\":\"lose\",\"skip\":1,\"times\":2},"
                             "{\"on\":\"* /a\",\"do\":\"disk_full\"},"
                             "{\"on\":\"POST *\",\"do\":\"wrong_token\",\"times\":0}]");
    static const char *const want[] = {"disk_full", "lose", "lose", "", ""};
    AUTO_BUF text = BUF_INIT(4096);

    (void)state;
    for (size_t i = 0; i < COUNTOF(want); i++)
        assert_string_equal(meet(f, "GET", "/a"), want[i]);
    assert_string_equal(meet(f, "POST", "/a"), "wrong_token");
    assert_string_equal(meet(f, "POST", "/b"), "wrong_token");
    assert_string_equal(meet(f, "GET", "/b"), "");
    faults_json(f, &text);
    assert_non_null(strstr(text.p, "\"seen\":3,\"fired\":2"));
    faults_free(f);
    f = parse(text.p); /* what is shown can be given again */
    assert_int_equal(faults_count(f), 3);
    faults_free(f);
}

static void must_name_a_row(void **state)
{
    static const struct route routes[] = {{.method = "GET", .path = "/a/{}"}};
    struct faults *good =
        parse("[{\"on\":\"GET /a/{}\",\"do\":\"lose\"},{\"on\":\"* *\",\"do\":\"lose\"}]");
    struct faults *bad = parse("[{\"on\":\"POST /a/{}\",\"do\":\"lose\"}]");
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(faults_check(NULL, routes, COUNTOF(routes), &e), ERR_OK);
    assert_int_equal(faults_check(good, routes, COUNTOF(routes), &e), ERR_OK);
    assert_int_equal(faults_check(bad, routes, COUNTOF(routes), &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "nothing answers 'POST /a/{}'"));
    faults_free(good);
    faults_free(bad);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(in_their_order),
        cmocka_unit_test(must_name_a_row),
    };
    int failed = TABLE_RUN("faults table", rows, check);

    return failed + cmocka_run_group_tests_name("faults", more, NULL, NULL);
}
