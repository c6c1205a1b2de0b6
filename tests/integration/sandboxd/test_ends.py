# SPDX-License-Identifier: Apache-2.0
"""Promise: however a sandbox or the server ends, nothing of it is left.
Proof: processes that ignore TERM, counted in /proc; folders; signals at bad moments."""
import contextlib
import http.client
import json
import os
import signal
import threading
import unittest

from e2b import Sandboxd, await_true, running, spawn_stubborn


class Ends(unittest.TestCase):
    def serve(self, *words):
        server = Sandboxd(*words)
        self.addCleanup(server.discard)
        return server

    def test_kill_takes_200_stubborn_processes(self):
        server = self.serve()
        sandbox = server.create()
        marker = spawn_stubborn(sandbox, 200, 72001)
        self.assertEqual(sandbox.kill(), 204)
        self.assertEqual(running(marker), 0)
        self.assertEqual(os.listdir(os.path.join(server.data, "sandboxes")), [])
        self.assertEqual(server.stop(), 0)

    def test_killed_server_leaves_no_process(self):
        server = self.serve()
        marker = spawn_stubborn(server.create(), 50, 72101)
        spawn_stubborn(server.create(), 0, 72102)
        server.process.kill()
        server.process.wait()
        await_true(lambda: running(marker) == 0, "all are gone")
        after = Sandboxd(data=server.data)
        self.addCleanup(after.discard)
        self.assertEqual(os.listdir(os.path.join(server.data, "sandboxes")), [], "the next one takes them away")

    def test_killed_init_is_a_lost_sandbox(self):
        server = self.serve()
        lost, other = server.create(), server.create()
        marker, kept = spawn_stubborn(lost, 50, 72201), spawn_stubborn(other, 2, 72202)
        os.kill(server.init_pid(lost), signal.SIGKILL)
        await_true(lambda: running(marker) == 0, "all are gone")
        await_true(lambda: lost.call("GET", "/health")[0] == 502, "the sandbox is gone")
        self.assertEqual((running(kept), other.call("GET", "/health")[0]), (2, 204))
        self.assertEqual(server.stop(), 0)
        self.assertEqual(running(kept), 0)

    def test_second_signal_while_a_kill_is_waited_for(self):
        server = self.serve("--pids", "2000")
        sandbox = server.create()
        marker = spawn_stubborn(sandbox, 500, 72301)

        def ask_to_kill():
            with contextlib.suppress(OSError, http.client.HTTPException):  # or it is answered 503
                sandbox.kill()

        waiting = threading.Thread(target=ask_to_kill)
        waiting.start()
        await_true(lambda: "reason=\"asked for\"" in server.text(), "it is being killed")
        server.process.send_signal(signal.SIGTERM)
        await_true(lambda: "sandboxd.stopping" in server.text(), "it is told to stop")
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(20), 0)
        waiting.join()
        await_true(lambda: running(marker) == 0, "its first process finishes on its own")

    def test_ceiling_of_sandboxes(self):
        server = self.serve("--max-sandboxes", "2")
        first = server.create()
        server.create()
        status, body, headers = server.call("POST", "/v2/sandboxes", {"templateID": "base"})
        self.assertEqual((status, "retry-after" in headers), (429, False))
        self.assertIn("maximum number of concurrent E2B sandboxes (2)", json.loads(body)["message"])
        first.kill()
        server.create()
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
