-- SPDX-License-Identifier: Apache-2.0
-- Who is told of runs' ends by HTTP, and what became of each telling. In a schema of its own: neither
-- the sink nor the HTTP door has business here, and a rebuild of the read model leaves it alone.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA webhook;
COMMENT ON SCHEMA webhook IS 'Endpoints by `sandfleet webhook`; their deliveries by sandfleet-webhook.';

CREATE TABLE webhook.endpoints (
    endpoint_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant          text NOT NULL CHECK (length(tenant) BETWEEN 1 AND 128),
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    url             text NOT NULL CHECK (octet_length(url) <= 2048),
    states          text[] NOT NULL CHECK (cardinality(states) > 0
                        AND states <@ '{completed,failed,timed_out,cancelled,expired}'),
    disabled_reason text,
    failures        int NOT NULL DEFAULT 0,
    hold_until      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant, name)
);
COMMENT ON TABLE webhook.endpoints IS 'One row an endpoint.';
COMMENT ON COLUMN webhook.endpoints.tenant IS 'Whose runs'' ends it is told.';
COMMENT ON COLUMN webhook.endpoints.name IS 'What commands call it.';
COMMENT ON COLUMN webhook.endpoints.url IS 'Where its deliveries are posted to.';
COMMENT ON COLUMN webhook.endpoints.states IS 'The ends that it is told.';
COMMENT ON COLUMN webhook.endpoints.disabled_reason IS 'Why nothing is sent to it: by_hand; gone, when it answered 410. NULL: it is.';
COMMENT ON COLUMN webhook.endpoints.failures IS 'Tries in a row that failed: one of which all fail gets one at a time.';
COMMENT ON COLUMN webhook.endpoints.hold_until IS 'It asked (Retry-After) for nothing before. NULL: it did not.';
COMMENT ON COLUMN webhook.endpoints.created_at IS 'When it was added: of runs that ended long before it is told nothing.';

CREATE TABLE webhook.keys (
    key_no      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id bigint NOT NULL REFERENCES webhook.endpoints ON DELETE CASCADE,
    scheme      text NOT NULL CHECK (scheme IN ('v1', 'v1a')),
    shown       text,
    key_id      text NOT NULL,
    wrapped     bytea NOT NULL,
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz
);
CREATE INDEX keys_endpoint ON webhook.keys (endpoint_id);
COMMENT ON TABLE webhook.keys IS 'What deliveries are signed with, sealed (common/sealed.h, schema/webhook.h): several while one follows another.';
COMMENT ON COLUMN webhook.keys.key_no IS 'Rises: the newest one signs first.';
COMMENT ON COLUMN webhook.keys.endpoint_id IS 'Whose deliveries.';
COMMENT ON COLUMN webhook.keys.scheme IS 'v1: HMAC-SHA256; v1a: Ed25519.';
COMMENT ON COLUMN webhook.keys.shown IS 'The public key, where there is one.';
COMMENT ON COLUMN webhook.keys.key_id IS 'The master key that its data key is wrapped with.';
COMMENT ON COLUMN webhook.keys.wrapped IS 'The data key, wrapped.';
COMMENT ON COLUMN webhook.keys.sealed IS 'The key, encrypted with the data key.';
COMMENT ON COLUMN webhook.keys.created_at IS 'When it was made.';
COMMENT ON COLUMN webhook.keys.expires_at IS 'From then on nothing is signed with it. NULL: it is not followed by another one.';

CREATE TABLE webhook.deliveries (
    endpoint_id bigint NOT NULL REFERENCES webhook.endpoints ON DELETE CASCADE,
    run_id      uuid NOT NULL,
    state       text NOT NULL,
    body        text NOT NULL CHECK (octet_length(body) < 20000),
    made_at     timestamptz NOT NULL DEFAULT now(),
    since       timestamptz NOT NULL DEFAULT now(),
    tries       int NOT NULL DEFAULT 0,
    attempts    int NOT NULL DEFAULT 0,
    due_at      timestamptz DEFAULT now(),
    taken_until timestamptz,
    outcome     text CHECK (outcome IN ('delivered', 'failed')),
    ended_at    timestamptz,
    PRIMARY KEY (endpoint_id, run_id, state)
);
CREATE INDEX deliveries_due ON webhook.deliveries (endpoint_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_taken ON webhook.deliveries (endpoint_id) WHERE taken_until IS NOT NULL;
CREATE INDEX deliveries_made ON webhook.deliveries (made_at);
COMMENT ON TABLE webhook.deliveries IS 'One row what one endpoint is told: that a run came to an end.';
COMMENT ON COLUMN webhook.deliveries.endpoint_id IS 'Who is told.';
COMMENT ON COLUMN webhook.deliveries.run_id IS 'Which run; webhook-id is run_<run_id>_<state>, each time it is sent.';
COMMENT ON COLUMN webhook.deliveries.state IS 'Its end.';
COMMENT ON COLUMN webhook.deliveries.body IS 'What is posted, the same bytes each time.';
COMMENT ON COLUMN webhook.deliveries.made_at IS 'When the run''s end was seen.';
COMMENT ON COLUMN webhook.deliveries.since IS 'From when on its tries are counted: made_at, or when somebody asked for it again.';
COMMENT ON COLUMN webhook.deliveries.tries IS 'How often it was sent since then.';
COMMENT ON COLUMN webhook.deliveries.attempts IS 'How often in all; the newest one alone may say how it went.';
COMMENT ON COLUMN webhook.deliveries.due_at IS 'When it may be sent (again). NULL: it is over.';
COMMENT ON COLUMN webhook.deliveries.taken_until IS 'A process sends it, and has until then to say how it went. NULL: nobody does.';
COMMENT ON COLUMN webhook.deliveries.outcome IS 'delivered: it answered 2xx; failed: it did not, for a day. NULL: it is not over.';
COMMENT ON COLUMN webhook.deliveries.ended_at IS 'When it was over. NULL: it is not.';

CREATE TABLE webhook.attempts (
    endpoint_id bigint NOT NULL,
    run_id      uuid NOT NULL,
    state       text NOT NULL,
    attempt     int NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    took_ms     bigint NOT NULL,
    status      int,
    error       text,
    PRIMARY KEY (endpoint_id, run_id, state, attempt),
    FOREIGN KEY (endpoint_id, run_id, state) REFERENCES webhook.deliveries ON DELETE CASCADE
);
COMMENT ON TABLE webhook.attempts IS 'One row each time that a delivery was sent; where one is missing, the process died meanwhile.';
COMMENT ON COLUMN webhook.attempts.endpoint_id IS 'As in webhook.deliveries; run_id and state, too.';
COMMENT ON COLUMN webhook.attempts.run_id IS 'Which run.';
COMMENT ON COLUMN webhook.attempts.state IS 'Its end.';
COMMENT ON COLUMN webhook.attempts.attempt IS 'From 1.';
COMMENT ON COLUMN webhook.attempts.at IS 'When it was over.';
COMMENT ON COLUMN webhook.attempts.took_ms IS 'How long it took.';
COMMENT ON COLUMN webhook.attempts.status IS 'The answer''s status. NULL: there was none.';
COMMENT ON COLUMN webhook.attempts.error IS 'Why it failed. NULL: it did not.';
