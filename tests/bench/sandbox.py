#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What following a sandbox's output costs: our client beside the vendor's JavaScript SDK.

Goal: at most a tenth of the SDK's CPU time and a tenth of its memory, for the same work.

Work: N sandboxes of one sandboxd on loopback, in each a program that prints JSON lines at a
steady rate, one write a line. Both clients make the sandboxes, put the program there, split
every line out and check its number and its size. They take turns; the medians count. CPU time
is user and system of the client's whole process, read by wait4(); memory is the peak of its
resident set, read from outside (VmHWM). Before that, each does it once with the SHA-256 of every
stream compared with what the program printed: no byte may be missing.

With --live M: M sandboxes at once, one such program in each, through our client, hashes compared.
"""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from fleet import Stack, programs  # noqa: E402

GOAL = 0.10
BEHIND_MS = 200  # a median line older than this was not followed
OURS, THEIRS = "ours", "theirs"


def status_kib(pid, field):
    """VmHWM, VmRSS of a process; 0: it is gone."""
    with contextlib.suppress(OSError, IndexError):
        return int(pathlib.Path(f"/proc/{pid}/status").read_text("ascii").split(f"{field}:")[1].split()[0])
    return 0


def share_kib(pid):
    """Its part of the memory that is resident: a page of n processes counts as a nth."""
    with contextlib.suppress(OSError, IndexError):
        return int(pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").split("\nPss:")[1].split()[0])
    return 0


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid):
    """All below it, by /proc."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
    found, queue = [], [pid]
    while queue:
        above = queue.pop()
        below = [p for p, parent in parents.items() if parent == above]
        found += below
        queue += below
    return found


class Run:
    """One client, from its start to its end, watched from outside."""

    def __init__(self, who, stack, words, sdk, beside=lambda: None):
        tests = programs().parent / "tests"
        command = {OURS: [tests / "bench.streams"],
                   THEIRS: [f"{sdk}/bin/node", ROOT / "tests/bench/sandbox.mjs"]}[who]
        command = [str(w) for w in (*command, "--emit", tests / "bench.emit", *words)]
        env = stack.environ(SDK=str(sdk), no_proxy="*", NO_PROXY="*")
        server = stack.pid("sandboxd")
        server_before = cpu_seconds(server)
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.peak_kib, pid = 0, 0
        while not pid:  # the peak only grows: what is missed is the last hundredth of a second
            self.peak_kib = max(self.peak_kib, status_kib(process.pid, "VmHWM"))
            beside()
            time.sleep(0.01)
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = used.ru_utime + used.ru_stime
        self.server_cpu_s = cpu_seconds(server) - server_before
        text = process.stdout.read()
        self.told = json.loads(text.strip().split("\n")[-1]) if text.strip() else {}
        if process.returncode != 0 or self.loss():
            raise SystemExit(f"error: {who}: status {process.returncode}: {self.loss()} {text}")

    def loss(self):
        """What is wrong with what it read; empty: nothing."""
        told = self.told
        wrong = {k: told.get(k) for k in ("failed", "out_of_order", "sum_errors") if told.get(k)}
        if told.get("whole_streams") != told.get("streams"):
            wrong["whole_streams"] = told.get("whole_streams")
        return wrong or ("" if told else "no report")

    def row(self):
        told = self.told
        return (f"{self.cpu_s * 1000:>8.0f} {self.cpu_s * 1e6 / told['lines']:>8.1f} {told['us_per_line']:>8.1f}"
                f" {self.peak_kib / 1024:>8.1f} {told['kib_per_stream']:>8.0f}"
                f" {told['p50_ms']:>8.1f} {told['p99_ms']:>8.1f} {self.server_cpu_s * 1000:>8.0f}")


HEAD = (f"{'':<10} {'CPU ms':>8} {'us/line':>8} {'stream.':>8} {'peak MB':>8} {'KB/str.':>8}"
        f" {'p50 ms':>8} {'p99 ms':>8} {'server':>8}")


def work(options, verify=False, **changed):
    o = {**vars(options), **changed}
    words = [f"--{k}={o[k]}" for k in ("streams", "lines", "rate", "bytes")]
    return words + (["--verify"] if verify else [])


