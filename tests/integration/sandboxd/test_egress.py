#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise: a sandbox without a network reaches, through the proxy, what its rules allow and nothing
else; the credential is added outside and is nowhere inside.
Proof: sandboxd at level strong, a plain and a TLS origin on this machine, and a program in the
sandbox that tries each way."""
import contextlib
import http.server
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from e2b import Sandboxd

SECRET = "planted-secret-48151623"
CLIENT = """
import socket, sys
s = socket.create_connection(("127.0.0.1", 3128), 10)
s.sendall(sys.argv[1].encode().decode("unicode_escape").encode())
while True:
    b = s.recv(65536)
    if not b: break
    sys.stdout.write(b.decode())
"""
SEARCH = """
import glob, os, sys
needle = sys.argv[1][::-1].encode()
hits = []
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try: hits += [path] * (needle in open(path, "rb").read())
    except OSError: pass
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid(): continue
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
            for line in maps:
                a, b = (int(x, 16) for x in line.split()[0].split("-"))
                if " r" not in line or b - a > 1 << 28: continue
                try: mem.seek(a); hits += [f"mem of {pid}"] * (needle in mem.read(b - a))
                except (OSError, ValueError, OverflowError): pass
    except OSError: pass
for root, _, files in os.walk("/home/user"):
    hits += [f for f in files if needle in open(os.path.join(root, f), "rb").read()]
print(hits, len(os.listdir("/proc")))
"""

HOLDER = "import sys, time; s = sys.argv[1][::-1]; print(1, flush=True); time.sleep(60)"


def run(sandbox, *words):
    done = sandbox.run(*words)
    return done.out.decode(), done.err.decode(), done.end.get("exitCode", 0)


class Origin(http.server.BaseHTTPRequestHandler):
    """Keeps the headers it was asked with; its answer tells the sandbox none of them."""

    def do_GET(self):
        self.server.seen.append({k.lower(): v for k, v in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def free_port():
    for port in range(22000, 32000):
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


@contextlib.contextmanager
def origin(certificate=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Origin)
    server.seen = []
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], server.seen
    finally:
        server.shutdown()
        server.server_close()


def make_certificate(folder, name):
    """One that is its own authority, for 127.0.0.1."""
    path = os.path.join(folder, name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", path, "-out", path + ".crt"], check=True, capture_output=True)
    with open(path, "a", encoding="utf-8") as whole, open(path + ".crt", encoding="utf-8") as crt:
        whole.write(crt.read())
    return path


class Egress(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.good, cls.bad = (make_certificate(cls.folder.name, n) for n in ("good", "bad"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @contextlib.contextmanager
    def sandbox(self, *allowed, **members):
        words = [w for a in allowed for w in ("--egress-allow", a)]
        server = Sandboxd("--isolation", "strong", "--egress-ca", self.good + ".crt", *words)
        try:
            yield server.create(**members)
        finally:
            server.stop()

    def ask(self, sandbox, request):
        out, err, status = run(sandbox, "/usr/bin/python3", "-c", CLIENT, request)
        self.assertEqual(status, 0, err)
        return out

    def get(self, sandbox, url, *headers):
        lines = "".join(h + "\\r\\n" for h in headers)
        return self.ask(sandbox, f"GET {url} HTTP/1.1\\r\\n{lines}\\r\\n")

    def test_there_is_no_other_way(self):
        with origin() as (port, _), self.sandbox() as sb:
            out, _, _ = run(sb, "/usr/bin/python3", "-c", f"""
