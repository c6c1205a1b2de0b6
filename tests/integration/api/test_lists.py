# SPDX-License-Identifier: Apache-2.0
"""Promise: a list gives each row of the tenant that was asked for once, in order, page by page, with
any filter; a cursor of another list, other filters or another tenant is refused; and a page costs
the same however much there is: no table of 100,000 rows is read through.

A real sandfleet-api over rows that the test wrote; Postgres' own counters say what was read."""
import hashlib
import json
import pathlib
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from door import Door

MANY = 100000
# what a page may read: its rows, those of a state or two that were not wanted, what joins to them
READS_MAX = 4000

FEW = """
INSERT INTO fleet.runs (run_id, run_day, tenant, lane, batch_id, custom_id, session_id, project_id, user_id, template,
    model, credential, state, outcome, created_at, ended_at, sequence, ended, tags, metadata)
SELECT ('01990000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, '2026-11-01', 'few',
    CASE WHEN i % 4 = 0 THEN 'interactive' ELSE 'batch' END, 'b' || i % 3, 'c' || i % 50, 's' || i % 7,
    'p' || i % 2, 'u' || i % 5, 'claude', (ARRAY['claude-opus[1m]', 'opus', NULL])[i % 3 + 1], 'default',
    (ARRAY['queued', 'running', 'completed', 'completed', 'failed', 'expired'])[i % 6 + 1],
    (ARRAY[NULL, NULL, 'success', 'success', 'max_turns', 'expired'])[i % 6 + 1],
    CASE WHEN i % 40 <> 0 THEN timestamptz '2026-11-01 10:00:00Z' + (i / 9) * interval '1 ms' END,
    CASE WHEN i % 6 > 1 THEN timestamptz '2026-11-01 11:00:00Z' + (i / 4) * interval '1 ms' END, 7, i % 6 > 1,
    (ARRAY['{a/1,even,even}', '{b}', '{}', NULL, '{a/1}'])[i % 5 + 1]::text[],
    CASE WHEN i % 5 > 0 THEN json_build_object('team', (ARRAY['infra', 'web, "a" \\ {b}'])[i % 2 + 1], 'n', i % 4, 'at', (i % 4 / 4.0)::float,
        'on', i % 3 = 0, 'none', NULL, 'in', json_build_object('team', 'infra'), ']é&', '1=2', '', 'x',
        'long', repeat('é', 255 + i % 2), repeat('k', 127 + i % 4), 'k') END
FROM generate_series(1, 240) AS i;
"""

