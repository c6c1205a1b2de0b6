# SPDX-License-Identifier: Apache-2.0
"""Promise: a scripted fault goes wrong on the wire exactly as its rule says, and only as often.
Proof: the real program, every kind of fault, looked at with a plain socket or HTTP client."""
import base64
import http.client
import json
import os
import re
import socket
import subprocess
import time
import unittest

from e2b import BIN, KEY, PATIENCE_S, Done, Sandboxd, await_true


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Sandboxd("--fault-endpoint")
        cls.sandbox = cls.server.create(timeout=3600)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0

    def tearDown(self):
        self.assertEqual(self.script()[0], 204)

    def script(self, *rules):
        return self.server.call("PUT", "/sandfleet/faults", json.dumps(rules).encode())

    def rule(self, on, do, **more):
        status, body, _ = self.script({"on": on, "do": do, **more})
        self.assertEqual(status, 204, body)

    def counts(self):
        rules = json.loads(self.server.call("GET", "/sandfleet/faults")[1])["rules"]
        return [(r["seen"], r["fired"]) for r in rules]

    def health(self):
        return self.sandbox.call("GET", "/health")[0]

    def raw(self, path):
        """A socket with a request on it, and what came before its end or silence, which is told behind the head only."""
        s = socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE_S)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{k}: {v}" for k, v in self.sandbox.headers(**{"X-API-Key": KEY}).items()]
        s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        got = b""
        try:
            while piece := s.recv(65536):
                got += piece
                s.settimeout(1 if b"\r\n\r\n" in got else PATIENCE_S)
            end = "closed"
        except ConnectionResetError:
            end = "reset"
        except TimeoutError:
            end = "silent"
        return s, got.split(b"\r\n\r\n", 1)[-1] if b"\r\n\r\n" in got else None, end

    def put(self, name, body):
        status, text, _ = self.sandbox.call("POST", f"/files?path={name}", body,
                                            Content_Type="application/octet-stream")
        self.assertEqual(status, 200, text)

    def test_answer_skip_and_times(self):
        self.rule("GET /health", "answer", status=503, body="busy", skip=1, times=2)
        self.assertEqual([self.health() for _ in range(4)], [204, 503, 503, 204])
        self.assertEqual(self.counts(), [(3, 2)])

    def test_three_kinds_of_429(self):
        create = lambda: self.server.call("POST", "/v2/sandboxes", {"templateID": "base"})
        cap = "you have reached the maximum number of concurrent E2B sandboxes (20)"
        status, text, _ = self.script(
            {"on": "POST /v2/sandboxes", "do": "answer", "status": 429, "body": {"code": 429, "message": cap}},
            {"on": "POST /v2/sandboxes", "do": "answer", "status": 429, "headers": {"Retry-After": "7"},
             "body": {"code": 429, "message": "Rate limit exceeded"}},
            {"on": "POST /v2/sandboxes", "do": "answer", "status": 429, "body": "slow down"})
        self.assertEqual(status, 204, text)
        status, body, headers = create()
        self.assertEqual((status, json.loads(body)["message"], headers.get("retry-after")), (429, cap, None))
        self.assertEqual(headers["content-type"], "application/json")
        status, body, headers = create()
        self.assertEqual((status, json.loads(body)["code"], headers["retry-after"]), (429, 429, "7"))
        status, body, headers = create()
        self.assertEqual((status, body, headers["content-type"]), (429, b"slow down", "text/plain"))

    def test_delay(self):
        self.rule("POST /v2/sandboxes", "delay", ms=700)
        begun = time.monotonic()
        sandbox = self.server.create()
        self.assertGreater(time.monotonic() - begun, 0.65)
        self.assertEqual(sandbox.kill(), 204)

    def test_cut_download(self):
        self.put("big", bytes(300000))
        self.rule("GET /files", "cut", after_bytes=70000)
        s, body, end = self.raw("/files?path=big")
        s.close()
        self.assertEqual((len(body), end), (70000, "reset"))
        self.assertEqual(len(self.sandbox.call("GET", "/files?path=big")[1]), 300000)

    def test_cut_json_and_before_the_headers(self):
        self.rule("GET /v2/sandboxes", "cut", after_bytes=5)
        with self.assertRaises((http.client.IncompleteRead, ConnectionResetError)):
            self.server.call("GET", "/v2/sandboxes")
        self.rule("GET /health", "cut", after_bytes=-1)
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionResetError)):
            self.health()
        self.assertEqual(self.health(), 204)

    def test_cut_stream(self):
        self.rule("POST /process.Process/Start", "cut", after_bytes=1000)
        with self.assertRaises((http.client.IncompleteRead, ConnectionResetError)):
            Done(self.sandbox.start("sh", "-c", "head -c 5000 /dev/zero; sleep 5"))

    def test_half_open(self):
        self.put("big", bytes(300000))
        self.rule("GET /files", "half_open", after_bytes=1000)
        s, body, end = self.raw("/files?path=big")
        self.assertEqual((len(body), end), (1000, "silent"))
        self.rule("GET /files", "half_open")
        left, body, end = self.raw("/files?path=big")
        self.assertEqual((body, end), (b"", "silent"))
        s.close()
        left.close()
        self.assertEqual(self.health(), 204)

    def test_half_open_without_a_body(self):
        sandbox = self.server.create()
        self.rule("DELETE /sandboxes/{}", "half_open")
        with self.assertRaises(TimeoutError):
            self.server.call("DELETE", f"/sandboxes/{sandbox.id}", timeout=3)
        self.assertEqual(sandbox.kill(), 404)  # it was done all the same

    def test_half_open_stream_ends_with_the_client(self):
        self.rule("POST /process.Process/Start", "half_open", after_bytes=100)
        stream = self.sandbox.start("sh", "-c", "while :; do echo x; sleep 0.01; done")
        stream.connection.sock.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            list(stream)
        held = lambda: int(subprocess.run(["sh", "-c", f"ls /proc/{self.server.process.pid}/fd | wc -l"],
                                          capture_output=True, check=True).stdout)
        before = held()
        stream.close()
        await_true(lambda: held() < before, "its connection is closed here, too")

    def test_drip(self):
        self.put("small", bytes(300))
        self.rule("GET /files", "drip", bytes_per_s=500)
        begun = time.monotonic()
        self.assertEqual(self.sandbox.call("GET", "/files?path=small")[1], bytes(300))
        self.assertGreater(time.monotonic() - begun, 0.5)

    def test_no_end(self):
        self.rule("POST /process.Process/Start", "no_end", times=2)
        for words, out in ((("echo", "hello"), b"hello\n"), (("true",), b"")):
            done = self.sandbox.run(*words)
            self.assertEqual((done.out, done.end["exited"], done.last), (out, True, None))
        self.rule("POST /process.Process/Start", "no_end", after_bytes=40)
        stream = self.sandbox.start("sh", "-c", "while :; do echo x; sleep 0.01; done")
        self.assertEqual(len(stream.answer.read()), 40)
        stream.close()

    def test_lose(self):
        sandbox = self.server.create()
        self.rule("POST /process.Process/List", "lose")
        status, body, _ = sandbox.call("POST", "/process.Process/List", {})
        self.assertEqual((status, json.loads(body)["message"]), (502, "The sandbox was not found"))
        self.assertEqual(sandbox.kill(), 404)

    def test_disk_full_and_wrong_token(self):
        self.rule("POST /files", "disk_full")
        status, body, _ = self.sandbox.call("POST", "/files?path=x", b"x" * 100000)
        self.assertEqual((status, json.loads(body)["code"]), (507, 507))
        self.rule("* *", "wrong_token")
        status, body, _ = self.sandbox.call("POST", "/process.Process/List", {})
        self.assertEqual((status, json.loads(body)["code"]), (401, 401))
        self.assertIn("valid access token", json.loads(body)["message"])

    def test_the_manual_is_right(self):
        """Its example is taken; each kind that it tells of is one, and is in its table."""
        with open("docs/sandboxd.md", encoding="utf-8") as f:
            text = f.read()
        rules = json.loads(re.search(r"```json\n(.*?)```", text, re.S)[1])
        self.assertEqual(self.script(*rules)[0], 204)
        for kind in {r["do"] for r in rules}:
            self.assertIn(f"| `{kind}` |", text)

    def test_bad_rules_change_nothing(self):
        self.rule("GET /health", "answer", status=503, times=0)
        for rule in ({"on": "GET /healthy", "do": "answer", "status": 500}, {"on": "GET /health", "do": "x"},
                     {"on": "GET /health", "do": "delay"}, 7):
            self.assertEqual(self.script(rule)[0], 400, rule)
        self.assertEqual([self.health(), self.health()], [503, 503])

    def test_the_endpoint_has_a_key_and_no_faults(self):
        self.rule("* *", "answer", status=500, times=0)
        self.assertEqual(self.server.call("GET", "/sandfleet/faults", headers={"X-API-Key": "x"})[0], 401)
        self.assertEqual(self.counts(), [(0, 0)])


