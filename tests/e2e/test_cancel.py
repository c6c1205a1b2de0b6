# SPDX-License-Identifier: Apache-2.0
"""Promise: a cancel reaches a run wherever it is, within two seconds, and leaves nothing running;
what the interrupted agent cost is told; a worker's death in the middle loses no cancel.
Proof: runs are cancelled at points that the events and the ledger name; the time is the terminal's
own, against the moment before the client was called. The agent is the simulated one or, where the
prompt asks for it, one that heeds no signal and starts tools that leave its session."""

import datetime
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack, processes_with, programs  # noqa: E402

WITHIN_S = 2.0 if "asan" not in os.environ.get("SANDFLEET_BIN", "") else 6.0

AGENT = """#!/bin/bash
# The simulated agent; for a stubborn prompt one that goes on, whatever it is told.
prompt=$(cat)
if [[ $prompt != *stubborn* ]]; then
    exec {simulated} "$@" <<<"$prompt"
fi
trap '' INT TERM HUP
mark=${{prompt#*stubborn }}
(trap '' INT TERM HUP; exec -a "tool-$mark" sleep 600) &
setsid bash -c "trap '' INT TERM HUP; exec -a 'detached-$mark' sleep 600" </dev/null >/dev/null 2>&1 &
echo '{{"type":"system","subtype":"init","session_id":"s"}}'
while :; do sleep 0.1; done
"""


