#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Events into PostgreSQL: our sink beside a bare COPY, a stock JDBC connector, a Python consumer.

Goals: at least 0.8 of COPY's and 5 times the connector's rows per second, at most 3 us of our
CPU a row, a produced event visible in 10 ms (median) and 50 ms (p99) at 1,000 events/s, and
at most 150 MB however far we are behind.

One Kafka, one PostgreSQL, both on this machine and at their defaults; each contender writes the
same rows into a fleet.events of its own database, made from one template, after a CHECKPOINT.
  copy      the limit: the rows that ours made, from memory, by one binary COPY
  sink      sandfleet-sink from the topic, read model, positions, notifications and all
  connect   Debezium's JDBC sink on Kafka Connect, upsert; its rows lie flat in a topic, with
            the sequence already in them: it has nothing to judge and no other table to write
  python    confluent-kafka, psycopg, executemany of 500; the same flat rows
Contenders take turns; medians count. Rates are from the first commit to the last, so a start
costs nobody anything. CPU is the contender's process alone, memory its peak (VmHWM).
"""
import argparse
import contextlib
import json
import os
import pathlib
import select
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from fleet import Stack, programs  # noqa: E402

import psycopg  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

GOALS = {"copy_ratio": (">=", 0.8), "connect_ratio": (">=", 5), "visible_p50_ms": ("<=", 10),
         "visible_p99_ms": ("<=", 50), "rss_mb": ("<=", 150), "cpu_us": ("<=", 3)}
COLUMNS = ("run_id, run_day, sequence, attempt, epoch, line, log_offset, type, time, tenant, tool, model, "
           "input_tokens, output_tokens, cost_usd, data")
RUNS = 200


def schema():
    """The flat row for Connect: types by the semantic names the connector knows."""
    def field(name, kind, semantic=None, optional=True):
        return {"field": name, "type": kind, "optional": optional, **({"name": semantic} if semantic else {})}
    day, stamp = "org.apache.kafka.connect.data.Date", "org.apache.kafka.connect.data.Timestamp"
    fields = [field("run_id", "string", "io.debezium.data.Uuid", False), field("run_day", "int32", day, False),
              field("sequence", "int64", None, False), field("attempt", "int32"), field("epoch", "int32"),
              field("line", "int64"), field("log_offset", "int64"), field("type", "string"),
              field("time", "int64", stamp), field("tenant", "string"), field("tool", "string"),
              field("model", "string"), field("input_tokens", "int64"), field("output_tokens", "int64"),
              field("cost_usd", "double"), field("data", "string", "io.debezium.data.Json")]
    return json.dumps({"type": "struct", "name": "row", "optional": False, "fields": fields})


class Watched:
    """A child process: its CPU time and peak memory, also of one that is killed."""

    def __init__(self, words, env, log):
        self.out = open(log, "ab")
        self.from_ = self.out.tell()
        self.process = subprocess.Popen([str(w) for w in words], env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.out, text=True)
        self.peak_kib = self.cpu_s = 0

    def look(self):
        """Its memory so far; it must not have ended."""
        with contextlib.suppress(OSError, IndexError):
            text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text("ascii")
            self.peak_kib = max(self.peak_kib, int(text.split("VmHWM:")[1].split()[0]))
        if self.process.poll() is not None:
            raise SystemExit(f"error: {self.process.args[0]} ended; its log: {self.out.name}")

    def await_log(self, text):
        while text not in pathlib.Path(self.out.name).read_text(errors="replace")[self.from_:]:
            self.look()
            time.sleep(0.02)

    def end(self, stop=True):
        if stop:
            self.look()
            self.process.terminate()
        text = self.process.stdout.read()
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = used.ru_utime + used.ru_stime
        self.out.close()
        return text


class Lab:
    def __init__(self, stack, options):
        self.stack, self.o, self.n = stack, options, 0
        self.dir = stack.dir
        self.admin = psycopg.connect(stack.env["SANDFLEET_DATABASE"], autocommit=True)
        self.helper = programs().parent / "tests" / "bench.sink"
        self.rows_file = self.dir / "rows.bin"
        stack.sandfleet("migrate")
        with psycopg.connect(stack.env["SANDFLEET_DATABASE"]) as db:
            db.execute("SELECT fleet.ensure_day(current_date)")
        self.template = self.admin.info.dbname
        self.admin.close()
        self.admin = psycopg.connect(self.conninfo("postgres"), autocommit=True)

    def conninfo(self, name):
        return f"{self.stack.env['SANDFLEET_DATABASE']} dbname={name}"

    @contextlib.contextmanager
    def database(self):
        self.n += 1
        name = f"bench_{self.n}"
        self.admin.execute(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        self.admin.execute("CHECKPOINT")
        try:
            with psycopg.connect(self.conninfo(name), autocommit=True) as db:
                yield name, db
        finally:
            self.admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def fill(self, prefix, events, first=1, rows=None, runs=RUNS):
        if rows:
            admin = AdminClient({"bootstrap.servers": self.stack.env["SANDFLEET_BROKERS"]})
            admin.create_topics([NewTopic(rows, 6, 1)])[rows].result()
        else:
            self.stack.sandfleet("topics", "apply", SANDFLEET_PREFIX=prefix)
        words = ["fill", f"--events={events}", f"--runs={runs}", f"--first-run={first}"]
        self.run_helper(words + ([f"--rows={rows}"] if rows else []), SANDFLEET_PREFIX=prefix)

    def run_helper(self, words, stdin=subprocess.DEVNULL, **env):
        done = subprocess.run([self.helper, *words], env=self.stack.environ(**env), check=True, stdin=stdin,
                              stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)

    def sink(self, database, prefix, *words):
        env = self.stack.environ(SANDFLEET_DATABASE=self.conninfo(database), SANDFLEET_PREFIX=prefix)
        return Watched([programs() / "sandfleet-sink", *words], env, self.dir / "log" / "bench-sink.log")

    # --- contenders: rows/s, us of CPU a row, peak MB --------------------------------

    def ours(self, prefix, events, keep_rows=False, look=lambda s: None):
        total = events + RUNS
        with self.database() as (name, db):
            child = self.sink(name, prefix)
            rate = self.until(child, total, lambda: db.execute(
                "SELECT coalesce(sum(next), 0) FROM fleet.sink_offsets").fetchone()[0], look)
            child.end()
            stored = db.execute("SELECT count(*), count(DISTINCT (run_id, sequence)) FROM fleet.events").fetchone()
            if stored != (events, events):
                raise SystemExit(f"error: {stored} rows of {events} events")
            if keep_rows:
                with open(self.rows_file, "wb") as out, db.cursor().copy(
                        f"COPY (SELECT {COLUMNS} FROM fleet.events ORDER BY sequence, run_id) TO STDOUT"
                        " (FORMAT binary)") as copy:
                    for piece in copy:
                        out.write(piece)
        return rate, child.cpu_s * 1e6 / total, child.peak_kib / 1024

    def copy(self):
        with self.database() as (name, _), open(self.rows_file, "rb") as rows:
            told = self.run_helper(["copy", f"--table=fleet.events ({COLUMNS})"], stdin=rows,
                                   SANDFLEET_DATABASE=self.conninfo(name))
        return told["rows"] * 1e6 / told["wall_us"], told["cpu_us"] / told["rows"], 0

    def python(self, topic, events):
        with self.database() as (name, _):
            child = Watched([sys.executable, "-B", ROOT / "tests/bench/sink/consumer.py", "--brokers",
                             self.stack.env["SANDFLEET_BROKERS"], "--topic", topic, "--database",
                             self.conninfo(name), "--group", name, "--rows", events], os.environ,
                            self.dir / "log" / "bench-python.log")
            while not select.select([child.process.stdout], [], [], 0.05)[0]:
                child.look()
            told = json.loads(child.end(stop=False))
        return told["rows"] / told["seconds"], child.cpu_s * 1e6 / events, child.peak_kib / 1024

    def connect(self, topic, events):
        with self.database() as (name, db):
            child = Watched(self.connect_words(name, topic), os.environ, self.dir / "log" / "bench-connect.log")
            part = db.execute("SELECT 'fleet.events_' || to_char(current_date, 'YYYYMMDD')").fetchone()[0]
            count = lambda: db.execute(f"SELECT count(*) FROM {part}").fetchone()[0]  # noqa: E731
            rate = self.until(child, events, count, pause=0.25)
            child.end()
        return rate, child.cpu_s * 1e6 / events, child.peak_kib / 1024

    def connect_words(self, database, topic):
        home, at = pathlib.Path(self.o.connect), dict(p.split("=", 1) for p in self.conninfo(database).split())
        folder = self.dir / "connect"
        folder.mkdir(exist_ok=True)
        worker = {"bootstrap.servers": self.stack.env["SANDFLEET_BROKERS"], "plugin.path": home / "plugins",
                  "offset.storage.file.filename": folder / f"{database}.offsets",
                  "key.converter": "org.apache.kafka.connect.storage.StringConverter",
                  "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                  "listeners": "http://127.0.0.1:0", "consumer.max.poll.records": 5000,
                  "consumer.auto.offset.reset": "earliest"}
        connector = {"name": database, "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
                     "tasks.max": 1, "topics": topic, "value.converter": worker["value.converter"],
                     "value.converter.schemas.enable": "true", "value.converter.schema.content": schema(),
                     "connection.url": f"jdbc:postgresql://127.0.0.1:{at['port']}/{database}"
                                       "?reWriteBatchedInserts=true",
                     "connection.username": at["user"], "connection.password": at["password"],
                     "collection.name.format": "fleet.events", "insert.mode": "upsert",
                     "primary.key.mode": "record_value", "primary.key.fields": "run_id,sequence,run_day",
                     "schema.evolution": "none", "batch.size": 1000}
        for file, settings in (("worker", worker), ("connector", connector)):
            with open(folder / f"{file}.properties", "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as out:
                out.writelines(f"{k}={v}\n" for k, v in settings.items())
        return ["java", "-Xmx1g", "-cp", f"{home}/libs/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "org.apache.kafka.connect.cli.ConnectStandalone", folder / "worker.properties",
                folder / "connector.properties"]

    @staticmethod
    def until(child, total, position, look=lambda c: None, pause=0.01):
        """Rows per second from the first commit that is seen to the last."""
        first, deadline = None, time.monotonic() + 600
        while True:
            child.look()
            look(child)
            n, now = int(position()), time.monotonic()
            if n and not first:
                first = (n, now)
            if n >= total:
                return (n - first[0]) / max(now - first[1], 1e-3)
            if now > deadline:
                raise SystemExit(f"error: {n} of {total} rows after ten minutes; the log: {child.out.name}")
            time.sleep(pause)


def table(name, runs):
    rate, cpu, rss = (statistics.median(r[i] for r in runs) for i in range(3))
    spread = " ".join(f"{r[0]:,.0f}" for r in runs)
    print(f"{name:<10}{rate:>12,.0f}{cpu:>10.1f}{rss:>9.0f}   {spread}", flush=True)
    return rate, cpu, rss


def load():
    return "load " + " ".join(f"{x:.1f}" for x in os.getloadavg())


def measure(lab, o):
    lab.fill("bench.", o.events)
    lab.fill("bench.", o.peer_events, rows="bench.rows")
    runs = {"sink": [], "copy": [], "connect": [], "python": []}
    for i in range(o.runs):
        runs["sink"].append(lab.ours("bench.", o.events, keep_rows=i == 0))
        runs["copy"].append(lab.copy())
        if i < o.peer_runs:
            runs["connect"].append(lab.connect("bench.rows", o.peer_events))
            runs["python"].append(lab.python("bench.rows", o.peer_events))
        print(f"# round {i + 1}: sink {runs['sink'][-1][0]:,.0f}, copy {runs['copy'][-1][0]:,.0f} rows/s; {load()}",
              flush=True)
    print(f"\n{'':<10}{'rows/s':>12}{'CPU us':>10}{'peak MB':>9}   each run")
    median = {name: table(name, r) for name, r in runs.items() if r}
    ratios = [a[0] / b[0] for a, b in zip(runs["sink"], runs["copy"])]
    told = {"copy_ratio": statistics.median(ratios), "cpu_us": median["sink"][1], "rss_mb": median["sink"][2]}
    if "connect" in median:
        told["connect_ratio"] = median["sink"][0] / median["connect"][0]
    return told


def visible(lab, o):
    """Three times; the median of each figure."""
    told = []
    lab.stack.sandfleet("topics", "apply", SANDFLEET_PREFIX="visible.")
    for i in range(o.runs):
        with lab.database() as (name, db):
            child = lab.sink(name, "visible.")
            child.await_log("sink.ready")
            told.append(lab.run_helper(["follow", "--rate=1000", "--runs=10", f"--events={o.seconds * 1000}",
                                        f"--first-run={1000 * (i + 1)}"],
                                       SANDFLEET_PREFIX="visible.", SANDFLEET_DATABASE=lab.conninfo(name)))
            child.end()
        t = told[-1]
        print(f"# visible: p50 {t['p50_ms']} ms, p99 {t['p99_ms']} ms, max {t['max_ms']} ms of {t['seen']} events;"
              f" sink {child.cpu_s * 100 / o.seconds:.0f} % CPU; {load()}", flush=True)
        if t["seen"] != t["events"]:
            raise SystemExit(f"error: {t['events'] - t['seen']} events never became visible")
    return {f"visible_{p}_ms": statistics.median(t[f"{p}_ms"] for t in told) for p in ("p50", "p99")}


def lag(lab, o):
    """Far behind: memory over time."""
    lab.fill("lag.", o.lag)
    seen = []

    def look(child):
        text = pathlib.Path(f"/proc/{child.process.pid}/status").read_text("ascii")
        seen.append(int(text.split("VmRSS:")[1].split()[0]))

    rate, cpu, peak = lab.ours("lag.", o.lag, look=look)
    quarters = [max(seen[i * len(seen) // 4:(i + 1) * len(seen) // 4]) / 1024 for i in range(4)]
    print(f"# lag of {o.lag:,}: {rate:,.0f} rows/s, {cpu:.1f} us CPU a row, peak {peak:.0f} MB, by quarters "
          + " ".join(f"{q:.0f}" for q in quarters) + f" MB; {load()}", flush=True)
    return {"rss_mb": peak}


def main():
    parser = argparse.ArgumentParser(prog="ops/bench sink", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--events", type=int, default=300000, help="events of a run of ours and of COPY (300000)")
    add("--peer-events", type=int, default=100000, help="rows of a run of the peers (100000)")
    add("--runs", type=int, default=5, help="runs of ours and of COPY, in turn (5)")
    add("--peer-runs", type=int, default=3, help="of them with the peers, too (3)")
    add("--seconds", type=int, default=20, help="how long 1,000 events/s are followed (20)")
    add("--lag", type=int, default=1000000, help="events to be behind by (1000000)")
    add("--quick", action="store_true", help="all of it, small: for development, not for figures")
    add("--no-peers", action="store_true", help="ours and COPY only")
    add("--connect", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.quick:
        o.events, o.peer_events, o.runs, o.peer_runs, o.seconds, o.lag = 100000, 20000, 2, 1, 5, 200000
    if o.no_peers:
        o.peer_runs = 0
    with Stack("bench-sink", only=["kafka", "postgres"]) as stack:
        lab = Lab(stack, o)
        told = measure(lab, o)
        told.update(visible(lab, o))
        told.update(lag(lab, o))
    missed = [name for name, (how, goal) in GOALS.items() if name in told and
              not (told[name] >= goal if how == ">=" else told[name] <= goal)]
    print(f"\ncpu_us={told['cpu_us']:.2f}" + "".join(f"\nmissed: {m} {GOALS[m][0]} {GOALS[m][1]}" for m in missed))
    print(" ".join(f"{name}={told.get(name, float('nan')):.2f}" for name in
                   ("copy_ratio", "connect_ratio", "visible_p50_ms", "visible_p99_ms", "rss_mb")))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
