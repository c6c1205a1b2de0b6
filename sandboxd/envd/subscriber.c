/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/subscriber.h"

#include <stdlib.h>

#include "common/banned.h"

struct subscriber {           /* lives as long as its stream */
    struct subscribers *list; /* NULL: the process has ended for it */
    TAILQ_ENTRY(subscriber) link;
    struct stream *stream;
    struct follow how;
    struct timer *silence, *deadline;
    int64_t wrote_ms; /* monotonic */
};

void subscribers_init(struct subscribers *l)
{
    TAILQ_INIT(&l->all);
}

static void detach(struct subscriber *s)
{
    if (s->list == NULL)
        return;
    TAILQ_REMOVE(&s->list->all, s, link);
    s->list = NULL;
    timer_stop(s->silence);
    timer_stop(s->deadline);
}

/* The timer is not set anew for each line: it looks at the time when it fires. */
static void wrote(struct subscriber *s)
{
    s->wrote_ms = loop_now_ms(s->list->loop);
    stream_flush(s->stream);
}

static void fail(struct subscriber *s, enum rpc_code code, const char *message)
{
    detach(s);
    rpc_put_end_error(stream_buf(s->stream), code, message);
    stream_end(s->stream);
}

static void on_silence(void *ctx)
{
    struct subscriber *s = ctx;
    int64_t left = s->wrote_ms + s->how.keepalive_ms - loop_now_ms(s->list->loop);

    if (left <= 0) {
        if (!stream_full(s->stream))
            rpc_put_keepalive(stream_buf(s->stream));
        wrote(s);
        left = s->how.keepalive_ms;
    }
    timer_start(s->silence, left);
}

static void on_deadline(void *ctx)
{
    struct subscriber *s = ctx;
    struct subscribers *l = s->list;

    fail(s, RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    if (s->how.kills)
        l->kill(l->ctx);
    else
        l->drained(l->ctx);
}

static void on_drained(void *ctx)
{
    struct subscriber *s = ctx;

    if (s->list != NULL)
        s->list->drained(s->list->ctx);
}

static void on_closed(void *ctx)
{
    struct subscriber *s = ctx;
    struct subscribers *l = s->list;

    detach(s);
    timer_free(s->silence);
    timer_free(s->deadline);
    free(s);
    if (l != NULL) /* it may have been the one that held the output up */
        l->drained(l->ctx);
}

static const struct stream_events events = {.drained = on_drained, .closed = on_closed};

struct subscriber *subscribe(struct subscribers *l, struct request *r, const struct follow *how)
{
    struct subscriber *s = calloc(1, sizeof(*s));

    if (s != NULL) {
        s->how = *how;
        s->silence = timer_new(l->loop, on_silence, s);
        s->deadline = timer_new(l->loop, on_deadline, s);
    }
    if (s == NULL || s->silence == NULL || s->deadline == NULL)
        request_error(r, 500, "out of memory");
    else
        s->stream = stream_open(r, "application/connect+json", &events, s);
    if (s == NULL || s->stream == NULL) {
        timer_free(s != NULL ? s->silence : NULL);
        timer_free(s != NULL ? s->deadline : NULL);
        free(s);
        return NULL;
    }
    s->list = l;
    s->wrote_ms = loop_now_ms(l->loop);
    TAILQ_INSERT_TAIL(&l->all, s, link);
    timer_start(s->silence, how->keepalive_ms);
    if (how->deadline_ms != FOLLOW_FOREVER)
        timer_start(s->deadline, how->deadline_ms);
    return s;
}

bool subscribers_full(const struct subscribers *l)
{
    const struct subscriber *s;

    TAILQ_FOREACH(s, &l->all, link)
    if (stream_full(s->stream))
        return true;
    return false;
}

void subscriber_start(struct subscriber *s, int pid)
{
    rpc_put_start(stream_buf(s->stream), pid);
    wrote(s);
}

void subscribers_start(struct subscribers *l, int pid)
{
    struct subscriber *s;

    TAILQ_FOREACH(s, &l->all, link)
    subscriber_start(s, pid);
}

void subscribers_output(struct subscribers *l, const char *name, struct str bytes)
{
    struct subscriber *s;

    TAILQ_FOREACH(s, &l->all, link)
    {
        rpc_put_output(stream_buf(s->stream), name, bytes);
        wrote(s);
    }
}

void subscribers_exit(struct subscribers *l, int wait_status)
{
    struct subscriber *s;

    while ((s = TAILQ_FIRST(&l->all)) != NULL) {
        detach(s);
        rpc_put_exit(stream_buf(s->stream), wait_status);
        rpc_put_end(stream_buf(s->stream));
        stream_end(s->stream);
    }
}

void subscribers_fail(struct subscribers *l, enum rpc_code code, const char *message)
{
    struct subscriber *s;

    while ((s = TAILQ_FIRST(&l->all)) != NULL)
        fail(s, code, message);
}

void subscribers_cut(struct subscribers *l)
{
    struct subscriber *s;

    while ((s = TAILQ_FIRST(&l->all)) != NULL) {
        detach(s);
        stream_cut(s->stream);
    }
}
