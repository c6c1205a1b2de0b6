# SPDX-License-Identifier: Apache-2.0
"""Databases of a test's own on the server of ops/test, migrated by the real program, asked by psql."""
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("SANDFLEET_BIN", ROOT / "build" / "ci" / "bin"))
PSQL = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin") + "/psql"


class Refused(Exception):
    pass


def server(variable):
    value = os.environ.get(variable)
    if not value:
        raise SystemExit(f"{variable} is not set: run this by ops/test, or source the env file of `ops/dev up`")
    return value


def psql(conninfo, sql):
    """What the statements give, unaligned; all of them in one transaction."""
    words = [PSQL, "-X", "-q", "-A", "-t", "-1", "-v", "ON_ERROR_STOP=1", conninfo]
    done = subprocess.run(words, input=sql, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise Refused(done.stderr.strip())
    return done.stdout.strip()


def as_role(conninfo, role):
    """The same database with no more rights than that process has."""
    return f"{conninfo} options='-c role=sandfleet_{role}'"


def migrate(conninfo):
    done = subprocess.run([BIN / "sandfleet", "migrate", "--database", conninfo], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Refused(done.stderr.strip())
    return done.stdout


class Database:
    made = 0

    def __init__(self, admin=None, owner=None):
        Database.made += 1
        self.admin = admin or server("SANDFLEET_DATABASE")
        self.name = f"readers_{os.getpid()}_{Database.made}"
        psql_alone(self.admin, f"CREATE DATABASE {self.name}" + (f" OWNER {owner}" if owner else ""))
        self.conninfo = f"{self.admin} dbname={self.name}"

    def ask(self, sql):
        return psql(self.conninfo, sql)

    def drop(self):
        psql_alone(self.admin, f"DROP DATABASE {self.name} WITH (FORCE)")


def psql_alone(conninfo, sql):
    """For what no transaction can hold."""
    subprocess.run([PSQL, "-X", "-q", conninfo, "-c", sql], check=True, capture_output=True, timeout=60)
