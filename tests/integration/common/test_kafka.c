/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an accepted record is acknowledged or reported, once; a consumer hands
 * out each record once from where it was told, through pauses, seeks and
 * rebalances. Proof: a real broker; each story has a topic of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>

#include "common/attrs.h"
#include "common/kafka.h"
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

static void too_long(void *ctx)
{
    struct world *w = ctx;
    fail_msg("nothing happened in 90 s: %zu reported, %zu records, %zu assignments, '%s' '%s'",
             w->reported, w->records, w->assigns, w->failure.msg, w->dead.msg);
}

static void use_brokers(struct world *w, const char *brokers)
{
    struct err e = ERR_INIT;
    kafka_admin_free(w->admin);
    snprintf(w->brokers, sizeof w->brokers, "%s", brokers);
    w->conf = (struct kafka_conf){.brokers = w->brokers, .client_id = "test_kafka"};
    if (kafka_admin_new(&w->conf, &w->admin, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static int setup(void **state)
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

static int teardown(void **state)
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

static void make_topic(struct world *w, const char *name, int32_t partitions)
{
    static const char *const config[] = {"max.message.bytes=1048588"};
    struct err e = ERR_INIT;
    struct kafka_topic t = {
        .name = name, .partitions = partitions, .replication = 1, .config = config, .n_config = 1};
    if (kafka_admin_create(w->admin, &t, ADMIN_MS, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

/* --- producing --- */

static void on_report(void *ctx, const struct err *e, int32_t partition, int64_t offset)
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

static void on_room(void *ctx)
{
    struct world *w = ctx;
    w->rooms++;
}

static void on_dead(void *ctx, const struct err *e)
{
    struct world *w = ctx;
    w->dead = *e;
    loop_stop(w->l);
}

static void open_producer(struct world *w, int64_t max_queued_bytes)
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

static void send_text(struct world *w, struct str key, struct str value)
{
    struct err e = ERR_INIT;
    if (producer_send(w->p, w->topic, key, value, NULL, 0, on_report, w, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static void send_numbers(struct world *w, int from, int n)
{
    char text[16];
    for (int i = from; i < from + n; i++) {
        snprintf(text, sizeof text, "%d", i);
        send_text(w, str_of(text), str_of(text));
    }
}

static void produce_numbers(struct world *w, int n)
{
    if (!w->p)
        open_producer(w, 0);
    send_numbers(w, 0, n);
    assert_true(producer_flush(w->p, 60000));
    assert_int_equal(w->refused, 0);
}

/* --- consuming --- */

static void resume(void *ctx)
{
    struct world *w = ctx;
    consumer_pause(w->c, w->topic, false);
}

static void on_record(void *ctx, const struct kafka_record *r)
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

static void on_failed(void *ctx, const struct err *e)
{
    struct world *w = ctx;
    w->failures++;
    w->failure = *e;
    loop_stop(w->l);
}

static void on_revoked(void *ctx, const struct partition *ps, size_t n)
{
    struct world *w = ctx;
    (void)ps;
    (void)n;
    w->revokes++;
}

static const struct consumer_events plain = {
    .record = on_record, .failed = on_failed, .revoked = on_revoked};

static struct consumer *open_consumer(struct world *w, const char *group,
                                      const struct consumer_events *ev)
{
    struct err e = ERR_INIT;
    struct consumer *c = NULL;
    const char *const topics[] = {w->topic};
    struct consumer_opts opts = {
        .group = group, .topics = topics, .n_topics = 1, .session_ms = 6000};
    if (consumer_new(w->l, &w->conf, &opts, ev, w, &c, &e) != ERR_OK)
        fail_msg("%s", e.msg);
    return c;
}

static void assign(struct world *w, struct consumer *c, int64_t offset, int32_t partitions)
{
    struct err e = ERR_INIT;
    struct partition ps[16];
    for (int32_t i = 0; i < partitions; i++)
        ps[i] = (struct partition){w->topic, i, offset};
    if (consumer_assign(c, ps, (size_t)partitions, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static void run_until(struct world *w, size_t records)
{
    w->want = records;
    while (w->records < records) {
        loop_run(w->l);
        if (w->failures > 0)
            fail_msg("%s", w->failure.msg);
    }
}

static void stop(void *ctx)
{
    loop_stop(((struct world *)ctx)->l);
}

/* What must not come has had its chance. */
static void run_ms(struct world *w, int64_t ms)
{
    struct timer *t = timer_new(w->l, stop, w);
    timer_start(t, ms);
    while (timer_pending(t))
        loop_run(w->l);
    timer_free(t);
}

static void each_once(const struct world *w, int n)
{
    for (int i = 0; i < n; i++) {
        if (w->seen[i] != 1)
            fail_msg("record %d came %d times", i, w->seen[i]);
    }
    assert_int_equal(w->records, n);
}

/* --- administration --- */

static void topics_are_made_and_described(void **state)
{
    struct world *w = *state;
    AUTO_BUF value = BUF_INIT(100);
    const char *const config[] = {"retention.ms=12345", "cleanup.policy=compact"};
    struct kafka_topic t = {w->topic, 3, 1, config, 2};
    int32_t n = -1;
    int64_t low = -1, high = -1;
    assert_int_equal(kafka_admin_partitions(w->admin, w->topic, ADMIN_MS, &n, NULL), ERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(kafka_admin_create(w->admin, &t, ADMIN_MS, NULL), ERR_OK);
    assert_string_equal(err_name(kafka_admin_create(w->admin, &t, ADMIN_MS, NULL)), "CONFLICT");
    assert_int_equal(kafka_admin_partitions(w->admin, w->topic, ADMIN_MS, &n, NULL), ERR_OK);
    assert_int_equal(n, 3);
    assert_int_equal(kafka_admin_config(w->admin, w->topic, "retention.ms", ADMIN_MS, &value, NULL),
                     ERR_OK);
    assert_string_equal(value.p, "12345");
    assert_string_equal(
        err_name(kafka_admin_config(w->admin, w->topic, "no.such", ADMIN_MS, &value, NULL)),
        "NOT_FOUND");
    assert_int_equal(kafka_admin_add_partitions(w->admin, w->topic, 5, ADMIN_MS, NULL), ERR_OK);
    assert_int_equal(kafka_admin_partitions(w->admin, w->topic, ADMIN_MS, &n, NULL), ERR_OK);
    assert_int_equal(n, 5);
    assert_string_equal(err_name(kafka_admin_add_partitions(w->admin, w->topic, 2, ADMIN_MS, NULL)),
                        "CONFIG");
    produce_numbers(w, 1);
    assert_int_equal(
        kafka_admin_offsets(w->admin, w->topic, w->partition, ADMIN_MS, &low, &high, NULL), ERR_OK);
    assert_int_equal(low, 0);
    assert_int_equal(high, 1);
}

static void a_bad_topic_is_a_configuration_error(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    const char *const bad[] = {"no.such.setting=1"};
    struct kafka_topic t = {w->topic, 1, 1, bad, 1};
    assert_string_equal(err_name(kafka_admin_create(w->admin, &t, ADMIN_MS, &e)), "CONFIG");
    assert_non_null(strstr(e.msg, "no.such.setting"));
    t = (struct kafka_topic){w->topic, 1, 9, NULL, 0};
    assert_string_equal(err_name(kafka_admin_create(w->admin, &t, ADMIN_MS, &e)), "CONFIG");
    t = (struct kafka_topic){"a/b", 1, 1, NULL, 0};
    assert_string_equal(err_name(kafka_admin_create(w->admin, &t, ADMIN_MS, &e)), "CONFIG");
}

static void nobody_there_is_said(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    int32_t n;
    use_brokers(w, "127.0.0.1:1");
    assert_string_equal(err_name(kafka_admin_partitions(w->admin, "x", 300, &n, &e)),
                        "UNAVAILABLE");
    assert_non_null(strstr(e.msg, "127.0.0.1:1"));
    assert_non_null(strstr(e.msg, "ops/dev status"));
    struct kafka_topic t = {"x", 1, 1, NULL, 0};
    assert_string_equal(err_name(kafka_admin_create(w->admin, &t, 300, &e)), "UNAVAILABLE");
}

static void settings_of_the_caller(void **state)
{
    static struct row {
        const char *item, *want;
    } rows[] = {
        {"socket.timeout.ms=5000", "OK"},  {"acks=1", "CONFIG"},    {"no.such=1", "CONFIG"},
        {"socket.timeout.ms=x", "CONFIG"}, {"no-equals", "CONFIG"}, {"=x", "CONFIG"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        char item[64], *items[] = {item};
        snprintf(item, sizeof item, "%s", rows[i].item);
        struct opt_list props = {items, 1};
        struct kafka_conf conf = {.brokers = w->brokers, .props = &props};
        struct kafka_admin *a = NULL;
        enum err_code rc = kafka_admin_new(&conf, &a, NULL);
        kafka_admin_free(a);
        if (strcmp(err_name(rc), rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].item, err_name(rc));
    }
}

/* --- round trips --- */

static void check_full(void *ctx, const struct kafka_record *r)
{
    struct world *w = ctx;
    if (r->offset == 0) {
        assert_true(str_is(r->key, "k") && str_is(r->value, "v"));
        assert_int_equal(r->n_headers, 2);
        assert_true(str_eq(kafka_header(r, "bytes"), (struct str){"a\0b", 3}));
        assert_true(str_is(kafka_header(r, "empty"), ""));
        assert_null(kafka_header(r, "none").p);
        assert_true(r->timestamp_ms > 1500000000000);
    } else {
        assert_true(str_is(r->key, "k"));
        assert_null(r->value.p);
        assert_int_equal(r->n_headers, 0);
    }
    if (++w->records == 2)
        loop_stop(w->l);
}

static void keys_headers_and_tombstones_survive(void **state)
{
    struct world *w = *state;
    const struct kafka_header headers[] = {{"bytes", {"a\0b", 3}}, {"empty", {"", 0}}};
    make_topic(w, w->topic, 1);
    open_producer(w, 0);
    assert_int_equal(
        producer_send(w->p, w->topic, STR("k"), STR("v"), headers, 2, on_report, w, NULL), ERR_OK);
    assert_int_equal(
        producer_send(w->p, w->topic, STR("k"), (struct str){0}, NULL, 0, NULL, NULL, NULL),
        ERR_OK);
    assert_true(producer_flush(w->p, 60000));
    w->c = open_consumer(w, NULL,
                         &(struct consumer_events){.record = check_full, .failed = on_failed});
    assign(w, w->c, KAFKA_EARLIEST, 1);
    loop_run(w->l);
    assert_int_equal(w->records, 2);
}

static void keys_go_where_kafka_partition_says(void **state)
{
    struct world *w = *state;
    make_topic(w, w->topic, 7);
    open_producer(w, 0);
    for (int i = 0; i < 30; i++) {
        char key[32];
        snprintf(key, sizeof key, "%.*s%d", i % 9, "key-with-", i);
        send_text(w, str_of(key), STR("1"));
        loop_run(w->l); /* until it is reported */
        assert_int_equal(w->partition, kafka_partition(str_of(key), 7));
    }
}

static void a_group_goes_on_at_its_commit(void **state)
{
    struct world *w = *state;
    make_topic(w, w->topic, 1);
    produce_numbers(w, 100);
    w->c = open_consumer(w, w->topic, &plain);
    run_until(w, 100);
    assert_int_equal(consumer_commit(w->c, w->topic, 0, 60, NULL), ERR_OK);
    consumer_free(w->c);
    memset(w->seen, 0, sizeof w->seen);
    w->records = 0;
    w->c = open_consumer(w, w->topic, &plain);
    run_until(w, 40);
    assert_int_equal(w->seen[59], 0);
    assert_int_equal(w->seen[60], 1);
    assert_int_equal(w->seen[99], 1);
}

/* --- answering an assignment late, with offsets of one's own --- */

static void answer_late(void *ctx)
{
    struct world *w = ctx;
    assign(w, w->c, 30, 2);
}

static void on_assigned(void *ctx, const struct partition *ps, size_t n)
{
    struct world *w = ctx;
    assert_int_equal(n, 2);
    assert_string_equal(ps[0].topic, w->topic);
    w->assigns++;
    timer_start(w->soon, 100);
    w->soon = NULL;
}

static void on_any_record(void *ctx, const struct kafka_record *r)
{
    struct world *w = ctx;
    assert_true(r->offset >= 30);
    if (++w->records == w->want)
        loop_stop(w->l);
}

static void an_assignment_is_answered_late_with_own_offsets(void **state)
{
    struct world *w = *state;
    struct consumer_events ev = {
        .record = on_any_record, .failed = on_failed, .assigned = on_assigned};
    int64_t low, high, left = 0;
    make_topic(w, w->topic, 2);
    produce_numbers(w, 200);
    for (int32_t i = 0; i < 2; i++) {
        assert_int_equal(kafka_admin_offsets(w->admin, w->topic, i, ADMIN_MS, &low, &high, NULL),
                         0);
        left += high - 30;
    }
    struct timer *t = w->soon = timer_new(w->l, answer_late, w);
    w->c = open_consumer(w, w->topic, &ev);
    run_until(w, (size_t)left);
    run_ms(w, 300);
    assert_int_equal(w->records, left);
    assert_int_equal(w->assigns, 1);
    timer_free(t);
}

/* --- pauses and seeks --- */

static void pauses_lose_and_repeat_nothing(void **state)
{
    struct world *w = *state;
    make_topic(w, w->topic, 4);
    produce_numbers(w, 5000);
    w->soon = timer_new(w->l, resume, w);
    w->pause_every = 90; /* some 55 times */
    w->c = open_consumer(w, NULL, &plain);
    assign(w, w->c, KAFKA_EARLIEST, 4);
    run_until(w, 5000);
    run_ms(w, 500);
    each_once(w, 5000);
}

static void paused_from_the_start_and_for_all_topics(void **state)
{
    struct world *w = *state;
    make_topic(w, w->topic, 2);
    produce_numbers(w, 50);
    w->c = open_consumer(w, NULL, &plain);
    consumer_pause(w->c, NULL, true);
    assign(w, w->c, KAFKA_EARLIEST, 2);
    run_ms(w, 500);
    assert_int_equal(w->records, 0);
    consumer_pause(w->c, NULL, false);
    run_until(w, 50);
    each_once(w, 50);
}

static void seek(struct world *w, int64_t offset)
{
    struct err e = ERR_INIT;
    if (consumer_seek(w->c, &(struct partition){w->topic, 0, offset}, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static void seeks_go_back_running_and_paused(void **state)
{
    struct world *w = *state;
    make_topic(w, w->topic, 1);
    produce_numbers(w, 300);
    w->c = open_consumer(w, NULL, &plain);
    assign(w, w->c, KAFKA_EARLIEST, 1);
    run_until(w, 300);
    seek(w, 200); /* 200 + 100 */
    run_until(w, 400);
    consumer_pause(w->c, w->topic, true);
    seek(w, 250); /* while paused */
    run_ms(w, 200);
    assert_int_equal(w->records, 400);
    consumer_pause(w->c, w->topic, false);
    run_until(w, 450);
    seek(w, 290); /* then paused before it took effect */
    consumer_pause(w->c, w->topic, true);
    run_ms(w, 200);
    assert_int_equal(w->records, 450);
    consumer_pause(w->c, w->topic, false);
    run_until(w, 460);
    run_ms(w, 300);
    assert_int_equal(w->records, 460);
    assert_int_equal(w->seen[199], 1);
    assert_int_equal(w->seen[249], 2);
    assert_int_equal(w->seen[289], 3);
    assert_int_equal(w->seen[299], 4);
}

static void a_seek_elsewhere_is_refused(void **state)
{
    struct world *w = *state;
    make_topic(w, w->topic, 1);
    w->c = open_consumer(w, NULL, &plain);
    assert_string_equal(err_name(consumer_seek(w->c, &(struct partition){w->topic, 0, 1}, NULL)),
                        "GONE");
}

/* --- rebalances --- */

static void wake_on_revoke(void *ctx, const struct partition *ps, size_t n)
{
    struct world *w = ctx;
    on_revoked(w, ps, n);
    loop_stop(w->l);
}

static void a_pause_outlives_a_rebalance(void **state)
{
    struct world *w = *state;
    struct consumer_events ev = plain;
    ev.revoked = wake_on_revoke;
    make_topic(w, w->topic, 2);
    produce_numbers(w, 100);
    w->c = open_consumer(w, w->topic, &ev);
    run_until(w, 100);
    consumer_pause(w->c, w->topic, true);
    w->other = open_consumer(w, w->topic, &plain);
    while (w->revokes == 0)
        loop_run(w->l);
    w->records = 0;
    run_ms(w, 3000);
    assert_in_range(w->records, 1, 99); /* only the other's half, from the start: no commits */
    consumer_pause(w->c, w->topic, false);
    run_until(w, 100);
}

/* --- ceilings --- */

static void back_pressure_and_room(void **state)
{
    struct world *w = *state;
    static char big[10000];
    struct err e = ERR_INIT;
    size_t sent = 0;
    make_topic(w, w->topic, 1);
    open_producer(w, 100000);
    memset(big, 'x', sizeof big);
    while (producer_send(w->p, w->topic, STR("k"), (struct str){big, sizeof big}, NULL, 0,
                         on_report, w, &e) == ERR_OK)
        sent++;
    assert_string_equal(err_name(e.code), "THROTTLED");
    assert_in_range(sent, 5, 10);
    assert_int_equal(w->rooms, 0);
    while (w->rooms == 0)
        loop_run(w->l);
    send_text(w, STR("k"), STR("1"));
    loop_run(w->l);
    assert_int_equal(w->rooms, 1);
    assert_int_equal(w->refused, 0);
}

static void too_big_hurts_nobody_else(void **state)
{
    struct world *w = *state;
    size_t n = 1500000;
    char *noise = malloc(n + 200000);
    uint32_t x = 1;
    for (size_t i = 0; i < n + 200000; i++) {
        x = x * 1664525 + 1013904223;
        noise[i] = (char)(x >> 24);
    }
    make_topic(w, w->topic, 1);
    open_producer(w, 0);
    send_numbers(w, 0, 50);
    send_text(w, STR("k"), (struct str){noise, n}); /* the topic refuses it */
    send_numbers(w, 50, 50);
    assert_string_equal(
        err_name(producer_send(w->p, w->topic, STR("k"), (struct str){noise, n + 200000}, NULL, 0,
                               on_report, w, NULL)),
        "TOO_BIG");
    loop_run(w->l);
    assert_int_equal(w->reported, 101);
    assert_int_equal(w->refused, 1);
    assert_string_equal(err_name(w->refusal.code), "TOO_BIG");
    assert_int_equal(w->dead.code, ERR_OK);
    free(noise);
}

/* --- what stops --- */

static void an_unknown_topic_is_reported_to_the_sender(void **state)
{
    struct world *w = *state;
    open_producer(w, 0);
    send_text(w, STR("k"), STR("1"));
    loop_run(w->l);
    assert_string_equal(err_name(w->refusal.code), "CONFIG");
    assert_non_null(strstr(w->refusal.msg, "sandfleet topics apply"));
}

static void an_unknown_topic_stops_the_consumer(void **state)
{
    struct world *w = *state;
    w->c = open_consumer(w, w->topic, &plain);
    loop_run(w->l);
    assert_int_equal(err_action(w->failure.code), ERR_DO_STOP);
    assert_non_null(strstr(w->failure.msg, "sandfleet topics apply"));
}

static void an_offset_that_is_gone_stops_the_consumer(void **state)
{
    struct world *w = *state;
    make_topic(w, w->topic, 1);
    produce_numbers(w, 10);
    w->c = open_consumer(w, NULL, &plain);
    assign(w, w->c, 5000, 1);
    while (w->failures == 0)
        loop_run(w->l);
    assert_int_equal(err_action(w->failure.code), ERR_DO_STOP);
    assert_non_null(strstr(w->failure.msg, w->topic));
}

/* --- freed in a callback --- */

static void free_consumer(void *ctx, const struct kafka_record *r)
{
    struct world *w = ctx;
    (void)r;
    w->records++;
    consumer_free(w->c);
    w->c = NULL;
    loop_stop(w->l);
}

static void free_producer(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct world *w = ctx;
    (void)e;
    (void)partition;
    (void)offset;
    w->reported++;
    producer_free(w->p);
    w->p = NULL;
    loop_stop(w->l);
}

static void freed_in_a_callback(void **state)
{
    struct world *w = *state;
    make_topic(w, w->topic, 1);
    produce_numbers(w, 10);
    w->c = open_consumer(w, NULL,
                         &(struct consumer_events){.record = free_consumer, .failed = on_failed});
    assign(w, w->c, KAFKA_EARLIEST, 1);
    while (w->records == 0)
        loop_run(w->l);
    w->reported = 0;
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            producer_send(w->p, w->topic, STR("k"), STR("1"), NULL, 0, free_producer, w, NULL),
            ERR_OK);
    while (w->reported == 0)
        loop_run(w->l);
    assert_int_equal(w->reported, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(topics_are_made_and_described),
        TEST(a_bad_topic_is_a_configuration_error),
        TEST(nobody_there_is_said),
        TEST(settings_of_the_caller),
        TEST(keys_headers_and_tombstones_survive),
        TEST(keys_go_where_kafka_partition_says),
        TEST(a_group_goes_on_at_its_commit),
        TEST(an_assignment_is_answered_late_with_own_offsets),
        TEST(pauses_lose_and_repeat_nothing),
        TEST(paused_from_the_start_and_for_all_topics),
        TEST(seeks_go_back_running_and_paused),
        TEST(a_seek_elsewhere_is_refused),
        TEST(a_pause_outlives_a_rebalance),
        TEST(back_pressure_and_room),
        TEST(too_big_hurts_nobody_else),
        TEST(an_unknown_topic_is_reported_to_the_sender),
        TEST(an_unknown_topic_stops_the_consumer),
        TEST(an_offset_that_is_gone_stops_the_consumer),
        TEST(freed_in_a_callback),
    };
    return cmocka_run_group_tests_name("kafka", tests, NULL, NULL);
}
