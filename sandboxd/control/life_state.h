/* SPDX-License-Identifier: Apache-2.0 */
/* The states of a sandbox as its clients see them: a table. Pure. */
#ifndef SANDFLEET_SANDBOXD_CONTROL_LIFE_STATE_H
#define SANDFLEET_SANDBOXD_CONTROL_LIFE_STATE_H

#define LIFE_STATE_MAP(X)                                                                          \
    X(STARTING) /* not shown to anybody yet */                                                     \
    X(RUNNING)                                                                                     \
    X(PAUSING)                                                                                     \
    X(PAUSED)                                                                                      \
    X(RESUMING)                                                                                    \
    X(SAVING) /* held still for a snapshot of its files */

#define LIFE_EVENT_MAP(X)                                                                          \
    X(READY)                                                                                       \
    X(PAUSE)                                                                                       \
    X(RESUME)                                                                                      \
    X(SAVE)                                                                                        \
    X(DONE)                                                                                        \
    X(FAILED)

#define LIFE_ENUM(name) LIFE_##name,
enum life_state { LIFE_NONE, LIFE_STATE_MAP(LIFE_ENUM) LIFE_STATES };
#undef LIFE_ENUM
#define LIFE_ENUM(name) EV_##name,
enum life_event { LIFE_EVENT_MAP(LIFE_ENUM) LIFE_EVENTS };
#undef LIFE_ENUM

/* LIFE_NONE: not in this state. */
enum life_state life_next(enum life_state s, enum life_event e);
const char *life_state_name(enum life_state s); /* "RUNNING" */
const char *life_event_name(enum life_event e);

#endif
