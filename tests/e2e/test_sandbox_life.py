# SPDX-License-Identifier: Apache-2.0
"""Promise: each sandbox has an owner, and none outlives it, whatever dies; the warm pool has its size;
a session goes on in its own sandbox; at the service's cap an idle sandbox makes room for a run.
Proof: workers are killed at points that the ledger names, while sandboxd is held still; then what
sandboxd lists is compared with what the ledger owns."""

import json
import os
import signal
import sys
import unittest
import urllib.request

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack  # noqa: E402

WARM, CAP = 2, 6
WORKERS = ("worker-1", "worker-2")
SETTINGS = {"SANDFLEET_LEASE": "2s", "SANDFLEET_DRAIN": "500ms", "SANDFLEET_WARM": f"claude={WARM}",
            "SANDFLEET_JANITOR": "200ms", "SANDFLEET_JANITOR_GRACE": "500ms",
            "SANDFLEET_MAX_SANDBOXES": str(CAP)}


class SandboxLife(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("sandbox_life", workers=2, env=SETTINGS))

    def setUp(self):
        """Every story begins with a full pool and nothing else, and ends without a leak."""
        self.stack.execute("update ledger.installation set evicted_at = null")
        self.expire("state in ('parked', 'paused')")
        self.wait_pool()
        self.addCleanup(self.check_nothing_is_left)

    # --- both sides -------------------------------------------------------

    def listed(self):
        """What sandboxd has, by id."""
        env = self.stack.env
        request = urllib.request.Request(env["E2B_API_URL"] + "/v2/sandboxes?limit=100",
                                         headers={"X-API-Key": env["E2B_API_KEY"]})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return {s["sandboxID"]: s for s in json.load(answer)}

    def owned(self):
        return {r["sandbox_id"]: r for r in self.stack.rows("select * from ledger.sandboxes")}

    def same(self):
        owned = self.owned()
        return None not in owned and "dead" not in [r["state"] for r in owned.values()] \
            and set(owned) == set(self.listed())

    def check_nothing_is_left(self):
        self.stack.wait("sandboxd and the ledger to name the same sandboxes", self.same, 30)

    def count(self, where):
        return self.stack.value(f"select count(*) as n from ledger.sandboxes where {where}")

    def expire(self, where):
        self.stack.execute(f"update ledger.sandboxes set until = now() where until is not null and {where}")

    def wait_pool(self):
        self.stack.wait("a full pool", lambda: self.count("state = 'ready' and until > now()") == WARM
                        and self.same(), 60)

    # --- runs -------------------------------------------------------------

    def submit(self, prompt="[[sim:lines=3]]", *flags):
        return self.stack.sandfleet("submit", prompt, *flags).stdout.split()[0]

    def wait_run(self, run_id, where="ended", seconds=90):
        return self.stack.wait_rows(f"select * from fleet.runs where run_id = :'id'::uuid and {where}", 1, seconds, id=run_id)[0]

    def events(self, run_id, kind):
        rows = self.stack.rows("select data from fleet.events where run_id = :'id'::uuid and type = :'kind' order by sequence",
                               id=run_id, kind="sandfleet." + kind)
        return [r["data"] for r in rows]

    def completed(self, run_id):
        run = self.wait_run(run_id)
        self.assertEqual((run["state"], run["reason"]), ("completed", None))
        return self.events(run_id, "attempt.started")[-1]

    def die(self):
        self.stack.kill(*WORKERS)
        self.stack.start(*WORKERS)

    def hold_sandboxd(self):
        """Nothing is answered; requests that come meanwhile are served afterwards."""
        pid = self.stack.pid("sandboxd")
        os.kill(pid, signal.SIGSTOP)
        return lambda: os.kill(pid, signal.SIGCONT)

    # --- the warm pool ----------------------------------------------------

    def test_a_run_takes_a_warm_sandbox_and_the_pool_is_refilled(self):
        start = self.completed(self.submit())
        self.assertEqual(start["sandbox_origin"], "warm")
        self.wait_pool()
        self.assertNotIn(start["sandbox_id"], self.listed(), "it is used once")

    def test_workers_die_while_they_warm(self):
        go_on = self.hold_sandboxd()
        try:
            self.expire("state = 'ready'")
            making = "select key, maker from ledger.sandboxes where state = 'creating'"
            before = self.stack.wait("sandboxes to be asked for", lambda: self.stack.rows(making))
            self.die()
            self.stack.wait("the next leader to ask for the same", lambda: any(
                now["key"] == was["key"] and now["maker"] != was["maker"]
                for now in self.stack.rows(making) for was in before))
        finally:
            go_on()
        self.wait_pool()
        self.assertEqual(len(self.listed()), WARM)

    def test_workers_die_between_the_create_and_its_answer(self):
        go_on = self.hold_sandboxd()
        try:
            self.expire("state = 'ready'")
            run_id = self.submit()
            self.wait_asked(run_id)
            self.die()
            self.stack.wait_rows("select 1 from ledger.claims where run_id = :'id'::uuid and epoch >= 2", 1, id=run_id)
        finally:
            go_on()
        self.completed(run_id)
        self.assertEqual(len(self.events(run_id, "sandbox.created")), 1)

    def wait_asked(self, run_id):
        self.stack.wait_rows("select 1 from ledger.sandboxes where run_id = :'id'::uuid and state = 'creating'", 1, id=run_id)

    def test_a_run_refused_after_the_create_leaves_no_sandbox(self):
        go_on = self.hold_sandboxd()
        try:
            self.expire("state = 'ready'")
            run_id = self.submit("x", "--max-attempts", "1")
            self.wait_asked(run_id)
            self.die()
            self.stack.wait_rows("select 1 from ledger.claims where run_id = :'id'::uuid and state = 'ended'", 1, id=run_id)
        finally:
            go_on()
        self.assertEqual(self.wait_run(run_id)["outcome"], "internal")

    def test_workers_die_while_an_agent_works(self):
        run_id = self.submit("[[sim:lines=200 delay_ms=10]]")
        self.wait_run(run_id, "state = 'running'")
        self.die()
        self.completed(run_id)
        ended = self.events(run_id, "attempt.ended")[-1]
        self.assertGreater(ended["sandbox_ms"], 1900)
        self.assertGreater(ended["sandbox_cost_usd"], 0)

    # --- sessions ---------------------------------------------------------

    def follow_up(self, session, state):
        first = self.completed(self.submit("[[sim:lines=2]]", "--session", session))
        self.stack.wait("the session's sandbox", lambda: self.count(f"state = '{state}' and session_id = '{session}'") == 1)
        self.assertEqual(self.listed()[first["sandbox_id"]]["state"], "paused" if state == "paused" else "running")
        self.die()  # a parked sandbox is nobody's process
        second_id = self.submit("[[sim:lines=2]]", "--session", session)
        second = self.completed(second_id)
        self.assertEqual((second["sandbox_id"], second["sandbox_origin"], second["resumed_from"]),
                         (first["sandbox_id"], "session", "sandbox"))
        return self.events(second_id, "sandbox.parked")[-1]

    def test_a_follow_up_resumes_in_the_parked_sandbox(self):
        parked = self.follow_up("s1", "parked")
        self.assertEqual(parked["reason"], "kept")
        self.assertGreaterEqual(parked["age_ms"], parked["running_ms"])

    def test_a_follow_up_resumes_in_the_paused_sandbox(self):
        self.stack.extra["SANDFLEET_PARK_MODE"] = "pause"
        self.stack.restart(*WORKERS)
        try:
            parked = self.follow_up("s2", "paused")
        finally:
            del self.stack.extra["SANDFLEET_PARK_MODE"]
            self.stack.restart(*WORKERS)
        self.assertEqual(parked["reason"], "paused")
        self.assertGreater(parked["age_ms"], parked["running_ms"], "a pause is no running time")

    def test_a_parked_sandbox_whose_time_is_over_is_ended(self):
        start = self.completed(self.submit("[[sim:lines=2]]", "--session", "s3"))
        self.stack.wait("the session's sandbox", lambda: self.count("state = 'parked'") == 1)
        self.expire("state = 'parked'")
        self.stack.wait("its end", lambda: start["sandbox_id"] not in self.listed())

    def lose_sandbox(self, session, how):
        """A session's first run, and then its sandbox's end."""
        first = self.completed(self.submit("[[sim:lines=2]]", "--session", session))
        self.stack.wait("the session's sandbox", lambda: self.count(f"state = 'parked' and session_id = '{session}'") == 1)
        if how == "expired":
            self.expire(f"session_id = '{session}'")
        else:
            self.stack.kill_sandbox(first["sandbox_id"])
        self.stack.wait("its end", lambda: first["sandbox_id"] not in self.listed())
        return first

    def test_a_session_goes_on_in_another_sandbox(self):
        for how in ("expired", "killed"):
            with self.subTest(how):
                first = self.lose_sandbox(how, how)
                run_id = self.submit("[[sim:lines=1]]", "--session", how)
                second = self.completed(run_id)
                self.assertNotEqual(second["sandbox_id"], first["sandbox_id"])
                self.assertEqual(second["resumed_from"], "transcript")
                said = self.events(run_id, "agent.message")[0]["native"]["message"]["content"][0]["text"]
                self.assertIn("This session had 1 earlier prompt.", said)
                again = self.completed(self.submit("[[sim:lines=1]]", "--session", how))
                self.assertEqual((again["sandbox_id"], again["resumed_from"]), (second["sandbox_id"], "sandbox"))
        self.stack.execute("update ledger.transcripts set since = now() - interval '1 day' where state = 'dead'")
        self.stack.wait("the older transcripts to be removed", lambda: self.stored() == self.transcripts())

    def stored(self):
        store = self.stack.dir / "store"
        return {str(f.relative_to(store)) for f in (store / "transcripts").rglob("*") if f.is_file()}

    def transcripts(self):
        return {r["key"] for r in self.stack.rows("select key from ledger.transcripts")}

    def test_a_session_of_which_nothing_is_left_is_lost(self):
        self.lose_sandbox("lost", "killed")
        key = self.stack.value("select transcript from ledger.sessions where session_id = 'lost'")
        (self.stack.dir / "store" / key).unlink()
        run = self.wait_run(self.submit("[[sim:lines=1]]", "--session", "lost"))
        self.assertEqual((run["state"], run["outcome"]), ("failed", "session_lost"))
        self.assertEqual(self.events(str(run["run_id"]), "attempt.started"), [])

    def test_what_cannot_be_stored_is_said_and_the_session_stays_in_its_sandbox(self):
        store = self.stack.dir / "store" / "transcripts"
        aside = store.rename(store.with_name("aside")) if store.exists() else None
        store.write_text("no folder")
        try:
            run_id = self.submit("[[sim:lines=1]]", "--session", "unstored")
            first = self.completed(run_id)
        finally:
            store.unlink()
            if aside:
                aside.rename(store)
        self.assertEqual([w["reason"] for w in self.events(run_id, "run.warning")], ["transcript_not_kept"])
        self.assertIsNone(self.stack.value("select transcript from ledger.sessions where session_id = 'unstored'"))
        second = self.completed(self.submit("[[sim:lines=1]]", "--session", "unstored"))
        self.assertEqual((second["sandbox_id"], second["resumed_from"]), (first["sandbox_id"], "sandbox"))

    def test_a_run_interrupts_or_is_rejected_while_its_session_is_busy(self):
        first = self.submit("[[sim:lines=2000 delay_ms=20]]", "--session", "busy")
        self.stack.wait_rows("select 1 from fleet.events where run_id = :'id'::uuid and line >= 3", 1, id=first)
        waiting = self.submit("[[sim:lines=1]]", "--session", "busy")
        rejected = self.wait_run(self.submit("[[sim:lines=1]]", "--session", "busy", "--on-busy", "reject"))
        self.assertEqual((rejected["state"], rejected["outcome"], rejected["cost_usd"]), ("failed", "session_busy", 0))
        self.assertEqual(self.events(str(rejected["run_id"]), "attempt.starting"), [])
        urgent = self.submit("[[sim:lines=1]]", "--session", "busy", "--on-busy", "interrupt")
        interrupted = self.wait_run(first, seconds=30)
        self.assertEqual((interrupted["state"], interrupted["outcome"]), ("failed", "interrupted"))
        self.assertGreater(interrupted["cost_usd"], 0, "the interrupted turn told what it cost")
        self.assertEqual(self.events(first, "run.cancelling")[0]["interrupted_by"], urgent)
        for run_id, earlier in ((urgent, "1 earlier prompt."), (waiting, "2 earlier prompts.")):
            self.assertEqual(self.completed(run_id)["resumed_from"], "sandbox")
            said = self.events(run_id, "agent.message")[0]["native"]["message"]["content"][0]["text"]
            self.assertIn("This session had " + earlier, said)

    # --- the cap ----------------------------------------------------------

    def test_idle_sandboxes_make_room_for_runs(self):
        for n in range(CAP - WARM):
            self.completed(self.submit("[[sim:lines=1]]", "--session", f"room{n}"))
            self.stack.wait("it is parked", lambda: self.count("state = 'parked'") == n + 1)  # noqa: B023
        self.stack.wait("the cap", lambda: len(self.listed()) == CAP and self.same())
        runs = [self.submit("[[sim:lines=100000 delay_ms=20]]") for _ in range(CAP)]
        self.stack.wait("all of them at work", lambda: self.count("state = 'busy'") == CAP)
        for run_id in runs:
            self.stack.sandfleet("runs", "cancel", run_id)
        for run_id in runs:
            self.assertEqual(self.wait_run(run_id)["state"], "cancelled")
            self.assertEqual(self.events(run_id, "run.held"), [])
        evicted = [e for run_id in runs for e in self.events(run_id, "sandbox.evicted")]
        self.assertEqual([e["reason"] for e in evicted], ["capacity"] * (CAP - WARM))


if __name__ == "__main__":
    unittest.main(verbosity=2)
