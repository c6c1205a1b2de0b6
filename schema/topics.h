/* SPDX-License-Identifier: Apache-2.0 */
/* The topics of topics.yaml (embedded), with the installation's prefix. */
#ifndef SANDFLEET_SCHEMA_TOPICS_H
#define SANDFLEET_SCHEMA_TOPICS_H

#include <stdio.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/kafka/kafka.h"
#include "schema/run_request.h"

enum topic { TOPIC_INTERACTIVE, TOPIC_BATCH, TOPIC_EVENTS, TOPIC_DLQ, TOPICS };

enum { TOPIC_CONFIGS = 8 };

struct topics {
    char name[TOPICS][128]; /* with the prefix */
    int32_t partitions[TOPICS];
    int32_t replication[TOPICS];         /* -1: the broker's default */
    char *config[TOPICS][TOPIC_CONFIGS]; /* "retention.ms=…" */
    size_t n_config[TOPICS];
};

/* Reads the embedded topics.yaml. */
enum err_code topics_load(const char *prefix, struct topics *out, struct err *err) MUST_USE;
/* The same from a text; ERR_CONFIG names the line. */
enum err_code topics_parse(struct str yaml, const char *prefix, struct topics *out,
                           struct err *err) MUST_USE;
void topics_release(struct topics *t);
enum topic topic_of_lane(enum run_lane lane);

/* Creates what is missing, checks what is there: a setting that differs is a warning
 * line, a retention shorter than wanted ERR_CONFIG. More partitions than wanted stay
 * (Kafka cannot shrink); fewer are ERR_CONFIG unless `repartition` adds them: keys then
 * move, so no run may be open. Says on `out` what it did; goes on to the last topic.
 * Blocks; for commands. */
enum err_code topics_apply(const struct topics *t, struct kafka_admin *a, bool repartition,
                           FILE *out, struct err *err) MUST_USE;

/* The same without changing anything: what is missing or has too few partitions is ERR_CONFIG, a
 * setting that differs a line on `out`. Blocks. */
enum err_code topics_compare(const struct topics *t, struct kafka_admin *a, FILE *out,
                             struct err *err) MUST_USE;

/* Start-up: ERR_CONFIG names the missing topic and `sandfleet topics apply`;
 * ERR_UNAVAILABLE when the broker is not there. Blocks up to timeout_ms. */
enum err_code topics_check(const struct topics *t, struct kafka_admin *a, int64_t timeout_ms,
                           struct err *err) MUST_USE;

#endif
