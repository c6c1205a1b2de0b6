# SPDX-License-Identifier: Apache-2.0
"""Promise: /files and what is around it behave as envd's do, byte by byte.
Proof: a real server, raw HTTP; what the sandbox sees is asked of the sandbox itself."""
import base64
import gzip
import hashlib
import json
import os
import time
import unittest
import urllib.parse

from files_case import Files, form

OCTETS = {"Content-Type": "application/octet-stream"}


def pieces(body, n):
    return (body[i:i + n] for i in range(0, len(body), n))


class Up(Files):
    def test_answer(self):
        status, body, headers = self.put("~/a/b/x y.txt", b"12345")
        home = self.sh("pwd").strip()
        self.assertEqual((status, headers["content-type"]), (200, "text/plain; charset=utf-8"))
        self.assertEqual(json.loads(body), [{"name": "x y.txt", "path": f"{home}/a/b/x y.txt", "type": "file"}])
        self.assertEqual(self.sh("stat -c '%a %s' 'a/b/x y.txt'; stat -c %a a; stat -c %u a; id -u").split(),
                         ["644", "5", "755", *[self.sh("id -u").strip()] * 2])

    def test_a_file_is_replaced_in_place(self):
        self.put("x", b"longer than the other")
        self.sh("chmod 700 x; ln -s x link; ln x hard")
        self.assertEqual(self.put("link", b"short")[0], 200)
        self.assertEqual(self.sh("cat hard; stat -c %a x; readlink link"), "short700\nx\n")

    def test_forms(self):
        big = os.urandom(3 << 20) + b"\r\n--xYzZ\r\n--xYzZ" # nearly the delimiter
        body = form(("file", "d/one", big), ("other", "no", b"skipped"), ("file", "two", b""),
                    ("file", "~/d/three", b"\r\n"))
        for cut in (len(body), 70000, 4099):
            self.sh("rm -rf d two")
            status, answer, headers = self.put_form(pieces(body, cut))
            self.assertEqual((status, headers["content-type"]), (200, "text/plain; charset=utf-8"))
            self.assertEqual([e["name"] for e in json.loads(answer)], ["one", "two", "three"])
            self.assertEqual([self.get(p)[1] for p in ("d/one", "two", "d/three")], [big, b"", b"\r\n"])
        self.assertEqual(self.sh("ls"), "d\ntwo\n")

    def test_a_form_with_a_path(self):
        self.assertEqual(self.put_form(form(("file", "ignored", b"1")), {"path": "there"})[0], 200)
        self.assertEqual(self.sh("ls; cat there"), "there\n1")
        status, told = self.error(self.put_form(form(("file", "a", b"1"), ("file", "b", b"2")), {"path": "p"}))
        self.assertEqual(status, 400)
        self.assertIn("you cannot upload multiple files to the same path", told)
        self.assertEqual(self.sh("cat p"), "1")

    def test_bad_forms_leave_nothing_half(self):
        whole = form(("file", "x", b"body" * 1000))
        bad = [(whole[:-30], 500), (form(end=False), 500), (whole.replace(b"\r\n\r\n", b"\r\n", 1)[:200], 500),
               (b"--xYzZy\r\n" + b"a" * 20000, 500), (b"--xYzZybad\r\n", 500),
               (form(("file", None, b"x")), 400)]
        for body, status in bad:
            self.assertEqual(self.error(self.put_form(body))[0], status, body[:80])
        self.assertEqual(self.error(self.put_form(b"", boundary=""))[0], 500)
        self.assertEqual(self.error(self.request("POST", {"path": "x"}, b"1", Content_Type="text/plain")),
                         (500, "error parsing multipart form: request Content-Type isn't multipart/form-data"))
        self.assertEqual(self.sh("ls -A"), "")
        self.assertEqual(json.loads(self.put_form(form())[1]), [])

    def test_packed_bodies(self):
        body = os.urandom(1 << 20) + b"a" * (1 << 20)
        self.assertEqual(self.put("x", pieces(gzip.compress(body), 50001), Content_Encoding="gzip")[0], 200)
        self.assertEqual(self.get("x")[1], body)
        packed = gzip.compress(form(("file", "y", body), ("file", "z", b"1")))
        self.assertEqual(self.put_form(packed, Content_Encoding="gzip")[0], 200)
        self.assertEqual((self.get("y")[1], self.get("z")[1]), (body, b"1"))
        self.assertEqual(self.error(self.put("no", b"no gzip", Content_Encoding="gzip"))[0], 400)
        self.assertEqual(self.error(self.put("no", gzip.compress(body)[:-9], Content_Encoding="gzip"))[0], 400)
        status, told = self.error(self.put("no", b"1", Content_Encoding="br"))
        self.assertEqual(status, 400)
        self.assertIn("unsupported Content-Encoding: br, supported: [gzip]", told)
        self.assertEqual(self.sh("ls"), "x\ny\nz\n")

    def test_too_much_leaves_nothing(self):
        chunk = b"x" * (1 << 20)
        self.assertEqual(self.error(self.put("big", iter([chunk] * 66)))[0], 413)
        bomb = gzip.compress(b"\0" * (66 << 20))
        self.assertEqual(self.error(self.put("big", bomb, Content_Encoding="gzip"))[0], 413)
        self.assertEqual(self.sh("ls -A"), "")

    def test_refusals(self):
        self.assertEqual(self.error(self.put("~", b"x")), (400, "path is a directory: " + self.sh("pwd").strip()))
        self.assertEqual(self.error(self.request("POST", {}, b"x", **{"Content-Type": OCTETS["Content-Type"]}))[0], 400)
        self.put("file", b"x")
        self.assertEqual(self.error(self.put("file/below", b"x"))[0], 500)
        self.assertEqual(self.error(self.put("~x/y", b"x"))[0], 400)
        self.sh("mkfifo pipe")
        self.assertEqual(self.error(self.put("pipe", b"x"))[0], 400)
        self.assertEqual(self.error(self.request("POST", {"path": "x", "username": "eve"}, b"x", **OCTETS))[0], 401)

    def test_metadata(self):
        status, body, _ = self.put("x", b"1", **{"X-Metadata-Author": "me", "X-METADATA-b": "2 3"})
        if "metadata" not in self.entry("x"):
            self.skipTest("this file system keeps no attributes")
        self.assertEqual((status, json.loads(body)[0]["metadata"]), (200, {"author": "me", "b": "2 3"}))
        self.assertEqual(self.entry("x")["metadata"], {"author": "me", "b": "2 3"})
        self.put("x", b"2", **{"X-Metadata-c": "1"})
        self.assertEqual(self.entry("x")["metadata"], {"c": "1"})
        self.put("x", b"2")
        self.assertNotIn("metadata", self.entry("x"))
        self.assertEqual(self.error(self.put("x", b"1", **{"X-Metadata-" + "k" * 250: "1"}))[0], 400)
        self.assertEqual(self.error(self.put("x", b"1", **{"X-Metadata-k": "v" * 5000}))[0], 400)

    def test_compose(self):
        call = lambda **m: self.sandbox.call("POST", "/files/compose", m)
        for name in "abc":
            self.put(name, name.encode() * 70000)
        status, body, headers = call(source_paths=["a", "b", "c"], destination="d/out")
        home = self.sh("pwd").strip()
        self.assertEqual((status, json.loads(body)), (200, {"path": f"{home}/d/out", "name": "out", "type": "file"}))
        self.assertEqual((self.get("d/out")[1], self.sh("ls")), (b"a" * 70000 + b"b" * 70000 + b"c" * 70000, "d\n"))
        self.put("a", b"1")
        for members, want in (({"source_paths": [], "destination": "x"}, (400, "source_paths must not be empty")),
                              ({"source_paths": ["a"]}, (400, "destination is required")),
                              ({"source_paths": ["a"], "destination": "./a"},
                               (400, 'source path "a" cannot be the same as destination')),
                              ({"source_paths": ["a", "nope"], "destination": "x"},
                               (404, "source file not found: nope")),
                              ({"source_paths": ["a", "d"], "destination": "x"},
                               (400, "source path is not a regular file: d"))):
            self.assertEqual(self.error(call(**members)), want)
        self.assertEqual(self.sh("ls; cat a"), "a\nd\n1")


