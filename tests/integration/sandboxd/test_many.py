# SPDX-License-Identifier: Apache-2.0
"""Promise: a hundred sandboxes at once, one process printing in each, lose no byte on the way
through sandboxd and our client, and leave nothing behind.
Proof: SHA-256 of each stream as the process took it and as the client read it; sandboxd's
children and descriptors counted before and after."""
import json
import os
import pathlib
import subprocess
import unittest

from e2b import BIN, KEY, Sandboxd, await_true

TESTS = pathlib.Path(BIN).parent / "tests"
STREAMS, LINES = 100, 60


def children(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += (task / "children").read_text("ascii").split()
    return found


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Many(unittest.TestCase):
    def test_no_byte_is_lost(self):
        server = Sandboxd("--max-sandboxes", str(STREAMS + 10))
        self.addCleanup(server.discard)
        pid = server.process.pid
        before = len(children(pid)), descriptors(pid)
        words = ["--streams", str(STREAMS), "--lines", str(LINES), "--rate", "40", "--bytes", "300", "--verify"]
        env = dict(os.environ, E2B_API_KEY=KEY, E2B_API_URL=server.url(), E2B_SANDBOX_URL=server.url(), no_proxy="*")
        done = subprocess.run([TESTS / "bench.streams", "--emit", TESTS / "bench.emit", *words], env=env, timeout=150,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        told = json.loads(done.stdout)
        wanted = {"streams": STREAMS, "whole_streams": STREAMS, "failed": 0, "lines": STREAMS * LINES,
                  "bytes": STREAMS * LINES * 300, "out_of_order": 0, "sum_errors": 0}
        self.assertEqual({name: told.get(name) for name in wanted}, wanted)
        await_true(lambda: (len(children(pid)), descriptors(pid)) == before, "sandboxd is as it was")
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
