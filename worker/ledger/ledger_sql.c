/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/ledger/ledger_sql.h"

#include "worker/ledger/ledger_sql_parts.h"
#include "worker/sandbox/sandbox_sql.h"
#include "common/banned.h"

/* $1 worker $2 dead worker $3 the counter it stood still at $4 limit. The same attempt under
 * a new epoch. One that was not yet started counts as failed, and one that was as an
 * uncounted failure: a run that kills each worker ends some day. */
const char ledger_sql_take_over[] =
    "WITH lost AS (SELECT c.run_id FROM ledger.claims c WHERE c.state = 'running'"
    " AND c.worker_id = $2 AND EXISTS (SELECT FROM ledger.workers w"
    " WHERE w.worker_id = $2 AND w.counter = $3::bigint)"
    " LIMIT $4::bigint FOR UPDATE OF c SKIP LOCKED),"
    " taken AS (UPDATE ledger.claims c SET epoch = c.epoch + 1, worker_id = $1,"
    " failures = c.failures + (NOT c.started)::int, uncounted = c.uncounted + c.started::int,"
    " updated_at = now() FROM lost WHERE c.run_id = lost.run_id RETURNING c.*) SELECT " CLAIM;

/* $1 worker $2 limit: what a worker released when it went, or a vanished one left. */
const char ledger_sql_adopt[] =
    "WITH lost AS (SELECT c.run_id FROM ledger.claims c WHERE c.state = 'running'"
    " AND (c.worker_id IS NULL OR NOT EXISTS (SELECT FROM ledger.workers w"
    " WHERE w.worker_id = c.worker_id)) LIMIT $2::bigint FOR UPDATE OF c SKIP LOCKED),"
    " taken AS (UPDATE ledger.claims c SET epoch = c.epoch + 1, worker_id = $1,"
    " updated_at = now() FROM lost WHERE c.run_id = lost.run_id RETURNING c.*) SELECT " CLAIM;

/* $1 worker $2 limit: ended runs whose terminal is not published, and that nobody works on;
 * in turn, so that what cannot be published holds nobody up. The epoch stays: the terminal
 * record keeps it. */
const char ledger_sql_outbox[] =
    "WITH owed AS (SELECT c.run_id FROM ledger.claims c WHERE c.state = 'ended'"
    " AND NOT c.published AND (c.worker_id IS NULL"
    " OR NOT EXISTS (SELECT FROM ledger.workers w WHERE w.worker_id = c.worker_id))"
    " ORDER BY c.updated_at LIMIT $2::bigint FOR UPDATE OF c SKIP LOCKED),"
    " taken AS (UPDATE ledger.claims c SET worker_id = $1, updated_at = now()"
    " FROM owed WHERE c.run_id = owed.run_id RETURNING c.*) SELECT " CLAIM;

/* $1 at most so many: runs that could start now, interactive and batch */
const char ledger_sql_backlog[] =
    "SELECT (SELECT count(*) FROM (SELECT FROM ledger.claims c WHERE c.lane = 'interactive' "
    "AND " DUE " LIMIT $1::bigint) i), (SELECT count(*) FROM (SELECT FROM ledger.claims c"
    " WHERE c.lane = 'batch' AND " DUE " LIMIT $1::bigint) b)";

/* $1 run $2 epoch */
const char ledger_sql_started[] =
    "UPDATE ledger.claims SET started = true, started_at = coalesce(started_at, now()),"
    " updated_at = now() WHERE run_id = $1 AND epoch = $2::int AND state = 'running'"
    " RETURNING run_id";

/* Arrays: $1 run_id $2 epoch $3 log_offset $4 log_line, behind acknowledged lines only */
const char ledger_sql_positions[] =
    "UPDATE ledger.claims c SET log_offset = p.log_offset, log_line = p.log_line,"
    " updated_at = now() FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[])"
    " AS p(run_id, epoch, log_offset, log_line)"
    " WHERE c.run_id = p.run_id AND c.epoch = p.epoch AND c.state = 'running'"
    " RETURNING c.run_id";

/* Shared by the two ends of an attempt: the sandbox follows in the same transaction. $3
 * Claude's conversation in it, and it is the session's from here on, $4 'parked' or 'paused',
 * for $5 ms; an older one of the session makes room. $3 NULL: nobody's, to be killed. */
