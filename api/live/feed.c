/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live/feed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/live/event_row.h"
#include "api/live/feed_runs.h"
#include "common/attrs.h"
#include "common/log.h"
#include "common/pg/pg.h"
#include "common/uuid.h"
#include "common/banned.h"

enum {
    ASK_RUNS = 256, /* in one question */
    PARAM_MAX = 64 << 10,
    TICK_MS = 1000
};

/* All runs' rows together are cut behind so many bytes, but for the first one. */
#define ANSWER_BYTES "4194304"
#define RUN_ROWS     "100"

static const char listen_sql[] = "LISTEN fleet_runs";

enum column { COL_ORD, COL_LAST, COL_ENDED, COL_STATE, COL_OUTCOME, COL_EVENT };

static const char news_sql[] = "SELECT q.ord, q.last, q.ended, q.state, q.outcome, " EVENT_TEXT(
    "q", "q.before < " ANSWER_BYTES) " FROM (SELECT w.ord, r.sequence AS last, r.ended, r.state, "
                                     "r.outcome, e.*,"
                                     "   sum(e.bytes) OVER (ORDER BY w.ord, e.sequence ROWS "
                                     "UNBOUNDED PRECEDING) - e.bytes AS before"
                                     "  FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS "
                                     "w(run_id, since, ord)"
                                     "  JOIN fleet.runs AS r ON r.run_id = w.run_id"
                                     "  LEFT JOIN LATERAL (SELECT " EVENT_ROW
                                     " FROM fleet.events AS v"
                                     "   WHERE v.run_id = r.run_id AND v.run_day = r.run_day AND "
                                     "v.sequence > w.since"
                                     "   ORDER BY v.sequence LIMIT " RUN_ROWS ") AS e ON true) AS q"
                                     " ORDER BY q.ord, q.sequence";

#define NO_EVENTS INT64_MAX /* since then: nobody wants any */

struct asked {
    uint8_t id[16];
    int64_t from;
};

struct feed {
    struct loop *loop;
    struct pg *pg;
    struct timer *kick, *tick;
    struct feed_runs runs;
    TAILQ_HEAD(, feed_run) by_look, dirty;
    struct asked asked[ASK_RUNS];
    size_t n_asked; /* 0: no question is under way */
    bool listening;
    uint64_t commits;
    struct sse_page page;
};

/* --- runs of which there may be news -------------------------------------------------- */

static void mark(struct feed *f, struct feed_run *r)
{
    if (!r->dirty)
        TAILQ_INSERT_TAIL(&f->dirty, r, in_dirty);
    r->dirty = true;
    timer_start(f->kick, 0);
}

static void unmark(struct feed *f, struct feed_run *r)
{
    if (r->dirty)
        TAILQ_REMOVE(&f->dirty, r, in_dirty);
    r->dirty = false;
}

static void looked(struct feed *f, struct feed_run *r)
{
    TAILQ_REMOVE(&f->by_look, r, by_look);
    TAILQ_INSERT_TAIL(&f->by_look, r, by_look);
    r->looked_ms = loop_now_ms(f->loop);
}

static void hear(struct feed *f, struct feed_run *r)
{
    r->heard++;
    mark(f, r);
}

static void hear_all(struct feed *f)
{
    struct feed_run *r;

    f->commits++;
    TAILQ_FOREACH(r, &f->by_look, by_look)
    hear(f, r);
}

static void drop_if_left(struct feed *f, struct feed_run *r)
{
    if (r->telling || !LIST_EMPTY(&r->followers))
        return;
    unmark(f, r);
    TAILQ_REMOVE(&f->by_look, r, by_look);
    feed_runs_remove(&f->runs, r);
}

/* --- the answer, told ---------------------------------------------------------------------- */

/* A follower that is further back than the page begins joined behind the question. */
static void tell(struct feed *f, struct feed_run *r)
{
    struct follower *me, *next;
    bool missed = false;

    r->telling = true;
    for (me = LIST_FIRST(&r->followers); me; me = next) {
        next = LIST_NEXT(me, link);
        if (!me->live)
            continue;
        if (me->wants_events && me->at < f->page.from)
            missed = true;
        else
            me->told(me, &f->page);
    }
    r->telling = false;
    if (r->at == f->page.from)
        r->at = f->page.to;
    if (missed || f->page.to < f->page.last)
        mark(f, r);
    drop_if_left(f, r);
}

