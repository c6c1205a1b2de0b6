/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: no limit is ever passed, however many workers take at once; who may start is shared
 * out by weight, and nobody who could start waits for one who cannot; a change of a limit holds
 * from the next taking on. Proof: takers at once on a real server, and counting. */
#include "tests/integration/worker/ledger_db.h"

#include "schema/limits.h"
#include "common/banned.h"

enum { TAKERS = 4 };

/* --- short words -------------------------------------------------------------- */

/* So many runs that wait, the oldest first; their ids begin with `digit`. */
static void wait_for_a_slot(char digit, int n, const char *tenant, const char *lane,
                            const char *credential, const char *key)
{
    char count[16], first[2] = {digit, '\0'};

    snprintf(count, sizeof(count), "%d", n);
    PQclear(ASK("INSERT INTO ledger.claims (run_id, tenant, lane, credential, priority, body_hash,"
                " request, state, fairness_key, hold_until, created_at)"
                " SELECT ($1 || lpad(to_hex(g), 7, '0') || '-0000-7000-8000-000000000000')::uuid,"
                " $2, $3, $4, 5, 'h', 'r', 'waiting', $5,"
                " now() - interval '1 hour' + g * interval '1 ms',"
                " now() FROM generate_series(1, $6::int) g",
                first, tenant, lane, credential, key, count));
}

static void waiting(char digit, int n, const char *tenant)
{
    wait_for_a_slot(digit, n, tenant, "batch", "t", tenant);
}

static void limit(const char *who, const char *setting, const char *to)
{
    struct limit_change c;
    struct err err = ERR_INIT;

    if (limits_parse(who, setting, to, &c, &err) != ERR_OK ||
        limits_set(db.conninfo, &c, &err) != ERR_OK)
        fail_msg("%s", err.msg);
}

static int running(const char *where)
{
    char sql[256];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM ledger.claims WHERE state = 'running' AND %s",
             where);
    return (int)strtol(value(sql), NULL, 10);
}

static void end(const char *where)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "UPDATE ledger.claims SET state = 'ended' WHERE state = 'running'"
             " AND %s",
             where);
    run_sql(db.conn, sql);
}

/* All of them ask for `each` of the batch lane at the same time: how many they got. */
static int take_at_once(const char *each)
{
    PGconn *takers[TAKERS];
    int n = 0;

    for (int i = 0; i < TAKERS; i++)
        takers[i] = taker();
    for (int i = 0; i < TAKERS; i++)
        send_take(takers[i], "w", "0", each, "{}");
    for (int i = 0; i < TAKERS; i++) {
        n += taken_by(takers[i]);
        PQfinish(takers[i]);
    }
    return n;
}

/* --- limits under takers at once ---------------------------------------------- */

static void the_fleet_has_so_many_at_once(void **state)
{
    (void)state;
    waiting('1', 60, "x");
    limit("fleet", "concurrency", "7");
    assert_int_equal(take_at_once("5"), 7);
    assert_int_equal(take_at_once("5"), 0);
    end("run_id IN (SELECT run_id FROM ledger.claims WHERE state = 'running' LIMIT 3)");
    assert_int_equal(take_at_once("5"), 3);
    limit("fleet", "concurrency", "9"); /* while they run */
    assert_int_equal(take_at_once("5"), 2);
    limit("fleet", "concurrency", "4"); /* those that run stay */
    assert_int_equal(take_at_once("5"), 0);
    assert_int_equal(running("true"), 9);
    limit("fleet", "concurrency", "none");
    assert_int_equal(take_at_once("5"), 20);
}

static void so_many_start_in_any_minute(void **state)
{
    (void)state;
    waiting('1', 60, "x");
    limit("fleet", "starts_per_minute", "6");
    assert_int_equal(take_at_once("5"), 6);
    end("true"); /* ended runs count */
    assert_int_equal(take_at_once("5"), 0);
    run_sql(db.conn, "UPDATE ledger.starts SET at = at - interval '20 seconds'");
    assert_int_equal(take_at_once("5"), 0);
    run_sql(db.conn, "UPDATE ledger.starts SET at = at - interval '41 seconds'");
    assert_int_equal(take_at_once("5"), 6);
    assert_string_equal(value("SELECT sum(n) FROM ledger.starts"), "6"); /* the old are forgotten */
}

static void a_tenant_has_so_many_at_once(void **state)
{
    (void)state;
    waiting('1', 30, "small");
    waiting('2', 30, "big");
    waiting('3', 30, "free");
    limit("tenant:*", "concurrency", "2");
    limit("tenant:big", "concurrency", "5");
    limit("tenant:free", "concurrency", "none");
    assert_int_equal(take_at_once("9"), 36);
    assert_int_equal(running("tenant = 'small'"), 2);
    assert_int_equal(running("tenant = 'big'"), 5);
    assert_int_equal(running("tenant = 'free'"), 29);
    limit("tenant:big", "concurrency", "default"); /* that of all others */
    end("tenant = 'big'");
    assert_int_equal(take_at_once("1"), 3);
    assert_int_equal(running("tenant = 'big'"), 2);
}

