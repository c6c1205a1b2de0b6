/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a batch: schema Batch of openapi.yaml, as columns of door.batches AS d, which has
 * what was begun by POST, fleet.batches AS b, which has what runs in it, and ledger.cancellations
 * AS x. Each of them may lack the row. */
#ifndef SANDFLEET_API_READS_BATCH_JSON_H
#define SANDFLEET_API_READS_BATCH_JSON_H

#include "api/reads/run_json.h"

// clang-format off
/* For a (tenant, batch_id) that is called so. */
#define BATCH_JOINS(of)                                                                            \
    " LEFT JOIN door.batches AS d ON (d.tenant, d.batch_id) = (" of ".tenant, " of ".batch_id)"    \
    " LEFT JOIN fleet.batches AS b ON (b.tenant, b.batch_id) = (" of ".tenant, " of ".batch_id)"   \
    " LEFT JOIN ledger.cancellations AS x ON (x.tenant, x.batch_id) = (" of ".tenant, " of         \
    ".batch_id)"

/* It takes no more items, the sink has seen all of them, and their runs have ended. */
#define BATCH_ENDED                                                                                \
    "(coalesce(b.queued + b.held + b.starting + b.running + b.retrying + b.cancelling, 0) = 0"     \
    " AND (d.batch_id IS NULL OR d.sealed_at IS NOT NULL) AND door.passed(d.marks))"

#define BATCH_STATE                                                                                \
    "CASE WHEN " BATCH_ENDED " THEN 'ended' WHEN x.batch_id IS NOT NULL THEN 'cancelling'"         \
    " WHEN d.batch_id IS NOT NULL AND d.sealed_at IS NULL THEN 'open' ELSE 'in_progress' END"

#define BATCH_COUNT(state) "coalesce(b." #state ", 0) AS " #state
#define BATCH_COUNTS                                                                               \
    "(SELECT row_to_json(n) FROM (SELECT " BATCH_COUNT(queued) ", " BATCH_COUNT(held) ", "         \
    BATCH_COUNT(starting) ", " BATCH_COUNT(running) ", " BATCH_COUNT(retrying) ", "                \
    BATCH_COUNT(cancelling) ", " BATCH_COUNT(completed) ", " BATCH_COUNT(failed) ", "              \
    BATCH_COUNT(timed_out) ", " BATCH_COUNT(cancelled) ", " BATCH_COUNT(expired) ") AS n)"

#define BATCH_COLUMNS                                                                              \
    "coalesce(d.batch_id, b.batch_id) AS batch_id, coalesce(d.tenant, b.tenant) AS tenant, "       \
    BATCH_STATE " AS state, d.retry_of, d.metadata, " BATCH_COUNT(runs) ", "                       \
    BATCH_COUNTS " AS counts, (SELECT row_to_json(t) FROM (SELECT " BATCH_COUNT(input_tokens) ", " \
    BATCH_COUNT(output_tokens) ", " BATCH_COUNT(cache_read_tokens) ", "                            \
    BATCH_COUNT(cache_write_tokens) ") AS t) AS usage, "                                           \
    SQL_SUM("coalesce(b.cost_usd, 0)") " AS cost_usd, "                                            \
    SQL_SUM("coalesce(b.sandbox_cost_usd, 0)") " AS sandbox_cost_usd, "                            \
    SQL_TIME("coalesce(d.created_at, b.first_created_at)") " AS created_at, "                      \
    SQL_TIME("d.sealed_at") " AS sealed_at, " SQL_TIME("b.first_started_at") " AS started_at, "    \
    SQL_TIME("CASE WHEN " BATCH_ENDED " THEN coalesce(b.last_ended_at, d.sealed_at) END")          \
    " AS ended_at"
// clang-format on

#endif