/* The rows of one run, from `row` on; returns the first one that is not its. */
static int read_run(struct feed *f, const PGresult *res, int row, const struct asked *a)
{
    struct feed_run *r = feed_runs_find(&f->runs, a->id);
    struct sse_page *p = &f->page;
    int64_t ord = pg_int(res, row, COL_ORD);
    bool fits = true;

    sse_page_begin(p, a->from);
    p->last = pg_int(res, row, COL_LAST);
    p->ended = pg_text(res, row, COL_ENDED)[0] == 't';
    p->state = pg_text(res, row, COL_STATE);
    p->outcome = pg_text(res, row, COL_OUTCOME);
    for (; row < PQntuples(res) && pg_int(res, row, COL_ORD) == ord; row++)
        fits =
            fits && r && !PQgetisnull(res, row, COL_EVENT) && sse_page_add(p, res, row, COL_EVENT);
    if (a->from == NO_EVENTS)
        p->to = p->last;
    if (r)
        tell(f, r);
    return row;
}

static void again(struct feed *f)
{
    for (size_t i = 0; i < f->n_asked; i++) {
        struct feed_run *r = feed_runs_find(&f->runs, f->asked[i].id);

        if (r)
            mark(f, r);
    }
}

static void on_news(void *ctx, PGresult *res, const struct err *e)
{
    struct feed *f = ctx;
    int row = 0;

    if (e->code == ERR_OK)
        while (row < PQntuples(res)) {
            size_t ord = (size_t)pg_int(res, row, COL_ORD) - 1;

            row = read_run(f, res, row, &f->asked[ord]);
        }
    else
        log_event(LOG_WARN, "api.feed_failed", LF_ERR(e), LF_INT("runs", f->n_asked));
    if (e->code != ERR_OK)
        again(f);
    f->n_asked = 0;
    if (e->code == ERR_OK)
        timer_start(f->kick, 0);
    else
        timer_stop(f->kick); /* the tick tries again */
}

/* --- the question ------------------------------------------------------------------------- */

static void choose(struct feed *f, struct buf *ids, struct buf *since)
{
    struct feed_run *r;
    char id[UUID_TEXT];

    while (f->n_asked < ASK_RUNS && (r = TAILQ_FIRST(&f->dirty))) {
        unmark(f, r);
        looked(f, r);
        if (r->n_live == 0)
            continue;
        int64_t from = r->n_eager ? r->at : NO_EVENTS;
        uuid_text(r->id, id);
        buf_addf(ids, "%c%s", f->n_asked ? ',' : '{', id);
        buf_addf(since, "%c%" PRId64, f->n_asked ? ',' : '{', from);
        memcpy(f->asked[f->n_asked].id, r->id, 16);
        f->asked[f->n_asked++].from = from;
    }
    buf_addc(ids, '}');
    buf_addc(since, '}');
}

static void ask(void *ctx)
{
    struct feed *f = ctx;
    AUTO_BUF ids = BUF_INIT(PARAM_MAX), since = BUF_INIT(PARAM_MAX);
    struct err err = ERR_INIT;

    if (f->n_asked > 0 || !f->listening || TAILQ_EMPTY(&f->dirty))
        return;
    choose(f, &ids, &since);
    if (f->n_asked == 0)
        return;
    const struct pg_cmd cmd = {.sql = news_sql, .keep = true, .n = 2, .v = {ids.p, since.p}};
    if (ids.rc == ERR_OK && since.rc == ERR_OK && pg_send(f->pg, &cmd, on_news, f, &err) == ERR_OK)
        return;
    again(f);
    f->n_asked = 0;
    timer_stop(f->kick);
}

static void on_tick(void *ctx)
{
    struct feed *f = ctx;
    int64_t before = loop_now_ms(f->loop) - FEED_LOOK_MS;
    struct feed_run *r;

    while ((r = TAILQ_FIRST(&f->by_look)) && r->looked_ms <= before) {
        looked(f, r);
        mark(f, r);
    }
    if (!TAILQ_EMPTY(&f->dirty))
        timer_start(f->kick, 0);
    timer_start(f->tick, TICK_MS);
}

/* --- what is heard -------------------------------------------------------------------------- */

