/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: whatever goes wrong with the service, a call ends with the action that the table in
 * e2b_error.c names; a create makes one sandbox however often it had to be asked, or none; no
 * sandbox and no descriptor is left. Proof: a sandboxd with scripted faults, and counts. */
#include "faults.h"

#define CAP        "you have reached the maximum number of concurrent E2B sandboxes (20)"
#define ANSWER     "\"do\":\"answer\",\"status\":"
#define CREATE     "{\"on\":\"POST /v2/sandboxes\","
#define OPEN       "{\"on\":\"POST /v2/sandboxes/{}/connect\","
#define HEALTH     "{\"on\":\"GET /health\","
#define KILL       "{\"on\":\"DELETE /sandboxes/{}\","
#define TTL        "{\"on\":\"POST /sandboxes/{}/timeout\","
#define RULES      "{\"on\":\"PUT /sandboxes/{}/network\","
#define GET        "{\"on\":\"GET /sandboxes/{}\","
#define LIST       "{\"on\":\"GET /v2/sandboxes\","
#define WORD(word) ",\"body\":{\"code\":500,\"message\":\"x\",\"error_code\":\"" word "\"}}"
#define NO_V2      CREATE ANSWER "404,\"times\":0,\"body\":\"404 page not found\"}"

// clang-format off
static const struct row {
    const char *name, *rules, *code;
    int64_t retry_ms;
    int left; /* sandboxes, where it is asked for one */
} creates[] = {
    {"the plan's cap holds", "[" CREATE ANSWER "429,\"body\":{\"code\":429,\"message\":\"" CAP "\"}}]", "CAPACITY", 0, 0},
    {"a rate limit says when", "[" CREATE ANSWER "429,\"headers\":{\"Retry-After\":\"7\"},\"body\":{\"code\":429,\"message\":\"Rate limit exceeded\"}}]", "THROTTLED", 7000, 0},
    {"the edge's rate limit is text", "[" CREATE ANSWER "429,\"body\":\"slow down\"}]", "THROTTLED", 0, 0},
    {"no capacity holds", "[" CREATE ANSWER "503" WORD("sandbox_capacity_unavailable") "]", "CAPACITY", 0, 0},
    {"no place holds", "[" CREATE ANSWER "504" WORD("sandbox_placement_timeout") "]", "CAPACITY", 0, 0},
    {"failed, then one", "[" CREATE ANSWER "500" WORD("sandbox_create_failed") "]", "OK", 0, 1},
    {"refused for good", "[" CREATE ANSWER "500" WORD("sandbox_create_refused") "]", "INVALID", 0, 0},
    {"in flight, then one", "[" CREATE ANSWER "409" WORD("sandbox_start_in_flight") "]", "OK", 0, 1},
    {"away twice, then one", "[" CREATE ANSWER "503,\"times\":2}]", "OK", 0, 1},
    {"away for ever", "[" CREATE ANSWER "503,\"times\":0}]", "UNAVAILABLE", 0, 0},
    {"do not ask again", "[" CREATE ANSWER "503,\"headers\":{\"Should-Retry\":\"false\"}}]", "UNAVAILABLE", 0, 0},
    {"slow, but one", "[" CREATE "\"do\":\"delay\",\"ms\":1500}]", "OK", 0, 1},
    {"an answer lost is still one", "[" CREATE "\"do\":\"cut\",\"after_bytes\":-1}]", "OK", 0, 1},
    {"an answer cut is still one", "[" CREATE "\"do\":\"cut\",\"after_bytes\":20,\"times\":2}]", "OK", 0, 1},
    {"v1", "[" NO_V2 "]", "OK", 0, 1},
    {"v1: an answer lost is still one", "[" NO_V2 ",{\"on\":\"POST /sandboxes\",\"do\":\"cut\",\"after_bytes\":-1}]", "OK", 0, 1},
    {"v1, and no v2 list: still one", "[" NO_V2 "," LIST ANSWER "404,\"times\":0,\"body\":\"404 page not found\"},{\"on\":\"POST /sandboxes\",\"do\":\"cut\",\"after_bytes\":9}]", "OK", 0, 1},
    {"v1: failed before it was made: one", "[" NO_V2 ",{\"on\":\"POST /sandboxes\"," ANSWER "503}]", "OK", 0, 1},
    {"a used-up key: another one", "[" CREATE ANSWER "409" WORD("idempotency_outcome_unknown") "]", "OK", 0, 1},
    {"the daemon is not up yet", "[" HEALTH ANSWER "502,\"times\":3,\"body\":{\"code\":502,\"message\":\"The sandbox is running but port is not open\"}}]", "OK", 0, 1},
    {"the edge has not heard of it yet", "[" HEALTH ANSWER "502,\"body\":{\"code\":502,\"message\":\"The sandbox was not found\"}}]", "OK", 0, 1},
    {"its health is cut", "[" HEALTH "\"do\":\"cut\",\"after_bytes\":-1,\"times\":2}]", "OK", 0, 1},
    {"it dies at birth", "[" HEALTH "\"do\":\"lose\"}]", "UNAVAILABLE", 0, 0},
    {"wrong key", "[" CREATE ANSWER "401,\"body\":{\"code\":401,\"message\":\"x\"}}]", "UNAUTHORIZED", 0, 0},
    {"blocked team", "[" CREATE ANSWER "403,\"body\":{\"code\":403,\"message\":\"team is blocked\"}}]", "UNAUTHORIZED", 0, 0},
    {"no template", "[" CREATE ANSWER "404,\"body\":{\"code\":404,\"message\":\"template 'x' not found\"}}]", "NOT_FOUND", 0, 0},
};

