# SPDX-License-Identifier: Apache-2.0
"""Holds a real sandfleet-api to schema/openapi.yaml, on Kafka and Postgres: Schemathesis asks for every
operation, in good and in bad ways, and finds no 5xx and nothing that is not in the contract; then a client
that was generated from the contract does what a backend does, with workers behind it.

    run.py [schemathesis|client]…    both"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parents[1]
sys.path[:0] = [str(HERE), str(TESTS / "integration" / "api"), str(TESTS / "lib")]
import seeds  # noqa: E402
from door import Door, database  # noqa: E402
from fleet import Stack  # noqa: E402

# Seconds of fuzzing at most, behind all examples and all boundaries.
MAX_TIME = os.environ.get("CONTRACT_MAX_TIME", "110")
OWN = {"NO_PROXY": "*", "no_proxy": "*"}  # nothing is asked for outside of this machine

CONFIG = """
# What a schema cannot say of a request (times in order, bytes and not characters, a secret in it) is 422.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429]
"""

GENERATOR = """
post_hooks: []
package_name_override: sandfleet_client
content_type_overrides: {application/x-ndjson: application/octet-stream, application/yaml: application/octet-stream}
"""


class World(Door):
    """A door with something of everything in its tables, and no worker that would change them."""

    def __init__(self):
        super().__init__("--key-rate", "0", topics=True)
        try:
            for tenant in ("default", "other"):
                self.db.ask(seeds.sql(tenant))
            self.db.ask(seeds.FLEET)
            self.admin = self.key("--scope", "admin")
        except BaseException:
            self.close()
            raise


def learn(door):
    """What is there, by the parameter that names it; some of it only the server knows."""
    there = seeds.things("default")
    made = door.ask("POST", "/v1/batches", door.admin, {"batch_id": "open/1"})
    assert made.status == 201, made
    there["batch_id addBatchItems"] = there["batch_id sealBatch"] = ["open/1"]
    letters = door.ask("GET", "/v1/dlq", door.admin)
    assert letters.status == 200 and letters.json()["data"], letters
    there["letter_id"] = [letter["id"] for letter in letters.json()["data"]]
    return there


def schemathesis(folder):
    with World() as door:
        (folder / "seeds.json").write_text(json.dumps(learn(door)))
        (folder / "schemathesis.toml").write_text(CONFIG)
        words = [sys.executable, "-B", "-m", "schemathesis.cli", "--config-file", folder / "schemathesis.toml", "run",
                 f"http://127.0.0.1:{door.port}/openapi.yaml", "-H", f"Authorization: Bearer {door.admin}",
                 "--phases", "examples,coverage,fuzzing", "--checks", "all", "--max-examples", "12", "--max-time", MAX_TIME,
                 "--seed", "1", "--generation-database", "none", "--generation-allow-x00", "false", "--no-color", "--warnings", "off",
                 "--suppress-health-check", "filter_too_much",  # many of the examples it makes of a name's pattern it throws away itself
                 "--continue-on-failure", *os.environ.get("CONTRACT_OPTIONS", "").split()]
        env = {**os.environ, **OWN, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "CONTRACT_SEEDS": str(folder / "seeds.json")}
        good = subprocess.run(words, env=env, cwd=folder, stdin=subprocess.DEVNULL).returncode == 0
        if not good or door.stop() != 0:
            print(door.text()[-3000:])
            return False
    return True


def generate(folder):
    (folder / "config.yaml").write_text(GENERATOR)
    words = [sys.executable, "-B", "-m", "openapi_python_client", "generate", "--path", TESTS.parent / "schema" / "openapi.yaml",
             "--config", folder / "config.yaml", "--output-path", folder / "client"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0 or "WARNING" in done.stdout + done.stderr or "Unable" in done.stdout + done.stderr:
        raise SystemExit(f"the generator does not understand all of the contract:\n{done.stdout}{done.stderr}")
    return folder / "client"


def client(folder, stack):
    """In a language that is not ours, by somebody who knows only the contract."""
    package = generate(folder)
    with open(folder / "api.log", "w+") as log:
        api = subprocess.Popen(["sandfleet-api", "--listen", "127.0.0.1:0"], env=stack.environ(), stdin=subprocess.DEVNULL, stderr=log)
        try:
            def ready():
                return re.search(r"event=api.ready .*url=(\S+)", (folder / "api.log").read_text())

            env = {**os.environ, **OWN, "PYTHONPATH": str(package), "SANDFLEET_API_KEY": stack.sandfleet("keys", "create").stdout.strip(),
                   "SANDFLEET_API_URL": stack.wait("sandfleet-api", ready)[1]}
            good = subprocess.run([sys.executable, "-B", HERE / "smoke.py"], env=env, stdin=subprocess.DEVNULL).returncode == 0
        finally:
            api.terminate()
            api.wait(60)
        if not good:
            print((folder / "api.log").read_text()[-3000:])
        return good


def main():
    wanted, bad = sys.argv[1:] or ["schemathesis", "client"], []
    only = None if "client" in wanted else ["kafka", "postgres"]
    with tempfile.TemporaryDirectory() as folder, Stack("contract", only=only) as stack:
        os.environ.update(stack.env)
        if "schemathesis" in wanted and not schemathesis(pathlib.Path(folder)):
            bad.append("schemathesis")
        if "client" in wanted and not client(pathlib.Path(folder), stack):
            bad.append("client")
    print("contract:", f"not kept: {', '.join(bad)}" if bad else "kept")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
