/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the ledger's statements: a database of the test's own on a real server, and
 * short ways to ask it. */
#ifndef SANDFLEET_TESTS_WORKER_LEDGER_DB_H
#define SANDFLEET_TESTS_WORKER_LEDGER_DB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/migrate.h"
#include "worker/ledger/ledger.h"
#include "worker/ledger/ledger_sql.h"
#include "worker/sandbox/sandbox_row.h"
#include "worker/sandbox/sandbox_sql.h"

#define RUN(n) "00000000-0000-7000-8000-00000000000" #n

static struct {
    PGconn *server, *conn;
    char name[64], conninfo[1200];
} db;

/* --- the database ------------------------------------------------------------ */

static inline PGconn *connect_to(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);
    if (PQstatus(conn) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(conn));
    return conn;
}

static inline void run_sql(PGconn *conn, const char *sql)
{
    PGresult *res = PQexec(conn, sql);
    if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    PQclear(res);
}

static inline int open_database(void **state)
{
    const char *server = getenv("SANDFLEET_DATABASE");
    struct err err = ERR_INIT;
    char sql[128];

    (void)state;
    if (!server || !*server)
        fail_msg("SANDFLEET_DATABASE is not set: run ops/test, or source the env file of "
                 "ops/dev up");
    db.server = connect_to(server);
    snprintf(db.name, sizeof(db.name), "ledger_test_%d", (int)getpid());
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s", db.name);
    run_sql(db.server, sql);
    snprintf(db.conninfo, sizeof(db.conninfo), "%s dbname=%s", server, db.name);
    FILE *out = fopen("/dev/null", "w");
    if (migrate_apply(db.conninfo, out, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    fclose(out);
    db.conn = connect_to(db.conninfo);
    return 0;
}

static inline int close_database(void **state)
{
    char sql[128];

    (void)state;
    PQfinish(db.conn);
    snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", db.name);
    run_sql(db.server, sql);
    PQfinish(db.server);
    return 0;
}

static inline int empty(void **state)
{
    (void)state;
    if (PQtransactionStatus(db.conn) != PQTRANS_IDLE) /* what a test left that failed */
        run_sql(db.conn, "ROLLBACK");
    run_sql(db.conn, "TRUNCATE ledger.claims, ledger.workers, ledger.cancellations,"
                     " ledger.sandboxes, ledger.credentials,"
                     " ledger.retired_secrets, ledger.starts, ledger.shares");
    run_sql(db.conn, "DELETE FROM ledger.limits");
    return 0;
}

/* --- statements -------------------------------------------------------------- */

static inline PGresult *ask_v(const char *sql, int n, const char *const *v)
{
    PGresult *res = PQexecParams(db.conn, sql, n, NULL, v, NULL, NULL, 0);
    if (PQresultStatus(res) != PGRES_TUPLES_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
        fail_msg("%.60s…: %s", sql, PQerrorMessage(db.conn));
    return res;
}

#define ASK(sql, ...)                                                                              \
    ask_v(sql, (int)COUNTOF(((const char *[]){__VA_ARGS__})), (const char *[]){__VA_ARGS__})

/* How many rows it returns. */
static inline int rows_of(PGresult *res)
{
    int n = PQntuples(res);
    PQclear(res);
    return n;
}
#define ROWS(sql, ...) rows_of(ASK(sql, __VA_ARGS__))

/* The one value of a query, in a buffer of its own per call site's use. */
static inline const char *value(const char *sql)
{
    static char text[4][256];
    static unsigned turn;
    PGresult *res = PQexec(db.conn, sql);
    char *out = text[turn++ % 4];

    if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1)
        fail_msg("%s: %s", sql, PQerrorMessage(db.conn));
    snprintf(out, sizeof(text[0]), "%s", PQgetvalue(res, 0, 0));
    PQclear(res);
    return out;
}

static inline void beat(const char *worker)
{
    assert_int_equal(ROWS(ledger_sql_beat, worker, "host", "1", "0.1", "5", "{k}"), 1);
}

/* A claim of its own. session "NULL": none. not_before in Unix ms, or "NULL". */
static inline int insert_on_busy(const char *id, const char *session, const char *on_busy,
                                 const char *not_before)
{
    char ids[64], sessions[64], policies[32], times[32];
    snprintf(ids, sizeof(ids), "{%s}", id);
    snprintf(sessions, sizeof(sessions), "{%s}", session);
    snprintf(policies, sizeof(policies), "{%s}", on_busy);
    snprintf(times, sizeof(times), "{%s}", not_before);
    return ROWS(ledger_sql_insert, ids, "{t}", "{batch}", sessions, "{t}", "{5}", "{aa}", "{t}",
                times, "{nightly}", "{NULL}", "{t}", policies);
}

static inline int insert_one(const char *id, const char *session)
{
    return insert_on_busy(id, session, "enqueue", "NULL");
}

/* The same of one without a session, and with a credential that it names. */
static inline int insert_wanting(const char *id, const char *credential)
{
    char ids[64], names[64];
    snprintf(ids, sizeof(ids), "{%s}", id);
    snprintf(names, sizeof(names), "{%s}", credential);
    return ROWS(ledger_sql_insert, ids, "{t}", "{batch}", "{NULL}", names, "{5}", "{aa}", "{t}",
                "{NULL}", "{NULL}", "{NULL}", "{t}", "{enqueue}");
}

/* Credentials without a secret, which any worker can open. */
static inline int have_credentials(const char *names, const char *pools)
{
    return ROWS("INSERT INTO ledger.credentials (name, pool, kind, generation)"
                " SELECT n, p, 'none', 1 FROM unnest($1::text[], $2::text[]) AS x(n, p)"
                " RETURNING name",
                names, pools);
}

/* As the worker does it: behind the lock, in one transaction. */
static inline PGresult *take_rows(const char *worker, const char *interactive, const char *batch,
                                  const char *keys)
{
    run_sql(db.conn, "BEGIN");
    run_sql(db.conn, ledger_sql_take_lock);
    PGresult *res = ASK(ledger_sql_take, worker, interactive, batch, keys);
    run_sql(db.conn, "COMMIT");
    return res;
}

/* Of the batch lane. */
static inline int take(const char *worker, const char *limit)
{
    return rows_of(take_rows(worker, "0", limit, "{}"));
}

/* --- takers at once: each a connection in pipeline mode, as a worker's ------------------ */

static inline PGconn *taker(void)
{
    PGconn *c = connect_to(db.conninfo);

    if (PQenterPipelineMode(c) != 1)
        fail_msg("%s", PQerrorMessage(c));
    return c;
}

/* Sends a taking, and does not wait for it. */
static inline void send_take(PGconn *c, const char *worker, const char *interactive,
                             const char *batch, const char *keys)
{
    const char *v[] = {worker, interactive, batch, keys};

    if (!PQsendQueryParams(c, ledger_sql_take_lock, 0, NULL, NULL, NULL, NULL, 0) ||
        !PQsendQueryParams(c, ledger_sql_take, COUNTOF(v), NULL, v, NULL, NULL, 0) ||
        !PQpipelineSync(c))
        fail_msg("%s", PQerrorMessage(c));
}

/* Waits for it: how many rows it took. */
static inline int taken_by(PGconn *c)
{
    int n = 0;

    for (bool done = false; !done;) {
        PGresult *res = PQgetResult(c);
        ExecStatusType status = PQresultStatus(res);
        done = status == PGRES_PIPELINE_SYNC;
        if (res && !done && status != PGRES_TUPLES_OK)
            fail_msg("%s", PQresultErrorMessage(res));
        if (res && status == PGRES_TUPLES_OK && PQnfields(res) > 2) /* not the lock's */
            n += PQntuples(res);
        PQclear(res);
    }
    return n;
}

/* The two ends of an attempt, without the figures. talk NULL: the sandbox is let go. */
static inline int close_run(const char *run, const char *epoch, const char *talk, const char *how)
{
    return ROWS(ledger_sql_close, run, epoch, talk, how, "1800000", "{}", "0.5", "1", "2", "3", "4",
                "5000", "0.125");
}

static inline int requeue_run(const char *run, const char *epoch, const char *talk)
{
    return ROWS(ledger_sql_requeue, run, epoch, talk, "parked", "1800000", "x", "0", "0", "0", "0",
                "0", "0", "0", "0", "0", "0");
}

/* What a run is to use. */
static inline struct sandbox_place placed(const char *run, const char *epoch, const char *template,
                                          const char *key)
{
    struct sandbox_place p = {0};
    PGresult *res = ASK(sandbox_sql_place, run, epoch, template, key);

    if (PQntuples(res) > 0)
        sandbox_row_place_read(res, &p);
    PQclear(res);
    return p;
}

static inline int own(const char *run, const char *epoch, const char *key, const char *sandbox)
{
    return ROWS(sandbox_sql_own, run, epoch, key, sandbox, "2", "512", "0.1");
}

static inline const char *state_of(const char *key)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT coalesce((SELECT state FROM ledger.sandboxes WHERE key = '%s'), '-')", key);
    return value(sql);
}

#endif
