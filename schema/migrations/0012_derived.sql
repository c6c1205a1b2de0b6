-- SPDX-License-Identifier: Apache-2.0
-- Batches, sessions, sandboxes and usage: what the runs add up to (docs/adr/0009-what-runs-add-up-to.md).
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE fleet.runs
    ADD COLUMN request_partition int,
    ADD COLUMN request_offset    bigint,
    ADD COLUMN event_partition   int,
    ADD COLUMN event_offset      bigint,
    ADD COLUMN sandbox_ms        bigint NOT NULL DEFAULT 0,
    ADD COLUMN sandbox_cost_usd  double precision NOT NULL DEFAULT 0;
COMMENT ON COLUMN fleet.runs.request_partition IS 'Where its request stands in the topic of its lane.';
COMMENT ON COLUMN fleet.runs.request_offset IS 'Where its request stands in that partition.';
COMMENT ON COLUMN fleet.runs.event_partition IS 'The partition of the events topic that its events lie in.';
COMMENT ON COLUMN fleet.runs.event_offset IS 'Where its first event stands in it: what begins below the log''s start cannot be read again.';
COMMENT ON COLUMN fleet.runs.sandbox_ms IS 'How long sandboxes were this run''s, over all its attempts.';
COMMENT ON COLUMN fleet.runs.sandbox_cost_usd IS 'What that cost, an estimate from list prices; not in cost_usd.';

-- The sink is this table's only writer, and what waits for it waits in Kafka.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX runs_session ON fleet.runs (tenant, session_id) WHERE session_id IS NOT NULL;

-- --- the tables ---

CREATE TABLE fleet.batches (
    tenant             text NOT NULL,
    batch_id           text NOT NULL,
    runs               bigint NOT NULL,
    queued             bigint NOT NULL,
    held               bigint NOT NULL,
    starting           bigint NOT NULL,
    running            bigint NOT NULL,
    retrying           bigint NOT NULL,
    cancelling         bigint NOT NULL,
    completed          bigint NOT NULL,
    failed             bigint NOT NULL,
    timed_out          bigint NOT NULL,
    cancelled          bigint NOT NULL,
    expired            bigint NOT NULL,
    cost_usd           numeric(24, 9) NOT NULL,
    sandbox_cost_usd   numeric(24, 9) NOT NULL,
    input_tokens       bigint NOT NULL,
    output_tokens      bigint NOT NULL,
    cache_read_tokens  bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    first_created_at   timestamptz,
    first_started_at   timestamptz,
    last_ended_at      timestamptz,
    PRIMARY KEY (tenant, batch_id)
);
COMMENT ON TABLE fleet.batches IS 'One row a batch: its runs by state, and what they cost.';

CREATE TABLE fleet.sessions (
    tenant          text NOT NULL,
    session_id      text NOT NULL,
    runs            bigint NOT NULL,
    open_runs       bigint NOT NULL,
    last_run_id     uuid NOT NULL,
    last_state      text NOT NULL,
    claude_session  text,
    sandbox_id      text,
    sandbox_state   text,
    sandbox_since   timestamptz,
    cost_usd        numeric(24, 9) NOT NULL,
    first_run_at    timestamptz NOT NULL,
    last_active_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, session_id)
);
CREATE INDEX sessions_sandbox ON fleet.sessions (sandbox_id) WHERE sandbox_id IS NOT NULL;
COMMENT ON TABLE fleet.sessions IS 'One row a session, as its runs and its sandbox tell it.';

CREATE TABLE fleet.sandboxes (
    sandbox_id  text PRIMARY KEY,
    template    text,
    tenant      text,
    run_id      uuid,
    used_at     timestamptz,
    state       text NOT NULL CHECK (state IN ('busy', 'parked', 'paused', 'ended', 'evicted', 'lost')),
    reason      text NOT NULL DEFAULT '',
    since       timestamptz NOT NULL,
    created_at  timestamptz,
    ended_at    timestamptz,
    running_ms  bigint NOT NULL DEFAULT 0,
    cost_usd    double precision
);
COMMENT ON TABLE fleet.sandboxes IS
    'One row a sandbox that a run''s events name. What ended outside of any run (aged, expired, orphaned) still stands as it was last seen.';

