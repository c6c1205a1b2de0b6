# SPDX-License-Identifier: Apache-2.0
"""Promise: nobody learns anything of another tenant. Every operation of the contract that names a thing
is asked for each of another tenant's things, and for one that does not exist: both answers are the same
404, to the byte. Lists, filters, cursors, keys and names of one tenant mean nothing in another.

A real sandfleet-api; its tables hold the same kinds of things for two tenants."""
import concurrent.futures
import json
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "conformance" / "api")]
import seeds
from door import Door, operations, percent

NOWHERE = {"run_id": "01950f3c-8a00-7000-8000-00000000dead", "batch_id": "nowhere", "session_id": "nowhere/1",
           "sandbox_id": "sbx-nowhere"}
BODIES = {"addBatchItems": ("application/x-ndjson", '{"custom_id":"a","prompt":"x"}\n')}


def ask(door, operation, thing, key, query="", accept=None):
    method, path, name, _ = operation
    kind, body = BODIES.get(name, (None, None))
    headers = {name: value for name, value in (("Content-Type", kind), ("Accept", accept)) if value}
    return door.ask(method, re.sub(r"{\w+}", percent(thing), path) + query, key, body, headers=headers)


def at_once(*asked):
    """The answers to several asks (ask's arguments), in order: a cancellation waits some seconds for a run it does not see."""
    with concurrent.futures.ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(lambda arguments: ask(*arguments), asked))


def bare(answer):
    """Without what differs between any two answers."""
    # a connection is closed or not by how much of the body was there when the answer was ready
    headers = {k: v for k, v in answer.headers.items() if k not in ("Date", "X-Request-Id", "Connection")}
    return answer.status, headers, re.sub(r'"request_id":"[^"]+"', "", answer.body)


def things_are_not_there(door, stranger, owner):
    asked = 0
    for operation in operations():
        method, path, name, permission = operation
        parameter = re.search(r"{(\w+)}", path)
        if not parameter or permission not in ("read", "submit"):
            continue
        things = seeds.things("default")[parameter[1]][:len(seeds.STATES)]  # runs: one in each state
        nothing, *answers = at_once(*((door, operation, thing, stranger) for thing in (NOWHERE[parameter[1]], *things)))
        nothing.problem(404, "not_found")
        for thing, answer in zip(things, answers, strict=True):
            assert bare(answer) == bare(nothing), (name, thing, answer, nothing)
            asked += 1
        if name in ("getRun", "getRunResult", "getBatch", "listRunEvents"):  # neither by waiting for it, nor live
            for thing in things[::3]:
                began = time.monotonic()
                answer = ask(door, operation, thing, stranger, query="?wait=50")
                assert bare(answer) == bare(nothing), (name, thing, answer, nothing)
                assert time.monotonic() - began < 40, (name, thing, "was waited for")
        if name == "listRunEvents":
            for thing in things[::3]:
                ask(door, operation, thing, stranger, accept="text/event-stream").problem(404, "not_found")
        there = ask(door, operation, things[0], owner) if method == "GET" else None
        assert there is None or there.status != 404, (name, "is not there for its owner either", there)
    assert asked > 140, asked


def no_form_of_an_id_helps(door, stranger):
    run = seeds.things("default")["run_id"][0]
    for form in (run.upper(), "{" + run + "}", run.replace("-", ""), run + "%00", run + " ", "%20" + run, f"../runs/{run}"):
        answer = door.ask("GET", f"/v1/runs/{form.replace('{', '%7B').replace('}', '%7D').replace(' ', '%20')}", stranger)
        assert answer.status in (400, 404), (form, answer)
    for run in (run, seeds.things("default")["run_id"][3]):
        for target in (f"/v1/runs/{run}?tenant=default", f"/v1/runs/{run}/events?tenant=default"):
            door.ask("GET", target, stranger).problem(403, "forbidden")
        door.ask("GET", f"/v1/runs/{run}", stranger, headers={"X-Tenant": "default", "Tenant": "default"}).problem(404, "not_found")


