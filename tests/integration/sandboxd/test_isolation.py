# SPDX-License-Identifier: Apache-2.0
"""Promise: what each isolation level keeps apart is what the table in isolation.expected says; a
level that the machine cannot do is refused; no process outlives its sandbox or its server.
Proof: a program that tries to get out (probe.py) in real sandboxes, as root with --run-as and as
a plain user; processes counted in /proc."""
import contextlib
import ctypes
import json
import os
import socket
import subprocess
import tempfile
import threading
import unittest

from e2b import BIN, KEY, Sandboxd, await_true, running

HERE = os.path.dirname(os.path.abspath(__file__))
LEVELS = ("none", "weak", "medium", "strong")
NOBODY = 65534
PIDS, FILE_MIB, MEMORY = 128, 64, "256MiB"
ABI = ctypes.CDLL(None).syscall(444, None, 0, 1)  # Landlock's version
SCOPES = ABI >= 6
SPREAD = "for i in 1 2 3; do setsid sh -c \"trap '' TERM; exec sleep {}\" </dev/null >/dev/null 2>&1 & done"


def expected():
    with open(os.path.join(HERE, "isolation.expected"), encoding="ascii") as f:
        rows = [line.split() for line in f if line.strip() and line[0] != "#"]
    return {row[0]: dict(zip(LEVELS, row[1:])) for row in rows}


def decide(cell, same, traceable):
    return {"same": same, "trace": same and traceable, "scope": not SCOPES, "scope&": same and not SCOPES,
            "open": True, "shut": False}[cell] and "open" or "shut"


def groups():
    return [os.path.join(folder, name) for folder, names, _ in os.walk("/sys/fs/cgroup") for name in names]


