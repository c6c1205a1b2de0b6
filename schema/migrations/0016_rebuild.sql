-- SPDX-License-Identifier: Apache-2.0
-- The read model anew from the topics, beside the one that is read (docs/adr/0015-rebuilt-beside.md).
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

-- The partition brings its bounds as a check: it can be attached without being read.
DROP FUNCTION fleet.ensure_day(date);
CREATE FUNCTION fleet.ensure_day(day date, space name DEFAULT 'fleet') RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    part CONSTANT text := 'events_' || to_char(day, 'YYYYMMDD');
    taken boolean;
BEGIN
    IF day < current_date - 400 OR day > current_date + 2 OR to_regclass(format('%I.%I', space, part)) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('fleet.ensure_day'));
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.events_default WHERE run_day = %L)', space, day) INTO taken;
    IF taken OR to_regclass(format('%I.%I', space, part)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.events INCLUDING ALL,'
                   ' CONSTRAINT day CHECK (run_day >= %3$L AND run_day < %4$L))', space, part, day, day + 1);
    EXECUTE format('ALTER TABLE %1$I.events ATTACH PARTITION %1$I.%2$I FOR VALUES FROM (%3$L) TO (%4$L)',
                   space, part, day, day + 1);
    RETURN true;
END $$;
COMMENT ON FUNCTION fleet.ensure_day(date, name) IS
    'Makes the partition of a day, unless it is far from today or its rows already lie in the default one.';

-- The sink's tables. Sums are taken anew at the end; losses are nobody's word but an operator's.
CREATE FUNCTION fleet.rebuild_tables() RETURNS TABLE (name name, by_run boolean, parted boolean) LANGUAGE sql STABLE AS $$
    SELECT c.relname,
           c.relname <> 'sandboxes' AND EXISTS (SELECT FROM pg_attribute AS a
                                                WHERE a.attrelid = c.oid AND a.attname = 'run_id' AND NOT a.attisdropped),
           c.relkind = 'p'
    FROM pg_class AS c
    WHERE c.relnamespace = 'fleet'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname NOT IN ('batches', 'sessions', 'usage', 'losses')
    ORDER BY 1
$$;
COMMENT ON FUNCTION fleet.rebuild_tables() IS 'The tables that a rebuild fills; by_run: their rows belong to runs.';

CREATE FUNCTION fleet.rebuild_begin(version text, kinds text[], topics text[], partitions int[], lows bigint[], highs bigint[])
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t record;
BEGIN
    PERFORM FROM unnest(topics, partitions, highs) AS l(topic, partition, high)
    JOIN fleet.sink_offsets AS o USING (topic, partition)
    WHERE o.next > l.high;
    IF FOUND THEN
        RETURN 'shorter';
    END IF;
    IF NOT pg_try_advisory_lock(hashtext('fleet.rebuild')) THEN
        RETURN 'busy';
    END IF;
    IF obj_description(to_regnamespace('fleet_next'), 'pg_namespace') = version THEN
        PERFORM FROM unnest(topics, partitions, lows) AS l(topic, partition, low)
        LEFT JOIN fleet_next.log_start AS s USING (topic, partition)
        LEFT JOIN fleet_next.sink_offsets AS o USING (topic, partition)
        WHERE coalesce(o.next, s.low, -1) < l.low; -- the log was cut behind it
        IF NOT FOUND THEN
            RETURN 'resumed';
        END IF;
    END IF;
    DROP SCHEMA IF EXISTS fleet_next CASCADE;
    CREATE SCHEMA fleet_next;
    EXECUTE format('COMMENT ON SCHEMA fleet_next IS %L', version);
    FOR t IN SELECT * FROM fleet.rebuild_tables() LOOP
        EXECUTE format('CREATE TABLE fleet_next.%1$I (LIKE fleet.%1$I INCLUDING ALL)%2$s', t.name,
                       CASE WHEN t.parted THEN ' PARTITION BY RANGE (run_day)' END);
    END LOOP;
    CREATE TABLE fleet_next.events_default PARTITION OF fleet_next.events DEFAULT;
    CREATE TABLE fleet_next.log_start (kind text, topic text, partition int, low bigint, PRIMARY KEY (topic, partition));
    INSERT INTO fleet_next.log_start SELECT * FROM unnest(kinds, topics, partitions, lows);
    INSERT INTO fleet_next.sink_offsets (topic, partition, next)
        SELECT topic, partition, low FROM fleet_next.log_start WHERE low > 0;
    RETURN 'new';
END $$;
COMMENT ON FUNCTION fleet.rebuild_begin(text, text[], text[], int[], bigint[], bigint[]) IS
    'Makes the tables that a rebuild fills, or finds those of one that was interrupted. busy: another one is under way; shorter: a topic ends before the place up to which the tables have it.';

-- Runs that the topics cannot tell again from their beginning: they stay as they are.
CREATE FUNCTION fleet.rebuild_carried() RETURNS TABLE (run_id uuid, run_day date) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT r.run_id, r.run_day
    FROM fleet.runs AS r
    LEFT JOIN fleet_next.log_start AS e ON e.kind = 'events' AND e.partition = r.event_partition
    LEFT JOIN fleet_next.log_start AS q ON q.kind = r.lane AND q.partition = r.request_partition
    WHERE (r.sequence > 0 AND (e.low IS NULL OR r.event_offset < e.low))
       OR (r.created_at IS NOT NULL AND (q.low IS NULL OR r.request_offset < q.low));
END $$;
COMMENT ON FUNCTION fleet.rebuild_carried() IS 'Runs that begin below the log''s start.';

