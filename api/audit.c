/* SPDX-License-Identifier: Apache-2.0 */
#include "api/audit.h"

#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "common/json.h"
#include "common/log.h"
#include "common/banned.h"

enum { STATUS_TEXT = 16 };

bool audit_wanted(const struct call *c)
{
    return c->route && strcmp(c->route->method, "GET") != 0 && c->who.tenant[0] != '\0';
}

static void describe(const struct call *c, struct buf *out)
{
    AUTO_BUF action = BUF_INIT(AUDIT_MAX_BYTES);

    buf_addf(&action, "%s %s", c->route->method, c->route->path);
    buf_addc(out, '{');
    json_kv(out, "request", c->id);
    json_kv(out, "tenant", c->who.tenant);
    json_kv(out, "kind", c->who.key_id[0] ? "api_key" : "anonymous");
    json_kv(out, "actor", c->who.key_id);
    json_kv_str(out, "action", buf_str(&action));
    if (c->made[0])
        json_kv(out, "object", c->made);
    else if (c->param[0].n > 0)
        json_kv_str(out, "object", c->param[0]);
    buf_addc(out, '}');
}

/* In hexadecimal: what somebody put into a path cannot end the text. */
void audit_before(const struct call *c, struct buf *out)
{
    AUTO_BUF told = BUF_INIT(AUDIT_MAX_BYTES);

    describe(c, &told);
    buf_adds(out, "SELECT set_config('sandfleet.audit', convert_from(decode('");
    for (size_t i = 0; i < told.len; i++)
        buf_addf(out, "%02x", (unsigned char)told.p[i]);
    buf_adds(out, "', 'hex'), 'UTF8'), true)");
    if (told.rc != ERR_OK)
        out->rc = told.rc;
}

static void lost(const struct call *c, const char *status, const char *why)
{
    log_event(LOG_WARN, "audit.not_stored", LF("request", c->id), LF("tenant", c->who.tenant),
              LF("key", c->who.key_id), LF("method", c->route->method), LF("route", c->route->path),
              LF("outcome", status), LF("why", why));
}

static void on_stored(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;

    (void)res;
    if (e->code != ERR_OK)
        lost(c, "", e->msg);
    call_drop(c);
}

void audit_answered(struct call *c, int status)
{
    static const char sql[] = "SELECT door.audit_add($1::json, $2)";
    AUTO_BUF told = BUF_INIT(AUDIT_MAX_BYTES);
    char outcome[STATUS_TEXT] = "unanswered";
    struct pg *db = api_db(c->api);
    struct err err = ERR_INIT;

    if (!audit_wanted(c))
        return;
    if (status > 0)
        (void)snprintf(outcome, sizeof(outcome), "%d", status);
    describe(c, &told);
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {told.p, outcome}};
    if (told.rc != ERR_OK || !db) {
        lost(c, outcome, db ? "out of memory" : "the database is away");
        return;
    }
    call_keep(c);
    if (pg_send(db, &cmd, on_stored, c, &err) == ERR_OK)
        return;
    lost(c, outcome, err.msg);
    call_drop(c);
}
