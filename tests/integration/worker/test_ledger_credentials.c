/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a run gets the credential it names, or the free member of a pool that fewest runs
 * have; one that is held, or another tenant's, is passed over, and a name that nobody has is told
 * apart. Proof: the statements against a real server. */
#include "tests/integration/worker/ledger_db.h"

#include "common/banned.h"

static int setup(void **state)
{
    empty(state);
    return have_credentials("{solo,a,b}", "{NULL,p,p}") == 3 ? 0 : -1;
}

static int hold(const char *name, const char *ms)
{
    return ROWS(ledger_sql_hold_credential, name, ms, "usage_limit", "1");
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
    ROWS(ledger_sql_hold_credential, "a", "1000", "auth", "1");
    assert_string_equal(value("SELECT hold_until > now() + interval '50 min' AND hold_reason = "
                              "'usage_limit' FROM ledger.credentials WHERE name = 'a'"),
                        "t");
    ROWS(ledger_sql_hold_credential, "a", "7200000", "auth", "1");
    assert_string_equal(value("SELECT hold_until > now() + interval '100 min' AND hold_reason = "
                              "'auth' FROM ledger.credentials WHERE name = 'a'"),
                        "t");
}

static void the_next_secret_is_not_held_for_the_last(void **state)
{
    (void)state;
    run_sql(db.conn, "UPDATE ledger.credentials SET generation = 2 WHERE name = 'a'");
    assert_int_equal(hold("a", "3600000"), 0);
    assert_int_equal(ROWS(ledger_sql_hold_credential, "a", "3600000", "auth", "2"), 1);
}

static void the_service_s_limits_are_kept(void **state)
{
    (void)state;
    run_sql(db.conn, "UPDATE ledger.credentials SET windows = '{\"x\": {\"status\": \"old\"}}'");
    assert_int_equal(ROWS(ledger_sql_learn_windows, "a", "{\"y\":{\"status\":\"new\"}}", "1"), 0);
    assert_string_equal(
        value("SELECT string_agg(key || ' ' || (value->>'status'), ',' ORDER BY key) FROM"
              " ledger.credentials, jsonb_each(windows) WHERE name = 'a'"),
        "x old,y new");
    ROWS(ledger_sql_learn_windows, "a", "{\"y\":{\"status\":\"late\"}}",
         "7"); /* an earlier secret's */
    assert_string_equal(
        value("SELECT windows->'y'->>'status' FROM ledger.credentials WHERE name = 'a'"), "new");
}

/* What a run that is taken over has is what it began with. */
static void who_takes_over_gets_the_secret_that_the_run_has(void **state)
{
    struct claim c;
    struct err err = ERR_INIT;

    (void)state;
    assert_string_equal(used(RUN(1), "solo"), "solo");
    beat("w1");
    run_sql(db.conn,
            "INSERT INTO ledger.retired_secrets (name, generation, tenant, kind, base_url)"
            " SELECT name, generation, tenant, kind, 'https://before' FROM ledger.credentials"
            " WHERE name = 'solo'");
    run_sql(db.conn, "DELETE FROM ledger.credentials WHERE name = 'solo'");
    run_sql(db.conn, ledger_sql_tidy); /* not before a minute is over */
    run_sql(db.conn, "UPDATE ledger.retired_secrets SET retired_at = now() - interval '1 hour'");
    run_sql(db.conn, ledger_sql_tidy); /* nor while a run has it */
    PGresult *res = ASK(ledger_sql_take_over, "w2", "w1", "0", "9");
    assert_int_equal(PQntuples(res), 1);
    assert_int_equal(ledger_claim_read(res, 0, &c, &err), ERR_OK);
    PQclear(res);
    assert_non_null(c.credential);
    assert_string_equal(c.credential->base_url, "https://before");
    claim_release(&c);
    close_run(RUN(1), "2", NULL, "parked");
    run_sql(db.conn, ledger_sql_tidy);
    assert_string_equal(value("SELECT count(*) FROM ledger.retired_secrets"), "0");
}

static void a_disabled_one_is_passed_over(void **state)
{
    (void)state;
    run_sql(db.conn, "UPDATE ledger.credentials SET hold_until = 'infinity' WHERE name = 'a'");
    assert_string_equal(used(RUN(1), "p"), "b");
    assert_string_equal(used(RUN(2), "a"), "");
    assert_int_equal(hold("a", "1000"), 1); /* and stays so */
    assert_string_equal(value("SELECT hold_until FROM ledger.credentials WHERE name = 'a'"),
                        "infinity");
}

/* --- tenants: the runs here are of tenant t ------------------------------------ */

static void another_tenant_s_is_as_good_as_none(void **state)
{
    (void)state;
    run_sql(db.conn, "UPDATE ledger.credentials SET tenant = 'other' WHERE name IN ('solo', 'a')");
    assert_string_equal(used(RUN(1), "solo"), "-");
    assert_string_equal(used(RUN(2), "a"), "-");
    assert_string_equal(used(RUN(3), "p"), "b");
    assert_string_equal(used(RUN(4), "p"), "b");
}

static void one_s_own_and_everybody_s_are_one_pool(void **state)
{
    (void)state;
    run_sql(db.conn, "UPDATE ledger.credentials SET tenant = 't' WHERE name = 'a'");
    assert_string_equal(used(RUN(1), "p"), "a");
    assert_string_equal(used(RUN(2), "p"), "b");
    assert_string_equal(used(RUN(3), "a"), "a");
}

/* Three tenants, one of which has a member of its own: all start, with what is theirs, and those
 * who have the same to choose from share it as if they were one. */
static void tenants_share_what_is_everybody_s(void **state)
{
    (void)state;
    have_credentials("{mine}", "{p}");
    run_sql(db.conn, "UPDATE ledger.credentials SET tenant = 'x' WHERE name = 'mine'");
    for (int i = 1; i <= 6; i++) {
        char id[] = RUN(0);
        id[sizeof(id) - 2] = (char)('0' + i);
        insert_wanting(id, "p");
    }
    run_sql(db.conn,
            "UPDATE ledger.claims SET tenant = (ARRAY['x', 'y', 'z'])[right(run_id::text, 1)"
            "::int % 3 + 1]");
    assert_int_equal(take("w1", "9"), 6);
    assert_string_equal(value("SELECT count(*) FROM ledger.claims WHERE credential_used = 'mine'"
                              " AND tenant <> 'x'"),
                        "0");
    assert_string_equal(
        value("SELECT string_agg(n || credential_used, ',' ORDER BY credential_used)"
              " FROM (SELECT credential_used, count(*) AS n FROM ledger.claims"
              " WHERE tenant <> 'x' GROUP BY 1) c"),
        "2a,2b");
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_gets_the_one_it_names),
        TEST(the_members_of_a_pool_share),
        TEST(one_that_is_held_is_passed_over),
        TEST(the_longer_of_two_holds_stays),
        TEST(the_next_secret_is_not_held_for_the_last),
        TEST(the_service_s_limits_are_kept),
        TEST(who_takes_over_gets_the_secret_that_the_run_has),
        TEST(a_disabled_one_is_passed_over),
        TEST(another_tenant_s_is_as_good_as_none),
        TEST(one_s_own_and_everybody_s_are_one_pool),
        TEST(tenants_share_what_is_everybody_s),
    };
    return cmocka_run_group_tests_name("ledger_credentials", tests, open_database, close_database);
}