class Cancel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="sandfleet-agent-")
        os.chmod(folder, 0o755)
        agent = pathlib.Path(folder, "claude")
        agent.write_text(AGENT.format(simulated=programs() / "claude-simulated"))
        agent.chmod(0o755)
        cls.stack = cls.enterClassContext(Stack("cancel", claude=agent, env={
            **Stack.NOT_ISOLATED, "SANDFLEET_LEASE": "2s", "SANDFLEET_SLOTS": "3",
            "SANDFLEET_JANITOR": "500ms", "SANDFLEET_JANITOR_GRACE": "1s"}))

    def submit(self, prompt, *flags):
        return self.stack.sandfleet("submit", prompt, *flags).stdout.split()[0]

    def working(self, prompt, *flags):
        """A run whose agent has printed its first line."""
        run_id = self.submit(prompt, *flags)
        self.wait_event(run_id, "agent.init")
        return run_id

    def events(self, run_id):
        rows = self.stack.rows("select type, data from fleet.events where run_id = :'id'::uuid order by sequence", id=run_id)
        return [(r["type"].removeprefix("sandfleet."), r["data"]) for r in rows]

    def wait_event(self, run_id, kind, seconds=60):
        return self.stack.wait_rows("select 1 from fleet.events where run_id = :'id'::uuid and type = :'kind'", 1,
                                    seconds, id=run_id, kind=f"sandfleet.{kind}")

    def wait_claim(self, run_id, where, seconds=60):
        return self.stack.wait_rows(f"select * from ledger.claims where run_id = :'id'::uuid and {where}", 1,
                                    seconds, id=run_id)

    def cancel(self, run_id, found, *flags, status=0):
        """Asks; says when, by this machine's clock."""
        began = time.time()
        done = self.stack.sandfleet("cancel", run_id, "-o", "json", *flags, status=status)
        (told,) = json.loads(done.stdout)
        self.assertEqual((told["run_id"], told["found"]), (run_id, found))
        return began

    def ended(self, run_id, began=None, seconds=60):
        """The cancelled run; in time, where `began` says since when."""
        (run,) = self.stack.wait_rows("select * from fleet.runs where run_id = :'id'::uuid and ended", 1, seconds, id=run_id)
        self.assertEqual((run["state"], run["outcome"], run["missing_lines"]), ("cancelled", "cancelled", 0))
        if began is not None:
            took = datetime.datetime.fromisoformat(run["ended_at"]).timestamp() - began
            print(f"figure: {self.id().rsplit('.', 1)[1]}: ended {took:.2f} s after the client was called")
            self.assertLess(took, WITHIN_S)
        kinds = [kind for kind, _ in self.events(run_id)]
        self.assertEqual(kinds[-1], "run.cancelled")
        self.assertEqual(sum(kind.startswith("run.c") and kind != "run.cancelling" for kind in kinds), 1)
        return run

    def check_nothing_is_left(self):
        self.stack.wait("all sandboxes that no session keeps to be gone", lambda: self.stack.value(
            "select count(*) as n from ledger.sandboxes where state <> 'parked'") == 0, 30)

    # --- before there is an agent ------------------------------------------

    def test_before_the_claim(self):
        self.stack.stop("worker-1")
        run_id = self.submit("[[sim:hang=1]]")
        self.cancel(run_id, "unknown")
        self.stack.start("worker-1")
        run = self.ended(run_id)
        self.assertEqual(run["attempt"], 0)
        self.assertEqual([kind for kind, _ in self.events(run_id)], ["run.cancelled"])

    def test_while_it_waits(self):
        first = self.working("[[sim:hang=1]]", "--session", "busy")
        second = self.submit("[[sim:lines=1]]", "--session", "busy")
        self.wait_claim(second, "state = 'waiting'")
        self.assertEqual(self.ended(second, self.cancel(second, "queued"))["attempt"], 0)
        self.ended(first, self.cancel(first, "running"))

    def test_while_it_backs_off(self):
        run_id = self.submit("[[sim:fail=overloaded]]")
        # for longer than the two seconds and a half in which the client may not have been here
        self.stack.wait("it to back off", lambda: self.stack.execute(
            "update ledger.claims set hold_until = now() + interval '1 hour'"
            " where run_id = :'id'::uuid and state = 'waiting' and attempt = 1 returning 1", id=run_id))
        run = self.ended(run_id, self.cancel(run_id, "queued"))
        self.assertEqual(run["attempt"], 1)

    def test_while_the_sandbox_is_made(self):
        """The service does not answer; when it does, what it made does not outlive the run."""
        sandboxd = self.stack.pid("sandboxd")
        os.kill(sandboxd, signal.SIGSTOP)
        try:
            run_id = self.submit("[[sim:hang=1]]")
            self.stack.wait_rows("select 1 from ledger.sandboxes where run_id = :'id'::uuid and state = 'creating'", 1, id=run_id)
            self.ended(run_id, self.cancel(run_id, "running"))
        finally:
            os.kill(sandboxd, signal.SIGCONT)
        self.check_nothing_is_left()

    # --- an agent is at work -----------------------------------------------

    def test_while_it_prints(self):
        run_id = self.working("[[sim:lines=2000 delay_ms=10]]")
        run = self.ended(run_id, self.cancel(run_id, "running", "--requested-by", "ann"))
        self.assertEqual(run["reason"], "by ann")
        kinds = [kind for kind, _ in self.events(run_id)]
        self.assertLess(kinds.index("run.cancelling"), kinds.index("agent.result"))
        self.assertGreater(run["cost_usd"], 0, "the interrupted turn told what it cost")
        self.check_nothing_is_left()

    def test_while_it_hangs_by_force(self):
        run_id = self.working("[[sim:hang=1]]")
        run = self.ended(run_id, self.cancel(run_id, "running", "--force"))
        self.assertIn("by force", run["reason"])
        self.assertNotIn("agent.result", [kind for kind, _ in self.events(run_id)])
        self.check_nothing_is_left()

    def test_one_that_heeds_nothing(self):
        mark = f"mark{os.getpid()}"
        run_id = self.working(f"stubborn {mark}")
        self.stack.wait("both tools", lambda: len(processes_with(f"-{mark}")) == 2)
        self.ended(run_id, self.cancel(run_id, "running"))
        self.stack.wait("the tools' end", lambda: not processes_with(f"-{mark}"), 5)
        self.check_nothing_is_left()

    def test_the_worker_dies_in_the_middle(self):
        mark = f"dies{os.getpid()}"
        run_id = self.working(f"stubborn {mark}")
        self.cancel(run_id, "running")
        self.wait_event(run_id, "run.cancelling")
        self.stack.kill("worker-1")
        self.stack.start("worker-1")
        self.ended(run_id)
        self.stack.wait("the tools' end", lambda: not processes_with(f"-{mark}"), 5)
        self.check_nothing_is_left()

    def test_a_session_goes_on_behind_it(self):
        run_id = self.working("[[sim:hang=1]]", "--session", "talk")
        self.ended(run_id, self.cancel(run_id, "running"))
        self.assertIn("sandbox.parked", [kind for kind, _ in self.events(run_id)])
        follow_up = self.submit("[[sim:lines=1]]", "--session", "talk")
        (run,) = self.stack.wait_rows("select * from fleet.runs where run_id = :'id'::uuid and ended", 1, id=follow_up)
        self.assertEqual(run["state"], "completed")
        started = [data for kind, data in self.events(follow_up) if kind == "attempt.started"]
        self.assertEqual(started[0]["sandbox_origin"], "session")

    # --- many, late, and from the terminal ----------------------------------

    def test_a_batch(self):
        text = "".join('{"custom_id":"c%d","prompt":"[[sim:hang=1]]"}\n' % n for n in range(200))
        ids = self.stack.sandfleet("submit", "--file", "-", "--batch", "all", stdin=text).stdout.split("\n")
        self.assertEqual(len([line for line in ids if line]), 200)
        self.stack.wait_rows("select 1 from ledger.claims where batch_id = 'all' and state = 'running' and started", 2)
        began = time.time()
        self.stack.sandfleet("cancel", "--batch", "all", "-q")
        self.stack.wait_rows("select 1 from fleet.runs where batch_id = 'all' and state = 'cancelled'", 200)
        took = self.stack.value("select extract(epoch from max(ended_at)) as at from fleet.runs where batch_id = 'all'") - began
        print(f"figure: a batch of 200 ended {took:.2f} s after the client was called")
        self.check_nothing_is_left()

    def test_one_that_has_ended(self):
        run_id = self.submit("[[sim:lines=1]]")
        self.wait_event(run_id, "run.completed")
        before = self.events(run_id)
        done = self.stack.sandfleet("cancel", run_id, status=5)
        self.assertIn("had ended: nothing was done (completed)", done.stdout)
        self.assertEqual(self.events(run_id), before)
        self.assertEqual(self.stack.value("select count(*) as n from ledger.cancellations where run_id = :'id'::uuid", id=run_id), 0)

    def test_waiting_for_it(self):
        run_id = self.working("[[sim:hang=1]]")
        done = self.stack.sandfleet("cancel", run_id, "--wait", "30s", "-o", "json")
        self.assertEqual(json.loads(done.stdout), [{"run_id": run_id, "found": "running", "asked": True, "state": "cancelled"}])

    def test_ctrl_c_lets_go_and_says_how_to_cancel(self):
        client = self.stack.sandfleet_start("run", "[[sim:hang=1]]")
        run_id = client.stderr.readline().split()[1]
        self.wait_event(run_id, "agent.init")
        client.send_signal(signal.SIGINT)
        _, told = client.communicate(timeout=30)
        self.assertEqual(client.returncode, 130)
        self.assertIn(f"sandfleet cancel {run_id}", told)
        self.ended(run_id, self.cancel(run_id, "running"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
