/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/sandbox_sql.h"

#include "common/banned.h"

/* What an end is told with. Ages are by the database's clock alone. */
#define FIGURES                                                                                    \
    "s.key, s.sandbox_id, s.template, " SANDBOX_MS("s.created_at") ", s.running_ms, s.cost_usd"

/* What sandbox_place_read() reads: of the sandbox, and of its session's conversation. */
#define PLACE                                                                                      \
    "SELECT p.key, p.sandbox_id, p.state, p.claude_session, p.key LIKE 'warm-%', " SANDBOX_MS(     \
        "p.since") ", " SANDBOX_MS("p.created_at") ", p.running_ms, p.usd_per_hour,"               \
                                                   " x.claude_session, x.transcript, "             \
                                                   "encode(x.sha256, 'hex')"                       \
                                                   " FROM (TABLE moved UNION ALL TABLE made) p"    \
                                                   " LEFT JOIN ledger.sessions x USING (tenant, "  \
                                                   "session_id)"

/* $1 run $2 epoch $3 template $4 key of a new one. The one this run has already, its session's,
 * a warm one, or a row for one to be asked for. Waits for whoever is at the session's: an
 * evictor was first, or it is ours. */
const char sandbox_sql_place[] =
    "WITH me AS (SELECT * FROM ledger.claims WHERE run_id = $1 AND epoch = $2::int"
    " AND state = 'running' FOR UPDATE),"
    " own AS (SELECT s.key FROM ledger.sandboxes s JOIN me USING (run_id)"
    " WHERE s.state IN ('creating', 'busy', 'lost')),"
    " kept AS (SELECT s.key FROM ledger.sandboxes s JOIN me USING (tenant, session_id)"
    " WHERE s.state IN ('parked', 'paused') AND s.until > clock_timestamp()"
    " AND NOT EXISTS (SELECT FROM own) ORDER BY s.since DESC LIMIT 1 FOR UPDATE OF s),"
    " warm AS (SELECT s.key FROM ledger.sandboxes s JOIN me ON true WHERE s.state = 'ready'"
    " AND s.template = $3 AND s.until > clock_timestamp() AND NOT EXISTS (SELECT FROM own)"
    " AND NOT EXISTS (SELECT FROM kept) ORDER BY s.since LIMIT 1 FOR UPDATE OF s SKIP LOCKED),"
    " moved AS (UPDATE ledger.sandboxes s SET tenant = me.tenant, run_id = me.run_id,"
    " attempt = me.attempt, session_id = me.session_id, until = NULL, " SANDBOX_RAN ","
    " state = CASE s.state WHEN 'creating' THEN s.state ELSE 'busy' END,"
    " since = CASE s.state WHEN 'busy' THEN s.since ELSE clock_timestamp() END"
    " FROM me, (TABLE own UNION ALL TABLE kept UNION ALL TABLE warm) chosen"
    " WHERE s.key = chosen.key RETURNING s.*),"
    " made AS (INSERT INTO ledger.sandboxes AS s (key, state, template, tenant, run_id, attempt,"
    " session_id) SELECT $4, 'creating', $3, tenant, run_id, attempt, session_id FROM me"
    " WHERE NOT EXISTS (SELECT FROM moved)"
    " ON CONFLICT (key) DO UPDATE SET state = 'creating', since = clock_timestamp()"
    " WHERE s.state = 'dead' RETURNING s.*) " PLACE;

/* $1 run $2 epoch $3 key $4 sandbox $5 cpu count $6 memory, MB $7 USD an hour, all three NULL
 * where they are not known */
const char sandbox_sql_own[] =
    "WITH me AS (SELECT run_id FROM ledger.claims WHERE run_id = $1 AND epoch = $2::int"
    " AND state = 'running' FOR UPDATE)"
    " UPDATE ledger.sandboxes s SET sandbox_id = $4, state = 'busy', " SANDBOX_RAN ","
    " since = CASE s.state WHEN 'busy' THEN s.since ELSE clock_timestamp() END,"
    " cpu_count = coalesce($5::int, cpu_count), memory_mb = coalesce($6::int, memory_mb),"
    " usd_per_hour = coalesce($7::float8, usd_per_hour) FROM me"
    " WHERE s.key = $3 AND s.run_id = me.run_id AND s.state IN ('creating', 'busy', 'lost')"
    " RETURNING s.key";

