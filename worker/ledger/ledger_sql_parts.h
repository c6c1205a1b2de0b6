/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the ledger's statements: what several of them ask in the same words. Each part is one
 * or more WITH queries, without a comma at its end, or a condition. */
#ifndef SANDFLEET_WORKER_LEDGER_SQL_PARTS_H
#define SANDFLEET_WORKER_LEDGER_SQL_PARTS_H

// clang-format off

/* Of claim c: somebody wants it to end. */
#define CANCELLED                                                                                  \
    "EXISTS (SELECT FROM ledger.cancellations x WHERE x.tenant = c.tenant"                         \
    " AND (x.run_id = c.run_id OR x.batch_id = c.batch_id))"
/* Of claim c: it waits for nothing that has a time. */
#define DUE_NOW                                                                                    \
    "c.state = 'waiting' AND c.hold_until <= now() AND NOT " CANCELLED                             \
    " AND (c.expires_at IS NULL OR c.expires_at > now())"
/* A session runs one at a time and in order, the urgent first: a run of it that is before this
 * one and waits (unless it is scheduled for later) goes first. */
#define SESSION_FREE                                                                               \
    "(c.session_id IS NULL OR (NOT EXISTS (SELECT FROM ledger.claims o"                            \
    " WHERE o.tenant = c.tenant AND o.session_id = c.session_id AND o.state = 'running')"          \
    " AND NOT EXISTS (SELECT FROM ledger.claims o"                                                 \
    " WHERE o.tenant = c.tenant AND o.session_id = c.session_id AND o.state = 'waiting'"           \
    " AND (NOT o.urgent, o.created_at, o.run_id) < (NOT c.urgent, c.created_at, c.run_id)"         \
    " AND (o.hold_reason IS DISTINCT FROM 'scheduled' OR o.hold_until <= now()))))"
/* Nothing but a limit keeps it from starting. */
#define DUE DUE_NOW " AND " SESSION_FREE

/* What claim_credential_read() reads, of row m: of claim t's credential as it is, or as it was when the
 * attempt began. */
#define CREDENTIAL_COLUMNS                                                                         \
    "name, tenant, pool, base_url, kind, generation, key_id, wrapped, sealed"
#define CLAIM_CREDENTIAL                                                                           \
    "m.name, m.tenant, m.pool, m.base_url, m.kind, m.generation, m.key_id,"                        \
    " encode(m.wrapped, 'hex'), encode(m.sealed, 'hex')"
#define OF_CREDENTIAL_USED                                                                         \
    " WHERE name = t.credential_used AND generation = t.credential_generation"
#define CREDENTIAL_USED                                                                            \
    "LATERAL (SELECT " CREDENTIAL_COLUMNS " FROM ledger.credentials" OF_CREDENTIAL_USED            \
    " UNION ALL SELECT " CREDENTIAL_COLUMNS " FROM ledger.retired_secrets" OF_CREDENTIAL_USED      \
    " LIMIT 1) m ON true"

/* What ledger_claim_read() reads. Ages are by the database's clock alone. */
#define CLAIM                                                                                      \
    "t.run_id, t.lane, t.request, t.attempt, t.failures, t.uncounted,"                             \
    " t.epoch, t.tellings, t.started, t.log_line, t.cost_usd, t.input_tokens, t.output_tokens,"    \
    " t.cache_read_tokens, t.cache_write_tokens, t.sandbox_ms, t.sandbox_usd, t.terminal,"         \
    " t.published, coalesce(t.expires_at <= now(), false),"                                        \
    " (extract(epoch FROM clock_timestamp() - t.started_at) * 1000)::bigint,"                      \
    " (extract(epoch FROM clock_timestamp() - t.created_at) * 1000)::bigint, " CLAIM_CREDENTIAL    \
    " FROM taken t LEFT JOIN " CREDENTIAL_USED

/* The limit of one; NULL: none. A row of its own goes before that of all. */
#define LIMIT_OF(scope, name, setting)                                                             \
    "(SELECT l.value FROM ledger.limits l WHERE l.scope = '" scope "'"                             \
    " AND l.name IN (" name ", '*') AND l.setting = '" setting "' ORDER BY l.name = '*' LIMIT 1)"

