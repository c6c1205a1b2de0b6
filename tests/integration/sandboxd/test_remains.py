# SPDX-License-Identifier: Apache-2.0
"""Promise: of two hundred sandboxes that ended with all they had (commands, terminals, watches, input
that nobody read, uploads cut half way, streams left open, some of them paused) nothing remains.
Proof: the server's descriptors, children, folders, sockets, cgroups and memory, before and after."""
import base64
import glob
import json
import os
import pathlib
import socket
import unittest

from e2b import STREAM, Sandboxd, await_true, envelope

WARM_ROUNDS, ROUNDS, AT_ONCE, TIDES = 6, 5, 20, 4
RSS_KIB = 4096  # by which a warm heap may still grow


def count(path):
    return len(os.listdir(path))


def children(pid):
    return sum(len((task / "children").read_text("ascii").split()) for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


def rss_kib(pid):
    return int(pathlib.Path(f"/proc/{pid}/status").read_text("ascii").split("VmRSS:")[1].split()[0])


class Remains(unittest.TestCase):
    def setUp(self):
        self.ids, self.open = set(), []

    def raw(self, box, path, body, kind, length=None):
        """A request whose connection stays open, unanswered or half sent."""
        s = socket.create_connection(("127.0.0.1", self.server.port))
        head = {"Host": "localhost", "Content-Type": kind, "Content-Length": length or len(body), **box.headers()}
        s.sendall((f"POST {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in head.items()) + "\r\n").encode() + body)
        self.open.append(s)

    def fill(self, i):
        box = self.server.create()
        self.ids.add(box.id)
        pid = box.start("sleep", "75001", stdin=True).pid()
        box.start("sh", "-c", "setsid sleep 75001 & yes").pid()
        box.stream("Start", {"process": {"cmd": "cat"}, "pty": {"size": {"cols": 80, "rows": 24}}}).pid()
        self.raw(box, "/files?path=cut", b"x" * 70000, "application/octet-stream", 1 << 20)
        self.raw(box, "/process.Process/SendInput", json.dumps({"process": {"pid": pid}, "input": {
            "stdin": base64.b64encode(b"x" * 200000).decode()}}).encode(), "application/json")
        self.raw(box, "/filesystem.Filesystem/WatchDir", envelope({"path": "."}), STREAM)
        status, _, _ = box.call("POST", "/filesystem.Filesystem/CreateWatcher", {"path": "."})
        self.assertEqual(status, 200)
        if i % 4 == 0:
            self.assertEqual(self.server.call("POST", f"/sandboxes/{box.id}/pause", {})[0], 204)
        return box

    def a_round(self):
        self.open = []
        boxes = [self.fill(i) for i in range(AT_ONCE)]
        for i, box in enumerate(boxes):
            if i % 2:
                self.hang_up(box)
            self.assertEqual(box.kill(), 204)
        for box in boxes:
            self.hang_up(box)
        for s in self.open:
            s.close()

    def hang_up(self, box):
        for stream in box.streams:
            stream.close()
        box.streams = []

    def now(self):
        pid, data = self.server.process.pid, self.server.data
        groups = glob.glob("/sys/fs/cgroup/*/sandfleet-*/i*") + glob.glob("/sys/fs/cgroup/sandfleet-*/i*")
        ours = [g for g in groups if os.path.basename(g) in self.ids]
        return {"descriptors": count(f"/proc/{pid}/fd"), "children": children(pid),
                "folders": count(f"{data}/sandboxes"), "cgroups": len(ours)}

    def await_as(self, before):
        """No more of anything. Less may be: what was seen first may have been about to go."""
        try:
            await_true(lambda: all(n <= before[what] for what, n in self.now().items()), "as before")
        except AssertionError:
            self.assertEqual(self.now(), before, os.listdir(f"{self.server.data}/sandboxes"))

    def grows_no_more(self, before, tides):
        """A leak grows each time; how high the tide of twenty at once was differs."""
        for _ in range(tides):
            warm = rss_kib(self.server.process.pid)
            for _ in range(ROUNDS):
                self.a_round()
            self.await_as(before)
            if rss_kib(self.server.process.pid) < warm + RSS_KIB:
                return True
        return False

    def test_nothing_remains(self):
        self.server = Sandboxd()
        self.addCleanup(self.server.discard)
        self.server.create().kill()
        before = self.now()
        for _ in range(WARM_ROUNDS):
            self.a_round()
        self.await_as(before)
        maps = pathlib.Path(f"/proc/{self.server.process.pid}/maps").read_text("utf-8")
        asan = "asan" in maps  # that one keeps what was freed; it looks for leaks itself
        self.assertTrue(self.grows_no_more(before, 1 if asan else TIDES) or asan)
        self.assertEqual(self.server.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