/* $1 run $2 epoch $3 key: the service does not have it any more; the run goes on without */
const char sandbox_sql_give_up[] =
    "WITH me AS (SELECT run_id FROM ledger.claims WHERE run_id = $1 AND epoch = $2::int"
    " AND state = 'running' FOR UPDATE),"
    " done AS (UPDATE ledger.sandboxes s SET " SANDBOX_TO(
        "'dead'") " FROM me WHERE s.key = $3"
                  " AND s.run_id = me.run_id AND s.state IN ('creating', 'busy', 'lost'))"
                  " SELECT run_id FROM me";

/* The idle one that waited longest makes room. One that somebody is just taking is locked,
 * and passed over. */
const char sandbox_sql_evict[] =
    "WITH oldest AS (SELECT key, state FROM ledger.sandboxes WHERE state IN ('ready', 'parked')"
    " ORDER BY since LIMIT 1 FOR UPDATE SKIP LOCKED),"
    " told AS (UPDATE ledger.installation SET evicted_at = clock_timestamp()"
    " WHERE EXISTS (SELECT FROM oldest))"
    " UPDATE ledger.sandboxes s SET " SANDBOX_TO(
        "'dead'") " FROM oldest"
                  " WHERE s.key = oldest.key RETURNING " FIGURES ", oldest.state";

/* $1 key: the service confirmed the kill */
const char sandbox_sql_freed[] =
    "DELETE FROM ledger.sandboxes WHERE key = $1 AND state = 'dead' RETURNING key";

/* --- the warm pool ----------------------------------------------------------- */

/* $1 maker $2 templates[] $3 how many of each[] $4 at most so many new ones of each $5 ms of
 * calm after an eviction. Rows of an earlier maker are taken over, as many: the same key gives the
 * same sandbox; so are those that somebody asked for. None are added while runs are held for want
 * of room. */
const char sandbox_sql_refill[] =
    "WITH calm AS (SELECT FROM ledger.installation WHERE (evicted_at IS NULL"
    " OR evicted_at < clock_timestamp() - $5::bigint * interval '1 ms') AND NOT EXISTS (SELECT"
    " FROM ledger.claims WHERE state = 'waiting' AND hold_reason = 'sandbox_capacity')),"
    " adopted AS (UPDATE ledger.sandboxes SET maker = $1 WHERE key IN (SELECT key"
    " FROM ledger.sandboxes WHERE state = 'creating' AND run_id IS NULL"
    " AND maker IS DISTINCT FROM $1 ORDER BY created_at LIMIT $4::int FOR UPDATE SKIP LOCKED)"
    " RETURNING key, template),"
    " made AS (INSERT INTO ledger.sandboxes (key, state, template, maker)"
    " SELECT 'warm-' || gen_random_uuid(), 'creating', w.template, $1"
    " FROM calm, unnest($2::text[], $3::int[]) AS w(template, target)"
    " CROSS JOIN LATERAL generate_series(1, least($4::int, w.target - (SELECT count(*)"
    " FROM ledger.sandboxes s WHERE s.template = w.template AND (s.state = 'ready'"
    " AND s.until > clock_timestamp() OR s.state = 'creating' AND s.run_id IS NULL))::int))"
    " RETURNING key, template)"
    " TABLE adopted UNION ALL TABLE made";

/* $1 key $2 maker $3 sandbox $4 ms it may wait $5 cpu count $6 memory, MB $7 USD an hour */
const char sandbox_sql_warmed[] =
    "UPDATE ledger.sandboxes s SET sandbox_id = $3, maker = NULL,"
    " until = clock_timestamp() + $4::bigint * interval '1 ms', cpu_count = $5::int,"
    " memory_mb = $6::int, usd_per_hour = $7::float8, " SANDBOX_TO(
        "'ready'") " WHERE s.key = $1 AND s.maker = $2 AND s.state = 'creating' RETURNING s.key";

