-- SPDX-License-Identifier: Apache-2.0
-- Lists of runs by what their submitters put on them, tags and metadata, and by model. A label is written once
-- a run, by a trigger: an index on fleet.runs itself would have it anew with each change of the run.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '10min';

ALTER TABLE fleet.runs ADD COLUMN tags text[];
COMMENT ON COLUMN fleet.runs.tags IS 'The submitter''s own, as they came. NULL: none, or it was read before this column was.';

-- The tenant stands in each: what others put on their runs is not read, nor counted by the planner.
-- The length of the name keeps "a=b" = "c" and "a" = "b=c" apart. Nothing here may fail: the sink's
-- rows depend on it.
CREATE FUNCTION fleet.labels(tenant text, metadata json) RETURNS text[] LANGUAGE plpgsql STRICT IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN ARRAY(
        SELECT tenant || ' ' || length(m.key) || ':' || m.key || '=' || (m.value #>> '{}')
        FROM (SELECT key, value FROM json_each(metadata) LIMIT 64) AS m
        WHERE json_typeof(m.value) IN ('string', 'number', 'boolean')
          AND length(m.key) <= 128 AND length(m.value #>> '{}') <= 256);
EXCEPTION WHEN data_exception OR statement_too_complex THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.labels(text, json) IS
    '"TENANT LENGTH:KEY=VALUE" of the first 64 members of a run''s metadata that are a text, a number or a boolean, with keys of at most 128 and values of at most 256 characters.';

CREATE FUNCTION fleet.labels(r fleet.runs) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT fleet.labels(r.tenant, r.metadata)
           || ARRAY(SELECT DISTINCT r.tenant || ' #' || tag FROM unnest(r.tags) AS tag WHERE length(tag) <= 128)
$$;
COMMENT ON FUNCTION fleet.labels(fleet.runs) IS
    'All of a run''s: those of its metadata, and "TENANT #TAG" of each tag of at most 128 characters.';

CREATE TABLE fleet.run_labels (
    label  text NOT NULL,
    run_id uuid NOT NULL,
    PRIMARY KEY (label, run_id)
);
COMMENT ON TABLE fleet.run_labels IS 'What lists of runs are filtered by of their metadata and tags. Made from fleet.runs by its triggers.';
COMMENT ON COLUMN fleet.run_labels.label IS 'As fleet.labels(runs) makes it.';
COMMENT ON COLUMN fleet.run_labels.run_id IS 'The run that has it.';

CREATE FUNCTION fleet.on_run_labels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        DELETE FROM fleet.run_labels WHERE run_id = OLD.run_id AND label = ANY (fleet.labels(OLD));
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO fleet.run_labels (label, run_id)
        SELECT label, NEW.run_id FROM unnest(fleet.labels(NEW)) AS label
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.on_run_labels() IS 'Trigger: fleet.run_labels of a run that came, changed or went.';

-- The sink gives a run both at once, with its request: an update that brings nothing new calls nothing.
CREATE TRIGGER labels_added AFTER INSERT ON fleet.runs FOR EACH ROW
    WHEN (NEW.metadata IS NOT NULL OR NEW.tags IS NOT NULL) EXECUTE FUNCTION fleet.on_run_labels();
CREATE TRIGGER labels_changed AFTER UPDATE ON fleet.runs FOR EACH ROW
    WHEN ((OLD.metadata IS NULL) <> (NEW.metadata IS NULL) OR OLD.tags IS DISTINCT FROM NEW.tags
          OR (OLD.tenant <> NEW.tenant AND (NEW.metadata IS NOT NULL OR NEW.tags IS NOT NULL)))
    EXECUTE FUNCTION fleet.on_run_labels();
CREATE TRIGGER labels_gone AFTER DELETE ON fleet.runs FOR EACH ROW
    WHEN (OLD.metadata IS NOT NULL OR OLD.tags IS NOT NULL) EXECUTE FUNCTION fleet.on_run_labels();

-- Where all of it is made anew: behind a rebuild, or when the runs are emptied.
CREATE OR REPLACE FUNCTION fleet.derive_all() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fleet.derive_lock();
    DELETE FROM fleet.batches;
    DELETE FROM fleet.usage;
    DELETE FROM fleet.sessions;
    -- piece by piece: an array of all runs has no ceiling
    PERFORM fleet.derive(array_agg(fleet.run_changes(1, r)))
    FROM fleet.runs AS r GROUP BY r.run_day, right(r.run_id::text, 2);
    DELETE FROM fleet.run_labels;
    INSERT INTO fleet.run_labels (label, run_id)
        SELECT label, run_id FROM fleet.runs AS r, unnest(fleet.labels(r)) AS label
        WHERE metadata IS NOT NULL OR tags IS NOT NULL
        ON CONFLICT DO NOTHING; -- of a run that came meanwhile
END $$;
COMMENT ON FUNCTION fleet.derive_all() IS
    'Makes batches, usage, sessions and run_labels anew from fleet.runs and fleet.sandboxes.';

INSERT INTO fleet.run_labels (label, run_id)
SELECT label, run_id FROM fleet.runs, unnest(fleet.labels(tenant, metadata)) AS label
WHERE metadata IS NOT NULL;

-- No table that the sink fills: a rebuild has it from fleet.derive_all().
CREATE OR REPLACE FUNCTION fleet.rebuild_tables() RETURNS TABLE (name name, by_run boolean, parted boolean) LANGUAGE sql STABLE AS $$
    SELECT c.relname,
           c.relname <> 'sandboxes' AND EXISTS (SELECT FROM pg_attribute AS a
                                                WHERE a.attrelid = c.oid AND a.attname = 'run_id' AND NOT a.attisdropped),
           c.relkind = 'p'
    FROM pg_class AS c
    WHERE c.relnamespace = 'fleet'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname NOT IN ('batches', 'sessions', 'usage', 'losses', 'run_labels')
    ORDER BY 1
$$;

CREATE INDEX runs_of_model ON fleet.runs (tenant, model, coalesce(created_at, 'infinity'), run_id)
    WHERE model IS NOT NULL;

CREATE OR REPLACE VIEW door.runs AS
SELECT run_id, run_day, tenant, batch_id, custom_id, session_id, project_id, user_id, lane, template, model,
       credential, prompt, metadata, state, outcome, reason, hold_reason, hold_until, attempt, worker_id,
       sandbox_id, claude_session, cost_usd, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
       sandbox_ms, sandbox_cost_usd, result, output_tail, created_at, started_at, ended_at, last_event_at,
       sequence, ended, missing_lines, true AS projected, structured, tags
FROM fleet.runs
UNION ALL
SELECT a.run_id, (q.created_at AT TIME ZONE 'UTC')::date, a.tenant, q.batch_id, q.custom_id, q.session ->> 'id',
       q.project_id, q.user_id, a.lane, q.template, q.model,
       q.credential, q.prompt, q.metadata, 'queued', NULL, NULL, NULL, NULL, 0, NULL,
       NULL, NULL, 0, 0, 0, 0, 0,
       0, 0, NULL, NULL, q.created_at, NULL, NULL, NULL,
       0, false, 0, false, NULL, q.tags
FROM door.accepted AS a
CROSS JOIN LATERAL json_to_record(a.request::json) AS q(
    created_at timestamptz, batch_id text, custom_id text, session json, project_id text, user_id text,
    template text, model text, credential text, prompt text, metadata json, tags text[])
WHERE NOT EXISTS (SELECT FROM fleet.runs AS r WHERE r.run_id = a.run_id);
COMMENT ON COLUMN door.runs.tags IS 'The submitter''s own, as they came.';

SELECT fleet.grant_readers();
