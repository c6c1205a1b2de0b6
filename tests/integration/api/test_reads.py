# SPDX-License-Identifier: Apache-2.0
"""Promise: what is stored about a run, a batch, a session, a sandbox, a worker, a dead letter is told as
the contract has it, to its tenant alone; a log is byte for byte what the agent printed; what is long
is streamed with a bounded memory, and a reader that dawdles holds up nobody.

A real sandfleet-api over rows that the test wrote."""
import base64
import hashlib
import json
import os
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from door import Door

DAY = "2026-11-01"


def run_id(n):
    return f"01990000-0000-7000-8000-{n:012d}"


def quoted(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def insert(door, table, **columns):
    names, values = ", ".join(columns), ", ".join(quoted(value) for value in columns.values())
    door.db.ask(f"INSERT INTO {table} ({names}) VALUES ({values})")


def make_run(door, n, tenant="acme", state="completed", **columns):
    ended = state in ("completed", "failed", "timed_out", "cancelled", "expired")
    insert(door, "fleet.runs", **{
        "run_id": run_id(n), "run_day": DAY, "tenant": tenant, "state": state, "ended": ended, "lane": "batch",
        "outcome": "success" if state == "completed" else None, "created_at": f"{DAY}T10:00:00.{n % 1000:03d}Z",
        "ended_at": f"{DAY}T11:00:00Z" if ended else None, "sequence": 5, **columns})
    return run_id(n)


def make_event(door, run, sequence, kind, attempt, data, line=None, offset=None):
    insert(door, "fleet.events", run_id=run, run_day=DAY, sequence=sequence, attempt=attempt, epoch=1, line=line,
           log_offset=offset, type="sandfleet." + kind, time=f"{DAY}T10:00:{sequence % 60:02d}.000Z", tenant="acme",
           data=json.dumps(data))


def get(door, target, status=200, key=None):
    answer = door.ask("GET", target, key or door.key_acme)
    assert answer.status == status, (target, answer)
    return answer.json() if status == 200 and "json" in answer.headers["Content-Type"].split("/")[1][:4] else answer


# --- one run --------------------------------------------------------------------------


def one_run(door):
    run = make_run(door, 1, result="42", structured=True, attempt=2, cost_usd=1.25, sandbox_ms=70, sandbox_cost_usd=0.5,
                   input_tokens=3, prompt="say \u2028 'x'", metadata='{"a":[1.50]}', tags="{b,a/1}", fairness_key="k")
    for attempt, outcome in ((2, "success"), (1, "overloaded")):
        insert(door, "fleet.attempts", run_id=run, attempt=attempt, state="ended", outcome=outcome, cost_usd=0.625,
               exit_code=0, arguments='["-p"]')
    whole = get(door, f"/v1/runs/{run}")
    assert whole["prompt"] == "say \u2028 'x'" and whole["metadata"] == {"a": [1.5]} and whole["result"] == "42", whole
    assert whole["tags"] == ["b", "a/1"], whole
    assert door.ask("GET", f"/v1/runs/{run}?wait=60", door.key_acme).status == 200, "it has ended: no wait"
    result = get(door, f"/v1/runs/{run}/result")
    assert result["result"] == {"type": "succeeded", "text": "42", "structured_output": 42, "error": None}, result
    attempts = get(door, f"/v1/runs/{run}/attempts")["data"]
    assert [(a["attempt"], a["outcome"], a["arguments"]) for a in attempts] == \
        [(1, "overloaded", ["-p"]), (2, "success", ["-p"])], attempts
    usage = get(door, f"/v1/runs/{run}/usage")
    assert (usage["cost_usd"], usage["total_usd"], usage["sandbox_ms"], len(usage["attempts"])) == (1.25, 1.75, 70, 2), usage


def ends_in_the_words_of_message_batches(door):
    kinds = (("failed", "max_turns", "errored"), ("timed_out", "timed_out", "errored"),
             ("cancelled", "cancelled", "canceled"), ("expired", "expired", "expired"), ("failed", None, "errored"))
    for i, (state, outcome, kind) in enumerate(kinds):
        run = make_run(door, 10 + i, state=state, outcome=outcome, reason="because")
        result = get(door, f"/v1/runs/{run}/result")["result"]
        assert result == {"type": kind, "text": None, "structured_output": None,
                          "error": {"code": outcome or state, "message": "because"}}, result
    run = make_run(door, 20, state="running")
    problem = get(door, f"/v1/runs/{run}/result", 409).problem(409, "run_not_ended")
    assert problem["retryable"] is True, problem
    # what says that it is JSON, and is not (an older program's word)
    run = make_run(door, 21, result='{"cut', structured=True)
    assert get(door, f"/v1/runs/{run}/result")["result"]["structured_output"] is None


# --- a log ------------------------------------------------------------------------------


def a_log_is_what_was_printed(door):
    run = make_run(door, 30, state="running", attempt=3)
    printed, sequence = {1: [], 2: []}, 0
    for attempt in (1, 2):
        sequence += 1
        make_event(door, run, sequence, "attempt.starting", attempt, {"worker": "w"})
        offset = 0
        for n in range(1, 41):
            sequence += 1
            line = {"type": "assistant", "text": f"{attempt}.{n} \u00e9\u2028" + "x" * (n * 97 if n % 9 else 300000)}
            text = json.dumps(line, ensure_ascii=False)
            offset += len(text.encode()) + 1
            printed[attempt].append(text)
            insert(door, "fleet.events", run_id=run, run_day=DAY, sequence=sequence, attempt=attempt, epoch=1, line=n,
                   log_offset=offset, type="sandfleet.agent.message", time=f"{DAY}T10:00:00Z", tenant="acme",
                   data=f'{{"line":{n},"native":{text}}}')
        sequence += 1
        make_event(door, run, sequence, "attempt.ended", attempt, {"outcome": "overloaded"})
    sequence += 1
    make_event(door, run, sequence, "attempt.starting", 3, {"worker": "w"})
    for attempt in (1, 2):
        answer = get(door, f"/v1/runs/{run}/log?attempt={attempt}")
        assert answer.headers["Content-Type"] == "application/x-ndjson", answer
        assert answer.body.split("\n")[:-1] == printed[attempt], "another log"
    assert get(door, f"/v1/runs/{run}/log").body == "", "the newest has printed nothing yet"
    get(door, f"/v1/runs/{run}/log?attempt=4", 404).problem(404, "not_found")
    get(door, f"/v1/runs/{run}/log?attempt=0", 400).problem(400, "invalid_parameter")
    # no JSON, and white space that JSON may have between its tokens
    run = make_run(door, 31, state="running", attempt=1)
    make_event(door, run, 1, "attempt.starting", 1, {})
    make_event(door, run, 2, "agent.text", 1, {"text": 'no "JSON"\n'}, 1, 10)
    insert(door, "fleet.events", run_id=run, run_day=DAY, sequence=3, attempt=1, epoch=1, line=2, log_offset=20,
           type="sandfleet.agent.other", time=f"{DAY}T10:00:00Z", tenant="acme", data='{"native":{"a":\n[1,\n2.50]}}')
    assert get(door, f"/v1/runs/{run}/log").body == '"no \\"JSON\\"\\n"\n{"a": [1, 2.50]}\n'


LINES, LINE_BYTES = 300, 400000
PLAIN = "asan" not in os.environ.get("SANDFLEET_BIN", "")  # which keeps what was freed


def rss_kib(door):
    status = pathlib.Path(f"/proc/{door.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def a_long_log_and_a_reader_who_dawdles(door):
    run = make_run(door, 40, attempt=1)
    door.db.ask(f"""INSERT INTO fleet.events (run_id, run_day, sequence, attempt, epoch, line, log_offset, type, time, tenant, data)
        SELECT '{run}', '{DAY}', i, 1, 1, i, i * {LINE_BYTES}::bigint, 'sandfleet.agent.message', '{DAY}', 'acme',
        ('{{"native":{{"n":' || i || ',"x":"' || string_agg(md5(i::text || j::text), '') || '"}}}}')::json
        FROM generate_series(1, {LINES}) AS i, generate_series(1, {LINE_BYTES // 32}) AS j GROUP BY i""")
    before = rss_kib(door)
    with socket.create_connection(("127.0.0.1", door.port), timeout=60) as reader:
        reader.sendall(f"GET /v1/runs/{run}/log HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {door.key_acme}\r\n\r\n".encode())
        head = reader.recv(4096)
        assert head.startswith(b"HTTP/1.1 200"), head
        for _ in range(20):  # it takes nothing more for now
            get(door, f"/v1/runs/{run}")
        grown = rss_kib(door) - before
        assert grown < 24 << 10 or not PLAIN, f"{grown} KiB for a reader who takes nothing"
        left, n, digest = head.split(b"\r\n\r\n", 1)[1], 0, hashlib.sha256()
        most = 0
        while b"\r\n0\r\n\r\n" not in left[-64:]:
            piece = reader.recv(1 << 20)
            assert piece, "it was cut"
            left = left[-64:] + piece
            n += len(piece)
            most = max(most, rss_kib(door) - before)
    assert n > LINES * LINE_BYTES, n
    assert most < 48 << 10 or not PLAIN, f"{most} KiB for a log of {n >> 20} MiB"


# --- a batch -----------------------------------------------------------------------------


def results_at_any_time(door):
    door.db.ask(f"""INSERT INTO fleet.runs (run_id, run_day, tenant, batch_id, custom_id, state, outcome, result, created_at, ended_at, ended, sequence)
        SELECT ('01980000-0000-7000-8000-' || lpad((i * 7919 % 10007)::text, 12, '0'))::uuid, '{DAY}', 'acme', 'night/1', 'c' || i,
        CASE WHEN i % 10 = 0 THEN 'running' WHEN i % 10 = 1 THEN 'failed' ELSE 'completed' END,
        CASE WHEN i % 10 = 1 THEN 'budget' WHEN i % 10 > 1 THEN 'success' END, CASE WHEN i % 10 > 1 THEN repeat('é', i) END,
        timestamptz '{DAY} 10:00:00Z' + i / 20 * interval '1 ms',
        CASE WHEN i % 10 > 0 THEN timestamptz '{DAY} 12:00:00Z' - i / 30 * interval '1 ms' END, i % 10 > 0, 3
        FROM generate_series(1, 3000) AS i""")
    for order, column in (("ended", "ended_at"), ("submitted", "created_at")):
        for errors in ("false", "true"):
            lines = get(door, f"/v1/batches/night%2F1/results?order={order}&errors_only={errors}").body.split("\n")
            assert lines.pop() == ""
            rows = [json.loads(line) for line in lines]
            wanted = door.db.ask(f"SELECT run_id FROM fleet.runs WHERE batch_id = 'night/1' AND ended AND"
                                 f" ({errors} = false OR state <> 'completed') ORDER BY {column}, run_id").split()
            assert [row["run_id"] for row in rows] == wanted, (order, errors, len(rows))
            assert len(rows) == (300 if errors == "true" else 2700)
    texts = {row["custom_id"]: row["result"]["text"] for row in rows}
    assert texts["c1"] is None and set(texts) == {f"c{i}" for i in range(1, 3000, 10)}
    get(door, "/v1/batches/night%2F1/results?order=random", 400).problem(400, "invalid_parameter")
    get(door, "/v1/batches/night%2F1/results?errors_only=yes", 400).problem(400, "invalid_parameter")
    get(door, "/v1/batches/none/results", 404).problem(404, "not_found")
    batch = get(door, "/v1/batches/night%2F1")
    assert (batch["runs"], batch["state"], batch["counts"]["failed"]) == (3000, "in_progress", 300), batch


# --- why ------------------------------------------------------------------------------------


def claim(door, run, state="waiting", **columns):
    insert(door, "ledger.claims", run_id=run, tenant="acme", lane="batch", credential="default", priority=5,
           body_hash="\\x00", request="{}", state=state, fairness_key="acme", **columns)


def why(door):
    queued = make_run(door, 50, state="queued", sequence=0)
    told = get(door, f"/v1/runs/{queued}/explain")
    assert (told["code"], told["state"], told["history"]) == ("no_worker", "queued", []) and told["advice"], told
    door.db.ask("INSERT INTO ledger.workers (worker_id, host, pid, version, slots) VALUES ('w', 'h', 1, '1', 4)")
    assert get(door, f"/v1/runs/{queued}/explain")["code"] == "queued"
    door.db.ask(f"""INSERT INTO fleet.quarantine (topic, partition, "offset", reason, detail, key, value, headers, at) VALUES
        ('runs.dlq', 0, 7, 'unknown_field', 'unknown_field: ''colour''', '{queued}', '{{"run_id":"{queued}","colour":1}}',
        '{{"dlq.topic":"runs.batch","dlq.bytes":"123456"}}', '{DAY} 10:00:00Z')""")
    told = get(door, f"/v1/runs/{queued}/explain")
    assert told["code"] == "refused" and "unknown_field: 'colour'" in told["summary"], told
    held = make_run(door, 51, state="held", hold_reason="no_slot")
    claim(door, held, hold_reason="usage_limit", hold_until="2099-01-01T00:00:00Z")
    make_event(door, held, 1, "run.held", 0, {"reason": "no_slot"})
    make_event(door, held, 2, "run.retrying", 1, {"outcome": "overloaded", "delay_ms": 2000, "reason": "529"})
    make_event(door, held, 3, "run.held", 1, {"reason": "usage_limit", "until": "2099-01-01T00:00:00.000Z"})
    told = get(door, f"/v1/runs/{held}/explain")
    assert (told["code"], told["until"]) == ("usage_limit", "2099-01-01T00:00:00.000Z"), told
    assert [(h["kind"], h["code"], h["detail"], h["until"]) for h in told["history"]] == [
        ("held", "no_slot", None, None), ("retrying", "overloaded", "529", f"{DAY}T10:00:04.000Z"),
        ("held", "usage_limit", None, "2099-01-01T00:00:00.000Z")], told
    disabled = make_run(door, 52, state="held", hold_reason="disabled")
    claim(door, disabled, hold_reason="disabled", hold_until="infinity")
    told = get(door, f"/v1/runs/{disabled}/explain")
    assert (told["code"], told["until"]) == ("disabled", None), told
    insert(door, "ledger.cancellations", tenant="acme", run_id=disabled)
    assert get(door, f"/v1/runs/{disabled}/explain")["code"] == "cancelling"
    failed = make_run(door, 53, state="failed", outcome="workspace_failed", reason="archive: HTTP 404")
    told = get(door, f"/v1/runs/{failed}/explain")
    assert told["code"] == "workspace_failed" and told["summary"].endswith("It says: archive: HTTP 404"), told


# --- the rest -----------------------------------------------------------------------------------


def operators(door):
    letters = get(door, "/v1/dlq", key=door.admin)["data"]
    assert [(l["id"], l["reason"], l["bytes"]) for l in letters] == [("runs.dlq-0-7", "unknown_field", 123456)], letters
    letter = get(door, "/v1/dlq/runs.dlq-0-7", key=door.admin)
    assert json.loads(base64.b64decode(letter["value_base64"]))["colour"] == 1, letter
    assert letter["headers"]["dlq.topic"] == "runs.batch", letter
    for wrong in ("runs.dlq-0-8", "runs.dlq-0", "x", "runs.dlq-0-99999999999999999999"):
        get(door, f"/v1/dlq/{wrong}", 404, door.admin).problem(404, "not_found")
    claim(door, run_id(60), "running", worker_id="w", epoch=1)
    door.db.ask("INSERT INTO ledger.workers (worker_id, host, pid, version, slots, started_at, beat_at) VALUES"
                " ('silent', 'h', 2, '1', 9, now() - interval '3 h', now() - interval '31 s'),"
                " ('gone', 'h', 3, '1', 9, now() - interval '3 d', now() - interval '25 h')")
    workers = {w["worker_id"]: w for w in get(door, "/v1/workers", key=door.admin)["data"]}
    assert set(workers) == {"w", "silent"} and (workers["w"]["alive"], workers["silent"]["alive"]) == (True, False), workers
    assert workers["w"]["running"] == 1 and workers["silent"]["beat_age_s"] >= 31, workers
    limits = get(door, "/v1/limits", key=door.admin)["data"]
    assert limits == [{"scope": "fleet", "name": "*", "setting": "concurrency", "value": 100},
                      {"scope": "fleet", "name": "*", "setting": "starts_per_minute", "value": 50}], limits
    stats = get(door, "/v1/stats?scope=fleet", key=door.admin)
    assert (stats["slots"], stats["workers"]) == (4, 1) and stats["scope"] == "fleet", stats
    assert get(door, "/v1/stats")["slots"] is None
    get(door, "/v1/stats?scope=fleet", 403).problem(403, "forbidden")
    for target in ("/v1/workers", "/v1/limits", "/v1/dlq", "/v1/dlq/runs.dlq-0-7"):
        get(door, target, 403).problem(403, "forbidden")


def sessions_and_sandboxes(door):
    run = make_run(door, 70, session_id="talk/1", sandbox_id="sb-1", claude_session="c-1", cost_usd=0.5)
    insert(door, "fleet.sandboxes", sandbox_id="sb-1", tenant="acme", template="claude", run_id=run, state="parked",
           used_at=f"{DAY}T10:30:00Z", since=f"{DAY}T10:30:00Z", cost_usd=0.25, running_ms=9)
    owned = "INSERT INTO ledger.sandboxes (key, sandbox_id, state, template, tenant, until) VALUES ('k', 'sb-1', '{}', 'claude', 'acme', now())"
    door.db.ask(owned.format("parked"))
    session = get(door, "/v1/sessions/talk%2F1")
    assert (session["runs"], session["sandbox_state"], session["cost_usd"]) == (1, "parked", 0.5), session
    assert get(door, "/v1/sessions")["data"] == [session]
    box = get(door, "/v1/sandboxes/sb-1")
    assert (box["state"], box["session_id"], box["cost_usd"], box["ended_at"]) == ("parked", "talk/1", 0.25, None), box
    assert get(door, "/v1/sandboxes?state=parked,paused")["data"] == [box]
    for gone in ("UPDATE ledger.sandboxes SET state = 'dead'", "DELETE FROM ledger.sandboxes"):  # no run of it tells so
        door.db.ask(gone)
        assert get(door, "/v1/sandboxes/sb-1")["state"] == "ended", gone
        assert get(door, "/v1/sandboxes")["data"][0]["state"] == "ended", gone
        assert get(door, "/v1/sandboxes?state=parked,paused")["data"] == [], gone
        assert get(door, "/v1/sessions/talk%2F1")["sandbox_state"] == "ended", gone


def what_is_not_there_has_a_name(door):
    for path, noun in ((f"runs/{run_id(99999)}", "run"), ("batches/none", "batch"), ("sessions/none", "session"), ("sandboxes/none", "sandbox")):
        told = get(door, f"/v1/{path}", 404).problem(404, "not_found")["detail"]
        assert told == f"there is no such {noun}, or it is not yours", (path, told)


def to_its_tenant_alone(door):
    """Everything above is acme's."""
    for target in (f"/v1/runs/{run_id(1)}", f"/v1/runs/{run_id(1)}/result", f"/v1/runs/{run_id(30)}/log",
                   f"/v1/runs/{run_id(1)}/attempts", f"/v1/runs/{run_id(1)}/usage", f"/v1/runs/{run_id(51)}/explain",
                   "/v1/batches/night%2F1", "/v1/batches/night%2F1/results", "/v1/sessions/talk%2F1", "/v1/sandboxes/sb-1"):
        get(door, target)
        other = get(door, target, 404, door.key_other).problem(404, "not_found")
        none = get(door, target.replace("01990000", "01990001").replace("night", "none").replace("talk", "none")
                   .replace("sb-1", "none"), 404, door.key_other).json()
        assert {**other, "request_id": 0} == {**none, "request_id": 0}, "that it is there is told"
    for target in ("/v1/runs", "/v1/batches", "/v1/sessions", "/v1/sandboxes"):
        assert get(door, target)["data"] and get(door, target, key=door.key_other)["data"] == [], target
    stats = get(door, "/v1/stats", key=door.key_other)
    assert (stats["queued"], stats["held"], stats["running"], stats["groups"]) == (0, 0, 0, []), stats


def main():
    with Door() as door:
        door.key_acme, door.key_other = door.key("--tenant", "acme"), door.key("--tenant", "other")
        door.admin = door.key("--scope", "admin")
        door.db.ask(f"SELECT fleet.ensure_day('{DAY}')")
        for case in (one_run, ends_in_the_words_of_message_batches, a_log_is_what_was_printed,
                     a_long_log_and_a_reader_who_dawdles, results_at_any_time, why, operators, sessions_and_sandboxes,
                     what_is_not_there_has_a_name, to_its_tenant_alone):
            case(door)
            print("ok", case.__name__, flush=True)


main()
