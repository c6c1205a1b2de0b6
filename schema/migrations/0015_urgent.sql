-- SPDX-License-Identifier: Apache-2.0
-- A session's run may go before the others that wait, and have the one that runs interrupted.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE ledger.claims ADD COLUMN urgent boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN ledger.claims.urgent IS
    'Its request says on_busy interrupt: as long as it waits and could start, its session''s running run is interrupted; it goes before the session''s others that wait.';
CREATE INDEX claims_urgent ON ledger.claims (tenant, session_id) WHERE urgent AND state = 'waiting';
