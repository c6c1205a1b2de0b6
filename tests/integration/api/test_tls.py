# SPDX-License-Identifier: Apache-2.0
"""Promise: with a certificate the HTTP door answers by TLS 1.2 and 1.3 and not otherwise, streams
included; what is no pair, no certificate, or a key that others may read, keeps it from starting.
Proof: Python's own TLS as a client that verifies, and that does not trust; openssl with old versions;
the client with --api-ca-file."""
import http.client
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import unittest
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from door import Door, database  # noqa: E402


def certify(folder, name):
    """An authority that signed itself, for the loopback address."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


class TlsDoor(Door):
    def __init__(self, cert, key, *options):
        self.context = ssl.create_default_context(cafile=cert)
        super().__init__("--tls-cert", cert, "--tls-key", key, *options, topics=True)

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.context)


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.cert, cls.key = certify(cls.folder, "ours")
        cls.other_cert, cls.other_key = certify(cls.folder, "other")
        cls.door = cls.enterClassContext(TlsDoor(cls.cert, cls.key, "--heartbeat", "100ms", "--request-timeout", "3s"))
        cls.token = cls.door.key()

    def versions(self, lowest, highest):
        context = ssl.create_default_context(cafile=self.cert)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = lowest, highest
            context.set_ciphers("ALL:@SECLEVEL=0")
        conn = http.client.HTTPSConnection("127.0.0.1", self.door.port, timeout=20, context=context)
        try:
            conn.request("GET", "/healthz")
            return conn.sock.version(), conn.getresponse().status
        finally:
            conn.close()

    def test_a_request(self):
        made = self.door.ask("POST", "/v1/runs", self.token, {"prompt": "x" * 100_000})
        self.assertEqual(made.status, 201, made)
        run = self.door.ask("GET", made.headers["Location"], self.token)
        self.assertEqual((run.status, run.json()["prompt"]), (200, "x" * 100_000))

    def test_a_stream(self):
        made = self.door.ask("POST", "/v1/runs", self.token, {"prompt": "hello"})
        conn = self.door.connect()
        self.addCleanup(conn.close)
        conn.request("GET", made.headers["Location"] + "/events", headers={
            "Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"})
        answer = conn.getresponse()
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/event-stream"))
        beats = 0
        while beats < 3:
            line = answer.readline()
            self.assertTrue(line, "the stream ended")
            beats += line.startswith(b":")

    def test_a_body_that_does_not_come(self):
        """It is cut; nothing in the clear stands in its place."""
        conn = self.door.connect()
        conn.connect()
        self.addCleanup(conn.close)
        conn.sock.settimeout(20)
        conn.sock.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: application/json\r\n"
                          b"Authorization: Bearer " + self.token.encode() + b"\r\n\r\n{")
        try:
            self.assertEqual(conn.sock.recv(1024), b"")
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
            pass

    def test_versions(self):
        self.assertEqual(self.versions(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2), ("TLSv1.2", 200))
        self.assertEqual(self.versions(ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3), ("TLSv1.3", 200))
        with self.assertRaises(ssl.SSLError):
            self.versions(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)

    def test_who_does_not_trust_it(self):
        context = ssl.create_default_context(cafile=self.other_cert)
        conn = http.client.HTTPSConnection("127.0.0.1", self.door.port, timeout=20, context=context)
        with self.assertRaises(ssl.SSLCertVerificationError):
            conn.request("GET", "/healthz")

    def test_plain_http_is_not_answered(self):
        conn = http.client.HTTPConnection("127.0.0.1", self.door.port, timeout=20)
        self.addCleanup(conn.close)
        with self.assertRaises((http.client.HTTPException, OSError)):
            conn.request("GET", "/healthz")
            conn.getresponse()

    def test_the_client(self):
        words = [database.BIN / "sandfleet", "runs", "list", "--api-url", f"https://127.0.0.1:{self.door.port}"]
        env = {**os.environ, "SANDFLEET_API_KEY": self.token}
        done = subprocess.run([*words, "--api-ca-file", self.cert], env=env, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run([*words, "--api-ca-file", self.other_cert], env=env, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 75, done.stderr)
        self.assertIn("certificate", done.stderr)

    def test_what_keeps_it_from_starting(self):
        open_key = self.folder / "open.key"
        open_key.write_bytes(self.key.read_bytes())
        open_key.chmod(0o644)
        for cert, key, status, word in ((self.cert, self.other_key, 78, "a pair"), (self.key, self.key, 78, "no certificate in PEM"),
                                        (self.cert, open_key, 78, "open.key"), (self.folder / "none", self.key, 78, "cannot read"),
                                        (self.cert, None, 2, "--tls-key is missing")):
            words = ["--tls-cert", cert] + (["--tls-key", key] if key else [])
            done = subprocess.run([database.BIN / "sandfleet-api", "--listen", "127.0.0.1:0", *words], env=self.door.environ("api"),
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, status, (word, done.stderr))
            self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
