# SPDX-License-Identifier: Apache-2.0
"""Promise: each call that changes something, or would have, and each command that changes the database
leaves exactly one row that says who did what to what; no row can be changed or removed; no prompt and no
secret is in one.

A real sandfleet-api with the rights of its role: every operation of the contract that is no GET has an example
here (a new one without fails), asked once as it should be and once as nobody may. Commands of the client."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "conformance" / "api")]
import seeds
from door import Door, database, operations, percent

SECRET = "sk-ant-oat01-planted-by-the-audit-0123456789"
PROMPT = "planted-prompt-of-the-audit"
NDJSON = "application/x-ndjson"
# operation: what is asked (things of `seeds`, or the text itself), how it ends, and its object
# "done": in the transaction of the change
EXAMPLES = {
    "createRun": ({"body": {"prompt": PROMPT}}, "201"),
    "cancelRun": ({"thing": seeds.run_id("default", 0)}, "done"),
    "retryRun": ({"thing": seeds.run_id("default", 7)}, None),
    "createReadToken": ({"thing": seeds.run_id("default", 0)}, None),
    "createBatch": ({"body": {"batch_id": "audited"}}, "done"),
    "addBatchItems": ({"thing": "audited", "body": '{"custom_id":"a","prompt":"%s"}\n' % PROMPT, "kind": NDJSON}, "done"),
    "sealBatch": ({"thing": "audited"}, "done"),
    "cancelBatch": ({"thing": "audited"}, "done"),
    "retryBatch": ({"thing": "batch/default"}, None),
    "deleteSession": ({"thing": "session/default/completed"}, None),
    "askSandboxes": ({"body": {"template": "claude"}}, "done"),
    "terminateSandbox": ({"thing": "sbx-default-24"}, None),
    "setLimit": ({"body": {"scope": "tenant", "name": "acme", "setting": "concurrency", "value": 3}}, "done"),
    "purgeDeadLetters": ({"body": {"ids": ["runs.interactive-0-1"]}}, "done"),
    "redriveDeadLetters": ({"body": {"all": True}}, "done"),
}


def ask_with(door, method, path, key, thing="", body=None, kind=None):
    return door.ask(method, re.sub(r"{\w+}", percent(thing), path), key, body, headers={"Content-Type": kind} if kind else None)


def rows_of(door, request):
    return door.db.ask(f"SELECT tenant, actor_kind, actor, login, action, object, outcome FROM door.audit"
                       f" WHERE request_id = '{request}'").splitlines()


def one_row(door, answer):
    request = answer.headers["X-Request-Id"]
    door.wait(lambda: rows_of(door, request), f"a row of {answer}")
    (row,) = rows_of(door, request)
    return row.split("|")


def each_operation_leaves_one(door, admin, reader):
    login = door.db.ask("SELECT session_user")
    writes = [o for o in operations() if o[0] != "GET"]
    assert {name for _, _, name, _ in writes} == set(EXAMPLES), {name for _, _, name, _ in writes} ^ set(EXAMPLES)
    for method, path, name, permission in sorted(writes, key=lambda o: list(EXAMPLES).index(o[2])):
        asked, outcome = EXAMPLES[name]
        pattern = re.sub(r"{\w+}", "{}", path)
        answer = ask_with(door, method, path, admin, **asked)
        assert answer.status < 500, (name, answer)
        assert outcome != "done" or answer.status < 300, (name, answer)
        tenant, kind, actor, by, action, thing, how = one_row(door, answer)
        assert (kind, actor, by, action) == ("api_key", admin[4:16], login, f"{method} {pattern}"), (name, actor)
        assert tenant == "default", (name, tenant)
        assert how == (outcome or how) and how in ("done", str(answer.status)), (name, how, answer)
        if "thing" in asked and name not in ("retryRun", "retryBatch"):
            assert thing == asked["thing"], (name, thing)
        if name in ("createRun", "createBatch"):
            assert thing == answer.headers["Location"].rsplit("/", 1)[1], (name, thing)
        if permission != "read":
            refused = ask_with(door, method, path, reader, **asked)
            refused.problem(403, "forbidden")
            assert one_row(door, refused)[-1] == "403", name


def who_is_not_known_or_only_reads_leaves_none(door, reader):
    refused = door.ask("POST", "/v1/runs", None, {"prompt": PROMPT})
    refused.problem(401, "unauthenticated")
    read = door.ask("GET", "/v1/runs", reader)
    one_row(door, door.ask("POST", "/v1/runs", reader, {"prompt": PROMPT}))  # behind both, on the same connection
    for answer in (refused, read):
        assert not rows_of(door, answer.headers["X-Request-Id"]), answer


def commands_leave_one(door):
    with tempfile.TemporaryDirectory() as folder:
        keys = pathlib.Path(folder) / "keys"
        keys.touch(mode=0o600)
        keys.write_text("11" * 32)
        env = {**door.environ("client"), "SANDFLEET_MASTER_KEY_FILE": str(keys)}
        owner = {**env, "SANDFLEET_DATABASE": door.db.conninfo}
        made = door.client("keys", "create").strip()[4:16]
        run = seeds.run_id("default", 1)
        assert door.db.ask(f"SELECT count(*) FROM door.audit WHERE action = 'keys create' AND object = '{made}'") == "1"
        for words, stdin, action, thing, whose in (
                (["cred", "add", "a"], SECRET, "cred add", "a", env), (["cred", "rotate", "a"], SECRET + "x", "cred rotate", "a", env),
                (["cred", "disable", "a"], "", "cred disable", "a", env), (["cred", "enable", "a"], "", "cred enable", "a", env),
                (["cred", "rm", "a"], "", "cred rm", "a", env),
                (["keys", "revoke", made], "", "keys revoke", made, env),
                (["limits", "set", "fleet", "concurrency", "7"], "", "limits set", "fleet concurrency 7", env),
                (["cancel", run], "", "runs cancel", run, env),
                (["webhook", "add", "hook", "--url", "https://example.org/"], "", "webhook add", "hook", env),
                (["webhook", "rm", "hook"], "", "webhook rm", "hook", env),
                (["retention", "--keep", "90d"], "", "retention", "", owner), (["migrate"], "", "migrate", "", owner)):
            before = set(door.db.ask("SELECT request_id FROM door.audit").splitlines())
            done = subprocess.run([database.BIN / "sandfleet", *words], input=stdin, env=whose, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, (words, done)
            new = set(door.db.ask("SELECT request_id FROM door.audit").splitlines()) - before
            assert len(new) == 1, (words, new)
            row = rows_of(door, *new)[0].split("|")
            assert (row[1], row[4], row[5], row[6]) == ("client", action, thing, "done"), (words, row)
            assert row[2] not in ("", "-"), row
        listed = subprocess.run([database.BIN / "sandfleet", "audit", "list", "--action", "cred rotate", "-o", "json"],
                                env=env, capture_output=True, text=True, check=True).stdout
        assert [row["object"] for row in json.loads(listed)] == ["a"], listed
        assert "cred rotate" in subprocess.run([database.BIN / "sandfleet", "audit", "--since", "1h", "--limit", "0"], env=env,
                                               capture_output=True, text=True, check=True).stdout


def the_owner_alone_lets_old_ones_go(door):
    door.db.ask("INSERT INTO door.audit (request_id, at, actor_kind, actor, action, outcome) VALUES"
                " (gen_random_uuid(), now() - interval '500 days', 'client', 'x', 'long ago', 'done')")
    words = ["retention", "--keep", "90d", "--keep-audit", "400d"]
    by_client = subprocess.run([database.BIN / "sandfleet", *words], env=door.environ("client"), capture_output=True, text=True, timeout=60)
    assert by_client.returncode != 0, by_client
    for more, left, says in ((["--dry-run"], "1", "would drop 1 rows of door.audit"), ([], "0", "dropped 1 rows of door.audit")):
        done = subprocess.run([database.BIN / "sandfleet", *words, *more], capture_output=True, text=True, timeout=60,
                              env={**door.environ("client"), "SANDFLEET_DATABASE": door.db.conninfo})
        assert done.returncode == 0 and says in done.stdout, done
        assert door.db.ask("SELECT count(*) FROM door.audit WHERE action = 'long ago'") == left


def nobody_changes_one(door):
    for role in ("api", "client", "worker", "sink", "webhook"):
        for sql in ("UPDATE door.audit SET actor = 'x'", "DELETE FROM door.audit", "TRUNCATE door.audit",
                    "INSERT INTO door.audit (request_id, actor_kind, actor, action, outcome) VALUES (gen_random_uuid(), 'client', 'x', 'x', 'x')"):
            try:
                database.psql(database.as_role(door.db.conninfo, role), sql)
            except database.Refused as e:
                assert "permission denied" in str(e), e
            else:
                raise AssertionError(f"{role}: {sql}")


def nothing_secret_is_in_one(door):
    text = door.db.ask("SELECT row_to_json(a) FROM door.audit a")
    assert len(text.splitlines()) > 40
    for secret in (SECRET, PROMPT):
        assert secret not in text, secret


if __name__ == "__main__":
    with Door(topics=True) as door:
        door.db.ask(seeds.sql("default"))
        door.db.ask(seeds.FLEET)
        door.db.ask(f"UPDATE fleet.quarantine SET topic = '{door.prefix}runs.interactive' WHERE \"offset\" = 2")  # can be sent again
        admin, reader = door.key("--tenant", "default", "--scope", "admin"), door.key("--scope", "read")
        each_operation_leaves_one(door, admin, reader)
        who_is_not_known_or_only_reads_leaves_none(door, reader)
        commands_leave_one(door)
        nobody_changes_one(door)
        the_owner_alone_lets_old_ones_go(door)
        nothing_secret_is_in_one(door)
        print("audit: one row each, and nobody changes it")
