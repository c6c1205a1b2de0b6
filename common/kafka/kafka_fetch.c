/* SPDX-License-Identifier: Apache-2.0 */
/* Records on their way to the caller. They are polled one at a time: librdkafka
 * 2.0.2's batch calls skip offsets around a pause, and what was fetched before a
 * pause or a seek is dropped by its version only when polled singly. */
#include "common/kafka/kafka_consumer_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"

#include "common/banned.h"

enum {
    RECORDS_A_TURN = 200, /* then the others in the loop have their turn */
    HOLD_MS = 500,        /* a pause so short leaves librdkafka's queue as it is */
    LOOK_EVERY = 64,      /* records between two looks at its length */
    WAKE_LEAST = 512      /* a shorter queue never was a full one */
};

/* --- what is kept back --- */

void consumer_tell_fetching(struct consumer *c, struct lane *l, bool stop)
{
    AUTO_LIST *list = rd_kafka_topic_partition_list_new(1);
    l->stopped = stop;
    for (size_t i = 0; i < c->parts.n; i++) {
        if (c->parts.held[i].lane == l)
            rd_kafka_topic_partition_list_add(list, l->topic, c->parts.held[i].id);
    }
    if (list->cnt == 0)
        return;
    if (stop)
        rd_kafka_pause_partitions(c->client.rk, list);
    else
        rd_kafka_resume_partitions(c->client.rk, list);
}

static bool is_full(const struct consumer *c, const struct lane *l)
{
    return l->n_kept >= c->keep_records || l->kept_bytes >= c->keep_bytes;
}

/* Fetching stops when enough is kept back, and goes on, before the last of it is
 * handed out, when half is gone. */
static void balance(struct consumer *c)
{
    struct lane *l;
    LIST_FOREACH(l, &c->parts.lanes, link)
    {
        if (!l->stopped && is_full(c, l))
            consumer_tell_fetching(c, l, true);
        else if (l->stopped && !l->paused && l->n_kept <= c->keep_records / 2 &&
                 l->kept_bytes <= c->keep_bytes / 2)
            consumer_tell_fetching(c, l, false);
    }
}

/* --- records --- */

static rd_kafka_message_t *theirs(const struct kafka_message *m)
{
    return (rd_kafka_message_t *)(uintptr_t)m;
}

