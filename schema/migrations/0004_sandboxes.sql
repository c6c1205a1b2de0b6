-- SPDX-License-Identifier: Apache-2.0
-- Who owns a sandbox is one row, from before it is asked for until its end is confirmed
-- (docs/adr/0004-one-row-owns-a-sandbox.md).

-- Sandboxes carry this id in their metadata: two installations may share an account, and even
-- a fleet's name, and neither touches the other's.
CREATE TABLE ledger.installation (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    evicted_at timestamptz
);
INSERT INTO ledger.installation DEFAULT VALUES;
COMMENT ON TABLE ledger.installation IS 'One row: which ledger this is.';
COMMENT ON COLUMN ledger.installation.evicted_at IS
    'When a sandbox was last evicted for want of room: the warm pool is not refilled soon after.';

CREATE TABLE ledger.sandboxes (
    key            text PRIMARY KEY,
    sandbox_id     text UNIQUE,
    state          text NOT NULL CHECK (state IN ('creating', 'ready', 'busy', 'parked', 'paused', 'lost', 'dead')),
    template       text NOT NULL,
    maker          text,
    tenant         text,
    run_id         uuid,
    attempt        int,
    session_id     text,
    claude_session text,
    until          timestamptz,
    cpu_count      int,
    memory_mb      int,
    usd_per_hour   double precision,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    since          timestamptz NOT NULL DEFAULT clock_timestamp(),
    running_ms     bigint NOT NULL DEFAULT 0,
    cost_usd       double precision GENERATED ALWAYS AS (usd_per_hour * running_ms / 3600000.0) STORED,
    CHECK (sandbox_id IS NOT NULL OR state IN ('creating', 'dead')),
    CHECK (run_id IS NOT NULL OR state NOT IN ('busy', 'lost')),
    CHECK (tenant IS NOT NULL OR state IN ('creating', 'ready', 'dead')),
    CHECK (until IS NOT NULL OR state NOT IN ('ready', 'parked', 'paused'))
);
CREATE UNIQUE INDEX sandboxes_one_per_run ON ledger.sandboxes (run_id)
    WHERE run_id IS NOT NULL AND state IN ('creating', 'busy', 'lost');
CREATE INDEX sandboxes_of_session ON ledger.sandboxes (tenant, session_id) WHERE state IN ('parked', 'paused');
CREATE INDEX sandboxes_idle ON ledger.sandboxes (state, since) WHERE state IN ('ready', 'parked', 'paused', 'dead');
COMMENT ON TABLE ledger.sandboxes IS
    'One row a sandbox. It alone says whose the sandbox is: what has no row here is killed.';
COMMENT ON COLUMN ledger.sandboxes.key IS
    'What the service is asked with (Idempotency-Key) and what the sandbox has in its metadata, so that it is found by it before its id is known.';
COMMENT ON COLUMN ledger.sandboxes.maker IS 'The leader that makes it for the pool; another one asks again with the same key.';
COMMENT ON COLUMN ledger.sandboxes.tenant IS 'NULL: nobody had it yet. Once set, it never changes.';
COMMENT ON COLUMN ledger.sandboxes.run_id IS 'The run that has it, or had it last.';
COMMENT ON COLUMN ledger.sandboxes.claude_session IS 'Claude''s id of the conversation that lies in it.';
COMMENT ON COLUMN ledger.sandboxes.until IS 'Ready, parked, paused: so long it waits for somebody.';
COMMENT ON COLUMN ledger.sandboxes.since IS 'When the state last changed.';
COMMENT ON COLUMN ledger.sandboxes.running_ms IS 'How long it ran, up to `since`. What is paused does not run.';
COMMENT ON COLUMN ledger.sandboxes.cost_usd IS 'An estimate from list prices, up to `since`; NULL: its size is not known.';

INSERT INTO ledger.sandboxes (key, sandbox_id, state, template, tenant, run_id, attempt, session_id)
    SELECT DISTINCT ON (sandbox_id) run_id || '-' || attempt, sandbox_id, CASE state WHEN 'running' THEN 'busy' ELSE 'dead' END,
           coalesce(request::json ->> 'template', 'claude'), tenant, run_id, attempt, session_id
    FROM ledger.claims WHERE sandbox_id IS NOT NULL ORDER BY sandbox_id, state DESC;
INSERT INTO ledger.sandboxes (key, sandbox_id, state, template, tenant, session_id, claude_session, until)
    SELECT 'session-' || sandbox_id, sandbox_id, 'parked', 'claude', tenant, session_id, claude_session, parked_until
    FROM ledger.sessions ON CONFLICT DO NOTHING;
DROP TABLE ledger.sessions;

ALTER TABLE ledger.claims DROP COLUMN sandbox_id;
ALTER TABLE ledger.claims
    ADD COLUMN sandbox_ms  bigint NOT NULL DEFAULT 0,
    ADD COLUMN sandbox_usd double precision NOT NULL DEFAULT 0;
COMMENT ON COLUMN ledger.claims.sandbox_ms IS 'How long sandboxes were this run''s, over the attempts that ended.';
COMMENT ON COLUMN ledger.claims.sandbox_usd IS 'What that cost, an estimate from list prices.';
DROP INDEX IF EXISTS ledger.claims_outbox;
CREATE INDEX claims_outbox ON ledger.claims (run_id) WHERE state = 'ended' AND NOT published;
CREATE INDEX claims_want_room ON ledger.claims (hold_until) WHERE state = 'waiting' AND hold_reason = 'sandbox_capacity';
