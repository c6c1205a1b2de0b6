# SPDX-License-Identifier: Apache-2.0
"""Promise: process.Process answers as the real daemon does: what a process writes and is given to
read arrives whole and in order, a slow side slows down only its own, and nothing is left behind.
Proof: each behaviour on the wire of a real sandboxd; bytes by hash; leftovers by count.
"""
import base64
import hashlib
import json
import os
import socket
import time
import unittest

from e2b import Done, await_true, envelope
from process_case import KILLED, Process, later

# How many bytes stand in the standard input of a process.
UNREAD = ("import fcntl, struct, sys; f = open(sys.argv[1], 'rb', 0);"
          "print(struct.unpack('i', fcntl.ioctl(f, 0x541B, bytes(4)))[0])")


class Input(Process):
    def await_full(self, pid):
        await_true(lambda: self.sandbox.run("python3", "-c", UNREAD, f"/proc/{pid}/fd/0").out == b"65536\n",
                   "its pipe is full")

    def test_stdin_is_written_and_closed(self):
        cat = self.sandbox.start("cat", stdin=True)
        pid = cat.pid()
        for part in (b"one\n", b"", bytes(range(256))):
            self.assertEqual(self.sandbox.input(pid, part), (200, {}))
        self.assertEqual(self.sandbox.rpc("CloseStdin", {"process": {"pid": pid}}), (200, {}))
        done = Done(cat)
        self.assertEqual((done.out, done.end["status"]), (b"one\n" + bytes(range(256)), "exit status 0"))

    def test_stdin_is_there_unless_refused(self):
        cat = self.sandbox.stream("Start", {"process": {"cmd": "cat"}})
        pid = cat.pid()
        self.assertEqual(self.sandbox.input(pid, b"x"), (200, {}))
        self.sandbox.rpc("CloseStdin", {"process": {"pid": pid}})
        self.assertEqual(Done(cat).out, b"x")
        sleep = self.sandbox.start("sleep", "73001")
        pid = sleep.pid()
        closed = "error writing to stdin: stdin not enabled or closed"
        self.refused(self.sandbox.input(pid, b"x"), 500, "internal", closed)
        self.assertEqual(self.sandbox.rpc("CloseStdin", {"process": {"pid": pid}}), (200, {}))
        self.refused(self.sandbox.rpc("SendInput", {"process": {"pid": pid}, "input": {}}), 501, "unimplemented",
                     "invalid input type: neither stdin nor pty")
        self.assertEqual(self.sandbox.rpc("SendInput", {"process": {"pid": pid}, "input": {"stdin": "?"}})[0], 400)
        self.refused(self.sandbox.input(4242, b"x"), 404, "not_found", "process with pid 4242 not found")
        sleep.close()

    def test_streams_can_be_opened_by_name(self):
        done = self.shell("echo out >/dev/stdout; echo err >/dev/stderr; exec cat /dev/stdin", stdin=True)
        pid = done.pid()
        self.sandbox.input(pid, b"in")
        self.sandbox.rpc("CloseStdin", {"process": {"pid": pid}})
        done = Done(done)
        self.assertEqual((done.out, done.err), (b"out\nin", b"err\n"))

    def test_slow_process_slows_its_sender_only(self):
        done = self.shell("until [ -e go ]; do sleep 0.01; done; wc -c", stdin=True)
        pid = done.pid()
        sent = later(lambda: self.sandbox.input(pid, b"x" * 3000000))
        others = [self.sandbox.run("true").end["status"] for _ in range(5)]
        self.await_full(pid)
        closed = later(lambda: self.sandbox.rpc("CloseStdin", {"process": {"pid": pid}}))
        self.sandbox.rpc("List")
        self.assertEqual((others, sent.running(), closed.running()), (["exit status 0"] * 5, True, True))
        self.put("go")
        self.assertEqual((sent(), closed()), ((200, {}), (200, {})))
        self.assertEqual(Done(done).out, b"3000000\n")

    def test_what_waits_has_a_ceiling_and_ends_with_the_process(self):
        sleep = self.shell("exec sleep 73101", stdin=True)
        pid = sleep.pid()
        calls = [later(lambda: self.sandbox.input(pid, b"x" * (11 << 20))) for _ in range(4)]
        await_true(lambda: sum(c.running() for c in calls) <= 2, "what is over the ceiling is refused")
        self.sandbox.rpc("SendSignal", {"process": {"pid": pid}, "signal": "SIGNAL_SIGKILL"})
        answers = sorted((c()[0], c()[1]["code"]) for c in calls)
        self.assertEqual(answers, [(429, "resource_exhausted")] * 2 + [(500, "internal")] * 2)
        self.assertEqual(Done(sleep).end, KILLED)

    def test_what_nobody_reads_waits_until_its_deadline(self):
        sleep = self.shell("exec sleep 73102", stdin=True)
        pid, late = sleep.pid(), (504, {"code": "deadline_exceeded", "message": "context deadline exceeded"})
        full = {"process": {"pid": pid}, "input": {"stdin": base64.b64encode(b"x" * 300000).decode()}}
        self.assertEqual(self.sandbox.rpc("SendInput", full, Connect_Timeout_Ms="100"), late)
        self.assertEqual(self.sandbox.rpc("CloseStdin", {"process": {"pid": pid}}, Connect_Timeout_Ms="100"), late)
        self.assertEqual(self.sandbox.rpc("SendInput", full, Connect_Timeout_Ms="0"), late)
        self.assertEqual(self.sandbox.rpc("SendInput", full, Connect_Timeout_Ms="x")[0], 400)
        self.sandbox.rpc("SendSignal", {"process": {"pid": pid}, "signal": "SIGNAL_SIGKILL"})
        self.assertEqual(Done(sleep).end, KILLED)

    def test_input_of_a_sender_that_left_arrives(self):
        count = self.shell("until [ -e go ]; do sleep 0.01; done; wc -c", stdin=True)
        pid = count.pid()
        text = json.dumps({"process": {"pid": pid}, "input": {"stdin": base64.b64encode(b"x" * 300000).decode()}})
        c = socket.create_connection(("127.0.0.1", self.server.port))
        head = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": len(text),
                **self.sandbox.headers()}
        c.sendall(("POST /process.Process/SendInput HTTP/1.1\r\n" +
                   "".join(f"{k}: {v}\r\n" for k, v in head.items()) + "\r\n" + text).encode())
        self.await_full(pid)
        c.close()
        closed = later(lambda: self.sandbox.rpc("CloseStdin", {"process": {"pid": pid}}))
        self.put("go")
        self.assertEqual((closed(), Done(count).out), ((200, {}), b"300000\n"))