class Down(Files):
    def test_headers(self):
        for name, kind in (("x.json", "application/json"), ("x.TXT", "text/plain; charset=utf-8"),
                           ("plain", "text/plain; charset=utf-8"), ("y.html", "text/html; charset=utf-8")):
            self.put(name, b"text")
            status, body, headers = self.get(name)
            self.assertEqual((status, body, headers["content-type"]), (200, b"text", kind))
            self.assertEqual(headers["content-disposition"], f"inline; filename={name}")
        self.put("bin", b"\0\1")
        self.assertEqual(self.get("bin")[2]["content-type"], "application/octet-stream")
        self.sh("touch -d '2026-02-03 04:05:06 UTC' x.json")
        self.assertEqual(self.get("x.json")[2]["last-modified"], "Tue, 03 Feb 2026 04:05:06 GMT")

    def test_encodings(self):
        body = b"0123456789" * 200000
        self.put("x.json", body)
        for accept in ("gzip", "gzip, deflate, br", "identity;q=0, *"):
            status, packed, headers = self.get("x.json", Accept_Encoding=accept)
            self.assertEqual((status, headers["content-encoding"], gzip.decompress(packed)), (200, "gzip", body))
            self.assertEqual((headers["content-type"], len(packed) < 100000), ("application/json", True))
        for accept in ("identity", "br", "gzip;q=0", "*"):
            self.assertEqual(self.get("x.json", Accept_Encoding=accept)[1], body)
        self.assertEqual(self.error(self.get("x.json", Accept_Encoding="br, identity;q=0"))[0], 406)
        status, part, headers = self.get("x.json", Accept_Encoding="gzip", Range="bytes=1999990-")
        self.assertEqual((status, part, headers["content-range"]),
                         (206, b"0123456789", "bytes 1999990-1999999/2000000"))
        self.put("empty", b"")
        self.assertEqual(gzip.decompress(self.get("empty", Accept_Encoding="gzip")[1]), b"")

    def test_refusals(self):
        home = self.sh("pwd").strip()
        self.assertEqual(self.error(self.get("nope")), (404, f"path '{home}/nope' does not exist"))
        self.assertEqual(self.error(self.request("GET", {})), (400, f"path '{home}' is a directory"))
        far = "/" + "a/" * 2040 + "a"
        self.assertEqual(self.error(self.get(far)), (404, f"path '{far}' does not exist"))
        self.sh("mkfifo pipe")
        self.assertEqual(self.error(self.get("pipe"))[0], 400)
        self.assertEqual(self.error(self.get("/dev/zero"))[0], 400)
        self.assertEqual(self.request("HEAD", {"path": "x"})[0], 405)
        self.assertEqual(self.error(self.request("GET", {"path": "x", "username": "eve"}))[0], 401)

    def test_signed_urls(self):
        token = self.sandbox.answer["envdAccessToken"]

        def signed(op, path="x y", user=None, seconds=None, **change):
            exp = None if seconds is None else int(time.time()) + seconds
            text = ":".join([path, op, user or "", token] + ([] if exp is None else [str(exp)]))
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            query = {"path": path, "signature": "v1_" + digest}
            if user is not None:
                query["username"] = user
            if exp is not None:
                query["signature_expiration"] = exp
            return {**query, **change}

        def code(method, query, body=None):
            answer = self.request(method, query, body, token=False, **OCTETS)
            return answer[0] if answer[0] == 200 else self.error(answer)

        self.assertEqual(code("POST", signed("write"), b"1"), 200)
        self.assertEqual(code("GET", signed("read")), 200)
        self.assertEqual(code("GET", signed("read", user="user", seconds=60)), 200)
        wrong = (401, "invalid signature")
        self.assertEqual(code("GET", signed("write")), wrong)
        self.assertEqual(code("POST", signed("read"), b"2"), wrong)
        self.assertEqual(code("GET", signed("read", path="other")), (404, f"path '{self.sh('pwd').strip()}/other' does not exist"))
        self.assertEqual(code("GET", {**signed("read", path="other"), "path": "x y"}), wrong)
        self.assertEqual(code("GET", signed("read", seconds=60, signature_expiration=9999999999)), wrong)
        self.assertEqual(code("GET", signed("read", seconds=-2)), (401, "signature is already expired"))
        self.assertEqual(code("GET", {"path": "x y"}), (401, "missing signature query parameter"))
        answer = self.request("GET", signed("read"), X_Access_Token="wrong")
        self.assertEqual(self.error(answer), (401, "access token present in header but does not match"))
        self.assertEqual(self.server.call("POST", "/files/compose?" + urllib.parse.urlencode(signed("write")), {},
                                          {"E2b-Sandbox-Id": self.sandbox.id, "E2b-Sandbox-Port": "49983"})[0], 401)

    def test_small_endpoints(self):
        sandbox = self.server.create(envVars={"A": "b c"})
        self.assertEqual(json.loads(sandbox.call("GET", "/envs")[1]), {"A": "b c"})
        self.assertEqual(sandbox.call("GET", "/health")[0], 204)
        metrics = json.loads(sandbox.call("GET", "/metrics")[1])
        self.assertEqual(list(metrics), ["ts", "cpu_count", "cpu_used_pct", "mem_total_mib", "mem_used_mib", "mem_total",
                                         "mem_used", "mem_cache", "disk_used", "disk_total"])
        self.assertTrue(metrics["cpu_count"] >= 1 and metrics["disk_total"] > metrics["disk_used"] > 0, metrics)
        for path in ("/init", "/freeze", "/unfreeze", "/collapse", "/fsfreeze", "/fsthaw", "/upgrade"):
            status, body, _ = sandbox.call("POST", path, {})
            self.assertEqual((status, json.loads(body)["code"]), (404, 404))
        sandbox.kill()


if __name__ == "__main__":
    unittest.main()
