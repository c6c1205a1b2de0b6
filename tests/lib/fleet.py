# SPDX-License-Identifier: Apache-2.0
"""A whole stack for one end-to-end test, started by ops/dev in a folder of its own.

    with Stack("kill_worker", workers=2) as stack:
        done = stack.sandfleet("run", "say hello")
        stack.kill("worker-1")
        stack.wait_rows("select * from fleet.runs where state = 'completed'", 1, seconds=30)

Python is no part of the product, so a mistake of the product cannot hide in here.
Nothing sleeps for a fixed time: every wait has a condition, a deadline and a name.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEV = str(ROOT / "ops" / "dev")
PSQL = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin") + "/psql"


class Stack:
    """Kafka, Postgres, sandboxd, sink and `workers` workers.

    claude   the program that sandboxes find as `claude`; None: the simulated one
    only     names of the parts to start; None: all
    env      further variables for every part, such as a worker's SANDFLEET_LEASE
    tls      Kafka by SASL over TLS, Postgres by verified TLS
    """

    # for tests whose agents leave something on this machine, as a count of their starts
    NOT_ISOLATED = {"SANDFLEET_SANDBOXD_ISOLATION": "none"}

    def __init__(self, name, claude=None, workers=1, only=None, env=None, tls=False):
        home = os.environ.get("SANDFLEET_TEST_DIR", ROOT / ".test" / f"run-{os.getpid()}")
        # one per build: a second run of a test must not find the first one's runs
        self.dir = pathlib.Path(home) / f"{name}-{programs().parent.name}"
        self.claude = str(claude or programs() / "claude-simulated")
        self.workers, self.only, self.tls = workers, only, tls
        self.extra = dict(env or {})
        self.env = None  # what DIR/env exports, on top of ours; there after up()

    def __enter__(self):
        try:
            return self.up()
        except BaseException:
            self.down()
            raise

    def __exit__(self, *_):
        """The folder stays, with the logs: ops/test removes it when all is green."""
        self.down()

    # --- life -----------------------------------------------------------

    def up(self):
        words = ["up", "--claude", self.claude, "--workers", str(self.workers)]
        if self.only:
            words += ["--only", ",".join(self.only)]
        if self.tls:
            words.append("--tls")
        self.dev(*words)
        self.env = read_env(self.dir / "env")
        return self

    def down(self, wipe=False):
        self.dev("down", *(["--wipe"] if wipe else []))

    def start(self, *parts):
        self.dev("start", *parts)

    def stop(self, *parts):
        """SIGTERM, and waits for the end."""
        self.dev("stop", *parts)

    def restart(self, *parts):
        self.dev("restart", *parts)

    def kill(self, *parts):
        """SIGKILL, and waits until they are gone."""
        self.dev("kill", *parts)

    def supervise(self, *parts):
        """As ops/systemd does (Restart=on-failure), for the one reason that is not ours: behind a broker's crash
        librdkafka 2.0 may lose count of what it has sent, and a process whose producer is dead leaves."""
        for part in parts:
            if "event=kafka.log about=FATAL" in self.log(part):
                self.start(part)

    def pid(self, part):
        return int((self.dir / "run" / f"{part}.pid").read_text())

    def rss_kib(self, part):
        status = pathlib.Path(f"/proc/{self.pid(part)}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def memory_of(self, part):
        """Every writable page of the process, as root sees it."""
        pid, found = self.pid(part), []
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
        with open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in maps.splitlines():
                match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
                start, end = (int(n, 16) for n in match.groups()) if match else (0, 0)
                if end - start > 1 << 30:
                    continue  # a sanitizer's shadow, in which no byte of ours stands
                try:
                    mem.seek(start)
                    found.append(mem.read(end - start))
                except OSError:
                    continue  # guard pages, devices
        return b"\n".join(found)

    def log(self, part):
        path = self.dir / "log" / f"{part}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def dev(self, command, *words):
        env = {**os.environ, **self.extra, "SANDFLEET_BIN": str(programs())}
        done = subprocess.run([DEV, command, "--dir", str(self.dir), *words], env=env, timeout=300,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"ops/dev {command} {shlex.join(words)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    # --- its doors ------------------------------------------------------

    def environ(self, **more):
        return {**os.environ, **self.env, **more}

    # what is the owner's work; everything else goes by the rights that the client has
    OWNERS = ("migrate", "retention")

    def environ_client(self, words, more):
        """As the client has it: SANDFLEET_DATABASE names its own login."""
        secret = self.dir / "secret" / "postgres-client"
        if words[:1] and words[0] not in self.OWNERS and secret.exists():
            login = f"user=dev_client password={secret.read_text()}"
            database = re.sub(r"user=\S+ password=\S+", login, self.env["SANDFLEET_DATABASE"])
            more = {"SANDFLEET_DATABASE": database, **more}
        return self.environ(**more)

    def sandfleet(self, *words, status=0, stdin="", timeout=120, **env):
        """Runs the client to its end and checks its exit status (None: any)."""
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        done = subprocess.run(["sandfleet", *words], env=self.environ_client(words, env), input=data,
                              capture_output=True, timeout=timeout)
        done.stdout, done.stderr = (out.decode(errors="replace") for out in (done.stdout, done.stderr))
        if status is not None and done.returncode != status:
            raise AssertionError(f"sandfleet {shlex.join(words)} ended with {done.returncode}, "
                                 f"not {status}:\n{done.stdout}{done.stderr}")
        return done

    def sandfleet_start(self, *words, **env):
        """The client in the background; the caller waits for it or kills it."""
        return subprocess.Popen(["sandfleet", *words], env=self.environ_client(words, env), text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def rows(self, query, **params):
        """The rows of a SELECT as dicts of JSON values. A parameter x is written :'x'."""
        # in hex: psql 15 swallows U+10FFFF on its way out
        query = ("select encode(convert_to(coalesce(json_agg(t), '[]')::text, 'UTF8'), 'hex') from (\n"
                 f"{query.rstrip().rstrip(';')}\n) t")
        return json.loads(bytes.fromhex(self.execute(query, **params)))

    def value(self, query, **params):
        """The one value of the one row."""
        (row,) = self.rows(query, **params)
        (value,) = row.values()
        return value

    def execute(self, statement, **params):
        words = [f"--set={name}={value}" for name, value in params.items()]
        done = subprocess.run([PSQL, "-XqAt", "-v", "ON_ERROR_STOP=1", *words, "-d",
                               self.env["SANDFLEET_DATABASE"]], input=statement, text=True,
                              capture_output=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"{done.stderr}\n{statement}")
        return done.stdout.strip()

    def produce(self, topic, value, key=None, headers=()):
        """One record with these very bytes, past the client and its checks."""
        words = ["kcat", "-P", "-b", self.env["SANDFLEET_BROKERS"], "-t", self.topic(topic),
                 *(["-k", key] if key else [])]
        for name, text in headers:
            words += ["-H", f"{name}={text}"]
        with tempfile.NamedTemporaryFile() as file:  # a file is one record, whatever is in it
            file.write(value)
            file.flush()
            subprocess.run([*words, file.name], check=True, timeout=60, capture_output=True)

    def records(self, topic):
        """Every record of a topic as kcat's JSON envelopes, in order per partition."""
        done = subprocess.run(["kcat", "-C", "-J", "-q", "-e", "-o", "beginning", "-b",
                               self.env["SANDFLEET_BROKERS"], "-t", self.topic(topic)],
                              check=True, timeout=120, capture_output=True)
        return json_lines(done.stdout.decode(errors="replace"))

    def topic(self, name):
        return self.env["SANDFLEET_PREFIX"] + name

    def kill_sandbox(self, sandbox_id):
        """As if it vanished: the ledger does not know."""
        request = urllib.request.Request(self.env["E2B_API_URL"] + "/sandboxes/" + sandbox_id, method="DELETE",
                                         headers={"X-API-Key": self.env["E2B_API_KEY"]})
        urllib.request.urlopen(request, timeout=30).read()

    # --- waiting --------------------------------------------------------

    def wait(self, what, condition, seconds=60):
        """Polls until condition() is true and returns that value; else fails naming `what`."""
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"after {seconds} s still waiting for: {what}")
            time.sleep(0.05)

    def wait_rows(self, query, count, seconds=60, **params):
        """Waits until the query gives at least `count` rows, and returns them."""
        def enough():
            rows = self.rows(query, **params)
            return rows if len(rows) >= count else None
        return self.wait(f"{count} rows of: {query} {params or ''}", enough, seconds)

    def wait_log(self, part, text, seconds=60):
        return self.wait(f"'{text}' in {part}.log", lambda: text in self.log(part), seconds)


def processes_with(text, where="cmdline"):
    """The ids of this machine's processes, in whatever sandbox, whose command line (or "environ") has it."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/" + where):
        try:
            if text.encode() in file.read_bytes():
                found.append(file.parent.name)
        except OSError:
            continue  # it has ended
    return found


def json_lines(text):
    """JSON Lines end at newlines only; str.splitlines() would also cut at U+2028."""
    return [json.loads(line) for line in text.split("\n") if line]


def programs():
    """The folder of the programs under test: CTest says which; by hand it is preset ci's."""
    return pathlib.Path(os.environ.get("SANDFLEET_BIN", ROOT / "build" / "ci" / "bin"))


def read_env(path):
    """What sourcing `path` exports."""
    shell = subprocess.run(["bash", "-c", '. "$1"; env -0', "-", str(path)], check=True,
                           capture_output=True, env={"PATH": os.environ["PATH"]})
    pairs = (pair.split("=", 1) for pair in shell.stdout.decode().split("\0") if pair)
    return {name: value for name, value in pairs if name not in ("_", "SHLVL", "PWD")}
