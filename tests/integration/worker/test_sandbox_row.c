/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: one row says whose a sandbox is, and it moves as the table says: what a crash leaves
 * behind has one owner, a session finds its own, what one tenant had no other one gets.
 * Proof: every statement, in every state, against a real server and the table. */
#include "tests/integration/worker/ledger_db.h"

#include "common/attrs.h"
#include "worker/sandbox/sandbox_life.h"
#include "common/banned.h"

/* --- the statements against the table ------------------------------------------ */

/* A row of the state, as it may come to be: run 1 has it at epoch 1, or session s of its
 * tenant, or the pool. */
static void begin(enum sandbox_life state)
{
    char sql[1024];
    bool idle = state == LIFE_READY || state == LIFE_PARKED || state == LIFE_PAUSED;

    empty(NULL);
    insert_one(RUN(1), "s");
    take("w1", "1");
    snprintf(
        sql, sizeof(sql),
        "INSERT INTO ledger.sandboxes (key, sandbox_id, state, template, maker, tenant, run_id,"
        " session_id, claude_session, until, since) VALUES ('k', %s, '%s', 'base', %s, %s,"
        " %s, 's', 'talk', %s, clock_timestamp() - interval '1 minute')",
        state == LIFE_CREATING ? "NULL" : "'sb1'", sandbox_life_name(state),
        state == LIFE_CREATING ? "'m'" : "NULL", state == LIFE_READY ? "NULL" : "'t'",
        idle || state == LIFE_DEAD ? "NULL" : "'" RUN(1) "'",
        idle ? "clock_timestamp() + interval '1 hour'" : "NULL");
    run_sql(db.conn, sql);
}

static void do_warmed(void)
{
    ROWS(sandbox_sql_warmed, "k", "m", "sb1", "60000", NULL, NULL, NULL);
}
static void do_taken(void)
{
    struct sandbox_place p = placed(RUN(1), "1", "base", "other");
    if (strcmp(p.key, "k") == 0)
        own(RUN(1), "1", "k", "sb1");
}
static void do_kept(void)
{
    close_run(RUN(1), "1", "talk", "parked");
}
static void do_frozen(void)
{
    close_run(RUN(1), "1", "talk", "paused");
}
static void do_released(void)
{
    close_run(RUN(1), "1", NULL, "parked");
}
static void do_evicted(void)
{
    rows_of(ask_v(sandbox_sql_evict, 0, NULL));
}
static void do_expired(void)
{
    run_sql(db.conn,
            "UPDATE ledger.sandboxes SET until = clock_timestamp() WHERE until IS NOT NULL");
    ROWS(sandbox_sql_expire, "9");
}
static void do_missed(void)
{
    ROWS(sandbox_sql_missed, "k", "sb1");
}
static void do_freed(void)
{
    ROWS(sandbox_sql_freed, "k");
}

static void (*const acts[SANDBOX_EVENTS])(void) = {
    [LIFE_EV_WARMED] = do_warmed,     [LIFE_EV_TAKEN] = do_taken,
    [LIFE_EV_KEPT] = do_kept,         [LIFE_EV_FROZEN] = do_frozen,
    [LIFE_EV_RELEASED] = do_released, [LIFE_EV_EVICTED] = do_evicted,
    [LIFE_EV_EXPIRED] = do_expired,   [LIFE_EV_MISSED] = do_missed,
    [LIFE_EV_FREED] = do_freed,
};

static void the_statements_move_as_the_table_says(void **state)
{
    (void)state;
    for (int s = LIFE_CREATING; s < LIFE_GONE; s++)
        for (int e = 0; e < SANDBOX_EVENTS; e++) {
            enum sandbox_life from = (enum sandbox_life)s;
            enum sandbox_life to = sandbox_life_next(from, (enum sandbox_event)e);
            const char *want =
                to == LIFE_GONE ? "-" : sandbox_life_name(to == LIFE_NONE ? from : to);
            begin(from);
            acts[e]();
            if (strcmp(state_of("k"), want) != 0)
                fail_msg("%s on %s: '%s', not '%s'", sandbox_life_name(from),
                         sandbox_event_name((enum sandbox_event)e), state_of("k"), want);
        }
}

