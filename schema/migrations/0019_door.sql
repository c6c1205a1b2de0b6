-- SPDX-License-Identifier: Apache-2.0
-- What came in by the HTTP door and is not told by the topics, or not yet (docs/adr/0018-the-http-door.md).
-- In a schema of its own: the read model can be dropped and rebuilt, this cannot.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA door;
COMMENT ON SCHEMA door IS 'What came in by the HTTP door and the topics do not tell, or not yet. Written by sandfleet-api.';

CREATE TABLE door.accepted (
    run_id  uuid PRIMARY KEY,
    tenant  text NOT NULL,
    lane    text NOT NULL CHECK (lane IN ('interactive', 'batch')),
    request text NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX accepted_at ON door.accepted (at);
COMMENT ON TABLE door.accepted IS
    'Runs that Kafka acknowledged and whose 201 was sent, until the sink has them: they can be read at once, from every server.';
COMMENT ON COLUMN door.accepted.run_id IS 'The run.';
COMMENT ON COLUMN door.accepted.tenant IS 'Whose it is.';
COMMENT ON COLUMN door.accepted.lane IS 'Which topic has it.';
COMMENT ON COLUMN door.accepted.request IS 'The record''s value.';
COMMENT ON COLUMN door.accepted.at IS 'When it was acknowledged.';

CREATE TABLE door.idempotency (
    tenant       text NOT NULL,
    key          text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 255),
    work         bytea NOT NULL CHECK (length(work) = 32),
    holder       uuid,
    locked_until timestamptz,
    location     text,
    answer       text,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, key),
    CHECK ((answer IS NULL) = (locked_until IS NOT NULL) AND (location IS NULL OR answer IS NOT NULL))
);
CREATE INDEX idempotency_at ON door.idempotency (at);
COMMENT ON TABLE door.idempotency IS 'One row an Idempotency-Key, for as long as sandfleet-api --idempotency-keep says.';
COMMENT ON COLUMN door.idempotency.tenant IS 'Whose key it is.';
COMMENT ON COLUMN door.idempotency.key IS 'As it came.';
COMMENT ON COLUMN door.idempotency.work IS 'BLAKE2b-256 of what was asked for: another one with the same key is refused.';
COMMENT ON COLUMN door.idempotency.holder IS 'The request that is at it, by its X-Request-Id. NULL: it was answered.';
COMMENT ON COLUMN door.idempotency.locked_until IS 'Until then the holder alone may do it: it may have died. NULL: it was answered.';
COMMENT ON COLUMN door.idempotency.location IS 'The answer''s Location.';
COMMENT ON COLUMN door.idempotency.answer IS 'The answer''s body, for whoever asks again. NULL: there is none yet.';
COMMENT ON COLUMN door.idempotency.at IS 'When it was first used.';

CREATE TABLE door.batches (
    tenant     text NOT NULL,
    batch_id   text NOT NULL,
    defaults   text,
    metadata   json,
    retry_of   text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sealed_at  timestamptz,
    PRIMARY KEY (tenant, batch_id)
);
COMMENT ON TABLE door.batches IS 'Batches that were begun by POST /v1/batches. What runs in them is fleet.batches; one of the command-line client is there only.';
COMMENT ON COLUMN door.batches.tenant IS 'Whose it is.';
COMMENT ON COLUMN door.batches.batch_id IS 'Its name.';
COMMENT ON COLUMN door.batches.defaults IS 'A JSON object: what its items do not say themselves. NULL: nothing.';
COMMENT ON COLUMN door.batches.metadata IS 'The submitter''s own.';
COMMENT ON COLUMN door.batches.retry_of IS 'The batch whose failures these are.';
COMMENT ON COLUMN door.batches.created_at IS 'When it was begun.';
COMMENT ON COLUMN door.batches.sealed_at IS 'When it was sealed: from then on it takes no items. NULL: it is open.';

-- A run as it is, or, until the sink has it, as its request makes it. For reading one run by its id:
-- a list of them is fleet.runs'. Columns are named, so that both sides are searched by their keys.
CREATE VIEW door.runs AS
SELECT run_id, run_day, tenant, batch_id, custom_id, session_id, project_id, user_id, lane, template, model,
       credential, prompt, metadata, state, outcome, reason, hold_reason, hold_until, attempt, worker_id,
       sandbox_id, claude_session, cost_usd, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
       sandbox_ms, sandbox_cost_usd, result, output_tail, created_at, started_at, ended_at, last_event_at,
       sequence, ended, missing_lines, true AS projected
FROM fleet.runs
UNION ALL
SELECT a.run_id, (q.created_at AT TIME ZONE 'UTC')::date, a.tenant, q.batch_id, q.custom_id, q.session ->> 'id',
       q.project_id, q.user_id, a.lane, q.template, q.model,
       q.credential, q.prompt, q.metadata, 'queued', NULL, NULL, NULL, NULL, 0, NULL,
       NULL, NULL, 0, 0, 0, 0, 0,
       0, 0, NULL, NULL, q.created_at, NULL, NULL, NULL,
       0, false, 0, false
FROM door.accepted AS a
CROSS JOIN LATERAL json_to_record(a.request::json) AS q(
    created_at timestamptz, batch_id text, custom_id text, session json, project_id text, user_id text,
    template text, model text, credential text, prompt text, metadata json)
WHERE NOT EXISTS (SELECT FROM fleet.runs AS r WHERE r.run_id = a.run_id);
COMMENT ON VIEW door.runs IS
    'fleet.runs without the judge''s memory, and the runs that were accepted and that the sink has yet to see. For reading by run_id.';
COMMENT ON COLUMN door.runs.projected IS 'False: the sink has yet to see it.';
