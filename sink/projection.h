/* SPDX-License-Identifier: Apache-2.0 */
/* What records do to rows: a fold of requests and events, in log order, into the
 * changes of fleet.runs and fleet.attempts. Pure: no clock, no I/O.
 *
 * Rows do not depend on where batches end, nor on whether a run's request or its
 * events came first (they lie in different partitions, so the log does not order
 * them). Hence each column has one rule:
 *   the request's   written once, by the first request; no event touches them
 *   the events'     the judge's memory, state, counters, sums, the last text seen
 *   both            tenant, day, batch, custom id, model: the events' word counts,
 *                   since the worker that published them had judged the request
 * schema/judge.h decides which events count; nothing here repeats its rule. */
#ifndef SANDFLEET_SINK_PROJECTION_H
#define SANDFLEET_SINK_PROJECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/json/json.h"
#include "schema/event.h"
#include "schema/judge.h"
#include "schema/run_request.h"

#define RUN_STATE_MAP(X)                                                                           \
    X(QUEUED, "queued")                                                                            \
    X(HELD, "held")                                                                                \
    X(STARTING, "starting")                                                                        \
    X(RUNNING, "running")                                                                          \
    X(RETRYING, "retrying")                                                                        \
    X(CANCELLING, "cancelling")                                                                    \
    X(COMPLETED, "completed")                                                                      \
    X(FAILED, "failed")                                                                            \
    X(TIMED_OUT, "timed_out")                                                                      \
    X(CANCELLED, "cancelled")                                                                      \
    X(EXPIRED, "expired")

#define RUN_STATE_ENUM(name, text) RUN_STATE_##name,
enum run_state { RUN_STATE_MAP(RUN_STATE_ENUM) RUN_STATES };
#undef RUN_STATE_ENUM

const char *run_state_name(enum run_state s);
bool run_state_parse(const char *text, enum run_state *out);
/* The state after an event of this type; the only place that knows the moves. */
enum run_state run_state_next(enum run_state s, enum event_type t);

enum attempt_state { ATTEMPT_STARTING, ATTEMPT_RUNNING, ATTEMPT_ENDED, ATTEMPT_STATES };
const char *attempt_state_name(enum attempt_state s);

/* Of what an attempt was given. */
enum hash_kind { HASH_ARGUMENTS, HASH_PROMPT, HASH_SYSTEM_PROMPT, HASH_FILES, HASHES };
extern const char *const hash_names[HASHES]; /* members of events' data, and columns */

enum token_kind { TOKENS_INPUT, TOKENS_OUTPUT, TOKENS_CACHE_READ, TOKENS_CACHE_WRITE, TOKENS };

/* Where a record stands in its topic. */
struct log_place {
    bool known;
    int32_t partition;
    int64_t offset;
};

/* A row of fleet.runs. Texts and times hold only what this batch says: an empty
 * view (p NULL) or 0 leaves the column as it is. */
struct run_row {
    uint8_t id[16];
    /* as the table has it when the batch begins (zero: no row), moved by events */
    struct judge judge;
    enum run_state state;
    int64_t day_ms; /* UTC midnight; settled by the first event */
    int64_t attempt, repeats, superseded, missing_lines, tokens[TOKENS];
    int64_t sandbox_ms;
    double cost_usd, sandbox_usd;
    bool has_request, has_model; /* the table's row has them */
    /* what this batch says */
    bool by_event;
    bool structured;                   /* its result is what a json_schema asked for */
    bool known;                        /* what the table has was there without asking it */
    const struct run_request *request; /* borrowed; the first one, unless has_request */
    int64_t created_ms;
    int created_us; /* behind created_ms */
    enum run_lane lane;
    struct str tenant, batch_id, custom_id, model;
    struct str outcome, reason, hold_reason, worker, sandbox, session, result, output_tail;
    int64_t hold_until_ms, started_ms, ended_ms, last_event_ms;
    struct log_place request_at, event_at; /* of what came first */
    uint32_t last_attempt;                 /* index + 1 of its newest attempt_row */
};

/* The part of it that the next batch begins with. */
enum { RUN_MEMORY_BYTES = offsetof(struct run_row, by_event) };

struct attempt_row {
    uint32_t run;      /* index of its run_row */
    uint32_t previous; /* index + 1 of an older row of that run; 0: none */
    int64_t attempt;
    enum attempt_state state;
    struct str worker, sandbox, model, claude_version, outcome, reason;
    struct str template, arguments, hashes[HASHES]; /* arguments: JSON text */
    struct str credential, credential_mode;
    bool has_exit_code;
    int64_t exit_code, lines, bytes;
    double cost_usd;
    int64_t starting_ms, started_ms, ended_ms;
};

/* What one event says about a sandbox. Rows of fleet.sandboxes are the newest and the most of
 * such words, whose order does not matter: a sandbox's runs lie in several partitions. */
struct sandbox_word {
    uint32_t run; /* index of the run_row that has it */
    bool used;    /* that run has it; else it only tells of it */
    const char *state;
    struct str id, template, reason;
    int64_t time_ms, age_ms, running_ms; /* age and running: 0 when not told */
    double cost_usd;                     /* below 0: not told */
};

/* Records of an old owner that were dropped one behind the other. */
struct superseded_row {
    uint32_t run;
    int64_t epoch, by_epoch, after_sequence, records;
};

struct projection {
    struct run_row *runs;
    struct attempt_row *attempts;
    struct sandbox_word *words;
    struct superseded_row *superseded;
    size_t n_runs, cap_runs, n_attempts, cap_attempts;
    size_t n_words, cap_words, n_superseded, cap_superseded;
    uint32_t *slots; /* open addressing: index + 1 into runs; 0: free */
    size_t n_slots;
    cJSON **trees; /* control events' data, which the rows' views point into */
    size_t n_trees, cap_trees;
};

size_t projection_hash(const uint8_t id[16]); /* of a run's id, for tables of them */

void projection_init(struct projection *p);
void projection_clear(struct projection *p); /* forgets the rows, keeps the memory */
void projection_release(struct projection *p);

/* The run's row, made when it is not there yet; valid until the next call. NULL: no memory. */
struct run_row *projection_run(struct projection *p, const uint8_t id[16]);
struct run_row *projection_find(const struct projection *p, const uint8_t id[16]); /* or NULL */

/* Judges one event and folds it in when it counts. Views of *v are borrowed until
 * projection_clear. *missing: lines in the gap. ERR_INVALID: its data is no JSON
 * object (control events only); ERR_NOMEM. On failure nothing was folded. */
enum err_code projection_event(struct projection *p, const uint8_t id[16],
                               const struct event_view *v, enum verdict *verdict, int64_t *missing,
                               struct err *err) MUST_USE;

/* Folds a request in; a second one of the same run changes nothing. `request` is
 * borrowed until projection_clear; created_ms stands in when it names no time. */
enum err_code projection_request(struct projection *p, const uint8_t id[16],
                                 const struct run_request *request, enum run_lane lane,
                                 int64_t created_ms, struct err *err) MUST_USE;

#endif
