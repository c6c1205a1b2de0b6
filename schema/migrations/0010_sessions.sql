-- SPDX-License-Identifier: Apache-2.0
-- Where each session's conversation is: in its sandbox, and as a transcript in the store, so
-- that it goes on when the sandbox is gone (docs/adr/0007-transcripts.md).
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE ledger.sessions (
    tenant         text NOT NULL,
    session_id     text NOT NULL,
    claude_session text NOT NULL,
    transcript     text,
    bytes          bigint,
    sha256         bytea,
    run_id         uuid NOT NULL,
    attempt        int NOT NULL,
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, session_id),
    CHECK ((transcript IS NULL) = (bytes IS NULL) AND (transcript IS NULL) = (sha256 IS NULL))
);
CREATE INDEX sessions_age ON ledger.sessions (updated_at);
COMMENT ON TABLE ledger.sessions IS
    'One row a session that has a conversation. Without a sandbox that holds it and without a transcript it is lost.';
COMMENT ON COLUMN ledger.sessions.tenant IS 'Whose the session is.';
COMMENT ON COLUMN ledger.sessions.session_id IS 'The name that run requests give it.';
COMMENT ON COLUMN ledger.sessions.claude_session IS 'Claude''s id of the conversation.';
COMMENT ON COLUMN ledger.sessions.transcript IS
    'The newest transcript''s key in the store; NULL: the conversation lies in its sandbox only.';
COMMENT ON COLUMN ledger.sessions.bytes IS 'Size of what is stored.';
COMMENT ON COLUMN ledger.sessions.sha256 IS 'SHA-256 of what is stored.';
COMMENT ON COLUMN ledger.sessions.run_id IS 'The run that spoke last.';
COMMENT ON COLUMN ledger.sessions.attempt IS 'Its attempt.';
COMMENT ON COLUMN ledger.sessions.updated_at IS 'When that ended; the session is forgotten a while later.';

CREATE TABLE ledger.transcripts (
    key        text PRIMARY KEY,
    state      text NOT NULL CHECK (state IN ('storing', 'kept', 'dead')),
    tenant     text NOT NULL,
    session_id text NOT NULL,
    run_id     uuid NOT NULL,
    epoch      int NOT NULL,
    since      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX transcripts_of_session ON ledger.transcripts (tenant, session_id);
CREATE INDEX transcripts_loose ON ledger.transcripts (since) WHERE state IN ('storing', 'dead');
COMMENT ON TABLE ledger.transcripts IS
    'One row a transcript in the store, from before it is stored until it is removed: a crash leaves none behind.';
COMMENT ON COLUMN ledger.transcripts.key IS 'Its key in the store.';
COMMENT ON COLUMN ledger.transcripts.state IS
    'storing: its run is at it; kept: its session''s; dead: nobody''s, to be removed.';
COMMENT ON COLUMN ledger.transcripts.tenant IS 'Whose the session is.';
COMMENT ON COLUMN ledger.transcripts.session_id IS 'The session.';
COMMENT ON COLUMN ledger.transcripts.run_id IS 'The run that stored it.';
COMMENT ON COLUMN ledger.transcripts.epoch IS 'Its epoch then: another owner stores under another key.';
COMMENT ON COLUMN ledger.transcripts.since IS 'When the state last changed.';

-- What is parked now has a conversation, and no transcript yet.
INSERT INTO ledger.sessions (tenant, session_id, claude_session, run_id, attempt)
    SELECT DISTINCT ON (tenant, session_id) tenant, session_id, claude_session,
           coalesce(run_id, '00000000-0000-0000-0000-000000000000'), coalesce(attempt, 0)
    FROM ledger.sandboxes WHERE state IN ('parked', 'paused') AND session_id IS NOT NULL
        AND claude_session IS NOT NULL
    ORDER BY tenant, session_id, since DESC;
