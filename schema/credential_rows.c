/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/credential_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "common/pg/pg_once.h"
#include "schema/migrate.h"
#include "schema/run_request.h"
#include "common/banned.h"

/* Workers that wait for a credential look again at once. */
#define AND_TELL " SELECT name, pg_notify('ledger_due', '') FROM changed"

enum { HEX_MAX_BYTES = 2 * SEALED_BOX_MAX_BYTES + 1 };

enum err_code credential_rows_open(const char *conninfo, PGconn **out, struct err *err)
{
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once_open(conninfo, "sandfleet cred", out, err);

    if (rc == ERR_OK)
        rc = pg_once(*out, migrate_version_sql, 0, NULL, &res, err);
    return rc == ERR_OK ? migrate_judge(pg_int(res, 0, 0), err) : rc;
}

/* --- parameters --------------------------------------------------------------- */

struct sealed_text { /* as decode($n, 'hex') reads it */
    char wrapped[2 * SEALED_WRAPPED_BYTES + 1];
    struct buf box;
};

static enum err_code to_hex(const struct sealed *s, struct sealed_text *out, struct err *err)
{
    sodium_bin2hex(out->wrapped, sizeof(out->wrapped), s->wrapped, sizeof(s->wrapped));
    out->box = BUF_INIT(HEX_MAX_BYTES);
    char *room = buf_room(&out->box, 2 * s->box.len + 1);
    if (!room)
        return err_set(err, out->box.rc, "a sealed secret");
    sodium_bin2hex(room, 2 * s->box.len + 1, (const uint8_t *)s->box.p, s->box.len);
    return ERR_OK;
}

static const char *text_of(struct str s, char out[RUN_NAME_MAX_BYTES + 1])
{
    (void)snprintf(out, RUN_NAME_MAX_BYTES + 1, STR_FMT, STR_ARG(s));
    return out;
}

static enum err_code not_found(const char *name, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no credential '%s'", name);
}

/* --- one ---------------------------------------------------------------------- */

#define COLUMNS_OF(table)                                                                          \
    " name, tenant, kind, base_url, pool, generation, key_id, encode(wrapped, 'hex'),"             \
    " encode(sealed, 'hex') FROM " table
#define COLUMNS COLUMNS_OF("ledger.credentials")
enum column {
    COL_NAME,
    COL_TENANT,
    COL_KIND,
    COL_URL,
    COL_POOL,
    COL_GENERATION,
    COL_KEY,
    COL_WRAPPED,
    COL_SEALED
};

static const char find_sql[] = "SELECT" COLUMNS " WHERE name = $1";

static enum err_code read_row(PGresult *res, int row, struct credential_row *out, struct err *err)
{
    *out = (struct credential_row){
        .what = {.tenant = str_of(pg_text(res, row, COL_TENANT)),
                 .name = str_of(pg_text(res, row, COL_NAME)),
                 .base_url = str_of(pg_text(res, row, COL_URL))},
        .pool = pg_text(res, row, COL_POOL),
        .generation = pg_int(res, row, COL_GENERATION),
    };
    if (!credential_kind_parse(str_of(pg_text(res, row, COL_KIND)), &out->what.kind))
        return err_set(err, ERR_CONFIG, "credential '%s' has an unknown kind",
                       pg_text(res, row, COL_NAME));
    if (out->what.kind == CREDENTIAL_NONE)
        return ERR_OK;
    if (credential_read_sealed(pg_text(res, row, COL_KEY), pg_text(res, row, COL_WRAPPED),
                               pg_text(res, row, COL_SEALED), &out->sealed, err) != ERR_OK)
        return err_wrap(err, "credential '%s'", pg_text(res, row, COL_NAME));
    return ERR_OK;
}

enum err_code credential_rows_find(PGconn *conn, const char *name, struct credential_row *out,
                                   struct err *err)
{
    const char *const v[] = {name};
    PGresult *res = NULL;
    enum err_code rc = pg_once(conn, find_sql, 1, v, &res, err);

    *out = (struct credential_row){0};
    if (rc == ERR_OK && PQntuples(res) == 0)
        rc = not_found(name, err);
    if (rc == ERR_OK)
        rc = read_row(res, 0, out, err);
    out->res = res;
    if (rc != ERR_OK)
        credential_row_release(out);
    return rc;
}

