# SPDX-License-Identifier: Apache-2.0
"""Promise: a paused sandbox stands still and goes on where it was; a snapshot is a copy of its
files that outlives it; a template's start command decides whether a sandbox is ready.
Proof: the real program; counters that stop and go on, files read back, folders counted."""
import base64
import hashlib
import http.client
import json
import os
import shutil
import threading
import time
import unittest

from e2b import Sandboxd, await_true


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Sandboxd()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0

    def ask(self, method, path, body=None):
        status, text, _ = self.server.call(method, path, body)
        return status, json.loads(text) if text else None

    def create(self, **members):
        sandbox = self.server.create(**members)
        self.addCleanup(sandbox.kill)
        return sandbox

    def post(self, sandbox, what, body=None):
        return self.ask("POST", f"/sandboxes/{sandbox.id}/{what}", body or {})

    def state(self, sandbox):
        return self.ask("GET", f"/sandboxes/{sandbox.id}")[1].get("state")

    def read(self, sandbox, name):
        status, body, _ = sandbox.call("GET", f"/files?path={name}")
        return body if status == 200 else b""

    def events(self, sandbox):
        events = self.ask("GET", f"/events/sandboxes/{sandbox.id}?orderAsc=true&limit=100")[1]
        return [e["type"].rsplit(".", 1)[1] for e in events]


COUNT = "i=0; while :; do i=$((i+1)); echo $i >n.new; mv n.new n; sleep 0.01; done"


class Pause(Server):
    def counting(self, **members):
        sandbox = self.create(**members)
        sandbox.run("sh", "-c", f"setsid sh -c '{COUNT}' </dev/null >/dev/null 2>&1 &")
        await_true(lambda: self.read(sandbox, "n") != b"", "it counts")
        return sandbox

    def resumed(self, sandbox, before):
        """It goes on: the count grows, and was not begun again."""
        await_true(lambda: int(self.read(sandbox, "n") or 0) > before, "it goes on counting")

    def test_it_stands_still_and_goes_on(self):
        sandbox = self.counting(timeout=600)
        count = int(self.read(sandbox, "n"))
        self.assertEqual(self.post(sandbox, "pause"), (204, None))
        self.assertEqual(self.state(sandbox), "paused")
        status, body, _ = sandbox.call("GET", "/health")
        self.assertEqual((status, json.loads(body)["message"]), (502, "The sandbox was not found"))
        self.assertEqual(sandbox.call("POST", "/process.Process/List", {})[0], 502)
        path = f"/v2/sandboxes/{sandbox.id}/connect"
        self.assertEqual(self.ask("POST", path, {"timeout": 600}), (201, sandbox.answer))
        self.assertEqual(self.ask("POST", path, {"timeout": 600}), (200, sandbox.answer))
        self.assertEqual((self.state(sandbox), sandbox.call("GET", "/health")[0]), ("running", 204))
        self.resumed(sandbox, count)
        self.assertEqual(self.events(sandbox)[:3], ["created", "paused", "resumed"])

    def test_it_does_not_run_meanwhile(self):
        sandbox = self.counting()
        folder = os.path.join(self.server.data, "sandboxes", sandbox.id, "home", "n")
        if os.geteuid() != 0 and not os.access(folder, os.R_OK):
            self.skipTest("cannot look at its files from outside")
        self.post(sandbox, "pause")
        def look():
            with open(folder, "rb") as f:
                return f.read()
        before = look()
        time.sleep(0.3)  # that nothing happens can only be waited for
        self.assertEqual(look(), before)
        self.assertEqual(self.post(sandbox, "resume", {"timeout": 60})[0], 201)
        self.resumed(sandbox, int(before))

    def test_again_and_again(self):
        sandbox = self.counting(timeout=600)  # its shell waits in vfork() most of the time
        for _ in range(20):
            self.assertEqual(self.post(sandbox, "pause")[0], 204)
            self.assertEqual(self.ask("POST", f"/v2/sandboxes/{sandbox.id}/connect")[0], 201)
        self.resumed(sandbox, int(self.read(sandbox, "n")))

    def test_streams_are_cut(self):
        sandbox = self.create()
        stream = sandbox.start("sh", "-c", COUNT)
        next(stream)
        self.post(sandbox, "pause")
        with self.assertRaises((http.client.IncompleteRead, ConnectionResetError)):
            list(stream)

    def test_refusals(self):
        sandbox = self.create()
        self.assertEqual(self.post(sandbox, "resume")[0], 409)
        status, answer = self.post(sandbox, "pause", {"memory": False})
        self.assertEqual((status, "not supported" in answer["message"]), (400, True))
        self.assertEqual(self.post(sandbox, "fork", {})[0], 501)
        self.assertEqual(self.post(sandbox, "pause", {"memory": True, "requireHealthyGuest": True})[0], 204)
        status, answer = self.post(sandbox, "pause")
        self.assertEqual((status, "already paused" in answer["message"]), (409, True))
        for what, body in (("timeout", {"timeout": 9}), ("refreshes", {}), ("snapshots", {})):
            self.assertEqual(self.post(sandbox, what, body)[0], 404, what)
        self.assertEqual(self.ask("POST", f"/v2/sandboxes/{sandbox.id}/connect", {"memory": False})[0], 400)

    def test_a_list_tells_them_apart(self):
        paused, running = self.create(metadata={"l": "1"}), self.create(metadata={"l": "1"})
        self.post(paused, "pause")
        for query, want in (("", {paused.id, running.id}), ("&state=paused", {paused.id}),
                            ("&state=running", {running.id}), ("&state=paused,running", {paused.id, running.id})):
            _, body, headers = self.server.call("GET", f"/v2/sandboxes?metadata=l%3D1{query}")
            self.assertEqual({s["sandboxID"] for s in json.loads(body)}, want, query)
        self.assertEqual(headers["x-total-running"], "1")
        self.assertEqual([s["sandboxID"] for s in self.ask("GET", "/sandboxes?metadata=l%3D1")[1]], [running.id])
        self.assertEqual((paused.kill(), paused.kill()), (204, 404))

    def test_expiry_pauses_when_asked_to(self):
        sandbox = self.counting(timeout=600, autoPause=True)
        self.post(sandbox, "timeout", {"timeout": 0})
        await_true(lambda: sandbox.call("GET", "/health")[0] == 502, "it is paused")
        self.assertEqual(self.state(sandbox), "paused")
        self.assertEqual(self.ask("POST", f"/v2/sandboxes/{sandbox.id}/connect")[0], 201)
        self.assertEqual(sandbox.call("GET", "/health")[0], 204)

    def test_traffic_wakes_it_when_asked_to(self):
        sandbox = self.counting(timeout=600, autoPause=True, autoResume={"enabled": True})
        count = int(self.read(sandbox, "n"))
        self.post(sandbox, "pause")
        self.assertEqual(sandbox.run("echo", "awake").out, b"awake\n")
        self.assertEqual(self.state(sandbox), "running")
        self.resumed(sandbox, count)