# Rows as a large installation has them: nearly all have ended well; ids are in no order.
LARGE = f"""
SELECT fleet.ensure_day('2026-11-01');
ALTER TABLE fleet.runs DISABLE TRIGGER USER;
INSERT INTO fleet.runs (run_id, run_day, tenant, lane, batch_id, custom_id, session_id, project_id, user_id, template,
    model, credential, prompt, state, hold_reason, fairness_key, outcome, created_at, ended_at, sequence, ended, metadata)
SELECT gen_random_uuid(), '2026-11-01', 'many', CASE WHEN i % 10 = 0 THEN 'interactive' ELSE 'batch' END,
    'b' || i % 10, 'c' || i, CASE WHEN i % 1000 = 0 THEN 's' || i % 3000 END, 'p' || i % 1000, 'u' || i % 5000,
    'claude', CASE WHEN i % 5000 = 7 THEN 'rare' ELSE 'opus' END, 'default', repeat('x', 300),
    CASE WHEN i % 5000 = 0 THEN 'failed' WHEN i % 5000 = 1 THEN 'running' ELSE 'completed' END, NULL, NULL,
    CASE WHEN i % 5000 = 0 THEN 'max_turns' WHEN i % 5000 <> 1 THEN 'success' END,
    timestamptz '2026-11-01 10:00:00Z' + (i / 10) * interval '1 ms',
    CASE WHEN i % 5000 <> 1 THEN timestamptz '2026-11-01 11:00:00Z' + (i / 10) * interval '1 ms' END, 7, i % 5000 <> 1,
    CASE WHEN i % 2 = 0 THEN json_build_object('job', i, 'team', 't' || i % 1000, 'even', true) END
FROM generate_series(1, {MANY}) AS i;
INSERT INTO fleet.run_labels SELECT label, run_id FROM fleet.runs, unnest(fleet.labels(tenant, metadata)) AS label WHERE tenant = 'many';
INSERT INTO fleet.runs (run_id, run_day, tenant, lane, template, credential, prompt, state, hold_reason, fairness_key,
    created_at, sequence, ended)
SELECT gen_random_uuid(), '2026-11-02', 'waits', CASE WHEN i % 10 = 0 THEN 'interactive' ELSE 'batch' END,
    'claude', 'default', repeat('x', 300), CASE WHEN i % 2 = 0 THEN 'queued' ELSE 'held' END,
    CASE WHEN i % 2 = 1 THEN (ARRAY['no_slot', 'usage_limit'])[i % 4 / 2 + 1] END, 'k' || i % 5,
    timestamptz '2026-11-02 10:00:00Z' + i * interval '1 ms', 0, false
FROM generate_series(1, {MANY}) AS i;
ALTER TABLE fleet.runs ENABLE TRIGGER USER;
INSERT INTO fleet.sandboxes (sandbox_id, tenant, template, run_id, used_at, state, since)
SELECT 'sb' || i, 'many', 'claude', gen_random_uuid(), timestamptz '2026-11-01 10:00:00Z' + i * interval '1 ms',
    CASE WHEN i % 20000 = 0 THEN 'parked' ELSE 'ended' END, timestamptz '2026-11-01 10:00:00Z'
FROM generate_series(1, {MANY}) AS i;
INSERT INTO fleet.sessions (tenant, session_id, runs, open_runs, last_run_id, last_state, cost_usd, first_run_at, last_active_at)
SELECT 'many', 's' || i, 1, 0, gen_random_uuid(), 'completed', 0, timestamptz '2026-11-01 10:00:00Z',
    timestamptz '2026-11-01 10:00:00Z' + i * interval '1 ms'
FROM generate_series(1, {MANY}) AS i;
INSERT INTO fleet.batches
SELECT 'many', 'b' || i, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    timestamptz '2026-11-01 10:00:00Z' + i * interval '1 ms'
FROM generate_series(1, {MANY}) AS i;
INSERT INTO door.batches (tenant, batch_id, created_at)
SELECT 'many', 'b' || i * 2, timestamptz '2026-11-01 10:00:00Z' + i * 2 * interval '1 ms' - interval '500 us'
FROM generate_series(1, {MANY}) AS i;
INSERT INTO fleet.quarantine (topic, partition, "offset", reason, detail, key, value, headers, at)
SELECT 'runs.dlq', i % 4, i, CASE WHEN i % 5000 = 0 THEN 'conflict' ELSE 'unknown_field' END, 'x', 'k', 'v', '{{}}',
    timestamptz '2026-11-01 10:00:00Z' + i / 10 * interval '1 ms'
FROM generate_series(1, {MANY}) AS i;
INSERT INTO fleet.events (run_id, run_day, sequence, attempt, epoch, line, log_offset, type, time, tenant, data)
SELECT '01990000-0000-7000-8000-000000000003', '2026-11-01', i, 1 + i / 50001, 1,
    CASE WHEN i % 10000 <> 1 THEN i END, i * 20, CASE WHEN i % 10000 = 1 THEN 'sandfleet.run.held'
    ELSE 'sandfleet.agent.text' END, timestamptz '2026-11-01 10:00:00Z', 'few', '{{"text":"hello","reason":"x"}}'
FROM generate_series(1, {MANY}) AS i;
"""


META = "metadata ->>"
NUMBER = "right(run_id::text, 12)::int"


