# SPDX-License-Identifier: Apache-2.0
"""Promise: what was answered 201 is in the topic, once for each key, and can be read at once, from every
server; what is wrong is told all at once, with the place of each mistake; a batch takes a body of any
length in little memory, and answers each line in its order.

Two real sandfleet-api processes on one database and one topic; no sink and no worker, so that nothing is
there but what the door itself did."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from door import Answer, Door, database

NDJSON = {"Content-Type": "application/x-ndjson"}
PLAIN = "asan" not in os.environ.get("SANDFLEET_BIN", "")  # which keeps what was freed


class Second(Door):
    """Another server, on what the first one has."""

    def __init__(self, first, *options):
        self.brokers, self.prefix, self.db, self.options = first.brokers, first.prefix, first.db, options
        self.process, self.log = None, tempfile.TemporaryFile()
        self.start()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def records(door, topic):
    """Every record of a topic: key, value."""
    done = subprocess.run(["kcat", "-C", "-J", "-q", "-e", "-o", "beginning", "-b", door.brokers, "-t", door.prefix + topic],
                          check=True, timeout=60, capture_output=True)
    envelopes = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
    return [(e["key"], json.loads(e["payload"])) for e in envelopes]


def value(door, sql):
    return door.db.ask(sql)


def items(door, batch, lines, key):
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    answer = door.ask("POST", f"/v1/batches/{batch}/items", key, text.encode(), NDJSON)
    assert answer.status == 200, answer
    return [json.loads(line) for line in answer.body.splitlines()]


# --- one run --------------------------------------------------------------------------------


def accepted_and_read_at_once(door, second, key):
    whole = {"prompt": "hé\"llo\n", "lane": "batch", "custom_id": "c/1", "session": {"id": "s1", "on_busy": "reject"},
             "project_id": "p", "user_id": "u", "model": "sonnet", "max_turns": 3, "max_budget_usd": 1.5,
             "tags": ["a", "b"], "metadata": {"x": [1, {"y": None}]}, "env": {"A": "b"}, "priority": 9}
    for body in ({"prompt": "x"}, whole):
        answer = door.ask("POST", "/v1/runs", key, body)
        run = answer.json()
        assert answer.status == 201 and answer.headers["Location"] == "/v1/runs/" + run["run_id"], answer
        assert run["state"] == "queued" and run["tenant"] == "acme", run
        for server in (door, second):
            read = server.ask("GET", answer.headers["Location"], key)
            assert read.status == 200, read
            got = read.json()
            assert {name: got[name] for name in run} == run, (got, run)
            assert got["prompt"] == body["prompt"] and got["metadata"] == body.get("metadata"), got
            assert got["tags"] == body.get("tags"), got
            events = server.ask("GET", answer.headers["Location"] + "/events", key)
            assert (events.status, events.json()["events"], events.json()["ended"]) == (200, [], False), events
        topic = "runs." + body.get("lane", "interactive")
        (record,) = [r for r in records(door, topic) if r[1]["run_id"] == run["run_id"]]
        assert record[0] == body.get("session", {}).get("id", run["run_id"]), record
        for name in body:
            assert name == "lane" or record[1][name] == body[name], (name, record)
        assert record[1]["tenant"] == "acme" and record[1]["created_at"] == run["created_at"], record
    other = door.key("--tenant", "other", "--scope", "submit,read")
    door.ask("GET", answer.headers["Location"], other).problem(404, "not_found")
    door.ask("POST", "/v1/runs", door.key("--scope", "read"), {"prompt": "x"}).problem(403, "forbidden")


# what, the body as it is sent, status, code, pointers of the errors; B0xx: a row of bad inputs
MISTAKES = [
    ("B040 nothing", b"", 400, "malformed_json", [""]),
    ("B041 cut off", b"{", 400, "malformed_json", [""]),
    ("B042 something behind it", b'{"prompt":"x"}garbage', 400, "malformed_json", [""]),
    ("B043 no UTF-8", b'{"prompt":"\xc3\x28"}', 400, "malformed_json", [""]),
    ("B046 deep", b'{"prompt":"x","metadata":' + b'{"a":' * 100000 + b"1" + b"}" * 100001, 400, "malformed_json", [""]),
    ("B047 a member twice", b'{"prompt":"x","prompt":"y"}', 400, "malformed_json", [""]),
    ("an escaped NUL", b'{"prompt":"a\\u0000b"}', 400, "malformed_json", [""]),
    ("a lone surrogate", b'{"prompt":"\\ud800"}', 400, "malformed_json", [""]),
    ("a number out of range", b'{"prompt":"x","priority":1e999}', 400, "malformed_json", [""]),
    ("another value", b'["x"]', 400, "malformed_json", [""]),
    ("no prompt", b"{}", 422, "missing_prompt", ["/prompt"]),
    ("an empty prompt", b'{"prompt":" \\n"}', 422, "empty_prompt", ["/prompt"]),
    ("a prompt that is none", b'{"prompt":5}', 422, "invalid_field", ["/prompt"]),
    ("a null prompt", b'{"prompt":null}', 422, "invalid_field", ["/prompt"]),
    ("a long prompt", b'{"prompt":"' + b"a" * 102401 + b'"}', 422, "too_large", ["/prompt"]),
    ("a long request", b'{"prompt":"x","metadata":{"a":"' + b"a" * 524288 + b'"}}', 422, "too_large", [""]),
    ("a secret", b'{"prompt":"x","env":{"T":"sk-ant-oat01-AAAA"}}', 422, "secret_in_record", [""]),
    ("what the door says", b'{"prompt":"x","tenant":"acme","run_id":"r","v":1,"batch_id":"b","created_at":"x",'
     b'"idempotency_key":"k"}', 422, "invalid_field", ["/tenant", "/run_id", "/v", "/batch_id", "/created_at", "/idempotency_key"]),
    ("many at once", b'{"promt":"x","max_turns":0,"lane":"fast","not_before":"2200-01-01T00:00:00Z","a/b~c":1}', 422,
     "invalid_field", ["/lane", "/promt", "/max_turns", "/a~1b~0c", "/prompt", "/not_before"]),
    ("a name that is none of ours", b'{"prompt":"x","' + b"n" * 300 + b'":1}', 422, "unknown_field", [""]),
]


def told_what_is_wrong(door, key):
    before = len(records(door, "runs.interactive"))
    for what, body, status, code, pointers in MISTAKES:
        begun = time.monotonic()
        answer = door.ask("POST", "/v1/runs", key, body, {"Content-Type": "application/json"})
        doc = answer.problem(status, code)
        assert [e["pointer"] for e in doc["errors"]] == pointers, (what, doc)
        assert all(e["detail"] and e["code"] for e in doc["errors"]) and not doc["retryable"], (what, doc)
        assert not any(e["detail"].startswith(e["code"]) for e in doc["errors"]), (what, doc)
        assert all(e["detail"].startswith("no such member: ") for e in doc["errors"] if e["code"] == "unknown_field"), (what, doc)
        assert "oat01" not in answer.body, what
        assert time.monotonic() - begun < 2, what
    good = b'{"prompt":"x"}'
    for name, text, status, code in (("Content-Type", "text/plain", 415, "unsupported_media_type"),           # B051
                                     ("Content-Encoding", "gzip", 415, "unsupported_media_type"),             # B052
                                     ("Idempotency-Key", "", 400, "invalid_parameter"),                       # B058
                                     ("Idempotency-Key", "k" * 256, 400, "invalid_parameter"),
                                     ("Idempotency-Key", "k\u00e9", 400, "invalid_parameter")):
        headers = {"Content-Type": "application/json", name: text}
        door.ask("POST", "/v1/runs", key, good, headers).problem(status, code)
    for query in ("lane=batch", "tenant=acme&tenant=other"):  # which of two would count?
        door.ask("POST", f"/v1/runs?{query}", key, {"prompt": "x"}).problem(400, "invalid_parameter")
    head = (f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {(1 << 20) + 1}\r\n\r\n")  # B044: answered before the body is there
    answer = door.raw(head.encode())
    assert answer.startswith("HTTP/1.1 413 ") and "body_too_large" in answer, answer
    assert len(records(door, "runs.interactive")) == before, "a refused request is in the topic"


# --- Idempotency-Key ----------------------------------------------------------------------------


def the_same_key_is_the_same_run(door, second, key):
    def post(server, name, body, who=key):
        return server.ask("POST", "/v1/runs", who, body, {"Idempotency-Key": name, "Content-Type": "application/json"})

    body = {"prompt": "once", "metadata": {"a": 1, "b": 2}}
    same = '{"metadata": {"b": 2, "a": 1},  "prompt": "once", "traceparent": "00-' + "a" * 32 + "-" + "b" * 16 + '-01"}'
    first = post(door, "k one", body)
    assert first.status == 201 and first.headers["Idempotent-Replayed"] is None, first
    for server in (door, second):  # B059
        again = post(server, "k one", same)
        assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (201, first.body, "true"), again
        assert again.headers["Location"] == first.headers["Location"], again
        post(server, "k one", {**body, "prompt": "other"}).problem(422, "idempotency_key_reused")  # B060
        post(server, "k one", {**body, "lane": "batch"}).problem(422, "idempotency_key_reused")
    run_id = first.json()["run_id"]
    assert sum(r[1]["run_id"] == run_id for r in records(door, "runs.interactive")) == 1
    other = post(door, "k one", {"prompt": "theirs"}, door.key("--tenant", "other"))
    assert other.status == 201 and other.json()["run_id"] != run_id, other
    door.process.kill()  # a crash, and what it had answered stays answered
    door.process.wait()
    door.start()
    again = post(door, "k one", body)
    assert (again.status, again.body) == (201, first.body), again

    # somebody is at it; or was, and died
    where = "WHERE tenant = 'acme' AND key = 'k one'"
    door.db.ask(f"UPDATE door.idempotency SET answer = NULL, location = NULL, holder = gen_random_uuid(),"
                f" locked_until = now() + interval '1 hour' {where}")
    assert post(second, "k one", body).problem(409, "idempotency_in_flight")["retryable"]
    post(second, "k one", {"prompt": "other"}).problem(422, "idempotency_key_reused")
    door.db.ask(f"UPDATE door.idempotency SET locked_until = now() {where}")
    again = post(second, "k one", body)
    assert (again.status, again.json()["run_id"]) == (201, run_id), again
    # long ago: the run's claim says what the key stands for
    door.db.ask(f"DELETE FROM door.idempotency {where}")
    claim(door, run_id, "acme", {"prompt": "once"}, body_hash="00")
    post(second, "k one", body).problem(422, "idempotency_key_reused")
    assert value(door, f"SELECT count(*) FROM door.idempotency {where}") == "0"


def twenty_at_once_are_one(door, second, key):
    def post(n):
        answer = (door, second)[n % 2].ask("POST", "/v1/runs", key, {"prompt": "race"}, {
            "Idempotency-Key": "race", "Content-Type": "application/json"})
        assert answer.status in (201, 409), answer
        return answer

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))
    ids = {a.json()["run_id"] for a in answers if a.status == 201}
    assert len(ids) == 1, answers
    assert post(0).json()["run_id"] in ids
    assert sum(r[1]["run_id"] in ids for r in records(door, "runs.interactive")) == 1


# --- batches ----------------------------------------------------------------------------------------


def a_batch_takes_lines(door, second, key):
    body = {"batch_id": "night/1", "defaults": {"model": "sonnet", "max_turns": 3}, "metadata": {"by": "cron"}}
    answer = door.ask("POST", "/v1/batches", key, body)
    assert (answer.status, answer.headers["Location"]) == (201, "/v1/batches/night%2F1"), answer
    assert answer.json()["metadata"] == {"by": "cron"} and answer.json()["state"] == "open", answer
    second.ask("POST", "/v1/batches", key, {"batch_id": "night/1"}).problem(409, "batch_exists")
    wrong = door.ask("POST", "/v1/batches", key, {"batch_id": "-x", "defaults": {"prompt": "x", "modle": 1, "max_turns": 0},
                                                  "metadata": 1, "more": 2}).problem(422, "unknown_field")
    assert [e["pointer"] for e in wrong["errors"]] == ["/more", "/batch_id", "/defaults/prompt", "/defaults/modle",
                                                       "/defaults/max_turns", "/metadata"], wrong
    lines = ["\ufeff" + json.dumps({"custom_id": "a", "prompt": "x"}) + "\r\n", "\n", "  \n",
             {"custom_id": "b", "prompt": "y", "model": "opus", "lane": "interactive"}, "no json\n", {"prompt": "z"},
             {"custom_id": "c"}, {"custom_id": "d", "prompt": "x", "max_turns": 0}, '{"custom_id":"e","prompt":"last"}']
    got = items(second, "night%2F1", lines, key)
    assert [(g["line"], g["custom_id"], g["status"]) for g in got] == [
        (1, "a", "accepted"), (4, "b", "accepted"), (5, None, "rejected"), (6, None, "rejected"), (7, "c", "rejected"),
        (8, "d", "rejected"), (9, "e", "accepted")], got
    assert [g["error"] and (g["error"]["code"], g["error"]["pointer"]) for g in got] == [
        None, None, ("malformed_json", None), ("invalid_field", "/custom_id"), ("missing_prompt", "/prompt"),
        ("invalid_field", "/max_turns"), None], got
    sent = {r[1]["run_id"]: r[1] for r in records(door, "runs.batch") + records(door, "runs.interactive")
            if r[1].get("batch_id") == "night/1"}
    assert set(sent) == {g["run_id"] for g in got if g["run_id"]}, sent
    assert [sent[g["run_id"]]["model"] for g in got if g["run_id"]] == ["sonnet", "opus", "sonnet"]
    again = items(door, "night%2F1", lines, key)
    assert again == got, "other ids the second time"
    # the same names at the other door are the same runs
    done = subprocess.run([database.BIN / "sandfleet", "submit", "--file", "-", "--batch", "night/1", "--tenant", "acme"],
                          input='{"custom_id":"a","prompt":"x"}\n', env=door.environ("client"), capture_output=True, text=True, timeout=60)
    assert got[0]["run_id"] in done.stdout, (done, got[0])


def lines_of_message_batches(door, key):
    door.ask("POST", "/v1/batches", key, {"batch_id": "msgs", "defaults": {"model": "sonnet", "max_turns": 2}})
    turn = {"role": "user", "content": "hello"}
    got = items(door, "msgs", [
        {"custom_id": "a", "params": {"model": "opus", "max_tokens": 100, "system": "be brief", "messages": [turn]}, "timeout_s": 60},
        {"custom_id": "b", "params": {"max_tokens": 100, "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}},
        {"custom_id": "c", "params": {"messages": [turn], "top_p": 1}}, {"custom_id": "d", "params": {"messages": [turn]}, "prompt": "x"},
        {"custom_id": "e", "params": {"messages": [{"role": "user", "content": "  "}]}}, {"custom_id": "f", "params": 5}], key)
    assert [(g["status"], g["error"] and g["error"]["pointer"]) for g in got] == [
        ("accepted", None), ("accepted", None), ("rejected", "/params/top_p"), ("rejected", "/prompt"),
        ("rejected", "/params/messages/0/content"), ("rejected", "/params")], got
    sent = {r[1]["custom_id"]: r[1] for r in records(door, "runs.batch") if r[1].get("batch_id") == "msgs"}
    assert [sent["a"][name] for name in ("prompt", "model", "system_prompt", "timeout_s", "max_turns")] == [
        "hello", "opus", "be brief", 60, 2], sent
    assert (sent["b"]["prompt"], sent["b"]["model"]) == ("x", "sonnet"), sent


def one_name_for_two_things(door, key):
    door.ask("POST", "/v1/batches", key, {"batch_id": "twins"})
    got = items(door, "twins", [line(1), line(2), line(1), line(1, model="opus"), line(3)], key)
    assert [(g["status"], g["error"] and g["error"]["pointer"]) for g in got] == [
        ("accepted", None)] * 3 + [("rejected", "/custom_id"), ("accepted", None)], got
    assert got[0]["run_id"] == got[2]["run_id"], got


def bodies_have_a_share_of_memory_and_no_more(door, key):
    head = (f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {1 << 20}\r\n\r\n").encode()
    held = []
    try:
        for _ in range(128):
            held.append(socket.create_connection(("127.0.0.1", door.port)))
            held[-1].sendall(head)
        door.wait(lambda: door.ask("POST", "/v1/runs", key, {"prompt": "x"}).status == 503, "the end of what is taken")
        doc = door.ask("POST", "/v1/runs", key, {"prompt": "x"}).problem(503, "overloaded")
        assert doc["retryable"], doc
        assert door.ask("GET", "/v1/runs", key).status == 200
    finally:
        for one in held:
            one.close()
    door.wait(lambda: door.ask("POST", "/v1/runs", key, {"prompt": "x"}).status == 201, "room again")


def a_batch_is_made_once_for_its_key(door, second, key):
    def post(server, body):
        return server.ask("POST", "/v1/batches", key, body, {"Idempotency-Key": "kb", "Content-Type": "application/json"})

    first = post(door, {"metadata": {"a": 1}})
    assert first.status == 201 and first.json()["batch_id"].startswith("batch-"), first
    again = post(second, {"metadata": {"a": 1}})
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (201, first.body, "true"), again
    post(second, {}).problem(422, "idempotency_key_reused")
    door.ask("POST", "/v1/runs", key, {"prompt": "x"}, {"Idempotency-Key": "kb", "Content-Type": "application/json"}
             ).problem(422, "idempotency_key_reused")


def where_there_is_no_batch(door, key):
    door.ask("POST", "/v1/batches/none/items", key, "{}\n", NDJSON).problem(404, "not_found")
    door.ask("POST", "/v1/batches/-/items", key, "{}\n", NDJSON).problem(404, "not_found")
    door.ask("POST", "/v1/batches", key, {"batch_id": "theirs"})
    door.ask("POST", "/v1/batches/theirs/items", door.key("--tenant", "other"), "{}\n", NDJSON).problem(404, "not_found")
    door.ask("POST", "/v1/batches/theirs/items", key, {"custom_id": "a"}).problem(415, "unsupported_media_type")
    door.ask("POST", "/v1/batches/theirs/items?x=1", key, "{}\n", NDJSON).problem(400, "invalid_parameter")
    assert items(door, "theirs", [], key) == []
    door.db.ask("UPDATE door.batches SET sealed_at = now() WHERE batch_id = 'theirs'")
    door.ask("POST", "/v1/batches/theirs/items", key, "{}\n", NDJSON).problem(409, "batch_sealed")


class Upload:
    """A body that is sent as slowly as one likes."""

    def __init__(self, door, batch, key):
        self.conn = http.client.HTTPConnection("127.0.0.1", door.port, timeout=60)
        self.conn.putrequest("POST", f"/v1/batches/{batch}/items")
        for name, text in {**NDJSON, "Authorization": f"Bearer {key}", "Transfer-Encoding": "chunked"}.items():
            self.conn.putheader(name, text)
        self.conn.endheaders()

    def send(self, text):
        data = text.encode()
        self.conn.send(b"%x\r\n%s\r\n" % (len(data), data))

    def answer(self):
        self.conn.send(b"0\r\n\r\n")
        got = self.conn.getresponse()
        return Answer(got.status, got.headers, got.read().decode())

    def cut(self):
        self.conn.close()


def line(n, **more):
    return json.dumps({"custom_id": f"n{n}", "prompt": f"p{n}", **more}) + "\n"


def rss_kib(door):
    status = pathlib.Path(f"/proc/{door.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def open_files(door):
    return len(list(pathlib.Path(f"/proc/{door.process.pid}/fd").iterdir()))


def any_length_in_little_memory(door, key):
    door.ask("POST", "/v1/batches", key, {"batch_id": "long"})
    upload, most, files = Upload(door, "long", key), 0, open_files(door)
    padding = "x" * 500
    for start in range(0, 20000, 500):
        upload.send("".join(line(n, metadata={"p": padding}) for n in range(start, start + 500)))
        most = max(most, rss_kib(door))
    answer = upload.answer()
    got = [json.loads(text) for text in answer.body.splitlines()]
    assert [g["line"] for g in got] == list(range(1, 20001)), answer.status
    assert all(g["status"] == "accepted" for g in got)
    assert len(answer.body) > 8 * 256 * 1024, "it was small enough to be kept in memory"
    assert most < 120 * 1024 or not PLAIN, f"{most} KiB for a body of 11 MB"
    assert len({r[1]["run_id"] for r in records(door, "runs.batch") if r[1].get("batch_id") == "long"}) == 20000
    upload.cut()
    door.wait(lambda: open_files(door) <= files + 3, "its files closed")  # Kafka's own come and go


def a_line_that_is_too_long_is_one_line(door, key):
    door.ask("POST", "/v1/batches", key, {"batch_id": "wide"})
    lines = [line(1), json.dumps({"custom_id": "n2", "prompt": "x", "metadata": {"a": "b" * 700000}}) + "\n",
             line(3), "y" * 3000000 + "\n", line(5)]
    got = items(door, "wide", lines, key)
    assert [(g["line"], g["status"], g["error"] and g["error"]["code"]) for g in got] == [
        (1, "accepted", None), (2, "rejected", "too_large"), (3, "accepted", None), (4, "rejected", "too_large"),
        (5, "accepted", None)], got


def who_goes_away_in_the_middle(door, key):
    door.ask("POST", "/v1/batches", key, {"batch_id": "cut"})
    files = open_files(door)
    for _ in range(20):
        upload = Upload(door, "cut", key)
        upload.send("".join(line(n) for n in range(100)) + '{"custom_id":"half')
        time.sleep(0.05)  # libmicrohttpd takes an end that comes with the bytes for silence: that one lasts until it is idle, 75 s
        upload.cut()
    raw = (f"POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
           'Content-Length: 1000\r\n\r\n{"prompt":"half').encode()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", door.port)) as half:
            half.sendall(raw)
            time.sleep(0.05)
    door.wait(lambda: open_files(door) <= files + 3, "its files closed", seconds=150)  # Kafka's own come and go
    got = items(door, "cut", [line(n) for n in range(150)], key)
    assert [g["status"] for g in got] == ["accepted"] * 150, got
    ids = [r[1]["run_id"] for r in records(door, "runs.batch") if r[1].get("batch_id") == "cut"]
    assert set(ids) == {g["run_id"] for g in got}
    assert not any(r[1]["prompt"] == "half" for r in records(door, "runs.interactive"))


def a_seal_in_the_middle(door, key):
    door.ask("POST", "/v1/batches", key, {"batch_id": "seal"})
    upload = Upload(door, "seal", key)
    upload.send(line(1))
    door.wait(lambda: [r for r in records(door, "runs.batch") if r[1].get("batch_id") == "seal"], "the first line in the topic")
    door.db.ask("UPDATE door.batches SET sealed_at = now() WHERE batch_id = 'seal'")
    for n in range(2, 6):
        time.sleep(0.7)
        upload.send(line(n))
    got = [json.loads(text) for text in upload.answer().body.splitlines()]
    assert (got[0]["status"], got[4]["status"], got[4]["error"]["code"]) == ("accepted", "rejected", "batch_sealed"), got


# --- what is asked of runs that are there ----------------------------------------------------------------


def claim(door, run_id, tenant, request, state="ended", body_hash="11", batch="NULL", lane="interactive"):
    request = json.dumps({"v": 1, "run_id": run_id, "tenant": tenant, "created_at": "2026-01-01T00:00:00Z", **request})
    terminal = "'{\"type\":\"sandfleet.run.failed\"}'" if state == "ended" else "NULL"
    door.db.ask("INSERT INTO ledger.claims (run_id, tenant, lane, credential, priority, body_hash, request, state, terminal,"
                f" fairness_key, batch_id) VALUES ('{run_id}', '{tenant}', '{lane}', 'default', 5, '\\x{body_hash}',"
                f" $json${request}$json$, '{state}', {terminal}, '{tenant}', {batch})")


def a_cancel_is_a_row(door, second, key):
    run = door.ask("POST", "/v1/runs", key, {"prompt": "x"}).json()["run_id"]
    other = door.key("--tenant", "other")
    second.ask("POST", f"/v1/runs/{run}/cancel", other).problem(404, "not_found")
    second.ask("POST", f"/v1/runs/{run}/cancel", key, {"force": "yes", "x": 1}).problem(422, "unknown_field")
    answer = second.ask("POST", f"/v1/runs/{run}/cancel", key)
    assert (answer.status, answer.json()) == (202, {"run_id": run, "found": "unknown", "asked": True, "state": "queued"}), answer
    assert value(door, f"SELECT force, requested_by LIKE 'key %' FROM ledger.cancellations WHERE run_id = '{run}'") == "f|t"
    assert door.ask("POST", f"/v1/runs/{run}/cancel", key, {"force": True}).status == 202
    assert value(door, f"SELECT force FROM ledger.cancellations WHERE run_id = '{run}'") == "t"
    done = str(uuid.uuid4())
    claim(door, done, "acme", {"prompt": "x"})
    answer = door.ask("POST", f"/v1/runs/{done}/cancel", key)
    assert (answer.status, answer.json()) == (200, {"run_id": done, "found": "ended", "asked": False, "state": "failed"}), answer
    door.ask("POST", f"/v1/runs/{uuid.uuid4()}/cancel", key).problem(404, "not_found")
    door.ask("POST", "/v1/runs/none/cancel", key).problem(404, "not_found")
    door.ask("POST", "/v1/batches", key, {"batch_id": "tocancel"})
    for n in range(3):
        claim(door, str(uuid.uuid4()), "acme", {"prompt": "x"}, "waiting", batch="'tocancel'")
    answer = door.ask("POST", "/v1/batches/tocancel/cancel", key, {})
    assert (answer.status, answer.json()) == (202, {"batch_id": "tocancel", "asked": 3}), answer
    assert value(door, "SELECT count(*) FROM ledger.cancellations WHERE batch_id = 'tocancel' AND NOT force") == "1"
    door.ask("POST", "/v1/batches/tocancel/cancel", other).problem(404, "not_found")


def a_retry_is_another_run(door, second, key):
    run, waits = str(uuid.uuid4()), str(uuid.uuid4())
    claim(door, run, "acme", {"prompt": "again", "model": "opus", "batch_id": "b", "custom_id": "c", "metadata": {"x": 1},
                              "expires_at": "2026-01-02T00:00:00Z", "not_before": "2026-01-01T00:00:01Z"}, lane="batch")
    claim(door, waits, "acme", {"prompt": "x"}, "waiting")
    door.ask("POST", f"/v1/runs/{waits}/retry", key).problem(409, "run_not_ended")
    door.ask("POST", f"/v1/runs/{uuid.uuid4()}/retry", key).problem(404, "not_found")
    door.ask("POST", f"/v1/runs/{run}/retry", door.key("--tenant", "other")).problem(404, "not_found")
    queued = door.ask("POST", "/v1/runs", key, {"prompt": "x"}).json()["run_id"]
    second.ask("POST", f"/v1/runs/{queued}/retry", key).problem(409, "run_not_ended")
    answer = door.ask("POST", f"/v1/runs/{run}/retry", key, headers={"Idempotency-Key": "retry"})
    new = answer.json()
    assert (answer.status, new["lane"], new["model"], new["batch_id"], new["custom_id"]) == (201, "batch", "opus", None, "c"), answer
    (record,) = [r[1] for r in records(door, "runs.batch") if r[1]["run_id"] == new["run_id"]]
    assert record["metadata"] == {"x": 1, "retry_of": run} and record["prompt"] == "again", record
    assert "expires_at" not in record and "not_before" not in record, record
    again = second.ask("POST", f"/v1/runs/{run}/retry", key, headers={"Idempotency-Key": "retry"})
    assert (again.status, again.body) == (201, answer.body), again
    assert second.ask("POST", f"/v1/runs/{run}/retry", key).json()["run_id"] != new["run_id"]
    assert second.ask("GET", f"/v1/runs/{new['run_id']}", key).json()["metadata"]["retry_of"] == run


def what_failed_of_a_batch_again(door, second, key):
    door.ask("POST", "/v1/batches", key, {"batch_id": "old", "metadata": {"m": 1}})
    door.ask("POST", "/v1/batches/old/retry", key).problem(409, "run_not_ended")
    door.db.ask("UPDATE door.batches SET sealed_at = now() WHERE batch_id = 'old'")
    door.ask("POST", "/v1/batches/old/retry", key).problem(409, "nothing_to_retry")
    states = ["completed", "failed", "timed_out", "cancelled", "expired"]
    for n in range(120):
        run, state = str(uuid.uuid4()), states[n % 5]
        claim(door, run, "acme", {"prompt": f"p{n}", "custom_id": f"c{n}", "batch_id": "old"}, batch="'old'")
        door.db.ask("INSERT INTO fleet.runs (run_id, run_day, tenant, batch_id, custom_id, state, ended, created_at) VALUES"
                    f" ('{run}', '2026-01-01', 'acme', 'old', 'c{n}', '{state}', true, '2026-01-01T00:00:00Z')")
    headers = {"Idempotency-Key": "again", "Content-Type": "application/json"}
    answer = door.ask("POST", "/v1/batches/old/retry", key, "{}", headers)
    new = answer.json()
    assert (answer.status, new["retry_of"], new["runs"], new["metadata"], new["state"]) == (201, "old", 72, {"m": 1}, "in_progress"), new
    sent = [r[1] for r in records(door, "runs.interactive") if r[1].get("batch_id") == new["batch_id"]]
    assert sorted(r["custom_id"] for r in sent) == sorted(f"c{n}" for n in range(120) if states[n % 5] in (
        "failed", "timed_out", "expired")), sent
    again = second.ask("POST", "/v1/batches/old/retry", key, "{}", headers)
    assert (again.status, again.body) == (201, answer.body), again
    second.ask("POST", f"/v1/batches/{new['batch_id']}/items", key, line(1), NDJSON).problem(409, "batch_sealed")
    answer = door.ask("POST", "/v1/batches/old/retry", key, {"batch_id": "new", "states": ["cancelled"]})
    assert (answer.status, answer.json()["runs"], answer.json()["batch_id"]) == (201, 24, "new"), answer
    door.ask("POST", "/v1/batches/old/retry", key, {"batch_id": "old"}).problem(409, "batch_exists")
    door.ask("POST", "/v1/batches/old/retry", key, {"states": []}).problem(422, "invalid_field")
    door.ask("POST", "/v1/batches/none/retry", key).problem(404, "not_found")


def limits_are_the_admins(door, key):
    admin = door.key("--tenant", "ops", "--scope", "admin")
    body = {"scope": "tenant", "name": "acme", "setting": "concurrency", "value": 7}
    door.ask("PUT", "/v1/limits", key, body).problem(403, "forbidden")
    answer = door.ask("PUT", "/v1/limits", admin, body)
    assert answer.status == 200 and body in answer.json()["data"], answer
    for text, kept in ((None, None), ("default", "gone"), (0, 0)):
        got = door.ask("PUT", "/v1/limits", admin, {**body, "value": text}).json()["data"]
        assert ([one["value"] for one in got if one["name"] == "acme"] or ["gone"]) == [kept], got
    for wrong, pointer in (({"scope": "planet"}, "/setting"), ({"name": "-"}, "/name"), ({"value": -1}, "/value"),
                           ({"value": "none"}, "/value"), ({"setting": "weight"}, "/setting"), ({"value": 1.5}, "/value"),
                           ({"scope": "fleet"}, "/name"), ({"scope": 5}, "/scope")):
        doc = door.ask("PUT", "/v1/limits", admin, {**body, **wrong}).problem(422, "invalid_field")
        assert doc["errors"][0]["pointer"] == pointer, (wrong, doc)
    weight = {"scope": "key", "name": "*", "setting": "weight", "value": None}
    assert door.ask("PUT", "/v1/limits", admin, weight).problem(422, "invalid_field")["errors"][0]["pointer"] == "/value"


def a_session_is_forgotten(door, key):
    run = str(uuid.uuid4())
    door.db.ask("INSERT INTO ledger.sessions (tenant, session_id, claude_session, transcript, bytes, sha256, run_id, attempt) VALUES"
                f" ('acme', 'talk/1', 'x', 'k1', 1, '\\x00', '{run}', 1)")
    door.db.ask("INSERT INTO ledger.transcripts (key, state, tenant, session_id, run_id, epoch) VALUES"
                f" ('k1', 'kept', 'acme', 'talk/1', '{run}', 1)")
    door.db.ask("INSERT INTO ledger.sandboxes (key, sandbox_id, state, template, tenant, run_id, session_id, until) VALUES"
                f" ('sb', 'sb1', 'parked', 'claude', 'acme', '{run}', 'talk/1', now() + interval '1 hour')")
    claim(door, run, "acme", {"prompt": "x"}, "waiting")
    door.db.ask(f"UPDATE ledger.claims SET session_id = 'talk/1' WHERE run_id = '{run}'")
    door.ask("DELETE", "/v1/sessions/talk%2F1", door.key("--tenant", "other")).problem(404, "not_found")
    door.ask("DELETE", "/v1/sessions/talk%2F1", key).problem(409, "session_busy")
    door.db.ask(f"UPDATE ledger.claims SET state = 'ended' WHERE run_id = '{run}'")
    answer = door.ask("DELETE", "/v1/sessions/talk%2F1", key)
    assert (answer.status, answer.body) == (204, ""), answer
    assert value(door, "SELECT count(*) FROM ledger.sessions") == "0"
    assert value(door, "SELECT state FROM ledger.transcripts") == "dead"
    assert value(door, "SELECT until <= clock_timestamp() FROM ledger.sandboxes") == "t"


def a_sandbox_is_killed(door, key):
    for n, state in enumerate(("parked", "busy", "dead")):
        door.db.ask("INSERT INTO ledger.sandboxes (key, sandbox_id, state, template, tenant, run_id, until) VALUES"
                    f" ('k{n}', 'box{n}', '{state}', 'claude', 'acme', '{uuid.uuid4()}', now() + interval '1 hour')")
        door.db.ask("INSERT INTO fleet.sandboxes (sandbox_id, tenant, template, state, since) VALUES"
                    f" ('box{n}', 'acme', 'claude', '{'ended' if state == 'dead' else state}', now())")
    answer = door.ask("DELETE", "/v1/sandboxes/box0", key)
    assert (answer.status, answer.json()["sandbox_id"]) == (202, "box0"), answer
    assert value(door, "SELECT until <= clock_timestamp() FROM ledger.sandboxes WHERE key = 'k0'") == "t"
    door.ask("DELETE", "/v1/sandboxes/box1", key).problem(409, "sandbox_busy")
    assert door.ask("DELETE", "/v1/sandboxes/box2", key).status == 202
    door.ask("DELETE", "/v1/sandboxes/box3", key).problem(404, "not_found")
    door.ask("DELETE", "/v1/sandboxes/box0", door.key("--tenant", "other")).problem(404, "not_found")


def not_seen_yet(door, second, key, batch):
    """Sealed, and the sink has yet to see what is in it: it has not ended."""
    assert (batch["state"], batch["runs"], batch["ended_at"]) == ("in_progress", 0, None), batch
    assert second.ask("GET", "/v1/batches/s%2F1?wait=1", key).json()["state"] == "in_progress"
    second.ask("POST", "/v1/batches/s%2F1/retry", key).problem(409, "run_not_ended")
    ((place, reaches),) = json.loads(value(door, "SELECT marks FROM door.batches WHERE batch_id = 's/1'")).items()
    topic, partition = place.split(":")
    assert topic == door.prefix + "runs.batch", place
    for offset, state in ((reaches, "in_progress"), (reaches + 1, "ended")):
        door.db.ask(f"INSERT INTO fleet.sink_offsets (topic, partition, next) VALUES ('{topic}', {partition}, {offset})"
                    " ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next")
        assert second.ask("GET", "/v1/batches/s%2F1", key).json()["state"] == state, (offset, state)


def where_no_body_is_taken(door, key):
    """Clients that send {} with whatever they ask for need no exception."""
    asked = [("POST", "/v1/batches/nobody/seal", 200), ("POST", f"/v1/runs/{uuid.uuid4()}/retry", 404), ("GET", "/v1/batches/nobody", 200),
             ("DELETE", "/v1/sessions/nobody", 404), ("GET", "/healthz", 200)]
    door.ask("POST", "/v1/batches", key, {"batch_id": "nobody"})
    for method, path, good in asked:
        for kind in ({}, {"Content-Type": "application/json"}, {"Content-Type": "application/x-www-form-urlencoded"}):
            for body in (b"", b"{}", b" \r\n{ }\n", iter([b"{", b"}"])):
                answer = door.ask(method, path, key, body, kind)
                assert answer.status == good, (method, path, body, kind, answer)
        for body in (b'{"force": true}', b"null", b"a=b", b"{", iter([b"{}", b"{}"]), b"x" * (1 << 20)):
            told = door.ask(method, path, key, body).problem(400, "unexpected_body")["detail"]
            assert told == "this takes no body: leave it out, or send {}", (method, path, body, told)
    door.ask("POST", "/v1/batches/nobody/seal", body=b"{}").problem(401, "unauthenticated")
    # where it may be left out
    for body, kind in ((b"", {}), (b"", {"Content-Type": "application/x-www-form-urlencoded"}),
                       (b"{}", {"Content-Type": "application/json"})):
        answer = door.ask("POST", "/v1/batches/nobody/cancel", key, body, kind)
        assert answer.status == 202, (body, kind, answer)
    for path in ("/v1/runs", "/v1/batches/nobody/cancel"):
        door.ask("POST", path, key, b" \n", {"Content-Type": "application/json"}).problem(400, "malformed_json")


def a_batch_is_sealed(door, second, key):
    door.ask("POST", "/v1/batches", key, {"batch_id": "s/1"})
    items(door, "s%2F1", [line(1)], key)
    first = door.ask("POST", "/v1/batches/s%2F1/seal", key)
    assert first.status == 200 and first.json()["sealed_at"], first
    not_seen_yet(door, second, key, first.json())
    again = second.ask("POST", "/v1/batches/s%2F1/seal", key)
    assert (again.status, again.json()["sealed_at"]) == (200, first.json()["sealed_at"]), again
    second.ask("POST", "/v1/batches/s%2F1/items", key, line(2), NDJSON).problem(409, "batch_sealed")
    door.ask("POST", "/v1/batches/none/seal", key).problem(404, "not_found")
    door.ask("POST", "/v1/batches/s%2F1/seal", door.key("--tenant", "other")).problem(404, "not_found")
    # one of the command-line client is there only in what the sink keeps
    door.db.ask("INSERT INTO fleet.runs (run_id, run_day, tenant, batch_id, created_at) VALUES"
                f" ('{uuid.uuid4()}', '2026-01-01', 'acme', 'cli', now())")
    door.ask("POST", "/v1/batches", key, {"batch_id": "cli"}).problem(409, "batch_exists")
    door.ask("POST", "/v1/batches/cli/items", key, line(2), NDJSON).problem(409, "batch_sealed")
    assert door.ask("POST", "/v1/batches/cli/seal", key).json()["sealed_at"] is None


def dead_letters_go_back_or_away(door, key):
    admin = door.key("--tenant", "ops", "--scope", "admin")
    dlq, origin = door.prefix + "runs.dlq", door.prefix + "runs.batch"

    def letter(n, reason="conflict", **headers):
        text = json.dumps({"x-own": "h\u00e9", "dlq.reason": reason, "dlq.topic": origin, **headers})
        door.db.ask("INSERT INTO fleet.quarantine (topic, partition, \"offset\", reason, detail, key, value, headers, at) VALUES"
                    f" ('{dlq}', 0, {n}, '{reason}', '', 'k{n}', '\\x00ff{n:04x}', $json${text}$json$, now() - interval '1 hour')")
        return f"{dlq}-0-{n}"

    def post(what, body, status=200):
        answer = door.ask("POST", f"/v1/dlq/{what}", admin, body)
        assert answer.status == status, answer
        return answer.json()["count"]

    def here():
        return {one["id"] for one in door.ask("GET", "/v1/dlq?limit=200", admin).json()["data"]}

    ids = [letter(n) for n in range(250)]
    stay = [letter(300, "secret_in_record"), letter(301, **{"dlq.bytes": "5000000"}), letter(302, **{"dlq.topic": "elsewhere"})]
    assert post("redrive", {"ids": [ids[0], ids[0], "none-0-1", "x", dlq + "-0-9999"]}) == 1
    done = subprocess.run(["kcat", "-C", "-q", "-e", "-o", "beginning", "-b", door.brokers, "-t", origin, "-f", "%k %S %h\n"],
                          check=True, timeout=60, capture_output=True).stdout.decode().splitlines()
    assert "k0 4 x-own=h\u00e9" in done, done[-5:]
    assert post("redrive", {"reason": "conflict"}) == 249
    assert post("redrive", {"all": True}) == 0 and here() == set(stay)
    assert value(door, "SELECT count(*) FROM door.settled_letters WHERE how = 'redriven'") == "250"
    assert post("purge", {"ids": stay[:1]}) == 1 and post("purge", {"reason": "none_such"}) == 0
    assert post("purge", {"all": True}) == 2 and here() == set()
    assert value(door, "SELECT count(*) FROM door.settled_letters WHERE how = 'purged'") == "3"
    for wrong, pointer in (({}, ""), ({"ids": []}, "/ids"), ({"ids": [5]}, "/ids"), ({"all": False}, "/all"), ({"reason": "A"}, "/reason"),
                           ({"all": True, "reason": "a"}, ""), ({"ids": ["x"] * 1001}, "/ids")):
        for what in ("purge", "redrive"):
            doc = door.ask("POST", f"/v1/dlq/{what}", admin, wrong).problem(422, "invalid_field")
            assert doc["errors"][0]["pointer"] == pointer, (wrong, doc)
    door.ask("POST", "/v1/dlq/purge", key, {"all": True}).problem(403, "forbidden")


def what_has_served_goes(door):
    """The sink has seen these; those it has not seen stay."""
    door.db.ask("INSERT INTO fleet.runs (run_id, run_day, tenant, created_at) SELECT run_id, '2026-01-01', tenant, now()"
                " FROM door.accepted ORDER BY at LIMIT 5 ON CONFLICT DO NOTHING")
    door.db.ask("UPDATE door.accepted SET at = now() - interval '1 hour'")
    left = int(value(door, "SELECT count(*) FROM door.accepted WHERE run_id NOT IN (SELECT run_id FROM fleet.runs)"))
    door.db.ask("UPDATE door.idempotency SET at = now() - interval '25 hours' WHERE key = 'race'")
    door.wait(lambda: int(value(door, "SELECT count(*) FROM door.accepted")) == left, "purge", seconds=60)
    door.wait(lambda: value(door, "SELECT count(*) FROM door.idempotency WHERE key = 'race'") == "0", "purge of keys")
    assert left > 0


class Cut(Second):
    """One whose Kafka is away."""

    def environ(self, role):
        return super().environ(role) | {"SANDFLEET_BROKERS": "127.0.0.1:1"}

    def wait(self, condition, what, seconds=30):
        if what == "readiness":
            return super().wait(lambda: "database" not in self.ask("GET", "/readyz").body, what, seconds)
        return super().wait(condition, what, seconds)


def forced_out_with_calls_under_way(door, key):
    """By a second SIGTERM: status 0, told once, and nothing of them is left in memory (LeakSanitizer)."""
    admin = door.key("--scope", "admin")
    door.db.ask('INSERT INTO fleet.quarantine (topic, partition, "offset", reason, detail, key, value, headers)'
                f""" VALUES ('{door.prefix}runs.batch', 0, 1, 'conflict', '', 'k', 'v', '{{"dlq.topic":"{door.prefix}runs.batch"}}')""")
    with Cut(door, "--ack-timeout", "5m", "--query-timeout", "5m", "--drain", "5m", "--database-connections", "16") as cut:
        def gauge(name):
            return int(re.search(rf"^sandfleet_api_{name} (\d+)$", cut.ask("GET", "/metrics", admin).body, re.M)[1])

        def send(method, path, who, body=""):
            s = socket.create_connection(("127.0.0.1", cut.port))
            kind = "application/x-ndjson" if path.endswith("/items") else "application/json"
            s.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {who}\r\nContent-Type: {kind}\r\n"
                      f"Idempotency-Key: forced\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            return s

        assert cut.ask("POST", "/v1/batches", key, {"batch_id": "forced"}).status == 201
        waiting = [send("POST", "/v1/runs", key, '{"prompt":"x"}'), send("POST", "/v1/batches/forced/items", key, '{"custom_id":"a","prompt":"x"}\n'),
                   send("POST", "/v1/dlq/redrive", admin, '{"reason":"conflict"}')]
        door.wait(lambda: gauge("kafka_queue_records") == 3, "three that wait for Kafka")
        other = door.key("--tenant", "other")
        with subprocess.Popen([database.PSQL, "-X", "-q", door.db.conninfo], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            holder.stdin.write("BEGIN; LOCK TABLE access.keys, fleet.sandboxes, fleet.runs, fleet.events; SELECT 'held';\n")
            holder.stdin.flush()
            while "held" not in holder.stdout.readline():
                pass
            waiting += [send("GET", "/v1/sandboxes", key), send("GET", "/v1/runs", other), send("GET", "/v1/batches/forced/results", key)]
            door.wait(lambda: value(door, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                          " AND wait_event_type = 'Lock'") == "3", "three that wait for the database")
            cut.process.terminate()
            cut.wait_log("event=api.stopping signals=1")
            status = cut.stop()
            holder.stdin.write("ROLLBACK;\n")
        assert status == 0, cut.text()
        # of the results, the first line is under way
        assert "event=api.stopped calls=6 unanswered=5" in cut.text() and "Sanitizer" not in cut.text(), cut.text()
        for s in waiting:
            s.close()


if __name__ == "__main__":
    with Door(topics=True) as door, Second(door) as second:
        key = door.key("--tenant", "acme")
        accepted_and_read_at_once(door, second, key)
        told_what_is_wrong(door, key)
        the_same_key_is_the_same_run(door, second, key)
        twenty_at_once_are_one(door, second, key)
        a_batch_takes_lines(door, second, key)
        lines_of_message_batches(door, key)
        one_name_for_two_things(door, key)
        bodies_have_a_share_of_memory_and_no_more(door, key)
        a_batch_is_made_once_for_its_key(door, second, key)
        where_there_is_no_batch(door, key)
        any_length_in_little_memory(door, key)
        a_line_that_is_too_long_is_one_line(door, key)
        who_goes_away_in_the_middle(door, key)
        a_seal_in_the_middle(door, key)
        a_cancel_is_a_row(door, second, key)
        a_retry_is_another_run(door, second, key)
        what_failed_of_a_batch_again(door, second, key)
        limits_are_the_admins(door, key)
        a_session_is_forgotten(door, key)
        a_sandbox_is_killed(door, key)
        where_no_body_is_taken(door, key)
        a_batch_is_sealed(door, second, key)
        dead_letters_go_back_or_away(door, key)
        what_has_served_goes(door)
        forced_out_with_calls_under_way(door, key)
        assert door.stop() == 0 and second.stop() == 0
        assert "level=error" not in door.text() + second.text(), door.text() + second.text()
