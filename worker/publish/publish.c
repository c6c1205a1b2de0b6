/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/publish/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "worker/seen/seen.h"
#include "worker/publish/flow.h"
#include "common/banned.h"

enum { QUEUE_MAX_BYTES = 24 << 20 };

/* A record that the producer did not take yet, with its bytes. */
struct held {
    struct held *next;
    struct sent *sent;
    struct str key, value;
    struct kafka_header headers[EVENT_HEADERS];
    size_t n_headers;
    char bytes[];
};

struct publish_hub {
    struct loop *loop;
    struct flow flow;
    struct producer *producer;
    struct event_record record; /* reused */
    struct held *first, **last;
    LIST_HEAD(, publish_log) logs; /* also those that nobody listens to any more */
    char topic[128];
    publish_fatal_fn fatal;
    void *ctx;
};

/* One event under way. */
struct sent {
    struct publish_log *log;
    struct sent *next;
    int64_t line, offset; /* 0: not a line */
    size_t bytes;
    bool acked;
};

struct publish_log {
    struct publish_hub *hub;
    LIST_ENTRY(publish_log) link;
    const struct event_run *run;
    void (*moved)(void *ctx); /* NULL: nobody listens any more */
    void *ctx;
    struct sent *first, **last;
    struct publish_position position;
    size_t unacked;
    int busy; /* inside moved() */
};

/* --- the log ----------------------------------------------------------------- */

struct publish_log *publish_log_new(struct publish_hub *h, const struct event_run *run,
                                    void (*moved)(void *ctx), void *ctx)
{
    struct publish_log *log = calloc(1, sizeof(*log));
    if (!log)
        return NULL;
    *log = (struct publish_log){.hub = h, .run = run, .moved = moved, .ctx = ctx};
    log->last = &log->first;
    LIST_INSERT_HEAD(&h->logs, log, link);
    return log;
}

static void unlink_and_free(struct publish_log *log)
{
    LIST_REMOVE(log, link);
    free(log);
}

static void free_if_done(struct publish_log *log)
{
    if (!log->moved && !log->first && log->busy == 0)
        unlink_and_free(log);
}

void publish_log_free(struct publish_log *log)
{
    if (!log)
        return;
    log->moved = NULL;
    log->run = NULL;
    free_if_done(log);
}

struct publish_position publish_log_position(const struct publish_log *log)
{
    return log->position;
}

bool publish_log_idle(const struct publish_log *log)
{
    return !log->first;
}

bool publish_log_blocked(const struct publish_log *log)
{
    return log->hub->flow.blocked;
}

size_t publish_log_unacked(const struct publish_log *log)
{
    return log->unacked;
}

/* Moves the position over all that is acknowledged from the front. */
static void advance(struct publish_log *log)
{
    while (log->first && log->first->acked) {
        struct sent *s = log->first;
        log->first = s->next;
        if (!log->first)
            log->last = &log->first;
        log->unacked -= s->bytes;
        flow_acked(&log->hub->flow, s->bytes, loop_now_ms(log->hub->loop));
        if (s->line > log->position.line)
            log->position = (struct publish_position){s->line, s->offset};
        free(s);
    }
}

static void acked(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct sent *s = ctx;
    struct publish_log *log = s->log;

    (void)partition, (void)offset;
    if (e->code != ERR_OK) { /* never acknowledged: nothing behind it may count, either */
        seen_add(SEEN_KAFKA_ERRORS, 0, 1);
        log->hub->fatal(log->hub->ctx, e);
        return;
    }
    s->acked = true;
    log->busy++;
    advance(log);
    if (log->moved)
        log->moved(log->ctx);
    log->busy--;
    free_if_done(log);
}

static struct sent *append(struct publish_log *log, const struct event *e, size_t bytes)
{
    struct sent *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    *s = (struct sent){.log = log, .bytes = bytes};
    if (event_is_line(e->type)) {
        s->line = e->n;
        s->offset = e->offset;
    }
    *log->last = s;
    log->last = &s->next;
    log->unacked += bytes;
    flow_sent(&log->hub->flow, bytes, loop_now_ms(log->hub->loop));
    return s;
}

static void drop_last(struct publish_log *log, struct sent *s)
{
    struct sent **at = &log->first;
    while (*at != s)
        at = &(*at)->next;
    *at = NULL;
    log->last = at;
    log->unacked -= s->bytes;
    log->hub->flow.unacked -= s->bytes;
    free(s);
}

/* --- what the producer does not take yet ------------------------------------- */

static struct str copy_to(char **at, struct str s)
{
    struct str copy = {*at, s.n};
    if (s.n > 0)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

static enum err_code hold(struct publish_hub *h, struct sent *s, struct str key, struct err *err)
{
    const struct event_record *r = &h->record;
    size_t bytes = key.n + r->value.len;