class Users(unittest.TestCase):
    def test_users(self):
        server = Sandboxd()
        self.addCleanup(server.discard)
        sandbox = server.create()
        basic = lambda name: {"Authorization": "Basic " + base64.b64encode(name.encode()).decode()}
        self.assertEqual(server.call("GET", "/sandfleet/faults")[0], 404)
        self.assertEqual(sandbox.call("POST", "/process.Process/List", {}, **basic("user:"))[0], 200)


class Start(unittest.TestCase):
    def test_file_of_faults(self):
        server = Sandboxd()
        self.addCleanup(server.discard)
        path = os.path.join(server.folder, "faults.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump([{"on": "GET /health", "do": "answer", "status": 500, "times": 0}], f)
        other = Sandboxd("--faults", path)
        self.addCleanup(other.discard)
        self.assertIn("event=faults.scripted", other.text())
        self.assertEqual((other.call("GET", "/health")[0], server.call("GET", "/health")[0]), (500, 200))
        with open(path, "w", encoding="utf-8") as f:
            f.write('[{"on":"GET /health","do":"nothing"}]')
        done = subprocess.run([os.path.join(BIN, "sandfleet-sandboxd"), "--help"], capture_output=True,
                              text=True, timeout=20, check=False)
        self.assertIn("--faults", done.stdout)
        with self.assertRaisesRegex(AssertionError, "rule 0: 'do' is 'nothing'"):
            Sandboxd("--faults", path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