void credential_row_release(struct credential_row *r)
{
    sealed_release(&r->sealed);
    PQclear(r->res);
    *r = (struct credential_row){0};
}

/* Of row c, before its secret goes: runs that have it go on. */
#define RETIRE(whose)                                                                              \
    " retired AS (INSERT INTO ledger.retired_secrets (name, generation, tenant, pool, kind,"       \
    " base_url, key_id, wrapped, sealed) SELECT c.name, c.generation, c.tenant, c.pool, c.kind,"   \
    " c.base_url, c.key_id, c.wrapped, c.sealed FROM ledger.credentials c " whose                  \
    " ON CONFLICT DO NOTHING)"

/* --- changes ------------------------------------------------------------------ */

/* $1 name $2 tenant $3 kind $4 base_url $5 pool $6 key_id $7 wrapped $8 sealed $9 replace */
static const char add_sql[] = "WITH" RETIRE(
    "WHERE c.name = $1 AND ($9::bool OR (c.name = '" CREDENTIAL_DEFAULT
    "' AND c.kind = 'none'))") ","
                               " changed AS (INSERT INTO ledger.credentials AS c"
                               " (name, tenant, kind, base_url, pool, key_id, wrapped, sealed)"
                               " SELECT $1, $2, $3, $4, $5, $6, decode($7, 'hex'), decode($8, "
                               "'hex')"
                               " WHERE NOT EXISTS (SELECT FROM ledger.credentials o WHERE o.pool = "
                               "$1 OR o.name = $5)"
                               " ON CONFLICT (name) DO UPDATE SET tenant = EXCLUDED.tenant, kind = "
                               "EXCLUDED.kind,"
                               " base_url = EXCLUDED.base_url, pool = EXCLUDED.pool, key_id = "
                               "EXCLUDED.key_id,"
                               " wrapped = EXCLUDED.wrapped, sealed = EXCLUDED.sealed, generation "
                               "= EXCLUDED.generation,"
                               " hold_until = NULL, hold_reason = NULL, created_at = now(), "
                               "rotated_at = NULL, windows = '{}'"
                               " WHERE $9::bool OR (c.name = '" CREDENTIAL_DEFAULT
                               "' AND c.kind = 'none')"
                               " RETURNING name)" AND_TELL;

enum err_code credential_rows_add(PGconn *conn, const struct credential_what *w, struct str pool,
                                  const struct sealed *sealed, bool replace, struct err *err)
{
    char name[RUN_NAME_MAX_BYTES + 1], tenant[RUN_NAME_MAX_BYTES + 1];
    char pool_text[RUN_NAME_MAX_BYTES + 1], url[CREDENTIAL_URL_MAX_BYTES + 1];
    struct sealed_text hex = {0};
    AUTO_RES *res = NULL;
    enum err_code rc = sealed ? to_hex(sealed, &hex, err) : ERR_OK;

    (void)snprintf(url, sizeof(url), STR_FMT, STR_ARG(w->base_url));
    const char *const v[] = {text_of(w->name, name),
                             text_of(w->tenant, tenant),
                             credential_kind_name(w->kind),
                             w->base_url.n > 0 ? url : NULL,
                             pool.n > 0 ? text_of(pool, pool_text) : NULL,
                             sealed ? sealed->key_id : NULL,
                             sealed ? hex.wrapped : NULL,
                             hex.box.p,
                             replace ? "true" : "false"};
    if (rc == ERR_OK && pool.n > 0 && str_eq(pool, w->name))
        rc = err_set(err, ERR_CONFLICT, "'%s' cannot be a credential and its pool", name);
    if (rc == ERR_OK)
        rc = pg_once(conn, add_sql, COUNTOF(v), v, &res, err);
    if (rc == ERR_OK && PQntuples(res) == 0)
        rc = err_set(err, ERR_CONFLICT,
                     "'%s' is there already, or is a pool's name, or its pool's name is another "
                     "credential's; `sandfleet cred rotate` changes a secret",
                     name);
    buf_release(&hex.box);
    return rc;
}

