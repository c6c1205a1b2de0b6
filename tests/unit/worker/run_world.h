/* SPDX-License-Identifier: Apache-2.0 */
/* A run's own code in a scripted world. Ledger, broker, sandboxes, agent and timers are stand-ins:
 * the linker prefers run_world*.c to the library, and what a run asks of one is written into the
 * trace. A history is a script, one word for each thing that happens to the run (the verbs of
 * run_script.c and run_answers.c), and the trace that must come of it. Each one is played as it is,
 * then deposed at every step (nothing more may be done), and cancelled at every step, with and
 * without force (it ends, once). */
#ifndef SANDFLEET_TESTS_RUN_WORLD_H
#define SANDFLEET_TESTS_RUN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/buf.h"
#include "worker/artifact/collect.h"
#include "worker/capture/capture.h"
#include "worker/run/run.h"
#include "worker/sandbox/eviction.h"
#include "worker/sandbox/sandbox_row.h"
#include "worker/session/carry.h"
#include "worker/workspace/fill.h"

#define ID   "0197a0b4-0000-7000-8000-000000000001"
#define TALK "0197a0b4-0000-4000-8000-0000000000aa" /* the agent's session id */

/* Requests, and what is in many histories. */
#define PLAIN   "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\"}"
#define SESSION "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\",\"session\":{\"id\":\"s\"}}"
#define FILES                                                                                      \
    "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\",\"files\":[{\"path\":\"a\",\"content\":\"\"}" \
    "]}"
#define GLOBS      "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\",\"artifacts\":{\"globs\":[\"a\"]}}"
#define POOLED     "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\",\"credential\":\"team\"}"
#define TO_AGENT   "new ready held started "
#define T_MAKE     "say:attempt.starting place create:1 own:sb1 "
#define T_TO_AGENT T_MAKE "say:sandbox.created agent mark:started say:attempt.started "
#define WATCHED    .times = {.watchdog = {100000, 50000, 10000}}

struct history {
    const char *name, *request;
    bool pause, update, store; /* settings */
    struct run_times times;
    bool resumed, begun; /* taken over; its agent was started */
    bool unknown_credential, damaged_credential, kind_none, proxy, only, plain_http;
    int64_t failures, uncounted, takeovers, line;
    const char *script, *trace;
};

struct timer {
    loop_fn fn;
    void *ctx;
};

struct world {
    struct run *run;
    struct buf trace;
    bool may_publish, gone, blocked;
    ledger_fn saved, started; /* answers that are owed */
    ledger_row_fn placed;
    void *saved_ctx, *started_ctx, *placed_ctx;
    struct sandbox_place place; /* what the ledger says when it is asked */
    struct sandbox_talk talk;
    eviction_fn room;
    void *room_ctx;
    const struct collect_events *collect;
    void *collect_ctx;
    fill_fn filled;
    void *filled_ctx;
    void (*updated)(void *ctx);
    void *updated_ctx;
    carry_fn carried; /* either way */
    void *carried_ctx;
    sandbox_info_fn info;
    void *info_ctx;
    const struct sandbox_events *boot;
    bool answered; /* the newest of its questions was */
    void *boot_ctx;
    sandbox_fn call; /* a kill or a change of ttl */
    void *call_ctx;
    const struct capture_events *agent;
    void *agent_ctx;
    void (*moved)(void *ctx);
    void *moved_ctx;
    bool interrupted; /* the agent was asked to end */
    int unacked;
    int64_t line, lines_sent;
    loop_fn deferred;
    void *deferred_ctx;
    char data[4096];  /* of the newest event */
    int64_t delay_ms; /* of the newest requeue */
    int64_t hold_ms;  /* of the credential */
    ledger_fn holding;
    void *holding_ctx;
    int64_t timer_ms; /* of the newest timer, and what it does */
    struct timer timer;
    int64_t later_ms; /* the clock is ahead by so much */
    int64_t ttl_ms;   /* of the newest change of a ttl */
};

extern struct world w; /* zeroed by world_begin */
extern struct run_host world_host;
extern struct sandbox_sizes world_sizes;

/* Adds to the trace. */
void world_note(const char *fmt, ...) PRINTF(1, 2);

/* Lets the loop do what was deferred. */
void world_turn(void);

/* What a word stands for happens, and the loop turns. */
void world_act(struct str word);

/* The agent prints a line; the service tells a sandbox's size. */
void world_say(const char *line);
void world_tell_size(int64_t cpu_count, int64_t memory_mb);

/* A world with a run in it, its script played by world_play; world_end lets go of both. */
void world_begin(const struct history *h);
void world_play(const struct history *h);
void world_end(void);

/* main() of a file of histories: each is a test, two more cut and cancel all of them at every
 * step, and others are tests that look closer. Returns how many failed. */
int world_run(const char *group, struct history *rows, size_t n, const struct CMUnitTest *others,
              size_t n_others);

/* A word and what it does: the verbs are in two files. */
struct verb {
    const char *name;
    void (*act)(void);
};
extern const struct verb world_answers[]; /* up to one without a name */

#endif