    for (size_t i = 0; i < r->n_headers; i++)
        bytes += r->headers[i].value.n;
    struct held *held = calloc(1, sizeof(*held) + bytes);
    if (!held)
        return err_set(err, ERR_NOMEM, "an event that waits for the broker");

    char *at = held->bytes;
    held->sent = s;
    held->key = copy_to(&at, key);
    held->value = copy_to(&at, buf_str(&r->value));
    held->n_headers = r->n_headers;
    for (size_t i = 0; i < r->n_headers; i++)
        held->headers[i] = (struct kafka_header){.name = r->headers[i].name,
                                                 .value = copy_to(&at, r->headers[i].value)};
    *h->last = held;
    h->last = &held->next;
    return ERR_OK;
}

static void on_room(void *ctx)
{
    struct publish_hub *h = ctx;

    while (h->first) {
        struct held *held = h->first;
        struct err err = ERR_INIT;
        enum err_code rc = producer_send(h->producer, h->topic, held->key, held->value,
                                         held->headers, held->n_headers, acked, held->sent, &err);
        if (rc == ERR_THROTTLED)
            return;
        if (rc != ERR_OK) {
            h->fatal(h->ctx, &err);
            return;
        }
        h->first = held->next;
        if (!h->first)
            h->last = &h->first;
        free(held);
    }
}

static enum err_code send_or_hold(struct publish_hub *h, struct sent *s, struct str key,
                                  struct err *err)
{
    enum err_code rc = ERR_THROTTLED;

    if (!h->first)
        rc = producer_send(h->producer, h->topic, key, buf_str(&h->record.value), h->record.headers,
                           h->record.n_headers, acked, s, err);
    return rc == ERR_THROTTLED ? hold(h, s, key, err) : rc;
}

enum err_code publish_event(struct publish_log *log, const struct event *e, struct err *err)
{
    struct publish_hub *h = log->hub;
    enum err_code rc = event_write(log->run, e, &h->record, err);

    if (rc != ERR_OK)
        return rc;
    struct sent *s = append(log, e, h->record.value.len);
    if (!s)
        return err_set(err, ERR_NOMEM, "an event of run %s", log->run->run_id);
    rc = send_or_hold(h, s, str_of(log->run->run_id), err);
    if (rc != ERR_OK)
        drop_last(log, s);
    return rc;
}

/* --- the hub ----------------------------------------------------------------- */

static void on_fatal(void *ctx, const struct err *e)
{
    struct publish_hub *h = ctx;
    h->fatal(h->ctx, e);
}

enum err_code publish_hub_new(struct loop *l, const struct publish_opts *opts,
                              struct publish_hub **out, struct err *err)
{
    struct publish_hub *h = calloc(1, sizeof(*h));
    if (!h)
        return err_set(err, ERR_NOMEM, "the event producer");
    h->loop = l;
    h->fatal = opts->fatal;
    h->ctx = opts->ctx;
    h->last = &h->first;
    LIST_INIT(&h->logs);
    snprintf(h->topic, sizeof(h->topic), "%s", opts->topic);
    event_record_init(&h->record);

    struct producer_opts po = {.linger_ms = PUBLISH_LINGER_MS,
                               .max_queued_bytes = QUEUE_MAX_BYTES,
                               .room = on_room,
                               .fatal = on_fatal,
                               .ctx = h};
    enum err_code rc = producer_new(l, opts->kafka, &po, &h->producer, err);
    if (rc != ERR_OK) {
        publish_hub_free(h);
        return rc;
    }
    *out = h;
    return ERR_OK;
}

bool publish_hub_look(struct publish_hub *h, bool *blocked)
{
    bool changed = flow_look(&h->flow, loop_now_ms(h->loop));

    *blocked = h->flow.blocked;
    return changed;
}

struct producer *publish_hub_producer(struct publish_hub *h)
{
    return h->producer;
}

bool publish_hub_flush(struct publish_hub *h, int64_t timeout_ms)
{
    return producer_flush(h->producer, timeout_ms) && !h->first;
}

/* What was under way when the producer ended is acknowledged to nobody. */
static void forget(struct publish_log *log)
{
    for (struct sent *s = log->first, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    unlink_and_free(log);
}

void publish_hub_free(struct publish_hub *h)
{
    if (!h)
        return;
    producer_free(h->producer);
    for (struct publish_log *log; (log = LIST_FIRST(&h->logs));)
        forget(log);
    for (struct held *held = h->first, *next; held; held = next) {
        next = held->next;
        free(held);
    }
    event_record_release(&h->record);
    free(h);
}
