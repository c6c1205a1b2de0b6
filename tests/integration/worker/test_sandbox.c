/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a sandbox is asked for so that a retry gives the same one, each failure of the
 * service becomes its one error, and nobody's sandbox is left behind. Proof: against a
 * sandboxd, and against a server that answers line by line from a script. */
#include "script.h"

/* --- against a sandboxd ------------------------------------------------------------ */

static void on_call(void *ctx, const struct err *e)
{
    *(struct err *)ctx = *e;
    loop_stop(fx.loop);
}

static struct err kill_it(struct sandbox_service *s, const char *id)
{
    struct err e = ERR_INIT, start = ERR_INIT;

    assert_string_equal(err_name(sandbox_kill(s, id, on_call, &e, &start)), "OK");
    fx_run();
    return e;
}

static struct fx_got open_it(struct sandbox_service *s, const char *id)
{
    struct fx_got got = {0};
    struct err e = ERR_INIT;

    assert_string_equal(err_name(sandbox_open(s, id, 60000, &fx_events, &got, NULL, &e)), "OK");
    fx_run();
    return got;
}

static void lives_and_dies(void **state)
{
    struct sandbox_service *s = fx_service(NULL, NULL);
    struct fx_got made = fx_create(s, "claude", "lives"), opened;
    struct err e = ERR_INIT, start = ERR_INIT;

    (void)state;
    assert_string_equal(made.e.msg, "");
    opened = open_it(s, sandbox_id(made.sb));
    assert_string_equal(opened.e.msg, "");
    assert_string_equal(sandbox_id(opened.sb), sandbox_id(made.sb));
    assert_string_equal(
        err_name(sandbox_set_ttl(s, sandbox_id(made.sb), 90000, on_call, &e, &start)), "OK");
    fx_run();
    assert_string_equal(err_name(e.code), "OK");
    assert_string_equal(err_name(kill_it(s, sandbox_id(made.sb)).code), "OK");
    assert_string_equal(err_name(kill_it(s, sandbox_id(made.sb)).code), "OK"); /* as good */
    sandbox_free(opened.sb);
    opened = open_it(s, sandbox_id(made.sb));
    assert_string_equal(err_name(opened.e.code), "GONE");
    sandbox_free(made.sb);
    sandbox_service_free(s);
}

static void the_same_attempt_gets_the_same_sandbox(void **state)
{
    struct sandbox_service *s = fx_service(NULL, NULL);
    struct fx_got one = fx_create(s, "claude", "same"), two = fx_create(s, "claude", "same");

    (void)state;
    assert_non_null(one.sb);
    assert_non_null(two.sb);
    assert_string_equal(sandbox_id(one.sb), sandbox_id(two.sb));
    (void)kill_it(s, sandbox_id(one.sb));
    sandbox_free(one.sb);
    sandbox_free(two.sb);
    sandbox_service_free(s);
}

static void an_unknown_template_is_not_found(void **state)
{
    struct sandbox_service *s = fx_service(NULL, NULL);
    struct fx_got got = fx_create(s, "no-such-template", "unknown");

    (void)state;
    assert_null(got.sb);
    assert_string_equal(err_name(got.e.code), "NOT_FOUND");
    sandbox_service_free(s);
}

static void a_bad_key_is_unauthorized(void **state)
{
    struct secret *key = NULL;
    struct err e;
    struct sandbox_service *s;
    struct fx_got got;

    (void)state;
    assert_string_equal(err_name(secret_new(STR("e2b_ffffffffffffffff"), &key, &e)), "OK");
    s = fx_service(NULL, key);
    got = fx_create(s, "claude", "bad-key");
    assert_string_equal(err_name(got.e.code), "UNAUTHORIZED");
    assert_null(strstr(got.e.msg, "ffffffff"));
    sandbox_service_free(s);
    secret_free(key);
}

static void bad_ids_are_refused(void **state)
{
    static const char *const ids[] = {"", "../x", "i 1", "I1", "-x", "a/b", "i1\r\nX: y"};
    struct sandbox_service *s = fx_service(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < COUNTOF(ids); i++) {
        struct err e;

        assert_string_equal(err_name(sandbox_open(s, ids[i], 1000, &fx_events, NULL, NULL, &e)),
                            "INVALID");
        assert_string_equal(err_name(sandbox_kill(s, ids[i], NULL, NULL, &e)), "INVALID");
    }
    sandbox_service_free(s);
}

/* --- against a script ----------------------------------------------------------------- */

static void a_kill_that_is_put_off_for_ever_is_told(void **state)
{
    static const char *const answers[] = {BODY("409 Conflict", "{}"), NULL};
    struct stage st = stage_up(answers);

    (void)state;
    assert_string_equal(err_name(kill_it(st.service, "iabc").code), "UNAVAILABLE");
    stage_asked(&st, "DELETE /sandboxes/iabc|DELETE /sandboxes/iabc|DELETE /sandboxes/iabc|"
                     "DELETE /sandboxes/iabc|");
    stage_down(&st);
}

static void add_piece(void *ctx, struct str piece)
{
    buf_addstr(ctx, piece);
}

static void on_file(void *ctx, const struct envd_answer *a, const struct err *e)
{
    (void)ctx;
    assert_string_equal(err_name(e->code), "OK");
    assert_true(a->at_end);
    loop_stop(fx.loop);
}

/* HTTP lets a server answer a ranged read with the whole file. */
static void a_whole_file_for_a_range_is_cut(void **state)
{
    static const char *const answers[] = {MADE, HEALTHY,
                                          "200 OK\r\nConnection: close\r\n\r\n0123456789", NULL};
    struct stage st = stage_up(answers);
    struct fx_got got = fx_create(st.service, "claude", "run");
    struct buf file = BUF_INIT(64);
    struct envd_call *call;
    struct err e;

    (void)state;
    assert_non_null(got.sb);
    assert_string_equal(
        err_name(envd_get(sandbox_envd(got.sb), "~/f", 4, add_piece, on_file, &file, &call, &e)),
        "OK");
    fx_run();
    assert_true(str_is(buf_str(&file), "456789"));
    buf_release(&file);
    sandbox_free(got.sb);
    stage_down(&st);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_and_dies),
        cmocka_unit_test(the_same_attempt_gets_the_same_sandbox),
        cmocka_unit_test(an_unknown_template_is_not_found),
        cmocka_unit_test(a_bad_key_is_unauthorized),
        cmocka_unit_test(bad_ids_are_refused),
        cmocka_unit_test(a_kill_that_is_put_off_for_ever_is_told),
        cmocka_unit_test(a_whole_file_for_a_range_is_cut),
    };

    return cmocka_run_group_tests_name("sandbox", tests, fx_up, fx_down);
}