class Snapshots(Server):
    def test_files_come_back_whole(self):
        source = self.create()
        source.run("sh", "-c", "mkdir -p d/e; head -c 3000000 /dev/urandom >d/e/big; ln -s d/e/big link;"
                   "ln -s /etc/shadow away; echo x >run.sh; chmod 750 run.sh; mkfifo pipe; touch -d @1000000000 d/e/big")
        digest = hashlib.sha256(self.read(source, "d/e/big")).digest()
        status, made = self.post(source, "snapshots", {"name": "Mine"})
        self.assertEqual((status, made["names"]), (201, ["mine"]))
        self.assertEqual(source.kill(), 204)
        for template in (made["snapshotID"], "mine", f"{made['snapshotID']}:default"):
            sandbox = self.create(templateID=template)
            self.assertEqual(sandbox.answer["templateID"], made["snapshotID"])
            self.assertEqual(hashlib.sha256(self.read(sandbox, "link")).digest(), digest)
            look = sandbox.run("sh", "-c", "stat -c '%a %Y' run.sh d/e/big | cut -d' ' -f1; stat -c %Y d/e/big;"
                               "readlink away; ls -A")
            self.assertEqual(look.out.split(), b"750 644 1000000000 /etc/shadow away d link run.sh".split())
        listed = self.ask("GET", f"/snapshots?sandboxID={source.id}")[1]
        self.assertEqual(listed, [{"snapshotID": made["snapshotID"], "names": ["mine"]}])
        self.assertEqual(self.ask("DELETE", f"/templates/{made['snapshotID']}"), (204, None))
        self.assertEqual(self.ask("DELETE", f"/templates/{made['snapshotID']}")[0], 404)
        self.assertEqual(self.ask("POST", "/v2/sandboxes", {"templateID": "mine"})[0], 404)
        folder = os.path.join(self.server.data, "snapshots")
        await_true(lambda: os.listdir(folder) == [], "its folder is gone")

    def test_the_source_goes_on(self):
        source = self.create(templateID="claude")
        stream = source.start("sh", "-c", COUNT)
        next(stream)
        await_true(lambda: self.read(source, "n") != b"", "it counts")
        status, made = self.post(source, "snapshots")
        self.assertEqual((status, made["names"]), (201, []))
        before = int(self.read(source, "n"))
        await_true(lambda: int(self.read(source, "n") or 0) > before, "it counts on")
        stream.close()
        sandbox = self.create(templateID=made["snapshotID"])
        self.assertEqual(sandbox.run("sh", "-c", "command -v claude >/dev/null && echo yes").out, b"yes\n")
        self.assertIn("checkpointed", self.events(source))
        self.ask("DELETE", f"/templates/{made['snapshotID']}")

    def test_pages_and_refusals(self):
        source = self.create()
        made = [self.post(source, "snapshots")[1]["snapshotID"] for _ in range(3)]
        got, token = [], ""
        for _ in range(3):
            _, body, headers = self.server.call("GET", f"/snapshots?sandboxID={source.id}&limit=1{token}")
            got += [s["snapshotID"] for s in json.loads(body)]
            token = "&nextToken=" + headers.get("x-next-token", "")
        self.assertEqual((sorted(got), token), (sorted(made), "&nextToken="))
        for body, status in (({"memory": True}, 400), ({"name": "a b"}, 400), ({"name": 7}, 400),
                             ({"name": "base"}, 409)):
            self.assertEqual(self.post(source, "snapshots", body)[0], status, body)
        self.assertEqual(self.ask("DELETE", "/templates/base")[0], 403)
        self.assertEqual([self.ask("GET", f"/snapshots?{q}")[0] for q in ("limit=0", "nextToken=x")], [400, 400])
        for one in made:
            self.assertEqual(self.ask("DELETE", f"/templates/{one}")[0], 204)

    def test_kill_while_it_is_copied(self):
        source = self.create()
        source.run("sh", "-c", "for i in $(seq 3000); do echo $i >f$i; done")
        calls = [lambda: self.post(source, "snapshots"), source.kill]
        threads = [threading.Thread(target=c) for c in calls]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(source.kill(), 404)
        for one in self.ask("GET", "/snapshots")[1]:
            self.ask("DELETE", f"/templates/{one['snapshotID']}")
        folder = os.path.join(self.server.data, "snapshots")
        await_true(lambda: os.listdir(folder) == [], "no half of a copy is left")

    def test_they_outlive_the_server(self):
        first = Sandboxd()
        self.addCleanup(first.discard)
        source = first.create()
        source.run("sh", "-c", "echo kept >x")
        made = json.loads(first.call("POST", f"/sandboxes/{source.id}/snapshots", {"name": "kept"})[1])
        half = os.path.join(first.data, "snapshots", "shalf", "home")
        os.makedirs(half)
        first.process.terminate()
        first.process.wait(20)
        second = Sandboxd(data=first.data)
        self.addCleanup(second.discard)
        self.assertFalse(os.path.exists(half))
        sandbox = second.create(templateID="kept")
        self.assertEqual((sandbox.call("GET", "/files?path=x")[1], sandbox.answer["templateID"]),
                         (b"kept\n", made["snapshotID"]))


