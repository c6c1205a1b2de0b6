# SPDX-License-Identifier: Apache-2.0
"""Promise: every endpoint of the control plane answers as E2B's does, its refusals included.
Proof: the real program, raw HTTP; what a client gave is read back, what is wrong is told apart."""
import http.client
import json
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from e2b import KEY, Sandbox, Sandboxd, await_true


class Control(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Sandboxd()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0

    def ask(self, method, path, body=None, headers=None):
        """(status, the JSON of the answer or None)."""
        status, text, _ = self.server.call(method, path, body, headers)
        return status, json.loads(text) if text else None

    def create(self, path="/v2/sandboxes", headers=None, **members):
        sandbox = self.server.create(path, headers, **members)
        self.addCleanup(sandbox.kill)
        return sandbox

    def get(self, sandbox):
        status, detail = self.ask("GET", f"/sandboxes/{sandbox.id}")
        self.assertEqual(status, 200)
        return detail

    def refused(self, status, text, answer):
        self.assertEqual((answer[0], answer[1]["code"]), (status, status))
        self.assertIn(text, answer[1]["message"])


class Create(Control):
    def test_all_members_come_back(self):
        network = {"allowOut": ["api.example.com", "10.0.0.0/8"], "denyOut": ["0.0.0.0/0"],
                   "rules": {"api.example.com": [{"transform": {"headers": {"X-A": "b"}}}]}}
        sandbox = self.create(timeout=600, metadata={"a b&c": "d=e\u00e9"}, envVars={"A": "1"},
                              autoPause=True, autoResume={"enabled": True}, allow_internet_access=False,
                              network=network, unknown=[1])
        self.assertEqual(set(sandbox.answer), {"templateID", "alias", "sandboxID", "clientID", "envdVersion",
                                               "envdAccessToken", "domain"})
        detail = self.get(sandbox)
        self.assertEqual(detail["metadata"]["a b&c"], "d=e\u00e9")
        network["rules"]["api.example.com"][0]["transform"]["headers"]["X-A"] = "***"  # never shown again
        self.assertEqual((detail["network"], detail["allowInternetAccess"]), (network, False))
        self.assertEqual(detail["lifecycle"], {"autoResume": True, "onTimeout": "pause"})
        self.assertEqual(detail["envdAccessToken"], sandbox.answer["envdAccessToken"])
        self.assertEqual((detail["state"], detail["templateID"]), ("running", "base"))
        for member in ("cpuCount", "memoryMB", "diskSizeMB"):
            self.assertGreater(detail[member], 0)
        self.assertEqual(sandbox.run("sh", "-c", "echo $A").out, b"1\n")

    def test_defaults(self):
        for path, seconds, secure in (("/v2/sandboxes", 300, True), ("/sandboxes", 15, False)):
            begun = time.time()
            sandbox = self.create(path)
            left = _unix(self.get(sandbox)["endAt"]) - begun
            self.assertLess(abs(left - seconds), 5)
            self.assertEqual("envdAccessToken" in sandbox.answer, secure)
            self.assertEqual(sandbox.rpc("List"), (200, {}))  # without a token where none was given
        self.assertIn("envdAccessToken", self.create("/sandboxes", secure=True).answer)
        detail = self.get(self.create())
        self.assertEqual(detail["lifecycle"], {"autoResume": False, "onTimeout": "kill"})
        self.assertIsNone(detail["allowInternetAccess"])

    def test_names_of_templates(self):
        for name in ("BASE", "base:default", "some-team/base", "some-team/Claude:latest"):
            self.assertIn(self.create(templateID=name).answer["templateID"], ("base", "claude"))
        for name, status, text in (
                ("nope", 404, "template 'nope' not found"), ("base:v9", 404, "tag 'v9' does not exist"),
                ("../base", 400, "cannot be"), ("", 400, "templateID"), ("a/b/c", 400, "cannot be"),
                ("base:", 400, "cannot be"), (".", 400, "cannot be")):
            self.refused(status, text, self.ask("POST", "/v2/sandboxes", {"templateID": name}))

    def test_what_is_wrong(self):
        for members, text in (
                ({"timeout": 0}, "greater than 0"), ({"timeout": 86401}, "cannot be greater than 24 hours"),
                ({"timeout": "9"}, "whole number"), ({"timeout": 1.5}, "whole number"),
                ({"metadata": {"a": 1}}, "'metadata' must be an object of strings"),
                ({"metadata": ["a"]}, "'metadata' must"), ({"envVars": {"A=B": "x"}}, "a name with '='"),
                ({"envVars": {"": "x"}}, "'envVars' must"), ({"autoPause": 1}, "'autoPause' must"),
                ({"autoResume": True}, "'autoResume' must"), ({"autoPauseMemory": False}, "needs autoPause"),
                ({"autoPause": True, "autoPauseMemory": False}, "not supported here"),
                ({"network": []}, "'network' must"), ({"network": {"denyOut": ["example.com"]}}, "network.denyOut"),
                ({"network": {"allowOut": ["example.com"]}}, "must include '0.0.0.0/0' in deny out"),
                ({"network": {"allowOut": ["10.0.0.0/33"]}}, "network.allowOut"),
                ({"network": {"rules": {"*": []}}}, "network.rules"),
                ({"network": {"egressProxy": {"address": "a:1"}}}, "not supported here"),
                ({"volumeMounts": [{"name": "v", "path": "/v"}]}, "not supported here")):
            self.refused(400, text, self.ask("POST", "/v2/sandboxes", {"templateID": "base", **members}))
        status, body, _ = self.server.call("POST", "/v2/sandboxes", b" " * (2 << 20))
        self.assertEqual((status, json.loads(body)["code"]), (413, 413))

    def test_chunked_body_and_any_case_of_headers(self):
        c = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        c.request("POST", "/v2/sandboxes", iter([b'{"templ', b'ateID":"base"}']),
                  {"x-api-KEY": KEY, "Browser": "none", "lang": "js"})
        answer = c.getresponse()
        self.assertEqual(answer.status, 201)
        sandbox = Sandbox(self.server, json.loads(answer.read()))
        c.close()
        headers = {k.upper(): v for k, v in sandbox.headers().items()}
        self.assertEqual(self.server.call("GET", "/health", None, headers)[0], 204)
        self.assertEqual(sandbox.kill(), 204)

    def test_same_key_at_the_same_time(self):
        key = {"Idempotency-Key": "at-once-1"}
        body = {"templateID": "base", "metadata": {"once": "1"}}
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.ask("POST", "/v2/sandboxes", body, key), range(8)))
        made = {a[1]["sandboxID"] for a in answers if a[0] == 201}
        busy = [a[1]["error_code"] for a in answers if a[0] != 201]
        self.assertEqual((len(made), set(busy) - {"idempotency_in_progress"}), (1, set()))
        self.assertEqual(len(self.ask("GET", "/v2/sandboxes?metadata=once%3D1")[1]), 1)
        self.assertEqual(self.ask("POST", "/v2/sandboxes", body, key)[1]["sandboxID"], made.pop())
        answer = self.ask("POST", "/v2/sandboxes", {"templateID": "claude"}, key)
        self.assertEqual((answer[0], answer[1]["error_code"]), (422, "idempotency_request_mismatch"))
        self.refused(400, "Idempotency-Key", self.ask("POST", "/v2/sandboxes", body, {"Idempotency-Key": "A b"}))

    def test_a_refused_create_does_not_use_its_key(self):
        key = {"Idempotency-Key": "refused-1"}
        self.assertEqual(self.ask("POST", "/v2/sandboxes", {"templateID": "nope"}, key)[0], 404)
        self.create(headers=key)


