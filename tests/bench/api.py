#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP door: 10,000 open streams of events, how late a line is at a client, pages and submits a second.

Goals: with 10,000 open streams, each of a live run, the process has at most 300 MiB; at 1,000 lines
a second in all, a line's bytes are at its clients at most 10 ms (median) and 30 ms (p99) after it
was printed; a submit of one of 8 clients is answered within 50 ms (p99). A bench that misses one
says which, and ends with 1.

Kafka, Postgres, worker, sink and API are the real ones, on one machine with the clients; Kafka has
the collector that --collector names. The sandboxes are not real: bench.emulator prints a line with
the time of its printing in it, and says what a sandbox service would. bench.readers has the streams
open and reads that time when a line's bytes are there; an event that is not the one behind the last,
or a stream that ends, fails the bench. Pages and submits are asked for by wrk.
"""
import argparse
import contextlib
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lib"), str(ROOT / "tests" / "bench")]
from chain import Emulator, Worker, free_port, live_runs  # noqa: E402
from fleet import Stack, programs  # noqa: E402

# Kafka stands still while a collector does: by the G1 of its own script 10 to 50 ms about once a second
# here, which is what the p99 of a line then is; ZGC's pauses are far below a millisecond.
KAFKA_JAVA = {"zgc": "-Xms1g -Xmx1g -XX:+UseZGC",
              "g1": "-Xms1g -Xmx1g -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35"}
GOALS = {"rss_mib": 300, "line_p50_ms": 10, "line_p99_ms": 30, "submit_p99_ms": 50}
SHORT = {"runs": 50, "readers": 500, "rate": 2, "seconds": 5, "warm": 3, "load": 2}
TICKS = os.sysconf("SC_CLK_TCK")


class Api:
    def __init__(self, stack, tenant, readers):
        self.port, self.log = free_port(), stack.dir / "log" / "api.log"
        words = [programs() / "sandfleet-api", "--listen", f"127.0.0.1:{self.port}", "--anonymous", tenant,
                 "--streams", str(readers), "--connections", "1000"]
        with open(self.log, "w") as err:
            self.process = subprocess.Popen([str(w) for w in words], env=stack.environ(), stdin=subprocess.DEVNULL, stderr=err)
        self.url = f"http://127.0.0.1:{self.port}"

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit(f"error: the API ended: {self.log.read_text()}")
        return "event=api.ready" in self.log.read_text()

    def rss_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def end(self):
        self.process.kill()
        self.process.wait(30)


class Readers:
    """Streams in a process of their own; its figures are in the order of bench.readers."""
    NAMES = ("events", "bytes", "p50_us", "p90_us", "p99_us", "p999_us", "max_us", "broken", "gaps")

    def __init__(self, api, runs, readers):
        begun = time.monotonic()
        self.process = subprocess.Popen([programs().parent / "tests" / "bench.readers", str(api.port), str(runs), str(readers)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        if words[:1] != ["open"] or int(words[1]) != readers:
            raise SystemExit(f"error: of {readers} streams: {words}")
        self.opened_in = time.monotonic() - begun

    def figures(self):
        self.process.stdin.write("figures\n")
        self.process.stdin.flush()
        return dict(zip(self.NAMES, map(int, self.process.stdout.readline().split()[1:])))

    def end(self):
        self.process.kill()
        self.process.wait(30)


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_by_part(stack, more):
    """Seconds of CPU that each part has used, its children included."""
    pids = {name: stack.pid(name) for name in ("kafka", "postgres", "sink")} | {n: p.pid for n, p in more.items()}
    used = {name: cpu_s(pid) for name, pid in pids.items()}
    for task in pathlib.Path("/proc").glob("[0-9]*/stat"):  # a server process each connection
        with contextlib.suppress(OSError):
            fields = task.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pids["postgres"]:
                used["postgres"] += (int(fields[11]) + int(fields[12])) / TICKS
    return used


def streams(options, stack, api, parts, runs):
    """Figures with all streams open."""
    empty = api.rss_mib()
    readers = Readers(api, runs, options.readers)
    parts["readers"] = readers.process
    try:
        time.sleep(options.warm)
        readers.figures()
        before, begun = cpu_by_part(stack, parts), time.monotonic()
        time.sleep(options.seconds)
        f, seconds = readers.figures(), time.monotonic() - begun
        after = cpu_by_part(stack, parts)
        m = {"rss_mib": api.rss_mib(), "empty_mib": empty, "open_s": readers.opened_in,
             "kib_per_stream": (api.rss_mib() - empty) * 1024 / options.readers,
             "deliveries_per_s": f["events"] / seconds, "lines_per_s": f["events"] / seconds * options.runs / options.readers,
             "line_p50_ms": f["p50_us"] / 1000, "line_p90_ms": f["p90_us"] / 1000, "line_p99_ms": f["p99_us"] / 1000,
             "line_p999_ms": f["p999_us"] / 1000, "line_max_ms": f["max_us"] / 1000,
             "cores": {part: (after[part] - before[part]) / seconds for part in after}}
        if f["broken"] or f["gaps"]:
            raise SystemExit(f"error: {f['broken']} streams broke, {f['gaps']} events were missed or came twice")
        return m
    finally:
        readers.end()
        del parts["readers"]


def ms(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def wrk(options, url, script=None, connections=32):
    """Requests a second, p50 and p99 in ms; each must be answered by 2xx."""
    words = ["wrk", "-t", "1", "-c", str(connections), "-d", str(options.load), "--latency", *(["-s", str(script)] if script else []), url]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"error: {done.stdout}")
    found = re.search(r"^ +50% +(\S+)$.*^ +99% +(\S+)$.*^Requests/sec: +(\S+)$", done.stdout, re.S | re.M)
    return {"rate": float(found.group(3)), "p50_ms": ms(found.group(1)), "p99_ms": ms(found.group(2))}


SUBMIT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"prompt":"say hello"}'
"""


