# SPDX-License-Identifier: Apache-2.0
"""Promise: what a backend sees through the HTTP door is what happened: a run can be read behind its 201,
its log is byte for byte what the agent printed, a schema's answer comes as JSON, a batch's results
come while it runs, who waits is told why, and what was refused is among the dead letters.
Proof: the whole line, with an agent of the test's own; each is asked for over HTTP."""

import json
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack  # noqa: E402

# Prints what a run is, as long as $LINES says, waits for $HOLD to be there, and answers with JSON.
AGENT = r"""#!/bin/sh
case "$1" in --version) echo "2.1.0 (Claude Code)"; exit 0 ;; esac
cat > /dev/null
session=01234567-89ab-4cde-8f01-23456789abcd
echo '{"type":"system","subtype":"init","session_id":"'$session'","model":"m","cwd":"/","tools":[]}'
echo "no JSON: "\"é\\
i=0
while [ $i -lt ${LINES:-1} ]; do
    i=$((i + 1))
    echo '{"type":"assistant", "session_id":"'$session'","message":{"model":"m","content":[{"type":"text","text":"'$i' é\u2028"}]}}'
done
while [ -n "$HOLD" ] && [ ! -e "$HOLD" ]; do sleep 0.05; done
echo '{"type":"result","subtype":"success","is_error":false,"session_id":"'$session'","result":"{\"n\":[1,2.50]}","structured_output":{"n":[1,2.50]},"total_cost_usd":0.25,"num_turns":1,"modelUsage":{"m":{"inputTokens":11,"outputTokens":7,"costUSD":0.25}}}'
"""


