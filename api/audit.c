/* SPDX-License-Identifier: Apache-2.0 */
#include "api/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

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

struct told { /* {"told":…,"outcome":"201"} */
    STAILQ_ENTRY(told) link;
    size_t n;
    char json[];
};
STAILQ_HEAD(told_list, told);

struct audits {
    struct api *api;
    struct timer *timer;
    struct told_list waiting, flying;
    size_t bytes; /* of both */
};

static void lost(const char *row, const char *why)
{
    log_event(LOG_WARN, "audit.not_stored", LF("row", row), LF("why", why));
}

/* why NULL: they are stored. */
static void end_flight(struct audits *t, const char *why)
{
    struct told *e;

    while ((e = STAILQ_FIRST(&t->flying))) {
        STAILQ_REMOVE_HEAD(&t->flying, link);
        t->bytes -= e->n;
        if (why)
            lost(e->json, why);
        free(e);
    }
    if (!STAILQ_EMPTY(&t->waiting))
        timer_start(t->timer, 0);
}

static void on_stored(void *ctx, PGresult *res, const struct err *e)
{
    (void)res;
    end_flight(ctx, e->code != ERR_OK ? e->msg : NULL);
}

static void gather(struct audits *t, struct buf *out)
{
    struct told *e;

    for (size_t n = 0; n < AT_ONCE && (e = STAILQ_FIRST(&t->waiting)); n++) {
        STAILQ_REMOVE_HEAD(&t->waiting, link);
        STAILQ_INSERT_TAIL(&t->flying, e, link);
        buf_addc(out, n ? ',' : '[');
        buf_add(out, e->json, e->n);
    }
    buf_addc(out, ']');
}

/* One statement at a time: what comes meanwhile goes together with the next. */
static void fly(void *ctx)
{
    static const char sql[] = "SELECT door.audit_add(x.told, x.outcome)"
                              " FROM json_to_recordset($1::json) AS x(told json, outcome text)";
    struct audits *t = ctx;
    AUTO_BUF rows = BUF_INIT(AT_ONCE * (AUDIT_MAX_BYTES + OUTCOME_ROOM));
    struct pg *db = api_db(t->api);
    struct err err = ERR_INIT;

    if (!STAILQ_EMPTY(&t->flying) || STAILQ_EMPTY(&t->waiting))
        return;
    gather(t, &rows);
    const struct pg_cmd cmd = {.sql = sql, .keep = true, .n = 1, .v = {rows.p}};
    if (rows.rc != ERR_OK)
        end_flight(t, "out of memory");
    else if (!db)
        end_flight(t, "the database is away");
    else if (pg_send(db, &cmd, on_stored, t, &err) != ERR_OK)
        end_flight(t, err.msg);
}

static void add(struct audits *t, struct str row)
{
    struct told *e = t->bytes + row.n <= WAITING_BYTES ? malloc(sizeof(*e) + row.n + 1) : NULL;

    if (!e) {
        lost(row.p, "too many wait for the database");
        return;
    }
    e->n = row.n;
    memcpy(e->json, row.p, row.n + 1);
    STAILQ_INSERT_TAIL(&t->waiting, e, link);
    t->bytes += e->n;
    if (!timer_pending(t->timer))
        timer_start(t->timer, 0);
}

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
    if (row.rc == ERR_OK)
        add(c->api->audits, buf_str(&row));
    else
        lost(c->id, "out of memory");
}

/* --- life ------------------------------------------------------------------------------------ */

struct audits *audits_new(struct api *a)
{
    struct audits *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->api = a;
    STAILQ_INIT(&t->waiting);
    STAILQ_INIT(&t->flying);
    t->timer = timer_new(a->loop, fly, t);
    if (t->timer)
        return t;
    free(t);
    return NULL;
}

bool audits_idle(const struct audits *t)
{
    return STAILQ_EMPTY(&t->waiting) && STAILQ_EMPTY(&t->flying);
}

void audits_free(struct audits *t)
{
    if (!t)
        return;
    STAILQ_CONCAT(&t->flying, &t->waiting);
    end_flight(t, "the server is stopping");
    timer_free(t->timer);
    free(t);
}
