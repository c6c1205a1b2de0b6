# SPDX-License-Identifier: Apache-2.0
"""Promise: a credential's secret is open in one worker, for one upload, and in the sandbox that it is for;
otherwise it is nowhere in clear, in no form, though its agent prints it in each: not in Kafka's and
Postgres' files, topics, tables, logs, stores, argument lists and environments, nor, behind the upload, in
the worker's memory; and no process that holds keys leaves a core file. A new secret and a new master key
come in while runs go on.
Proof: a planted token, an agent that prints it in every form while it runs, and a search of all that
there is, also for parts of it."""

import base64
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack  # noqa: E402

CORE = "Planted_Q7~pX2/vN8+kD4=zR6-wM1.yT9_hB3~cL5"
TOKEN = "sk-ant-oat01-" + CORE
ROTATED = "sk-ant-oat01-" + CORE[::-1]

# $T is the token; python3 is not in every sandbox, so the forms come with the prompt, as a script
AGENT = r"""#!/bin/bash
T=$(cat <&3)
. /dev/stdin
say() { printf '{"type":"assistant","session_id":"%s","message":{"content":[{"type":"text","text":"%s"}]}}\n' "$S" "$1"; }
S=5b0c7c86-6f0b-4a55-9f5e-3a5a5c1d0000
printf '{"type":"system","subtype":"init","session_id":"%s","model":"m"}\n' "$S"
mkdir -p "$HOME/.claude/projects/x" && printf '{"said":"%s"}\n' "$T" >"$HOME/.claude/projects/x/$S.jsonl"
if [ -z "$QUIET" ]; then
say "it is $T."
say "$(printf %s "$T" | base64 -w0)"
say "$(printf 'x%s' "$T" | base64 -w0)"
say "$(printf 'xx%s' "$T" | base64 -w0)"
say "$(printf %s "$T" | od -An -tx1 | tr -d ' \n')"
say "$(printf %s "$T" | sed 's/~/%7E/g; s,/,%2F,g; s/+/%2B/g; s/=/%3D/g')"
say "$(printf %s "$T" | sed 's,/,\\\\/,g')"
echo "no JSON $T"
for i in $(seq 20); do printf 'tail of many bytes %s ' "$T" >&2; done
printf '%s' "$T" >left.txt
fi
for i in $(seq 12); do say "$i"; done
while [ -n "$LONG" ]; do sleep 0.2; echo '{"type":"system","subtype":"tick"}'; done
printf '{"type":"result","subtype":"success","is_error":false,"session_id":"%s","result":"it was %s","total_cost_usd":0.01}\n' "$S" "$T"
"""


def forms(secret):
    """Every form that is searched for, and pieces of the token itself."""
    raw = secret.encode()
    found = {raw, raw.hex().encode(), urllib.parse.quote(secret, safe="").encode(), raw.replace(b"/", b"\\/")}
    for before in (b"", b"x", b"xx"):
        whole = base64.b64encode(before + raw)
        found.add(whole[4:-4])
    core = secret.split("-", 3)[3].encode()
    found |= {core[i:i + 12] for i in range(0, len(core) - 12, 3)}
    return found


