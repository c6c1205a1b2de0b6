-- SPDX-License-Identifier: Apache-2.0
-- Limits of the whole fleet, fair shares, and the waiting room. All of it is looked at when runs
-- are taken (worker/ledger/ledger_sql_take.c), so that it holds however many workers there are.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '10min';

CREATE TABLE ledger.limits (
    scope      text NOT NULL CHECK (scope IN ('fleet', 'tenant', 'credential', 'key')),
    name       text NOT NULL,
    setting    text NOT NULL CHECK (setting IN ('concurrency', 'starts_per_minute', 'weight')),
    value      int,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, name, setting),
    CHECK (CASE scope WHEN 'fleet' THEN name = '*' AND setting IN ('concurrency', 'starts_per_minute')
                      WHEN 'key' THEN setting = 'weight'
                      ELSE setting = 'concurrency' END),
    CHECK (CASE setting WHEN 'weight' THEN value IS NOT NULL AND value BETWEEN 1 AND 1000
                        ELSE value IS NULL OR value BETWEEN 0 AND 1000000 END)
);
INSERT INTO ledger.limits (scope, name, setting, value)
    VALUES ('fleet', '*', 'concurrency', 100), ('fleet', '*', 'starts_per_minute', 50);
COMMENT ON TABLE ledger.limits IS 'What may run at once and how it is shared; `sandfleet limits` changes it while the fleet runs.';
COMMENT ON COLUMN ledger.limits.scope IS 'Of what: the fleet, a tenant, a credential, or a fairness key.';
COMMENT ON COLUMN ledger.limits.name IS 'Of which; ''*'': of each that has no row of its own.';
COMMENT ON COLUMN ledger.limits.setting IS 'concurrency: runs at once; starts_per_minute: in any 60 seconds; weight: share of what starts.';
COMMENT ON COLUMN ledger.limits.value IS 'NULL: no limit. 0: none starts.';
COMMENT ON COLUMN ledger.limits.updated_at IS 'When it was last set.';

CREATE TABLE ledger.starts (
    at timestamptz NOT NULL,
    n  bigint NOT NULL
);
CREATE INDEX starts_at ON ledger.starts (at);
COMMENT ON TABLE ledger.starts IS 'The takings of the last minute.';
COMMENT ON COLUMN ledger.starts.at IS 'When.';
COMMENT ON COLUMN ledger.starts.n IS 'How many runs it took.';

CREATE TABLE ledger.shares (
    of   text NOT NULL,
    name text NOT NULL,
    tag  double precision NOT NULL,
    PRIMARY KEY (of, name)
);
COMMENT ON TABLE ledger.shares IS 'What was served so far, as start-time fair queueing counts it: a start is worth 1 / weight.';
COMMENT ON COLUMN ledger.shares.of IS 'Among whom: ''lane'', the two lanes; else a lane''s name, the fairness keys in it.';
COMMENT ON COLUMN ledger.shares.name IS 'Who; '''': the virtual time, that of the last start.';
COMMENT ON COLUMN ledger.shares.tag IS 'The next start is due then, or at the virtual time if that is later.';

ALTER TABLE ledger.claims
    ADD COLUMN fairness_key text,
    ADD COLUMN expires_at   timestamptz,
    ADD COLUMN told_reason  text,
    ADD COLUMN told_at      timestamptz,
    ADD COLUMN tellings     int NOT NULL DEFAULT 0;
UPDATE ledger.claims SET fairness_key = coalesce(request::json ->> 'fairness_key', tenant),
    expires_at = (request::json ->> 'expires_at')::timestamptz WHERE state = 'waiting';
UPDATE ledger.claims SET fairness_key = tenant WHERE fairness_key IS NULL;
ALTER TABLE ledger.claims ALTER COLUMN fairness_key SET NOT NULL;
COMMENT ON COLUMN ledger.claims.fairness_key IS 'Among whom what starts is shared out; the tenant unless the request says otherwise.';
COMMENT ON COLUMN ledger.claims.expires_at IS 'A run that waits then ends as expired. NULL: never.';
COMMENT ON COLUMN ledger.claims.hold_reason IS
    'Waiting: for what, as far as it was looked at; NULL: it was not yet. scheduled, session_busy, fleet_full, starts_per_minute, tenant_limit, credential_limit, no_slot, why its credential is held, or the outcome it backs off from.';
COMMENT ON COLUMN ledger.claims.told_reason IS 'Waiting: the reason that its events say.';
COMMENT ON COLUMN ledger.claims.told_at IS 'Waiting: when that was last looked at.';
COMMENT ON COLUMN ledger.claims.tellings IS 'How many of its epochs were raised to tell why it waits, and for nothing else.';

-- Each queue (lane, key, tenant, credential, priority) is found without reading it, and so is its head.
DROP INDEX ledger.claims_due;
CREATE INDEX claims_queue ON ledger.claims (lane, fairness_key, tenant, credential, priority, hold_until)
    WHERE state = 'waiting';
CREATE INDEX claims_running ON ledger.claims (tenant, credential_used) WHERE state = 'running';
CREATE INDEX claims_expiring ON ledger.claims (expires_at) WHERE state = 'waiting' AND expires_at IS NOT NULL;
CREATE INDEX claims_untold ON ledger.claims (told_at NULLS FIRST, created_at) WHERE state = 'waiting';
