# SPDX-License-Identifier: Apache-2.0
"""Promise: Kafka, Postgres or the sandbox service missing at start or gone for a while costs
time, never a run: the client says so and ends with 75, the processes wait and go on.
Proof: each is killed while a run is under way and comes back."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack  # noqa: E402

LONG = "[[sim:lines=300 delay_ms=20]]"
LONGER = "[[sim:lines=300 delay_ms=100]]"


class Outage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("outage", env={"SANDFLEET_LEASE": "3s"}))

    def submit(self, prompt=LONG):
        return self.stack.sandfleet("submit", prompt).stdout.split()[0]

    def wait_lines(self, run_id, count):
        self.stack.wait_rows("select 1 from fleet.events where run_id = :'id'::uuid and line is not null",
                             count, id=run_id)

    def check_whole(self, run_id, lines=300):
        self.stack.wait("the run's end", lambda: self.stack.supervise("worker-1") or self.stack.rows(
            "select 1 from fleet.runs where run_id = :'id'::uuid and ended", id=run_id), 120)
        (run,) = self.stack.rows("select * from fleet.runs where run_id = :'id'::uuid", id=run_id)
        self.assertEqual((run["state"], run["missing_lines"], run["attempt"]), ("completed", 0, 1))
        rows = self.stack.rows("select sequence, line from fleet.events where run_id = :'id'::uuid "
                               "order by sequence", id=run_id)
        self.assertEqual([r["sequence"] for r in rows], list(range(1, len(rows) + 1)))
        stored = [r["line"] for r in rows if r["line"] is not None]
        self.assertEqual(stored, list(range(1, len(stored) + 1)))
        self.assertGreaterEqual(len(stored), lines)

    def test_kafka_gone_in_the_middle_of_a_run(self):
        run_id = self.submit(LONGER)
        self.wait_lines(run_id, 30)
        held = self.streams()
        self.stack.kill("kafka")
        began = time.monotonic()
        done = self.stack.sandfleet("submit", "x", status=75)
        self.assertLess(time.monotonic() - began, 20)
        self.assertIn("--brokers (SANDFLEET_BROKERS)", done.stderr)
        self.assertEqual(done.stdout, "")
        self.check_cut_off(run_id, held)
        self.stack.start("kafka")
        self.check_whole(run_id)
        self.check_whole(self.submit("short"), lines=1)

    def check_cut_off(self, run_id, held):
        """The worker's stream is closed, its claim kept; it rests, and does not grow."""
        self.stack.wait_log("worker-1", "events.blocked", 30)
        self.stack.wait("the stream to be closed", lambda: self.streams() < held, 10)
        cpu, rss, began = self.cpu_s(), self.stack.rss_kib("worker-1"), time.monotonic()
        time.sleep(3)  # a rate is measured over a while
        self.assertLess((self.cpu_s() - cpu) / (time.monotonic() - began), 0.05)
        self.assertLess(self.stack.rss_kib("worker-1") - rss, 16 << 10)
        (claim,) = self.stack.rows("select c.state, c.epoch, w.worker_id is not null as owned from ledger.claims c "
                                   "left join ledger.workers w using (worker_id) where c.run_id = :'id'::uuid",
                                   id=run_id)
        self.assertEqual((claim["state"], claim["epoch"], claim["owned"]), ("running", 1, True))

    def streams(self):
        """Connections of the worker to sandboxd."""
        pid, port = self.stack.pid("worker-1"), int(self.stack.env["E2B_API_URL"].rsplit(":", 1)[1])
        mine = {os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
        rows = [row.split() for row in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
        return sum(1 for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "01" and
                   f"socket:[{row[9]}]" in mine)

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.stack.pid('worker-1')}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_postgres_gone_in_the_middle_of_a_run(self):
        run_id = self.submit()
        self.wait_lines(run_id, 30)
        self.stack.kill("postgres")
        queued = self.submit("queued while the ledger is down")
        self.stack.start("postgres")
        self.check_whole(run_id)
        self.check_whole(queued, lines=1)

    def test_postgres_restarted_in_the_middle_of_a_run(self):
        run_id = self.submit()
        self.wait_lines(run_id, 30)
        self.stack.restart("postgres")
        self.check_whole(run_id)

    def test_processes_start_before_their_servers(self):
        self.stack.stop("worker-1", "sink")
        self.stack.kill("postgres")
        self.stack.kill("kafka")
        with self.by_hand("sandfleet-worker") as worker, self.by_hand("sandfleet-sink") as sink:
            for log in (worker, sink):
                self.stack.wait("the next step in " + log.name, lambda log=log: "is it up, and --brokers" in log.read_text())
            self.stack.start("kafka")
            self.stack.start("postgres")
            self.check_whole(self.submit("after the storm"), lines=1)
        self.stack.start("worker-1", "sink")

    @contextlib.contextmanager
    def by_hand(self, program):
        """One of our processes, started whatever else is there; gives its log."""
        log = self.stack.dir / "log" / (program + "-by-hand.log")
        with open(log, "w") as err:
            process = subprocess.Popen([program], env=self.stack.environ(SANDFLEET_LEASE="3s"),
                                       stdin=subprocess.DEVNULL, stderr=err)
        try:
            yield log
            process.terminate()
            self.assertEqual(process.wait(60), 0)
        finally:
            process.kill()
            process.wait()

    def test_sink_killed_in_the_middle_of_a_run(self):
        run_id = self.submit()
        self.wait_lines(run_id, 30)
        self.stack.kill("sink")
        self.stack.start("sink")
        self.check_whole(run_id)


if __name__ == "__main__":
    unittest.main(verbosity=2)
