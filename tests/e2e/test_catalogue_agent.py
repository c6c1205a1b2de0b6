# SPDX-License-Identifier: Apache-2.0
"""Promise: whatever an agent prints, and whatever the sandbox service answers, a run has the outcome that
the catalogue of bad inputs demands (tests/fixtures/bad_inputs.tsv, or docs/adr/0032), and the next one
works. Proof: a real sandboxd with a relay before it that lets answers go wrong once, an agent that prints
just what a row has, and a worker whose memory is looked at."""

import base64
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import catalogue  # noqa: E402
from fleet import ROOT, Stack, programs  # noqa: E402
from front import Front  # noqa: E402

RESULT = b'{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"done","total_cost_usd":0}\n'
TOKEN = b"sk-ant-oat01-" + b"B" * 60
SANITIZED = programs().parent.name in ("asan", "tsan")
SILENT = "4s"  # for the one test of that; the others may be as slow as the machine is
CREATE, START = "POST /v2/sandboxes", "POST /process.Process/Start"


def step(data, times=1, delay_ms=0):
    return [base64.b64encode(data).decode(), times, delay_ms]


class Agent(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        parts = ["kafka", "postgres", "sandboxd", "sink", "api"]
        cls.stack = cls.enterClassContext(Stack("catalogue_agent", claude=ROOT / "tests/lib/parrot.py", only=parts))
        cls.front = Front(cls.stack.env["E2B_API_URL"])
        cls.addClassCleanup(cls.front.close)
        cls.artifacts = cls.stack.dir / "artifacts"
        cls.log = open(cls.stack.dir / "log" / "worker-1.log", "w+")
        cls.worker = cls.start_worker()
        cls.stack.sandfleet("run", "good")
        cls.files = cls.open_files()
        cls.addClassCleanup(lambda: (cls.stop_worker(), cls.log.close()))

    @classmethod
    def stop_worker(cls):
        cls.worker.terminate()
        return cls.worker.wait(60)

    @classmethod
    def start_worker(cls, **more):
        environ = cls.stack.environ(E2B_API_URL=cls.front.url, E2B_SANDBOX_URL=cls.front.url, SANDFLEET_DRAIN="1s",
                                    SANDFLEET_ARTIFACTS=str(cls.artifacts), **more)
        return subprocess.Popen([programs() / "sandfleet-worker"], env=environ, stdin=subprocess.DEVNULL, stderr=cls.log)

    def tearDown(self):
        """Whatever was done, the next good one works, and nobody's sandbox is left."""
        self.front.rules.clear()
        self.assertEqual(self.run_of(step(RESULT))["state"], "completed")
        self.stack.wait_rows("select 1 where not exists (select from ledger.sandboxes where state <> 'dead')", 1, 20)

    def submit(self, *steps, status=0, words=()):
        prompt = f"print {json.dumps(steps)} {status}"
        return self.stack.sandfleet("submit", *words, "--prompt-file", "-", stdin=prompt).stdout.split()[0]

    def run_of(self, *steps, status=0, words=("--max-attempts", "1"), seconds=60):
        run = self.submit(*steps, status=status, words=words)
        (row,) = self.stack.wait_rows("select run_id, state, outcome, attempt from fleet.runs where run_id = :'id'::uuid and ended", 1,
                                      seconds, id=run)
        return row

    def lines(self, run):
        """The agent's, in order: (type, data)."""
        rows = self.stack.rows("select type, data from fleet.events where run_id = :'id'::uuid and line is not null"
                               " and type <> 'sandfleet.agent.stderr' order by sequence", id=run["run_id"])
        return [(row["type"].removeprefix("sandfleet.agent."), row["data"]) for row in rows]

    # --- what an agent prints -----------------------------------------------------------------------

    def test_lines(self):
        """One run has them all, between two that are in order."""
        rows = [catalogue.row(name) for name in ("B100", "B101", "B102", "B103", "B104")]
        run = self.run_of(*(step(row.data) for row in rows), step(RESULT))
        self.assertEqual(run["state"], "completed")
        lines = self.lines(run)
        self.assertEqual([kind for kind, _ in lines], ["text", "text", "text", "other", "result"])
        self.assertEqual(rows[0].expect, "skip")
        self.assertEqual([lines[0][1]["text"], lines[1][1]["text"]], ["Error: cannot reach the API", "[1,2]"])
        self.assertEqual(lines[2][1]["text"], '{"type":"assistant","x":"\ufffd\ufffd"}')
        self.assertEqual(lines[3][1]["native"], {"type": "future_thing", "a": 1})

    def test_B105_50_MB_without_a_newline(self):
        """What a line of a tenth of it takes is taken before: buffers of a fixed size, and connections."""
        row, n = catalogue.row("B105"), 50 << 20
        self.run_of(step(row.data[:17]), step(row.data[17:32785], n // 10 // 32768))
        before = self.rss_kib()
        run = self.run_of(step(row.data[:17]), step(row.data[17:32785], n // 32768))
        (kind, data), = self.lines(run)
        self.assertEqual((run["outcome"], kind, data["truncated"]), ("no_result", "text", True))
        self.assertIn(len(row.data), data.values())
        self.assertLess(len(json.dumps(data)), 1 << 20)
        if not SANITIZED:
            self.assertLess(self.rss_kib() - before, 8 * 1024)
        self.assertTrue([path for path in self.artifacts.rglob("*") if path.is_file() and path.stat().st_size >= n], "it is not kept whole")

    def rss_kib(self):
        with open(f"/proc/{self.worker.pid}/status") as status:
            return int(status.read().split("VmHWM:")[1].split()[0])

    def test_B106_no_newline_at_the_end(self):
        run = self.run_of(step(catalogue.row("B106").data))
        self.assertEqual(run["state"], "completed")
        self.assertEqual([kind for kind, _ in self.lines(run)], ["result"])

    def test_B107_lines_behind_the_result(self):
        run = self.run_of(step(RESULT), step(b'{"type":"x"}\n', 10))
        self.assertEqual((run["state"], len(self.lines(run))), ("completed", 11))
        ends = self.stack.value("select count(*) as n from fleet.events where run_id = :'id'::uuid and type like 'sandfleet.run.%ed'"
                                " and type not in ('sandfleet.run.resumed')", id=run["run_id"])
        self.assertEqual(ends, 1)

    def test_B108_no_result(self):
        run = self.run_of(step(b'{"type":"x"}\n'))
        self.assertEqual((run["state"], run["outcome"]), (catalogue.row("B108").reason, "no_result"))

    def test_B109_and_B110_cut_between_two_chunks(self):
        line = b'{"type":"x","t":"' + TOKEN + b'","c":"\xe2\x82\xac"}\n'
        at, euro = line.index(b"BBBB") + 5, line.index(b"\xe2") + 1
        run = self.run_of(step(line[:at]), step(line[at:euro], 1, 200), step(line[euro:], 1, 200), step(RESULT))
        native = self.lines(run)[0][1]["native"]
        self.assertEqual(native["c"], "\u20ac")
        self.assertNotIn("B" * 9, json.dumps(self.lines(run)))

    def test_B111_no_output(self):
        self.assertEqual(self.stop_worker(), 0)
        type(self).worker = self.start_worker(SANDFLEET_SILENCE_LIMIT=SILENT)
        try:
            run = self.run_of(step(b'{"type":"x"}\n'), step(RESULT, 1, 600000), words=("--max-attempts", "2"))
            self.assertEqual((run["state"], run["outcome"], run["attempt"]), ("failed", "stalled", 2))
        finally:
            self.stop_worker()
            type(self).worker = self.start_worker()

    # --- what the service answers -----------------------------------------------------------------------

    def made_in_the_end(self, rule):
        """Though it may take another attempt."""
        self.front.rules.append(rule)
        run = self.run_of(step(RESULT), words=("--max-attempts", "2"))
        self.assertEqual((run["state"], self.front.rules), ("completed", []))
        return run

    def test_B113_wait_for_a_day(self):
        row = catalogue.row("B113")
        self.front.rules.append((CREATE, lambda front, client, request: client.sendall(row.data)))
        run = self.submit(step(RESULT))
        (held,) = self.stack.wait_rows("select extract(epoch from hold_until - now()) as s from ledger.claims"
                                       " where run_id = :'id'::uuid and state = 'waiting' and hold_until is not null", 1, id=run)
        self.assertLess(float(held["s"]), 301)
        self.stack.sandfleet("runs", "cancel", run)
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and ended", 1, id=run)

    def test_B114_no_json(self):
        row = catalogue.row("B114")

        def spoil(front, client, request):
            front.relay(client, request, lambda piece: None)  # it is made, and nobody is told
            client.sendall(row.data)
        self.made_in_the_end((CREATE, spoil))

    def test_B115_the_answer_is_lost(self):
        self.made_in_the_end((CREATE, lambda front, client, request: front.relay(client, request, lambda piece: None)))

    def test_B116_a_redirect(self):
        row = catalogue.row("B116")
        evil = Front("127.0.0.1:1")
        self.addCleanup(evil.close)
        answer = row.data.replace(b"http://evil.example", evil.url.encode())
        self.made_in_the_end((CREATE, lambda front, client, request: client.sendall(answer)))
        self.assertEqual(evil.seen, [])

    def test_B118_a_body_without_an_end(self):
        sent = []

        def flood(front, client, request):
            client.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 10737418240\r\n\r\n")
            for _ in range(10240):
                client.sendall(b"{" * (1 << 20))
                sent.append(1)
        self.made_in_the_end((CREATE, flood))
        self.assertLess(len(sent), 32)

    def test_B119_a_frame_over_the_limit(self):
        """At the start of a stream; another one is opened, and each line is there once."""
        row = catalogue.row("B119")
        answer = (b"HTTP/1.1 200 OK\r\nContent-Type: application/connect+json\r\nContent-Length: %d\r\n\r\n" % len(row.data)) + row.data
        before = self.rss_kib()
        self.every_line_once(lambda front, client, request: client.sendall(answer))
        self.assertLess(self.rss_kib() - before, 32 * 1024)

    def test_B120_a_stream_without_an_end(self):
        def cut(front, client, request):
            left = [4000]

            def take(piece):
                client.sendall(piece[:left[0]])
                left[0] -= len(piece)
                if left[0] <= 0:
                    raise ConnectionError
            front.relay(client, request, take)
        self.every_line_once(cut)

    def every_line_once(self, action):
        """The rule is for the stream that follows the output, the last of those that a run opens."""
        before = sum(line.startswith(START) for line in self.front.seen)
        self.run_of(step(RESULT))
        opens = sum(line.startswith(START) for line in self.front.seen) - before
        through = [(START, lambda front, client, request: front.relay(client, request, client.sendall)) for _ in range(opens - 1)]
        self.front.rules += [*through, (START, action)]
        numbered = [step(b'{"type":"x","n":%d,"t":"%s"}\n' % (n, b"y" * 300), 1, 10) for n in range(50)]
        run = self.run_of(*numbered, step(RESULT))
        self.assertEqual((run["state"], run["attempt"], self.front.rules), ("completed", 1, []))
        self.assertEqual([data["native"].get("n") for _, data in self.lines(run)], [*range(50), None])

    @classmethod
    def open_files(cls):
        return len(os.listdir(f"/proc/{cls.worker.pid}/fd"))

    def test_y_the_worker_is_as_it_was(self):
        self.assertIsNone(self.worker.poll())
        self.stack.wait("its files to be closed", lambda: self.open_files() <= self.files + 4)
        self.log.flush()
        with open(self.log.name) as log:
            self.assertNotIn(TOKEN.decode(), log.read())

    def test_z_B112_a_key_that_is_refused(self):
        """Last of all, as the worker goes: docs/adr/0032."""
        row = catalogue.row("B112")
        self.front.rules += [("", lambda front, client, request: client.sendall(row.data))] * 50
        run, before = self.submit(step(RESULT)), len(self.front.seen)
        self.assertEqual(self.worker.wait(30), 77)
        self.assertLess(len(self.front.seen) - before, 4)
        self.front.rules.clear()
        type(self).worker = self.start_worker()
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and state = 'completed'", 1, 60, id=run)


if __name__ == "__main__":
    unittest.main(verbosity=2)
