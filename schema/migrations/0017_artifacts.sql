-- SPDX-License-Identifier: Apache-2.0
-- What of a run was stored, and where: as the events tell it. Stored again under the same key by a
-- later owner, the newer word counts.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE VIEW fleet.artifacts AS
SELECT DISTINCT ON (e.run_day, e.run_id, e.attempt, d.info ->> 'name')
       e.run_day, e.run_id, e.tenant, e.attempt, d.info ->> 'name' AS name,
       fleet.as_number(d.info -> 'bytes')::bigint AS bytes,
       fleet.as_number(d.info -> 'files')::bigint AS files,
       d.info ->> 'sha256' AS sha256, d.info ->> 'location' AS location, e.time AS stored_at
FROM fleet.events AS e
CROSS JOIN LATERAL (SELECT fleet.as_jsonb(e.data) AS info) AS d
WHERE e.type = 'sandfleet.artifact.stored'
ORDER BY e.run_day, e.run_id, e.attempt, d.info ->> 'name', e.sequence DESC;

COMMENT ON VIEW fleet.artifacts IS
    'What was stored of each attempt. Reads the events'' data: name the run, or the days.';
COMMENT ON COLUMN fleet.artifacts.run_day IS 'UTC day of the run''s creation.';
COMMENT ON COLUMN fleet.artifacts.run_id IS 'The run.';
COMMENT ON COLUMN fleet.artifacts.tenant IS 'Its tenant.';
COMMENT ON COLUMN fleet.artifacts.attempt IS 'The attempt whose agent left it.';
COMMENT ON COLUMN fleet.artifacts.name IS 'artifacts.tar.gz: what the globs name; output.ndjson: the agent''s raw output.';
COMMENT ON COLUMN fleet.artifacts.bytes IS 'Its size in the store.';
COMMENT ON COLUMN fleet.artifacts.files IS 'How many files are in it; null: it is one itself.';
COMMENT ON COLUMN fleet.artifacts.sha256 IS 'Of what is in the store, in hexadecimal digits.';
COMMENT ON COLUMN fleet.artifacts.location IS 'Where it is: file: or s3: and the place.';
COMMENT ON COLUMN fleet.artifacts.stored_at IS 'When it was stored, by the worker''s clock.';

SELECT fleet.grant_readers();