def walk(door, target, tenant, limit, **query):
    """All rows of a list, page by page, asked for with this limit."""
    rows, cursor = [], None
    for _ in range(1000):
        asked = {**query, "limit": limit, "tenant": tenant, **({"cursor": cursor} if cursor else {})}
        page = door.ask("GET", f"{target}?{urllib.parse.urlencode(asked, doseq=True)}", door.admin)
        assert page.status == 200, page
        page = page.json()
        assert len(page["data"]) <= limit
        rows += page["data"]
        cursor = page["next_cursor"]
        if not cursor:
            return rows
    raise AssertionError(f"{target} does not end")


def ids(rows, name="run_id"):
    return [row[name] for row in rows]


def wanted(door, where, order="DESC"):
    return door.db.ask(f"SELECT run_id FROM fleet.runs WHERE tenant = 'few' AND {where} ORDER BY"
                       f" coalesce(created_at, 'infinity') {order}, run_id {order}").split()


def each_row_once_in_order(door):
    cases = [({}, "true"), ({"state": "completed"}, "state = 'completed'"),
             ({"state": "queued,failed,expired"}, "state IN ('queued', 'failed', 'expired')"),
             ({"state": "failed,failed"}, "state = 'failed'"), ({"state": "held"}, "false"),
             ({"outcome": "max_turns"}, "outcome = 'max_turns'"), ({"batch_id": "b1"}, "batch_id = 'b1'"),
             ({"session_id": "s3"}, "session_id = 's3'"), ({"custom_id": "c7"}, "custom_id = 'c7'"),
             ({"project_id": "p1"}, "project_id = 'p1'"), ({"user_id": "u4"}, "user_id = 'u4'"),
             ({"model": "claude-opus[1m]"}, "model = 'claude-opus[1m]'"), ({"model": "opus", "user_id": "u1"}, "model = 'opus' AND user_id = 'u1'"),
             ({"metadata": "team=infra"}, f"{META} 'team' = 'infra'"), ({"metadata": 'team=web, "a" \\ {b}'}, f"{META} 'team' LIKE 'web%'"),
             ({"metadata": ["n=3", 'team=web, "a" \\ {b}'], "state": "queued,failed"},
              f"{META} 'n' = '3' AND {META} 'team' LIKE 'web%' AND state IN ('queued', 'failed')"),
             ({"metadata": "at=0.25"}, f"{META} 'at' = '0.25'"),
             ({"metadata": "on=true"}, f"{META} 'on' = 'true'"), ({"metadata": "]é&=1=2"}, "metadata IS NOT NULL"),
             ({"metadata": "long=" + "é" * 256}, "metadata IS NOT NULL AND i % 2 = 1".replace("i %", f"{NUMBER} %")),
             ({"metadata": "k" * 128 + "=k"}, f"metadata IS NOT NULL AND {NUMBER} % 4 = 1"),
             ({"metadata": 'in={"team" : "infra"}'}, "false"), ({"metadata": "none="}, "false"), ({"metadata": "team=INFRA"}, "false"),
             ({"metadata": "none=null"}, "false"), ({"metadata": ["team=infra", "n=3"]}, "false"),
             ({"metadata": ["n=3", "n=3"]}, f"{META} 'n' = '3'"), ({"metadata": ["n=3", "n=1"]}, "false"),
             ({"tag": "a/1"}, "'a/1' = ANY (tags)"), ({"tag": ["even", "a/1", "even"], "state": "failed"}, "'even' = ANY (tags) AND state = 'failed'"),
             ({"tag": "b", "metadata": "team=infra"}, f"'b' = ANY (tags) AND {META} 'team' = 'infra'"), ({"tag": ["a/1", "b"]}, "false"),
             ({"tag": "B"}, "false"), ({"lane": "interactive"}, "lane = 'interactive'"),
             ({"created_after": "2026-11-01T10:00:00.010Z"}, "coalesce(created_at, 'infinity') >= '2026-11-01 10:00:00.010Z'"),
             ({"created_before": "2026-11-01T11:00:00.010+01:00"}, "created_at < '2026-11-01 10:00:00.010Z'"),
             ({"state": "completed,failed", "batch_id": "b2", "lane": "batch", "created_after": "2026-11-01T10:00:00Z"},
              "state IN ('completed', 'failed') AND batch_id = 'b2' AND lane = 'batch'")]
    for query, where in cases:
        for order, limit in (("desc", 7), ("asc", 200)) if "metadata" in query or "tag" in query else (("desc", 200), ("asc", 7)):
            got = ids(walk(door, "/v1/runs", "few", limit, order=order, **query))
            assert got == wanted(door, where, order.upper()), (query, order, limit, len(got))
    assert len(walk(door, "/v1/runs", "few", 50)) == 240
    assert walk(door, "/v1/runs", "nobody", 50) == []
    answer = door.ask("GET", "/v1/runs?tenant=few", door.admin).json()
    assert len(answer["data"]) == 50, "the default"


