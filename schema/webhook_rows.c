/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/webhook_rows.h"

#include <inttypes.h>
#include <stdio.h>

#include <sodium.h>

#include "common/pg/pg_once.h"
#include "schema/migrate.h"
#include "common/banned.h"

enum { BOX_HEX_BYTES = 2 * (SEALED_OVER_BYTES + WEBHOOK_KEY_TEXT_MAX_BYTES) + 1 };

enum err_code webhook_rows_open(const char *conninfo, PGconn **out, struct err *err)
{
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once_open(conninfo, "sandfleet webhook", out, err);

    if (rc == ERR_OK)
        rc = pg_once(*out, migrate_version_sql, 0, NULL, &res, err);
    return rc == ERR_OK ? migrate_judge(pg_int(res, 0, 0), err) : rc;
}

static enum err_code not_found(const struct webhook_at *at, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "tenant '%s' has no webhook '%s'", at->tenant, at->name);
}

struct key_text { /* as decode($n, 'hex') reads it */
    char wrapped[2 * SEALED_WRAPPED_BYTES + 1], box[BOX_HEX_BYTES];
};

static enum err_code to_hex(const struct sealed *s, struct key_text *out, struct err *err)
{
    if (2 * s->box.len >= sizeof(out->box))
        return err_set(err, ERR_TOO_BIG, "a webhook's key");
    sodium_bin2hex(out->wrapped, sizeof(out->wrapped), s->wrapped, sizeof(s->wrapped));
    sodium_bin2hex(out->box, sizeof(out->box), (const uint8_t *)s->box.p, s->box.len);
    return ERR_OK;
}

/* --- endpoints -------------------------------------------------------------------- */

/* $1 tenant $2 name $3 scheme $4 shown $5 key_id $6 wrapped $7 sealed */
#define INSERT_KEY                                                                                 \
    " INSERT INTO webhook.keys (endpoint_id, scheme, shown, key_id, wrapped, sealed)"              \
    " SELECT endpoint_id, $3, $4, $5, decode($6, 'hex'), decode($7, 'hex') FROM e RETURNING 1"

/* … $8 url $9 states */
static const char add_sql[] = "WITH e AS (INSERT INTO webhook.endpoints (tenant, name, url, states)"
                              " VALUES ($1, $2, $8, $9::text[]) ON CONFLICT DO NOTHING"
                              " RETURNING endpoint_id)" INSERT_KEY;

enum err_code webhook_rows_add(PGconn *conn, const struct webhook_at *at, const char *url,
                               const char *states, const struct webhook_new_key *key,
                               struct err *err)
{
    struct key_text hex;
    AUTO_RES *res = NULL;
    enum err_code rc = to_hex(key->sealed, &hex, err);
    const char *const v[] = {at->tenant,
                             at->name,
                             webhook_scheme_name(key->scheme),
                             key->shown,
                             key->sealed->key_id,
                             hex.wrapped,
                             hex.box,
                             url,
                             states};

    if (rc == ERR_OK)
        rc = pg_once(conn, add_sql, COUNTOF(v), v, &res, err);
    if (rc == ERR_OK && PQntuples(res) == 0)
        rc = err_set(err, ERR_CONFLICT, "tenant '%s' has a webhook '%s' already", at->tenant,
                     at->name);
    return rc;
}

/* … $8 overlap, ms. One whose end is nearer keeps that. */
static const char rotate_sql[] =
    "WITH e AS (SELECT endpoint_id FROM webhook.endpoints WHERE tenant = $1 AND name = $2),"
    " old AS (UPDATE webhook.keys k SET"
    "         expires_at = least(k.expires_at, now() + $8::bigint * interval '1 ms')"
    "         FROM e WHERE k.endpoint_id = e.endpoint_id RETURNING 1)" INSERT_KEY;

enum err_code webhook_rows_rotate(PGconn *conn, const struct webhook_at *at,
                                  const struct webhook_new_key *key, int64_t overlap_ms,
                                  struct err *err)
{
    struct key_text hex;
    char overlap[24];
    AUTO_RES *res = NULL;
    enum err_code rc = to_hex(key->sealed, &hex, err);
    const char *const v[] = {at->tenant,
                             at->name,
                             webhook_scheme_name(key->scheme),
                             key->shown,
                             key->sealed->key_id,
                             hex.wrapped,
                             hex.box,
                             overlap};

