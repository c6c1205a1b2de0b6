# SPDX-License-Identifier: Apache-2.0
"""Promise: what the HTTP door answered 201 runs to its end, whatever dies; what it answered 503 without an
Idempotency-Key does not run; with one, asking again until it is another answer makes one run.
Proof: the broker is frozen, then killed, under requests; so are Postgres and the door itself; then the
runs are counted in Postgres by their prompts."""

import collections
import concurrent.futures
import http.client
import json
import os
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack, json_lines  # noqa: E402

ACK_S = 2
WITHIN_S = ACK_S + (2 if "asan" not in os.environ.get("SANDFLEET_BIN", "") else 6)
Answer = collections.namedtuple("Answer", "status body seconds")


class DoorFaults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("door_faults", env={"SANDFLEET_ACK_TIMEOUT": f"{ACK_S}s"}))
        cls.port = int(cls.stack.env["SANDFLEET_API_URL"].rsplit(":", 1)[1])
        # the producer knows its topic from here on
        cls.stack.wait("the first to be taken", lambda: cls.post("/v1/runs", {"prompt": "first"}).status == 201)

    @classmethod
    def ask(cls, method, path, body=None, headers=None):
        """Status 0: the connection was refused or cut."""
        begun, conn = time.monotonic(), http.client.HTTPConnection("127.0.0.1", cls.port, timeout=60)
        try:
            conn.request(method, path, body, headers or {})
            got = conn.getresponse()
            return Answer(got.status, got.read().decode(), time.monotonic() - begun)
        except (OSError, http.client.HTTPException):
            return Answer(0, "", time.monotonic() - begun)
        finally:
            conn.close()

    @classmethod
    def post(cls, path, body, key=None):
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        return cls.ask("POST", path, json.dumps(body), headers)

    def run_id(self, answer):
        self.assertEqual(answer.status, 201, answer)
        return json.loads(answer.body)["run_id"]

    def until_another_answer(self, prompt, key, seconds=60):
        """What the contract tells a client with a key to do."""
        end = time.monotonic() + seconds
        while (answer := self.post("/v1/runs", {"prompt": prompt}, key)).status in (0, 409, 503):
            self.assertLess(time.monotonic(), end, answer)
            self.stack.supervise("api")
            time.sleep(0.2)
        return self.run_id(answer)

    def ends(self, prompts):
        """state by prompt, once all that came have ended; a prompt that never came is not in it."""
        query = ("select prompt, array_agg(state) as states, bool_and(ended) as ended from fleet.runs"
                 " where prompt = any (string_to_array(:'prompts', ',')) group by prompt")
        self.stack.wait("all of them to end", lambda: all(
            row["ended"] for row in self.stack.rows(query, prompts=",".join(prompts))), 120)
        return {row["prompt"]: row["states"] for row in self.stack.rows(query, prompts=",".join(prompts))}

    @staticmethod
    def count(answers, status):
        return sum(answer.status == status for answer in list(answers.values()))

    def answered(self, answers, status, at_least):
        self.stack.wait(f"{at_least} answers of {status}", lambda: self.count(answers, status) >= at_least)

    def settle(self):
        """Whatever is still on its way to the topic or from it has come."""
        marker = self.until_another_answer("marker", f"marker {time.monotonic()}")
        self.stack.wait("the marker's end", lambda: self.stack.supervise("worker-1") or self.stack.rows(
            "select 1 from fleet.runs where run_id = :'id'::uuid and ended", id=marker))

    # --- the broker ------------------------------------------------------------------------

    def test_a_broker_that_is_frozen(self):
        plain, keyed = [f"frozen-{n}" for n in range(8)], [f"frozen-key-{n}" for n in range(8)]
        os.kill(self.stack.pid("kafka"), signal.SIGSTOP)
        try:
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda p: self.post("/v1/runs", {"prompt": p}, p if p in keyed else None), plain + keyed))
        finally:
            os.kill(self.stack.pid("kafka"), signal.SIGCONT)
        for answer in answers:
            self.assertEqual(answer.status, 503, answer)
            self.assertEqual(json.loads(answer.body)["code"], "kafka_unavailable")
            self.assertLess(answer.seconds, WITHIN_S)
        ids = {p: self.until_another_answer(p, p) for p in keyed}
        self.stack.wait_log("api", "event=run.revoked")
        self.settle()
        states = self.ends(plain + keyed)
        self.assertEqual({p: states[p] for p in keyed}, {p: ["completed"] for p in keyed})
        self.assertLessEqual({s for p in plain for s in states.get(p, [])}, {"cancelled"}, states)
        for p in keyed:
            self.assertEqual(self.until_another_answer(p, p), ids[p])

    def test_a_door_that_leaves_while_the_broker_is_frozen(self):
        """What it answered 503 is cancelled, or was never sent, before it goes."""
        prompts = [f"leaves-{n}" for n in range(8)]
        os.kill(self.stack.pid("kafka"), signal.SIGSTOP)
        try:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda p: self.post("/v1/runs", {"prompt": p}), prompts))
            self.stack.stop("api")
        finally:
            os.kill(self.stack.pid("kafka"), signal.SIGCONT)
        self.assertEqual({answer.status for answer in answers}, {503})
        self.stack.start("api")
        self.settle()
        states = self.ends(prompts)
        self.assertLessEqual({s for p in prompts for s in states.get(p, [])}, {"cancelled"}, states)

    def test_a_broker_that_is_killed_under_requests(self):
        stop, plain, keyed = threading.Event(), {}, {}

        def load(thread):
            for n in range(1000):
                if stop.is_set():
                    return
                prompt = f"killed-{thread}-{n}"
                if thread % 2:
                    keyed[prompt] = self.until_another_answer(prompt, prompt)
                else:
                    plain[prompt] = self.post("/v1/runs", {"prompt": prompt})
                time.sleep(0.3)

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            loads = [pool.submit(load, thread) for thread in range(6)]
            self.answered(plain, 201, at_least=3)
            self.stack.kill("kafka")
            self.answered(plain, 503, at_least=3)
            self.stack.start("kafka")
            self.until_another_answer("back", "back")
            self.answered(plain, 201, at_least=self.count(plain, 201) + 3)
            stop.set()
            for one in loads:
                one.result()
        self.settle()
        accepted = {p for p, answer in plain.items() if answer.status == 201}
        refused = set(plain) - accepted
        self.assertTrue(accepted and refused, plain)
        states = self.ends(list(plain) + list(keyed))
        self.assertEqual({p: states.get(p) for p in accepted | set(keyed)}, {p: ["completed"] for p in accepted | set(keyed)})
        self.assertLessEqual({s for p in refused for s in states.get(p, [])}, {"cancelled"}, states)

    def test_a_broker_that_is_killed_under_items(self):
        self.assertEqual(self.post("/v1/batches", {"batch_id": "items", "defaults": {
            "not_before": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))}}).status, 201)
        lines = [json.dumps({"custom_id": f"i{n}", "prompt": f"item {n}"}) + "\n" for n in range(3000)]

        def upload(before=lambda line: None):
            conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

            def pieces():
                for start in range(0, len(lines), 100):
                    before(start)
                    yield "".join(lines[start:start + 100]).encode()

            conn.request("POST", "/v1/batches/items/items", pieces(), {"Content-Type": "application/x-ndjson"})
            got = conn.getresponse()
            self.assertEqual(got.status, 200)
            answers = json_lines(got.read().decode())
            conn.close()
            return answers

        gone = threading.Event()

        def around_the_loss(line):
            """The first lines before it, the others bit by bit behind its beginning."""
            if line:
                gone.wait(60)
                time.sleep(0.2)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(upload, around_the_loss)
            self.stack.wait_rows("select 1 from fleet.runs where batch_id = 'items'", 1)
            self.stack.kill("kafka")
            gone.set()
            time.sleep(ACK_S + 1.5)  # the loss itself: longer than the door waits
            self.stack.start("kafka")
            answers = first.result()
        self.assertEqual([a["line"] for a in answers], list(range(1, 3001)))
        codes = collections.Counter(a["error"] and a["error"]["code"] for a in answers)
        self.assertEqual(set(codes), {None, "kafka_unavailable"}, codes)
        self.assertTrue(all(a["error"]["retryable"] for a in answers if a["error"]))
        again = self.stack.wait("every line to be accepted", lambda: self.all_accepted(upload()))
        for one, other in zip(answers, again):
            self.assertIn(one["run_id"], (None, other["run_id"]))
        self.stack.wait_rows("select runs from fleet.batches where batch_id = 'items' and runs >= 3000", 1, 120)
        self.settle()
        self.assertEqual(self.stack.value("select count(*) from fleet.runs where batch_id = 'items'"), 3000)
        self.assertEqual(json.loads(self.ask("GET", "/v1/batches/items").body)["runs"], 3000)

    def all_accepted(self, answers):
        """Them; None when some are to be sent again."""
        for answer in answers:
            self.assertTrue(answer["status"] == "accepted" or answer["error"]["code"] == "kafka_unavailable", answer)
        return answers if all(a["status"] == "accepted" for a in answers) else None

    # --- the database, and the door itself ---------------------------------------------------

    def test_the_database_is_away(self):
        known = self.until_another_answer("db-before", "db-before")
        self.stack.kill("postgres")
        try:
            self.stack.wait("the loss", lambda: self.ask("GET", "/readyz").status == 503)
            answer = self.stack.wait("a run to be taken", lambda: (a := self.post("/v1/runs", {"prompt": "db-away"})).status == 201 and a)
            run = self.run_id(answer)
            self.assertLess(answer.seconds, WITHIN_S)
            for refused in (self.post("/v1/runs", {"prompt": "db-key"}, "db-key"), self.post("/v1/batches", {}),
                            self.ask("GET", f"/v1/runs/{known}"), self.post(f"/v1/runs/{known}/cancel", {})):
                self.assertEqual((refused.status, json.loads(refused.body)["code"]), (503, "database_unavailable"))
        finally:
            self.stack.start("postgres")
        self.stack.wait("the return", lambda: self.ask("GET", "/readyz").status == 200)
        self.stack.wait("the run to be read", lambda: self.ask("GET", f"/v1/runs/{run}").status == 200, 20)
        self.until_another_answer("db-key", "db-key")
        self.settle()
        states = self.ends(["db-before", "db-away", "db-key"])
        self.assertEqual((states["db-before"], states["db-key"], states["db-away"].count("completed")), (["completed"], ["completed"], 1))
        self.assertLessEqual(set(states["db-away"]), {"completed", "cancelled"})  # it had been asked for again

    def test_the_door_is_killed(self):
        stop, keyed = threading.Event(), {}

        def load(thread):
            for n in range(1000):
                if stop.is_set():
                    return
                prompt = f"door-{thread}-{n}"
                keyed[prompt] = self.until_another_answer(prompt, prompt)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            loads = [pool.submit(load, thread) for thread in range(4)]
            for _ in range(3):
                time.sleep(0.4)
                self.stack.kill("api")
                self.stack.start("api")
            stop.set()
            for one in loads:
                one.result()
        self.settle()
        self.assertEqual(self.ends(list(keyed)), {p: ["completed"] for p in keyed})
        self.assertEqual({self.until_another_answer(p, p) for p in keyed}, set(keyed.values()))


if __name__ == "__main__":
    unittest.main()
