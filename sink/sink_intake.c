/* SPDX-License-Identifier: Apache-2.0 */
/* Records in, batches out to the writer. */
#include "common/log.h"

#include "sink/sink_internal.h"

#include "common/banned.h"

enum { PROGRESS_BATCHES = 100 };

void sink_pause(struct sink *s, bool paused)
{
    if (s->paused == paused)
        return;
    s->paused = paused;
    consumer_pause(s->consumer, NULL, paused);
}

void sink_forget(struct sink *s)
{
    writer_forget(s->writer);
    s->loaded = false;
    s->due = false;
    timer_stop(s->age);
    batch_clear(s->forming);
}

/* Hands the forming batch to the writer, which is at rest, and begins another one. */
static void write_batch(struct sink *s)
{
    struct batch *full = s->forming;

    s->due = false;
    timer_stop(s->age);
    s->forming = full == &s->batches[0] ? &s->batches[1] : &s->batches[0];
    batch_clear(s->forming);
    if (s->paused)
        sink_pause(s, false);
    writer_start(s->writer, full);
}

static void write_when_due(struct sink *s)
{
    if (s->forming->n == 0 || writer_busy(s->writer) || !s->loaded || s->stopping)
        return;
    if (s->due || batch_full(s->forming))
        write_batch(s);
}

void sink_on_age(void *ctx)
{
    struct sink *s = ctx;

    s->due = true;
    write_when_due(s);
}

/* --- the consumer's events ------------------------------------------------------------ */

static void take(struct sink *s, enum topic topic, struct kafka_record *r, int64_t from)
{
    struct err err = ERR_INIT;

    if (batch_add(s->forming, topic, r, from, &err) != ERR_OK) {
        sink_fail(s, &err);
        return;
    }
    if (s->forming->n == 1)
        timer_start(s->age, s->settings->batch_age_ms);
    if (!batch_full(s->forming))
        return;
    if (writer_busy(s->writer))
        sink_pause(s, true);
    else
        write_batch(s);
}

static void on_record(void *ctx, struct kafka_record *r)
{
    struct sink *s = ctx;
    struct position *p;
    struct err err = ERR_INIT;
    enum topic topic;
    int64_t from;

    if (!s->loaded || s->stopping || !batch_knows(s->forming, r->topic, &topic))
        return;
    switch (offsets_next(&s->offsets, topic, r->partition, r->offset, &p, &from)) {
    case OFFSETS_TAKE:
        take(s, topic, r, from);
        break;
    case OFFSETS_SEEK:
        if (consumer_seek(s->consumer, &(struct partition){r->topic, r->partition, p->next},
                          &err) != ERR_OK)
            sink_fail(s, &err);
        break;
    case OFFSETS_DROP:
        break;
    }
}

static void on_assigned(void *ctx, const struct partition *ps, size_t n)
{
    struct sink *s = ctx;
    struct err err = ERR_INIT;

    sink_forget(s);
    if (offsets_assign(&s->offsets, ps, n, &err) != ERR_OK) {
        sink_fail(s, &err);
        return;
    }
    s->assigned = true;
    sink_try(s);
}

/* A batch under way goes on: whoever has the partition next finds it committed, or
 * finds its own first batch refused and reads the positions again. */
static void on_revoked(void *ctx, const struct partition *ps, size_t n)
{
    struct sink *s = ctx;
    struct err err = ERR_INIT;

    (void)ps;
    log_event(LOG_INFO, "sink.revoked", LF_INT("partitions", n));
    sink_forget(s);
    s->assigned = false;
    if (offsets_assign(&s->offsets, NULL, 0, &err) != ERR_OK)
        sink_fail(s, &err);
}

static void on_failed(void *ctx, const struct err *e)
{
    struct sink *s = ctx;

    if (err_action(e->code) == ERR_DO_RETRY) {
        log_event(LOG_WARN, "sink.kafka_trouble", LF_ERR(e));
        return;
    }
    log_event(LOG_ERROR, "sink.kafka_refused",
              LF("next", "if records are gone for good, start it once with --accept-loss"));
    sink_fail(s, e);
}

const struct consumer_events sink_consumer_events = {
    .record = on_record, .assigned = on_assigned, .revoked = on_revoked, .failed = on_failed};

/* --- the writer's events --------------------------------------------------------------- */

static void on_committed(void *ctx, enum topic topic, int32_t partition, int64_t next)
{
    struct sink *s = ctx;
    struct position *p = offsets_find(&s->offsets, topic, partition);

    if (p)
        p->committed = next;
}

static void log_progress(const struct sink *s)
{
    const struct writer_counts *c = writer_counts(s->writer);

    if (c->batches % PROGRESS_BATCHES != 0)
        return;
    log_event(LOG_DEBUG, "sink.progress", LF_INT("batches", c->batches), LF_INT("rows", c->rows),
              LF_INT("events", c->events), LF_INT("requests", c->requests),
              LF_INT("repeats", c->repeats), LF_INT("superseded", c->superseded),
              LF_INT("gaps", c->gaps), LF_INT("quarantined", c->quarantined));
}

static void on_ended(void *ctx, enum writer_end how, const struct err *e)
{
    struct sink *s = ctx;

    if (s->stopping) {
        loop_stop(s->loop);
        return;
    }
    switch (how) {
    case WRITER_DONE:
        backoff_reset(&s->backoff);
        log_progress(s);
        if (!s->loaded)
            sink_try(s); /* a new assignment waited for this batch */
        s->due = true;   /* what came meanwhile has waited long enough */
        write_when_due(s);
        if (s->forming->n == 0)
            s->due = false;
        if (s->rebuild)
            rebuild_check(s);
        break;
    case WRITER_MOVED:
        log_event(LOG_WARN, "sink.moved", LF_ERR(e));
        sink_forget(s);
        sink_try(s);
        break;
    case WRITER_LOST:
        log_event(LOG_WARN, "sink.batch_lost", LF_ERR(e));
        if (e->code == ERR_INTERNAL) /* what this session has is not what we think */
            s->session_broken = true;
        sink_forget(s);
        sink_retry_later(s);
        break;
    case WRITER_FATAL:
        sink_fail(s, e);
        break;
    }
}

const struct writer_events sink_writer_events = {.committed = on_committed, .ended = on_ended};
