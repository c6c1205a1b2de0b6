# SPDX-License-Identifier: Apache-2.0
"""Promise: nobody comes in without a key that counts, nor does more than it says; a key that is taken
back ends at once; and who asks too often is told when to come again, while others go on.

A real sandfleet-api on a database of its own; keys are made and revoked by the real client."""
import http.client
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from door import Door, database

RUN = "/v1/runs/01950f3c-8a00-7000-8000-000000000001"


def only_with_a_key(door, read):
    none = door.ask("GET", RUN).problem(401, "unauthenticated")
    assert door.ask("GET", RUN).headers["WWW-Authenticate"] == "Bearer"
    wrong = []
    for given in ("sfk_000000000000_" + "0" * 64, read[:-1] + ("0" if read[-1] != "0" else "1"), "sfk_x", read + "0",
                  read.upper(), "", "sfr_000000000000.9999999999.YQ." + "A" * 43):
        answer = door.ask("GET", RUN, headers={"Authorization": f"Bearer {given}"})
        doc = answer.problem(401, "unauthenticated")
        assert "invalid_token" in answer.headers["WWW-Authenticate"], answer
        wrong.append({**doc, "request_id": None})
    assert all(doc == wrong[0] for doc in wrong), "a stranger learns why"
    assert none["detail"] != wrong[0]["detail"]
    door.ask("GET", RUN, headers={"Authorization": f"Basic {read}"}).problem(401, "unauthenticated")
    door.ask("GET", f"{RUN}?access_token={read}").problem(401, "unauthenticated")
    door.ask("GET", RUN, headers={"Authorization": f"bearer   {read} "}).problem(404, "not_found")
    for path in ("/healthz", "/readyz", "/openapi.yaml"):
        assert door.ask("GET", path).status == 200, path
    assert read not in door.text() and "0" * 64 not in door.text(), "a key is in the log"


def no_more_than_its_scopes(door, read):
    submit = door.key("--scope", "submit")
    answer = door.ask("GET", RUN, submit)
    answer.problem(403, "forbidden")
    assert 'scope="read"' in answer.headers["WWW-Authenticate"], answer
    door.ask("GET", RUN, door.key("--scope", "admin")).problem(404, "not_found")


def in_no_other_tenant(door):
    mine, admin = door.key("--tenant", "acme"), door.key("--tenant", "ops", "--scope", "admin")
    door.ask("GET", f"{RUN}?tenant=acme", mine).problem(404, "not_found")
    door.ask("GET", f"{RUN}?tenant=other", mine).problem(403, "forbidden")
    door.ask("GET", f"{RUN}?tenant=other", admin).problem(404, "not_found")
    door.ask("GET", f"{RUN}?tenant=-x", admin).problem(400, "invalid_parameter")
    door.db.ask("INSERT INTO fleet.runs (run_id, run_day, tenant, created_at) VALUES"
                " ('01950f3c-8a00-7000-8000-000000000001', '2025-02-16', 'acme', now())")
    assert door.ask("GET", RUN, mine).status == 200
    door.ask("GET", RUN, admin).problem(404, "not_found")
    assert door.ask("GET", f"{RUN}?tenant=acme", admin).status == 200
    door.db.ask("DELETE FROM fleet.runs")


def taken_back_at_once(door):
    key = door.key()
    door.ask("GET", RUN, key).problem(404, "not_found")
    door.client("keys", "revoke", key[4:16])
    door.wait(lambda: door.ask("GET", RUN, key).status == 401, "refusal", seconds=5)
    door.db.ask(f"UPDATE access.keys SET revoked_at = NULL WHERE key_id = '{key[4:16]}'")
    door.wait(lambda: door.ask("GET", RUN, key).status == 404, "forgiveness", seconds=5)
    door.db.ask(f"UPDATE access.keys SET scopes = '{{submit}}' WHERE key_id = '{key[4:16]}'")
    door.wait(lambda: door.ask("GET", RUN, key).status == 403, "less scope", seconds=5)
    door.db.ask(f"DELETE FROM access.keys WHERE key_id = '{key[4:16]}'")
    door.wait(lambda: door.ask("GET", RUN, key).status == 401, "refusal", seconds=5)
    soon = door.key("--expires", "1s")
    door.ask("GET", RUN, soon).problem(404, "not_found")
    door.wait(lambda: door.ask("GET", RUN, soon).status == 401, "the end of a second", seconds=5)


