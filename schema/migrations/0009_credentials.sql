-- SPDX-License-Identifier: Apache-2.0
-- The agents' credentials by name: which of them a run gets is chosen when it is taken. No
-- secret is in here: the workers have those.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE ledger.credentials (
    name        text PRIMARY KEY,
    pool        text,
    kind        text NOT NULL CHECK (kind IN ('oauth', 'api_key', 'none')),
    hold_until  timestamptz,
    hold_reason text,
    seen_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ledger.credentials IS 'One row a credential that workers can open. Its secret is with them, not here.';
COMMENT ON COLUMN ledger.credentials.name IS 'What a request names; no pool has it.';
COMMENT ON COLUMN ledger.credentials.pool IS 'What a request may name instead: any free member will do. NULL: in none.';
COMMENT ON COLUMN ledger.credentials.kind IS 'oauth, api_key, or none: agents run without one.';
COMMENT ON COLUMN ledger.credentials.hold_until IS 'No run gets it before, by the database''s clock. NULL: it is free.';
COMMENT ON COLUMN ledger.credentials.hold_reason IS 'Why it is held: usage_limit, auth and others.';
COMMENT ON COLUMN ledger.credentials.seen_at IS 'When a worker last said that it has it.';

ALTER TABLE ledger.claims ADD COLUMN credential_used text;
COMMENT ON COLUMN ledger.claims.credential IS 'The credential or the pool that the request names.';
COMMENT ON COLUMN ledger.claims.credential_used IS 'The credential that its newest attempt runs with; NULL: there was none of that name.';
UPDATE ledger.claims SET credential_used = credential WHERE state = 'running';