static const struct row opens[] = {
    {"open", "[]", "OK", 0, 1},
    {"open: in transition, then it is there", "[" OPEN ANSWER "409,\"body\":{\"code\":409,\"message\":\"sandbox is being paused\"}}]", "OK", 0, 1},
    {"open: an answer lost", "[" OPEN "\"do\":\"cut\",\"after_bytes\":-1}]", "OK", 0, 1},
    {"open: a gateway gives up", "[" OPEN ANSWER "504,\"body\":\"upstream request timeout\"}]", "OK", 0, 1},
    {"open: rate", "[" OPEN ANSWER "429,\"headers\":{\"Retry-After\":\"2\"}}]", "THROTTLED", 2000, 1},
    {"open: foreign", "[" OPEN ANSWER "404,\"body\":{\"code\":404,\"message\":\"Sandbox \\\"x\\\" doesn't exist or you don't have access to it\"}}]", "GONE", 0, 1},
    {"open: the edge is wrong", "[" HEALTH ANSWER "502,\"body\":{\"code\":502,\"message\":\"The sandbox was not found\"}}]", "OK", 0, 1},
    {"open: it is lost meanwhile", "[" HEALTH "\"do\":\"lose\"}]", "GONE", 0, 0},
};

enum verb { DO_KILL, DO_TTL, DO_GET, DO_RULES };
static const struct call_row {
    struct row row;
    enum verb verb;
} calls[] = {
    {{"kill: failed twice", "[" KILL ANSWER "500,\"times\":2}]", "OK", 0, 0}, DO_KILL},
    {{"kill: an answer lost is a double kill", "[" KILL "\"do\":\"cut\",\"after_bytes\":-1}]", "OK", 0, 0}, DO_KILL},
    {{"kill: in transition", "[" KILL ANSWER "409}]", "OK", 0, 0}, DO_KILL},
    {{"kill: asked to wait", "[" KILL ANSWER "429,\"headers\":{\"Retry-After\":\"1\"}}]", "OK", 0, 0}, DO_KILL},
    {{"kill: asked to wait too long", "[" KILL ANSWER "429,\"headers\":{\"Retry-After\":\"300\"}}]", "THROTTLED", 300000, 1}, DO_KILL},
    {{"kill: do not ask again", "[" KILL ANSWER "500,\"headers\":{\"Should-Retry\":\"false\"}}]", "INVALID", 0, 1}, DO_KILL},
    {{"ttl: away three times", "[" TTL ANSWER "503,\"times\":3}]", "OK", 0, 1}, DO_TTL},
    {{"ttl: away for ever", "[" TTL ANSWER "503,\"times\":0}]", "UNAVAILABLE", 0, 1}, DO_TTL},
    {{"ttl: too long", "[" TTL ANSWER "400,\"body\":{\"code\":400,\"message\":\"Max instance length exceeded\"}}]", "INVALID", 0, 1}, DO_TTL},
    {{"ttl: gone", "[" TTL ANSWER "404,\"body\":{\"code\":404,\"message\":\"Sandbox \\\"x\\\" doesn't exist\"}}]", "GONE", 0, 1}, DO_TTL},
    {{"rules: away once", "[" RULES ANSWER "503,\"times\":1}]", "OK", 0, 1}, DO_RULES},
    {{"rules: refused", "[" RULES ANSWER "400,\"body\":{\"code\":400,\"message\":\"rules\"}}]", "INVALID", 0, 1}, DO_RULES},
    {{"rules: not for this account", "[" RULES ANSWER "403,\"body\":{\"code\":403,\"message\":\"plan\"}}]", "UNAUTHORIZED", 0, 1}, DO_RULES},
    {{"rules: gone", "[" RULES ANSWER "404,\"body\":{\"code\":404,\"message\":\"Sandbox \\\"x\\\" doesn't exist\"}}]", "GONE", 0, 1}, DO_RULES},
    {{"rules: a gateway's 404 says nothing of them", "[" RULES ANSWER "404,\"times\":2,\"body\":\"404 page not found\"}]", "OK", 0, 1}, DO_RULES},
    {{"rules: no such call", "[" RULES ANSWER "404,\"times\":0,\"body\":\"404 page not found\"}]", "NOT_FOUND", 0, 1}, DO_RULES},
    {{"rules: not with PUT", "[" RULES ANSWER "405,\"times\":0}]", "NOT_FOUND", 0, 1}, DO_RULES},
    {{"get: no JSON, then it is", "[" GET ANSWER "200,\"body\":\"<html>\"}]", "OK", 0, 1}, DO_GET},
    {{"get: another schema, then it is", "[" GET ANSWER "200,\"body\":{\"sandboxID\":\"x\"}}]", "OK", 0, 1}, DO_GET},
    {{"get: never a schema", "[" GET ANSWER "200,\"times\":0,\"body\":{\"sandboxID\":\"x\"}}]", "PROTOCOL", 0, 1}, DO_GET},
    {{"get: a gateway's 404 is no end", "[" GET ANSWER "404,\"times\":2,\"body\":\"404 page not found\"}]", "OK", 0, 1}, DO_GET},
    {{"get: cut", "[" GET "\"do\":\"cut\",\"after_bytes\":9}]", "OK", 0, 1}, DO_GET},
};
// clang-format on