/* running: what is at work, in groups. space: how many more the fleet may have at once, and may
 * start now; NULL: any number. */
#define FLEET_SPACE                                                                                \
    " running AS MATERIALIZED (SELECT tenant, credential_used AS credential, count(*) AS n"        \
    " FROM ledger.claims WHERE state = 'running' GROUP BY 1, 2),"                                  \
    " space AS MATERIALIZED (SELECT " LIMIT_OF("fleet", "'*'", "concurrency")                      \
    " - (SELECT coalesce(sum(n), 0) FROM running) AS slots, "                                      \
    LIMIT_OF("fleet", "'*'", "starts_per_minute") " - (SELECT coalesce(sum(n), 0)"                 \
    " FROM ledger.starts WHERE at > (SELECT clock_timestamp()) - interval '1 minute') AS starts)"

/* queue: each (lane, key, tenant, credential, priority) that somebody waits in, found by hopping
 * through the index; none unless `gate` is true. */
#define QUEUE_KEY(of)                                                                              \
    of ".lane, " of ".fairness_key, " of ".tenant, " of ".credential, " of ".priority"
#define QUEUES(gate)                                                                               \
    " queue AS ((SELECT " QUEUE_KEY("c") " FROM ledger.claims c WHERE c.state = 'waiting'"         \
    " AND " gate " ORDER BY " QUEUE_KEY("c") " LIMIT 1)"                                           \
    " UNION ALL SELECT n.* FROM queue q CROSS JOIN LATERAL"                                        \
    " (SELECT " QUEUE_KEY("c") " FROM ledger.claims c WHERE c.state = 'waiting'"                   \
    " AND (" QUEUE_KEY("c") ") > (" QUEUE_KEY("q") ")"                                             \
    " ORDER BY " QUEUE_KEY("c") " LIMIT 1) n)"
#define OF_QUEUE                                                                                   \
    "c.lane = q.lane AND c.fairness_key = q.fairness_key AND c.tenant = q.tenant"                  \
    " AND c.credential = q.credential AND c.priority = q.priority"

/* tenant_space: how many more each tenant may have that `whose` has. */
#define TENANT_SPACE(whose)                                                                        \
    " tenant_space AS MATERIALIZED (SELECT w.tenant,"                                              \
    " CASE WHEN own.name IS NULL THEN every.value ELSE own.value END - coalesce(r.n, 0) AS n"      \
    " FROM (SELECT DISTINCT tenant FROM " whose ") w"                                              \
    " LEFT JOIN (SELECT tenant, sum(n) AS n FROM running GROUP BY 1) r USING (tenant)"             \
    " LEFT JOIN ledger.limits own ON own.scope = 'tenant' AND own.name = w.tenant"                 \
    " AND own.setting = 'concurrency' LEFT JOIN ledger.limits every ON every.scope = 'tenant'"     \
    " AND every.name = '*' AND every.setting = 'concurrency')"

/* member: the credentials, how many runs each has, and how many more it may have. */
#define MEMBERS                                                                                    \
    " member AS MATERIALIZED (SELECT m.name, m.tenant, m.pool, m.key_id, m.generation,"            \
    " m.hold_until,"                                                                              \
    " m.hold_reason, b.n AS busy, "                                                                \
    LIMIT_OF("credential", "m.name", "concurrency") " - b.n AS n FROM ledger.credentials m"        \
    " CROSS JOIN LATERAL (SELECT coalesce(sum(r.n), 0) AS n FROM running r"                        \
    " WHERE r.credential = m.name) b)"
/* Of member m, and of w: a credential or a pool that a tenant of this name wants; tenant '*' has what
 * everybody may have. */
#define SERVES(tenant)                                                                             \
    "((m.name = w.credential OR m.pool = w.credential) AND m.tenant IN ('*', " tenant "))"
#define NOT_HELD "(m.hold_until IS NULL OR m.hold_until <= now())"

// clang-format on

#endif
