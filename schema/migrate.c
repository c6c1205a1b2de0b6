/* SPDX-License-Identifier: Apache-2.0 */
/* Each migration is one transaction that also writes its row in
 * public.sandfleet_migrations: a kill leaves the version before or the one behind. */
#include "schema/migrate.h"

#include <inttypes.h>
#include <string.h>

#include <libpq-fe.h>
#include <sodium.h>

#include "schema/migrate_list.h"
#include "common/pg/pg_once.h"
#include "common/banned.h"

enum { CHECKSUM_BYTES = 32, CHECKSUM_TEXT = 2 * CHECKSUM_BYTES + 1 };

static void checksum(const struct migration *m, char out[CHECKSUM_TEXT])
{
    uint8_t digest[CHECKSUM_BYTES];

    crypto_generichash(digest, sizeof(digest), (const unsigned char *)m->sql, *m->len, NULL, 0);
    sodium_bin2hex(out, CHECKSUM_TEXT, digest, sizeof(digest));
}

/* --- libpq, blocking ---------------------------------------------------------- */

static enum err_code run(PGconn *conn, const char *sql, struct err *err)
{
    AUTO_RES *res = NULL;

    return pg_once(conn, sql, 0, NULL, &res, err);
}

static enum err_code connect_to(const char *conninfo, PGconn **out, struct err *err)
{
    enum err_code rc = pg_once_open(conninfo, "sandfleet migrate", out, err);

    if (rc != ERR_OK)
        return rc;
    const char *encoding = PQparameterStatus(*out, "server_encoding");
    if (!encoding || strcmp(encoding, "UTF8") != 0)
        return err_set(err, ERR_CONFIG,
                       "the database's encoding is %s: make one with ENCODING 'UTF8'",
                       encoding ? encoding : "unknown");
    return ERR_OK;
}

/* --- what is there ------------------------------------------------------------ */

/* A query on a table that may not exist must not name it before it runs. */
const char migrate_version_sql[] =
    "SELECT CASE WHEN to_regclass('public.sandfleet_migrations') IS NULL THEN 0 ELSE "
    "coalesce((xpath('/row/v/text()', query_to_xml('SELECT max(version) AS v "
    "FROM public.sandfleet_migrations', false, true, '')))[1]::text::bigint, 0) END";

enum err_code migrate_judge(int64_t version, struct err *err)
{
    if (version > SCHEMA_VERSION)
        return err_set(err, ERR_CONFIG,
                       "the database's schema is version %" PRId64
                       ", newer than this program's %d: update the program",
                       version, SCHEMA_VERSION);
    if (version < SCHEMA_VERSION)
        return err_set(err, ERR_CONFIG,
                       "the database's schema is version %" PRId64
                       ", this program needs %d: run `sandfleet migrate`",
                       version, SCHEMA_VERSION);
    return ERR_OK;
}

static enum err_code read_version(PGconn *conn, int64_t *out, struct err *err)
{
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once(conn, migrate_version_sql, 0, NULL, &res, err);

    *out = rc == ERR_OK ? pg_int(res, 0, 0) : 0;
    return rc;
}

/* Row i must be migration i, as it is in this program. */
static enum err_code check_row(const PGresult *res, int row, struct err *err)
{
    const struct migration *m = &schema_migrations[row];
    char want[CHECKSUM_TEXT];

    checksum(m, want);
    if (pg_int(res, row, 0) != row + 1 || strcmp(pg_text(res, row, 1), want) != 0)
        return err_set(err, ERR_CONFIG,
                       "migration %s was applied with another content: the database was made "
                       "by another build",
                       m->name);
    return ERR_OK;
}

static enum err_code check_applied(PGconn *conn, int64_t version, struct err *err)
{
    AUTO_RES *res = NULL;
    enum err_code rc = ERR_OK;

    if (version > SCHEMA_VERSION)
        return migrate_judge(version, err);
    if (version == 0)
        return ERR_OK;
    rc = pg_once(conn, "SELECT version, checksum FROM public.sandfleet_migrations ORDER BY version",
                 0, NULL, &res, err);
    for (int row = 0; rc == ERR_OK && row < (int)version; row++)
        rc = row < PQntuples(res)
                 ? check_row(res, row, err)
                 : err_set(err, ERR_CONFIG, "public.sandfleet_migrations lacks rows");
    return rc;
}

/* --- applying ----------------------------------------------------------------- */

static enum err_code record(PGconn *conn, int64_t version, const struct migration *m,
                            struct err *err)
{
    AUTO_RES *res = NULL;
    char number[24], sum[CHECKSUM_TEXT];
    const char *const values[] = {number, m->name, sum};

    (void)snprintf(number, sizeof(number), "%" PRId64, version);
    checksum(m, sum);
    return pg_once(conn,
                   "INSERT INTO public.sandfleet_migrations (version, name, checksum) "
                   "VALUES ($1, $2, $3)",
                   COUNTOF(values), values, &res, err);
}

static enum err_code apply(PGconn *conn, int64_t version, struct err *err)
{
    const struct migration *m = &schema_migrations[version - 1];
    struct err ignored = ERR_INIT;
    enum err_code rc = run(conn, "BEGIN", err);

    if (rc == ERR_OK)
        rc = run(conn, m->sql, err);
    if (rc == ERR_OK)
        rc = record(conn, version, m, err);
    if (rc == ERR_OK)
        rc = run(conn, "COMMIT", err);
    if (rc == ERR_OK)
        return ERR_OK;
    (void)run(conn, "ROLLBACK", &ignored);
    (void)err_wrap(err, "migration %s", m->name);
    return rc;
}

static enum err_code apply_missing(PGconn *conn, FILE *out, struct err *err)
{
    int64_t version, from;
    enum err_code rc = read_version(conn, &version, err);

    if (rc == ERR_OK)
        rc = check_applied(conn, version, err);
    if (rc == ERR_OK && version == 0)
        rc = run(conn,
                 "CREATE TABLE IF NOT EXISTS public.sandfleet_migrations ("
                 "version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, "
                 "applied_at timestamptz NOT NULL DEFAULT now())",
                 err);
    for (from = version; rc == ERR_OK && version < SCHEMA_VERSION;) {
        rc = apply(conn, ++version, err);
        if (rc == ERR_OK)
            (void)fprintf(out, "applied %s\n", schema_migrations[version - 1].name);
    }
    if (rc == ERR_OK && from == SCHEMA_VERSION)
        (void)fprintf(out, "up to date at version %d\n", SCHEMA_VERSION);
    return rc;
}

enum err_code migrate_apply(const char *conninfo, FILE *out, struct err *err)
{
    AUTO_CONN *conn = NULL;
    enum err_code rc = connect_to(conninfo, &conn, err);

    if (rc == ERR_OK) /* held until the connection ends; a second migrator waits here */
        rc = run(conn, "SELECT pg_advisory_lock(hashtext('sandfleet_migrations'))", err);
    return rc == ERR_OK ? apply_missing(conn, out, err) : rc;
}
