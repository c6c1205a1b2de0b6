/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/item_answers.h"

#include "api/api_internal.h"
#include "common/log.h"
#include "common/banned.h"

enum { ANSWER_BOUND = 256 << 10, PIECE = 32 << 10 };

void item_answers_init(struct item_answers *a, struct call *c)
{
    *a = (struct item_answers){.call = c, .kept = SPOOL_INIT(c->api->set->spool)};
}

void item_answers_release(struct item_answers *a)
{
    spool_release(&a->kept);
}

static void cut(struct item_answers *a, const struct err *e)
{
    log_event(LOG_ERROR, "items.cut", LF("request", a->call->id), LF_ERR(e));
    if (a->stream)
        http_stream_cut(a->stream);
    else
        call_problem(a->call, PROBLEM_INTERNAL, "%s; send all of it again: nothing is doubled",
                     e->msg);
}

void item_answers_add(struct item_answers *a, struct str line)
{
    struct err err = ERR_INIT;

    if (call_is_open(a->call) && spool_add(&a->kept, line, &err) != ERR_OK)
        cut(a, &err);
}

static void feed(void *ctx)
{
    struct item_answers *a = ctx;
    struct buf *out = http_stream_buf(a->stream);
    struct err err = ERR_INIT;

    while (http_stream_waiting(a->stream) <= ANSWER_BOUND / 2) {
        size_t before = http_stream_waiting(a->stream);

        if (spool_read(&a->kept, PIECE, out, &err) != ERR_OK) {
            cut(a, &err);
            return;
        }
        if (http_stream_waiting(a->stream) == before) {
            http_stream_end(a->stream);
            return;
        }
    }
    http_stream_flush(a->stream);
}

static void on_closed(void *ctx)
{
    struct item_answers *a = ctx;

    a->stream = NULL;
    call_drop(a->call);
}

void item_answers_tell(struct item_answers *a)
{
    static const struct http_stream_events events = {.drained = feed, .closed = on_closed};

    if (!call_is_open(a->call))
        return;
    call_keep(a->call);
    a->stream =
        http_stream_open(a->call->http, 200, "application/x-ndjson", ANSWER_BOUND, &events, a);
    if (a->stream)
        feed(a);
    else
        call_drop(a->call);
}