-- Rows first, while everybody reads; what readers have to wait for comes last and moves no rows.
CREATE FUNCTION fleet.rebuild_switch() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t record;
    fresh_days date[];
    carried_days date[];
    carries bigint;
BEGIN
    LOCK TABLE fleet.sink_offsets IN EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM fleet.sink_offsets AS o LEFT JOIN fleet_next.sink_offsets AS n USING (topic, partition)
               WHERE coalesce(n.next, 0) < o.next) THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = 'the new tables are behind the old ones';
    END IF;
    PERFORM fleet.derive_lock();
    CREATE TEMP TABLE carried ON COMMIT DROP AS SELECT * FROM fleet.rebuild_carried();
    ALTER TABLE carried ADD PRIMARY KEY (run_id);
    SELECT count(*), array_agg(DISTINCT c.run_day) INTO carries, carried_days FROM carried AS c;
    SELECT array_agg(DISTINCT r.run_day) INTO fresh_days
    FROM (SELECT run_id, run_day FROM fleet.runs UNION ALL SELECT run_id, run_day FROM fleet_next.runs) AS r
    WHERE NOT EXISTS (SELECT FROM carried AS c WHERE c.run_id = r.run_id);

    -- sandboxes that a carried run had: what is told of them in the topics is not all
    CREATE TEMP TABLE boxes ON COMMIT DROP AS
        SELECT s.sandbox_id FROM fleet.sandboxes AS s
        WHERE carries > 0
          AND (NOT EXISTS (SELECT FROM fleet_next.sandboxes AS n WHERE n.sandbox_id = s.sandbox_id)
               OR EXISTS (SELECT FROM carried AS c WHERE c.run_id = s.run_id)
               OR EXISTS (SELECT FROM fleet.attempts AS a JOIN carried AS c USING (run_id) WHERE a.sandbox_id = s.sandbox_id));
    DELETE FROM fleet.sandboxes AS s WHERE NOT EXISTS (SELECT FROM boxes AS b WHERE b.sandbox_id = s.sandbox_id);
    INSERT INTO fleet.sandboxes SELECT * FROM fleet_next.sandboxes ON CONFLICT DO NOTHING;

    DELETE FROM fleet.quarantine AS q USING fleet_next.log_start AS s
        WHERE (q.topic, q.partition) = (s.topic, s.partition) AND q."offset" >= s.low;
    INSERT INTO fleet.quarantine SELECT * FROM fleet_next.quarantine ON CONFLICT DO NOTHING;

    ALTER TABLE fleet.runs DISABLE TRIGGER added;
    ALTER TABLE fleet.runs DISABLE TRIGGER gone;
    FOR t IN SELECT * FROM fleet.rebuild_tables() WHERE by_run AND NOT parted LOOP
        EXECUTE format('DELETE FROM fleet.%1$I AS o WHERE NOT EXISTS (SELECT FROM carried AS c WHERE c.run_id = o.run_id)', t.name);
        EXECUTE format('INSERT INTO fleet.%1$I SELECT n.* FROM fleet_next.%1$I AS n'
                       ' WHERE NOT EXISTS (SELECT FROM carried AS c WHERE c.run_id = n.run_id)', t.name);
    END LOOP;
    ALTER TABLE fleet.runs ENABLE TRIGGER added;
    ALTER TABLE fleet.runs ENABLE TRIGGER gone;

    -- events: days of which nothing can be told again stay as they are
    DELETE FROM fleet_next.events AS n USING carried AS c WHERE n.run_id = c.run_id;
    INSERT INTO fleet_next.events SELECT o.* FROM fleet.events AS o JOIN carried AS c USING (run_id)
        WHERE o.tableoid = 'fleet.events_default'::regclass OR o.run_day = ANY (fresh_days);
    PERFORM fleet.derive_all();
    PERFORM fleet.rebuild_switch_events(carried_days, fresh_days);
    DROP SCHEMA fleet_next CASCADE;
    RETURN format('%s runs anew, %s carried over', (SELECT count(*) FROM fleet.runs) - carries, carries);
END $$;
COMMENT ON FUNCTION fleet.rebuild_switch() IS 'Puts the rebuilt rows in the place of the old ones, and drops fleet_next.';

CREATE FUNCTION fleet.rebuild_switch_events(carried_days date[], fresh_days date[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part record;
BEGIN
    DELETE FROM fleet.events_default;
    FOR part IN
        SELECT c.relname AS name, c.relnamespace = 'fleet'::regnamespace AS old,
               to_date(right(c.relname, 8), 'YYYYMMDD') AS day
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('fleet.events'::regclass, 'fleet_next.events'::regclass) AND c.relname <> 'events_default'
        ORDER BY old DESC, name -- an old one makes room for a new one
    LOOP
        CONTINUE WHEN part.day = ANY (carried_days) AND (part.day = ANY (fresh_days)) IS NOT TRUE
                      AND to_regclass(format('fleet.%I', part.name)) IS NOT NULL;
        IF part.old THEN
            EXECUTE format('DROP TABLE fleet.%I', part.name);
        ELSE
            EXECUTE format('ALTER TABLE fleet_next.events DETACH PARTITION fleet_next.%I', part.name);
            EXECUTE format('ALTER TABLE fleet_next.%I SET SCHEMA fleet', part.name);
            EXECUTE format('ALTER TABLE fleet.events ATTACH PARTITION fleet.%I FOR VALUES FROM (%L) TO (%L)',
                           part.name, part.day, part.day + 1);
        END IF;
    END LOOP;
    INSERT INTO fleet.events SELECT * FROM fleet_next.events_default;
END $$;
COMMENT ON FUNCTION fleet.rebuild_switch_events(date[], date[]) IS 'The part of rebuild_switch() that readers wait for.';