def loads(options, stack, api, run):
    script = stack.dir / "submit.lua"
    script.write_text(SUBMIT)
    asked = {"page of 100": (f"{api.url}/v1/runs/{run}/events?limit=100", None), "page of 10": (f"{api.url}/v1/runs/{run}/events?limit=10", None),
             "run": (f"{api.url}/v1/runs/{run}", None), "submit": (f"{api.url}/v1/runs", script)}
    done = {name: wrk(options, url, script) for name, (url, script) in asked.items()}
    return done | {"submit by 8": wrk(options, f"{api.url}/v1/runs", script, connections=8)}


def table(options, m, load):
    print(f"\n{options.readers} streams of {options.runs} live runs, each {options.rate} lines/s x {options.bytes} bytes, {options.seconds} s; Kafka with {options.collector}\n")
    for name, unit in (("rss_mib", "MiB resident with all streams open"), ("empty_mib", "MiB with none"), ("kib_per_stream", "KiB a stream"),
                       ("open_s", "s to open them all"), ("lines_per_s", "lines/s"), ("deliveries_per_s", "events/s at the clients"),
                       ("line_p50_ms", "ms from a line's printing to its bytes at a client, median"), ("line_p90_ms", "ms, p90"),
                       ("line_p99_ms", "ms, p99"), ("line_p999_ms", "ms, p99.9"), ("line_max_ms", "ms, the latest")):
        print(f"{m[name]:>12.2f}  {unit}")
    print("\n       cores  of", os.cpu_count())
    for part, cores in m["cores"].items():
        print(f"{cores:>12.2f}  {part}")
    print("\n  requests/s      p50 ms      p99 ms")
    for name, f in load.items():
        print(f"{f['rate']:>12.0f}{f['p50_ms']:>12.2f}{f['p99_ms']:>12.2f}  {name}")


def measure(options, stack, at_end):
    tenant = f"rate-{options.rate}-lines-0-bytes-{options.bytes}-stamped"
    emulator = Emulator(stack.dir)
    at_end.callback(emulator.process.kill)
    ((_, port),) = stack.wait("the emulator", lambda: emulator.words("port"))
    worker = Worker(stack, options.runs * 10 // 9 + 50, f"http://127.0.0.1:{port}")
    at_end.callback(worker.end)
    stack.wait("the worker", worker.is_ready)
    api = Api(stack, tenant, options.readers)
    at_end.callback(api.end)
    stack.wait("the API", api.is_ready)
    live_runs(stack, worker, tenant, options.runs)
    runs = stack.dir / "runs"
    stack.wait("all runs in the tables", lambda: stack.value("select count(*) from fleet.runs where state = 'running'") == options.runs)
    runs.write_text("".join(r["run_id"] + "\n" for r in stack.rows("select run_id from fleet.runs")))
    parts = {"api": api.process, "worker": worker.process, "emulator": emulator.process}
    m = streams(options, stack, api, parts, runs)
    emulator.finish()
    stack.wait("the runs' end", lambda: stack.value("select count(*) from fleet.runs where not ended") == 0, 300)
    worker.end()  # what is submitted stays where it is
    return m, loads(options, stack, api, runs.read_text().split()[0])


def main():
    parser = argparse.ArgumentParser(prog="ops/bench api", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--readers", type=int, default=10000, help="open streams (10000)")
    add("--runs", type=int, default=1000, help="live runs (1000)")
    add("--rate", type=int, default=1, help="lines a second of each (1)")
    add("--bytes", type=int, default=300, help="bytes of a line (300)")
    add("--seconds", type=int, default=30, help="how long it is measured (30)")
    add("--warm", type=int, default=20, help="seconds before that (20)")
    add("--collector", choices=KAFKA_JAVA, default="zgc", help="of Kafka's Java (zgc); g1 is what its own script takes")
    add("--load", type=int, default=10, help="seconds for each kind of request (10)")
    add("--short", action="store_true", help="few of everything, and only losses are judged")
    options = parser.parse_args()
    if options.short:
        vars(options).update(SHORT)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with Stack("bench-api", only=["kafka", "postgres", "sink"], env={"SANDFLEET_KAFKA_JAVA": KAFKA_JAVA[options.collector]}) as stack, contextlib.ExitStack() as at_end:
        stack.execute("update ledger.limits set value = null")
        m, load = measure(options, stack, at_end)
    table(options, m, load)
    m |= {"submit_p99_ms": load["submit by 8"]["p99_ms"], "pages_per_s": load["page of 100"]["rate"], "submits_per_s": load["submit"]["rate"]}
    missed = [f"{name}={m[name]:.1f} is over {most}" for name, most in GOALS.items() if m[name] > most and not options.short]
    for what in missed:
        print(f"missed: {what}")
    print(f"streams={options.readers} rss_mib={m['rss_mib']:.0f} line_p50_ms={m['line_p50_ms']:.1f} line_p99_ms={m['line_p99_ms']:.1f} "
          f"pages_per_s={m['pages_per_s']:.0f} submits_per_s={m['submits_per_s']:.0f} submit_p99_ms={m['submit_p99_ms']:.1f}")
    return 1 if missed else 0


sys.exit(main())