import socket
for a in [("127.0.0.1", {port}), ("8.8.8.8", 53)]:
    try: socket.create_connection(a, 2); print("reached")
    except OSError: print("closed")""")
            self.assertEqual(out.split(), ["closed", "closed"])
            self.assertIn(" 403 ", self.get(sb, f"http://127.0.0.1:{port}/"))
            names, _, _ = run(sb, "/bin/sh", "-c", "ls /sys/class/net 2>/dev/null; echo $https_proxy")
            self.assertIn("http://127.0.0.1:3128", names)

    def test_what_the_server_allows(self):
        with origin() as (port, seen), self.sandbox(f"127.0.0.1:{port}") as sb:
            self.assertIn(" 200 ", self.get(sb, f"http://127.0.0.1:{port}/", "X-Mine: 1"))
            self.assertEqual(seen[-1]["x-mine"], "1")
            self.assertIn(" 200 Connection established",
                          self.ask(sb, f"CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n"
                                       "GET / HTTP/1.0\\r\\n\\r\\n"))

    def test_refusals_do_not_fill_the_log(self):
        many = "for _ in range(40):" + "".join(f"\n  {line}" for line in CLIENT.strip().splitlines()[1:])
        with self.sandbox() as sb:
            begun = time.monotonic()
            out, err, _ = run(sb, "/usr/bin/python3", "-c", "import socket, sys\n" + many,
                              "GET http://127.0.0.1:1/ HTTP/1.1\\r\\n\\r\\n")
            self.assertEqual(out.count("403 Forbidden"), 40, err)
            told = sb.server.text().count("egress.denied")
            self.assertTrue(1 <= told <= 2 + time.monotonic() - begun, told)

    def found(self, sandbox, needle):
        out, err, status = run(sandbox, "/usr/bin/python3", "-c", SEARCH, needle[::-1])
        self.assertEqual(status, 0, err)
        return out.rsplit(" ", 1)[0]

    def test_the_search_can_find(self):
        with self.sandbox() as sb:
            holder = sb.start("/usr/bin/python3", "-c", HOLDER, "control-needle"[::-1])
            next(e for _, e in holder if "data" in e["event"])
            self.assertIn("mem of", self.found(sb, "control-needle"))
            holder.close()

    def rules(self):
        return {"rules": {"127.0.0.1": [{"transform": {"headers": {"X-Api-Key": SECRET}}}]}}

    def test_the_credential_is_added_outside_by_tls(self):
        with origin(self.good) as (port, seen), self.sandbox("127.0.0.0/8", network=self.rules()) as sb:
            self.assertIn(" 200 ", self.get(sb, f"http://127.0.0.1:{port}/", "x-api-key: dummy"))
            self.assertEqual(seen[-1]["x-api-key"], SECRET)
            self.assertNotIn("dummy", str(seen))
            self.assertEqual(self.found(sb, SECRET), "[]")
            detail = sb.server.call("GET", f"/sandboxes/{sb.id}")[1].decode()
            self.assertNotIn(SECRET, detail)
            self.assertIn("X-Api-Key", detail)

    def test_an_origin_that_cannot_prove_itself_gets_nothing(self):
        with origin(self.bad) as (port, seen), self.sandbox("127.0.0.0/8", network=self.rules()) as sb:
            self.assertIn(" 502 ", self.get(sb, f"http://127.0.0.1:{port}/"))
            self.assertEqual(seen, [])
        with origin() as (port, _), self.sandbox("127.0.0.0/8", network=self.rules()) as sb:
            self.assertIn(" 502 ", self.get(sb, f"http://127.0.0.1:{port}/"))  # no TLS there

    def test_rules_can_be_replaced(self):
        with origin() as (port, seen), self.sandbox(f"127.0.0.1:{port}", network=self.rules()) as sb:
            self.get(sb, f"http://127.0.0.1:{port}/")
            self.assertEqual(seen[-1].get("x-api-key"), SECRET)
            self.assertEqual(sb.server.call("PUT", f"/sandboxes/{sb.id}/network", {})[0], 204)
            self.assertIn(" 200 ", self.get(sb, f"http://127.0.0.1:{port}/"))
            self.assertNotIn("x-api-key", seen[-1])

    def test_no_internet(self):
        with self.sandbox(allow_internet_access=False) as sb:
            self.assertIn(" 403 ", self.get(sb, "http://8.8.8.8/"))


if __name__ == "__main__":
    unittest.main()
