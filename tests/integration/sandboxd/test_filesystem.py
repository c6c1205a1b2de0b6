# SPDX-License-Identifier: Apache-2.0
"""Promise: filesystem.Filesystem behaves as envd's, and a link leads nowhere that the sandbox
could not go itself. Proof: a real server, raw HTTP; planted links; what is there is counted."""
import json
import os
import threading
import unittest

from e2b import LEVEL
from files_case import Files


class Entries(Files):
    words = ()

    def setUp(self):
        super().setUp()
        self.home = self.sh("pwd").strip()

    def test_entry(self):
        self.sh("umask 022; printf 12345 >x; touch -d '2026-02-03 04:05:06.789 UTC' x")
        self.assertEqual(self.entry("x"), {
            "name": "x", "type": "FILE_TYPE_FILE", "path": f"{self.home}/x", "size": "5", "mode": 0o644,
            "permissions": "-rw-r--r--", "owner": "user", "group": "user",
            "modifiedTime": "2026-02-03T04:05:06.789Z"})

    def test_kinds(self):
        self.sh("mkdir d; chmod 1750 d; touch empty; chmod 0 empty; mkfifo p; chmod 4711 d/../empty")
        d, empty = self.entry("d"), self.entry("empty")
        self.assertEqual((d["type"], d["permissions"], d["mode"]), ("FILE_TYPE_DIRECTORY", "dtrwxr-x---", 0o750))
        self.assertEqual((empty["permissions"], "size" in empty), ("urwx--x--x", False))
        self.assertEqual(("type" in self.entry("p"), self.entry("p")["permissions"][0]), (False, "p"))
        self.assertEqual(self.entry("/dev/null")["permissions"][:2], "Dc")
        self.assertEqual(self.entry("/")["name"], "/")
        self.assertEqual(self.entry("")["path"], self.home)

    def test_links(self):
        self.sh("umask 022; mkdir d; printf 1 >d/f; ln -s d/f one; ln -s one two; ln -s nowhere broken; ln -s loop loop")
        two = self.entry("two")
        self.assertEqual((two["type"], two["isSymlink"], two["symlinkTarget"], two["mode"], two["permissions"]),
                         ("FILE_TYPE_FILE", True, f"{self.home}/d/f", 0o644, "Lrwxrwxrwx"))
        for name in ("broken", "loop"):
            entry = self.entry(name)
            self.assertEqual(("type" in entry, entry["isSymlink"], "mode" in entry, entry["symlinkTarget"]),
                             (False, True, False, f"{self.home}/{name}"))

    def test_stat_refusals(self):
        self.assertEqual(self.refused("Stat", "not_found", path="nope"),
                         f"file not found: lstat {self.home}/nope: no such file or directory")
        self.refused("Stat", "invalid_argument", path="~other/x")
        self.assertEqual(self.refused("Stat", "invalid_argument", path="x" * 5000), "path is over 4095 bytes")
        status, told, _ = self.sandbox.call("POST", "/filesystem.Filesystem/Stat", {"path": "x"}, Authorization="Basic ZXZlOg==")
        self.assertEqual((status, json.loads(told)["code"]), (401, "unauthenticated"))

    def test_lists(self):
        self.sh("mkdir -p a/b/c; touch a/b/c/deep a/z B; ln -s a link")
        names = lambda **m: [e["path"].removeprefix(self.home + "/") for e in self.rpc("ListDir", **m)[1].get("entries", [])]
        self.assertEqual(names(path=""), ["B", "a", "link"])
        self.assertEqual(names(path="~", depth=2), ["B", "a", "a/b", "a/z", "link"])
        self.assertEqual(names(path="a/", depth=9), ["a/b", "a/b/c", "a/b/c/deep", "a/z"])
        self.assertEqual(names(path="link"), ["link/b", "link/z"])  # as it was asked for
        self.assertEqual(self.rpc("ListDir", path="a/b/c/../c", depth=1)[0], 200)
        self.sh("mkdir empty")
        self.assertEqual(self.rpc("ListDir", path="empty"), (200, {}))
        self.assertIn("path not found: lstat", self.refused("ListDir", "not_found", path="nope"))
        self.assertEqual(self.refused("ListDir", "invalid_argument", path="a/z"),
                         f"path is not a directory: {self.home}/a/z")
        self.sh("ln -s loop loop")
        self.refused("ListDir", "failed_precondition", path="loop")
        self.assertIn("/usr/bin", [e["path"] for e in self.rpc("ListDir", path="/usr")[1]["entries"]])

    def test_long_list(self):
        self.sh("mkdir many; cd many; seq -f 'n%06.0f' 20000 | xargs touch")
        entries = self.rpc("ListDir", path="many")[1]["entries"]
        self.assertEqual((len(entries), entries[0]["name"], entries[-1]["name"]), (20000, "n000001", "n020000"))
        self.sh("cd many; seq -f 'm%0200.0f' 30000 | xargs touch")
        self.assertIn("list its folders one by one", self.refused("ListDir", "resource_exhausted", path="many"))

    def test_more_at_once_than_the_sandbox_takes(self):
        self.sh("mkdir many; cd many; seq 3000 | xargs touch")
        found = []
        threads = [threading.Thread(target=lambda: found.append(len(self.rpc("ListDir", path="many")[1]["entries"])))
                   for _ in range(100)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(found, [3000] * 100)

    def test_folders(self):
        status, told = self.rpc("MakeDir", path="a/b")
        self.assertEqual((status, told["entry"]["name"], told["entry"]["type"]), (200, "b", "FILE_TYPE_DIRECTORY"))
        self.assertEqual(self.refused("MakeDir", "already_exists", path="a/b"), f"directory already exists: {self.home}/a/b")
        self.put("f", b"x")
        self.assertEqual(self.refused("MakeDir", "invalid_argument", path="f"),
                         f"path already exists but it is not a directory: {self.home}/f")
        self.assertEqual(self.rpc("MakeDir", path="t/")[0], 200)

    def test_moves(self):
        self.sh("mkdir -p from/d; printf 1 >from/d/x; ln -s nowhere from/l; chmod 751 from; touch -d 2020-01-01 from/d/x")
        status, told = self.rpc("Move", source="from", destination="deep/to")
        self.assertEqual((status, told["entry"]["path"]), (200, f"{self.home}/deep/to"))
        self.assertEqual(self.sh("ls; readlink deep/to/l"), "deep\nnowhere\n")
        self.assertIn("source file not found: rename", self.refused("Move", "not_found", source="nope", destination="x"))

    def test_moves_between_file_systems(self):
        other = self.sh("mktemp -d -p /dev/shm 2>/dev/null || mktemp -d -p /tmp").strip()
        self.addCleanup(self.sandbox.run, "rm", "-rf", other)
        if self.sh(f"stat -c %d {other} .").split()[0] == self.sh("stat -c %d .").strip():
            self.skipTest("one file system")
        self.sh("mkdir -p from/d; printf 1 >from/d/x; ln -s nowhere from/l; chmod 751 from; chmod 4640 from/d/x; "
                "touch -d '2020-01-01 UTC' from/d/x; mkfifo from/p")
        status, told = self.rpc("Move", source="from", destination=f"{other}/to")
        self.assertEqual((status, told.get("entry", told).get("permissions")), (200, "drwxr-x--x"))
        self.assertEqual(self.sh(f"ls; cd {other}/to; ls; cat d/x; stat -c ' %a %Y' d/x; readlink l; ls {other}"),
                         "d\nl\np\n1 4640 1577836800\nnowhere\nto\n")
        self.sh("printf old >file")
        self.assertEqual(self.rpc("Move", source=f"{other}/to/d/x", destination="file")[0], 200)
        self.assertEqual(self.sh("cat file"), "1")

    def test_removes(self):
        self.sh("mkdir -p d/" + "x/" * 200 + "; touch d/f; mkdir d/closed; touch d/closed/f; chmod 0 d/closed; touch kept; ln -s ../kept d/l")
        self.assertEqual([self.rpc("Remove", path="d"), self.rpc("Remove", path="d"), self.sh("ls")],
                         [(200, {}), (200, {}), "kept\n"])


class Links(Files):
    """A sandbox plants links to what only the server may read."""
    words = ()

    @unittest.skipIf(os.geteuid() != 0, "needs two users")
    def test_links_lead_nowhere(self):
        key = os.path.join(self.server.data, "server-key")
        with open(key, "w", encoding="utf-8") as f:
            f.write("the server's own")
        os.chmod(key, 0o600)
        self.addCleanup(os.remove, key)
        folder = os.path.dirname(key)
        self.sh(f"ln -s /etc/shadow shadow; ln -s {key} key; ln -s {folder} data; ln -s /etc etc; ln -s /root root")
        for path in ("shadow", "key", "data/server-key", "etc/shadow", "/etc/shadow", key):
            self.assertIn(self.get(path)[0], (403, 404, 500), path)
            if LEVEL in ("none", "weak"):  # with a root of its own, it may make a file of that name
                self.assertIn(self.put(path, b"x")[0], (403, 500), path)
            self.assertIn(self.sandbox.call("POST", "/files/compose", {"source_paths": [path], "destination": "got"})[0],
                          (403, 404), path)
            self.assertGreaterEqual(self.rpc("Move", source=path, destination="moved/x")[0] if "/" in path else 400, 400)
        for path in ("etc/passwd", "data/server-key", "data/sandboxes"):
            self.rpc("Remove", path=path)
        self.assertGreaterEqual(self.rpc("MakeDir", path="etc/x-sandboxd")[0], 400)
        self.assertGreaterEqual(self.rpc("ListDir", path="root")[0], 400)
        self.assertGreaterEqual(self.rpc("CreateWatcher", path="root")[0], 400)
        with open(key, encoding="utf-8") as f:
            self.assertEqual(f.read(), "the server's own")
        self.assertTrue(os.path.exists("/etc/passwd"))
        self.assertEqual(self.sh("ls -A | grep -c got"), "0\n")


if __name__ == "__main__":
    unittest.main()
