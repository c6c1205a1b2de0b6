/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/purge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api_internal.h"
#include "api/intake/note.h"
#include "common/log.h"
#include "common/banned.h"

enum { EVERY_MS = 20000, AT_ONCE = 2000 };

/* $1 at most so many. The topics keep a request for two weeks: one that the sink has not seen by
 * then it never will. */
static const char accepted_sql[] =
    "DELETE FROM door.accepted WHERE run_id = ANY (ARRAY(SELECT a.run_id FROM door.accepted a"
    " LEFT JOIN fleet.runs r USING (run_id) WHERE a.at < now() - interval '5 seconds'"
    " AND (r.created_at IS NOT NULL OR a.at < now() - interval '15 days')"
    " LIMIT $1::bigint)) RETURNING true";
/* $1 at most so many $2 ms that they are kept */
static const char keys_sql[] =
    "DELETE FROM door.idempotency i USING (SELECT tenant, key FROM door.idempotency"
    " WHERE at < now() - $2::bigint * interval '1 ms'"
    " AND (locked_until IS NULL OR locked_until < now()) LIMIT $1::bigint) AS old"
    " WHERE (i.tenant, i.key) = (old.tenant, old.key) RETURNING true";
/* $1 at most so many */
static const char revoked_sql[] =
    "DELETE FROM ledger.cancellations c USING (SELECT tenant, run_id FROM ledger.cancellations"
    " WHERE requested_by = '" NOTE_BY "' AND at < now() - interval '15 days'"
    " LIMIT $1::bigint) AS old"
    " WHERE (c.tenant, c.run_id) = (old.tenant, old.run_id) RETURNING true";

static const struct step {
    const char *what, *sql;
    int n;
} steps[] = {
    {"accepted", accepted_sql, 1}, {"idempotency", keys_sql, 2}, {"cancellations", revoked_sql, 1}};

struct purge {
    struct api *api;
    struct timer *timer;
    size_t step;
};

static void ask(void *ctx);

static void on_done(void *ctx, PGresult *res, const struct err *e)
{
    struct purge *p = ctx;

    if (e->code != ERR_OK)
        log_event(LOG_WARN, "api.not_purged", LF("what", steps[p->step].what), LF_ERR(e));
    if (e->code != ERR_OK || PQntuples(res) < AT_ONCE) /* else there may be more */
        p->step = (p->step + 1) % COUNTOF(steps);
    timer_start(p->timer, p->step == 0 ? EVERY_MS : 0);
}

static void ask(void *ctx)
{
    struct purge *p = ctx;
    struct pg *db = api_db(p->api);
    char most[24], keep[24];
    struct err err = ERR_INIT;
    const struct pg_cmd cmd = {.sql = steps[p->step].sql, .n = steps[p->step].n, .v = {most, keep}};

    (void)snprintf(most, sizeof(most), "%d", AT_ONCE);
    (void)snprintf(keep, sizeof(keep), "%" PRId64, p->api->set->idempotency_ms);
    if (!db || pg_send(db, &cmd, on_done, p, &err) != ERR_OK)
        timer_start(p->timer, EVERY_MS);
}

struct purge *purge_new(struct api *a)
{
    struct purge *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->api = a;
    p->timer = timer_new(a->loop, ask, p);
    if (!p->timer) {
        free(p);
        return NULL;
    }
    timer_start(p->timer, EVERY_MS);
    return p;
}

void purge_free(struct purge *p)
{
    if (!p)
        return;
    timer_free(p->timer);
    free(p);
}
