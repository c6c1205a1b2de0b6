-- SPDX-License-Identifier: Apache-2.0
-- Who may come in by the HTTP door. In a schema of its own: neither workers nor sink have business
-- here, nor those who read (fleet.grant_readers()); and a rebuild of the read model leaves it alone.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA access;
COMMENT ON SCHEMA access IS 'Who may come in by the HTTP door. Written by `sandfleet keys`, read by sandfleet-api.';

CREATE TABLE access.keys (
    key_id       text PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{12}$'),
    hash         bytea NOT NULL CHECK (length(hash) = 32),
    tenant       text NOT NULL CHECK (length(tenant) BETWEEN 1 AND 128),
    scopes       text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ '{submit,read,admin}'),
    label        text NOT NULL DEFAULT '' CHECK (length(label) <= 128),
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz
);
COMMENT ON TABLE access.keys IS 'One row an API key. The key itself is nowhere: it was shown once.';
COMMENT ON COLUMN access.keys.key_id IS 'What stands behind sfk_ in the key: it is looked up by that, and logged as that.';
COMMENT ON COLUMN access.keys.hash IS 'BLAKE2b-256 of the key''s 32 random bytes: too many to be guessed from it.';
COMMENT ON COLUMN access.keys.tenant IS 'Whose it is: it sees and makes nothing of other tenants, unless it has scope admin.';
COMMENT ON COLUMN access.keys.scopes IS 'submit, read, admin; admin includes the others.';
COMMENT ON COLUMN access.keys.label IS 'What somebody called it, to know it again.';
COMMENT ON COLUMN access.keys.created_at IS 'When it was made.';
COMMENT ON COLUMN access.keys.last_used_at IS 'When it last came in, to about a minute. NULL: never.';
COMMENT ON COLUMN access.keys.expires_at IS 'From then on it does not count. NULL: never.';
COMMENT ON COLUMN access.keys.revoked_at IS 'From then on it does not count. NULL: it was not revoked.';

-- The servers keep the keys that they have seen for a while: they are told what changed.
CREATE FUNCTION access.on_key_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('access_keys', old.key_id);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION access.on_key_changed() IS 'Trigger: says the id of a key that is not what it was.';
CREATE TRIGGER gone AFTER DELETE ON access.keys FOR EACH ROW EXECUTE FUNCTION access.on_key_changed();
CREATE TRIGGER changed AFTER UPDATE OF hash, tenant, scopes, expires_at, revoked_at ON access.keys
    FOR EACH ROW EXECUTE FUNCTION access.on_key_changed();
