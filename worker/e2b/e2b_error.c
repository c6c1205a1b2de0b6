/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/e2b_error.h"

#include <string.h>

#include "common/json/json.h"
#include "worker/run/json_walk.h"

#include "common/banned.h"

/* What a row asks of an answer besides its surface. */
enum {
    SAYS_NO = 1 << 0, /* Should-Retry: false */
    NO_JSON = 1 << 1, /* a gateway's answer, not the service's */
};

/* First match counts. status 0, word NULL, text NULL: any. The service's words before its
 * statuses: they are what it promises. */
// clang-format off
static const struct row {
    enum e2b_surface surface;
    int status;
    const char *word, *text;
    unsigned only;
    enum err_code code;
    int64_t retry_ms;
    const char *say;
} rows[] = {
    {E2B_API, 0, "idempotency_in_progress", NULL, 0, ERR_UNAVAILABLE, 1000, "the same request is under way"},
    {E2B_API, 0, "idempotency_request_mismatch", NULL, 0, ERR_CONFLICT, 0, "the idempotency key was used for another request"},
    {E2B_API, 0, "idempotency_outcome_unknown", NULL, 0, ERR_CONFLICT, 0, "it does not know what became of the same request"},
    {E2B_API, 0, "sandbox_capacity_unavailable", NULL, 0, ERR_CAPACITY, 0, "no capacity at the moment"},
    {E2B_API, 0, "sandbox_no_compatible_node", NULL, 0, ERR_CAPACITY, 0, "no node for this template at the moment"},
    {E2B_API, 0, "sandbox_placement_timeout", NULL, 0, ERR_CAPACITY, 0, "no place found in time"},
    {E2B_API, 0, "sandbox_create_failed", NULL, 0, ERR_UNAVAILABLE, 0, "the sandbox could not be made"},
    {E2B_API, 0, "sandbox_create_refused", NULL, 0, ERR_INVALID, 0, "it refuses to create this sandbox"},
    {E2B_API, 0, "sandbox_start_in_flight", NULL, 0, ERR_UNAVAILABLE, 1000, "the sandbox is being started"},
    {E2B_API, 0, "sandbox_snapshot_guest_agent_unresponsive", NULL, 0, ERR_CONFLICT, 0, "the sandbox's memory cannot be brought back"},
    {E2B_API, 400, NULL, "Timeout cannot be greater", 0, ERR_INVALID, 0, "a sandbox may not live so long: lower the run's time limit"},
    {E2B_API, 400, NULL, NULL, 0, ERR_INVALID, 0, "it refused the request"},
    {E2B_API, 401, NULL, NULL, 0, ERR_UNAUTHORIZED, 0, "it refused the API key: check E2B_API_KEY"},
    {E2B_API, 402, NULL, NULL, 0, ERR_UNAUTHORIZED, 0, "the account must be paid: check its billing"},
    {E2B_API, 403, NULL, "team is blocked", 0, ERR_UNAUTHORIZED, 0, "the account is blocked: check its billing"},
    {E2B_API, 403, NULL, "template", 0, ERR_NOT_FOUND, 0, "no access to the template"},
    {E2B_API, 403, NULL, NULL, NO_JSON, ERR_UNAVAILABLE, 0, "its gateway refused the request"},
    {E2B_API, 403, NULL, NULL, 0, ERR_UNAUTHORIZED, 0, "the API key may not do this"},
    {E2B_API, 404, NULL, "template", 0, ERR_NOT_FOUND, 0, "the template does not exist"},
    {E2B_API, 404, NULL, "tag '", 0, ERR_NOT_FOUND, 0, "the template's tag does not exist"},
    {E2B_API, 404, NULL, NULL, NO_JSON, ERR_PROTOCOL, 0, "no such call there: check E2B_API_URL"},
    {E2B_API, 404, NULL, NULL, 0, ERR_GONE, 0, "the sandbox does not exist"},
    {E2B_API, 409, NULL, "already paused", 0, ERR_CONFLICT, 0, "the sandbox is paused already"},
    {E2B_API, 409, NULL, NULL, 0, ERR_UNAVAILABLE, 1000, "the sandbox is changing its state"},
    {E2B_API, 422, NULL, NULL, 0, ERR_CONFLICT, 0, "the idempotency key was used for another request"},
    {E2B_API, 429, NULL, "concurrent", 0, ERR_CAPACITY, 0, "all sandboxes of the plan are in use"},
    {E2B_API, 429, NULL, NULL, 0, ERR_THROTTLED, 0, "too many requests"},
    {E2B_API, 500, NULL, NULL, SAYS_NO, ERR_INVALID, 0, "it fails whenever it is asked this"},
    {E2B_API, 500, NULL, NULL, 0, ERR_UNAVAILABLE, 0, "it failed"},
    {E2B_API, 502, NULL, NULL, 0, ERR_UNAVAILABLE, 0, "it is not reachable behind its gateway"},
    {E2B_API, 503, NULL, NULL, 0, ERR_UNAVAILABLE, 0, "it is not available"},
    {E2B_API, 504, NULL, NULL, 0, ERR_UNAVAILABLE, 0, "it did not answer its gateway in time"},
    {E2B_API, 0, NULL, NULL, 0, ERR_PROTOCOL, 0, "an answer we do not know"},

    {E2B_EDGE, 502, NULL, "port is not open", 0, ERR_UNAVAILABLE, 200, "its daemon is not up"},
    {E2B_EDGE, 502, NULL, "not found", 0, ERR_GONE, 0, "it is no more"},
    {E2B_EDGE, 502, NULL, NULL, 0, ERR_UNAVAILABLE, 0, "the gateway cannot reach it"},
    {E2B_EDGE, 0, "already_exists", NULL, 0, ERR_CONFLICT, 0, "it exists already"},
    {E2B_EDGE, 0, "invalid_argument", NULL, 0, ERR_INVALID, 0, "it refused the arguments"},
    {E2B_EDGE, 0, "permission_denied", NULL, 0, ERR_INVALID, 0, "permission denied"},
    {E2B_EDGE, 0, "unimplemented", NULL, 0, ERR_PROTOCOL, 0, "its daemon does not know the call"},
    {E2B_EDGE, 409, NULL, NULL, 0, ERR_UNAVAILABLE, 1000, "it is changing its state"},
    {E2B_EDGE, 401, NULL, NULL, 0, ERR_GONE, 0, "it refused our access token: it is another one"},
    {E2B_EDGE, 403, NULL, NULL, 0, ERR_GONE, 0, "it refused our access token: it is another one"},
    {E2B_EDGE, 404, NULL, NULL, 0, ERR_NOT_FOUND, 0, "no such file"},
    {E2B_EDGE, 429, NULL, NULL, 0, ERR_THROTTLED, 1000, "too many connections"},
    {E2B_EDGE, 507, NULL, NULL, 0, ERR_IO, 0, "its disk is full"},
    {E2B_EDGE, 400, NULL, NULL, NO_JSON, ERR_PROTOCOL, 0, "it is not found that way: check E2B_SANDBOX_URL and E2B_DOMAIN"},
    {E2B_EDGE, 400, NULL, NULL, 0, ERR_PROTOCOL, 0, "it refused the request"},
    {E2B_EDGE, 500, NULL, NULL, 0, ERR_UNAVAILABLE, 0, "its daemon failed"},
    {E2B_EDGE, 503, NULL, NULL, 0, ERR_UNAVAILABLE, 0, "it is not available"},
    {E2B_EDGE, 504, NULL, NULL, 0, ERR_UNAVAILABLE, 0, "it did not answer its gateway in time"},
    {E2B_EDGE, 0, NULL, NULL, 0, ERR_PROTOCOL, 0, "an answer we do not know"},

    {E2B_RPC, 0, "not_found", NULL, 0, ERR_NOT_FOUND, 0, "no such process or file"},
    {E2B_RPC, 0, "deadline_exceeded", NULL, 0, ERR_TIMEOUT, 0, "its deadline passed"},
    {E2B_RPC, 0, "unavailable", NULL, 0, ERR_UNAVAILABLE, 0, "the stream was cut"},
    {E2B_RPC, 0, "resource_exhausted", NULL, 0, ERR_THROTTLED, 1000, "it has too much to do"},
    {E2B_RPC, 0, "unauthenticated", NULL, 0, ERR_GONE, 0, "it refused our access token: it is another one"},
    {E2B_RPC, 0, "already_exists", NULL, 0, ERR_CONFLICT, 0, "it exists already"},
    {E2B_RPC, 0, "permission_denied", NULL, 0, ERR_INVALID, 0, "permission denied"},
    {E2B_RPC, 0, "invalid_argument", NULL, 0, ERR_INVALID, 0, "it refused the arguments"},
    {E2B_RPC, 0, "unimplemented", NULL, 0, ERR_PROTOCOL, 0, "its daemon does not know the call"},
    {E2B_RPC, 0, NULL, NULL, 0, ERR_UNAVAILABLE, 0, "the call failed"},
};
// clang-format on

