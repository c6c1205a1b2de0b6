/* SPDX-License-Identifier: Apache-2.0 */
/* API keys as rows of access.keys. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "common/json/json.h"
#include "common/pg/pg_once.h"
#include "schema/api_key.h"
#include "schema/run_request.h"
#include "common/banned.h"

#define TIME_OF(column)                                                                            \
    "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/* --- making one ------------------------------------------------------------------ */

/* $1 id $2 hash in hex $3 tenant $4 scopes $5 label $6 life in ms or NULL */
static const char create_sql[] =
    "INSERT INTO access.keys (key_id, hash, tenant, scopes, label, expires_at)"
    " VALUES ($1, decode($2, 'hex'), $3, string_to_array($4, ','), $5,"
    "  now() + interval '1 ms' * $6::bigint)"
    " RETURNING " TIME_OF("expires_at");

static void make(char *text, struct api_key *k)
{
    uint8_t id[(API_KEY_ID - 1) / 2];
    char secret[2 * API_KEY_BYTES + 1];

    randombytes_buf(id, sizeof(id));
    randombytes_buf(k->secret, sizeof(k->secret));
    sodium_bin2hex(k->id, sizeof(k->id), id, sizeof(id));
    sodium_bin2hex(secret, sizeof(secret), k->secret, sizeof(k->secret));
    snprintf(text, API_KEY_TEXT, API_KEY_PREFIX "%s_%s", k->id, secret);
    sodium_memzero(secret, sizeof(secret));
}

static bool label_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return s.n <= API_KEY_LABEL_MAX && str_utf8(s, NULL);
}

static enum err_code check(const struct api_key_want *w, struct err *err)
{
    if (!w->tenant || !run_name_ok(str_of(w->tenant)))
        return err_set(err, ERR_INVALID, "'%.40s' is no tenant's name", w->tenant);
    if (w->label && !label_ok(str_of(w->label)))
        return err_set(err, ERR_INVALID,
                       "a label is UTF-8, at most %d bytes, without control characters",
                       API_KEY_LABEL_MAX);
    if (w->scopes == 0)
        return err_set(err, ERR_INVALID, "a key without a scope opens nothing");
    return ERR_OK;
}

enum err_code api_keys_create(const char *conninfo, const struct api_key_want *w, char *text,
                              struct buf *expires, struct err *err)
{
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;
    AUTO_BUF scopes = BUF_INIT(64);
    struct api_key key;
    uint8_t hash[API_KEY_BYTES];
    char hex[2 * API_KEY_BYTES + 1], life[24];
    enum err_code rc = check(w, err);

    if (rc == ERR_OK)
        rc = pg_once_open(conninfo, "sandfleet keys", &conn, err);
    if (rc != ERR_OK)
        return rc;
    make(text, &key);
    api_key_hash(&key, hash);
    sodium_memzero(key.secret, sizeof(key.secret));
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    snprintf(life, sizeof(life), "%" PRId64, w->life_ms);
    api_scopes_write(w->scopes, &scopes);
    const char *const v[] = {
        key.id, hex, w->tenant, scopes.p, w->label ? w->label : "", w->life_ms > 0 ? life : NULL};
    rc = pg_once(conn, create_sql, 6, v, &res, err);
    if (rc == ERR_OK && pg_text(res, 0, 0))
        buf_adds(expires, pg_text(res, 0, 0));
    return rc;
}

/* --- looking at them --------------------------------------------------------------- */

/* $1 tenant or NULL */
static const char
    list_sql
        [] = "SELECT key_id, tenant, array_to_string(scopes, ','), label, " TIME_OF("created_at") ", " TIME_OF(
            "last_used_at") ", " TIME_OF("expires_at") ", " TIME_OF("revoked_at") ","
                                                                                  " CASE WHEN "
                                                                                  "revoked_at IS "
                                                                                  "NOT NULL THEN "
                                                                                  "'revoked' WHEN "
                                                                                  "expires_at <= "
                                                                                  "now() THEN "
                                                                                  "'expired'"
                                                                                  "  ELSE 'valid' "
                                                                                  "END"
                                                                                  " FROM "
                                                                                  "access.keys "
                                                                                  "WHERE $1::text "
                                                                                  "IS NULL OR "
                                                                                  "tenant = $1 "
                                                                                  "ORDER BY "
                                                                                  "access.keys."
                                                                                  "created_at, "
                                                                                  "key_id";

