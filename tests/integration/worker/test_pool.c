/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the pool has its size, whoever fills it and however often; a leader's death leaves no
 * second sandbox; `claude update` is tried once, and may fail. Proof: pools of two leaders between
 * a real ledger and a real sandboxd. */
#include "tests/integration/worker/keeping.h"

#include "worker/sandbox/pool.h"
#include "common/banned.h"

static struct {
    struct pool *a, *b;
    struct timer *tick;
} pt;

/* As the fleet does. */
static void on_tick(void *ctx)
{
    (void)ctx;
    pool_look(pt.a);
    pool_look(pt.b);
    timer_start(pt.tick, 50);
}

static struct pool *make_pool(const char *worker, const char *warm, bool update)
{
    struct pool_opts opts = {.loop = fx.loop,
                             .ledger = kp.ledger,
                             .sandboxes = kp.service,
                             .sizes = &kp.sizes,
                             .worker_id = worker,
                             .ledger_id = kp.ledger_id,
                             .warm_age_ms = 600000,
                             .update_claude = update,
                             .calm_ms = 60000};
    char *items[] = {(char *)(uintptr_t)warm};
    struct opt_list list = {.items = items, .n = 1};
    struct err err = ERR_INIT;
    struct pool *p;

    assert_string_equal(err_name(pool_targets_parse(&list, &opts.targets, &err)), "OK");
    p = pool_new(&opts);
    assert_non_null(p);
    return p;
}

static void open_pools(const char *warm, bool update)
{
    empty(NULL);
    run_sql(db.conn, "UPDATE ledger.installation SET evicted_at = NULL");
    pt.a = make_pool("a", warm, update);
    pt.b = make_pool("b", warm, update);
    pt.tick = timer_new(fx.loop, on_tick, NULL);
    timer_start(pt.tick, 0);
}

static bool idle(void *what)
{
    return pool_is_idle(what);
}

/* Everything that was made is killed. */
static int close_pools(void **state)
{
    char id[64], key[64];
    const char *at;
    int n;

    (void)state;
    timer_free(pt.tick);
    pool_lead(pt.a, false);
    pool_lead(pt.b, false);
    kp_wait((struct kp_wait){.yes = idle, .what = pt.a});
    kp_wait((struct kp_wait){.yes = idle, .what = pt.b});
    pool_free(pt.a);
    pool_free(pt.b);
    (void)kp_list();
    char all[sizeof(kp.listed)];
    memcpy(all, kp.listed, sizeof(all));
    for (at = all; sscanf(at, " %63s %63s%n", id, key, &n) == 2; at += n)
        kp_kill(id);
    return 0;
}

#define READY(n) "SELECT count(*) = " #n " FROM ledger.sandboxes WHERE state = 'ready'"

static void two_leaders_fill_it_once(void **state)
{
    (void)state;
    open_pools("base=3", false);
    pool_lead(pt.a, true);
    pool_lead(pt.b, true); /* one of them does not know yet that it leads no more */
    kp_until(READY(3));
    kp_until("SELECT count(*) = 3 FROM ledger.sandboxes");
    assert_int_equal(kp_list(), 3);
    /* one is used: another one takes its place */
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    assert_true(placed(RUN(1), "1", "base", "k").warm);
    kp_until(READY(3));
    assert_int_equal(kp_list(), 4);
}

static void the_next_leader_goes_on_with_the_same_sandbox(void **state)
{
    (void)state;
    open_pools("base=1", false);
    (void)kill(fx.pid, SIGSTOP);
    pool_lead(pt.a, true);
    kp_until("SELECT count(*) = 1 FROM ledger.sandboxes WHERE state = 'creating'");
    pool_lead(pt.a, false); /* dies, its request under way */
    pool_lead(pt.b, true);
    kp_until("SELECT count(*) = 1 FROM ledger.sandboxes WHERE maker LIKE 'b/%'");
    (void)kill(fx.pid, SIGCONT);
    kp_until(READY(1));
    assert_int_equal(kp_list(), 1);
}

