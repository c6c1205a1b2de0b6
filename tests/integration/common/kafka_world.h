/* SPDX-License-Identifier: Apache-2.0 */
/* A world for the tests against a broker: a topic of its own, a producer and
 * consumers of records whose values are numbers. */
#ifndef SANDFLEET_TESTS_KAFKA_WORLD_H
#define SANDFLEET_TESTS_KAFKA_WORLD_H

#include <inttypes.h>

#include "common/attrs.h"
#include "common/kafka/kafka.h"
#include "tests/integration/common/dev_stack.h"

enum { MAX_RECORDS = 20000, ADMIN_MS = 20000 };

struct world {
    struct loop *l;
    struct timer *guard, *soon;
    char brokers[512], topic[64];
    struct kafka_conf conf;
    struct kafka_admin *admin;
    struct producer *p;
    struct consumer *c, *other;
    /* reports */
    size_t reported, refused, rooms;
    struct err refusal, dead;
    int32_t partition;
    /* records: their values are numbers */
    size_t records, want, assigns, revokes, failures;
    int pause_every;
    uint8_t seen[MAX_RECORDS];
    char last[256];
    struct err failure;
};

static inline void too_long(void *ctx)
{
    struct world *w = ctx;
    fail_msg("nothing happened in 90 s: %zu reported, %zu records, %zu assignments, '%s' '%s'",
             w->reported, w->records, w->assigns, w->failure.msg, w->dead.msg);
}

static inline void use_brokers(struct world *w, const char *brokers)
{
    struct err e = ERR_INIT;
    kafka_admin_free(w->admin);
    snprintf(w->brokers, sizeof w->brokers, "%s", brokers);
    w->conf = (struct kafka_conf){.brokers = w->brokers, .client_id = "test_kafka"};
    if (kafka_admin_new(&w->conf, &w->admin, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static inline int setup(void **state)
{
    static int n;
    struct world *w = calloc(1, sizeof *w);
    assert_int_equal(loop_new(&w->l, NULL), ERR_OK);
    w->guard = timer_new(w->l, too_long, w);
    timer_start(w->guard, 90000);
    snprintf(w->topic, sizeof w->topic, "test-kafka-%d-%d", (int)getpid(), ++n);
    use_brokers(w, shared_server("SANDFLEET_BROKERS"));
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;
    producer_free(w->p);
    consumer_free(w->c);
    consumer_free(w->other);
    kafka_admin_free(w->admin);
    timer_free(w->guard);
    timer_free(w->soon);
    loop_free(w->l);
    free(w);
    return 0;
}

static inline void make_topic(struct world *w, const char *name, int32_t partitions)
{
    static const char *const config[] = {"max.message.bytes=1048588"};
    struct err e = ERR_INIT;
    struct kafka_topic t = {
        .name = name, .partitions = partitions, .replication = 1, .config = config, .n_config = 1};
    if (kafka_admin_create(w->admin, &t, ADMIN_MS, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

/* --- producing --- */

static inline void on_report(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct world *w = ctx;
    w->reported++;
    w->partition = partition;
    if (e->code != ERR_OK) {
        w->refused++;
        w->refusal = *e;
    } else {
        assert_true(offset >= 0);
    }
    if (producer_in_flight(w->p) == 0)
        loop_stop(w->l);
}

static inline void on_room(void *ctx)
{
    struct world *w = ctx;
    w->rooms++;
}

static inline void on_dead(void *ctx, const struct err *e)
{
    struct world *w = ctx;
    w->dead = *e;
    loop_stop(w->l);
}

static inline void open_producer(struct world *w, int64_t max_queued_bytes)
{
    struct err e = ERR_INIT;
    struct producer_opts opts = {.linger_ms = 5,
                                 .max_queued_bytes = max_queued_bytes,
                                 .room = on_room,
                                 .fatal = on_dead,
                                 .ctx = w};
    if (producer_new(w->l, &w->conf, &opts, &w->p, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static inline void send_text(struct world *w, struct str key, struct str value)
{
    struct err e = ERR_INIT;
    if (producer_send(w->p, w->topic, key, value, NULL, 0, on_report, w, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static inline void send_numbers(struct world *w, int from, int n)
{
    char text[16];
    for (int i = from; i < from + n; i++) {
        snprintf(text, sizeof text, "%d", i);
        send_text(w, str_of(text), str_of(text));
    }
}

static inline void produce_numbers(struct world *w, int n)
{
    if (!w->p)
        open_producer(w, 0);
    send_numbers(w, 0, n);
    assert_true(producer_flush(w->p, 60000));
    assert_int_equal(w->refused, 0);
}

/* --- consuming --- */

static inline void resume(void *ctx)
{
    struct world *w = ctx;
    consumer_pause(w->c, w->topic, false);
}

static inline void on_record(void *ctx, struct kafka_record *r)
{
    struct world *w = ctx;
    snprintf(w->last, sizeof w->last, STR_FMT, STR_ARG(r->value));
    int n = (int)strtol(w->last, NULL, 10);
    assert_true(n >= 0 && n < MAX_RECORDS);
    assert_false(w->soon && timer_pending(w->soon)); /* paused */
    w->seen[n]++;
    w->records++;
    if (w->pause_every && w->records % (size_t)w->pause_every == 0) {
        consumer_pause(w->c, w->topic, true);
        timer_start(w->soon, 3);
    }
    if (w->records == w->want)
        loop_stop(w->l);
}

static inline void on_failed(void *ctx, const struct err *e)
{
    struct world *w = ctx;
    w->failures++;
    w->failure = *e;
    loop_stop(w->l);
}

static inline void on_revoked(void *ctx, const struct partition *ps, size_t n)
{
    struct world *w = ctx;
    (void)ps;
    (void)n;
    w->revokes++;
}

static const struct consumer_events plain = {
    .record = on_record, .failed = on_failed, .revoked = on_revoked};

static inline struct consumer *open_consumer(struct world *w, const char *group,
                                             const struct consumer_events *ev)
{
    struct err e = ERR_INIT;
    struct consumer *c = NULL;
    const char *const topics[] = {w->topic};
    struct consumer_opts opts = {.headers = true,
                                 .group = group,
                                 .topics = topics,
                                 .n_topics = 1,
                                 .session_ms = 6000,
                                 .prefetch = 500};
    if (consumer_new(w->l, &w->conf, &opts, ev, w, &c, &e) != ERR_OK)
        fail_msg("%s", e.msg);
    return c;
}

static inline void assign(struct world *w, struct consumer *c, int64_t offset, int32_t partitions)
{
    struct err e = ERR_INIT;
    struct partition ps[16];
    for (int32_t i = 0; i < partitions; i++)
        ps[i] = (struct partition){w->topic, i, offset};
    if (consumer_assign(c, ps, (size_t)partitions, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static inline void run_until(struct world *w, size_t records)
{
    w->want = records;
    while (w->records < records) {
        loop_run(w->l);
        if (w->failures > 0)
            fail_msg("%s", w->failure.msg);
    }
}

static inline void stop(void *ctx)
{
    loop_stop(((struct world *)ctx)->l);
}

/* What must not come has had its chance. */
static inline void run_ms(struct world *w, int64_t ms)
{
    struct timer *t = timer_new(w->l, stop, w);
    timer_start(t, ms);
    while (timer_pending(t))
        loop_run(w->l);
    timer_free(t);
}

static inline void each_once(const struct world *w, int n)
{
    for (int i = 0; i < n; i++) {
        if (w->seen[i] != 1)
            fail_msg("record %d came %d times", i, w->seen[i]);
    }
    assert_int_equal(w->records, n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