#define SANDBOX_FOLLOWS                                                                            \
    " kept AS (UPDATE ledger.sandboxes s SET session_id = b.session_id, claude_session = $3,"      \
    " until = clock_timestamp() + $5::bigint * interval '1 ms', " SANDBOX_TO(                      \
        "$4") " FROM before b JOIN done USING (run_id) WHERE s.run_id = b.run_id"                  \
              " AND s.state IN ('busy', 'lost') AND $3::text IS NOT NULL AND b.session_id IS NOT " \
              "NULL"                                                                               \
              " RETURNING s.key, s.tenant, s.session_id),"                                         \
              " older AS (UPDATE ledger.sandboxes s SET " SANDBOX_TO(                              \
                  "'dead'") " FROM kept k"                                                         \
                            " WHERE s.tenant = k.tenant AND s.session_id = k.session_id AND "      \
                            "s.key <> k.key"                                                       \
                            " AND s.state IN ('parked', 'paused')),"                               \
                            " let_go AS (UPDATE ledger.sandboxes s SET " SANDBOX_TO(               \
                                "'dead'") " FROM before b"                                         \
                                          " JOIN done USING (run_id) WHERE s.run_id = b.run_id "   \
                                          "AND (s.state = 'creating' OR"                           \
                                          " s.state IN ('busy', 'lost') AND ($3::text IS NULL OR " \
                                          "b.session_id IS NULL)))"                                \
                                          " SELECT run_id FROM done"

/* $6 hold_reason $7 delay ms $8 failures $9 uncounted $10 cost $11..$14 tokens $15 sandbox, ms
 * $16 sandbox, USD. Running only or, repeated, waiting. */
const char ledger_sql_requeue[] =
    "WITH before AS (SELECT * FROM ledger.claims WHERE run_id = $1 AND epoch = $2::int"
    " AND state IN ('running', 'waiting') FOR UPDATE),"
    " done AS (UPDATE ledger.claims c SET state = 'waiting', worker_id = NULL,"
    " started = false, hold_reason = $6, told_reason = $6, told_at = now(), hold_until = now() + "
    "$7::bigint * interval '1 ms',"
    " failures = $8::int, uncounted = $9::int, cost_usd = $10::float8,"
    " input_tokens = $11::bigint, output_tokens = $12::bigint, cache_read_tokens = $13::bigint,"
    " cache_write_tokens = $14::bigint, sandbox_ms = $15::bigint, sandbox_usd = $16::float8,"
    " updated_at = now() FROM before b WHERE c.run_id = b.run_id"
    " RETURNING c.run_id)," SANDBOX_FOLLOWS;

/* $6 terminal $7 cost $8..$11 tokens $12 sandbox, ms $13 sandbox, USD */
const char ledger_sql_close[] =
    "WITH before AS (SELECT * FROM ledger.claims WHERE run_id = $1 AND epoch = $2::int"
    " AND state IN ('running', 'ended') FOR UPDATE),"
    " done AS (UPDATE ledger.claims c SET state = 'ended', terminal = $6, cost_usd = $7::float8,"
    " input_tokens = $8::bigint, output_tokens = $9::bigint, cache_read_tokens = $10::bigint,"
    " cache_write_tokens = $11::bigint, sandbox_ms = $12::bigint, sandbox_usd = $13::float8,"
    " updated_at = now() FROM before b WHERE c.run_id = b.run_id"
    " RETURNING c.run_id)," SANDBOX_FOLLOWS;

/* $1 run $2 epoch */
const char ledger_sql_published[] =
    "UPDATE ledger.claims SET published = true, updated_at = now()"
    " WHERE run_id = $1 AND epoch = $2::int AND state = 'ended' RETURNING run_id";

/* $1 run $2 epoch: what is still owed of an ended run is anybody's */
const char ledger_sql_hand_out[] =
    "UPDATE ledger.claims SET worker_id = NULL WHERE run_id = $1 AND epoch = $2::int"
    " AND state = 'ended' RETURNING run_id";

/* $1 name $2 ms from now on $3 reason $4 generation. The longer of two holds stays, and what an
 * earlier secret met is not held against this one. */
const char ledger_sql_hold_credential[] =
    "UPDATE ledger.credentials SET"
    " hold_reason = CASE WHEN hold_until > now() + $2::bigint * interval '1 ms' THEN hold_reason"
    " ELSE $3 END,"
    " hold_until = greatest(hold_until, now() + $2::bigint * interval '1 ms')"
    " WHERE name = $1 AND generation = $4::int RETURNING name";

/* $1 name $2 windows $3 generation. A sandbox may make up names: there is an end to them. */
const char ledger_sql_learn_windows[] =
    "UPDATE ledger.credentials SET windows = windows ||"
    " (SELECT jsonb_object_agg(key, value || jsonb_build_object('seen_at',"
    " to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')))"
    " FROM jsonb_each($2::jsonb))"
    " WHERE name = $1 AND generation = $3::int"
    " AND (SELECT count(*) FROM jsonb_object_keys(windows)) < 32";

/* $1 worker $2 host $3 pid $4 version $5 slots $6 master keys[] */
const char ledger_sql_beat[] =
    "INSERT INTO ledger.workers (worker_id, host, pid, version, slots, key_ids)"
    " VALUES ($1, $2, $3::int, $4, $5::int, $6::text[])"
    " ON CONFLICT (worker_id) DO UPDATE SET counter = ledger.workers.counter + 1,"
    " beat_at = now() RETURNING counter";

/* $1 worker: all the others */
const char ledger_sql_peers[] =
    "SELECT worker_id, counter FROM ledger.workers WHERE worker_id <> $1";

