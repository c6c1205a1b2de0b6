/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/session/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "worker/session/session_row.h"
#include "worker/session/session_sql.h"
#include "common/banned.h"

enum { AT_ONCE = 50 /* rows a round */ };

struct sweep {
    struct sweep_opts o;
    struct timer *timer;
    bool leads, asked;
    struct store_call *call;
    char key[STORE_KEY_MAX + 1]; /* being removed */
    PGresult *dead;              /* of this round; NULL: none */
    int row;
};

static void next(struct sweep *s);

static void end_round(struct sweep *s)
{
    PQclear(s->dead);
    s->dead = NULL;
    s->asked = false;
}

/* Removed from the ledger or not: asked again, it is not in the store any more. */
static void ignore(void *ctx, bool held, const struct err *e)
{
    (void)ctx, (void)held, (void)e;
}

static void on_removed(void *ctx, struct buf *bytes, const struct err *e)
{
    struct sweep *s = ctx;

    (void)bytes;
    s->call = NULL;
    if (e->code == ERR_OK)
        (void)session_row_removed(s->o.ledger, s->key, ignore, NULL);
    else
        log_event(LOG_WARN, "transcript.not_removed", LF("key", s->key), LF_ERR(e));
    s->row++;
    next(s);
}

/* One after the other: there is no hurry. */
static void next(struct sweep *s)
{
    struct err err = ERR_INIT;
    const char *key = s->row < PQntuples(s->dead) ? pg_text(s->dead, s->row, 0) : NULL;

    if (!key || !s->leads) {
        end_round(s);
        return;
    }
    (void)snprintf(s->key, sizeof(s->key), "%s", key);
    if (store_remove(s->o.store, key, on_removed, s, &s->call, &err) == ERR_OK)
        return;
    log_event(LOG_WARN, "transcript.not_removed", LF("key", key), LF_ERR(&err));
    end_round(s);
}

static void on_dead(void *ctx, PGresult *res, const struct err *e)
{
    struct sweep *s = ctx;

    if (e->code != ERR_OK || PQntuples(res) == 0 || !s->o.store) {
        s->asked = false;
        return;
    }
    s->dead = PQcopyResult(res, PG_COPYRES_TUPLES);
    s->row = 0;
    if (s->dead)
        next(s);
    else
        s->asked = false;
}

static bool ask(struct sweep *s, const char *sql, int64_t ms, pg_fn fn)
{
    char ms_text[32], most[32];
    struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {ms_text, most}};
    struct err err = ERR_INIT;

    (void)snprintf(ms_text, sizeof(ms_text), "%" PRId64, ms);
    (void)snprintf(most, sizeof(most), "%d", AT_ONCE);
    return ledger_send(s->o.ledger, &cmd, fn, s, &err) == ERR_OK;
}

static void on_forgotten(void *ctx, PGresult *res, const struct err *e)
{
    struct sweep *s = ctx;

    (void)res;
    if (e->code != ERR_OK || !s->leads || !ask(s, session_sql_dead, s->o.grace_ms, on_dead))
        s->asked = false;
}

static void on_timer(void *ctx)
{
    struct sweep *s = ctx;

    timer_start(s->timer, s->o.every_ms);
    if (!s->asked)
        s->asked = ask(s, session_sql_forget, s->o.keep_ms, on_forgotten);
}

struct sweep *sweep_new(const struct sweep_opts *opts)
{
    struct sweep *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->o = *opts;
    s->timer = timer_new(opts->loop, on_timer, s);
    if (s->timer)
        return s;
    free(s);
    return NULL;
}

void sweep_lead(struct sweep *s, bool leads)
{
    s->leads = leads;
    if (leads)
        timer_start(s->timer, 0);
    else
        timer_stop(s->timer);
}

void sweep_free(struct sweep *s)
{
    if (!s)
        return;
    store_cancel(s->call);
    PQclear(s->dead);
    timer_free(s->timer);
    free(s);
}
