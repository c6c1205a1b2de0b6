/* SPDX-License-Identifier: Apache-2.0 */
/* The idempotent producer. A record that was accepted is acknowledged or
 * reported; none is dropped by a time-out that nobody asked for. */
#include "common/kafka/kafka_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/banned.h"

enum {
    MAX_QUEUED_BYTES = 64 << 20,
    TOPICS_KEPT = 4,
    RECORD_OVERHEAD = 256 /* what librdkafka and we keep for a record beside its bytes */
};

struct sent { /* one accepted record */
    LIST_ENTRY(sent) link;
    produced_fn fn;
    void *ctx;
    int64_t bytes;
};

struct producer {
    struct kafka_client client;
    struct producer_opts opts;
    LIST_HEAD(sent_list, sent) in_flight, spare; /* spare: to be used again */
    size_t n_in_flight;
    int64_t queued_bytes;
    rd_kafka_topic_t *topics[TOPICS_KEPT]; /* looked up once: NULL behind the last */
    bool full; /* somebody was told ERR_THROTTLED and waits for room() */
};

/* --- reports --- */

static void why_not(const rd_kafka_message_t *m, struct err *e)
{
    kafka_error(e, m->err, "send to topic '%s'", rd_kafka_topic_name(m->rkt));
    if (rd_kafka_message_status(m) == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED)
        e->code = ERR_IO;
}

static void tell(struct producer *p, const struct sent *s, const rd_kafka_message_t *m)
{
    static const struct err none = {.code = ERR_OK};
    struct err e;

    if (!s->fn || p->client.freed)
        return;
    if (m->err)
        why_not(m, &e);
    s->fn(s->ctx, m->err ? &e : &none, m->partition, m->offset);
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct producer *p = ((struct kafka_client *)opaque)->ctx;
    struct sent *s = m->_private;
    (void)rk;
    if (!m->err)
        kafka_client_alive(&p->client);
    LIST_REMOVE(s, link);
    p->n_in_flight--;
    p->queued_bytes -= s->bytes;
    tell(p, s, m);
    LIST_INSERT_HEAD(&p->spare, s, link);
}

static void tell_room(struct producer *p)
{
    if (!p->full || p->client.freed || p->queued_bytes > p->opts.max_queued_bytes / 2)
        return;
    p->full = false;
    if (p->opts.room)
        p->opts.room(p->opts.ctx);
}

static bool turn(void *ctx)
{
    struct producer *p = ctx;
    rd_kafka_poll(p->client.rk, 0);
    tell_room(p);
    return false;
}

static void dead(void *ctx, const struct err *e)
{
    struct producer *p = ctx;
    if (p->opts.fatal)
        p->opts.fatal(p->opts.ctx, e);
}

/* --- life --- */

static void free_all(struct sent_list *list)
{
    struct sent *s;

    while ((s = LIST_FIRST(list))) {
        LIST_REMOVE(s, link);
        free(s);
    }
}

