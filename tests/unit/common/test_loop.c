/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a callback may free any handle, its own included; deferred calls run
 * once, later, in order; a zero timer that restarts itself starves nobody.
 * Proof: each test lets the loop end by itself ("nothing is left"), so a handle
 * that leaks keeps the test from ending, and ASan sees a use after free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/loop.h"

struct world {
    struct loop *l;
    struct timer *a, *b;
    struct watch *w;
    int fd[2];
    int calls, stops;
    char order[16];
};

static int setup(void **state)
{
    static struct world w;
    w = (struct world){.fd = {-1, -1}};
    assert_int_equal(loop_new(&w.l, NULL), ERR_OK);
    assert_int_equal(pipe(w.fd), 0);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    loop_free(w->l);
    close(w->fd[0]);
    close(w->fd[1]);
    return 0;
}

static void note(struct world *w, char c)
{
    size_t n = strlen(w->order);
    assert_true(n + 1 < sizeof w->order);
    w->order[n] = c;
}

static void note_x(void *ctx)
{
    note(ctx, 'x');
}

static void note_a_and_defer(void *ctx)
{
    struct world *w = ctx;
    note(w, 'a');
    assert_int_equal(loop_defer(w->l, note_x, w, NULL), ERR_OK);
}

static void note_b(void *ctx)
{
    note(ctx, 'b');
}

static void deferred_calls_run_later_in_order(void **state)
{
    struct world *w = *state;
    assert_int_equal(loop_defer(w->l, note_a_and_defer, w, NULL), ERR_OK);
    assert_int_equal(loop_defer(w->l, note_b, w, NULL), ERR_OK);
    assert_string_equal(w->order, "");
    loop_run(w->l);
    assert_string_equal(w->order, "abx");
}

static void free_both(void *ctx)
{
    struct world *w = ctx;
    w->calls++;
    timer_free(w->a);
    timer_free(w->b);
}

static void a_timer_frees_itself_and_its_neighbour(void **state)
{
    struct world *w = *state;
    w->a = timer_new(w->l, free_both, w);
    w->b = timer_new(w->l, free_both, w);
    timer_start(w->a, 0);
    timer_start(w->b, 0);
    assert_true(timer_pending(w->b));
    loop_run(w->l);
    assert_int_equal(w->calls, 1);
}

static void count_and_free(void *ctx)
{
    struct world *w = ctx;
    w->calls++;
    timer_free(w->a);
}

static void a_timer_restarted_fires_once_and_stopped_not_at_all(void **state)
{
    struct world *w = *state;
    w->a = timer_new(w->l, count_and_free, w);
    w->b = timer_new(w->l, free_both, w);
    timer_start(w->a, 60000);
    timer_start(w->a, 1);
    timer_start(w->b, 1);
    timer_stop(w->b);
    assert_false(timer_pending(w->b));
    int64_t before = loop_now_ms(w->l);
    loop_run(w->l);
    assert_int_equal(w->calls, 1);
    assert_true(loop_now_ms(w->l) - before < 30000);
    timer_free(w->b);
}

static void restart_at_once(void *ctx)
{
    struct world *w = ctx;
    w->calls++;
    timer_start(w->a, 0);
}

static void on_readable(void *ctx, int events)
{
    struct world *w = ctx;
    assert_int_equal(events, WATCH_READ);
    watch_free(w->w);
    timer_free(w->a);
}

static void a_zero_timer_starves_nobody(void **state)
{
    struct world *w = *state;
    w->a = timer_new(w->l, restart_at_once, w);
    w->w = watch_new(w->l, w->fd[0], on_readable, w);
    watch_set(w->w, WATCH_READ);
    timer_start(w->a, 0);
    assert_int_equal(write(w->fd[1], "x", 1), 1);
    loop_run(w->l);
    assert_true(w->calls > 0);
}

static void count_error(void *ctx, int events)
{
    struct world *w = ctx;
    assert_int_equal(events & WATCH_WRITE, WATCH_WRITE);
    if (++w->calls == 2)
        watch_free(w->w);
}

/* The reading end of a pipe is gone: as poll(2), the watch tells it each turn. */
static void an_error_is_told_until_handled(void **state)
{
    struct world *w = *state;
    close(w->fd[0]);
    w->fd[0] = -1;
    w->w = watch_new(w->l, w->fd[1], count_error, w);
    watch_set(w->w, WATCH_WRITE);
    loop_run(w->l);
    assert_int_equal(w->calls, 2);
}

static void work_note_w(void *ctx)
{
    note(ctx, 'w');
}

static void work_runs_beside_the_loop_and_is_told_on_it(void **state)
{
    struct world *w = *state;
    assert_int_equal(loop_work(w->l, work_note_w, note_b, w, NULL), ERR_OK);
    loop_run(w->l);
    assert_string_equal(w->order, "wb");
}

static void work_under_way_ends_before_the_loop_is_gone(void **state)
{
    struct world *w = *state;
    assert_int_equal(loop_work(w->l, work_note_w, note_b, w, NULL), ERR_OK);
    loop_free(w->l);
    w->l = NULL;
    assert_string_equal(w->order, "wb");
}

static void on_stop(void *ctx, int count)
{
    struct world *w = ctx;
    w->stops = count;
    if (count == 1)
        raise(SIGINT);
    else
        timer_free(w->a);
}

static void the_second_stop_is_counted(void **state)
{
    struct world *w = *state;
    w->a = timer_new(w->l, note_x, w); /* keeps the loop going */
    timer_start(w->a, 60000);
    assert_int_equal(loop_on_stop(w->l, on_stop, w, NULL), ERR_OK);
    raise(SIGTERM);
    loop_run(w->l);
    assert_int_equal(w->stops, 2);
}

static void on_late_stop(void *ctx, int count)
{
    struct world *w = ctx;
    w->stops = count;
    timer_free(w->a);
}

/* Nobody is killed at the end by a second signal; whoever opens another loop learns of it. */
static void behind_the_end_a_stop_is_held_back(void **state)
{
    struct world *w = *state;
    assert_int_equal(loop_on_stop(w->l, on_late_stop, w, NULL), ERR_OK);
    loop_free(w->l);
    raise(SIGTERM);
    assert_int_equal(loop_new(&w->l, NULL), ERR_OK);
    w->a = timer_new(w->l, note_x, w);
    timer_start(w->a, 60000);
    assert_int_equal(loop_on_stop(w->l, on_late_stop, w, NULL), ERR_OK);
    loop_run(w->l);
    assert_int_equal(w->stops, 1);
}

static void what_is_left_is_closed(void **state)
{
    struct world *w = *state;
    w->a = timer_new(w->l, note_x, w);
    w->w = watch_new(w->l, w->fd[0], on_readable, w);
    watch_set(w->w, WATCH_READ);
    timer_start(w->a, 60000);
    assert_int_equal(loop_defer(w->l, note_x, w, NULL), ERR_OK);
    loop_stop(w->l);
    /* teardown: loop_free(); LeakSanitizer is the judge */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(deferred_calls_run_later_in_order),
        TEST(a_timer_frees_itself_and_its_neighbour),
        TEST(a_timer_restarted_fires_once_and_stopped_not_at_all),
        TEST(a_zero_timer_starves_nobody),
        TEST(an_error_is_told_until_handled),
        TEST(the_second_stop_is_counted),
        TEST(behind_the_end_a_stop_is_held_back),
        TEST(work_runs_beside_the_loop_and_is_told_on_it),
        TEST(work_under_way_ends_before_the_loop_is_gone),
        TEST(what_is_left_is_closed),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
