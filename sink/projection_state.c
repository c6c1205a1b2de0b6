/* SPDX-License-Identifier: Apache-2.0 */
/* The run's state as its events tell it (design: queued, starting, running, an end,
 * with held and retrying before a start, and cancelling). */
#include <string.h>

#include "sink/projection.h"

#include "common/banned.h"

#define RUN_STATE_TEXT(name, text) [RUN_STATE_##name] = (text),
static const char *const state_names[RUN_STATES] = {RUN_STATE_MAP(RUN_STATE_TEXT)};
#undef RUN_STATE_TEXT

const char *run_state_name(enum run_state s)
{
    return state_names[s];
}

bool run_state_parse(const char *text, enum run_state *out)
{
    for (size_t i = 0; i < RUN_STATES; i++) {
        if (strcmp(state_names[i], text) == 0) {
            *out = (enum run_state)i;
            return true;
        }
    }
    return false;
}

static const char *const attempt_names[ATTEMPT_STATES] = {
    [ATTEMPT_STARTING] = "starting",
    [ATTEMPT_RUNNING] = "running",
    [ATTEMPT_ENDED] = "ended",
};

const char *attempt_state_name(enum attempt_state s)
{
    return attempt_names[s];
}

/* The state an event puts its run in, + 1; 0: it moves nothing. Where an event was
 * published, the ledger had decided: the move is taken from every state but two,
 * see run_state_next(). */
static const unsigned char target[EVENT_TYPES] = {
    [EVENT_RUN_HELD] = RUN_STATE_HELD + 1,
    [EVENT_RUN_RETRYING] = RUN_STATE_RETRYING + 1,
    [EVENT_RUN_RESUMED] = RUN_STATE_RUNNING + 1,
    [EVENT_RUN_CANCELLING] = RUN_STATE_CANCELLING + 1,
    [EVENT_RUN_COMPLETED] = RUN_STATE_COMPLETED + 1,
    [EVENT_RUN_FAILED] = RUN_STATE_FAILED + 1,
    [EVENT_RUN_TIMED_OUT] = RUN_STATE_TIMED_OUT + 1,
    [EVENT_RUN_CANCELLED] = RUN_STATE_CANCELLED + 1,
    [EVENT_RUN_EXPIRED] = RUN_STATE_EXPIRED + 1,
    [EVENT_ATTEMPT_STARTING] = RUN_STATE_STARTING + 1,
    [EVENT_ATTEMPT_STARTED] = RUN_STATE_RUNNING + 1,
};

enum run_state run_state_next(enum run_state s, enum event_type t)
{
    if (s >= RUN_STATE_COMPLETED || target[t] == 0)
        return s;
    if (s == RUN_STATE_CANCELLING && !event_is_terminal(t))
        return s; /* a successor that resumes it still has to cancel it */
    return (enum run_state)(target[t] - 1);
}
