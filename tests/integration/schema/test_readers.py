# SPDX-License-Identifier: Apache-2.0
"""Promise: who may read the tables sees no prompt and no answer unless that was granted, too; every
table, view and column says what it is; the views say what the rows say, whatever the rows hold.
Proof: logins with one role and with both on a real server; the catalogue; rows made by hand."""
import os
import unittest

from database import Database, Refused, migrate, psql

RUN = "01990000-0000-7000-8000-00000000000"
DAY = "2026-11-21"
PROMPTS = ["runs.prompt", "runs.result", "runs.output_tail", "events.data",
           "quarantine.key", "quarantine.value", "quarantine.headers"]

ROWS = f"""
INSERT INTO fleet.runs (run_id, run_day, tenant, template, model, credential, batch_id, prompt, result, state, ended,
    outcome, cost_usd, input_tokens, output_tokens, created_at, started_at, ended_at)
SELECT ('{RUN}' || i)::uuid, '{DAY}', 'acme', 'claude', 'm', 'c', 'b', 'a prompt', 'an answer',
       CASE i WHEN 4 THEN 'failed' ELSE 'completed' END, true, CASE i WHEN 4 THEN 'stalled' ELSE 'success' END,
       0.5, 10, 20, t, t + i * interval '1 s', t + i * interval '11 s'
FROM generate_series(1, 4) AS i, (VALUES (timestamptz '{DAY} 10:00Z')) AS v(t);
INSERT INTO fleet.runs (run_id, run_day, tenant) VALUES ('{RUN}5', '{DAY}', 'acme');
INSERT INTO fleet.attempts (run_id, attempt, state, outcome, cost_usd) VALUES
    ('{RUN}4', 1, 'ended', 'sandbox_lost', 0.25), ('{RUN}4', 2, 'ended', 'stalled', 0.125),
    ('{RUN}1', 1, 'ended', 'success', 0.5);
INSERT INTO fleet.events (run_id, run_day, sequence, attempt, epoch, type, time, tenant, tool, data)
SELECT '{RUN}1', '{DAY}', n, 1, 1, 'sandfleet.' || type, timestamptz '{DAY} 10:00Z' + n * interval '1 s', 'acme', tool, data::json
FROM (VALUES
    (1, 'agent.tool_use', 'Bash', '{{"native":{{"message":{{"content":[{{"type":"tool_use","id":"a","name":"Bash"}},{{"type":"tool_use","id":"b","name":"Read"}}]}}}}}}'),
    (2, 'agent.tool_result', NULL, '{{"native":{{"message":{{"content":[{{"type":"tool_result","tool_use_id":"a","is_error":true}},{{"type":"tool_result","tool_use_id":"b"}}]}}}}}}'),
    (3, 'agent.tool_use', 'Bash', '{{"native":{{"x":"\\u0000"}}}}'),
    (4, 'run.held', NULL, '{{"reason":"usage_limit","until":"{DAY}T12:00:00Z"}}'),
    (5, 'run.retrying', NULL, '{{"reason":"words","outcome":"overloaded","delay_ms":5000}}'),
    (6, 'run.held', NULL, '{{"reason":"x","until":"no time at all"}}'),
    (7, 'agent.rate_limit', NULL, '{{"native":{{"rate_limit_info":{{"status":"rejected","rateLimitType":"five_hour","utilization":1.02,"resetsAt":1795262400}}}}}}'),
    (8, 'agent.rate_limit', NULL, '{{"native":{{"rate_limit_info":{{"status":"allowed","resetsAt":1e99}}}}}}'),
    (9, 'agent.rate_limit', NULL, '{{"native":[]}}')) AS v(n, type, tool, data);
INSERT INTO fleet.events (run_id, run_day, sequence, attempt, epoch, type, time, tenant, data)
VALUES ('{RUN}5', '{DAY}', 1, 0, 1, 'sandfleet.run.held', '{DAY} 10:00Z', 'acme', '{{"reason":"capacity"}}');
"""


