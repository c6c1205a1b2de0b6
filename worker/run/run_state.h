/* SPDX-License-Identifier: Apache-2.0 */
/* A run's life in one worker as a table, state x event. Pure: run.c moves it and does
 * what each state is for. The states follow the order of writes, so that a crash
 * between any two leaves the next owner exactly one thing to do. */
#ifndef SANDFLEET_WORKER_RUN_STATE_H
#define SANDFLEET_WORKER_RUN_STATE_H

#include <stdbool.h>

/* name, what the run waits for there */
#define RUN_STATE_MAP(X)                                                                           \
    X(NONE, "nothing: the event is illegal in that state")                                         \
    X(CLAIMED, "our own look at the request")                                                      \
    X(PLACING, "the ledger's word on which sandbox it is to use, and its session's transcript")    \
    X(BOOTING, "that sandbox")                                                                     \
    X(OWNING, "the sandbox's id in the ledger")                                                    \
    X(UPDATING, "the agent program's update, in a new sandbox")                                    \
    X(FILLING, "files, archive and repository in the working directory")                           \
    X(STARTING, "the supervisor's start")                                                          \
    X(STREAMING, "lines, and the agent's end")                                                     \
    X(COLLECTING, "what the agent left, in the artifact store")                                    \
    X(CANCELLING, "the end of an agent that was asked to end")                                     \
    X(SUSPENDED, "our lease: it lapsed, nothing may be published")                                 \
    X(KILLING, "the end of its sandbox, agent and all")                                            \
    X(SETTLING, "acknowledgements of all that was said so far")                                    \
    X(RELEASING, "the transcript in the store, the sandbox parked; before the next attempt")       \
    X(REQUEUEING, "the claim's way back to waiting, with verdict and cost")                        \
    X(PARKING, "the same, before the terminal")                                                    \
    X(CLOSING, "the terminal in the ledger")                                                       \
    X(PUBLISHING, "the broker's acknowledgement of the terminal")                                  \
    X(MARKING, "the outbox mark")                                                                  \
    X(CLEANING, "the sandbox's kill; the claim is not ours any more")                              \
    X(GONE, "nothing: the run is no longer ours")

/* name, what happened */
#define RUN_EVENT_MAP(X)                                                                           \
    X(GO, "the request is fit to run")                                                             \
    X(REFUSED, "it ends without an agent")                                                         \
    X(SANDBOX, "the sandbox is there")                                                             \
    X(SAVED, "the ledger took the change")                                                         \
    X(VANISHED, "the sandbox it was to use is gone, and nothing of this attempt was in it")        \
    X(UPDATED, "the agent program is as new as it gets")                                           \
    X(FILLED, "the working directory is as the request wants it")                                  \
    X(STARTED, "the supervisor started")                                                           \
    X(ENDED, "the agent ended, or could not be started or followed")                               \
    X(COLLECTED, "the artifacts are stored, or it is known why they are not")                      \
    X(RETRY, "all is acknowledged; another attempt follows")                                       \
    X(END, "all is acknowledged; the run is over")                                                 \
    X(FREED, "the sandbox is killed, parked, or left to the janitor")                              \
    X(ACKED, "the broker has the terminal")                                                        \
    X(CANCEL, "it is to end, and no agent of it can be at work")                                   \
    X(INTERRUPT, "it is to end, and an agent may be at work")                                      \
    X(FORCE, "the same, at once: whatever the agent would still have said")                        \
    X(LAPSED, "our lease could not be renewed in time")                                            \
    X(CONFIRMED, "the ledger says that the run is still ours")                                     \
    X(DEPOSED, "another owner has it")                                                             \
    X(RELEASED, "this worker goes; another one goes on")

#define RUN_STATE_ENUM(name, text) RUN_##name,
enum run_state { RUN_STATE_MAP(RUN_STATE_ENUM) RUN_STATES };
#undef RUN_STATE_ENUM

#define RUN_EVENT_ENUM(name, text) RUN_EV_##name,
enum run_event { RUN_EVENT_MAP(RUN_EVENT_ENUM) RUN_EVENTS };
#undef RUN_EVENT_ENUM

/* RUN_NONE: the event is illegal in that state. The same state: nothing to do. */
enum run_state run_state_next(enum run_state s, enum run_event e);
const char *run_state_name(enum run_state s); /* "BOOTING" */
const char *run_event_name(enum run_event e);

#endif
