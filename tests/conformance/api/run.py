# SPDX-License-Identifier: Apache-2.0
"""Holds a real sandfleet-api, with Kafka, Postgres and a sink behind it, to schema/openapi.yaml:
Schemathesis asks for every operation, in good and in bad ways, and finds no 5xx and no answer that is not
in the contract; then a client that was generated from the contract does what a backend does.

    run.py [schemathesis|client]…    both"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "integration" / "api")]
import seeds  # noqa: E402
from door import Door, database  # noqa: E402

# Seconds of fuzzing at most, behind all examples and all boundaries.
MAX_TIME = os.environ.get("CONTRACT_MAX_TIME", "110")

CONFIG = """
# What a schema cannot say of a request (times in order, bytes and not characters, a secret in it) is 422.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429, 503]
"""


class World(Door):
    """A door with a sink behind it, and something of everything in it."""

    def __init__(self, *options):
        self.sink = None
        super().__init__("--key-rate", "0", *options, topics=True)
        try:
            self.sink = subprocess.Popen([database.BIN / "sandfleet-sink"], env=self.environ(), stdin=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
            for tenant in ("default", "other"):
                self.db.ask(seeds.sql(tenant))
            self.db.ask(seeds.FLEET)
            self.admin = self.key("--scope", "admin")
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.sink:
            self.sink.kill()
            self.sink.wait()
        super().close()


def learn(door):
    """Names that only the server knows, and one thing of each kind that may go."""
    there = seeds.things("default")
    made = door.ask("POST", "/v1/batches", door.admin, {"batch_id": "open/1"})
    assert made.status == 201, made
    there["batch_id addBatchItems"] = there["batch_id sealBatch"] = ["open/1"]
    letters = door.ask("GET", "/v1/dlq", door.admin)
    assert letters.status == 200, letters
    there["letter_id"] = [letter["id"] for letter in letters.json()["data"]]
    assert there["letter_id"], "no dead letter"
    return there


def schemathesis(door, folder):
    (folder / "seeds.json").write_text(json.dumps(learn(door)))
    (folder / "schemathesis.toml").write_text(CONFIG)
    words = [sys.executable, "-B", "-m", "schemathesis.cli", "--config-file", folder / "schemathesis.toml", "run",
             f"http://127.0.0.1:{door.port}/openapi.yaml", "-H", f"Authorization: Bearer {door.admin}",
             "--phases", "examples,coverage,fuzzing", "--checks", "all", "--max-examples", "12", "--max-time", MAX_TIME,
             "--seed", "1", "--generation-database", "none", "--no-color", "--warnings", "off", "--continue-on-failure",
             "--report", "junit", "--report-dir", folder, *os.environ.get("CONTRACT_OPTIONS", "").split()]
    env = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "CONTRACT_SEEDS": str(folder / "seeds.json"),
           "NO_PROXY": "*", "no_proxy": "*"}
    return subprocess.run(words, env=env, cwd=folder, stdin=subprocess.DEVNULL).returncode == 0


def client(door, folder):
    """Generated in a language that is not ours, and used by somebody who knows only the contract."""
    (folder / "config.yaml").write_text("post_hooks: []\npackage_name_override: sandfleet_client\n")
    done = subprocess.run([sys.executable, "-B", "-m", "openapi_python_client", "generate", "--path", HERE.parents[2] / "schema" / "openapi.yaml",
                           "--config", folder / "config.yaml", "--output-path", folder / "client", "--overwrite"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0 or "WARNING" in done.stdout + done.stderr:
        print(done.stdout, done.stderr)
        return False
    env = {**os.environ, "PYTHONPATH": str(folder / "client"), "NO_PROXY": "*", "no_proxy": "*",
           "SANDFLEET_API_URL": f"http://127.0.0.1:{door.port}", "SANDFLEET_API_KEY": door.key()}
    return subprocess.run([sys.executable, "-B", HERE / "smoke.py"], env=env, stdin=subprocess.DEVNULL).returncode == 0


PARTS = {"schemathesis": schemathesis, "client": client}


def main():
    wanted = sys.argv[1:] or list(PARTS)
    with tempfile.TemporaryDirectory() as folder, World() as door:
        bad = [name for name in wanted if not PARTS[name](door, pathlib.Path(folder))]
        assert door.process.poll() is None, door.text()[-4000:]
        if bad:
            print(door.text()[-3000:])
    print("contract:", f"not kept: {', '.join(bad)}" if bad else "kept")
    return 1 if bad else 0


sys.exit(main())