class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        home = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        home.chmod(0o755)
        agent = home / "claude"
        agent.write_text(AGENT)
        agent.chmod(0o755)
        cls.artifacts = home / "artifacts"
        cls.stack = cls.enterClassContext(Stack("secrets", claude=agent, env={
            "SANDFLEET_ARTIFACTS": str(cls.artifacts), "SANDFLEET_LOG_LEVEL": "debug", "SANDFLEET_LEASE": "3s"}))
        cls.stack.execute("ALTER SYSTEM SET log_statement = 'all'")
        cls.stack.execute("SELECT pg_reload_conf()")
        cls.cred("add", "planted", secret=TOKEN)

    @classmethod
    def cred(cls, *words, secret="", **env):
        return cls.stack.sandfleet("cred", *words, stdin=secret, **env)

    def submit(self, script="LONG=", tenant="default", **fields):
        request = {"prompt": script, "credential": "planted", "max_attempts": 1, **fields}
        (line,) = self.stack.sandfleet("submit", "--tenant", tenant, "--file", "-",
                                       stdin=json.dumps(request) + "\n").stdout.splitlines()
        return re.search("[0-9a-f]{8}-[0-9a-f-]{27}", line)[0]

    def ended(self, run_id):
        (run,) = self.stack.wait_rows("select * from fleet.runs where run_id = :'id'::uuid and ended", 1, id=run_id)
        return run

    def cancel(self, run_id):
        self.stack.sandfleet("cancel", run_id, "--force", "--wait", "30s", status=None)

    # --- searching ----------------------------------------------------------

    def assert_nowhere(self, data, where, needles):
        for needle in needles:
            at = data.find(needle)
            self.assertEqual(at, -1, f"{needle!r} is in {where}: {data[max(at - 100, 0):at + 100]!r}")

    def search_files(self, needles):
        """All files of the stack but what is in the sandboxes, and all that its agents left with us."""
        seen = 0
        for root in (self.stack.dir, self.artifacts):
            for folder, folders, files in os.walk(root):  # which does not mind that one is removed meanwhile
                if "sandboxd" in folders:
                    folders.remove("sandboxd")
                for path in (pathlib.Path(folder, name) for name in files):
                    if not path.is_file() or path.is_symlink():
                        continue
                    try:
                        self.assert_nowhere(path.read_bytes(), path, needles)
                    except FileNotFoundError:
                        continue  # Postgres tidies up
                    seen += 1
        self.assertGreater(seen, 500)  # both servers' files among them

    def search_processes(self, needles):
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            told = {}
            for name in ("cmdline", "environ"):
                with contextlib.suppress(OSError):  # it has ended, or is another user's
                    told[name] = (process / name).read_bytes()
            if b"sandfleet-init" not in told.get("cmdline", b"sandfleet-init"):
                for name, data in told.items():
                    self.assert_nowhere(data, process / name, needles)

    def search_tables(self, needles):
        """As readers get it: files may be compressed."""
        dump = subprocess.run(["pg_dump", self.stack.env["SANDFLEET_DATABASE"]], check=True, capture_output=True).stdout
        self.assertIn(b"COPY ledger.credentials", dump)
        self.assert_nowhere(dump, "the tables", needles)

    def search_servers(self, needles):
        """The topics, too, to which nobody may write just now: where they end is not to be found then."""
        self.search_tables(needles)
        for topic in ("runs.interactive", "runs.batch", "events", "runs.dlq"):
            self.assert_nowhere(json.dumps(self.stack.records(topic)).encode(), topic, needles)

    # --- tests --------------------------------------------------------------

    def test_a_planted_token_is_nowhere(self):
        needles = forms(TOKEN)
        long = self.submit("LONG=1")
        self.addCleanup(self.cancel, long)
        self.stack.wait_rows("select 1 from fleet.events where run_id = :'id'::uuid and line > 20", 1, id=long)
        self.search_processes(needles)
        self.search_files(needles)
        self.search_tables(needles)
        self.cancel(long)

        done = self.submit(session={"id": "kept"}, artifacts={"globs": ["left.txt"], "output": True})
        run = self.ended(done)
        self.assertEqual(run["state"], "completed")
        self.assertIn("it was ***", run["result"])
        events = self.stack.rows("select type, data from fleet.events where run_id = :'id'::uuid order by sequence", id=done)
        masked = [e["data"].get("masked", 0) for e in events if e["type"].startswith("sandfleet.agent.")]
        self.assertGreaterEqual(sum(n > 0 for n in masked), 9)
        (starting,) = [e["data"] for e in events if e["type"] == "sandfleet.attempt.starting"]
        self.assertEqual(starting["credential"], "planted")
        self.stack.wait_rows("select 1 from ledger.sessions where session_id = 'kept' and transcript is not null", 1)
        stored = [p for p in self.artifacts.rglob("*") if p.is_file()]
        self.assertEqual(len(stored), 1, stored)  # left.txt was not: it is the token
        self.search_processes(needles)
        self.search_files(needles)
        self.search_servers(needles)

    def test_what_moved_or_changed_starts_no_agent(self):
        self.cred("add", "mine", "--tenant", "acme", secret=TOKEN)
        self.cred("add", "theirs", "--tenant", "other", secret=ROTATED)
        self.stack.execute("update ledger.credentials b set sealed = a.sealed, wrapped = a.wrapped"
                           " from ledger.credentials a where a.name = 'theirs' and b.name = 'mine'")  # B137
        run = self.ended(self.submit(tenant="acme", credential="mine"))
        self.assertEqual((run["state"], run["outcome"], run["sandbox_id"]), ("failed", "credential_unreadable", None))
        self.cred("add", "bent", secret=TOKEN)
        self.stack.execute("update ledger.credentials set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 4)"
                           " where name = 'bent'")  # B136
        run = self.ended(self.submit(credential="bent"))
        self.assertEqual((run["state"], run["outcome"], run["sandbox_id"]), ("failed", "credential_unreadable", None))
        self.assertEqual(self.stack.value("select hold_reason from ledger.credentials where name = 'bent'"),
                         "credential_unreadable")
        run = self.ended(self.submit(tenant="acme", credential="theirs"))
        self.assertEqual((run["state"], run["outcome"]), ("failed", "credential_not_found"))
        self.search_servers(forms(TOKEN) | forms(ROTATED))

    def test_secret_and_master_key_change_under_way(self):
        self.cred("add", "turns", secret=TOKEN)
        old = self.submit("LONG=1", credential="turns")
        self.addCleanup(self.cancel, old)
        self.stack.wait_rows("select 1 from fleet.events where run_id = :'id'::uuid and line > 10", 1, id=old)
        self.cred("rotate", "turns", secret=ROTATED)
        new = self.ended(self.submit(credential="turns"))
        self.assertEqual((new["state"], len(new["result"])), ("completed", len("it was " + ROTATED)))
        # another master key: workers first, behind the old one; then ours first; then the old one goes
        file = self.stack.dir / "secret" / "master"
        before, other = file.read_text().strip(), "ab" * 32
        file.write_text(f"{before}\n{other}\n")
        client = self.stack.dir / "secret" / "client"
        client.touch(mode=0o600)
        client.write_text(f"{other}\n{before}\n")
        refused = self.stack.sandfleet("cred", "rewrap", status=5, SANDFLEET_MASTER_KEY_FILE=str(client))
        self.assertIn("lack master key", refused.stderr)
        self.stack.restart("worker-1")
        self.stack.wait("the old worker's row", lambda: self.stack.value("select count(*) from ledger.workers") == 1)
        self.cred("rewrap", SANDFLEET_MASTER_KEY_FILE=str(client))
        file.write_text(f"{other}\n")
        self.stack.restart("worker-1")
        run = self.ended(self.submit(credential="turns"))
        self.assertEqual(run["state"], "completed")
        attempts = self.stack.value("select count(*) from fleet.attempts where run_id = :'id'::uuid", id=old)
        self.assertEqual(attempts, 1)  # it went on through all of this
        self.cancel(old)
        self.search_files(forms(TOKEN) | forms(ROTATED))
        self.search_servers(forms(TOKEN) | forms(ROTATED))

    @unittest.skipUnless(os.geteuid() == 0, "root may look into it")
    def test_behind_the_upload_no_memory_has_it(self):
        self.stack.restart("worker-1")  # what agents printed came through the old one
        run_id = self.submit("LONG=1 QUIET=1")
        self.addCleanup(self.cancel, run_id)
        self.stack.wait_rows("select 1 from fleet.events where run_id = :'id'::uuid and line > 10", 1, id=run_id)
        memory = self.stack.memory_of("worker-1")
        self.assertIn(run_id.encode(), memory)
        self.assert_nowhere(memory, "the worker's memory", forms(TOKEN))

    def test_no_core_file(self):
        for part in ("worker-1",):
            pid = self.stack.pid(part)
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
            self.assertRegex(limits, r"Max core file size +0 +0")
            folder = pathlib.Path(f"/proc/{pid}/cwd").resolve()
            before = set(folder.glob("core*"))
            os.kill(pid, signal.SIGABRT)
            self.stack.wait("its end", lambda pid=pid: not pathlib.Path(f"/proc/{pid}/exe").exists())
            self.assertEqual(set(folder.glob("core*")), before)
            self.stack.start(part)


if __name__ == "__main__":
    unittest.main(verbosity=2)
