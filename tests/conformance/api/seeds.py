# SPDX-License-Identifier: Apache-2.0
"""Things of all kinds in the tables, for those who ask a server about each of them: runs in every
state with attempts and events, batches, sessions, sandboxes, workers, limits, dead letters."""
import datetime
import uuid

ENDS = {"completed": "success", "failed": "max_turns", "timed_out": "timed_out", "cancelled": "cancelled", "expired": "expired"}
STATES = ["queued", "held", "starting", "running", "retrying", "cancelling", *ENDS]
DAY = datetime.datetime.now(datetime.timezone.utc).date()


def run_id(tenant, n):
    """A UUIDv7 of today; the same for the same words."""
    ms = int(datetime.datetime.combine(DAY, datetime.time(), datetime.timezone.utc).timestamp() * 1000)
    rest = uuid.uuid5(uuid.NAMESPACE_URL, f"{tenant}/{n}").int & ((1 << 62) - 1)
    return str(uuid.UUID(int=ms << 80 | 7 << 76 | (n & 0xfff) << 64 | 2 << 62 | rest))


def quote(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def events_of(run, tenant, state):
    kinds = [("sandfleet.attempt.starting", None, '{"worker":"w-1"}'), ("sandfleet.attempt.started", None, "{}"),
             ("sandfleet.agent.init", 1, '{"line":1,"offset":20,"native":{"type":"system","subtype":"init"}}'),
             ("sandfleet.agent.text", 2, '{"line":2,"offset":40,"text":"no json é"}'),
             ("sandfleet.agent.message", 3, '{"line":3,"offset":60,"native":{"type":"assistant","message":{"content":[]}}}')]
    if state in ("held", "retrying"):
        kinds.append((f"sandfleet.run.{state}", None, '{"reason":"usage_limit","outcome":"overloaded","until":"2027-01-01T00:00:00.000Z"}'))
    if state in ENDS:
        kinds.append(("sandfleet.attempt.ended", None, '{"outcome":"' + ENDS[state] + '"}'))
        kinds.append((f"sandfleet.run.{state}", None, '{"outcome":"' + ENDS[state] + '","result":"Done."}'))
    for i, (kind, line, data) in enumerate(kinds, 1):
        yield (f"({quote(run)}, '{DAY}', {i}, 1, 1, {line or 'NULL'}, {line * 20 if line else 'NULL'}, {quote(kind)}, now(),"
               f" {quote(tenant)}, {quote(data)})")


def sql(tenant):
    """One run a state, alone, in a batch and in a session."""
    runs, attempts, events = [], [], []
    for n, state in enumerate(STATES * 3):
        run, group = run_id(tenant, n), n // len(STATES)
        started = state not in ("queued", "expired")
        runs.append(f"({quote(run)}, '{DAY}', {quote(tenant)}, {quote(f'batch/{tenant}' if group == 1 else None)}, {quote(f'item-{n}')},"
                    f" {quote(f'session/{tenant}/{state}' if group == 2 else None)}, 'interactive', 'claude', 'sonnet', 'default', 'Say hello.',"
                    f" '{{\"n\":{n}}}', {quote(state)}, {quote(ENDS.get(state))}, {quote('usage_limit' if state == 'held' else None)},"
                    f" {1 if started else 0}, {quote(f'sbx-{tenant}-{n}' if started else None)}, {quote('Done.' if state == 'completed' else None)},"
                    f" now(), {'now()' if started else 'NULL'}, {'now()' if state in ENDS else 'NULL'}, {'true' if state in ENDS else 'false'})")
        if not started:
            continue
        done = state in ENDS
        attempts.append(f"({quote(run)}, 1, {quote('ended' if done else 'running')}, 'w-1', {quote(f'sbx-{tenant}-{n}')}, {quote(ENDS.get(state))}, now())")
        events.extend(events_of(run, tenant, state))
    boxes = ", ".join(f"('sbx-{tenant}-{n}', 'claude', {quote(tenant)}, {quote(run_id(tenant, n))}, now(), {quote(state)}, now(), now())"
                      for n, state in ((2, "busy"), (24, "parked"), (25, "paused"), (6, "ended"), (7, "evicted"), (8, "lost")))
    return f"""
        INSERT INTO fleet.runs (run_id, run_day, tenant, batch_id, custom_id, session_id, lane, template, model, credential,
            prompt, metadata, state, outcome, hold_reason, attempt, sandbox_id, result, created_at, started_at, ended_at, ended)
            VALUES {", ".join(runs)};
        INSERT INTO fleet.attempts (run_id, attempt, state, worker_id, sandbox_id, outcome, started_at) VALUES {", ".join(attempts)};
        INSERT INTO fleet.events (run_id, run_day, sequence, attempt, epoch, line, log_offset, type, time, tenant, data)
            VALUES {", ".join(events)};
        UPDATE fleet.runs AS r SET sequence = (SELECT max(sequence) FROM fleet.events AS e WHERE e.run_id = r.run_id), last_event_at = now()
            WHERE tenant = {quote(tenant)} AND EXISTS (SELECT FROM fleet.events AS e WHERE e.run_id = r.run_id);
        INSERT INTO fleet.sandboxes (sandbox_id, template, tenant, run_id, used_at, state, since, created_at) VALUES {boxes};
        INSERT INTO ledger.claims (run_id, tenant, lane, session_id, credential, priority, body_hash, request, state, fairness_key)
            SELECT run_id, tenant, lane, session_id, 'default', 5, '\\x00',
                   json_build_object('v', 1, 'run_id', run_id, 'tenant', tenant, 'batch_id', batch_id, 'custom_id', custom_id, 'prompt', prompt),
                   'waiting', tenant FROM fleet.runs WHERE tenant = {quote(tenant)} AND state IN ('queued', 'held', 'retrying');
    """


FLEET = """
    INSERT INTO ledger.workers (worker_id, host, pid, version, slots) VALUES ('w-1', 'here', 1, '0.1.0', 8);
    INSERT INTO fleet.quarantine (topic, partition, "offset", reason, detail, key, value, headers)
        SELECT 'runs.interactive', 0, n, 'malformed', 'malformed: no JSON', 'k', '{', '{"a":"b"}' FROM generate_series(1, 20) AS n;
"""


def things(tenant):
    """By the name of the parameter in a path."""
    return {"run_id": [run_id(tenant, n) for n in range(3 * len(STATES))], "batch_id": [f"batch/{tenant}"],
            "session_id": [f"session/{tenant}/{state}" for state in STATES],
            "sandbox_id": [f"sbx-{tenant}-{n}" for n in (2, 24, 25, 6, 7, 8)]}
