# SPDX-License-Identifier: Apache-2.0
"""Promise: what is given to the client, to a program's settings, or put on the topics gets the outcome
that the catalogue of bad inputs demands (tests/fixtures/bad_inputs.tsv, or docs/adr/0032), and the next
good one works. Proof: its rows, against all processes; the rows of files of prompts, of the HTTP door, of
agents and of sandboxes are in tests of their own, which name them (tests/arch/catalogue.sh)."""

import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import catalogue  # noqa: E402
from fleet import ROOT, Stack, programs  # noqa: E402

# What standard error says of it; the words of B012 and B013 reach the agent.
SAYS = {"B001": "empty", "B002": "empty", "B003": "nosuchflag", "B004": "max-attempts", "B005": "max-attempts", "B006": "timeout",
        "B007": "timeout", "B008": "/nonexistent.jsonl", "B009": "directory", "B010": "byte 0", "B011": "run-id", "B013": "--version", "B017": "127.0.0.1:1"}
PARTS = ("worker-1", "sink", "api", "sandboxd")
TAKEN = {"B012": b"/cost"}


class Catalogue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("catalogue", claude=ROOT / "tests/lib/parrot.py"))
        cls.stack.sandfleet("run", "good")
        cls.pids = {part: cls.stack.pid(part) for part in PARTS}
        cls.files = {part: cls.open_files(part) for part in PARTS}

    @classmethod
    def open_files(cls, part):
        return len(os.listdir(f"/proc/{cls.pids[part]}/fd"))

    def test_z_the_processes_are_as_they_were(self):
        """And the next good one works."""
        done = self.stack.sandfleet("run", "-o", "json", "good")
        self.assertEqual(json.loads(done.stdout)["data"]["state"], "completed")
        self.assertEqual({part: self.stack.pid(part) for part in PARTS}, self.pids)
        for part in PARTS:
            self.stack.wait(f"files of {part} to be closed", lambda part=part: self.open_files(part) <= self.files[part] + 4)
            self.assertNotIn("sk-ant-oat01-AAAA", self.stack.log(part))

    def requests(self):
        """By the topic's offsets."""
        words = ["kcat", "-Q", "-b", self.stack.env["SANDFLEET_BROKERS"]]
        for partition in range(24):
            words += ["-t", f"{self.stack.topic('runs.interactive')}:{partition}:-1"]
        done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
        return sum(int(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines())

    # --- command lines -----------------------------------------------------------------------

    def command(self, row):
        """As a shell gives it; a prompt that is taken is followed to its end."""
        words = [os.fsencode(word) for word in shlex.split(os.fsdecode(row.data))]
        return subprocess.run([b"sandfleet", *words], env=self.stack.environ(SANDFLEET_ACK_TIMEOUT="3s"), stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60)

    def test_command_lines(self):
        before, taken = self.requests(), 0
        for row in catalogue.rows("cli.args"):
            if row.data is None:
                continue
            with self.subTest(row):
                begun = time.monotonic()
                done = self.command(row)
                self.assertLess(time.monotonic() - begun, 15)
                if row.expect == "accept":
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.heard(done.stdout.decode().split()[0], TAKEN[row.id])
                    taken += 1
                    continue
                self.assertEqual((done.returncode, done.stdout), (catalogue.exit_status(row), b""), done.stderr)
                self.assertIn(SAYS[row.id], done.stderr.decode(errors="replace"))
        self.assertEqual(self.requests(), before + taken)

    def heard(self, run_id, prompt):
        (row,) = self.stack.wait_rows("select result from fleet.runs where run_id = :'id'::uuid and ended", 1, id=run_id)
        self.assertEqual(json.loads(row["result"])["prompt"], {"bytes": len(prompt), "sha256": hashlib.sha256(prompt).hexdigest()})

    def test_B013_a_prompt_that_begins_with_a_dash(self):
        """In the two ways in which one is given; the row's own line has it as another flag."""
        for words in (["--prompt=--version"], ["--", "--version"]):
            self.heard(self.stack.sandfleet("submit", *words).stdout.split()[0], b"--version")

    def test_B014_a_prompt_over_the_limit(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"a" * (1024 * 1024 + 1))
            file.flush()
            before = self.requests()
            done = self.stack.sandfleet("submit", "--prompt-file", file.name, status=catalogue.row("B014").status)
            self.assertIn("102400", done.stderr)
            self.assertEqual((done.stdout, self.requests()), ("", before))

    def shell(self, script):
        return subprocess.run(["bash", "-c", script], env=self.stack.environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60)

    def test_B015_standard_output_is_closed(self):
        before = self.requests()
        done = self.shell("sandfleet submit x >&-")
        self.assertEqual(done.returncode, catalogue.row("B015").status)
        self.assertTrue(done.stderr)
        self.assertEqual(self.requests(), before + 1)

    def test_B016_a_reader_who_has_enough(self):
        self.stack.execute("""insert into fleet.runs (run_id, run_day, tenant, lane, template, credential, prompt, state, created_at)
            select gen_random_uuid(), current_date, 'default', 'batch', 'claude', 'default', 'x', 'queued', now() - n * interval '1s'
            from generate_series(1, 10000) as n""")
        done = self.shell("sandfleet runs list --limit 0 -o jsonl | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}")
        self.stack.execute("delete from fleet.runs where lane = 'batch' and prompt = 'x'")
        self.assertEqual((done.returncode, done.stderr), (catalogue.row("B016").status, ""))

    # --- settings ------------------------------------------------------------------------------

    def test_B121_an_unknown_key(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(catalogue.row("B121").data.decode().replace("kafka.", "") + "\n")
            file.flush()
            done = self.stack.sandfleet("submit", "x", "--config", file.name, status=catalogue.row("B121").status)
        self.assertIn("brokerz", done.stderr)
        self.assertIn(f"{file.name}:1", done.stderr)

    def program(self, name, *words, **env):
        """One that ends by itself: its exit status and what it said."""
        done = subprocess.run([programs() / name, *words], env=self.stack.environ(**env), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20)
        return done.returncode, done.stdout + done.stderr

    def test_B122_a_number_that_is_none(self):
        status, said = self.program("sandfleet-worker", SANDFLEET_SLOTS="-1")
        self.assertEqual((status, "SANDFLEET_SLOTS" in said), (catalogue.row("B122").status, True), said)

    def test_B123_topics_that_do_not_exist(self):
        for name in ("sandfleet-worker", "sandfleet-sink"):
            begun = time.monotonic()
            status, said = self.program(name, SANDFLEET_PREFIX="nosuch.")
            self.assertEqual(status, catalogue.row("B123").status, said)
            self.assertIn("nosuch.", said)
            self.assertLess(time.monotonic() - begun, 15)

    def test_B124_a_key_file_that_others_may_read(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("00" * 32 + "\n")
            file.flush()
            os.chmod(file.name, 0o644)
            status, said = self.program("sandfleet-worker", "--master-key-file", file.name)
        self.assertEqual(status, catalogue.row("B124").status, said)
        self.assertIn("644", said)

    def test_B125_a_session_shorter_than_three_heartbeats(self):
        status, said = self.program("sandfleet-worker", "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=3000")
        self.assertEqual(status, catalogue.row("B125").status, said)

    # --- requests on the topic --------------------------------------------------------------------

    def good(self, run, **more):
        return {"v": 1, "run_id": run, "prompt": "x", "created_at": "2026-11-21T00:00:00Z", **more}

    def put(self, value, key):
        """A record as it is: None is a tombstone."""
        if value is None:
            words = ["kcat", "-P", "-Z", "-b", self.stack.env["SANDFLEET_BROKERS"], "-t", self.stack.topic("runs.interactive"), "-K", "|"]
            subprocess.run(words, input=f"{key}|".encode(), check=True, timeout=60, capture_output=True)
        else:
            self.stack.produce("runs.interactive", value if isinstance(value, bytes) else json.dumps(value).encode(), key=key)

    def letter(self, key):
        def find():
            for record in self.stack.records("runs.dlq"):
                if record["key"] == key:
                    return dict(zip(record["headers"][::2], record["headers"][1::2])), record["payload"]
            return None
        return self.stack.wait(f"the dead letter of {key}", find, 30)

    def test_requests_that_are_none(self):
        run = {name: str(uuid.uuid4()) for name in ("B081", "B082", "B083", "B084", "B085", "B087", "B090")}
        asked = {name: catalogue.row(name).data and catalogue.row(name).data.replace(b'"r1"', f'"{run[name]}"'.encode()) for name in run}
        asked["B085"] = self.good(str(uuid.uuid4()))
        for name, value in asked.items():
            if name == "B090":
                self.put_compressed(b"a" * 9_000_000, run[name])
            else:
                self.put(value, run[name])
        for name, key in run.items():
            with self.subTest(catalogue.row(name)):
                headers, payload = self.letter(key)
                self.assertEqual(headers["dlq.reason"], catalogue.row(name).reason)
                self.assertEqual(headers["dlq.topic"], self.stack.topic("runs.interactive"))
                if name == "B082":
                    self.assertEqual(payload, "not json")
                if name == "B087":
                    self.assertNotIn("AAAA", json.dumps([headers, payload]))
        self.assertLess(self.stack.rss_kib("worker-1"), 200 * 1024)

    def test_run_ids_that_are_none(self):
        keys = {row.id: str(uuid.uuid4()) for row in catalogue.rows("run_id")}
        for row in catalogue.rows("run_id"):
            self.assertEqual(row.expect, "reject")
            self.put(self.good(row.data.decode()), keys[row.id])
        for name, key in keys.items():
            with self.subTest(name):
                self.assertEqual(self.letter(key)[0]["dlq.reason"], "invalid_run_id")

    def put_compressed(self, value, key):
        with tempfile.NamedTemporaryFile() as file:
            file.write(value)
            file.flush()
            subprocess.run(["kcat", "-P", "-z", "zstd", "-X", "message.max.bytes=20000000", "-b", self.stack.env["SANDFLEET_BROKERS"],
                            "-t", self.stack.topic("runs.interactive"), "-k", key, file.name], check=True, timeout=60, capture_output=True)

    def end_of(self, run):
        (row,) = self.stack.wait_rows("select state, outcome, attempt, sandbox_id from fleet.runs where run_id = :'id'::uuid and ended", 1,
                                      id=run)
        return row

    def test_requests_that_fail(self):
        """No sandbox is made for them, and they are not tried again."""
        for name, more, outcome in (("B086", {"credential": "nope"}, "credential_not_found"),
                                    ("B089", {"expires_at": "2026-11-21T00:00:01Z"}, "expired")):
            with self.subTest(catalogue.row(name)):
                run = str(uuid.uuid4())
                self.put(self.good(run, **more), run)
                row = self.end_of(run)
                self.assertEqual((row["state"], row["outcome"], row["sandbox_id"]), (catalogue.row(name).reason, outcome, None))

    def test_B088_the_same_record_twice(self):
        run = str(uuid.uuid4())
        for _ in range(2):
            self.put(self.good(run), run)
        self.assertEqual(self.end_of(run)["state"], "completed")
        self.put(self.good(run), run)
        marker = str(uuid.uuid4())
        self.put(self.good(marker), marker)
        self.end_of(marker)
        ends = [record for record in self.stack.records("events") if record["key"] == run and "sandfleet.run.completed" in record["headers"]]
        self.assertEqual(len(ends), 1)
        self.assertEqual(self.stack.value("select count(*) as n from fleet.attempts where run_id = :'id'::uuid", id=run), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
