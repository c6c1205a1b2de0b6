# SPDX-License-Identifier: Apache-2.0
"""Promise: whoever watches a folder is told what happens in it, as by envd, and a watch ends
with its stream, its removal, or its sandbox. Proof: a real server; events awaited one by one;
processes and descriptors counted before and after."""
import json
import os
import threading
import unittest

from e2b import await_true
from files_case import Files

WATCH = "/filesystem.Filesystem/WatchDir"


def watchers():
    """Processes that watch for some sandbox."""
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                found += f.read() == "sandbox-watch\n"
        except OSError:
            pass
    return found


class Watch(Files):
    words = ()

    def setUp(self):
        super().setUp()
        self.home = self.sh("pwd").strip()

    def watch(self, path=".", headers=None, **members):
        stream = self.sandbox.stream(WATCH, {"path": path, **members}, **(headers or {}))
        self.addCleanup(stream.close)
        self.assertEqual((stream.answer.headers["Content-Type"], next(stream)),
                         ("application/connect+json", (0, {"start": {}})))
        return stream

    def until(self, stream, name, kind):
        """The events up to this one, as "KIND name"."""
        seen = []
        for _, message in stream:
            event = message.get("filesystem", {})
            seen.append(f"{event.get('type', '').removeprefix('EVENT_TYPE_')} {event.get('name')}")
            if seen[-1] == f"{kind} {name}":
                return seen
        raise AssertionError(f"no {kind} {name} in {seen}")


class Streams(Watch):
    def test_kinds(self):
        self.sh("mkdir d")
        stream = self.watch("d")
        self.sh("cd d; echo 1 >x")
        self.assertEqual(self.until(stream, "x", "WRITE"), ["CREATE x", "WRITE x"])
        self.sh("chmod 600 d/x")
        self.assertEqual(self.until(stream, "x", "CHMOD"), ["CHMOD x"])
        self.sh("mv d/x d/y")
        self.assertEqual(self.until(stream, "y", "CREATE"), ["RENAME x", "CREATE y"])
        self.sh("rm d/y; mkdir d/sub; touch d/sub/unseen; rmdir d/none 2>/dev/null; touch d/last")
        self.assertEqual(self.until(stream, "last", "CREATE"), ["REMOVE y", "CREATE sub", "CREATE last"])

    def test_uploads_write_in_place(self):
        self.put("x", b"1")
        stream = self.watch()
        self.put("x", b"2")
        self.assertEqual(set(self.until(stream, "x", "WRITE")), {"WRITE x"})

    def test_recursive(self):
        self.sh("mkdir -p old/deep")
        stream = self.watch(recursive=True)
        self.put("old/deep/x", b"1")
        self.assertEqual(self.until(stream, "old/deep/x", "WRITE")[0], "CREATE old/deep/x")
        self.put("new/a/b/y", b"1")  # found in folders that came before we could watch, or told
        seen = self.until(stream, "new/a/b/y", "CREATE")
        self.assertTrue({"CREATE new", "CREATE new/a", "CREATE new/a/b"} <= set(seen), seen)
        self.sh("mv new moved; sleep 0.05; touch moved/a/z")
        self.assertIn("RENAME new", self.until(stream, "moved/a/z", "CREATE"))
        self.sh("rm -r moved; touch end")
        self.assertIn("REMOVE moved", self.until(stream, "end", "CREATE"))

    def test_entries(self):
        stream = self.watch(includeEntry=True)
        self.sh("umask 022; mkdir d")
        entry = next(stream)[1]["filesystem"]["entry"]
        self.assertEqual((entry["path"], entry["type"], entry["permissions"]),
                         (f"{self.home}/d", "FILE_TYPE_DIRECTORY", "drwxr-xr-x"))
        self.sh("rmdir d")
        self.assertEqual(next(stream)[1]["filesystem"], {"name": "d", "type": "EVENT_TYPE_REMOVE"})

    def test_keepalives_and_deadline(self):
        stream = self.watch(headers={"Keepalive-Ping-Interval": "1", "Connect-Timeout-Ms": "1500"})
        self.assertEqual(next(stream), (0, {"keepalive": {}}))
        self.assertEqual(list(stream)[-1], (2, {"error": {"code": "deadline_exceeded",
                                                          "message": "context deadline exceeded"}}))
        await_true(lambda: watchers() == 0, "it has ended")

    def test_refusals(self):
        self.put("file", b"")
        for path, code in (("nope", "not_found"), ("file", "invalid_argument"), ("~x", "invalid_argument")):
            stream = self.sandbox.stream(WATCH, {"path": path})
            flags, message = next(stream)
            self.assertEqual((flags, message["error"]["code"]), (2, code))
            stream.close()

    def test_slow_reader_is_told_of_its_loss(self):
        """More than sockets, and the kernel behind them, hold for it."""
        stream = self.watch()
        # One process, one system call each; by turns, as the kernel makes one of two that are alike.
        self.sh(f"""awk -v n={'n' * 240} 'BEGIN {{
            for (i = 0; i < 60000; i++) {{ print 1 >(n i % 2); fflush(n i % 2) }} }}'""")
        last = list(stream)[-1]
        self.assertEqual(last, (2, {"error": {"code": "internal",
                                              "message": "watcher error: fsnotify: queue or buffer overflow"}}))
        await_true(lambda: watchers() == 0, "it has ended")


