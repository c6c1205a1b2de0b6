-- SPDX-License-Identifier: Apache-2.0
-- A batch that was sealed a moment ago has runs that the sink has yet to see: it has not ended.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE door.batches ADD COLUMN marks jsonb;
COMMENT ON COLUMN door.batches.marks IS
    'How far its records reach: {"topic:partition": offset}, the furthest of each. NULL: it has none, or is older than this column.';

CREATE FUNCTION door.passed(marks jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (
        SELECT FROM jsonb_each_text(marks) AS m(place, reaches)
        LEFT JOIN fleet.sink_offsets AS o
               ON (o.topic, o.partition) = (split_part(m.place, ':', 1), split_part(m.place, ':', 2)::int)
        WHERE coalesce(o.next, 0) <= m.reaches::bigint)
$$;
COMMENT ON FUNCTION door.passed(jsonb) IS 'The sink has passed these places: it has seen all that stands up to them. Nothing was marked: true.';
