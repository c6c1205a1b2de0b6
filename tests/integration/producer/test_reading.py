#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise: every verb that reads asks the API for the right thing, prints it as text, JSON or JSON
Lines, and ends with the status of what happened; what is followed comes back after a cut; Ctrl-C
lets go and says how to come back. Proof: a stand-in for sandfleet-api that expects requests and
answers as schema/openapi.yaml says; a pseudo-terminal where a person would look at one."""
import http.server
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest
import urllib.parse
import fcntl

BIN = pathlib.Path(os.environ["SANDFLEET_BIN"])
RUN = "01950f3c-8a00-7000-8000-000000000001"
OTHER = "01950f3c-8a00-7000-8000-000000000002"
T0, T1, T2 = ("2026-03-01T10:00:00.000Z", "2026-03-01T10:00:02.000Z", "2026-03-01T10:01:04.000Z")
TOKENS = {"input_tokens": 1204, "output_tokens": 310, "cache_read_tokens": 0, "cache_write_tokens": 0}


def run(**more):
    return {"run_id": RUN, "tenant": "acme", "batch_id": None, "custom_id": "a", "session_id": None, "project_id": None,
            "user_id": None, "lane": "batch", "template": "claude", "model": "sonnet", "credential": "default",
            "state": "completed", "outcome": "success", "reason": None, "hold_reason": None, "hold_until": None,
            "attempt": 1, "worker_id": "w1", "sandbox_id": "sb1", "claude_session": None, "usage": TOKENS,
            "cost_usd": 0.0231, "sandbox_ms": 1000, "sandbox_cost_usd": 0.0009, "created_at": T0, "started_at": T1,
            "ended_at": T2, "last_event_at": T2, "last_sequence": 14, "missing_lines": 0} | more


def detail(**more):
    return run() | {"prompt": "say\nhello", "metadata": {"ticket": 17}, "result": "hello \x1b[2J", "output_tail": None} | more


def result(run_id=RUN, kind="succeeded", **more):
    ok = kind == "succeeded"
    return {"run_id": run_id, "batch_id": "nightly", "custom_id": "a" if ok else "b", "session_id": None,
            "status": "completed" if ok else "failed",
            "result": {"type": kind, "text": "Done." if ok else None, "structured_output": None,
                       "error": None if ok else {"code": "max_turns", "message": "max_turns reached"}},
            "usage": TOKENS, "cost_usd": 0.0231, "sandbox_cost_usd": 0, "attempts": 1, "created_at": T0,
            "started_at": T1, "ended_at": T2} | more


def batch(state="in_progress", **counts):
    states = ("queued", "held", "starting", "running", "retrying", "cancelling", "completed", "failed", "timed_out",
              "cancelled", "expired")
    counts = {s: counts.get(s, 0) for s in states}
    return {"batch_id": "nightly", "tenant": "acme", "state": state, "retry_of": None, "metadata": None,
            "runs": sum(counts.values()), "counts": counts, "usage": TOKENS, "cost_usd": 1.5, "sandbox_cost_usd": 0,
            "created_at": T0, "sealed_at": None, "started_at": T1, "ended_at": T2 if state == "ended" else None}


def event(n, kind="sandfleet.run.heartbeat", **data):
    return {"sequence": n, "type": kind, "time": T1, "attempt": 1, "epoch": 1, "line": None, "tool": None,
            "model": None, "input_tokens": None, "output_tokens": None, "cost_usd": None, "data": data}


def said(n, text):
    return event(n, "sandfleet.agent.message",
                 native={"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}}) | {"line": n}


def uuid7():
    made = f"{int(time.time() * 1000):012x}"
    return f"{made[:8]}-{made[8:]}-7000-8000-000000000001"


END = event(9, "sandfleet.run.completed", state="completed", outcome="success", attempts=1, duration_ms=64000,
            cost_usd=0.0123, input_tokens=10, output_tokens=20)


def sse(*events, end=None):
    text = "".join(f"id: {e['sequence']}\ndata: {json.dumps(e)}\n\n" for e in events)
    return text + (f'event: end\ndata: {{"run_id":"{RUN}","state":"{end}","outcome":"x"}}\n\n' if end else "")


def problem(status, code, **more):
    return status, "application/problem+json", json.dumps(
        {"type": f"urn:sandfleet:problem:{code}", "title": code, "status": status, "code": code,
         "request_id": "r1", "retryable": False} | more)


class Api(http.server.ThreadingHTTPServer):
    """script: [(what "METHOD path" the request must match, its answer), …]; the last one for ever if it
    is marked. An answer: a JSON value, or (status, type, text)."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.asked, self.lock = [], [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def next(self, line, headers, body):
        with self.lock:
            self.asked.append((line, headers, body))
            for i, (want, answer, *always) in enumerate(self.script):
                if re.fullmatch(want, line):
                    if not always:
                        del self.script[i]
                    return answer() if callable(answer) else answer
        return 500, "text/plain", f"nobody expected {line}"

    def handle_error(self, *_):
        pass  # who hangs up is no mistake here


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        n = int(self.headers.get("Content-Length") or 0)
        self.server.target = self.path
        answer = self.server.next(f"{self.command} {urllib.parse.unquote(self.path)}", self.headers,
                                  self.rfile.read(n).decode())
        if answer is None:  # hangs up
            self.close_connection = True
            return
        status, kind, text = answer if isinstance(answer, tuple) else (200, "application/json", json.dumps(answer))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for piece in text if not isinstance(text, str) else [text]:
            self.wfile.write(piece.encode())
            self.wfile.flush()

    do_GET = do_POST = do_DELETE = serve

    def log_message(self, *_):
        pass


