# SPDX-License-Identifier: Apache-2.0
"""Promise: each end of a run that counts is told to each endpoint of its tenant, signed, at least once and
in normal operation once, whatever the endpoint answers and whichever process dies; nothing is sent to an
address that is not public, and no endpoint delays another one.
Proof: the real sink and the real program on a real broker and server, a receiver that answers by script,
checks of the signatures that share no code with us, and SIGKILL at each step."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
import uuid

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "schema"), str(HERE.parent), str(HERE.parents[2] / "lib")]
import catalogue  # noqa: E402
from database import BIN, Database, migrate, server  # noqa: E402
from receiver import Receiver, by_public_key, by_secret, certificate, cut, endless, hang, reply  # noqa: E402

SOON = ["-X", "session.timeout.ms=1500", "-X", "heartbeat.interval.ms=300"]
QUICK = ["--poll=20ms", "--retry-base=40ms", "--retry-cap=200ms", "--timeout=2s", "--lease=5s",
         "--give-up=6s", "--per-endpoint=4", "--allow-net=127.0.0.1", "--public-url=https://fleet.example"]
STATES = {"completed": "success", "failed": "agent_error"}


class Lab:
    """A database, topics, a sink and a receiver of the test's own."""

    def __init__(self):
        self.brokers, self.db, self.receiver = server("SANDFLEET_BROKERS"), Database(), Receiver()
        self.prefix = f"hook{os.getpid()}."
        self.folder = tempfile.TemporaryDirectory()
        self.processes, self.logs = [], 0
        self.trusted, self.stranger = (Receiver(certificate(self.folder.name, name)) for name in ("trusted", "stranger"))
        keys = self.private("keys", "11" * 32)
        self.env = {**os.environ, "SANDFLEET_DATABASE": self.db.conninfo, "SANDFLEET_BROKERS": self.brokers,
                    "SANDFLEET_PREFIX": self.prefix, "SANDFLEET_MASTER_KEY_FILE": keys}
        migrate(self.db.conninfo)
        self.client("topics", "apply")
        self.sink = self.start(BIN / "sandfleet-sink", *SOON)

    def close(self):
        for p in self.processes:
            p.kill()
            p.wait()
        for r in self.receiver, self.trusted, self.stranger:
            r.close()
        self.db.drop()
        self.folder.cleanup()

    def private(self, name, text):
        path = pathlib.Path(self.folder.name) / name
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def page(self, p, path):
        url = re.search(r"pages.listening.*url=\"?(http://[0-9.:]+)", p.log.read_text()).group(1)
        with urllib.request.urlopen(url + path, timeout=10) as answer:
            return answer.status, answer.read().decode()

    def as_role(self, role):
        return {**self.env, "PGOPTIONS": f"-c role=sandfleet_{role}"}

    def client(self, *words, status=0, whole=False):
        done = subprocess.run([BIN / "sandfleet", *words], env=self.as_role("client"), capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == status, f"sandfleet {words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr if whole else done.stdout.strip()

    def start(self, program, *words, fault=None):
        self.logs += 1
        path = pathlib.Path(self.folder.name) / f"{self.logs}.log"
        env = {**self.as_role("sink" if program.name == "sandfleet-sink" else "webhook"), **({"SANDFLEET_FAULT": fault} if fault else {})}
        with open(path, "wb") as log:
            p = subprocess.Popen([program, *words], env=env, stderr=log, stdin=subprocess.DEVNULL)
        p.log = path
        self.processes.append(p)
        return p

    def hooks(self, *words, fault=None):
        program = BIN.parent / "tests" / "webhook.faults" if fault else BIN / "sandfleet-webhook"
        ca = f"--ca-file={self.folder.name}/trusted.pem"
        p = self.start(program, *SOON, *QUICK, ca, "--metrics-listen=127.0.0.1:0", *words, fault=fault)
        self.wait("webhook.ready", lambda: "webhook.ready" in p.log.read_text() or p.poll() is not None)
        return p

    def stop(self, p):
        p.terminate()
        assert p.wait(60) == 0, p.log.read_text()

    def wait(self, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > deadline:
                logs = "\n".join(p.log.read_text()[-3000:] for p in self.processes[1:])
                raise AssertionError(f"after {seconds} s still waiting for: {what}\n{logs}")
            time.sleep(0.02)

    def came(self, path, n, seconds=60):
        return self.wait(f"{n} at {path}", lambda: len(self.receiver.of(path)) >= n and self.receiver.of(path), seconds)

    def add(self, tenant, path, *words, host="127.0.0.1"):
        return self.client("webhook", "add", path.strip("/"), "--tenant", tenant, "--plain-http", "--url",
                           self.receiver.url(path, host), *words)  # a --url among the words is the stronger one

    def produce(self, *events, words=()):
        """In this order."""
        lines = "".join(f"{run}\t{value}\n" for run, value in events)
        subprocess.run(["kcat", "-P", "-b", self.brokers, "-t", f"{self.prefix}events", "-K", "\t", *words],
                       input=lines.encode(), check=True, timeout=60, capture_output=True)

    def end(self, tenant, state="completed", run=None, **more):
        """A run comes to its end; returns its id."""
        run = run or new_run()
        self.produce(event(run, tenant, f"run.{state}", **more))
        return run

    def row(self, sql):
        return json.loads(self.db.ask(f"SELECT coalesce(json_agg(t), '[]') FROM ({sql}) t"))


def new_run():
    return str(uuid.UUID(int=(int(time.time() * 1000) << 80) | (uuid.uuid4().int & ((1 << 80) - 1) & ~(0xF000 << 64)) |
                         (0x7000 << 64)))


def event(run, tenant, kind, epoch=1, n=1, ago_s=0, data=None):
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - ago_s))
    state = kind.split(".")[1]
    value = {"specversion": "1.0", "id": f"{run}.1.c{epoch}-{n}", "source": f"/tenants/{tenant}/runs/{run}",
             "type": f"sandfleet.{kind}", "time": at, "recordedtime": at, "tenant": tenant, "runid": run,
             "runday": at[:10], "customid": "row-7", "attempt": 1, "epoch": epoch, "sequence": str(n),
             "datacontenttype": "application/json",
             "data": data or {"state": state, "outcome": STATES.get(state, "x"), "attempts": 1, "cost_usd": 0.5,
                              "result": "y" * 30000}}
    return run, json.dumps(value, separators=(",", ":"))