class Templates(Server):
    def template(self, name, start, **settings):
        folder = os.path.join(self.server.data, "templates", name)
        os.makedirs(os.path.join(folder, "bin"))
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "start"), "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + start)
        os.chmod(f.name, 0o755)
        with open(os.path.join(folder, "template.json"), "w", encoding="utf-8") as f:
            json.dump(settings, f)

    def test_start_is_run_first(self):
        self.template("served", "echo $GREETING >greeting; setsid sleep 73901 </dev/null >/dev/null 2>&1 &\n")
        sandbox = self.create(templateID="served", envVars={"GREETING": "hello"})
        self.assertEqual(self.read(sandbox, "greeting"), b"hello\n")

    def test_start_that_fails_is_no_sandbox(self):
        self.template("fails", "echo why >&2; exit 3\n")
        self.template("hangs", "sleep 73902\n", start_timeout_s=1)
        key = {"Idempotency-Key": "fails-1"}
        for name, text in (("fails", "status 3"), ("fails", "status 3"), ("hangs", "not ready in time")):
            status, body, _ = self.server.call("POST", "/v2/sandboxes", {"templateID": name}, key)
            answer = json.loads(body)
            self.assertEqual((status, answer["error_code"]), (500, "sandbox_create_failed"))
            self.assertIn(text, answer["message"])
        folder = os.path.join(self.server.data, "sandboxes")
        await_true(lambda: os.listdir(folder) == [], "nothing of them is left")

    def test_they_are_listed(self):
        self.template("more", "exit 0\n")
        listed = {t["templateID"]: t for t in self.ask("GET", "/templates")[1]}
        self.assertLessEqual({"base", "claude", "more"}, set(listed))
        self.assertEqual((listed["more"]["aliases"], listed["more"]["buildStatus"]), (["more"], "ready"))


class Signed(Server):
    def test_a_signed_url_needs_no_headers(self):
        sandbox, _ = self.create(), self.create()
        sandbox.call("POST", "/files?path=x", b"signed", Content_Type="application/octet-stream")
        text = f"x:read::{sandbox.answer['envdAccessToken']}".encode()
        sign = "v1_" + base64.b64encode(hashlib.sha256(text).digest()).decode().rstrip("=")
        query = f"/files?path=x&signature={sign.replace('+', '%2B').replace('/', '%2F')}"
        bare = {"X-API-Key": ""}
        self.assertEqual(self.server.call("GET", query, None, bare)[:2], (200, b"signed"))
        for method, path in (("POST", query), ("GET", query.replace("path=x", "path=y")), ("GET", query + "A")):
            status, body, _ = self.server.call(method, path, b"", bare)
            self.assertEqual((status, json.loads(body)["code"]), (401, 401), (method, path))


if __name__ == "__main__":
    unittest.main(verbosity=2)
