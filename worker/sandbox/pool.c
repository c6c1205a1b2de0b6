/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/pool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/backoff.h"
#include "common/log.h"
#include "worker/run/claude_update.h"
#include "schema/sandbox_ask.h"
#include "worker/sandbox/sandbox_row.h"
#include "worker/sandbox/sandbox_sql.h"
#include "common/banned.h"

enum {
    MAKING_MAX = 4,            /* at once: the service allows few creates a second */
    MARGIN_MS = 5 * 60 * 1000, /* it outlives its time in the pool, for the janitor to end it */
    AGAIN_BASE_MS = 1000,
    AGAIN_CAP_MS = 60 * 1000,
    LIST_MAX_BYTES = 8192
};

struct warming { /* one that is being made */
    LIST_ENTRY(warming) link;
    struct pool *pool;
    char key[SANDBOX_KEY_TEXT], template[POOL_TEMPLATE_TEXT], maker[160];
    int64_t began_ms;
    struct sandbox *sb;
    struct claude_update *update;
    struct ledger_op *op;
};

struct pool {
    struct pool_opts opts;
    LIST_HEAD(, warming) making;
    int n_making;
    bool leading, asking;
    int64_t term; /* of our leadership: rows of an earlier one are taken over like others' */
    struct backoff backoff;
    int64_t not_before_ms;
};

/* --- one sandbox ------------------------------------------------------------- */

static void warming_free(struct warming *w)
{
    LIST_REMOVE(w, link);
    w->pool->n_making--;
    claude_update_free(w->update);
    sandbox_free(w->sb);
    free(w);
}

static int64_t now_ms(const struct pool *p)
{
    return loop_now_ms(p->opts.loop);
}

static void on_unmade(void *ctx, bool held, const struct err *e)
{
    (void)held, (void)e;
    warming_free(ctx);
}

static void fail(struct warming *w, const struct err *e)
{
    struct pool *p = w->pool;
    int64_t wait = backoff_next_ms(&p->backoff);

    wait = e->retry_ms > wait ? e->retry_ms : wait;
    p->not_before_ms = now_ms(p) + wait;
    log_event(LOG_WARN, "pool.not_made", LF("template", w->template), LF_INT("again_in_ms", wait),
              LF_ERR(e));
    w->op = sandbox_row_unmade(p->opts.ledger, w->key, w->maker, on_unmade, w);
    if (!w->op)
        warming_free(w);
}

/* Not held: another leader makes it; it is the same sandbox, so it is left alone. */
static void on_warmed(void *ctx, bool held, const struct err *e)
{
    struct warming *w = ctx;
    struct pool *p = w->pool;

    if (held) {
        p->backoff.tries = 0;
        log_event(LOG_INFO, "sandbox.warm", LF("sandbox", sandbox_id(w->sb)),
                  LF("template", w->template), LF_INT("ms", now_ms(p) - w->began_ms));
    } else if (e->code != ERR_OK) {
        log_event(LOG_ERROR, "ledger.refused", LF("sandbox", sandbox_id(w->sb)), LF_ERR(e));
    }
    warming_free(w);
    pool_look(p);
}

static void offer(struct warming *w)
{
    struct pool *p = w->pool;
    struct sandbox_size size = sandbox_sizes_of(p->opts.sizes, w->template);

    w->op = sandbox_row_warmed(p->opts.ledger, w->key, w->maker, sandbox_id(w->sb),
                               p->opts.warm_age_ms, &size, on_warmed, w);
    if (!w->op)
        warming_free(w);
}

static void on_info(void *ctx, const struct sandbox_info *info, const struct err *e)
{
    struct warming *w = ctx;

    if (e->code == ERR_OK)
        sandbox_sizes_learn(w->pool->opts.sizes, w->template, info->cpu_count, info->memory_mb);
    offer(w);
}

static void on_updated(void *ctx)
{
    struct warming *w = ctx;
    struct pool *p = w->pool;
    struct err err = ERR_INIT;

    w->update = NULL;
    if (sandbox_sizes_of(p->opts.sizes, w->template).usd_per_hour > 0 ||
        sandbox_get(p->opts.sandboxes, sandbox_id(w->sb), on_info, w, &err) != ERR_OK)
        offer(w);
}

static void on_ready(void *ctx, struct sandbox *sb)
{
    struct warming *w = ctx;

    w->sb = sb;
    if (claude_update_applies(w->pool->opts.update_claude, w->template))
        w->update = claude_update_start(sb, on_updated, w);
    if (!w->update)
        on_updated(w);
}

static void on_failed(void *ctx, const struct err *e)
{
    fail(ctx, e);
}

