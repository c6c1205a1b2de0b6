/* SPDX-License-Identifier: Apache-2.0 */
/* What is said when a request cannot be done: problem documents of RFC 9457. Pure. */
#ifndef SANDFLEET_API_PROBLEM_H
#define SANDFLEET_API_PROBLEM_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"

/* code, status, word, whether the same request may do later, title */
#define PROBLEM_MAP(X)                                                                             \
    X(BAD_REQUEST, 400, "bad_request", false, "The request is not understood")                     \
    X(BAD_CURSOR, 400, "bad_cursor", false, "The cursor is not one of this list")                  \
    X(UNAUTHORIZED, 401, "unauthorized", false, "No valid key")                                    \
    X(FORBIDDEN, 403, "forbidden", false, "The key does not permit this")                          \
    X(NOT_FOUND, 404, "not_found", false, "There is no such thing")                                \
    X(NO_METHOD, 405, "method_not_allowed", false, "The path has no such method")                  \
    X(NOT_ACCEPTABLE, 406, "not_acceptable", false, "No such form of the answer")                  \
    X(CONFLICT, 409, "conflict", false, "It is not in a state for this")                           \
    X(IN_FLIGHT, 409, "in_flight", true, "The same request is under way")                          \
    X(GONE, 410, "gone", false, "It was there once")                                               \
    X(TOO_BIG, 413, "too_large", false, "The body is too big")                                     \
    X(LONG_TARGET, 414, "uri_too_long", false, "The URL is too long")                              \
    X(BAD_TYPE, 415, "unsupported_media_type", false, "The body's type is not taken here")         \
    X(INVALID, 422, "invalid", false, "A value is not as it must be")                              \
    X(KEY_REUSED, 422, "idempotency_key_reused", false, "The key was used with another body")      \
    X(THROTTLED, 429, "rate_limited", true, "Too many requests with this key")                     \
    X(LONG_HEADERS, 431, "headers_too_large", false, "The headers are too big")                    \
    X(INTERNAL, 500, "internal", false, "A fault of this server")                                  \
    X(UNAVAILABLE, 503, "unavailable", true, "A part of this server is away")                      \
    X(STOPPING, 503, "stopping", true, "This server is stopping")                                  \
    X(TIMEOUT, 504, "timeout", true, "The answer took too long")

#define PROBLEM_ENUM(code, status, word, retryable, title) PROBLEM_##code,
enum problem { PROBLEM_MAP(PROBLEM_ENUM) PROBLEMS };
#undef PROBLEM_ENUM

int problem_status(enum problem p);
const char *problem_word(enum problem p); /* "not_found": the document's `code` */

#define PROBLEM_CONTENT_TYPE "application/problem+json"

struct problem_text {
    enum problem problem;
    const char *request_id;
    const char *detail;  /* what failed, on what, and what to do */
    const char *pointer; /* JSON pointer into the body, or a parameter's name; NULL: none */
};

/* Appends the document. */
void problem_write(const struct problem_text *t, struct buf *out);
/* Which problem an error of ours is for the caller. */
enum problem problem_of(enum err_code code);

#endif
