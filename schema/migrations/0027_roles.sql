-- SPDX-License-Identifier: Apache-2.0
-- A role for each process, with what it needs and no more (docs/adr/0030-a-role-for-each-process.md).
-- Nobody logs in as one of them: a login is made a member (GRANT sandfleet_worker TO …).
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

-- Roles belong to the server, not to the database: another one of ours may have made them.
DO $$
DECLARE
    missing text[];
    role text;
BEGIN
    SELECT coalesce(array_agg(name), '{}') INTO missing
    FROM unnest('{sandfleet_worker,sandfleet_sink,sandfleet_api,sandfleet_client,sandfleet_webhook}'::text[]) AS name
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name);
    FOREACH role IN ARRAY missing LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL; -- it was made at the same moment
        END;
    END LOOP;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE insufficient_privilege USING MESSAGE = 'we may not create roles here; have these created, NOLOGIN: '
            || array_to_string(missing, ', ') || '; then migrate again';
END $$;

-- Partitions are made as they are needed; that is DDL, which nobody may but the owner.
ALTER FUNCTION fleet.ensure_day(date, name) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
REVOKE EXECUTE ON FUNCTION fleet.ensure_day(date, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleet.ensure_day(date, name) TO sandfleet_sink;

-- At its start each asks for the version.
GRANT SELECT ON public.sandfleet_migrations
    TO sandfleet_worker, sandfleet_sink, sandfleet_api, sandfleet_client, sandfleet_webhook;

-- Workers keep the ledger. What is sealed in it they read, and never write; limits are others' word.
GRANT USAGE ON SCHEMA ledger TO sandfleet_worker, sandfleet_api, sandfleet_client;
GRANT SELECT, INSERT, UPDATE ON ledger.claims TO sandfleet_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.sandboxes, ledger.sessions, ledger.transcripts, ledger.shares,
    ledger.starts, ledger.workers TO sandfleet_worker;
GRANT SELECT, DELETE ON ledger.cancellations, ledger.retired_secrets TO sandfleet_worker;
GRANT SELECT, UPDATE ON ledger.installation TO sandfleet_worker;
GRANT SELECT, UPDATE (hold_until, hold_reason, windows) ON ledger.credentials TO sandfleet_worker;
GRANT SELECT ON ledger.limits TO sandfleet_worker;

-- The HTTP door has rows of its own, reads the rest, and tells workers what is wanted. Credentials and
-- what was one are none of its business.
GRANT USAGE ON SCHEMA fleet, door, access TO sandfleet_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON door.accepted, door.idempotency, door.batches TO sandfleet_api;
GRANT SELECT, INSERT, UPDATE ON door.settled_letters TO sandfleet_api;
GRANT SELECT ON door.runs TO sandfleet_api;
GRANT SELECT, UPDATE (last_used_at) ON access.keys TO sandfleet_api;
GRANT SELECT ON ledger.claims, ledger.workers TO sandfleet_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.cancellations, ledger.limits TO sandfleet_api;
GRANT SELECT, INSERT, UPDATE ON ledger.sandboxes TO sandfleet_api;
GRANT SELECT, DELETE ON ledger.sessions TO sandfleet_api;
GRANT SELECT, UPDATE ON ledger.transcripts TO sandfleet_api;

-- The client of operators: seals, and has no master key in the database; the owner's work (migrate,
-- retention, rebuild) is not its.
GRANT USAGE ON SCHEMA fleet, access TO sandfleet_client;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.credentials, ledger.retired_secrets, ledger.limits TO sandfleet_client;
GRANT USAGE ON SEQUENCE ledger.credential_generation TO sandfleet_client;
GRANT SELECT, UPDATE (hold_until) ON ledger.claims TO sandfleet_client;
GRANT SELECT, INSERT, UPDATE ON ledger.cancellations TO sandfleet_client;
GRANT SELECT ON ledger.workers TO sandfleet_client;
GRANT SELECT, INSERT, UPDATE ON access.keys TO sandfleet_client;

-- The sink fills the read model, and asks the door for one thing: which dead letters were settled.
GRANT USAGE ON SCHEMA fleet, door TO sandfleet_sink;
GRANT SELECT ON door.settled_letters TO sandfleet_sink;

-- Who tells of runs' ends sees of a run what it tells, no prompt and no answer. The column list is
-- webhook/sql.c's.
GRANT USAGE ON SCHEMA fleet, webhook TO sandfleet_webhook;
GRANT USAGE ON SCHEMA webhook TO sandfleet_client;
GRANT SELECT ON fleet.sink_offsets TO sandfleet_webhook;
GRANT SELECT (run_id, tenant, state, outcome, batch_id, custom_id, session_id, attempt, cost_usd, created_at, ended_at,
              last_event_at, ended) ON fleet.runs TO sandfleet_webhook;
GRANT SELECT, UPDATE ON webhook.endpoints TO sandfleet_webhook;
GRANT SELECT, DELETE ON webhook.keys TO sandfleet_webhook;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook.deliveries TO sandfleet_webhook;
GRANT SELECT, INSERT ON webhook.attempts TO sandfleet_webhook;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook.endpoints, webhook.keys TO sandfleet_client;
GRANT SELECT, UPDATE ON webhook.deliveries TO sandfleet_client;
GRANT SELECT ON webhook.attempts TO sandfleet_client;

CREATE FUNCTION fleet.grant_processes() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    FOR r IN
        SELECT relname AS name, relkind IN ('r', 'p') AS rows
        FROM pg_class
        WHERE relnamespace = 'fleet'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition
    LOOP
        EXECUTE format('GRANT SELECT ON fleet.%I TO sandfleet_api, sandfleet_client', r.name);
        EXECUTE format('GRANT SELECT%2$s ON fleet.%1$I TO sandfleet_sink', r.name,
                       CASE WHEN r.rows THEN ', INSERT, UPDATE, DELETE' END);
    END LOOP;
    GRANT DELETE ON fleet.quarantine TO sandfleet_api; -- a dead letter that was settled
END $$;
COMMENT ON FUNCTION fleet.grant_processes() IS
    'Gives the tables and views of this schema to the processes'' roles. fleet.grant_readers() calls it.';

CREATE OR REPLACE FUNCTION fleet.grant_readers() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    secret CONSTANT text[] := ARRAY['runs.prompt', 'runs.result', 'runs.output_tail', 'events.data',
                                    'quarantine.key', 'quarantine.value', 'quarantine.headers'];
    r record;
BEGIN
    FOR r IN
        SELECT c.relname AS name,
               string_agg(quote_ident(attname), ', ') FILTER (WHERE c.relname || '.' || attname <> ALL (secret)) AS plain,
               string_agg(quote_ident(attname), ', ') FILTER (WHERE c.relname || '.' || attname = ANY (secret)) AS prompts
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'fleet'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
        GROUP BY c.relname
    LOOP
        EXECUTE format('REVOKE ALL ON fleet.%I FROM sandfleet_read, sandfleet_read_prompts', r.name);
        EXECUTE format('GRANT SELECT (%s) ON fleet.%I TO sandfleet_read', r.plain, r.name);
        IF r.prompts IS NOT NULL THEN
            EXECUTE format('GRANT SELECT (%s) ON fleet.%I TO sandfleet_read_prompts', r.prompts, r.name);
        END IF;
    END LOOP;
    PERFORM fleet.grant_processes();
END $$;
SELECT fleet.grant_readers();
