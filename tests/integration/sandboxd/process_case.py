# SPDX-License-Identifier: Apache-2.0
"""What the tests of process.Process share."""
import os
import threading
import unittest

from e2b import PATIENCE_S, Done, Sandboxd, await_true

KILLED = {"exitCode": -1, "status": "signal: killed", "error": "signal: killed"}


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def later(fn):
    """Runs it in a thread; call the result for what it returned."""
    box = []
    t = threading.Thread(target=lambda: box.append(fn()))
    t.start()

    def result():
        t.join(PATIENCE_S)
        return box[0]
    result.running = t.is_alive
    return result


class Process(unittest.TestCase):
    """One server for all; each test has a sandbox, and leaves no descriptor in the server."""

    @classmethod
    def setUpClass(cls):
        cls.server = Sandboxd()
        cls.server.create().kill()
        cls.rest = descriptors(cls.server.process.pid)

    @classmethod
    def tearDownClass(cls):
        if cls.server.stop() != 0:
            raise AssertionError("the server did not end well")

    def setUp(self):
        self.sandbox = self.server.create()

    def tearDown(self):
        self.assertEqual(self.sandbox.kill(), 204)
        for stream in self.sandbox.streams:
            stream.close()
        await_true(lambda: descriptors(self.server.process.pid) <= self.rest, "no descriptor is left")

    def shell(self, script, **more):
        return self.sandbox.start("sh", "-c", script, **more)

    def put(self, path, body=b""):
        self.sandbox.call("POST", f"/files?path={path}", body)

    def refused(self, answer, status, code, message):
        self.assertEqual((answer[0], answer[1]["code"], answer[1]["message"]), (status, code, message))

    def ends_with(self, stream, code, message):
        self.assertEqual(Done(stream).last, {"error": {"code": code, "message": message}})
