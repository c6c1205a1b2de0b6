/* SPDX-License-Identifier: Apache-2.0 */
/* Does the agent still do something? Each of its lines says where it is; for each place
 * there is a longest silence. Time (clock_boot_ms) is passed in. Pure. */
#ifndef SANDFLEET_WORKER_WATCHDOG_H
#define SANDFLEET_WORKER_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/run/stream_json.h"

/* The command waits so long for its background commands before it ends by itself. */
enum { WATCHDOG_BACKGROUND_MS = 600 * 1000 };

/* name, reason code */
#define WATCHDOG_MAP(X)                                                                            \
    X(NONE, "none")                                                                                \
    X(SILENCE, "silence")                     /* no line at all */                                 \
    X(AFTER_TOOL_RESULT, "after_tool_result") /* all tools answered, and nothing came of it */     \
    X(AFTER_RESULT, "after_result")           /* it said that it is done, and lives on */

#define WATCHDOG_ENUM(name, text) WATCHDOG_##name,
enum watchdog_reason { WATCHDOG_MAP(WATCHDOG_ENUM) WATCHDOG_REASONS };
#undef WATCHDOG_ENUM

const char *watchdog_reason_name(enum watchdog_reason reason);

struct watchdog_limits { /* ms without a line; 0: never too long */
    int64_t silence_ms, after_tool_result_ms, after_result_ms;
};

struct watchdog {
    enum watchdog_reason place; /* what it would be, were it silent now */
    int64_t line_ms;            /* of the newest line, or of watchdog_start() */
    int64_t tasks;              /* in the background */
};

/* Its output is read from now on, or again after it was not: what went by is no silence. */
void watchdog_start(struct watchdog *w, int64_t now_ms);

/* One line; *st has it already. */
void watchdog_line(struct watchdog *w, const struct stream_state *st,
                   const struct stream_line *line, int64_t now_ms);

/* When the verdict changes unless another line comes; INT64_MAX: never. */
int64_t watchdog_due_ms(const struct watchdog *w, const struct watchdog_limits *l);
enum watchdog_reason watchdog_verdict(const struct watchdog *w, const struct watchdog_limits *l,
                                      int64_t now_ms);

#endif
