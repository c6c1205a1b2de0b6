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
        return self.asked(*words, status=status, **env)[0]

    def asked(self, *words, status=None, **env):
        """The same, and the exit status."""
        done = self.stack.sandfleet("doctor", "-o", "json", *words, status=status, **env)
        found = json.loads(done.stdout)
        self.assertEqual([one["check"] for one in found], CHECKS)
        for one in found:
            self.assertEqual("next" in one, one["state"] == "failed", one)
        return {one["check"]: one for one in found}, done.returncode

    def expect(self, failed, skipped=(), *words, status=0, **env):
        """These fail and these are skipped, and all others are well: soon, as parts that another test
        took away may still be on their way back."""
        want = {name: "failed" if name in failed else "skipped" if name in skipped else "ok" for name in CHECKS}
        until = time.monotonic() + 60
        while True:
            found, ended = self.asked(*words, **env)
            if {name: one["state"] for name, one in found.items()} == want:
                self.assertEqual(ended, status, found)
                return found
            self.assertLess(time.monotonic(), until, f"want {want}, have {found}")

    def eventually(self, *words, check, state, seconds=30, **env):
        until = time.monotonic() + seconds
        while (found := self.ask(*words, status=None, **env))[check]["state"] != state:
            self.assertLess(time.monotonic(), until, found[check])
        return found

    def test_all_is_well(self):
        found = self.expect([])
        self.assertIn("***", found["database"]["found"])
        told = self.stack.sandfleet("doctor").stdout
        self.assertEqual([line.split()[:2] for line in told.splitlines()], [["ok", name] for name in CHECKS])
        password = self.stack.env["SANDFLEET_DATABASE"].split("password=")[1]
        self.assertNotIn(password, told + json.dumps(found))
        self.assertEqual(self.stack.sandfleet("doctor", "-q").stdout, "")

    # --- other addresses ------------------------------------------------

    def test_kafka_is_away(self):
        found = self.expect(["kafka"], ["topics", "sink"], SANDFLEET_BROKERS=NOWHERE, status=75)
        self.assertIn("SANDFLEET_BROKERS", found["kafka"]["next"])

    def test_other_topics(self):
        found = self.expect(["topics"], ["sink"], "--prefix", "other.", status=78)
        self.assertIn("sandfleet topics apply", found["topics"]["next"])

    def test_postgres_is_away(self):
        hung = ["migrations", "clock", "workers", "sink"]
        found = self.expect(["database"], hung, SANDFLEET_DATABASE="host=127.0.0.1 port=1 password=hushhush", status=75)
        self.assertNotIn("hush", json.dumps(found))
        self.expect([], ["database", *hung], SANDFLEET_DATABASE="")

    def test_an_empty_database(self):
        self.stack.execute("DROP DATABASE IF EXISTS empty")
        self.stack.execute("CREATE DATABASE empty")
        conninfo = self.stack.env["SANDFLEET_DATABASE"].replace("dbname=sandfleet", "dbname=empty")
        found = self.expect(["migrations"], ["workers", "sink"], SANDFLEET_DATABASE=conninfo, status=78)
        self.assertIn("sandfleet migrate", found["migrations"]["next"])

    def test_a_clock_that_is_an_hour_ahead(self):
        self.stack.execute("DROP SCHEMA IF EXISTS skewed CASCADE; CREATE SCHEMA skewed; CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
                           " AS $$ SELECT pg_catalog.now() + interval '1 hour' $$")
        conninfo = self.stack.env["SANDFLEET_DATABASE"] + " options='-c search_path=skewed,pg_catalog'"
        found = self.expect(["clock"], SANDFLEET_DATABASE=conninfo, status=78)
        self.assertRegex(found["clock"]["found"], r"(3599|360[0-9])\d{3} ms ahead")

    def test_the_api_is_away(self):
        self.expect(["api"], ["api-key"], SANDFLEET_API_URL=f"http://{NOWHERE}", status=75)
        # something else is there
        self.expect(["api"], ["api-key"], SANDFLEET_API_URL=self.stack.env["E2B_API_URL"], status=76)

    def test_keys(self):
        """The stack's own API asks for none, so there is another one that does."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            listen = "127.0.0.1:%d" % free.getsockname()[1]
        door = subprocess.Popen(["sandfleet-api", "--listen", listen], env=self.stack.environ(), stderr=subprocess.DEVNULL)
        try:
            url = {"SANDFLEET_API_URL": f"http://{listen}"}
            found = self.expect(["api-key"], status=4, **url)
            for way in ("--api-key-file", "SANDFLEET_API_KEY", "sandfleet keys create"):
                self.assertIn(way, found["api-key"]["next"])
            found = self.expect(["api-key"], SANDFLEET_API_KEY="sfk_no_such_key", status=4, **url)
            self.assertNotIn("sfk_no_such_key", json.dumps(found))
            key = json.loads(self.stack.sandfleet("keys", "create", "-o", "json").stdout)["key"]
            found = self.expect([], SANDFLEET_API_KEY=key, **url)
            self.assertNotIn(key, json.dumps(found))
        finally:
            door.terminate()
            door.wait(timeout=30)

    def test_the_sandbox_service(self):
        self.expect(["sandboxes"], E2B_API_URL=f"http://{NOWHERE}", status=75)
        self.expect(["sandboxes"], E2B_API_KEY="e2b_no_such_key", status=4)
        self.expect([], ["sandboxes"], E2B_API_KEY="")

    def test_a_configuration_at_fault(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("brokers = x\nbroker = y\n")
            file.flush()
            found = self.expect(["config"], SANDFLEET_CONFIG=file.name, status=78)
        self.assertIn(":2: unknown key 'broker'", found["config"]["found"])

    def test_what_never_answers_has_a_deadline(self):
        with socket.create_server(("127.0.0.1", 0), backlog=64) as hole:
            port = hole.getsockname()[1]
            began = time.monotonic()
            found = self.ask("--deadline", "2s", status=75, SANDFLEET_BROKERS=f"127.0.0.1:{port}", E2B_API_URL=f"http://127.0.0.1:{port}",
                             SANDFLEET_DATABASE=f"host=127.0.0.1 port={port}", SANDFLEET_API_URL=f"http://127.0.0.1:{port}")
            self.assertLess(time.monotonic() - began, 10)
        self.assertEqual([name for name in CHECKS if found[name]["state"] == "failed"], ["kafka", "database", "api", "sandboxes"])
        self.assertIn("no answer within 2000 ms", found["database"]["found"])

    # --- parts that are gone ----------------------------------------------

    def test_no_worker(self):
        self.stack.kill("worker-1")
        try:
            found = self.expect(["workers"], (), "--lease", "1s", status=75)
            self.assertIn("silent", found["workers"]["found"])
        finally:
            self.stack.start("worker-1")
        self.expect([])

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
        self.expect([])

    def test_the_api_lacks_its_database(self):
        self.stack.kill("postgres")
        try:
            found = self.eventually(check="api", state="failed")
            self.assertEqual(found["database"]["state"], "failed")
            self.assertIn("database", found["api"]["found"])
        finally:
            self.stack.start("postgres")
        self.expect([])  # each part has its connection back


if __name__ == "__main__":
    unittest.main()