def for_one_run_by_a_token(door):
    mine, admin = door.key("--tenant", "acme", "--scope", "read"), door.key("--tenant", "ops", "--scope", "admin")
    door.ask("POST", f"{RUN}/read-token", mine).problem(404, "not_found")
    door.db.ask("INSERT INTO fleet.runs (run_id, run_day, tenant, created_at) VALUES"
                " ('01950f3c-8a00-7000-8000-000000000001', '2025-02-16', 'acme', now())")
    door.ask("POST", f"{RUN}/read-token", admin).problem(404, "not_found")
    door.ask("POST", f"{RUN}/read-token", door.key("--tenant", "acme", "--scope", "submit")).problem(403, "forbidden")
    for body in ({"ttl_s": 0}, {"ttl_s": 3601}, {"ttl_s": "60"}, {"ttl_s": 1.5}, {"ttl_s": None}):
        assert door.ask("POST", f"{RUN}/read-token", mine, body).problem(422, "invalid_field")["errors"][0]["pointer"] == "/ttl_s"
    door.ask("POST", f"{RUN}/read-token", mine, {"ttl": 60}).problem(422, "unknown_field")
    door.ask("POST", f"{RUN}/read-token", mine, []).problem(400, "malformed_json")
    answers = [door.ask("POST", f"{RUN}/read-token", mine), door.ask("POST", f"{RUN}/read-token", mine, {"ttl_s": 3600}),
               door.ask("POST", f"{RUN}/read-token?tenant=acme", admin, {"ttl_s": 60})]
    for answer in answers:
        token = answer.json()["token"]
        assert answer.status == 201 and token.startswith("sfr_"), answer
        for path in (RUN, f"{RUN}?access_token={token}"):  # it opens the events, and nothing else
            door.ask("GET", path, token if path == RUN else None).problem(401, "unauthenticated")
        for path in (f"{RUN}/events?access_token={token}", f"{RUN}/events"):
            assert door.ask("GET", path, token if path.endswith("events") else None).status == 200, path
        other = RUN[:-1] + "2"
        door.ask("GET", f"{other}/events?access_token={token}").problem(401, "unauthenticated")
        door.ask("GET", f"{RUN}/events?access_token={token[:-1]}{'A' if token[-1] != 'A' else 'B'}").problem(401, "unauthenticated")
        door.ask("GET", f"{RUN}/events?access_token={token}&tenant=other").problem(403, "forbidden")
    door.ask("GET", f"{RUN}/events?access_token={mine}").problem(401, "unauthenticated")
    short = door.ask("POST", f"{RUN}/read-token", mine, {"ttl_s": 1}).json()["token"]
    door.wait(lambda: door.ask("GET", f"{RUN}/events?access_token={short}").status == 401, "its end", seconds=5)
    ends_with_its_key(door, mine, answers[0].json()["token"])
    ends_when_its_key_does(door)
    door.db.ask("DELETE FROM fleet.runs")


def ends_with_its_key(door, key, token):
    """A stream that is open is cut off, too: its reader comes back, and is refused."""
    bystander = door.key("--tenant", "acme")
    streams = []
    for query, header in ((f"?access_token={token}", None), ("", key), ("", bystander)):
        conn = http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)
        headers = {"Accept": "text/event-stream"} | ({"Authorization": f"Bearer {header}"} if header else {})
        conn.request("GET", f"{RUN}/events{query}", headers=headers)
        sock = conn.sock  # http.client lets go of it where the connection ends with the answer
        answer = conn.getresponse()
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/event-stream"), answer.headers
        streams.append((conn, answer, sock))
    door.client("keys", "revoke", key[4:16])
    for conn, answer, _ in streams[:2]:
        text = answer.read().decode()
        assert "event: end" not in text and "retry: " in text, text
        conn.close()
    assert streams[2][1].isclosed() is False
    streams[2][2].setblocking(False)
    try:
        rest = streams[2][2].recv(65536)
    except BlockingIOError:
        rest = b": nothing came"
    assert rest and b"retry" not in rest, rest
    streams[2][1].close()
    door.ask("GET", f"{RUN}/events?access_token={token}").problem(401, "unauthenticated")


