/* SPDX-License-Identifier: Apache-2.0 */
/* The taking: which of those that wait start now. One taking at a time in the whole fleet, so
 * that what it counts is what there is. Its parts, in their order:
 *
 *   space     what the fleet's limits leave
 *   queue     who waits, by lane, fairness key, tenant, credential and priority
 *   seat      what each credential or pool has left, the least busy member first
 *   ready     the queues that could start somebody
 *   turn      the fairness keys whose turn is next
 *   candidate the heads of their queues
 *   chosen    those that tenant, credential, lane and fleet let through
 *
 * Shares are by start-time fair queueing: each start puts its key's tag forward by 1 / weight, a
 * key's next start is due at its tag or at the virtual time (that of the last start), whichever
 * is later, and the earliest goes first. So one that was idle saves nothing up, and none waits
 * for ever. Between the lanes the same, with weights 4 and 1.
 *
 * The plan must be the same for ten that wait and for a hundred thousand: a head is asked for with
 * LIMIT (an EXISTS may become a look at all), and rows by their ids in an array. */
#include "worker/ledger/ledger_sql.h"

#include "worker/ledger/ledger_sql_parts.h"
#include "common/banned.h"

/* The plan suits whatever numbers it is asked with: to plan takes longer than to take. */
const char ledger_sql_take_lock[] =
    "SELECT pg_advisory_xact_lock(hashtextextended('sandfleet.take', 0)),"
    " set_config('plan_cache_mode', 'force_generic_plan', true)";

// clang-format off

#define ROOM                                                                                       \
    " room AS MATERIALIZED (SELECT greatest(0, least($2::bigint + $3::bigint, slots, starts))"     \
    " AS n FROM space)"
#define LANE_ROOM "CASE lane WHEN 'interactive' THEN $2::bigint ELSE $3::bigint END"

/* A seat is one more run for a credential; nth counts those of what is wanted, a credential or a
 * pool. Where nobody knows the name, the run needs no seat: it is to end. Tenants who have none of
 * their own of that name want the same (whose '*'), and are served in one line. */
#define SEATS                                                                                      \
    " asked AS MATERIALIZED (SELECT w.*, CASE WHEN EXISTS (SELECT FROM member m"                   \
    " WHERE m.tenant = w.tenant AND " SERVES("w.tenant") ") THEN w.tenant ELSE '*' END AS whose"   \
    " FROM (SELECT DISTINCT tenant, credential FROM queue) w),"                                    \
    " wanted AS (SELECT w.credential, w.whose, EXISTS (SELECT FROM member m WHERE "                \
    SERVES("w.whose") ") AS known FROM (SELECT DISTINCT credential, whose FROM asked) w),"         \
    " seat AS MATERIALIZED (SELECT w.credential AS wanted, w.whose, m.name, m.generation,"         \
    " row_number() OVER (PARTITION BY w.credential, w.whose ORDER BY m.busy + i.n, m.name) AS nth" \
    " FROM wanted w JOIN member m ON " SERVES("w.whose") " CROSS JOIN LATERAL"                     \
    " generate_series(1, least(m.n, (SELECT n FROM room))::int) i(n)"                              \
    " WHERE (m.key_id IS NULL OR m.key_id = ANY ($4::text[])) AND " NOT_HELD ")"

#define HEADS(columns, limit)                                                                      \
    "(SELECT " columns " FROM ledger.claims c WHERE " OF_QUEUE " AND " DUE                         \
    " ORDER BY c.hold_until LIMIT " limit ")"

#define READY                                                                                      \
    " ready AS MATERIALIZED (SELECT q.*, t.n AS tenant_room, w.whose, w.known FROM queue q"        \
    " JOIN tenant_space t USING (tenant) JOIN asked a USING (tenant, credential)"                  \
    " JOIN wanted w USING (credential, whose)"                                                     \
    " CROSS JOIN LATERAL " HEADS("", "1") " head"                                                  \
    " WHERE (t.n IS NULL OR t.n > 0) AND " LANE_ROOM " > 0"                                        \
    " AND (NOT w.known OR EXISTS (SELECT FROM seat s WHERE s.wanted = q.credential"                \
    " AND s.whose = w.whose)))"

/* v is the virtual time among the lane's keys, lane_v among the lanes. No more keys than there
 * are starts: each has one at least. */
#define TAG(of, name)                                                                              \
    "coalesce((SELECT s.tag FROM ledger.shares s WHERE s.of = " of " AND s.name = " name "), 0)"
#define TURNS                                                                                      \
    " lane_turn AS MATERIALIZED (SELECT r.lane, " TAG("r.lane", "''") " AS v,"                     \
    " greatest(" TAG("'lane'", "''") ", " TAG("'lane'", "r.lane") ") AS lane_base,"                \
    " CASE r.lane WHEN 'interactive' THEN 4.0 ELSE 1.0 END::float8 AS lane_weight"                 \
    " FROM (SELECT DISTINCT lane FROM ready) r),"                                                  \
    " key AS (SELECT l.*, r.fairness_key,"                                                         \
    " greatest(l.v, " TAG("r.lane", "r.fairness_key") ") AS base,"                                 \
    " coalesce(" LIMIT_OF("key", "r.fairness_key", "weight") ", 1)::float8 AS weight"              \
    " FROM (SELECT DISTINCT lane, fairness_key FROM ready) r JOIN lane_turn l USING (lane)),"      \
    " turn AS MATERIALIZED (SELECT * FROM (SELECT *,"                                              \
    " row_number() OVER (PARTITION BY lane ORDER BY base, fairness_key) AS nth FROM key) k"        \
    " WHERE k.nth <= (SELECT n FROM room))"