static void a_tenant_s_limit_is_over_its_keys_and_lanes(void **state)
{
    (void)state;
    wait_for_a_slot('1', 9, "x", "batch", "t", "one");
    wait_for_a_slot('2', 9, "x", "batch", "t", "two");
    wait_for_a_slot('3', 9, "x", "interactive", "t", "one");
    limit("tenant:x", "concurrency", "4");
    assert_int_equal(rows_of(take_rows("w", "9", "9", "{t}")), 4);
}

static void a_credential_has_so_many_at_once(void **state)
{
    (void)state;
    have_credentials("{solo,a,b}", "{NULL,p,p}");
    wait_for_a_slot('1', 30, "x", "batch", "solo", "x");
    wait_for_a_slot('2', 30, "y", "batch", "p", "y");
    limit("credential:*", "concurrency", "3");
    limit("credential:b", "concurrency", "1");
    assert_int_equal(take_at_once("9"), 7);
    assert_int_equal(running("credential_used = 'solo'"), 3);
    assert_int_equal(running("credential_used = 'a'"), 3);
    assert_int_equal(running("credential_used = 'b'"), 1);
}

/* A pool's member that is named by itself, too, has its limit over both. */
static void a_member_s_limit_is_over_its_name_and_its_pool(void **state)
{
    (void)state;
    have_credentials("{a,b}", "{p,p}");
    wait_for_a_slot('1', 30, "x", "batch", "a", "x");
    wait_for_a_slot('2', 30, "y", "batch", "p", "y");
    limit("credential:*", "concurrency", "4");
    for (int i = 0; i < 4; i++)
        take_at_once("9");
    assert_int_equal(running("credential_used = 'a'"), 4);
    assert_int_equal(running("credential_used = 'b'"), 4);
    assert_true(running("credential_used = 'a' AND tenant = 'y'") > 0);
    assert_true(running("credential_used = 'a' AND tenant = 'x'") > 0);
}

/* --- who waits holds nobody else up ---------------------------------------------- */

static void who_cannot_start_is_passed_over(void **state)
{
    (void)state;
    have_credentials("{solo,a}", "{NULL,NULL}");
    wait_for_a_slot('1', 90, "x", "batch", "a", "x");
    wait_for_a_slot('2', 1, "x", "batch", "solo", "x");
    wait_for_a_slot('3', 90, "full", "batch", "solo", "full");
    wait_for_a_slot('4', 1, "y", "batch", "solo", "y");
    limit("tenant:full", "concurrency", "0");
    ROWS(ledger_sql_hold_credential, "a", "3600000", "usage_limit", "1");
    assert_int_equal(take("w", "2"), 2);
    assert_int_equal(running("credential = 'solo' AND tenant IN ('x', 'y')"), 2);
    assert_int_equal(take("w", "50"), 0);
}

static void a_worker_takes_only_what_it_can_open(void **state)
{
    (void)state;
    have_credentials("{solo,a,b}", "{NULL,p,p}");
    wait_for_a_slot('1', 1, "x", "batch", "solo", "x");
    wait_for_a_slot('2', 1, "x", "batch", "p", "x");
    run_sql(db.conn, "UPDATE ledger.credentials SET kind = 'oauth', key_id = 'key of ' || name,"
                     " wrapped = '', sealed = ''");
    assert_int_equal(rows_of(take_rows("w", "0", "9", "{}")), 0);
    assert_int_equal(rows_of(take_rows("w", "0", "9", "{x,key of b}")), 1);
    assert_int_equal(running("credential_used = 'b'"), 1);
    assert_int_equal(rows_of(take_rows("w", "0", "9", "{key of solo}")), 1);
}

static void one_that_expired_is_not_taken(void **state)
{
    (void)state;
    waiting('1', 2, "x");
    run_sql(db.conn, "UPDATE ledger.claims SET expires_at = now() - interval '1 ms'"
                     " WHERE run_id::text LIKE '%1-0000-7%'");
    assert_int_equal(take("w", "9"), 1);
}

/* --- shares ------------------------------------------------------------------------ */

static int started(const char *where)
{
    char sql[256];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM ledger.claims WHERE attempt > 0 AND %s",
             where);
    return (int)strtol(value(sql), NULL, 10);
}

/* One at a time, each run over before the next starts: what counts is what starts. */
static void take_one_by_one(int times)
{
    for (int i = 0; i < times; i++) {
        assert_int_equal(rows_of(take_rows("w", "1", "1", "{t}")), 1);
        end("true");
    }
}

static void what_starts_is_shared_by_weight(void **state)
{
    (void)state;
    waiting('1', 80, "one");
    waiting('2', 80, "three");
    waiting('3', 80, "one more");
    limit("key:three", "weight", "3");
    limit("fleet", "concurrency", "1");
    take_one_by_one(50);
    assert_int_equal(started("fairness_key = 'one'"), 10);
    assert_int_equal(started("fairness_key = 'three'"), 30);
    assert_int_equal(started("fairness_key = 'one more'"), 10);
}