def lists_hold_only_ones_own(door, stranger, owner):
    for method, path, name, permission in operations():
        if method != "GET" or "{" in path or not path.startswith("/v1/") or permission != "read" or name == "getStats":
            continue
        mine = door.ask("GET", path, stranger)
        assert mine.status == 200, (path, mine)
        assert mine.json()["data"] and all(row["tenant"] == "other" for row in mine.json()["data"]), (path, mine)
        theirs = json.dumps(door.ask("GET", path, owner).json()["data"])
        assert "other" not in re.findall(r'"tenant": "(\w+)"', theirs), (path, theirs)
    for name in ("batch_id", "session_id"):
        door.db.ask(f"UPDATE fleet.runs SET {name} = 'secret/1' WHERE run_id = '{seeds.run_id('default', 5)}'")
        answer = door.ask("GET", f"/v1/runs?{name}=secret%2F1", stranger)
        assert (answer.status, answer.json()) == (200, {"data": [], "next_cursor": None}), answer
        assert len(door.ask("GET", f"/v1/runs?{name}=secret%2F1", owner).json()["data"]) == 1
    door.ask("GET", "/v1/stats?scope=fleet", stranger).problem(403, "forbidden")
    assert "default" not in door.ask("GET", "/v1/stats", stranger).body


def cursors_show_nothing(door, stranger, owner):
    page = door.ask("GET", "/v1/runs?limit=1", owner).json()
    assert page["next_cursor"], page
    answer = door.ask("GET", f"/v1/runs?limit=200&cursor={percent(page['next_cursor'])}", stranger)
    assert answer.status in (200, 400), answer
    assert answer.status == 400 or all(row["tenant"] == "other" for row in answer.json()["data"]), answer


def names_are_ones_own(door, stranger, owner):
    """One of them takes a name; for the other it is free."""
    key = {"Idempotency-Key": "the same for both"}
    first = door.ask("POST", "/v1/runs", owner, {"prompt": "one"}, headers=key)
    second = door.ask("POST", "/v1/runs", stranger, {"prompt": "two"}, headers=key)
    assert (first.status, second.status) == (201, 201), (first, second)
    assert first.json()["run_id"] != second.json()["run_id"]
    for run, its, not_its in ((first.json()["run_id"], owner, stranger), (second.json()["run_id"], stranger, owner)):
        assert door.ask("GET", f"/v1/runs/{run}", its).status == 200
        for answer in at_once(*((door, operation, run, not_its) for operation in operations() if "{run_id}" in operation[1])):
            answer.problem(404, "not_found")
    for who in (owner, stranger):
        assert door.ask("POST", "/v1/batches", who, {"batch_id": "nightly"}).status == 201
    door.ask("POST", "/v1/batches", stranger, {"batch_id": "nightly"}).problem(409, "batch_exists")
    assert door.ask("POST", "/v1/batches/nightly/seal", owner).status == 200
    assert door.ask("GET", "/v1/batches/nightly", stranger).json()["sealed_at"] is None


def what_is_the_fleets_is_for_admins(door, stranger):
    refused = set()
    for operation in operations():
        if operation[3] != "admin":
            continue
        answers = [ask(door, operation, thing, stranger) for thing in ("runs.interactive-0-1", "nowhere")]
        for answer in answers:
            answer.problem(403, "forbidden")
        assert bare(answers[0]) == bare(answers[1]), answers
        refused.add(operation[2])
    assert len(refused) >= 7, refused


with Door("--key-rate", "0", topics=True) as door:
    for tenant in ("default", "other"):
        door.db.ask(seeds.sql(tenant))
    door.db.ask(seeds.FLEET)
    owner, stranger = door.key(), door.key("--tenant", "other")
    things_are_not_there(door, stranger, owner)
    no_form_of_an_id_helps(door, stranger)
    lists_hold_only_ones_own(door, stranger, owner)
    cursors_show_nothing(door, stranger, owner)
    names_are_ones_own(door, stranger, owner)
    what_is_the_fleets_is_for_admins(door, stranger)
    print("tenancy: what is another's is not there")
