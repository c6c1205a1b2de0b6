#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise: `sandfleet doctor` finds the part that is missing, says what to do next, skips what hangs on
it, and ends in time whatever the part does. Proof: one stack of all parts; each is taken away in turn,
by stopping it, by another address, or by one that takes connections and never answers."""
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from fleet import Stack  # noqa: E402

NOWHERE = "127.0.0.1:1"
CHECKS = ["config", "kafka", "topics", "database", "migrations", "clock", "workers", "sink", "api", "api-key", "sandboxes"]


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("doctor"))

    def ask(self, *words, status=0, **env):
        """Each check's answer, by its name."""
        done = self.stack.sandfleet("doctor", "-o", "json", *words, status=status, **env)
        found = json.loads(done.stdout)
        self.assertEqual([one["check"] for one in found], CHECKS)
        for one in found:
            self.assertEqual("next" in one, one["state"] == "failed", one)
        return {one["check"]: one for one in found}

    def expect(self, found, failed, skipped=()):
        self.assertEqual({name: one["state"] for name, one in found.items()},
                         {name: "failed" if name in failed else "skipped" if name in skipped else "ok" for name in CHECKS}, found)

    def eventually(self, *words, check, state, seconds=30, **env):
        until = time.monotonic() + seconds
        while (found := self.ask(*words, status=None, **env))[check]["state"] != state:
            self.assertLess(time.monotonic(), until, found[check])
        return found

    def test_all_is_well(self):
        found = self.eventually(check="sink", state="ok")
        self.expect(found, [])
        self.assertIn("***", found["database"]["found"])
        told = self.stack.sandfleet("doctor").stdout
        self.assertEqual([line.split()[:2] for line in told.splitlines()], [["ok", name] for name in CHECKS])
        password = self.stack.env["SANDFLEET_DATABASE"].split("password=")[1]
        self.assertNotIn(password, told + json.dumps(found))
        self.assertEqual(self.stack.sandfleet("doctor", "-q").stdout, "")

    # --- other addresses ------------------------------------------------

    def test_kafka_is_away(self):
        found = self.ask(SANDFLEET_BROKERS=NOWHERE, status=75)
        self.expect(found, ["kafka"], ["topics", "sink"])
        self.assertIn("SANDFLEET_BROKERS", found["kafka"]["next"])

    def test_other_topics(self):
        found = self.ask("--prefix", "other.", status=78)
        self.expect(found, ["topics"], ["sink"])
        self.assertIn("sandfleet topics apply", found["topics"]["next"])

    def test_postgres_is_away(self):
        hung = ["migrations", "clock", "workers", "sink"]
        found = self.ask(SANDFLEET_DATABASE="host=127.0.0.1 port=1 password=hushhush", status=75)
        self.expect(found, ["database"], hung)
        self.assertNotIn("hush", json.dumps(found))
        self.expect(self.ask(SANDFLEET_DATABASE=""), [], ["database", *hung])

    def test_an_empty_database(self):
        self.stack.execute("DROP DATABASE IF EXISTS empty")
        self.stack.execute("CREATE DATABASE empty")
        found = self.ask(SANDFLEET_DATABASE=self.stack.env["SANDFLEET_DATABASE"].replace("dbname=sandfleet", "dbname=empty"), status=78)
        self.expect(found, ["migrations"], ["workers", "sink"])
        self.assertIn("sandfleet migrate", found["migrations"]["next"])

    def test_a_clock_that_is_an_hour_ahead(self):
        self.stack.execute("DROP SCHEMA IF EXISTS skewed CASCADE; CREATE SCHEMA skewed; CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
                           " AS $$ SELECT pg_catalog.now() + interval '1 hour' $$")
        conninfo = self.stack.env["SANDFLEET_DATABASE"] + " options='-c search_path=skewed,pg_catalog'"
        found = self.ask(SANDFLEET_DATABASE=conninfo, status=78)
        self.expect(found, ["clock"])
        self.assertRegex(found["clock"]["found"], r"(3599|360[0-9])\d{3} ms ahead")

    def test_the_api_is_away(self):
        self.expect(self.ask(SANDFLEET_API_URL=f"http://{NOWHERE}", status=75), ["api"], ["api-key"])
        # something else is there
        self.expect(self.ask(SANDFLEET_API_URL=self.stack.env["E2B_API_URL"], status=76), ["api"], ["api-key"])

    def test_keys(self):
        """The stack's own API asks for none, so there is another one that does."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            listen = "127.0.0.1:%d" % free.getsockname()[1]
        door = subprocess.Popen(["sandfleet-api", "--listen", listen], env=self.stack.environ(), stderr=subprocess.DEVNULL)
        try:
            url = {"SANDFLEET_API_URL": f"http://{listen}"}
            self.expect(self.eventually(check="api", state="ok", **url), [], ["api-key"])
            found = self.ask(SANDFLEET_API_KEY="sfk_no_such_key", status=4, **url)
            self.expect(found, ["api-key"])
            self.assertNotIn("sfk_no_such_key", json.dumps(found))
            key = json.loads(self.stack.sandfleet("keys", "create", "-o", "json").stdout)["key"]
            found = self.ask(SANDFLEET_API_KEY=key, **url)
            self.expect(found, [])
            self.assertNotIn(key, json.dumps(found))
        finally:
            door.terminate()
            door.wait(timeout=30)

    def test_the_sandbox_service(self):
        self.expect(self.ask(E2B_API_URL=f"http://{NOWHERE}", status=75), ["sandboxes"])
        self.expect(self.ask(E2B_API_KEY="e2b_no_such_key", status=4), ["sandboxes"])
        self.expect(self.ask(E2B_API_KEY=""), [], ["sandboxes"])

    def test_a_configuration_at_fault(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("brokers = x\nbroker = y\n")
            file.flush()
            found = self.ask(SANDFLEET_CONFIG=file.name, status=78)
        self.expect(found, ["config"])
        self.assertIn(":2: unknown key 'broker'", found["config"]["found"])

    def test_what_never_answers_has_a_deadline(self):
        with socket.create_server(("127.0.0.1", 0), backlog=64) as hole:
            port = hole.getsockname()[1]
            began = time.monotonic()
            found = self.ask("--deadline", "2s", status=75, SANDFLEET_BROKERS=f"127.0.0.1:{port}", E2B_API_URL=f"http://127.0.0.1:{port}",
                             SANDFLEET_DATABASE=f"host=127.0.0.1 port={port}", SANDFLEET_API_URL=f"http://127.0.0.1:{port}")
            self.assertLess(time.monotonic() - began, 10)
        self.expect(found, ["kafka", "database", "api", "sandboxes"], ["topics", "migrations", "clock", "workers", "sink", "api-key"])

    # --- parts that are gone ----------------------------------------------

    def test_no_worker(self):
        self.stack.kill("worker-1")
        try:
            found = self.eventually("--lease", "1s", check="workers", state="failed")
            self.expect(found, ["workers"])
            self.assertIn("silent", found["workers"]["found"])
        finally:
            self.stack.start("worker-1")
        self.eventually(check="workers", state="ok")

    def test_no_sink(self):
        self.stack.stop("sink")
        try:
            found = self.eventually(check="sink", state="failed")
            self.assertIn("no sink is connected", found["sink"]["found"])
            self.stack.sandfleet("submit", "-q", "hello")
            found = self.eventually(check="sink", state="failed")
            self.assertIn("not moving", found["sink"]["found"])
            self.assertIn("sandfleet-sink", found["sink"]["next"])
        finally:
            self.stack.start("sink")
        self.expect(self.eventually(check="sink", state="ok"), [])

    def test_the_api_lacks_its_database(self):
        self.stack.kill("postgres")
        try:
            found = self.eventually(check="api", state="failed")
            self.assertEqual(found["database"]["state"], "failed")
            self.assertIn("database", found["api"]["found"])
        finally:
            self.stack.start("postgres")
        self.eventually(check="api", state="ok", seconds=60)


if __name__ == "__main__":
    unittest.main()