static void on_notify(void *ctx, const char *channel, const char *payload)
{
    struct feed *f = ctx;
    struct str rest = str_of(payload), one;
    uint8_t id[16];

    (void)channel;
    f->commits++;
    while (str_next(&rest, ',', &one)) {
        struct feed_run *r = uuid_bytes(one, id) ? feed_runs_find(&f->runs, id) : NULL;

        if (r)
            hear(f, r);
    }
}

static void on_listening(void *ctx, PGresult *res, const struct err *e)
{
    struct feed *f = ctx;

    (void)res;
    f->listening = e->code == ERR_OK;
    if (f->listening)
        hear_all(f);
    else if (err_action(e->code) != ERR_DO_RETRY)
        log_event(LOG_ERROR, "api.listen_refused", LF_ERR(e));
    if (!f->listening)
        pg_reset(f->pg);
}

static void on_up(void *ctx)
{
    struct feed *f = ctx;
    struct err err = ERR_INIT;

    if (pg_send(f->pg, &(struct pg_cmd){.sql = listen_sql}, on_listening, f, &err) != ERR_OK)
        pg_reset(f->pg);
}

static void on_down(void *ctx, const struct err *e)
{
    struct feed *f = ctx;

    f->listening = false;
    log_event(LOG_WARN, "api.feed_down", LF_ERR(e));
}

bool feed_hears(const struct feed *f)
{
    return f->listening;
}

uint64_t feed_commits(const struct feed *f)
{
    return f->commits;
}

/* --- who follows ------------------------------------------------------------------------------ */

bool feed_follow(struct feed *f, struct follower *me, const uint8_t run_id[16])
{
    size_t known = f->runs.n;
    struct feed_run *r = feed_runs_get(&f->runs, run_id);

    if (!r)
        return false;
    if (f->runs.n > known) {
        TAILQ_INSERT_TAIL(&f->by_look, r, by_look);
        r->looked_ms = loop_now_ms(f->loop);
    }
    LIST_INSERT_HEAD(&r->followers, me, link);
    me->run = r;
    me->live = false;
    me->heard = r->heard;
    return true;
}

void feed_looking(struct follower *me)
{
    me->heard = me->run->heard;
}

bool feed_go_live(struct feed *f, struct follower *me)
{
    struct feed_run *r = me->run;

    if (me->live)
        return true;
    if (me->wants_events && r->n_eager > 0 && me->at < r->at)
        return false;
    if (me->wants_events && r->n_eager == 0)
        r->at = me->at;
    me->live = true;
    r->n_live++;
    r->n_eager += me->wants_events;
    if (me->heard != r->heard)
        mark(f, r);
    return true;
}

void feed_rest(struct follower *me)
{
    if (!me->live)
        return;
    me->live = false;
    me->run->n_live--;
    me->run->n_eager -= me->wants_events;
}

void feed_leave(struct feed *f, struct follower *me)
{
    struct feed_run *r = me->run;

    if (!r)
        return;
    feed_rest(me);
    LIST_REMOVE(me, link);
    me->run = NULL;
    drop_if_left(f, r);
}

/* --- life ---------------------------------------------------------------------------------------
 */

enum err_code feed_new(struct loop *l, const char *database, int64_t query_ms, struct feed **out,
                       struct err *err)
{
    static const struct pg_events events = {.up = on_up, .down = on_down, .notify = on_notify};
    const struct pg_opts opts = {.conninfo = database,
                                 .name = "sandfleet-api-feed",
                                 .pipeline = true,
                                 .statement_ms = query_ms};
    struct feed *f = calloc(1, sizeof(*f));

    if (!f)
        return err_set(err, ERR_NOMEM, "the feed of events");
    f->loop = l;
    TAILQ_INIT(&f->by_look);
    TAILQ_INIT(&f->dirty);
    f->kick = timer_new(l, ask, f);
    f->tick = timer_new(l, on_tick, f);
    if (!f->kick || !f->tick) {
        feed_free(f);
        return err_set(err, ERR_NOMEM, "the feed of events");
    }
    if (pg_new(l, &opts, &events, f, &f->pg, err) != ERR_OK) {
        feed_free(f);
        return err->code;
    }
    timer_start(f->tick, TICK_MS);
    *out = f;
    return ERR_OK;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    pg_free(f->pg);
    timer_free(f->kick);
    timer_free(f->tick);
    feed_runs_release(&f->runs);
    sse_page_release(&f->page);
    free(f);
}