class Webhook(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.two = [cls.lab.hooks(), cls.lab.hooks()]

    def tries(self, name, run, tenant):
        told = json.loads(self.lab.client("webhook", "deliveries", name, run, "--tenant", tenant, "-o", "json"))
        return told[0] if told else {}

    def ended(self, name, run, tenant):
        return self.lab.wait(f"the end of {name}", lambda: self.tries(name, run, tenant).get("ended_at") and
                             self.tries(name, run, tenant))

    # --- what is sent --------------------------------------------------------------

    def test_signed(self):
        secret = self.lab.add("a", "/v1")
        public = self.lab.add("a", "/v1a", "--scheme", "v1a")
        run = self.lab.end("a")
        (one,), (other,) = self.lab.came("/v1", 1), self.lab.came("/v1a", 1)
        self.assertTrue(by_secret(one, secret) and by_public_key(other, public))
        self.assertFalse(by_secret(other, secret) or by_public_key(one, public))
        self.assertFalse(by_secret(one._replace(body=one.body + b" "), secret))
        self.assertFalse(by_public_key(other._replace(body=other.body + b" "), public))
        for got in one, other:
            self.assertEqual(got.headers["webhook-id"], f"run_{run}_completed")
            self.assertLess(abs(int(got.headers["webhook-timestamp"]) - time.time()), 60)
            self.assertLess(len(got.body), 20000)
            body = json.loads(got.body)
            self.assertEqual(body["type"], "sandfleet.run.completed")
            self.assertEqual({k: body["data"][k] for k in ("run_id", "state", "outcome", "tenant", "custom_id", "url")},
                             {"run_id": run, "state": "completed", "outcome": "success", "tenant": "a",
                              "custom_id": "row-7", "url": f"https://fleet.example/v1/runs/{run}"})
            self.assertNotIn(b"yyyy", got.body)
            told = json.loads((HERE.parents[3] / "docs" / "webhooks.md").read_text().split("```json")[1].split("```")[0])
            self.assertEqual((list(body), list(body["data"])), (list(told), list(told["data"])))
        self.assertEqual(self.ended("v1", run, "a")["outcome"], "delivered")
        self.assertNotIn(secret.removeprefix("whsec_"), self.lab.db.ask("SELECT json_agg(k) FROM webhook.keys k"))

    def test_rotated(self):
        old = self.lab.add("rot", "/rot")
        new = self.lab.client("webhook", "rotate", "rot", "--tenant", "rot", "--scheme", "v1a")
        self.lab.end("rot")
        (got,) = self.lab.came("/rot", 1)
        self.assertTrue(by_secret(got, old) and by_public_key(got, new))
        last = self.lab.client("webhook", "rotate", "rot", "--tenant", "rot", "--overlap", "0s")
        self.lab.end("rot")
        got = self.lab.came("/rot", 2)[1]
        self.assertTrue(by_secret(got, last))
        self.assertFalse(by_secret(got, old) or by_public_key(got, new))

    def test_who_is_told_what(self):
        self.lab.add("w", "/all")
        self.lab.add("w", "/bad", "--state", "failed")
        self.lab.add("w2", "/other")
        fine, bad = new_run(), new_run()
        self.lab.produce(event(new_run(), "w", "run.completed", ago_s=3600),  # before there was an endpoint
                         event(fine, "w", "run.completed"), event(bad, "w", "run.failed"), words=("-p", "0"))
        self.lab.came("/all", 2)
        self.lab.came("/bad", 1)
        self.assertEqual({g.headers["webhook-id"] for g in self.lab.receiver.of("/all")},
                         {f"run_{fine}_completed", f"run_{bad}_failed"})
        self.assertEqual(len(self.lab.receiver.of("/bad")) + len(self.lab.receiver.of("/other")), 1)
        self.assertEqual(len(self.lab.row("SELECT 1 FROM webhook.deliveries JOIN webhook.endpoints USING (endpoint_id)"
                                          " WHERE tenant = 'w'")), 3)

    def test_a_body_is_small_whatever_the_topic_says(self):
        """Also where somebody else than a worker writes there: what is too long is cut, and blocks nobody."""
        self.lab.add("big", "/big")
        long = {"state": "completed", "outcome": "z" * 50000, "attempts": 1, "cost_usd": 1e5, "result": "y" * 500000}
        run = new_run()
        self.lab.produce(event(run, "big", "run.completed", data=long), words=("-p", "0"))
        self.assertEqual(self.ended("big", run, "big")["outcome"], "delivered")
        (got,) = self.lab.receiver.of("/big")
        self.assertLess(len(got.body), 20000)

    def test_over_tls(self):
        """To who has a certificate of an authority that is trusted, and to nobody else."""
        self.lab.add("t", "/tls", "--url", self.lab.trusted.url("/tls"))
        self.lab.add("t", "/notls", "--url", self.lab.stranger.url("/notls"))
        run = self.lab.end("t")
        self.assertEqual(self.ended("tls", run, "t")["outcome"], "delivered")
        self.assertEqual(len(self.lab.trusted.of("/tls")), 1)
        told = self.lab.wait("a try", lambda: self.tries("notls", run, "t").get("tries"))
        self.assertIn("certificate", told[0]["error"])
        self.assertEqual(self.lab.stranger.of("/notls"), [])
        self.lab.client("webhook", "rm", "notls", "--tenant", "t", "--force")

    def test_seen_from_outside(self):
        self.lab.add("seen", "/seen")
        self.ended("seen", self.lab.end("seen"), "seen")
        pages = [self.lab.page(p, "/metrics") for p in self.two]
        counts = [int(re.search(r'tries_total{result="delivered"} (\d+)', text).group(1)) for _, text in pages]
        self.assertGreater(sum(counts), 0)
        self.assertEqual([self.lab.page(p, "/readyz") for p in self.two], [(200, '{"ready":true,"reasons":[]}\n')] * 2)

    def test_what_is_refused(self):
        add = ("add", "--url", "https://a.example")
        for words, status, says in (
                ((*add, "a b"), 2, "a name is"), (add, 2, "want the name"), (("add", "n"), 2, "--url is missing"),
                (("add", "n", "--url", "http://a.example"), 2, "--plain-http"), ((*add, "n", "--state", "running"), 2, "--state is"),
                ((*add, "n", "--scheme", "v2"), 2, "--scheme is"), ((*add, "dup"), 0, ""), ((*add, "dup"), 5, "already"),
                (("rotate", "none"), 3, "has no webhook"), (("enable", "none"), 3, "has no webhook"),
                (("rm", "none"), 3, "has no webhook"), (("list", "none"), 3, "no webhook"),
                (("deliveries", "none"), 3, "no webhook"), (("deliveries", "dup", "x"), 2, "no run's id"),
                (("redeliver", "dup"), 2, "want either"), (("redeliver", "dup", new_run()), 3, "no delivery"),
                (("redeliver", "dup", new_run(), "--failed"), 2, "want either"),
                (("enable", "dup", "--tenant", "another"), 3, "has no webhook")):
            with self.subTest(words):
                self.assertIn(says, self.lab.client("webhook", *words, status=status, whole=True))
        for words, status, says in ((["--timeout=5s", "--lease=5s"], 2, "--lease must"), (["--allow-net=x"], 2, "no network"),
                                    (["--public-url=x"], 2, "--public-url"), ([], 78, "no master keys")):
            with self.subTest(words):
                done = subprocess.run([BIN / "sandfleet-webhook", *words], env={**self.lab.env, "SANDFLEET_MASTER_KEY_FILE": ""},
                                      capture_output=True, text=True, timeout=60)
                self.assertEqual((done.returncode, says in done.stderr), (status, True), done.stderr)

    def test_the_log_decides_which_end_counts(self):
        self.lab.add("log", "/log")
        run, behind = new_run(), new_run()
        self.lab.produce(event(run, "log", "run.resumed", epoch=2, data={}), event(run, "log", "run.failed", epoch=1),
                         event(run, "log", "run.completed", epoch=2, n=2), event(run, "log", "run.completed", epoch=2, n=2),
                         event(run, "log", "run.failed", epoch=3), event(behind, "log", "run.completed"),
                         words=("-p", "0"))  # one partition: what is told of `behind` is told last
        self.lab.wait("both runs", lambda: len({g.headers["webhook-id"] for g in self.lab.receiver.of("/log")}) >= 2)
        self.assertEqual(sorted(g.headers["webhook-id"] for g in self.lab.receiver.of("/log")),
                         sorted([f"run_{run}_completed", f"run_{behind}_completed"]))
        self.assertEqual(len(self.lab.row(f"SELECT 1 FROM webhook.deliveries WHERE run_id = '{run}'")), 1)

    # --- what it answers ----------------------------------------------------------------

    def test_sent_again(self):
        retry_after = (503, {"Retry-After": "1"})
        cases = {"/r500": ([500, 404, 200], [500, 404, 200]), "/rcut": ([cut, 204], [None, 204]),
                 "/rhang": ([hang, 200], [None, 200]), "/r302": ([(302, {"Location": "/trap"}), 201], [302, 201]),  # B135
                 "/rafter": ([retry_after, 200], [503, 200]), "/rendless": ([endless], [200])}
        for path, (script, _) in cases.items():
            self.lab.receiver.script[path] = script
            self.lab.add("r", path)
        run = self.lab.end("r")
        for path, (_, statuses) in cases.items():
            with self.subTest(path):
                told = self.ended(path[1:], run, "r")
                self.assertEqual(told["outcome"], "delivered")
                self.assertEqual([t.get("status") for t in told["tries"]], statuses)
                self.assertEqual([t.get("error") is None for t in told["tries"]], [s in (200, 201, 204) for s in statuses])
                got = self.lab.receiver.of(path)
                self.assertEqual(len(got), len(statuses))
                self.assertEqual(len({(g.headers["webhook-id"], g.body) for g in got}), 1)
        first, second = self.lab.receiver.of("/rafter")
        self.assertGreaterEqual(second.at - first.at, 1)
        self.assertEqual(self.lab.receiver.of("/trap"), [])

    def test_held(self):
        """Who asks for a while without us is told of no run in it."""
        self.lab.receiver.script["/held"] = [(429, {"Retry-After": "1"}), 200]
        self.lab.add("h", "/held")
        first = self.lab.end("h")
        self.lab.wait("the first answer", lambda: self.tries("held", first, "h").get("tries"))
        self.lab.end("h")
        got = self.lab.came("/held", 3)
        self.assertGreaterEqual(min(g.at for g in got[1:]) - got[0].at, 1)

    def test_gone(self):
        self.lab.receiver.script["/gone"] = [410, 200]
        self.lab.add("g", "/gone")
        self.lab.add("g", "/beside")
        run = self.lab.end("g")
        self.assertEqual(self.ended("gone", run, "g")["outcome"], "failed")
        self.assertIn("  gone  ", self.lab.client("webhook", "list", "gone"))
        self.lab.end("g")
        self.lab.came("/beside", 2)
        self.assertEqual(len(self.lab.receiver.of("/gone")), 1)
        self.lab.client("webhook", "enable", "gone", "--tenant", "g")
        self.lab.client("webhook", "redeliver", "gone", run, "--tenant", "g")
        again = self.lab.came("/gone", 2)
        self.assertEqual(again[0].headers["webhook-id"], again[1].headers["webhook-id"])
        self.assertEqual(self.ended("gone", run, "g")["outcome"], "delivered")

    def test_given_up_and_redelivered(self):
        self.lab.receiver.script["/dead"] = [500]
        secret = self.lab.add("d", "/dead")
        runs = [self.lab.end("d"), self.lab.end("d")]
        for run in runs:
            told = self.ended("dead", run, "d")
            self.assertEqual(told["outcome"], "failed")
            self.assertGreater(len(told["tries"]), 5)
        self.lab.receiver.script["/dead"] = [200]
        before = len(self.lab.receiver.of("/dead"))
        self.lab.client("webhook", "redeliver", "dead", "--failed", "--tenant", "d")
        got = self.lab.came("/dead", before + 2)[before:]
        self.assertEqual(sorted(g.headers["webhook-id"] for g in got), sorted(f"run_{r}_completed" for r in runs))
        self.assertTrue(all(by_secret(g, secret) for g in got))

    def test_one_that_hangs_delays_nobody(self):
        n = 24
        self.lab.receiver.script["/slow"] = [hang]
        self.lab.add("s", "/slow")
        self.lab.add("s", "/quick")
        begun = time.monotonic()
        self.lab.produce(*(event(new_run(), "s", "run.completed") for _ in range(n)))
        quick = self.lab.came("/quick", n)
        # one after the other behind one that hangs for 2 s, four at a time, would be 12 s
        self.assertLess(max(g.at for g in quick) - begun, 8)
        self.lab.wait("tries of the slow one", lambda: len(self.lab.receiver.of("/slow")) >= 8)
        at = [g.at for g in self.lab.receiver.of("/slow")]  # none has been given up within a second
        self.assertLessEqual(sum(t - at[0] < 1 for t in at), 4 * len(self.two))
        self.lab.client("webhook", "rm", "slow", "--tenant", "s", status=5)
        self.lab.client("webhook", "rm", "slow", "--tenant", "s", "--force")

    def test_two_processes_send_once(self):
        n = 120
        self.lab.add("once", "/once")
        self.lab.produce(*(event(new_run(), "once", "run.completed") for _ in range(n)))
        self.lab.came("/once", n)
        self.lab.wait("all are told", lambda: not self.lab.row(
            "SELECT 1 FROM webhook.deliveries d JOIN webhook.endpoints USING (endpoint_id)"
            " WHERE tenant = 'once' AND due_at IS NOT NULL"))
        self.assertEqual(len({g.headers["webhook-id"] for g in self.lab.receiver.of("/once")}), n)
        self.assertEqual(len(self.lab.receiver.of("/once")), n)

    # --- where it may go -------------------------------------------------------------------

    def test_only_where_it_may(self):
        """B134, too: whatever a name leads to is judged when the socket is opened. 127.0.0.1 is allowed here."""
        listed = [urllib.parse.urlsplit(catalogue.row(name).data.decode()).netloc for name in ("B130", "B131", "B132")]
        hosts = ["127.0.0.2", *(host.replace("127.0.0.1", "127.0.0.2").replace("2130706433", "2130706434") for host in listed), "0x7f000002", "0177.0.0.2", "127.2", "0.0.0.0",
                 "[::1]", "10.0.0.1"]
        for i, host in enumerate(hosts):
            self.lab.add("x", f"/x{i}", host=host)
        run = self.lab.end("x")
        for i, host in enumerate(hosts):
            with self.subTest(host):
                told = self.lab.wait("a try", lambda: self.tries(f"x{i}", run, "x").get("tries"))
                self.assertIn("its address is not allowed", told[0]["error"])
                self.assertEqual(self.lab.receiver.of(f"/x{i}"), [])
                self.lab.client("webhook", "rm", f"x{i}", "--tenant", "x", "--force")

    def test_B133_what_is_no_address_of_http(self):
        self.lab.client("webhook", "add", "file", "--tenant", "x", "--plain-http", "--url", catalogue.row("B133").data.decode(), status=2)

    # --- who is cut off, told to stop, or killed: the last of all ---------------------------------

    def test_y_cut_off_from_the_database(self):
        """Its answer cannot be written down: the delivery is sent again when its lease is over."""
        self.lab.receiver.script["/cutoff"] = [lambda handler: (self.cut_off(), reply(handler, 200, {})), 200]
        self.lab.add("y", "/cutoff")
        run = self.lab.end("y")
        self.assertEqual(self.ended("cutoff", run, "y")["outcome"], "delivered")
        self.assertEqual({g.headers["webhook-id"] for g in self.lab.receiver.of("/cutoff")}, {f"run_{run}_completed"})
        self.assertIsNone(self.two[0].poll() or self.two[1].poll())

    def cut_off(self):
        self.lab.db.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name = 'sandfleet-webhook' AND datname = current_database()")

    def test_z_told_to_stop(self):
        """What is under way ends, and is written down, before the process does."""
        self.lab.receiver.script["/stop"] = [hang]
        self.lab.add("st", "/stop", "--state", "expired")
        run = self.lab.end("st", "expired")
        self.lab.came("/stop", 1)
        for p in self.two:
            p.terminate()
        for p in self.two:
            self.assertEqual(p.wait(60), 0, p.log.read_text())
        told = self.tries("stop", run, "st")
        self.assertEqual(told["outcome"], "waiting")
        self.assertEqual(len(told["tries"]), len(self.lab.receiver.of("/stop")))

    def test_zz_killed(self):
        self.lab.db.ask("DELETE FROM webhook.endpoints")  # a process that is to die shall do so for us
        self.lab.add("k", "/kill")
        for fault, times in (("rows/made", 1), ("take/answered", 1), ("send/answered", 2), ("end/answered", 1)):
            with self.subTest(fault):
                before = len(self.lab.receiver.of("/kill"))
                dies = self.lab.hooks(fault=f"{fault}/1")
                run = self.lab.end("k")
                self.assertEqual(dies.wait(60), -signal.SIGKILL, dies.log.read_text())
                self.assertEqual(len(self.lab.row(f"SELECT 1 FROM webhook.deliveries WHERE run_id = '{run}'")), 1)
                goes_on = self.lab.hooks()
                self.assertEqual(self.ended("kill", run, "k")["outcome"], "delivered")
                self.lab.stop(goes_on)
                got = self.lab.receiver.of("/kill")[before:]
                self.assertEqual([g.headers["webhook-id"] for g in got], [f"run_{run}_completed"] * times)
        self.killed_before_its_row()
        self.another_master_key()

    def killed_before_its_row(self):
        """The sink is away, so that there can be no row; the position must not pass the end meanwhile."""
        before = len(self.lab.receiver.of("/kill"))
        self.lab.stop(self.lab.sink)
        dies = self.lab.hooks(fault="commit/rows are missing/2")
        run = self.lab.end("k")
        self.assertEqual(dies.wait(60), -signal.SIGKILL, dies.log.read_text())
        self.lab.start(BIN / "sandfleet-sink", *SOON)
        goes_on = self.lab.hooks()
        self.assertEqual(self.ended("kill", run, "k")["outcome"], "delivered")
        self.assertEqual(len(self.lab.receiver.of("/kill")) - before, 1)
        self.lab.stop(goes_on)

    def another_master_key(self):
        """Wrapped anew, the key signs on for a process that has the new master key alone."""
        secret = self.lab.add("m", "/master")
        both, new = self.lab.private("both", f"{'22' * 32}\n{'11' * 32}\n"), self.lab.private("new", "22" * 32)
        self.lab.client("cred", "rewrap", "--master-key-file", both)
        self.lab.client("cred", "rewrap", status=3)  # with the old one alone
        hooks = self.lab.hooks("--master-key-file", new)
        self.lab.end("m")
        (got,) = self.lab.came("/master", 1)
        self.assertTrue(by_secret(got, secret))
        self.lab.stop(hooks)
        for p in self.lab.processes:
            self.assertNotRegex(p.log.read_text(), "whsec_|whsk_")


if __name__ == "__main__":
    unittest.main(verbosity=2)
