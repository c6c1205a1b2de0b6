/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints and deliveries as people see them; nothing sealed is asked for. */
#include <inttypes.h>
#include <stdio.h>

#include "common/pg/pg_once.h"
#include "schema/webhook_rows.h"
#include "common/banned.h"

#define STAMP(of) "to_char(" of " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

/* One column: the whole answer. */
static enum err_code answer(PGconn *conn, const char *sql, int n, const char *const *v,
                            struct buf *out, struct err *err)
{
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, sql, n, v, &res, err);

    for (int row = 0; rc == ERR_OK && row < PQntuples(res); row++)
        buf_addf(out, "%s\n", pg_text(res, row, 0) ? pg_text(res, row, 0) : "");
    return rc != ERR_OK || out->rc == ERR_OK ? rc : err_set(err, out->rc, "webhooks");
}

/* --- endpoints ---------------------------------------------------------------------- */

/* $1 tenant or NULL $2 name or NULL */
#define ENDPOINTS                                                                                  \
    "WITH shown AS (SELECT e.name, e.tenant, e.url, e.states,"                                     \
    " coalesce(e.disabled_reason, CASE WHEN e.hold_until > now() THEN 'held'"                      \
    "     WHEN e.failures > 0 THEN 'failing' ELSE 'ok' END) AS state,"                             \
    " e.failures, " STAMP(                                                                         \
        "e.created_at") " AS created_at,"                                                          \
                        " (SELECT count(*) FROM webhook.deliveries d WHERE d.endpoint_id = "       \
                        "e.endpoint_id"                                                            \
                        "     AND d.due_at IS NOT NULL) AS open,"                                  \
                        " (SELECT count(*) FROM webhook.deliveries d WHERE d.endpoint_id = "       \
                        "e.endpoint_id"                                                            \
                        "     AND d.outcome = 'failed') AS failed,"                                \
                        " (SELECT json_agg(json_build_object('scheme', k.scheme, 'public_key', "   \
                        "k.shown,"                                                                 \
                        "     'created_at', " STAMP("k.created_at") ", 'expires_at', " STAMP(      \
                            "k.expires_at") ")"                                                    \
                                            "     ORDER BY k.key_no DESC) FROM webhook.keys k "    \
                                            "WHERE k.endpoint_id = e.endpoint_id"                  \
                                            "     AND (k.expires_at IS NULL OR k.expires_at > "    \
                                            "now())) AS keys"                                      \
                                            " FROM webhook.endpoints e WHERE ($1::text IS NULL "   \
                                            "OR e.tenant = $1)"                                    \
                                            " AND ($2::text IS NULL OR e.name = $2)) "

static const char endpoints_json[] =
    ENDPOINTS "SELECT coalesce(json_agg(shown ORDER BY tenant, name), '[]') FROM shown";
static const char endpoints_text[] = ENDPOINTS
    "SELECT name || '  tenant ' || tenant || '  ' || state || '  ' || open || ' open, ' || failed"
    " || ' failed  at ' || url || '  of ' || array_to_string(states, ',')"
    " || coalesce((SELECT string_agg(E'\\n    ' || (k ->> 'scheme')"
    "     || coalesce(' ' || (k ->> 'public_key'), '')"
    "     || coalesce(' until ' || (k ->> 'expires_at'), ''), '')"
    "     FROM json_array_elements(keys) AS k), '') FROM shown ORDER BY tenant, name";

static enum err_code must_be_there(PGconn *conn, const struct webhook_at *at, struct err *err)
{
    static const char sql[] = "SELECT 1 FROM webhook.endpoints WHERE name = $2"
                              " AND ($1::text IS NULL OR tenant = $1)";
    const char *const v[] = {at->tenant, at->name};
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, sql, COUNTOF(v), v, &res, err);

    if (rc == ERR_OK && PQntuples(res) == 0)
        rc = err_set(err, ERR_NOT_FOUND, "there is no webhook '%s'%s%s", at->name,
                     at->tenant ? " of tenant " : "", at->tenant ? at->tenant : "");
    return rc;
}

enum err_code webhook_rows_list(PGconn *conn, const struct webhook_at *at, bool json,
                                struct buf *out, struct err *err)
{
    const char *const v[] = {at->tenant, at->name};
    enum err_code rc = at->name ? must_be_there(conn, at, err) : ERR_OK;

