# SPDX-License-Identifier: Apache-2.0
"""Promise: what a request wants is in the agent's working directory, what the agent left is in the
artifact store, and every store tells of it; what does not fit ends the run before an agent starts; a
known secret does not get out; a worker killed while it stores is followed by one that stores the same.
Proof: an agent that runs its prompt as a script; the files on the host, the events and the tables."""

import base64
import hashlib
import io
import json
import pathlib
import sys
import tarfile
import tempfile
import unittest
import uuid

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack  # noqa: E402

AGENT = """#!/bin/sh
cat >../prompt.sh
echo '{"type":"system","subtype":"init","session_id":"5b0c7c86-6f0b-4a55-9f5e-3a5a5c1d0000","model":"m"}'
sh ../prompt.sh
echo '{"type":"result","subtype":"success","is_error":false,"result":"ok","total_cost_usd":0.01}'
"""
TOKEN = "sk-canary-0123456789abcdef0123456789"


class Workspace(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.home.chmod(0o755)
        agent = cls.home / "claude"
        agent.write_text(AGENT)
        agent.chmod(0o755)
        cls.store = cls.home / "store"
        cls.stack = cls.enterClassContext(Stack("workspace", claude=agent, env={
            "SANDFLEET_ARTIFACTS": str(cls.store), "SANDFLEET_LOCAL_FILES": str(cls.home),
            "CLAUDE_CODE_OAUTH_TOKEN": TOKEN, "SANDFLEET_LEASE": "2s"}))

    def submit(self, prompt, **members):
        done = self.stack.sandfleet("submit", "--file", "-", "--batch", str(uuid.uuid4()),
                                    stdin=json.dumps({"prompt": prompt, **members}))
        return done.stdout.split()[0]

    def ended(self, run_id):
        """Its events, the terminal last."""
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and ended", 1, id=run_id)
        return self.stack.rows("select * from fleet.events where run_id = :'id'::uuid order by sequence",
                               id=run_id)

    def stored(self, rows):
        return [r["data"] for r in rows if r["type"] == "sandfleet.artifact.stored"]

    def test_in_and_out(self):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            info = tarfile.TarInfo("pack/numbers.txt")
            info.size = 6
            tar.addfile(info, io.BytesIO(b"1\n2\n3\n"))
        (self.home / "in.tar.gz").write_bytes(data.getvalue())
        rows = self.ended(self.submit(
            "mkdir -p out && sort -r numbers.txt >out/sorted && ./add >>out/sorted",
            archive={"url": f"file://{self.home}/in.tar.gz", "strip": 1,
                     "sha256": hashlib.sha256(data.getvalue()).hexdigest()},
            files=[{"path": "add", "mode": "0755",
                    "content_base64": base64.b64encode(b"#!/bin/sh\necho added\n").decode()}],
            artifacts={"globs": ["out"], "output": True}))
        self.assertEqual(rows[-1]["type"], "sandfleet.run.completed", rows[-1]["data"])
        pack, output = self.stored(rows)
        self.assertEqual(rows[-1]["data"]["artifacts"], [pack, output])
        listed = self.stack.rows("select * from fleet.artifacts where run_id = :'id'::uuid order by name",
                                 id=rows[0]["run_id"])
        self.assertEqual([[a[k] for k in ("name", "bytes", "sha256", "location", "files", "attempt")] for a in listed],
                         [[*(a[k] for k in ("name", "bytes", "sha256", "location")), a.get("files"), 1] for a in (pack, output)])
        for told in (pack, output):
            path = pathlib.Path(told["location"].removeprefix("file://"))
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            body = path.read_bytes()
            self.assertEqual((len(body), hashlib.sha256(body).hexdigest()), (told["bytes"], told["sha256"]))
        with tarfile.open(pathlib.Path(pack["location"].removeprefix("file://"))) as tar:
            self.assertEqual(tar.getnames(), ["out/sorted"])
            self.assertEqual(tar.extractfile("out/sorted").read(), b"3\n2\n1\nadded\n")

    def test_what_does_not_fit_starts_no_agent(self):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            info = tarfile.TarInfo("a/../../x")
            tar.addfile(info)
        (self.home / "bad.tar.gz").write_bytes(data.getvalue())
        rows = self.ended(self.submit("true", archive={"url": f"file://{self.home}/bad.tar.gz"}))
        self.assertEqual(rows[-1]["type"], "sandfleet.run.failed")
        self.assertEqual(rows[-1]["data"]["outcome"], "invalid")
        self.assertIn("member 'a/../../x' has a part '..'", rows[-1]["data"]["reason"])
        self.assertNotIn("sandfleet.attempt.started", [r["type"] for r in rows])

    def test_no_secret_gets_out(self):
        rows = self.ended(self.submit(
            "cat <&3 >secret 2>/dev/null || cat /proc/self/fd/3 >secret; echo " + TOKEN[:9] + TOKEN[9:],
            artifacts={"globs": ["*"], "output": True}))
        self.assertEqual(rows[-1]["type"], "sandfleet.run.completed")
        (output,) = [a for a in self.stored(rows) if a["name"] == "output.ndjson"]
        self.assertGreaterEqual(output["masked"], 1)
        for path in self.store.rglob("*"):
            if path.is_file():
                self.assertNotIn(TOKEN.encode(), path.read_bytes(), path)

    def test_a_worker_killed_while_it_stores(self):
        run_id = self.submit("head -c 20000000 /dev/urandom >big; sha256sum big >sum",
                             artifacts={"globs": ["big", "sum"]})
        self.stack.wait_rows("select 1 from fleet.events where run_id = :'id'::uuid "
                             "and type = 'sandfleet.agent.result'", 1, id=run_id)
        self.stack.kill("worker-1")
        self.stack.start("worker-1")
        rows = self.ended(run_id)
        self.assertEqual(rows[-1]["type"], "sandfleet.run.completed")
        (pack,) = rows[-1]["data"]["artifacts"]
        body = pathlib.Path(pack["location"].removeprefix("file://")).read_bytes()
        self.assertEqual(hashlib.sha256(body).hexdigest(), pack["sha256"])
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            big = tar.extractfile("big").read()
            self.assertEqual(hashlib.sha256(big).hexdigest(), tar.extractfile("sum").read().split()[0].decode())
        self.assertEqual([r["type"] for r in rows].count("sandfleet.attempt.started"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
