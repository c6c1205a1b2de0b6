/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a run, as columns of fleet.runs AS r: schemas Run, RunDetail and Result of
 * openapi.yaml. Each is SELECTed below row_to_json(), which makes a member of a column. */
#ifndef SANDFLEET_API_READS_RUN_JSON_H
#define SANDFLEET_API_READS_RUN_JSON_H

#include "api/reads/sql.h"

// clang-format off
#define RUN_COLUMNS                                                                                \
    "r.run_id, r.tenant, r.batch_id, r.custom_id, r.session_id, r.project_id, r.user_id, r.lane,"  \
    " r.template, r.model, r.tags, r.credential, r.state, r.outcome, r.reason, r.hold_reason, "    \
    SQL_TIME("r.hold_until") " AS hold_until, r.attempt, r.worker_id, r.sandbox_id,"               \
    " r.claude_session, " SQL_TOKENS("r") " AS usage, " SQL_USD("r.cost_usd") " AS cost_usd,"      \
    " r.sandbox_ms, " SQL_USD("r.sandbox_cost_usd") " AS sandbox_cost_usd, "                       \
    SQL_TIME("r.created_at") " AS created_at, " SQL_TIME("r.started_at") " AS started_at, "        \
    SQL_TIME("r.ended_at") " AS ended_at, " SQL_TIME("r.last_event_at") " AS last_event_at,"       \
    " r.sequence AS last_sequence, r.missing_lines"

#define RUN_DETAIL_COLUMNS RUN_COLUMNS ", r.prompt, r.metadata, r.result, r.output_tail"

/* Of one that has ended. Outcomes are the fleet's own words, types those of the Message Batches. */
#define RESULT_COLUMNS                                                                             \
    "r.run_id, r.batch_id, r.custom_id, r.session_id, r.state AS status,"                          \
    " (SELECT row_to_json(o) FROM (SELECT CASE r.state WHEN 'completed' THEN 'succeeded'"          \
    " WHEN 'cancelled' THEN 'canceled' WHEN 'expired' THEN 'expired' ELSE 'errored' END AS type,"  \
    " r.result AS text, CASE WHEN r.structured THEN fleet.as_json(r.result) END"                   \
    " AS structured_output, CASE WHEN r.state <> 'completed' THEN (SELECT row_to_json(f) FROM"     \
    " (SELECT coalesce(r.outcome, r.state) AS code, r.reason AS message) AS f) END AS error) AS o)"\
    " AS result, " SQL_TOKENS("r") " AS usage, " SQL_USD("r.cost_usd") " AS cost_usd, "            \
    SQL_USD("r.sandbox_cost_usd") " AS sandbox_cost_usd, r.attempt AS attempts, "                  \
    SQL_TIME("r.created_at") " AS created_at, " SQL_TIME("r.started_at") " AS started_at, "        \
    SQL_TIME("r.ended_at") " AS ended_at"
// clang-format on

#define ROW_JSON(columns) "(SELECT row_to_json(j) FROM (SELECT " columns ") AS j)"

#endif
