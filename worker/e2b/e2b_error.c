/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/e2b_error.h"

#include <string.h>

#include "common/json.h"
#include "worker/json_walk.h"

#include "common/banned.h"

/* First match counts. status 0, word NULL, text NULL: any. */
// clang-format off
static const struct row {
    enum e2b_surface surface;
    int status;
    const char *word, *text;
    enum err_code code;
    int64_t retry_ms;
    const char *say;
} rows[] = {
    {E2B_API, 400, NULL, NULL, ERR_INVALID, 0, "it refused the request"},
    {E2B_API, 401, NULL, NULL, ERR_UNAUTHORIZED, 0, "it refused the API key: check E2B_API_KEY"},
    {E2B_API, 403, NULL, "team is blocked", ERR_UNAUTHORIZED, 0, "the account is blocked: check its billing"},
    {E2B_API, 403, NULL, "template", ERR_NOT_FOUND, 0, "no access to the template"},
    {E2B_API, 403, NULL, NULL, ERR_UNAUTHORIZED, 0, "the API key may not do this"},
    {E2B_API, 404, NULL, "template", ERR_NOT_FOUND, 0, "the template does not exist"},
    {E2B_API, 404, NULL, "tag '", ERR_NOT_FOUND, 0, "the template's tag does not exist"},
    {E2B_API, 404, NULL, NULL, ERR_GONE, 0, "the sandbox does not exist"},
    {E2B_API, 409, "idempotency_in_progress", NULL, ERR_UNAVAILABLE, 1000, "the same request is under way"},
    {E2B_API, 409, NULL, NULL, ERR_UNAVAILABLE, 1000, "the sandbox is changing its state"},
    {E2B_API, 422, NULL, NULL, ERR_CONFLICT, 0, "the idempotency key was used for another request"},
    {E2B_API, 429, NULL, "concurrent", ERR_CAPACITY, 0, "all sandboxes of the plan are in use"},
    {E2B_API, 429, NULL, NULL, ERR_THROTTLED, 0, "too many requests"},
    {E2B_API, 500, "sandbox_create_refused", NULL, ERR_INVALID, 0, "it refuses to create this sandbox"},
    {E2B_API, 503, "sandbox_capacity_unavailable", NULL, ERR_CAPACITY, 0, "no capacity at the moment"},
    {E2B_API, 503, "sandbox_no_compatible_node", NULL, ERR_CAPACITY, 0, "no node for this template at the moment"},
    {E2B_API, 504, "sandbox_placement_timeout", NULL, ERR_CAPACITY, 0, "no place found in time"},
    {E2B_API, 500, NULL, NULL, ERR_UNAVAILABLE, 0, "it failed"},
    {E2B_API, 502, NULL, NULL, ERR_UNAVAILABLE, 0, "it is not reachable behind its gateway"},
    {E2B_API, 503, NULL, NULL, ERR_UNAVAILABLE, 0, "it is not available"},
    {E2B_API, 504, NULL, NULL, ERR_UNAVAILABLE, 0, "it did not answer its gateway in time"},
    {E2B_API, 0, NULL, NULL, ERR_PROTOCOL, 0, "an answer we do not know"},

    {E2B_EDGE, 502, NULL, "port is not open", ERR_UNAVAILABLE, 200, "its daemon is not up"},
    {E2B_EDGE, 502, NULL, "not found", ERR_GONE, 0, "it is no more"},
    {E2B_EDGE, 502, NULL, NULL, ERR_UNAVAILABLE, 0, "the gateway cannot reach it"},
    {E2B_EDGE, 409, NULL, NULL, ERR_UNAVAILABLE, 1000, "it is changing its state"},
    {E2B_EDGE, 401, NULL, NULL, ERR_GONE, 0, "it refused our access token: it is another one"},
    {E2B_EDGE, 403, NULL, NULL, ERR_GONE, 0, "it refused our access token: it is another one"},
    {E2B_EDGE, 404, NULL, NULL, ERR_NOT_FOUND, 0, "no such file"},
    {E2B_EDGE, 429, NULL, NULL, ERR_THROTTLED, 1000, "too many connections"},
    {E2B_EDGE, 507, NULL, NULL, ERR_IO, 0, "its disk is full"},
    {E2B_EDGE, 400, NULL, NULL, ERR_PROTOCOL, 0, "it refused the request"},
    {E2B_EDGE, 500, NULL, NULL, ERR_UNAVAILABLE, 0, "its daemon failed"},
    {E2B_EDGE, 503, NULL, NULL, ERR_UNAVAILABLE, 0, "it is not available"},
    {E2B_EDGE, 504, NULL, NULL, ERR_UNAVAILABLE, 0, "it did not answer its gateway in time"},
    {E2B_EDGE, 0, NULL, NULL, ERR_PROTOCOL, 0, "an answer we do not know"},

    {E2B_RPC, 0, "not_found", NULL, ERR_NOT_FOUND, 0, "no such process or file"},
    {E2B_RPC, 0, "deadline_exceeded", NULL, ERR_TIMEOUT, 0, "its deadline passed"},
    {E2B_RPC, 0, "unavailable", NULL, ERR_UNAVAILABLE, 0, "the stream was cut"},
    {E2B_RPC, 0, "resource_exhausted", NULL, ERR_IO, 0, "its resources are used up"},
    {E2B_RPC, 0, "unauthenticated", NULL, ERR_GONE, 0, "it refused our access token: it is another one"},
    {E2B_RPC, 0, "permission_denied", NULL, ERR_INTERNAL, 0, "permission denied"},
    {E2B_RPC, 0, "invalid_argument", NULL, ERR_INTERNAL, 0, "it refused the arguments"},
    {E2B_RPC, 0, "unimplemented", NULL, ERR_INTERNAL, 0, "it does not know the call"},
    {E2B_RPC, 0, NULL, NULL, ERR_UNAVAILABLE, 0, "the call failed"},
};
// clang-format on

