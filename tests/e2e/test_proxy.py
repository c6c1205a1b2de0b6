# SPDX-License-Identifier: Apache-2.0
"""Promise: with --credential-mode proxy a credential never enters a sandbox whose service adds it outside:
the real Claude Code CLI passes a run, and a search of the sandbox's memory, environment and home finds the
secret nowhere. Where nothing can be added the run waits and says why; with prefer the CLI passes it with its
descriptor. Each attempt says which it was. Behind the run the sandbox's way out has nothing more to add.
Proof: the pinned CLI in a strongly isolated sandbox, its API a scripted stand-in behind TLS, and a tool of the
agent's that searches; the same search finds the secret that came by descriptor."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import ROOT, Stack  # noqa: E402
sys.path.insert(0, __file__.rsplit("/", 1)[0])
from test_real_claude import Api  # noqa: E402

HOST = "127.0.0.2"  # which no NO_PROXY names
KEY = "sk-ant-api03-" + "Planted8Key7Of6This5Test4" * 2
OAUTH = "sk-ant-oat01-" + "Planted4Token9Of1This7Test" * 2
BY_FD = "sk-ant-api03-" + "Another3Planted2Key1Of0It" * 2
SEARCH = """
import os, sys
needle = sys.argv[1][::-1].encode()
hits = set()
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid(): continue
    for name in ("environ", "cmdline"):
        try: hits |= {name} if needle in open(f"/proc/{pid}/{name}", "rb").read() else set()
        except OSError: pass
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
            for line in maps:
                a, b = (int(x, 16) for x in line.split()[0].split("-"))
                if " rw" not in line or b - a > 1 << 30: continue
                try: mem.seek(a); hits |= {"memory"} if needle in mem.read(b - a) else set()
                except (OSError, ValueError, OverflowError): pass
    except OSError: pass
for root, _, files in os.walk(os.path.expanduser("~")):
    for f in files:
        try: hits |= {"home"} if needle in open(os.path.join(root, f), "rb").read() else set()
        except OSError: pass
