-- SPDX-License-Identifier: Apache-2.0
-- Runs that somebody wants to end. A row may come before the claim, and stays until the run has
-- ended: whoever owns the run, or will, finds it (docs/adr/0010-a-cancel-is-a-row.md).
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE ledger.cancellations (
    tenant       text NOT NULL,
    run_id       uuid,
    batch_id     text,
    force        boolean NOT NULL DEFAULT false,
    requested_by text CHECK (length(requested_by) BETWEEN 1 AND 128),
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (num_nonnulls(run_id, batch_id) = 1),
    UNIQUE (tenant, run_id),
    UNIQUE (tenant, batch_id)
);
COMMENT ON TABLE ledger.cancellations IS
    'What is to end: a row a run, until it has ended, or a row a batch, for all its runs, also those that come later.';
COMMENT ON COLUMN ledger.cancellations.tenant IS 'Whose run it is: another tenant''s of that id is not touched.';
COMMENT ON COLUMN ledger.cancellations.run_id IS 'The run; it need not be known yet. NULL: a batch.';
COMMENT ON COLUMN ledger.cancellations.batch_id IS 'The batch. NULL: one run.';
COMMENT ON COLUMN ledger.cancellations.force IS 'Its sandbox is killed at once: no result, and what the attempt cost is not known.';
COMMENT ON COLUMN ledger.cancellations.requested_by IS 'Who asked; it is told in the events. NULL: nobody said.';
COMMENT ON COLUMN ledger.cancellations.at IS 'When it was asked for first.';

ALTER TABLE ledger.claims ADD COLUMN batch_id text;
COMMENT ON COLUMN ledger.claims.batch_id IS 'The batch the run belongs to, as its request says. NULL: none, or claimed before this column was.';
CREATE INDEX claims_of_batch ON ledger.claims (tenant, batch_id) WHERE batch_id IS NOT NULL AND state <> 'ended';