class Reading(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.api = self.enterContext(Api())
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SANDFLEET", "PG", "XDG", "http", "HTTP", "NO_COLOR"))}
        self.env |= {"HOME": self.folder, "LC_ALL": "C.UTF-8", "SANDFLEET_API_KEY": "sfk_one_two",
                     "SANDFLEET_API_URL": f"http://127.0.0.1:{self.api.server_address[1]}"}
        self.addCleanup(self.api.shutdown)

    def call(self, *words, status=0, script=(), **env):
        self.api.script = list(script)
        done = subprocess.run([BIN / "sandfleet", *words], env=self.env | env, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        left = [s for s in self.api.script if len(s) == 2]
        self.assertEqual(left, [], f"{words} asked only {[a[0] for a in self.api.asked]}: {done.stderr}")
        return done

    def said(self, *words, **more):
        return self.call(*words, **more).stdout


class Runs(Reading):
    def test_list_in_three_forms(self):
        page = {"data": [run(), run(run_id=OTHER, custom_id=None, state="held", hold_reason="no_slot")],
                "next_cursor": None}
        text = self.said("runs", "list", script=[(r"GET /v1/runs\?limit=50", page)])
        self.assertRegex(text, rf"(?m)^RUN +STATE +WHY +AGE +TOOK +COST +BATCH +NAME$")
        self.assertRegex(text, rf"(?m)^{RUN}  completed  success  +\S+  1m02s  \$0\.0231  -  +a$")
        self.assertRegex(text, rf"(?m)^{OTHER}  held  +no_slot ")
        lines = self.said("runs", "list", "-o", "jsonl", script=[(r"GET /v1/runs\?limit=50", page)]).splitlines()
        self.assertEqual([json.loads(line) for line in lines], page["data"])
        self.assertEqual(json.loads(self.said("runs", "list", "-o", "json", script=[(r"GET /v1/runs\?limit=50", page)])), page)

    def test_list_goes_on_page_by_page(self):
        def pages(n):
            return [(rf"GET /v1/runs\?limit={200 if n == 0 else 3}", {"data": [run()] * 2, "next_cursor": "a/b"}),
                    (rf"GET /v1/runs\?limit={200 if n == 0 else 1}&cursor=a/b", {"data": [run()], "next_cursor": None if n == 0 else "c"})]
        self.assertEqual(len(self.said("runs", "list", "--limit", "3", "-o", "jsonl", script=pages(3)).splitlines()), 3)
        self.assertEqual(len(self.said("runs", "list", "--limit", "0", "-o", "jsonl", script=pages(0)).splitlines()), 3)
        done = self.call("runs", "list", "--limit", "3", script=pages(3))
        self.assertIn("there are more runs", done.stderr)
        self.assertEqual(json.loads(self.said("runs", "list", "--limit", "3", "-o", "json", script=pages(3)))["next_cursor"], "c")
        none = self.call("runs", "list", script=[(r"GET /v1/runs\?limit=50", {"data": [], "next_cursor": None})])
        self.assertEqual((none.stdout, "there are no runs" in none.stderr), ("", True))

    def test_filters(self):
        self.call("runs", "list", "--state", "failed,held", "--batch", "a/b", "-s", "s1", "--custom-id", "c", "--project", "p",
                  "--user", "u", "--lane", "batch", "--outcome", "auth", "--after", "2026-03-01T10:00:00Z", "--oldest-first",
                  script=[(r"GET /v1/runs\?state=failed,held&batch_id=a/b&session_id=s1&custom_id=c&project_id=p&user_id=u"
                           r"&lane=batch&outcome=auth&order=asc&created_after=2026-03-01T10:00:00.000Z&limit=50",
                           {"data": [], "next_cursor": None})])
        self.call("runs", "list", "--after", "2h", script=[(r"GET /v1/runs\?created_after=20\d\d-.*Z&limit=50",
                                                            {"data": [], "next_cursor": None})])
        self.assertIn("is no time", self.call("runs", "list", "--before", "soon", status=2).stderr)
        self.assertIn("is no time", self.call("runs", "list", "--before", "2026-13-01", status=2).stderr)
        self.call("runs", "list", "--after", "2026-03-01", script=[(r"GET /v1/runs\?created_after=2026-03-01T00:00:00.000Z&limit=50", {"data": [], "next_cursor": None})])

    def test_filters_by_what_was_put_on_runs(self):
        none = {"data": [], "next_cursor": None}
        self.assertEqual(json.loads(self.said(
            "runs", "list", "--model", "opus", "--tag", "x/y", "--tag", "z", "--metadata", "team=infra", "--metadata=a b&c]=d=e%", "--metadata", "n=", "-o", "json",
            script=[(r"GET /v1/runs\?model=opus&tag=x/y&tag=z&metadata=team=infra&metadata=a b&c\]=d=e%&metadata=n=&limit=50", none)])), none)
        self.assertIn("metadata=a%20b%26c%5D%3Dd%3De%25&", self.api.target)
        for typed in ("team", "=infra", ""):
            self.assertIn("is no metadata", self.call("runs", "list", "--metadata", typed, status=2).stderr)
        long = [word for i in range(60) for word in ("--metadata", f"k{i}={'x' * 200}")]
        self.assertIn("too much at once", self.call("runs", "list", *long, status=2).stderr)

    def test_get(self):
        text = self.said("runs", "get", RUN, script=[(f"GET /v1/runs/{RUN}", detail())])
        self.assertIn(f"run            {RUN}\n", text)
        self.assertIn("took           1m02s\n", text)
        self.assertIn("\nprompt\n  say\n  hello\n", text)
        self.assertIn("\nanswer\n  hello ?[2J\n", text)
        self.assertEqual(json.loads(self.said("runs", "get", RUN, "-o", "json", script=[(f"GET /v1/runs/{RUN}", detail())])), detail())

    def test_errors_have_their_status(self):
        for answer, status, words in (
                (problem(404, "not_found", detail="there is no such run"), 3, f"run {RUN}: there is no such run (not_found)"),
                (problem(401, "unauthenticated"), 4, "unauthenticated"), (problem(403, "forbidden"), 4, "forbidden"),
                (problem(400, "invalid_parameter", detail="x"), 2, "x (invalid_parameter)\nsandfleet: try 'sandfleet runs get --help'"),
                (problem(404, "no_such_route"), 76, "older"), (problem(500, "internal"), 75, "request r1"), ((502, "text/html", "<p>"), 75, "is --api-url right?")):
            with self.subTest(status=status, words=words):
                done = self.call("runs", "get", RUN, status=status, script=[(f"GET /v1/runs/{RUN}", answer)])
                self.assertIn(words, done.stderr)
        self.assertIn("no run id", self.call("runs", "get", "x", status=2).stderr)
        self.assertIn("connect", self.call("runs", "get", RUN, status=75, SANDFLEET_API_URL="http://127.0.0.1:1").stderr)
        no_key = self.call("runs", "get", RUN, status=4, SANDFLEET_API_KEY="", script=[(f"GET /v1/runs/{RUN}", problem(401, "unauthenticated"))])
        self.assertIn("SANDFLEET_API_KEY", no_key.stderr)

    def test_the_key_comes_from_the_environment_or_a_file(self):
        self.call("runs", "get", RUN, script=[(f"GET /v1/runs/{RUN}", detail())])
        self.assertEqual(self.api.asked[-1][1]["Authorization"], "Bearer sfk_one_two")
        file = pathlib.Path(self.folder) / "key"
        file.write_text("sfk_three_four\n")
        file.chmod(0o600)
        self.call("runs", "get", RUN, "--api-key-file", str(file), "--tenant", "other", script=[(rf"GET /v1/runs/{RUN}\?tenant=other", detail())])
        self.assertEqual(self.api.asked[-1][1]["Authorization"], "Bearer sfk_three_four")

    def test_wait(self):
        open_run = detail(state="running", ended_at=None)
        script = [(rf"GET /v1/runs/{RUN}\?wait=60", open_run), (rf"GET /v1/runs/{RUN}\?wait=60", detail())]
        self.assertRegex(self.said("runs", "wait", RUN, script=script), rf"{RUN}  completed  1m02s  \$0\.0231  success")
        failed = detail(state="failed", outcome="auth")
        self.call("runs", "wait", RUN, status=1, script=[(rf"GET /v1/runs/{RUN}\?wait=60", failed)])
        away = [(rf"GET /v1/runs/{RUN}\?wait=60", None), (rf"GET /v1/runs/{RUN}\?wait=60", detail())]
        self.assertIn("trying again", self.call("runs", "wait", RUN, script=away).stderr)
        done = self.call("runs", "wait", RUN, "--wait", "1s", status=124, script=[(rf"GET /v1/runs/{RUN}\?wait=\d", open_run, True)])
        self.assertIn("it is running", done.stderr)

    def test_result(self):
        path = rf"GET /v1/runs/{RUN}/result"
        self.assertEqual(self.said("runs", "result", RUN, script=[(path, result())]), "Done.\n")
        self.assertEqual(json.loads(self.said("runs", "result", RUN, "-o", "json", script=[(path, result())])), result())
        done = self.call("runs", "result", RUN, status=1, script=[(path, result(kind="errored"))])
        self.assertEqual((done.stdout, "max_turns reached" in done.stderr), ("", True))
        later = problem(409, "run_not_ended", retryable=True)
        self.assertIn("--wait", self.call("runs", "result", RUN, status=5, script=[(path, later)]).stderr)
        self.said("runs", "result", RUN, "--wait", "5m", script=[(path + r"\?wait=60", later), (path + r"\?wait=60", result())])
        self.call("runs", "result", RUN, "--wait", "500ms", status=124, script=[(path + r"(\?wait=1)?", later, True)])

    def test_retry(self):
        new = run(run_id=OTHER, state="queued")
        self.assertEqual(self.said("runs", "retry", RUN, script=[(f"POST /v1/runs/{RUN}/retry", (201, "application/json", json.dumps(new)))]),
                         OTHER + "\n")
        self.call("runs", "retry", RUN, "--idempotency-key", "k", script=[(f"POST /v1/runs/{RUN}/retry", new)])
        self.assertEqual(self.api.asked[-1][1]["Idempotency-Key"], "k")

    def test_cancel(self):
        def answer(found, asked):
            return 202 if asked else 200, "application/json", json.dumps({"run_id": RUN, "found": found, "asked": asked, "state": "running"})
        text = self.said("cancel", RUN, script=[(f"POST /v1/runs/{RUN}/cancel", answer("running", True))])
        self.assertEqual(text, f"{RUN}  running: its worker was told (running)\n")
        two = [(f"POST /v1/runs/{RUN}/cancel", answer("running", True)), (rf"GET /v1/runs/{RUN}\?wait=\d", detail(state="cancelled"))]
        self.assertEqual(json.loads(self.said("cancel", RUN, "-o", "json", "--wait", "9s", script=two)),
                         [{"run_id": RUN, "found": "running", "asked": True, "state": "cancelled"}])
        done = self.call("cancel", RUN, OTHER, status=3, script=[  # what was done is told, and for which one it failed
            (f"POST /v1/runs/{RUN}/cancel", answer("running", True)), (f"POST /v1/runs/{OTHER}/cancel", problem(404, "not_found"))])
        self.assertEqual(done.stdout, f"{RUN}  running: its worker was told (running)\n")
        self.assertIn(f"run {OTHER}: ", done.stderr)
        self.call("cancel", RUN, "--force", status=5, script=[(f"POST /v1/runs/{RUN}/cancel", answer("ended", False))])
        self.assertEqual(json.loads(self.api.asked[-1][2]), {"force": True})
        text = self.said("cancel", "--batch", "nightly", "--wait", "9s", script=[
            ("POST /v1/batches/nightly/cancel", (202, "application/json", '{"batch_id":"nightly","asked":3}')),
            (r"GET /v1/batches/nightly\?wait=\d", batch("ended", cancelled=3))])
        self.assertEqual(text, "batch nightly: 3 runs are asked to end\n")

    def test_explain_attempts_usage(self):
        why = {"run_id": RUN, "state": "held", "code": "usage_limit", "summary": "It waits.", "advice": "Nothing.", "since": T0,
               "until": T2, "attempt": 1, "history": [{"at": T0, "kind": "held", "code": "usage_limit", "detail": None, "attempt": 1, "until": T2}]}
        text = self.said("runs", "explain", RUN, script=[(f"GET /v1/runs/{RUN}/explain", why)])
        self.assertRegex(text, r"why +It waits\.\nwhat to do +Nothing\.")
        self.assertRegex(text, rf"(?m)^{T0}  held  usage_limit")
        attempt = {"attempt": 1, "state": "ended", "worker_id": "w1", "sandbox_id": "s1", "outcome": "success", "reason": None, "lines": 3,
                   "cost_usd": 0.01, "started_at": T1, "ended_at": T2}
        self.assertRegex(self.said("runs", "attempts", RUN, script=[(f"GET /v1/runs/{RUN}/attempts", {"data": [attempt]})]),
                         r"1  ended  success  1m02s")
        usage = {"run_id": RUN, "usage": TOKENS, "cost_usd": 0.1, "sandbox_ms": 5000, "sandbox_cost_usd": 0.2, "total_usd": 0.3, "attempts": []}
        self.assertRegex(self.said("runs", "usage", RUN, script=[(f"GET /v1/runs/{RUN}/usage", usage)]), r"together +\$0\.3000")

    def test_logs(self):
        log = ('{"type":"system","subtype":"init","model":"m","claude_code_version":"2"}\n'
               '{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t","name":"Bash","input":{"command":"ls"}}]}}\n'
               '"not JSON \\u001b[2J"\n')
        ndjson = (200, "application/x-ndjson", log)
        self.assertEqual(self.said("runs", "logs", RUN, script=[(f"GET /v1/runs/{RUN}/log", ndjson)]),
                         "· claude 2, model m\n● Bash ls\nnot JSON ?[2J\n")
        self.assertEqual(self.said("runs", "logs", RUN, "-o", "jsonl", "--attempt", "2",
                                   script=[(rf"GET /v1/runs/{RUN}/log\?attempt=2", ndjson)]), log)

    def test_events(self):
        def pages(limit):
            return [(rf"GET /v1/runs/{RUN}/events\?since=0&limit={limit}", {"events": [event(1), said(2, "x")], "nextSequence": 2, "hasMore": True, "ended": False}),
                    (rf"GET /v1/runs/{RUN}/events\?since=2&limit=\d+", {"events": [event(3)], "nextSequence": 3, "hasMore": False, "ended": True})]
        lines = self.said("events", RUN, "-o", "jsonl", script=pages(100)).splitlines()
        self.assertEqual([json.loads(line)["sequence"] for line in lines], [1, 2, 3])
        whole = json.loads(self.said("events", RUN, "-o", "json", script=pages(100)))
        self.assertEqual((len(whole["events"]), whole["nextSequence"], whole["hasMore"]), (3, 3, False))
        self.assertIn("1:2       sandfleet.agent.message", self.said("events", RUN, script=pages(100)))
        done = self.call("events", RUN, "--limit", "2", script=pages(2)[:1])
        self.assertIn("--since 2", done.stderr)


class Interrupted(Reading):
    def test_who_waits_lets_go(self):
        for words, what in ((("runs", "wait", RUN), f"the run goes on. Come back with: sandfleet runs wait {RUN}"),
                            (("runs", "result", RUN, "--wait", "1h"), f"the run goes on. Come back with: sandfleet runs result {RUN}"),
                            (("batch", "wait", "nightly"), "the batch goes on. Come back with: sandfleet batch wait nightly")):
            asked, over = threading.Event(), threading.Event()

            def answer():
                asked.set()
                over.wait(30)
            self.api.script = [(r"GET .*wait=60", answer)]
            waiting = subprocess.Popen([BIN / "sandfleet", *words], env=self.env, text=True, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertTrue(asked.wait(30))
            waiting.send_signal(signal.SIGINT)
            said = waiting.communicate(timeout=30)[1]
            over.set()
            self.assertEqual((waiting.returncode, said), (130, f"sandfleet: detached; {what}\n"))
        waiting = subprocess.Popen([BIN / "sandfleet", "runs", "wait", RUN], env=self.env | {"SANDFLEET_API_URL": "http://127.0.0.1:1"},
                                   text=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertIn("trying again", waiting.stderr.readline())
        waiting.send_signal(signal.SIGINT)
        self.assertIn("detached; the run goes on", waiting.communicate(timeout=30)[1])
        self.assertEqual(waiting.returncode, 130)


class Young(Reading):
    """What was submitted just now is with the API once the sink has stored it."""

    def test_a_run_of_the_last_minute_is_asked_for_again(self):
        new = uuid7()
        none, ended = problem(404, "not_found"), detail(run_id=new)
        for words, path, answer in ((("runs", "get", new), f"GET /v1/runs/{new}", ended),
                                    (("runs", "wait", new), rf"GET /v1/runs/{new}\?wait=60", ended),
                                    (("runs", "result", new), f"GET /v1/runs/{new}/result", result(new)),
                                    (("runs", "retry", new), f"POST /v1/runs/{new}/retry", run(run_id=OTHER)),
                                    (("follow", new), f"GET /v1/runs/{new}/events", (200, "text/event-stream", sse(said(8, "x"), END, end="completed")))):
            self.call(*words, script=[(path, none), (path, answer)])
        old = self.call("runs", "get", RUN, status=3, script=[(f"GET /v1/runs/{RUN}", none)])
        self.assertIn(RUN, old.stderr)

    def test_a_name_that_tells_no_time_is_waited_for_a_little(self):
        by_key = "3e3cea81-90ab-8a3d-8691-123f68b7c5e0"
        self.call("runs", "wait", by_key, script=[(rf"GET /v1/runs/{by_key}\?wait=60", problem(404, "not_found")),
                                                  (rf"GET /v1/runs/{by_key}\?wait=60", detail(run_id=by_key))])
        path = r"GET /v1/batches/nightly\?wait=60"
        self.call("batch", "wait", "nightly", script=[(path, problem(404, "not_found")), (path, batch("ended", completed=1))])
        began = time.monotonic()
        self.call("batch", "wait", "nightly", status=3, script=[(path, problem(404, "not_found"), True)])
        self.assertLess(time.monotonic() - began, 20)


class Follow(Reading):
    PATH = rf"GET /v1/runs/{RUN}/events"

    def stream(self, *pieces):
        return 200, "text/event-stream", pieces if len(pieces) != 1 else pieces[0]

    def test_to_the_end_through_cuts(self):
        script = [(self.PATH, self.stream(sse(said(1, "one"), said(2, "two")) + "id: 3\ndata: {\"half")),
                  (self.PATH, None), (self.PATH, self.stream(sse(said(2, "two"), said(3, "three"), END, end="completed")))]
        done = self.call("follow", RUN, script=script)
        self.assertEqual(done.stdout, "one\n\ntwo\n\nthree\n\n✔ completed in 1m04s, $0.0123, 10 tokens in, 20 out, 3 lines\n")
        self.assertEqual([h["Last-Event-ID"] for _, h, _ in self.api.asked], ["0", "2", "2"])
        self.assertIn("nothing will be missing", done.stderr)

    def test_json_lines_are_the_events(self):
        script = [(self.PATH, self.stream(sse(event(1, x=1), END, end="completed")))]
        lines = [json.loads(line) for line in self.said("follow", RUN, "-o", "jsonl", script=script).splitlines()]
        self.assertEqual(lines, [{"run_id": RUN} | event(1, x=1), {"run_id": RUN} | END])
        script = [(self.PATH, self.stream(sse(event(1), END, end="completed")))]
        self.assertEqual(json.loads(self.said("follow", RUN, "-o", "json", script=script)), {"run_id": RUN} | END)

    def test_a_failed_run_is_status_1(self):
        bad = END | {"type": "sandfleet.run.failed", "data": {"state": "failed", "outcome": "auth", "reason": "no"}}
        self.assertIn("failed (auth): no", self.said("follow", RUN, status=1, script=[(self.PATH, self.stream(sse(bad, end="failed")))]))
        self.call("follow", RUN, "--since", "9", script=[(self.PATH, self.stream(sse(end="completed")))])
        self.assertEqual(self.api.asked[-1][1]["Last-Event-ID"], "9")
        self.call("follow", RUN, "--since", "9", status=1, script=[(self.PATH, self.stream(sse(end="cancelled")))])

    def test_what_cannot_be_followed(self):
        self.assertIn(f"run {RUN}: ", self.call("follow", RUN, status=3, script=[(self.PATH, problem(404, "not_found"))]).stderr)
        self.call("follow", RUN, status=4, script=[(self.PATH, problem(401, "unauthenticated"))])

    def start(self, *words):
        return subprocess.Popen([BIN / "sandfleet", *words], env=self.env, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def slow(self, first):
        gate = threading.Event()
        self.addCleanup(gate.set)

        def pieces():
            yield first
            gate.wait(60)
        return 200, "text/event-stream", pieces()

    def test_ctrl_c_lets_go(self):
        self.api.script = [(self.PATH, lambda: self.slow(sse(said(1, "one"))))]
        p = self.start("follow", RUN)
        self.assertEqual(p.stdout.readline(), "one\n")
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=30)
        self.assertEqual(p.returncode, 130)
        self.assertIn(f"Come back with: sandfleet follow {RUN}", err)

    def test_the_wait_may_be_bounded(self):
        done = self.call("follow", RUN, "--wait", "300ms", status=124, script=[(self.PATH, lambda: self.slow(sse(said(1, "one"))))])
        self.assertIn("the run goes on", done.stderr)


class Batches(Reading):
    def test_list_and_get(self):
        page = {"data": [batch(running=2, completed=3)], "next_cursor": None}
        self.assertRegex(self.said("batch", "list", "--state", "open", script=[(r"GET /v1/batches\?state=open&limit=50", page)]),
                         r"(?m)^nightly  in_progress +5 +3 +0 +2 ")
        self.assertRegex(self.said("batch", "get", "night/ly", script=[("GET /v1/batches/night/ly", batch(held=4))]), r"held +4\n")

    def test_wait(self):
        path = r"GET /v1/batches/nightly\?wait=60"
        self.assertIn("ended: 3 of 3 done; 3 completed", self.said("batch", "wait", "nightly", script=[(path, batch(running=3)), (path, batch("ended", completed=3))]))
        self.call("batch", "wait", "nightly", status=6, script=[(path, batch("ended", completed=2, failed=1))])
        self.call("batch", "wait", "nightly", "--wait", "1s", status=124, script=[(r"GET /v1/batches/nightly\?wait=\d", batch(running=3), True)])

    def test_results(self):
        lines = [result(), result(OTHER, "errored")]
        ndjson = (200, "application/x-ndjson", "".join(json.dumps(r) + "\n" for r in lines))
        path = r"GET /v1/batches/nightly/results"
        self.assertEqual(self.said("batch", "results", "nightly", script=[(path, ndjson)]), ndjson[2])
        self.assertEqual(json.loads(self.said("batch", "results", "nightly", "-o", "json", script=[(path, ndjson)])), lines)
        text = self.said("batch", "results", "nightly", "--ordered", "--errors-only", "-o", "text",
                         script=[(path + r"\?order=submitted&errors_only=true", ndjson)])
        self.assertEqual(text, "a  completed  $0.0231  Done.\nb  failed  $0.0231  max_turns reached\n")
        self.assertEqual(json.loads(self.said("batch", "results", "nightly", "-o", "json", script=[(path, (200, "application/x-ndjson", ""))])), [])
        self.call("batch", "results", "nope", status=3, script=[("GET /v1/batches/nope/results", problem(404, "not_found"))])

    def test_results_take_no_memory(self):
        line = json.dumps(result()) + "\n"
        many = (200, "application/x-ndjson", (line * 1000 for _ in range(200)))
        self.api.script = [(r"GET /v1/batches/nightly/results", many)]
        p = subprocess.Popen([BIN / "sandfleet", "batch", "results", "nightly"], env=self.env, stdout=subprocess.PIPE)
        n = sum(1 for _ in p.stdout)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        p.stdout.close()
        self.assertEqual((n, p.returncode), (200000, 0))
        if "san" not in str(BIN):
            self.assertLess(usage.ru_maxrss, 40 << 10)

    def test_retry_and_cancel(self):
        new = batch() | {"batch_id": "again", "retry_of": "nightly"}
        done = self.call("batch", "retry", "nightly", "--batch", "again", "--state", "failed,expired",
                         script=[("POST /v1/batches/nightly/retry", (201, "application/json", json.dumps(new)))])
        self.assertEqual((done.stdout, json.loads(self.api.asked[-1][2])), ("again\n", {"batch_id": "again", "states": ["failed", "expired"]}))
        self.call("batch", "retry", "nightly", status=5, script=[("POST /v1/batches/nightly/retry", problem(409, "nothing_to_retry"))])
        self.call("batch", "cancel", "nightly", "--force", script=[("POST /v1/batches/nightly/cancel", (202, "application/json", '{"batch_id":"nightly","asked":0}'))])

    # --- watch ----------------------------------------------------------

    def test_watch_in_a_pipe(self):
        path = r"GET /v1/batches/nightly"
        done = self.call("batch", "watch", "nightly", script=[(path, batch(running=3)), (path, batch(running=2, completed=1)),
                                                              (path, None), (path, batch("ended", completed=3))])
        self.assertEqual([line.split(";")[0] for line in done.stdout.splitlines()],
                         ["nightly in_progress: 0 of 3 done", "nightly ended: 3 of 3 done"])
        self.assertIn("sandfleet batch results nightly", done.stderr)
        self.call("batch", "watch", "nightly", status=6, script=[(path, batch("ended", completed=2, failed=1))])
        self.call("batch", "watch", "nightly", status=3, script=[(path, problem(404, "not_found"), True)])
        self.call("batch", "watch", "nightly", script=[(path, problem(404, "not_found")), (path, batch("ended", completed=3))])
        docs = self.said("batch", "watch", "nightly", "-o", "jsonl", script=[(path, batch("ended", completed=2))]).splitlines()
        self.assertEqual(json.loads(docs[-1])["state"], "ended")
        self.call("batch", "watch", "nightly", "--wait", "500ms", status=124, script=[(path, batch(running=3), True)])

    def on_terminal(self, *words, columns=80, rows=24, until=None, keys=b"\x03"):
        """Runs it on a terminal of its own; what it wrote, and its status. until: what must be seen
        before the keys are pressed: Ctrl-C."""
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(BIN / "sandfleet", ["sandfleet", *words], self.env | {"TERM": "xterm"})
        seen, deadline, sent = b"", time.monotonic() + 30, False
        while time.monotonic() < deadline:
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    piece = os.read(fd, 65536)
                except OSError:
                    piece = b""
                if not piece:
                    break
                seen += piece
            if until and not sent and re.search(until, seen.decode(errors="replace")):
                os.write(fd, keys)
                sent = True
        os.close(fd)
        _, status = os.waitpid(pid, 0)
        return seen.decode(), os.waitstatus_to_exitcode(status)

    def test_watch_on_a_terminal(self):
        path = r"GET /v1/batches/nightly"
        self.api.script = [(path, batch(running=2, queued=7, failed=1)), (path, batch("ended", completed=9, failed=1)),
                           (r"GET /v1/runs\?batch_id=nightly&state=running,.*", {"data": [run(custom_id="slow", ended_at=None)], "next_cursor": None}),
                           (r"GET /v1/runs\?batch_id=nightly&state=failed,.*", {"data": [run(custom_id="bad", outcome="auth")], "next_cursor": None})]
        seen, status = self.on_terminal("batch", "watch", "nightly")
        self.assertEqual(status, 6)
        self.assertIn("1 of 10", seen)
        self.assertIn("bad auth", seen)
        self.assertRegex(seen, r"slow \d")
        self.assertIn("\x1b[5A\x1b[J", seen)  # the five rows are written over
        self.assertIn("nightly ended: 10 of 10 done; 9 completed, 1 failed", seen.split("\x1b[J")[-1])
        self.assertIn("\x1b[31m1 failed\x1b[0m", seen)
        self.env["NO_COLOR"] = "1"
        self.api.script = [(path, batch(running=2)), (r"GET /v1/runs.*", {"data": [], "next_cursor": None}, True),
                           (path, batch("ended", completed=2))]
        seen, status = self.on_terminal("batch", "watch", "nightly")
        self.assertEqual((status, re.findall(r"\x1b\[\d+m", seen)), (0, []))

    def test_what_is_waited_for_is_said_on_a_terminal(self):
        young, row = uuid7(), r"\rsandfleet: waiting, 10 s at most: the API does not know the young run yet\x1b\[K"
        unknown, found = (f"GET /v1/runs/{young}", problem(404, "not_found")), (f"GET /v1/runs/{young}", detail(run_id=young))
        self.api.script = [unknown, found]
        seen, status = self.on_terminal("runs", "get", young)
        self.assertEqual(status, 0)
        self.assertRegex(seen, rf"^{row}\r\x1b\[K\x1b\[2mrun +\x1b\[0m +{young}")  # and it is gone when the answer is there
        self.api.script = [unknown, found]
        self.assertNotIn("waiting", self.on_terminal("runs", "get", "-q", young)[0])
        self.assertEqual(self.call("runs", "get", young, script=[unknown, found]).stderr, "")
        self.api.script = [(f"GET /v1/runs/{RUN}", problem(503, "draining", retryable=True)), (f"GET /v1/runs/{RUN}", detail())]
        self.assertIn("at most: the API is not \x1b[K", self.on_terminal("runs", "get", RUN, columns=50)[0])  # cut: it must not wrap
        for verb in ("wait", "watch"):
            self.api.script = [("GET /v1/batches/nightly.*", answer) for answer in (problem(404, "not_found"), batch("ended", completed=2))]
            self.assertRegex(self.on_terminal("batch", verb, "nightly")[0], r"waiting, 5 s at most: the API does not know it yet\x1b\[K\r\x1b\[K")

    def test_json_does_not_drive_a_terminal(self):
        text = "a \x9b31m b"
        line = json.dumps(result(result={"type": "succeeded", "text": text, "structured_output": None, "error": None}), ensure_ascii=False)
        script = [("GET /v1/batches/nightly/results", (200, "application/x-ndjson", line + "\n"))]
        self.api.script = list(script)
        shown = self.on_terminal("batch", "results", "nightly")[0]
        self.assertNotIn("\x9b", shown)
        self.assertEqual(json.loads(shown)["result"]["text"], text)
        self.assertIn("\x9b", self.said("batch", "results", "nightly", script=script))

    def test_a_terminal_too_small_to_write_over_gets_lines(self):
        for columns, rows in ((39, 24), (80, 5)):
            self.api.script = [(r"GET /v1/batches/nightly", batch(running=2)), (r"GET /v1/batches/nightly", batch("ended", completed=2))]
            seen, status = self.on_terminal("batch", "watch", "nightly", columns=columns, rows=rows)
            self.assertEqual(status, 0)
            self.assertNotRegex(seen, r"\x1b\[\d*A")
            self.assertIn("nightly in_progress: 0 of 2 done", seen)

    def test_ctrl_c_lets_go(self):
        self.api.script = [(r"GET /v1/batches/nightly", batch(running=2), True),
                           (r"GET /v1/runs.*", {"data": [], "next_cursor": None}, True)]
        seen, status = self.on_terminal("batch", "watch", "nightly", until="0 of 2")
        self.assertEqual(status, 130)
        self.assertIn("Come back with: sandfleet batch watch nightly", seen)


class Others(Reading):
    def test_sessions(self):
        session = {"session_id": "alice", "tenant": "acme", "runs": 3, "open_runs": 0, "last_run_id": RUN, "last_state": "completed",
                   "claude_session": None, "sandbox_id": "sb1", "sandbox_state": "parked", "sandbox_since": T0, "cost_usd": 0.5,
                   "first_run_at": T0, "last_active_at": T2}
        self.assertRegex(self.said("sessions", script=[(r"GET /v1/sessions\?limit=50", {"data": [session], "next_cursor": None})]),
                         r"(?m)^alice +3 +0  completed  parked ")
        self.assertRegex(self.said("sessions", "get", "a/b", script=[("GET /v1/sessions/a/b", session)]), r"sandbox state +parked")
        self.assertIn("forgotten", self.call("sessions", "end", "alice", script=[("DELETE /v1/sessions/alice", (204, "text/plain", ""))]).stderr)
        self.call("sessions", "end", "alice", status=5, script=[("DELETE /v1/sessions/alice", problem(409, "session_busy"))])

    def test_sandboxes(self):
        box = {"sandbox_id": "sb1", "tenant": "acme", "template": "claude", "state": "parked", "reason": "x", "run_id": RUN,
               "session_id": "alice", "since": T0, "created_at": T0, "used_at": T0, "ended_at": None, "running_ms": 61000, "cost_usd": None}
        self.assertRegex(self.said("sandbox", "list", "--state", "parked", script=[(r"GET /v1/sandboxes\?state=parked&limit=50", {"data": [box], "next_cursor": None})]),
                         r"(?m)^sb1  +parked .* 1m01s +-  claude  .*alice$")
        self.assertRegex(self.said("sandbox", "status", "sb1", script=[("GET /v1/sandboxes/sb1", box)]), r"session +alice")
        self.assertEqual(self.said("sandbox", "cost", "sb1", script=[("GET /v1/sandboxes/sb1", box | {"cost_usd": 0.25})]),
                         "sandbox  sb1\nran      1m01s\ncost     $0.2500\n")
        log = (200, "application/x-ndjson", '"hello"\n')
        self.assertEqual(self.said("sandbox", "logs", "sb1", script=[("GET /v1/sandboxes/sb1", box), (f"GET /v1/runs/{RUN}/log", log)]), "hello\n")
        done = self.call("sandbox", "terminate", "sb1", script=[("DELETE /v1/sandboxes/sb1", (202, "application/json", json.dumps(box)))])
        self.assertIn("killed within seconds", done.stderr)
        self.assertIn("2 of template base will be made", self.said("sandbox", "create", "base", "-n", "2", script=[
            ("POST /v1/sandboxes", (202, "application/json", '{"template":"base","asked":2}'))]))
        self.assertEqual(json.loads(self.api.asked[-1][2]), {"template": "base", "count": 2})
        self.call("sandbox", "terminate", "sb1", status=5, script=[("DELETE /v1/sandboxes/sb1", problem(409, "sandbox_busy"))])

    def test_dead_letters(self):
        letter = {"id": "runs.dlq-0-17", "topic": "sandfleet.runs.batch", "partition": 0, "offset": 17, "reason": "malformed",
                  "detail": "at byte 3", "at": T0, "bytes": 99}
        self.assertRegex(self.said("dlq", "list", "--reason", "malformed", script=[(r"GET /v1/dlq\?reason=malformed&limit=50", {"data": [letter], "next_cursor": None})]),
                         r"(?m)^runs\.dlq-0-17 .* 99 bytes  malformed  at byte 3$")
        for value, shown in (("eyJ4IjoiG1sySiDDqSJ9Cg==", 'value\n  {"x":"?[2J é"}\n'), ("/wA=", "value (base64)\n  /wA=\n"), ("", "bytes")):
            script = [("GET /v1/dlq/runs.dlq-0-17", letter | {"key_base64": None, "value_base64": value, "headers": None})]
            self.assertIn(shown, self.said("dlq", "get", "runs.dlq-0-17", script=script))
        self.assertEqual(self.said("dlq", "redrive", "a", "b", script=[("POST /v1/dlq/redrive", {"count": 2})]), "2 sent to where they came from\n")
        self.said("dlq", "purge", "a", "a", script=[("POST /v1/dlq/purge", {"count": 1})])
        done = self.call("dlq", "redrive", "a", "b", status=3, script=[("POST /v1/dlq/redrive", {"count": 1})])
        self.assertEqual(done.stdout, "1 sent to where they came from\n")
        self.assertIn("1 of the 2 is no dead letter", done.stderr)
        self.said("dlq", "redrive", "a", "b", script=[("POST /v1/dlq/redrive", {"count": 2})])
        self.assertEqual(json.loads(self.api.asked[-1][2]), {"ids": ["a", "b"]})
        self.said("dlq", "purge", "--reason", "malformed", script=[("POST /v1/dlq/purge", {"count": 2})])
        self.assertEqual(json.loads(self.api.asked[-1][2]), {"reason": "malformed"})
        self.said("dlq", "purge", "--all", script=[("POST /v1/dlq/purge", {"count": 2})])
        self.assertEqual(json.loads(self.api.asked[-1][2]), {"all": True})
        self.assertIn("say which", self.call("dlq", "purge", status=2).stderr)
        self.assertIn("say which", self.call("dlq", "purge", "--all", "a", status=2).stderr)

    def test_workers_and_stats(self):
        worker = {"worker_id": "w1", "host": "h", "pid": 7, "version": "0.1.0", "slots": 8, "running": 3, "alive": True, "started_at": T0, "beat_at": T2}
        self.assertRegex(self.said("workers", script=[("GET /v1/workers", {"data": [worker]})]), r"(?m)^w1 +yes +3 +8 ")
        stats = {"scope": "fleet", "at": T0, "queued": 120, "held": 4, "running": 100, "oldest_queued_at": T0, "oldest_queued_s": 90, "slots": 128,
                 "workers": 4, "groups": [{"lane": "batch", "key": "acme", "queued": 118, "held": 4, "running": 60, "oldest_queued_at": T0, "oldest_queued_s": 90}]}
        self.assertRegex(self.said("stats", "--fleet", script=[(r"GET /v1/stats\?scope=fleet", stats)]), r"(?s)queued +120\n.*batch  acme +118 +4 +60 +1m30s")


if __name__ == "__main__":
    unittest.main(verbosity=2)
