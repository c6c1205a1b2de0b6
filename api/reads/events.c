/* SPDX-License-Identifier: Apache-2.0 */
/* What happened in a run: a page, or its beginning for a stream. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/accept.h"
#include "api/api_internal.h"
#include "api/live/event_row.h"
#include "api/live/events_sql.h"
#include "api/live/sse_out.h"
#include "api/live/streams.h"
#include "api/live/wait.h"
#include "common/json/json.h"
#include "common/banned.h"

enum { ROWS = 100, ROWS_MAX = 1000 };
#define PAGE_BYTES "4194304"

struct page { /* what is asked for */
    char run_id[UUID_TEXT];
    int64_t since, rows;
    int64_t wait_ms, until_ms;
    char types[EVENT_TYPES_ROOM]; /* "": all */
};

static void release(struct call *c)
{
    free(c->state);
}

/* --- a page ------------------------------------------------------------------------------- */

static void look(struct call *c);

/* Appends the events; returns how many. One more than asked for, or one whose data was too much,
 * is there to tell that there are more. */
static int put_events(const struct page *p, PGresult *res, struct buf *out)
{
    int n = 0;

    while (n < PQntuples(res) && n < p->rows &&
           !PQgetisnull(res, n, (int)EVENTS_EVENT + (int)EV_DATA)) {
        if (n)
            buf_addc(out, ',');
        event_row_write(res, n++, EVENTS_EVENT, out);
    }
    return n;
}

static void answer(struct call *c, PGresult *res)
{
    const struct page *p = c->state;
    struct buf body = BUF_INIT(API_ANSWER_MAX);
    int64_t last = pg_int(res, 0, EVENTS_LAST), next;
    int n, rows = PQgetisnull(res, 0, EVENTS_EVENT) ? 0 : PQntuples(res);

    buf_adds(&body, "{\"events\":[");
    n = put_events(p, res, &body);
    next = n < rows ? pg_int(res, n - 1, EVENTS_EVENT) : last > p->since ? last : p->since;
    buf_addc(&body, ']');
    json_kv_int(&body, "nextSequence", next);
    json_kv_bool(&body, "hasMore", n < rows);
    json_kv_bool(&body, "ended", pg_text(res, 0, EVENTS_ENDED)[0] == 't');
    buf_adds(&body, "}\n");
    call_json(c, 200, &body);
}

static void on_page(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct page *p = c->state;
    int64_t left = p->until_ms - loop_now_ms(c->api->loop);
    bool found = PQntuples(res) > 0;

    (void)e;
    if (!found) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such run");
    } else if (!PQgetisnull(res, 0, EVENTS_EVENT) || pg_text(res, 0, EVENTS_ENDED)[0] == 't' ||
               left <= 0 || c->api->stopping) {
        answer(c, res);
    } else { /* what is there by now is none of the types that are asked for */
        if (pg_int(res, 0, EVENTS_LAST) > p->since)
            p->since = pg_int(res, 0, EVENTS_LAST);
        wait_run(c, p->run_id, p->since, left, look);
    }
}

static void look(struct call *c)
{
    const struct page *p = c->state;
    AUTO_BUF like = BUF_INIT(EVENT_TYPES_ROOM * 2);
    char since[24], rows[24];

    (void)snprintf(since, sizeof(since), "%" PRId64, p->since);
    (void)snprintf(rows, sizeof(rows), "%" PRId64, p->rows + 1);
    if (p->types[0])
        event_types_like(p->types, &like);
    call_query(c,
               &(struct pg_cmd){.sql = events_sql,
                                .keep = true,
                                .n = 6,
                                .v = {p->run_id, c->who.tenant, since, rows,
                                      p->types[0] ? like.p : NULL, PAGE_BYTES}},
               on_page);
}

/* --- what is asked for ------------------------------------------------------------------------ */

static bool wants_stream(struct call *c, bool *stream)
{
    AUTO_BUF accept = BUF_INIT(API_CONNECTION_MAX);

    http_request_header_list(c->http, "Accept", &accept);
    int json = accept_quality(accept.p, "application/json");
    int sse = accept_quality(accept.p, SSE_CONTENT_TYPE);

    *stream = sse > json;
    if (json || sse)
        return true;
    call_problem(c, PROBLEM_NOT_ACCEPTABLE,
                 "this is to be had as application/json or " SSE_CONTENT_TYPE);
    return false;
}

static bool read_types(struct call *c, struct page *p)
{
    bool given;

    if (!call_text(c, "types", p->types, sizeof(p->types), &given))
        return false;
    if (!given || event_types_ok(str_of(p->types)))
        return true;
    call_problem_at(
        c, PROBLEM_BAD_REQUEST, "types",
        "types is a list of at most %d types, as sandfleet.run.*,sandfleet.agent.message",
        EVENT_TYPES_MAX);
    return false;
}

/* Whoever comes back says how far it was; its address still has where it began. */
static bool read_last_id(struct call *c, struct page *p)
{
    const char *id = http_request_header(c->http, "Last-Event-ID");

    if (!id || sse_out_read_id(str_of(id), &p->since))
        return true;
    call_problem_at(c, PROBLEM_BAD_REQUEST, "Last-Event-ID",
                    "Last-Event-ID is none of this stream");
    return false;
}

static bool read_page(struct call *c, const char *run_id, struct page *p)
{
    (void)snprintf(p->run_id, sizeof(p->run_id), "%s", run_id);
    if (!call_int(c, "since", 0, INT64_MAX, 0, &p->since) ||
        !call_int(c, "limit", 1, ROWS_MAX, ROWS, &p->rows) || !wait_asked(c, &p->wait_ms) ||
        !read_types(c, p))
        return false;
    p->until_ms = loop_now_ms(c->api->loop) + p->wait_ms;
    return true;
}

void events_get(struct call *c)
{
    static const char *const names[] = {"since", "limit", "types", "wait", NULL};
    const char *id = call_params(c, names) ? call_run_id(c) : NULL;
    struct page *p = id ? calloc(1, sizeof(*p)) : NULL;
    bool stream;

    if (!p) {
        if (id)
            call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    c->state = p;
    c->release = release;
    if (!wants_stream(c, &stream) || !read_page(c, id, p) || (stream && !read_last_id(c, p)))
        return;
    if (!stream) {
        look(c);
        return;
    }
    c->state = NULL; /* the stream has its own */
    c->release = NULL;
    stream_start(c, p->run_id, p->since, p->types[0] ? p->types : NULL);
    free(p);
}