def ends_when_its_key_does(door):
    """Though it was opened while the key counted."""
    conn = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
    conn.request("GET", f"{RUN}/events", headers={"Accept": "text/event-stream", "Authorization": f"Bearer {door.key('--tenant', 'acme', '--expires', '2s')}"})
    answer = conn.getresponse()
    assert answer.status == 200, answer.headers
    text = answer.read().decode()
    assert "event: end" not in text and "retry: " in text, text
    conn.close()


def told_when_it_was_used(door):
    key = door.key()

    def used():
        return door.db.ask(f"SELECT last_used_at FROM access.keys WHERE key_id = '{key[4:16]}'")

    assert used() == ""
    door.ask("GET", RUN, key)
    first = door.wait(used, "last_used_at")
    for _ in range(20):
        door.ask("GET", RUN, key)
    assert used() == first, "written again within a minute"


def without_asking_the_database_each_time(door):
    key = door.key()
    door.ask("GET", "/v1/runs/no-run", key)  # 404 without a query of its own
    before = door.db.ask("SELECT coalesce(sum(seq_scan + idx_scan), 0) FROM pg_stat_user_tables WHERE relname = 'keys'")
    for _ in range(100):
        door.ask("GET", "/v1/runs/no-run", key).problem(404, "not_found")
    door.db.ask("SELECT pg_stat_force_next_flush()")
    after = door.db.ask("SELECT coalesce(sum(seq_scan + idx_scan), 0) FROM pg_stat_user_tables WHERE relname = 'keys'")
    assert int(after) - int(before) < 20, (before, after)


