# SPDX-License-Identifier: Apache-2.0
"""Promise: a file of any size passes in constant memory, and an upload that does not come to its
end, by a full disk or a client that goes away, leaves nothing behind.
Proof: the server's own peak memory; a file system of a few MiB; a connection cut in the middle."""
import gzip
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import unittest

from e2b import Sandboxd, await_true
from files_case import Files

MIB = 1 << 20


def alone():
    """A mount namespace of our own, so that a mount ends with us and needs no root."""
    if "SANDFLEET_OWN_MOUNTS" not in os.environ:
        words = ["unshare", *(["-m"] if os.geteuid() == 0 else ["-rm"]), "--propagation", "private"]
        os.environ["SANDFLEET_OWN_MOUNTS"] = "1"
        os.execvp(words[0], [*words, sys.executable, "-B", *sys.argv])


class Big(Files):
    words = ()
    COUNT = 96  # MiB; far above what memory may grow by

    def peak_kib(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="utf-8") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))

    def chunks(self):
        block = os.urandom(MIB)
        self.want = hashlib.sha256(block * self.COUNT).hexdigest()
        return [block] * self.COUNT

    def test_memory_is_constant(self):
        self.put("warm", b"x" * MIB)
        self.get("warm", Accept_Encoding="gzip")
        before = self.peak_kib()
        chunks = self.chunks()
        head = b'--xYzZy\r\nContent-Disposition: form-data; name="file"; filename="form"\r\n\r\n'
        packed = gzip.compress(b"".join(chunks[:8]), 1)
        self.assertEqual(self.put("raw", iter(chunks))[0], 200)
        self.assertEqual(self.put_form(iter([head, *chunks, b"\r\n--xYzZy--\r\n"]))[0], 200)
        self.assertEqual(self.put("packed", iter([packed]), Content_Encoding="gzip")[0], 200)
        for name in ("raw", "form"):
            self.assertEqual(self.sh(f"sha256sum {name}").split()[0], self.want)
            self.assertEqual(hashlib.sha256(self.get(name)[1]).hexdigest(), self.want)
        self.assertEqual(gzip.decompress(self.get("packed", Accept_Encoding="gzip")[1]), b"".join(chunks[:8]))
        self.assertLess(self.peak_kib() - before, 8 << 10)

    def cut(self, head, path):
        """An upload whose client goes away, once the file is there."""
        with socket.create_connection(("127.0.0.1", self.server.port)) as s:
            headers = "".join(f"{k}: {v}\r\n" for k, v in self.sandbox.headers(**head).items())
            s.sendall(f"POST /files?path={path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n{headers}\r\n".encode())
            s.sendall(b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + b"x" * 70000)
            await_true(lambda: self.sh(f"stat -c %s {path} 2>/dev/null") not in ("", "0\n"), "bytes are there")

    def test_a_client_that_goes_away(self):
        for kind in ("application/octet-stream", "multipart/form-data; boundary=b"):
            self.cut({"Content-Type": kind}, "half")
            await_true(lambda: self.sh("ls -A") == "", "it is taken away")

    def test_only_that_file_is_taken_away(self):
        """The name is another file's by then."""
        self.put("other", b"kept")
        with socket.create_connection(("127.0.0.1", self.server.port)) as s:
            headers = "".join(f"{k}: {v}\r\n" for k, v in self.sandbox.headers(**{"Content-Type": "application/octet-stream"}).items())
            s.sendall(f"POST /files?path=half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n{headers}\r\nx".encode())
            await_true(lambda: self.sh("cat half 2>/dev/null") == "x", "it is there")
            self.sh("mv half moved; mv other half")
        await_true(lambda: self.sh("cat moved") == "", "it is emptied")
        self.assertEqual(self.sh("cat half"), "kept")


class FullDisk(unittest.TestCase):
    def test_nothing_is_left(self):
        folder = tempfile.mkdtemp(prefix="sandboxd-")
        os.chmod(folder, 0o755)
        self.addCleanup(os.rmdir, folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs", folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        server = Sandboxd("--claude", "/bin/true", data=os.path.join(folder, "data"))
        self.addCleanup(server.discard)
        sandbox = server.create()
        octets = {"Content_Type": "application/octet-stream"}
        free = lambda: os.statvfs(folder).f_bfree
        before = free()
        self.assertEqual(sandbox.call("POST", "/files?path=old", b"old", **octets)[0], 200)
        for body, text in ((iter([b"x" * MIB] * 20), b"not enough disk space available"),
                           (b"x" * (20 * MIB), b"attempted to write 20971520 bytes: not enough disk space available")):
            for path in ("new", "old"):
                status, told, _ = sandbox.call("POST", f"/files?path={path}", body, **octets)
                self.assertEqual((status, text in told), (507, True), told)
                body = iter([b"x" * MIB] * 20) if not isinstance(body, bytes) else body
        await_true(lambda: sandbox.run("ls", "-A").out == b"", "nothing is left")
        self.assertGreaterEqual(free(), before - 8)


if __name__ == "__main__":
    alone()
    unittest.main()
