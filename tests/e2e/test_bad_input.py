# SPDX-License-Identifier: Apache-2.0
"""Promise: nothing that a user or a broker record says can crash a process, stop another run, or
reach a shell; bad input gets a clear error and loses nothing.
Proof: prompts of every awkward kind reach the agent byte for byte (the parrot tells); records
that are none end in the dead letter topic with a reason, and the next run goes on."""

import hashlib
import json
import pathlib
import sys
import unittest
import uuid

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import ROOT, Stack  # noqa: E402

PROMPT_MAX = 100 * 1024


def digest(prompt):
    return {"bytes": len(prompt), "sha256": hashlib.sha256(prompt).hexdigest()}


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("bad_input", claude=ROOT / "tests/lib/parrot.py"))

    def heard(self, *words, **more):
        """What the agent was given."""
        done = self.stack.sandfleet("run", "-o", "json", *words, **more)
        return json.loads(json.loads(done.stdout)["data"]["result"])

    def dead_letter(self, record_value, timeout=30):
        def find():
            for record in self.stack.records("runs.dlq"):
                if (record["payload"] or "") == record_value:
                    return dict(zip(record["headers"][::2], record["headers"][1::2]))
            return None
        return self.stack.wait(f"the dead letter of {record_value[:60]!r}", find, timeout)

    # --- prompts --------------------------------------------------------

    def test_prompts_reach_the_agent_as_they_are(self):
        prompts = {"quotes": "it's \"quoted\" `back` \\ end", "newlines": "one\ntwo\r\n\tthree\n\n",
                   "shell": "$(touch /tmp/pwned) ${HOME} ; rm -rf . & | > x", "dash": "-rf --version",
                   "percent": "%s%n%x", "slash command": "/cost",
                   "unicode": "naïve 日本語 👩‍👩‍👧 \u202eRTL", "one byte": "x",
                   "the limit": "a" * PROMPT_MAX}
        for name, prompt in prompts.items():
            with self.subTest(name):
                heard = self.heard("--prompt-file", "-", stdin=prompt)
                self.assertEqual(heard["prompt"], digest(prompt.encode()))
        self.assertFalse(pathlib.Path("/tmp/pwned").exists())
        heard = self.heard("--", "-rf")
        self.assertEqual(heard["prompt"], digest(b"-rf"))

    def test_refused_prompts(self):
        before = len(self.stack.records("runs.interactive"))
        for name, data, status, why in (
                ("empty", b"", 2, "empty"), ("over the limit", b"a" * (PROMPT_MAX + 1), 65, str(PROMPT_MAX)),
                ("NUL", b"a\0b", 65, "NUL"), ("not UTF-8", b"ab\xff\xfe", 65, "2")):
            with self.subTest(name):
                done = self.stack.sandfleet("submit", stdin=data, status=status)
                self.assertIn(why, done.stderr)
                self.assertEqual(done.stdout, "")
        self.stack.sandfleet("submit", "--prompt", "", status=65)
        self.assertEqual(len(self.stack.records("runs.interactive")), before)

    def test_command_lines(self):
        """More of them: test_catalogue.py."""
        for words, why in ((["sumbit", "x"], "sumbit"), (["submit", "a", "b"], "quote")):
            with self.subTest(words):
                self.assertIn(why, self.stack.sandfleet(*words, status=2).stderr)

    # --- files ----------------------------------------------------------

    def test_a_broken_500th_line_submits_nothing(self):
        lines = [json.dumps({"custom_id": f"c{n}", "prompt": f"p{n}"}) for n in range(1, 1001)]
        lines[499] = '{"custom_id":"c500","prompt":'
        before = len(self.stack.records("runs.batch"))
        done = self.stack.sandfleet("submit", "--file", "-", stdin="\n".join(lines), status=65)
        self.assertIn(":500:", done.stderr)
        self.assertIn("nothing was submitted", done.stderr)
        self.assertEqual(len(self.stack.records("runs.batch")), before)

    def test_skip_invalid_submits_the_others(self):
        lines = ['{"custom_id":"a","prompt":"x"}', "broken", '{"custom_id":"b","prompt":"y"}']
        done = self.stack.sandfleet("submit", "--file", "-", "--skip-invalid", stdin="\n".join(lines))
        self.assertEqual(sorted(line.split("\t")[1] for line in done.stdout.splitlines()), ["a", "b"])
        self.assertIn(":2:", done.stderr)

    def test_duplicate_custom_ids(self):
        same = '{"custom_id":"a","prompt":"x"}\n{"custom_id":"a","prompt":"x"}\n'
        done = self.stack.sandfleet("submit", "--file", "-", stdin=same)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        other = '{"custom_id":"a","prompt":"x"}\n{"custom_id":"a","prompt":"y"}\n'
        done = self.stack.sandfleet("submit", "--file", "-", stdin=other, status=65)
        self.assertIn("custom_id 'a'", done.stderr)

    def test_a_file_submitted_twice_runs_once(self):
        text = "".join(f'{{"custom_id":"n{n}","prompt":"p{n}"}}\n' for n in range(5))
        first = self.stack.sandfleet("submit", "--file", "-", "--batch", "nightly", stdin=text).stdout
        second = self.stack.sandfleet("submit", "--file", "-", "--batch", "nightly", stdin=text).stdout
        self.assertEqual(sorted(first.splitlines()), sorted(second.splitlines()))
        self.stack.wait_rows("select 1 from fleet.runs where batch_id = 'nightly' and ended", 5)
        self.assertEqual(self.stack.value("select count(*) as n from fleet.runs where batch_id = 'nightly'"), 5)
        self.assertEqual(self.stack.value("select count(*) as n from fleet.attempts a join fleet.runs r using "
                                          "(run_id) where r.batch_id = 'nightly'"), 5)

    # --- records --------------------------------------------------------

    def test_garbage_on_the_request_topic_is_a_dead_letter(self):
        run = str(uuid.uuid4())
        good = {"v": 1, "run_id": run, "prompt": "x", "created_at": "2026-11-21T00:00:00Z"}
        for value, key, reason in (
                ("not json", run, "malformed"), ('{"v":99,"run_id":"%s","prompt":"x"}' % run, run, "unsupported_version"),
                ('{"v":1,"prompt":"x"}', run, "missing_run_id"),
                ('{"v":1,"run_id":"../../etc/passwd","prompt":"x"}', run, "invalid_run_id"),
                (json.dumps({**good, "prompt": ""}), run, "empty_prompt"),
                (json.dumps({**good, "promt": "y"}), run, "unknown_field"),
                (json.dumps({**good, "timeout_s": -1}), run, "invalid_field"),
                (json.dumps(good), str(uuid.uuid4()), "key_mismatch")):
            with self.subTest(reason):
                self.stack.produce("runs.interactive", value.encode(), key=key)
                headers = self.dead_letter(value)
                self.assertEqual(headers["dlq.reason"], reason)
                self.assertEqual(headers["dlq.topic"], self.stack.topic("runs.interactive"))
                self.assertIn("dlq.offset", headers)
        self.heard("the next one goes on")

    def test_a_secret_in_a_record_is_masked(self):
        run = str(uuid.uuid4())
        token = "sk-ant-oat01-" + "A" * 40
        value = json.dumps({"v": 1, "run_id": run, "prompt": "x", "metadata": {"t": token}})
        self.stack.produce("runs.interactive", value.encode(), key=run)
        find = lambda: [r for r in self.stack.records("runs.dlq") if run in (r["payload"] or "")]
        (record,) = self.stack.wait("the dead letter", find)
        self.assertIn("secret_in_record", record["headers"])
        self.assertNotIn("A" * 40, json.dumps(record))

    def test_unknown_names_fail_the_run_and_no_other(self):
        for words, outcome in ((["--sandbox-template", "nosuch"], "template_unknown"),
                               (["--credential", "nosuch"], "credential_not_found")):
            with self.subTest(outcome):
                done = self.stack.sandfleet("run", "-o", "json", "x", *words, status=1)
                data = json.loads(done.stdout)["data"]
                self.assertEqual((data["state"], data["outcome"]), ("failed", outcome))
        self.heard("the next one goes on")

    def test_garbage_on_the_events_topic_is_quarantined(self):
        """B092"""
        self.stack.produce("events", b"not an event", key=str(uuid.uuid4()))
        self.stack.wait_rows("select 1 from fleet.quarantine where value = 'not an event'::bytea", 1)
        done = self.stack.sandfleet("run", "-o", "json", "x")
        run_id = json.loads(done.stdout)["run_id"]
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and ended", 1, id=run_id)


if __name__ == "__main__":
    unittest.main(verbosity=2)