static void many_at_once_are_shared_alike(void **state)
{
    (void)state;
    waiting('1', 80, "one");
    waiting('2', 80, "three");
    limit("key:three", "weight", "3");
    assert_int_equal(take_at_once("10"), 40);
    assert_int_equal(started("fairness_key = 'three'"), 30);
    limit("key:three", "weight", "default"); /* while they run */
    assert_int_equal(take_at_once("10"), 40);
    assert_int_equal(started("fairness_key = 'three'"), 50);
}

static void who_was_idle_has_saved_nothing_up(void **state)
{
    (void)state;
    waiting('1', 90, "old");
    limit("fleet", "concurrency", "1");
    take_one_by_one(40);
    waiting('2', 90, "new");
    take_one_by_one(20);
    assert_in_range(started("fairness_key = 'new'"), 9, 11);
}

static void ten_small_ones_do_not_wait_for_a_big_one(void **state)
{
    (void)state;
    waiting('1', 500, "big");
    for (char c = 'a'; c < 'e'; c++)
        waiting(c, 1, (char[]){'s', c, '\0'});
    assert_int_equal(take("w", "5"), 5);
    assert_int_equal(started("fairness_key <> 'big'"), 4);
}

static void inside_a_key_the_urgent_go_first(void **state)
{
    (void)state;
    waiting('1', 20, "x");
    run_sql(db.conn, "UPDATE ledger.claims SET priority = 9 WHERE run_id::text LIKE '1000000a%'");
    assert_int_equal(take("w", "1"), 1);
    assert_int_equal(started("priority = 9"), 1);
}

/* A place of the fleet's that gets free goes four times in five to the interactive lane. */
static void the_lanes_share_what_the_fleet_has(void **state)
{
    (void)state;
    wait_for_a_slot('1', 90, "x", "batch", "t", "x");
    wait_for_a_slot('2', 90, "x", "interactive", "t", "x");
    limit("fleet", "concurrency", "1");
    take_one_by_one(50);
    assert_int_equal(started("lane = 'interactive'"), 40);
    assert_int_equal(started("lane = 'batch'"), 10);
}

/* --- a long queue -------------------------------------------------------------------- */

/* Where the plan of a statement that is kept reads the whole table; else "". */
static const char *reads_all(const char *types, const char *sql, const char *values)
{
    static char found[256];
    AUTO_BUF prepare = BUF_INIT(65536);

    buf_addf(&prepare, "PREPARE kept (%s) AS %s", types, sql);
    run_sql(db.conn, prepare.p);
    buf_clear(&prepare);
    buf_addf(&prepare, "EXPLAIN EXECUTE kept (%s)", values);
    PGresult *res = PQexec(db.conn, prepare.p);
    found[0] = '\0';
    for (int row = 0; row < PQntuples(res); row++)
        if (strstr(PQgetvalue(res, row, 0), "Seq Scan on claims"))
            snprintf(found, sizeof(found), "%s", PQgetvalue(res, row, 0));
    assert_true(PQntuples(res) > 0);
    PQclear(res);
    run_sql(db.conn, "DEALLOCATE kept");
    return found;
}

static void no_plan_reads_the_whole_queue(void **state)
{
    (void)state;
    have_credentials("{t}", "{NULL}");
    waiting('1', 20000, "x"); /* all alike: what is worst for the planner's guesses */
    run_sql(db.conn, "ANALYZE ledger.claims");
    run_sql(db.conn, "SET plan_cache_mode = force_generic_plan");
    assert_string_equal(
        reads_all("text, bigint, bigint, text[]", ledger_sql_take, "'w', 10, 40, '{t}'"), "");
    assert_string_equal(reads_all("bigint, bigint, bigint", ledger_sql_tell, "100, 0, 0"), "");
    run_sql(db.conn, "RESET plan_cache_mode");
}

#define TEST(f) cmocka_unit_test_setup(f, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_fleet_has_so_many_at_once),
        TEST(so_many_start_in_any_minute),
        TEST(a_tenant_has_so_many_at_once),
        TEST(a_tenant_s_limit_is_over_its_keys_and_lanes),
        TEST(a_credential_has_so_many_at_once),
        TEST(a_member_s_limit_is_over_its_name_and_its_pool),
        TEST(who_cannot_start_is_passed_over),
        TEST(a_worker_takes_only_what_it_can_open),
        TEST(one_that_expired_is_not_taken),
        TEST(what_starts_is_shared_by_weight),
        TEST(many_at_once_are_shared_alike),
        TEST(who_was_idle_has_saved_nothing_up),
        TEST(ten_small_ones_do_not_wait_for_a_big_one),
        TEST(inside_a_key_the_urgent_go_first),
        TEST(the_lanes_share_what_the_fleet_has),
        TEST(no_plan_reads_the_whole_queue),
    };
    return cmocka_run_group_tests_name("ledger_limits", tests, open_database, close_database);
}