static const char *const who[] = {
    [E2B_API] = "sandbox service", [E2B_EDGE] = "sandbox", [E2B_RPC] = "sandbox process"};

static bool holds(struct str text, const char *part)
{
    return text.n > 0 && memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static bool matches(const struct row *r, const struct e2b_answer *a)
{
    return r->surface == a->surface && (r->status == 0 || r->status == a->status) &&
           (!r->word || str_is(a->word, r->word)) && (!r->text || holds(a->text, r->text));
}

static int64_t capped(int64_t ms)
{
    return ms < E2B_RETRY_AFTER_MAX_MS ? ms : E2B_RETRY_AFTER_MAX_MS;
}

enum err_code e2b_error(const struct e2b_answer *a, struct err *err)
{
    const struct row *r = rows;

    while (!matches(r, a)) /* each surface's last row matches */
        r++;
    if (a->surface == E2B_RPC)
        (void)err_set(err, r->code, "%s: %s", who[a->surface], r->say);
    else
        (void)err_set(err, r->code, "%s: %s (HTTP %d)", who[a->surface], r->say, a->status);
    if (err)
        err->retry_ms = a->retry_after_ms > 0 ? capped(a->retry_after_ms) : r->retry_ms;
    return r->code;
}

enum err_code e2b_error_of_http(enum e2b_surface surface, const struct http_answer *a,
                                struct err *err)
{
    struct e2b_answer answer = {
        .surface = surface, .status = a->status, .retry_after_ms = a->retry_after_ms};
    struct str body = str_trim(a->body);
    char word[64] = "", text[512] = "";
    struct json_scan scan;

    answer.text = body; /* a gateway's own answers are plain text */
    if (json_scan(body, NULL, 0, &scan, NULL) == ERR_OK && scan.is_object) {
        json_to_text(json_walk_get(body, "error_code"), word, sizeof(word));
        json_to_text(json_walk_get(body, "message"), text, sizeof(text));
        answer.word = str_of(word);
        answer.text = str_of(text);
    }
    return e2b_error(&answer, err);
}

enum err_code e2b_error_of_end(const struct connect_failure *f, struct err *err)
{
    return e2b_error(
        &(struct e2b_answer){.surface = E2B_RPC, .word = str_of(f->code), .text = str_of(f->text)},
        err);
}
