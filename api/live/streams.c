/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live/streams.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/live/event_row.h"
#include "api/live/events_sql.h"
#include "api/live/feed.h"
#include "api/live/sse_out.h"
#include "common/json/json.h"
#include "common/log.h"
#include "common/banned.h"

enum {
    FULL = 64 << 10,     /* bytes that wait for a reader: it gets no more then … */
    LOW = 16 << 10,      /* … until no more than this waits */
    EVENT_MAX = 2 << 20, /* one is let in whatever its size */
    PAGES_AT_ONCE = 16,  /* questions under way for those who are behind */
    TICK_MS = 1000,      /* or a heartbeat, if that is shorter */
    IDLE_BEATS = 2,      /* so many without a byte taken, and it is cut off */
    RETRY_LEAST_MS = 200,
    RETRY_SPREAD_MS = 2000 /* not all at once at the next server */
};
#define PAGE_ROWS  "256"
#define PAGE_BYTES "131072"

struct stream {
    struct follower me;
    struct streams *all;
    LIST_ENTRY(stream) link;
    struct call *call;        /* until it is open */
    struct http_stream *http; /* once it is open, until it is closed */
    char *types, *tenant;
    int64_t since; /* it said so: nothing up to there is sent, even if it is not there yet */
    char run_id[UUID_TEXT], key_id[API_KEY_ID];
    TAILQ_ENTRY(stream)
    by_beat; /* open ones; the one that was written to longest ago comes first */
    TAILQ_ENTRY(stream) in_line;
    int64_t beat_ms;
    uint64_t taken; /* bytes, at the last beat */
    int idle_beats;
    bool waits;  /* in the line for a page */
    bool asking; /* its page is under way */
    bool behind; /* it wants a page when its reader has taken what it has */
    bool over;   /* nothing more is said */
    bool gone;   /* nobody reads: freed when its page comes */
};

struct streams {
    struct api *api;
    struct timer *tick;
    LIST_HEAD(, stream) streams;
    TAILQ_HEAD(, stream) by_beat, line;
    size_t n, n_open, asking;
    bool draining;
    struct sse_page page;
};

static void pump(struct streams *all);

/* --- life ----------------------------------------------------------------------------- */

static void stream_free(struct stream *s)
{
    LIST_REMOVE(s, link);
    s->all->n--;
    free(s->types);
    free(s->tenant);
    free(s);
}

/* Nobody reads any more, or nobody ever did. */
static void leave(struct stream *s)
{
    feed_leave(s->all->api->feed, &s->me);
    if (s->http) {
        TAILQ_REMOVE(&s->all->by_beat, s, by_beat);
        s->all->n_open--;
    }
    if (s->waits)
        TAILQ_REMOVE(&s->all->line, s, in_line);
    s->waits = false;
    s->http = NULL;
    s->call = NULL;
    s->gone = true;
    if (!s->asking)
        stream_free(s);
}

static void on_closed(void *ctx)
{
    leave(ctx);
}

static void on_released(struct call *c)
{
    leave(c->state);
}

/* --- what is written ------------------------------------------------------------------ */

static void flush(struct stream *s)
{
    TAILQ_REMOVE(&s->all->by_beat, s, by_beat);
    TAILQ_INSERT_TAIL(&s->all->by_beat, s, by_beat);
    s->beat_ms = loop_now_ms(s->all->api->loop);
    http_stream_flush(s->http);
}

static void end(struct stream *s)
{
    s->over = true;
    feed_leave(s->all->api->feed, &s->me);
    http_stream_end(s->http);
}

static void say_end(struct stream *s, const struct sse_page *p)
{
    AUTO_BUF data = BUF_INIT(1024);

    buf_addc(&data, '{');
    json_kv(&data, "run_id", s->run_id);
    json_kv(&data, "state", p->state);
    if (p->outcome)
        json_kv(&data, "outcome", p->outcome);
    else
        json_kv_raw(&data, "outcome", STR("null"));
    buf_addc(&data, '}');
    sse_out_message(http_stream_buf(s->http), 0, "end", buf_str(&data));
    end(s);
}

/* What of the page it has not and has room for. True: that was all. */
static bool append(struct stream *s, const struct sse_page *p)
{
    struct buf *out = http_stream_buf(s->http);
    size_t before = out->len, i = sse_page_above(p, s->me.at);

    for (; i < p->n && http_stream_waiting(s->http) < FULL; i++) {
        if (p->events[i].sequence > s->since && event_types_match(s->types, p->events[i].type))
            buf_addstr(out, sse_page_slice(p, i, i + 1));
        s->me.at = p->events[i].sequence;
    }
    if (i == p->n && p->to > s->me.at)
        s->me.at = p->to;
    if (out->len != before)
        flush(s);
    return i == p->n;
}

static bool is_end(const struct stream *s, const struct sse_page *p)
{
    return p->ended && s->me.at >= p->last;
}

/* --- behind ------------------------------------------------------------------------------ */

static void want_page(struct stream *s)
{
    s->behind = false;
    if (s->waits || s->asking || s->over)
        return;
    TAILQ_INSERT_TAIL(&s->all->line, s, in_line);
    s->waits = true;
}

static void on_drained(void *ctx)
{
    struct stream *s = ctx;

    if (!s->behind)
        return;
    want_page(s);
    pump(s->all);
}

static const struct http_stream_events http_events = {.drained = on_drained, .closed = on_closed};

