/* SPDX-License-Identifier: Apache-2.0 */
/* From records to claims: what a run request's session finds when it comes is decided here, in
 * the statement that makes the claim, so that a second delivery finds the same. */
#include "worker/ledger/ledger_sql.h"

#include "schema/cancel.h"
#include "common/banned.h"

// clang-format off

#define RECORDS                                                                                    \
    "WITH r AS MATERIALIZED (SELECT *, to_timestamp(not_before / 1000.0) AS starts"                \
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[],"     \
    " $7::text[], $8::text[], $9::bigint[], $10::text[], $11::bigint[], $12::text[], $13::text[])" \
    " WITH ORDINALITY AS r(run_id, tenant, lane, session_id, credential, priority, hash, request," \
    " not_before, batch_id, expires_at, fairness_key, on_busy, nth))"
/* Those that are to be rejected: an earlier run of their session runs, or waits and is not
 * scheduled for later, be it a claim or a record before them. If that is rejected itself, then
 * for one that is before them, too. A record that was claimed long ago is no run that comes. */
#define BUSY                                                                                       \
    " busy AS MATERIALIZED (SELECT r.run_id FROM r WHERE r.on_busy = 'reject' AND (EXISTS"         \
    " (SELECT FROM ledger.claims o WHERE o.tenant = r.tenant AND o.session_id = r.session_id"      \
    " AND (o.state = 'running' OR o.state = 'waiting'"                                              \
    " AND (o.hold_reason IS DISTINCT FROM 'scheduled' OR o.hold_until <= now())))"                 \
    " OR EXISTS (SELECT FROM r e WHERE e.tenant = r.tenant AND e.session_id = r.session_id"        \
    " AND e.run_id <> r.run_id AND e.nth < r.nth AND (e.starts IS NULL OR e.starts <= now())"      \
    " AND NOT EXISTS (SELECT FROM ledger.claims k WHERE k.run_id = e.run_id))))"
/* A run that never was one: the outbox publishes its end. */
#define REJECTED                                                                                   \
    "json_build_object('type', 'sandfleet.run.failed', 'attempt', 0, 'epoch', 1, 'n', 1,"          \
    " 'time_ms', (extract(epoch FROM clock_timestamp()) * 1000)::bigint, 'data',"                  \
    " json_build_object('state', 'failed', 'outcome', 'session_busy', 'reason',"                   \
    " 'an earlier run of the session is not over', 'attempts', 0, 'cost_usd', 0,"                  \
    " 'input_tokens', 0, 'output_tokens', 0, 'cache_read_tokens', 0, 'cache_write_tokens', 0,"     \
    " 'sandbox_ms', 0, 'sandbox_cost_usd', 0, 'duration_ms', 0))::text"

/* Arrays, one element a record: $1 run_id $2 tenant $3 lane $4 session_id $5 credential
 * $6 priority $7 body hash in hex $8 request $9 not_before, Unix ms $10 batch_id $11 expires_at,
 * Unix ms $12 fairness key $13 on_busy. Returns each new claim's lane and state. */
const char ledger_sql_insert[] =
    RECORDS "," BUSY
    " INSERT INTO ledger.claims AS c (run_id, tenant, lane, session_id, credential, priority,"
    " body_hash, request, batch_id, state, hold_reason, hold_until, created_at, expires_at,"
    " fairness_key, urgent, epoch, terminal)"
    " SELECT r.run_id, r.tenant, r.lane, r.session_id, r.credential, r.priority,"
    " decode(r.hash, 'hex'), r.request, r.batch_id,"
    " CASE WHEN b.run_id IS NULL THEN 'waiting' ELSE 'ended' END,"
    " CASE WHEN b.run_id IS NULL AND r.starts > now() THEN 'scheduled' END,"
    " greatest(now(), r.starts), clock_timestamp(), to_timestamp(r.expires_at / 1000.0),"
    " r.fairness_key, r.on_busy IS NOT DISTINCT FROM 'interrupt', (b.run_id IS NOT NULL)::int,"
    " CASE WHEN b.run_id IS NOT NULL THEN " REJECTED " END"
    " FROM r LEFT JOIN busy b ON b.run_id = r.run_id ORDER BY r.nth"
    " ON CONFLICT (run_id) DO NOTHING RETURNING c.lane, c.state,"
    " CASE WHEN c.urgent THEN pg_notify('" CANCEL_CHANNEL "', '')::text END";

/* $1 run_id[] $2 body hash in hex[]: the numbers, from 1, of those whose row says otherwise */
const char ledger_sql_conflicts[] =
    "SELECT r.n FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS r(run_id, hash, n)"
    " JOIN ledger.claims c USING (run_id) WHERE c.body_hash <> decode(r.hash, 'hex')";

// clang-format on
