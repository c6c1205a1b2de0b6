# SPDX-License-Identifier: Apache-2.0
"""Promise: what no client of ours would send gets the answer that the catalogue of bad inputs demands
(tests/fixtures/bad_inputs.tsv, or docs/adr/0032), whatever could be read as a second request is not, and
the door is as it was: the next good request works, its files are closed, no key is in its log.

A real sandfleet-api, asked through sockets. The rows of kind act have a function each."""
import pathlib
import socket
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "lib")]
import catalogue
from door import Door

TIMEOUT_S = 2  # of a request
GOOD = b'{"prompt":"x"}'
RUN = "01950f3c-8a00-7000-8000-00000000dead"
BEHIND = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"  # what a smuggler would hide behind a request


def head(key, line, *headers, host=b"Host: x"):
    lines = [line, *([host] if host else []), b"Authorization: Bearer " + key.encode(), *headers]
    return b"\r\n".join(line for line in lines if line) + b"\r\n\r\n"


def answers(door, data):
    """(what came until the end of the connection, whether the server ended it while we went on)."""
    got, begun = b"", time.monotonic()
    with socket.create_connection(("127.0.0.1", door.port), timeout=TIMEOUT_S + 8) as s:
        try:
            s.sendall(data)
            while piece := s.recv(65536):
                got += piece
        except ConnectionError:
            pass
    return got, time.monotonic() - begun < 1


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


# --- rows of bytes ------------------------------------------------------------------------------

CLOSES = ("B048", "B049", "B050", "B053", "B054", "B055")  # and the rest of what was sent is no request
BY_LIBRARY = ("B048", "B050", "B053")  # refused by libmicrohttpd, in words of its own


def body(row, key):
    return head(key, b"POST /v1/runs HTTP/1.1", b"Content-Type: application/json", b"Connection: close",
                b"Content-Length: %d" % len(row.data)) + row.data


def header(row, key):
    name = row.data.split(b":")[0].strip()
    if name == b"Last-Event-ID":
        return head(key, f"GET /v1/runs/{RUN}/events HTTP/1.1".encode(), b"Accept: text/event-stream", row.data, b"Connection: close")
    own = [row.data, b"" if name == b"Content-Type" else b"Content-Type: application/json",
           b"" if name == b"Content-Length" else b"Content-Length: %d" % len(GOOD)]
    end = b"" if row.id in CLOSES else b"Connection: close"
    return head(key, b"POST /v1/runs HTTP/1.1", *own, end, host=b"" if name == b"Host" else b"Host: x") + GOOD + (
        BEHIND if row.id in CLOSES else b"")


def target(row, key):
    path = row.data if row.surface == "http.path" else b"/v1/runs" + row.data
    return head(key, b"GET " + path + b" HTTP/1.1", b"Connection: close")


def run_id(row, key):
    """As the name of a run: B074 to B080."""
    return head(key, b"GET /v1/runs/" + urllib.parse.quote_from_bytes(row.data, safe="").encode() + b" HTTP/1.1", b"Connection: close")


MAKERS = {"http.body": body, "http.header": header, "http.path": target, "http.query": target, "run_id": run_id}


def every_row_of_bytes(door, key):
    for row in catalogue.rows(*MAKERS):
        if row.data is None:
            continue
        begun = time.monotonic()
        got, at_once = answers(door, MAKERS[row.surface](row, key))
        want = 404 if row.surface == "run_id" else row.status
        assert status_of(got) == want, (row, got[:400])
        assert time.monotonic() - begun < 1, (row, "took long")
        assert key.encode() not in got, row
        if want >= 400 and row.id not in BY_LIBRARY:
            assert b"Content-Type: application/problem+json" in got, (row, got)
        if row.id in CLOSES:
            assert at_once and b"Connection: close" in got and b" 200 " not in got, (row, got)


# --- rows of conditions ---------------------------------------------------------------------------

def b044_over_the_limit(door, key):
    got, at_once = answers(door, head(key, b"POST /v1/runs HTTP/1.1", b"Content-Type: application/json",
                                      b"Content-Length: %d" % ((1 << 20) + 1)))
    assert status_of(got) == catalogue.row("B044").status and at_once and b"Connection: close" in got, got


def b046_is_refused_at_once(door, key):
    """The quickest of five: others have the machine, too."""
    row, times = catalogue.row("B046"), []
    for _ in range(5):
        begun = time.monotonic()
        got, _ = answers(door, body(row, key))
        times.append(time.monotonic() - begun)
        assert status_of(got) == row.status, got[:400]
    assert min(times) < 0.05 or "asan" in str(door.process.args[0]), times