print("search:", sorted(hits))
"""


def certificate(folder):
    path = folder / "origin.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName=IP:{HOST}", "-keyout", path,
                    "-out", folder / "origin.crt"], check=True, capture_output=True)
    with open(path, "a") as whole:
        whole.write((folder / "origin.crt").read_text())
    return path, folder / "origin.crt"


class Proxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        claude = subprocess.run([str(ROOT / "ops/claude-cli")], check=True, stdout=subprocess.PIPE,
                                text=True).stdout.strip()
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        pem, crt = certificate(folder)
        cls.tls = cls.enterClassContext(Api(HOST, tls=True, more=["--tls", str(pem), "--require-key", KEY]))
        cls.oauth = cls.enterClassContext(Api(HOST, tls=True, more=["--tls", str(pem), "--require-key", OAUTH]))
        cls.plain = cls.enterClassContext(Api(HOST, more=["--require-key", BY_FD]))
        cls.stack = cls.enterClassContext(Stack("proxy", claude=claude, env={
            "SANDFLEET_SANDBOXD_ISOLATION": "strong", "SANDFLEET_CREDENTIAL_MODE": "proxy", "SANDFLEET_EGRESS_CA": str(crt),
            "SANDFLEET_EGRESS_ALLOW": "127.0.0.0/8"}))  # by address and port, a secret would go there in clear
        for name, secret, url in (("outside", KEY, cls.tls.url), ("bearer", OAUTH, cls.oauth.url),
                                  ("inside", BY_FD, cls.plain.url)):
            cls.stack.sandfleet("cred", "add", name, "--base-url", url, stdin=secret)

    def work_with(self, mode):
        self.stack.extra["SANDFLEET_CREDENTIAL_MODE"] = mode
        self.stack.restart("worker-1")

    def submit(self, credential, secret, **fields):
        request = {"prompt": f"[[stub:bash cmd='python3 search.py {secret[::-1]}']] please", "model": "claude-opus-5-5",
                   "credential": credential, "max_attempts": 1, "files": [{"path": "search.py", "content": SEARCH}], **fields}
        (line,) = self.stack.sandfleet("submit", "--file", "-", stdin=json.dumps(request) + "\n").stdout.splitlines()
        return re.search("[0-9a-f]{8}-[0-9a-f-]{27}", line)[0]

    def run_of(self, credential, secret, **fields):
        return self.end_of(self.submit(credential, secret, **fields))

    def end_of(self, run_id):
        (run,) = self.stack.wait_rows("select * from fleet.runs where run_id = :'id'::uuid and ended", 1, 120, id=run_id)
        events = self.stack.rows("select type, data from fleet.events where run_id = :'id'::uuid order by sequence", id=run_id)
        self.assertEqual(run["state"], "completed", json.dumps(events)[-3000:])
        (attempt,) = self.stack.rows("select credential, credential_mode from fleet.attempts where run_id = :'id'::uuid", id=run_id)
        found = [e for e in events if e["type"] == "sandfleet.agent.tool_result" and "search:" in json.dumps(e["data"])]
        self.assertEqual(len(found), 1, json.dumps(events)[-3000:])
        return run, attempt, json.dumps(found[0]["data"])

    def test_the_secret_never_enters(self):
        _, attempt, found = self.run_of("outside", KEY)
        self.assertEqual(attempt, {"credential": "outside", "credential_mode": "proxy"})
        self.assertIn("search: []", found)
        asked = [json.loads(line) for line in self.tls.log.read_text().splitlines()]
        self.assertEqual({(r["auth"], r["key_end"]) for r in asked}, {("x-api-key", KEY[-4:])})

    @unittest.skipUnless(os.geteuid() == 0, "root may look into it")
    def test_behind_the_rules_no_memory_has_it(self):
        self.work_with("proxy")  # what earlier runs left is gone
        run_id = self.submit("outside", KEY)
        self.stack.wait_rows("select 1 from fleet.attempts where run_id = :'id'::uuid and state = 'running'", 1, id=run_id)
        memory = self.stack.memory_of("worker-1")
        self.assertIn(run_id.encode(), memory)
        self.assertFalse(KEY.encode() in memory, "the worker's memory")
        self.end_of(run_id)

    def test_nor_does_an_oauth_token(self):
        _, attempt, found = self.run_of("bearer", OAUTH)
        self.assertEqual(attempt, {"credential": "bearer", "credential_mode": "proxy"})
        self.assertIn("search: []", found)
        asked = [json.loads(line) for line in self.oauth.log.read_text().splitlines()]
        self.assertEqual({(r["auth"], r["key_end"]) for r in asked}, {("bearer", OAUTH[-4:])})

    def test_where_it_may_the_search_finds_it(self):
        run_id = self.submit("inside", BY_FD)
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and state = 'held'"
                             " and hold_reason = 'credential_not_proxied'", 1, id=run_id)
        self.assertEqual(self.stack.rows("select 1 from fleet.events where run_id = :'id'::uuid"
                                         " and type like 'sandfleet.sandbox.%'", id=run_id), [])
        self.work_with("prefer")
        self.addCleanup(self.work_with, "proxy")
        self.stack.sandfleet("cred", "enable", "inside")
        _, attempt, found = self.end_of(run_id)
        self.assertEqual(attempt, {"credential": "inside", "credential_mode": "fd"})
        self.assertIn("search: ['memory']", found)  # and not in environment and home

    def test_a_parked_sandbox_has_no_rules(self):
        run, attempt, _ = self.run_of("outside", KEY, session={"id": "s"})
        self.assertEqual(attempt["credential_mode"], "proxy")
        self.stack.wait_rows("select 1 from ledger.sandboxes where session_id = 's' and state = 'parked'", 1)
        detail = subprocess.run(["curl", "-sS", "-H", f"X-API-Key: {self.stack.env['E2B_API_KEY']}",
                                 f"{self.stack.env['E2B_API_URL']}/sandboxes/{run['sandbox_id']}"],
                                check=True, capture_output=True, text=True).stdout
        self.assertEqual(json.loads(detail).get("network") or {}, {})
        run, attempt, found = self.run_of("outside", KEY, session={"id": "s"})
        self.assertEqual((attempt["credential_mode"], "search: []" in found), ("proxy", True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
