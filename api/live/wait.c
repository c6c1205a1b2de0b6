/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live/wait.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/live/feed.h"
#include "api/reads/batch_json.h"
#include "common/json/json.h"
#include "common/banned.h"

enum {
    BATCH_TICK_MS = 200,  /* between two looks at the batches, when something was committed */
    BATCH_IDLE_MS = 2000, /* and when nothing was: they can be sealed, too */
    BATCHES_AT_ONCE = 1000,
    PARAM_MAX = 1 << 20
};

struct waiter {
    struct follower me; /* of a run */
    struct waits *all;
    struct call *call;
    struct timer *timer;
    void (*then)(struct call *c);
    int64_t since;
    char *batch; /* NULL: it waits for a run */
    TAILQ_ENTRY(waiter) link;
};

TAILQ_HEAD(waiters, waiter);

struct waits {
    struct api *api;
    struct waiters runs, batches;
    struct timer *tick;                    /* looks at the batches */
    struct waiter *asked[BATCHES_AT_ONCE]; /* NULL: it went meanwhile */
    size_t n_asked;
    uint64_t commits; /* heard of before the last look */
    int64_t looked_ms;
    bool draining;
};

/* --- one that waits ------------------------------------------------------------------- */

static void fire(void *ctx)
{
    struct waiter *w = ctx;
    struct call *c = w->call;
    void (*then)(struct call *) = w->then;

    wait_forget(c);
    if (call_is_open(c))
        then(c);
}

/* In a turn of its own: whoever tells it walks a list. */
static void over(struct waiter *w)
{
    feed_rest(&w->me);
    timer_start(w->timer, 0);
}

void wait_forget(struct call *c)
{
    struct waiter *w = c->waiter;

    c->waiter = NULL;
    if (!w)
        return;
    feed_leave(w->all->api->feed, &w->me);
    for (size_t i = 0; i < w->all->n_asked; i++)
        if (w->all->asked[i] == w)
            w->all->asked[i] = NULL;
    if (w->batch)
        TAILQ_REMOVE(&w->all->batches, w, link);
    else
        TAILQ_REMOVE(&w->all->runs, w, link);
    timer_free(w->timer);
    free(w->batch);
    free(w);
}

/* NULL: answered, or over at once. */
static struct waiter *waiter_new(struct call *c, const char *batch, int64_t ms,
                                 void (*then)(struct call *c))
{
    struct waits *all = c->api->waits;
    struct waiter *w = calloc(1, sizeof(*w));
    struct timer *timer = w ? timer_new(c->api->loop, fire, w) : NULL;
    char *copy = batch ? str_dup(str_of(batch)) : NULL;

    if (!timer || (batch && !copy)) {
        timer_free(timer);
        free(copy);
        free(w);
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return NULL;
    }
    *w = (struct waiter){.all = all, .call = c, .timer = timer, .then = then, .batch = copy};
    c->waiter = w;
    TAILQ_INSERT_TAIL(batch ? &all->batches : &all->runs, w, link);
    http_request_lasts(c->http);
    timer_start(timer, all->draining ? 0 : ms);
    return all->draining ? NULL : w;
}

/* --- for a run --------------------------------------------------------------------------- */

static bool is_over(const struct waiter *w, bool ended, int64_t sequence)
{
    return ended || sequence > w->since;
}

static void on_told(struct follower *me, const struct sse_page *p)
{
    struct waiter *w = CONTAINER_OF(me, struct waiter, me);

    if (is_over(w, p->ended, p->last))
        over(w);
}

static void on_run(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct waiter *w = c->waiter;

    (void)e;
    if (!w)
        return;
    if (PQntuples(res) == 0 || is_over(w, pg_text(res, 0, 0)[0] == 't', pg_int(res, 0, 1)))
        over(w);
    else
        (void)feed_go_live(w->all->api->feed, &w->me);
}

void wait_run(struct call *c, const char *run_id, int64_t since, int64_t ms,
              void (*then)(struct call *c))
{
    const struct pg_cmd cmd = {
        .sql = "SELECT ended, sequence FROM door.runs WHERE run_id = $1 AND tenant = $2",
        .n = 2,
        .v = {run_id, c->who.tenant}};
    struct waiter *w = waiter_new(c, NULL, ms, then);
    uint8_t id[16] = {0};

    if (!w)
        return;
    (void)uuid_bytes(str_of(run_id), id);
    w->since = since;
    w->me.told = on_told;
    if (feed_follow(c->api->feed, &w->me, id))
        call_query(c, &cmd, on_run);
    else
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
}

