/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/json/json.h"
#include "common/pg/pg_once.h"
#include "common/banned.h"

enum { NUMBER_TEXT = 24 };

static const char list_sql[] =
    "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), tenant, "
    "actor_kind,"
    " actor, login, action, object, outcome, request_id FROM door.audit"
    " WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR actor = $2)"
    " AND ($3::text IS NULL OR action = $3) AND ($4::text IS NULL OR object = $4)"
    " AND ($5::text IS NULL OR outcome = $5)"
    " AND ($6::bigint = 0 OR at > clock_timestamp() - $6::bigint * interval '1 ms')"
    " ORDER BY at DESC, request_id DESC LIMIT nullif($7::bigint, 0)";
enum { AT, TENANT, KIND, ACTOR, LOGIN, ACTION, OBJECT, OUTCOME, REQUEST, COLUMNS };

static const char *const names[COLUMNS] = {
    [AT] = "at",         [TENANT] = "tenant",   [KIND] = "actor_kind",
    [ACTOR] = "actor",   [LOGIN] = "login",     [ACTION] = "action",
    [OBJECT] = "object", [OUTCOME] = "outcome", [REQUEST] = "request_id"};

static void add_json(const PGresult *res, int row, struct buf *out)
{
    buf_adds(out, row ? ",{" : "{");
    for (int col = 0; col < COLUMNS; col++) {
        const char *text = pg_text(res, row, col);

        if (text)
            json_kv(out, names[col], text);
        else
            json_kv_raw(out, names[col], STR("null"));
    }
    buf_addc(out, '}');
}

static const char *shown(const PGresult *res, int row, int col)
{
    const char *text = pg_text(res, row, col);

    return text && *text ? text : "-";
}

static void add_text(const PGresult *res, int row, struct buf *out)
{
    if (row == 0)
        buf_addf(out, "%-24s  %-16s  %-10s  %-16s  %-28s  %-10s  %s\n", "AT", "TENANT", "KIND",
                 "ACTOR", "ACTION", "OUTCOME", "OBJECT");
    buf_addf(out, "%-24s  %-16s  %-10s  %-16s  %-28s  %-10s  %s\n", shown(res, row, AT),
             shown(res, row, TENANT), shown(res, row, KIND), shown(res, row, ACTOR),
             shown(res, row, ACTION), shown(res, row, OUTCOME), shown(res, row, OBJECT));
}

enum err_code audit_list(const char *conninfo, const struct audit_filter *f, bool json,
                         struct buf *out, struct err *err)
{
    char since[NUMBER_TEXT], limit[NUMBER_TEXT];
    const char *const v[] = {f->tenant, f->actor, f->action, f->object, f->outcome, since, limit};
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once_open(conninfo, "sandfleet audit", &conn, err);

    (void)snprintf(since, sizeof(since), "%" PRId64, f->since_ms);
    (void)snprintf(limit, sizeof(limit), "%" PRId64, f->limit);
    if (rc == ERR_OK)
        rc = pg_once(conn, list_sql, COUNTOF(v), v, &res, err);
    if (rc != ERR_OK)
        return rc;
    buf_adds(out, json ? "[" : "");
    for (int row = 0; row < PQntuples(res); row++)
        (json ? add_json : add_text)(res, row, out);
    buf_adds(out, json ? "]\n" : "");
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "the audit log");
}

/* $1 ms $2 only count */
static const char drop_sql[] =
    "WITH old AS (SELECT request_id FROM door.audit"
    " WHERE at < clock_timestamp() - $1::bigint * interval '1 ms'),"
    " gone AS (DELETE FROM door.audit WHERE NOT $2::bool AND request_id IN (TABLE old))"
    " SELECT count(*) FROM old";

enum err_code audit_drop(const char *conninfo, int64_t keep_ms, bool dry_run, int64_t *dropped,
                         struct err *err)
{
    char keep[NUMBER_TEXT];
    const char *const v[] = {keep, dry_run ? "true" : "false"};
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once_open(conninfo, "sandfleet retention", &conn, err);

    (void)snprintf(keep, sizeof(keep), "%" PRId64, keep_ms);
    if (rc == ERR_OK)
        rc = pg_once(conn, drop_sql, COUNTOF(v), v, &res, err);
    *dropped = rc == ERR_OK ? pg_int(res, 0, 0) : 0;
    return rc;
}
