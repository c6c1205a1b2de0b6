/* SPDX-License-Identifier: Apache-2.0 */
/* What is said when a request cannot be done: problem documents of RFC 9457. Pure. */
#ifndef SANDFLEET_API_PROBLEM_H
#define SANDFLEET_API_PROBLEM_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"

/* code, status, word, whether the same request may do later, what it means: as x-codes of
 * schema/openapi.yaml has them. */
// clang-format off
#define PROBLEM_MAP(X) \
    X(BAD_REQUEST, 400, "invalid_parameter", false, "a query parameter or a header is wrong") \
    X(BAD_CURSOR, 400, "invalid_cursor", false, "the cursor is none of ours, or of another list") \
    X(BAD_JSON, 400, "malformed_json", false, "the body is no JSON, is too deep, or has a member twice") \
    X(UNWANTED_BODY, 400, "unexpected_body", false, "there is something in a body where none is taken") \
    X(MALFORMED, 400, "malformed_request", false, "the request is no HTTP that we understand") \
    X(UNAUTHORIZED, 401, "unauthenticated", false, "there is no key, or it does not count") \
    X(FORBIDDEN, 403, "forbidden", false, "the key has not the scope that this needs") \
    X(NOT_FOUND, 404, "not_found", false, "there is no such thing here") \
    X(NO_ROUTE, 404, "no_such_route", false, "there is nothing at this address") \
    X(NO_METHOD, 405, "method_not_allowed", false, "the address has not this method") \
    X(NOT_ACCEPTABLE, 406, "not_acceptable", false, "none of the types in Accept is to be had") \
    X(NOT_ENDED, 409, "run_not_ended", true, "it has not ended yet") \
    X(BATCH_EXISTS, 409, "batch_exists", false, "the batch_id is taken") \
    X(BATCH_SEALED, 409, "batch_sealed", false, "the batch takes no more items") \
    X(NOTHING_TO_RETRY, 409, "nothing_to_retry", false, "no run of it ended like that") \
    X(SESSION_BUSY, 409, "session_busy", true, "a run of the session has not ended yet") \
    X(SANDBOX_BUSY, 409, "sandbox_busy", true, "a run has the sandbox") \
    X(IN_FLIGHT, 409, "idempotency_in_flight", true, "the first request with this key is under way") \
    X(TOO_BIG, 413, "body_too_large", false, "the body is over its ceiling") \
    X(LONG_TARGET, 414, "address_too_long", false, "the address is over its ceiling") \
    X(BAD_TYPE, 415, "unsupported_media_type", false, "Content-Type is another one than this takes") \
    X(KEY_REUSED, 422, "idempotency_key_reused", false, "the key was used with another body") \
    X(NO_PROMPT, 422, "missing_prompt", false, "the request has no prompt") \
    X(EMPTY_PROMPT, 422, "empty_prompt", false, "the prompt is empty or only white space") \
    X(TOO_LARGE, 422, "too_large", false, "a run request is over 512 KiB") \
    X(SECRET, 422, "secret_in_record", false, "a secret travels in the request; name a credential") \
    X(UNKNOWN_FIELD, 422, "unknown_field", false, "the body has a member that we do not know") \
    X(INVALID, 422, "invalid_field", false, "a member is wrong or missing") \
    X(THROTTLED, 429, "rate_limited", true, "this key asks too often") \
    X(LONG_HEADERS, 431, "headers_too_large", false, "the headers are over their ceiling") \
    X(INTERNAL, 500, "internal", true, "a mistake of ours") \
    X(KAFKA_AWAY, 503, "kafka_unavailable", true, "Kafka did not acknowledge it") \
    X(DATABASE_AWAY, 503, "database_unavailable", true, "the database is away") \
    X(STOPPING, 503, "draining", true, "the server is being stopped") \
    X(OVERLOADED, 503, "overloaded", true, "the server has as many requests or streams as it can hold")
// clang-format on

#define PROBLEM_ENUM(code, status, word, retryable, title) PROBLEM_##code,
enum problem { PROBLEM_MAP(PROBLEM_ENUM) PROBLEMS };
#undef PROBLEM_ENUM

int problem_status(enum problem p);
const char *problem_word(enum problem p); /* "not_found": the document's `code` */
bool problem_may_do_later(enum problem p);

#define PROBLEM_CONTENT_TYPE "application/problem+json"

struct problem_field { /* what is wrong in a body; borrowed */
    enum problem problem;
    const char *pointer; /* JSON pointer into it; "": all of it */
    const char *detail;
};

struct problem_text {
    enum problem problem;
    const char *request_id;
    const char *detail; /* what failed, on what, and what to do */
    const struct problem_field *fields;
    size_t n_fields;
};

/* Appends the document. */
void problem_write(const struct problem_text *t, struct buf *out);
/* The code of that word; PROBLEMS: there is none. */
enum problem problem_find(struct str word);
/* Which problem an error of ours is for the caller. */
enum problem problem_of(enum err_code code);

#endif
