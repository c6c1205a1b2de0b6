/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reads/pages.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "common/log.h"
#include "common/banned.h"

enum { LOW = PAGES_BYTES / 2 };

struct stream {
    struct call *call;
    const struct pages *pages;
    struct http_stream *out; /* NULL: the client is gone, or has all */
    bool asking, ended;
};

static void ask(struct stream *s);

static void done(struct stream *s)
{
    struct call *c = s->call;

    if (s->out || s->asking)
        return;
    call_disown(s);
    call_drop(c);
}

static void cut(struct stream *s, const struct err *e)
{
    log_event(LOG_WARN, "pages.cut", LF("request", s->call->id), LF_ERR(e));
    s->ended = true;
    http_stream_cut(s->out);
}

static void on_page(void *ctx, PGresult *res, const struct err *e)
{
    struct stream *s = ctx;
    struct buf *out;

    s->asking = false;
    if (!s->out) {
        done(s);
        return;
    }
    out = http_stream_buf(s->out);
    if (e->code != ERR_OK) {
        cut(s, e);
    } else if (!s->pages->take(s->call, res, out)) {
        s->ended = true;
        http_stream_end(s->out);
    } else {
        http_stream_flush(s->out);
        if (http_stream_waiting(s->out) <= LOW) /* else drained() goes on */
            ask(s);
    }
}

static void ask(struct stream *s)
{
    struct pg *db = api_db(s->call->api);
    struct pg_cmd cmd = {0};
    struct err err = ERR_INIT;

    s->pages->ask(s->call, &cmd);
    if (!db)
        err_set(&err, ERR_UNAVAILABLE, "the database is away");
    else if (pg_send(db, &cmd, on_page, s, &err) == ERR_OK)
        s->asking = true;
    if (!s->asking)
        cut(s, &err);
}

static void on_drained(void *ctx)
{
    struct stream *s = ctx;

    if (s->out && !s->asking && !s->ended)
        ask(s);
}

static void on_closed(void *ctx)
{
    struct stream *s = ctx;

    s->out = NULL;
    done(s);
}

void pages_start(struct call *c, const struct pages *pages)
{
    static const struct http_stream_events events = {.drained = on_drained, .closed = on_closed};
    struct stream *s = call_own(c, sizeof(*s));

    if (!s) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    *s = (struct stream){.call = c, .pages = pages};
    call_keep(c);
    http_reply_header(c->http, "Cache-Control", "no-store");
    s->out = http_stream_open(c->http, 200, "application/x-ndjson", PAGES_WAITING_MAX, &events, s);
    if (!s->out) {
        done(s);
        return;
    }
    http_stream_low(s->out, LOW);
    ask(s);
}

void pages_line(struct buf *out, const char *json)
{
    for (const char *end; (end = strchr(json, '\n')); json = end + 1) {
        buf_add(out, json, (size_t)(end - json));
        buf_addc(out, ' ');
    }
    buf_adds(out, json);
    buf_addc(out, '\n');
}
