/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live/streams.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/live/event_row.h"
#include "api/live/events_sql.h"
#include "api/live/stream.h"
#include "common/banned.h"

enum {
    PAGES_AT_ONCE = 16, /* questions under way for those who are behind */
    TICK_MS = 1000      /* or a heartbeat, if that is shorter */
};
#define PAGE_ROWS  "256"
#define PAGE_BYTES "131072"

/* --- pages ------------------------------------------------------------------------------- */

void streams_want_page(struct stream *s)
{
    s->behind = false;
    if (s->waits || s->asking || s->over)
        return;
    TAILQ_INSERT_TAIL(&s->all->line, s, in_line);
    s->waits = true;
}

static void read_page(struct sse_page *p, const PGresult *res, int64_t from)
{
    int n = PQgetisnull(res, 0, EVENTS_EVENT) ? 0 : PQntuples(res), i = 0;

    sse_page_begin(p, from);
    p->ended = pg_text(res, 0, EVENTS_ENDED)[0] == 't';
    p->state = pg_text(res, 0, EVENTS_STATE);
    p->outcome = pg_text(res, 0, EVENTS_OUTCOME);
    while (i < n && sse_page_add(p, res, i, EVENTS_EVENT))
        i++;
    p->last = pg_int(res, 0, EVENTS_LAST);
    if (i == n && n < SSE_PAGE_EVENTS && p->last > p->to) /* the rest is of other types */
        p->to = p->last;
}

static void failed(struct stream *s, const struct err *e)
{
    if (s->call)
        call_problem(s->call,
                     err_action(e->code) == ERR_DO_RETRY ? PROBLEM_DATABASE_AWAY : PROBLEM_INTERNAL,
                     "the database did not answer: %s", e->msg);
    else
        streams_want_page(s); /* at the next tick */
}

static void on_page(void *ctx, PGresult *res, const struct err *e)
{
    struct stream *s = ctx;
    struct streams *all = s->all;

    all->asking--;
    s->asking = false;
    if (s->gone) {
        stream_free(s);
    } else if (s->over || (s->call && !call_is_open(s->call))) {
        s->behind = false;
    } else if (e->code != ERR_OK) {
        failed(s, e);
        return;
    } else if (PQntuples(res) == 0) {
        if (s->call)
            call_problem(s->call, PROBLEM_NOT_FOUND, "there is no such run");
        else
            stream_end(s); /* its day was dropped */
    } else if (s->http || stream_open(s)) {
        read_page(&all->page, res, s->me.at);
        stream_take(s, &all->page);
    }
    streams_pump(all);
}

static enum err_code ask(struct stream *s, struct pg *db, struct err *err)
{
    AUTO_BUF like = BUF_INIT(EVENT_TYPES_ROOM * 2);
    char since[24];

    (void)snprintf(since, sizeof(since), "%" PRId64, s->me.at);
    if (s->types)
        event_types_like(s->types, &like);
    feed_looking(&s->me);
    return pg_send(db,
                   &(struct pg_cmd){.sql = events_sql,
                                    .keep = true,
                                    .n = 6,
                                    .v = {s->run_id, s->tenant, since, PAGE_ROWS,
                                          s->types ? like.p : NULL, PAGE_BYTES}},
                   on_page, s, err);
}

/* As many as may be under way at once; the others wait here, and not before those who ask for
 * something else. */
void streams_pump(struct streams *all)
{
    struct err err = ERR_INIT;
    struct stream *s;
    struct pg *db;

    while (all->asking < PAGES_AT_ONCE && (s = TAILQ_FIRST(&all->line)) &&
           (db = api_db(all->api))) {
        TAILQ_REMOVE(&all->line, s, in_line);
        s->waits = false;
        if (ask(s, db, &err) == ERR_OK) {
            s->asking = true;
            all->asking++;
        } else {
            failed(s, &err);
            return;
        }
    }
}

/* --- time -------------------------------------------------------------------------------- */