class Time(Control):
    def test_timeout_and_refreshes(self):
        sandbox = self.create(timeout=600)
        left = lambda: _unix(self.get(sandbox)["endAt"]) - time.time()
        path = f"/sandboxes/{sandbox.id}"
        self.assertEqual(self.ask("POST", f"{path}/timeout", {"timeout": 100}), (204, None))
        self.assertLess(left(), 101)  # it may be shortened
        self.assertEqual(self.ask("POST", f"{path}/refreshes", {"duration": 50})[0], 204)
        self.assertGreater(left(), 90)  # this one never shortens
        self.assertEqual(self.ask("POST", f"{path}/refreshes", {"duration": 1000})[0], 204)
        self.assertGreater(left(), 950)
        self.assertEqual(self.ask("POST", f"{path}/timeout", {"timeout": 86400})[0], 204)
        for body, text in (({}, "whole number"), ({"timeout": -1}, "greater than 0"),
                           ({"timeout": 86401}, "24 hours")):
            self.refused(400, text, self.ask("POST", f"{path}/timeout", body))
        self.refused(400, "'duration'", self.ask("POST", f"{path}/refreshes", {"duration": 3601}))
        self.assertEqual(self.ask("POST", f"{path}/timeout", {"timeout": 0})[0], 204)
        await_true(lambda: self.server.call("GET", path)[0] == 404, "it expires at once")

    def test_connect_says_the_same_and_only_extends(self):
        sandbox = self.create(timeout=600)
        for path in (f"/v2/sandboxes/{sandbox.id}/connect", f"/sandboxes/{sandbox.id}-client/connect"):
            before = self.get(sandbox)["endAt"]
            self.assertEqual(self.ask("POST", path, {"timeout": 60}), (200, sandbox.answer))
            self.assertEqual(self.get(sandbox)["endAt"], before)
            self.assertEqual(self.ask("POST", path, {"timeout": 3000})[0], 200)
        self.assertEqual(self.ask("POST", f"/v2/sandboxes/{sandbox.id}/connect", b"")[0], 200)
        self.refused(400, "required", self.ask("POST", f"/sandboxes/{sandbox.id}/connect", {}))
        self.refused(400, "greater than", self.ask("POST", f"/sandboxes/{sandbox.id}/connect", {"timeout": 0}))

    def test_who_is_not_there(self):
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/timeout"), ("POST", "/refreshes"),
                             ("POST", "/connect"), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/fork"),
                             ("POST", "/snapshots"), ("GET", "/metrics"), ("GET", "/logs"), ("PUT", "/network")):
            for name in ("i00000000000000000000", "nobody"):
                self.refused(404, f'Sandbox "{name}" doesn\'t exist or you don\'t have access to it',
                             self.ask(method, f"/sandboxes/{name}{path}", {}))
        self.assertEqual(self.ask("GET", "/events/sandboxes/nobody")[0], 404)
        self.assertEqual([self.ask("GET", "/nothing")[0], self.ask("PATCH", "/sandboxes")[0]], [404, 405])


