/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what an answer says in its headers reaches whoever asked, and only what the answer
 * that stands says. Proof: a scripted server in the same loop. */
#include "http_world.h"

static struct row {
    const char *name, *path, *header, *want; /* want NULL: no such header */
    int should_retry;
} rows[] = {
    {"told not to retry", "/named", "Should-Retry", "false", 0},
    {"told to retry, in capitals", "/again", "Should-Retry", "TRUE", 1},
    {"neither true nor false is not told", "/maybe", "Should-Retry", "maybe", -1},
    {"not told", "/ok", "Should-Retry", NULL, -1},
    {"an early answer's header does not count", "/named", "X-Next-Token", "t1", 0},
    {"the last one of several", "/named", "twice", "b", 0},
};

static struct row *row_of_test;
static char seen[64];

static void on_answer(void *ctx, const struct http_answer *a, const struct err *e)
{
    const char *value = http_answer_header(a, row_of_test->header);
    snprintf(seen, sizeof seen, "%s", value ? value : "(none)");
    on_done(ctx, a, e);
}

static int setup_row(void **state)
{
    row_of_test = *state;
    return setup(state);
}

static void check(void **state)
{
    struct world *w = *state;
    const struct row *row = row_of_test;
    start(w, row->path, (struct http_call){0}, &(struct http_events){.done = on_answer});
    loop_run(w->l);
    assert_string_equal(err_name(w->e.code), "OK");
    assert_int_equal(w->should_retry, row->should_retry);
    assert_string_equal(seen, row->want ? row->want : "(none)");
}

static void a_missing_file_of_authorities_is_told_at_once(void **state)
{
    struct world *w = *state;
    struct http *h = NULL;
    struct err e = ERR_INIT;
    assert_string_equal(
        err_name(http_new(w->l, &(struct http_opts){.ca_file = "/nowhere/ca.pem"}, &h, &e)),
        "CONFIG");
    assert_non_null(strstr(e.msg, "'/nowhere/ca.pem'"));
    assert_null(h);
}

static void a_failure_has_no_headers(void **state)
{
    (void)state;
    assert_null(http_answer_header(&(struct http_answer){0}, "X"));
}

int main(void)
{
    struct CMUnitTest table[COUNTOF(rows)];
    const struct CMUnitTest stories[] = {
        TEST(a_missing_file_of_authorities_is_told_at_once),
        cmocka_unit_test(a_failure_has_no_headers),
    };
    unsetenv("http_proxy");
    for (size_t i = 0; i < COUNTOF(rows); i++)
        table[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = check,
                                       .setup_func = setup_row,
                                       .teardown_func = teardown,
                                       .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("http_answer.rows", table, NULL, NULL) +
           cmocka_run_group_tests_name("http_answer", stories, NULL, NULL);
}
