/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: each run that waits is told why, once for each reason, and what concerns it alone goes
 * before what concerns all; telling takes nothing from anybody; one whose time is over ends
 * without a slot. Proof: the statements against a real server. */
#include "tests/integration/worker/ledger_db.h"

#include "common/banned.h"

static int setup(void **state)
{
    empty(state);
    return have_credentials("{t,solo,a,b}", "{NULL,NULL,p,p}") == 4 ? 0 : -1;
}

static void limit(const char *scope, const char *setting, const char *value)
{
    PQclear(ASK("INSERT INTO ledger.limits VALUES ($1, '*', $2, $3::int)"
                " ON CONFLICT (scope, name, setting) DO UPDATE SET value = EXCLUDED.value",
                scope, setting, value));
}

/* What is told now, as "reason" or "reason until", of each run in turn; "" nothing. */
static const char *told(void)
{
    static char text[256];
    size_t n = 0;
    PGresult *res = ASK(ledger_sql_tell, "100", "0", "0");

    text[0] = '\0';
    for (int row = 0; row < PQntuples(res); row++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", n ? "," : "",
                              PQgetvalue(res, row, 4), PQgetisnull(res, row, 5) ? "" : " until");
        PQclear(ASK(ledger_sql_told, PQgetvalue(res, row, 0), PQgetvalue(res, row, 1),
                    PQgetvalue(res, row, 4)));
    }
    PQclear(res);
    return text;
}

static void hold(const char *name, const char *ms, const char *why)
{
    ROWS(ledger_sql_hold_credential, name, ms, why, "1");
}

/* --- reasons ------------------------------------------------------------------------ */

static void prepare_scheduled(void)
{
    insert_on_busy(RUN(1), "NULL", "enqueue", "4102444800000");
}

static void prepare_backoff(void)
{
    insert_one(RUN(1), "NULL");
    take("w", "1");
    requeue_run(RUN(1), "1", NULL);
    run_sql(db.conn, "UPDATE ledger.claims SET hold_until = now() + interval '1 hour',"
                     " told_reason = NULL");
}

static void prepare_session(void)
{
    insert_one(RUN(1), "s");
    take("w", "1");
    insert_one(RUN(2), "s");
}

static void prepare_tenant(void)
{
    insert_one(RUN(1), "NULL");
    limit("tenant", "concurrency", "0");
    limit("fleet", "concurrency", "0");
}

static void prepare_held(void)
{
    insert_wanting(RUN(1), "solo");
    hold("solo", "3600000", "auth");
    limit("tenant", "concurrency", "0");
}

static void prepare_pool_held(void)
{
    insert_wanting(RUN(1), "p");
    hold("a", "3600000", "usage_limit");
    hold("b", "7200000", "auth");
}

static void prepare_half_a_pool_held(void)
{
    insert_wanting(RUN(1), "p");
    hold("a", "3600000", "usage_limit");
}

static void prepare_disabled(void)
{
    insert_wanting(RUN(1), "solo");
    run_sql(db.conn,
            "UPDATE ledger.credentials SET hold_until = 'infinity', hold_reason = 'disabled'"
            " WHERE name = 'solo'");
}

static void prepare_locked(void)
{
    insert_wanting(RUN(1), "p");
    beat("w1");
    run_sql(db.conn,
            "UPDATE ledger.credentials SET kind = 'oauth', key_id = 'another', wrapped = '',"
            " sealed = ''");
}

static void prepare_half_a_pool_locked(void)
{
    prepare_locked();
    run_sql(db.conn, "UPDATE ledger.credentials SET key_id = 'k' WHERE name = 'b'");
}

static void prepare_another_tenants(void)
{
    insert_wanting(RUN(1), "p");
    hold("a", "3600000", "usage_limit");
    run_sql(db.conn, "UPDATE ledger.credentials SET tenant = 'other' WHERE name = 'b'");
}

static void prepare_credential(void)
{
    insert_wanting(RUN(1), "p");
    limit("credential", "concurrency", "0");
    limit("fleet", "concurrency", "0");
}

static void prepare_fleet(void)
{
    insert_one(RUN(1), "NULL");
    limit("fleet", "concurrency", "0");
    limit("fleet", "starts_per_minute", "0");
}

static void prepare_starts(void)
{
    insert_one(RUN(1), "NULL");
    limit("fleet", "starts_per_minute", "0");
}

static void prepare_nothing(void)
{
    insert_one(RUN(1), "NULL");
}

static void prepare_unknown(void)
{
    insert_wanting(RUN(1), "nosuch");
}

static struct row {
    const char *name;
    void (*prepare)(void);
    const char *told;
} rows[] = {
    {"scheduled", prepare_scheduled, "scheduled until"},
    {"backs off", prepare_backoff, "x until"},
    {"its session is busy", prepare_session, "session_busy"},
    {"its tenant is at its limit", prepare_tenant, "tenant_limit"},
    {"its credential is held", prepare_held, "auth until"},
    {"its pool is held, for the shorter time", prepare_pool_held, "usage_limit until"},
    {"half a pool is held", prepare_half_a_pool_held, "no_slot"},
    {"its credential is disabled", prepare_disabled, "disabled"},
    {"no worker has the master key", prepare_locked, "no_master_key"},
    {"a worker can open half of its pool", prepare_half_a_pool_locked, "no_slot"},
    {"what is free of its pool is another tenant's", prepare_another_tenants, "usage_limit until"},
    {"its credentials are at their limits", prepare_credential, "credential_limit"},
    {"the fleet is full", prepare_fleet, "fleet_full"},
    {"too many started", prepare_starts, "starts_per_minute"},
    {"no worker has a slot", prepare_nothing, "no_slot"},
    {"it is to end, with the next slot", prepare_unknown, "no_slot"},
};

