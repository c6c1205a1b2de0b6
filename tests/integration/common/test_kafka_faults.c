/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a broker that dies, and comes back, costs time and nothing else: what
 * was accepted arrives once and in order, a consumer goes on by itself, and the
 * log says it once each way. Proof: a broker of our own, killed with SIGKILL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "common/kafka/kafka.h"
#include "common/log.h"
#include "tests/integration/common/dev_stack.h"

enum { RECORDS = 6000, PARTITIONS = 3 };

struct world {
    struct loop *l;
    struct timer *guard, *feed;
    struct dev_stack stack;
    struct producer *p;
    struct consumer *c;
    int sent, reported, refused, records, log;
    int64_t next[PARTITIONS]; /* offsets */
    int last[PARTITIONS];     /* numbers */
    bool killed, started;
    enum err_code verdict;
};

static const char topic[] = "faults";

static void too_long(void *ctx)
{
    const struct world *w = ctx;
    fail_msg("nothing happened in 100 s: %d sent, %d reported, %d records", w->sent, w->reported,
             w->records);
}

static void on_report(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct world *w = ctx;
    (void)partition;
    (void)offset;
    w->reported++;
    w->refused += e->code != ERR_OK;
}

/* Kills when a third is sent, starts again when two thirds are. */
static void inject(struct world *w)
{
    if (!w->killed && w->reported > 0 && w->sent >= RECORDS / 3) {
        w->killed = true;
        dev_stack_do(&w->stack, "kill", "kafka");
    }
    if (!w->started && w->sent >= 2 * RECORDS / 3) {
        w->started = true;
        dev_stack_do(&w->stack, "start", "kafka");
    }
}

static void feed(void *ctx)
{
    struct world *w = ctx;
    char text[16];
    for (int i = 0; i < 10 && w->sent < RECORDS; i++) {
        snprintf(text, sizeof text, "%d", w->sent);
        if (producer_send(w->p, topic, str_of(text), str_of(text), NULL, 0, on_report, w, NULL) !=
            ERR_OK)
            fail_msg("record %d was not accepted", w->sent);
        w->sent++;
    }
    inject(w);
    if (w->sent < RECORDS)
        timer_start(w->feed, 5);
}

/* Offsets and numbers rise in each partition: nothing twice, nothing out of order. */
static void on_record(void *ctx, struct kafka_record *r)
{
    struct world *w = ctx;
    char text[16];
    snprintf(text, sizeof text, STR_FMT, STR_ARG(r->value));
    int n = (int)strtol(text, NULL, 10);
    if (r->offset < w->next[r->partition] || n <= w->last[r->partition])
        fail_msg("record %d again or too late", n);
    w->next[r->partition] = r->offset + 1;
    w->last[r->partition] = n;
    if (++w->records == RECORDS)
        loop_stop(w->l);
}

static void on_failed(void *ctx, const struct err *e)
{
    (void)ctx;
    if (err_action(e->code) == ERR_DO_STOP)
        fail_msg("%s", e->msg);
}

static void on_dead(void *ctx, const struct err *e)
{
    (void)ctx;
    fail_msg("%s", e->msg);
}

