/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: each failure of the sandbox service becomes the one error that carries the
 * right action, and nothing of the service's text gets into our message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "worker/e2b/e2b_error.h"

enum told { NOT_TOLD, TRUE, FALSE }; /* Should-Retry */

#define WORD(word)    "{\"code\":409,\"message\":\"\",\"error_code\":\"" word "\"}"
#define MESSAGE(text) "{\"code\":404,\"message\":\"" text "\"}"
#define CONNECT(code) "{\"code\":\"" code "\",\"message\":\"canary\"}"
#define CONCURRENT    "you have reached the maximum number of concurrent E2B sandboxes (20)"
#define NO_SANDBOX    "Sandbox \\\"x\\\" doesn't exist or you don't have access to it"

// clang-format off
static struct row {
    const char *name;
    enum e2b_surface surface;
    int status;
    const char *body, *code;
    int64_t retry_ms;
    int64_t retry_after_ms;
    enum told should_retry;
} rows[] = {
    {"key in progress", E2B_API, 409, WORD("idempotency_in_progress"), "UNAVAILABLE", 1000, 0, 0},
    {"key for another body", E2B_API, 422, WORD("idempotency_request_mismatch"), "CONFLICT", 0, 0, 0},
    {"the same by another status", E2B_API, 409, WORD("idempotency_request_mismatch"), "CONFLICT", 0, 0, 0},
    {"key with an end nobody knows", E2B_API, 409, WORD("idempotency_outcome_unknown"), "CONFLICT", 0, 0, 0},
    {"no capacity", E2B_API, 503, WORD("sandbox_capacity_unavailable"), "CAPACITY", 0, 0, 0},
    {"no node", E2B_API, 503, WORD("sandbox_no_compatible_node"), "CAPACITY", 0, 0, 0},
    {"no place", E2B_API, 504, WORD("sandbox_placement_timeout"), "CAPACITY", 0, 0, 0},
    {"create failed", E2B_API, 500, WORD("sandbox_create_failed"), "UNAVAILABLE", 0, 0, 0},
    {"create refused", E2B_API, 500, WORD("sandbox_create_refused"), "INVALID", 0, 0, 0},
    {"start in flight", E2B_API, 409, WORD("sandbox_start_in_flight"), "UNAVAILABLE", 1000, 0, 0},
    {"no agent in the snapshot", E2B_API, 409, WORD("sandbox_snapshot_guest_agent_unresponsive"), "CONFLICT", 0, 0, 0},
    {"server error", E2B_API, 500, WORD("internal_server_error"), "UNAVAILABLE", 0, 0, 0},
    {"a word we do not know", E2B_API, 503, WORD("news"), "UNAVAILABLE", 0, 0, 0},

    {"time limit", E2B_API, 400, MESSAGE("Timeout cannot be greater than 1 hours"), "INVALID", 0, 0, 0},
    {"bad request", E2B_API, 400, "{}", "INVALID", 0, 0, 0},
    {"bad key", E2B_API, 401, "", "UNAUTHORIZED", 0, 0, 0},
    {"unpaid", E2B_API, 402, "", "UNAUTHORIZED", 0, 0, 0},
    {"blocked team", E2B_API, 403, MESSAGE("team is blocked"), "UNAUTHORIZED", 0, 0, 0},
    {"template of somebody else", E2B_API, 403, MESSAGE("no access to template 'x'"), "NOT_FOUND", 0, 0, 0},
    {"forbidden", E2B_API, 403, "{}", "UNAUTHORIZED", 0, 0, 0},
    {"forbidden by a gateway", E2B_API, 403, "<html>", "UNAVAILABLE", 0, 0, 0},
    {"no template", E2B_API, 404, MESSAGE("template 'x' not found"), "NOT_FOUND", 0, 0, 0},
    {"no tag", E2B_API, 404, MESSAGE("tag 'y' does not exist"), "NOT_FOUND", 0, 0, 0},
    {"no sandbox", E2B_API, 404, MESSAGE(NO_SANDBOX), "GONE", 0, 0, 0},
    {"a gateway's 404 is no sandbox's end", E2B_API, 404, "404 page not found", "PROTOCOL", 0, 0, 0},
    {"paused already", E2B_API, 409, MESSAGE("sandbox 'x' is already paused"), "CONFLICT", 0, 0, 0},
    {"changing state", E2B_API, 409, MESSAGE("sandbox is being paused"), "UNAVAILABLE", 1000, 0, 0},
    {"no word for the mismatch", E2B_API, 422, "{}", "CONFLICT", 0, 0, 0},
    {"plan's cap", E2B_API, 429, MESSAGE(CONCURRENT), "CAPACITY", 0, 0, 0},
    {"plan's cap, do not retry", E2B_API, 429, MESSAGE(CONCURRENT), "CAPACITY", 0, 0, FALSE},
    {"rate", E2B_API, 429, MESSAGE("Rate limit exceeded"), "THROTTLED", 7000, 7000, 0},
    {"rate, far too long", E2B_API, 429, "{}", "THROTTLED", E2B_RETRY_AFTER_MAX_MS, 99999000, 0},
    {"rate by the edge, no JSON", E2B_API, 429, "slow down", "THROTTLED", 0, 0, 0},
    {"rate by the edge, nothing", E2B_API, 429, "", "THROTTLED", 0, 0, 0},
    {"500", E2B_API, 500, "", "UNAVAILABLE", 0, 0, 0},
    {"500, do not retry", E2B_API, 500, "{}", "INVALID", 0, 0, FALSE},
    {"500, retry", E2B_API, 500, "{}", "UNAVAILABLE", 0, 0, TRUE},
    {"502", E2B_API, 502, "bad gateway", "UNAVAILABLE", 0, 0, 0},
    {"503", E2B_API, 503, "", "UNAVAILABLE", 0, 0, 0},
    {"503 says when", E2B_API, 503, "", "UNAVAILABLE", 3000, 3000, 0},
    {"503, do not retry at once", E2B_API, 503, "", "UNAVAILABLE", 0, 0, FALSE},
    {"gateway's text", E2B_API, 504, "upstream request timeout", "UNAVAILABLE", 0, 0, 0},
    {"redirect", E2B_API, 302, "", "PROTOCOL", 0, 0, 0},
    {"teapot", E2B_API, 418, "", "PROTOCOL", 0, 0, 0},
    {"refused, but retry", E2B_API, 400, "{}", "UNAVAILABLE", 0, 0, TRUE},
    {"create refused, but retry", E2B_API, 500, WORD("sandbox_create_refused"), "UNAVAILABLE", 0, 0, TRUE},
    {"cap, and retry", E2B_API, 429, MESSAGE(CONCURRENT), "CAPACITY", 0, 0, TRUE},

    {"gone", E2B_EDGE, 502, MESSAGE("The sandbox was not found"), "GONE", 0, 0, 0},
    {"daemon down", E2B_EDGE, 502, MESSAGE("The sandbox is running but port is not open"), "UNAVAILABLE", 200, 0, 0},
    {"edge trouble", E2B_EDGE, 502, "<html>", "UNAVAILABLE", 0, 0, 0},
    {"transitioning", E2B_EDGE, 409, MESSAGE("still transitioning"), "UNAVAILABLE", 1000, 0, 0},
    {"wrong token", E2B_EDGE, 401, "{\"code\":401,\"message\":\"unauthorized access\"}", "GONE", 0, 0, 0},
    {"forbidden token", E2B_EDGE, 403, "{}", "GONE", 0, 0, 0},
    {"no file", E2B_EDGE, 404, MESSAGE("path does not exist"), "NOT_FOUND", 0, 0, 0},
    {"connection limit", E2B_EDGE, 429, "{\"connectionLimit\":2500}", "THROTTLED", 1000, 0, 0},
    {"connection limit says when", E2B_EDGE, 429, "{}", "THROTTLED", 2000, 2000, 0},
    {"disk full", E2B_EDGE, 507, MESSAGE("no space"), "IO", 0, 0, 0},
    {"bad routing", E2B_EDGE, 400, "Invalid host", "PROTOCOL", 0, 0, 0},
    {"bad file request", E2B_EDGE, 400, MESSAGE("is a directory"), "PROTOCOL", 0, 0, 0},
    {"daemon's failure", E2B_EDGE, 500, "{}", "UNAVAILABLE", 0, 0, 0},
    {"edge away", E2B_EDGE, 503, "", "UNAVAILABLE", 0, 0, 0},
    {"edge waits", E2B_EDGE, 504, "", "UNAVAILABLE", 0, 0, 0},
    {"anything", E2B_EDGE, 599, "<html>", "PROTOCOL", 0, 0, 0},
    {"unary: not found", E2B_EDGE, 404, CONNECT("not_found"), "NOT_FOUND", 0, 0, 0},
    {"unary: exists", E2B_EDGE, 409, CONNECT("already_exists"), "CONFLICT", 0, 0, 0},
    {"unary: bad argument", E2B_EDGE, 400, CONNECT("invalid_argument"), "INVALID", 0, 0, 0},
    {"unary: not permitted", E2B_EDGE, 403, CONNECT("permission_denied"), "INVALID", 0, 0, 0},
    {"unary: busy", E2B_EDGE, 429, CONNECT("resource_exhausted"), "THROTTLED", 1000, 0, 0},
    {"unary: internal", E2B_EDGE, 500, CONNECT("internal"), "UNAVAILABLE", 0, 0, 0},
    {"unary: not known", E2B_EDGE, 501, CONNECT("unimplemented"), "PROTOCOL", 0, 0, 0},
    {"unary: unavailable", E2B_EDGE, 503, CONNECT("unavailable"), "UNAVAILABLE", 0, 0, 0},
};
// clang-format on

