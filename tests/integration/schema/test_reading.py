# SPDX-License-Identifier: Apache-2.0
"""Promise: `sandfleet events` gives a run's events by sequence, in pages that fit together, and tells
every gap; `sandfleet retention` drops the events of old runs and nothing else, and waits for nobody.
Proof: the real program on a real server; rows made by hand; a reader that holds on to a day."""
import json
import subprocess
import unittest

from database import BIN, PSQL, Database, migrate

RUN, OLD, EDGE = (f"01990000-0000-7000-8000-00000000000{i}" for i in "123")
EVENTS = 700  # some pages of the program's own

ROWS = f"""
CREATE FUNCTION public.tell(id uuid, day date, n int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO fleet.runs (run_id, run_day, tenant, state, ended, cost_usd, sequence)
        VALUES (id, day, 'acme', 'completed', true, 0.5, n);
    INSERT INTO fleet.attempts (run_id, attempt, state) VALUES (id, 1, 'ended');
    SELECT fleet.ensure_day(day);
    INSERT INTO fleet.events (run_id, run_day, sequence, attempt, epoch, line, type, time, tenant, tool, data)
        SELECT id, day, i, 1, 1, nullif(i, 1), CASE i WHEN 1 THEN 'sandfleet.attempt.started' ELSE 'sandfleet.agent.tool_use' END,
               timestamptz '2026-11-21T10:00:00Z' + i * interval '1 ms', 'acme', CASE WHEN i > 1 THEN E'B\x1b[31m' END,
               ('{{"n":' || i || ',' || chr(10) || '"s":"\\u0007é"}}')::json
        FROM generate_series(1, n) AS i;
$$;
SELECT tell('{RUN}', (now() AT TIME ZONE 'UTC')::date, {EVENTS});
SELECT tell('{OLD}', (now() AT TIME ZONE 'UTC')::date - 31, 5);
SELECT tell('{EDGE}', (now() AT TIME ZONE 'UTC')::date - 30, 5);
INSERT INTO fleet.gaps VALUES ('{RUN}', 7, 1, 7, 9), ('{OLD}', 2, 1, 2, 2);
INSERT INTO fleet.events (run_id, run_day, sequence, attempt, epoch, type, time, tenant, data)
    SELECT run_id, '2001-01-01', 1, 1, 1, type, time, tenant, data FROM fleet.events WHERE (run_id, sequence) = ('{OLD}', 1);
INSERT INTO fleet.quarantine (topic, partition, "offset", reason, detail, at)
    VALUES ('t', 0, 1, 'malformed', 'x', now() - interval '40 days'), ('t', 0, 2, 'malformed', 'x', now());
"""


def made():
    db = Database()
    migrate(db.conninfo)
    db.ask(ROWS)
    return db


