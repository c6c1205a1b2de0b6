/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/writer_sql.h"

#include "common/attrs.h"

#include "common/banned.h"

/* Behind a key, each column brings its comma. */
#define NAME(column, rule)  ", " #column
#define MERGE(column, rule) ", " #column " = " rule(#column)
#define ALL_RUN             "run_id" RUN_COLUMNS(NAME)
#define ALL_ATTEMPT         "run_id, attempt" ATTEMPT_COLUMNS(NAME)

#define MEMORY(c)  "CASE WHEN excluded.sequence > 0 THEN excluded." c " ELSE r." c " END"
#define REQUEST(c) "CASE WHEN r.created_at IS NULL THEN excluded." c " ELSE r." c " END"
#define LAST(c)    "COALESCE(excluded." c ", r." c ")"
#define FIRST(c)   "COALESCE(r." c ", excluded." c ")"
#define MOST(c)    "GREATEST(r." c ", excluded." c ")"
#define SETTLES    "r.sequence = 0 AND excluded.sequence > 0"
#define SETTLED(c) "CASE WHEN " SETTLES " THEN excluded." c " ELSE r." c " END"
#define PROPOSED(c)                                                                                \
    "CASE WHEN " SETTLES " THEN " LAST(c) " WHEN r.created_at IS NULL THEN " FIRST(c) " ELSE r." c \
                                                                                      " END"
#define EITHER(c)                                                                                  \
    "CASE WHEN excluded.sequence > 0 THEN " LAST(c) " WHEN r.created_at IS NULL THEN " FIRST(      \
        c) " ELSE r." c " END"
#define UNTOUCHED   "CASE WHEN excluded.sequence = 0 THEN r."
#define NOT_HOLDING " WHEN excluded.state NOT IN ('held', 'retrying') THEN NULL "
#define HELD(c)     UNTOUCHED c NOT_HOLDING "ELSE " LAST(c) " END"
#define HELD_UNTIL(c)                                                                              \
    UNTOUCHED c NOT_HOLDING "WHEN excluded.hold_reason IS NOT NULL THEN excluded." c " ELSE r." c  \
                            " END"
#define FURTHEST(c)                                                                                \
    "CASE WHEN 'ended' IN (r." c ", excluded." c ") THEN 'ended'"                                  \
    " WHEN 'running' IN (r." c ", excluded." c ") THEN 'running' ELSE 'starting' END"

/* AS SELECT, not LIKE: the types are the table's, the constraints are not wanted. */
#define STAGE(stage, table, columns)                                                               \
    "CREATE TEMP TABLE " stage " ON COMMIT DELETE ROWS AS SELECT " columns " FROM " table          \
    " WITH NO DATA"
#define COPY_IN(table, columns) "COPY " table " (" columns ") FROM STDIN (FORMAT binary)"

/* A lost commit is lost with its offsets, so the records come again: nothing is gained
 * by waiting for the disk. A frozen sink must not hold its successor's rows for ever. */
const char *const writer_session_sql[] = {
    "SET synchronous_commit = off",
    "SET idle_in_transaction_session_timeout = '5s'",
    STAGE("sink_runs", "fleet.runs", ALL_RUN),
    STAGE("sink_attempts", "fleet.attempts", ALL_ATTEMPT),
    STAGE("sink_quarantine", "fleet.quarantine", QUARANTINE_COLUMNS),
};
const size_t writer_session_n = COUNTOF(writer_session_sql);

const char sql_ensure_days[] = "SELECT fleet.ensure_day(day) FROM unnest($1::date[]) AS day";

/* All in one order, so that two sinks never wait for each other in a circle. */
const char sql_make_offsets[] =
    "INSERT INTO fleet.sink_offsets (topic, partition, next)"
    " SELECT topic, partition, next FROM unnest($1::text[], $2::int[], $3::bigint[])"
    " AS batch(topic, partition, next) ORDER BY 1, 2 ON CONFLICT DO NOTHING";
const char sql_lock_offsets[] =
    "SELECT topic, partition, next FROM fleet.sink_offsets"
    " JOIN unnest($1::text[], $2::int[]) AS batch(topic, partition) USING (topic, partition)"
    " ORDER BY 1, 2 FOR UPDATE OF sink_offsets";
const char sql_advance_offsets[] =
    "UPDATE fleet.sink_offsets AS o SET next = batch.next, updated_at = now()"
    " FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])"
    " AS batch(topic, partition, was, next)"
    " WHERE (o.topic, o.partition, o.next) = (batch.topic, batch.partition, batch.was)";

const char sql_read_runs[] =
    "SELECT run_id, run_day - date '1970-01-01', state, sequence, epoch, control_n, line_attempt,"
    " line, ended::int, attempt, repeats, superseded, missing_lines, cost_usd, input_tokens,"
    " output_tokens, cache_read_tokens, cache_write_tokens, (created_at IS NOT NULL)::int,"
    " (model IS NOT NULL)::int"
    " FROM fleet.runs WHERE run_id = ANY ($1::uuid[]) ORDER BY run_id FOR UPDATE";

const char sql_copy_events[] = COPY_IN("fleet.events", EVENT_COLUMNS);
const char sql_copy_gaps[] = COPY_IN("fleet.gaps", GAP_COLUMNS);
const char sql_copy_runs[] = COPY_IN("sink_runs", ALL_RUN);
const char sql_copy_attempts[] = COPY_IN("sink_attempts", ALL_ATTEMPT);
const char sql_copy_quarantine[] = COPY_IN("sink_quarantine", QUARANTINE_COLUMNS);

const char sql_merge_runs[] =
    "INSERT INTO fleet.runs AS r (" ALL_RUN ") SELECT " ALL_RUN " FROM sink_runs ORDER BY run_id"
    " ON CONFLICT (run_id) DO UPDATE SET run_id = r.run_id" RUN_COLUMNS(MERGE);
const char sql_merge_attempts[] =
    "INSERT INTO fleet.attempts AS r (" ALL_ATTEMPT ") SELECT " ALL_ATTEMPT
    " FROM sink_attempts ORDER BY run_id, attempt"
    " ON CONFLICT (run_id, attempt) DO UPDATE SET run_id = r.run_id" ATTEMPT_COLUMNS(MERGE);
/* Set back by hand, the same record may come again. */
const char sql_merge_quarantine[] =
    "INSERT INTO fleet.quarantine (" QUARANTINE_COLUMNS ") SELECT " QUARANTINE_COLUMNS
    " FROM sink_quarantine ON CONFLICT DO NOTHING";

/* Several payloads when the ids are many; one commit all the same. */
const char sql_notify[] = "SELECT pg_notify('fleet_runs', ids) FROM unnest($1::text[]) AS ids";
