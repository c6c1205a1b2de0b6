-- SPDX-License-Identifier: Apache-2.0
-- For those who read: views for analysts, and two roles. Everything here goes by the run's creation
-- day, by which the events are partitioned: name it in WHERE, and only its partition is read.

-- A migration that waits behind somebody makes everybody else wait behind it: it gives up instead.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

-- What the fleet or Claude wrote as text may be anything: no such text makes a view fail.
CREATE FUNCTION fleet.as_time(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN t::timestamptz;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.as_time(text) IS 'A text as a time; NULL where it is none.';

CREATE FUNCTION fleet.as_number(j jsonb) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(j) = 'number' AND abs(j::numeric) < 1e15 THEN j::double precision END
$$;
COMMENT ON FUNCTION fleet.as_number(jsonb) IS 'A number of JSON below 1e15; NULL for anything else.';

CREATE VIEW fleet.cost_daily AS
SELECT run_day, tenant, model, batch_id, credential,
       count(*) AS runs,
       count(*) FILTER (WHERE ended) AS ended,
       count(*) FILTER (WHERE state = 'completed') AS completed,
       sum(cost_usd) AS cost_usd,
       sum(input_tokens)::bigint AS input_tokens,
       sum(output_tokens)::bigint AS output_tokens,
       sum(cache_read_tokens)::bigint AS cache_read_tokens,
       sum(cache_write_tokens)::bigint AS cache_write_tokens
FROM fleet.runs
GROUP BY run_day, tenant, model, batch_id, credential;

CREATE VIEW fleet.durations_daily AS
SELECT run_day, tenant, template,
       count(queue_s) AS started,
       percentile_cont(0.50) WITHIN GROUP (ORDER BY queue_s) AS queue_p50_s,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY queue_s) AS queue_p95_s,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY queue_s) AS queue_p99_s,
       count(run_s) AS ended,
       percentile_cont(0.50) WITHIN GROUP (ORDER BY run_s) AS run_p50_s,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY run_s) AS run_p95_s,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY run_s) AS run_p99_s
FROM (SELECT run_day, tenant, template,
             -- two machines' clocks: a start may lie before the creation
             CASE WHEN started_at >= created_at THEN extract(epoch FROM started_at - created_at)::double precision
                  WHEN started_at < created_at THEN 0 END AS queue_s,
             CASE WHEN ended_at >= started_at THEN extract(epoch FROM ended_at - started_at)::double precision
                  WHEN ended_at < started_at THEN 0 END AS run_s
      FROM fleet.runs) AS run
GROUP BY run_day, tenant, template;

-- A line may hold several calls; a call and its result are found together by Claude's id of it.
CREATE VIEW fleet.tool_usage AS
WITH block AS (
    SELECT e.run_day, e.tenant, e.run_id, e.attempt, e.type, e.tool, b.block
    FROM fleet.events AS e
    LEFT JOIN LATERAL jsonb_path_query(fleet.as_jsonb(e.data),
                                       '$.native.message.content[*] ? (@.type == "tool_use" || @.type == "tool_result")')
              AS b(block) ON true
    WHERE e.type IN ('sandfleet.agent.tool_use', 'sandfleet.agent.tool_result')
), failed AS (
    SELECT DISTINCT run_day, run_id, attempt, block ->> 'tool_use_id' AS id
    FROM block
    WHERE type = 'sandfleet.agent.tool_result' AND block -> 'is_error' = 'true'
)
SELECT c.run_day, c.tenant, coalesce(c.block ->> 'name', c.tool) AS tool,
       count(*) AS calls,
       count(f.id) AS errors,
       count(DISTINCT c.run_id) AS runs
FROM block AS c
LEFT JOIN failed AS f
       ON (f.run_day, f.run_id, f.attempt, f.id) = (c.run_day, c.run_id, c.attempt, c.block ->> 'id')
WHERE c.type = 'sandfleet.agent.tool_use'
GROUP BY c.run_day, c.tenant, coalesce(c.block ->> 'name', c.tool);

