# SPDX-License-Identifier: Apache-2.0
"""Promise: the real Claude Code CLI runs in the sandboxes, and all it prints arrives.
Proof: the pinned CLI against a scripted stand-in for the Messages API on loopback (no account,
no network): tools, files, a resumed session, failures of the API, a line of a megabyte, and the
credential in no event, no table and no argument list."""

import json
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import ROOT, Stack, json_lines  # noqa: E402

KEY = "sk-ant-api03-" + "canary0123456789" * 3


class Api:
    """The scripted Messages API."""

    def __init__(self, host="127.0.0.1", tls=False, more=()):
        self.folder = tempfile.TemporaryDirectory(prefix="sandfleet-api-")
        port_file = pathlib.Path(self.folder.name) / "port"
        self.log = pathlib.Path(self.folder.name) / "log"
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/lib/anthropic_stub.py"), "--port", str(free_port()),
             "--port-file", str(port_file), "--log", str(self.log), "--host", host, *more], stdin=subprocess.DEVNULL)
        Stack.wait(None, "the Messages API stand-in", port_file.exists, 20)
        self.url = f"http{'s' if tls else ''}://{host}:{port_file.read_text().strip()}"

    def post(self, path, **body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.folder.cleanup()


def free_port():
    """Below 32768: from there on the kernel lends ports to clients."""
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port")


class RealClaude(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        claude = subprocess.run([str(ROOT / "ops/claude-cli")], check=True, stdout=subprocess.PIPE,
                                text=True).stdout.strip()
        cls.api = cls.enterClassContext(Api())
        cls.stack = cls.enterClassContext(Stack("real_claude", claude=claude, env={
            "SANDFLEET_CANCEL_GRACE": "30s",  # however busy this machine is
            "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": cls.api.url}))

    def run_of(self, *words, status=0):
        words = ("run", "-o", "jsonl", "--model", "claude-opus-5-5", *words)
        done = self.stack.sandfleet(*words, status=status, timeout=180)
        return json_lines(done.stdout)

    def natives(self, events, kind):
        return [e["data"]["native"] for e in events if e["type"] == "sandfleet.agent." + kind]

    def check_stored(self, events):
        run_id = events[0]["run_id"]
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and ended", 1, id=run_id)
        rows = self.stack.rows("select sequence, line, data from fleet.events where run_id = :'id'::uuid "
                               "order by sequence", id=run_id)
        self.assertEqual([r["sequence"] for r in rows], list(range(1, len(events) + 1)))
        self.assertEqual([r["data"] for r in rows], [e["data"] for e in events])
        return rows

    def test_bash(self):
        events = self.run_of("[[stub:bash cmd='echo out; echo err >&2; pwd']] please")
        (use,) = self.natives(events, "tool_use")
        (result,) = self.natives(events, "tool_result")
        self.assertEqual(use["message"]["content"][0]["name"], "Bash")
        self.assertIn("out", json.dumps(result["message"]))
        self.assertEqual(events[-1]["type"], "sandfleet.run.completed")
        self.assertGreater(events[-1]["data"]["cost_usd"], 0)
        self.check_stored(events)

    def test_files(self):
        events = self.run_of("[[stub:files]] please")
        tools = [u["message"]["content"][0]["name"] for u in self.natives(events, "tool_use")]
        self.assertEqual(tools, ["Write", "Read", "Edit", "Bash"])
        self.assertEqual([e.get("tool") for e in events if e["type"] == "sandfleet.agent.tool_use"], tools)
        self.check_stored(events)

    def test_a_resumed_session(self):
        first = self.run_of("[[stub:text]] remember", "--session", "talk")
        second = self.run_of("[[stub:bash]] and again", "--session", "talk")
        sessions = {n["session_id"] for events in (first, second) for n in self.natives(events, "init")}
        self.assertEqual(len(sessions), 1)
        one, two = (events[-1]["data"]["cost_usd"] for events in (first, second))
        total = self.natives(second, "result")[-1]["total_cost_usd"]
        self.assertAlmostEqual(one + two, total, places=6, msg="each run costs what it added")

    def cancelled(self, prompt, when):
        """A run that is cancelled as soon as when() is true: its last line, and what it cost."""
        run_id = self.stack.sandfleet("submit", prompt, "--model", "claude-opus-5-5").stdout.split()[0]
        self.stack.wait("the moment to cancel", when, 120)
        began = time.time()
        self.stack.sandfleet("cancel", run_id)
        (run,) = self.stack.wait_rows("select *, extract(epoch from ended_at) as at from fleet.runs "
                                      "where run_id = :'id'::uuid and ended", 1, id=run_id)
        print(f"figure: the real CLI: ended {run['at'] - began:.2f} s after the client was called")
        self.assertEqual(run["state"], "cancelled")
        return run, self.stack.rows("select data from fleet.events where run_id = :'id'::uuid "
                                    "and type = 'sandfleet.agent.result'", id=run_id)

    def check_last_words(self, cancelled, reason):
        """On a busy machine the CLI may be gone before its result line: its transcript has the cost."""
        run, results = cancelled
        self.assertEqual([r["data"]["native"]["terminal_reason"] for r in results], [reason] * len(results))
        self.assertLessEqual(len(results), 1)
        return run["cost_usd"]

    def runs(self, words, for_s=0):
        """Does a process with this command line run on this machine, in whatever sandbox, so long?"""
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if path.read_bytes().replace(b"\0", b" ").startswith(words.encode()):
                    return time.time() - path.parent.stat().st_mtime >= for_s
            except OSError:
                pass
        return False

    def test_a_cancel_in_a_tool(self):
        tool = f"timeout 29{random.randrange(10**6)} tail -f /dev/null"
        cancelled = self.cancelled(f"[[stub:bash cmd='{tool}']] please", lambda: self.runs(tool, for_s=3))
        self.assertGreater(self.check_last_words(cancelled, "aborted_tools"), 0)
        self.stack.wait("the tool's end", lambda: not self.runs(tool), 10)

    def test_a_cancel_in_the_stream(self):
        before = self.api.log.read_text().count("slow")
        self.check_last_words(self.cancelled("[[stub:slow n=600]] please",
                                             lambda: self.api.log.read_text().count("slow") > before),
                              "aborted_streaming")

    def test_a_time_limit(self):
        """TERM leaves no result line; what was paid is told all the same, and only once."""
        first = self.run_of("[[stub:text]] remember", "--session", "limit")
        events = self.run_of("[[stub:bash cmd='timeout 300 tail -f /dev/null']] please", "--session", "limit",
                             "--timeout", "8s", status=1)
        self.assertEqual(self.natives(events, "result"), [])
        self.assertEqual(events[-1]["type"], "sandfleet.run.timed_out")
        self.assertTrue(events[-1]["data"]["synthetic"])
        one, two = (run[-1]["data"]["cost_usd"] for run in (first, events))
        self.assertGreater(two, 0)
        self.assertLess(two, one, "what the session cost before is in the total of its transcript, too")
        self.check_stored(events)

    def parked(self, session):
        return self.stack.wait_rows("select sandbox_id from ledger.sandboxes where session_id = :'s' and state = 'parked'",
                                    1, s=session)[0]["sandbox_id"]

    def said(self, session_id):
        """What the newest request of this conversation had in it, from the user."""
        return [r for r in json_lines(self.api.log.read_text()) if r["session"] == session_id][-1]["said"]

    def test_a_session_whose_sandbox_is_gone_goes_on_in_a_new_one(self):
        """Three sandboxes, one conversation: each next one has it from the transcript alone."""
        runs, sandboxes = [], set()
        for prompt in ("remember HERON", "and WAGTAIL", "and PLOVER"):
            runs.append(self.run_of("[[stub:text]] " + prompt, "--session", "far"))
            sandboxes.add(self.parked("far"))
            self.stack.kill_sandbox(self.parked("far"))
        (session_id,) = {n["session_id"] for events in runs for n in self.natives(events, "init")}
        self.assertEqual(len(sandboxes), 3)
        self.assertEqual(self.said(session_id), [f"[[stub:text]] {w}" for w in ("remember HERON", "and WAGTAIL", "and PLOVER")])
        started = [e["data"] for events in runs for e in events if e["type"] == "sandfleet.attempt.started"]
        self.assertEqual([s.get("resumed_from") for s in started], [None, "transcript", "transcript"])
        costs = [events[-1]["data"]["cost_usd"] for events in runs]
        total = self.natives(runs[-1], "result")[-1]["total_cost_usd"]
        self.assertAlmostEqual(sum(costs), total, places=6, msg="each run costs what it added")
        self.assertLess(max(costs), 0.5 * total)

    def test_the_credential_is_in_no_transcript(self):
        # backwards: the other tests look for the word in what was asked, too
        self.run_of("[[stub:bash cmd='echo " + KEY[::-1] + " :dias | rev']] x", "--session", "leak")
        self.parked("leak")
        key = self.stack.value("select transcript from ledger.sessions where session_id = 'leak'")
        stored = (self.stack.dir / "store" / key).read_text()
        self.assertIn("said: " + "*" * len(KEY), stored)
        self.assertNotIn(KEY, stored)

    def test_the_api_fails_and_recovers(self):
        self.api.post("/__stub/fault", status=529, times=4, type="overloaded_error", message="Overloaded")
        events = self.run_of("[[stub:text]] please")
        (retry,) = [e for e in events if e["type"] == "sandfleet.run.retrying"]
        self.assertEqual((retry["data"]["outcome"], retry["data"]["counted"]), ("overloaded", False))
        self.assertEqual(events[-1]["type"], "sandfleet.run.completed")
        self.check_stored(events)

    def test_the_api_refuses(self):
        self.addCleanup(self.stack.execute, "update ledger.credentials set hold_until = null")
        for status, outcome in ((400, "invalid_request"), (401, "auth")):
            with self.subTest(outcome):
                events = self.run_of(f"[[stub:fail status={status}]] please", status=1)
                self.assertEqual(events[-1]["data"]["outcome"], outcome)
                self.check_stored(events)
        held = self.stack.value("select hold_reason from ledger.credentials where hold_until > now()")
        self.assertEqual(held, "auth")

    def test_a_line_of_a_megabyte(self):
        events = self.run_of("[[stub:bigedit bytes=1000000]] please")
        (big,) = [e for e in events if e["data"].get("truncated")]
        self.assertGreater(big["data"]["bytes"], 1000000)
        self.assertEqual(big["type"], "sandfleet.agent.tool_result")
        self.assertEqual(events[-1]["type"], "sandfleet.run.completed")
        self.check_stored(events)

    def test_awkward_characters(self):
        events = self.run_of("[[stub:unicode]] please")
        self.assertEqual(events[-1]["type"], "sandfleet.run.completed")
        self.assertTrue([e for e in events if e["data"].get("sanitized")])
        self.check_stored(events)

    def test_the_credential_stays_out(self):
        events = self.run_of("[[stub:bash cmd='env; cat /proc/*/cmdline /proc/$PPID/environ; ls -laR ~/.sandfleet']] x")
        said = json.dumps(events)
        self.assertIn("PATH=", said)
        self.assertNotIn("canary", said)
        self.check_stored(events)
        for table in ("ledger.claims", "fleet.runs", "fleet.attempts", "fleet.events"):
            self.assertEqual(self.stack.value(f"select count(*) as n from {table} t where t::text like '%canary%'"), 0)
        for topic in ("runs.interactive", "events"):
            self.assertNotIn("canary", json.dumps(self.stack.records(topic)))
        for log in (self.stack.dir / "log").glob("*.log"):
            self.assertNotIn("canary", log.read_text(errors="replace"), log.name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