/* $1 key $2 maker: it could not be made, or nobody can say */
const char sandbox_sql_unmade[] = "UPDATE ledger.sandboxes s SET maker = NULL, " SANDBOX_TO(
    "'dead'") " WHERE s.key = $1 AND s.maker = $2 AND s.state = 'creating' RETURNING s.key";

/* --- the janitor ------------------------------------------------------------- */

/* The lock is the connection's, and ends with it. */
const char sandbox_sql_lead[] =
    "SELECT pg_try_advisory_lock(hashtextextended('sandfleet.sandboxes', 0))";

/* $1 at most so many */
const char sandbox_sql_expire[] =
    "WITH late AS (SELECT key, state FROM ledger.sandboxes WHERE state IN ('ready', 'parked',"
    " 'paused') AND until <= clock_timestamp() LIMIT $1::bigint FOR UPDATE SKIP LOCKED)"
    " UPDATE ledger.sandboxes s SET " SANDBOX_TO("'dead'") " FROM late WHERE s.key = late.key"
                                                           " RETURNING " FIGURES ", late.state";

/* $1 ms since they died, for whoever killed them to say so $2 at most so many */
const char sandbox_sql_dead[] =
    "SELECT " FIGURES ", s.state FROM ledger.sandboxes s WHERE s.state = 'dead'"
    " AND s.sandbox_id IS NOT NULL AND s.since <= clock_timestamp() - $1::bigint * interval '1 ms'"
    " ORDER BY s.since LIMIT $2::bigint";

/* $1 sandboxes[] and $2 their keys[], as the service listed them: what no row owns, the rows
 * whose sandbox is missing, and the dead ones that never had any. */
const char sandbox_sql_compare[] =
    "WITH listed AS (SELECT * FROM unnest($1::text[], $2::text[]) AS l(sandbox_id, key))"
    " SELECT 'orphan', l.sandbox_id, l.key FROM listed l WHERE NOT EXISTS (SELECT"
    " FROM ledger.sandboxes s WHERE s.sandbox_id = l.sandbox_id) AND NOT EXISTS (SELECT"
    " FROM ledger.sandboxes s WHERE s.key = l.key AND s.sandbox_id IS NULL AND s.state = "
    "'creating')"
    " UNION ALL SELECT 'missing', s.sandbox_id, s.key FROM ledger.sandboxes s"
    " WHERE s.sandbox_id IS NOT NULL AND s.state IN ('ready', 'busy', 'parked', 'paused')"
    " AND NOT EXISTS (SELECT FROM listed l WHERE l.sandbox_id = s.sandbox_id)"
    " UNION ALL SELECT 'empty', NULL, s.key FROM ledger.sandboxes s WHERE s.sandbox_id IS NULL"
    " AND s.state = 'dead' AND NOT EXISTS (SELECT FROM listed l WHERE l.key = s.key)";

/* $1 key $2 sandbox: the service says that there is none */
const char sandbox_sql_missed[] = "UPDATE ledger.sandboxes s SET " SANDBOX_TO(
    "CASE s.state WHEN 'busy' THEN 'lost' ELSE 'dead' END") " WHERE s.key = $1"
                                                            " AND s.sandbox_id = $2 AND s.state IN "
                                                            "('ready', 'busy', 'parked', 'paused')"
                                                            " RETURNING " FIGURES ", s.state";

/* $1 key: a dead row that never had a sandbox */
const char sandbox_sql_empty[] =
    "DELETE FROM ledger.sandboxes WHERE key = $1 AND state = 'dead' AND sandbox_id IS NULL"
    " RETURNING key";

/* Arrays: $1 sandbox $2 cpu count $3 memory, MB $4 USD an hour */
const char sandbox_sql_sizes[] =
    "UPDATE ledger.sandboxes s SET cpu_count = z.cpu, memory_mb = z.mem, usd_per_hour = z.usd"
    " FROM unnest($1::text[], $2::int[], $3::int[], $4::float8[]) AS z(id, cpu, mem, usd)"
    " WHERE s.sandbox_id = z.id AND s.usd_per_hour IS NULL";

const char sandbox_sql_installation[] = "SELECT id FROM ledger.installation";