class Client(unittest.TestCase):
    def run_client(self, *words, status=0):
        done = subprocess.run([BIN / "sandfleet", *words, "--database", self.db.conninfo], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def lines(self, *words):
        return [json.loads(line) for line in self.run_client("events", *words, "-o", "jsonl").stdout.splitlines()]


class Reading(Client):
    @classmethod
    def setUpClass(cls):
        cls.db = made()
        cls.addClassCleanup(cls.db.drop)

    def test_all_of_a_run(self):
        events = self.lines(RUN)
        self.assertEqual([e["sequence"] for e in events], list(range(1, EVENTS + 1)))
        self.assertEqual([e["data"]["n"] for e in events], list(range(1, EVENTS + 1)))
        self.assertEqual(events[1], {"sequence": 2, "attempt": 1, "epoch": 1, "line": 2, "type": "sandfleet.agent.tool_use",
                                     "time": "2026-11-21T10:00:00.002Z", "tool": "B\x1b[31m", "data": {"n": 2, "s": "\x07é"}})
        self.assertNotIn("line", events[0])

    def test_pages_fit_together(self):
        since, seen = 0, []
        for _ in range(4):
            page = json.loads(self.run_client("events", RUN, "--since", str(since), "--limit", "300", "-o", "json").stdout)
            seen += [e["sequence"] for e in page["events"]]
            since = page["nextSequence"]
            if not page["hasMore"]:
                break
        self.assertEqual(seen, list(range(1, EVENTS + 1)))
        self.assertEqual(json.loads(self.run_client("events", RUN, "--since", "700", "-o", "json").stdout),
                         {"events": [], "nextSequence": 700, "hasMore": False})
        self.assertEqual([e["sequence"] for e in self.lines(RUN, "--since", "10", "--limit", "2")], [11, 12])
        self.assertIn("--since 12", self.run_client("events", RUN, "--since", "10", "--limit", "2").stderr)

    def test_for_people(self):
        first, second = self.run_client("events", RUN, "--limit", "2").stdout.splitlines()
        self.assertEqual(first.split(), ["1", "2026-11-21T10:00:00.001Z", "1:-", "sandfleet.attempt.started"])
        self.assertEqual(second.split()[2:], ["1:2", "sandfleet.agent.tool_use", "B"])  # its escape sequence is left out

    def test_gaps(self):
        mine = {"run_id": RUN, "sequence": 7, "attempt": 1, "from_line": 7, "to_line": 9, "tenant": "acme"}
        self.assertEqual(self.lines("--gaps", RUN), [mine])
        self.assertEqual(json.loads(self.run_client("events", "--gaps", "--limit", "1", "-o", "json").stdout),
                         {"gaps": [mine], "hasMore": True})
        self.assertEqual(self.run_client("events", "--gaps").stdout.splitlines(),
                         [f"{RUN}  attempt 1: lines 7 to 9 are missing before event 7",
                          f"{OLD}  attempt 1: lines 2 to 2 are missing before event 2"])
        self.assertEqual(self.run_client("events", "--gaps", EDGE).stdout, "")

    def test_refused(self):
        self.run_client("events", "01990000-0000-7000-8000-0000000000ff", status=3)
        self.run_client("events", "nonsense", status=2)
        self.run_client("events", status=2)


class Retention(Client):
    def setUp(self):
        self.db = made()
        self.addCleanup(self.db.drop)

    def days(self):
        return self.db.ask("SELECT count(*) || ' ' || string_agg(DISTINCT right(run_id::text, 1), ',') FROM fleet.events")

    def test_drops_what_is_old_and_nothing_else(self):
        before = self.db.ask("SELECT count(*), sum(cost_usd) FROM fleet.runs")
        usage = self.db.ask("SELECT count(*), sum(runs), sum(cost_usd) FROM fleet.usage")
        told = self.run_client("retention", "--keep", "30d", "--dry-run").stdout
        self.assertEqual(self.days(), "711 1,2,3")
        self.assertRegex(told, r"(?s)would drop 20.*would delete 1 rows of events_default.*would delete 1 rows of quarantine")
        told = self.run_client("retention", "--keep", "30d").stdout
        self.assertEqual(told.count("\ndropped") + told.startswith("dropped"), 1, told)
        self.assertEqual(self.days(), "705 1,3")
        self.assertEqual(self.db.ask("SELECT count(*), sum(cost_usd) FROM fleet.runs"), before)
        self.assertEqual(self.db.ask("SELECT count(*), sum(runs), sum(cost_usd) FROM fleet.usage"), usage)
        self.assertEqual(self.db.ask("SELECT count(*) FROM fleet.attempts"), "3")
        self.assertEqual(self.db.ask('SELECT string_agg("offset"::text, \',\') FROM fleet.quarantine'), "2")
        self.assertEqual(self.lines(OLD), [])
        again = self.run_client("retention", "--keep", "30d").stdout
        self.assertNotIn("drop", again)

    def test_waits_for_nobody(self):
        self.db.ask("SELECT tell('01990000-0000-7000-8000-000000000004', (now() AT TIME ZONE 'UTC')::date - 40, 3)")
        holder = subprocess.Popen([PSQL, "-X", "-q", self.db.conninfo], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(holder.communicate)
        holder.stdin.write("BEGIN; LOCK TABLE fleet.events IN ACCESS SHARE MODE; SELECT 'held';\n")
        holder.stdin.flush()
        while "held" not in holder.stdout.readline():
            pass
        done = self.run_client("retention", "--keep", "30d", status=75)
        self.assertEqual(done.stdout.count("in use, left:"), 2, done.stdout)
        self.assertEqual(self.days(), "713 1,2,3,4")  # the rest went
        holder.stdin.write("COMMIT; SELECT 'gone';\n")
        holder.stdin.flush()
        while "gone" not in holder.stdout.readline():
            pass
        self.run_client("retention", "--keep", "30d")
        self.assertEqual(self.days(), "705 1,3")

    def test_usage(self):
        for words in ([], ["--keep", "0d"], ["--keep", "36h"], ["--keep", "nonsense"]):
            with self.subTest(words):
                self.run_client("retention", *words, status=2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