static void check(void **state)
{
    const struct row *r = *state;

    setup(NULL);
    r->prepare();
    assert_string_equal(told(), r->told);
    assert_string_equal(told(), ""); /* no news */
    char sql[160];
    snprintf(sql, sizeof(sql),
             "SELECT string_agg(hold_reason, ',') = split_part('%s', ' ', 1)"
             " FROM ledger.claims WHERE state = 'waiting'",
             r->told);
    assert_string_equal(value(sql), "t");
}

/* --- how it is told ------------------------------------------------------------------- */

static void another_reason_is_news_another_want_of_room_is_not(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    assert_string_equal(told(), "no_slot");
    limit("fleet", "concurrency", "0");
    assert_string_equal(told(), "");
    limit("tenant", "concurrency", "0");
    assert_string_equal(told(), "tenant_limit");
    limit("tenant", "concurrency", "1");
    assert_string_equal(told(), "fleet_full");
}

/* Its event has an epoch that nobody else writes in; the next owner's is higher. */
static void telling_is_an_epoch_of_its_own(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    told();
    assert_string_equal(
        value("SELECT epoch || ' ' || tellings || ' ' || attempt FROM ledger.claims"), "1 1 0");
    take("w", "1");
    assert_string_equal(
        value("SELECT epoch || ' ' || tellings || ' ' || attempt FROM ledger.claims"), "2 1 1");
    assert_string_equal(told(), ""); /* it runs */
}

static void what_the_broker_did_not_get_is_told_again(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    assert_int_equal(ROWS(ledger_sql_tell, "100", "0", "0"), 1); /* the leader dies here */
    assert_string_equal(told(), "no_slot");
    assert_int_equal(ROWS(ledger_sql_told, RUN(1), "1", "no_slot"), 0); /* an old leader's word */
}

static void who_waits_but_a_moment_is_not_told(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    assert_int_equal(ROWS(ledger_sql_tell, "100", "3600000", "0"), 0);
    assert_string_equal(value("SELECT told_at IS NULL FROM ledger.claims"), "t");
}

static void a_few_at_a_time_and_each_in_its_turn(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    insert_one(RUN(2), "NULL");
    insert_one(RUN(3), "NULL");
    for (int i = 0; i < 3; i++)
        assert_int_equal(ROWS(ledger_sql_tell, "1", "0", "3600000"), 1);
    assert_int_equal(ROWS(ledger_sql_tell, "1", "0", "3600000"), 0);
}

/* --- the end of who waits in vain -------------------------------------------------------- */

static void one_whose_time_is_over_ends_without_a_slot(void **state)
{
    struct claim c;
    struct err err = ERR_INIT;

    (void)state;
    limit("fleet", "concurrency", "0");
    insert_one(RUN(1), "NULL");
    insert_one(RUN(2), "NULL");
    run_sql(db.conn, "UPDATE ledger.claims SET expires_at = now() + interval '1 hour'");
    assert_int_equal(ROWS(ledger_sql_end_waiting, "w1", "9"), 0);
    run_sql(db.conn, "UPDATE ledger.claims SET expires_at = now() WHERE run_id = '" RUN(2) "'");
    PGresult *res = ASK(ledger_sql_end_waiting, "w1", "9");
    assert_int_equal(PQntuples(res), 1);
    assert_int_equal(ledger_claim_read(res, 0, &c, &err), ERR_OK);
    PQclear(res);
    assert_string_equal(c.run_id, RUN(2));
    assert_non_null(strstr(c.terminal, "\"sandfleet.run.expired\""));
    claim_release(&c);
    assert_string_equal(value("SELECT state FROM ledger.claims WHERE run_id = '" RUN(2) "'"),
                        "ended");
    assert_int_equal(ROWS(ledger_sql_end_waiting, "w1", "9"), 0);
}

static void idle_keys_are_forgotten(void **state)
{
    (void)state;
    run_sql(db.conn, "INSERT INTO ledger.shares VALUES ('batch', '', 5), ('batch', 'old', 5),"
                     " ('batch', 'ahead', 6), ('interactive', 'old', 1), ('lane', 'batch', 0)");
    PQclear(PQexec(db.conn, ledger_sql_tidy));
    assert_string_equal(value("SELECT string_agg(of || ':' || name, ',' ORDER BY of, name)"
                              " FROM ledger.shares"),
                        "batch:,batch:ahead,interactive:old,lane:batch");
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest more[] = {
        TEST(another_reason_is_news_another_want_of_room_is_not),
        TEST(telling_is_an_epoch_of_its_own),
        TEST(what_the_broker_did_not_get_is_told_again),
        TEST(who_waits_but_a_moment_is_not_told),
        TEST(a_few_at_a_time_and_each_in_its_turn),
        TEST(one_whose_time_is_over_ends_without_a_slot),
        TEST(idle_keys_are_forgotten),
    };
    struct CMUnitTest tests[COUNTOF(rows) + COUNTOF(more)];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    memcpy(tests + COUNTOF(rows), more, sizeof(more));
    return cmocka_run_group_tests_name("ledger_tell", tests, open_database, close_database);
}
