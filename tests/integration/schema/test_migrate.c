/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a database is at a version or at the next one, never between; a second apply
 * changes nothing; a database that another or a newer build made is left alone.
 * Proof: on fresh databases of a real server; a migrator is killed while it waits in the
 * middle of its first file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "common/buf.h"
#include "common/clock.h"
#include "schema/migrate.h"
#include "common/banned.h"

struct db {
    PGconn *server; /* on the database that the environment names */
    PGconn *conn;   /* on ours */
    char name[64];
    char conninfo[1024];
};

static const char *server_conninfo(void)
{
    const char *text = getenv("SANDFLEET_DATABASE");

    if (!text || !*text)
        fail_msg(
            "SANDFLEET_DATABASE is not set: run ops/test, or source the env file of ops/dev up");
    return text;
}

static PGconn *connect_to(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);

    if (PQstatus(conn) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(conn));
    return conn;
}

static void run(PGconn *conn, const char *sql)
{
    PGresult *res = PQexec(conn, sql);

    if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    PQclear(res);
}

static int64_t number(PGconn *conn, const char *sql)
{
    PGresult *res = PQexec(conn, sql);
    int64_t n;

    if (PQresultStatus(res) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    n = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return n;
}

static int64_t version_of(const struct db *db)
{
    return number(db->conn, migrate_version_sql);
}

static void quiet(void *ctx, const PGresult *res)
{
    (void)ctx;
    (void)res;
}

static void create_db(struct db *db, const char *options)
{
    char sql[256];
    static int n;

    (void)snprintf(db->name, sizeof(db->name), "sandfleet_test_%d_%d", (int)getpid(), n++);
    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s %s", db->name, options);
    db->server = connect_to(server_conninfo());
    PQsetNoticeReceiver(db->server, quiet, NULL);
    run(db->server, sql);
    /* a later dbname in a conninfo replaces the one before */
    (void)snprintf(db->conninfo, sizeof(db->conninfo), "%s dbname=%s", server_conninfo(), db->name);
    db->conn = connect_to(db->conninfo);
}

static int fresh(void **state)
{
    struct db *db = calloc(1, sizeof(*db));

    assert_non_null(db);
    create_db(db, "");
    *state = db;
    return 0;
}

static int latin1(void **state)
{
    struct db *db = calloc(1, sizeof(*db));

    assert_non_null(db);
    create_db(db, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    *state = db;
    return 0;
}

static int drop(void **state)
{
    struct db *db = *state;
    char sql[256];

    PQfinish(db->conn);
    (void)snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", db->name);
    run(db->server, sql);
    PQfinish(db->server);
    free(db);
    return 0;
}

/* What migrate_apply returned and printed. */
struct outcome {
    struct err err;
    char *text;
};

static struct outcome migrate(const struct db *db)
{
    struct outcome o = {.err = ERR_INIT};
    size_t n;
    FILE *out = open_memstream(&o.text, &n);

    assert_non_null(out);
    if (migrate_apply(db->conninfo, out, &o.err) == ERR_OK)
        o.err.code = ERR_OK;
    (void)fclose(out);
    return o;
}

static void migrate_ok(const struct db *db)
{
    struct outcome o = migrate(db);

    if (o.err.code != ERR_OK)
        fail_msg("%s", o.err.msg);
    free(o.text);
}

static void migrate_refused(const struct db *db, const char *hint)
{
    struct outcome o = migrate(db);

    assert_string_equal(err_name(o.err.code), "CONFIG");
    if (!strstr(o.err.msg, hint))
        fail_msg("\"%s\" does not say \"%s\"", o.err.msg, hint);
    assert_string_equal(o.text, "");
    free(o.text);
}

static void applies_once(void **state)
{
    struct db *db = *state;
    struct outcome o;

    assert_int_equal(version_of(db), 0);
    migrate_ok(db);
    assert_int_equal(version_of(db), SCHEMA_VERSION);
    run(db->conn, "INSERT INTO fleet.sink_offsets (topic, partition, next) VALUES ('t', 0, 7)");
    o = migrate(db);
    assert_string_equal(err_name(o.err.code), "OK");
    assert_true(str_starts(str_of(o.text), "up to date"));
    free(o.text);
    assert_int_equal(number(db->conn, "SELECT next FROM fleet.sink_offsets"), 7);
    assert_int_equal(number(db->conn, "SELECT count(*) FROM public.sandfleet_migrations "
                                      "WHERE length(checksum) = 64 AND name <> ''"),
                     SCHEMA_VERSION);
}

static void another_content_is_refused(void **state)
{
    struct db *db = *state;

    migrate_ok(db);
    run(db->conn, "UPDATE public.sandfleet_migrations SET checksum = 'x' WHERE version = 1");
    migrate_refused(db, "0001_ledger");
}

/* B126 */
static void a_newer_database_is_refused(void **state)
{
    struct db *db = *state;

    migrate_ok(db);
    run(db->conn, "INSERT INTO public.sandfleet_migrations (version, name, checksum) "
                  "VALUES (99, 'later', 'x')");
    migrate_refused(db, "newer than this program");
    assert_int_equal(version_of(db), 99);
}

static void a_hole_is_refused(void **state)
{
    struct db *db = *state;

    migrate_ok(db);
    run(db->conn, "DELETE FROM public.sandfleet_migrations WHERE version = 1");
    migrate_refused(db, "0001_ledger");
}

/* B128 */
static void another_encoding_is_refused(void **state)
{
    struct db *db = *state;

    migrate_refused(db, "UTF8");
    assert_int_equal(version_of(db), 0);
}

static void no_server_is_unavailable(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_string_equal(
        err_name(migrate_apply("host=127.0.0.1 port=1 connect_timeout=2", stdout, &err)),
        "UNAVAILABLE");
    if (!strstr(err.msg, "cannot connect to the database"))
        fail_msg("%s", err.msg);
}

/* --- killed half way ------------------------------------------------------------- */

static void wait_until(PGconn *conn, const char *sql, int64_t want)
{
    int64_t deadline = clock_boot_ms() + 20000;

    while (number(conn, sql) != want) {
        if (clock_boot_ms() > deadline)
            fail_msg("waited 20 s for %s to be %lld", sql, (long long)want);
        (void)usleep(5000); /* between two looks, not for a time */
    }
}

static pid_t fork_migrator(const struct db *db)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct err err = ERR_INIT;
        FILE *null = fopen("/dev/null", "we");

        _exit(null && migrate_apply(db->conninfo, null, &err) == ERR_OK ? 0 : 1);
    }
    assert_true(pid > 0);
    return pid;
}

