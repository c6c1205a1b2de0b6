# SPDX-License-Identifier: Apache-2.0
"""Promise: a batch of runs all end, in bounded memory, also when the worker is killed meanwhile.
Proof: 100 simulated runs, 20 at once; every sequence is 1..n, every line is there once, no agent
was started twice; the same with the worker killed twice. Prints the figures."""

import os
import sys
import tempfile
import time
import unittest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack  # noqa: E402

RUNS, SLOTS, LINES = 100, 20, 60
RSS_CEILING_KIB = 64 * 1024  # of the worker; the sanitizers' shadow is not counted against it


class Batch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("batch", env={**Stack.NOT_ISOLATED, "SANDFLEET_LEASE": "3s",
                                                              "SANDFLEET_SLOTS": str(SLOTS)}))

    def submit(self, name):
        folder = tempfile.mkdtemp(prefix="sandfleet-starts-")
        os.chmod(folder, 0o777)
        starts = os.path.join(folder, "starts")
        text = "".join('{"custom_id":"c%d","prompt":"[[sim:lines=%d delay_ms=20]]","env":'
                       '{"SIM_STARTS_FILE":"%s"}}\n' % (n, LINES, starts) for n in range(RUNS))
        done = self.stack.sandfleet("submit", "--file", "-", "--batch", name, stdin=text)
        self.assertEqual(len(done.stdout.splitlines()), RUNS)
        return starts

    def ended(self, name):
        return self.stack.value("select count(*) as n from fleet.runs where batch_id = :'b' and ended", b=name)

    def wait_ended(self, name, count, peak=None, seconds=300):
        def enough():
            if peak is not None:
                peak.append(self.stack.rss_kib("worker-1"))
            return self.ended(name) >= count
        self.stack.wait(f"{count} runs of {name}", enough, seconds)

    def check(self, name, starts):
        states = self.stack.rows("select state, count(*) as n, sum(missing_lines) as missing from fleet.runs "
                                 "where batch_id = :'b' group by state", b=name)
        self.assertEqual(states, [{"state": "completed", "n": RUNS, "missing": 0}])
        broken = self.stack.rows("""
            select e.run_id from fleet.events e join fleet.runs r using (run_id) where r.batch_id = :'b'
            group by e.run_id, r.sequence having min(e.sequence) <> 1 or max(e.sequence) <> count(*)
                or count(*) <> r.sequence or count(distinct (e.attempt, e.line)) filter (where e.line is not null) <> count(e.line)
                or max(e.line) <> count(e.line)""", b=name)
        self.assertEqual(broken, [], "sequences are contiguous and each line stands once")
        with open(starts) as told:
            return len(told.readlines()) - RUNS

    def test_a_hundred_runs(self):
        peak, began = [], time.monotonic()
        starts = self.submit("calm")
        self.wait_ended("calm", RUNS, peak)
        took = time.monotonic() - began
        self.assertEqual(self.check("calm", starts), 0, "no agent was started twice")
        print(f"figure: {RUNS} runs, {SLOTS} at once, {took:.1f} s, worker RSS at most {max(peak)} KiB")
        if "asan" not in os.environ.get("SANDFLEET_BIN", ""):
            self.assertLess(max(peak), RSS_CEILING_KIB)

    def test_a_hundred_runs_and_two_dead_workers(self):
        began = time.monotonic()
        starts = self.submit("stormy")
        for before in (15, 55):
            self.wait_ended("stormy", before)
            self.stack.kill("worker-1")
            self.stack.start("worker-1")
        self.wait_ended("stormy", RUNS)
        took = time.monotonic() - began
        self.assertEqual(self.check("stormy", starts), 0, "no agent was started twice")
        print(f"figure: the same with the worker killed twice, {took:.1f} s, no second start")


if __name__ == "__main__":
    unittest.main(verbosity=2)
