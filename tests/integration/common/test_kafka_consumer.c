/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a consumer hands out each record once from where it was told, through
 * pauses, seeks and rebalances. Proof: a real broker; each story has its own topic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/kafka/kafka_consumer_internal.h"
#include "tests/integration/common/kafka_world.h"

/* --- groups --- */

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

static void on_any_record(void *ctx, struct kafka_record *r)
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
    run_ms(w, 1500);
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

static void pause_now(void *ctx, struct kafka_record *r)
{
    struct world *w = ctx;
    on_record(w, r);
    if (w->records == 10)
        consumer_pause(w->c, w->topic, true);
}

static const struct consumer_events pausing = {.record = pause_now, .failed = on_failed};

/* More than a paused topic keeps at hand: fetching has stopped, too. */
static void pause_after_ten(struct world *w, int produced)
{
    make_topic(w, w->topic, 1);
    produce_numbers(w, produced);
    w->c = open_consumer(w, NULL, &pausing);
    assign(w, w->c, KAFKA_EARLIEST, 1);
    run_until(w, 10);
    run_ms(w, 300);
    assert_int_equal(w->records, 10);
}

static void a_seek_forgets_what_was_kept(void **state)
{
    struct world *w = *state;
    pause_after_ten(w, 1000);
    seek(w, 5);
    consumer_pause(w->c, w->topic, false);
    run_until(w, 10 + 995);
    run_ms(w, 300);
    assert_int_equal(w->records, 10 + 995);
    assert_int_equal(w->seen[4], 1);
    assert_int_equal(w->seen[5], 2);
    assert_int_equal(w->seen[10], 1);
    assert_int_equal(w->seen[999], 1);
}

static void a_new_assignment_forgets_what_was_kept(void **state)
{
    struct world *w = *state;
    pause_after_ten(w, 1000);
    assign(w, w->c, 990, 1);
    consumer_pause(w->c, w->topic, false);
    run_until(w, 10 + 10);
    run_ms(w, 300);
    assert_int_equal(w->records, 10 + 10);
    assert_int_equal(w->seen[500], 0);
    assert_int_equal(w->seen[999], 1);
}

/* librdkafka is told behind our back to fetch nothing: nobody else can make it so silent. */
static void a_silent_partition_is_asked_for_again(void **state)
{
    struct world *w = *state;
    AUTO_LIST *list = rd_kafka_topic_partition_list_new(1);
    make_topic(w, w->topic, 1);
    produce_numbers(w, 100);
    w->c = open_consumer(w, NULL, &plain);
    w->c->silent_ms = 300;
    assign(w, w->c, 90, 1);
    rd_kafka_topic_partition_list_add(list, w->topic, 0);
    assert_int_equal(rd_kafka_pause_partitions(w->c->client.rk, list), 0);
    run_until(w, 10);
    run_ms(w, 700); /* and not once more, now that it is heard of */
    assert_int_equal(w->records, 10);
    assert_int_equal(w->c->parts.held[0].asked, 0);
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

/* --- what stops --- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_group_goes_on_at_its_commit),
        TEST(an_assignment_is_answered_late_with_own_offsets),
        TEST(pauses_lose_and_repeat_nothing),
        TEST(paused_from_the_start_and_for_all_topics),
        TEST(seeks_go_back_running_and_paused),
        TEST(a_seek_forgets_what_was_kept),
        TEST(a_new_assignment_forgets_what_was_kept),
        TEST(a_silent_partition_is_asked_for_again),
        TEST(a_seek_elsewhere_is_refused),
        TEST(a_pause_outlives_a_rebalance),
        TEST(an_unknown_topic_stops_the_consumer),
        TEST(an_offset_that_is_gone_stops_the_consumer),
    };
    return cmocka_run_group_tests_name("kafka_consumer", tests, NULL, NULL);
}