/* $1 dead worker $2 its counter: once nothing of it is left */
const char ledger_sql_bury[] =
    "DELETE FROM ledger.workers w WHERE w.worker_id = $1 AND w.counter = $2::bigint"
    " AND NOT EXISTS (SELECT FROM ledger.claims c WHERE c.worker_id = $1"
    " AND c.state = 'running') RETURNING worker_id";

/* $1 worker: what the ledger says is ours */
const char ledger_sql_mine[] = "SELECT run_id, epoch FROM ledger.claims WHERE worker_id = $1"
                               " AND (state = 'running' OR state = 'ended' AND NOT published)";

/* $1 worker $2 run_id[] known here: a taking whose answer got lost is given back */
const char ledger_sql_disown[] =
    "UPDATE ledger.claims SET worker_id = NULL, updated_at = now() WHERE worker_id = $1"
    " AND (state = 'running' OR state = 'ended' AND NOT published)"
    " AND run_id <> ALL ($2::uuid[]) RETURNING run_id";

/* $1 worker: it goes; others go on at the recorded offsets, at once */
const char ledger_sql_leave[] =
    "WITH gone AS (UPDATE ledger.claims SET worker_id = NULL, updated_at = now()"
    " WHERE worker_id = $1 AND state = 'running')"
    " DELETE FROM ledger.workers WHERE worker_id = $1 RETURNING pg_notify('ledger_due', 'left')";

/* --- cancels ----------------------------------------------------------------- */

/* $1 worker: which of ours are to end, how, and who asked; or the run of their session for which
 * they are interrupted, as long as it waits and only they keep it from starting. Twice where run
 * and batch are. */
const char ledger_sql_cancelled[] =
    "SELECT c.run_id, c.epoch, x.force, x.requested_by, NULL FROM ledger.claims c"
    " JOIN ledger.cancellations x ON x.tenant = c.tenant"
    " AND (x.run_id = c.run_id OR x.batch_id = c.batch_id)"
    " WHERE c.worker_id = $1 AND c.state = 'running'"
    " UNION ALL SELECT o.run_id, o.epoch, false, NULL, c.run_id FROM ledger.claims o"
    " JOIN ledger.claims c ON c.tenant = o.tenant AND c.session_id = o.session_id"
    " WHERE o.worker_id = $1 AND o.state = 'running' AND c.urgent AND " DUE_NOW;

/* $1 worker $2 limit: runs that wait and that somebody cancelled, or that expired, end here:
 * nobody else works on them. The terminal is ours to publish. Rows of runs that have ended have
 * served. */
const char ledger_sql_end_waiting[] =
    "WITH served AS (DELETE FROM ledger.cancellations x USING ledger.claims c"
    " WHERE x.run_id = c.run_id AND x.tenant = c.tenant AND c.state = 'ended'),"
    " named AS (SELECT x.run_id, x.tenant, x.requested_by FROM ledger.cancellations x"
    " WHERE x.run_id IS NOT NULL UNION ALL SELECT c.run_id, c.tenant, x.requested_by"
    " FROM ledger.cancellations x JOIN ledger.claims c USING (tenant, batch_id)"
    " WHERE c.state = 'waiting'),"
    " owed AS (SELECT c.run_id, n.requested_by FROM named n JOIN ledger.claims c"
    " USING (run_id, tenant) WHERE c.state = 'waiting' LIMIT $2::bigint"
    " FOR UPDATE OF c SKIP LOCKED),"
    " late AS (SELECT c.run_id FROM ledger.claims c WHERE c.state = 'waiting'"
    " AND c.expires_at <= now() AND NOT EXISTS (SELECT FROM owed WHERE owed.run_id = c.run_id)"
    " LIMIT $2::bigint FOR UPDATE OF c SKIP LOCKED),"
    " ending AS (SELECT run_id, 'cancelled' AS how, 'by ' || requested_by AS why FROM owed"
    " UNION ALL SELECT run_id, 'expired', 'expires_at has passed' FROM late),"
    " taken AS (UPDATE ledger.claims c SET state = 'ended', epoch = c.epoch + 1, worker_id = $1,"
    " hold_reason = NULL, updated_at = now(), terminal = json_build_object("
    "'type', 'sandfleet.run.' || e.how, 'attempt', c.attempt, 'epoch', c.epoch + 1, 'n', 1,"
    " 'time_ms', (extract(epoch FROM clock_timestamp()) * 1000)::bigint,"
    " 'data', json_strip_nulls(json_build_object('state', e.how, 'outcome', e.how,"
    " 'reason', e.why, 'attempts', c.attempt, 'cost_usd', c.cost_usd,"
    " 'input_tokens', c.input_tokens, 'output_tokens', c.output_tokens,"
    " 'cache_read_tokens', c.cache_read_tokens, 'cache_write_tokens', c.cache_write_tokens,"
    " 'sandbox_ms', c.sandbox_ms, 'sandbox_cost_usd', c.sandbox_usd, 'duration_ms', 0)))::text"
    " FROM ending e WHERE c.run_id = e.run_id RETURNING c.*) SELECT " CLAIM;