/* A row that the API put there: of a template that no setting names. */
static void what_was_asked_for_is_made_once(void **state)
{
    (void)state;
    open_pools("claude=0", false);
    run_sql(db.conn,
            "INSERT INTO ledger.sandboxes (key, state, template)"
            " SELECT 'warm-asked-' || n, 'creating', 'base' FROM generate_series(1, 6) AS n");
    pool_lead(pt.a, true);
    pool_lead(pt.b, true);
    kp_until(READY(6));
    assert_int_equal(kp_list(), 6);
    kp_until("SELECT count(*) = 6 FROM ledger.sandboxes WHERE key LIKE 'warm-asked-%'");
}

static void size_and_price_stand_in_the_row(void **state)
{
    (void)state;
    open_pools("base=1", false);
    pool_lead(pt.a, true);
    kp_until(
        "SELECT count(*) = 1 FROM ledger.sandboxes WHERE state = 'ready' AND usd_per_hour > 0");
}

/* --- claude update ------------------------------------------------------------- */

static struct envd_answer answered;
static char updates[16];

static void on_file(void *ctx, const struct envd_answer *a, const struct err *e)
{
    (void)ctx;
    assert_string_equal(err_name(e->code), "OK");
    answered = *a;
    snprintf(updates, sizeof(updates), STR_FMT, STR_ARG(a->body));
    loop_stop(fx.loop);
}

static void claude_is_updated_once_and_a_failure_is_no_harm(void **state)
{
    struct fx_got got = {0};
    struct envd_call *call;
    struct err e = ERR_INIT;
    char id[64];

    (void)state;
    open_pools("claude=1", true);
    pool_lead(pt.a, true);
    kp_until(READY(1));
    snprintf(id, sizeof(id), "%s", value("SELECT sandbox_id FROM ledger.sandboxes"));
    struct sandbox_op *op;
    assert_string_equal(err_name(sandbox_open(kp.service, id, 60000, &fx_events, &got, &op, &e)),
                        "OK");
    fx_run();
    assert_string_equal(
        err_name(envd_get(sandbox_envd(got.sb), "~/updates", 0, NULL, on_file, NULL, &call, &e)),
        "OK");
    fx_run();
    assert_string_equal(updates, "u\n");
    sandbox_free(got.sb);
}

/* --- trouble ------------------------------------------------------------------- */

static void a_template_that_is_not_there_leaves_no_row_behind(void **state)
{
    (void)state;
    open_pools("nowhere=1", false);
    pool_lead(pt.a, true);
    kp_until("SELECT count(*) = 1 FROM ledger.sandboxes WHERE state = 'dead'");
    assert_int_equal(kp_list(), 0);
}

static void what_an_earlier_leader_wanted_and_nobody_does_now_is_let_go(void **state)
{
    (void)state;
    open_pools("base=0", false);
    run_sql(db.conn, "INSERT INTO ledger.sandboxes (key, state, template, maker)"
                     " VALUES ('warm-x', 'creating', 'claude', 'old/1')");
    pool_lead(pt.a, true);
    kp_until("SELECT state = 'dead' FROM ledger.sandboxes");
}

#define TEST(name) cmocka_unit_test_teardown(name, close_pools)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_leaders_fill_it_once),
        TEST(the_next_leader_goes_on_with_the_same_sandbox),
        TEST(what_was_asked_for_is_made_once),
        TEST(size_and_price_stand_in_the_row),
        TEST(claude_is_updated_once_and_a_failure_is_no_harm),
        TEST(a_template_that_is_not_there_leaves_no_row_behind),
        TEST(what_an_earlier_leader_wanted_and_nobody_does_now_is_let_go),
    };
    log_setup(LOG_ERROR, LOG_TEXT, 2);
    return cmocka_run_group_tests_name("pool", tests, kp_open, kp_close);
}
