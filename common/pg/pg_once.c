/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pg/pg_once.h"

#include "common/banned.h"

static void quiet(void *ctx, const PGresult *res) /* notices are not for people */
{
    (void)ctx;
    (void)res;
}

static const char *first;

void pg_once_first(const char *sql)
{
    first = sql;
}

enum err_code pg_once_open(const char *conninfo, const char *name, PGconn **out, struct err *err)
{
    /* what stands before conninfo are defaults */
    static const char *const names[] = {"connect_timeout", "dbname", "fallback_application_name",
                                        NULL};
    const char *const values[] = {"10", conninfo, name, NULL};

    *out = NULL;
    if (pg_conn_check(conninfo, err) != ERR_OK)
        return err->code;
    *out = PQconnectdbParams(names, values, 1);
    if (PQstatus(*out) != CONNECTION_OK) {
        (void)pg_error(NULL, *out, err);
        return err_wrap(err, "cannot connect to the database");
    }
    PQsetNoticeReceiver(*out, quiet, NULL);
    AUTO_RES *res = NULL;
    return first ? pg_once(*out, first, 0, NULL, &res, err) : ERR_OK;
}

enum err_code pg_once(PGconn *conn, const char *sql, int n, const char *const *v, PGresult **out,
                      struct err *err)
{
    *out = n == 0 ? PQexec(conn, sql) : PQexecParams(conn, sql, n, NULL, v, NULL, NULL, 0);
    if (PQresultStatus(*out) != PGRES_COMMAND_OK && PQresultStatus(*out) != PGRES_TUPLES_OK)
        return pg_error(*out, conn, err);
    return ERR_OK;
}
