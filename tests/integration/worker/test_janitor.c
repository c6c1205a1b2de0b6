/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what no row owns is killed, what nobody came for is ended, what is gone is forgotten,
 * and nothing else is touched. Proof: a janitor between a real ledger and a real sandboxd; every
 * finding is awaited, and what must stay is looked for behind it. */
#include "tests/integration/worker/keeping.h"

#include "worker/sandbox/janitor.h"
#include "common/banned.h"

enum { EVERY_MS = 60, GRACE_MS = 150 };

static struct {
    struct janitor *j;
    int64_t rounds;
} jt;

static void on_round(void *ctx)
{
    (void)ctx;
    if (jt.rounds > 0 && --jt.rounds == 0)
        loop_stop(fx.loop);
}

static struct janitor *make(int64_t grace_ms)
{
    struct janitor_opts opts = {.loop = fx.loop,
                                .ledger = kp.ledger,
                                .sandboxes = kp.service,
                                .sizes = &kp.sizes,
                                .ledger_id = kp.ledger_id,
                                .every_ms = EVERY_MS,
                                .grace_ms = grace_ms,
                                .done = on_round};

    struct janitor *j = janitor_new(&opts);

    assert_non_null(j);
    return j;
}

static bool idle(void *what)
{
    return janitor_is_idle(what);
}

static void dismiss(struct janitor *j)
{
    janitor_lead(j, false);
    kp_wait((struct kp_wait){.yes = idle, .what = j});
    janitor_free(j);
}

static int begin(void **state)
{
    jt.rounds = 0;
    jt.j = make(GRACE_MS);
    return empty(state);
}

static int end(void **state)
{
    (void)state;
    dismiss(jt.j);
    return 0;
}

static void lead(void)
{
    janitor_lead(jt.j, true);
}

static void rounds(int64_t n)
{
    jt.rounds = n;
    fx_run();
}

static void an_orphan_is_killed_and_nobody_elses_sandbox_is(void **state)
{
    char orphan[64], owned[64], making[64], foreign[64];

    (void)state;
    kp_make("o-1", kp.ledger_id, orphan);
    kp_make("o-2", kp.ledger_id, owned);
    kp_make("o-3", kp.ledger_id, making);
    kp_make("o-4", "another-ledger", foreign);
    kp_row("o-2", owned, "busy", "1 hour");
    kp_row("o-3", "", "creating", "1 hour"); /* its id has yet to be written */
    lead();
    rounds(1);
    assert_true(kp_has(orphan)); /* seen once: it may be a mistake */
    while (kp_has(orphan))
        rounds(1);
    rounds(3);
    assert_int_equal(janitor_counts(jt.j)->orphans, 1);
    assert_true(kp_has(owned) && kp_has(making) && kp_has(foreign));
    kp_kill(owned);
    kp_kill(making);
    kp_kill(foreign);
}

static void what_nobody_came_for_is_ended(void **state)
{
    char parked[64], dead[64], fresh[64];

    (void)state;
    kp_make("e-1", kp.ledger_id, parked);
    kp_make("e-2", kp.ledger_id, dead);
    kp_make("e-3", kp.ledger_id, fresh);
    kp_row("e-1", parked, "parked", "0 s");
    kp_row("e-2", dead, "dead", "0 s");
    kp_row("e-3", fresh, "parked", "1 hour");
    lead();
    kp_until("SELECT count(*) = 1 FROM ledger.sandboxes");
    assert_false(kp_has(parked));
    assert_false(kp_has(dead));
    assert_true(kp_has(fresh));
    assert_string_equal(state_of("e-3"), "parked");
    assert_int_equal(janitor_counts(jt.j)->expired, 1);
    assert_int_equal(janitor_counts(jt.j)->orphans, 0);
    kp_kill(fresh);
}

static void a_row_whose_sandbox_is_gone_is_told_or_forgotten(void **state)
{
    char parked[64], busy[64];

    (void)state;
    kp_make("m-1", kp.ledger_id, parked);
    kp_make("m-2", kp.ledger_id, busy);
    kp_row("m-1", parked, "parked", "1 hour");
    kp_row("m-2", busy, "busy", "1 hour");
    kp_row("m-3", "", "dead", "0 s"); /* asked for, never made */
    kp_kill(parked);
    kp_kill(busy);
    lead();
    kp_until("SELECT count(*) = 1 FROM ledger.sandboxes");
    kp_until("SELECT state = 'lost' FROM ledger.sandboxes"); /* its run still has it to let go */
    assert_int_equal(janitor_counts(jt.j)->lost, 2);
}

/* The other one leads: it is not asked. */
static void who_does_not_lead_touches_nothing(void **state)
{
    char orphan[64];
    struct janitor *other = make(3600000);

    (void)state;
    kp_make("n-1", kp.ledger_id, orphan);
    lead();
    rounds(1);
    janitor_lead(jt.j, false);
    janitor_lead(other, true); /* a patient one, for a clock */
    rounds(2 * GRACE_MS / EVERY_MS);
    dismiss(other);
    assert_true(kp_has(orphan));
    assert_int_equal(janitor_counts(jt.j)->rounds, 1);
    lead();
    while (kp_has(orphan))
        rounds(1);
}

static void sizes_and_prices_are_learnt(void **state)
{
    char id[64];

    (void)state;
    kp_make("s-1", kp.ledger_id, id);
    kp_row("s-1", id, "busy", "1 hour");
    lead();
    kp_until("SELECT usd_per_hour > 0 AND cpu_count > 0 FROM ledger.sandboxes");
    kp_kill(id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_orphan_is_killed_and_nobody_elses_sandbox_is),
        TEST(what_nobody_came_for_is_ended),
        TEST(a_row_whose_sandbox_is_gone_is_told_or_forgotten),
        TEST(who_does_not_lead_touches_nothing),
        TEST(sizes_and_prices_are_learnt),
    };
    log_setup(LOG_ERROR, LOG_TEXT, 2);
    return cmocka_run_group_tests_name("janitor", tests, kp_open, kp_close);
}
