/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a run's position stands behind the last line acknowledged with all before it; a full
 * producer delays and drops nothing; what is under way when the worker leaves is nobody's, and no
 * memory stays (the sanitized suite looks). Proof: a producer that answers when the test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "worker/publish/publish.h"
#include "common/banned.h"

/* --- a producer -------------------------------------------------------------- */

static struct {
    struct producer_opts opts;
    produced_fn fn[8];
    void *ctx[8];
    size_t n;
    bool full;
} p;

enum err_code producer_new(struct loop *l, const struct kafka_conf *conf,
                           const struct producer_opts *opts, struct producer **out, struct err *err)
{
    (void)l, (void)conf, (void)err;
    p.opts = *opts;
    *out = (struct producer *)&p;
    return ERR_OK;
}

enum err_code producer_send(struct producer *unused, const char *topic, struct str key,
                            struct str value, const struct kafka_header *headers, size_t n_headers,
                            produced_fn fn, void *ctx, struct err *err)
{
    (void)unused, (void)topic, (void)key, (void)value, (void)headers, (void)n_headers;
    if (p.full)
        return err_set(err, ERR_THROTTLED, "the queue is full");
    assert_true(p.n < sizeof(p.fn) / sizeof(*p.fn));
    p.fn[p.n] = fn;
    p.ctx[p.n++] = ctx;
    return ERR_OK;
}

bool producer_flush(struct producer *unused, int64_t timeout_ms)
{
    (void)unused, (void)timeout_ms;
    return true;
}

void producer_free(struct producer *unused)
{
    (void)unused;
}

static void answer(size_t n, enum err_code code)
{
    struct err err = ERR_INIT;

    if (code != ERR_OK)
        (void)err_set(&err, code, "refused");
    p.fn[n](p.ctx[n], &err, 0, 0);
}

/* --- a run ------------------------------------------------------------------- */

static struct {
    struct loop *loop;
    struct publish_hub *hub;
    struct publish_log *log;
    int moved, fatal;
} w;

static const struct event_run run = {.tenant = "default",
                                     .run_id = "01890a5d-ac96-774b-bcce-b302099a8057",
                                     .created_ms = 1767225600000};

static void on_moved(void *ctx)
{
    (void)ctx;
    w.moved++;
}

static void on_fatal(void *ctx, const struct err *e)
{
    (void)ctx, (void)e;
    w.fatal++;
}

static void say(enum event_type type, int64_t n)
{
    struct event e = {.type = type,
                      .attempt = 1,
                      .epoch = 1,
                      .n = n,
                      .offset = event_is_line(type) ? 100 * n : 0,
                      .time_ms = 1767225600000,
                      .data = str_of("{}")};
    struct err err = ERR_INIT;

    assert_int_equal(publish_event(w.log, &e, &err), ERR_OK);
}

static int set_up(void **state)
{
    struct err err = ERR_INIT;
    struct publish_opts opts = {.topic = "events", .fatal = on_fatal};

    (void)state;
    memset(&p, 0, sizeof(p));
    memset(&w, 0, sizeof(w));
    assert_int_equal(loop_new(&w.loop, &err), ERR_OK);
    assert_int_equal(publish_hub_new(w.loop, &opts, &w.hub, &err), ERR_OK);
    w.log = publish_log_new(w.hub, &run, on_moved, NULL);
    assert_non_null(w.log);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    publish_log_free(w.log);
    publish_hub_free(w.hub);
    loop_free(w.loop);
    return 0;
}

static void assert_line(int64_t line)
{
    struct publish_position at = publish_log_position(w.log);

    assert_int_equal(at.line, line);
    assert_int_equal(at.offset, 100 * line);
}

/* --- the promises ------------------------------------------------------------ */

static void a_position_passes_no_gap(void **state)
{
    (void)state;
    for (int n = 1; n <= 3; n++)
        say(EVENT_AGENT_MESSAGE, n);
    answer(2, ERR_OK);
    assert_line(0);
    answer(0, ERR_OK);
    assert_line(1);
    assert_false(publish_log_idle(w.log));
    answer(1, ERR_OK);
    assert_line(3);
    assert_true(publish_log_idle(w.log));
    assert_int_equal(publish_log_unacked(w.log), 0);
    assert_int_equal(w.moved, 3);
}

static void a_full_producer_gets_them_later_in_order(void **state)
{
    (void)state;
    p.full = true;
    say(EVENT_AGENT_MESSAGE, 1);
    p.full = false; /* what waits goes first all the same */
    say(EVENT_AGENT_MESSAGE, 2);
    assert_int_equal(p.n, 0);
    assert_false(publish_hub_flush(w.hub, 0));
    p.opts.room(p.opts.ctx);
    assert_int_equal(p.n, 2);
    assert_true(publish_hub_flush(w.hub, 0));
    answer(0, ERR_OK);
    assert_line(1);
    answer(1, ERR_OK);
    assert_line(2);
}

static void one_that_is_refused_stops_all_behind_it(void **state)
{
    (void)state;
    say(EVENT_AGENT_MESSAGE, 1);
    say(EVENT_AGENT_MESSAGE, 2);
    answer(0, ERR_CONFIG);
    assert_int_equal(w.fatal, 1);
    answer(1, ERR_OK);
    assert_line(0);
}

static void a_log_without_its_run_ends_with_the_last_answer(void **state)
{
    (void)state;
    say(EVENT_ATTEMPT_STARTING, 1);
    say(EVENT_AGENT_MESSAGE, 1);
    publish_log_free(w.log);
    w.log = NULL;
    answer(0, ERR_OK);
    answer(1, ERR_OK);
    assert_int_equal(w.moved, 0);
}

static void what_is_never_answered_ends_with_the_hub(void **state)
{
    (void)state;
    say(EVENT_ATTEMPT_STARTING, 1);
    p.full = true;
    say(EVENT_AGENT_MESSAGE, 1);
    publish_log_free(w.log);
    w.log = publish_log_new(w.hub, &run, on_moved, NULL);
    say(EVENT_AGENT_MESSAGE, 2);
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {STORY(a_position_passes_no_gap),
                                       STORY(a_full_producer_gets_them_later_in_order),
                                       STORY(one_that_is_refused_stops_all_behind_it),
                                       STORY(a_log_without_its_run_ends_with_the_last_answer),
                                       STORY(what_is_never_answered_ends_with_the_hub)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