static void make(struct pool *p, const char *key, const char *template, const char *maker)
{
    static const struct sandbox_events events = {.ready = on_ready, .failed = on_failed};
    struct sandbox_want want = {.template = template,
                                .ttl_ms = p->opts.warm_age_ms + MARGIN_MS,
                                .key = key,
                                .ledger = p->opts.ledger_id};
    struct warming *w = calloc(1, sizeof(*w));
    struct sandbox_op *op; /* never cancelled: that would kill what the next leader gets */
    struct err err = ERR_INIT;

    if (!w)
        return;
    *w = (struct warming){.pool = p, .began_ms = now_ms(p)};
    snprintf(w->key, sizeof(w->key), "%s", key);
    snprintf(w->template, sizeof(w->template), "%s", template);
    snprintf(w->maker, sizeof(w->maker), "%s", maker);
    LIST_INSERT_HEAD(&p->making, w, link);
    p->n_making++;
    if (sandbox_create(p->opts.sandboxes, &want, &events, w, &op, &err) != ERR_OK)
        fail(w, &err);
}

/* --- filling ----------------------------------------------------------------- */

static void maker_of(const struct pool *p, char out[160])
{
    snprintf(out, 160, "%s/%" PRId64, p->opts.worker_id, p->term);
}

/* What the settings say; and what somebody asked for, whatever they say. */
static bool wanted(const struct pool *p, const char *key, const char *template)
{
    if (strncmp(key, SANDBOX_ASKED_PREFIX, sizeof(SANDBOX_ASKED_PREFIX) - 1) == 0)
        return true;
    for (int i = 0; i < p->opts.targets.n; i++)
        if (strcmp(p->opts.targets.of[i].template, template) == 0)
            return true;
    return false;
}

static void ignore(void *ctx, bool held, const struct err *e)
{
    (void)ctx, (void)held, (void)e;
}

static void on_refill(void *ctx, PGresult *res, const struct err *e)
{
    struct pool *p = ctx;
    char maker[160];

    p->asking = false;
    if (e->code != ERR_OK) {
        p->term++; /* it may have taken effect */
        return;
    }
    if (!p->leading)
        return;
    maker_of(p, maker);
    for (int row = 0; row < PQntuples(res); row++) {
        const char *key = pg_text(res, row, 0), *template = pg_text(res, row, 1);
        if (wanted(p, key, template))
            make(p, key, template, maker);
        else
            (void)sandbox_row_unmade(p->opts.ledger, key, maker, ignore, NULL);
    }
}

static bool write_targets(const struct pool *p, struct buf *templates, struct buf *counts)
{
    ledger_array_open(templates);
    ledger_array_open(counts);
    for (int i = 0; i < p->opts.targets.n; i++) {
        ledger_array_text(templates, p->opts.targets.of[i].template);
        ledger_array_int(counts, p->opts.targets.of[i].n);
    }
    ledger_array_close(templates);
    ledger_array_close(counts);
    return templates->rc == ERR_OK && counts->rc == ERR_OK;
}

void pool_look(struct pool *p)
{
    AUTO_BUF templates = BUF_INIT(LIST_MAX_BYTES), counts = BUF_INIT(LIST_MAX_BYTES);
    char maker[160], room[24], calm[24];
    struct err err = ERR_INIT;

    if (!p->leading || p->asking || p->n_making >= MAKING_MAX || now_ms(p) < p->not_before_ms ||
        !write_targets(p, &templates, &counts))
        return;
    maker_of(p, maker);
    snprintf(room, sizeof(room), "%d", MAKING_MAX - p->n_making);
    snprintf(calm, sizeof(calm), "%" PRId64, p->opts.calm_ms);
    struct pg_cmd cmd = {
        .sql = sandbox_sql_refill, .n = 5, .v = {maker, templates.p, counts.p, room, calm}};
    p->asking = ledger_send(p->opts.ledger, &cmd, on_refill, p, &err) == ERR_OK;
}

/* --- life -------------------------------------------------------------------- */

struct pool *pool_new(const struct pool_opts *opts)
{
    struct pool *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    *p = (struct pool){.opts = *opts, .backoff = BACKOFF_INIT(AGAIN_BASE_MS, AGAIN_CAP_MS)};
    LIST_INIT(&p->making);
    return p;
}

void pool_lead(struct pool *p, bool leading)
{
    if (leading && !p->leading)
        p->term++;
    p->leading = leading;
    pool_look(p);
}

bool pool_is_idle(const struct pool *p)
{
    return !p->asking && p->n_making == 0;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    while (!LIST_EMPTY(&p->making))
        warming_free(LIST_FIRST(&p->making));
    free(p);
}