static int handles_before;

/* Each test has a run of its own: a key is for one sandbox. */
static struct fx_got create(struct sandbox_service *s)
{
    static int runs;
    char run[32];

    (void)snprintf(run, sizeof(run), "faults-%d", ++runs);
    return fx_create(s, "claude", run);
}

static struct sandbox_service *begin(const char *rules)
{
    handles_before = faults_handles();
    faults_set(rules);
    return fx_service(NULL, NULL);
}

static void end(struct sandbox_service *s, int left)
{
    faults_set("[]");
    assert_int_equal(faults_sweep(s), left);
    assert_int_equal(faults_sweep(s), 0);
    sandbox_service_free(s);
    assert_int_equal(faults_handles(), handles_before);
}

static void makes_one_or_none(void **state)
{
    const struct row *row = *state;
    struct sandbox_service *s = begin(row->rules);
    struct fx_got got = create(s);

    assert_string_equal(err_name(got.e.code), row->code);
    assert_int_equal(got.e.retry_ms, row->retry_ms);
    assert_int_equal(got.sb != NULL, row->left);
    sandbox_free(got.sb);
    end(s, row->left);
}

static void opens_or_says_why(void **state)
{
    const struct row *row = *state;
    struct sandbox_service *s = begin("[]");
    struct fx_got made = create(s), got = {0};
    struct err e;

    assert_non_null(made.sb);
    faults_set(row->rules);
    assert_string_equal(
        err_name(sandbox_open(s, sandbox_id(made.sb), 60000, &fx_events, &got, NULL, &e)), "OK");
    fx_run();
    assert_string_equal(err_name(got.e.code), row->code);
    assert_int_equal(got.e.retry_ms, row->retry_ms);
    sandbox_free(got.sb);
    sandbox_free(made.sb);
    end(s, row->left);
}

