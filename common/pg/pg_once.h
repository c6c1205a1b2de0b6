/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL for a command that asks and ends: a plain connection, and calls that block. */
#ifndef SANDFLEET_COMMON_PG_PG_ONCE_H
#define SANDFLEET_COMMON_PG_PG_ONCE_H

#include "common/pg/pg.h"

/* *out is yours, also on failure: PQfinish. Ten seconds to connect at most. */
enum err_code pg_once_open(const char *conninfo, const char *name, PGconn **out,
                           struct err *err) MUST_USE;
/* A statement that each connection opened from here on begins with; borrowed, NULL: none. */
void pg_once_first(const char *sql);
/* *out is yours, also on failure: PQclear. Without parameters, several statements may come. */
enum err_code pg_once(PGconn *conn, const char *sql, int n, const char *const *v, PGresult **out,
                      struct err *err) MUST_USE;

static inline void pg_once_close(PGconn **c)
{
    PQfinish(*c);
}
static inline void pg_once_clear(PGresult **r)
{
    PQclear(*r);
}
#define AUTO_CONN AUTO(pg_once_close) PGconn
#define AUTO_RES  AUTO(pg_once_clear) PGresult

#endif