def labels_follow_their_run(door):
    run = "01990000-0000-7000-8000-00000000ffff"

    def found(tenant, key, value):
        return ids(walk(door, "/v1/runs", tenant, 50, metadata=f"{key}={value}")) == [run]

    door.db.ask(f"INSERT INTO fleet.runs (run_id, run_day, tenant) VALUES ('{run}', '2026-11-01', 'first')")
    assert not found("first", "a", "1")
    # an event came before the request; another one said whose it is
    door.db.ask(f"""UPDATE fleet.runs SET metadata = '{{"a":1}}' WHERE run_id = '{run}'""")
    assert found("first", "a", "1") and not found("second", "a", "1")
    door.db.ask(f"UPDATE fleet.runs SET tenant = 'second' WHERE run_id = '{run}'")
    assert found("second", "a", "1") and not found("first", "a", "1")
    labels = "SELECT string_agg(label, ',' ORDER BY label) FROM fleet.run_labels WHERE run_id = "
    assert door.db.ask(f"{labels}'{run}'") == "second 1:a=1"
    door.db.ask(f"DELETE FROM fleet.runs WHERE run_id = '{run}'")
    assert door.db.ask(f"{labels}'{run}'") == ""
    door.db.ask(f"INSERT INTO fleet.runs (run_id, run_day, tenant) VALUES ('{run}', '2026-11-01', 'first')")
    door.db.ask(f"UPDATE fleet.runs SET tags = '{{t,t}}' WHERE run_id = '{run}'")
    assert ids(walk(door, "/v1/runs", "first", 50, tag="t")) == [run] and walk(door, "/v1/runs", "second", 50, tag="t") == []
    door.db.ask(f"DELETE FROM fleet.runs WHERE run_id = '{run}'")
    assert door.db.ask(f"{labels}'{run}'") == ""
    # what Postgres cannot take for a text is no label, and no error; nor is the 65th
    many = json.dumps({f"k{i:02}": i for i in range(65)})
    noise = "".join(hashlib.sha256(b"%d" % i).hexdigest() for i in range(200))  # more than an index takes
    for metadata, count in ((json.dumps({noise: "v", "b": noise}), 0), (r'{"a":"\u0000"}', 0), (r'{"a":"\ud800"}', 0), (many, 64)):
        door.db.ask(f"""INSERT INTO fleet.runs (run_id, run_day, tenant, metadata) VALUES ('{run}', '2026-11-01', 'first', '{metadata}');
SELECT 1 / (count(*) = {count})::int FROM fleet.run_labels WHERE run_id = '{run}';
DELETE FROM fleet.runs WHERE run_id = '{run}'""")


