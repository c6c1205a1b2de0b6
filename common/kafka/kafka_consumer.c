/* SPDX-License-Identifier: Apache-2.0 */
/* The consumer: its group, its partitions, its positions. */
#include "common/kafka/kafka_consumer_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"

#include "common/banned.h"

enum {
    SESSION_MS = 10000,
    PREFETCH = 1000,
    PREFETCH_BYTES = 16 << 20,
    SILENT_MS = 10000,
    CLOSE_S = 3,
};

_Static_assert(KAFKA_EARLIEST == RD_KAFKA_OFFSET_BEGINNING && KAFKA_LATEST == RD_KAFKA_OFFSET_END &&
                   KAFKA_COMMITTED == RD_KAFKA_OFFSET_STORED,
               "offsets pass through unchanged");

void consumer_failed(struct consumer *c, rd_kafka_resp_err_t e, const char *what)
{
    struct err err = ERR_INIT;
    kafka_error(&err, e, "%s", what);
    if (c->ev.failed && !c->client.freed)
        c->ev.failed(c->ctx, &err);
}

/* --- assignment --- */

enum err_code consumer_assign(struct consumer *c, const struct partition *ps, size_t n,
                              struct err *err)
{
    struct lane *l;
    AUTO_LIST *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, ps[i].topic, ps[i].id)->offset = ps[i].offset;
    enum err_code rc = partitions_set(&c->parts, ps, n, err);
    if (rc != ERR_OK)
        return rc;
    rd_kafka_resp_err_t e = rd_kafka_assign(c->client.rk, list);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_error(err, e, "take %zu partitions", n);
    for (size_t i = 0; i < c->parts.n; i++)
        consumer_asked(c, &c->parts.held[i]);
    LIST_FOREACH(l, &c->parts.lanes, link)
    {
        if (l->stopped) /* nothing is kept back any more */
            consumer_tell_fetching(c, l, false);
    }
    return ERR_OK;
}

static void assigned(struct consumer *c, const struct partition *ps, size_t n)
{
    struct err e = ERR_INIT;
    if (c->ev.assigned)
        c->ev.assigned(c->ctx, ps, n);
    else if (consumer_assign(c, ps, n, &e) != ERR_OK && c->ev.failed)
        c->ev.failed(c->ctx, &e);
}

