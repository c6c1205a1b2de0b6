/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/sink.h"

#include <stdio.h>

#include "common/log.h"

#include "sink/sink_internal.h"

#include "common/banned.h"

enum {
    TOPICS_CHECK_MS = 3000, /* blocks: nothing else goes on before there is a consumer */
    TOPICS_TRIES = 3,       /* topics made a moment ago may not be seen by every broker yet */
    RETRY_MS = 100,
    RETRY_CAP_MS = 5000,
    STOP_MS = 10000,           /* that a batch under way gets to commit */
    PREFETCH_RECORDS = 1000000 /* the bytes are the limit */
};

void sink_fail(struct sink *s, const struct err *e)
{
    if (s->fatal.code == ERR_OK)
        s->fatal = *e;
    s->stopping = true;
    loop_stop(s->loop);
}

void sink_retry_later(struct sink *s)
{
    if (!timer_pending(s->start))
        timer_start(s->start, backoff_next_ms(&s->backoff));
}

/* --- start -------------------------------------------------------------------------------- */

static enum err_code check_topics(struct sink *s, const struct kafka_conf *conf, struct err *err)
{
    struct kafka_admin *admin;
    enum err_code rc = kafka_admin_new(conf, &admin, err);

    if (rc != ERR_OK)
        return rc;
    rc = topics_check(&s->topics, admin, TOPICS_CHECK_MS, err);
    kafka_admin_free(admin);
    return rc;
}

static enum err_code subscribe(struct sink *s, const struct kafka_conf *conf, struct err *err)
{
    bool alone = s->rebuild != NULL;
    char group[160];
    const char *const topics[] = {s->topics.name[TOPIC_INTERACTIVE], s->topics.name[TOPIC_BATCH],
                                  s->topics.name[TOPIC_EVENTS], s->topics.name[TOPIC_DLQ]};

    snprintf(group, sizeof(group), "%ssink", s->settings->prefix);
    return consumer_new(s->loop, conf,
                        &(struct consumer_opts){.group = alone ? NULL : group,
                                                .topics = topics,
                                                .n_topics = alone ? 0 : COUNTOF(topics),
                                                .prefetch = PREFETCH_RECORDS,
                                                .prefetch_bytes = s->settings->prefetch_bytes},
                        &sink_consumer_events, s, &s->consumer, err);
}

static void start_consumer(struct sink *s)
{
    const struct kafka_conf conf = {.brokers = s->settings->brokers,
                                    .client_id = "sandfleet-sink",
                                    .file = s->settings->kafka_config,
                                    .props = &s->settings->kafka_props};
    struct err err = ERR_INIT;

    if (check_topics(s, &conf, &err) == ERR_OK && subscribe(s, &conf, &err) == ERR_OK &&
        (!s->rebuild || rebuild_assign(s, &err) == ERR_OK))
        return;
    if (err_action(err.code) != ERR_DO_RETRY && ++s->refusals > TOPICS_TRIES) {
        sink_fail(s, &err);
        return;
    }
    log_event(LOG_WARN, "sink.kafka_down", LF_ERR(&err));
    sink_retry_later(s);
}

void sink_try(struct sink *s)
{
    if (s->stopping)
        return;
    if (s->session_broken && pg_is_up(s->pg))
        pg_reset(s->pg);
    if (!s->consumer)
        start_consumer(s);
    else if (!s->loaded)
        sink_load(s);
}

static void on_start(void *ctx)
{
    sink_try(ctx);
}

/* --- end ---------------------------------------------------------------------------------- */

static void on_stop_late(void *ctx)
{
    struct sink *s = ctx;
    loop_stop(s->loop);
}

/* The batch under way may commit; what is only collected is taken again by a successor. */
static void on_stop(void *ctx, int count)
{
    struct sink *s = ctx;

    log_event(LOG_INFO, "sink.stopping", LF_INT("signals", count));
    s->stopping = true;
    if (count > 1 || !writer_busy(s->writer)) {
        loop_stop(s->loop);
        return;
    }
    timer_stop(s->start);
    timer_free(s->start);
    s->start = timer_new(s->loop, on_stop_late, s);
    if (s->start)
        timer_start(s->start, STOP_MS);
    else
        loop_stop(s->loop);
}

/* --- life --------------------------------------------------------------------------------- */

static enum err_code sink_init(struct sink *s, const struct settings *settings, struct err *err)
{
    const struct pg_opts pg = {.conninfo = settings->database,
                               .name = settings->rebuild ? "sandfleet-rebuild" : "sandfleet-sink"};

    s->settings = settings;
    s->backoff = BACKOFF_INIT(RETRY_MS, RETRY_CAP_MS);
    offsets_init(&s->offsets, &s->topics);
    for (size_t i = 0; i < COUNTOF(s->batches); i++)
        batch_init(&s->batches[i], &s->topics, (size_t)settings->batch_rows,
                   (size_t)settings->batch_bytes);
    s->forming = &s->batches[0];
    if (topics_load(settings->prefix, &s->topics, err) != ERR_OK ||
        loop_new(&s->loop, err) != ERR_OK || loop_on_stop(s->loop, on_stop, s, err) != ERR_OK ||
        pg_new(s->loop, &pg, &sink_pg_events, s, &s->pg, err) != ERR_OK ||
        writer_new(s->pg, &sink_writer_events, s, &s->writer, err) != ERR_OK ||
        (settings->rebuild && rebuild_new(s, err) != ERR_OK))
        return err->code;
    s->age = timer_new(s->loop, sink_on_age, s);
    s->tick = timer_new(s->loop, sink_on_tick, s);
    s->start = timer_new(s->loop, on_start, s);
    if (!s->age || !s->tick || !s->start)
        return err_set(err, ERR_NOMEM, "timers");
    timer_start(s->start, 0);
    timer_start(s->tick, settings->offsets_check_ms);
    return ERR_OK;
}

static void sink_release(struct sink *s)
{
    if (s->consumer)
        sink_show_offsets(s);
    pg_free(s->pg);
    writer_free(s->writer);
    for (size_t i = 0; i < COUNTOF(s->batches); i++)
        batch_release(&s->batches[i]); /* their records are the consumer's */
    consumer_free(s->consumer);
    rebuild_free(s->rebuild);
    offsets_release(&s->offsets);
    timer_free(s->age);
    timer_free(s->tick);
    timer_free(s->start);
    loop_free(s->loop);
    topics_release(&s->topics);
}

static void log_counts(const struct sink *s)
{
    const struct writer_counts *c = writer_counts(s->writer);

    log_event(LOG_INFO, "sink.stopped", LF_INT("batches", c->batches), LF_INT("rows", c->rows),
              LF_INT("events", c->events), LF_INT("requests", c->requests),
              LF_INT("repeats", c->repeats), LF_INT("superseded", c->superseded),
              LF_INT("quarantined", c->quarantined));
}

enum err_code sink_run(const struct settings *settings, struct err *err)
{
    struct sink s = {0};

    if (sink_init(&s, settings, err) == ERR_OK) {
        loop_run(s.loop);
        log_counts(&s);
        if (s.fatal.code != ERR_OK)
            *err = s.fatal;
    }
    sink_release(&s);
    return err->code;
}
