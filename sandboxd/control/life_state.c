/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/control/life_state.h"

#include "common/banned.h"

static const enum life_state next_of[LIFE_STATES][LIFE_EVENTS] = {
    [LIFE_STARTING] = {[EV_READY] = LIFE_RUNNING},
    [LIFE_RUNNING] = {[EV_PAUSE] = LIFE_PAUSING, [EV_SAVE] = LIFE_SAVING},
    [LIFE_PAUSING] = {[EV_DONE] = LIFE_PAUSED, [EV_FAILED] = LIFE_RUNNING},
    [LIFE_PAUSED] = {[EV_RESUME] = LIFE_RESUMING},
    [LIFE_RESUMING] = {[EV_DONE] = LIFE_RUNNING, [EV_FAILED] = LIFE_PAUSED},
    [LIFE_SAVING] = {[EV_DONE] = LIFE_RUNNING, [EV_FAILED] = LIFE_RUNNING},
};

#define LIFE_NAME(name) #name,
static const char *const states[LIFE_STATES] = {"NONE", LIFE_STATE_MAP(LIFE_NAME)};
static const char *const events[LIFE_EVENTS] = {LIFE_EVENT_MAP(LIFE_NAME)};
#undef LIFE_NAME

enum life_state life_next(enum life_state s, enum life_event e)
{
    return next_of[s][e];
}

const char *life_state_name(enum life_state s)
{
    return states[s];
}

const char *life_event_name(enum life_event e)
{
    return events[e];
}