CREATE VIEW fleet.failures_daily AS
SELECT run_day, tenant, template, model, outcome,
       sum(attempts)::bigint AS attempts,
       sum(runs)::bigint AS runs,
       sum(cost_usd) AS cost_usd
FROM (SELECT r.run_day, r.tenant, r.template, r.model, a.outcome, 1 AS attempts, 0 AS runs, a.cost_usd
      FROM fleet.attempts AS a
      JOIN fleet.runs AS r USING (run_id)
      WHERE a.state = 'ended' AND a.outcome IS DISTINCT FROM 'success'
      UNION ALL
      SELECT run_day, tenant, template, model, outcome, 0, 1, 0
      FROM fleet.runs
      WHERE ended AND state <> 'completed') AS failure
GROUP BY run_day, tenant, template, model, outcome;

-- A wait ends with the run's next event, whatever that is.
CREATE VIEW fleet.hold_timeline AS
SELECT e.run_day, e.run_id, e.sequence, e.tenant, r.credential, r.session_id, e.attempt,
       CASE e.type WHEN 'sandfleet.run.held' THEN 'held' ELSE 'retrying' END AS kind,
       coalesce(d.data ->> 'outcome', d.data ->> 'reason') AS reason,
       e.time AS held_at,
       coalesce(fleet.as_time(d.data ->> 'until'),
                e.time + interval '1 ms' * fleet.as_number(d.data -> 'delay_ms')) AS announced_until,
       next.time AS ended_at
FROM fleet.events AS e
JOIN fleet.runs AS r USING (run_id)
CROSS JOIN LATERAL (SELECT fleet.as_jsonb(e.data) AS data) AS d
LEFT JOIN LATERAL (SELECT n.time
                   FROM fleet.events AS n
                   WHERE n.run_id = e.run_id AND n.run_day = e.run_day AND n.sequence > e.sequence
                   ORDER BY n.sequence
                   LIMIT 1) AS next ON true
WHERE e.type IN ('sandfleet.run.held', 'sandfleet.run.retrying');

CREATE VIEW fleet.limit_timeline AS
SELECT e.run_day, e.run_id, e.sequence, e.tenant, r.credential, e.time AS seen_at,
       d.info ->> 'status' AS status,
       d.info ->> 'rateLimitType' AS limit_type,
       fleet.as_number(d.info -> 'utilization') AS utilization,
       to_timestamp(CASE WHEN fleet.as_number(d.info -> 'resetsAt') BETWEEN 0 AND 253402300799
                         THEN fleet.as_number(d.info -> 'resetsAt') END) AS resets_at
FROM fleet.events AS e
JOIN fleet.runs AS r USING (run_id)
CROSS JOIN LATERAL (SELECT fleet.as_jsonb(e.data) #> '{native,rate_limit_info}' AS info) AS d
WHERE e.type = 'sandfleet.agent.rate_limit';

-- Roles belong to the server, not to the database: another one of ours may have made them.
DO $$
DECLARE
    missing text;
BEGIN
    FOR missing IN
        SELECT name FROM unnest(ARRAY['sandfleet_read', 'sandfleet_read_prompts']) AS name
        WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
    LOOP
        EXECUTE format('CREATE ROLE %I NOLOGIN', missing);
    END LOOP;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- it was made at the same moment
    WHEN insufficient_privilege THEN
        RAISE insufficient_privilege USING MESSAGE =
            'we may not create roles here; have CREATE ROLE sandfleet_read NOLOGIN and '
            'CREATE ROLE sandfleet_read_prompts NOLOGIN run by who may, then migrate again';
END $$;

CREATE FUNCTION fleet.grant_readers() RETURNS void LANGUAGE plpgsql AS $$
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
END $$;
COMMENT ON FUNCTION fleet.grant_readers() IS
    'Gives each column of this schema to sandfleet_read, or, where it can carry a prompt or an answer, to sandfleet_read_prompts. To be called behind every change of a table or view.';

GRANT USAGE ON SCHEMA fleet TO sandfleet_read, sandfleet_read_prompts;
SELECT fleet.grant_readers();
