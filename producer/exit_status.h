/* SPDX-License-Identifier: Apache-2.0 */
/* How `sandfleet` ends: one table for the commands, the usage and the manual. */
#ifndef SANDFLEET_PRODUCER_EXIT_STATUS_H
#define SANDFLEET_PRODUCER_EXIT_STATUS_H

#include <stddef.h>

#include "common/err.h"

/* name, status, when */
#define EXIT_MAP(X)                                                                                \
    X(OK, 0, "done; of a run that was followed: it completed")                                     \
    X(RUN_FAILED, 1, "the run did not complete: failed, timed out, cancelled or expired")          \
    X(USAGE, 2, "the command line is wrong; nothing was done")                                     \
    X(NOT_FOUND, 3, "no such run, batch, session, sandbox, dead letter or file")                   \
    X(AUTH, 4, "no key, or one that is refused or may not do this")                                \
    X(CONFLICT, 5,                                                                                 \
      "it is not as it would have to be: the cancel came too late for a run, a key "               \
      "was used for something else")                                                               \
    X(PARTLY, 6, "part of a batch failed")                                                         \
    X(BAD_INPUT, 65, "what was given to read does not follow its schema or is too big")            \
    X(BUG, 70, "a bug of ours")                                                                    \
    X(MEMORY, 71, "out of memory")                                                                 \
    X(IO, 74, "reading or writing failed; standard output is full")                                \
    X(UNAVAILABLE, 75, "broker, server or database cannot be reached or is not ready: try again")  \
    X(PROTOCOL, 76, "the other side's answer makes no sense")                                      \
    X(CONFIG, 78, "the configuration is wrong")                                                    \
    X(WAITED, 124, "the wait was over first; what was waited for goes on")                         \
    X(INTERRUPTED, 130, "interrupted by Ctrl-C; what was followed goes on")

#define EXIT_ENUM(name, status, when) EXIT_##name = (status),
enum exit_status { EXIT_MAP(EXIT_ENUM) };
#undef EXIT_ENUM

/* The row of an error that ends a command. */
enum exit_status exit_status_of(enum err_code code);

struct exit_row {
    int status;
    const char *when;
};
extern const struct exit_row exit_rows[];
extern const size_t exit_rows_n;

#endif