static void release(void *ctx)
{
    struct producer *p = ctx;
    kafka_client_close(&p->client);
    for (size_t i = 0; i < TOPICS_KEPT && p->topics[i]; i++)
        rd_kafka_topic_destroy(p->topics[i]);
    if (p->client.rk) {
        rd_kafka_purge(p->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(p->client.rk);
    }
    free_all(&p->in_flight);
    free_all(&p->spare);
    kafka_client_release(&p->client);
    free(p);
}

static enum err_code make_conf(const struct kafka_conf *conf, const struct producer_opts *opts,
                               rd_kafka_conf_t **out, struct err *err)
{
    char linger[24], batch[24], kbytes[24], messages[24], timeout[24];
    snprintf(linger, sizeof linger, "%" PRId64, opts->linger_ms);
    snprintf(timeout, sizeof timeout, "%" PRId64, opts->timeout_ms);
    snprintf(batch, sizeof batch, "%" PRId64, opts->batch_bytes ? opts->batch_bytes : 1000000);
    /* Our own ceiling speaks first. */
    snprintf(kbytes, sizeof kbytes, "%" PRId64, 2 * (opts->max_queued_bytes >> 10) + 4096);
    snprintf(messages, sizeof messages, "%" PRId64, opts->max_queued_bytes / RECORD_OVERHEAD + 1);
    const struct kafka_prop props[] = {
        {"acks", "all"},
        {"enable.idempotence", "true"},
        {"message.timeout.ms", timeout}, /* 0: an outage delays records, it drops none */
        {"partitioner", "murmur2_random"},
        {"message.max.bytes", "1600000"},
        {"compression.type", opts->compression ? opts->compression : "lz4"},
        {"batch.size", batch},
        {"linger.ms", linger},
        {"queue.buffering.max.kbytes", kbytes},
        {"queue.buffering.max.messages", messages},
        {"statistics.interval.ms", "1000"},
    };
    return kafka_conf_new(conf, props, COUNTOF(props), out, err);
}

enum err_code producer_new(struct loop *l, const struct kafka_conf *conf,
                           const struct producer_opts *opts, struct producer **out, struct err *err)
{
    struct producer *p = calloc(1, sizeof *p);
    rd_kafka_conf_t *c;
    if (!p)
        return err_set(err, ERR_NOMEM, "make a kafka producer");
    p->opts = *opts;
    if (p->opts.max_queued_bytes <= 0)
        p->opts.max_queued_bytes = MAX_QUEUED_BYTES;
    LIST_INIT(&p->in_flight);
    LIST_INIT(&p->spare);
    enum err_code rc = make_conf(conf, &p->opts, &c, err);
    if (rc != ERR_OK) {
        free(p);
        return rc;
    }
    rd_kafka_conf_set_dr_msg_cb(c, on_report);
    p->client.turn = turn;
    p->client.dead = dead;
    p->client.release = release;
    p->client.ctx = p;
    rc = kafka_client_open(&p->client, l, RD_KAFKA_PRODUCER, c, conf->brokers, err);
    if (rc != ERR_OK) {
        release(p);
        return rc;
    }
    *out = p;
    return ERR_OK;
}

void producer_free(struct producer *p)
{
    if (p)
        kafka_client_free(&p->client);
}

/* --- sending --- */

static rd_kafka_headers_t *copy_headers(const struct kafka_header *headers, size_t n)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(n);
    for (size_t i = 0; h && i < n; i++) {
        if (rd_kafka_header_add(h, headers[i].name, -1, headers[i].value.p,
                                (ssize_t)headers[i].value.n) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_headers_destroy(h);
            return NULL;
        }
    }
    return h;
}

static void *loose(const char *p) /* librdkafka takes void *, and copies */
{
    union {
        const char *in;
        void *out;
    } u = {.in = p};
    return u.out;
}

/* librdkafka would look the name up for each record. */
static rd_kafka_topic_t *topic_of(struct producer *p, const char *name)
{
    size_t i;

    for (i = 0; i < TOPICS_KEPT && p->topics[i]; i++)
        if (strcmp(rd_kafka_topic_name(p->topics[i]), name) == 0)
            return p->topics[i];
    if (i == TOPICS_KEPT) { /* nobody has so many */
        rd_kafka_topic_destroy(p->topics[--i]);
        p->topics[i] = NULL;
    }
    return p->topics[i] = rd_kafka_topic_new(p->client.rk, name, NULL);
}

static enum err_code produce(struct producer *p, const char *topic, struct str key,
                             struct str value, rd_kafka_headers_t *h, struct sent *s,
                             struct err *err)
{
    rd_kafka_topic_t *rkt = topic_of(p, topic);
    rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (!rkt)
        e = rd_kafka_last_error();
    else if (h)
        e = rd_kafka_producev(
            p->client.rk, RD_KAFKA_V_RKT(rkt), RD_KAFKA_V_KEY(loose(key.p), key.n),
            RD_KAFKA_V_VALUE(loose(value.p), value.n), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_HEADERS(h), RD_KAFKA_V_OPAQUE(s), RD_KAFKA_V_END);
    else if (rd_kafka_produce(rkt, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, loose(value.p),
                              value.n, key.p, key.n, s) != 0)
        e = rd_kafka_last_error();
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
        return ERR_OK;
    if (h)
        rd_kafka_headers_destroy(h); /* taken only on success */
    return kafka_error(err, e, "send to topic '%s'", topic);
}

static struct sent *sent_new(struct producer *p)
{
    struct sent *s = LIST_FIRST(&p->spare);

    if (!s)
        return malloc(sizeof *s);
    LIST_REMOVE(s, link);
    return s;
}

enum err_code producer_send(struct producer *p, const char *topic, struct str key, struct str value,
                            const struct kafka_header *headers, size_t n_headers, produced_fn fn,
                            void *ctx, struct err *err)
{
    int64_t bytes = (int64_t)(key.n + value.n) + RECORD_OVERHEAD;
    if (p->queued_bytes > 0 && p->queued_bytes + bytes > p->opts.max_queued_bytes) {
        p->full = true;
        return err_set(err, ERR_THROTTLED, "%" PRId64 " bytes wait for kafka", p->queued_bytes);
    }
    struct sent *s = sent_new(p);
    rd_kafka_headers_t *h = s && n_headers > 0 ? copy_headers(headers, n_headers) : NULL;
    if (!s || (n_headers > 0 && !h)) {
        free(s);
        return err_set(err, ERR_NOMEM, "send to topic '%s'", topic);
    }
    *s = (struct sent){.fn = fn, .ctx = ctx, .bytes = bytes};
    enum err_code rc = produce(p, topic, key, value, h, s, err);
    if (rc != ERR_OK) {
        LIST_INSERT_HEAD(&p->spare, s, link);
        p->full = p->full || rc == ERR_THROTTLED;
        return rc;
    }
    LIST_INSERT_HEAD(&p->in_flight, s, link);
    p->n_in_flight++;
    p->queued_bytes += bytes;
    return ERR_OK;
}