    (void)snprintf(overlap, sizeof(overlap), "%" PRId64, overlap_ms);
    if (rc == ERR_OK)
        rc = pg_once(conn, rotate_sql, COUNTOF(v), v, &res, err);
    if (rc == ERR_OK && PQntuples(res) == 0)
        rc = not_found(at, err);
    return rc;
}

static const char enable_sql[] =
    "UPDATE webhook.endpoints SET disabled_reason = CASE WHEN $3::bool THEN NULL ELSE 'by_hand' "
    "END,"
    " failures = 0, hold_until = NULL WHERE tenant = $1 AND name = $2 RETURNING 1";

enum err_code webhook_rows_enable(PGconn *conn, const struct webhook_at *at, bool enabled,
                                  struct err *err)
{
    const char *const v[] = {at->tenant, at->name, enabled ? "true" : "false"};
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, enable_sql, COUNTOF(v), v, &res, err);

    return rc == ERR_OK && PQntuples(res) == 0 ? not_found(at, err) : rc;
}

static const char remove_sql[] =
    "WITH e AS (SELECT endpoint_id, (SELECT count(*) FROM webhook.deliveries d"
    "               WHERE d.endpoint_id = e.endpoint_id AND d.due_at IS NOT NULL) AS open"
    "           FROM webhook.endpoints e WHERE tenant = $1 AND name = $2),"
    " gone AS (DELETE FROM webhook.endpoints w USING e"
    "          WHERE w.endpoint_id = e.endpoint_id AND (e.open = 0 OR $3::bool) RETURNING 1)"
    " SELECT open, (SELECT count(*) FROM gone) FROM e";

enum err_code webhook_rows_remove(PGconn *conn, const struct webhook_at *at, bool force,
                                  struct err *err)
{
    const char *const v[] = {at->tenant, at->name, force ? "true" : "false"};
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, remove_sql, COUNTOF(v), v, &res, err);

    if (rc == ERR_OK && PQntuples(res) == 0)
        return not_found(at, err);
    if (rc == ERR_OK && pg_int(res, 0, 1) == 0)
        return err_set(err, ERR_CONFLICT,
                       "'%s' has %" PRId64 " deliveries that have not ended: --force, and they "
                       "never will",
                       at->name, pg_int(res, 0, 0));
    return rc;
}

/* --- deliveries --------------------------------------------------------------------- */

/* $1 tenant $2 name $3 run or NULL: what failed. Not what a process sends just now: it would be
 * sent twice. */
static const char redeliver_sql[] =
    "WITH e AS (SELECT endpoint_id FROM webhook.endpoints WHERE tenant = $1 AND name = $2),"
    " again AS (UPDATE webhook.deliveries d SET due_at = now(), since = now(), tries = 0,"
    "           outcome = NULL, ended_at = NULL, taken_until = NULL"
    "           FROM e WHERE d.endpoint_id = e.endpoint_id"
    "               AND (d.taken_until IS NULL OR d.taken_until < now())"
    "               AND CASE WHEN $3::uuid IS NULL THEN d.outcome = 'failed'"
    "                        ELSE d.run_id = $3::uuid END"
    "           RETURNING 1)"
    " SELECT (SELECT count(*) FROM again) FROM e";

enum err_code webhook_rows_redeliver(PGconn *conn, const struct webhook_at *at, const char *run_id,
                                     int64_t *n, struct err *err)
{
    const char *const v[] = {at->tenant, at->name, run_id};
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, redeliver_sql, COUNTOF(v), v, &res, err);

    if (rc != ERR_OK)
        return rc;
    if (PQntuples(res) == 0)
        return not_found(at, err);
    *n = pg_int(res, 0, 0);
    if (*n == 0 && run_id)
        return err_set(err, ERR_NOT_FOUND,
                       "'%s' has no delivery of run %s, or it is being sent just now", at->name,
                       run_id);
    return ERR_OK;
}