/* --- for a batch ----------------------------------------------------------------------------- */

/* Which have ended, or are not there. */
static const char ended_sql[] =
    "SELECT w.ord FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(tenant, batch_id, ord)"
    " LEFT JOIN fleet.batches AS b USING (tenant, batch_id)"
    " LEFT JOIN door.batches AS d USING (tenant, batch_id)"
    " WHERE " BATCH_ENDED;

static void put_element(struct buf *out, const char *text)
{
    buf_adds(out, out->len ? ",\"" : "{\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *text);
    }
    buf_addc(out, '"');
}

static void on_ended(void *ctx, PGresult *res, const struct err *e)
{
    struct waits *all = ctx;

    for (int i = 0; e->code == ERR_OK && i < PQntuples(res); i++) {
        struct waiter *w = all->asked[pg_int(res, i, 0) - 1];

        if (w)
            over(w);
    }
    all->n_asked = 0;
}

static void ask(struct waits *all)
{
    AUTO_BUF tenants = BUF_INIT(PARAM_MAX), names = BUF_INIT(PARAM_MAX);
    struct pg *db = api_db(all->api);
    struct err err = ERR_INIT;
    struct waiter *w;

    all->commits = feed_commits(all->api->feed);
    all->looked_ms = loop_now_ms(all->api->loop);
    TAILQ_FOREACH(w, &all->batches, link)
    {
        if (all->n_asked == BATCHES_AT_ONCE)
            break;
        put_element(&tenants, w->call->who.tenant);
        put_element(&names, w->batch);
        all->asked[all->n_asked++] = w;
    }
    for (size_t i = 0; i < all->n_asked; i++) { /* the others are first next time */
        TAILQ_REMOVE(&all->batches, all->asked[i], link);
        TAILQ_INSERT_TAIL(&all->batches, all->asked[i], link);
    }
    buf_addc(&tenants, '}');
    buf_addc(&names, '}');
    const struct pg_cmd cmd = {.sql = ended_sql, .keep = true, .n = 2, .v = {tenants.p, names.p}};
    if (!db || tenants.rc != ERR_OK || names.rc != ERR_OK ||
        pg_send(db, &cmd, on_ended, all, &err) != ERR_OK)
        all->n_asked = 0;
}

static void on_tick(void *ctx)
{
    struct waits *all = ctx;
    bool news = all->commits != feed_commits(all->api->feed);

    if (TAILQ_EMPTY(&all->batches))
        return;
    if (all->n_asked == 0 &&
        (news || loop_now_ms(all->api->loop) - all->looked_ms >= BATCH_IDLE_MS))
        ask(all);
    timer_start(all->tick, BATCH_TICK_MS);
}

void wait_batch(struct call *c, const char *batch_id, int64_t ms, void (*then)(struct call *c))
{
    struct waits *all = c->api->waits;

    if (!waiter_new(c, batch_id, ms, then))
        return;
    all->looked_ms = 0; /* it may have ended already */
    if (!timer_pending(all->tick))
        timer_start(all->tick, 0);
}

/* --- life ---------------------------------------------------------------------------------------
 */

bool wait_asked(struct call *c, int64_t *ms)
{
    bool fine = call_int(c, "wait", 0, WAIT_MAX_S, 0, ms);

    *ms *= 1000;
    return fine;
}

enum err_code waits_new(struct api *a, struct waits **out, struct err *err)
{
    struct waits *all = calloc(1, sizeof(*all));

    if (all)
        all->tick = timer_new(a->loop, on_tick, all);
    if (!all || !all->tick) {
        free(all);
        return err_set(err, ERR_NOMEM, "what waits");
    }
    all->api = a;
    TAILQ_INIT(&all->runs);
    TAILQ_INIT(&all->batches);
    *out = all;
    return ERR_OK;
}

void waits_drain(struct waits *all)
{
    struct waiter *w;

    all->draining = true;
    TAILQ_FOREACH(w, &all->runs, link)
    over(w);
    TAILQ_FOREACH(w, &all->batches, link)
    over(w);
}

void waits_free(struct waits *all)
{
    if (!all)
        return;
    timer_free(all->tick);
    free(all);
}