struct e2b_words {
    char word[64], text[512];
};

static const char *const who[] = {
    [E2B_API] = "sandbox service", [E2B_EDGE] = "sandbox", [E2B_RPC] = "sandbox process"};

static bool holds(struct str text, const char *part)
{
    return text.n > 0 && memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static bool matches(const struct row *r, const struct e2b_answer *a)
{
    return r->surface == a->surface && (r->status == 0 || r->status == a->status) &&
           (!r->word || str_is(a->word, r->word)) && (!r->text || holds(a->text, r->text)) &&
           (!(r->only & SAYS_NO) || a->should_retry == 0) && (!(r->only & NO_JSON) || !a->json);
}

static enum err_code code_of(const struct row *r, const struct e2b_answer *a)
{
    return a->should_retry == 1 && err_action(r->code) != ERR_DO_RETRY ? ERR_UNAVAILABLE : r->code;
}

static int64_t capped(int64_t ms)
{
    return ms < E2B_RETRY_AFTER_MAX_MS ? ms : E2B_RETRY_AFTER_MAX_MS;
}

enum err_code e2b_error(const struct e2b_answer *a, struct err *err)
{
    const struct row *r = rows;
    enum err_code code;

    while (!matches(r, a)) /* each surface's last row matches */
        r++;
    code = code_of(r, a);
    if (a->surface == E2B_RPC)
        (void)err_set(err, code, "%s: %s", who[a->surface], r->say);
    else
        (void)err_set(err, code, "%s: %s (HTTP %d)", who[a->surface], r->say, a->status);
    if (err)
        err->retry_ms = a->retry_after_ms > 0 ? capped(a->retry_after_ms) : r->retry_ms;
    return code;
}

/* error_code is the API's, code the Connect protocol's; a number there only says the status. */
static void read_body(struct str body, struct e2b_answer *out, struct e2b_words *room)
{
    struct json_scan scan;
    struct str word;

    out->text = body; /* a gateway's own answers are plain text */
    if (json_scan(body, NULL, 0, &scan, NULL) != ERR_OK || !scan.is_object)
        return;
    word = json_walk_get(body, "error_code");
    if (word.n == 0)
        word = json_walk_get(body, "code");
    json_to_text(word, room->word, sizeof(room->word));
    json_to_text(json_walk_get(body, "message"), room->text, sizeof(room->text));
    out->json = true;
    out->word = str_of(room->word);
    out->text = str_of(room->text);
}

enum err_code e2b_error_of_http(enum e2b_surface surface, const struct http_answer *a,
                                struct err *err)
{
    struct e2b_answer answer = {.surface = surface,
                                .status = a->status,
                                .should_retry = a->should_retry,
                                .retry_after_ms = a->retry_after_ms};
    struct e2b_words room = {0};

    read_body(str_trim(a->body), &answer, &room);
    return e2b_error(&answer, err);
}

enum err_code e2b_error_of_end(const struct connect_failure *f, struct err *err)
{
    return e2b_error(&(struct e2b_answer){.surface = E2B_RPC,
                                          .word = str_of(f->code),
                                          .text = str_of(f->text),
                                          .json = true,
                                          .should_retry = -1},
                     err);
}
