# SPDX-License-Identifier: Apache-2.0
"""What the tests of a sandbox's files share."""
import json
import unittest
import urllib.parse

from e2b import Sandboxd


def form(*parts, boundary="xYzZy", end=True):
    """A multipart body of (name, filename, bytes); filename None: none."""
    out = b""
    for name, filename, body in parts:
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if filename is not None:
            out += f'; filename="{filename}"'.encode()
        out += b"\r\nContent-Type: application/octet-stream\r\n\r\n" + body + b"\r\n"
    return out + (f"--{boundary}--\r\n".encode() if end else b"")


class Files(unittest.TestCase):
    words = ("--max-upload", "64MiB")

    @classmethod
    def setUpClass(cls):
        cls.server = Sandboxd(*cls.words)

    @classmethod
    def tearDownClass(cls):
        cls.server.discard()

    def setUp(self):
        self.sandbox = self.server.create()
        self.addCleanup(self.sandbox.kill)

    def request(self, method, query, body=None, token=True, **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        all_of_them = self.sandbox.headers(**headers)
        if not token:
            del all_of_them["X-Access-Token"]
        path = "/files" + ("?" + urllib.parse.urlencode(query) if query else "")
        return self.server.call(method, path, body, all_of_them)

    def put(self, path, body, **headers):
        return self.request("POST", {"path": path}, body, Content_Type="application/octet-stream", **headers)

    def put_form(self, body, query=None, boundary="xYzZy", **headers):
        return self.request("POST", query or {}, body,
                            Content_Type=f"multipart/form-data; boundary={boundary}", **headers)

    def get(self, path, **headers):
        return self.request("GET", {"path": path}, **headers)

    def sh(self, script):
        return self.sandbox.run("sh", "-c", script).out.decode()

    def rpc(self, method, **message):
        """Of filesystem.Filesystem: (status, message)."""
        status, body, _ = self.sandbox.call("POST", f"/filesystem.Filesystem/{method}", message)
        return status, json.loads(body)

    def refused(self, method, code, **message):
        """The message of an answer that must be this Connect error."""
        status, told = self.rpc(method, **message)
        self.assertEqual((told["code"], status >= 400), (code, True), told)
        return told["message"]

    def entry(self, path):
        status, told = self.rpc("Stat", path=path)
        self.assertEqual(status, 200, told)
        return told["entry"]

    def error(self, answer):
        """(status, message) of an error; its code says the same as its status."""
        status, body, headers = answer
        told = json.loads(body)
        self.assertEqual((told["code"], headers["content-type"]), (status, "application/json"))
        return status, told["message"]