/* --- placing ----------------------------------------------------------------- */

static struct sandbox_place place_of(const char *run, const char *epoch)
{
    return placed(run, epoch, "base", run);
}

static void warm(const char *key, const char *sandbox, const char *template)
{
    char sql[512];
    snprintf(sql, sizeof(sql),
             "INSERT INTO ledger.sandboxes (key, sandbox_id, state, template, until)"
             " VALUES ('%s', '%s', 'ready', '%s', clock_timestamp() + interval '1 hour')",
             key, sandbox, template);
    run_sql(db.conn, sql);
}

static void a_row_is_there_before_its_sandbox_is_asked_for(void **state)
{
    struct sandbox_place p;
    (void)state;
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    p = place_of(RUN(1), "1");
    assert_string_equal(p.key, RUN(1));
    assert_string_equal(p.sandbox_id, "");
    assert_false(p.busy);
    /* asked again, as after a lost answer, or by the next owner: the same key */
    assert_string_equal(place_of(RUN(1), "1").key, RUN(1));
    assert_string_equal(value("SELECT count(*) FROM ledger.sandboxes"), "1");
    assert_int_equal(own(RUN(1), "1", RUN(1), "sb1"), 1);
    p = place_of(RUN(1), "1");
    assert_true(p.busy);
    assert_string_equal(p.sandbox_id, "sb1");
    assert_true(p.usd_per_hour > 0.09 && p.usd_per_hour < 0.11);
}

static void an_old_owner_places_and_owns_nothing(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    beat("w1");
    place_of(RUN(1), "1");
    ROWS(ledger_sql_take_over, "w2", "w1", "0", "9");
    assert_string_equal(place_of(RUN(1), "1").key, "");
    assert_int_equal(own(RUN(1), "1", RUN(1), "sb1"), 0);
    assert_int_equal(ROWS(sandbox_sql_give_up, RUN(1), "1", RUN(1)), 0);
    assert_string_equal(place_of(RUN(1), "2").key, RUN(1));
}

static void a_warm_one_of_the_template_is_used_once(void **state)
{
    struct sandbox_place p;
    (void)state;
    warm("warm-a", "sb1", "base");
    warm("warm-b", "sb2", "claude");
    insert_one(RUN(1), "NULL");
    insert_one(RUN(2), "NULL");
    take("w1", "2");
    p = place_of(RUN(1), "1");
    assert_string_equal(p.sandbox_id, "sb1");
    assert_true(p.warm && p.busy);
    assert_string_equal(p.claude_session, "");
    assert_string_equal(place_of(RUN(2), "1").key, RUN(2)); /* there is no other one */
    close_run(RUN(1), "1", NULL, "parked");
    assert_string_equal(state_of("warm-a"), "dead");
}

static void a_session_goes_on_where_it_was_and_nobody_else_does(void **state)
{
    struct sandbox_place p;
    (void)state;
    insert_one(RUN(1), "s");
    take("w1", "1");
    place_of(RUN(1), "1");
    own(RUN(1), "1", RUN(1), "sb1");
    close_run(RUN(1), "1", "talk", "paused");
    assert_string_equal(state_of(RUN(1)), "paused");
    insert_one(RUN(2), "NULL");
    insert_one(RUN(3), "s");
    take("w2", "2");
    assert_string_equal(place_of(RUN(2), "1").key, RUN(2));
    p = place_of(RUN(3), "1");
    assert_string_equal(p.sandbox_id, "sb1");
    assert_string_equal(p.claude_session, "talk");
    /* another tenant's session of the same name is another one */
    run_sql(db.conn,
            "UPDATE ledger.sandboxes SET state = 'parked', until = 'infinity', tenant = 'u'"
            " WHERE sandbox_id = 'sb1'");
    run_sql(db.conn, "UPDATE ledger.sandboxes SET run_id = NULL WHERE sandbox_id = 'sb1'");
    assert_string_equal(place_of(RUN(3), "1").key, RUN(3));
}

