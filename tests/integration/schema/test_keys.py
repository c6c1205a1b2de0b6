# SPDX-License-Identifier: Apache-2.0
"""Promise: an API key is shown once and stored as a hash; what becomes of it is told at once.

`sandfleet keys` on a database of the test's own; what is stored is asked for by psql."""
import hashlib
import json
import subprocess

import database

DB = database.Database()


def keys(*words, status=0):
    done = subprocess.run([database.BIN / "sandfleet", "keys", *words, "--database", DB.conninfo], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def refused(sql, word):
    try:
        DB.ask(sql)
    except database.Refused as e:
        assert word in str(e), e
        return
    raise AssertionError(f"not refused: {sql}")


def an_empty_list_says_so():
    for noun, words in (("keys", "API keys; sandfleet keys create makes one"), ("webhook", "webhooks"),
                        ("audit", "such entries")):
        options = ["--tenant", "none"] if noun in ("keys", "audit") else []
        done = subprocess.run([database.BIN / "sandfleet", noun, "list", *options, "--database", DB.conninfo], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"sandfleet: there are no {words}\n"), done
        assert keys("list", "--tenant", "none", "-q") == keys("list", "--tenant", "none") == ""


def is_stored_as_a_hash():
    text = keys("create").strip()
    prefix, key_id, secret = text.split("_")
    assert prefix == "sfk" and len(key_id) == 12 and len(secret) == 64, text
    row = DB.ask(f"SELECT encode(hash, 'hex'), tenant, scopes FROM access.keys WHERE key_id = '{key_id}'")
    assert row == f"{hashlib.blake2b(bytes.fromhex(secret), digest_size=32).hexdigest()}|default|{{submit,read}}", row
    assert secret not in DB.ask("SELECT * FROM access.keys"), "it is stored"
    assert secret not in keys("list") + keys("list", "-o", "json"), "it is shown again"
    return key_id


def is_told_whole():
    made = json.loads(keys("create", "--tenant", "acme", "--scope", "read", "--scope", "admin", "--label", "for é",
                           "--expires", "1d", "-o", "json"))
    assert made["key"].startswith("sfk_" + made["id"] + "_"), made
    assert (made["tenant"], made["scopes"], made["label"]) == ("acme", ["read", "admin"], "for é"), made
    listed = json.loads(keys("list", "--tenant", "acme", "-o", "json"))
    assert len(listed) == 1 and listed[0] | {"key": made["key"]} == listed[0] | made, listed
    assert (listed[0]["state"], listed[0]["last_used_at"], listed[0]["revoked_at"]) == ("valid", None, None), listed
    assert DB.ask("SELECT expires_at - created_at FROM access.keys WHERE tenant = 'acme'") == "1 day"


def is_taken_back_once(key_id):
    listener = subprocess.Popen([database.PSQL, "-X", "-q", DB.conninfo], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True)
    listener.stdin.write("LISTEN access_keys;\nSELECT 'ready';\n")
    listener.stdin.flush()
    while "ready" not in listener.stdout.readline():
        pass
    keys("revoke", key_id)
    first = DB.ask(f"SELECT revoked_at FROM access.keys WHERE key_id = '{key_id}'")
    keys("revoke", key_id)
    DB.ask(f"UPDATE access.keys SET last_used_at = now() WHERE key_id = '{key_id}'")
    out, _ = listener.communicate("SELECT 1;\n", timeout=30)
    assert out.count(f'with payload "{key_id}"') == 1, out
    assert DB.ask(f"SELECT revoked_at FROM access.keys WHERE key_id = '{key_id}'") == first, "revoked anew"
    assert [k["state"] for k in json.loads(keys("-o", "json")) if k["id"] == key_id] == ["revoked"]
    assert "no key" in keys("revoke", "000000000000", status=3)


def what_is_wrong_is_refused():
    keys("create", "--scope", "write", status=2)
    keys("create", "--tenant", "a b", status=2)
    keys("create", "--label", "a\x1b[1m", status=2)
    assert "try 'sandfleet keys revoke --help'" in keys("revoke", "../x", status=2)
    refused("UPDATE access.keys SET scopes = '{write}'", "check constraint")
    refused("UPDATE access.keys SET scopes = '{}'", "check constraint")


def readers_see_nothing():
    refused("SET ROLE sandfleet_read; SELECT count(*) FROM access.keys", "permission denied")
    refused("SET ROLE sandfleet_read_prompts; SELECT count(*) FROM access.keys", "permission denied")


try:
    database.migrate(DB.conninfo)
    an_empty_list_says_so()
    first = is_stored_as_a_hash()
    is_told_whole()
    is_taken_back_once(first)
    what_is_wrong_is_refused()
    readers_see_nothing()
    print("keys: stored as hashes, shown once, taken back for all to hear")
finally:
    DB.drop()
