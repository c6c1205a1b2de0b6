# SPDX-License-Identifier: Apache-2.0
"""Promise: claude-simulated has the form of the real CLI's output, does what a directive says,
and never passes for the real one.
Proof: the program, run by hand with each directive."""
import json
import os
import signal
import subprocess
import tempfile
import unittest
import uuid

PROGRAM = os.path.join(os.environ["SANDFLEET_BIN"], "claude-simulated")
FLAGS = ["-p", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"]


class Simulated(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.env = {**os.environ, "HOME": self.home.name, "SIM_STARTS_FILE": f"{self.home.name}/starts"}

    def tearDown(self):
        self.home.cleanup()

    def run_it(self, prompt, *words):
        done = subprocess.run([PROGRAM, *FLAGS, *words], input=prompt.encode(), capture_output=True,
                              env=self.env, timeout=30, check=False)
        return done.returncode, done.stdout, done.stderr.decode()

    def lines(self, prompt, *words, status=0):
        code, out, _ = self.run_it(prompt, *words)
        self.assertEqual(code, status)
        return [json.loads(line) for line in out.splitlines()]

    def test_plain_run(self):
        lines = self.lines("hello", "--model", "x", "--allowedTools", "Bash", "Read", "--max-turns", "3")
        self.assertEqual([m["type"] for m in lines], ["system", "assistant", "assistant", "user", "assistant", "result"])
        self.assertTrue(lines[0]["simulated"])
        self.assertEqual(lines[0]["model"], "claude-simulated")
        self.assertEqual(len({m["uuid"] for m in lines}), len(lines))
        self.assertEqual(len({m["session_id"] for m in lines}), 1)
        result = lines[-1]
        self.assertIn("simulation", result["result"])
        self.assertNotEqual(next(iter(result)), "type")
        self.assertAlmostEqual(result["total_cost_usd"], result["model_usage_since_last_result"]["claude-simulated"]["costUSD"])
        with open(self.env["SIM_STARTS_FILE"], encoding="utf-8") as f:
            self.assertEqual(len(f.readlines()), 1)

    def test_session(self):
        session = str(uuid.uuid4())
        first = self.lines("one", "--session-id", session)[-1]
        self.assertEqual(self.run_it("one", "--session-id", session)[0], 1)
        lines = self.lines("two", "--resume", session)
        self.assertIn("1 earlier prompt", lines[1]["message"]["content"][0]["text"])
        self.assertGreater(lines[-1]["total_cost_usd"], first["total_cost_usd"])
        unknown = self.lines("x", "--resume", str(uuid.uuid4()), status=1)
        self.assertEqual(len(unknown), 1)
        self.assertIn("No conversation found", unknown[0]["errors"][0])

    def test_failures(self):
        for fail, is_error, api_status in (("overloaded", True, 529), ("api_error", True, 500),
                                           ("usage_limit", True, 429), ("auth", True, None),
                                           ("max_turns", True, None)):
            last = self.lines(f"x [[sim:fail={fail}]]", status=1)[-1]
            self.assertEqual((last["type"], last["is_error"], last.get("api_error_status")),
                             ("result", is_error, api_status), fail)
        self.assertNotEqual(self.lines("[[sim:fail=no_result]]")[-1]["type"], "result")
        self.assertEqual(self.run_it("[[sim:exit=7]]")[0], 7)

    def test_shapes(self):
        lines = self.lines("[[sim:lines=50 size=300]]")
        self.assertEqual(len(lines), 52)
        self.assertGreaterEqual(len(lines[1]["message"]["content"][0]["text"]), 300)
        self.assertIn(b"\\u0000", self.run_it("[[sim:nul=1]]")[1])
        self.assertIn(b"\nthis line is not JSON", self.run_it("[[sim:text=1]]")[1])
        self.assertEqual(self.run_it("[[sim:stderr=oops]]")[2], "oops\n")

    def test_odd_directives_are_no_error(self):
        for prompt in ("[[sim:", "[[sim:]]", "[[sim:lines=x size= = tool]]", "[[sim:unknown=1]]", "]]"):
            self.assertEqual(self.lines(prompt)[-1]["type"], "result", prompt)

    def test_refusals(self):
        for prompt, words, text in (("", [], "Input must be provided"), ("x", ["--nope"], "unknown option"),
                                    ("x", ["--session-id", "7"], "Must be a valid UUID")):
            status, out, said = self.run_it(prompt, *words)
            self.assertEqual((status, out, text in said), (1, b"", True), said)

    def signalled(self, prompt, signum):
        process = subprocess.Popen([PROGRAM, *FLAGS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env)
        process.stdin.write(prompt.encode())
        process.stdin.close()
        for line in process.stdout:
            if b"line 2 of 2" in line:
                break
        process.send_signal(signum)
        rest = process.stdout.read()
        process.stdout.close()
        return process.wait(20), rest

    def test_signals(self):
        self.assertEqual(self.signalled("[[sim:hang=1]]", signal.SIGTERM), (143, b""))
        status, rest = self.signalled("[[sim:hang=1]]", signal.SIGINT)
        last = json.loads(rest.splitlines()[-1])
        self.assertEqual((status, last["subtype"], last["is_error"]), (0, "error_during_execution", True))

    def test_ignored_term(self):
        process = subprocess.Popen([PROGRAM, *FLAGS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env)
        process.stdin.write(b"[[sim:hang=1 ignore_term=1]]")
        process.stdin.close()
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)  # ends it: the TERM before did not
        self.assertEqual(json.loads(process.stdout.read().splitlines()[-1])["subtype"], "error_during_execution")
        process.stdout.close()
        self.assertEqual(process.wait(20), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