static void parking_again_lets_the_older_one_go(void **state)
{
    (void)state;
    insert_one(RUN(1), "s");
    take("w1", "1");
    place_of(RUN(1), "1");
    own(RUN(1), "1", RUN(1), "sb1");
    run_sql(db.conn,
            "INSERT INTO ledger.sandboxes (key, sandbox_id, state, template, tenant,"
            " session_id, until) VALUES ('old', 'sb0', 'parked', 'base', 't', 's', now())");
    requeue_run(RUN(1), "1", "talk");
    assert_string_equal(state_of(RUN(1)), "parked");
    assert_string_equal(state_of("old"), "dead");
}

/* --- figures ----------------------------------------------------------------- */

static void what_is_paused_costs_nothing(void **state)
{
    (void)state;
    begin(LIFE_BUSY);
    run_sql(db.conn, "UPDATE ledger.sandboxes SET usd_per_hour = 3.6, running_ms = 0,"
                     " since = clock_timestamp() - interval '100 s'");
    close_run(RUN(1), "1", "talk", "paused");
    assert_string_equal(value("SELECT round(cost_usd::numeric, 1) FROM ledger.sandboxes"), "0.1");
    run_sql(db.conn,
            "UPDATE ledger.sandboxes SET since = since - interval '1 hour', until = now()");
    ROWS(sandbox_sql_expire, "9");
    assert_string_equal(value("SELECT round(cost_usd::numeric, 1) FROM ledger.sandboxes"), "0.1");
}

/* --- eviction ---------------------------------------------------------------- */

/* Somebody is just taking the oldest one: it is passed over, and stays theirs. */
static void eviction_passes_over_what_is_being_taken(void **state)
{
    PGconn *other = connect_to(db.conninfo);
    PGresult *res;

    (void)state;
    begin(LIFE_PARKED);
    warm("warm-a", "sb2", "base");
    run_sql(other, "BEGIN");
    res = PQexecParams(other, sandbox_sql_place, 4, NULL,
                       (const char *const[]){RUN(1), "1", "base", "x"}, NULL, NULL, 0);
    assert_string_equal(PQgetvalue(res, 0, 1), "sb1");
    PQclear(res);
    res = ask_v(sandbox_sql_evict, 0, NULL);
    assert_string_equal(sandbox_figures_read(res, 0).sandbox_id, "sb2");
    PQclear(res);
    assert_int_equal(rows_of(ask_v(sandbox_sql_evict, 0, NULL)), 0);
    run_sql(other, "COMMIT");
    PQfinish(other);
    assert_string_equal(state_of("k"), "busy");
}

static void the_one_that_waited_longest_goes_first(void **state)
{
    PGresult *res;
    (void)state;
    begin(LIFE_PARKED); /* a minute ago */
    warm("warm-a", "sb2", "base");
    res = ask_v(sandbox_sql_evict, 0, NULL);
    struct sandbox_figures f = sandbox_figures_read(res, 0);
    assert_string_equal(f.sandbox_id, "sb1");
    assert_string_equal(f.state, "parked");
    assert_in_range(f.running_ms, 60000, 120000);
    PQclear(res);
}

/* --- filling the pool -------------------------------------------------------- */

static int refill(const char *maker, const char *counts)
{
    return ROWS(sandbox_sql_refill, maker, "{base,claude}", counts, "4", "60000");
}

