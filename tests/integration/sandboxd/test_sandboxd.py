# SPDX-License-Identifier: Apache-2.0
"""Promise: sandboxd answers as E2B does, delivers output whole, and leaves no process behind.
Proof: the real program, its protocol spoken by hand, processes counted in /proc."""
import hashlib
import http.client
import json
import os
import subprocess
import threading
import time
import unittest

from e2b import BIN, KEY, LEVEL, Sandboxd, await_true, running, spawn_stubborn


def is_asleep(pid):
    """It sleeps, and used no time since the last look."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().split()
    was, is_asleep.seen[pid] = is_asleep.seen.get(pid), fields[13:15]
    return fields[2] == "S" and was == fields[13:15]


is_asleep.seen = {}


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Sandboxd()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0


class ControlPlane(Server):
    def test_key_is_asked_for(self):
        for key in ("", "x", KEY[:-1], KEY + "0"):
            status, body, _ = self.server.call("GET", "/v2/sandboxes", headers={"X-API-Key": key})
            self.assertEqual((status, json.loads(body)["code"]), (401, 401))
        self.assertEqual(json.loads(self.server.call("GET", "/health")[1])["isolation"], LEVEL)

    def test_without_a_key_no_large_body_is_kept(self):
        self.assertEqual(self.server.call("GET", "/health", b"x" * 100, {"X-API-Key": ""})[0], 200)
        self.assertEqual(self.server.call("GET", "/health", b"x" * 100000, {"X-API-Key": ""})[0], 413)
        chunks = (b"x" * 3000 for _ in range(2))
        self.assertEqual(self.server.call("GET", "/health", chunks, {"X-API-Key": ""})[0], 413)

    def test_create_get_kill(self):
        sandbox = self.server.create(metadata={"job": "a b&c"})
        detail = json.loads(self.server.call("GET", f"/sandboxes/{sandbox.id}")[1])
        self.assertEqual(detail["metadata"], {"job": "a b&c", "sandfleet.isolation": LEVEL})
        self.assertEqual(detail["state"], "running")
        self.assertEqual([sandbox.kill(), sandbox.kill()], [204, 404])
        self.assertEqual(sandbox.call("GET", "/health")[0], 502)

    def test_bad_creates(self):
        for body, want in (({"templateID": "nope"}, 404), ({}, 400), ({"templateID": 7}, 400),
                           ({"templateID": "base", "timeout": 0}, 400),
                           ({"templateID": "base", "timeout": 86401}, 400),
                           ({"templateID": "base", "metadata": {"a": 1}}, 400),
                           ({"templateID": "base", "envVars": {"A=B": "x"}}, 400)):
            status, text, _ = self.server.call("POST", "/v2/sandboxes", body)
            self.assertEqual((status, json.loads(text)["code"]), (want, want), body)
        for raw in (b"", b"{", b"[]", b"\xff", b"{}x"):
            self.assertEqual(self.server.call("POST", "/sandboxes", raw)[0], 400)
        self.assertEqual(self.server.call("PUT", "/v2/sandboxes")[0], 405)

    def test_idempotency_key(self):
        key = {"Idempotency-Key": "run-7-1"}
        first = self.server.create(headers=key)
        self.assertEqual(self.server.create(headers=key).answer, first.answer)
        status, body, _ = self.server.call("POST", "/v2/sandboxes", {"templateID": "claude"}, key)
        self.assertEqual((status, json.loads(body)["error_code"]), (422, "idempotency_request_mismatch"))
        self.assertEqual(first.kill(), 204)

    def test_list_filters_and_pages(self):
        made = [self.server.create(metadata={"fleet": "a b&c"}) for _ in range(3)]
        other = self.server.create(metadata={"fleet": "other"})
        wanted = "/v2/sandboxes?limit=2&metadata=fleet%3Da%252520b%252526c"
        _, body, headers = self.server.call("GET", wanted)
        page = [s["sandboxID"] for s in json.loads(body)]
        _, body, last = self.server.call("GET", f"{wanted}&nextToken={headers['x-next-token']}")
        page += [s["sandboxID"] for s in json.loads(body)]
        self.assertEqual(sorted(page), sorted(s.id for s in made))
        self.assertNotIn("x-next-token", last)
        self.assertEqual(json.loads(self.server.call("GET", "/v2/sandboxes?state=paused")[1]), [])
        for bad in ("limit=0", "limit=101", "state=x", "nextToken=zzz", "order=up", "metadata=%2525"):
            self.assertEqual(self.server.call("GET", f"/v2/sandboxes?{bad}")[0], 400, bad)
        for sandbox in (*made, other):
            self.assertEqual(sandbox.kill(), 204)

    def test_expiry_kills(self):
        sandbox = self.server.create("/sandboxes", timeout=60)
        marker = spawn_stubborn(sandbox, 3, 71101)
        stream = sandbox.start("sleep", "71102")
        next(stream)
        self.assertEqual(self.server.call("POST", f"/sandboxes/{sandbox.id}/timeout", {"timeout": 1})[0], 204)
        self.assertEqual(self.server.call("POST", f"/sandboxes/{sandbox.id}/refreshes", {"duration": 0})[0], 204)
        self.assertEqual(self.server.call("POST", f"/sandboxes/{sandbox.id}/timeout", {"timeout": 0})[0], 204)
        with self.assertRaises(http.client.IncompleteRead):  # cut, not ended
            list(stream)
        await_true(lambda: running(marker) == 0, "its processes are gone")
        self.assertEqual(sandbox.call("GET", "/health")[0], 502)

    def test_connect_only_extends(self):
        sandbox = self.server.create(timeout=600)
        end = lambda: json.loads(self.server.call("GET", f"/sandboxes/{sandbox.id}")[1])["endAt"]
        before = end()
        status, body, _ = self.server.call("POST", f"/v2/sandboxes/{sandbox.id}/connect", {"timeout": 60})
        self.assertEqual((status, json.loads(body)), (200, sandbox.answer))
        self.assertEqual(end(), before)
        self.assertEqual(self.server.call("POST", f"/sandboxes/{sandbox.id}/connect", {})[0], 400)
        self.server.call("POST", f"/sandboxes/{sandbox.id}/connect", {"timeout": 1200})
        self.assertGreater(end(), before)
        sandbox.kill()

    def test_body_over_its_ceiling(self):
        status, body, _ = self.server.call("POST", "/v2/sandboxes", b"x", {"Content-Length": str(17 << 20)})
        self.assertEqual((status, json.loads(body)["code"]), (413, 413))


class Envd(Server):
    def setUp(self):
        self.sandbox = self.server.create(template="base")

    def tearDown(self):
        self.assertEqual(self.sandbox.kill(), 204)

    def test_token_is_asked_for(self):
        self.assertEqual(self.sandbox.call("GET", "/health", X_Access_Token="x")[0], 204)
        status, body, _ = self.sandbox.call("POST", "/process.Process/List", {}, X_Access_Token="x")
        self.assertEqual((status, json.loads(body)["code"]), (401, 401))
        self.assertEqual(self.sandbox.call("GET", "/health", E2b_Sandbox_Port="80")[0], 502)
        self.assertEqual(self.sandbox.call("POST", "/process.Process/List", b"{}", Content_Type="text/plain")[0], 415)

    def test_command(self):
        done = self.sandbox.run("sh", "-c", "echo out; echo err >&2; pwd; echo $HOME; echo $A; exit 3",
                                config={"envs": {"A": "1"}})
        lines = done.out.decode().splitlines()
        self.assertEqual((lines[0], lines[1] == lines[2], lines[3], done.err), ("out", True, "1", b"err\n"))
        self.assertEqual(done.end, {"exitCode": 3, "exited": True, "status": "exit status 3",
                                    "error": "exit status 3"})
        self.assertEqual(done.last, {})
        self.assertEqual(self.sandbox.run("no-such-program").end["exitCode"], 127)
        self.assertEqual(self.sandbox.run("true", config={"cwd": "/nope"}).last["error"]["code"], "invalid_argument")

    def test_commands_are_not_root(self):
        self.assertNotEqual(self.sandbox.run("id", "-u").out, b"0\n")

    def test_ten_megabytes_are_exact(self):
        done = self.sandbox.run("sh", "-c", "head -c 10000000 /dev/urandom >r; sha256sum r >&2; cat r")
        self.assertEqual(len(done.out), 10000000)
        self.assertEqual(hashlib.sha256(done.out).hexdigest(), done.err.split()[0].decode())

    def test_fifty_streams_at_once(self):
        seen = [None] * 50

        def follow(i):
            done = self.sandbox.run("sh", "-c", f"for i in $(seq 300); do echo {i} $i; done")
            seen[i] = done.out.decode() == "".join(f"{i} {n}\n" for n in range(1, 301)) and done.last == {}

        threads = [threading.Thread(target=follow, args=(i,)) for i in range(50)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(seen, [True] * 50)

    def test_stalled_reader_stalls_nobody_else(self):
        stalled = self.sandbox.start("sh", "-c", "exec yes 71201")
        pid = next(stalled)[1]["event"]["start"]["pid"]
        await_true(lambda: is_asleep(pid), "the writer is blocked by its full pipe")
        done = self.sandbox.run("seq", "100000")
        self.assertEqual(done.out, b"".join(b"%d\n" % n for n in range(1, 100001)))
        stalled.close()

    def test_end_is_when_the_output_is_closed(self):
        began = time.monotonic()
        done = self.sandbox.run("sh", "-c", "sleep 0.5 & echo x")
        self.assertEqual((done.out, done.end["exited"]), (b"x\n", True))
        self.assertGreater(time.monotonic() - began, 0.45)

    def test_connect_list_and_signal(self):
        first = self.sandbox.start("sleep", "71301", tag="t")
        pid = next(first)[1]["event"]["start"]["pid"]
        listed = json.loads(self.sandbox.call("POST", "/process.Process/List", {})[1])["processes"]
        self.assertEqual([(p["pid"], p["tag"], p["config"]["cmd"]) for p in listed], [(pid, "t", "sleep")])
        second = self.sandbox.stream("Connect", {"process": {"tag": "t"}})
        self.assertEqual(next(second)[1]["event"]["start"]["pid"], pid)
        select = {"process": {"pid": pid}}
        self.assertEqual(self.sandbox.call("POST", "/process.Process/SendSignal", {**select, "signal": "SIGNAL_SIGINT"})[0], 501)
        self.assertEqual(self.sandbox.call("POST", "/process.Process/SendSignal", {**select, "signal": "SIGNAL_SIGKILL"})[0], 200)
        killed = {"exitCode": -1, "status": "signal: killed", "error": "signal: killed"}
        for stream in (first, second, self.sandbox.stream("Connect", select)):
            self.assertEqual([m for f, m in stream][-2:], [{"event": {"end": killed}}, {}])
            stream.close()
        self.assertEqual(self.sandbox.call("POST", "/process.Process/List", {})[1], b"{}")
        self.assertEqual(self.sandbox.call("POST", "/process.Process/SendSignal", {**select, "signal": 9})[0], 404)

    def test_headers_of_a_stream(self):
        done = self.sandbox.run("sleep", "1.5", headers={"Keepalive_Ping_Interval": "1"})
        self.assertEqual(done.keepalives, 1)
        for bad in ("0", "-1", "x", ""):
            done = self.sandbox.run("true", headers={"Keepalive_Ping_Interval": bad})
            self.assertEqual(done.last["error"]["code"], "invalid_argument")
        done = self.sandbox.run("sleep", "71401", headers={"Connect_Timeout_Ms": "100"})
        self.assertEqual(done.last["error"]["code"], "deadline_exceeded")
        await_true(lambda: running(b"sleep\x0071401\0") == 0, "the deadline kills the process")
        self.assertEqual(self.sandbox.run("true", headers={"Connect_Timeout_Ms": "0"}).pid, 0)

    def test_orphans_are_reaped(self):
        pid = int(self.sandbox.run("sh", "-c", "setsid sleep 0.2 </dev/null >/dev/null 2>&1 & echo $!").out)
        done = self.sandbox.run("sh", "-c", f"echo x >log; exec tail -f --pid={pid} -s 0.05 log")
        self.assertEqual((done.out, done.end["exited"]), (b"x\n", True))

    def test_files(self):
        put = lambda path, body: self.sandbox.call("POST", f"/files?path={path}", body,
                                                   Content_Type="application/octet-stream")
        get = lambda path, **h: self.sandbox.call("GET", f"/files?path={path}", **h)
        body = os.urandom(3 << 20)
        self.assertEqual(put("~/new/parents/x", body)[0], 200)
        self.assertEqual(get("new/parents/x")[1], body)
        status, part, headers = get("new/parents/x", Range="bytes=3145720-")
        self.assertEqual((status, part, headers["content-range"]), (206, body[-8:], "bytes 3145720-3145727/3145728"))
        status, _, headers = get("new/parents/x", Range="bytes=3145728-")
        self.assertEqual((status, headers["content-range"]), (416, "bytes */3145728"))
        self.assertEqual(put("empty", b"")[0], 200)
        self.assertEqual((get("empty")[0], get("empty")[1], get("empty", Range="bytes=0-")[0]), (200, b"", 416))
        self.assertEqual(put("chunked", iter([b"a" * 70000] * 40))[0], 200)
        self.assertEqual(self.sandbox.run("stat", "-c", "%s", "chunked").out, b"2800000\n")
        self.assertEqual([get("nope")[0], get("~")[0], get("")[0], put("~", b"x")[0]], [404, 400, 400, 400])

    @unittest.skipIf(os.geteuid() != 0, "needs two users")
    def test_files_are_reached_as_the_user(self):
        self.sandbox.run("sh", "-c", "ln -s /etc/shadow secret; ln -s /etc out")
        there = self.sandbox.run("test", "-e", "/etc/shadow").end["status"] == "exit status 0"
        self.assertEqual(self.sandbox.call("GET", "/files?path=secret")[0], 403 if there else 404)
        self.assertEqual(self.sandbox.call("POST", "/files?path=out/x-sandboxd", b"x")[0], 403)
        self.assertEqual(self.sandbox.call("POST", "/filesystem.Filesystem/Remove", {"path": "out/passwd"})[0], 403)

    def test_filesystem(self):
        rpc = lambda method, **m: self.sandbox.call("POST", f"/filesystem.Filesystem/{method}", m)
        self.assertEqual(rpc("MakeDir", path="a/b")[0], 200)
        self.assertEqual(json.loads(rpc("MakeDir", path="a/b")[1])["code"], "already_exists")
        self.sandbox.call("POST", "/files?path=a/b/x", b"12345")
        status, body, _ = rpc("Move", source="a/b/x", destination="c/y")
        self.assertEqual((status, json.loads(body)["entry"]["size"]), (200, "5"))
        self.assertEqual(json.loads(rpc("Stat", path="c/y")[1])["entry"]["type"], "FILE_TYPE_FILE")
        self.assertEqual([rpc("Remove", path="c")[0], rpc("Remove", path="c")[0], rpc("Stat", path="c")[0]],
                         [200, 200, 404])


class Start(unittest.TestCase):
    """What cannot work is said at the start, with status 78 and the next step."""

    def refused(self, *words, env=None):
        done = subprocess.run([os.path.join(BIN, "sandfleet-sandboxd"), *words], capture_output=True,
                              text=True, timeout=20, check=False,
                              env={**os.environ, "E2B_API_KEY": KEY, **(env or {})})
        return done.returncode, done.stderr

    def test_refusals(self):
        data = ["--data", "/tmp/sandboxd-never"]
        for words, env, text in (
            ([*data, "--isolation", "none"], {}, "--i-know-it-is-unsafe"),
            ([*data, "--isolation", "strong", "--connect-ports", "443"], {}, "no network but the proxy"),
            ([*data], {"E2B_API_KEY": ""}, "E2B_API_KEY"),
            ([], {}, "--data"),
            ([*data, "--run-as", "no-such-user"], {}, "--run-as"),
        ):
            if os.geteuid() == 0 and "--run-as" not in words:
                words = [*words, "--run-as", "nobody"]
            status, said = self.refused(*words, env=env)
            self.assertEqual((status, text in said), (78, True), (words, said))

    def test_one_server_a_folder(self):
        server = Sandboxd()
        self.addCleanup(server.discard)
        with self.assertRaisesRegex(AssertionError, "another sandfleet-sandboxd works in"):
            Sandboxd(data=server.data)

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_root_needs_a_user(self):
        status, said = self.refused("--data", "/tmp/sandboxd-never")
        self.assertEqual((status, "--run-as sandfleet" in said), (78, True), said)

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_folder_the_user_cannot_enter(self):
        closed = subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip()
        status, said = self.refused("--data", closed + "/data", "--run-as", "nobody")
        self.assertEqual((status, "chmod o+x" in said), (78, True), said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
