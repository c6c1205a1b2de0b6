# SPDX-License-Identifier: Apache-2.0
"""What benches of the whole chain share: sandboxes that are none, and a worker of the bench's own."""
import contextlib
import datetime
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from fleet import programs  # noqa: E402

SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$', re.M)
PREFIX = "sandfleet_worker_"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Emulator:
    def __init__(self, folder):
        self.path = folder / "emulator.out"
        with open(self.path, "w") as out:
            self.process = subprocess.Popen([programs().parent / "tests" / "bench.emulator"], stdout=out,
                                            stdin=subprocess.DEVNULL)

    def words(self, first):
        """The lines that begin with a word, split."""
        return [line.split() for line in self.path.read_text().split("\n") if line.startswith(first + " ")]

    def created(self):
        return {run: int(us) for _, run, us in self.words("create")}

    def finish(self):
        self.process.send_signal(signal.SIGUSR1)

    def end(self):
        """Lines it printed in all."""
        self.process.terminate()
        self.process.wait(30)
        return int(self.words("end")[0][2])


class Worker:
    """core: the only one that it runs on; None: any. slots: a tenth of them stays free of batch runs."""

    def __init__(self, stack, slots, service, core=None):
        self.port, self.log = free_port(), stack.dir / "log" / "worker.log"
        env = stack.environ(E2B_API_URL=service, E2B_SANDBOX_URL=service, E2B_API_KEY="e2b_" + "0" * 40,
                            CLAUDE_CODE_OAUTH_TOKEN="bench-is-no-token", no_proxy="*", NO_PROXY="*")
        env.pop("SANDFLEET_MASTER_KEY_FILE", None)  # nobody seals anything, and it may not be there
        words = [*([] if core is None else ["taskset", "-c", core]), programs() / "sandfleet-worker", "--slots", slots,
                 "--metrics-listen", f"127.0.0.1:{self.port}", "--janitor", "1h"]
        with open(self.log, "w") as err:
            self.process = subprocess.Popen([str(w) for w in words], env=env, stdin=subprocess.DEVNULL, stderr=err)

    def metrics(self):
        """{"name" or "name{labels}": value}"""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        found = {f"{n}{{{l}}}" if l else n: float(v) for n, l, v in SAMPLE.findall(text)}
        return {**found, "at": time.monotonic()}

    def taken(self):
        """When each run was, in Unix ms, by the worker's log."""
        lines = re.findall(r"^time=(\S+) \S+ event=run.taken run=(\S+)", self.log.read_text(), re.M)
        return {run: datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() * 1000 for at, run in lines}

    def value(self, name):
        return self.metrics()[PREFIX + name]

    def is_ready(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status == 200
        if self.process.poll() is not None:
            raise SystemExit(f"error: the worker ended: {self.log.read_text()}")
        return False

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


def submit(stack, tenant, runs):
    stdin = "".join(json.dumps({"prompt": "print"}) + "\n" for _ in range(runs))
    stack.sandfleet("submit", "--file", "-", "--batch", str(uuid.uuid4()), "--tenant", tenant, "--timeout", "4h",
                    "--quiet", stdin=stdin, timeout=300)


def live_runs(stack, worker, tenant, runs):
    """So many follow their output, and its first lines came."""
    have = int(worker.value('runs{state="streaming"}'))
    submit(stack, tenant, runs - have)
    stack.wait(f"{runs} live runs", lambda: worker.value('runs{state="streaming"}') == runs, 900)