static void on_info(void *ctx, const struct sandbox_info *info, const struct err *e)
{
    assert_int_equal(info != NULL, e->code == ERR_OK);
    faults_told(ctx, e);
}

static enum err_code start_call(struct sandbox_service *s, enum verb verb, const char *id,
                                struct err *told)
{
    struct err e;

    switch (verb) {
    case DO_KILL:
        return sandbox_kill(s, id, faults_told, told, &e);
    case DO_TTL:
        return sandbox_set_ttl(s, id, 60000, faults_told, told, &e);
    case DO_GET:
        return sandbox_get(s, id, on_info, told, &e);
    case DO_RULES: /* such as change nothing */
        return sandbox_set_network(s, id, "{}", faults_told, told, &e);
    }
    return ERR_INTERNAL;
}

static void calls_again_or_says_why(void **state)
{
    const struct call_row *call = *state;
    struct sandbox_service *s = begin("[]");
    struct fx_got made = create(s);
    struct err told;

    assert_non_null(made.sb);
    faults_set(call->row.rules);
    assert_string_equal(err_name(start_call(s, call->verb, sandbox_id(made.sb), &told)), "OK");
    fx_run();
    assert_string_equal(err_name(told.code), call->row.code);
    assert_int_equal(told.retry_ms, call->row.retry_ms);
    sandbox_free(made.sb);
    end(s, call->row.left);
}

/* --- lists ------------------------------------------------------------------------------- */
enum { MANY = 105 };

static void on_one_more(void *ctx, struct sandbox *sb)
{
    int *left = ctx;

    sandbox_free(sb);
    if (--*left == 0)
        loop_stop(fx.loop);
}

static void on_none(void *ctx, const struct err *e)
{
    (void)ctx;
    fail_msg("%s", e->msg);
}

static void many_pages_are_told_once_each(void **state)
{
    static const struct sandbox_events ev = {.ready = on_one_more, .failed = on_none};
    struct sandbox_service *s = begin("[]");
    static struct faults_left l;
    int left = MANY;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        const struct sandbox_want want = {
            .template = "claude", .ttl_ms = 300000, .run_id = "many", .attempt = i, .tenant = "t"};
        struct err e;

        assert_string_equal(err_name(sandbox_create(s, &want, &ev, &left, NULL, &e)), "OK");
    }
    fx_run();
    /* the second page fails first, comes half, comes as something else, and comes */
    faults_set("[" LIST ANSWER "500,\"skip\":1}," LIST
               "\"do\":\"cut\",\"skip\":1,\"after_bytes\":99}," LIST ANSWER
               "200,\"skip\":1,\"body\":[{}]}]");
    faults_list(s, &l);
    assert_int_equal(l.n, MANY);
    end(s, MANY);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(creates) + COUNTOF(opens) + COUNTOF(calls) + 1] = {
        cmocka_unit_test(many_pages_are_told_once_each)};
    size_t n = 1;

    for (size_t i = 0; i < COUNTOF(creates); i++)
        tests[n++] = (struct CMUnitTest){.name = creates[i].name,
                                         .test_func = makes_one_or_none,
                                         .initial_state = (void *)(uintptr_t)&creates[i]};
    for (size_t i = 0; i < COUNTOF(opens); i++)
        tests[n++] = (struct CMUnitTest){.name = opens[i].name,
                                         .test_func = opens_or_says_why,
                                         .initial_state = (void *)(uintptr_t)&opens[i]};
    for (size_t i = 0; i < COUNTOF(calls); i++)
        tests[n++] = (struct CMUnitTest){.name = calls[i].row.name,
                                         .test_func = calls_again_or_says_why,
                                         .initial_state = (void *)(uintptr_t)&calls[i]};
    return cmocka_run_group_tests_name("sandbox_faults", tests, fx_up, fx_down);
}
