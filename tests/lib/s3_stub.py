# SPDX-License-Identifier: Apache-2.0
"""An S3 stand-in for tests: PUT, GET, DELETE of objects, in memory.

Each request's Signature Version 4 is worked out anew, by Amazon's own rules and by nothing of ours, and
refused (403) when it is another; so is a body that is shorter than it was said to be.

    s3_stub.py REGION KEY_ID SECRET [TOKEN]      prints "url=http://127.0.0.1:PORT"
"""
import hashlib
import hmac
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit

REGION, KEY_ID, SECRET, TOKEN = (sys.argv[1:] + [None])[:4]
OBJECTS = {}


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(method, path, query, headers, signed, stamp, body_hash):
    canonical = "\n".join(
        [method, quote(unquote(path), safe="/-_.~"), query]
        + [f"{name}:{' '.join(headers[name].split())}" for name in signed]
        + ["", ";".join(signed), body_hash])
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in (stamp[:8], REGION, "s3", "aws4_request"):
        key = mac(key, part)
    return mac(key, text).hex(), scope


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def refusal(self):
        headers = {}
        for name, value in self.headers.items():
            headers[name.lower()] = value
        match = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})",
                             headers.get("authorization", ""))
        if not match:
            return "no signature"
        key_id, scope, signed, given = match.groups()
        signed = signed.split(";")
        if signed != sorted(signed) or not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(signed):
            return "not all is signed that must be"
        if any(name not in headers for name in signed):
            return f"signed, but not sent: {[n for n in signed if n not in headers]}"
        if TOKEN and (headers.get("x-amz-security-token") != TOKEN or "x-amz-security-token" not in signed):
            return "the session's token is missing"
        url = urlsplit(self.path)
        want, want_scope = signature(self.command, url.path, url.query, headers, signed,
                                     headers["x-amz-date"], headers["x-amz-content-sha256"])
        if key_id != KEY_ID or scope != want_scope or not hmac.compare_digest(want, given):
            return "another signature"
        return None

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        print(self.command, self.path, status, flush=True)

    def do_PUT(self):
        why = self.refusal()
        if "Content-Length" not in self.headers:
            self.close_connection = True
            self.answer(411)
            return
        size = int(self.headers["Content-Length"])
        body = self.rfile.read(size)
        if len(body) < size:  # the client gave up: nothing is stored
            self.close_connection = True
            print(self.command, self.path, "cut", flush=True)
            return
        if why:
            self.answer(403, why.encode())
            return
        OBJECTS[unquote(self.path)] = body
        self.answer(200)

    def do_GET(self):
        why = self.refusal()
        if why:
            self.answer(403, why.encode())
        elif unquote(self.path) in OBJECTS:
            self.answer(200, OBJECTS[unquote(self.path)])
        else:
            self.answer(404)

    def do_DELETE(self):
        why = self.refusal()
        if not why:
            OBJECTS.pop(unquote(self.path), None)
        self.answer(403 if why else 204, (why or "").encode())

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    for port in range(21000, 32000):  # below where clients' own ports are
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
            break
        except OSError:
            pass
    print(f"url=http://127.0.0.1:{port}", flush=True)
    server.serve_forever()
