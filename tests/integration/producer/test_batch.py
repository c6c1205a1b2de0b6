#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise: a file of prompts is checked as a whole before any of it is sent; submitting it again, or
after the client was killed in the middle, doubles nothing; memory does not grow with the file.
Proof: bad files as rows, told with their line, and the topic counted before and behind; the client
killed in mid-submit and the same command given again, until fleet.runs has each line once; a
million lines under a ceiling."""

import gzip
import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, __file__.rsplit("/", 3)[0] + "/lib")
from fleet import Stack, programs  # noqa: E402

SANITIZED = programs().parent.name in ("asan", "tsan")
RSS_KIB = 50 * 1024
MANY = 100000 if SANITIZED else 1000000
HALFWAY = 60000  # lines of the file that is interrupted

# id in the list of bad inputs, input, exit status, what standard error says
BAD = [
    ("B018 empty", b"", 0, "0 submitted"),
    ("B019 blank lines", b"\n\n  \n", 0, "0 submitted"),
    ("B020 second line cut", b'{"prompt":"a"}\n{"prompt":"b"\n', 65, "standard input:2:14: "),
    ("B021 trailing data", b'{"prompt":"a"} {"prompt":"b"}\n', 65, ":1:16: "),
    ("B022 an array", b'[{"prompt":"a"}]\n', 65, "one object a line"),
    ("B023 wrong type", b'{"prompt":5}\n', 65, "/prompt"),
    ("B024 null", b'{"prompt":null}\n', 65, "/prompt"),
    ("B025 unknown field", b'{"Prompt":"a"}\n', 65, "did you mean 'prompt'"),
    ("B026 duplicate key", b'{"prompt":"a","prompt":"b"}\n', 65, "twice"),
    ("B030 UTF-16", b"\xff\xfe{\x00\"\x00p\x00", 65, "UTF-16"),
    ("B031 raw NUL", b'{"prompt":"a\x00b"}\n', 65, ":1:13: "),
    ("B032 escaped NUL", b'{"prompt":"a\\u0000b"}\n', 65, "u0000"),
    ("B033 lone surrogate", b'{"prompt":"\\ud800"}\n', 65, "surrogate"),
    ("B034 deep", b'{"prompt":"a","metadata":' + b"[" * 100000 + b"]" * 100000 + b"}\n", 65, "deep"),
    ("B035 long prompt", b'{"prompt":"' + b"a" * 2097152 + b'"}\n', 65, ":1: "),
    ("B038 one id, two prompts", b'{"custom_id":"a1","prompt":"x"}\n{"custom_id":"a1","prompt":"y"}\n', 65, ":2: "),
    ("B039 out of range", b'{"prompt":"a","priority":1e999}\n', 65, "range"),
    ("a secret", b'{"prompt":"sk-ant-oat01-' + b"A" * 30 + b'"}\n', 65, "secret"),
    ("damaged gzip", gzip.compress(b'{"prompt":"a"}\n' * 1000)[:-9], 65, "gzip"),
    ("a bomb that is one line", gzip.compress(b"x" * (64 << 20)), 65, ":1: "),
]
GOOD = [
    ("B027 byte order mark", b'\xef\xbb\xbf{"prompt":"a"}\n', 1),
    ("B028 CRLF", b'{"prompt":"a"}\r\n{"prompt":"b"}\r\n', 2),
    ("B029 no newline at the end", b'{"prompt":"a"}', 1),
    ("B037 the same line twice", b'{"custom_id":"a1","prompt":"x"}\n{"custom_id":"a1","prompt":"x"}\n', 1),
    ("gzip", gzip.compress(b'{"prompt":"gz"}\n'), 1),
    ("gzip in two members", gzip.compress(b'{"prompt":"gz"}\n') + gzip.compress(b'{"prompt":"gy"}\n'), 2),
    ("plain text", b"write a haiku\n\nwrite a limerick\nwrite a haiku\n", 3),
    ("Message Batches", b'{"custom_id":"m","params":{"model":"m","max_tokens":99,"system":"be brief",'
                        b'"messages":[{"role":"user","content":"x"}]}}\n', 1),
]


class Batch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("batch_file", only=["kafka", "postgres", "sink"]))
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as out:
            out.write(data if isinstance(data, bytes) else data.encode())
        return path

    def produced(self, prefix=None):
        """Records on the topic, by its offsets."""
        words = ["kcat", "-Q", "-b", self.stack.env["SANDFLEET_BROKERS"]]
        for partition in range(24):
            words += ["-t", f"{prefix or self.stack.env['SANDFLEET_PREFIX']}runs.batch:{partition}:-1"]
        done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
        return sum(int(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines())

    def rows(self, batch):
        return self.stack.value("select count(*) from fleet.runs where batch_id = :'b'", b=batch)

    # --- what is refused, and what is not ---------------------------------------------

    def test_bad_files_send_nothing(self):
        before = self.produced()
        for name, data, status, why in BAD:
            with self.subTest(name):
                done = self.stack.sandfleet("batch", "submit", "-", stdin=data, status=status)
                self.assertIn(why, done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertNotIn("A" * 20, done.stderr)
                if status:
                    check = self.stack.sandfleet("batch", "validate", "-", stdin=data, status=status)
                    self.assertIn(why, check.stdout + check.stderr)
        self.assertEqual(self.produced(), before)

    def test_good_files(self):
        for name, data, runs in GOOD:
            with self.subTest(name):
                before = self.produced()
                lines = self.stack.sandfleet("batch", "submit", "-", stdin=data).stdout.splitlines()
                self.assertEqual(len({line.split("\t")[0] for line in lines}), runs)
                self.assertEqual(self.produced() - before, runs)
                again = self.stack.sandfleet("batch", "submit", "-", stdin=data).stdout.splitlines()
                self.assertEqual(sorted(again), sorted(lines), "the same file, the same ids")

    def test_usage(self):
        path = self.file("rows.csv", "a\n1\n")
        for words, status, why in (
                ([], 2, "no file"), (["/nonexistent.jsonl"], 3, "/nonexistent.jsonl"), (["/"], 3, "directory"),
                ([path], 2, "--template"), (["--data", path], 2, "--template"), (["x", "--format", "xml"], 2, "xml"),
                (["-", "--batch", "no name"], 2, "--batch"), (["-", "--model", "no model"], 2, "model"),
                (["--template", "/nonexistent", "--data", path], 3, "/nonexistent")):
            with self.subTest(words):
                self.assertIn(why, self.stack.sandfleet("batch", "submit", *words, status=status).stderr)

    def test_template_and_rows(self):
        template = self.file("p.md", "Review {{file}} of {{first name}}.\n")
        rows = self.file("rows.csv", 'custom_id,file,first name\r\nr1,"a, ""b"".c","O\'Neil\nJr"\r\nr2,c.c,Ann\r\n')
        self.stack.sandfleet("batch", "submit", "--template", template, "--data", rows, "--batch", "filled")
        self.stack.wait_rows("select 1 from fleet.runs where batch_id = 'filled'", 2)
        told = self.stack.rows("select custom_id, prompt from fleet.runs where batch_id = 'filled' order by 1")
        self.assertEqual([(r["custom_id"], r["prompt"]) for r in told],
                         [("r1", "Review a, \"b\".c of O'Neil\nJr.\n"), ("r2", "Review c.c of Ann.\n")])
        bad = self.file("bad.csv", "file,first name\na,b\nc\n")
        done = self.stack.sandfleet("batch", "submit", "--template", template, "--data", bad, status=65)
        self.assertIn("bad.csv:3: ", done.stderr)
        missing = self.file("bad.md", "one\n  {{nobody}}")
        done = self.stack.sandfleet("batch", "submit", "--template", missing, "--data", rows, status=65)
        self.assertIn("bad.md:2:3: 'nobody' is no column", done.stderr)

    def test_skip_invalid_and_answers(self):
        data = b'{"custom_id":"a","prompt":"x"}\n{"custom_id":"b"}\n{"custom_id":"c","prompt":"z"}\n{"custom_id":"c","prompt":"z"}\n'
        words = ["batch", "submit", "-", "--skip-invalid", "--batch", "skips"]
        done = self.stack.sandfleet(*words, "-o", "jsonl", stdin=data)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(sorted((t["custom_id"], t["line"], t["batch_id"]) for t in told),
                         [("a", 1, "skips"), ("c", 3, "skips")])
        self.assertIn(":2: ", done.stderr)
        self.assertIn("1 bad lines were left out", done.stderr)
        done = self.stack.sandfleet(*words, "-o", "json", "-q", stdin=data)
        self.assertEqual(json.loads(done.stdout), {"batch_id": "skips", "submitted": 2, "lines": 4, "runs": 2,
                                                   "invalid": 1, "duplicates": 1})
        done = self.stack.sandfleet("batch", "validate", "-", "-o", "jsonl", stdin=data, status=65)
        (problem,) = map(json.loads, done.stdout.splitlines())
        self.assertEqual((problem["line"], problem["pointer"]), (2, "/prompt"))
        done = self.stack.sandfleet("batch", "validate", "-", "-o", "json", stdin=data, status=65)
        self.assertEqual(len(json.loads(done.stdout)["problems"]), 1)
        done = self.stack.sandfleet("batch", "validate", "-", "-o", "json", stdin=b"")
        self.assertEqual(json.loads(done.stdout)["problems"], [])

    def test_a_pipe_as_file_and_a_closed_output(self):
        done = subprocess.run(["bash", "-c", "sandfleet batch submit <(echo '{\"prompt\":\"p\"}') | wc -l"],
                              env=self.stack.environ(), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout.strip(), "1", done.stderr)
        done = subprocess.run(["bash", "-c", "echo hello | sandfleet batch submit - >&-"], env=self.stack.environ(),
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 74)
        self.assertIn("submitted", done.stderr)

    # --- interrupted, and given again -------------------------------------------------

    def interrupted(self, name, number):
        """Submits a file, ends the client by the signal as soon as it told some ids, and again."""
        path = self.file(f"{name}.jsonl", "".join(
            json.dumps({"custom_id": f"{name}-{n}", "prompt": f"prompt {n} of {name}"}) + "\n" for n in range(HALFWAY)))
        before = self.produced()
        with tempfile.TemporaryFile("w+") as errors:
            first = subprocess.Popen(["sandfleet", "batch", "submit", path], env=self.stack.environ(), text=True,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
            told = [first.stdout.readline() for _ in range(100)]
            first.send_signal(number)
            told += [line for line in first.stdout if line.endswith("\n")]
            first.wait(60)
            errors.seek(0)
            said = errors.read()
        sent = self.produced() - before
        self.assertTrue(0 < len(told) <= sent < HALFWAY, f"{len(told)} told, {sent} sent: it was in the middle")
        ids = dict(line.strip().split("\t")[::-1] for line in told)

        done = self.stack.sandfleet("batch", "submit", path)
        again = dict(line.split("\t")[::-1] for line in done.stdout.splitlines())
        self.assertEqual(len(again), HALFWAY)
        self.assertEqual(len(set(again.values())), HALFWAY)
        self.assertEqual({c: again[c] for c in ids}, ids, "who was told an id finds the run under it")
        self.assertEqual(self.produced() - before, HALFWAY + sent, "it began anew, on the topic")
        batch = re.search(r"batch (\S+): ", done.stderr).group(1)
        self.stack.wait("all are stored", lambda: self.rows(batch) >= HALFWAY, 120)
        # all that is on the topic is read: the doubles are in it
        self.stack.wait("the sink has read all", lambda: self.stack.value(
            "select coalesce(sum(next), 0) from fleet.sink_offsets where topic = :'t'",
            t=self.stack.topic("runs.batch")) >= self.produced(), 120)
        self.assertEqual(self.rows(batch), HALFWAY)
        self.assertEqual(self.stack.value("select count(distinct custom_id) from fleet.runs where batch_id = :'b'",
                                          b=batch), HALFWAY)
        return first.returncode, said

    def test_killed_in_the_middle(self):
        status, _ = self.interrupted("killed", signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)

    def test_interrupted_in_the_middle(self):
        status, said = self.interrupted("interrupted", signal.SIGINT)
        self.assertEqual(status, 130)
        self.assertIn("the same command goes on", said)

    # --- many lines -------------------------------------------------------------------

    def test_a_million_lines_and_a_bad_one(self):
        """B036"""
        path = self.file("million.jsonl", b"")
        with open(path, "w", encoding="ascii") as out:
            for n in range(MANY):
                out.write('{"custom_id":"row-%d","prompt":"summarize document number %d"}\n' % (n, n))
            out.write('{"custom_id":"last","prompt":}\n')
        topics = {"SANDFLEET_PREFIX": "million."}  # of its own: no sink has to store them
        self.stack.sandfleet("topics", "apply", **topics)
        status, said, peak = self.measured("batch", "submit", path, **topics)
        self.assertEqual(status, 65)
        self.assertIn(f":{MANY + 1}:", said)
        self.assertEqual(self.produced("million."), 0)
        print(f"figure: {MANY} lines checked, {peak} KiB")
        if not SANITIZED:
            self.assertLess(peak, RSS_KIB)
            status, said, peak = self.measured("batch", "submit", path, "--skip-invalid", "-q", **topics)
            self.assertEqual((status, self.produced("million.")), (0, MANY), said)
            print(f"figure: {MANY} lines submitted, {peak} KiB")
            self.assertLess(peak, RSS_KIB)

    def measured(self, *words, **env):
        """Exit status, standard error and peak memory in KiB (wait4's is at least its parent's)."""
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(["sandfleet", *words], env=self.stack.environ(**env), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=errors)
            peak = 0
            while process.poll() is None:
                with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                    peak = max([peak, *(int(line.split()[1]) for line in status if line.startswith("VmHWM"))])
                time.sleep(0.01)
            errors.seek(0)
            return process.returncode, errors.read(), peak

    # --- a terminal -------------------------------------------------------------------

    def test_a_bar_on_a_terminal(self):
        path = self.file("bar.txt", "".join(f"prompt {n}\n" for n in range(100000)))
        master, slave = pty.openpty()
        process = subprocess.Popen(["sandfleet", "batch", "submit", path], stdin=slave, stdout=slave, stderr=slave,
                                   env=self.stack.environ(TERM="xterm", COLUMNS="100"))
        os.close(slave)
        seen = b""
        while select.select([master], [], [], 60)[0]:
            try:
                seen += os.read(master, 65536)
            except OSError:
                break
        self.assertEqual(process.wait(60), 0)
        os.close(master)
        text = seen.decode()
        self.assertRegex(text, r"\r\[[#█ ]+\] [\d,]+ of 100,000 submitted")
        self.assertIn("100000 submitted", text)
        self.assertNotRegex(text, r"[0-9a-f]{8}-[0-9a-f]{4}", "no ids for a person to scroll by")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main(verbosity=2)
