# SPDX-License-Identifier: Apache-2.0
"""Promise: a process can do in the database what it must, and nothing else: none sees what is not its
own, none makes or changes tables, and a new table is nobody's until this page says whose.
Proof: the catalogue of a migrated database, compared cell by cell with the page below; logins that try.
That it is enough: the processes of ops/dev, the doors of tests/integration/api and the ledger's tests
go by these roles."""
import os
import unittest

from database import Database, Refused, migrate, psql

ROLES = ["worker", "sink", "api", "client", "webhook"]
# Letters: (S)elect, (I)nsert, (U)pdate, (D)elete; small: of some columns only, see COLUMNS. "-": nothing.
PAGE = """
table                       worker sink  api   client webhook
public.sandfleet_migrations S      S     S     S      S
ledger.cancellations        SD     -     SIUD  SIU    -
ledger.claims               SIU    -     S     Su     -
ledger.credentials          Su     -     -     SIUD   -
ledger.installation         SU     -     -     -      -
ledger.limits               S      -     SIUD  SIUD   -
ledger.retired_secrets      SD     -     -     SIUD   -
ledger.sandboxes            SIUD   -     SIU   -      -
ledger.sessions             SIUD   -     SD    -      -
ledger.shares               SIUD   -     -     -      -
ledger.starts               SIUD   -     -     -      -
ledger.transcripts          SIUD   -     SU    -      -
ledger.workers              SIUD   -     S     S      -
fleet.artifacts             -      S     S     S      -
fleet.attempts              -      SIUD  S     S      -
fleet.batches               -      SIUD  S     S      -
fleet.cost_daily            -      S     S     S      -
fleet.durations_daily       -      S     S     S      -
fleet.events                -      SIUD  S     S      -
fleet.failures_daily        -      S     S     S      -
fleet.gaps                  -      SIUD  S     S      -
fleet.hold_timeline         -      S     S     S      -
fleet.limit_timeline        -      S     S     S      -
fleet.losses                -      SIUD  S     S      -
fleet.quarantine            -      SIUD  SD    S      -
fleet.run_labels            -      SIUD  S     S      -
fleet.runs                  -      SIUD  S     S      s
fleet.sandboxes             -      SIUD  S     S      -
fleet.sessions              -      SIUD  S     S      -
fleet.sink_offsets          -      SIUD  S     S      S
fleet.superseded            -      SIUD  S     S      -
fleet.tool_usage            -      S     S     S      -
fleet.usage                 -      SIUD  S     S      -
door.accepted               -      -     SIUD  -      -
door.audit                  -      -     -     S      -
door.batches                -      -     SIUD  -      -
door.idempotency            -      -     SIUD  -      -
door.runs                   -      -     S     -      -
door.settled_letters        -      S     SIU   -      -
webhook.attempts            -      -     -     S      SI
webhook.deliveries          -      -     -     SU     SIUD
webhook.endpoints           -      -     -     SIUD   SU
webhook.keys                -      -     -     SIUD   SD
access.keys                 -      -     Su    SIU    -
"""
COLUMNS = {
    ("worker", "ledger.credentials"): "hold_reason,hold_until,windows",
    ("client", "ledger.claims"): "hold_until",
    ("api", "access.keys"): "last_used_at",
}
TABLES = """SELECT n.nspname || '.' || c.relname, c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'ledger', 'fleet', 'door', 'access', 'webhook') AND c.relkind IN ('r', 'p', 'v', 'm')
      AND NOT c.relispartition"""
HELD = f"""SELECT t.name || ' ' || (SELECT coalesce(string_agg(
        CASE WHEN has_table_privilege(role, t.oid, p) THEN left(p, 1)
             WHEN p <> 'DELETE' AND has_any_column_privilege(role, t.oid, p) THEN lower(left(p, 1)) END, '' ORDER BY at), '')
      FROM unnest('{{SELECT,INSERT,UPDATE,DELETE}}'::text[]) WITH ORDINALITY AS v(p, at))
    FROM ({TABLES}) AS t(name, oid), (VALUES ('sandfleet_' || :'role')) AS r(role)"""


def page():
    heads, *rows = [line.split() for line in PAGE.strip().splitlines()]
    return {(role, row[0]): row[at].strip("-") for row in rows for at, role in enumerate(heads) if at}