    return rc == ERR_OK
               ? answer(conn, json ? endpoints_json : endpoints_text, COUNTOF(v), v, out, err)
               : rc;
}

/* --- deliveries --------------------------------------------------------------------- */

/* $1 tenant $2 name $3 run or NULL $4 only failed $5 limit */
#define DELIVERIES                                                                                 \
    "WITH shown AS (SELECT 'run_' || d.run_id || '_' || d.state AS webhook_id, d.run_id, d.state," \
    " coalesce(d.outcome, CASE WHEN d.taken_until > now() THEN 'sending' ELSE 'waiting' END)"      \
    "     AS outcome, d.attempts, " STAMP("d.made_at") " AS made_at, " STAMP(                      \
        "d.ended_at") " AS ended_at,"                                                              \
                      " CASE WHEN d.taken_until IS NULL THEN " STAMP(                              \
                          "d.due_at") " END AS due_at,"                                            \
                                      " last.status, last.error,"                                  \
                                      " CASE WHEN $3::uuid IS NOT NULL THEN (SELECT "              \
                                      "json_agg(json_build_object('attempt', a.attempt,"           \
                                      "     'at', " STAMP(                                         \
                                          "a.at") ", 'took_ms', a.took_ms, 'status', a.status, "   \
                                                  "'error', a.error)"                              \
                                                  "     ORDER BY a.attempt) FROM "                 \
                                                  "webhook.attempts a"                             \
                                                  "     WHERE (a.endpoint_id, a.run_id, a.state) " \
                                                  "= (d.endpoint_id, d.run_id, d.state)) END"      \
                                                  "     AS tries, d.made_at AS by"                 \
                                                  " FROM webhook.endpoints e JOIN "                \
                                                  "webhook.deliveries d USING (endpoint_id)"       \
                                                  " LEFT JOIN LATERAL (SELECT a.status, a.error "  \
                                                  "FROM webhook.attempts a"                        \
                                                  "     WHERE (a.endpoint_id, a.run_id, a.state) " \
                                                  "= (d.endpoint_id, d.run_id, d.state)"           \
                                                  "     ORDER BY a.attempt DESC LIMIT 1) AS last " \
                                                  "ON true"                                        \
                                                  " WHERE e.tenant = $1 AND e.name = $2 AND "      \
                                                  "($3::uuid IS NULL OR d.run_id = $3::uuid)"      \
                                                  " AND (NOT $4::bool OR d.outcome = 'failed')"    \
                                                  " ORDER BY d.made_at DESC, d.run_id LIMIT "      \
                                                  "$5::bigint) "

static const char deliveries_json[] =
    DELIVERIES "SELECT coalesce(json_agg(json_strip_nulls(row_to_json(s))), '[]') FROM"
               " (SELECT webhook_id, run_id, state, outcome, attempts, made_at, ended_at, due_at, "
               "status, error,"
               "         tries FROM shown ORDER BY by DESC, run_id) s";
static const char deliveries_text[] = DELIVERIES
    "SELECT run_id || '  ' || state || '  ' || outcome || '  try ' || attempts || '  made ' || "
    "made_at"
    " || coalesce('  ended ' || ended_at, '') || coalesce('  due ' || due_at, '')"
    " || coalesce('  status ' || status, '') || coalesce('  (' || error || ')', '')"
    " || coalesce((SELECT string_agg(E'\\n    ' || (t ->> 'attempt') || '  ' || (t ->> 'at') || '  "
    "'"
    "     || (t ->> 'took_ms') || ' ms' || coalesce('  status ' || (t ->> 'status'), '')"
    "     || coalesce('  (' || (t ->> 'error') || ')', ''), '')"
    "     FROM json_array_elements(tries) AS t), '') FROM shown ORDER BY by DESC, run_id";

enum err_code webhook_rows_deliveries(PGconn *conn, const struct webhook_at *at, const char *run_id,
                                      bool failed, int64_t limit, bool json, struct buf *out,
                                      struct err *err)
{
    char most[24];
    const char *const v[] = {at->tenant, at->name, run_id, failed ? "true" : "false", most};
    enum err_code rc = must_be_there(conn, at, err);

    (void)snprintf(most, sizeof(most), "%" PRId64, limit);
    return rc == ERR_OK
               ? answer(conn, json ? deliveries_json : deliveries_text, COUNTOF(v), v, out, err)
               : rc;
}
