#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise: who has the client, an address and a key sees and ends everything through the API, while
the fleet works. Proof: one stack of all parts; each verb once against what the tables say.
(tests/integration/producer/test_reading.py has each verb's forms and failures.)"""
import json
import pathlib
import subprocess
import sys
import time
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
        watcher = self.stack.sandfleet_start("run", "-o", "jsonl", "[[sim:lines=40 delay_ms=100]]")
        first = json.loads(watcher.stdout.readline())
        self.stack.kill("api")
        self.stack.start("api")
        out, err = watcher.communicate(timeout=120)
        events = [first, *json_lines(out)]
        self.assertEqual(watcher.returncode, 0, err)
        self.assertIn("trying again", err)
        self.assertEqual([e["sequence"] for e in events], list(range(1, len(events) + 1)))

    def test_a_young_run_is_waited_for_while_the_sink_is_away(self):
        self.stack.stop("sink")
        watcher = self.stack.sandfleet_start("run", "hello")
        time.sleep(4)  # longer than the client waits before it says so
        self.stack.start("sink")
        out, err = watcher.communicate(timeout=120)
        self.assertEqual(watcher.returncode, 0, err)
        self.assertIn("does not know it yet", err)
        self.assertIn("completed in", out)

    # --- sandboxes ------------------------------------------------------

    def test_a_sandbox_that_was_asked_for_is_the_next_runs(self):
        self.assertIn("2 of template claude will be made", self.said("sandbox", "create", "-n", "2"))
        self.stack.wait_rows("select 1 from ledger.sandboxes where state = 'ready' and key like 'warm-asked-%'", 2)
        run_id = self.run_of("hello")
        origin = self.stack.value("select data ->> 'sandbox_origin' from fleet.events where run_id = :'id'::uuid "
                                  "and type = 'sandfleet.attempt.started'", id=run_id)
        self.assertEqual(origin, "warm")
        self.stack.sandfleet("sandbox", "create", "no such", status=5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
