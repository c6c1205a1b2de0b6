# SPDX-License-Identifier: Apache-2.0
"""Promise: a worker with many live runs loses no line, and neither its memory nor its descriptors
grow while they go on.
Proof: the short form of ops/bench worker, whose goals of time need a quiet machine and are not
asked for: 200 runs through real Kafka and Postgres."""

import pathlib
import subprocess
import sys
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench" / "worker.py"


class Scale(unittest.TestCase):
    def test_nothing_is_lost_and_nothing_grows(self):
        done = subprocess.run([sys.executable, "-B", BENCH, "--short"], capture_output=True, text=True, timeout=170)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("lines, none lost", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^runs=200 kib_per_run=\S+ loop_p99_ms=\S+ dispatch_p50_ms=\S+$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
