/* SPDX-License-Identifier: Apache-2.0 */
/* The waiting room: why each run in it waits, in words of the ledger's and, where those are new,
 * in an event that the worker who leads publishes. */
#include "worker/ledger/ledger_sql.h"

#include "worker/ledger/ledger_sql_parts.h"
#include "common/banned.h"

// clang-format off

/* Those that were looked at longest ago, or never. */
#define LOOKED                                                                                     \
    " looked AS MATERIALIZED (SELECT c.*, " SESSION_FREE " AS free FROM ledger.claims c"           \
    " WHERE c.state = 'waiting' AND c.created_at <= now() - $2::bigint * interval '1 ms'"          \
    " AND (c.told_at IS NULL OR c.told_at <= now() - $3::bigint * interval '1 ms')"                \
    " ORDER BY c.told_at NULLS FIRST, c.created_at LIMIT $1::bigint FOR UPDATE OF c SKIP LOCKED)"

/* Of the credentials that would do: is there any, is one not held, can a worker open one of those, has
 * one of those room; when the first of them is to be had again (never by itself: it was disabled),
 * and why it is not. */
#define OPENS                                                                                      \
    "(m.key_id IS NULL OR EXISTS (SELECT FROM ledger.workers k WHERE m.key_id = ANY (k.key_ids)))"
#define OPENINGS                                                                                   \
    " opening AS (SELECT w.tenant, w.credential, count(m.name) > 0 AS known,"                      \
    " coalesce(bool_or(" NOT_HELD "), false) AS open,"                                             \
    " coalesce(bool_or(" NOT_HELD " AND " OPENS "), false) AS opens,"                              \
    " coalesce(bool_or(" NOT_HELD " AND " OPENS " AND (m.n IS NULL OR m.n > 0)), false) AS room,"  \
    " nullif(min(m.hold_until), 'infinity') AS until,"                                             \
    " (array_agg(m.hold_reason ORDER BY m.hold_until))[1] AS why"                                  \
    " FROM (SELECT DISTINCT tenant, credential FROM looked) w"                                     \
    " LEFT JOIN member m ON " SERVES("w.tenant") " GROUP BY w.tenant, w.credential)"

/* What concerns one goes before what concerns all. */
#define JUDGED                                                                                     \
    " judged AS (SELECT l.run_id, l.told_reason, l.hold_until > now() AS timed, CASE"              \
    " WHEN l.hold_until > now() THEN coalesce(l.hold_reason, 'scheduled')"                         \
    " WHEN NOT l.free THEN 'session_busy'"                                                         \
    " WHEN o.known AND NOT o.open THEN coalesce(o.why, 'usage_limit')"                             \
    " WHEN o.known AND NOT o.opens THEN 'no_master_key'"                                           \
    " WHEN t.n <= 0 THEN 'tenant_limit'"                                                           \
    " WHEN o.known AND NOT o.room THEN 'credential_limit'"                                         \
    " WHEN s.slots <= 0 THEN 'fleet_full'"                                                         \
    " WHEN s.starts <= 0 THEN 'starts_per_minute'"                                                 \
    " ELSE 'no_slot' END AS reason, CASE"                                                          \
    " WHEN l.hold_until > now() THEN l.hold_until"                                                 \
    " WHEN l.free AND o.known AND NOT o.open THEN o.until END AS until"                            \
    " FROM looked l JOIN tenant_space t USING (tenant) JOIN opening o USING (credential)"          \
    " CROSS JOIN space s)"

/* From one kind of want of room to another is no news. */
#define ROOM_WORDS "('fleet_full', 'starts_per_minute', 'no_slot')"
#define NEWS                                                                                       \
    " news AS (SELECT *, (told_reason IS DISTINCT FROM reason AND NOT coalesce("                   \
    "told_reason IN " ROOM_WORDS " AND reason IN " ROOM_WORDS ", false)) AS new FROM judged)"

/* $1 at most so many $2 that wait for so many ms at least $3 and were not looked at for so many.
 * Each that is to be told gets an epoch of its own for that: its event is older than whatever
 * the next owner says. */
const char ledger_sql_tell[] =
    "WITH" FLEET_SPACE "," LOOKED "," TENANT_SPACE("looked") "," MEMBERS "," OPENINGS "," JUDGED ","
    NEWS ", told AS (UPDATE ledger.claims c SET told_at = now(),"
    " hold_reason = CASE WHEN n.timed THEN c.hold_reason ELSE n.reason END,"
    " epoch = c.epoch + n.new::int, tellings = c.tellings + n.new::int FROM news n"
    " WHERE c.run_id = n.run_id AND c.run_id = ANY (ARRAY(SELECT run_id FROM looked))"
    " AND c.state = 'waiting'"
    " RETURNING c.run_id, c.epoch, c.attempt, c.request, n.reason,"
    " (extract(epoch FROM n.until) * 1000)::bigint, n.new) SELECT * FROM told WHERE new";

/* $1 run $2 epoch $3 reason: its event is with the broker. Before that, the next leader tells it
 * again. */
const char ledger_sql_told[] =
    "UPDATE ledger.claims SET told_reason = $3 WHERE run_id = $1 AND epoch = $2::int"
    " AND state = 'waiting' RETURNING run_id";

/* A key that the virtual time has passed is as good as none. A secret that was retired goes with the
 * last run that has it; one that is taken just now is not seen yet. */
const char ledger_sql_tidy[] =
    "WITH idle AS (DELETE FROM ledger.shares s USING ledger.shares v WHERE s.of <> 'lane'"
    " AND s.name <> '' AND v.of = s.of AND v.name = '' AND s.tag <= v.tag)"
    " DELETE FROM ledger.retired_secrets r WHERE r.retired_at < now() - interval '1 minute'"
    " AND NOT EXISTS (SELECT FROM ledger.claims c WHERE c.state = 'running'"
    " AND c.credential_used = r.name AND c.credential_generation = r.generation)";

// clang-format on
