/* SPDX-License-Identifier: Apache-2.0 */
/* Another master key for what deliveries are signed with. */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "common/pg/pg_once.h"
#include "schema/webhook_rows.h"
#include "common/banned.h"

static const char keys_sql[] =
    "SELECT k.key_no, e.tenant, e.name, k.scheme, k.key_id, encode(k.wrapped, 'hex'),"
    " encode(k.sealed, 'hex') FROM webhook.keys k JOIN webhook.endpoints e USING (endpoint_id)"
    " ORDER BY k.key_no";
enum { COL_NO, COL_TENANT, COL_NAME, COL_SCHEME, COL_KEY, COL_WRAPPED, COL_SEALED };

static const char rewrap_sql[] = "UPDATE webhook.keys SET key_id = $2, wrapped = decode($3, 'hex')"
                                 " WHERE key_no = $1::bigint RETURNING 1";

static enum err_code rewrap(const PGresult *res, int row, const struct keyring *k,
                            struct sealed *sealed, struct err *err)
{
    struct webhook_key_of of = {.tenant = str_of(pg_text(res, row, COL_TENANT)),
                                .name = str_of(pg_text(res, row, COL_NAME))};

    if (!webhook_scheme_parse(str_of(pg_text(res, row, COL_SCHEME)), &of.scheme))
        return err_set(err, ERR_CONFIG, "a key of an unknown scheme");
    if (credential_read_sealed(pg_text(res, row, COL_KEY), pg_text(res, row, COL_WRAPPED),
                               pg_text(res, row, COL_SEALED), sealed, err) != ERR_OK)
        return err->code;
    return webhook_key_rewrap(k, &of, sealed, err);
}

static enum err_code rewrap_one(PGconn *conn, const PGresult *res, int row, const struct keyring *k,
                                struct credential_rewrapped *out, struct err *err)
{
    AUTO(sealed_release) struct sealed sealed = {0};
    char wrapped[2 * SEALED_WRAPPED_BYTES + 1];
    AUTO_RES *done = NULL;

    if (strcmp(pg_text(res, row, COL_KEY), keyring_id(k, 0)) == 0) {
        out->already++;
        return ERR_OK;
    }
    if (rewrap(res, row, k, &sealed, err) != ERR_OK) {
        out->failed++;
        (void)err_wrap(err, "webhook '%s'", pg_text(res, row, COL_NAME));
        return ERR_OK;
    }
    sodium_bin2hex(wrapped, sizeof(wrapped), sealed.wrapped, sizeof(sealed.wrapped));
    const char *const v[] = {pg_text(res, row, COL_NO), sealed.key_id, wrapped};
    enum err_code rc = pg_once(conn, rewrap_sql, COUNTOF(v), v, &done, err);
    out->done += rc == ERR_OK && PQntuples(done) > 0; /* else it was removed meanwhile */
    return rc;
}

enum err_code webhook_rows_rewrap(PGconn *conn, const struct keyring *k,
                                  struct credential_rewrapped *out, struct err *err)
{
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, keys_sql, 0, NULL, &res, err);

    for (int row = 0; rc == ERR_OK && row < PQntuples(res); row++)
        rc = rewrap_one(conn, res, row, k, out, err);
    return rc;
}
