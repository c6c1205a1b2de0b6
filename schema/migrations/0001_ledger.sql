-- SPDX-License-Identifier: Apache-2.0
-- The ledger: who runs what. Written by workers, every change conditional on (run_id, epoch).
CREATE SCHEMA ledger;
COMMENT ON SCHEMA ledger IS 'Who runs what. Written by workers only.';

CREATE TABLE ledger.workers (
    worker_id  text PRIMARY KEY,
    host       text NOT NULL,
    pid        int NOT NULL,
    version    text NOT NULL,
    slots      int NOT NULL,
    counter    bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    beat_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ledger.workers IS 'One row a worker process; it beats by raising counter.';
COMMENT ON COLUMN ledger.workers.counter IS
    'A taker that sees it unchanged for one lease by its own clock, while the ledger answered, may take over. beat_at is for people.';

CREATE TABLE ledger.claims (
    run_id       uuid PRIMARY KEY,
    tenant       text NOT NULL,
    lane         text NOT NULL CHECK (lane IN ('interactive', 'batch')),
    session_id   text,
    credential   text NOT NULL,
    priority     smallint NOT NULL,
    body_hash    bytea NOT NULL,
    request      text NOT NULL,
    state        text NOT NULL CHECK (state IN ('waiting', 'running', 'ended')),
    hold_reason  text,
    hold_until   timestamptz NOT NULL DEFAULT now(),
    attempt      int NOT NULL DEFAULT 0,
    failures     int NOT NULL DEFAULT 0,
    uncounted    int NOT NULL DEFAULT 0,
    epoch        int NOT NULL DEFAULT 0,
    worker_id    text,
    sandbox_id   text,
    started      boolean NOT NULL DEFAULT false,
    started_at   timestamptz,
    log_offset   bigint NOT NULL DEFAULT 0,
    log_line     bigint NOT NULL DEFAULT 0,
    cost_usd     double precision NOT NULL DEFAULT 0,
    terminal     text,
    published    boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX claims_due ON ledger.claims (lane, priority DESC, hold_until) WHERE state = 'waiting';
CREATE INDEX claims_owned ON ledger.claims (worker_id) WHERE state = 'running';
CREATE INDEX claims_outbox ON ledger.claims (run_id) WHERE state = 'ended' AND (NOT published OR sandbox_id IS NOT NULL);
CREATE UNIQUE INDEX claims_one_per_session ON ledger.claims (tenant, session_id) WHERE state = 'running' AND session_id IS NOT NULL;
COMMENT ON TABLE ledger.claims IS 'One row a run, from its first delivery on. It decides who runs it and where its log stands.';
COMMENT ON COLUMN ledger.claims.epoch IS 'Raised by every new owner; a change or a record of a lower epoch has no effect.';
COMMENT ON COLUMN ledger.claims.attempt IS 'Ordinal of the agent process. An attempt may outlive an epoch.';
COMMENT ON COLUMN ledger.claims.failures IS 'Attempts that count against max_attempts.';
COMMENT ON COLUMN ledger.claims.uncounted IS 'Attempts that ended for reasons that are not the run''s fault, up to a cap.';
COMMENT ON COLUMN ledger.claims.sandbox_id IS 'The sandbox this row owns; an ended row keeps it until the service confirmed the kill.';
COMMENT ON COLUMN ledger.claims.started IS 'The supervisor of this attempt is known to have been started.';
COMMENT ON COLUMN ledger.claims.log_offset IS 'Byte offset in out.ndjson behind the last line that the broker acknowledged.';
COMMENT ON COLUMN ledger.claims.terminal IS 'The terminal record (event type, attempt, data), written before it is published.';
COMMENT ON COLUMN ledger.claims.published IS 'The broker acknowledged the terminal record.';

CREATE TABLE ledger.sessions (
    tenant         text NOT NULL,
    session_id     text NOT NULL,
    sandbox_id     text NOT NULL,
    claude_session text NOT NULL,
    parked_until   timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, session_id)
);
COMMENT ON TABLE ledger.sessions IS
    'Where a session can be resumed: its parked sandbox and Claude''s id of the conversation. The row owns the sandbox.';
