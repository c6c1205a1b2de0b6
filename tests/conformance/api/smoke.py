# SPDX-License-Identifier: Apache-2.0
"""What a backend does, by the client that was generated from openapi.yaml and nothing else: submit, wait,
read the events, follow them live, cancel, a batch; and its errors come as they are typed."""
import json
import os
import uuid

from sandfleet_client import AuthenticatedClient
from sandfleet_client.api.batches import add_batch_items, create_batch, get_batch, get_batch_results, seal_batch
from sandfleet_client.api.runs import (cancel_run, create_read_token, create_run, get_run, get_run_result, list_run_events,
                                       list_runs)
from sandfleet_client.api.sessions import list_sessions
from sandfleet_client.models import (BatchCreate, BatchState, EventPage, Problem, ResultResultType, RunSession, RunSpec,
                                     RunState)

API = AuthenticatedClient(os.environ["SANDFLEET_API_URL"], os.environ["SANDFLEET_API_KEY"], timeout=90,
                          raise_on_unexpected_status=True)


def ended(run_id):
    for _ in range(6):
        run = get_run.sync(run_id, client=API, wait=30)
        if run.ended_at:
            return run
    raise AssertionError(f"{run_id} does not end: {run}")


def submit_wait_events():
    key = str(uuid.uuid4())
    body = RunSpec(prompt="say hello", custom_id="first", session=RunSession(id="smoke/1"))
    first = create_run.sync_detailed(client=API, body=body, idempotency_key=key)
    assert first.status_code == 201 and first.parsed.state == RunState.QUEUED, first
    again = create_run.sync_detailed(client=API, body=body, idempotency_key=key)
    assert again.parsed == first.parsed and again.headers["Idempotent-Replayed"] == "true", again
    other = create_run.sync(client=API, body=RunSpec(prompt="another"), idempotency_key=key)
    assert isinstance(other, Problem) and other.code == "idempotency_key_reused", other

    run = ended(first.parsed.run_id)
    assert run.state == RunState.COMPLETED and run.prompt == "say hello" and run.result, run
    seen, since = [], 0
    while True:
        page = list_run_events.sync(run.run_id, client=API, since=since, limit=2)
        assert isinstance(page, EventPage), page
        seen += page.events
        since = page.next_sequence
        if not page.has_more:
            break
    assert [e.sequence for e in seen] == list(range(1, len(seen) + 1)) and page.ended, seen
    assert seen[-1].type_ == "sandfleet.run.completed", seen[-1]
    result = get_run_result.sync(run.run_id, client=API)
    assert result.result.type_ == ResultResultType.SUCCEEDED and result.result.text == run.result, result
    assert run.run_id in [r.run_id for r in list_runs.sync(client=API, state=[RunState.COMPLETED]).data]
    assert "smoke/1" in [s.session_id for s in list_sessions.sync(client=API).data]
    return run, len(seen)


def follow(run, events):
    """As a browser does, whose EventSource sends no key."""
    token = create_read_token.sync(run.run_id, client=API)
    url = f"/v1/runs/{run.run_id}/events"
    with API.with_headers({}).get_httpx_client() as http:
        http.headers.pop("Authorization", None)
        refused = http.get(url, headers={"Accept": "text/event-stream"})
        assert refused.status_code == 401, refused
        with http.stream("GET", url, params={"access_token": token.token}, headers={"Accept": "text/event-stream"}) as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream"), stream.headers
            lines = list(stream.iter_lines())
    ids = [int(line.removeprefix("id:")) for line in lines if line.startswith("id:")]
    assert ids == list(range(1, events + 1)), ids
    end = json.loads(lines[lines.index("event: end") + 1].removeprefix("data:"))
    assert end["state"] == "completed", end


def cancel():
    run = create_run.sync(client=API, body=RunSpec(prompt="say hello [[sim:hang=1]]"))
    early = get_run_result.sync(run.run_id, client=API)
    assert isinstance(early, Problem) and early.code == "run_not_ended" and early.retryable, early
    asked = cancel_run.sync_detailed(run.run_id, client=API)
    assert asked.status_code == 202 and asked.parsed.asked, asked
    run = ended(run.run_id)
    assert (run.state, run.outcome) == (RunState.CANCELLED, "cancelled"), run
    gone = cancel_run.sync(uuid.uuid4(), client=API)
    assert isinstance(gone, Problem) and gone.status == 404, gone


class Lines:
    """What the generator takes for bytes."""

    def __init__(self, *items):
        self.payload = "".join(json.dumps(item) + "\n" for item in items).encode()


def batch():
    made = create_batch.sync(client=API, body=BatchCreate(batch_id="smoke/batch", defaults=RunSpec(timeout_s=600)))
    assert made.state == BatchState.OPEN, made
    answers = add_batch_items.sync(made.batch_id, client=API, body=Lines(
        {"custom_id": "a", "prompt": "say a"}, {"custom_id": "b"}, {"custom_id": "c", "prompt": "say c"}))
    answers = [json.loads(line) for line in answers.splitlines()]
    assert [a["status"] for a in answers] == ["accepted", "rejected", "accepted"], answers
    assert seal_batch.sync(made.batch_id, client=API).sealed_at
    late = add_batch_items.sync(made.batch_id, client=API, body=Lines({"custom_id": "d", "prompt": "say d"}))
    assert isinstance(late, Problem) and late.code == "batch_sealed", late
    for _ in range(6):
        now = get_batch.sync(made.batch_id, client=API, wait=30)
        if now.state == BatchState.ENDED:
            break
    assert (now.state, now.runs, now.counts.completed) == (BatchState.ENDED, 2, 2), now
    results = [json.loads(line) for line in get_batch_results.sync(made.batch_id, client=API).splitlines()]
    assert sorted(r["custom_id"] for r in results) == ["a", "c"], results


run, n = submit_wait_events()
follow(run, n)
cancel()
batch()
print("a generated client: submitted, waited, read, followed, cancelled, and did a batch")