static bool open_it(struct stream *s)
{
    struct call *c = s->call;
    struct http_stream *http;

    http_reply_header(c->http, "Cache-Control", "no-store");
    http_reply_header(c->http, "X-Accel-Buffering", "no");
    http =
        http_stream_open_alone(c->http, 200, SSE_CONTENT_TYPE, FULL + EVENT_MAX, &http_events, s);
    if (!http)
        return false; /* answered 500; released with its call */
    http_stream_low(http, LOW);
    c->state = NULL;
    c->release = NULL;
    s->call = NULL;
    s->http = http;
    s->all->n_open++;
    s->beat_ms = loop_now_ms(s->all->api->loop);
    TAILQ_INSERT_TAIL(&s->all->by_beat, s, by_beat);
    if (strcmp(c->http->method, "HEAD") == 0)
        end(s);
    return !s->over;
}

/* A page that it asked for. */
static void take(struct stream *s, const struct sse_page *p)
{
    if (s->me.at > p->last)
        s->me.at = p->last;
    bool whole = append(s, p);

    if (is_end(s, p))
        say_end(s, p);
    else if (!whole || (p->to < p->last && http_stream_waiting(s->http) > LOW))
        s->behind = true;
    else if (p->to < p->last || !feed_go_live(s->all->api->feed, &s->me))
        want_page(s);
}

/* A page of a run that it follows. */
static void on_told(struct follower *me, const struct sse_page *p)
{
    struct stream *s = CONTAINER_OF(me, struct stream, me);

    if (!append(s, p)) {
        feed_rest(me);
        s->behind = true;
    } else if (is_end(s, p)) {
        say_end(s, p);
    }
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
        want_page(s); /* at the next tick */
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
            end(s); /* its day was dropped */
    } else if (s->http || open_it(s)) {
        read_page(&all->page, res, s->me.at);
        take(s, &all->page);
    }
    pump(all);
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
static void pump(struct streams *all)
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

/* --- time ----------------------------------------------------------------------------------- */

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

/* A reader that has all is told that we are here; one that has not, and takes nothing, is cut. */
static void beat(struct stream *s)
{
    uint64_t taken = http_stream_taken(s->http);
    bool owed = s->behind || http_stream_waiting(s->http) > 0;

    s->idle_beats = owed && taken == s->taken ? s->idle_beats + 1 : 0;
    s->taken = taken;
    if (s->idle_beats >= IDLE_BEATS) {
        log_event(LOG_INFO, "api.stream_cut", LF("run", s->run_id),
                  LF_INT("waiting", http_stream_waiting(s->http)));
        s->over = true;
        http_stream_cut(s->http);
    } else if (!owed && !s->over) {
        sse_out_comment(http_stream_buf(s->http), "still here");
    }
    flush(s);
}

static int64_t tick_ms(const struct streams *all)
{
    int64_t beat = all->api->set->heartbeat_ms;

    return beat < TICK_MS ? beat : TICK_MS;
}

static void on_tick(void *ctx)
{
    struct streams *all = ctx;
    int64_t before = loop_now_ms(all->api->loop) - all->api->set->heartbeat_ms;
    struct stream *s;

    if (!api_db(all->api))
        refuse_waiting(all);
    while ((s = TAILQ_FIRST(&all->by_beat)) && s->beat_ms <= before)
        beat(s);
    pump(all);
    timer_start(all->tick, tick_ms(all));
}

/* The nth of those who are all to come back; nobody is told why it ended. */
static void send_away(struct stream *s, int64_t nth, const char *why)
{
    sse_out_retry(http_stream_buf(s->http), RETRY_LEAST_MS + nth % RETRY_SPREAD_MS);
    sse_out_comment(http_stream_buf(s->http), why);
    end(s);
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
            send_away(s, nth++, "this server is stopping: come back");
    }
}

void streams_end_of(struct streams *all, const char *key_id)
{
    int64_t nth = 0;
    struct stream *s;

    LIST_FOREACH(s, &all->streams, link)
    if (s->http && !s->over && strcmp(s->key_id, key_id) == 0)
        send_away(s, nth++, "this key is not what it was: come back");
}

/* --- door ---------------------------------------------------------------------------------------
 */

static struct stream *stream_new(struct streams *all, struct call *c, const char *run_id,
                                 int64_t since, const char *types)
{
    struct stream *s = calloc(1, sizeof(*s));
    uint8_t id[16] = {0};

    if (!s)
        return NULL;
    *s = (struct stream){.all = all, .call = c, .since = since};
    s->me = (struct follower){.told = on_told, .wants_events = true, .at = since};
    (void)snprintf(s->run_id, sizeof(s->run_id), "%s", run_id);
    (void)snprintf(s->key_id, sizeof(s->key_id), "%s", c->who.key_id);
    (void)uuid_bytes(str_of(run_id), id);
    s->tenant = str_dup(str_of(c->who.tenant));
    s->types = types ? str_dup(str_of(types)) : NULL;
    LIST_INSERT_HEAD(&all->streams, s, link);
    all->n++;
    if (s->tenant && (s->types || !types) && feed_follow(all->api->feed, &s->me, id))
        return s;
    stream_free(s);
    return NULL;
}

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
    c->state = s;
    c->release = on_released;
    if (!api_db(c->api)) {
        call_problem(c, PROBLEM_DATABASE_AWAY, "the database is away");
        return;
    }
    want_page(s);
    pump(all);
}

enum err_code streams_new(struct api *a, struct streams **out, struct err *err)
{
    struct streams *all = calloc(1, sizeof(*all));

    if (!all)
        return err_set(err, ERR_NOMEM, "the streams");
    all->api = a;
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