def what_a_row_has(door):
    run = door.ask("GET", "/v1/runs?tenant=few&custom_id=c4&state=failed&limit=1", door.admin).json()["data"][0]
    expected = {"tenant": "few", "template": "claude", "model": "opus", "credential": "default", "state": "failed",
                "outcome": "max_turns", "reason": None, "attempt": 0, "cost_usd": 0, "last_sequence": 7,
                "usage": {"input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 0}}
    assert {name: run[name] for name in expected} == expected, run
    assert run["created_at"].startswith("2026-11-01T10:00:00.0") and run["created_at"].endswith("Z"), run
    assert run["started_at"] is None, run
    # what a worker may have written, and JSON has no word for
    door.db.ask(f"UPDATE fleet.runs SET cost_usd = 'NaN', sandbox_cost_usd = 'Infinity' WHERE run_id = '{run['run_id']}'")
    again = json.loads(door.ask("GET", f"/v1/runs/{run['run_id']}?tenant=few", door.admin).body,
                       parse_constant=lambda word: 1 / 0)
    assert (again["cost_usd"], again["sandbox_cost_usd"]) == (0, 0), again


def refused(door):
    first = door.ask("GET", "/v1/runs?tenant=few&limit=10&state=completed", door.admin).json()["next_cursor"]
    assert first and len(first) <= 512
    assert door.ask("GET", f"/v1/runs?tenant=few&limit=3&state=completed&cursor={first}", door.admin).status == 200
    for query in (f"tenant=few&cursor={first}", f"tenant=many&state=completed&cursor={first}",
                  f"tenant=few&state=failed&cursor={first}", f"tenant=few&state=completed&order=asc&cursor={first}",
                  f"tenant=few&state=completed&cursor={first[:-1]}", f"tenant=few&state=completed&cursor={first}A",
                  "tenant=few&state=completed&cursor=", "cursor=garbage", "cursor=%00", "cursor=%ff" + "A" * 40):
        door.ask("GET", f"/v1/runs?{query}", door.admin).problem(400, "invalid_cursor")
    by = "tenant=few&limit=3&metadata=n=1&metadata=on=true"
    second = door.ask("GET", f"/v1/runs?{by}", door.admin).json()["next_cursor"]
    assert door.ask("GET", f"/v1/runs?tenant=few&metadata=on%3Dtrue&metadata=n=1&cursor={second}", door.admin).status == 200
    for query in (f"{by.replace('n=1', 'n=2')}&cursor={second}", f"{by}&metadata=at=0&cursor={second}", f"{by}&model=opus&cursor={second}", f"{by}&tag=a&cursor={second}",
                  f"tenant=few&metadata=n=1&cursor={second}", f"{by.replace('few', 'many')}&cursor={second}"):
        door.ask("GET", f"/v1/runs?{query}", door.admin).problem(400, "invalid_cursor")
    door.ask("GET", f"/v1/sessions?tenant=few&cursor={first}", door.admin).problem(400, "invalid_cursor")
    for target in ("/v1/runs?limit=0", "/v1/runs?limit=201", "/v1/runs?limit=x", "/v1/runs?state=", "/v1/runs?state=done",
                   "/v1/runs?state=failed,", "/v1/runs?lane=fast", "/v1/runs?outcome=No", "/v1/runs?batch_id=-x",
                   "/v1/runs?batch_id=" + "x" * 129, "/v1/runs?created_after=yesterday", "/v1/runs?order=up",
                   "/v1/runs?created_before=2026-11-01", "/v1/runs?colour=red", "/v1/sessions?order=asc",
                   "/v1/runs?model=", "/v1/runs?model=a%20b", "/v1/runs?model=" + "x" * 129, "/v1/runs?model=%C3%A9",
                   "/v1/runs?model=a&model=b", "/v1/runs?metadata=a", "/v1/runs?tag=", "/v1/runs?tag=a%20b", "/v1/runs?tag=" + "x" * 129, "/v1/batches?tag=a",
                   "/v1/runs?" + "&".join(f"tag={i}" for i in range(9)), "/v1/runs?metadata=", "/v1/runs?metadata==a",
                   "/v1/runs?metadata=a=" + "x" * 257, "/v1/runs?metadata=%00=1",
                   "/v1/runs?metadata=" + "x" * 129 + "=1", "/v1/runs?metadata=a=%ff", "/v1/sessions?metadata=a=1",
                   "/v1/runs?metadata*=a=1", "/v1/runs?" + "&".join(f"metadata={i}=1" for i in range(9)),
                   "/v1/batches?state=failed", "/v1/sandboxes?state=queued", "/v1/dlq?reason=X", "/v1/stats?scope=world"):
        door.ask("GET", target, door.admin).problem(400, "invalid_parameter")
    told = door.ask("GET", "/v1/batches?state=failed", door.admin).problem(400, "invalid_parameter")["detail"]
    assert told == "state is one or more of these, with commas between them: open, in_progress, cancelling, ended", told


def batches_of_both_doors(door):
    door.db.ask("""
INSERT INTO door.batches (tenant, batch_id, created_at, sealed_at, metadata, retry_of) VALUES
    ('few', 'b1', '2026-11-01 09:00:00Z', '2026-11-01 10:30:00Z', '{"by":"cron"}', 'b0'),
    ('few', 'empty', '2026-11-01 12:00:00Z', NULL, NULL, NULL),
    ('few', 'sealed', '2026-11-01 13:00:00.000001Z', '2026-11-01 13:30:00Z', NULL, NULL),
    ('few', 'asked', '2026-11-01 13:00:00.000002Z', NULL, NULL, NULL);
INSERT INTO ledger.cancellations (tenant, batch_id) VALUES ('few', 'asked'), ('other', 'b0');""")
    for limit in (1, 2, 50):
        rows = walk(door, "/v1/batches", "few", limit)
        assert ids(rows, "batch_id") == ["asked", "sealed", "empty", "b2", "b0", "b1"], (limit, ids(rows, "batch_id"))
    states = {row["batch_id"]: row["state"] for row in rows}
    assert states == {"asked": "cancelling", "sealed": "ended", "empty": "open", "b2": "ended",
                      "b0": "in_progress", "b1": "in_progress"}, states
    assert ids(walk(door, "/v1/batches", "few", 1, state="open,ended"), "batch_id") == ["sealed", "empty", "b2"]
    one = door.ask("GET", "/v1/batches/b1?tenant=few", door.admin).json()
    assert one == rows[-1] and one["metadata"] == {"by": "cron"} and one["retry_of"] == "b0", one
    assert one["runs"] == 80 and sum(one["counts"].values()) == 80 and one["counts"]["failed"] == 40, one
    assert one["created_at"] == "2026-11-01T09:00:00.000Z" and one["ended_at"] is None, one
    sealed = door.ask("GET", "/v1/batches/sealed?tenant=few", door.admin).json()
    assert sealed["runs"] == 0 and sealed["ended_at"] == "2026-11-01T13:30:00.000Z", sealed
    door.db.ask("DELETE FROM door.batches; DELETE FROM ledger.cancellations")


# --- what it costs -------------------------------------------------------------------


def counters(door):
    rows = door.db.ask("SELECT schemaname || '.' || relname, seq_scan, coalesce(seq_tup_read, 0) +"
                       " coalesce(idx_tup_fetch, 0), coalesce(idx_scan, 0) FROM pg_stat_user_tables").split("\n")
    return {name: tuple(map(int, numbers)) for name, *numbers in (row.split("|") for row in rows)}


def read_by(door, target, key):
    """What one question read, once the server has counted it: (table, scans of all of it, rows)."""
    before = counters(door)
    answer = door.ask("GET", target, key)
    assert answer.status == 200, (target, answer)

    def counted():  # by a server process that is told of its own reads when another question ends
        door.ask("GET", "/v1/limits", door.admin)
        now = counters(door)
        return now if any(now[name][1:] != before[name][1:] for name in now if name in LARGE_TABLES) else None

    now = door.wait(counted, f"counters of {target}")
    return {name: (now[name][0] - before[name][0], now[name][1] - before[name][1]) for name in LARGE_TABLES}, answer


LARGE_TABLES = ("fleet.runs", "fleet.run_labels", "fleet.sandboxes", "fleet.sessions", "fleet.batches", "door.batches",
                "fleet.quarantine", "fleet.events_20261101", "fleet.events_default")


# So few rows are looked at that a rare word is not among them: the planner takes all rows to have the others.
RARE_UNSEEN = "".join(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 1; ANALYZE {table} ({column});"
                      for table, column in (("fleet.sandboxes", "state"), ("fleet.runs", "state"), ("fleet.runs", "outcome")))


def no_table_is_read_through(door):
    door.db.ask(LARGE)
    vacuum(door)
    door.db.ask(RARE_UNSEEN)
    assert int(door.db.ask("SELECT count(*) FROM fleet.runs")) >= 2 * MANY
    runs = "/v1/runs?tenant=many&limit=100"
    middle = door.ask("GET", runs, door.admin).json()["next_cursor"]
    log = "/v1/runs/01990000-0000-7000-8000-000000000003"
    for target in (runs, f"{runs}&cursor={middle}", f"{runs}&order=asc", f"{runs}&state=completed", f"{runs}&state=failed",
                   f"{runs}&state=running,failed,held", f"{runs}&outcome=max_turns", f"{runs}&batch_id=b3",
                   f"{runs}&batch_id=b3&state=completed", f"{runs}&session_id=s1000", f"{runs}&custom_id=c77",
                   f"{runs}&project_id=p5", f"{runs}&user_id=u77", f"{runs}&lane=interactive",
                   f"{runs}&model=opus", f"{runs}&model=rare", f"{runs}&model=none", f"{runs}&metadata=even=true",
                   f"{runs}&metadata=team=t500", f"{runs}&metadata=job=77776", f"{runs}&metadata=job=77777",
                   f"{runs}&metadata=even=true&metadata=team=t4&state=completed", f"{runs}&metadata=team=t4&order=asc",
                   f"{runs}&created_after=2026-11-01T10:00:09.990Z", f"{runs}&created_before=2026-11-01T10:00:05Z",
                   "/v1/sessions?tenant=many&limit=100", "/v1/sandboxes?tenant=many&limit=100",
                   "/v1/sandboxes?tenant=many&state=parked,busy", "/v1/batches?tenant=many&limit=100",
                   "/v1/batches?tenant=many&state=in_progress", "/v1/batches/b77?tenant=many",
                   "/v1/dlq?limit=100", "/v1/dlq?reason=conflict", "/v1/dlq/runs.dlq-1-77777",
                   f"{log}/explain?tenant=few"):
        reads, answer = read_by(door, target, door.admin)
        for table, (scans, rows) in reads.items():
            assert scans == 0 and rows <= READS_MAX, (target, table, scans, rows)
    assert len(answer.json()["history"]) == 10, answer
    # what waits is counted in its index: no row of the table
    for target in ("/v1/stats?tenant=waits", "/v1/stats?scope=fleet"):
        before = counters(door)
        stats = door.ask("GET", target, door.admin).json()
        assert stats["queued"] >= 75000 and stats["held"] == 25000, stats
        assert stats["reasons"]["usage_limit"] == 25000 and stats["reasons"]["no_slot"] == 25000, stats
        assert len([g for g in stats["groups"] if g["key"][0] == "k"]) == 6, stats
        for _ in range(3):
            door.wait(lambda: door.ask("GET", "/v1/limits", door.admin).status == 200, "limits")
        now = counters(door)
        assert now["fleet.runs"][0] == before["fleet.runs"][0], "all of fleet.runs was read"


def vacuum(door):
    import subprocess
    import database
    for table in LARGE_TABLES:
        if door.db.ask(f"SELECT to_regclass('{table}') IS NOT NULL") == "t":
            subprocess.run([database.PSQL, "-X", "-q", door.db.conninfo, "-c", f"VACUUM ANALYZE {table}"], check=True)


def main():
    with Door("--database-connections", "1", "--query-timeout", "60s") as door:
        door.admin = door.key("--scope", "admin")
        door.db.ask(FEW)
        for case in (each_row_once_in_order, labels_follow_their_run, what_a_row_has, refused, batches_of_both_doors, no_table_is_read_through):
            case(door)
            print("ok", case.__name__, flush=True)


main()
