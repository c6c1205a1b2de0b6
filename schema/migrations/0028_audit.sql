-- SPDX-License-Identifier: Apache-2.0
-- Who did what, through the HTTP door and the client (docs/adr/0031-who-did-what.md). A row is written once
-- and never changed: by a trigger, in the transaction of the change, when whoever makes it has said who
-- he is (the session's or the transaction's setting sandfleet.audit); else behind the answer.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE door.audit (
    request_id uuid PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant     text,
    actor_kind text NOT NULL CHECK (actor_kind IN ('api_key', 'anonymous', 'client')),
    actor      text NOT NULL CHECK (length(actor) <= 256),
    login      text NOT NULL DEFAULT session_user,
    action     text NOT NULL CHECK (length(action) <= 256),
    object     text CHECK (length(object) <= 512),
    outcome    text NOT NULL CHECK (length(outcome) <= 64)
);
CREATE INDEX audit_at ON door.audit (at, request_id);
COMMENT ON TABLE door.audit IS 'Who did what: one row a request that changes something, or would have. Nobody''s role changes or removes rows.';
COMMENT ON COLUMN door.audit.request_id IS 'The answer''s X-Request-Id; of the client, made up for each command.';
COMMENT ON COLUMN door.audit.at IS 'When.';
COMMENT ON COLUMN door.audit.tenant IS 'Whose thing it is about. NULL: nobody''s, or everybody''s.';
COMMENT ON COLUMN door.audit.actor_kind IS 'api_key, or anonymous where none is asked for; client: somebody at a command line.';
COMMENT ON COLUMN door.audit.actor IS 'The key''s id; the client''s user by its own word. See login.';
COMMENT ON COLUMN door.audit.login IS 'Who was logged in to the database, by its own word.';
COMMENT ON COLUMN door.audit.action IS 'POST /v1/runs/{}/cancel, or the command: cred add.';
COMMENT ON COLUMN door.audit.object IS 'The name or id of what it was done to. Never a prompt, never a secret.';
COMMENT ON COLUMN door.audit.outcome IS 'done: in the same transaction as the change; else the answer''s HTTP status.';

-- The first word counts: what is done cannot be told otherwise afterwards.
CREATE FUNCTION door.audit_add(told json, outcome text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO door.audit (request_id, tenant, actor_kind, actor, action, object, outcome)
    VALUES ((told ->> 'request')::uuid, nullif(told ->> 'tenant', ''), told ->> 'kind', left(told ->> 'actor', 256),
            left(told ->> 'action', 256), left(nullif(told ->> 'object', ''), 512), left(outcome, 64))
    ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION door.audit_add(json, text) IS 'A row of door.audit: {"request", "tenant", "kind", "actor", "action", "object"}.';

-- Fires where somebody has said who he is: workers and the sink, whose work this is not, have not.
-- The first row that changes tells; the others of the transaction need not.
CREATE FUNCTION door.on_audited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told CONSTANT jsonb := nullif(current_setting('sandfleet.audit'), '');
    changed CONSTANT jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN old ELSE new END);
BEGIN
    IF told IS NULL THEN
        RETURN NULL; -- an earlier row of this statement told it
    END IF;
    PERFORM door.audit_add((jsonb_build_object('tenant', changed -> 'tenant', 'object', changed -> TG_ARGV[0])
                            || jsonb_strip_nulls(told))::json, 'done');
    PERFORM set_config('sandfleet.audit', '', true);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION door.on_audited() IS 'Trigger: the row of door.audit for a change; the argument names the column that says what was changed.';

DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM (VALUES
        ('ledger.credentials', 'name'), ('ledger.limits', 'name'), ('ledger.cancellations', 'run_id'),
        ('ledger.sandboxes', 'sandbox_id'), ('ledger.sessions', 'session_id'), ('ledger.transcripts', 'session_id'),
        ('door.batches', 'batch_id'), ('door.settled_letters', 'topic'), ('access.keys', 'key_id'),
        ('webhook.endpoints', 'name'), ('webhook.keys', 'endpoint_id'), ('webhook.deliveries', 'run_id')) AS v(name, what)
    LOOP
        EXECUTE format('CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW'
                       ' WHEN (current_setting(''sandfleet.audit'', true) <> '''') EXECUTE FUNCTION door.on_audited(%L)',
                       t.name, t.what);
    END LOOP;
END $$;

-- Rows are made by the function alone; nobody but the owner, who keeps them for as long as he likes,
-- changes or removes any.
REVOKE EXECUTE ON FUNCTION door.audit_add(json, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION door.audit_add(json, text) TO sandfleet_api, sandfleet_client;
GRANT USAGE ON SCHEMA door TO sandfleet_client;
GRANT SELECT ON door.audit TO sandfleet_client;
