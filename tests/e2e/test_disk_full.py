# SPDX-License-Identifier: Apache-2.0
"""Promise: a full disk under the sandboxes ends a run as failed, with a clear reason and after its
attempts; no process dies of it, and the next run after space is freed goes well.
Proof: sandboxd's data on a file system of a few MiB that is filled before a run is submitted."""

import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack  # noqa: E402

SIZE = 4 << 20
ROOM = 64 << 10  # enough for a sandbox to be made, not for the prompt
PROMPT = "x" * 100000
PARTS = ("kafka", "postgres", "sandboxd", "sink", "worker-1")


def alone():
    """A mount namespace of our own, so that the mount ends with us and needs no root."""
    if "SANDFLEET_OWN_MOUNTS" not in os.environ:
        words = ["unshare", *(["-m"] if os.geteuid() == 0 else ["-rm"]), "--propagation", "private"]
        os.environ["SANDFLEET_OWN_MOUNTS"] = "1"
        os.execvp(words[0], [*words, sys.executable, "-B", *sys.argv])


class DiskFull(unittest.TestCase):
    def test_a_full_disk(self):
        with Stack("disk_full") as stack:
            stack.sandfleet("run", "before")
            stack.stop("sandboxd")
            data = self.data_dir(stack)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", data], check=True)
            self.addCleanup(subprocess.run, ["umount", "-l", data])
            stack.start("sandboxd")
            pids = {part: stack.pid(part) for part in PARTS}
            filler = os.path.join(data, "filler")
            with open(filler, "wb") as file:
                try:
                    while True:
                        file.write(b"\0" * 65536)
                        file.flush()
                except OSError:
                    pass
                file.truncate(file.tell() - ROOM)
            done = stack.sandfleet("run", "-o", "json", PROMPT, "--max-attempts", "2", status=1, timeout=90)
            ended = json.loads(done.stdout)["data"]
            self.assertEqual((ended["state"], ended["outcome"], ended["attempts"]), ("failed", "sandbox_failed", 2))
            self.assertIn("disk is full", ended["reason"])
            os.unlink(filler)
            stack.sandfleet("run", "after")
            self.assertEqual({part: stack.pid(part) for part in PARTS}, pids)

    def data_dir(self, stack):
        data = stack.dir / "sandboxd"
        for name in ("data/sandboxd", "sandboxd", "sandboxes", "data/sandboxes"):
            if (stack.dir / name).is_dir():
                data = stack.dir / name
        for entry in data.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        return str(data)


if __name__ == "__main__":
    alone()
    unittest.main(verbosity=2)