/* Nobody hears that a database is away by waiting. */
static void refuse_waiting(struct streams *all)
{
    struct stream *s, *next;

    for (s = TAILQ_FIRST(&all->line); s; s = next) {
        next = TAILQ_NEXT(s, in_line);
        if (!s->call)
            continue;
        TAILQ_REMOVE(&all->line, s, in_line);
        s->waits = false;
        call_problem(s->call, PROBLEM_DATABASE_AWAY, "the database is away");
    }
}

static int64_t tick_ms(const struct streams *all)
{
    int64_t beat = all->api->set->heartbeat_ms;

    return beat < TICK_MS ? beat : TICK_MS;
}

/* A key that has come to its end counts no more, nor does what it opened. */
static void end_expired(struct streams *all)
{
    int64_t now = loop_now_ms(all->api->loop), next = INT64_MAX, nth = 0;
    struct stream *s;

    if (now < all->next_end_ms)
        return;
    LIST_FOREACH(s, &all->streams, link)
    {
        if (s->http && !s->over && s->ends_ms <= now)
            stream_send_away(s, nth++, "this key has expired: come back");
        else if (!s->over && s->ends_ms < next)
            next = s->ends_ms;
    }
    all->next_end_ms = next;
}

static void on_tick(void *ctx)
{
    struct streams *all = ctx;
    int64_t before = loop_now_ms(all->api->loop) - all->api->set->heartbeat_ms;
    struct stream *s;

    if (!api_db(all->api))
        refuse_waiting(all);
    while ((s = TAILQ_FIRST(&all->by_beat)) && s->beat_ms <= before)
        stream_beat(s);
    end_expired(all);
    streams_pump(all);
    timer_start(all->tick, tick_ms(all));
}

void streams_drain(struct streams *all)
{
    int64_t nth = 0;
    struct stream *s;

    all->draining = true;
    LIST_FOREACH(s, &all->streams, link)
    {
        if (s->call)
            call_problem(s->call, PROBLEM_STOPPING, "this server is stopping: ask again");
        if (s->http && !s->over)
            stream_send_away(s, nth++, "this server is stopping: come back");
    }
}

void streams_end_of(struct streams *all, const char *key_id)
{
    int64_t nth = 0;
    struct stream *s;

    LIST_FOREACH(s, &all->streams, link)
    if (s->http && !s->over && strcmp(s->key_id, key_id) == 0)
        stream_send_away(s, nth++, "this key is not what it was: come back");
}

/* --- door -------------------------------------------------------------------------------- */

void stream_start(struct call *c, const char *run_id, int64_t since, const char *types)
{
    struct streams *all = c->api->streams;
    struct stream *s;

    if (all->draining) {
        call_problem(c, PROBLEM_STOPPING, "this server is stopping: ask again");
        return;
    }
    if (all->n >= (size_t)c->api->set->streams) {
        call_problem(c, PROBLEM_OVERLOADED, "there are %zu streams already", all->n);
        return;
    }
    s = stream_new(all, c, run_id, since, types);
    if (!s) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    if (!api_db(c->api)) {
        call_problem(c, PROBLEM_DATABASE_AWAY, "the database is away");
        return;
    }
    streams_want_page(s);
    streams_pump(all);
}

enum err_code streams_new(struct api *a, struct streams **out, struct err *err)
{
    struct streams *all = calloc(1, sizeof(*all));

    if (!all)
        return err_set(err, ERR_NOMEM, "the streams");
    all->api = a;
    all->next_end_ms = INT64_MAX;
    TAILQ_INIT(&all->by_beat);
    TAILQ_INIT(&all->line);
    all->tick = timer_new(a->loop, on_tick, all);
    if (!all->tick) {
        free(all);
        return err_set(err, ERR_NOMEM, "the streams");
    }
    timer_start(all->tick, tick_ms(all));
    *out = all;
    return ERR_OK;
}

size_t streams_open(const struct streams *all)
{
    return all->n_open;
}

/* Those that wait for a page when the database's connections go. */
void streams_free(struct streams *all)
{
    struct stream *s;

    if (!all)
        return;
    while ((s = LIST_FIRST(&all->streams)))
        stream_free(s);
    timer_free(all->tick);
    sse_page_release(&all->page);
    free(all);
}
