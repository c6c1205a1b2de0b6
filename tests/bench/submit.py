#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A file of prompts into the queue: ours beside kcat -P, BullMQ and an INSERT a row.

Goals: a file of 100,000 lines enters Kafka at the rate of kcat -P with the same records or faster,
validation and ids included; a million lines are submitted in at most 50 MB.

One Kafka, one PostgreSQL, one Redis, all on this machine and at their defaults.
  submit    sandfleet batch submit FILE: all of it checked, then all of it sent (acks=all, idempotent,
            not compressed), a run id and a custom_id a line on standard output
  check     sandfleet batch validate FILE: what of that is the checking, during which nothing is sent
  kcat      kcat -P -K: the very records that ours made, keys included, into a topic like it
            (acks=all; not idempotent, not compressed: kcat's defaults)
  kcat lz4  the same with -z lz4
  bullmq    queue.addBulk, 1,000 jobs a call, jobId = custom_id; the file parsed before the clock
            runs; Redis keeps them in memory (no append-only file)
  insert    a table as queue: a prepared INSERT a row by libpq, each committed (fsync)
Ours and kcat's take turns, from start to exit of the process; the ratio is the median of the turns'.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from fleet import Stack, programs  # noqa: E402

GOALS = {"kcat_ratio": (">=", 1.0), "rss_mb": ("<=", 50)}
TOPIC_KCAT = "kcat.runs.batch"


def words():
    """What a prompt is made of: the words of our own pages, in their own frequency."""
    text = " ".join(p.read_text(encoding="utf-8") for p in sorted(ROOT.glob("docs/**/*.md")))
    return [w for w in text.split() if w.isascii() and "sk-" not in w]


def write_file(path, lines, bytes_each):
    pick, vocabulary = random.Random(7), words()
    with open(path, "w", encoding="ascii") as out:
        for n in range(lines):
            prompt = ""
            while len(prompt) < bytes_each:
                at = pick.randrange(len(vocabulary) - 12)
                prompt += " ".join(vocabulary[at:at + 12]) + " "
            out.write(json.dumps({"custom_id": f"item-{n:07d}", "prompt": prompt[:bytes_each].strip()}) + "\n")


def timed(command, env, **more):
    """Seconds from start to exit, and CPU seconds."""
    began = time.monotonic()
    process = subprocess.Popen([str(w) for w in command], env=env, stdin=subprocess.DEVNULL, **more)
    _, status, used = os.wait4(process.pid, 0)
    took = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"error: {command[0]} ended with {process.returncode}")
    return took, used.ru_utime + used.ru_stime


