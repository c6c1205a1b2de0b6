/* SPDX-License-Identifier: Apache-2.0 */
/* Records for the sink's tests, made by the codec that workers use. */
#ifndef SANDFLEET_TESTS_UNIT_SINK_RECORDS_H
#define SANDFLEET_TESTS_UNIT_SINK_RECORDS_H

#include <stdlib.h>
#include <string.h>

#include "schema/event.h"
#include "sink/batch.h"

#define RUN_A "01990000-0000-7000-8000-00000000000a"
#define RUN_B "01990000-0000-7000-8000-00000000000b"
#define DAY_0 INT64_C(1795219200000) /* 2026-11-21 */

static struct topics record_topics = {
    .name = {"t.runs.interactive", "t.runs.batch", "t.events", "t.runs.dlq"}};

/* A batch borrows what has no message of Kafka's: the values stay until free_records(). */
static char *record_values[4096];
static size_t n_record_values;

static inline char *last_record(void)
{
    return record_values[n_record_values - 1];
}

static inline void free_records(void)
{
    while (n_record_values > 0)
        free(record_values[--n_record_values]);
}

static inline struct kafka_record record_of(const struct event_run *run, struct event e)
{
    struct err err = ERR_INIT;
    struct event_record r;
    size_t n;

    if (!e.data.p)
        e.data = STR("{}");
    if (e.time_ms == 0)
        e.time_ms = DAY_0 + 1000;
    event_record_init(&r);
    assert_int_equal(event_write(run, &e, &r, &err), ERR_OK);
    assert_true(n_record_values < COUNTOF(record_values));
    n = r.value.len;
    record_values[n_record_values++] = buf_take(&r.value);
    event_record_release(&r);
    return (struct kafka_record){.topic = record_topics.name[TOPIC_EVENTS],
                                 .key = str_of(run->run_id),
                                 .value = {last_record(), n}};
}

/* Adds one event; offsets count up from 0 by themselves. */
static inline void add_event_of(struct batch *b, const struct event_run *run, struct event e)
{
    struct err err = ERR_INIT;
    struct kafka_record k = record_of(run, e);

    k.offset = (int64_t)b->n;
    assert_int_equal(batch_add(b, TOPIC_EVENTS, &k, k.offset, &err), ERR_OK);
}

static inline void add_event(struct batch *b, const char *run_id, struct event e)
{
    add_event_of(
        b, &(struct event_run){.tenant = "acme", .run_id = run_id, .created_ms = DAY_0 + 3600000},
        e);
}

static inline void add_request(struct batch *b, enum topic topic, const char *key, const char *json)
{
    struct err err = ERR_INIT;
    struct kafka_record k = {.topic = record_topics.name[topic],
                             .offset = (int64_t)b->n,
                             .timestamp_ms = DAY_0 + 5,
                             .key = str_of(key),
                             .value = str_of(json)};

    assert_int_equal(batch_add(b, topic, &k, k.offset, &err), ERR_OK);
}

#endif