enum { ID, TENANT, SCOPES, LABEL, CREATED, USED, EXPIRES, REVOKED, STATE };

static void add_json(const PGresult *res, int row, struct buf *out)
{
    static const struct {
        const char *name;
        int column;
    } texts[] = {{"id", ID},
                 {"tenant", TENANT},
                 {"label", LABEL},
                 {"created_at", CREATED},
                 {"last_used_at", USED},
                 {"expires_at", EXPIRES},
                 {"revoked_at", REVOKED},
                 {"state", STATE}};
    unsigned scopes;

    buf_adds(out, row == 0 ? "{" : ",\n {");
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        const char *text = pg_text(res, row, texts[i].column);

        if (text)
            json_kv(out, texts[i].name, text);
        else
            json_kv_raw(out, texts[i].name, STR("null"));
    }
    (void)api_scopes_parse(str_of(pg_text(res, row, SCOPES)), &scopes);
    json_key(out, "scopes");
    api_scopes_json(scopes, out);
    buf_addc(out, '}');
}

/* The day; what never was is a dash. */
static void add_day(struct buf *out, const char *time)
{
    buf_addf(out, "  %-10.10s", time ? time : "-");
}

static void add_text(const PGresult *res, int row, struct buf *out)
{
    if (row == 0)
        buf_addf(out, "%-12s  %-8s  %-20s  %-17s  %-10s  %-10s  %-10s  %s\n", "ID", "STATE",
                 "TENANT", "SCOPES", "CREATED", "LAST USED", "EXPIRES", "LABEL");
    buf_addf(out, "%-12s  %-8s  %-20s  %-17s", pg_text(res, row, ID), pg_text(res, row, STATE),
             pg_text(res, row, TENANT), pg_text(res, row, SCOPES));
    add_day(out, pg_text(res, row, CREATED));
    add_day(out, pg_text(res, row, USED));
    add_day(out, pg_text(res, row, EXPIRES));
    buf_addf(out, "  %s\n", pg_text(res, row, LABEL));
}

enum err_code api_keys_list(const char *conninfo, const char *tenant, bool json, struct buf *out,
                            struct err *err)
{
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once_open(conninfo, "sandfleet keys", &conn, err);

    if (rc == ERR_OK)
        rc = pg_once(conn, list_sql, 1, &tenant, &res, err);
    if (rc != ERR_OK)
        return rc;
    buf_adds(out, json ? "[" : "");
    for (int row = 0; row < PQntuples(res); row++)
        (json ? add_json : add_text)(res, row, out);
    buf_adds(out, json ? "]\n" : "");
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "the keys");
}

/* --- taking one back --------------------------------------------------------------- */

static const char revoke_sql[] =
    "WITH was AS (SELECT key_id, revoked_at IS NOT NULL AS revoked FROM access.keys"
    "  WHERE key_id = $1 FOR UPDATE),"
    " now AS (UPDATE access.keys AS k SET revoked_at = now() FROM was"
    "  WHERE k.key_id = was.key_id AND NOT was.revoked)"
    " SELECT revoked FROM was";

enum err_code api_keys_revoke(const char *conninfo, const char *id, bool *was, struct err *err)
{
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;
    enum err_code rc;

    if (!api_key_id_ok(str_of(id)))
        return err_set(err, ERR_INVALID, "'%.40s' is no key's id: 12 hexadecimal digits", id);
    rc = pg_once_open(conninfo, "sandfleet keys", &conn, err);
    if (rc == ERR_OK)
        rc = pg_once(conn, revoke_sql, 1, &id, &res, err);
    if (rc != ERR_OK)
        return rc;
    if (PQntuples(res) == 0)
        return err_set(err, ERR_NOT_FOUND, "no key '%s'", id);
    *was = pg_text(res, 0, 0)[0] == 't';
    return ERR_OK;
}