def peak_mb(command, env):
    """Peak memory of a process; what wait4 tells is never below its parent's."""
    process = subprocess.Popen([str(w) for w in command], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(OSError), open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            peak = max([peak, *(int(line.split()[1]) for line in status if line.startswith("VmHWM"))])
        time.sleep(0.005)
    if process.returncode != 0:
        raise SystemExit(f"error: {command[0]} ended with {process.returncode}")
    return peak / 1024


class Redis:
    """redis-tools has the server, under the name of its twin, and starts no service."""

    def __init__(self, folder):
        self.socket_port = free_port()
        words_ = ["redis-server", "--port", str(self.socket_port), "--bind", "127.0.0.1", "--dir", str(folder),
                  "--daemonize", "no", "--logfile", str(folder / "redis.log")]
        self.process = subprocess.Popen(words_, executable="/usr/bin/redis-check-rdb", stdin=subprocess.DEVNULL)

    def __enter__(self):
        deadline = time.monotonic() + 20
        while subprocess.run(["redis-cli", "-p", str(self.socket_port), "ping"], capture_output=True,
                             check=False).stdout != b"PONG\n":
            if time.monotonic() > deadline:
                raise SystemExit("error: redis does not answer")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Lab:
    def __init__(self, stack, options):
        self.stack, self.o, self.dir = stack, options, stack.dir
        self.file, self.records = self.dir / "prompts.jsonl", self.dir / "records.tsv"
        self.brokers = stack.env["SANDFLEET_BROKERS"]
        self.round = 0

    def prepare(self):
        write_file(self.file, self.o.lines, self.o.bytes)
        for prefix in ("bench.", "kcat.", "million."):
            self.stack.sandfleet("topics", "apply", SANDFLEET_PREFIX=prefix)
        self.submit()  # warms all of it up, and makes the records
        with open(self.records, "wb") as out:
            subprocess.run(["kcat", "-C", "-b", self.brokers, "-t", "bench.runs.batch", "-o", "beginning", "-e", "-q",
                            "-f", "%k\t%s\n"], stdout=out, check=True)
        with open(self.records, "rb") as made:
            n = sum(1 for _ in made)
        if n != self.o.lines:
            raise SystemExit(f"error: {n} records of {self.o.lines} lines")
        size = self.records.stat().st_size
        print(f"# {self.o.lines} lines of {self.file.stat().st_size / self.o.lines:.0f} bytes, records of "
              f"{size / n:.0f}", flush=True)
        self.kcat()

    def submit(self):
        self.round += 1
        with open(self.dir / "ids.tsv", "wb") as ids:
            told = timed(["sandfleet", "batch", "submit", self.file, "-q", "--batch", f"bench-{self.round}"],
                         self.stack.environ(SANDFLEET_PREFIX="bench."), stdout=ids)
        with open(self.dir / "ids.tsv", "rb") as ids:
            if sum(1 for _ in ids) != self.o.lines:
                raise SystemExit("error: not all lines have an id")
        return told

    def check(self):
        return timed(["sandfleet", "batch", "validate", self.file, "-q"], self.stack.environ())

    def kcat(self, *more):
        return timed(["kcat", "-P", "-b", self.brokers, "-t", TOPIC_KCAT, "-K", "\t", *more, "-l", self.records],
                     os.environ)

    def bullmq(self, home):
        with Redis(self.dir) as redis:
            done = subprocess.run([f"{home}/bin/node", ROOT / "tests/bench/submit/bullmq.mjs", str(redis.socket_port),
                                   "bench", self.file], env={**os.environ, "BULLMQ_HOME": home}, check=True,
                                  capture_output=True, text=True)
        told = json.loads(done.stdout)
        return told["jobs"] / told["seconds"]

    def insert(self):
        head = subprocess.Popen(["head", "-n", str(self.o.rows), self.records], stdout=subprocess.PIPE)
        done = subprocess.run([programs().parent / "tests" / "bench.insert"], env=self.stack.environ(), check=True,
                              stdin=head.stdout, capture_output=True, text=True)
        head.wait()
        told = json.loads(done.stdout)
        return told["rows"] / told["seconds"]

    def million(self):
        path = self.dir / "million.jsonl"
        write_file(path, self.o.million, 60)
        env = self.stack.environ(SANDFLEET_PREFIX="million.")
        began = time.monotonic()
        peak = peak_mb(["sandfleet", "batch", "submit", path, "-q"], env)
        print(f"# {self.o.million} lines in {peak:.0f} MB, {time.monotonic() - began:.1f} s", flush=True)
        path.unlink()
        return peak


def load():
    return "load " + " ".join(f"{x:.1f}" for x in os.getloadavg())


def measure(lab, o):
    lab.prepare()
    kinds = {"submit": lab.submit, "check": lab.check, "kcat": lab.kcat, "kcat lz4": lambda: lab.kcat("-z", "lz4")}
    runs = {name: [] for name in kinds}
    for i in range(o.runs):
        for name, run in kinds.items():
            runs[name].append(run())
        print(f"# round {i + 1}: " + ", ".join(f"{name} {o.lines / r[-1][0]:,.0f}" for name, r in runs.items())
              + f" lines/s; {load()}", flush=True)
    rates = {name: statistics.median(o.lines / took for took, _ in r) for name, r in runs.items()}
    cpu = {name: statistics.median(used * 1e6 / o.lines for _, used in r) for name, r in runs.items()}
    if o.bullmq:
        rates["bullmq"] = lab.bullmq(o.bullmq)
    if o.rows:
        rates["insert"] = lab.insert()
    print(f"\n{'':<10}{'lines/s':>12}{'CPU us':>10}{'of ours':>10}")
    for name, rate in rates.items():
        used = f"{cpu[name]:.2f}" if name in cpu else ""
        print(f"{name:<10}{rate:>12,.0f}{used:>10}{rate / rates['submit']:>10.3f}")
    told = {"kcat_ratio": statistics.median(b[0] / a[0] for a, b in zip(runs["submit"], runs["kcat"])),
            "kcat_lz4_ratio": statistics.median(b[0] / a[0] for a, b in zip(runs["submit"], runs["kcat lz4"]))}
    for peer in ("bullmq", "insert"):
        if peer in rates:
            told[f"{peer}_ratio"] = rates["submit"] / rates[peer]
    return told


def main():
    parser = argparse.ArgumentParser(prog="ops/bench submit", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--lines", type=int, default=100000, help="lines of the file (100000)")
    add("--bytes", type=int, default=300, help="length of a prompt (300)")
    add("--runs", type=int, default=11, help="turns of ours and of kcat (11)")
    add("--rows", type=int, default=20000, help="rows that are inserted one by one (20000)")
    add("--million", type=int, default=1000000, help="lines of the file whose memory counts (1000000)")
    add("--quick", action="store_true", help="all of it, small: for development, not for figures")
    add("--no-peers", action="store_true", help="ours and kcat only")
    add("--bullmq", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.quick:
        o.runs, o.rows = 3, 2000
    if o.no_peers:
        o.bullmq, o.rows = None, 0
    with Stack("bench-submit", only=["kafka", "postgres"]) as stack:
        lab = Lab(stack, o)
        told = measure(lab, o)
        told["rss_mb"] = lab.million()
    missed = [name for name, (how, goal) in GOALS.items() if not
              (told[name] >= goal if how == ">=" else told[name] <= goal)]
    print(f"\nkcat_lz4_ratio={told['kcat_lz4_ratio']:.2f}" + "".join(f"\nmissed: {m} {GOALS[m][0]} {GOALS[m][1]}" for m in missed))
    print(" ".join(f"{name}={told.get(name, float('nan')):.2f}" for name in
                   ("kcat_ratio", "bullmq_ratio", "insert_ratio", "rss_mb")))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
