# SPDX-License-Identifier: Apache-2.0
"""A sandboxd of one's own, and a client that speaks its protocol byte by byte."""
import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

BIN = os.environ["SANDFLEET_BIN"]
LEVEL = os.environ.get("SANDFLEET_TEST_ISOLATION", "medium")
KEY = "test-key-0123456789"
STREAM = "application/connect+json"
PATIENCE_S = 120  # behind it something hangs; a busy machine does not


def await_true(condition, what, seconds=PATIENCE_S):
    """Waits for a condition, never for a time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


def running(marker):
    """How many processes have exactly this command line."""
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
            found += f.read() == marker
    return found


def spawn_stubborn(sandbox, n, seconds):
    """n processes that left their session and ignore TERM; all there when this returns."""
    marker = b"sleep\0%d\0" % seconds
    stubborn = f"trap '' TERM; exec sleep {seconds}"
    sandbox.run("sh", "-c", f'for i in $(seq {n}); do setsid sh -c "{stubborn}" </dev/null >/dev/null 2>&1 & done')
    await_true(lambda: running(marker) == n, "all have started")
    return marker


def envelope(message, packed=False):
    text = json.dumps(message).encode()
    if packed:
        text = gzip.compress(text)
    return bytes([packed]) + struct.pack(">I", len(text)) + text


class Sandboxd:
    """The program, on a free port, with a folder that everybody may pass through; with `user`,
    the number of one, as that user instead of root."""

    def __init__(self, *words, data=None, level=LEVEL, user=None):
        self.level, self.user = level, user
        self.folder = tempfile.mkdtemp(prefix="sandboxd-")
        os.chmod(self.folder, 0o755)
        if user is not None:
            os.chown(self.folder, user, user)
        self.data = data or os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "log")
        self.process = self.start(words)
        await_true(lambda: self.url() or self.process.poll() is not None, "sandboxd is ready")
        if not self.url():
            said = self.text()
            self.discard()
            raise AssertionError(said)
        self.port = int(self.url().rsplit(":", 1)[1])

    def start(self, words):
        command = [os.path.join(BIN, "sandfleet-sandboxd"), "--data", self.data,
                   "--isolation", self.level, "--i-know-it-is-unsafe",
                   "--claude", os.path.join(BIN, "claude-simulated"), *words]
        who = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        if os.geteuid() == 0 and self.user is None:
            command += ["--run-as", "nobody"]
        with open(self.log, "w", encoding="utf-8") as log:
            return subprocess.Popen(command, stderr=log, env=dict(os.environ, E2B_API_KEY=KEY), **who)

    def text(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def url(self):
        found = re.search(r"event=sandboxd.ready url=(\S+)", self.text())
        return found and found[1]

    def init_pid(self, sandbox):
        return int(re.search(rf"sandbox={sandbox.id} .*init_pid=(\d+)", self.text())[1])

    def stop(self):
        """TERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        self.discard()
        return status

    def discard(self):
        """Ends it if it still runs; forgets its folder."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, path, body=None, headers=None, timeout=PATIENCE_S):
        """(status, body, headers); a dict is sent as JSON."""
        headers = {"X-API-Key": KEY, **(headers or {})}
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        c.request(method, path, body, headers)
        r = c.getresponse()
        answer = r.status, r.read(), {k.lower(): v for k, v in r.getheaders()}
        c.close()
        return answer

    def create(self, path="/v2/sandboxes", headers=None, **members):
        status, body, _ = self.call("POST", path, {"templateID": "base", **members}, headers)
        if status != 201:
            raise AssertionError((status, body))
        return Sandbox(self, json.loads(body))


class Sandbox:
    def __init__(self, server, answer):
        self.server, self.answer, self.id = server, answer, answer["sandboxID"]
        self.streams = []  # all that were opened

    def headers(self, **more):
        token = self.answer.get("envdAccessToken")  # none: it is not secured
        return {"E2b-Sandbox-Id": self.id, "E2b-Sandbox-Port": "49983",
                **({"X-Access-Token": token} if token else {}), **more}

    def call(self, method, path, body=None, **headers):
        names = {k.replace("_", "-"): v for k, v in headers.items()}
        return self.server.call(method, path, body, self.headers(**names))

    def kill(self):
        return self.server.call("DELETE", f"/sandboxes/{self.id}")[0]

    def rpc(self, method, message=None, **headers):
        """A unary method of process.Process: (status, message)."""
        status, body, _ = self.call("POST", f"/process.Process/{method}", message or {}, **headers)
        return status, json.loads(body)

    def input(self, pid, data, kind="stdin"):
        return self.rpc("SendInput", {"process": {"pid": pid}, "input": {kind: base64.b64encode(data).decode()}})

    def stream(self, method, message, body=None, **headers):
        """An open stream; iterate over (flags, message). `body`: instead of one envelope."""
        names = {k.replace("_", "-"): v for k, v in headers.items()}
        c = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        path = method if method.startswith("/") else f"/process.Process/{method}"
        c.request("POST", path, body or envelope(message),
                  self.headers(**{"Content-Type": STREAM}, **names))
        self.streams.append(Stream(c))
        return self.streams[-1]

    def start(self, *words, headers=None, config=None, **members):
        message = {"process": {"cmd": words[0], "args": list(words[1:]), **(config or {})},
                   "stdin": False, **members}
        return self.stream("Start", message, **(headers or {}))

    def run(self, *words, **more):
        """Runs to the end: a Done."""
        return Done(self.start(*words, **more))


class Stream:
    def __init__(self, connection):
        self.connection = connection
        self.answer = connection.getresponse()
        self.packed = []  # of each frame: whether it was compressed

    def __iter__(self):
        return self

    def __next__(self):
        head = self.answer.read(5)
        if len(head) < 5:
            self.close()
            raise StopIteration
        text = self.answer.read(struct.unpack(">I", head[1:])[0])
        self.packed.append(head[0] & 1)
        return head[0] & ~1, json.loads(gzip.decompress(text) if head[0] & 1 else text)

    def pid(self):
        """Of the start event, which is the next one."""
        return next(self)[1]["event"]["start"]["pid"]

    def close(self):
        self.answer.close()
        self.connection.close()


class Done:
    """All of a stream: out, err, pid, end event, last frame."""

    def __init__(self, stream):
        self.out, self.err, self.pid, self.end, self.last = bytearray(), bytearray(), 0, None, None
        self.pty = b""
        self.keepalives = 0
        for flags, message in stream:
            if flags == 2:
                self.last = message
                continue
            event = message["event"]
            data = event.get("data", {})
            self.out += base64.b64decode(data.get("stdout", ""))
            self.err += base64.b64decode(data.get("stderr", ""))
            self.pty += base64.b64decode(data.get("pty", ""))
            self.pid = event.get("start", {}).get("pid", self.pid)
            self.end = event.get("end", self.end)
            self.keepalives += "keepalive" in event
        stream.close()
        self.out, self.err = bytes(self.out), bytes(self.err)
