# SPDX-License-Identifier: Apache-2.0
"""Promise: a process lives as the real daemon lets it live, whoever follows it, and each request is
read, and refused, as the real one does; compressed or not.
Proof: each of its measured behaviours on the wire of a real sandboxd.
"""
import base64
import gzip
import json
import os
import pathlib
import re
import subprocess
import time
import unittest

from e2b import STREAM, Done, await_true, envelope, running
from process_case import KILLED, Process


class Life(Process):
    def is_gone(self, pid):
        """As the sandbox sees it, which may number its processes for itself."""
        return self.sandbox.run("test", "-e", f"/proc/{pid}").end.get("exitCode") == 1

    def stands_still(self, pid):
        """A writer that writes nothing for a while: nobody takes it."""
        io = self.sandbox.run("sh", "-c", f"for i in 1 2; do grep wchar /proc/{pid}/io; sleep 0.1; done").out
        lines = io.splitlines()
        return len(lines) == 2 and lines[0] == lines[1] != b"wchar: 0"

    def signal(self, pid, name="SIGNAL_SIGKILL"):
        return self.sandbox.rpc("SendSignal", {"process": {"pid": pid}, "signal": name})

    def follow(self, pid, **headers):
        return self.sandbox.stream("Connect", {"process": {"pid": pid}}, **headers)

    def listed(self):
        return [p["pid"] for p in self.sandbox.rpc("List")[1].get("processes", [])]

    def test_kill_hits_one_process_only(self):
        first = self.shell("sleep 74001 & sleep 74001 & echo; wait")
        pid = first.pid()
        next(first)
        self.assertEqual((self.signal(pid), self.signal(pid)[0]), ((200, {}), 404))
        await_true(lambda: self.is_gone(pid), "it is reaped")
        await_true(lambda: running(b"sleep\x0074001\0") == 2, "its children survive")
        self.assertEqual(self.listed(), [pid])  # its output is still held open
        self.sandbox.run("pkill", "-f", "sleep 74001")
        self.assertEqual((Done(first).end, self.listed()), (KILLED, []))

    def test_kill_while_a_reader_is_stalled(self):
        stalled = self.shell("exec yes 74101")
        pid = stalled.pid()
        healthy = self.follow(pid)
        await_true(lambda: self.stands_still(pid), "the stalled reader holds it up")
        self.assertEqual(self.signal(pid), (200, {}))
        await_true(lambda: self.is_gone(pid), "it is gone at once")
        await_true(lambda: self.listed() == [], "and no longer listed")
        self.assertEqual(Done(healthy).end, KILLED)
        stalled.close()

    def test_client_that_leaves(self):
        first = self.shell("until [ -e a ]; do sleep 0.01; done; echo lost; echo >b;"
                           "until [ -e c ]; do sleep 0.01; done; echo seen")
        pid = first.pid()
        first.close()
        self.put("a")
        await_true(lambda: self.sandbox.run("test", "-e", "b").end["status"] == "exit status 0", "it lives on")
        second = self.follow(pid)
        self.assertEqual(second.pid(), pid)
        self.put("c")
        self.assertEqual(Done(second).out, b"seen\n")
        cached = Done(self.follow(pid))
        self.assertEqual((cached.pid, cached.out, cached.end["status"]), (pid, b"", "exit status 0"))
        self.assertEqual((self.listed(), self.signal(pid)[0], self.sandbox.input(pid, b"")[0]), ([], 404, 404))

    def test_deadlines(self):
        first = self.shell("exec sleep 74201")
        pid = first.pid()
        self.ends_with(self.follow(pid, Connect_Timeout_Ms="50"), "deadline_exceeded", "context deadline exceeded")
        self.assertFalse(self.is_gone(pid))
        self.ends_with(self.follow(pid, Connect_Timeout_Ms="0"), "deadline_exceeded", "context deadline exceeded")
        self.ends_with(self.follow(pid, Connect_Timeout_Ms="10000000000"), "invalid_argument",
                       'parse timeout: "10000000000" has >10 digits')
        first.close()

    def test_deadline_that_passes_before_the_start(self):
        for _ in range(20):
            self.ends_with(self.sandbox.start("sleep", "74202", headers={"Connect-Timeout-Ms": "1"}),
                           "deadline_exceeded", "context deadline exceeded")
        self.sandbox.run("true")
        await_true(lambda: self.listed() == [], "each of them was killed")

    def limit_files(self, pid, most):
        """In the name of the process's own user."""
        status = pathlib.Path(f"/proc/{pid}/status").read_text("ascii")
        uid, gid = (int(re.search(rf"{name}:\t(\d+)", status)[1]) for name in ("Uid", "Gid"))
        who = {"user": uid, "group": gid} if os.geteuid() == 0 else {}
        subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={most}"], check=True, **who)

    def test_without_room_for_descriptors_it_is_refused(self):
        self.sandbox.run("true")
        pid = self.server.init_pid(self.sandbox)
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            pid = int(f.read() or pid)  # bubblewrap's child
        self.limit_files(pid, "4:")
        self.ends_with(self.shell("true"), "internal", "Too many open files")
        self.assertEqual(self.sandbox.call("GET", "/files?path=x")[0], 500)
        self.limit_files(pid, "1024:")
        self.assertEqual(self.sandbox.run("true").end["status"], "exit status 0")

    def test_by_tag(self):
        one, two = (self.sandbox.start("sleep", "74301", tag=t) for t in ("one", "two"))
        self.assertEqual(self.sandbox.stream("Connect", {"process": {"tag": "one"}}).pid(), one.pid())
        self.assertEqual(self.sandbox.stream("Connect", {"process": {"tag": "two"}}).pid(), two.pid())
        self.ends_with(self.sandbox.stream("Connect", {"process": {"tag": "x"}}), "not_found",
                       "process with tag x not found")
        self.ends_with(self.follow(4242), "not_found", "process with pid 4242 not found")

    def test_what_is_listed(self):
        config = {"cmd": "sleep", "args": ["74401"], "envs": {"A": "1"}, "cwd": "/"}
        stream = self.sandbox.stream("Start", {"process": {**config, "other": 1}, "tag": "t", "stdin": False})
        pid = stream.pid()
        self.assertEqual(self.sandbox.rpc("List")[1], {"processes": [{"config": config, "pid": pid, "tag": "t"}]})
        stream.close()

    def test_environment_and_folder(self):
        done = self.shell("env; pwd", config={"envs": {"LOGNAME": "me"}, "cwd": "/usr"})
        lines = Done(done).out.decode().splitlines()
        self.assertLess({"USER=user", "LOGNAME=me", "/usr"}, set(lines))
        home = self.sandbox.run("sh", "-c", "mkdir sub; echo $HOME").out.decode().strip()
        self.assertEqual(self.sandbox.run("pwd", config={"cwd": "~/sub"}).out.decode().strip(), f"{home}/sub")
        self.ends_with(self.sandbox.start("pwd", config={"cwd": "/nope"}), "invalid_argument",
                       "cwd '/nope' does not exist")
        self.ends_with(self.sandbox.start("pwd", config={"cwd": "nope"}), "invalid_argument",
                       f"cwd '{home}/nope' does not exist")

    def test_missing_programs(self):
        for words in (["no-such-program"], [""]):
            done = self.sandbox.run(*words)
            self.assertEqual((done.end["exitCode"], done.last, b"No such file" in done.err), (127, {}, True))
        self.assertEqual(Done(self.sandbox.stream("Start", {})).end["exitCode"], 127)
        self.ends_with(self.sandbox.start("true", "x" * 131072), "invalid_argument", "argument list too long")

    def test_tail_of_a_dead_process_ends(self):
        job = self.shell("exec sleep 74501")
        pid = job.pid()
        tail = self.shell(f"echo line >out; exec tail -c +1 -f --pid={pid} -s 0.05 out")
        tail.pid()
        self.assertEqual(next(tail)[1]["event"]["data"], {"stdout": base64.b64encode(b"line\n").decode()})
        self.signal(pid, "SIGNAL_SIGTERM")
        self.assertEqual((Done(tail).end["status"], Done(job).end["status"]), ("exit status 0", "signal: terminated"))

    def test_short_lines_are_not_held_back(self):
        stream = self.shell("while read x; do echo $x; done", stdin=True)
        pid, took = stream.pid(), []
        for _ in range(50):
            began = time.monotonic()
            self.sandbox.input(pid, b"x\n")
            next(stream)
            took.append(time.monotonic() - began)
        self.assertLess(sorted(took)[25], 0.05)
        stream.close()


