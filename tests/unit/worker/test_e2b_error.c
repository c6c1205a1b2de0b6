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

static struct row {
    const char *name;
    enum e2b_surface surface;
    int status;
    const char *body;
    int64_t retry_after_ms;
    const char *code;
    int64_t retry_ms;
} rows[] = {
    {"bad request", E2B_API, 400,
     "{\"code\":400,\"message\":\"Timeout cannot be greater than 1 hours\"}", 0, "INVALID", 0},
    {"bad key", E2B_API, 401, "", 0, "UNAUTHORIZED", 0},
    {"blocked team", E2B_API, 403, "{\"code\":403,\"message\":\"team is blocked\"}", 0,
     "UNAUTHORIZED", 0},
    {"template of somebody else", E2B_API, 403,
     "{\"code\":403,\"message\":\"no access to template 'x'\"}", 0, "NOT_FOUND", 0},
    {"no template", E2B_API, 404, "{\"code\":404,\"message\":\"template 'x' not found\"}", 0,
     "NOT_FOUND", 0},
    {"no tag", E2B_API, 404, "{\"code\":404,\"message\":\"tag 'y' does not exist\"}", 0,
     "NOT_FOUND", 0},
    {"no sandbox", E2B_API, 404,
     "{\"code\":404,\"message\":\"Sandbox \\\"x\\\" doesn't exist or you don't have access to "
     "it\"}",
     0, "GONE", 0},
    {"in progress", E2B_API, 409,
     "{\"code\":409,\"message\":\"\",\"error_code\":\"idempotency_in_progress\"}", 0, "UNAVAILABLE",
     1000},
    {"key used twice", E2B_API, 422, "{\"code\":422,\"message\":\"\"}", 0, "CONFLICT", 0},
    {"plan's cap", E2B_API, 429,
     "{\"code\":429,\"message\":\"you have reached the maximum number of concurrent E2B sandboxes "
     "(20)\"}",
     0, "CAPACITY", 0},
    {"rate", E2B_API, 429, "{\"code\":429,\"message\":\"Rate limit exceeded\"}", 7000, "THROTTLED",
     7000},
    {"rate, far too long", E2B_API, 429, "{}", 99999000, "THROTTLED", E2B_RETRY_AFTER_MAX_MS},
    {"rate by the edge, no JSON", E2B_API, 429, "slow down", 0, "THROTTLED", 0},
    {"refused for good", E2B_API, 500, "{\"error_code\":\"sandbox_create_refused\"}", 0, "INVALID",
     0},
    {"failed", E2B_API, 500, "{\"error_code\":\"sandbox_create_failed\"}", 0, "UNAVAILABLE", 0},
    {"no capacity", E2B_API, 503, "{\"error_code\":\"sandbox_capacity_unavailable\"}", 0,
     "CAPACITY", 0},
    {"no place", E2B_API, 504, "{\"error_code\":\"sandbox_placement_timeout\"}", 0, "CAPACITY", 0},
    {"gateway's text", E2B_API, 504, "upstream request timeout", 0, "UNAVAILABLE", 0},
    {"redirect", E2B_API, 302, "", 0, "PROTOCOL", 0},
    {"teapot", E2B_API, 418, "", 0, "PROTOCOL", 0},

    {"gone", E2B_EDGE, 502,
     "{\"sandboxId\":\"i\",\"message\":\"The sandbox was not found\",\"code\":502}", 0, "GONE", 0},
    {"daemon down", E2B_EDGE, 502,
     "{\"message\":\"The sandbox is running but port is not open\",\"port\":49983,\"code\":502}", 0,
     "UNAVAILABLE", 200},
    {"transitioning", E2B_EDGE, 409, "{\"message\":\"still transitioning\"}", 0, "UNAVAILABLE",
     1000},
    {"wrong token", E2B_EDGE, 401, "{\"code\":401,\"message\":\"unauthorized access\"}", 0, "GONE",
     0},
    {"no file", E2B_EDGE, 404, "{\"code\":404,\"message\":\"path does not exist\"}", 0, "NOT_FOUND",
     0},
    {"connection limit", E2B_EDGE, 429, "{\"connectionLimit\":2500}", 0, "THROTTLED", 1000},
    {"disk full", E2B_EDGE, 507, "{\"code\":507,\"message\":\"no space\"}", 0, "IO", 0},
    {"anything", E2B_EDGE, 599, "<html>", 0, "PROTOCOL", 0},
};

static void maps(void **state)
{
    const struct row *row = *state;
    struct http_answer a = {.status = row->status,
                            .body = str_of(row->body),
                            .retry_after_ms = row->retry_after_ms,
                            .content_range_size = -1};
    struct err e = ERR_INIT;

    assert_string_equal(err_name(e2b_error_of_http(row->surface, &a, &e)), row->code);
    assert_string_equal(err_name(e.code), row->code);
    assert_int_equal(e.retry_ms, row->retry_ms);
}

static struct end_row {
    const char *word, *code;
} end_rows[] = {
    {"not_found", "NOT_FOUND"},       {"deadline_exceeded", "TIMEOUT"},
    {"unavailable", "UNAVAILABLE"},   {"unauthenticated", "GONE"},
    {"resource_exhausted", "IO"},     {"unimplemented", "INTERNAL"},
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
