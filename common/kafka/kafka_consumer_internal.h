/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by kafka_consumer.c (group, assignment, positions) and kafka_fetch.c
 * (records on their way to the caller). */
#ifndef SANDFLEET_COMMON_KAFKA_KAFKA_CONSUMER_INTERNAL_H
#define SANDFLEET_COMMON_KAFKA_KAFKA_CONSUMER_INTERNAL_H

#include "common/kafka/kafka_internal.h"
#include "common/kafka/kafka_partitions.h"

struct consumer {
    struct kafka_client client;
    struct consumer_events ev;
    void *ctx;
    bool headers; /* are wanted with each record */
    struct partitions parts;
    size_t keep_records, keep_bytes; /* of a paused topic */
    int64_t paused_ms;               /* since when all is paused */
    int64_t queued_most;             /* records in librdkafka's queue since its fetcher was woken */
    struct timer *silence;           /* kafka_silence.c */
    int64_t silent_ms;               /* so long a partition may be */
    size_t turns_to_look;            /* records until the queue is looked at again */
};

static inline void partition_list_done(rd_kafka_topic_partition_list_t **list)
{
    if (*list)
        rd_kafka_topic_partition_list_destroy(*list);
}
#define AUTO_LIST AUTO(partition_list_done) rd_kafka_topic_partition_list_t

/* --- kafka_consumer.c --- */
void consumer_failed(struct consumer *c, rd_kafka_resp_err_t e, const char *what);

/* --- kafka_silence.c --- */
void consumer_asked(struct consumer *c, struct held *h); /* it was assigned, or sought in */
/* A record of it, or its end. */
void consumer_heard(struct consumer *c, const char *topic, int32_t partition);
void consumer_on_silence(void *consumer);

/* --- kafka_fetch.c --- */
bool consumer_turn(void *consumer); /* serves the queue for a while; true: there is more */
/* librdkafka stops, or goes on, fetching the lane's partitions. */
void consumer_tell_fetching(struct consumer *c, struct lane *l, bool stop);

#endif
