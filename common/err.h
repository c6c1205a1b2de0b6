/* SPDX-License-Identifier: Apache-2.0 */
/* An error: what failed, on what, and what to do about it.
 * Owned by whoever calls; reporting never allocates. Any thread. */
#ifndef SANDFLEET_COMMON_ERR_H
#define SANDFLEET_COMMON_ERR_H

#include <stdarg.h>
#include <stdint.h>

#include "common/attrs.h"

/* What the receiver does; no caller decides by reading text.
 *   RETRY   try again after retry_ms, or our own backoff when that is 0
 *   REJECT  this input will never work: dead letter, or usage error
 *   STOP    this process cannot go on: exit with err_exit_status() */
enum err_action { ERR_DO_NONE, ERR_DO_RETRY, ERR_DO_REJECT, ERR_DO_STOP };

/* code, action, exit status of a program that ends with it (sysexits.h), meaning */
#define ERR_MAP(X)                                                                                 \
    X(OK, NONE, 0, "success")                                                                      \
    X(INVALID, REJECT, 65, "the input does not follow its schema")                                 \
    X(TOO_BIG, REJECT, 65, "the input is over its ceiling")                                        \
    X(CONFLICT, REJECT, 65, "the same key was used for something else")                            \
    X(NOT_FOUND, REJECT, 66, "it does not exist")                                                  \
    X(USAGE, REJECT, 2, "the command line is wrong")                                               \
    X(UNAUTHORIZED, STOP, 77, "the credential was refused")                                        \
    X(TIMEOUT, RETRY, 75, "the deadline passed")                                                   \
    X(THROTTLED, RETRY, 75, "the other side asked us to slow down")                                \
    X(UNAVAILABLE, RETRY, 75, "the other side cannot be reached or is not ready")                  \
    X(CAPACITY, RETRY, 75, "no room at the moment")                                                \
    X(PROTOCOL, RETRY, 76, "the other side's answer makes no sense")                               \
    X(GONE, RETRY, 75, "it existed and is gone")                                                   \
    X(IO, RETRY, 74, "reading or writing failed")                                                  \
    X(CANCELLED, NONE, 130, "it was cancelled")                                                    \
    X(CONFIG, STOP, 78, "the configuration is wrong")                                              \
    X(NOMEM, STOP, 71, "out of memory")                                                            \
    X(INTERNAL, STOP, 70, "a bug of ours")

#define ERR_ENUM(name, action, status, text) ERR_##name,
enum err_code { ERR_MAP(ERR_ENUM) ERR_CODES };
#undef ERR_ENUM

struct err {
    enum err_code code;
    int64_t retry_ms; /* wait the other side asked for; 0: our backoff decides */
    char msg[256];    /* always terminated; cut between characters; no secret, no user data */
};

#define ERR_INIT ((struct err){.code = ERR_OK})

/* Fills *e (NULL is fine) and returns code.
 * Message: what failed first, then the subject in quotes, no capital, no full stop. */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF(3, 4);

/* Puts "<text>: " before the message e already has; returns its code, so e is not NULL. */
enum err_code err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* "<text>: <strerror(errnum)>" with ERR_IO, ERR_NOT_FOUND for ENOENT, ERR_NOMEM for ENOMEM. */
enum err_code err_errno(struct err *e, int errnum, const char *fmt, ...) PRINTF(3, 4);

const char *err_name(enum err_code code);    /* "TIMEOUT" */
const char *err_meaning(enum err_code code); /* "the deadline passed" */
enum err_action err_action(enum err_code code);
const char *err_action_name(enum err_action action); /* "retry" */
int err_exit_status(enum err_code code);

#endif
