/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a call of the API brings its answer or an error that says what to do, with the exit
 * status of its kind; a server that asks for time is asked again, and nothing that must not be
 * done twice is. Proof: a server that expects each request and gives its answer. */
#include "tests/lib/table.h"
#include "tests/unit/producer/api_world.h"

#include "producer/exit_status.h"

#define BUSY                                                                                       \
    PROBLEM("503 U", "{\"type\":\"urn:x\",\"title\":\"t\",\"status\":503,\"code\":\"draining\","   \
                     "\"request_id\":\"r1\",\"retryable\":true}")

static struct row {
    const char *name;
    struct api_call call;
    const char *want, *error; /* the body; the code's name, and words of its message */
    const char *words;
    int status;
    struct step steps[3];
} rows[] = {
    {.name = "an answer",
     .call = {.path = "/v1/x"},
     .want = "{\"a\":1}",
     .steps = {{.want = {"GET /v1/x HTTP/1.1", "Accept: application/json", "!Authorization"},
                .answer = JSON_OK("{\"a\":1}")}}},
    {.name = "a body",
     .call = {.method = "POST", .path = "/v1/x", .body = {"{}", 2}, .idempotency_key = "k"},
     .want = "y",
     .steps = {{.want = {"POST /v1/x ", "Content-Type: application/json", "Idempotency-Key: k",
                         "{}"},
                .answer = JSON_OK("y")}}},
    {.name = "not found",
     .call = {.path = "/v1/x"},
     .error = "NOT_FOUND",
     .words = "there is no such run (not_found)",
     .status = EXIT_NOT_FOUND,
     .steps = {{.answer = PROBLEM("404 N", "{\"status\":404,\"code\":\"not_found\",\"detail\":"
                                           "\"there is no such run\",\"retryable\":false}")}}},
    {.name = "not found, told with what was asked for",
     .call = {.path = "/v1/batches/n%2Fa%1B[2J/results?limit=1"},
     .error = "NOT_FOUND",
     .words = "batch n/a?[2J: there is no such batch (not_found)",
     .status = EXIT_NOT_FOUND,
     .steps = {{.answer = PROBLEM("404 N", "{\"status\":404,\"code\":\"not_found\",\"detail\":"
                                           "\"there is no such batch\"}")}}},
    {.name = "no key",
     .call = {.path = "/v1/x"},
     .error = "UNAUTHORIZED",
     .words = "SANDFLEET_API_KEY",
     .status = EXIT_AUTH,
     .steps = {{.answer = PROBLEM("401 U", "{\"code\":\"unauthenticated\",\"title\":\"x\"}")}}},
    {.name = "conflict",
     .call = {.path = "/v1/x"},
     .error = "CONFLICT",
     .words = "it has not ended yet (run_not_ended)",
     .status = EXIT_CONFLICT,
     .steps = {{.answer = PROBLEM("409 C",
                                  "{\"code\":\"run_not_ended\",\"title\":\"it has not ended yet\","
                                  "\"retryable\":true}")}}},
    {.name = "a wrong member, told once",
     .call = {.path = "/v1/x"},
     .error = "USAGE",
     .words = "it is none: /model (invalid_field)",
     .status = EXIT_USAGE,
     .steps = {{.answer = PROBLEM(
                    "422 U", "{\"code\":\"invalid_field\",\"detail\":\"it is none\",\"errors\":"
                             "[{\"pointer\":\"/model\",\"code\":\"invalid_field\","
                             "\"detail\":\"it is none\"}]}")}}},
    {.name = "a key for something else",
     .call = {.path = "/v1/x"},
     .error = "CONFLICT",
     .words = "used (idempotency_key_reused)",
     .status = EXIT_CONFLICT,
     .steps = {{.answer = PROBLEM("422 U",
                                  "{\"code\":\"idempotency_key_reused\",\"detail\":\"used\"}")}}},
    {.name = "a wrong member",
     .call = {.path = "/v1/x"},
     .error = "USAGE",
     .words = "it is wrong; /model: no such?[31m characters (invalid_field)",
     .status = EXIT_USAGE,
     .steps = {{.answer = PROBLEM(
                    "422 U", "{\"code\":\"invalid_field\",\"title\":\"it is wrong\",\"errors\":"
                             "[{\"pointer\":\"/model\",\"code\":\"invalid_field\",\"detail\":"
                             "\"no such\\u0007[31m characters\"}]}")}}},
    {.name = "a wrong parameter",
     .call = {.path = "/v1/x"},
     .error = "USAGE",
     .words = "limit",
     .status = EXIT_USAGE,
     .steps = {{.answer =
                    PROBLEM("400 B", "{\"code\":\"invalid_parameter\",\"detail\":\"limit\"}")}}},
    {.name = "somebody else's answer",
     .call = {.path = "/v1/x"},
     .error = "UNAVAILABLE",
     .words = "is --api-url right?",
     .status = EXIT_UNAVAILABLE,
     .steps = {{.answer = PROBLEM("502 B", "<html>bad gateway</html>")}}},
    {.name = "asked again",
     .call = {.path = "/v1/x"},
     .want = "y",
     .steps = {{.answer = BUSY}, {.answer = BUSY}, {.answer = JSON_OK("y")}}},
    {.name = "asked again, what must not be done twice, for it was not done",
     .call = {.method = "POST", .path = "/v1/x", .body = {"{}", 2}, .once = true},
     .want = "y",
     .steps = {{.answer = BUSY}, {.answer = JSON_OK("y")}}},
    {.name = "too many requests",
     .call = {.path = "/v1/x"},
     .want = "y",
     .steps = {{.answer = "HTTP/1.1 429 T\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
                          "{\"code\":\"rate_limited\",\"retryable\":true}"},
               {.answer = JSON_OK("y")}}},
    {.name = "a mistake of the server's is told with the request",
     .call = {.path = "/v1/x"},
     .error = "UNAVAILABLE",
     .words = "(internal, request r7)",
     .status = EXIT_UNAVAILABLE,
     .steps = {{.answer =
                    PROBLEM("500 I", "{\"code\":\"internal\",\"title\":\"x\",\"request_id\":\"r7\","
                                     "\"retryable\":true}")}}},
    {.name = "it hangs up",
     .call = {.path = "/v1/x", .once = true},
     .error = "UNAVAILABLE",
     .words = "sandfleet-api at http://127.0.0.1:",
     .status = EXIT_UNAVAILABLE,
     .steps = {{.answer = NULL}}},
};

