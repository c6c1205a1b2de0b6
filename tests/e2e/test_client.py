#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise: who has the client, an address and a key sees and ends everything through the API, while
the fleet works. Proof: one stack of all parts; each verb once against what the tables say.
(tests/integration/producer/test_reading.py has each verb's forms and failures.)"""
import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from fleet import Stack, json_lines  # noqa: E402


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("client", workers=1))

    def said(self, *words, **more):
        return self.stack.sandfleet(*words, **more).stdout

    def told(self, *words, **more):
        return json.loads(self.said(*words, "-o", "json", **more))

    def run_of(self, prompt, *words, status=0):
        """A run that has ended and is known as such; its id."""
        done = self.stack.sandfleet("run", "-q", "-o", "json", prompt, *words, status=status)
        run_id = json.loads(done.stdout)["run_id"]
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and ended", 1, id=run_id)
        return run_id

    # --- following ------------------------------------------------------

    def test_the_api_and_the_topic_tell_the_same(self):
        run_id = self.run_of("hello")
        by_api = json_lines(self.said("follow", "-o", "jsonl", run_id))
        by_topic = json_lines(self.said("follow", "-o", "jsonl", run_id, SANDFLEET_API_URL=""))
        self.assertEqual([e["sequence"] for e in by_api], list(range(1, len(by_api) + 1)))
        self.assertEqual([(e["sequence"], e["type"], e["line"], e["data"]) for e in by_api],
                         [(e["sequence"], e["type"], e["line"], e["data"]) for e in by_topic])
        self.assertEqual(self.said("follow", run_id), self.said("follow", run_id, SANDFLEET_API_URL=""))
        tail = json_lines(self.said("follow", "-o", "jsonl", run_id, "--since", str(len(by_api) - 1)))
        self.assertEqual(tail, by_api[-1:])

    def test_follow_outlives_the_server(self):
        watcher = self.stack.sandfleet_start("run", "-o", "jsonl", "[[sim:lines=10 hang=1]]")
        first = json.loads(watcher.stdout.readline())
        self.stack.kill("api")
        said = ""
        while "trying again" not in said:
            line = watcher.stderr.readline()
            self.assertTrue(line, f"it ended without saying so: {said}")
            said += line
        self.stack.wait_rows("select 1 from fleet.events where run_id = :'id'::uuid and line > 10", 1, id=first["run_id"])
        self.stack.start("api")
        self.stack.sandfleet("cancel", first["run_id"])
        out, err = watcher.stdout.read(), watcher.stderr.read()  # communicate() would lose what readline() has read ahead
        events = [first, *json_lines(out)]
        self.assertEqual(watcher.wait(120), 1, said + err)
        self.assertEqual(events[-1]["type"], "sandfleet.run.cancelled")
        self.assertEqual([e["sequence"] for e in events], list(range(1, len(events) + 1)))

    def test_a_young_run_is_waited_for_while_the_sink_is_away(self):
        self.stack.stop("sink")
        watcher = self.stack.sandfleet_start("run", "hello")
        said = ""
        while "does not know it yet" not in said:
            line = watcher.stderr.readline()
            self.assertTrue(line, f"it ended without saying so: {said}")
            said += line
        self.stack.start("sink")
        out, err = watcher.communicate(timeout=120)
        self.assertEqual(watcher.returncode, 0, said + err)
        self.assertIn("completed in", out)

    # --- runs -----------------------------------------------------------

    def test_runs(self):
        run_id = self.run_of("say hello", "--custom-id", "greeting")
        (row,) = self.stack.rows("select * from fleet.runs where run_id = :'id'::uuid", id=run_id)
        (listed,) = [r for r in self.told("runs", "list", "--custom-id", "greeting")["data"] if r["run_id"] == run_id]
        self.assertEqual((listed["state"], listed["outcome"], listed["last_sequence"]), ("completed", "success", row["sequence"]))
        self.assertIn(run_id, self.said("runs", "list", "--state", "completed", "--after", "1h"))
        self.assertNotIn(run_id, self.said("runs", "list", "--state", "failed"))
        got = self.told("runs", "get", run_id)
        self.assertEqual((got["prompt"], got["cost_usd"]), ("say hello", row["cost_usd"]))
        text = self.said("runs", "get", run_id)
        self.assertRegex(text, rf"(?s)run +{run_id}\n.*\nprompt\n  say hello\n\nanswer\n  .*simulation")
        self.assertEqual(self.said("runs", "result", run_id).strip(), got["result"].strip())
        self.assertEqual(self.told("runs", "result", run_id)["result"]["type"], "succeeded")
        self.assertRegex(self.said("runs", "wait", run_id, "-q"), rf"{run_id}  completed ")
        (attempt,) = self.told("runs", "attempts", run_id)["data"]
        self.assertEqual((attempt["attempt"], attempt["outcome"]), (1, "success"))
        self.assertAlmostEqual(self.told("runs", "usage", run_id)["cost_usd"], row["cost_usd"])
        events = json_lines(self.said("runs", "events", run_id, "-o", "jsonl"))
        self.assertEqual([e["sequence"] for e in events], list(range(1, row["sequence"] + 1)))

    def test_runs_that_fail(self):
        run_id = self.run_of("[[sim:fail=max_turns]]", status=1)
        self.stack.sandfleet("runs", "wait", run_id, status=1)
        done = self.stack.sandfleet("runs", "result", run_id, status=1)
        self.assertIn("max_turns", done.stderr)
        again = self.said("runs", "retry", run_id, "--idempotency-key", f"again-{run_id}").strip()
        self.assertEqual(self.said("runs", "retry", run_id, "--idempotency-key", f"again-{run_id}").strip(), again)
        self.stack.sandfleet("runs", "wait", again, status=1)
        self.assertEqual(self.told("runs", "get", again)["prompt"], "[[sim:fail=max_turns]]")
        self.stack.sandfleet("runs", "get", "01950f3c-8a00-7000-8000-000000000001", status=3)

    def test_a_run_that_is_waited_for(self):
        run_id = self.said("submit", "[[sim:hang=1]]").split()[0]
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and state = 'running'", 1, id=run_id)
        self.stack.sandfleet("runs", "wait", run_id, "--wait", "300ms", status=124)
        self.assertIn("has not ended yet", self.stack.sandfleet("runs", "result", run_id, status=5).stderr)
        self.stack.sandfleet("runs", "retry", run_id, status=5)
        self.assertIn("running: its worker was told", self.said("cancel", run_id))
        self.stack.sandfleet("runs", "wait", run_id, "--wait", "30s", status=1)
        self.assertIn("had ended", self.stack.sandfleet("cancel", run_id, status=5).stdout)

    def test_a_run_that_cannot_be_followed_goes_on(self):
        said = self.stack.sandfleet("run", "hello", status=4, SANDFLEET_API_URL=self.stack.env["E2B_API_URL"]).stderr
        (run_id,) = re.findall(r"(?m)^run (\S+)$", said)
        self.assertIn(f"Come back with: sandfleet follow {run_id}", said)
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and state = 'completed'", 1, id=run_id)

    def test_explain_and_logs(self):
        run_id = self.run_of("[[sim:fail=max_turns]]", status=1)
        why = self.told("runs", "explain", run_id)
        self.assertEqual((why["state"], why["code"]), ("failed", "max_turns"))
        self.assertIn(why["summary"].split(".")[0], self.said("runs", "explain", run_id).replace("\n", " "))
        natives = [r["data"]["native"] for r in self.stack.rows(
            "select data from fleet.events where run_id = :'id'::uuid and line is not null order by sequence", id=run_id)]
        self.assertEqual(json_lines(self.said("runs", "logs", run_id, "-o", "jsonl")), natives)
        none = self.stack.sandfleet("events", "--gaps", run_id)
        self.assertEqual((none.stdout, none.stderr), ("", "sandfleet: there are no gaps\n"))
        self.assertIn("SIMULATED", self.said("runs", "logs", run_id))

    # --- batches --------------------------------------------------------

    def test_a_batch(self):
        lines = "".join(json.dumps({"custom_id": f"c{n:02}", "prompt": f"[[sim:lines=2 delay_ms=300{' fail=max_turns' if n % 10 == 0 else ''}]]"}) + "\n"
                        for n in range(40))
        self.stack.sandfleet("submit", "--file", "-", "--batch", "nightly", "-q", stdin=lines)
        self.stack.wait_rows("select 1 from fleet.batches where batch_id = 'nightly'", 1)  # the sink was there
        watcher = self.stack.sandfleet_start("batch", "watch", "nightly")
        early = json_lines(self.said("batch", "results", "nightly"))
        self.stack.sandfleet("batch", "wait", "nightly", status=6)
        out, err = watcher.communicate(timeout=120)
        self.assertEqual(watcher.returncode, 6, err)
        self.assertIn("ended: 40 of 40 done; 36 completed, 4 failed", out.splitlines()[-1])
        results = json_lines(self.said("batch", "results", "nightly", "--ordered"))
        self.assertEqual([r["custom_id"] for r in results], [f"c{n:02}" for n in range(40)])
        by_id = {r["run_id"]: r for r in results}
        self.assertTrue(all(by_id[r["run_id"]] == r for r in early))
        errors = json_lines(self.said("batch", "results", "nightly", "--errors-only"))
        self.assertEqual({(r["custom_id"], r["result"]["type"], r["result"]["error"]["code"]) for r in errors},
                         {(f"c{n}0", "errored", "max_turns") for n in ("0", "1", "2", "3")})
        got = self.told("batch", "get", "nightly")
        self.assertEqual((got["state"], got["runs"], got["counts"]["completed"], got["counts"]["failed"]), ("ended", 40, 36, 4))
        self.assertIn("nightly", self.said("batch", "list"))
        again = self.said("batch", "retry", "nightly", "-q").strip()
        self.stack.sandfleet("batch", "wait", again, status=6)
        self.assertEqual({r["custom_id"] for r in json_lines(self.said("batch", "results", again))}, {"c00", "c10", "c20", "c30"})
        self.stack.sandfleet("batch", "get", "no-such", status=3)

    def test_a_batch_is_cancelled(self):
        lines = "".join(json.dumps({"custom_id": f"h{n}", "prompt": "[[sim:hang=1]]"}) + "\n" for n in range(3))
        self.stack.sandfleet("submit", "--file", "-", "--batch", "hangs", "-q", stdin=lines)
        self.stack.wait_rows("select 1 from fleet.runs where batch_id = 'hangs'", 3)
        self.said("batch", "cancel", "hangs", "--wait", "60s")
        self.assertEqual({r["result"]["type"] for r in json_lines(self.said("batch", "results", "hangs"))}, {"canceled"})

    # --- sessions, the fleet --------------------------------------------

    def test_a_session_and_its_sandbox(self):
        run_id = self.run_of("hello", "--session", "alice/1")
        self.stack.wait_rows("select 1 from ledger.sandboxes where session_id = 'alice/1' and state = 'parked'", 1)
        session = self.told("sessions", "get", "alice/1")
        self.assertEqual((session["runs"], session["last_run_id"], session["sandbox_state"]), (1, run_id, "parked"))
        self.assertIn("alice/1", self.said("sessions", "list"))
        sandbox = session["sandbox_id"]
        self.assertEqual(self.told("sandbox", "status", sandbox)["session_id"], "alice/1")
        self.assertIn(sandbox, self.said("sandbox", "list", "--state", "parked"))
        self.assertIn("ran", self.said("sandbox", "cost", sandbox))
        self.assertIn("SIMULATED", self.said("sandbox", "logs", sandbox, "-q"))
        self.said("sandbox", "terminate", sandbox)
        self.stack.wait_rows("select 1 where not exists (select from ledger.sandboxes where session_id = 'alice/1' "
                             "and state not in ('dead'))", 1)
        self.said("sessions", "end", "alice/1")
        self.stack.sandfleet("sandbox", "status", "no-such", status=3)

    def test_the_fleet(self):
        (worker,) = self.told("workers")["data"]
        self.assertTrue(worker["alive"])
        stats = self.told("stats", "--fleet")
        self.assertEqual((stats["scope"], stats["workers"]), ("fleet", 1))
        self.assertIn("queued", self.said("stats"))

    def test_dead_letters(self):
        self.stack.produce("runs.interactive", b"no JSON")
        self.stack.wait("the letter", lambda: self.told("dlq", "list")["data"])
        letter = self.told("dlq", "list")["data"][0]
        self.assertEqual(self.told("dlq", "get", letter["id"])["value_base64"], "bm8gSlNPTg==")
        self.assertIn("1 sent", self.said("dlq", "redrive", letter["id"]))
        self.stack.wait("it to come back", lambda: [x for x in self.told("dlq", "list")["data"] if x["id"] != letter["id"]])
        self.said("dlq", "purge", "--all")
        self.assertEqual(self.told("dlq", "list")["data"], [])

    # --- sandboxes ------------------------------------------------------

    def test_a_sandbox_that_was_asked_for_is_the_next_runs(self):
        self.assertIn("2 of template claude will be made", self.said("sandbox", "create", "-n", "2"))
        self.stack.wait_rows("select 1 from ledger.sandboxes where state = 'ready' and key like 'warm-asked-%'", 2)
        run_id = self.run_of("hello")
        origin = self.stack.value("select data ->> 'sandbox_origin' from fleet.events where run_id = :'id'::uuid "
                                  "and type = 'sandfleet.attempt.started'", id=run_id)
        self.assertEqual(origin, "warm")
        self.stack.sandfleet("sandbox", "create", "no such", status=2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
