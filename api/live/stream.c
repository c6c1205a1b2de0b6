/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/live/event_row.h"
#include "api/live/sse_out.h"
#include "common/json/json.h"
#include "common/log.h"
#include "common/banned.h"

enum {
    FULL = 64 << 10,     /* bytes that wait for a reader: it gets no more then … */
    LOW = 16 << 10,      /* … until no more than this waits */
    EVENT_MAX = 2 << 20, /* one is let in whatever its size */
    IDLE_BEATS = 2,      /* so many without a byte taken, and it is cut off */
    RETRY_LEAST_MS = 200,
    RETRY_SPREAD_MS = 2000 /* not all at once at the next server */
};

void stream_free(struct stream *s)
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

static void flush(struct stream *s)
{
    TAILQ_REMOVE(&s->all->by_beat, s, by_beat);
    TAILQ_INSERT_TAIL(&s->all->by_beat, s, by_beat);
    s->beat_ms = loop_now_ms(s->all->api->loop);
    http_stream_flush(s->http);
}

void stream_end(struct stream *s)
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
    stream_end(s);
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

static void on_drained(void *ctx)
{
    struct stream *s = ctx;

    if (!s->behind)
        return;
    streams_want_page(s);
    streams_pump(s->all);
}

static const struct http_stream_events http_events = {.drained = on_drained, .closed = on_closed};

bool stream_open(struct stream *s)
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
        stream_end(s);
    return !s->over;
}

void stream_take(struct stream *s, const struct sse_page *p)
{
    if (s->me.at > p->last)
        s->me.at = p->last;
    bool whole = append(s, p);

    if (is_end(s, p))
        say_end(s, p);
    else if (!whole || (p->to < p->last && http_stream_waiting(s->http) > LOW))
        s->behind = true;
    else if (p->to < p->last || !feed_go_live(s->all->api->feed, &s->me))
        streams_want_page(s);
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

void stream_beat(struct stream *s)
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

void stream_send_away(struct stream *s, int64_t nth, const char *why)
{
    sse_out_retry(http_stream_buf(s->http), RETRY_LEAST_MS + nth % RETRY_SPREAD_MS);
    sse_out_comment(http_stream_buf(s->http), why);
    stream_end(s);
}

struct stream *stream_new(struct streams *all, struct call *c, const char *run_id, int64_t since,
                          const char *types)
{
    struct stream *s = calloc(1, sizeof(*s));
    uint8_t id[16] = {0};

    if (!s)
        return NULL;
    *s = (struct stream){.all = all, .call = c, .since = since, .ends_ms = c->who.ends_ms};
    s->me = (struct follower){.told = on_told, .wants_events = true, .at = since};
    (void)snprintf(s->run_id, sizeof(s->run_id), "%s", run_id);
    (void)snprintf(s->key_id, sizeof(s->key_id), "%s", c->who.key_id);
    (void)uuid_bytes(str_of(run_id), id);
    s->tenant = str_dup(str_of(c->who.tenant));
    s->types = types ? str_dup(str_of(types)) : NULL;
    if (s->ends_ms < all->next_end_ms)
        all->next_end_ms = s->ends_ms;
    LIST_INSERT_HEAD(&all->streams, s, link);
    all->n++;
    if (!s->tenant || (types && !s->types) || !feed_follow(all->api->feed, &s->me, id)) {
        stream_free(s);
        return NULL;
    }
    c->state = s;
    c->release = on_released;
    return s;
}