size_t kafka_headers_read(const struct kafka_message *m, struct kafka_header out[KAFKA_HEADERS_MAX])
{
    rd_kafka_headers_t *all;
    size_t n = 0;
    const void *value;
    if (rd_kafka_message_headers(theirs(m), &all) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    while (n < KAFKA_HEADERS_MAX &&
           rd_kafka_header_get_all(all, n, &out[n].name, &value, &out[n].value.n) ==
               RD_KAFKA_RESP_ERR_NO_ERROR)
        out[n++].value.p = value;
    return n;
}

struct kafka_message *kafka_message_take(struct kafka_record *r)
{
    struct kafka_message *m = r->message;
    r->message = NULL;
    return m;
}

void kafka_message_free(struct kafka_message *m)
{
    if (m)
        rd_kafka_message_destroy(theirs(m));
}

static void hand_out(struct consumer *c, rd_kafka_message_t *m)
{
    struct kafka_header headers[KAFKA_HEADERS_MAX];
    struct kafka_record r = {
        .topic = rd_kafka_topic_name(m->rkt),
        .partition = m->partition,
        .offset = m->offset,
        .timestamp_ms = rd_kafka_message_timestamp(m, NULL),
        .key = {m->key, m->key_len},
        .value = {m->payload, m->len},
        .headers = headers,
        .message = (struct kafka_message *)m,
    };
    if (c->headers)
        r.n_headers = kafka_headers_read(r.message, headers);
    c->ev.record(c->ctx, &r);
    kafka_message_free(r.message);
}

/* Takes m. What came too late for its assignment or seek is dropped; a record is
 * never handed out before an older one that is kept back. */
static void accept_record(struct consumer *c, rd_kafka_message_t *m)
{
    struct err e = ERR_INIT;
    struct held *h = partitions_find(&c->parts, rd_kafka_topic_name(m->rkt), m->partition);
    kafka_client_alive(&c->client);
    if (!h || m->offset < h->next) {
        rd_kafka_message_destroy(m);
        return;
    }
    h->nth = ++c->parts.taken;
    h->asked_ms = h->asked = 0;
    if (!h->lane->paused && h->lane->n_kept == 0) {
        h->next = m->offset + 1;
        hand_out(c, m);
    } else if (lane_keep(h->lane, m, &e) == ERR_OK) {
        h->next = m->offset + 1;
    } else {
        rd_kafka_message_destroy(m);
        c->ev.failed(c->ctx, &e);
    }
}

static void accept_end(struct consumer *c, rd_kafka_message_t *m)
{
    consumer_heard(c, rd_kafka_topic_name(m->rkt), m->partition);
    rd_kafka_message_destroy(m);
}

static void accept_failure(struct consumer *c, rd_kafka_message_t *m)
{
    char what[192];
    snprintf(what, sizeof what, "consume topic '%s' partition %" PRId32 " offset %" PRId64,
             m->rkt ? rd_kafka_topic_name(m->rkt) : "", m->partition, m->offset);
    consumer_failed(c, m->err, what);
    rd_kafka_message_destroy(m);
}

/* A record that may go out now; the callback may pause any topic meanwhile. */
static rd_kafka_message_t *next_kept(struct consumer *c)
{
    struct lane *l;
    LIST_FOREACH(l, &c->parts.lanes, link)
    {
        if (!l->paused && l->n_kept > 0)
            return lane_take(l);
    }
    return NULL;
}

/* --- librdkafka's own queue ---------------------------------------------------------------
 *
 * Before 2.2 a fetcher whose queue is full looks again after a second, however soon the
 * queue is empty. A seek wakes it: of the partition that was silent longest, to where it is
 * anyhow, so that hardly ever a record is fetched twice for it. Not of one that is not heard of
 * yet: librdkafka would be seeking in what it has not begun to fetch. */

static void wake_fetcher(struct consumer *c)
{
    struct held *quiet = NULL;
    struct err ignored = ERR_INIT;

    for (size_t i = 0; i < c->parts.n; i++) {
        struct held *h = &c->parts.held[i];
        if (h->next >= 0 && !h->asked_ms && !h->lane->stopped && (!quiet || h->nth < quiet->nth))
            quiet = h;
    }
    if (quiet && quiet->lane->n_kept == 0 &&
        consumer_seek(c, &(struct partition){quiet->lane->topic, quiet->id, quiet->next},
                      &ignored) != ERR_OK)
        log_event(LOG_DEBUG, "kafka.wake_failed", LF_ERR(&ignored));
}

/* Half of what was queued is gone: if the fetcher stopped, that was since then. */
static void look_at_queue(struct consumer *c)
{
    int64_t n;

    if (c->turns_to_look-- > 0)
        return;
    c->turns_to_look = LOOK_EVERY;
    n = (int64_t)rd_kafka_queue_length(c->client.queue);
    if (n > c->queued_most) {
        c->queued_most = n;
    } else if (c->queued_most >= WAKE_LEAST && n < c->queued_most / 2) {
        c->queued_most = n;
        wake_fetcher(c);
    }
}

/* Polling a paused topic would only move records from one queue into another, and in the
 * end stop the fetching, which costs much more; but not polling at all ends the membership. */
static bool holds(const struct consumer *c)
{
    return c->parts.all_paused && loop_now_ms(c->client.loop) - c->paused_ms < HOLD_MS;
}

bool consumer_turn(void *ctx)
{
    struct consumer *c = ctx;

    for (int i = 0; i < RECORDS_A_TURN && !c->client.freed; i++) {
        if (holds(c))
            return false;
        rd_kafka_message_t *m = next_kept(c);
        if (m) {
            hand_out(c, m);
            continue;
        }
        look_at_queue(c);
        m = rd_kafka_consumer_poll(c->client.rk, 0);
        if (!m) {
            balance(c);
            return false;
        }
        if (c->client.freed) /* by a callback inside the poll */
            rd_kafka_message_destroy(m);
        else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            accept_end(c, m);
        else if (m->err)
            accept_failure(c, m);
        else
            accept_record(c, m);
        balance(c);
    }
    return true;
}