static void the_pool_is_filled_to_its_size_and_not_above(void **state)
{
    (void)state;
    run_sql(db.conn, "UPDATE ledger.installation SET evicted_at = NULL");
    assert_int_equal(refill("m1", "{2,1}"), 3);
    assert_int_equal(refill("m1", "{2,1}"), 0);
    assert_int_equal(refill("m2", "{2,1}"), 3); /* the next leader goes on with the same rows */
    assert_string_equal(value("SELECT count(*) FROM ledger.sandboxes"), "3");
    run_sql(db.conn, "UPDATE ledger.sandboxes SET state = 'ready', sandbox_id = key, until = now()"
                     " + interval '1 hour', maker = NULL");
    assert_int_equal(refill("m2", "{2,1}"), 0);
    run_sql(db.conn, "UPDATE ledger.sandboxes SET until = now() WHERE template = 'claude'");
    assert_int_equal(refill("m2", "{2,1}"), 1);
}

static void the_pool_yields_to_runs_that_want_room(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    run_sql(db.conn, "UPDATE ledger.claims SET hold_reason = 'sandbox_capacity'");
    assert_int_equal(refill("m1", "{1,0}"), 0);
    run_sql(db.conn, "UPDATE ledger.claims SET hold_reason = NULL");
    run_sql(db.conn, "UPDATE ledger.installation SET evicted_at = clock_timestamp()");
    assert_int_equal(refill("m1", "{1,0}"), 0);
    run_sql(db.conn, "UPDATE ledger.installation SET evicted_at = NULL");
    assert_int_equal(refill("m1", "{1,0}"), 1);
}

/* --- comparing --------------------------------------------------------------- */

/* "kind name,…" in order. */
static const char *compare(const char *ids, const char *keys)
{
    static char out[512];
    PGresult *res = ASK(sandbox_sql_compare, ids, keys);

    out[0] = '\0';
    for (int row = 0; row < PQntuples(res); row++) {
        const char *id = pg_text(res, row, 1);
        size_t n = strlen(out);
        snprintf(out + n, sizeof(out) - n, "%s%s %s", n ? "," : "", pg_text(res, row, 0),
                 id ? id : pg_text(res, row, 2));
    }
    PQclear(res);
    return out;
}

static void what_a_row_owns_is_no_orphan(void **state)
{
    (void)state;
    begin(LIFE_BUSY);
    assert_string_equal(compare("{sb1}", "{k}"), "");
    assert_string_equal(compare("{sb1,sb2}", "{k,NULL}"), "orphan sb2");
    /* asked for twice where a key means nothing: only one of the two is in the row */
    assert_string_equal(compare("{sb1,sb2}", "{k,k}"), "orphan sb2");
    assert_string_equal(compare("{}", "{}"), "missing sb1");
    begin(LIFE_CREATING);
    assert_string_equal(compare("{sb9}", "{k}"), ""); /* its id is not known yet */
    close_run(RUN(1), "1", NULL, "parked");
    assert_string_equal(compare("{sb9}", "{k}"), "orphan sb9"); /* nobody will ask for it now */
    assert_string_equal(compare("{}", "{}"), "empty k");
    begin(LIFE_DEAD);
    assert_string_equal(compare("{sb1}", "{k}"), ""); /* killed as a dead one */
}

#define TEST(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_statements_move_as_the_table_says),
        TEST(a_row_is_there_before_its_sandbox_is_asked_for),
        TEST(an_old_owner_places_and_owns_nothing),
        TEST(a_warm_one_of_the_template_is_used_once),
        TEST(a_session_goes_on_where_it_was_and_nobody_else_does),
        TEST(parking_again_lets_the_older_one_go),
        TEST(what_is_paused_costs_nothing),
        TEST(eviction_passes_over_what_is_being_taken),
        TEST(the_one_that_waited_longest_goes_first),
        TEST(the_pool_is_filled_to_its_size_and_not_above),
        TEST(the_pool_yields_to_runs_that_want_room),
        TEST(what_a_row_owns_is_no_orphan),
    };
    return cmocka_run_group_tests_name("sandbox rows", tests, open_database, close_database);
}
