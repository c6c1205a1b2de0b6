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

#define FROM_JSON(table) " FROM json_populate_recordset(NULL::" table ", $1)"

#define MAKE_OFFSETS                                                                               \
    "INSERT INTO sink_offsets (topic, partition, next)"                                            \
    " SELECT topic, partition, next FROM unnest($1, $2, $3)"                                       \
    " AS batch(topic, partition, next) ORDER BY 1, 2 ON CONFLICT DO NOTHING"
#define LOCK_OFFSETS                                                                               \
    "SELECT FROM sink_offsets"                                                                     \
    " JOIN unnest($1, $2) AS batch(topic, partition) USING (topic, partition)"                     \
    " ORDER BY topic, partition FOR UPDATE OF sink_offsets"
#define ADVANCE_OFFSETS                                                                            \
    "UPDATE sink_offsets AS o SET next = batch.next, updated_at = now()"                           \
    " FROM unnest($1, $2, $3, $4) AS batch(topic, partition, was, next)"                           \
    " WHERE (o.topic, o.partition, o.next) = (batch.topic, batch.partition, batch.was)"
#define MERGE_RUNS                                                                                 \
    "INSERT INTO runs AS r (" ALL_RUN                                                              \
    ") SELECT " ALL_RUN FROM_JSON("runs") " ORDER BY run_id ON CONFLICT (run_id) DO UPDATE "       \
                                          "SET run_id = r.run_id" RUN_COLUMNS(MERGE)
#define MERGE_ATTEMPTS                                                                             \
    "INSERT INTO attempts AS r (" ALL_ATTEMPT ") SELECT " ALL_ATTEMPT FROM_JSON(                   \
        "attempts") " ORDER BY run_id, attempt"                                                    \
                    " ON CONFLICT (run_id, attempt) DO UPDATE SET run_id = "                       \
                    "r.run_id" ATTEMPT_COLUMNS(MERGE)

/* The newest word by time counts; an end is newer than anything else. Equal times are told apart
 * by the words themselves: whoever reads them in another order comes to the same row. */
#define WORD_FINAL(r) "(" r "state IN ('ended', 'evicted', 'lost'))"
#define WORD_ORDER(r) "(" WORD_FINAL(r) ", " r "since, " r "state, " r "reason)"
#define USE_ORDER(r)  "(" r "used_at, " r "run_id)"
#define NEWEST_WORD(c)                                                                             \
    "(array_agg(" c " ORDER BY " WORD_FINAL("") " DESC, since DESC, state DESC, reason DESC))[1]"
#define NEWEST_USE(c) "(array_agg(" c " ORDER BY used_at DESC NULLS LAST, run_id DESC))[1]"
#define BY_WORD(c)                                                                                 \
    c " = CASE WHEN " WORD_ORDER("excluded.") " > " WORD_ORDER("s.") " THEN excluded." c           \
                                                                     " ELSE s." c " END"
#define BY_USE(c)                                                                                  \
    c " = CASE WHEN s.used_at IS NULL OR " USE_ORDER("excluded.") " > " USE_ORDER(                 \
        "s.") " THEN excluded." c " ELSE s." c " END"
#define BY_MOST(c)  c " = GREATEST(s." c ", excluded." c ")"
#define BY_LEAST(c) c " = LEAST(s." c ", excluded." c ")"
#define MERGE_SANDBOXES                                                                                                                                                                                                                                                                                                \
    "INSERT INTO sandboxes AS s (sandbox_id, template, tenant, run_id, used_at, state,"                                                                                                                                                                                                                                \
    " reason, since, created_at, ended_at, running_ms, cost_usd)"                                                                                                                                                                                                                                                      \
    " SELECT sandbox_id, max(template), max(tenant), " NEWEST_USE(                                                                                                                                                                                                                                                     \
        "run_id") ", "                                                                                                                                                                                                                                                                                                 \
                  "max(used_at),"                                                                                                                                                                                                                                                                                      \
                  " " NEWEST_WORD(                                                                                                                                                                                                                                                                                     \
                      "stat"                                                                                                                                                                                                                                                                                           \
                      "e") ", " NEWEST_WORD("reason") ", " NEWEST_WORD("since") ", "                                                                                                                                                                                                                                   \
                                                                                "min("                                                                                                                                                                                                                                 \
                                                                                "crea"                                                                                                                                                                                                                                 \
                                                                                "ted_"                                                                                                                                                                                                                                 \
                                                                                "at),"                                                                                                                                                                                                                                 \
                                                                                " min"                                                                                                                                                                                                                                 \
                                                                                "(sin"                                                                                                                                                                                                                                 \
                                                                                "ce) "                                                                                                                                                                                                                                 \
                                                                                "FILT"                                                                                                                                                                                                                                 \
                                                                                "ER "                                                                                                                                                                                                                                  \
                                                                                "(WHE"                                                                                                                                                                                                                                 \
                                                                                "RE"                                                                                                                                                                                                                                   \
                                                                                " " WORD_FINAL(                                                                                                                                                                                                                        \
                                                                                    "") "), "                                                                                                                                                                                                                          \
                                                                                        "max("                                                                                                                                                                                                                         \
                                                                                        "running_"                                                                                                                                                                                                                     \
                                                                                        "ms),"                                                                                                                                                                                                                         \
                                                                                        " max("                                                                                                                                                                                                                        \
                                                                                        "cost_"                                                                                                                                                                                                                        \
                                                                                        "usd"                                                                                                                                                                                                                          \
                                                                                        ")" FROM_JSON(                                                                                                                                                                                                                 \
                                                                                            "sand"                                                                                                                                                                                                                     \
                                                                                            "boxe"                                                                                                                                                                                                                     \
                                                                                            "s") " GROUP BY sandbox_id ORDER BY sandbox_id"                                                                                                                                                                            \
                                                                                                 " ON CONFLICT (sandbox_id) DO UPDATE SET " BY_MOST("template") ", " BY_MOST("tenant") ", " BY_USE("run_id") ", " BY_MOST("used_at") ", " BY_WORD("state") ", " BY_WORD("reason") ", " BY_WORD("since") ", " BY_LEAST( \
                                                                                                     "created_at") ", " BY_LEAST("ended_at") ", " BY_MOST("running_ms") ", " BY_MOST("cost_usd")