class StreamInput(Process):
    def send(self, *messages, packed=False, cut=0, **headers):
        """All of it as a chunked body, in pieces of `cut` bytes; the answer's stream."""
        body = b"".join(m if isinstance(m, bytes) else envelope(m, packed) for m in messages)
        pieces = [body[i:i + cut] for i in range(0, len(body), cut)] if cut else [body]
        return self.sandbox.stream("StreamInput", None, iter(pieces), **headers)

    def data(self, text, kind="stdin"):
        return {"data": {"input": {kind: base64.b64encode(text).decode()}}}

    def start_cat(self, script="cat"):
        cat = self.shell(script, stdin=True)
        pid = cat.pid()
        return cat, pid, {"start": {"process": {"pid": pid}}}

    def finish(self, cat, pid):
        self.sandbox.rpc("CloseStdin", {"process": {"pid": pid}})
        return Done(cat).out

    def test_messages_however_cut(self):
        cat, pid, start = self.start_cat()
        messages = (start, self.data(b"one "), {"keepalive": {}}, self.data(b"two"))
        for cut in (0, 1, 7):
            answer = self.send(*messages, cut=cut)
            self.assertEqual((answer.answer.status, list(answer)), (200, [(0, {}), (2, {})]))
        answer = self.send(*messages, packed=True, Connect_Content_Encoding="gzip", Connect_Accept_Encoding="gzip")
        self.assertEqual((list(answer), answer.packed), ([(0, {}), (2, {})], [1, 1]))
        self.assertEqual(self.finish(cat, pid), b"one two" * 4)

    def test_five_megabytes_are_exact(self):
        cat, pid, start = self.start_cat("sha256sum")
        body = os.urandom(5 << 20)
        parts = [self.data(body[i:i + 70000]) for i in range(0, len(body), 70000)]
        self.assertEqual(list(self.send(start, *parts, cut=50000)), [(0, {}), (2, {})])
        self.assertEqual(self.finish(cat, pid).split()[0].decode(), hashlib.sha256(body).hexdigest())

    def test_slow_process_slows_the_stream(self):
        cat, pid, start = self.start_cat("until [ -e go ]; do sleep 0.01; done; wc -c")
        part = envelope(self.data(b"x" * 600000))
        handed = []

        def body():
            yield envelope(start)
            for n in range(100):
                handed.append(n)
                yield part
        sent = later(lambda: list(self.sandbox.stream("StreamInput", None, body())))
        await_true(lambda: len(handed) > 1, "it is on its way")
        seen = -1
        while seen != len(handed):  # until it stands
            seen = len(handed)
            time.sleep(0.2)
        self.assertLess(seen, 30)
        self.put("go")
        self.assertEqual((sent(), self.finish(cat, pid)), ([(0, {}), (2, {})], b"60000000\n"))

    def test_refusals(self):
        cat, pid, start = self.start_cat()
        self.ends_with(self.send({"start": {"process": {"pid": 4242}}}), "not_found", "process with pid 4242 not found")
        self.ends_with(self.send({"start": {}}, start), "unimplemented", "invalid input type: neither pid nor tag")
        self.ends_with(self.send(self.data(b"x")), "invalid_argument", "data before a start event")
        self.ends_with(self.send(start, {"other": {}}), "unimplemented", "invalid event type")
        self.ends_with(self.send(start, b"\0\0\0"), "invalid_argument", "protocol error: incomplete envelope")
        self.ends_with(self.send(start, b"\2\0\0\0\0"), "invalid_argument", "protocol error: invalid envelope flags 2")
        self.ends_with(self.send(start, self.data(b"x", "pty")), "internal",
                       "error writing to tty: tty not assigned to process — input should be written to the "
                       "stdin, not the tty")
        self.assertEqual(self.finish(cat, pid), b"")