def the_rest_goes_on_while_the_database_is_away(door):
    """Not the server itself: only the connections of this one are taken."""
    key, late = door.key(), door.key()
    door.ask("GET", "/v1/runs/no-run", key).problem(404, "not_found")
    name = door.db.name
    database.psql_alone(door.db.admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        database.psql_alone(door.db.admin, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        door.wait(lambda: door.ask("GET", "/readyz").status == 503, "the loss")
        door.ask("GET", "/v1/runs/no-run", key).problem(404, "not_found")
        answer = door.ask("GET", "/v1/runs/no-run", late)
        answer.problem(503, "database_unavailable")
        assert answer.headers["Retry-After"], answer
    finally:
        database.psql_alone(door.db.admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    door.wait(lambda: door.ask("GET", "/v1/runs/no-run", late).status == 404, "the return")
    door.client("keys", "revoke", late[4:16])
    door.wait(lambda: door.ask("GET", "/v1/runs/no-run", late).status == 401, "an ear for it again", seconds=5)


def who_asks_too_often_is_told_when():
    with Door("--key-rate", "5", "--key-burst", "20") as door:
        loud, quiet = door.key(), door.key()
        for _ in range(20):
            door.ask("GET", RUN, loud).problem(404, "not_found")
        answer = next(a for a in (door.ask("GET", RUN, loud) for _ in range(20)) if a.status == 429)
        doc = answer.problem(429, "rate_limited")
        assert doc["retryable"] and int(answer.headers["Retry-After"]) == 1, answer
        door.ask("GET", RUN, quiet).problem(404, "not_found")
        for _ in range(30):  # a stranger who knows its id costs it nothing
            door.ask("GET", RUN, quiet[:-8] + "00000000").problem(401, "unauthenticated")
        door.ask("GET", RUN, quiet).problem(404, "not_found")
        assert door.ask("GET", "/healthz").status == 200
        door.wait(lambda: door.ask("GET", RUN, loud).status == 404, "the next second", seconds=5)


def from_pages_only_where_it_was_said():
    origin = {"Origin": "https://app.example.com"}
    ask = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}

    def allowed(answer):
        return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}

    with Door() as door:
        assert allowed(door.ask("GET", "/healthz", headers=origin)) == {}
        preflight = door.ask("OPTIONS", RUN, headers=ask)
        assert (preflight.status, preflight.headers["Allow"]) == (204, "GET, HEAD, OPTIONS"), preflight
        assert allowed(preflight) == {}
    with Door("--cors-origin", "https://app.example.com", "--cors-origin", "http://localhost:5173") as door:
        preflight = door.ask("OPTIONS", RUN, headers=ask)
        assert preflight.status == 204 and "Authorization" in preflight.headers["Access-Control-Allow-Headers"], preflight
        assert "GET" in preflight.headers["Access-Control-Allow-Methods"], preflight
        refused = door.ask("GET", RUN, headers=origin)  # so that a page can read why
        refused.problem(401, "unauthenticated")
        for answer in (preflight, refused):
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com", answer
            assert answer.headers["Vary"] == "Origin" and "Access-Control-Allow-Credentials" not in answer.headers
        for other in ("https://app.example.com.evil.net", "null", "https://app.example.com:8443", "http://app.example.com"):
            answer = door.ask("GET", "/healthz", headers={"Origin": other})
            assert allowed(answer) == {} and answer.headers["Vary"] == "Origin", answer


def what_is_too_much_is_refused(door, key):
    def long_header(n):
        return door.ask("GET", "/healthz", headers={"X-Filler": "x" * n})

    long_header(17 << 10).problem(431, "headers_too_large")
    door.ask("GET", f"/healthz?x={'x' * (9 << 10)}").problem(414, "address_too_long")
    for bytes_sent in (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 200000 + b"\r\n\r\n",
                       b"GET /" + b"x" * 200000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"):
        answer = door.raw(bytes_sent)
        assert not answer or re.match(r"HTTP/1\.1 (414|431) ", answer), answer
    answer = door.raw(f"GET {RUN} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {(1 << 20) + 1}\r\n\r\n".encode())
    assert answer.startswith("HTTP/1.1 413 ") and "at most 1048576 bytes" in answer, answer
    wrong = door.ask("PATCH", RUN, key)
    wrong.problem(405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET, HEAD, OPTIONS", wrong
    odd = door.raw(b"\x01" * 1800 + b" /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert odd.startswith("HTTP/1.1 405 ") and '"detail"' in odd, odd
    head = door.ask("HEAD", "/healthz")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, "", "15"), head
    door.ask("GET", "/v1", key).problem(404, "no_such_route")
    door.ask("OPTIONS", "/v1/nothing").problem(404, "no_such_route")


def counted(door):
    door.ask("GET", "/metrics").problem(401, "unauthenticated")
    door.ask("GET", "/metrics", door.key()).problem(403, "forbidden")
    answer = door.ask("GET", "/metrics", door.key("--scope", "admin"))
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer

    def value(name):
        return float(re.search(rf"^{re.escape(name)} (\S+)$", answer.body, re.M)[1])

    assert value('sandfleet_api_auth_total{result="refused"}') > 7
    assert value('sandfleet_api_auth_total{result="none"}') > 3
    assert value('sandfleet_api_requests_total{route="GET /v1/runs/{}",status="401"}') > 7
    assert value('sandfleet_api_requests_total{route="none",status="404"}') >= 2
    assert value('sandfleet_api_request_seconds_count{route="GET /v1/runs/{}"}') > 100
    assert value("sandfleet_api_kafka_up") == value("sandfleet_api_database_up") == 1 <= value("sandfleet_api_requests")


def main():
    with Door() as door:
        read = door.key("--scope", "read")
        only_with_a_key(door, read)
        no_more_than_its_scopes(door, read)
        in_no_other_tenant(door)
        taken_back_at_once(door)
        for_one_run_by_a_token(door)
        told_when_it_was_used(door)
        without_asking_the_database_each_time(door)
        what_is_too_much_is_refused(door, read)
        counted(door)
        the_rest_goes_on_while_the_database_is_away(door)
        assert door.stop() == 0, door.text()
    who_asks_too_often_is_told_when()
    from_pages_only_where_it_was_said()
    print("auth: in with a key that counts, as far as it says, as often as is fit")


main()
