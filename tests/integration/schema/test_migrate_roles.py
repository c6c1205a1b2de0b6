# SPDX-License-Identifier: Apache-2.0
"""Promise: where the migrating user may not create roles, `sandfleet migrate` says what to have done by
whom, changes nothing in that step, and goes on when it was done.
Proof: a Postgres of the test's own, where the roles are not there yet, and a login without rights."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
from database import Database, Refused, migrate, psql  # noqa: E402
from fleet import Stack  # noqa: E402

ROLES = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'sandfleet_read%'"
VERSION = "SELECT max(version) FROM public.sandfleet_migrations"


class Roles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        stack = Stack("migrate_roles", only=["postgres"])
        cls.addClassCleanup(stack.down, wipe=True)
        stack.up()
        cls.admin = stack.env["SANDFLEET_DATABASE"]
        psql(cls.admin, "CREATE ROLE plain LOGIN PASSWORD 'x'")

    def test_no_right_to_create_roles(self):
        db = Database(self.admin, owner="plain")
        plain = f"{db.conninfo} user=plain password=x"
        psql(db.conninfo, "GRANT ALL ON SCHEMA public TO plain")
        with self.assertRaises(Refused) as e:
            migrate(plain)
        for word in ("0005_readers", "CREATE ROLE sandfleet_read NOLOGIN", "CREATE ROLE sandfleet_read_prompts NOLOGIN",
                     "migrate again"):
            self.assertIn(word, str(e.exception))
        self.assertEqual(db.ask(VERSION), "4")
        self.assertEqual(db.ask(ROLES), "0")
        psql(self.admin, "CREATE ROLE sandfleet_read NOLOGIN; CREATE ROLE sandfleet_read_prompts NOLOGIN")
        with self.assertRaises(Refused) as e:
            migrate(plain)
        wanted = [f"sandfleet_{role}" for role in ("worker", "sink", "api", "client", "webhook")]
        for word in ("0027_roles", ", ".join(wanted), "migrate again"):
            self.assertIn(word, str(e.exception))
        self.assertEqual(db.ask(VERSION), "26")
        psql(self.admin, "; ".join(f"CREATE ROLE {role} NOLOGIN" for role in wanted))
        self.assertIn("applied 0027_roles", migrate(plain))
        self.assertEqual(psql(plain, "SELECT has_column_privilege('sandfleet_read', 'fleet.runs', 'tenant', 'SELECT'),"
                                     " has_column_privilege('sandfleet_read', 'fleet.runs', 'prompt', 'SELECT')"), "t|f")
        db.drop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