/* Runs that wait for the end of its hold, and not for something else, are due again. */
#define WAKES(when)                                                                                \
    " woken AS (UPDATE ledger.claims c SET hold_until = now() FROM was WHERE " when                \
    " AND c.state = 'waiting' AND c.hold_until > now() AND c.credential_used = was.name"           \
    " AND c.hold_reason = was.hold_reason)"

// clang-format off
/* $1 name $2 generation $3 key_id $4 wrapped $5 sealed */
static const char rotate_sql[] =
    "WITH was AS (SELECT name, hold_reason FROM ledger.credentials"
    " WHERE name = $1 AND generation = $2::int)," WAKES("was.hold_reason <> 'disabled'") ","
    RETIRE("WHERE c.name = $1 AND c.generation = $2::int") ","
    " changed AS (UPDATE ledger.credentials SET key_id = $3, wrapped = decode($4, 'hex'),"
    " sealed = decode($5, 'hex'), generation = DEFAULT, rotated_at = now(), windows = '{}',"
    " hold_until = CASE WHEN hold_until = 'infinity' THEN hold_until END,"
    " hold_reason = CASE WHEN hold_until = 'infinity' THEN hold_reason END"
    " WHERE name = $1 AND generation = $2::int RETURNING name)" AND_TELL;

/* $1 name $2 enabled */
static const char enable_sql[] =
    "WITH was AS (SELECT name, hold_reason FROM ledger.credentials WHERE name = $1)," WAKES("$2::bool") ","
    " changed AS (UPDATE ledger.credentials SET"
    " hold_until = CASE WHEN NOT $2::bool THEN 'infinity'::timestamptz END,"
    " hold_reason = CASE WHEN NOT $2::bool THEN 'disabled' END WHERE name = $1"
    " RETURNING name)" AND_TELL;
// clang-format on

enum err_code credential_rows_rotate(PGconn *conn, const struct credential_row *old,
                                     const struct sealed *sealed, struct err *err)
{
    char name[RUN_NAME_MAX_BYTES + 1], generation[24];
    struct sealed_text hex = {0};
    AUTO_RES *res = NULL;
    enum err_code rc = to_hex(sealed, &hex, err);

    (void)snprintf(generation, sizeof(generation), "%" PRId64, old->generation);
    const char *const v[] = {text_of(old->what.name, name), generation, sealed->key_id, hex.wrapped,
                             hex.box.p};
    if (rc == ERR_OK)
        rc = pg_once(conn, rotate_sql, COUNTOF(v), v, &res, err);
    if (rc == ERR_OK && PQntuples(res) == 0)
        rc = err_set(err, ERR_CONFLICT, "somebody else has just changed '%s'; nothing was changed",
                     name);
    buf_release(&hex.box);
    return rc;
}

enum err_code credential_rows_enable(PGconn *conn, const char *name, bool enabled, struct err *err)
{
    const char *const v[] = {name, enabled ? "true" : "false"};
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, enable_sql, COUNTOF(v), v, &res, err);

    return rc == ERR_OK && PQntuples(res) == 0 ? not_found(name, err) : rc;
}

/* $1 name $2 force: whether it was there, how many runs use it, whether it is gone */
static const char remove_sql[] = "WITH there AS (SELECT name FROM ledger.credentials WHERE name = "
                                 "$1 FOR UPDATE),"
                                 " used AS (SELECT count(*) AS n FROM ledger.claims"
                                 " WHERE credential_used = $1 AND state = 'running')," RETIRE(
                                     "JOIN there USING (name) CROSS JOIN used WHERE (used.n = 0 OR "
                                     "$2::bool)") ","
                                                  " gone AS (DELETE FROM ledger.credentials c "
                                                  "USING there, used"
                                                  " WHERE c.name = there.name AND (used.n = 0 OR "
                                                  "$2::bool) RETURNING c.name)"
                                                  " SELECT (SELECT count(*) FROM there), (SELECT n "
                                                  "FROM used), (SELECT count(*) FROM gone)";