/* A revoke is answered at once: unanswered, it would stop the kept partitions, too. */
static void revoked(struct consumer *c, const struct partition *ps, size_t n)
{
    partitions_clear(&c->parts);
    rd_kafka_assign(c->client.rk, NULL);
    if (c->ev.revoked && !c->client.freed)
        c->ev.revoked(c->ctx, ps, n);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t e,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct consumer *c = ((struct kafka_client *)opaque)->ctx;
    (void)rk;
    size_t n = (size_t)list->cnt;
    struct partition *ps = calloc(n + 1, sizeof *ps);
    if (!ps ||
        (e != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && e != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)) {
        rd_kafka_assign(c->client.rk, NULL);
        consumer_failed(c, e, "rebalance");
        free(ps);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ps[i] = (struct partition){list->elems[i].topic, list->elems[i].partition, KAFKA_COMMITTED};
    kafka_client_alive(&c->client);
    if (e == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
        revoked(c, ps, n);
    else if (!c->client.freed)
        assigned(c, ps, n);
    free(ps);
}

static void dead(void *ctx, const struct err *e)
{
    struct consumer *c = ctx;
    if (c->ev.failed)
        c->ev.failed(c->ctx, e);
}

/* --- life --- */

static void end(struct consumer *c)
{
    rd_kafka_t *rk = c->client.rk;

    if (rk && !c->client.down) /* without a broker there is no group to leave */
        rd_kafka_consumer_close(rk);
    partitions_release(&c->parts); /* its records are rk's */
    if (rk)
        rd_kafka_destroy_flags(rk, c->client.down ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0);
    kafka_client_release(&c->client);
    free(c);
}

static void *end_aside(void *consumer)
{
    end(consumer);
    return NULL;
}

/* It leaves the group, so that the others get the partitions at once instead of after the
 * session's end; librdkafka 2.0.2 waits for a broker that does not answer without an end. That is
 * done by a thread, then, to which the consumer belongs from here on. */
static void release(void *ctx)
{
    struct consumer *c = ctx;
    struct timespec until;
    pthread_t aside;
    char name[64];

    c->client.freed = true;
    kafka_client_close(&c->client);
    timer_free(c->silence);
    (void)snprintf(name, sizeof name, "%s", c->client.rk ? rd_kafka_name(c->client.rk) : "");
    if (!c->client.rk || c->client.down || pthread_create(&aside, NULL, end_aside, c) != 0) {
        end(c);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_S;
    if (pthread_timedjoin_np(aside, NULL, &until) == 0)
        return;
    pthread_detach(aside);
    log_event(LOG_WARN, "kafka.not_left", LF("client", name),
              LF("next", "no broker answers; its group goes on when the session ends"));
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t e, rd_kafka_topic_partition_list_t *list,
                      void *opaque)
{
    (void)rk;
    (void)list;
    (void)opaque;
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR && e != RD_KAFKA_RESP_ERR__NO_OFFSET)
        log_event(LOG_DEBUG, "kafka.commit_failed", LF("text", rd_kafka_err2str(e)));
}

static enum err_code make_conf(const struct kafka_conf *conf, const struct consumer_opts *opts,
                               bool explicit_offsets, rd_kafka_conf_t **out, struct err *err)
{
    char session[24], kbytes[24], bytes[24];
    int64_t most = opts->prefetch_bytes ? opts->prefetch_bytes : PREFETCH_BYTES;
    snprintf(session, sizeof session, "%" PRId64, opts->session_ms ? opts->session_ms : SESSION_MS);
    snprintf(kbytes, sizeof kbytes, "%" PRId64, most >> 10);
    /* Of one answer, compressed: what comes out of it may be many times more. */
    snprintf(bytes, sizeof bytes, "%" PRId64, most / 8 > 1 << 20 ? most / 8 : 1 << 20);
    const struct kafka_prop props[] = {
        /* librdkafka wants a name even where there is no group; nothing joins it. */
        {"group.id", opts->group ? opts->group : "sandfleet-no-group"},
        {"partition.assignment.strategy", "range"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", explicit_offsets ? "error" : "earliest"},
        {"enable.partition.eof", "true"}, /* a sign of life: kafka_silence.c */
        {"allow.auto.create.topics", "false"},
        {"check.crcs", "true"},
        {"session.timeout.ms", session},
        {"heartbeat.interval.ms", opts->session_ms && opts->session_ms < 9000 ? "1000" : "3000"},
        {"max.poll.interval.ms", "300000"},
        /* Not the caller's number: 2.0.2 idles a second each time it is reached. Pauses
         * keep to that number, and the bytes below bound the memory. */
        {"queued.min.messages", "100000"},
        {"queued.max.messages.kbytes", kbytes},
        {"fetch.max.bytes", bytes},
        {"fetch.message.max.bytes", "1048576"},
        {"statistics.interval.ms", "1000"},
        {"fetch.queue.backoff.ms", "10"}, /* last: only newer libraries have it */
    };
    bool newer = rd_kafka_version() >= 0x02020000;
    return kafka_conf_new(conf, props, COUNTOF(props) - !newer, out, err);
}

static enum err_code subscribe(struct consumer *c, const struct consumer_opts *opts,
                               struct err *err)
{
    AUTO_LIST *list = rd_kafka_topic_partition_list_new((int)opts->n_topics);
    for (size_t i = 0; i < opts->n_topics; i++)
        rd_kafka_topic_partition_list_add(list, opts->topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t e = rd_kafka_subscribe(c->client.rk, list);
    return e ? kafka_error(err, e, "subscribe as group '%s'", opts->group) : ERR_OK;
}

static enum err_code open_client(struct consumer *c, struct loop *l, const struct kafka_conf *conf,
                                 const struct consumer_opts *opts, struct err *err)
{
    rd_kafka_conf_t *rc_conf;
    enum err_code rc = make_conf(conf, opts, !opts->group || c->ev.assigned, &rc_conf, err);
    if (rc != ERR_OK)
        return rc;
    rd_kafka_conf_set_rebalance_cb(rc_conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(rc_conf, on_commit);
    rc = kafka_client_open(&c->client, l, RD_KAFKA_CONSUMER, rc_conf, conf->brokers, err);
    if (rc == ERR_OK && opts->group)
        rc = subscribe(c, opts, err);
    return rc;
}

enum err_code consumer_new(struct loop *l, const struct kafka_conf *conf,
                           const struct consumer_opts *opts, const struct consumer_events *ev,
                           void *ctx, struct consumer **out, struct err *err)
{
    struct consumer *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NOMEM, "make a kafka consumer");
    c->ev = *ev;
    c->ctx = ctx;
    c->headers = opts->headers;
    c->keep_records = (size_t)(opts->prefetch ? opts->prefetch : PREFETCH);
    c->keep_bytes = (size_t)(opts->prefetch_bytes ? opts->prefetch_bytes : PREFETCH_BYTES);
    LIST_INIT(&c->parts.lanes);
    c->silent_ms = SILENT_MS;
    c->silence = timer_new(l, consumer_on_silence, c);
    c->client = (struct kafka_client){
        .turn = consumer_turn, .dead = dead, .release = release, .ctx = c, .fd = -1};
    enum err_code rc = c->silence ? open_client(c, l, conf, opts, err)
                                  : err_set(err, ERR_NOMEM, "make a kafka consumer");
    if (rc != ERR_OK) {
        release(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

void consumer_free(struct consumer *c)
{
    if (c)
        kafka_client_free(&c->client);
}

/* --- positions --- */

void consumer_pause(struct consumer *c, const char *topic, bool paused)
{
    struct err e = ERR_INIT;
    if (partitions_pause(&c->parts, topic, paused, &e) != ERR_OK) {
        if (c->ev.failed)
            c->ev.failed(c->ctx, &e);
        return;
    }
    if (paused)
        c->paused_ms = loop_now_ms(c->client.loop);
    else
        kafka_client_soon(&c->client); /* what was kept back */
}

enum err_code consumer_seek(struct consumer *c, const struct partition *to, struct err *err)
{
    struct held *h = partitions_find(&c->parts, to->topic, to->id);
    if (!h)
        return err_set(err, ERR_GONE, "seek: topic '%s' partition %" PRId32 " is not ours",
                       to->topic, to->id);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(c->client.rk, to->topic, NULL);
    rd_kafka_resp_err_t e = rd_kafka_seek(rkt, to->id, to->offset, 0);
    rd_kafka_topic_destroy(rkt);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_error(err, e, "seek in topic '%s' partition %" PRId32, to->topic, to->id);
    h->next = to->offset;
    consumer_asked(c, h);
    lane_forget(h->lane, to->id);
    return ERR_OK;
}

enum err_code consumer_commit(struct consumer *c, const char *topic, int32_t partition,
                              int64_t next, struct err *err)
{
    AUTO_LIST *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = next;
    rd_kafka_resp_err_t e = rd_kafka_commit(c->client.rk, list, 1);
    return e ? kafka_error(err, e, "commit topic '%s' partition %" PRId32, topic, partition)
             : ERR_OK;
}
