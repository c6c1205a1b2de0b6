# SPDX-License-Identifier: Apache-2.0
"""Promise: one command takes a prompt through Kafka, a sandbox and Postgres, and each store
says the same: the terminal, the events topic, the tables.
Proof: runs by the simulated Claude; what the client printed, what Kafka holds and what
Postgres holds are compared."""

import json
import sys
import unittest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack, json_lines  # noqa: E402


class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("run"))

    def run_of(self, *words, status=0, **more):
        """Submits and follows; the events that the client saw, and the run's id."""
        done = self.stack.sandfleet("run", "-o", "jsonl", *words, status=status, **more)
        events = json_lines(done.stdout)
        return events[0]["run_id"], events

    def stored(self, run_id):
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and ended", 1, id=run_id)
        return self.stack.rows("select * from fleet.events where run_id = :'id'::uuid order by sequence",
                               id=run_id)

    def test_every_store_says_the_same(self):
        run_id, seen = self.run_of("say hello", "--custom-id", "first")
        rows = self.stored(run_id)
        self.assertEqual([r["sequence"] for r in rows], list(range(1, len(rows) + 1)))
        self.assertEqual([r["type"] for r in rows], [e["type"] for e in seen])
        self.assertEqual([r["data"] for r in rows], [e["data"] for e in seen])
        self.assertEqual(seen[-1]["type"], "sandfleet.run.completed")
        lines = [r["line"] for r in rows if r["line"] is not None]
        self.assertEqual(lines, list(range(1, len(lines) + 1)))
        (run,) = self.stack.rows("select * from fleet.runs where run_id = :'id'::uuid", id=run_id)
        self.assertEqual((run["state"], run["outcome"], run["custom_id"], run["prompt"], run["attempt"]),
                         ("completed", "success", "first", "say hello", 1))
        self.assertGreater(run["cost_usd"], 0)
        self.assertIn("simulat", run["output_tail"].lower())
        (attempt,) = self.stack.rows("select * from fleet.attempts where run_id = :'id'::uuid", id=run_id)
        self.assertEqual((attempt["state"], attempt["exit_code"], attempt["lines"]),
                         ("ended", 0, len(lines)))

    def test_headers_carry_the_attributes(self):
        run_id, seen = self.run_of("headers please")
        records = [r for r in self.stack.records("events") if r["key"] == run_id]
        self.assertEqual(len(records), len(seen))
        for record in records:
            headers = dict(zip(record["headers"][::2], record["headers"][1::2]))
            value = json.loads(record["payload"])
            self.assertEqual(value["specversion"], "1.0")
            self.assertTrue(headers["content-type"].startswith("application/cloudevents+json"))
            for name in ("id", "type", "source", "time", "runid", "tenant", "attempt", "epoch"):
                self.assertEqual(headers["ce_" + name], str(value[name]), name)
            self.assertEqual(list(value)[-1], "data")

    def test_the_sandbox_is_gone_afterwards(self):
        run_id, _ = self.run_of("short")
        self.stack.wait_rows("select 1 from ledger.claims where run_id = :'id'::uuid and state = 'ended' "
                             "and published and not exists (select 1 from ledger.sandboxes s "
                             "where s.run_id = claims.run_id)", 1, id=run_id)

    def test_follow_tells_the_same_again(self):
        run_id, seen = self.run_of("again")
        again = self.stack.sandfleet("follow", "-o", "jsonl", run_id).stdout
        self.assertEqual(json_lines(again), seen)

    def test_a_person_reads_text(self):
        text = self.stack.sandfleet("run", "hello").stdout
        self.assertIn("SIMULATED", text)
        self.assertIn("completed in", text.splitlines()[-1])
        self.assertNotIn("\033", text)

    def test_failures_have_their_names(self):
        for directive, kind, outcome in (("fail=max_turns", "failed", "max_turns"),
                                         ("fail=auth", "failed", "auth")):
            with self.subTest(outcome):
                run_id, seen = self.run_of(f"[[sim:{directive}]]", status=1)
                self.assertEqual(seen[-1]["type"], f"sandfleet.run.{kind}")
                self.assertEqual(seen[-1]["data"]["outcome"], outcome)
                self.assertEqual(self.stored(run_id)[-1]["type"], f"sandfleet.run.{kind}")

    def test_an_attempt_that_fails_is_tried_again(self):
        run_id, seen = self.run_of("[[sim:fail=no_result exit=1]]", "--max-attempts", "2", status=1,
                                   timeout=60)
        self.assertEqual([e["type"] for e in seen].count("sandfleet.attempt.started"), 2)
        self.assertEqual([e["type"] for e in seen].count("sandfleet.run.retrying"), 1)
        self.assertEqual(seen[-1]["data"]["attempts"], 2)
        self.assertEqual(len(self.stored(run_id)), len(seen))

    def test_the_hard_timeout_ends_a_run(self):
        run_id, seen = self.run_of("[[sim:hang=1]]", "--timeout", "2s", status=1)
        self.assertEqual(seen[-1]["type"], "sandfleet.run.timed_out")
        self.assertEqual(self.stored(run_id)[-1]["type"], "sandfleet.run.timed_out")

    def test_a_long_run_warns_with_its_cost(self):
        line = {"custom_id": "slow", "prompt": "[[sim:hang=1]]", "warn_at_s": [1, 2]}
        run_id = self.stack.sandfleet("submit", "--file", "-", stdin=json.dumps(line)).stdout.split()[0]
        self.stack.wait_rows("select 1 from fleet.events where run_id = :'id'::uuid and type = 'sandfleet.run.warning'", 2, id=run_id)
        self.stack.sandfleet("cancel", run_id)
        warned = [r["data"] for r in self.stored(run_id) if r["type"] == "sandfleet.run.warning"]
        self.assertEqual(len(warned), 2)
        for one, at_s in zip(warned, line["warn_at_s"]):
            self.assertGreaterEqual(one["elapsed_s"], at_s)
            self.assertIn("cost_usd", one)

    def test_idempotency_key_runs_once(self):
        first, _ = self.run_of("once", "--idempotency-key", "k1")
        second, seen = self.run_of("once", "--idempotency-key", "k1")
        self.assertEqual(first, second)
        self.assertEqual([e["type"] for e in seen].count("sandfleet.attempt.started"), 1)

    def test_a_session_goes_on_in_its_sandbox(self):
        one, first = self.run_of("remember 7", "--session", "s1")
        two, second = self.run_of("what was it", "--session", "s1")
        box = {e["data"]["sandbox_id"] for e in first + second if e["type"] == "sandfleet.attempt.started"}
        self.assertEqual(len(box), 1)
        said = {e["data"]["claude_session"] for e in (first[-1], second[-1])}
        self.assertEqual(len(said), 1)
        self.assertNotEqual(one, two)


if __name__ == "__main__":
    unittest.main(verbosity=2)