/* Holds what the first COMMENT ON of a file needs: its CREATE SCHEMA is done by then. */
static PGconn *block_comments(const struct db *db)
{
    PGconn *blocker = connect_to(db->conninfo);

    run(blocker, "BEGIN");
    run(blocker, "LOCK TABLE pg_catalog.pg_description IN ACCESS EXCLUSIVE MODE");
    return blocker;
}

#define WAITERS                                                                                    \
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = "                              \
    "'pg_catalog.pg_description'::regclass"
#define OTHERS                                                                                     \
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "                    \
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"

/* B127 */
static void killed_half_way(void **state)
{
    struct db *db = *state;
    PGconn *blocker = block_comments(db);
    pid_t pid = fork_migrator(db);

    wait_until(db->conn, WAITERS, 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    PQfinish(blocker);
    wait_until(db->conn, OTHERS, 0); /* the server noticed and rolled back */
    assert_int_equal(version_of(db), 0);
    assert_int_equal(number(db->conn, "SELECT count(*) FROM pg_namespace WHERE nspname IN "
                                      "('ledger', 'fleet')"),
                     0);
    migrate_ok(db);
    assert_int_equal(version_of(db), SCHEMA_VERSION);
}

static void two_at_once(void **state)
{
    struct db *db = *state;
    pid_t a = fork_migrator(db), b = fork_migrator(db);
    int status_a, status_b;

    assert_int_equal(waitpid(a, &status_a, 0), a);
    assert_int_equal(waitpid(b, &status_b, 0), b);
    assert_int_equal(status_a, 0);
    assert_int_equal(status_b, 0);
    assert_int_equal(version_of(db), SCHEMA_VERSION);
}

/* --- what the migrations made -------------------------------------------------------- */

static void functions_keep_their_promises(void **state)
{
    struct db *db = *state;

    migrate_ok(db);
    assert_int_equal(number(db->conn, "SELECT (fleet.as_jsonb('{\"a\":7}') ->> 'a')::int"), 7);
    assert_int_equal(number(db->conn, "SELECT count(fleet.as_jsonb('{\"a\":\"\\u0000\"}'))"), 0);
    assert_int_equal(number(db->conn, "SELECT count(fleet.as_jsonb('{\"a\":\"\\ud800\"}'))"), 0);
    assert_int_equal(number(db->conn, "SELECT fleet.ensure_day(current_date)::int"), 1);
    assert_int_equal(number(db->conn, "SELECT fleet.ensure_day(current_date)::int"), 0);
    assert_int_equal(number(db->conn, "SELECT fleet.ensure_day(current_date + 30)::int"), 0);
}

static void start_up_is_judged(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_string_equal(err_name(migrate_judge(SCHEMA_VERSION, &err)), "OK");
    assert_string_equal(err_name(migrate_judge(0, &err)), "CONFIG");
    assert_non_null(strstr(err.msg, "sandfleet migrate"));
    assert_string_equal(err_name(migrate_judge(SCHEMA_VERSION + 1, &err)), "CONFIG");
    assert_non_null(strstr(err.msg, "update the program"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(applies_once, fresh, drop),
        cmocka_unit_test_setup_teardown(another_content_is_refused, fresh, drop),
        cmocka_unit_test_setup_teardown(a_newer_database_is_refused, fresh, drop),
        cmocka_unit_test_setup_teardown(a_hole_is_refused, fresh, drop),
        cmocka_unit_test_setup_teardown(another_encoding_is_refused, latin1, drop),
        cmocka_unit_test(no_server_is_unavailable),
        cmocka_unit_test_setup_teardown(killed_half_way, fresh, drop),
        cmocka_unit_test_setup_teardown(two_at_once, fresh, drop),
        cmocka_unit_test_setup_teardown(functions_keep_their_promises, fresh, drop),
        cmocka_unit_test(start_up_is_judged),
    };

    return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