static void maps(void **state)
{
    static const int told[] = {[NOT_TOLD] = -1, [TRUE] = 1, [FALSE] = 0};
    const struct row *row = *state;
    struct http_answer a = {.status = row->status,
                            .body = str_of(row->body),
                            .retry_after_ms = row->retry_after_ms,
                            .content_range_size = -1,
                            .should_retry = told[row->should_retry]};
    struct err e = ERR_INIT;

    assert_string_equal(err_name(e2b_error_of_http(row->surface, &a, &e)), row->code);
    assert_string_equal(err_name(e.code), row->code);
    assert_int_equal(e.retry_ms, row->retry_ms);
    assert_null(strstr(e.msg, "canary"));
}

static struct end_row {
    const char *word, *code;
} end_rows[] = {
    {"not_found", "NOT_FOUND"},          {"deadline_exceeded", "TIMEOUT"},
    {"unavailable", "UNAVAILABLE"},      {"unauthenticated", "GONE"},
    {"resource_exhausted", "THROTTLED"}, {"already_exists", "CONFLICT"},
    {"permission_denied", "INVALID"},    {"invalid_argument", "INVALID"},
    {"unimplemented", "PROTOCOL"},       {"internal", "UNAVAILABLE"},
    {"something new", "UNAVAILABLE"},
};

static void maps_end(void **state)
{
    const struct end_row *row = *state;
    struct connect_failure f = {.failed = true, .text = "canary command line"};
    struct err e = ERR_INIT;

    (void)strncpy(f.code, row->word, sizeof(f.code) - 1);
    assert_string_equal(err_name(e2b_error_of_end(&f, &e)), row->code);
    assert_null(strstr(e.msg, "canary"));
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + COUNTOF(end_rows)];
    size_t n = 0;

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = rows[i].name, .test_func = maps, .initial_state = &rows[i]};
    for (size_t i = 0; i < COUNTOF(end_rows); i++)
        tests[n++] = (struct CMUnitTest){
            .name = end_rows[i].word, .test_func = maps_end, .initial_state = &end_rows[i]};
    return cmocka_run_group_tests_name("e2b_error", tests, NULL, NULL);
}
