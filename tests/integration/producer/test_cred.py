# SPDX-License-Identifier: Apache-2.0
"""Promise: `sandfleet cred` takes secrets from standard input or a private file and from nowhere else,
stores them sealed, tells all but the secret, and changes them and the master key while they are in use.
Proof: the real program on a real server; the whole database is searched for the secrets in the end; a
stand-in for the model's API."""
import http.server
import json
import os
import pathlib
import pty
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "schema"))
from database import BIN, PSQL, Database, as_role, migrate  # noqa: E402

TOKEN = "sk-ant-oat01-planted-by-the-test-0123456789"
OTHER = "sk-ant-oat01-planted-by-the-test-9876543210"
KEY = "sk-ant-api03-planted-by-the-test-abcdefghij"
OLD, NEW = "11" * 32, "22" * 32


class Api(http.server.BaseHTTPRequestHandler):
    status, seen = 200, []

    def do_GET(self):
        Api.seen.append((self.path, dict(self.headers)))
        self.send_response(Api.status)
        self.send_header("Content-Length", "2")
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Cred(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = Database()
        cls.addClassCleanup(cls.db.drop)
        migrate(cls.db.conninfo)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.dir = pathlib.Path(folder.name)
        cls.keys = cls.private("keys", OLD)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        cls.url = f"http://127.0.0.1:{server.server_port}"

    def setUp(self):
        self.db.ask("DELETE FROM ledger.credentials; DELETE FROM ledger.retired_secrets; DELETE FROM ledger.workers; DELETE FROM ledger.claims")

    @classmethod
    def private(cls, name, text, mode=0o600):
        path = cls.dir / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def cred(self, *words, stdin="", status=0, says="", keys=None, **env):
        env = {**{k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "CLAUDE"))},
               "SANDFLEET_DATABASE": as_role(self.db.conninfo, "client"), "SANDFLEET_MASTER_KEY_FILE": keys or self.keys,
               "no_proxy": "*", **env}
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        done = subprocess.run([BIN / "sandfleet", "cred", *words], input=data, capture_output=True, timeout=60,
                              env={k: v for k, v in env.items() if v is not None})
        told = (done.stdout + done.stderr).decode()
        self.assertEqual(done.returncode, status, told)
        self.assertIn(says, told)
        for secret in (TOKEN, OTHER, KEY, OLD, NEW):
            self.assertNotIn(secret, told)
        return done.stdout.decode()

    def rows(self):
        return {row["name"]: row for row in json.loads(self.cred("list", "-o", "json"))}

    def test_added_in_each_way(self):
        self.cred("add", "a", stdin=TOKEN)
        self.cred("add", "b", "--secret-file", self.private("token", KEY + "\n"), "--pool", "team", "--tenant", "acme")
        self.cred("add", "c", "--base-url", self.url, stdin="any-word-will-do\n")
        self.cred("add", "d", "--kind", "none")
        rows = self.rows()
        self.assertEqual([(r["name"], r["kind"], r["pool"], r["tenant"], r["base_url"], r["state"]) for r in rows.values()],
                         [("a", "oauth", None, "*", None, "ok"), ("b", "api_key", "team", "acme", None, "ok"),
                          ("c", "gateway", None, "*", self.url, "ok"), ("d", "none", None, "*", None, "ok")])
        self.assertEqual(len(rows["a"]["key_id"]), 16)
        self.assertIsNone(rows["d"]["key_id"])
        self.assertEqual(self.db.ask("SELECT length(wrapped), length(sealed) FROM ledger.credentials WHERE name = 'a'"),
                         f"72|{40 + len(TOKEN)}")
        text = self.cred("list")
        self.assertIn("b  api_key  tenant acme  pool team  ok  0 of any number running", text)

    def test_a_person_is_asked_and_sees_nothing(self):
        ours, theirs = pty.openpty()
        program = subprocess.Popen([BIN / "sandfleet", "cred", "add", "typed"], stdin=theirs, stdout=theirs, stderr=theirs,
                                   env={**os.environ, "SANDFLEET_DATABASE": self.db.conninfo,
                                        "SANDFLEET_MASTER_KEY_FILE": self.keys})
        seen = b""
        while b"not shown" not in seen:
            seen += os.read(ours, 4096)
        os.write(ours, TOKEN.encode() + b"\n")
        self.assertEqual(program.wait(timeout=60), 0)
        os.set_blocking(ours, False)
        try:
            seen += os.read(ours, 4096)
        except BlockingIOError:
            pass
        self.assertNotIn(b"planted", seen)
        self.assertEqual(self.rows()["typed"]["kind"], "oauth")

    def test_what_is_refused(self):
        self.cred("add", "a", stdin=TOKEN)
        self.cred("add", "b", "--pool", "p", stdin=TOKEN)
        token = self.private("token", TOKEN)
        loose = self.private("loose", TOKEN, 0o644)
        for words, stdin, status, says in (
                (["x"], "sk-ant-oat01-AAAA\r\nX-Injected: 1", 65, "control byte"),  # B138 of the catalogue
                (["x"], "sk-ant-oat01-AAAA\0", 65, "control byte"),
                (["x"], "sk-ant-oat01-AA AA", 65, "a blank"),
                (["x"], "sk-ant-oat01-ÄÖ", 65, "not ASCII"),
                (["x"], "", 65, "empty"),
                (["x"], "\n", 65, "empty"),
                (["x"], b"sk-ant-oat01-" + b"a" * 17000, 65, "over 16384 bytes"),
                (["x"], "sk-ant-ort01-refresh", 2, "--kind"),
                (["x", "-k", "oauth"], "sk-ant-ort01-refresh", 65, "refresh token"),
                (["x", "-k", "api_key"], TOKEN, 65, "looks like one of kind oauth"),
                (["x", "-k", "oauth"], KEY, 65, "looks like one of kind api_key"),
                (["x"], "a-word", 2, "does not tell its kind"),
                (["x", "-k", "password"], TOKEN, 2, "--kind is"),
                (["x", "-k", "gateway"], TOKEN, 65, "has a base URL"),
                (["x", "--base-url", "ftp://h"], TOKEN, 65, "http(s)"),
                (["x", "--base-url", "https://u:p@h"], TOKEN, 65, "without user"),
                (["x", "--base-url", "https://"], TOKEN, 65, "http(s)"),
                (["x", "--tenant", "a b"], TOKEN, 65, "a tenant is"),
                (["-rf"], TOKEN, 2, "-rf"),
                (["a b"], TOKEN, 65, "a name is"),
                (["a"], TOKEN, 5, "there already"),
                (["p"], TOKEN, 5, "a pool's name"),
                (["x", "--pool", "a"], TOKEN, 5, "another credential's"),
                (["x", "--pool", "x"], TOKEN, 5, "its pool"),
                (["x", "--secret-file", loose], "", 78, "0644"),
                (["x", "--secret-file", "/nonexistent"], "", 3, "/nonexistent"),
                (["x", "-k", "none", "--secret-file", token], "", 2, "no secret"),
                ([], TOKEN, 2, "want the name"),
                (["x", TOKEN[:12]], "", 2, "too many words"),
                (["x", "--secret", "y"], "", 2, "--secret")):
            with self.subTest(words=words, says=says):
                self.cred("add", *words, stdin=stdin, status=status, says=says)
        self.assertEqual(set(self.rows()), {"a", "b"})

    def test_master_keys(self):
        self.cred("add", "a", stdin=TOKEN, status=78, says="openssl rand -hex 32", SANDFLEET_MASTER_KEY_FILE=None)
        self.cred("add", "a", stdin=TOKEN, status=78, says="mode is 0640", keys=self.private("group", OLD, 0o640))
        self.cred("add", "a", stdin=TOKEN, status=78, says="line 1", keys=self.private("short", OLD[2:]))
        self.cred("add", "a", "--master-key-command", f"cat {self.keys}", stdin=TOKEN, SANDFLEET_MASTER_KEY_FILE=None)
        self.cred("test", "a", "--offline", says="opens with master key")
        granted = self.dir / "granted"
        granted.mkdir(exist_ok=True)
        self.private("granted/sandfleet-master-keys", OLD, 0o440)
        self.cred("test", "a", "--offline", SANDFLEET_MASTER_KEY_FILE=None, CREDENTIALS_DIRECTORY=str(granted))

    def test_default_takes_the_place_of_none(self):
        self.cred("add", "default", "-k", "none")
        self.cred("add", "default", stdin=TOKEN)
        self.assertEqual(self.rows()["default"]["kind"], "oauth")
        self.cred("add", "default", stdin=OTHER, status=5, says="cred rotate")
        self.cred("add", "default", "--replace", stdin=KEY)
        self.assertEqual(self.rows()["default"]["kind"], "api_key")
        self.cred("test", "default", "--offline")

    def test_asked_about(self):
        self.cred("add", "o", stdin=TOKEN)
        self.cred("add", "k", "--base-url", self.url + "/", stdin=KEY)
        self.cred("add", "g", "--base-url", self.url + "/v", stdin="word-of-a-gateway")
        self.cred("add", "n", "-k", "none")
        for name, status, code, says in (("o", 200, 0, "'o' is accepted"), ("k", 200, 0, "'k' is accepted"),
                                         ("g", 404, 0, "'g' was not refused: the API answers 404"),
                                         ("o", 401, 4, "'o' is refused"), ("o", 403, 4, "'o' is refused"),
                                         ("o", 429, 0, "its limit is reached"), ("o", 529, 75, "tells nothing"),
                                         ("k", 302, 0, "answers 302")):  # not followed
            Api.status = status
            with self.subTest(name=name, status=status):
                self.cred("test", name, status=code, says=says, ANTHROPIC_BASE_URL=self.url)
        seen = {path: headers for path, headers in Api.seen}
        self.assertEqual({path.split("?")[0] for path in seen}, {"/v1/models", "/v/v1/models"})
        sent = [headers for _, headers in Api.seen]
        self.assertEqual(sent[0]["Authorization"], f"Bearer {TOKEN}")
        self.assertEqual((sent[1]["x-api-key"], sent[1].get("Authorization")), (KEY, None))
        self.assertEqual(sent[2]["Authorization"], "Bearer word-of-a-gateway")
        self.assertIn("Claude Code's memory", subprocess.run(
            [BIN / "sandfleet", "cred", "test", "o", "--offline"], capture_output=True, text=True,
            env={**os.environ, "SANDFLEET_DATABASE": self.db.conninfo, "SANDFLEET_MASTER_KEY_FILE": self.keys}).stderr)
        self.cred("test", "n", says="kind none")
        self.cred("test", "o", status=75, says="cannot ask", ANTHROPIC_BASE_URL="http://127.0.0.1:1")
        self.cred("test", "nosuch", status=3, says="no credential 'nosuch'")

    def test_moved_and_changed_rows_do_not_open(self):
        for name in ("a", "b"):
            self.cred("add", name, "--tenant", "acme", stdin=TOKEN)
        self.db.ask("UPDATE ledger.credentials b SET sealed = a.sealed, wrapped = a.wrapped"
                    " FROM ledger.credentials a WHERE a.name = 'a' AND b.name = 'b'")
        self.cred("test", "b", "--offline", status=65, says="another one's")
        for change in ("tenant = 'other'", "kind = 'api_key'", "base_url = 'https://evil.example'", "name = 'c'",
                       "sealed = set_byte(sealed, 30, get_byte(sealed, 30) # 1)",
                       "wrapped = set_byte(wrapped, 30, get_byte(wrapped, 30) # 1)", "sealed = '\\x00'"):
            with self.subTest(change=change):
                self.db.ask("DELETE FROM ledger.credentials")
                self.cred("add", "a", "--tenant", "acme", stdin=TOKEN)
                self.db.ask(f"UPDATE ledger.credentials SET {change}")
                self.cred("test", "c" if change.startswith("name") else "a", "--offline", status=65, says="does not open")

    def test_rotated(self):
        self.cred("add", "a", "--base-url", self.url, stdin=TOKEN)
        Api.status = 200
        self.db.ask("UPDATE ledger.credentials SET hold_until = now() + interval '1 hour', hold_reason = 'auth'")
        self.assertEqual(self.rows()["a"]["state"], "held")
        self.cred("rotate", "a", stdin=KEY, status=65, says="looks like one of kind api_key")
        before = self.rows()["a"]["generation"]
        self.cred("rotate", "a", stdin=OTHER)
        row = self.rows()["a"]
        self.assertEqual((row["state"], row["hold_reason"]), ("ok", None))
        self.assertGreater(row["generation"], before)
        self.assertEqual(self.db.ask("SELECT name, generation FROM ledger.retired_secrets WHERE name = 'a'"), f"a|{before}")
        self.assertIsNotNone(row["rotated_at"])
        Api.seen.clear()
        self.cred("test", "a")
        self.assertEqual(Api.seen[0][1]["Authorization"], f"Bearer {OTHER}")
        self.cred("disable", "a")
        self.cred("rotate", "a", stdin=TOKEN)
        self.assertEqual(self.rows()["a"]["state"], "disabled")
        self.cred("rotate", "nosuch", stdin=TOKEN, status=3)

    def test_disabled_enabled_removed(self):
        self.cred("add", "a", stdin=TOKEN)
        self.cred("disable", "a")
        self.assertEqual((self.rows()["a"]["state"], self.rows()["a"]["hold_until"]), ("disabled", None))
        self.cred("enable", "a")
        self.assertEqual(self.rows()["a"]["state"], "ok")
        for verb in ("disable", "enable", "rm"):
            self.cred(verb, "nosuch", status=3, says="no credential 'nosuch'")
        self.db.ask("INSERT INTO ledger.claims (run_id, tenant, lane, credential, priority, body_hash, request, state,"
                    " credential_used, fairness_key) VALUES (gen_random_uuid(), 't', 'batch', 'a', 5, 'x', '{}',"
                    " 'running', 'a', 't')")
        self.cred("rm", "a", status=5, says="1 runs use 'a'")
        self.assertEqual(self.rows()["a"]["running"], 1)
        self.cred("rm", "a", "--force")
        self.assertEqual(self.rows(), {})

    def test_who_waited_for_a_hold_is_due_when_it_is_lifted(self):
        for verb, stdin in (("enable", ""), ("rotate", OTHER)):
            self.setUp()
            self.cred("add", "a", stdin=TOKEN)
            self.db.ask("UPDATE ledger.credentials SET hold_until = now() + interval '1 hour', hold_reason = 'auth'")
            self.db.ask("INSERT INTO ledger.claims (run_id, tenant, lane, credential, priority, body_hash, request, state,"
                        " credential_used, fairness_key, hold_reason, hold_until) SELECT gen_random_uuid(), 't', 'batch',"
                        " used, 5, 'x', '{}', 'waiting', used, 't', why, now() + interval '1 hour'"
                        " FROM (VALUES ('a', 'auth'), ('a', 'scheduled'), ('b', 'auth')) AS w(used, why)")
            self.cred(verb, "a", stdin=stdin)
            self.assertEqual(self.db.ask("SELECT credential_used, hold_reason FROM ledger.claims WHERE hold_until <= now()"), "a|auth")

    def test_limits_as_the_service_told_them(self):
        self.cred("add", "a", stdin=TOKEN)
        self.db.ask("""UPDATE ledger.credentials SET windows = '{"five_hour": {"status": "allowed_warning",
            "utilization": 0.93, "resets_at": "2026-11-21T18:00:00Z"}, "seven_day": {"status": "rejected"}}'""")
        text = self.cred("limits")
        self.assertIn("five_hour allowed_warning 93% resets 2026-11-21T18:00:00Z", text)
        self.assertIn("seven_day rejected\n", text)
        self.assertEqual(json.loads(self.cred("limits", "a", "-o", "json"))[0]["windows"]["five_hour"]["utilization"], 0.93)

    def test_another_master_key_comes_in(self):
        both = self.private("both", f"{NEW}\n{OLD}\n")
        new = self.private("new", NEW)
        for name in ("a", "b"):
            self.cred("add", name, stdin=TOKEN)
        before = self.db.ask("SELECT string_agg(sealed::text, ',') FROM ledger.credentials")
        self.db.ask("INSERT INTO ledger.workers (worker_id, host, pid, version, slots) VALUES ('w1', 'h', 1, 'v', 1)")
        self.cred("rewrap", keys=both, status=5, says="1 workers lack master key")
        self.cred("test", "a", "--offline")
        self.db.ask("DELETE FROM ledger.workers")
        self.cred("rotate", "b", stdin=OTHER)
        before = self.db.ask("SELECT string_agg(sealed::text, ',') FROM ledger.credentials")
        self.cred("rewrap", keys=both, says="3 wrapped")  # the retired one, too
        self.assertEqual(self.db.ask("SELECT count(DISTINCT key_id) FROM (SELECT key_id FROM ledger.credentials UNION ALL"
                                     " SELECT key_id FROM ledger.retired_secrets) k"), "1")
        self.cred("rewrap", keys=both, says="0 wrapped")
        self.cred("add", "c", keys=both, stdin=TOKEN)
        self.assertEqual(len({row["key_id"] for row in self.rows().values()}), 1)
        self.assertEqual(self.db.ask("SELECT string_agg(sealed::text, ',') FROM ledger.credentials WHERE name < 'c'"), before)
        self.cred("test", "a", "--offline", keys=new)
        self.cred("test", "a", "--offline", status=3, says="not among those")
        self.cred("rewrap", status=3, says="could not be")  # with the old key alone

    def test_the_secret_is_nowhere(self):
        for name, secret in (("a", TOKEN), ("b", KEY)):
            self.cred("add", name, stdin=secret)
        dump = subprocess.run([PSQL.replace("/psql", "/pg_dump"), self.db.conninfo], capture_output=True, check=True).stdout
        self.assertIn(b"COPY ledger.credentials", dump)
        for form in (TOKEN.encode(), KEY.encode(), b"planted", TOKEN.encode().hex().encode(), b"planted".hex().encode()):
            self.assertNotIn(form, dump)


if __name__ == "__main__":
    unittest.main(verbosity=2)