class Look(Control):
    def test_list_by_every_filter(self):
        made = [self.create(templateID=t, metadata={"list": "a&b", "n": str(n)})
                for n, t in enumerate(("base", "claude", "base"))]
        mine = "metadata=list%3Da%252526b"
        ids = lambda query: [s["sandboxID"] for s in self.ask("GET", f"/v2/sandboxes?{mine}&{query}")[1]]
        order = [s.id for s in made]
        self.assertEqual(sorted(ids("")), sorted(order))
        self.assertEqual(sorted(ids("template=BASE")), sorted([order[0], order[2]]))
        self.assertEqual(ids("template=nope"), [])
        self.assertEqual(ids("state=paused"), [])
        self.assertEqual(len(ids("state=running,paused")), 3)
        ascending = ids("order=asc")
        self.assertEqual(ids("order=desc"), ascending[::-1])
        started = self.get(made[0])["startedAt"]
        self.assertEqual(len(ids(f"startedAfter={started}")), 3)
        self.assertEqual(ids("startedAfter=2999-01-01T00:00:00Z"), [])
        got, token = [], ""
        for _ in range(3):
            _, page, headers = self.server.call("GET", f"/v2/sandboxes?{mine}&limit=1&order=asc{token}")
            got += [s["sandboxID"] for s in json.loads(page)]
            token = "&nextToken=" + headers.get("x-next-token", "")
        self.assertEqual((got, token), (ascending, "&nextToken="))
        self.assertGreaterEqual(int(headers["x-total-running"]), 3)
        _, _, headers = self.server.call("GET", f"/v2/sandboxes?{mine}&limit=1&order=asc")
        self.refused(400, "Invalid next token",
                     self.ask("GET", f"/v2/sandboxes?order=desc&nextToken={headers['x-next-token']}"))
        self.assertEqual(len(self.ask("GET", f"/sandboxes?{mine}")[1]), 3)

    def test_metrics(self):
        sandbox, other = self.create(), self.create()
        stream = sandbox.start("sh", "-c", "echo busy; while :; do :; done")
        next(stream), next(stream)
        status, points = self.ask("GET", f"/sandboxes/{sandbox.id}/metrics")
        self.assertEqual((status, len(points)), (200, 1))
        self.assertEqual(set(points[0]), {"timestamp", "timestampUnix", "cpuCount", "cpuUsedPct", "memUsed",
                                          "memTotal", "memCache", "diskUsed", "diskTotal"})
        self.assertGreater(points[0]["memUsed"], 0)
        more = lambda: self.ask("GET", f"/sandboxes/{sandbox.id}/metrics")[1]
        await_true(lambda: len(more()) > 1, "it looks once a second")
        self.assertGreater(more()[1]["cpuUsedPct"], 0)
        stream.close()
        self.assertGreater(points[0]["diskTotal"], points[0]["diskUsed"])
        now = int(time.time())
        self.assertEqual(self.ask("GET", f"/sandboxes/{sandbox.id}/metrics?start={now + 60}")[1], [])
        self.refused(400, "'start'", self.ask("GET", f"/sandboxes/{sandbox.id}/metrics?start=x"))
        _, many = self.ask("GET", f"/sandboxes/metrics?sandbox_ids={sandbox.id},{other.id},nobody")
        self.assertEqual(set(many["sandboxes"]), {sandbox.id, other.id})
        ids = ",".join([sandbox.id] * 101)
        self.refused(400, "at most 100", self.ask("GET", f"/sandboxes/metrics?sandbox_ids={ids}"))

    def test_logs_hold_no_values(self):
        sandbox = self.create(envVars={"SECRET": "hush-hush"})
        sandbox.run("sh", "-c", "echo hush-hush", config={"envs": {"OTHER": "hush-hush"}})
        self.ask("POST", f"/sandboxes/{sandbox.id}/timeout", {"timeout": 100})
        path = f"/v2/sandboxes/{sandbox.id}/logs"
        status, logs = self.ask("GET", path)
        messages = [e["message"] for e in logs["logs"]]
        self.assertEqual((status, messages), (200, ["created", "process started", "process ended", "updated"]))
        self.assertEqual(logs["logs"][2]["fields"]["status"], "exit status 0")
        self.assertNotIn("hush-hush", json.dumps(logs))
        self.assertEqual(set(logs["logs"][0]), {"timestamp", "level", "message", "fields"})
        back = [e["message"] for e in self.ask("GET", f"{path}?direction=backward&limit=1")[1]["logs"]]
        self.assertEqual(back, ["updated"])
        self.assertEqual(self.ask("GET", f"{path}?search=creat")[1]["logs"][0]["message"], "created")
        self.assertEqual(self.ask("GET", f"{path}?level=error")[1], {"logs": []})
        self.assertEqual(self.ask("GET", f"{path}?cursor={int(time.time() * 1000) + 60000}")[1], {"logs": []})
        for bad in ("limit=1001", "direction=up", "level=loud", "cursor=x", "search=" + "x" * 257):
            self.assertEqual(self.ask("GET", f"{path}?{bad}")[0], 400, bad)
        old = self.ask("GET", f"/sandboxes/{sandbox.id}/logs")[1]
        self.assertEqual((old["logs"][0]["line"], len(old["logs"])), ("created", len(old["logEntries"])))

    def test_events_outlive_their_sandbox(self):
        sandbox = self.server.create()
        self.assertEqual(sandbox.kill(), 204)
        path = f"/events/sandboxes/{sandbox.id}"
        events = self.ask("GET", f"{path}?orderAsc=true")[1]
        self.assertEqual([e["type"] for e in events], ["sandbox.lifecycle.created", "sandbox.lifecycle.killed"])
        self.assertEqual((events[1]["sandboxId"], events[1]["eventData"]), (sandbox.id, {"reason": "asked for"}))
        types = lambda query: [e["type"] for e in self.ask("GET", f"{path}?{query}")[1]]
        self.assertEqual(types("limit=1"), ["sandbox.lifecycle.killed"])
        self.assertEqual(types("offset=1"), ["sandbox.lifecycle.created"])
        self.assertEqual(types("types=created"), ["sandbox.lifecycle.created"])
        self.assertEqual(types("types=sandbox.lifecycle.paused"), [])
        self.assertEqual(self.ask("GET", "/events/sandboxes?limit=101")[0], 400)


