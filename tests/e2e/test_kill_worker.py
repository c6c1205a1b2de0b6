# SPDX-License-Identifier: Apache-2.0
"""Promise: a worker's death loses no line, repeats none, and starts no second agent while the
sandbox lives.
Proof: SIGKILL at points of a run's life that the events name, under an agent that goes on until all
of it is done; then every line stands in Postgres exactly once, in order, and the agent has counted one
start."""

import json
import os
import pathlib
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack, processes_with  # noqa: E402

LEASE = "2s"


class KillWorker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        env = {**Stack.NOT_ISOLATED, "SANDFLEET_LEASE": LEASE, "SANDFLEET_DRAIN": "500ms"}
        cls.stack = cls.enterClassContext(Stack("kill_worker", workers=1, env=env))

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="sandfleet-starts-")
        os.chmod(folder, 0o777)
        self.starts, self.until = os.path.join(folder, "starts"), pathlib.Path(folder, "until")
        self.addCleanup(self.finish)

    def submit(self):
        """A run whose agent goes on until finish()."""
        done = self.stack.sandfleet("submit", "[[sim:lines=1 delay_ms=10]]", "--env", f"SIM_STARTS_FILE={self.starts}",
                                    "--env", f"SIM_UNTIL_FILE={self.until}")
        return done.stdout.split()[0]

    def finish(self):
        self.until.touch()

    def wait_said(self, run_id, count=1, epoch=1):
        """That many of the agent's texts, by that owner or a later one."""
        return self.stack.wait_rows("select 1 from fleet.events where run_id = :'id'::uuid and epoch >= :'epoch'::int"
                                    " and type = 'sandfleet.agent.message'", count, id=run_id, epoch=epoch)

    def check(self, run_id, epochs):
        """The last of so many owners follows the agent to its end, and all of it is there."""
        self.wait_said(run_id, epoch=epochs)
        self.finish()
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and ended", 1, 90, id=run_id)
        (run,) = self.stack.rows("select * from fleet.runs where run_id = :'id'::uuid", id=run_id)
        rows = self.stack.rows("select * from fleet.events where run_id = :'id'::uuid order by sequence", id=run_id)
        self.assertEqual((run["state"], run["missing_lines"], run["attempt"]), ("completed", 0, 1))
        self.assertEqual([r["sequence"] for r in rows], list(range(1, len(rows) + 1)))
        lines = [r["line"] for r in rows if r["line"] is not None]
        self.assertEqual(lines, list(range(1, len(lines) + 1)))
        self.assertEqual(rows[-1]["type"], "sandfleet.run.completed")
        self.assertGreaterEqual(len({r["epoch"] for r in rows}), epochs)
        said = [r["data"] for r in rows if r["type"] == "sandfleet.agent.message"]
        self.assertIn(f"(line {len(said)} of ", json.dumps(said[-1]), "the agent counts what it says")
        with open(self.starts) as starts:
            self.assertEqual(len(starts.readlines()), 1, "the agent was started once")

    def test_in_the_middle_of_the_stream(self):
        run_id = self.submit()
        self.wait_said(run_id, 50)
        self.stack.kill("worker-1")
        self.stack.start("worker-1")
        self.check(run_id, 2)

    def test_twice_in_one_run(self):
        run_id = self.submit()
        for epoch in (1, 2):
            self.wait_said(run_id, 40, epoch)
            self.stack.kill("worker-1")
            self.stack.start("worker-1")
        self.check(run_id, 3)

    def test_after_the_agent_has_ended(self):
        """The run ends while no worker is there: the file keeps all of it."""
        run_id = self.submit()
        self.wait_said(run_id, 5)
        self.stack.kill("worker-1")
        self.finish()
        self.stack.wait("the agent's end", lambda: not processes_with(self.starts, "environ"))
        running = self.stack.value("select count(*) as n from ledger.claims where run_id = :'id'::uuid "
                                   "and state = 'running'", id=run_id)
        self.assertEqual(running, 1)
        self.stack.start("worker-1")
        self.check(run_id, 2)

    def test_sigterm_hands_the_run_over(self):
        """Drained as long as it may, then released: no lease has to run out, nothing is repeated."""
        run_id = self.submit()
        self.wait_said(run_id, 50)
        self.stack.stop("worker-1")
        self.stack.start("worker-1")
        self.check(run_id, 2)
        repeats = self.stack.value("select repeats from fleet.runs where run_id = :'id'::uuid", id=run_id)
        self.assertEqual(repeats, 0)

    def test_a_run_under_which_workers_die_ends(self):
        """No agent is ever started; each death was counted before the work began."""
        sandboxd = self.stack.pid("sandboxd")
        os.kill(sandboxd, signal.SIGSTOP)
        try:
            run_id = self.stack.sandfleet("submit", "x", "--max-attempts", "2").stdout.split()[0]
            for epoch in (1, 2):
                self.stack.wait_rows("select 1 from ledger.claims where run_id = :'id'::uuid and state = 'running' "
                                     f"and epoch = {epoch} and worker_id is not null", 1, id=run_id)
                self.stack.kill("worker-1")
                self.stack.start("worker-1")
            (run,) = self.stack.wait_rows("select * from fleet.runs where run_id = :'id'::uuid and ended", 1, id=run_id)
        finally:
            os.kill(sandboxd, signal.SIGCONT)
        self.assertEqual((run["state"], run["outcome"]), ("failed", "internal"))
        self.assertIn("worker_lost", run["reason"])

    def test_another_worker_takes_over(self):
        run_id = self.submit()
        self.wait_said(run_id, 50)
        self.stack.dev("up", "--workers", "2", "--claude", self.stack.claude)
        self.stack.kill("worker-1")
        self.check(run_id, 2)
        self.stack.dev("up", "--workers", "1", "--claude", self.stack.claude)


if __name__ == "__main__":
    unittest.main(verbosity=2)
