# SPDX-License-Identifier: Apache-2.0
"""Promise: a full fleet refuses nobody: who must wait is held, the read model says why and until
when, a start clears it, and one whose time is over ends although nothing gets free. A change of
a limit is felt by a fleet at work. A request that names a pool is run with one of it.
Proof: a fleet with room for one run, whose limits are changed under way."""

import datetime
import json
import subprocess
import sys
import unittest
import uuid

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import PSQL, Stack  # noqa: E402

LONG = "[[sim:lines=3000 delay_ms=20]]"


def in_seconds(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Waiting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack("waiting", workers=2, env={"SANDFLEET_LEASE": "3s"}))
        for name in ("one", "two"):
            cls.stack.sandfleet("cred", "add", name, "--kind", "oauth", "--pool", "team", stdin=f"{name}-token-of-this-test")

    def setUp(self):
        self.limit("fleet", "concurrency", "1")
        self.long = self.submit(LONG)
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and state = 'running'", 1,
                             id=self.long)

    def tearDown(self):
        self.stack.sandfleet("cancel", self.long, "--force", status=None)  # it may be over
        self.ended(self.long)

    def limit(self, *words):
        self.stack.sandfleet("limits", "set", *words)

    def submit(self, prompt, **fields):
        done = self.stack.sandfleet("submit", "--file", "-", "-o", "jsonl", "--batch", str(uuid.uuid4()),
                                    stdin=json.dumps({"prompt": prompt, "custom_id": "x", **fields}) + "\n")
        return json.loads(done.stdout.split("\n")[0])["run_id"]

    def held(self, run_id, reason):
        """The run as soon as it is held for that reason."""
        (run,) = self.stack.wait_rows("select * from fleet.runs where run_id = :'id'::uuid"
                                      " and state = 'held' and hold_reason = :'reason'", 1, 30,
                                      id=run_id, reason=reason)
        return run

    def ended(self, run_id, seconds=30):
        (run,) = self.stack.wait_rows("select * from fleet.runs where run_id = :'id'::uuid and ended", 1,
                                      seconds, id=run_id)
        return run

    def test_a_full_fleet_holds_until_there_is_room(self):
        waits = self.submit("after the other")
        self.assertIsNone(self.held(waits, "fleet_full")["hold_until"])
        self.limit("fleet", "concurrency", "2")
        run = self.ended(waits)
        self.assertEqual((run["state"], run["hold_reason"], run["attempt"]), ("completed", None, 1))
        (told,) = self.stack.rows("select * from fleet.hold_timeline where run_id = :'id'::uuid", id=waits)
        self.assertEqual((told["kind"], told["reason"]), ("held", "fleet_full"))
        self.assertIsNotNone(told["ended_at"])

    def test_one_that_is_over_ends_in_a_full_fleet(self):
        run = self.ended(self.submit("too late", expires_at=in_seconds(4)))
        self.assertEqual((run["state"], run["outcome"], run["attempt"]), ("expired", "expired", 0))
        self.assertEqual(self.stack.value("select count(*) from fleet.events where run_id = :'id'::uuid"
                                          " and type like 'sandfleet.attempt.%'", id=run["run_id"]), 0)

    def test_one_for_later_says_until_when(self):
        later = in_seconds(3600)
        run = self.held(self.submit("later", not_before=later), "scheduled")
        self.assertEqual(run["hold_until"][:19], later[:19])
        self.stack.sandfleet("cancel", run["run_id"])
        self.assertEqual(self.ended(run["run_id"])["state"], "cancelled")

    def test_a_held_pool_is_waited_for(self):
        self.limit("fleet", "concurrency", "none")
        first = self.ended(self.submit("with any of the team", credential="team"))
        self.assertEqual(first["state"], "completed")
        used = "select data->>'credential' from fleet.events where run_id = :'id'::uuid" \
               " and type = 'sandfleet.attempt.starting'"
        self.assertEqual(self.stack.value(used, id=first["run_id"]), "one")
        self.stack.execute("update ledger.credentials set hold_until = now() + interval '1 hour',"
                           " hold_reason = 'usage_limit' where pool = 'team'")
        waits = self.submit("with any of the team", credential="team")
        self.assertIsNotNone(self.held(waits, "usage_limit")["hold_until"])
        self.stack.execute("update ledger.credentials set hold_until = null where name = 'two'")
        self.assertEqual(self.ended(waits)["state"], "completed")
        self.assertEqual(self.stack.value(used, id=waits), "two")

    def test_a_request_is_consumed_behind_its_claim_only(self):
        """Killed while its claims cannot be written: had an offset been committed, a run were lost."""
        self.limit("fleet", "concurrency", "none")
        # new claims only: else what the workers do with others may stand before these for ever
        self.stack.execute("create function ledger.hold() returns trigger language plpgsql as"
                           " $$ begin perform pg_advisory_xact_lock(77); return new; end $$")
        self.stack.execute("create trigger hold before insert on ledger.claims execute function ledger.hold()")
        holder = subprocess.Popen([PSQL, "-XqAt", "-d", self.stack.env["SANDFLEET_DATABASE"], "-c",
                                   "select pg_advisory_lock(77); select pg_sleep(600)"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stack.wait_rows("select 1 from pg_locks where locktype = 'advisory' and objid = 77 and granted", 1)
        try:
            run_id = self.submit("must not be lost")
            self.stack.wait_rows("select 1 from pg_stat_activity where wait_event_type = 'Lock'"
                                 " and query like '%INSERT INTO ledger.claims%'", 1)
            self.stack.kill("worker-1", "worker-2")
            # what they had sent must not take effect without them
            self.stack.execute("select pg_terminate_backend(pid) from pg_stat_activity"
                               " where application_name = 'sandfleet-worker'")
        finally:
            self.stack.execute("select pg_terminate_backend(pid) from pg_stat_activity"
                               " where query like '%pg_advisory_lock(77)%' and pid <> pg_backend_pid()")
            holder.wait(timeout=30)
            self.stack.execute("drop function ledger.hold() cascade")
        self.assertEqual(self.stack.value("select count(*) from ledger.claims where run_id = :'id'::uuid",
                                          id=run_id), 0)
        self.stack.start("worker-1", "worker-2")
        self.assertEqual(self.ended(run_id, 60)["state"], "completed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
