/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a run gets the credential it names, or the free member of a pool that fewest runs
 * have; one that is held is passed over until its time, and a name that nobody has is told apart.
 * Proof: the statements against a real server. */
#include "tests/integration/worker/ledger_db.h"

#include "common/banned.h"

static int setup(void **state)
{
    empty(state);
    return ROWS(ledger_sql_have_credentials, "{solo,a,b}", "{NULL,p,p}", "{api_key,oauth,oauth}") ==
                   3
               ? 0
               : -1;
}

static int hold(const char *name, const char *ms)
{
    return ROWS(ledger_sql_hold_credential, name, ms, "usage_limit");
}

/* The credential that the run is taken with; "-": none was of that name; "": it was not taken. */
static const char *used(const char *run, const char *wants)
{
    char sql[256];

    insert_wanting(run, wants);
    take("w1", "9");
    snprintf(sql, sizeof(sql),
             "SELECT CASE state WHEN 'running' THEN coalesce(credential_used, '-') ELSE '' END"
             " FROM ledger.claims WHERE run_id = '%s'",
             run);
    return value(sql);
}

static void a_run_gets_the_one_it_names(void **state)
{
    (void)state;
    assert_string_equal(used(RUN(1), "solo"), "solo");
    assert_string_equal(used(RUN(2), "b"), "b");
    assert_string_equal(used(RUN(3), "nosuch"), "-");
}

static void the_members_of_a_pool_share(void **state)
{
    (void)state;
    assert_string_equal(used(RUN(1), "p"), "a");
    assert_string_equal(used(RUN(2), "p"), "b");
    close_run(RUN(1), "1", NULL, "parked");
    assert_string_equal(used(RUN(3), "p"), "a");
}

static void one_that_is_held_is_passed_over(void **state)
{
    (void)state;
    assert_int_equal(hold("a", "3600000"), 1);
    assert_int_equal(hold("nosuch", "3600000"), 0);
    assert_string_equal(used(RUN(1), "p"), "b");
    assert_string_equal(used(RUN(2), "p"), "b");
    run_sql(db.conn, "UPDATE ledger.credentials SET hold_until = now()");
    assert_string_equal(used(RUN(3), "p"), "a");
}

static void the_longer_of_two_holds_stays(void **state)
{
    (void)state;
    hold("a", "3600000");
    ROWS(ledger_sql_hold_credential, "a", "1000", "auth");
    assert_string_equal(value("SELECT hold_until > now() + interval '50 min' AND hold_reason = "
                              "'usage_limit' FROM ledger.credentials WHERE name = 'a'"),
                        "t");
    ROWS(ledger_sql_hold_credential, "a", "7200000", "auth");
    assert_string_equal(value("SELECT hold_until > now() + interval '100 min' AND hold_reason = "
                              "'auth' FROM ledger.credentials WHERE name = 'a'"),
                        "t");
}

static void a_worker_that_comes_back_lifts_no_hold(void **state)
{
    (void)state;
    hold("a", "3600000");
    ROWS(ledger_sql_have_credentials, "{a}", "{q}", "{oauth}");
    assert_string_equal(value("SELECT pool = 'q' AND hold_until > now() FROM ledger.credentials"
                              " WHERE name = 'a'"),
                        "t");
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_gets_the_one_it_names),
        TEST(the_members_of_a_pool_share),
        TEST(one_that_is_held_is_passed_over),
        TEST(the_longer_of_two_holds_stays),
        TEST(a_worker_that_comes_back_lifts_no_hold),
    };
    return cmocka_run_group_tests_name("ledger_credentials", tests, open_database, close_database);
}