class Rpc(Process):
    def call(self, path, body=b"{}", method="POST", kind="application/json", **headers):
        return self.sandbox.call(method, path, body, Content_Type=kind, **headers)

    def test_where_nothing_is(self):
        status, body, headers = self.call("/process.Process/Nothing")
        self.assertEqual((status, body, headers["content-type"][:10]), (404, b"404 page not found\n", "text/plain"))
        status, body, headers = self.call("/process.Process/List", None, "GET")
        self.assertEqual((status, body, headers["allow"]), (405, b"", "POST"))
        for path, kind, want in (("Start", "application/json", STREAM), ("List", STREAM, "application/json"),
                                 ("StreamInput", "application/json", STREAM), ("List", "application/jsonx", "application/json")):
            status, body, headers = self.call(f"/process.Process/{path}", kind=kind)
            self.assertEqual((status, body, headers["accept-post"]), (415, b"", want))
        self.assertEqual(self.call("/process.Process/List", kind="application/json; charset=utf-8")[0], 200)

    def test_versions_and_encodings(self):
        for method in ("List", "SendInput"):
            self.refused(self.sandbox.rpc(method, {}, Connect_Protocol_Version="2"), 400, "invalid_argument",
                         'Connect-Protocol-Version must be "1": got "2"')
            self.refused(self.sandbox.rpc(method, {}, Content_Encoding="br"), 501, "unimplemented",
                         'unknown compression "br": supported encodings are gzip')
        self.ends_with(self.sandbox.start("true", headers={"Connect_Protocol_Version": "2"}), "invalid_argument",
                       'Connect-Protocol-Version must be "1": got "2"')
        self.ends_with(self.sandbox.start("true", headers={"Connect_Content_Encoding": "br"}), "unimplemented",
                       'unknown compression "br": supported encodings are gzip')
        done = self.sandbox.run("echo", headers={"Connect_Protocol_Version": "1", "Connect_Content_Encoding": "identity"})
        self.assertEqual(done.out, b"\n")

    def test_users(self):
        name = lambda n: "Basic " + base64.b64encode(f"{n}:".encode()).decode()
        self.assertEqual(self.sandbox.run("echo", headers={"Authorization": name("user")}).out, b"\n")
        self.ends_with(self.sandbox.start("true", headers={"Authorization": name("x")}), "unauthenticated",
                       "invalid username: 'x'")
        self.refused(self.sandbox.rpc("List", {}, Authorization=name("x")), 401, "unauthenticated",
                     "invalid username: 'x'")

    def test_signals(self):
        stream = self.shell("exec sleep 74601")
        who = {"process": {"pid": stream.pid()}}
        for given, said in ((2, "2"), (0, "SIGNAL_UNSPECIFIED"), ("SIGNAL_UNSPECIFIED", "SIGNAL_UNSPECIFIED")):
            self.refused(self.sandbox.rpc("SendSignal", {**who, "signal": given}), 501, "unimplemented",
                         f"invalid signal: {said}")
        self.assertEqual(self.sandbox.rpc("SendSignal", {**who, "signal": 9}), (200, {}))
        self.assertEqual(Done(stream).end, KILLED)

    def test_compressed_messages(self):
        message = {"process": {"cmd": "sh", "args": ["-c", "seq 20000; exit 3"]}, "stdin": False}
        wanted = "".join(f"{n}\n" for n in range(1, 20001)).encode()
        gz = {"Connect_Content_Encoding": "gzip", "Connect_Accept_Encoding": "gzip"}
        stream = self.sandbox.stream("Start", None, envelope(message, True), **gz)
        self.assertEqual(stream.answer.getheader("Connect-Content-Encoding"), "gzip")
        done = Done(stream)
        self.assertEqual((done.out, done.end["exitCode"], set(stream.packed)), (wanted, 3, {1}))
        stream = self.sandbox.stream("Start", message)
        self.assertEqual(stream.answer.getheader("Connect-Accept-Encoding"), "gzip")
        self.assertEqual((Done(stream).out, set(stream.packed)), (wanted, {0}))
        refused = self.sandbox.stream("Start", {}, Connect_Accept_Encoding="gzip", Connect_Protocol_Version="2")
        self.assertEqual((Done(refused).last["error"]["code"], refused.packed), ("invalid_argument", [1]))
        self.ends_with(self.sandbox.stream("Start", None, envelope(message, True)), "invalid_argument",
                       "protocol error: sent compressed message without compression support")
        bomb = gzip.compress(b" " * (17 << 20))
        stream = self.sandbox.stream("Start", None, b"\1" + len(bomb).to_bytes(4, "big") + bomb, **gz)
        self.assertEqual(Done(stream).last["error"]["code"], "resource_exhausted")

    def test_compressed_unary(self):
        status, body, headers = self.call("/process.Process/List", gzip.compress(b"{}"), Content_Encoding="gzip",
                                          Accept_Encoding="gzip")
        self.assertEqual((status, gzip.decompress(body), headers["content-encoding"]), (200, b"{}", "gzip"))
        broken = gzip.compress(b'{"process":{"pid":1}}')[:-3]
        status, body, headers = self.call("/process.Process/SendSignal", broken, Content_Encoding="gzip",
                                          Accept_Encoding="gzip")
        self.assertEqual((status, json.loads(body)["code"], "content-encoding" in headers),
                         (400, "invalid_argument", False))
        self.assertEqual(self.call("/process.Process/List")[2]["accept-encoding"], "gzip")


if __name__ == "__main__":
    unittest.main(verbosity=2)
