/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox's life as the ledger tells it (ledger.sandboxes.state), a table, state x event.
 * Pure: the statements in sandbox_sql.c move the rows, and a test compares each of them
 * with this table. What was busy is never ready again: no tenant gets what another one had. */
#ifndef SANDFLEET_WORKER_SANDBOX_LIFE_H
#define SANDFLEET_WORKER_SANDBOX_LIFE_H

#include <stdbool.h>

/* name, in the ledger, whose it is */
#define SANDBOX_LIFE_MAP(X)                                                                        \
    X(NONE, "", "nobody's: the event is illegal in that state")                                    \
    X(CREATING, "creating", "its run's, or the pool's; the service was asked for it")              \
    X(READY, "ready", "the pool's: warm, and nobody's yet")                                        \
    X(BUSY, "busy", "its run's")                                                                   \
    X(PARKED, "parked", "its session's, running")                                                  \
    X(PAUSED, "paused", "its session's, frozen: it costs nothing")                                 \
    X(LOST, "lost", "its run's, which has yet to find out that the service does not have it")      \
    X(DEAD, "dead", "nobody's: whoever finds it kills it")                                         \
    X(GONE, "", "nobody's: its row is removed")

/* name, what happened */
#define SANDBOX_EVENT_MAP(X)                                                                       \
    X(WARMED, "it is there, and prepared for whoever comes")                                       \
    X(TAKEN, "a run has it, for the first time or under a new owner")                              \
    X(KEPT, "its run left it to its session")                                                      \
    X(FROZEN, "the same, paused")                                                                  \
    X(RELEASED, "its owner is done with it, or could not have it")                                 \
    X(EVICTED, "the service's cap is reached and somebody else needs the room")                    \
    X(EXPIRED, "nobody came for it in time")                                                       \
    X(MISSED, "the service does not have it any more")                                             \
    X(FREED, "the service confirmed its end")

#define SANDBOX_LIFE_ENUM(name, text, whose) LIFE_##name,
enum sandbox_life { SANDBOX_LIFE_MAP(SANDBOX_LIFE_ENUM) SANDBOX_LIVES };
#undef SANDBOX_LIFE_ENUM

#define SANDBOX_EVENT_ENUM(name, text) LIFE_EV_##name,
enum sandbox_event { SANDBOX_EVENT_MAP(SANDBOX_EVENT_ENUM) SANDBOX_EVENTS };
#undef SANDBOX_EVENT_ENUM

/* LIFE_NONE: the event is illegal in that state. The same state: nothing changes. */
enum sandbox_life sandbox_life_next(enum sandbox_life s, enum sandbox_event e);
const char *sandbox_life_name(enum sandbox_life s);     /* "parked"; "" for NONE and GONE */
const char *sandbox_event_name(enum sandbox_event e);   /* "EVICTED" */
enum sandbox_life sandbox_life_parse(const char *name); /* LIFE_NONE: there is no such state */

#endif
