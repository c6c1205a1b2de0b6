/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's SQL. Columns are listed once; the statements are made from the lists by
 * the compiler. */
#ifndef SANDFLEET_SINK_WRITER_SQL_H
#define SANDFLEET_SINK_WRITER_SQL_H

#include <stddef.h>

/* fleet.runs behind its key run_id: column and the rule that merges the batch's value ("excluded")
 * into the row's ("r"). A row that no event of the batch touched has excluded.sequence = 0. MEMORY
 * read from the row when the batch began: the batch's value, if an event touched it REQUEST   the
 * first request's LAST      the newest that is not NULL       FIRST    the oldest SETTLED   the
 * first event's                 PROPOSED the first event's, else the request's EITHER    an
 * event's, else the request's    HELD     goes with the state */
#define RUN_COLUMNS(X)                                                                             \
    X(run_day, SETTLED)                                                                            \
    X(tenant, SETTLED)                                                                             \
    X(batch_id, PROPOSED)                                                                          \
    X(custom_id, PROPOSED)                                                                         \
    X(session_id, REQUEST)                                                                         \
    X(project_id, REQUEST)                                                                         \
    X(user_id, REQUEST)                                                                            \
    X(lane, REQUEST)                                                                               \
    X(template, REQUEST)                                                                           \
    X(credential, REQUEST)                                                                         \
    X(fairness_key, REQUEST)                                                                       \
    X(prompt, REQUEST)                                                                             \
    X(metadata, REQUEST)                                                                           \
    X(tags, REQUEST)                                                                               \
    X(created_at, REQUEST)                                                                         \
    X(request_partition, REQUEST)                                                                  \
    X(request_offset, REQUEST)                                                                     \
    X(model, EITHER)                                                                               \
    X(state, MEMORY)                                                                               \
    X(hold_reason, HELD)                                                                           \
    X(hold_until, HELD_UNTIL)                                                                      \
    X(outcome, LAST)                                                                               \
    X(reason, LAST)                                                                                \
    X(worker_id, LAST)                                                                             \
    X(sandbox_id, LAST)                                                                            \
    X(claude_session, LAST)                                                                        \
    X(result, LAST)                                                                                \
    X(structured, LAST)                                                                            \
    X(output_tail, LAST)                                                                           \
    X(started_at, FIRST)                                                                           \
    X(ended_at, LAST)                                                                              \
    X(event_partition, FIRST)                                                                      \
    X(event_offset, FIRST)                                                                         \
    X(last_event_at, LAST)                                                                         \
    X(attempt, MEMORY)                                                                             \
    X(cost_usd, MEMORY)                                                                            \
    X(input_tokens, MEMORY)                                                                        \
    X(output_tokens, MEMORY)                                                                       \
    X(cache_read_tokens, MEMORY)                                                                   \
    X(cache_write_tokens, MEMORY)                                                                  \
    X(sandbox_ms, MEMORY)                                                                          \
    X(sandbox_cost_usd, MEMORY)                                                                    \
    X(sequence, MEMORY)                                                                            \
    X(epoch, MEMORY)                                                                               \
    X(control_n, MEMORY)                                                                           \
    X(line_attempt, MEMORY)                                                                        \
    X(line, MEMORY)                                                                                \
    X(closed_attempt, MEMORY)                                                                      \
    X(ended, MEMORY)                                                                               \
    X(repeats, MEMORY)                                                                             \
    X(superseded, MEMORY)                                                                          \
    X(missing_lines, MEMORY)

/* fleet.attempts behind its key run_id, attempt: the batch does not know the row, so every rule is
 * one of the order of values (MOST) or of time. */
#define ATTEMPT_COLUMNS(X)                                                                         \
    X(state, FURTHEST)                                                                             \
    X(worker_id, LAST)                                                                             \
    X(sandbox_id, LAST)                                                                            \
    X(model, LAST)                                                                                 \
    X(claude_version, LAST)                                                                        \
    X(template, LAST)                                                                              \
    X(arguments, LAST)                                                                             \
    X(arguments_hash, LAST)                                                                        \
    X(prompt_hash, LAST)                                                                           \
    X(system_prompt_hash, LAST)                                                                    \
    X(files_hash, LAST)                                                                            \
    X(credential, LAST)                                                                            \
    X(credential_mode, LAST)                                                                       \
    X(outcome, LAST)                                                                               \
    X(reason, LAST)                                                                                \
    X(exit_code, LAST)                                                                             \
    X(lines, MOST)                                                                                 \
    X(bytes, MOST)                                                                                 \
    X(cost_usd, MOST)                                                                              \
    X(starting_at, FIRST)                                                                          \
    X(started_at, FIRST)                                                                           \
    X(ended_at, LAST)

#define EVENT_COLUMNS                                                                              \
    "run_id, run_day, sequence, attempt, epoch, line, log_offset, type, time, tenant, tool, "      \
    "model, input_tokens, output_tokens, cost_usd, data"
#define GAP_COLUMNS        "run_id, sequence, attempt, from_line, to_line"
#define QUARANTINE_COLUMNS "topic, partition, \"offset\", reason, detail, key, value, headers, at"

enum { /* of a binary row; the server refuses a row of another number */
       EVENT_FIELDS = 16,
       GAP_FIELDS = 5,
       QUARANTINE_FIELDS = 9
};

/* Once a connection, in this order. */
extern const char *const writer_session_sql[];
extern const size_t writer_session_n;

extern const char sql_evict_frozen[], sql_ensure_days[], sql_read_runs[], sql_copy_events[],
    sql_copy_gaps[], sql_copy_quarantine[], sql_merge_quarantine[];

/* Prepared in the session, for EXECUTE: several go in one message with BEGIN or COMMIT. */
#define EXEC_MAKE       "sink_make"    /* topics, partitions, next */
#define EXEC_LOCK       "sink_lock"    /* topics, partitions */
#define EXEC_ADVANCE    "sink_advance" /* topics, partitions, was, next */
#define EXEC_RUNS       "sink_runs"    /* rows as JSON */
#define EXEC_ATTEMPT    "sink_attempts"
#define EXEC_SANDBOX    "sink_sandboxes"
#define EXEC_SUPERSEDED "sink_superseded"
#define EXEC_NOTIFY     "sink_notify" /* payloads */

#endif
