-- SPDX-License-Identifier: Apache-2.0
-- What was a credential's secret while runs with it go on: whoever takes one over has to know what to
-- cut out of its output.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE ledger.retired_secrets (
    name       text NOT NULL,
    generation int NOT NULL,
    tenant     text NOT NULL,
    pool       text,
    kind       text NOT NULL,
    base_url   text,
    key_id     text,
    wrapped    bytea,
    sealed     bytea,
    retired_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, generation)
);
COMMENT ON TABLE ledger.retired_secrets IS 'Rows of ledger.credentials as they were before they were rotated, replaced or removed; each goes when no run uses it any more.';
COMMENT ON COLUMN ledger.retired_secrets.name IS 'As in ledger.credentials; the others, too.';
COMMENT ON COLUMN ledger.retired_secrets.generation IS 'Which of its secrets.';
COMMENT ON COLUMN ledger.retired_secrets.tenant IS 'Whose runs could have it.';
COMMENT ON COLUMN ledger.retired_secrets.pool IS 'The pool it was in.';
COMMENT ON COLUMN ledger.retired_secrets.kind IS 'Its kind.';
COMMENT ON COLUMN ledger.retired_secrets.base_url IS 'Its address.';
COMMENT ON COLUMN ledger.retired_secrets.key_id IS 'The master key that its data key is wrapped with.';
COMMENT ON COLUMN ledger.retired_secrets.wrapped IS 'The data key, wrapped.';
COMMENT ON COLUMN ledger.retired_secrets.sealed IS 'The secret, encrypted with the data key.';
COMMENT ON COLUMN ledger.retired_secrets.retired_at IS 'When it was.';

-- No generation of one that was removed comes again.
CREATE SEQUENCE ledger.credential_generation AS int;
SELECT setval('ledger.credential_generation', (SELECT coalesce(max(generation), 1) FROM ledger.credentials));
ALTER TABLE ledger.credentials ALTER COLUMN generation SET DEFAULT nextval('ledger.credential_generation');
COMMENT ON COLUMN ledger.credentials.generation IS 'Changes with each secret: what one of them met is not held against the next.';

ALTER TABLE ledger.claims ADD COLUMN credential_generation int;
COMMENT ON COLUMN ledger.claims.credential_generation IS 'Which secret of credential_used its newest attempt runs with.';
UPDATE ledger.claims c SET credential_generation = m.generation
    FROM ledger.credentials m WHERE m.name = c.credential_used AND c.state = 'running';
