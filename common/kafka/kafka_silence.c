/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions that nothing is heard of. Each assignment and seek is answered by a record or by the
 * partition's end within milliseconds of a broker that is there. librdkafka 2.0.2 has been seen
 * not to fetch a partition that was assigned anew, for as long as anybody looked; such a one is
 * asked for once more, and loudly. */
#include "common/kafka/kafka_consumer_internal.h"

#include <inttypes.h>

#include "common/log.h"

#include "common/banned.h"

void consumer_heard(struct consumer *c, const char *topic, int32_t partition)
{
    struct held *h = partitions_find(&c->parts, topic, partition);

    kafka_client_alive(&c->client);
    if (h)
        h->asked_ms = h->asked = 0;
}

void consumer_asked(struct consumer *c, struct held *h)
{
    h->asked_ms = loop_now_ms(c->client.loop);
    if (!timer_pending(c->silence))
        timer_start(c->silence, c->silent_ms);
}

/* All of them, each where it is. */
static enum err_code assign_anew(struct consumer *c, struct err *err)
{
    AUTO_LIST *list = rd_kafka_topic_partition_list_new((int)c->parts.n);

    for (size_t i = 0; i < c->parts.n; i++) {
        struct held *h = &c->parts.held[i];
        rd_kafka_topic_partition_list_add(list, h->lane->topic, h->id)->offset = h->next;
        consumer_asked(c, h);
    }
    rd_kafka_resp_err_t e = rd_kafka_assign(c->client.rk, list);
    return e ? kafka_error(err, e, "take %zu partitions again", c->parts.n) : ERR_OK;
}

static void ask_again(struct consumer *c, struct held *h)
{
    struct err err = ERR_INIT;
    int64_t asked = ++h->asked;

    log_event(LOG_WARN, "kafka.partition_silent", LF("topic", h->lane->topic),
              LF_INT("partition", h->id), LF_INT("offset", h->next), LF_INT("asked", asked));
    consumer_tell_fetching(c, h->lane, false);
    if (h->next < 0 || asked > 1
            ? assign_anew(c, &err)
            : consumer_seek(c, &(struct partition){h->lane->topic, h->id, h->next}, &err))
        log_event(LOG_WARN, "kafka.partition_silent", LF_ERR(&err));
    h->asked = asked;
}

void consumer_on_silence(void *ctx)
{
    struct consumer *c = ctx;
    int64_t now = loop_now_ms(c->client.loop);
    bool waits = false;

    for (size_t i = 0; i < c->parts.n; i++) {
        struct held *h = &c->parts.held[i];

        if (h->asked_ms && (c->client.down || h->lane->stopped || h->lane->paused))
            h->asked_ms = now; /* nothing can be heard */
        else if (h->asked_ms && now - h->asked_ms >= c->silent_ms)
            ask_again(c, h);
        waits = waits || h->asked_ms;
    }
    if (waits)
        timer_start(c->silence, c->silent_ms / 2 + 1);
}
