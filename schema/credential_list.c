/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials as people see them; nothing sealed is asked for. */
#include <inttypes.h>
#include <string.h>

#include "common/json/json.h"
#include "common/pg/pg_once.h"
#include "schema/credential_rows.h"
#include "common/banned.h"

#define STAMP(of) "to_char(" of " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

/* $1 name or NULL. A hold that is over is none. */
static const char list_sql[] =
    "SELECT c.name, c.tenant, c.kind, c.pool, c.base_url, c.key_id, c.generation,"
    " CASE WHEN c.hold_until = 'infinity' THEN 'disabled'"
    " WHEN c.hold_until > now() THEN 'held' ELSE 'ok' END AS state,"
    " CASE WHEN c.hold_until > now() AND c.hold_until < 'infinity' THEN " STAMP(
        "c.hold_until") " END,"
                        " CASE WHEN c.hold_until > now() THEN c.hold_reason END,"
                        " (SELECT count(*) FROM ledger.claims r WHERE r.credential_used = c.name"
                        " AND r.state = 'running'),"
                        " (SELECT l.value FROM ledger.limits l WHERE l.scope = 'credential' AND "
                        "l.name IN (c.name, '*')"
                        " AND l.setting = 'concurrency' ORDER BY l.name = '*' LIMIT 1),"
                        " " STAMP("c.created_at") ", " STAMP(
                            "c.rotated_at") ", c.windows"
                                            " FROM ledger.credentials c WHERE $1::text IS NULL OR "
                                            "c.name = $1 ORDER BY c.name";

enum column {
    COL_NAME,
    COL_TENANT,
    COL_KIND,
    COL_POOL,
    COL_URL,
    COL_KEY,
    COL_GENERATION,
    COL_STATE,
    COL_UNTIL,
    COL_REASON,
    COL_RUNNING,
    COL_LIMIT,
    COL_CREATED,
    COL_ROTATED,
    COL_WINDOWS
};

static void put_text(struct buf *b, const char *key, const PGresult *res, int row, enum column col)
{
    const char *s = pg_text(res, row, (int)col);

    if (s)
        json_kv(b, key, s);
    else
        json_kv_raw(b, key, STR("null"));
}

static void put_number(struct buf *b, const char *key, const PGresult *res, int row,
                       enum column col)
{
    const char *s = pg_text(res, row, (int)col);

    json_kv_raw(b, key, s ? str_of(s) : STR("null"));
}

static void add_json(const PGresult *res, int row, bool limits, struct buf *b)
{
    buf_adds(b, row == 0 ? "{" : ",{");
    put_text(b, "name", res, row, COL_NAME);
    put_text(b, "tenant", res, row, COL_TENANT);
    put_text(b, "kind", res, row, COL_KIND);
    put_text(b, "pool", res, row, COL_POOL);
    put_text(b, "state", res, row, COL_STATE);
    put_text(b, "hold_until", res, row, COL_UNTIL);
    put_text(b, "hold_reason", res, row, COL_REASON);
    put_number(b, "running", res, row, COL_RUNNING);
    put_number(b, "concurrency", res, row, COL_LIMIT);
    if (limits) {
        put_number(b, "windows", res, row, COL_WINDOWS);
    } else {
        put_text(b, "base_url", res, row, COL_URL);
        put_text(b, "key_id", res, row, COL_KEY);
        put_number(b, "generation", res, row, COL_GENERATION);
        put_text(b, "created_at", res, row, COL_CREATED);
        put_text(b, "rotated_at", res, row, COL_ROTATED);
    }
    buf_addc(b, '}');
}

static void add_state(const PGresult *res, int row, struct buf *b)
{
    const char *until = pg_text(res, row, COL_UNTIL), *reason = pg_text(res, row, COL_REASON);

    buf_addf(b, "  %s", pg_text(res, row, COL_STATE));
    if (until)
        buf_addf(b, " until %s (%s)", until, reason ? reason : "?");
}

/* "five_hour rejected 100% resets 2026-…" a window, as far as each was told. */
static void add_windows(const char *json, struct buf *b)
{
    AUTO_JSON *windows = NULL;
    struct err err = ERR_INIT;
    const cJSON *w;

    if (json_parse(str_of(json), 0, &windows, &err) != ERR_OK)
        return;
    cJSON_ArrayForEach(w, windows)
    {
        const char *status = json_get_string(w, "status"),
                   *resets = json_get_string(w, "resets_at");
        double used;

        buf_addf(b, "\n    %s %s", w->string, status ? status : "?");
        if (json_get_number(w, "utilization", &used))
            buf_addf(b, " %.0f%%", 100 * used);
        if (resets)
            buf_addf(b, " resets %s", resets);
    }
}

static void add_text(const PGresult *res, int row, bool limits, struct buf *b)
{
    const char *limit = pg_text(res, row, COL_LIMIT), *pool = pg_text(res, row, COL_POOL);
    const char *url = pg_text(res, row, COL_URL), *key = pg_text(res, row, COL_KEY);

    buf_addf(b, "%s  %s", pg_text(res, row, COL_NAME), pg_text(res, row, COL_KIND));
    if (strcmp(pg_text(res, row, COL_TENANT), CREDENTIAL_ALL_TENANTS) != 0)
        buf_addf(b, "  tenant %s", pg_text(res, row, COL_TENANT));
    if (pool)
        buf_addf(b, "  pool %s", pool);
    add_state(res, row, b);
    buf_addf(b, "  %s of %s running", pg_text(res, row, COL_RUNNING), limit ? limit : "any number");
    if (limits) {
        add_windows(pg_text(res, row, COL_WINDOWS), b);
    } else {
        if (url)
            buf_addf(b, "  at %s", url);
        if (key)
            buf_addf(b, "  key %s  generation %s", key, pg_text(res, row, COL_GENERATION));
    }
    buf_addc(b, '\n');
}

enum err_code credential_rows_list(PGconn *conn, const char *name, bool limits, bool json,
                                   struct buf *out, struct err *err)
{
    const char *const v[] = {name};
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, list_sql, 1, v, &res, err);

    if (rc != ERR_OK)
        return rc;
    if (name && PQntuples(res) == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no credential '%s'", name);
    buf_adds(out, json ? "[" : "");
    for (int row = 0; row < PQntuples(res); row++)
        (json ? add_json : add_text)(res, row, limits, out);
    buf_adds(out, json ? "]\n" : "");
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "the credentials");
}