#define MERGE_SUPERSEDED                                                                           \
    "INSERT INTO superseded AS s (run_id, epoch, records, by_epoch, after_sequence)"               \
    " SELECT run_id, epoch, sum(records), min(by_epoch), min(after_sequence)" FROM_JSON(           \
        "superseded") " GROUP BY run_id, epoch ORDER BY run_id, epoch"                             \
                      " ON CONFLICT (run_id, epoch) DO UPDATE SET records = s.records + "          \
                      "excluded.records"

/* A lost commit is lost with its offsets, so the records come again: nothing is gained
 * by waiting for the disk. A frozen sink must not hold its successor's rows for ever.
 * Positions and rows are locked in one order, so that two sinks never wait for each other
 * in a circle. Several payloads when the ids are many; one commit all the same. */
const char *const writer_session_sql[] = {
    "SET synchronous_commit = off",
    "SET idle_in_transaction_session_timeout = '5s'",
    "SET lock_timeout = '5s'",
    "SET standard_conforming_strings = on",
    STAGE("sink_quarantine", "quarantine", QUARANTINE_COLUMNS),
    "PREPARE " EXEC_MAKE " (text[], int[], bigint[]) AS " MAKE_OFFSETS,
    "PREPARE " EXEC_LOCK " (text[], int[]) AS " LOCK_OFFSETS,
    "PREPARE " EXEC_ADVANCE " (text[], int[], bigint[], bigint[]) AS " ADVANCE_OFFSETS,
    "PREPARE " EXEC_RUNS " (json) AS " MERGE_RUNS,
    "PREPARE " EXEC_ATTEMPT " (json) AS " MERGE_ATTEMPTS,
    "PREPARE " EXEC_SANDBOX " (json) AS " MERGE_SANDBOXES,
    "PREPARE " EXEC_SUPERSEDED " (json) AS " MERGE_SUPERSEDED,
    "PREPARE " EXEC_NOTIFY
    " (text[]) AS SELECT pg_notify(current_schema() || '_runs', ids) FROM unnest($1) AS ids",
};
const size_t writer_session_n = COUNTOF(writer_session_sql);

/* A session that waits for its client in the middle of a COPY cannot be cancelled, and no
 * time-out of the server's ends it: one of a sink that is frozen there would hold its
 * successor's rows for ever. */
const char sql_evict_frozen[] =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
    " AND application_name = current_setting('application_name') AND state = 'active'"
    " AND wait_event = 'ClientRead' AND query LIKE 'COPY %' AND query_start < now() - "
    "'4s'::interval";

const char sql_ensure_days[] =
    "SELECT fleet.ensure_day(day, current_schema()) FROM unnest($1::date[]) AS day";

const char sql_read_runs[] =
    "SELECT run_id, run_day - date '1970-01-01', state, sequence, epoch, control_n, line_attempt,"
    " line, closed_attempt, ended::int, attempt, repeats, superseded, missing_lines, cost_usd,"
    " sandbox_ms, sandbox_cost_usd, input_tokens,"
    " output_tokens, cache_read_tokens, cache_write_tokens, (created_at IS NOT NULL)::int,"
    " (model IS NOT NULL)::int"
    " FROM runs WHERE run_id = ANY ($1::uuid[])";

const char sql_copy_events[] = COPY_IN("events", EVENT_COLUMNS);
const char sql_copy_gaps[] = COPY_IN("gaps", GAP_COLUMNS);
const char sql_copy_quarantine[] = COPY_IN("sink_quarantine", QUARANTINE_COLUMNS);

/* Set back by hand, the same record may come again; one that was settled does not come back. */
const char sql_merge_quarantine[] =
    "INSERT INTO quarantine (" QUARANTINE_COLUMNS ") SELECT " QUARANTINE_COLUMNS
    " FROM sink_quarantine AS q WHERE NOT EXISTS (SELECT FROM door.settled_letters AS s"
    " WHERE (s.topic, s.partition, s.\"offset\", s.at) = (q.topic, q.partition, q.\"offset\", "
    "q.at))"
    " ON CONFLICT DO NOTHING";