def compare(options, stack):
    """Prints the table; the two ratios."""
    runs = {OURS: [], THEIRS: []}
    for who in (OURS, THEIRS):
        told = Run(who, stack, work(options, verify=True, lines=min(options.lines, 500)), options.sdk).told
        print(f"{who:<10} {told['streams']} streams, {told['lines']} lines, {told['bytes']} bytes:"
              " every hash as it should be", flush=True)
    print(f"\n{options.streams} streams x {options.lines} lines x {options.bytes} bytes, "
          f"{options.rate} lines/s each; {options.runs} runs of each, in turn\n\n{HEAD}", flush=True)
    for _ in range(2 * options.runs):
        for who in (OURS, THEIRS):
            if len(runs[who]) == options.runs:
                continue
            run = Run(who, stack, work(options), options.sdk)
            behind = run.told["p50_ms"] > BEHIND_MS
            print(f"{who:<10} {run.row()}{'  fell behind: not counted' if behind else ''}", flush=True)
            runs[who] += [] if behind else [run]
    if min(map(len, runs.values())) < options.runs:
        raise SystemExit("error: this machine is too busy: a client that falls behind reads big pieces, cheaply, late")
    median = {(who, what): statistics.median(getattr(r, what) for r in runs[who])
              for who in runs for what in ("cpu_s", "peak_kib")}
    for who in (OURS, THEIRS):
        lines = options.streams * options.lines
        print(f"median of {who}: {median[who, 'cpu_s'] * 1e6 / lines:.1f} us of CPU a line, "
              f"{median[who, 'peak_kib'] / 1024:.1f} MB, {median[who, 'peak_kib'] / options.streams:.0f} KB a stream")
    return [median[OURS, what] / median[THEIRS, what] for what in ("cpu_s", "peak_kib")]


def live(options, stack):
    """Many sandboxes at once; what both processes then weigh."""
    server = stack.pid("sandboxd")
    empty = status_kib(server, "VmRSS")
    seen = {"processes": 0, "kib": 0, "next": 0.0}

    def look():
        if time.monotonic() < seen["next"]:
            return
        below = children(server)
        seen["next"] = time.monotonic() + 0.5
        if len(below) > seen["processes"]:
            seen.update(processes=len(below), kib=sum(share_kib(p) for p in below))

    run = Run(OURS, stack, work(options, verify=True, streams=options.live, lines=options.live_lines,
                                rate=options.live_rate), options.sdk, look)
    told = run.told
    print(f"\n{told['streams']} live sandboxes, {told['lines']} lines at {options.live_rate}/s each: none lost, "
          f"every hash as it should be\n"
          f"  client    {run.peak_kib / 1024:8.1f} MB peak  {run.cpu_s * 1000:8.0f} ms CPU  "
          f"p50 {told['p50_ms']:.1f} ms, p99 {told['p99_ms']:.1f} ms\n"
          f"  sandboxd  {status_kib(server, 'VmHWM') / 1024:8.1f} MB peak  {run.server_cpu_s * 1000:8.0f} ms CPU  "
          f"({empty / 1024:.1f} MB before)\n"
          f"  below it  {seen['processes']} processes, {seen['kib'] / 1024:.0f} MB (proportional share)", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="ops/bench sandbox", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--streams", type=int, default=50, help="sandboxes, and streams (50)")
    add("--lines", type=int, default=2000, help="lines of each stream (2000)")
    add("--rate", type=int, default=200, help="lines a second of each (200)")
    add("--bytes", type=int, default=300, help="bytes of a line (300)")
    add("--runs", type=int, default=3, help="repetitions of each client (3); 0: no comparison")
    add("--live", type=int, default=0, metavar="M", help="so many live sandboxes, too (0: not)")
    add("--live-lines", type=int, default=300, help="lines of each of them (300)")
    add("--live-rate", type=int, default=10, help="lines a second of each of them (10)")
    add("--sdk", help=argparse.SUPPRESS)
    options = parser.parse_args()
    most = max(options.streams, options.live) + 20
    with Stack("bench-sandbox", only=["sandboxd"], env={"SANDFLEET_MAX_SANDBOXES": str(most)}) as stack:
        if options.live:
            live(options, stack)
        if not options.runs:
            return 0
        cpu, rss = compare(options, stack)
    print(f"cpu_ratio={cpu:.3f} rss_ratio={rss:.3f}")
    return 0 if max(cpu, rss) <= GOAL else 1


sys.exit(main())