CREATE TABLE fleet.usage (
    run_day            date NOT NULL,
    tenant             text NOT NULL,
    project_id         text,
    model              text,
    credential         text,
    runs               bigint NOT NULL,
    ended              bigint NOT NULL,
    completed          bigint NOT NULL,
    attempts           bigint NOT NULL,
    cost_usd           numeric(24, 9) NOT NULL,
    input_tokens       bigint NOT NULL,
    output_tokens      bigint NOT NULL,
    cache_read_tokens  bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    sandbox_ms         bigint NOT NULL,
    sandbox_cost_usd   numeric(24, 9) NOT NULL,
    UNIQUE NULLS NOT DISTINCT (run_day, tenant, project_id, model, credential)
);
COMMENT ON TABLE fleet.usage IS
    'What was used, by day, tenant, project, model and credential: exact sums, which outlive the events. All measures add up.';

CREATE TABLE fleet.superseded (
    run_id         uuid NOT NULL,
    epoch          int NOT NULL,
    records        bigint NOT NULL,
    by_epoch       int NOT NULL,
    after_sequence bigint NOT NULL,
    PRIMARY KEY (run_id, epoch)
);
COMMENT ON TABLE fleet.superseded IS
    'Owners of a run that wrote on after another one had it, or after its end: their records from then on do not count.';

-- --- how they are kept ---

CREATE FUNCTION fleet.usd(amount double precision) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN amount > 0 AND amount < 1e12 THEN round(amount::numeric, 9) ELSE 0.000000000 END
$$;
COMMENT ON FUNCTION fleet.usd(double precision) IS 'An amount that can be added and taken away again without a rest.';

-- A run as it was (sign -1) or is (sign 1).
CREATE TYPE fleet.run_change AS (
    sign int, run_id uuid, tenant text, batch_id text, session_id text, run_day date, project_id text, model text,
    credential text, state text, attempt int, cost_usd double precision, sandbox_ms bigint,
    sandbox_cost_usd double precision, input_tokens bigint, output_tokens bigint, cache_read_tokens bigint,
    cache_write_tokens bigint, claude_session text, sandbox_id text, created_at timestamptz,
    started_at timestamptz, ended_at timestamptz);

CREATE FUNCTION fleet.run_changes(sign int, r fleet.runs) RETURNS fleet.run_change LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(sign, r.run_id, r.tenant, r.batch_id, r.session_id, r.run_day, r.project_id, r.model,
               r.credential, r.state, r.attempt, r.cost_usd, r.sandbox_ms,
               r.sandbox_cost_usd, r.input_tokens, r.output_tokens, r.cache_read_tokens,
               r.cache_write_tokens, r.claude_session, r.sandbox_id, r.created_at,
               r.started_at, r.ended_at)::fleet.run_change
$$;
COMMENT ON FUNCTION fleet.run_changes(int, fleet.runs) IS 'What of a run goes into the tables of sums.';

-- One at a time, and whoever comes next sees what the one before it wrote. Taken before any of
-- the rows below are, so that two sinks never wait for each other in a circle.
CREATE FUNCTION fleet.derive_lock() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtext('fleet.derive'))
$$;
COMMENT ON FUNCTION fleet.derive_lock() IS 'Until the end of the transaction, nobody else changes batches, sessions, sandboxes and usage.';

