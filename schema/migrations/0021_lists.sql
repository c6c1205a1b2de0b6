-- SPDX-License-Identifier: Apache-2.0
-- What the HTTP door reads: an index for each list and each filter of it, so that a page costs the
-- same however much there is, and what was not told yet (docs/adr/0025-dead-letters-are-read-in-a-table.md).
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '10min';

-- --- runs ---

ALTER TABLE fleet.runs
    ADD COLUMN fairness_key text,
    ADD COLUMN structured   boolean;
COMMENT ON COLUMN fleet.runs.fairness_key IS 'Among whom starts are shared out, as the request says; NULL: its tenant.';
COMMENT ON COLUMN fleet.runs.structured IS 'Its result is the JSON that the request''s json_schema asked for.';

-- Newest first, and whoever has no time yet is newer than all.
CREATE INDEX runs_listed ON fleet.runs (tenant, coalesce(created_at, 'infinity'), run_id);
CREATE INDEX runs_of_state ON fleet.runs (tenant, state, coalesce(created_at, 'infinity'), run_id);
CREATE INDEX runs_of_outcome ON fleet.runs (tenant, outcome, coalesce(created_at, 'infinity'), run_id)
    WHERE outcome IS NOT NULL;
CREATE INDEX runs_of_batch ON fleet.runs (batch_id, tenant, coalesce(created_at, 'infinity'), run_id)
    WHERE batch_id IS NOT NULL;
CREATE INDEX runs_of_session ON fleet.runs (tenant, session_id, coalesce(created_at, 'infinity'), run_id)
    WHERE session_id IS NOT NULL;
CREATE INDEX runs_of_custom_id ON fleet.runs (tenant, custom_id, coalesce(created_at, 'infinity'), run_id)
    WHERE custom_id IS NOT NULL;
CREATE INDEX runs_of_project ON fleet.runs (tenant, project_id, coalesce(created_at, 'infinity'), run_id)
    WHERE project_id IS NOT NULL;
CREATE INDEX runs_of_user ON fleet.runs (tenant, user_id, coalesce(created_at, 'infinity'), run_id)
    WHERE user_id IS NOT NULL;
CREATE INDEX runs_ended ON fleet.runs (tenant, batch_id, coalesce(ended_at, 'infinity'), run_id)
    WHERE ended AND batch_id IS NOT NULL;
-- All that is counted of what is under way stands in it: the table is not read.
CREATE INDEX runs_under_way ON fleet.runs (tenant, lane, fairness_key, state, hold_reason, created_at)
    WHERE NOT ended;
DROP INDEX fleet.runs_batch;
DROP INDEX fleet.runs_session;
DROP INDEX fleet.runs_open;

CREATE FUNCTION fleet.as_json(t text) RETURNS json LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN t::json;
EXCEPTION WHEN data_exception OR statement_too_complex THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.as_json(text) IS 'A text as JSON; NULL where it is none.';

-- What the fleet itself says of a run, among however many lines of its agent's.
CREATE INDEX events_control ON fleet.events (run_id, sequence) WHERE line IS NULL;

-- --- batches, sessions, sandboxes ---

CREATE INDEX batches_listed ON fleet.batches (tenant, coalesce(first_created_at, 'infinity'), batch_id);
CREATE INDEX batches_listed ON door.batches (tenant, created_at, batch_id);
CREATE INDEX sessions_listed ON fleet.sessions (tenant, last_active_at, session_id);
CREATE INDEX sandboxes_listed ON fleet.sandboxes (tenant, coalesce(used_at, 'infinity'), sandbox_id);
CREATE INDEX sandboxes_of_state ON fleet.sandboxes (tenant, state, coalesce(used_at, 'infinity'), sandbox_id);

-- --- dead letters ---

CREATE INDEX quarantine_listed ON fleet.quarantine (at, (topic || '-' || partition::text || '-' || "offset"::text));
CREATE INDEX quarantine_of_reason ON fleet.quarantine (reason, at, (topic || '-' || partition::text || '-' || "offset"::text));
CREATE INDEX quarantine_of_key ON fleet.quarantine (key);
COMMENT ON TABLE fleet.quarantine IS
    'Dead letters: requests that workers refused, as topic runs.dlq has them, and records that the sink could not use, as they came; written in the transaction that passes them.';
COMMENT ON COLUMN fleet.quarantine.topic IS 'The topic in which it stands: runs.dlq''s, where dlq.topic of the headers says from which one it came, or the one with the record that could not be used.';
COMMENT ON COLUMN fleet.quarantine.at IS 'The record''s own time.';

CREATE TABLE door.settled_letters (
    topic     text NOT NULL,
    partition int NOT NULL,
    "offset"  bigint NOT NULL,
    at        timestamptz NOT NULL,
    how       text NOT NULL CHECK (how IN ('redriven', 'purged')),
    settled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, "offset")
);
COMMENT ON TABLE door.settled_letters IS
    'Dead letters that were sent again or removed. Their topic has them still, for as long as it keeps records: a rebuild leaves them out.';
COMMENT ON COLUMN door.settled_letters.topic IS 'As fleet.quarantine had it.';
COMMENT ON COLUMN door.settled_letters.partition IS 'As fleet.quarantine had it.';
COMMENT ON COLUMN door.settled_letters."offset" IS 'As fleet.quarantine had it.';
COMMENT ON COLUMN door.settled_letters.at IS 'As fleet.quarantine had it: a topic that was made anew counts from 0 again.';
COMMENT ON COLUMN door.settled_letters.how IS 'redriven, to where it came from; or purged.';
COMMENT ON COLUMN door.settled_letters.settled_at IS 'When.';

-- --- one run ---

CREATE OR REPLACE VIEW door.runs AS
SELECT run_id, run_day, tenant, batch_id, custom_id, session_id, project_id, user_id, lane, template, model,
       credential, prompt, metadata, state, outcome, reason, hold_reason, hold_until, attempt, worker_id,
       sandbox_id, claude_session, cost_usd, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
       sandbox_ms, sandbox_cost_usd, result, output_tail, created_at, started_at, ended_at, last_event_at,
       sequence, ended, missing_lines, true AS projected, structured
FROM fleet.runs
UNION ALL
SELECT a.run_id, (q.created_at AT TIME ZONE 'UTC')::date, a.tenant, q.batch_id, q.custom_id, q.session ->> 'id',
       q.project_id, q.user_id, a.lane, q.template, q.model,
       q.credential, q.prompt, q.metadata, 'queued', NULL, NULL, NULL, NULL, 0, NULL,
       NULL, NULL, 0, 0, 0, 0, 0,
       0, 0, NULL, NULL, q.created_at, NULL, NULL, NULL,
       0, false, 0, false, NULL
FROM door.accepted AS a
CROSS JOIN LATERAL json_to_record(a.request::json) AS q(
    created_at timestamptz, batch_id text, custom_id text, session json, project_id text, user_id text,
    template text, model text, credential text, prompt text, metadata json)
WHERE NOT EXISTS (SELECT FROM fleet.runs AS r WHERE r.run_id = a.run_id);
COMMENT ON COLUMN door.runs.structured IS 'Its result is the JSON that the request''s json_schema asked for.';

SELECT fleet.grant_readers();
