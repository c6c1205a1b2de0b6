/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/sandbox_life.h"

#include <assert.h>
#include <string.h>

#include "common/banned.h"

// clang-format off
static const enum sandbox_life next_of[SANDBOX_LIVES][SANDBOX_EVENTS] = {
    /* What never was there cannot be kept. */
    [LIFE_CREATING] = { [LIFE_EV_WARMED] = LIFE_READY, [LIFE_EV_TAKEN] = LIFE_BUSY,
                        [LIFE_EV_KEPT] = LIFE_DEAD, [LIFE_EV_FROZEN] = LIFE_DEAD,
                        [LIFE_EV_RELEASED] = LIFE_DEAD },
    [LIFE_READY]    = { [LIFE_EV_TAKEN] = LIFE_BUSY, [LIFE_EV_EVICTED] = LIFE_DEAD,
                        [LIFE_EV_EXPIRED] = LIFE_DEAD, [LIFE_EV_MISSED] = LIFE_DEAD },
    [LIFE_BUSY]     = { [LIFE_EV_TAKEN] = LIFE_BUSY, [LIFE_EV_KEPT] = LIFE_PARKED,
                        [LIFE_EV_FROZEN] = LIFE_PAUSED, [LIFE_EV_RELEASED] = LIFE_DEAD,
                        [LIFE_EV_MISSED] = LIFE_LOST },
    [LIFE_PARKED]   = { [LIFE_EV_TAKEN] = LIFE_BUSY, [LIFE_EV_EVICTED] = LIFE_DEAD,
                        [LIFE_EV_EXPIRED] = LIFE_DEAD, [LIFE_EV_MISSED] = LIFE_DEAD },
    /* Not evicted: what is paused does not count against the cap. */
    [LIFE_PAUSED]   = { [LIFE_EV_TAKEN] = LIFE_BUSY, [LIFE_EV_EXPIRED] = LIFE_DEAD,
                        [LIFE_EV_MISSED] = LIFE_DEAD },
    /* Its run knows better than a list: whatever it does with it still holds. */
    [LIFE_LOST]     = { [LIFE_EV_TAKEN] = LIFE_BUSY, [LIFE_EV_KEPT] = LIFE_PARKED,
                        [LIFE_EV_FROZEN] = LIFE_PAUSED, [LIFE_EV_RELEASED] = LIFE_DEAD },
    [LIFE_DEAD]     = { [LIFE_EV_FREED] = LIFE_GONE },
};
// clang-format on

enum sandbox_life sandbox_life_next(enum sandbox_life s, enum sandbox_event e)
{
    assert(s < SANDBOX_LIVES && e < SANDBOX_EVENTS);
    return next_of[s][e];
}

static const char *const life_names[] = {
#define NAME(name, text, whose) text,
    SANDBOX_LIFE_MAP(NAME)
#undef NAME
};

const char *sandbox_life_name(enum sandbox_life s)
{
    return s < SANDBOX_LIVES ? life_names[s] : "?";
}

const char *sandbox_event_name(enum sandbox_event e)
{
#define NAME(name, text) #name,
    static const char *const names[] = {SANDBOX_EVENT_MAP(NAME)};
#undef NAME
    return e < SANDBOX_EVENTS ? names[e] : "?";
}

enum sandbox_life sandbox_life_parse(const char *name)
{
    for (int s = LIFE_NONE + 1; name && *name && s < SANDBOX_LIVES; s++)
        if (strcmp(life_names[s], name) == 0)
            return (enum sandbox_life)s;
    return LIFE_NONE;
}
