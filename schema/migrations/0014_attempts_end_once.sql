-- SPDX-License-Identifier: Apache-2.0
-- An attempt ends once: whoever takes over a run whose owner died between saying that the
-- attempt ended and the ledger's hearing it says it again, and only the first one counts.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE fleet.runs ADD COLUMN closed_attempt bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN fleet.runs.closed_attempt IS 'The attempt whose end was seen last; 0: none, or lines came behind it.';

SELECT fleet.grant_readers();