void producer_know(struct producer *p, const char *topic)
{
    (void)topic_of(p, topic);
}

/* How many of the records fit under the ceiling; what stands in an empty queue always fits. */
static size_t fitting(const struct producer *p, const struct producer_record *records, size_t n)
{
    int64_t bytes = p->queued_bytes;

    for (size_t i = 0; i < n; i++) {
        bytes += (int64_t)(records[i].key.n + records[i].value.n) + RECORD_OVERHEAD;
        if (bytes > p->opts.max_queued_bytes && (i > 0 || p->queued_bytes > 0))
            return i;
    }
    return n;
}

static size_t prepare(struct producer *p, const struct producer_record *records, size_t n,
                      rd_kafka_message_t *to)
{
    for (size_t i = 0; i < n; i++) {
        const struct producer_record *r = &records[i];
        struct sent *s = sent_new(p);

        if (!s)
            return i;
        *s = (struct sent){.fn = r->fn,
                           .ctx = r->ctx,
                           .bytes = (int64_t)(r->key.n + r->value.n) + RECORD_OVERHEAD};
        to[i] = (rd_kafka_message_t){.payload = loose(r->value.p),
                                     .len = r->value.n,
                                     .key = loose(r->key.p),
                                     .key_len = r->key.n,
                                     ._private = s};
    }
    return n;
}

static enum err_code took(struct producer *p, const rd_kafka_message_t *m, const char *topic,
                          struct err *err)
{
    struct sent *s = m->_private;

    if (m->err) {
        LIST_INSERT_HEAD(&p->spare, s, link);
        return kafka_error(err, m->err, "send to topic '%s'", topic);
    }
    LIST_INSERT_HEAD(&p->in_flight, s, link);
    p->n_in_flight++;
    p->queued_bytes += s->bytes;
    return ERR_OK;
}

static enum err_code not_tried(struct producer *p, bool fits, const char *topic, struct err *err)
{
    if (fits)
        return err_set(err, ERR_NOMEM, "send to topic '%s'", topic);
    p->full = true;
    return err_set(err, ERR_THROTTLED, "%" PRId64 " bytes wait for kafka", p->queued_bytes);
}

enum err_code producer_send_many(struct producer *p, const char *topic,
                                 struct producer_record *records, size_t n, struct err *err)
{
    rd_kafka_message_t messages[PRODUCER_MANY];
    rd_kafka_topic_t *rkt = topic_of(p, topic);
    size_t fit = fitting(p, records, n < PRODUCER_MANY ? n : PRODUCER_MANY);
    size_t made = rkt ? prepare(p, records, fit, messages) : 0;
    enum err_code first = ERR_OK;
    struct err other;

    if (made > 0)
        rd_kafka_produce_batch(rkt, RD_KAFKA_PARTITION_UA, 0, messages, (int)made);
    for (size_t i = 0; i < n; i++) {
        struct err *e = first == ERR_OK ? err : &other;

        records[i].rc =
            i < made ? took(p, &messages[i], topic, e) : not_tried(p, i < fit, topic, e);
        p->full = p->full || records[i].rc == ERR_THROTTLED;
        first = first == ERR_OK ? records[i].rc : first;
    }
    return first;
}

size_t producer_in_flight(const struct producer *p)
{
    return p->n_in_flight;
}

int64_t producer_queued_bytes(const struct producer *p)
{
    return p->queued_bytes;
}

bool producer_is_up(const struct producer *p)
{
    return !p->client.down;
}

void producer_poll(struct producer *p)
{
    p->client.busy++;
    turn(p);
    if (--p->client.busy == 0 && p->client.freed)
        release(p);
}

bool producer_flush(struct producer *p, int64_t timeout_ms)
{
    p->client.busy++;
    rd_kafka_flush(p->client.rk, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);
    bool all = p->n_in_flight == 0;
    kafka_client_soon(&p->client); /* room() comes from the loop */
    if (--p->client.busy == 0 && p->client.freed)
        release(p);
    return all;
}
