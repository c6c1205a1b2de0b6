/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a create is asked so that a retry gives the same sandbox, by key where the service
 * has keys and by looking where it has none; an open finds out what an edge cannot tell. Proof:
 * the requests that a scripted server hears, and what became of each. */
#include "script.h"

static struct script {
    const char *name;
    const char *answers[SCRIPT_ANSWERS];
    const char *code; /* what became of it; OK: a sandbox */
    int64_t retry_ms;
    const char *asked; /* the request lines, in order */
    const char *said;  /* and in one of them, this; NULL: nothing special */
} creates[] = {
    {"made", {MADE, HEALTHY}, "OK", 0, "POST /v2/sandboxes|GET /health|", NULL},
    {"v1 where v2 is missing (404)",
     {BODY("404 Not Found", "404 page not found"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /sandboxes|GET /health|",
     NULL},
    {"v1 where v2 is missing (404 as JSON)",
     {BODY("404 Not Found", "{\"code\":404,\"message\":\"no such path\"}"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /sandboxes|GET /health|",
     NULL},
    {"v1 where v2 is missing (405)",
     {BODY("405 Method Not Allowed", ""), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /sandboxes|GET /health|",
     "\"secure\":true"},
    {"a missing template is no missing route",
     {BODY("404 Not Found", "{\"code\":404,\"message\":\"template 'claude' not found\"}")},
     "NOT_FOUND",
     0,
     "POST /v2/sandboxes|",
     NULL},
    {"a failure is asked again",
     {BODY("503 Service Unavailable", "{}"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /v2/sandboxes|GET /health|",
     NULL},
    {"a failure that must not be asked again is not",
     {"503 Away\r\nShould-Retry: false\r\nConnection: close\r\n\r\n"},
     "UNAVAILABLE",
     0,
     "POST /v2/sandboxes|",
     NULL},
    {"a refusal that may be asked again is",
     {"400 Bad\r\nShould-Retry: true\r\nConnection: close\r\n\r\n", MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /v2/sandboxes|GET /health|",
     NULL},
    {"a lost answer is asked again with the same key",
     {LOST, MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /v2/sandboxes|GET /health|",
     NULL},
    {"no JSON is asked again",
     {BODY("201 Created", "not json!"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /v2/sandboxes|GET /health|",
     NULL},
    {"no sandbox in it is asked again",
     {BODY("201 Created", "{\"sandboxID\":\"../x\"}"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /v2/sandboxes|GET /health|",
     NULL},
    {"the plan's cap is told at once",
     {BODY("429 Too Many", "{\"code\":429,\"message\":\"the maximum number of concurrent E2B\"}")},
     "CAPACITY",
     0,
     "POST /v2/sandboxes|",
     NULL},
    {"no capacity is told at once",
     {REFUSED("503 Full", "sandbox_capacity_unavailable")},
     "CAPACITY",
     0,
     "POST /v2/sandboxes|",
     NULL},
    {"a refusal for good is told at once",
     {REFUSED("500 No", "sandbox_create_refused")},
     "INVALID",
     0,
     "POST /v2/sandboxes|",
     NULL},
    {"a rate limit is told at once, with its wait",
     {"429 Too Many\r\nRetry-After: 7\r\nConnection: close\r\n\r\n"},
     "THROTTLED",
     7000,
     "POST /v2/sandboxes|",
     NULL},
    {"the edge's own rate limit is no JSON",
     {"429 Too Many\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>slow down"},
     "THROTTLED",
     0,
     "POST /v2/sandboxes|",
     NULL},
    {"a redirect is not followed",
     {"302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n", MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /v2/sandboxes|GET /health|",
     NULL},
    {"the daemon takes its time",
     {MADE, BODY("502 Bad Gateway", "{\"message\":\"port is not open\"}"), HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|GET /health|GET /health|",
     NULL},
    {"a conflict for ever is told some day",
     {BODY("409 Conflict", "{\"code\":409,\"message\":\"in transition\"}")},
     "UNAVAILABLE",
     1000,
     "POST /v2/sandboxes|POST /v2/sandboxes|POST /v2/sandboxes|POST /v2/sandboxes|",
     NULL},
    {"one that dies at birth is killed",
     {MADE, EDGE_GONE, NO_SUCH, KILLED},
     "UNAVAILABLE",
     0,
     "POST /v2/sandboxes|GET /health|GET /sandboxes/iabc|DELETE /sandboxes/iabc|",
     NULL},
    {"an edge that has not heard of it yet is given time",
     {MADE, EDGE_GONE, BODY("200 OK", LISTED("iabc", "running")), HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|GET /health|GET /sandboxes/iabc|GET /health|",
     NULL},
    {"v1: a lost answer is looked for, and found",
     {BODY("405 Method Not Allowed", ""), LOST, BODY("404 Not Found", ""),
      BODY("200 OK", "[" LISTED("iabc", "running") "]"), BODY("200 OK", SANDBOX), HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /sandboxes|GET /v2/sandboxes|GET /sandboxes|"
     "POST /sandboxes/iabc/connect|GET /health|",
     "GET /sandboxes?metadata=fleet%3Dtest%26key%3Drun-1 "},
    {"v1: a lost answer is looked for, and there is none",
     {BODY("405 Method Not Allowed", ""), LOST, BODY("200 OK", "[]"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /sandboxes|GET /v2/sandboxes|POST /sandboxes|GET /health|",
     NULL},
    {"a key whose end nobody knows is looked for, then another is used",
     {REFUSED("409 Conflict", "idempotency_outcome_unknown"), BODY("200 OK", "[]"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|GET /v2/sandboxes|POST /v2/sandboxes|GET /health|",
     "Idempotency-Key: run-1-again-1\r\n"},
    {"a key whose end nobody knows is looked for, and found",
     {REFUSED("409 Conflict", "idempotency_outcome_unknown"),
      BODY("200 OK", "[" LISTED("iabc", "running") "]"), BODY("200 OK", SANDBOX), HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|GET /v2/sandboxes|POST /v2/sandboxes/iabc/connect|GET /health|",
     NULL},
    {"one that was found and is gone by then is made anew",
     {REFUSED("422 No", "idempotency_request_mismatch"),
      BODY("200 OK", "[" LISTED("iabc", "paused") "]"), NO_SUCH, MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|GET /v2/sandboxes|POST /v2/sandboxes/iabc/connect|"
     "POST /v2/sandboxes|GET /health|",
     "Idempotency-Key: run-1-again-2\r\n"},
};

static struct script opens[] = {
    {"opened", {MADE, HEALTHY}, "OK", 0, "POST /v2/sandboxes/iabc/connect|GET /health|", NULL},
    {"gone", /* a v1 service would say the same of the path */
     {NO_SUCH},
     "GONE",
     0,
     "POST /v2/sandboxes/iabc/connect|POST /sandboxes/iabc/connect|",
     NULL},
    {"gone at the edge, too",
     {MADE, EDGE_GONE, NO_SUCH},
     "GONE",
     0,
     "POST /v2/sandboxes/iabc/connect|GET /health|GET /sandboxes/iabc|",
     NULL},
    {"paused meanwhile: it is resumed",
     {MADE, EDGE_GONE, BODY("200 OK", LISTED("iabc", "paused")), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes/iabc/connect|GET /health|GET /sandboxes/iabc|"
     "POST /v2/sandboxes/iabc/connect|GET /health|",
     NULL},
    {"its memory cannot be brought back: without",
     {REFUSED("409 Conflict", "sandbox_snapshot_guest_agent_unresponsive"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes/iabc/connect|POST /v2/sandboxes/iabc/connect|GET /health|",
     "{\"timeout\":60,\"memory\":false}"},
    {"in transition: asked again",
     {BODY("409 Conflict", "{\"code\":409,\"message\":\"sandbox is being paused\"}"), MADE,
      HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes/iabc/connect|POST /v2/sandboxes/iabc/connect|GET /health|",
     NULL},
    {"a text of a gateway is asked again",
     {"504 Timeout\r\nConnection: close\r\n\r\nupstream request timeout", MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes/iabc/connect|POST /v2/sandboxes/iabc/connect|GET /health|",
     NULL},
};

static void judge(const struct script *row, struct stage *st, struct fx_got *got)
{
    assert_string_equal(err_name(got->e.code), row->code);
    assert_int_equal(got->e.retry_ms, row->retry_ms);
    stage_asked(st, row->asked);
    if (row->said)
        assert_non_null(strstr(st->heard->text, row->said));
    sandbox_free(got->sb);
    stage_down(st);
}

static void follows_the_script(void **state)
{
    const struct script *row = *state;
    struct stage st = stage_up(row->answers);
    struct fx_got got = fx_create(st.service, "claude", "run");

    assert_non_null(strstr(st.heard->text, "Idempotency-Key: run-1\r\n"));
    assert_non_null(strstr(st.heard->text, "\"metadata\":{\"fleet\":\"test\",\"key\":\"run-1\"," //
                                           "\"run\":\"run\",\"attempt\":\"1\""));
    assert_null(strstr(st.heard->text, "Idempotency-Key: \r\n"));
    judge(row, &st, &got);
}

static void opens_by_the_script(void **state)
{
    const struct script *row = *state;
    struct stage st = stage_up(row->answers);
    struct fx_got got = {0};
    struct err e;

    assert_string_equal(
        err_name(sandbox_open(st.service, "iabc", 60000, &fx_events, &got, NULL, &e)), "OK");
    fx_run();
    judge(row, &st, &got);
}

/* --- cancelled ------------------------------------------------------------------------ */

static void cancelled(const char *const *answers, const char *asked)
{
    const struct sandbox_want want = {
        .template = "claude", .ttl_ms = 1000, .run_id = "run", .attempt = 1, .tenant = "t"};
    struct stage st = stage_up(answers);
    struct sandbox_op *op = NULL;
    struct fx_got got = {0};
    struct err e;

    assert_string_equal(err_name(sandbox_create(st.service, &want, &fx_events, &got, &op, &e)),
                        "OK");
    while (st.heard->n == 0 && !got.called) { /* one turn of the loop, until it was asked */
        struct timer *t = timer_new(fx.loop, (loop_fn)(void (*)(void))loop_stop, fx.loop);

        timer_start(t, 0);
        loop_run(fx.loop);
        timer_free(t);
    }
    sandbox_op_cancel(op);
    stage_asked(&st, asked);
    assert_false(got.called);
    stage_down(&st);
}

static void a_cancelled_create_kills_what_was_made(void **state)
{
    static const char *const answers[] = {MADE, KILLED, NULL};

    (void)state;
    cancelled(answers, "POST /v2/sandboxes|DELETE /sandboxes/iabc|");
}

static void a_cancelled_create_looks_for_what_may_have_been_made(void **state)
{
    static const char *const answers[] = {LOST, BODY("200 OK", "[" LISTED("iabc", "running") "]"),
                                          KILLED, NULL};

    (void)state;
    cancelled(answers, "POST /v2/sandboxes|GET /v2/sandboxes|DELETE /sandboxes/iabc|");
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(creates) + COUNTOF(opens) + 2] = {
        cmocka_unit_test(a_cancelled_create_kills_what_was_made),
        cmocka_unit_test(a_cancelled_create_looks_for_what_may_have_been_made),
    };
    size_t n = 2;

    for (size_t i = 0; i < COUNTOF(creates); i++)
        tests[n++] = (struct CMUnitTest){
            .name = creates[i].name, .test_func = follows_the_script, .initial_state = &creates[i]};
    for (size_t i = 0; i < COUNTOF(opens); i++)
        tests[n++] = (struct CMUnitTest){
            .name = opens[i].name, .test_func = opens_by_the_script, .initial_state = &opens[i]};
    return cmocka_run_group_tests_name("sandbox_script", tests, fx_up, fx_down);
}