CREATE FUNCTION fleet.derive_batches(changes fleet.run_change[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fleet.batches AS b
    SELECT tenant, batch_id, sum(sign),
           coalesce(sum(sign) FILTER (WHERE state = 'queued'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'held'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'starting'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'running'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'retrying'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'cancelling'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'completed'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'failed'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'timed_out'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'cancelled'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'expired'), 0),
           sum(sign * fleet.usd(cost_usd)), sum(sign * fleet.usd(sandbox_cost_usd)),
           sum(sign * input_tokens), sum(sign * output_tokens),
           sum(sign * cache_read_tokens), sum(sign * cache_write_tokens),
           min(created_at) FILTER (WHERE sign > 0), min(started_at) FILTER (WHERE sign > 0),
           max(ended_at) FILTER (WHERE sign > 0)
    FROM unnest(changes)
    WHERE batch_id IS NOT NULL
    GROUP BY tenant, batch_id
    ON CONFLICT (tenant, batch_id) DO UPDATE
    SET runs = b.runs + excluded.runs, queued = b.queued + excluded.queued, held = b.held + excluded.held,
        starting = b.starting + excluded.starting, running = b.running + excluded.running,
        retrying = b.retrying + excluded.retrying, cancelling = b.cancelling + excluded.cancelling,
        completed = b.completed + excluded.completed, failed = b.failed + excluded.failed,
        timed_out = b.timed_out + excluded.timed_out, cancelled = b.cancelled + excluded.cancelled,
        expired = b.expired + excluded.expired,
        cost_usd = b.cost_usd + excluded.cost_usd, sandbox_cost_usd = b.sandbox_cost_usd + excluded.sandbox_cost_usd,
        input_tokens = b.input_tokens + excluded.input_tokens, output_tokens = b.output_tokens + excluded.output_tokens,
        cache_read_tokens = b.cache_read_tokens + excluded.cache_read_tokens,
        cache_write_tokens = b.cache_write_tokens + excluded.cache_write_tokens,
        first_created_at = least(b.first_created_at, excluded.first_created_at),
        first_started_at = least(b.first_started_at, excluded.first_started_at),
        last_ended_at = greatest(b.last_ended_at, excluded.last_ended_at);
    -- A run that left (its request named another batch than its events do): earliest and latest
    -- cannot be taken back, so they are looked up.
    UPDATE fleet.batches AS b
    SET first_created_at = r.created_at, first_started_at = r.started_at, last_ended_at = r.ended_at
    FROM (SELECT gone.tenant, gone.batch_id, min(r.created_at) AS created_at, min(r.started_at) AS started_at,
                 max(r.ended_at) AS ended_at
          FROM (SELECT tenant, batch_id FROM unnest(changes) WHERE batch_id IS NOT NULL
                GROUP BY tenant, batch_id, run_id HAVING sum(sign) < 0) AS gone
          JOIN fleet.runs AS r USING (tenant, batch_id)
          GROUP BY gone.tenant, gone.batch_id) AS r
    WHERE (b.tenant, b.batch_id) = (r.tenant, r.batch_id);
    DELETE FROM fleet.batches
    WHERE runs = 0 AND (tenant, batch_id) IN (SELECT tenant, batch_id FROM unnest(changes));
END $$;
COMMENT ON FUNCTION fleet.derive_batches(fleet.run_change[]) IS 'Adds what changed to fleet.batches.';

CREATE FUNCTION fleet.derive_usage(changes fleet.run_change[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fleet.usage AS u
    SELECT run_day, tenant, project_id, model, credential, sum(sign),
           coalesce(sum(sign) FILTER (WHERE state IN ('completed', 'failed', 'timed_out', 'cancelled', 'expired')), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'completed'), 0),
           sum(sign * attempt), sum(sign * fleet.usd(cost_usd)), sum(sign * input_tokens), sum(sign * output_tokens),
           sum(sign * cache_read_tokens), sum(sign * cache_write_tokens),
           sum(sign * sandbox_ms), sum(sign * fleet.usd(sandbox_cost_usd))
    FROM unnest(changes)
    GROUP BY run_day, tenant, project_id, model, credential
    ON CONFLICT (run_day, tenant, project_id, model, credential) DO UPDATE
    SET runs = u.runs + excluded.runs, ended = u.ended + excluded.ended, completed = u.completed + excluded.completed,
        attempts = u.attempts + excluded.attempts, cost_usd = u.cost_usd + excluded.cost_usd,
        input_tokens = u.input_tokens + excluded.input_tokens, output_tokens = u.output_tokens + excluded.output_tokens,
        cache_read_tokens = u.cache_read_tokens + excluded.cache_read_tokens,
        cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
        sandbox_ms = u.sandbox_ms + excluded.sandbox_ms,
        sandbox_cost_usd = u.sandbox_cost_usd + excluded.sandbox_cost_usd;
    DELETE FROM fleet.usage AS u
    USING unnest(changes) AS c
    WHERE u.runs = 0 AND (u.run_day, u.tenant) = (c.run_day, c.tenant);
END $$;
COMMENT ON FUNCTION fleet.derive_usage(fleet.run_change[]) IS 'Adds what changed to fleet.usage.';

-- A session has few runs: it is read anew. Its newest run is the one that was created last.
CREATE FUNCTION fleet.derive_sessions(tenants text[], ids text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM fleet.sessions
    WHERE (tenant, session_id) IN (SELECT * FROM unnest(tenants, ids))
      AND NOT EXISTS (SELECT FROM fleet.runs AS r
                      WHERE (r.tenant, r.session_id) = (sessions.tenant, sessions.session_id));
    INSERT INTO fleet.sessions AS s
    SELECT r.tenant, r.session_id, count(*), count(*) FILTER (WHERE NOT r.ended),
           (array_agg(r.run_id ORDER BY r.created_at DESC, r.run_id DESC))[1],
           (array_agg(r.state ORDER BY r.created_at DESC, r.run_id DESC))[1],
           (array_agg(r.claude_session ORDER BY r.created_at DESC, r.run_id DESC)
                FILTER (WHERE r.claude_session IS NOT NULL))[1],
           used.sandbox_id, box.state, box.since, sum(fleet.usd(r.cost_usd)), min(r.created_at),
           greatest(max(r.created_at), max(r.started_at), max(r.ended_at))
    FROM (SELECT DISTINCT tenant, session_id FROM unnest(tenants, ids) AS t(tenant, session_id)) AS touched
    JOIN fleet.runs AS r USING (tenant, session_id)
    LEFT JOIN LATERAL (SELECT u.sandbox_id FROM fleet.runs AS u
                       WHERE (u.tenant, u.session_id) = (r.tenant, r.session_id) AND u.sandbox_id IS NOT NULL
                       ORDER BY u.created_at DESC, u.run_id DESC LIMIT 1) AS used ON true
    LEFT JOIN fleet.sandboxes AS box ON box.sandbox_id = used.sandbox_id
    GROUP BY r.tenant, r.session_id, used.sandbox_id, box.state, box.since
    ON CONFLICT (tenant, session_id) DO UPDATE
    SET runs = excluded.runs, open_runs = excluded.open_runs, last_run_id = excluded.last_run_id,
        last_state = excluded.last_state, claude_session = excluded.claude_session, sandbox_id = excluded.sandbox_id,
        sandbox_state = excluded.sandbox_state, sandbox_since = excluded.sandbox_since, cost_usd = excluded.cost_usd,
        first_run_at = excluded.first_run_at, last_active_at = excluded.last_active_at;
END $$;
COMMENT ON FUNCTION fleet.derive_sessions(text[], text[]) IS 'Reads these sessions anew from fleet.runs and fleet.sandboxes.';

CREATE FUNCTION fleet.derive(changes fleet.run_change[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(cardinality(changes), 0) = 0 THEN
        RETURN;
    END IF;
    PERFORM fleet.derive_lock();
    PERFORM fleet.derive_batches(changes);
    PERFORM fleet.derive_usage(changes);
    PERFORM fleet.derive_sessions(array_agg(tenant), array_agg(session_id))
    FROM unnest(changes) WHERE session_id IS NOT NULL HAVING count(*) > 0;
END $$;
COMMENT ON FUNCTION fleet.derive(fleet.run_change[]) IS 'Brings batches, usage and sessions up to what changed in fleet.runs.';

CREATE FUNCTION fleet.derive_all() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fleet.derive_lock();
    DELETE FROM fleet.batches;
    DELETE FROM fleet.usage;
    DELETE FROM fleet.sessions;
    -- piece by piece: an array of all runs has no ceiling
    PERFORM fleet.derive(array_agg(fleet.run_changes(1, r)))
    FROM fleet.runs AS r GROUP BY r.run_day, right(r.run_id::text, 2);
END $$;
COMMENT ON FUNCTION fleet.derive_all() IS 'Makes batches, usage and sessions anew from fleet.runs and fleet.sandboxes.';

-- --- when ---

-- Transition tables hold the rows as they really were, whoever else wrote meanwhile. Most
-- updates only count lines: those change nothing here, and cost one comparison.
CREATE FUNCTION fleet.on_runs_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fleet.derive((SELECT array_agg(fleet.run_changes(1, r)) FROM is_now JOIN fleet.runs AS r USING (run_id)));
    RETURN NULL;
END $$;

-- What is the same before and after adds up to nothing, and falls out.
CREATE FUNCTION fleet.on_runs_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fleet.derive((
        SELECT array_agg(ROW(c.*)::fleet.run_change)
        FROM (SELECT sum(sign)::int,
                     run_id, tenant, batch_id, session_id, run_day, project_id, model, credential, state,
                     attempt, cost_usd, sandbox_ms, sandbox_cost_usd, input_tokens, output_tokens,
                     cache_read_tokens, cache_write_tokens, claude_session, sandbox_id, created_at, started_at,
                     ended_at
              FROM (SELECT -1 AS sign, * FROM was UNION ALL SELECT 1, * FROM is_now) AS r
              GROUP BY 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23
              HAVING sum(sign) <> 0) AS c));
    RETURN NULL;
END $$;

CREATE FUNCTION fleet.on_runs_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fleet.derive((
        SELECT array_agg(ROW(c.*)::fleet.run_change)
        FROM (SELECT -1,
                     run_id, tenant, batch_id, session_id, run_day, project_id, model, credential, state,
                     attempt, cost_usd, sandbox_ms, sandbox_cost_usd, input_tokens, output_tokens,
                     cache_read_tokens, cache_write_tokens, claude_session, sandbox_id, created_at, started_at,
                     ended_at
              FROM was) AS c));
    RETURN NULL;
END $$;

CREATE FUNCTION fleet.on_runs_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fleet.derive_all();
    RETURN NULL;
END $$;

CREATE FUNCTION fleet.on_sandboxes_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fleet.derive_lock();
    RETURN NULL;
END $$;

CREATE FUNCTION fleet.on_sandboxes_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fleet.derive_sessions(array_agg(s.tenant), array_agg(s.session_id))
    FROM fleet.sessions AS s
    WHERE s.sandbox_id IN (SELECT sandbox_id FROM is_now)
    HAVING count(*) > 0;
    RETURN NULL;
END $$;

COMMENT ON FUNCTION fleet.on_runs_added() IS 'Trigger: adds new runs to the sums.';
COMMENT ON FUNCTION fleet.on_runs_changed() IS 'Trigger: takes runs out of the sums as they were, and adds them as they are.';
COMMENT ON FUNCTION fleet.on_runs_gone() IS 'Trigger: takes runs out of the sums.';
COMMENT ON FUNCTION fleet.on_runs_truncated() IS 'Trigger: no runs, no sums.';
COMMENT ON FUNCTION fleet.on_sandboxes_before() IS 'Trigger: takes the lock of the sums before the first row.';
COMMENT ON FUNCTION fleet.on_sandboxes_changed() IS 'Trigger: tells sessions what became of their sandbox.';

CREATE TRIGGER added AFTER INSERT ON fleet.runs REFERENCING NEW TABLE AS is_now
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.on_runs_added();
CREATE TRIGGER changed AFTER UPDATE ON fleet.runs REFERENCING OLD TABLE AS was NEW TABLE AS is_now
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.on_runs_changed();
CREATE TRIGGER gone AFTER DELETE ON fleet.runs REFERENCING OLD TABLE AS was
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.on_runs_gone();
CREATE TRIGGER truncated AFTER TRUNCATE ON fleet.runs
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.on_runs_truncated();
CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON fleet.sandboxes
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.on_sandboxes_before();
CREATE TRIGGER added AFTER INSERT ON fleet.sandboxes REFERENCING NEW TABLE AS is_now
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.on_sandboxes_changed();
CREATE TRIGGER changed AFTER UPDATE ON fleet.sandboxes REFERENCING NEW TABLE AS is_now
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.on_sandboxes_changed();

-- What is there already.
SELECT fleet.derive_all();

-- --- words ---

DO $$
DECLARE
    words CONSTANT text[] := ARRAY[
        ['batches', 'runs', 'How many runs name it.'],
        ['sessions', 'runs', 'How many runs it has.'],
        ['sessions', 'open_runs', 'How many of them have not ended.'],
        ['sessions', 'last_run_id', 'The run that was created last.'],
        ['sessions', 'last_state', 'The state of that run.'],
        ['sessions', 'claude_session', 'Claude''s id of the conversation, as the newest run that has one tells it.'],
        ['sessions', 'sandbox_id', 'The sandbox that its newest run got.'],
        ['sessions', 'sandbox_state', 'What became of it: parked or paused is where a follow-up goes on (fleet.sandboxes.state).'],
        ['sessions', 'sandbox_since', 'Since when it is so.'],
        ['sessions', 'cost_usd', 'What its runs cost; Claude''s own estimate from list prices.'],
        ['sessions', 'first_run_at', 'When its first run was created.'],
        ['sessions', 'last_active_at', 'When one of its runs was last created, started or ended.'],
        ['sandboxes', 'tenant', 'Whose runs had it; NULL: none is known.'],
        ['sandboxes', 'run_id', 'The run that had it last.'],
        ['sandboxes', 'used_at', 'The time of the newest event in which a run had it.'],
        ['sandboxes', 'state', 'busy, parked, paused; or its end: ended, evicted, lost.'],
        ['sandboxes', 'reason', 'More about the state, in a word.'],
        ['sandboxes', 'since', 'The time of the event that says so.'],
        ['sandboxes', 'created_at', 'When it was made, as far as its events tell.'],
        ['sandboxes', 'ended_at', 'When its end was first told.'],
        ['sandboxes', 'running_ms', 'How long it ran, over all its runs, as it was last told.'],
        ['sandboxes', 'cost_usd', 'What that cost, an estimate from list prices; NULL: not told.'],
        ['usage', 'runs', 'Runs created that day.'],
        ['usage', 'ended', 'How many of them have ended.'],
        ['usage', 'attempts', 'Agent processes that they took.'],
        ['usage', 'sandbox_ms', 'How long sandboxes were theirs.'],
        ['superseded', 'epoch', 'The epoch of the old owner.'],
        ['superseded', 'records', 'How many records of it were dropped.'],
        ['superseded', 'by_epoch', 'The epoch that counted when the first of them came; the same one: its own end, or a later attempt of it, was there.'],
        ['superseded', 'after_sequence', 'The run''s last event when the first of them came.'],
        ['*', 'queued', 'Runs that are queued.'],
        ['*', 'held', 'Runs that wait for something.'],
        ['*', 'starting', 'Runs that get a sandbox.'],
        ['*', 'running', 'Runs that run.'],
        ['*', 'retrying', 'Runs that back off after a failure.'],
        ['*', 'cancelling', 'Runs that are being cancelled.'],
        ['*', 'completed', 'Runs that ended well.'],
        ['*', 'failed', 'Runs that failed for good.'],
        ['*', 'timed_out', 'Runs that took too long.'],
        ['*', 'cancelled', 'Runs that were cancelled.'],
        ['*', 'expired', 'Runs that were not started in time.'],
        ['*', 'cost_usd', 'US dollars; Claude''s own estimate from list prices. Sandboxes are not in it.'],
        ['*', 'sandbox_cost_usd', 'US dollars for sandboxes, an estimate from list prices.'],
        ['*', 'first_created_at', 'When its first run was created.'],
        ['*', 'first_started_at', 'When the first of its runs started.'],
        ['*', 'last_ended_at', 'When the last of those that ended did.'],
        ['*', 'run_id', 'The run''s id.'],
        ['*', 'run_day', 'UTC day of the runs'' creation.'],
        ['*', 'tenant', 'Whose runs they are.'],
        ['*', 'batch_id', 'The batch.'],
        ['*', 'session_id', 'The session.'],
        ['*', 'project_id', 'The submitter''s project.'],
        ['*', 'sandbox_id', 'The service''s id of the sandbox.'],
        ['*', 'template', 'The sandbox''s template.'],
        ['*', 'model', 'The model that answered last; before any did, the one that was asked for.'],
        ['*', 'credential', 'Name of the credential, never its value.'],
        ['*', 'input_tokens', 'Tokens sent to the model, caches not counted.'],
        ['*', 'output_tokens', 'Tokens that the model wrote.'],
        ['*', 'cache_read_tokens', 'Tokens read from the prompt cache.'],
        ['*', 'cache_write_tokens', 'Tokens written to the prompt cache.']];
    word text[];
    target regclass;
BEGIN
    FOREACH word SLICE 1 IN ARRAY words LOOP
        FOR target IN
            SELECT a.attrelid
            FROM pg_attribute AS a
            JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE a.attname = word[2] AND c.relnamespace = 'fleet'::regnamespace
              AND c.relname IN ('batches', 'sessions', 'sandboxes', 'usage', 'superseded')
              AND word[1] IN ('*', c.relname) AND col_description(a.attrelid, a.attnum) IS NULL
        LOOP
            EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', target, word[2], word[3]);
        END LOOP;
    END LOOP;
END $$;

SELECT fleet.grant_readers();
