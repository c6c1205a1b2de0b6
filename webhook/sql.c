/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/sql.h"

#include "common/banned.h"

// clang-format off

#define STAMP(of) "to_char(" of " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/* The sink's rows and its position move in one transaction: one snapshot has both. An endpoint is told
 * of what ended a while before it was made, too: the clocks are two machines'. The outcome alone is as
 * long as the topic has it. */
const char sql_make[] =
    "WITH woken AS (SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[])"
    "               AS w (run_id, partition, \"offset\")),"
    " passed AS (SELECT w.* FROM woken w JOIN fleet.sink_offsets o"
    "            ON o.topic = $4 AND o.partition = w.partition AND o.next > w.\"offset\"),"
    " ended AS (SELECT r.run_id, r.tenant, r.state, r.outcome, r.batch_id, r.custom_id, r.session_id,"
    "                  r.attempt, r.cost_usd, r.created_at, coalesce(r.ended_at, r.last_event_at, now()) AS at FROM fleet.runs r"
    "           WHERE r.ended AND r.run_id IN (SELECT run_id FROM passed)),"
    " made AS (INSERT INTO webhook.deliveries (endpoint_id, run_id, state, body)"
    "          SELECT e.endpoint_id, r.run_id, r.state,"
    "                 json_build_object('type', 'sandfleet.run.' || r.state,"
    "                     'timestamp', " STAMP("r.at") ","
    "                     'data', json_build_object('run_id', r.run_id, 'tenant', r.tenant,"
    "                         'state', r.state, 'outcome', left(r.outcome, 128), 'batch_id', r.batch_id,"
    "                         'custom_id', r.custom_id, 'session_id', r.session_id,"
    "                         'attempt', r.attempt, 'cost_usd', r.cost_usd,"
    "                         'created_at', " STAMP("r.created_at") ", 'ended_at', " STAMP("r.at") ","
    "                         'url', $5 || '/v1/runs/' || r.run_id))::text"
    "          FROM ended r JOIN webhook.endpoints e"
    "          ON e.tenant = r.tenant AND r.state = ANY (e.states) AND e.disabled_reason IS NULL"
    "             AND r.at > e.created_at - interval '5 minutes'"
    "          ON CONFLICT DO NOTHING RETURNING 1)"
    " SELECT partition, \"offset\", (SELECT count(*) FROM made) FROM passed";

/* An endpoint of which all fails gets one at a time. The endpoints come in any order, so that none is
 * always the last where there is not enough room for all. */
const char sql_take[] =
    "WITH due AS MATERIALIZED (SELECT d.* FROM"
    "     (SELECT e.endpoint_id, CASE WHEN e.failures >= 3 THEN 1 ELSE $2::bigint END"
    "          - (SELECT count(*) FROM webhook.deliveries t WHERE t.endpoint_id = e.endpoint_id"
    "             AND t.taken_until > now()) AS room"
    "      FROM webhook.endpoints e"
    "      WHERE e.disabled_reason IS NULL AND (e.hold_until IS NULL OR e.hold_until <= now())"
    "      ORDER BY random()) e"
    "     CROSS JOIN LATERAL (SELECT d.endpoint_id, d.run_id, d.state FROM webhook.deliveries d"
    "         WHERE d.endpoint_id = e.endpoint_id AND d.due_at <= now()"
    "         ORDER BY d.due_at LIMIT greatest(e.room, 0) FOR UPDATE SKIP LOCKED) d"
    "     LIMIT $1::bigint),"
    " taken AS (UPDATE webhook.deliveries d SET tries = d.tries + 1, attempts = d.attempts + 1,"
    "               due_at = now() + $3::bigint * interval '1 ms',"
    "               taken_until = now() + $3::bigint * interval '1 ms'"
    "           FROM due WHERE (d.endpoint_id, d.run_id, d.state) ="
    "                          (due.endpoint_id, due.run_id, due.state)"
    "           RETURNING d.*)"
    " SELECT t.endpoint_id, t.run_id, t.state, t.attempts, t.tries, e.tenant, e.name, e.url, t.body,"
    "        k.scheme, k.key_id, encode(k.wrapped, 'hex'), encode(k.sealed, 'hex')"
    " FROM taken t JOIN webhook.endpoints e USING (endpoint_id)"
    " LEFT JOIN webhook.keys k ON k.endpoint_id = t.endpoint_id"
    "     AND (k.expires_at IS NULL OR k.expires_at > now())"
    " ORDER BY t.endpoint_id, t.run_id, t.state, k.key_no DESC";

/* The last try is at the end of its time, not before. */
const char sql_end[] =
    "WITH told AS (SELECT $8::text AS verdict, $9::bigint * interval '1 ms' AS wait,"
    "                     $10::bigint * interval '1 ms' AS lasts, $11::bigint * interval '1 ms' AS asked),"
    " closed AS (UPDATE webhook.deliveries d SET taken_until = NULL,"
    "              outcome = CASE WHEN verdict = 'delivered' THEN 'delivered'"
    "                             WHEN verdict = 'gone' OR d.since + lasts <= now() THEN 'failed' END,"
    "              ended_at = CASE WHEN verdict <> 'again' OR d.since + lasts <= now() THEN now() END,"
    "              due_at = CASE WHEN verdict = 'again' AND d.since + lasts > now()"
    "                            THEN least(now() + wait, d.since + lasts) END"
    "          FROM told WHERE d.endpoint_id = $1::bigint AND d.run_id = $2::uuid AND d.state = $3"
    "              AND d.attempts = $4::int AND d.taken_until IS NOT NULL RETURNING d.*),"
    " logged AS (INSERT INTO webhook.attempts"
    "                (endpoint_id, run_id, state, attempt, status, error, took_ms)"
    "            SELECT endpoint_id, run_id, state, attempts, $5::int, $6, $7::bigint FROM closed),"
    " learned AS (UPDATE webhook.endpoints e SET"
    "                 failures = CASE WHEN verdict = 'delivered' THEN 0 ELSE e.failures + 1 END,"
    "                 hold_until = CASE WHEN asked > interval '0' AND verdict = 'again'"
    "                                   THEN now() + least(asked, lasts) END,"
    "                 disabled_reason = CASE WHEN verdict = 'gone' THEN 'gone'"
    "                                        ELSE e.disabled_reason END"
    "             FROM told WHERE e.endpoint_id = (SELECT endpoint_id FROM closed)"
    "                 AND (verdict <> 'delivered' OR e.failures > 0))"
    " SELECT outcome FROM closed";

/* Some at a time: the others are the next hour's. */
const char sql_sweep[] =
    "WITH old AS (DELETE FROM webhook.deliveries WHERE ctid IN"
    "                 (SELECT ctid FROM webhook.deliveries"
    "                  WHERE made_at < now() - $1::bigint * interval '1 ms'"
    "                  ORDER BY made_at LIMIT 10000) RETURNING 1),"
    " keys AS (DELETE FROM webhook.keys WHERE expires_at < now() RETURNING 1)"
    " SELECT (SELECT count(*) FROM old), (SELECT count(*) FROM keys)";

// clang-format on