class Services:
    """What a sandbox shall not reach: one of each kind, answering "pong"."""

    def __init__(self, folder):
        self.sockets, self.stopped = [], False
        self.at = {"path": os.path.join(folder, "socket"), "abstract": os.path.basename(folder)}
        tcp = self.serve(socket.AF_INET, socket.SOCK_STREAM, None)
        udp = self.serve(socket.AF_INET, socket.SOCK_DGRAM, None)
        self.serve(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + self.at["abstract"])
        self.serve(socket.AF_UNIX, socket.SOCK_STREAM, self.at["path"])
        os.chmod(self.at["path"], 0o777)
        self.at |= {"tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1]}

    def serve(self, family, kind, address):
        s = socket.socket(family, kind)
        if address:
            s.bind(address)
        else:
            self.bind_low(s)
        if kind == socket.SOCK_STREAM:
            s.listen()
        self.sockets.append(s)
        threading.Thread(target=self.answer, args=(s, kind), daemon=True).start()
        return s

    @staticmethod
    def bind_low(s):
        """Below the ports that connecting takes."""
        for port in range(20000 + os.getpid() % 5000, 32768):
            with contextlib.suppress(OSError):
                s.bind(("127.0.0.1", port))
                return

    @staticmethod
    def answer(s, kind):
        with contextlib.suppress(OSError):
            while kind == socket.SOCK_DGRAM:
                who = s.recvfrom(16)[1]
                if who is None:
                    return
                s.sendto(b"pong", who)
            while True:
                c = s.accept()[0]
                c.recv(16)
                c.sendall(b"pong")
                c.close()

    def close(self):
        for s in self.sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()


class Isolation(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="isolation-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o777)
        self.services = Services(self.folder)
        self.addCleanup(self.services.close)

    def serve(self, level, user, *words):
        server = Sandboxd("--pids", str(PIDS), "--disk", f"{FILE_MIB}MiB", "--memory", MEMORY, *words,
                          level=level, user=user)
        self.addCleanup(server.discard)
        return server

    def aims(self, server, sandbox, other):
        """Where the probe shall try, as names of this machine: none of them may help it."""
        key, home = os.path.join(self.folder, "key"), os.path.join(server.data, "sandboxes", other.id, "home")
        with open(key, "w", encoding="ascii") as f:
            f.write("secret")
        os.chmod(key, 0o600)
        os.chown(key, *[server.user if server.user is not None else os.geteuid()] * 2)
        other.run("sh", "-c", f"echo secret > ~/file; {SPREAD.format(77001)}")
        await_true(lambda: running(b"sleep\0" + b"77001\0") == 3, "the neighbour's processes run")
        pid = next(int(p) for p in filter(str.isdigit, os.listdir("/proc")) if self.is_marked(p))
        outer = server.init_pid(sandbox)
        own_pids = server.level in ("medium", "strong")
        return self.services.at | {
            "server": server.process.pid, "init": 1 if own_pids else outer, "key": key,
            "outside": self.folder, "forks": 2 * PIDS, "file_bytes": (FILE_MIB + 1) << 20,
            "other_file": home + "/file", "other_pid": pid, "other_marker": "77001",
            "template": "/opt/template" if own_pids else os.path.join(server.data, "templates", "base")}

    @staticmethod
    def is_marked(pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read() == b"sleep\00077001\0"
        return False

    def check_table(self, level, user):
        server = self.serve(level, user)
        sandbox, other = server.create(), server.create()
        with open(os.path.join(HERE, "probe.py"), encoding="ascii") as f:
            probe = f.read()
        aims = self.aims(server, sandbox, other)
        done = sandbox.run("/usr/bin/python3", "-c", probe, json.dumps(aims))
        self.assertEqual(done.end and done.end.get("status"), "exit status 0", (done.err, done.last))
        same = user is not None or os.geteuid() != 0
        traceable = os.stat(f"/proc/{server.process.pid}/environ").st_uid != 0
        self.assertEqual(json.loads(done.out), {
            name: decide(row[level], same, traceable) for name, row in expected().items()})

    @unittest.skipIf(ABI < 4, "Landlock is older than version 4")
    def test_ports(self):
        """With a list of ports, the others of this machine are out of reach."""
        for level in ("weak", "medium"):
            for port, want in ((80, b"shut"), (self.services.at["tcp"], b"open")):
                server = self.serve(level, None, "--connect-ports", "443", "--connect-ports", str(port))
                self.assertIn("landlock(tcp)", server.text())
                done = server.create().run("/usr/bin/python3", "-c", (
                    "import socket\ntry:\n socket.create_connection(('127.0.0.1', %d), 2)\n print('open', end='')\n"
                    "except OSError:\n print('shut', end='')") % self.services.at["tcp"])
                self.assertEqual(done.out, want, (level, port, done.err))

    def check_ends(self, level, user):
        """Neither a kill of the sandbox nor of the server leaves a process."""
        server = self.serve(level, user)
        first, second = server.create(), server.create()
        marks = [b"sleep\00077002\0", b"sleep\00077003\0"]
        first.run("sh", "-c", SPREAD.format(77002))
        second.run("sh", "-c", SPREAD.format(77003))
        await_true(lambda: [running(m) for m in marks] == [3, 3], "they run")
        self.assertEqual(first.kill(), 204)
        self.assertEqual([running(m) for m in marks], [0, 3])
        server.process.kill()
        server.process.wait()
        await_true(lambda: running(marks[1]) == 0, "they ended with the server")
        self.serve(level, user).discard()
        self.assertEqual([g for g in groups() if g.endswith(f"sandfleet-{server.process.pid}")], [],
                         "the next server takes the dead one's groups away")

    def check_face(self, level, user):
        """The level is told wherever one would look for it."""
        server = self.serve(level, user)
        health = json.loads(server.call("GET", "/health")[1])
        self.assertEqual(health["isolation"], level)
        self.assertRegex(server.text(), rf"event=sandboxd.isolation level={level} mechanisms=")
        loose = "limits(rlimits)" in health["mechanisms"]
        self.assertEqual("warning" in health, level != "strong" or loose, health)
        self.assertEqual("limits(" in health["mechanisms"], level != "none", health)
        sandbox = server.create()
        detail = json.loads(server.call("GET", f"/sandboxes/{sandbox.id}")[1])
        self.assertEqual(detail["metadata"]["sandfleet.isolation"], level)


def add_tests():
    """Each check at each level, in the two ways that a server can run."""
    for level in LEVELS:
        for how, user in (("own", None), ("plain", NOBODY)):
            for check in ("table", "ends", "face"):
                def test(self, check=check, level=level, user=user):
                    if user is not None and os.geteuid() != 0:
                        self.skipTest("the same as the other one: we are no root")
                    getattr(self, f"check_{check}")(level, user)
                setattr(Isolation, f"test_{check}_{level}_{how}", test)


add_tests()


class Refusals(unittest.TestCase):
    """What the machine cannot do is refused, with status 78 and the next step."""

    def refused(self, *before, level, words=()):
        with tempfile.TemporaryDirectory(prefix="isolation-") as folder:
            if os.geteuid() == 0:
                os.chown(folder, NOBODY, NOBODY)
                who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            else:
                who = {}
            done = subprocess.run([*before, os.path.join(BIN, "sandfleet-sandboxd"), "--data", folder,
                                   "--isolation", level, *words], capture_output=True, text=True,
                                  timeout=20, check=False, env={**os.environ, "E2B_API_KEY": KEY}, **who)
        return done.returncode, done.stderr

    def test_no_user_namespaces(self):
        bare = ("bwrap", "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--")
        for level in ("medium", "strong"):
            status, said = self.refused(*bare, level=level)
            self.assertEqual(status, 78, said)
            self.assertRegex(said, rf"--isolation {level}: .*namespace.*weak", said)

    def test_no_bubblewrap(self):
        bare = ("bwrap", "--dev-bind", "/", "/", "--ro-bind", "/dev/null", "/usr/bin/bwrap", "--")
        status, said = self.refused(*bare, level="medium")
        self.assertEqual(status, 78, said)
        self.assertIn("apt-get install bubblewrap", said)

    def test_unknown_level(self):
        status, said = self.refused(level="hard")
        self.assertEqual((status, "'hard' is not strong, medium, weak or none" in said), (2, True), said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
