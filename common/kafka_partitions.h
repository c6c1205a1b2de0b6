/* SPDX-License-Identifier: Apache-2.0 */
/* The partitions a consumer holds, where each goes on, and which topics are
 * paused. A topic's pause outlives the partitions. Single-threaded. */
#ifndef SANDFLEET_COMMON_KAFKA_PARTITIONS_H
#define SANDFLEET_COMMON_KAFKA_PARTITIONS_H

#include "common/kafka.h"

struct held { /* one partition */
    char *topic;
    int32_t id;
    int64_t next; /* the first offset not yet handed out; < 0: not known yet */
    bool paused;  /* as librdkafka was told */
};

struct topic_pause {
    char *topic;
    bool paused;
};

struct partitions {
    struct held *held;
    size_t n, last; /* last: the one found last; records come in runs */
    struct topic_pause *topics;
    size_t n_topics;
    bool all_paused; /* of topics not in `topics` */
};

/* Replaces all; pauses stay. */
enum err_code partitions_set(struct partitions *ps, const struct partition *list, size_t n,
                             struct err *err) MUST_USE;
struct held *partitions_find(struct partitions *ps, const char *topic, int32_t id);
/* topic NULL: all. */
enum err_code partitions_pause(struct partitions *ps, const char *topic, bool paused,
                               struct err *err) MUST_USE;
bool partitions_paused(const struct partitions *ps, const char *topic);
void partitions_clear(struct partitions *ps); /* none held; pauses stay */
void partitions_release(struct partitions *ps);

#endif
