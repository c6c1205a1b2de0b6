#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A whole fleet by SASL over TLS to Kafka and verified TLS to Postgres: a run goes through; who
comes with another authority, a wrong password or in clear is refused, and told why."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack  # noqa: E402

TOKEN = """security.protocol=sasl_ssl
ssl.ca.location={ca}
sasl.mechanisms=OAUTHBEARER
enable.sasl.oauthbearer.unsecure.jwt=true
sasl.oauthbearer.config=principal=admin
"""


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("tls", tls=True))
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.good = (cls.stack.dir / "tls" / "kafka.conf").read_text()

    def settings(self, text):
        """A file for --kafka-config."""
        file = pathlib.Path(self.folder.name) / "kafka.conf"
        file.write_text(text)
        file.chmod(0o600)
        return str(file)

    def database(self, **more):
        return self.stack.env["SANDFLEET_DATABASE"] + "".join(f" {k}={v}" for k, v in more.items())

    def test_a_run_goes_through(self):
        run = self.stack.sandfleet("run", "say hello", "-o", "json")
        self.assertIn("completed", run.stdout)
        self.stack.wait_rows("select 1 as n from fleet.runs where state = 'completed'", 1, seconds=30)

    def test_kafka_refusals(self):
        other, ca = (str(self.stack.dir / "tls" / name) for name in ("other-ca.pem", "ca.pem"))
        password = next(line for line in self.good.splitlines() if line.startswith("sasl.password="))
        rows = [
            ("another authority", self.good.replace(ca, other), 78, "certificate verify failed"),
            ("a wrong password", self.good.replace(password, "sasl.password=wrong"), 4, "sasl.password"),
            ("a password only", "sasl.mechanisms=PLAIN\n", 75, "does not answer"),
        ]
        for name, text, status, says in rows:
            with self.subTest(name):
                done = self.stack.sandfleet("topics", "apply", status=status,
                                            SANDFLEET_KAFKA_CONFIG=self.settings(text))
                self.assertIn(says, done.stderr)
                self.assertNotIn(password.split("=", 1)[1], done.stdout + done.stderr)

    def test_a_token_instead_of_a_password(self):
        ca = self.stack.dir / "tls" / "ca.pem"
        config = self.settings(TOKEN.format(ca=ca))
        self.stack.sandfleet("topics", "apply", SANDFLEET_KAFKA_CONFIG=config)
        self.stack.sandfleet("submit", "by a token", SANDFLEET_KAFKA_CONFIG=config)

    def test_scram_works_or_says_what_is_missing(self):
        """docs/adr/0024: it depends on the library that is installed."""
        config = self.settings(self.good.replace("sasl.mechanisms=PLAIN", "sasl.mechanisms=SCRAM-SHA-256"))
        done = self.stack.sandfleet("topics", "apply", status=None, SANDFLEET_KAFKA_CONFIG=config)
        if done.returncode:
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn("librdkafka before 2.6.1", done.stderr)

    def test_postgres_refusals(self):
        other = str(self.stack.dir / "tls" / "other-ca.pem")
        rows = [
            ("another authority", self.database(sslrootcert=other), "certificate verify failed"),
            ("another name", self.database(host="elsewhere.example", hostaddr="127.0.0.1"), "does not match"),
            ("in clear", self.database(sslmode="disable"), "no encryption"),
        ]
        for name, database, says in rows:
            with self.subTest(name):
                done = self.stack.sandfleet("limits", "get", status=None, SANDFLEET_DATABASE=database)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(says, done.stderr)

    def test_daemons_tell_whom_they_distrust(self):
        ca = str(self.stack.dir / "tls" / "ca.pem")
        config = self.settings(self.good.replace(ca, ca.replace("ca.pem", "other-ca.pem")))
        log = tempfile.TemporaryFile()
        self.addCleanup(log.close)
        api = subprocess.Popen(["sandfleet-api", "--listen", "127.0.0.1:0", "--anonymous", "t"],
                               env=self.stack.environ(SANDFLEET_KAFKA_CONFIG=config), stderr=log)
        self.addCleanup(api.wait)
        self.addCleanup(api.kill)

        def said():
            log.seek(0)
            return b"event=kafka.tls_failed" in log.read()

        self.stack.wait("kafka.tls_failed in the API's log", said, seconds=30)
        self.assertIsNone(api.poll())  # certificates are renewed: it goes on trying


if __name__ == "__main__":
    unittest.main(verbosity=2)