class Roles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = Database()
        cls.addClassCleanup(cls.db.drop)
        migrate(cls.db.conninfo)
        cls.logins = {role: cls.login(role) for role in ROLES}

    @classmethod
    def login(cls, role):
        name = f"roles_{role}_{os.getpid()}"
        cls.db.ask(f"CREATE ROLE {name} LOGIN PASSWORD 'x' IN ROLE sandfleet_{role}")
        cls.addClassCleanup(psql, cls.db.admin, f"DROP ROLE {name}")
        return f"{cls.db.conninfo} user={name} password=x"

    def refused(self, role, sql, why="permission denied"):
        with self.assertRaises(Refused, msg=f"{role}: {sql}") as e:
            psql(self.logins[role], sql)
        self.assertIn(why, str(e.exception))

    # --- the page ---

    def test_what_each_may(self):
        held = {}
        for role in ROLES:
            for line in self.db.ask(HELD.replace(":'role'", f"'{role}'")).splitlines():
                table, _, letters = line.partition(" ")
                held[role, table] = letters
        self.maxDiff = None
        self.assertEqual(held, page())

    def test_which_columns(self):
        for (role, table), columns in COLUMNS.items():
            got = self.db.ask(f"""SELECT string_agg(attname, ',' ORDER BY attname) FROM pg_attribute
                WHERE attrelid = '{table}'::regclass AND attnum > 0
                  AND has_column_privilege('sandfleet_{role}', attrelid, attnum, 'UPDATE')""")
            self.assertEqual(got, columns, (role, table))

    def test_none_truncates_or_hangs_something_on_a_table(self):
        for right in ("TRUNCATE", "REFERENCES", "TRIGGER"):
            self.assertEqual(self.db.ask(f"""SELECT r.rolname, t.name FROM ({TABLES}) AS t(name, oid), pg_roles AS r
                WHERE r.rolname LIKE 'sandfleet\\_%' AND has_table_privilege(r.rolname, t.oid, '{right}')"""), "", right)

    def test_none_may_log_in_or_has_a_right_on_the_server(self):
        self.assertEqual(self.db.ask("""SELECT rolname FROM pg_roles WHERE rolname LIKE 'sandfleet\\_%'
            AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)"""), "")
        self.assertEqual(self.db.ask("""SELECT r.rolname, s.nspname FROM pg_roles AS r, pg_namespace AS s
            WHERE r.rolname LIKE 'sandfleet\\_%' AND s.nspname !~ '^pg_temp'
              AND has_schema_privilege(r.rolname, s.oid, 'CREATE')"""), "")

    # --- who tries it ---

    def test_nobody_makes_or_changes_tables(self):
        for role in ROLES:
            for schema in ("public", "ledger", "fleet", "door", "access", "webhook"):
                self.refused(role, f"CREATE TABLE {schema}.mine (a int)")
            for ddl in ("ALTER TABLE fleet.runs ADD COLUMN mine int", "DROP TABLE fleet.gaps", "CREATE SCHEMA mine",
                        "ALTER TABLE ledger.claims DISABLE TRIGGER ALL"):
                self.refused(role, ddl, "")
            self.refused(role, "SELECT fleet.rebuild_begin('v', '{}', '{}', '{}', '{}', '{}')", "")

    def test_only_workers_and_operators_see_what_is_sealed(self):
        for table in ("ledger.credentials", "ledger.retired_secrets"):
            for column in ("sealed", "wrapped", "*"):
                for role in ("sink", "api", "webhook"):
                    self.refused(role, f"SELECT {column} FROM {table}")
        for role in ("sink", "api", "worker"):
            self.refused(role, "SELECT sealed FROM webhook.keys")
        self.refused("worker", "UPDATE ledger.credentials SET sealed = ''")
        self.refused("worker", "SELECT hash FROM access.keys")
        self.refused("sink", "SELECT hash FROM access.keys")
        self.refused("api", "UPDATE access.keys SET scopes = '{admin}'")
        self.refused("api", "INSERT INTO access.keys (key_id, hash, tenant, scopes) VALUES ('', '', 't', '{admin}')")
        for column in ("prompt", "result", "output_tail", "*"):
            self.refused("webhook", f"SELECT {column} FROM fleet.runs")
        self.refused("worker", "DELETE FROM fleet.events")
        self.refused("api", "DELETE FROM fleet.events")

    def test_the_sink_has_partitions_made(self):
        made = "SELECT fleet.ensure_day(current_date)"
        for role in ("worker", "api", "client", "webhook"):
            self.refused(role, made)
        self.assertEqual(psql(self.logins["sink"], made), "t")
        self.assertEqual(psql(self.logins["sink"], made), "f")
        self.assertEqual(self.db.ask("SELECT count(DISTINCT relowner) FROM pg_class WHERE relname ~ '^events'"), "1")
        psql(self.logins["sink"], "CREATE TEMP TABLE stage AS SELECT * FROM fleet.events WHERE false; LISTEN x; NOTIFY x;"
                                  " SELECT pg_advisory_xact_lock(1)")

    def test_a_table_that_comes_later_is_given_with_the_readers(self):
        self.db.ask("CREATE TABLE fleet.later (a int); SELECT fleet.grant_readers()")
        try:
            self.assertEqual(psql(self.logins["sink"], "INSERT INTO fleet.later VALUES (1); SELECT a FROM fleet.later"), "1")
        finally:
            self.db.ask("DROP TABLE fleet.later")


if __name__ == "__main__":
    unittest.main(verbosity=2)