static size_t steps_of(const struct step *steps, size_t room)
{
    size_t n = 0;

    while (n < room && (steps[n].answer || n == 0))
        n++;
    return n;
}

static void check(void **state)
{
    const struct row *row = *state;
    struct api_world w = {0};
    AUTO_BUF out = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    world_open(&w, row->steps, steps_of(row->steps, COUNTOF(row->steps)));
    (void)!api_call(w.api, &row->call, &out, NULL, &err);
    assert_string_equal(err_name(err.code), row->error ? row->error : "OK");
    if (row->words && !strstr(err.msg, row->words))
        fail_msg("no '%s' in '%s'", row->words, err.msg);
    if (row->want)
        assert_string_equal(out.p, row->want);
    assert_int_equal(exit_status_of(err.code), row->status);
    world_shut(&w);
}

/* --- others --------------------------------------------------------------------- */

static void a_key_and_a_tenant_go_along(void **state)
{
    static const struct step steps[] = {
        {.want = {"Authorization: Bearer sfk_a_b\r\n", "GET /v1/x?tenant=acme HTTP"},
         .answer = JSON_OK("{}")}};
    struct api_world w = {.client = {.tenant = (char[]){"acme"}}};
    struct err err = ERR_INIT;
    AUTO_JSON *doc = NULL;

    (void)state;
    assert_int_equal(secret_init(&err), ERR_OK);
    assert_int_equal(secret_new(STR("sfk_a_b"), &w.client.api_key, &err), ERR_OK);
    world_open(&w, steps, COUNTOF(steps));
    assert_int_equal(api_get(w.api, "/v1/x", &doc, &err), ERR_OK);
    world_shut(&w);
    secret_free(w.client.api_key);
}

static void no_server_is_told_with_its_address(void **state)
{
    struct client c = {.api_url = (char[]){"http://127.0.0.1:1"}};
    struct api_client *a;
    struct err err = ERR_INIT;
    AUTO_JSON *doc = NULL;

    (void)state;
    assert_int_equal(api_client_new(&c, &a, &err), ERR_OK);
    assert_int_equal(api_get(a, "/v1/x", &doc, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "sandfleet-api at http://127.0.0.1:1"));
    assert_int_equal(exit_status_of(err.code), EXIT_UNAVAILABLE);
    api_client_free(a);
}

static void an_address_must_be_one(void **state)
{
    struct client c = {.api_url = (char[]){"ftp://x"}};
    struct api_client *a;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(api_client_new(&c, &a, &err), ERR_USAGE);
}

static bool add_piece(void *ctx, struct str piece)
{
    buf_addstr(ctx, piece);
    return ((struct buf *)ctx)->len < 10;
}

static void a_long_answer_comes_in_pieces(void **state)
{
    static const struct step steps[] = {
        {.want = {"Accept: application/x-ndjson"}, .answer = JSON_OK("{}\n{}\n")},
        {.answer = JSON_OK("0123456789abcdef")},
        {.answer = PROBLEM("404 N", "{\"code\":\"not_found\"}")}};
    struct api_world w = {0};
    AUTO_BUF out = BUF_INIT(4096);
    struct err err = ERR_INIT;

    (void)state;
    world_open(&w, steps, COUNTOF(steps));
    assert_int_equal(api_pipe(w.api, "/v1/x", "application/x-ndjson", add_piece, &out, &err),
                     ERR_OK);
    assert_string_equal(out.p, "{}\n{}\n");
    assert_int_equal(api_pipe(w.api, "/v1/x", NULL, add_piece, &out, &err), ERR_CANCELLED);
    err = ERR_INIT;
    assert_int_equal(api_pipe(w.api, "/v1/x", NULL, add_piece, &out, &err), ERR_NOT_FOUND);
    world_shut(&w);
}

static void words_in_addresses_are_encoded(void **state)
{
    AUTO_BUF path = BUF_INIT(4096);

    (void)state;
    api_path(&path, "/v1/batches/%s/results", "a/b c@d");
    api_query(&path, "order", "ended");
    api_query(&path, "none", NULL);
    api_query(&path, "x", "a&b");
    api_query_int(&path, "n", -5);
    assert_string_equal(path.p, "/v1/batches/a%2Fb%20c%40d/results?order=ended&x=a%26b&n=-5");
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_key_and_a_tenant_go_along),
        cmocka_unit_test(no_server_is_told_with_its_address),
        cmocka_unit_test(an_address_must_be_one),
        cmocka_unit_test(a_long_answer_comes_in_pieces),
        cmocka_unit_test(words_in_addresses_are_encoded),
    };

    return TABLE_RUN("api_client", rows, check) +
           cmocka_run_group_tests_name("api_client", others, NULL, NULL);
}