class Edge(Control):
    def test_hosts_and_headers(self):
        sandbox = self.create()
        token = {"X-Access-Token": sandbox.answer["envdAccessToken"], "X-API-Key": ""}
        ask = lambda headers, path="/files?path=nothing": self.server.call("GET", path, None, {**token, **headers})
        named = {"Host": f"49983-{sandbox.id}.example.org"}
        self.assertEqual([ask(named)[0], ask({**named, "E2b-Sandbox-Id": "x", "E2b-Sandbox-Port": "1"})[0]], [404, 404])
        both = {"E2b-Sandbox-Id": sandbox.id, "E2b-Sandbox-Port": "49983"}
        self.assertEqual([ask({"Host": h, **both})[0] for h in ("localhost", "sandbox.example.org", "10.0.0.1:80")],
                         [404, 404, 404])
        for headers, text in (({"E2b-Sandbox-Id": sandbox.id}, b"missing header"),
                              ({"E2b-Sandbox-Port": "49983"}, b"missing header"),
                              ({**both, "E2b-Sandbox-Id": "i1"}, b"Invalid sandbox ID"),
                              ({**both, "E2b-Sandbox-Port": "0"}, b"Invalid sandbox port"),
                              ({"Host": "49983-i123.example.org"}, b"Invalid host")):
            status, body, answer = ask(headers)
            self.assertEqual((status, body, answer["content-type"][:10]), (400, text, "text/plain"))
        status, body, _ = ask({**both, "E2b-Sandbox-Port": "3000"})
        self.assertEqual((status, json.loads(body)), (502, {
            "sandboxId": sandbox.id, "port": 3000, "code": 502,
            "message": "The sandbox is running but port is not open"}))
        status, body, _ = ask({**both, "E2b-Sandbox-Id": "i" + "0" * 20})
        self.assertEqual((status, json.loads(body)), (502, {
            "sandboxId": "i" + "0" * 20, "code": 502, "message": "The sandbox was not found"}))

    def test_network_is_replaced_as_a_whole(self):
        sandbox = self.create(network={"denyOut": ["10.0.0.0/8"]})
        path = f"/sandboxes/{sandbox.id}/network"
        rules = {"allowOut": ["*.example.com"], "denyOut": ["0.0.0.0/0"]}
        self.assertEqual(self.ask("PUT", path, {**rules, "allow_internet_access": True})[0], 204)
        self.assertEqual((self.get(sandbox)["network"], self.get(sandbox)["allowInternetAccess"]), (rules, True))
        self.refused(400, "network.denyOut", self.ask("PUT", path, {"denyOut": ["x"]}))
        self.assertEqual(self.ask("PUT", path, {})[0], 204)
        self.assertEqual((self.get(sandbox)["network"], self.get(sandbox)["allowInternetAccess"]), ({}, None))


def _unix(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


if __name__ == "__main__":
    unittest.main(verbosity=2)
