/* SPDX-License-Identifier: Apache-2.0 */
/* What sandfleet-api says when it does not do what was asked: a problem document (RFC 9457), or
 * whatever stands between us and it. Pure. */
#ifndef SANDFLEET_PRODUCER_API_API_PROBLEM_H
#define SANDFLEET_PRODUCER_API_API_PROBLEM_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"

struct api_problem {
    char code[64];  /* "run_not_ended"; "": it was no problem document */
    bool retryable; /* the same request may succeed later */
};

/* Fills err from an answer of this status; `out` may be NULL. Returns err's code:
 * 401, 403 UNAUTHORIZED; 404 NOT_FOUND; 409, 422 CONFLICT; 413, 414, 431 TOO_BIG; other 4xx USAGE,
 * but 429 THROTTLED; 5xx UNAVAILABLE; anything else PROTOCOL. */
enum err_code api_problem_read(int status, struct str body, struct api_problem *out,
                               struct err *err);

/* Puts what `path` names before what is said of it: "run 0195…: there is no such run". Only of
 * NOT_FOUND and CONFLICT, and of a path such as /v1/runs/ID/result; else nothing is changed. */
void api_problem_subject(const char *path, struct err *err);

#endif
