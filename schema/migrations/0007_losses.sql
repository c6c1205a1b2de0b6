-- SPDX-License-Identifier: Apache-2.0
-- Records that were gone from a topic before the sink had read them, and that somebody told it
-- to go on without (sandfleet-sink --accept-loss).
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE fleet.losses (
    topic       text NOT NULL,
    partition   int NOT NULL,
    from_offset bigint NOT NULL,
    to_offset   bigint NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, from_offset, at)
);
COMMENT ON TABLE fleet.losses IS 'Records that were never read: gone from the topic before the sink came to them.';
COMMENT ON COLUMN fleet.losses.topic IS 'Name of the topic.';
COMMENT ON COLUMN fleet.losses.partition IS 'Its partition.';
COMMENT ON COLUMN fleet.losses.from_offset IS 'The first one that was not read.';
COMMENT ON COLUMN fleet.losses.to_offset IS 'Where the sink went on. Lower than from_offset: the topic was made anew.';
COMMENT ON COLUMN fleet.losses.at IS 'When it went on.';

-- Longer events are compressed by the server: lz4 takes a fifth of pglz's time. Not every
-- server was built with it. What is stored stays as it is.
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT relid FROM pg_partition_tree('fleet.events') LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN data SET COMPRESSION lz4', part);
    END LOOP;
EXCEPTION WHEN feature_not_supported THEN
    RAISE NOTICE 'this server has no lz4: fleet.events keeps its compression';
END $$;

SELECT fleet.grant_readers();