class Readers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = Database()
        cls.addClassCleanup(cls.db.drop)
        migrate(cls.db.conninfo)
        cls.db.ask(ROWS)
        cls.plain = cls.login("plain", "sandfleet_read")
        cls.both = cls.login("both", "sandfleet_read, sandfleet_read_prompts")
        cls.none = cls.login("none", "")

    @classmethod
    def login(cls, name, roles):
        role = f"reader_{name}_{os.getpid()}"
        cls.db.ask(f"CREATE ROLE {role} LOGIN PASSWORD 'x' {'IN ROLE ' + roles if roles else ''}")
        cls.addClassCleanup(psql, cls.db.admin, f"DROP ROLE {role}")
        return f"{cls.db.conninfo} user={role} password=x"

    def refused(self, who, sql, why="permission denied"):
        with self.assertRaises(Refused, msg=sql) as e:
            psql(who, sql)
        self.assertIn(why, str(e.exception))

    def rows(self, view, columns):
        """As the reader sees them, who has no prompts."""
        return psql(self.plain, f"SELECT {columns} FROM fleet.{view} WHERE run_day = '{DAY}' ORDER BY 1, 2").splitlines()

    # --- roles ---

    def test_prompts_are_refused(self):
        for column in PROMPTS:
            table, name = column.split(".")
            with self.subTest(column):
                self.refused(self.plain, f"SELECT {name} FROM fleet.{table}")
                psql(self.both, f"SELECT {name} FROM fleet.{table}")
        for way_round in ("SELECT * FROM fleet.runs", "SELECT r FROM fleet.runs AS r", "TABLE fleet.events",
                          "SELECT to_json(e) FROM fleet.events AS e", "SELECT 1 FROM fleet.runs WHERE prompt LIKE 'a%'",
                          "COPY fleet.runs TO STDOUT", "SELECT data FROM fleet.events_default",
                          "SELECT 1 FROM fleet.runs ORDER BY result"):
            with self.subTest(way_round):
                self.refused(self.plain, way_round)
        self.assertEqual(psql(self.plain, "SELECT count(*) FROM pg_stats WHERE attname IN ('prompt', 'data')"), "0")
        self.assertIn("a prompt", psql(self.both, "SELECT * FROM fleet.runs"))

    def test_everything_else_is_there(self):
        columns = self.db.ask("""
            SELECT c.relname || '.' || quote_ident(a.attname) FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
            WHERE c.relnamespace = 'fleet'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
              AND a.attnum > 0 AND NOT a.attisdropped""").splitlines()
        self.assertGreater(len(columns), 150)
        for column in columns:
            if column not in PROMPTS:
                table, name = column.split(".")
                with self.subTest(column):
                    psql(self.plain, f"SELECT {name} FROM fleet.{table} LIMIT 1")

    def test_readers_only_read_and_only_the_read_model(self):
        self.refused(self.none, "SELECT run_id FROM fleet.runs")
        for who in (self.plain, self.both):
            self.refused(who, "DELETE FROM fleet.runs")
            self.refused(who, "UPDATE fleet.runs SET tenant = 'x'")
            self.refused(who, "SELECT request FROM ledger.claims")

    def test_grants_can_be_given_again(self):
        self.db.ask("CREATE TABLE fleet.newer (run_id uuid)")
        self.refused(self.plain, "SELECT run_id FROM fleet.newer")
        self.db.ask("SELECT fleet.grant_readers()")
        psql(self.plain, "SELECT run_id FROM fleet.newer")
        self.refused(self.plain, "SELECT prompt FROM fleet.runs")
        self.db.ask("DROP TABLE fleet.newer")

    # --- comments ---

    def test_all_has_a_comment(self):
        self.assertEqual(self.db.ask("""
            SELECT a.attrelid::regclass || coalesce('.' || a.attname, '')
            FROM (SELECT oid AS attrelid, 0 AS attnum, NULL AS attname FROM pg_class
                  UNION ALL SELECT attrelid, attnum, attname FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped) AS a
            JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE c.relnamespace IN ('fleet'::regnamespace, 'ledger'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm')
              AND NOT c.relispartition AND c.relname <> 'newer'
              AND NOT EXISTS (SELECT FROM pg_description AS d
                              WHERE (d.classoid, d.objoid, d.objsubid) = ('pg_class'::regclass, a.attrelid, a.attnum))"""), "")

    # --- views ---

    def test_cost(self):
        self.assertEqual(self.rows("cost_daily", "tenant, model, batch_id, credential, runs, ended, completed, cost_usd, input_tokens, output_tokens"),
                         ["acme|m|b|c|4|4|3|2|40|80", "acme||||1|0|0|0|0|0"])

    def test_durations(self):
        self.assertEqual(self.rows("durations_daily", "tenant, template, started, queue_p50_s, queue_p95_s, ended, run_p50_s, round(run_p99_s::numeric, 3)"),
                         ["acme|claude|4|2.5|3.8499999999999996|4|25|39.700", "acme||0|||0||"])

    def test_tools(self):
        self.assertEqual(self.rows("tool_usage", "tool, tenant, calls, errors, runs"),
                         ["Bash|acme|2|1|1", "Read|acme|1|0|1"])

    def test_failures(self):
        self.assertEqual(self.rows("failures_daily", "outcome, tenant, template, model, attempts, runs, cost_usd"),
                         ["sandbox_lost|acme|claude|m|1|0|0.25", "stalled|acme|claude|m|1|1|0.125"])

    def test_holds(self):
        self.assertEqual(self.rows("hold_timeline", "run_id, sequence, kind, reason, held_at AT TIME ZONE 'UTC', announced_until AT TIME ZONE 'UTC', ended_at - held_at"),
                         [f"{RUN}1|4|held|usage_limit|{DAY} 10:00:04|{DAY} 12:00:00|00:00:01",
                          f"{RUN}1|5|retrying|overloaded|{DAY} 10:00:05|{DAY} 10:00:10|00:00:01",
                          f"{RUN}1|6|held|x|{DAY} 10:00:06||00:00:01",
                          f"{RUN}5|1|held|capacity|{DAY} 10:00:00||"])

    def test_limits(self):
        self.assertEqual(self.rows("limit_timeline", "run_id, sequence, credential, status, limit_type, utilization, resets_at AT TIME ZONE 'UTC'"),
                         [f"{RUN}1|7|c|rejected|five_hour|1.02|{DAY} 12:00:00", f"{RUN}1|8|c|allowed|||", f"{RUN}1|9|c||||"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