enum err_code credential_rows_remove(PGconn *conn, const char *name, bool force, struct err *err)
{
    const char *const v[] = {name, force ? "true" : "false"};
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, remove_sql, COUNTOF(v), v, &res, err);

    if (rc != ERR_OK)
        return rc;
    if (pg_int(res, 0, 0) == 0)
        return not_found(name, err);
    if (pg_int(res, 0, 2) == 0)
        return err_set(err, ERR_CONFLICT,
                       "%" PRId64 " runs use '%s': disable it until they have ended, or --force",
                       pg_int(res, 0, 1), name);
    return ERR_OK;
}

/* --- another master key ---------------------------------------------------------- */

/* $1 the key */
static const char lacking_sql[] = "SELECT count(*), min(worker_id) FROM ledger.workers"
                                  " WHERE NOT $1 = ANY (key_ids)";

static const char sealed_sql[] =
    "SELECT" COLUMNS " WHERE sealed IS NOT NULL UNION ALL SELECT" COLUMNS_OF(
        "ledger.retired_secrets") " WHERE sealed IS NOT NULL ORDER BY name";

/* $1 name $2 generation $3 key it was wrapped with $4 the new one $5 wrapped. It may be retired
 * while we look. */
#define REWRAP(table)                                                                              \
    "UPDATE ledger." table " SET key_id = $4, wrapped = decode($5, 'hex')"                         \
    " WHERE name = $1 AND generation = $2::int AND key_id = $3 RETURNING name"
static const char rewrap_sql[] = "WITH current AS (" REWRAP("credentials") "), retired AS (" REWRAP(
    "retired_secrets") ") SELECT * FROM current UNION ALL SELECT * FROM retired";

static enum err_code all_workers_have(PGconn *conn, const char *key, struct err *err)
{
    const char *const v[] = {key};
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, lacking_sql, 1, v, &res, err);

    if (rc == ERR_OK && pg_int(res, 0, 0) > 0)
        rc = err_set(err, ERR_CONFLICT,
                     "%" PRId64 " workers lack master key %s, among them %s: give it to all of "
                     "them first, behind the one they have",
                     pg_int(res, 0, 0), key, pg_text(res, 0, 1));
    return rc;
}

static enum err_code rewrap_one(PGconn *conn, const struct keyring *k, struct credential_row *r,
                                struct credential_rewrapped *out, struct err *err)
{
    char name[RUN_NAME_MAX_BYTES + 1], generation[24], from[KEY_ID_TEXT];
    char wrapped[2 * SEALED_WRAPPED_BYTES + 1];
    AUTO_RES *res = NULL;

    memcpy(from, r->sealed.key_id, sizeof(from));
    if (strcmp(from, keyring_id(k, 0)) == 0) {
        out->already++;
        return ERR_OK;
    }
    text_of(r->what.name, name);
    if (credential_rewrap(k, &r->what, &r->sealed, err) != ERR_OK) {
        out->failed++;
        (void)err_wrap(err, "credential '%s'", name);
        return ERR_OK;
    }
    (void)snprintf(generation, sizeof(generation), "%" PRId64, r->generation);
    sodium_bin2hex(wrapped, sizeof(wrapped), r->sealed.wrapped, sizeof(r->sealed.wrapped));
    const char *const v[] = {name, generation, from, r->sealed.key_id, wrapped};
    enum err_code rc = pg_once(conn, rewrap_sql, COUNTOF(v), v, &res, err);
    if (rc == ERR_OK) /* else it was changed meanwhile: with a key of its own choice */
        *(PQntuples(res) > 0 ? &out->done : &out->already) += 1;
    return rc;
}

enum err_code credential_rows_rewrap(PGconn *conn, const struct keyring *k, bool force,
                                     struct credential_rewrapped *out, struct err *err)
{
    AUTO_RES *res = NULL;
    enum err_code rc = force ? ERR_OK : all_workers_have(conn, keyring_id(k, 0), err);

    *out = (struct credential_rewrapped){0};
    if (rc == ERR_OK)
        rc = pg_once(conn, sealed_sql, 0, NULL, &res, err);
    for (int i = 0; rc == ERR_OK && i < PQntuples(res); i++) {
        struct credential_row r;

        if (read_row(res, i, &r, err) == ERR_OK)
            rc = rewrap_one(conn, k, &r, out, err);
        else if (err->code == ERR_NOMEM)
            rc = ERR_NOMEM;
        else
            out->failed++;
        sealed_release(&r.sealed);
    }
    return rc;
}
