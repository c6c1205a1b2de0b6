-- SPDX-License-Identifier: Apache-2.0
-- The read model: what the request and event topics say, row for row. Written by the sink only.
CREATE SCHEMA fleet;
COMMENT ON SCHEMA fleet IS 'The read model: can be dropped and rebuilt from the topics.';

CREATE TABLE fleet.runs (
    run_id          uuid PRIMARY KEY,
    run_day         date NOT NULL,
    tenant          text NOT NULL,
    batch_id        text,
    custom_id       text,
    session_id      text,
    project_id      text,
    user_id         text,
    lane            text,
    template        text,
    model           text,
    credential      text,
    prompt          text,
    metadata        json,
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'held', 'starting', 'running',
                        'retrying', 'cancelling', 'completed', 'failed', 'timed_out', 'cancelled', 'expired')),
    outcome         text,
    reason          text,
    hold_reason     text,
    hold_until      timestamptz,
    attempt         int NOT NULL DEFAULT 0,
    worker_id       text,
    sandbox_id      text,
    claude_session  text,
    cost_usd        double precision NOT NULL DEFAULT 0,
    input_tokens    bigint NOT NULL DEFAULT 0,
    output_tokens   bigint NOT NULL DEFAULT 0,
    cache_read_tokens  bigint NOT NULL DEFAULT 0,
    cache_write_tokens bigint NOT NULL DEFAULT 0,
    result          text,
    output_tail     text,
    created_at      timestamptz,
    started_at      timestamptz,
    ended_at        timestamptz,
    last_event_at   timestamptz,
    -- the judge's memory (schema/judge.h)
    sequence        bigint NOT NULL DEFAULT 0,
    epoch           bigint NOT NULL DEFAULT 0,
    control_n       bigint NOT NULL DEFAULT 0,
    line_attempt    bigint NOT NULL DEFAULT 0,
    line            bigint NOT NULL DEFAULT 0,
    ended           boolean NOT NULL DEFAULT false,
    -- counted, never silent
    repeats         bigint NOT NULL DEFAULT 0,
    superseded      bigint NOT NULL DEFAULT 0,
    missing_lines   bigint NOT NULL DEFAULT 0
);
CREATE INDEX runs_batch ON fleet.runs (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX runs_tenant_day ON fleet.runs (tenant, run_day DESC);
CREATE INDEX runs_open ON fleet.runs (state) WHERE NOT ended;
COMMENT ON TABLE fleet.runs IS 'One row a run.';
COMMENT ON COLUMN fleet.runs.run_day IS 'UTC day of the run''s creation: the partition of its events.';
COMMENT ON COLUMN fleet.runs.sequence IS 'Sequence of the run''s last event.';
COMMENT ON COLUMN fleet.runs.output_tail IS 'The last 50 KB of the rendered output.';
COMMENT ON COLUMN fleet.runs.cost_usd IS 'What this run added, over all its attempts; Claude''s own estimate from list prices.';
COMMENT ON COLUMN fleet.runs.missing_lines IS 'Lines known to be missing (gaps); 0 unless something is badly wrong.';

CREATE TABLE fleet.attempts (
    run_id      uuid NOT NULL,
    attempt     int NOT NULL,
    state       text NOT NULL CHECK (state IN ('starting', 'running', 'ended')),
    worker_id   text,
    sandbox_id  text,
    model       text,
    claude_version text,
    outcome     text,
    reason      text,
    exit_code   int,
    lines       bigint NOT NULL DEFAULT 0,
    bytes       bigint NOT NULL DEFAULT 0,
    cost_usd    double precision NOT NULL DEFAULT 0,
    starting_at timestamptz,
    started_at  timestamptz,
    ended_at    timestamptz,
    PRIMARY KEY (run_id, attempt)
);
COMMENT ON TABLE fleet.attempts IS 'One row an agent process.';

CREATE TABLE fleet.events (
    run_id        uuid NOT NULL,
    run_day       date NOT NULL,
    sequence      bigint NOT NULL,
    attempt       int NOT NULL,
    epoch         int NOT NULL,
    line          bigint,
    log_offset    bigint,
    type          text NOT NULL,
    time          timestamptz NOT NULL,
    tenant        text NOT NULL,
    tool          text,
    model         text,
    input_tokens  bigint,
    output_tokens bigint,
    cost_usd      double precision,
    data          json NOT NULL,
    PRIMARY KEY (run_id, sequence, run_day)
) PARTITION BY RANGE (run_day);
COMMENT ON TABLE fleet.events IS 'One row an event, partitioned by the run''s creation day, a constant of the run.';
COMMENT ON COLUMN fleet.events.sequence IS 'Per run, from 1, without holes, in log order: what readers page by.';
COMMENT ON COLUMN fleet.events.line IS 'Number of the line in its attempt''s output; NULL: an event of the fleet''s own.';
COMMENT ON COLUMN fleet.events.data IS 'As it came. json, not jsonb: jsonb refuses what tools can print. Cast through fleet.as_jsonb().';
CREATE TABLE fleet.events_default PARTITION OF fleet.events DEFAULT;

CREATE TABLE fleet.gaps (
    run_id     uuid NOT NULL,
    sequence   bigint NOT NULL,
    attempt    int NOT NULL,
    from_line  bigint NOT NULL,
    to_line    bigint NOT NULL,
    PRIMARY KEY (run_id, sequence)
);
COMMENT ON TABLE fleet.gaps IS 'Lines that are missing before the event of this sequence.';

CREATE TABLE fleet.quarantine (
    topic      text NOT NULL,
    partition  int NOT NULL,
    "offset"   bigint NOT NULL,
    reason     text NOT NULL,
    detail     text NOT NULL,
    key        bytea,
    value      bytea,
    headers    json,
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, "offset")
);
COMMENT ON TABLE fleet.quarantine IS 'Records the sink could not use, as they came; written in the transaction that passes them.';

CREATE TABLE fleet.sink_offsets (
    topic      text NOT NULL,
    partition  int NOT NULL,
    next       bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE fleet.sink_offsets IS 'The sink''s position: moved in the transaction that writes the rows, by compare-and-set.';

CREATE FUNCTION fleet.as_jsonb(j json) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN j::jsonb;
EXCEPTION WHEN untranslatable_character OR invalid_text_representation OR numeric_value_out_of_range THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.as_jsonb(json) IS 'The one guarded way from json to jsonb: NULL where jsonb refuses the text.';

CREATE FUNCTION fleet.ensure_day(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    part text := 'events_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF day < current_date - 400 OR day > current_date + 2 OR to_regclass('fleet.' || part) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('fleet.ensure_day'));
    IF to_regclass('fleet.' || part) IS NOT NULL
       OR EXISTS (SELECT FROM fleet.events_default WHERE run_day = day) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE fleet.%I (LIKE fleet.events INCLUDING ALL)', part);
    EXECUTE format('ALTER TABLE fleet.events ATTACH PARTITION fleet.%I FOR VALUES FROM (%L) TO (%L)',
                   part, day, day + 1);
    RETURN true;
END $$;
COMMENT ON FUNCTION fleet.ensure_day(date) IS
    'Makes the partition of a day, unless it is far from today or its rows already lie in the default one.';
