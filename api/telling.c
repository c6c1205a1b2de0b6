/* SPDX-License-Identifier: Apache-2.0 */
#include "api/telling.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"

#include "common/banned.h"

enum { AGAIN_BASE_MS = 100, AGAIN_CAP_MS = 5000 };

static void landed(struct telling *t, const struct err *e)
{
    t->kind->landed(t, e);
    if (!TAILQ_EMPTY(&t->waiting) && !timer_pending(t->timer))
        timer_start(t->timer, 0);
}

static void on_landed(void *ctx, PGresult *res, const struct err *e)
{
    (void)res;
    landed(ctx, e);
}

static void gather(struct telling *t, struct buf *out)
{
    struct told_row *r;

    while ((r = TAILQ_FIRST(&t->waiting)) && t->n_flying < (t->single ? 1 : t->kind->at_once) &&
           (t->n_flying == 0 || out->len + r->n < t->kind->at_once_bytes)) {
        TAILQ_REMOVE(&t->waiting, r, link);
        TAILQ_INSERT_TAIL(&t->flying, r, link);
        buf_addc(out, t->n_flying++ ? ',' : '[');
        buf_add(out, r->json, r->n);
    }
    t->single -= t->single > 0;
    buf_addc(out, ']');
}

static void fly(void *ctx)
{
    struct telling *t = ctx;
    AUTO_BUF rows = BUF_INIT(t->kind->at_once_bytes + t->kind->row_max);
    struct pg *db = api_db(t->api);
    struct err err = ERR_INIT;

    if (!TAILQ_EMPTY(&t->flying) || TAILQ_EMPTY(&t->waiting))
        return;
    gather(t, &rows);
    const struct pg_cmd cmd = {
        .before = t->kind->before, .sql = t->kind->sql, .keep = true, .n = 1, .v = {rows.p}};
    if (rows.rc != ERR_OK)
        (void)err_set(&err, ERR_UNAVAILABLE, "out of memory");
    else if (!db)
        (void)err_set(&err, ERR_UNAVAILABLE, "the database is away");
    else
        (void)!pg_send(db, &cmd, on_landed, t, &err);
    if (err.code != ERR_OK)
        landed(t, &err);
}

static struct told_row *take(struct telling *t)
{
    struct told_row *r = TAILQ_FIRST(&t->flying);

    TAILQ_REMOVE(&t->flying, r, link);
    t->n_flying--;
    t->bytes -= r->n;
    return r;
}

void telling_end(struct telling *t, bool told)
{
    struct told_row *r = take(t);

    if (r->fn)
        r->fn(r->ctx, told);
    free(r);
}

void telling_again(struct telling *t, int64_t in_ms)
{
    struct told_row *r;

    while ((r = TAILQ_LAST(&t->flying, told_rows))) {
        TAILQ_REMOVE(&t->flying, r, link);
        TAILQ_INSERT_HEAD(&t->waiting, r, link);
    }
    t->n_flying = 0;
    timer_start(t->timer, in_ms);
}

bool telling_add(struct telling *t, struct str row, void (*fn)(void *ctx, bool told), void *ctx)
{
    bool room = t->bytes + row.n <= t->kind->waiting_bytes;
    struct told_row *r = room ? malloc(sizeof(*r) + row.n + 1) : NULL;

    if (!r)
        return false;
    *r = (struct told_row){.fn = fn, .ctx = ctx, .n = row.n};
    memcpy(r->json, row.p, row.n);
    r->json[row.n] = '\0';
    TAILQ_INSERT_TAIL(&t->waiting, r, link);
    t->bytes += r->n;
    if (!timer_pending(t->timer) || fn) /* somebody waits: no longer than for this turn's others */
        timer_start(t->timer, 0);
    return true;
}

struct telling *telling_new(struct api *a, const struct telling_kind *kind)
{
    struct telling *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->kind = kind;
    t->api = a;
    t->backoff = BACKOFF_INIT(AGAIN_BASE_MS, AGAIN_CAP_MS);
    TAILQ_INIT(&t->waiting);
    TAILQ_INIT(&t->flying);
    t->timer = timer_new(a->loop, fly, t);
    if (t->timer)
        return t;
    free(t);
    return NULL;
}

bool telling_idle(const struct telling *t)
{
    return TAILQ_EMPTY(&t->waiting) && TAILQ_EMPTY(&t->flying);
}

void telling_free(struct telling *t)
{
    if (!t)
        return;
    TAILQ_CONCAT(&t->flying, &t->waiting, link);
    for (struct told_row *r; !TAILQ_EMPTY(&t->flying); free(r)) {
        r = take(t);
        if (t->kind->dropped)
            t->kind->dropped(r);
    }
    timer_free(t->timer);
    free(t);
}
