/* SPDX-License-Identifier: Apache-2.0 */
/* The partitions a consumer holds and where each goes on; per topic, whether it
 * is paused and the records kept back meanwhile. Single-threaded.
 *
 * A pause keeps records back before it stops librdkafka: a stopped partition of
 * 2.0.2 needs up to a second to fetch again, and a worker pauses many times a second. */
#ifndef SANDFLEET_COMMON_KAFKA_KAFKA_PARTITIONS_H
#define SANDFLEET_COMMON_KAFKA_KAFKA_PARTITIONS_H

#include <sys/queue.h>

#include <librdkafka/rdkafka.h>

#include "common/kafka/kafka.h"

struct kept {
    TAILQ_ENTRY(kept) link;
    rd_kafka_message_t *m; /* ours */
};

struct lane { /* one topic; outlives its partitions */
    LIST_ENTRY(lane) link;
    bool paused;
    bool stopped; /* librdkafka was told not to fetch it */
    TAILQ_HEAD(, kept) kept;
    size_t n_kept, kept_bytes;
    char topic[];
};

struct held { /* one partition */
    struct lane *lane;
    int32_t id;
    int64_t next;     /* the first offset not yet taken from librdkafka; < 0: not known yet */
    uint64_t nth;     /* of the consumer's records, the last one of this partition */
    int64_t asked_ms; /* since when nothing is heard of it; 0: it is alive */
    int64_t asked;    /* how often it was asked for in vain */
};

struct partitions {
    struct held *held;
    size_t n, last; /* last: the one found last; records come in runs */
    LIST_HEAD(, lane) lanes;
    bool all_paused; /* what a new lane begins with */
    uint64_t taken;  /* records taken from librdkafka */
};

/* Replaces all and forgets what was kept; pauses stay. */
enum err_code partitions_set(struct partitions *ps, const struct partition *list, size_t n,
                             struct err *err) MUST_USE;
struct held *partitions_find(struct partitions *ps, const char *topic, int32_t id);
/* topic NULL: all, also those to come. */
enum err_code partitions_pause(struct partitions *ps, const char *topic, bool paused,
                               struct err *err) MUST_USE;
void partitions_clear(struct partitions *ps); /* none held, none kept; pauses stay */
void partitions_release(struct partitions *ps);

enum err_code lane_keep(struct lane *l, rd_kafka_message_t *m,
                        struct err *err) MUST_USE;   /* takes m if ERR_OK */
rd_kafka_message_t *lane_take(struct lane *l);       /* the oldest, yours; NULL: none */
void lane_forget(struct lane *l, int32_t partition); /* -1: all */

#endif
