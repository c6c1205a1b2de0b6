/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/run_state.h"

#include <assert.h>

#include "common/banned.h"

/* In every state but the last: another owner, or our own going, ends it here. */
#define LEAVE [RUN_EV_DEPOSED] = RUN_GONE, [RUN_EV_RELEASED] = RUN_GONE
/* A lapsed lease changes nothing where the next step is a conditional ledger write. */
#define STAY(s) [RUN_EV_LAPSED] = (s), [RUN_EV_CONFIRMED] = (s)
/* A cancel that cannot be heeded here is told again to the next state, before it does anything. */
#define LATER(s) [RUN_EV_CANCEL] = (s), [RUN_EV_INTERRUPT] = (s), [RUN_EV_FORCE] = (s)

// clang-format off
static const enum run_state next_of[RUN_STATES][RUN_EVENTS] = {
    [RUN_CLAIMED]    = { [RUN_EV_GO] = RUN_PLACING, [RUN_EV_REFUSED] = RUN_SETTLING,
                         LATER(RUN_CLAIMED), STAY(RUN_CLAIMED), LEAVE },
    [RUN_PLACING]    = { [RUN_EV_SAVED] = RUN_BOOTING, [RUN_EV_ENDED] = RUN_SETTLING,
                         LATER(RUN_PLACING), STAY(RUN_PLACING), LEAVE },
    [RUN_BOOTING]    = { [RUN_EV_SANDBOX] = RUN_OWNING, [RUN_EV_VANISHED] = RUN_PLACING,
                         [RUN_EV_ENDED] = RUN_SETTLING,
                         [RUN_EV_CANCEL] = RUN_SETTLING, [RUN_EV_INTERRUPT] = RUN_BOOTING,
                         [RUN_EV_FORCE] = RUN_KILLING, STAY(RUN_BOOTING), LEAVE },
    [RUN_OWNING]     = { [RUN_EV_SAVED] = RUN_UPDATING, [RUN_EV_ENDED] = RUN_SETTLING,
                         LATER(RUN_OWNING), STAY(RUN_OWNING), LEAVE },
    [RUN_UPDATING]   = { [RUN_EV_UPDATED] = RUN_FILLING,
                         [RUN_EV_CANCEL] = RUN_SETTLING, [RUN_EV_INTERRUPT] = RUN_CANCELLING,
                         [RUN_EV_FORCE] = RUN_KILLING, [RUN_EV_LAPSED] = RUN_SUSPENDED,
                         [RUN_EV_CONFIRMED] = RUN_UPDATING, LEAVE },
    [RUN_FILLING]    = { [RUN_EV_FILLED] = RUN_STARTING, [RUN_EV_ENDED] = RUN_SETTLING,
                         [RUN_EV_CANCEL] = RUN_SETTLING, [RUN_EV_INTERRUPT] = RUN_CANCELLING,
                         [RUN_EV_FORCE] = RUN_KILLING, [RUN_EV_LAPSED] = RUN_SUSPENDED,
                         [RUN_EV_CONFIRMED] = RUN_FILLING, LEAVE },
    [RUN_STARTING]   = { [RUN_EV_STARTED] = RUN_STREAMING, [RUN_EV_ENDED] = RUN_SETTLING,
                         [RUN_EV_CANCEL] = RUN_SETTLING, [RUN_EV_INTERRUPT] = RUN_CANCELLING, [RUN_EV_FORCE] = RUN_KILLING,
                         [RUN_EV_LAPSED] = RUN_SUSPENDED, [RUN_EV_CONFIRMED] = RUN_STARTING,
                         LEAVE },
    [RUN_STREAMING]  = { [RUN_EV_ENDED] = RUN_COLLECTING, [RUN_EV_STARTED] = RUN_STREAMING,
                         [RUN_EV_INTERRUPT] = RUN_CANCELLING, [RUN_EV_FORCE] = RUN_KILLING,
                         [RUN_EV_LAPSED] = RUN_SUSPENDED, [RUN_EV_CONFIRMED] = RUN_STREAMING,
                         LEAVE },
    [RUN_COLLECTING] = { [RUN_EV_COLLECTED] = RUN_SETTLING, [RUN_EV_CANCEL] = RUN_SETTLING,
                         [RUN_EV_INTERRUPT] = RUN_COLLECTING, [RUN_EV_FORCE] = RUN_KILLING,
                         [RUN_EV_LAPSED] = RUN_SUSPENDED, [RUN_EV_CONFIRMED] = RUN_COLLECTING,
                         LEAVE },
    [RUN_CANCELLING] = { [RUN_EV_ENDED] = RUN_SETTLING, [RUN_EV_STARTED] = RUN_CANCELLING,
                         [RUN_EV_INTERRUPT] = RUN_CANCELLING, [RUN_EV_FORCE] = RUN_KILLING,
                         [RUN_EV_LAPSED] = RUN_SUSPENDED, [RUN_EV_CONFIRMED] = RUN_CANCELLING,
                         LEAVE },
    [RUN_SUSPENDED]  = { [RUN_EV_CONFIRMED] = RUN_BOOTING, [RUN_EV_LAPSED] = RUN_SUSPENDED,
                         LATER(RUN_SUSPENDED), LEAVE },
    [RUN_KILLING]    = { [RUN_EV_FREED] = RUN_SETTLING, LATER(RUN_KILLING),
                         STAY(RUN_KILLING), LEAVE },
    [RUN_SETTLING]   = { [RUN_EV_RETRY] = RUN_RELEASING, [RUN_EV_END] = RUN_PARKING,
                         LATER(RUN_SETTLING), STAY(RUN_SETTLING), LEAVE },
    [RUN_RELEASING]  = { [RUN_EV_FREED] = RUN_REQUEUEING, LATER(RUN_RELEASING),
                         STAY(RUN_RELEASING), LEAVE },
    [RUN_REQUEUEING] = { [RUN_EV_SAVED] = RUN_CLEANING, LATER(RUN_REQUEUEING),
                         STAY(RUN_REQUEUEING), LEAVE },
    [RUN_PARKING]    = { [RUN_EV_FREED] = RUN_CLOSING, LATER(RUN_PARKING),
                         STAY(RUN_PARKING), LEAVE },
    [RUN_CLOSING]    = { [RUN_EV_SAVED] = RUN_PUBLISHING, LATER(RUN_CLOSING),
                         STAY(RUN_CLOSING), LEAVE },
    [RUN_PUBLISHING] = { [RUN_EV_ACKED] = RUN_MARKING, LATER(RUN_PUBLISHING),
                         STAY(RUN_PUBLISHING), LEAVE },
    [RUN_MARKING]    = { [RUN_EV_SAVED] = RUN_CLEANING, LATER(RUN_MARKING),
                         STAY(RUN_MARKING), LEAVE },
    [RUN_CLEANING]   = { [RUN_EV_FREED] = RUN_GONE, LATER(RUN_CLEANING),
                         STAY(RUN_CLEANING), LEAVE },
};
// clang-format on

enum run_state run_state_next(enum run_state s, enum run_event e)
{
    assert(s < RUN_STATES && e < RUN_EVENTS);
    return next_of[s][e];
}

const char *run_state_name(enum run_state s)
{
#define NAME(name, text) #name,
    static const char *const names[] = {RUN_STATE_MAP(NAME)};
    return s < RUN_STATES ? names[s] : "?";
}

const char *run_event_name(enum run_event e)
{
    static const char *const names[] = {RUN_EVENT_MAP(NAME)};
#undef NAME
    return e < RUN_EVENTS ? names[e] : "?";
}