static void make_topic(const struct kafka_conf *conf)
{
    struct kafka_admin *a;
    struct kafka_topic t = {.name = topic, .partitions = PARTITIONS, .replication = 1};
    assert_int_equal(kafka_admin_new(conf, &a, NULL), ERR_OK);
    assert_int_equal(kafka_admin_create(a, &t, 30000, NULL), ERR_OK);
    kafka_admin_free(a);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char log[300];
    memset(w->last, -1, sizeof w->last);
    dev_stack_up(&w->stack, "kafka", "SANDFLEET_BROKERS");
    snprintf(log, sizeof log, "%s/test.log", w->stack.dir);
    w->log = open(log, O_CREAT | O_RDWR | O_APPEND, 0600);
    log_setup(LOG_INFO, LOG_TEXT, w->log);
    assert_int_equal(loop_new(&w->l, NULL), ERR_OK);
    w->guard = timer_new(w->l, too_long, w);
    timer_start(w->guard, 100000);
    w->feed = timer_new(w->l, feed, w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    producer_free(w->p);
    consumer_free(w->c);
    timer_free(w->guard);
    timer_free(w->feed);
    loop_free(w->l);
    close(w->log);
    dev_stack_down(&w->stack);
    free(w);
    return 0;
}

static int count(const struct world *w, const char *what)
{
    static char text[1 << 16];
    int n = 0;
    ssize_t got = pread(w->log, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void a_killed_broker_loses_nothing(void **state)
{
    struct world *w = *state;
    struct kafka_conf conf = {.brokers = w->stack.address, .client_id = "faults"};
    struct partition ps[PARTITIONS];
    make_topic(&conf);
    assert_int_equal(
        producer_new(w->l, &conf, &(struct producer_opts){.fatal = on_dead}, &w->p, NULL), ERR_OK);
    assert_int_equal(
        consumer_new(w->l, &conf, &(struct consumer_opts){0},
                     &(struct consumer_events){.record = on_record, .failed = on_failed}, w, &w->c,
                     NULL),
        ERR_OK);
    for (int32_t i = 0; i < PARTITIONS; i++)
        ps[i] = (struct partition){topic, i, KAFKA_EARLIEST};
    assert_int_equal(consumer_assign(w->c, ps, PARTITIONS, NULL), ERR_OK);
    timer_start(w->feed, 0);
    loop_run(w->l);
    assert_true(w->killed && w->started);
    assert_true(producer_flush(w->p, 60000));
    assert_int_equal(w->reported, RECORDS);
    assert_int_equal(w->refused, 0);
    assert_int_equal(w->records, RECORDS);
    assert_int_equal(count(w, "event=kafka.down"), 2); /* the producer's and the consumer's */
    assert_int_equal(count(w, "event=kafka.up"), 2);
}

static void on_verdict(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct world *w = ctx;

    (void)partition, (void)offset;
    w->verdict = e->code;
    loop_stop(w->l);
}

static enum err_code verdict_on_one(struct world *w)
{
    assert_int_equal(producer_send(w->p, topic, STR("k"), STR("1"), NULL, 0, on_verdict, w, NULL),
                     ERR_OK);
    loop_run(w->l);
    return w->verdict;
}

static void signal_broker(struct world *w, int signum)
{
    char line[512];

    snprintf(line, sizeof line, "kill -%d $(cat '%s/run/kafka.pid')", signum, w->stack.dir);
    assert_int_equal(system(line), 0);
}

/* What left for a broker that does not answer may be in the topic; what never left is not. */
static void a_record_is_given_up_in_time(void **state)
{
    struct world *w = *state;
    struct kafka_conf conf = {.brokers = w->stack.address, .client_id = "faults"};
    const struct producer_opts opts = {.timeout_ms = 2000, .fatal = on_dead};

    make_topic(&conf);
    assert_int_equal(producer_new(w->l, &conf, &opts, &w->p, NULL), ERR_OK);
    assert_string_equal(err_name(verdict_on_one(w)), "OK");
    signal_broker(w, SIGSTOP);
    int64_t begun = clock_boot_ms();
    assert_string_equal(err_name(verdict_on_one(w)), "IO");
    assert_true(clock_boot_ms() - begun < 4000);
    signal_broker(w, SIGCONT);
    dev_stack_do(&w->stack, "kill", "kafka");
    begun = clock_boot_ms();
    assert_string_equal(err_name(verdict_on_one(w)), "TIMEOUT");
    assert_true(clock_boot_ms() - begun < 4000);
    dev_stack_do(&w->stack, "start", "kafka");
    while (verdict_on_one(w) != ERR_OK)
        ;
}

static void on_last_record(void *ctx, struct kafka_record *r)
{
    struct world *w = ctx;

    signal_broker(w, SIGSTOP);
    assert_int_equal(consumer_commit(w->c, topic, r->partition, r->offset + 1, NULL), ERR_OK);
    loop_stop(w->l);
}

/* With a commit under way that nobody will answer. */
static void a_broker_that_is_silent_holds_nobody_who_leaves(void **state)
{
    static const struct consumer_events events = {.record = on_last_record, .failed = on_failed};
    static const char *const topics[] = {topic};
    const struct consumer_opts opts = {.group = "leaving", .topics = topics, .n_topics = 1};
    struct world *w = *state;
    struct kafka_conf conf = {.brokers = w->stack.address, .client_id = "faults"};

    make_topic(&conf);
    assert_int_equal(
        producer_new(w->l, &conf, &(struct producer_opts){.fatal = on_dead}, &w->p, NULL), ERR_OK);
    assert_string_equal(err_name(verdict_on_one(w)), "OK");
    assert_int_equal(consumer_new(w->l, &conf, &opts, &events, w, &w->c, NULL), ERR_OK);
    loop_run(w->l);
    int64_t begun = clock_boot_ms();
    consumer_free(w->c);
    w->c = NULL;
    assert_true(clock_boot_ms() - begun < 10000);
    assert_int_equal(count(w, "event=kafka.not_left"), 1);
    signal_broker(w, SIGCONT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_killed_broker_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_is_given_up_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broker_that_is_silent_holds_nobody_who_leaves, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("kafka_faults", tests, NULL, NULL);
}
