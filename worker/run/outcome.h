/* SPDX-License-Identifier: Apache-2.0 */
/* From what happened to what it is called and what is done about it: one table. Pure. */
#ifndef SANDFLEET_WORKER_OUTCOME_H
#define SANDFLEET_WORKER_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "worker/run/stream_json.h"

/* What happens next.
 *   END      the run is over
 *   RETRY    a new attempt after a backoff, counted against max_attempts
 *   ONCE     the same, but it is the last one
 *   WAIT     a new attempt after a backoff, not counted, up to OUTCOME_UNCOUNTED_MAX
 *   HOLD     waits until a known time or a minute, not counted
 *   OTHER    WAIT where another credential of its pool may do better, else END */
enum outcome_next { NEXT_END, NEXT_RETRY, NEXT_ONCE, NEXT_WAIT, NEXT_HOLD, NEXT_OTHER };
enum { OUTCOME_UNCOUNTED_MAX = 20 };

/* What happens to the credential.
 *   KEEP     nothing
 *   LIMIT    no run gets it until its limit resets, or for OUTCOME_LIMIT_MS
 *   ALERT    somebody must look at it; no run gets it for OUTCOME_ALERT_MS
 * A run that is to go on waits as long, unless it may have another one. */
enum outcome_credential { CREDENTIAL_KEEP, CREDENTIAL_LIMIT, CREDENTIAL_ALERT };
enum { OUTCOME_LIMIT_MS = 5 * 60 * 1000, OUTCOME_ALERT_MS = 10 * 60 * 1000 };

/* name, event that ends the run when nothing else is left, next, credential, backoff base ms,
 * cap ms */
// clang-format off
#define OUTCOME_MAP(X)                                                                  \
    X(SUCCESS, "success", RUN_COMPLETED, END, KEEP, 0, 0)                               \
    X(AGENT_ERROR, "agent_error", RUN_FAILED, END, KEEP, 0, 0)                          \
    X(MAX_TURNS, "max_turns", RUN_FAILED, END, KEEP, 0, 0)                              \
    X(BUDGET, "budget", RUN_FAILED, END, KEEP, 0, 0)                                    \
    X(REFUSAL, "refusal", RUN_FAILED, END, KEEP, 0, 0)                                  \
    X(CONTEXT_LIMIT, "context_limit", RUN_FAILED, END, KEEP, 0, 0)                      \
    X(INVALID_REQUEST, "invalid_request", RUN_FAILED, END, KEEP, 0, 0)                  \
    X(BILLING, "billing", RUN_FAILED, OTHER, ALERT, 0, 0)                               \
    X(AUTH, "auth", RUN_FAILED, OTHER, ALERT, 0, 0)                                     \
    X(TIMED_OUT, "timed_out", RUN_TIMED_OUT, END, KEEP, 0, 0)                           \
    X(CANCELLED, "cancelled", RUN_CANCELLED, END, KEEP, 0, 0)                           \
    X(INTERRUPTED, "interrupted", RUN_FAILED, END, KEEP, 0, 0)                          \
    X(EXPIRED, "expired", RUN_EXPIRED, END, KEEP, 0, 0)                                 \
    X(INVALID, "invalid", RUN_FAILED, END, KEEP, 0, 0)                                  \
    X(TEMPLATE_UNKNOWN, "template_unknown", RUN_FAILED, END, KEEP, 0, 0)                \
    X(CREDENTIAL_NOT_FOUND, "credential_not_found", RUN_FAILED, END, KEEP, 0, 0)        \
    X(CREDENTIAL_UNREADABLE, "credential_unreadable", RUN_FAILED, OTHER, ALERT, 0, 0)   \
    X(CREDENTIAL_NOT_PROXIED, "credential_not_proxied", RUN_FAILED, HOLD, ALERT, 0, 0)  \
    X(SESSION_LOST, "session_lost", RUN_FAILED, END, KEEP, 0, 0)                        \
    X(SESSION_BUSY, "session_busy", RUN_FAILED, END, KEEP, 0, 0)                        \
    X(LOG_CEILING, "log_ceiling", RUN_FAILED, END, KEEP, 0, 0)                          \
    X(USAGE_LIMIT, "usage_limit", RUN_FAILED, HOLD, LIMIT, 0, 0)                        \
    X(SANDBOX_CAPACITY, "sandbox_capacity", RUN_FAILED, HOLD, KEEP, 2000, 30000)        \
    X(SERVICE_DOWN, "sandbox_service_down", RUN_FAILED, HOLD, KEEP, 2000, 30000)        \
    X(OVERLOADED, "overloaded", RUN_FAILED, WAIT, KEEP, 5000, 300000)                   \
    X(RATE_LIMITED, "rate_limited", RUN_FAILED, WAIT, KEEP, 5000, 300000)               \
    X(API_ERROR, "api_error", RUN_FAILED, RETRY, KEEP, 5000, 300000)                    \
    X(SANDBOX_FAILED, "sandbox_failed", RUN_FAILED, RETRY, KEEP, 1000, 60000)           \
    X(SANDBOX_LOST, "sandbox_lost", RUN_FAILED, RETRY, KEEP, 1000, 60000)               \
    X(STREAM_LOST, "stream_lost", RUN_FAILED, RETRY, KEEP, 1000, 60000)                 \
    X(NO_RESULT, "no_result", RUN_FAILED, RETRY, KEEP, 1000, 60000)                     \
    X(WORKSPACE_FAILED, "workspace_failed", RUN_FAILED, RETRY, KEEP, 5000, 300000)      \
    X(STALLED, "stalled", RUN_FAILED, ONCE, KEEP, 1000, 60000)                          \
    X(AGENT_MISSING, "agent_missing", RUN_FAILED, END, KEEP, 0, 0)                      \
    X(INTERNAL, "internal", RUN_FAILED, RETRY, KEEP, 1000, 60000)
// clang-format on

#define OUTCOME_ENUM(name, text, event, next, credential, base, cap) OUTCOME_##name,
enum outcome { OUTCOME_MAP(OUTCOME_ENUM) OUTCOMES };
#undef OUTCOME_ENUM

const char *outcome_name(enum outcome o);
enum outcome_next outcome_next(enum outcome o);
enum event_type outcome_event(enum outcome o); /* the terminal when it ends here */

/* The verdict of an agent process that ended: by is_error of the last result line, then
 * terminal_reason, api_error, status; the exit status only as a cross-check. */
enum outcome outcome_of_exit(const struct stream_state *st, int exit_status,
                             struct str stderr_tail);

/* The same of the last result line alone, whatever became of the process. */
enum outcome outcome_of_result(const struct stream_state *st);

/* Of a sandbox that could not be had, or a capture that failed. */
enum outcome outcome_of_error(const struct err *e);

struct outcome_case {            /* before this attempt */
    int64_t attempt;             /* this one's number */
    int64_t failures, uncounted; /* attempts that ended so */
    int64_t max_attempts;
    int64_t hold_ms; /* > 0: a known waiting time (Retry-After, resets_at - now) */
    bool pooled;     /* another credential would do */
};

struct outcome_plan {
    bool retry;                  /* false: the run ends with outcome_event() */
    bool counted;                /* this attempt counts against max_attempts */
    int64_t failures, uncounted; /* behind this attempt */
    int64_t delay_ms;
    int64_t credential_ms; /* so long no run gets this one's credential; 0: it stays free */
    bool alert;            /* somebody must look at it */
};
/* random: any 32-bit number. */
struct outcome_plan outcome_plan(enum outcome o, const struct outcome_case *c, uint32_t random);

#endif