class Queues(Watch):
    def create(self, path=".", **members):
        status, told = self.rpc("CreateWatcher", path=path, **members)
        self.assertEqual(status, 200, told)
        return told["watcherId"]

    def events(self, watcher, name):
        """Fetches until an event of that name has come."""
        seen = []

        def come():
            status, told = self.rpc("GetWatcherEvents", watcherId=watcher)
            self.assertEqual(status, 200, told)
            seen.extend(told.get("events", []))
            return any(e["name"] == name for e in seen)
        await_true(come, f"an event of {name}")
        return [f"{e['type'].removeprefix('EVENT_TYPE_')} {e['name']}" for e in seen]

    def test_life(self):
        watcher = self.create()
        self.assertEqual(self.rpc("GetWatcherEvents", watcherId=watcher), (200, {}))
        self.sh("touch a; rm a; touch end")
        self.assertEqual([e for e in self.events(watcher, "end") if "CHMOD" not in e], ["CREATE a", "REMOVE a", "CREATE end"])
        self.assertEqual(self.rpc("RemoveWatcher", watcherId=watcher), (200, {}))
        for method in ("RemoveWatcher", "GetWatcherEvents"):
            self.assertEqual(self.refused(method, "not_found", watcherId=watcher), f"watcher with id {watcher} not found")
        await_true(lambda: watchers() == 0, "it has ended")

    def test_many_events_wait(self):
        watcher = self.create()
        self.sh("for i in $(seq 3000); do : >f$i; done; touch end")
        names = [e.split()[1] for e in self.events(watcher, "end") if e.startswith("CREATE")]
        self.assertEqual(names, [f"f{i}" for i in range(1, 3001)] + ["end"])

    def test_another_sandbox_sees_none(self):
        watcher, other = self.create(), self.server.create()
        status, body, _ = other.call("POST", "/filesystem.Filesystem/GetWatcherEvents", {"watcherId": watcher})
        self.assertEqual((status, json.loads(body)["code"]), (404, "not_found"))
        other.kill()

    def test_ceiling(self):
        made = [self.create() for _ in range(64)]
        self.assertIn("stop one", self.refused("CreateWatcher", "resource_exhausted", path="."))
        self.rpc("RemoveWatcher", watcherId=made[0])
        self.create()


class Ends(Watch):
    def descriptors(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def test_nothing_is_left(self):
        sandbox, before = self.server.create(), self.descriptors()
        self.sandbox, mine = sandbox, self.sandbox
        streams = [self.watch(recursive=True) for _ in range(5)]
        for _ in range(5):
            self.assertEqual(self.rpc("CreateWatcher", path=".")[0], 200)
        await_true(lambda: watchers() == 10, "all are there")
        streams[0].close()
        threads = [threading.Thread(target=self.put, args=(f"d{i}/x", b"1" * 100000)) for i in range(100)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(self.sh("cat d*/x | wc -c").strip(), "10000000")
        await_true(lambda: watchers() == 9, "a closed stream ends its watch")
        self.assertEqual(sandbox.kill(), 204)
        with self.assertRaises(Exception):  # cut, without an end
            for stream in streams[1:]:
                list(stream)
                raise ConnectionError("it ended")
        self.sandbox = mine
        await_true(lambda: (watchers(), self.descriptors() <= before) == (0, True), "nothing is left")


if __name__ == "__main__":
    unittest.main()