class DoorReads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack("door_reads", env={"SANDFLEET_LEASE": "3s", **Stack.NOT_ISOLATED})
        cls.stack.dir.mkdir(parents=True, exist_ok=True)
        agent = cls.stack.dir / "agent"
        agent.write_text(AGENT)
        agent.chmod(0o755)
        cls.stack.claude = str(agent)
        cls.enterClassContext(cls.stack)

    def ask(self, method, target, body=None, kind="application/json"):
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(self.stack.env["SANDFLEET_API"] + target, data, method=method,
                                         headers={"Content-Type": kind} if data is not None else {})
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def get(self, target):
        status, text = self.ask("GET", target)
        self.assertEqual(status, 200, text)
        return json.loads(text)

    def submit(self, **fields):
        status, text = self.ask("POST", "/v1/runs", {"prompt": "p", **fields})
        self.assertEqual(status, 201, text)
        return json.loads(text)["run_id"]

    def wait_code(self, run, code):
        def explained():
            told = self.get(f"/v1/runs/{run}/explain")
            return told if told["code"] == code else None
        return self.stack.wait(f"{run} to say {code}", explained)

    def test_a_run_is_told_as_it_was(self):
        run = self.submit(json_schema={"type": "object"}, env={"LINES": "300"})
        self.assertEqual(self.get(f"/v1/runs/{run}")["run_id"], run)
        result = self.get(f"/v1/runs/{run}/result?wait=60")
        self.assertEqual(result["result"], {"type": "succeeded", "text": '{"n":[1,2.50]}', "error": None,
                                            "structured_output": {"n": [1, 2.5]}})
        (attempt,) = self.get(f"/v1/runs/{run}/attempts")["data"]
        status, log = self.ask("GET", f"/v1/runs/{run}/log")
        lines = log.split("\n")
        self.assertEqual((status, lines.pop()), (200, ""))
        self.assertEqual(len(lines), 303)
        self.assertEqual(json.loads(lines[1]), 'no JSON: "é\\')
        # a line that is no JSON came as a string: quotes and escapes are more than it was
        self.assertEqual(len(log.encode()) - len(lines[1].encode()) + len('no JSON: "é\\'.encode()), attempt["bytes"])
        self.assertEqual(lines[2], '{"type":"assistant", "session_id":"01234567-89ab-4cde-8f01-23456789abcd","message":'
                                   '{"model":"m","content":[{"type":"text","text":"1 é\\u2028"}]}}')
        usage = self.get(f"/v1/runs/{run}/usage")
        self.assertEqual((usage["cost_usd"], usage["usage"]["input_tokens"]), (0.25, 11))
        self.assertIn(run, [r["run_id"] for r in self.get("/v1/runs?state=completed&outcome=success")["data"]])
        box = self.get(f"/v1/sandboxes/{attempt['sandbox_id']}")
        self.assertEqual((box["state"], box["run_id"]), ("ended", run))
        (worker,) = self.get("/v1/workers")["data"]
        self.assertEqual((worker["worker_id"], worker["alive"]), (attempt["worker_id"], True))

    def test_results_come_while_the_batch_runs(self):
        hold = self.stack.dir / "hold"
        self.assertEqual(self.ask("POST", "/v1/batches", {"batch_id": "night"})[0], 201)
        items = [{"custom_id": f"c{n}", "prompt": "p", **({"env": {"HOLD": str(hold)}} if n == 2 else {})} for n in range(5)]
        status, text = self.ask("POST", "/v1/batches/night/items",
                                "".join(json.dumps(i) + "\n" for i in items).encode(), "application/x-ndjson")
        self.assertEqual([json.loads(line)["status"] for line in text.splitlines()], ["accepted"] * 5)
        # sealed at once: it has not ended because nobody has seen it yet
        status, text = self.ask("POST", "/v1/batches/night/seal")
        self.assertEqual((status, json.loads(text)["state"]), (200, "in_progress"))
        waited = []
        waiter = threading.Thread(target=lambda: waited.append(self.get("/v1/batches/night?wait=60")))
        waiter.start()

        def results(query=""):
            status, text = self.ask("GET", "/v1/batches/night/results" + query)
            self.assertEqual(status, 200)
            return [json.loads(line)["custom_id"] for line in text.splitlines()]
        self.stack.wait("four of five", lambda: len(results()) == 4)
        self.assertEqual(sorted(results()), ["c0", "c1", "c3", "c4"])
        self.assertEqual(results("?errors_only=true"), [])
        self.assertEqual(waited, [])
        hold.touch()
        waiter.join(60)
        (batch,) = waited
        self.assertEqual((batch["state"], batch["runs"], batch["counts"]["completed"]), ("ended", 5, 5))
        self.assertEqual(sorted(results("?order=submitted")), ["c0", "c1", "c2", "c3", "c4"])

    def test_who_waits_is_told_why(self):
        later = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 3600))
        run = self.submit(not_before=later)
        told = self.wait_code(run, "scheduled")
        self.assertEqual((told["until"], told["state"] in ("queued", "held")), (later, True), told)
        hold = self.stack.dir / "hold-session"
        first = self.submit(session={"id": "talk"}, env={"HOLD": str(hold)})
        self.stack.wait("the first to run", lambda: self.get(f"/v1/runs/{first}")["state"] == "running")
        second = self.submit(session={"id": "talk"})
        self.wait_code(second, "session_busy")
        stats = self.stack.wait("stats", lambda: (s := self.get("/v1/stats?scope=fleet"))["running"] == 1 and s["held"] >= 1 and s)
        self.assertEqual((stats["workers"], stats["slots"]), (1, 50))
        hold.touch()
        for one in (first, second):
            self.assertEqual(self.get(f"/v1/runs/{one}?wait=60")["state"], "completed")
        self.assertEqual(self.get("/v1/sessions/talk")["runs"], 2)
        self.assertEqual(self.ask("POST", f"/v1/runs/{run}/cancel", {})[0], 202)
        self.assertEqual(self.get(f"/v1/runs/{run}?wait=60")["state"], "cancelled")
        self.assertEqual(self.get(f"/v1/runs/{run}/explain")["code"], "cancelled")

    def test_what_was_refused_can_be_read(self):
        value = b'{"v":1,"run_id":"01990000-0000-7000-8000-0000000000ff","prompt":"x","colour":1}'
        self.stack.produce("runs.batch", value, key="01990000-0000-7000-8000-0000000000ff", headers=[("mine", "1")])
        (letter,) = self.stack.wait("the letter", lambda: self.get("/v1/dlq?reason=unknown_field")["data"])
        self.assertIn("colour", letter["detail"])
        whole = self.get(f"/v1/dlq/{letter['id']}")
        self.assertEqual(whole["headers"]["dlq.topic"], self.stack.topic("runs.batch"))
        self.assertEqual(whole["headers"]["mine"], "1")
        self.assertEqual(whole["bytes"], len(value))


if __name__ == "__main__":
    unittest.main(verbosity=2)
