-- SPDX-License-Identifier: Apache-2.0
-- Workers open the sealed secrets of ledger.credentials, and have none of their own any more. What
-- they told of theirs goes: `sandfleet cred add` brings it in anew.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

DELETE FROM ledger.credentials WHERE sealed IS NULL AND kind <> 'none';
INSERT INTO ledger.credentials (name, kind) VALUES ('default', 'none') ON CONFLICT DO NOTHING;
ALTER TABLE ledger.credentials
    -- Only workers of the version before wrote it, and they had what this one has not.
    -- squawk-ignore ban-drop-column
    DROP COLUMN seen_at,
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT credentials_none_check CHECK ((kind = 'none') = (sealed IS NULL));
COMMENT ON COLUMN ledger.claims.hold_reason IS
    'Waiting: for what, as far as it was looked at; NULL: it was not yet. scheduled, session_busy, fleet_full, starts_per_minute, tenant_limit, credential_limit, no_master_key, no_slot, why its credential is held (disabled, or an outcome), or the outcome it backs off from.';
