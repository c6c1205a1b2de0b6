# SPDX-License-Identifier: Apache-2.0
"""A sandfleet-api of a test's own: on a database and a topic prefix of its own, at a free port, with
the servers of ops/test behind it.

    with Door() as door:
        key = door.key("--tenant", "acme", "--scope", "read")
        answer = door.ask("GET", "/v1/runs", key)
        assert answer.status == 200 and answer.json()["data"] == []
"""
import collections.abc
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "schema"))
import database  # noqa: E402


def operations():
    """(method, path, operationId, permission) of each, read from the contract as it is written."""
    path = method = name = None
    for line in (database.ROOT / "schema" / "openapi.yaml").read_text().splitlines():
        if line == "components:":
            return
        if m := re.fullmatch(r"  (/\S+):", line):
            path = m[1]
        elif m := re.fullmatch(r"    (get|put|post|delete):", line):
            method = m[1].upper()
        elif m := re.fullmatch(r"      operationId: (\w+)", line):
            name = m[1]
        elif m := re.fullmatch(r"      x-permission: (\w+)", line):
            yield method, path, name, m[1]


def percent(text):
    return re.sub(r"[^A-Za-z0-9._~-]", lambda m: f"%{ord(m[0]):02X}", text)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def problem(self, status, code):
        """It is that problem, in the form that the contract has."""
        assert (self.status, self.headers["Content-Type"]) == (status, "application/problem+json"), self
        doc = self.json()
        assert (doc["status"], doc["code"]) == (status, code), doc
        assert doc["request_id"] == self.headers["X-Request-Id"] and doc["title"] and doc["type"], doc
        return doc

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:500]!r}"


class Door:
    made = 0

    def __init__(self, *options, topics=False):
        Door.made += 1
        self.brokers = database.server("SANDFLEET_BROKERS")
        self.prefix = f"door{os.getpid()}-{Door.made}."
        self.db = database.Database()
        self.options, self.process, self.log = options, None, tempfile.TemporaryFile()
        try:
            database.migrate(self.db.conninfo)
            if topics:
                self.client("topics", "apply")
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- life ---------------------------------------------------------------

    def environ(self, role):
        """role: whose rights it has in the database."""
        return {**os.environ, "SANDFLEET_DATABASE": database.as_role(self.db.conninfo, role), "SANDFLEET_BROKERS": self.brokers,
                "SANDFLEET_PREFIX": self.prefix}

    def start(self):
        self.log.seek(0)
        self.log.truncate()
        self.process = subprocess.Popen([database.BIN / "sandfleet-api", "--listen", "127.0.0.1:0", *self.options],
                                        env=self.environ("api"), stdin=subprocess.DEVNULL, stderr=self.log)
        ready = self.wait_log(r"event=api.ready .*url=\S*?:(\d+)")
        self.port = int(ready.group(1))
        self.wait(lambda: self.ask("GET", "/readyz").status == 200, "readiness")

    def stop(self):
        """SIGTERM, and its exit status."""
        self.process.terminate()
        return self.process.wait(60)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.db.drop()

    def text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def wait_log(self, pattern, seconds=60):
        return self.wait(lambda: re.search(pattern, self.text()), pattern, seconds)

    def wait(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not (found := condition()):
            if self.process and self.process.poll() is not None:
                raise AssertionError(f"sandfleet-api ended with {self.process.returncode}:\n{self.text()}")
            if time.monotonic() > end:
                raise AssertionError(f"no {what} after {seconds} s:\n{self.text()[-4000:]}")
            time.sleep(0.01)
        return found

    # --- asking --------------------------------------------------------------

    def client(self, *words, status=0):
        done = subprocess.run([database.BIN / "sandfleet", *words], env=self.environ("client"), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def key(self, *words):
        return self.client("keys", "create", *words).strip()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method, target, key=None, body=None, headers=None):
        """One request on a connection of its own; body: an object is sent as JSON, an iterator in chunks."""
        headers = dict(headers or {})
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if body is not None and not isinstance(body, (bytes, str, collections.abc.Iterator)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        conn = self.connect()
        try:
            conn.request(method, target, body, headers)
            answer = conn.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())
        finally:
            conn.close()

    def raw(self, request):
        """What comes back for bytes that no HTTP library would send; "": the connection was cut."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as s:
            try:
                s.sendall(request)
                s.shutdown(socket.SHUT_WR)
                while piece := s.recv(65536):
                    answer += piece
            except OSError:
                pass  # refused before all of it was there
        return answer.decode(errors="replace")
