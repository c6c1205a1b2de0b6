# SPDX-License-Identifier: Apache-2.0
"""Webhook receivers of a test: what each path answers is a script, what came is kept, and who signed
it is checked with nothing of ours: Python's hmac, OpenSSL's Ed25519."""
import base64
import collections
import hashlib
import hmac
import http.server
import pathlib
import ssl
import subprocess
import tempfile
import threading
import time

Got = collections.namedtuple("Got", "path headers body at")
ED25519_DER = bytes.fromhex("302a300506032b6570032100")  # what stands before the 32 bytes in a public key's file


class Receiver:
    """script: {path: [answer, …]}; the last answer stays. An answer is a status, (status, headers), or a
    function of the handler. What has no script is answered 200."""

    def __init__(self, pem=None):
        self.script, self.got, self.lock = {}, [], threading.Lock()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                owner.take(self)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 128

            def handle_error(self, *_):  # a sender that did not wait
                pass

        self.server = Server(("0.0.0.0", 0), Handler)
        self.port, self.scheme = self.server.server_port, "https" if pem else "http"
        if pem:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def url(self, path, host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}{path}"

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = handler.path.split("?")[0]
        with self.lock:
            self.got.append(Got(path, dict(handler.headers), body, time.monotonic()))
            answers = self.script.get(path, [200])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer(handler)
        else:
            reply(handler, *(answer if isinstance(answer, tuple) else (answer, {})))

    def of(self, path):
        with self.lock:
            return [g for g in self.got if g.path == path]


def certificate(folder, name):
    """Of 127.0.0.1, signed by itself, with its key: a file of both."""
    pem = pathlib.Path(folder) / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                    "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key", "-out", "cert"],
                   cwd=folder, check=True, capture_output=True, timeout=60)
    pem.write_bytes(b"".join((pathlib.Path(folder) / part).read_bytes() for part in ("key", "cert")))
    return str(pem)


def reply(handler, status, headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def hang(handler):
    """Reads nothing more and says nothing, until the other side goes away."""
    handler.connection.settimeout(20)
    try:
        while handler.connection.recv(1024):
            pass
    except OSError:
        pass
    handler.close_connection = True


def cut(handler):
    handler.close_connection = True


def endless(handler):
    """200, and a body that has no end."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass
    handler.close_connection = True


def signed(got):
    return b".".join([got.headers["webhook-id"].encode(), got.headers["webhook-timestamp"].encode(), got.body])


def by_secret(got, secret):
    """Is one of the v1 signatures this secret's?"""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    want = base64.b64encode(hmac.new(key, signed(got), hashlib.sha256).digest()).decode()
    return f"v1,{want}" in got.headers["webhook-signature"].split()


def by_public_key(got, public):
    """Is one of the v1a signatures this key's?"""
    key = base64.b64decode(public.removeprefix("whpk_"))
    mine = [base64.b64decode(s[4:]) for s in got.headers["webhook-signature"].split() if s.startswith("v1a,")]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "key").write_bytes(ED25519_DER + key)
        (folder / "text").write_bytes(signed(got))
        return any(openssl(folder, s) for s in mine)


def openssl(folder, signature):
    (folder / "sig").write_bytes(signature)
    words = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "key", "-in", "text",
             "-sigfile", "sig"]
    return subprocess.run(words, cwd=folder, capture_output=True, timeout=30).returncode == 0