/* ahead: how far behind the virtual time its turn comes; the order in all that follows. Inside a
 * key the urgent go first, then those that are due for longest. */
#define CANDIDATES                                                                                 \
    " candidate AS (SELECT c.run_id, c.hold_until, q.*, k.base, k.weight, k.v, k.lane_base,"       \
    " k.lane_weight FROM turn k JOIN ready q USING (lane, fairness_key)"                           \
    " CROSS JOIN LATERAL " HEADS("c.run_id, c.hold_until", "(SELECT n FROM room)") " c),"          \
    " tagged AS (SELECT *, base - v + (row_number() OVER (PARTITION BY lane, fairness_key"         \
    " ORDER BY priority DESC, hold_until, run_id) - 1) / weight AS ahead FROM candidate)"
#define NTH(of) "row_number() OVER (PARTITION BY " of " ORDER BY ahead, hold_until, run_id)"

/* Each step counts only those whom the steps before let through. */
#define CHOICE                                                                                     \
    " by_tenant AS (SELECT *, " NTH("tenant") " AS nth_of_tenant FROM tagged),"                    \
    " by_wanted AS (SELECT *, " NTH("credential, whose") " AS nth_of_wanted FROM by_tenant"        \
    " WHERE tenant_room IS NULL OR nth_of_tenant <= tenant_room),"                                 \
    " seated AS (SELECT w.*, s.name AS credential_used, s.generation FROM by_wanted w"             \
    " LEFT JOIN seat s"                                                                            \
    " ON s.wanted = w.credential AND s.whose = w.whose AND s.nth = w.nth_of_wanted"                \
    " WHERE s.name IS NOT NULL OR NOT w.known),"                                                   \
    " by_member AS (SELECT *, " NTH("credential_used") " AS nth_of_member FROM seated),"           \
    " by_lane AS (SELECT b.*, " NTH("lane") " AS nth_of_lane FROM by_member b"                     \
    " LEFT JOIN (SELECT name AS used, n AS member_room FROM member) m"                             \
    " ON m.used = b.credential_used WHERE member_room IS NULL OR nth_of_member <= member_room),"   \
    " chosen AS (SELECT *, lane_base + (nth_of_lane - 1) / lane_weight AS lane_tag FROM by_lane"   \
    " WHERE nth_of_lane <= " LANE_ROOM " ORDER BY lane_tag, lane DESC"                             \
    " LIMIT (SELECT n FROM room)),"                                                                \
    " locked AS (SELECT ch.* FROM ledger.claims c JOIN chosen ch USING (run_id)"                   \
    " WHERE c.state = 'waiting' AND c.run_id = ANY (ARRAY(SELECT run_id FROM chosen))"             \
    " FOR UPDATE OF c SKIP LOCKED)"

/* A new attempt, counted before its work starts. */
#define TAKEN                                                                                      \
    " taken AS (UPDATE ledger.claims c SET state = 'running', epoch = c.epoch + 1,"                \
    " attempt = c.attempt + 1, worker_id = $1, started = false, started_at = NULL,"                \
    " credential_used = l.credential_used, credential_generation = l.generation, log_offset = 0, log_line = 0, hold_reason = NULL,"      \
    " told_reason = NULL, told_at = NULL, updated_at = now()"                                      \
    " FROM locked l WHERE c.run_id = l.run_id"                                                     \
    " AND c.run_id = ANY (ARRAY(SELECT run_id FROM locked)) RETURNING c.*)"

#define ACCOUNTS                                                                                   \
    " started AS (INSERT INTO ledger.starts (at, n) SELECT clock_timestamp(), count(*)"            \
    " FROM locked HAVING count(*) > 0),"                                                           \
    " forgotten AS (DELETE FROM ledger.starts WHERE at < now() - interval '1 minute'),"            \
    " served AS (INSERT INTO ledger.shares AS s (of, name, tag)"                                   \
    " SELECT lane, fairness_key, base + count(*) / weight FROM locked"                             \
    " GROUP BY lane, fairness_key, base, weight"                                                   \
    " UNION ALL SELECT lane, '', max(v + ahead) FROM locked GROUP BY lane"                         \
    " UNION ALL SELECT 'lane', lane, max(lane_base) + count(*) / max(lane_weight) FROM locked"     \
    " GROUP BY lane"                                                                               \
    " UNION ALL SELECT 'lane', '', max(lane_tag) FROM locked HAVING count(*) > 0"                  \
    " ON CONFLICT (of, name) DO UPDATE SET tag = EXCLUDED.tag)"

/* $1 worker $2 $3 how many of the interactive and the batch lane at most $4 master keys[] that the
 * worker has. Behind ledger_sql_take_lock in one transaction. */
const char ledger_sql_take[] =
    "WITH RECURSIVE" FLEET_SPACE "," ROOM "," QUEUES("(SELECT n FROM room) > 0") ","
    TENANT_SPACE("queue") "," MEMBERS "," SEATS "," READY "," TURNS "," CANDIDATES "," CHOICE ","
    TAKEN "," ACCOUNTS " SELECT " CLAIM;

// clang-format on