class Terminal(Process):
    def open(self, *words, cols=80, rows=24, **config):
        stream = self.sandbox.start(*words, pty={"size": {"cols": cols, "rows": rows}}, config=config)
        return stream, stream.pid()

    def until(self, stream, text):
        seen = b""
        while text not in seen:
            seen += base64.b64decode(next(stream)[1]["event"].get("data", {}).get("pty", ""))
        return seen

    def type(self, pid, text):
        self.assertEqual(self.sandbox.input(pid, text, "pty"), (200, {}))

    def test_size_echo_and_end(self):
        stream, pid = self.open("sh", envs={"PS1": "> "})
        self.type(pid, b"stty size; tty; echo $TERM\n")
        seen = self.until(stream, b"xterm-256color\r\n")
        self.assertIn(b"stty size; tty; echo $TERM\r\n", seen)  # the echo
        self.assertIn(b"24 80\r\n/dev/pts/", seen)
        resize = {"process": {"pid": pid}, "pty": {"size": {"cols": 132, "rows": 50}}}
        self.assertEqual(self.sandbox.rpc("Update", resize), (200, {}))
        self.type(pid, b"stty size\n")
        self.assertIn(b"50 132\r\n", self.until(stream, b"50 132\r\n"))
        self.type(pid, b"exit 7\n")
        self.assertEqual(Done(stream).end["exitCode"], 7)

    def test_interrupt_and_end_of_file(self):
        stream, pid = self.open("sh", "-c", "trap 'echo caught; c=1' INT; echo ready;"
                                "while [ -z $c ]; do sleep 1; done; cat; echo over")
        self.until(stream, b"ready")
        self.type(pid, b"\3")
        self.until(stream, b"caught")
        self.type(pid, b"word\n")
        self.until(stream, b"word\r\nword\r\n")
        self.type(pid, b"\4")
        done = Done(stream)
        self.assertEqual((done.pty, done.end["status"]), (b"over\r\n", "exit status 0"))

    def test_a_hundred_thousand_lines(self):
        stream, _ = self.open("seq", "100000")
        self.assertEqual(Done(stream).pty, b"".join(b"%d\r\n" % n for n in range(1, 100001)))

    def test_refusals(self):
        stream, pid = self.open("cat")
        who = {"process": {"pid": pid}}
        self.refused(self.sandbox.input(pid, b"x"), 500, "internal",
                     "error writing to stdin: tty assigned to process — input should be written to the pty, "
                     "not the stdin")
        self.refused(self.sandbox.rpc("CloseStdin", who), 500, "unknown",
                     "error closing stdin: cannot close stdin for PTY process — send Ctrl+D (0x04) instead")
        self.assertEqual(self.sandbox.rpc("Update", who), (200, {}))
        self.sandbox.rpc("SendSignal", {**who, "signal": "SIGNAL_SIGKILL"})
        self.assertEqual(Done(stream).end, KILLED)
        plain = self.sandbox.start("sleep", "73301")
        size = {"process": {"pid": plain.pid()}, "pty": {"size": {"cols": 1, "rows": 1}}}
        self.refused(self.sandbox.rpc("Update", size), 500, "internal",
                     "error resizing tty: tty not assigned to process")
        plain.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
