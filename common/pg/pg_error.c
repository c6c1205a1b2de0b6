/* SPDX-License-Identifier: Apache-2.0 */
/* What the server's refusal means for us, by SQLSTATE. */
#include "common/pg/pg_internal.h"

#include <string.h>

#include "common/banned.h"

/* The first row whose prefix fits decides. */
static const struct {
    const char *sqlstate;
    enum err_code code;
} meanings[] = {
    {"57014", ERR_TIMEOUT},     /* statement_timeout */
    {"55P03", ERR_UNAVAILABLE}, /* lock_timeout */
    {"25006", ERR_UNAVAILABLE}, /* a standby: the primary moved */
    {"23505", ERR_CONFLICT},    /* unique */
    {"08", ERR_UNAVAILABLE},    /* connection */
    {"53", ERR_UNAVAILABLE},    /* disk, memory, connections */
    {"57", ERR_UNAVAILABLE},    /* shutting down, starting up */
    {"58", ERR_UNAVAILABLE},    /* its system */
    {"XX", ERR_UNAVAILABLE},    /* its bug, or damage */
    {"40", ERR_UNAVAILABLE},    /* serialization, deadlock */
    {"22", ERR_INVALID},        /* data */
    {"23", ERR_INVALID},        /* constraint */
    {"P0", ERR_INVALID},        /* raised by a function */
    {"54", ERR_TOO_BIG},        /* program limit */
    {"42", ERR_CONFIG},         /* no such table, no permission */
    {"3F", ERR_CONFIG},         /* no such schema */
    {"3D", ERR_CONFIG},         /* no such database */
    {"28", ERR_CONFIG},         /* authentication */
    {"0A", ERR_CONFIG},         /* not in this server's version */
};

static enum err_code meaning_of(const char *sqlstate)
{
    for (size_t i = 0; i < COUNTOF(meanings); i++) {
        if (strncmp(sqlstate, meanings[i].sqlstate, strlen(meanings[i].sqlstate)) == 0)
            return meanings[i].code;
    }
    return ERR_INTERNAL;
}

struct str pg_first_line(const char *text)
{
    return text && *text ? (struct str){text, strcspn(text, "\n")} : STR("the connection is lost");
}

/* `invalid input syntax for type integer: "…"`: the quoted value is user data. */
static struct str without_value(const char *text)
{
    const char *quote = strstr(text, ": \"");
    return (struct str){text, quote ? (size_t)(quote - text) : strlen(text)};
}

enum err_code pg_error(const PGresult *res, const PGconn *conn, struct err *err)
{
    const char *sqlstate = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    const char *text = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (sqlstate)
        return err_set(err, meaning_of(sqlstate), "postgres: " STR_FMT " (SQLSTATE %s)",
                       STR_ARG(without_value(text ? text : "")), sqlstate);
    return err_set(err, ERR_UNAVAILABLE, "postgres: " STR_FMT,
                   STR_ARG(pg_first_line(res ? PQresultErrorMessage(res) : PQerrorMessage(conn))));
}

const char *pg_text(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? NULL : PQgetvalue(res, row, col);
}
