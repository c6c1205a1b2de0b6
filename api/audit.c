/* SPDX-License-Identifier: Apache-2.0 */
#include "api/audit.h"

#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "common/json/json.h"
#include "common/log.h"
#include "common/banned.h"

enum {
    STATUS_TEXT = 16,
    OUTCOME_ROOM = 64,
    AT_ONCE = 256, /* rows a statement */
    WAITING_BYTES = 8 << 20
};

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

/* --- behind the answer ------------------------------------------------------------------- */

static void lost(const char *row, const char *why)
{
    log_event(LOG_WARN, "audit.not_stored", LF("row", row), LF("why", why));
}

static void landed(struct telling *t, const struct err *e)
{
    while (!TAILQ_EMPTY(&t->flying)) {
        if (e->code != ERR_OK)
            lost(TAILQ_FIRST(&t->flying)->json, e->msg);
        telling_end(t, e->code == ERR_OK);
    }
}

static void dropped(const struct told_row *row)
{
    lost(row->json, "the server is stopping");
}

/* A row: {"told":…,"outcome":"201"} */
const struct telling_kind audit_telling = {
    .sql = "SELECT door.audit_add(x.told, x.outcome)"
           " FROM json_to_recordset($1::json) AS x(told json, outcome text)",
    .row_max = AUDIT_MAX_BYTES + OUTCOME_ROOM,
    .at_once = AT_ONCE,
    .at_once_bytes = AT_ONCE * (AUDIT_MAX_BYTES + OUTCOME_ROOM),
    .waiting_bytes = WAITING_BYTES,
    .landed = landed,
    .dropped = dropped,
};

void audit_answered(struct call *c, int status)
{
    char outcome[STATUS_TEXT] = "unanswered";
    AUTO_BUF row = BUF_INIT(AUDIT_MAX_BYTES + OUTCOME_ROOM);

    if (!audit_wanted(c))
        return;
    if (status > 0)
        (void)snprintf(outcome, sizeof(outcome), "%d", status);
    buf_adds(&row, "{\"told\":");
    describe(c, &row);
    json_kv(&row, "outcome", outcome);
    buf_addc(&row, '}');
    if (row.rc != ERR_OK)
        lost(c->id, "out of memory");
    else if (!telling_add(c->api->audits, buf_str(&row), NULL, NULL))
        lost(row.p, "too many wait for the database");
}
