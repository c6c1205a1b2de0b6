/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a live worker is never judged dead, also when the ledger or we ourselves were
 * away; a dead one is, one lease after its last beat was seen; and a worker stops publishing
 * before anybody can judge it dead. Proof: histories with a clock the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "worker/ledger/lease.h"
#include "common/banned.h"

enum { LEASE = 10000 };

static void look(struct lease *l, int64_t at, int64_t counter)
{
    struct err err = ERR_INIT;

    lease_look_begin(l, at, at);
    if (counter >= 0)
        assert_int_equal(lease_look(l, "w1", counter, &err), ERR_OK);
    lease_look_end(l);
}

static bool dead(const struct lease *l)
{
    return l->n == 1 && lease_dead(l, &l->peers[0]);
}

static void a_still_counter_is_death_after_one_lease(void **state)
{
    struct lease l;
    (void)state;
    lease_init(&l, LEASE);
    for (int64_t t = 1000; t < 1000 + LEASE; t += 500) {
        look(&l, t, 7);
        assert_false(dead(&l));
    }
    look(&l, 1000 + LEASE, 7);
    assert_true(dead(&l));
    look(&l, 1500 + LEASE, 8); /* it beats again */
    assert_false(dead(&l));
    lease_release(&l);
}

static void a_beating_worker_never_dies(void **state)
{
    struct lease l;
    (void)state;
    lease_init(&l, LEASE);
    for (int64_t t = 1000; t < 1000 + 20 * LEASE; t += 500) {
        look(&l, t, t / 9500); /* just faster than the lease */
        assert_false(dead(&l));
    }
    lease_release(&l);
}

static void an_outage_of_the_ledger_moves_no_claim(void **state)
{
    struct lease l;
    (void)state;
    lease_init(&l, LEASE);
    look(&l, 1000, 7);
    look(&l, 1500, 7);
    look(&l, 1500 + 4 * LEASE, 7); /* nobody could beat in between */
    assert_false(dead(&l));
    for (int64_t t = 500; t < LEASE; t += 500) {
        look(&l, 1500 + 4 * LEASE + t, 7);
        assert_false(dead(&l));
    }
    look(&l, 1500 + 5 * LEASE, 7);
    assert_true(dead(&l));
    lease_release(&l);
}

static void a_slow_answer_counts_from_its_end(void **state)
{
    struct lease l;
    struct err err = ERR_INIT;
    (void)state;
    lease_init(&l, LEASE);
    lease_look_begin(&l, 1000, 5000);
    assert_int_equal(lease_look(&l, "w1", 7, &err), ERR_OK);
    lease_look_end(&l);
    for (int64_t t = 5500; t < 5000 + LEASE; t += 500)
        look(&l, t, 7);
    assert_false(dead(&l));
    look(&l, 5000 + LEASE, 7);
    assert_true(dead(&l));
    lease_release(&l);
}

static void a_forgotten_peer_starts_anew(void **state)
{
    struct lease l;
    (void)state;
    lease_init(&l, LEASE);
    look(&l, 1000, 7);
    look(&l, 1500, -1);
    assert_int_equal(l.n, 0);
    look(&l, 2000, 7);
    assert_int_equal(l.peers[0].since_ms, 2000);
    lease_release(&l);
}

static void our_own_lease_lapses_first(void **state)
{
    struct lease l;
    (void)state;
    lease_init(&l, LEASE);
    assert_false(lease_holds(&l, 1)); /* not before the first beat */
    lease_beaten(&l, 1000);
    assert_true(lease_holds(&l, 1000 + LEASE * 7 / 10 - 1));
    assert_false(lease_holds(&l, 1000 + LEASE * 7 / 10));
    lease_beaten(&l, 900); /* an old answer moves nothing back */
    assert_true(lease_holds(&l, 1000 + LEASE * 7 / 10 - 1));
    lease_release(&l);
}

static void many_peers_are_kept_apart(void **state)
{
    struct lease l;
    struct err err = ERR_INIT;
    char id[32];
    (void)state;
    lease_init(&l, LEASE);
    for (int64_t t = 0; t <= LEASE; t += 2000) {
        lease_look_begin(&l, 1000 + t, 1000 + t);
        for (int i = 0; i < 100; i++) {
            snprintf(id, sizeof(id), "w%d", i);
            assert_int_equal(lease_look(&l, id, i % 2 ? t : 7, &err), ERR_OK);
        }
        lease_look_end(&l);
    }
    for (size_t i = 0; i < l.n; i++)
        assert_int_equal(lease_dead(&l, &l.peers[i]), l.peers[i].counter == 7);
    lease_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_still_counter_is_death_after_one_lease),
        cmocka_unit_test(a_beating_worker_never_dies),
        cmocka_unit_test(an_outage_of_the_ledger_moves_no_claim),
        cmocka_unit_test(a_slow_answer_counts_from_its_end),
        cmocka_unit_test(a_forgotten_peer_starts_anew),
        cmocka_unit_test(our_own_lease_lapses_first),
        cmocka_unit_test(many_peers_are_kept_apart),
    };
    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
