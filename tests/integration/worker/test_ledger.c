/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the ledger's statements keep the order of writes: a run is claimed once, started
 * by one owner at a time, taken over only from who stood still, and changed by nobody whose
 * epoch is old. Proof: each statement against a real server, in a database of its own. */
#include "tests/integration/worker/ledger_db.h"

#include "common/banned.h"

/* Hashes are one hex byte here. */
static int insert(const char *ids, const char *sessions, const char *hashes, const char *lanes,
                  const char *priorities, const char *not_before, const char *each)
{
    AUTO_BUF none = BUF_INIT(4096);

    buf_adds(&none, "{NULL");
    for (const char *p = each; (p = strchr(p, ',')) != NULL; p++)
        buf_adds(&none, ",NULL");
    buf_addc(&none, '}');
    return ROWS(ledger_sql_insert, ids, each, lanes, sessions, each, priorities, hashes, each,
                not_before, none.p, none.p, each, none.p);
}

static struct claim taken(PGresult *res)
{
    struct claim c;
    struct err err = ERR_INIT;

    assert_int_equal(PQntuples(res), 1);
    if (ledger_claim_read(res, 0, &c, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    PQclear(res);
    return c;
}

/* --- intake --------------------------------------------------------------------------------------
 */

static void a_run_is_claimed_once(void **state)
{
    (void)state;
    assert_int_equal(insert_one(RUN(1), "NULL"), 1);
    assert_int_equal(insert_one(RUN(1), "NULL"), 0);
    assert_int_equal(insert("{" RUN(2) "," RUN(2) "}", "{NULL,NULL}", "{aa,bb}", "{batch,batch}",
                            "{5,5}", "{NULL,NULL}", "{t,t}"),
                     1);
}

static void another_body_is_a_conflict(void **state)
{
    PGresult *res;
    (void)state;
    insert_one(RUN(1), "NULL");
    insert_one(RUN(2), "NULL");
    res = ASK(ledger_sql_conflicts, "{" RUN(1) "," RUN(2) "," RUN(3) "}", "{aa,bb,cc}");
    assert_int_equal(PQntuples(res), 1);
    assert_string_equal(PQgetvalue(res, 0, 0), "2");
    PQclear(res);
}

/* --- two intakes of one run at the same time ------------------------------------- */

static void send_insert(PGconn *c, const char *hash)
{
    const char *v[] = {"{" RUN(1) "}", "{t}",    "{batch}", "{NULL}", "{t}", "{5}",      hash,
                       "{t}",          "{NULL}", "{NULL}",  "{NULL}", "{t}", "{enqueue}"};

    if (!PQsendQueryParams(c, ledger_sql_insert, COUNTOF(v), NULL, v, NULL, NULL, 0))
        fail_msg("%s", PQerrorMessage(c));
}

static int inserted(PGconn *c)
{
    int n = 0;

    for (PGresult *res = PQgetResult(c); res; res = PQgetResult(c)) {
        if (PQresultStatus(res) != PGRES_TUPLES_OK)
            fail_msg("%s", PQresultErrorMessage(res));
        n += PQntuples(res);
        PQclear(res);
    }
    return n;
}

/* Until a statement of another connection waits for a lock. */
static void await_waiting(void)
{
    while (strcmp(value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND wait_event_type = 'Lock'"),
                  "1") != 0)
        ;
}

/* first: what becomes of the one that is there first; the second one's rows. */
static int insert_twice(const char *first, const char *hash)
{
    PGconn *a = connect_to(db.conninfo), *b = connect_to(db.conninfo);

    run_sql(a, "BEGIN");
    send_insert(a, "{aa}");
    assert_int_equal(inserted(a), 1);
    send_insert(b, hash);
    await_waiting(); /* nobody says yet whether it is there */
    run_sql(a, first);
    int n = inserted(b);
    PQfinish(a);
    PQfinish(b);
    return n;
}

static void two_intakes_claim_a_run_once(void **state)
{
    (void)state;
    assert_int_equal(insert_twice("COMMIT", "{aa}"), 0);
    assert_int_equal(ROWS(ledger_sql_conflicts, "{" RUN(1) "}", "{aa}"), 0);
    assert_string_equal(value("SELECT count(*) FROM ledger.claims"), "1");
    assert_int_equal(take("w1", "9") + take("w2", "9"), 1);
}

static void the_second_of_two_intakes_sees_another_body(void **state)
{
    (void)state;
    assert_int_equal(insert_twice("COMMIT", "{bb}"), 0);
    assert_int_equal(ROWS(ledger_sql_conflicts, "{" RUN(1) "}", "{bb}"), 1);
    assert_string_equal(value("SELECT encode(body_hash, 'hex') FROM ledger.claims"), "aa");
}

static void a_claim_that_was_not_to_be_is_the_next_one_s(void **state)
{
    (void)state;
    assert_int_equal(insert_twice("ROLLBACK", "{bb}"), 1);
    assert_string_equal(value("SELECT encode(body_hash, 'hex') FROM ledger.claims"), "bb");
}

static void scheduled_runs_wait(void **state)
{
    (void)state;
    insert("{" RUN(1) "," RUN(2) "}", "{NULL,NULL}", "{aa,bb}", "{batch,batch}", "{5,5}",
           "{4102444800000,1000}", "{t,t}");
    assert_string_equal(value("SELECT hold_reason FROM ledger.claims WHERE run_id = '" RUN(1) "'"),
                        "scheduled");
    assert_int_equal(take("w1", "9"), 1);
}

/* --- taking ------------------------------------------------------------------ */

static void taking_counts_before_the_work(void **state)
{
    struct claim c;
    (void)state;
    insert_one(RUN(1), "NULL");
    c = taken(take_rows("w1", "0", "5", "{}"));
    assert_int_equal(c.attempt, 1);
    assert_int_equal(c.epoch, 1);
    assert_false(c.started);
    assert_string_equal(c.run_id, RUN(1));
    assert_string_equal(c.request, "t");
    claim_release(&c);
    assert_int_equal(take("w2", "5"), 0);
}

static void the_urgent_and_the_old_go_first(void **state)
{
    (void)state;
    insert("{" RUN(1) "," RUN(2) "," RUN(3) "}", "{NULL,NULL,NULL}", "{aa,bb,cc}",
           "{batch,batch,batch}", "{1,9,5}", "{NULL,NULL,NULL}", "{t,t,t}");
    take("w1", "1");
    assert_string_equal(value("SELECT run_id FROM ledger.claims WHERE state = 'running'"), RUN(2));
}

static void a_session_runs_one_at_a_time_in_order(void **state)
{
    (void)state;
    insert("{" RUN(2) "," RUN(1) "}", "{s,s}", "{aa,bb}", "{batch,batch}", "{1,9}", "{NULL,NULL}",
           "{t,t}");
    assert_int_equal(take("w1", "9"), 1);
    assert_string_equal(value("SELECT run_id FROM ledger.claims WHERE state = 'running'"), RUN(2));
    assert_int_equal(take("w2", "9"), 0);
    close_run(RUN(2), "1", NULL, "parked");
    assert_int_equal(take("w2", "9"), 1);
}

/* The index has the last word when two statements look at the same time. */
static void two_takers_of_a_session_collide(void **state)
{
    PGresult *res;
    (void)state;
    insert_one(RUN(1), "s");
    insert_one(RUN(2), "s");
    take("w1", "1");
    res = PQexec(db.conn, "UPDATE ledger.claims SET state = 'running' WHERE run_id = '" RUN(2) "'");
    assert_string_equal(PQresultErrorField(res, PG_DIAG_SQLSTATE), "23505");
    PQclear(res);
}

static void the_backlog_counts_what_could_start(void **state)
{
    PGresult *res;
    (void)state;
    insert_one(RUN(1), "s");
    insert_one(RUN(2), "s");
    insert_one(RUN(3), "NULL");
    res = ASK(ledger_sql_backlog, "10");
    assert_string_equal(PQgetvalue(res, 0, 0), "0");
    assert_string_equal(PQgetvalue(res, 0, 1), "2"); /* the session's second cannot */
    PQclear(res);
}

/* --- takeover ---------------------------------------------------------------- */

static void only_who_stood_still_is_inherited(void **state)
{
    (void)state;
    beat("w1");
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    beat("w1"); /* the counter is 1 now */
    assert_int_equal(ROWS(ledger_sql_take_over, "w2", "w1", "0", "9"), 0);
    assert_int_equal(ROWS(ledger_sql_bury, "w1", "1"), 0); /* it still has a run */
    assert_int_equal(ROWS(ledger_sql_take_over, "w2", "w1", "1", "9"), 1);
    assert_int_equal(ROWS(ledger_sql_bury, "w1", "1"), 1);
}

static void a_takeover_is_the_same_attempt(void **state)
{
    struct claim c;
    (void)state;
    beat("w1");
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    ROWS(ledger_sql_started, RUN(1), "1");
    ROWS(ledger_sql_positions, "{" RUN(1) "}", "{1}", "{512}", "{7}");
    c = taken(ASK(ledger_sql_take_over, "w2", "w1", "0", "9"));
    assert_int_equal(c.attempt, 1);
    assert_int_equal(c.epoch, 2);
    assert_int_equal(c.log_line, 7);
    assert_true(c.started);
    assert_int_equal(c.failures, 0);
    assert_int_equal(c.uncounted, 1);
    claim_release(&c);
}

/* B091 */
static void a_run_that_kills_its_workers_is_counted(void **state)
{
    struct claim c;
    (void)state;
    beat("w1");
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    c = taken(ASK(ledger_sql_take_over, "w2", "w1", "0", "9"));
    assert_int_equal(c.failures, 1);
    claim_release(&c);
}

static void what_was_released_is_adopted_at_once_and_free(void **state)
{
    struct claim c;
    (void)state;
    beat("w1");
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    assert_int_equal(ROWS(ledger_sql_adopt, "w2", "9"), 0);
    assert_int_equal(ROWS(ledger_sql_leave, "w1"), 1);
    c = taken(ASK(ledger_sql_adopt, "w2", "9"));
    assert_int_equal(c.epoch, 2);
    assert_int_equal(c.failures + c.uncounted, 0);
    claim_release(&c);
}

static void an_unknown_row_in_our_name_is_given_back(void **state)
{
    (void)state;
    beat("w1");
    insert_one(RUN(1), "NULL");
    insert_one(RUN(2), "NULL");
    take("w1", "2");
    assert_int_equal(ROWS(ledger_sql_disown, "w1", "{" RUN(1) "}"), 1);
    assert_int_equal(ROWS(ledger_sql_mine, "w1"), 1);
    assert_int_equal(ROWS(ledger_sql_adopt, "w2", "9"), 1);
}

/* --- fencing ----------------------------------------------------------------- */

static void an_old_epoch_changes_nothing(void **state)
{
    const char *before;
    (void)state;
    beat("w1");
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    ROWS(ledger_sql_take_over, "w2", "w1", "0", "9");
    before = value("SELECT md5(c::text) FROM ledger.claims c");
    assert_int_equal(ROWS(ledger_sql_started, RUN(1), "1"), 0);
    assert_int_equal(ROWS(ledger_sql_positions, "{" RUN(1) "}", "{1}", "{9}", "{9}"), 0);
    assert_int_equal(requeue_run(RUN(1), "1", NULL), 0);
    assert_int_equal(close_run(RUN(1), "1", NULL, "parked"), 0);
    assert_int_equal(ROWS(ledger_sql_published, RUN(1), "1"), 0);
    assert_string_equal(value("SELECT md5(c::text) FROM ledger.claims c"), before);
}

static void an_end_may_be_written_twice(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    for (int i = 0; i < 2; i++)
        assert_int_equal(close_run(RUN(1), "1", NULL, "parked"), 1);
    assert_string_equal(value("SELECT cost_usd FROM ledger.claims"), "0.5");
    assert_int_equal(requeue_run(RUN(1), "1", NULL), 0); /* what ended stays ended */
}

static void a_requeued_run_waits_for_its_time(void **state)
{
    struct claim c;
    (void)state;
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    ROWS(ledger_sql_requeue, RUN(1), "1", NULL, "parked", "1", "overloaded", "3600000", "1", "2",
         "0.25", "1", "2", "3", "4", "7000", "0.5");
    assert_int_equal(take("w1", "9"), 0);
    run_sql(db.conn, "UPDATE ledger.claims SET hold_until = now()");
    c = taken(take_rows("w1", "0", "5", "{}"));
    assert_int_equal(c.attempt, 2);
    assert_int_equal(c.failures, 1);
    assert_int_equal(c.uncounted, 2);
    assert_int_equal(c.used.cache_write_tokens, 4);
    assert_int_equal(c.used.sandbox_ms, 7000);
    assert_true(c.used.sandbox_usd > 0.499 && c.used.sandbox_usd < 0.501);
    assert_true(c.used.cost_usd > 0.249 && c.used.cost_usd < 0.251);
    claim_release(&c);
}

/* --- the outbox -------------------------------------------------------------- */

static void the_outbox_is_for_what_nobody_works_on(void **state)
{
    (void)state;
    beat("w1");
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    close_run(RUN(1), "1", NULL, "parked");
    assert_int_equal(ROWS(ledger_sql_outbox, "w2", "9"), 0); /* w1 is at it */
    ROWS(ledger_sql_leave, "w1");
    struct claim c = taken(ASK(ledger_sql_outbox, "w2", "9"));
    assert_string_equal(c.terminal, "{}");
    assert_int_equal(c.epoch, 1); /* the record keeps it */
    claim_release(&c);
    beat("w2");
    assert_int_equal(ROWS(ledger_sql_outbox, "w3", "9"), 0);
    ROWS(ledger_sql_hand_out, RUN(1), "1");
    assert_int_equal(ROWS(ledger_sql_outbox, "w3", "9"), 1);
    ROWS(ledger_sql_published, RUN(1), "1");
    ROWS(ledger_sql_hand_out, RUN(1), "1");
    assert_int_equal(ROWS(ledger_sql_outbox, "w3", "9"), 0);
}

/* Terminals that cannot be published come back again and again: none may stand before
 * another. */
static void the_outbox_serves_everybody(void **state)
{
    struct claim c;
    char first[UUID_TEXT];

    (void)state;
    beat("w1");
    insert("{" RUN(1) "," RUN(2) "}", "{NULL,NULL}", "{aa,bb}", "{batch,batch}", "{5,5}",
           "{NULL,NULL}", "{t,t}");
    take("w1", "2");
    run_sql(db.conn, "UPDATE ledger.claims SET state = 'ended', terminal = '{}', worker_id = NULL");
    c = taken(ASK(ledger_sql_outbox, "w1", "1"));
    memcpy(first, c.run_id, sizeof(first));
    ROWS(ledger_sql_hand_out, c.run_id, "1");
    claim_release(&c);
    c = taken(ASK(ledger_sql_outbox, "w1", "1"));
    assert_string_not_equal(c.run_id, first);
    claim_release(&c);
}

static void texts_survive_as_array_elements(void **state)
{
    static const char *const texts[] = {"",   "NULL", "a,b", "{}",          "\"q\"",
                                        "\\", "\\\"", " x ", "line\nbreak", "ünï"};
    AUTO_BUF array = BUF_INIT(4096);
    PGresult *res;

    (void)state;
    ledger_array_open(&array);
    for (size_t i = 0; i < COUNTOF(texts); i++)
        ledger_array_text(&array, texts[i]);
    ledger_array_text(&array, NULL);
    ledger_array_close(&array);
    res = ASK("SELECT unnest($1::text[])", array.p);
    assert_int_equal(PQntuples(res), COUNTOF(texts) + 1);
    for (size_t i = 0; i < COUNTOF(texts); i++)
        assert_string_equal(PQgetvalue(res, (int)i, 0), texts[i]);
    assert_true(PQgetisnull(res, COUNTOF(texts), 0));
    PQclear(res);
}

#define TEST(f) cmocka_unit_test_setup(f, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_is_claimed_once),
        TEST(another_body_is_a_conflict),
        TEST(two_intakes_claim_a_run_once),
        TEST(the_second_of_two_intakes_sees_another_body),
        TEST(a_claim_that_was_not_to_be_is_the_next_one_s),
        TEST(scheduled_runs_wait),
        TEST(taking_counts_before_the_work),
        TEST(the_urgent_and_the_old_go_first),
        TEST(a_session_runs_one_at_a_time_in_order),
        TEST(two_takers_of_a_session_collide),
        TEST(the_backlog_counts_what_could_start),
        TEST(only_who_stood_still_is_inherited),
        TEST(a_takeover_is_the_same_attempt),
        TEST(a_run_that_kills_its_workers_is_counted),
        TEST(what_was_released_is_adopted_at_once_and_free),
        TEST(an_unknown_row_in_our_name_is_given_back),
        TEST(an_old_epoch_changes_nothing),
        TEST(an_end_may_be_written_twice),
        TEST(a_requeued_run_waits_for_its_time),
        TEST(the_outbox_is_for_what_nobody_works_on),
        TEST(the_outbox_serves_everybody),
        TEST(texts_survive_as_array_elements),
    };
    return cmocka_run_group_tests_name("ledger", tests, open_database, close_database);
}
