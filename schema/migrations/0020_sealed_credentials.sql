-- SPDX-License-Identifier: Apache-2.0
-- Credentials' secrets at rest, sealed: see common/sealed.h for the form and schema/credential.h for
-- what one is bound to. `sandfleet cred` writes the rows, workers open them.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE ledger.credentials
    ADD COLUMN tenant     text NOT NULL DEFAULT '*',
    ADD COLUMN base_url   text,
    ADD COLUMN key_id     text,
    ADD COLUMN wrapped    bytea,
    ADD COLUMN sealed     bytea,
    ADD COLUMN generation int NOT NULL DEFAULT 1,
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN rotated_at timestamptz,
    ADD COLUMN windows    jsonb NOT NULL DEFAULT '{}',
    DROP CONSTRAINT credentials_kind_check,
    -- A handful of rows: looking at them is a matter of microseconds.
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT credentials_kind_check CHECK (kind IN ('oauth', 'api_key', 'gateway', 'none')),
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT credentials_sealed_check
        CHECK ((key_id IS NULL) = (sealed IS NULL) AND (wrapped IS NULL) = (sealed IS NULL)),
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT credentials_gateway_check CHECK (kind <> 'gateway' OR base_url IS NOT NULL);

COMMENT ON TABLE ledger.credentials IS 'One row a credential of the agents. Its secret is sealed: only workers, which have a master key, can open it.';
COMMENT ON COLUMN ledger.credentials.tenant IS 'Whose runs may have it; ''*'': everybody''s.';
COMMENT ON COLUMN ledger.credentials.kind IS 'oauth: a token of `claude setup-token`; api_key; gateway: a token for base_url; none: agents run without one.';
COMMENT ON COLUMN ledger.credentials.base_url IS 'Where the agents'' requests go; NULL: to the worker''s --claude-base-url, else the model''s own API.';
COMMENT ON COLUMN ledger.credentials.key_id IS 'The master key that its data key is wrapped with; NULL: nothing is sealed.';
COMMENT ON COLUMN ledger.credentials.wrapped IS 'The data key, wrapped.';
COMMENT ON COLUMN ledger.credentials.sealed IS 'The secret, encrypted with the data key.';
COMMENT ON COLUMN ledger.credentials.generation IS 'How many secrets it has had: what one of them met is not held against the next.';
COMMENT ON COLUMN ledger.credentials.created_at IS 'When it was added.';
COMMENT ON COLUMN ledger.credentials.rotated_at IS 'When its secret was last changed; NULL: never.';
COMMENT ON COLUMN ledger.credentials.windows IS 'What the service last told of its limits, by window: {"five_hour": {"status", "utilization", "resets_at", "seen_at"}}.';
COMMENT ON COLUMN ledger.credentials.hold_until IS 'No run gets it before, by the database''s clock; infinity: until it is enabled. NULL: it is free.';
COMMENT ON COLUMN ledger.credentials.hold_reason IS 'Why it is held: disabled by somebody, usage_limit, auth and others.';

ALTER TABLE ledger.workers ADD COLUMN key_ids text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN ledger.workers.key_ids IS 'The master keys that it has, the one that wraps first.';
