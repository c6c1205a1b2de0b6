/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/limits.h"

#include <inttypes.h>
#include <string.h>

#include "common/json/json.h"
#include "common/pg/pg_once.h"
#include "common/banned.h"

/* --- what there is ------------------------------------------------------------ */

static const struct limit {
    const char *scope, *setting;
    int64_t least, most;
    int64_t def;   /* -1: no limit */
    bool may_none; /* may be without */
} limits[] = {
    {"fleet", "concurrency", 0, LIMIT_MAX, LIMIT_FLEET_CONCURRENCY, true},
    {"fleet", "starts_per_minute", 0, LIMIT_MAX, LIMIT_FLEET_STARTS_PER_MINUTE, true},
    {"tenant", "concurrency", 0, LIMIT_MAX, -1, true},
    {"credential", "concurrency", 0, LIMIT_MAX, -1, true},
    {"key", "weight", 1, LIMIT_WEIGHT_MAX, 1, false},
};

static const struct limit *find(struct str scope, const char *setting)
{
    for (size_t i = 0; i < COUNTOF(limits); i++)
        if (str_is(scope, limits[i].scope) && strcmp(limits[i].setting, setting) == 0)
            return &limits[i];
    return NULL;
}

/* "tenant:acme" into its two; the fleet has no name. */
static bool split(const char *who, struct str *scope, struct str *name)
{
    struct str rest = str_of(who);

    if (!str_next(&rest, ':', scope))
        return false;
    *name = rest.p ? rest : STR("*");
    return str_is(*scope, "fleet") ? !rest.p : rest.p && (str_is(rest, "*") || run_name_ok(rest));
}

static enum err_code parse_to(const struct limit *l, const char *to, struct limit_change *out,
                              struct err *err)
{
    struct str s = str_of(to);

    out->to = str_is(s, "none")      ? LIMIT_TO_NONE
              : str_is(s, "default") ? LIMIT_TO_DEFAULT
                                     : LIMIT_TO_VALUE;
    if (out->to == LIMIT_TO_NONE && !l->may_none)
        return err_set(err, ERR_USAGE, "%s is a number or default, not none", l->setting);
    if (out->to == LIMIT_TO_VALUE && (!str_int(s, l->most, &out->value) || out->value < l->least))
        return err_set(err, ERR_USAGE, "%s is %" PRId64 "..%" PRId64 "%s or default, not '%.40s'",
                       l->setting, l->least, l->most, l->may_none ? ", none" : "", to);
    return ERR_OK;
}

enum err_code limits_parse(const char *who, const char *setting, const char *to,
                           struct limit_change *out, struct err *err)
{
    struct str scope;

    *out = (struct limit_change){0};
    if (!split(who, &scope, &out->name))
        return err_set(err, ERR_USAGE,
                       "a limit is of fleet, tenant:NAME, credential:NAME or key:NAME, "
                       "not of '%.40s'",
                       who);
    const struct limit *l = find(scope, setting);
    if (!l)
        return err_set(err, ERR_USAGE,
                       "'%.40s' has no '%.40s': a fleet has concurrency and starts_per_minute, a "
                       "tenant and a credential concurrency, a key weight",
                       who, setting);
    out->scope = l->scope;
    out->setting = l->setting;
    return parse_to(l, to, out, err);
}

/* --- their rows ---------------------------------------------------------------- */

/* $1 scope $2 name $3 setting $4 value or NULL. Workers that wait look again at once. */
static const char set_sql[] =
    "WITH changed AS (INSERT INTO ledger.limits (scope, name, setting, value)"
    " VALUES ($1, $2, $3, $4::int) ON CONFLICT (scope, name, setting)"
    " DO UPDATE SET value = EXCLUDED.value, updated_at = now() RETURNING scope)"
    " SELECT pg_notify('ledger_due', '') FROM changed";

static const char unset_sql[] =
    "WITH changed AS (DELETE FROM ledger.limits WHERE scope = $1 AND name = $2 AND setting = $3)"
    " SELECT pg_notify('ledger_due', '')";

static const char list_sql[] = "SELECT scope, name, setting, value FROM ledger.limits"
                               " ORDER BY array_position('{fleet,tenant,credential,key}', scope),"
                               " setting, name <> '*', name";

/* The fleet's default is a number, and stands in its row; another's is to have none. */
static int64_t row_value(const struct limit_change *c)
{
    if (c->to == LIMIT_TO_VALUE)
        return c->value;
    return c->to == LIMIT_TO_DEFAULT && strcmp(c->scope, "fleet") == 0
               ? find(str_of(c->scope), c->setting)->def
               : -1;
}

void limits_command(const struct limit_change *c, struct limit_command *out)
{
    int64_t value = row_value(c);
    bool unset = c->to == LIMIT_TO_DEFAULT && value < 0;

    (void)snprintf(out->name, sizeof(out->name), STR_FMT, STR_ARG(c->name));
    (void)snprintf(out->value, sizeof(out->value), "%" PRId64, value);
    out->sql = unset ? unset_sql : set_sql;
    out->n = unset ? 3 : 4;
    out->v[0] = c->scope;
    out->v[1] = out->name;
    out->v[2] = c->setting;
    out->v[3] = value < 0 ? NULL : out->value;
}

enum err_code limits_set(const char *conninfo, const struct limit_change *c, struct err *err)
{
    struct limit_command cmd;
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;

    limits_command(c, &cmd);
    enum err_code rc = pg_once_open(conninfo, "sandfleet limits", &conn, err);
    if (rc != ERR_OK)
        return rc;
    return pg_once(conn, cmd.sql, cmd.n, cmd.v, &res, err);
}

static void add_text(const PGresult *res, int row, struct buf *out)
{
    const char *name = pg_text(res, row, 1), *value = pg_text(res, row, 3);
    bool fleet = strcmp(pg_text(res, row, 0), "fleet") == 0;

    buf_addf(out, "%s%s%s %s %s\n", pg_text(res, row, 0), fleet ? "" : ":", fleet ? "" : name,
             pg_text(res, row, 2), value ? value : "none");
}

static void add_json(const PGresult *res, int row, struct buf *out)
{
    const char *value = pg_text(res, row, 3);

    buf_adds(out, row == 0 ? "{" : ",{");
    json_kv(out, "scope", pg_text(res, row, 0));
    json_kv(out, "name", pg_text(res, row, 1));
    json_kv(out, "setting", pg_text(res, row, 2));
    json_kv_raw(out, "value", value ? str_of(value) : STR("null"));
    buf_addc(out, '}');
}

enum err_code limits_list(const char *conninfo, bool json, struct buf *out, struct err *err)
{
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once_open(conninfo, "sandfleet limits", &conn, err);

    if (rc == ERR_OK)
        rc = pg_once(conn, list_sql, 0, NULL, &res, err);
    if (rc != ERR_OK)
        return rc;
    buf_adds(out, json ? "[" : "");
    for (int row = 0; row < PQntuples(res); row++)
        (json ? add_json : add_text)(res, row, out);
    buf_adds(out, json ? "]\n" : "");
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "the limits");
}