def b045_a_body_that_does_not_come(door, key):
    begun = time.monotonic()
    got, _ = answers(door, head(key, b"POST /v1/runs HTTP/1.1", b"Content-Type: application/json", b"Content-Length: 100") + b'{"prompt":')
    assert status_of(got) == catalogue.row("B045").status, got
    assert TIMEOUT_S - 0.1 <= time.monotonic() - begun < TIMEOUT_S + 3


def b057_no_key_is_a_wrong_key(door, key):
    request = b"GET /v1/runs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    none = answers(door, request + b"\r\n")[0]
    wrong = answers(door, request + b"Authorization: Bearer " + key[:-4].encode() + b"AAAA\r\n\r\n")[0]
    for got in (none, wrong):
        assert status_of(got) == catalogue.row("B057").status and b'"code":"unauthenticated"' in got, got
    times = {True: [], False: []}
    for n in range(200):
        begun = time.monotonic()
        answers(door, request + (b"\r\n" if n % 2 else b"Authorization: Bearer " + key[:-4].encode() + b"%04d\r\n\r\n" % n))
        times[bool(n % 2)].append(time.monotonic() - begun)
    assert all(sorted(t)[50] < 0.05 for t in times.values()), times


def b059_b060_one_key(door, key):
    def post(body):
        return door.ask("POST", "/v1/runs", key, body, {"Idempotency-Key": "once", "Content-Type": "application/json"})
    first, again, other = post({"prompt": "x"}), post({"prompt": "x"}), post({"prompt": "y"})
    assert catalogue.row("B059").expect == "http:2xx" and first.status == again.status == 201
    assert first.json()["run_id"] == again.json()["run_id"]
    assert other.status == catalogue.row("B060").status, other
    assert door.ask("GET", f"/v1/runs/{first.json()['run_id']}", key).json()["prompt"] == "x"


def b067_of_another_tenant(door, key):
    run = door.ask("POST", "/v1/runs", key, {"prompt": "x"}).json()["run_id"]
    stranger = door.key("--tenant", "other")
    for name in (run, RUN):
        door.ask("GET", f"/v1/runs/{name}", stranger).problem(catalogue.row("B067").status, "not_found")


def worst(door, key, asks=200):
    """About the 99th of a hundred, in seconds."""
    times = []
    for _ in range(asks):
        begun = time.monotonic()
        assert door.ask("GET", "/v1/runs?limit=1", key).status == 200
        times.append(time.monotonic() - begun)
    return sorted(times)[asks * 99 // 100]


def b071_b072_who_dawdles(door, key):
    """B071, B072: 200 that send a byte now and then; and one that speaks TLS to a port that does not."""
    before, held = worst(door, key), []
    try:
        for _ in range(200):
            held.append(socket.create_connection(("127.0.0.1", door.port), timeout=TIMEOUT_S + 8))
            held[-1].sendall(b"G")
        held.append(socket.create_connection(("127.0.0.1", door.port), timeout=TIMEOUT_S + 8))
        held[-1].sendall(catalogue.row("B072").data)
        begun, during = time.monotonic(), 0
        for byte in b"ET /":
            for one in held[:200]:
                one.sendall(bytes([byte]))
            during = max(during, worst(door, key, 50))
        for one in held:
            try:
                assert one.recv(1024) in (b"",) or one is held[-1], "answered"
            except ConnectionError:
                pass
        assert time.monotonic() - begun < TIMEOUT_S + 4, "they may stay"
        assert during < 2 * max(before, 0.25), (before, during)
    finally:
        for one in held:
            one.close()


def files(door):
    return len(list(pathlib.Path(f"/proc/{door.process.pid}/fd").iterdir()))


def rss_kib(door):
    return int(pathlib.Path(f"/proc/{door.process.pid}/status").read_text().split("VmRSS:")[1].split()[0])


with Door("--key-rate", "0", "--request-timeout", f"{TIMEOUT_S}s", topics=True) as door:
    key = door.key()
    assert door.ask("POST", "/v1/runs", key, {"prompt": "x"}).status == 201
    door.wait(lambda: worst(door, key, 3) < 1, "a warm door")
    opened, resident = files(door), rss_kib(door)
    every_row_of_bytes(door, key)
    b044_over_the_limit(door, key)
    b045_a_body_that_does_not_come(door, key)
    b046_is_refused_at_once(door, key)
    b057_no_key_is_a_wrong_key(door, key)
    b059_b060_one_key(door, key)
    b067_of_another_tenant(door, key)
    b071_b072_who_dawdles(door, key)
    door.wait(lambda: files(door) <= opened + 2, "the files to be closed")
    assert "asan" in str(door.process.args[0]) or rss_kib(door) < resident + 32 * 1024, (resident, rss_kib(door))
    assert key not in door.text(), "the key is in the log"
    assert door.ask("POST", "/v1/runs", key, {"prompt": "x"}).status == 201
    print("bad_http: every row has its answer")
