/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a cancel is a row that finds its run before, during and after a claim, touches no
 * other tenant's, and goes when it has served. Proof: the statements of both sides, the client's
 * and the worker's, against a real server, in a database of its own. */
#include "tests/integration/worker/ledger_db.h"

#include "schema/cancel.h"
#include "schema/event.h"
#include "worker/publish/terminal.h"
#include "common/banned.h"

struct asked {
    struct cancel_run *runs;
    size_t n;
};

static struct asked ask(struct cancel_want w)
{
    struct asked a = {0};
    struct err err = ERR_INIT;

    w.conninfo = db.conninfo;
    if (!w.tenant)
        w.tenant = "t";
    if (cancel_ask(&w, &a.runs, &a.n, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    return a;
}

/* Asks for the end of one run; how it was found. */
static const char *cancel(const char *id, bool force)
{
    struct asked a = ask(
        (struct cancel_want){.run_ids = &id, .n_runs = 1, .force = force, .requested_by = "ann"});

    assert_int_equal(a.n, 1);
    assert_string_equal(a.runs[0].run_id, id);
    enum cancel_found found = a.runs[0].found;
    free(a.runs);
    return cancel_found_name(found);
}

static int open_cancels(void)
{
    return ROWS("SELECT FROM ledger.cancellations WHERE tenant = $1", "t");
}

static int end_waiting(const char *worker)
{
    return ROWS(ledger_sql_end_waiting, worker, "9");
}

static void a_waiting_run_ends_where_it_is(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    assert_string_equal(cancel(RUN(1), false), "queued");
    assert_int_equal(take("w1", "9"), 0);
    assert_int_equal(end_waiting("w1"), 1);
    assert_string_equal(value("SELECT state || epoch || worker_id FROM ledger.claims"), "ended1w1");
    assert_int_equal(end_waiting("w1"), 0);
    assert_int_equal(open_cancels(), 0);
}

/* What the outbox publishes, and the sink reads, is the record that a worker would have made. */
static void its_terminal_is_one(void **state)
{
    struct claim c;
    struct event e;
    struct err err = ERR_INIT;

    (void)state;
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    requeue_run(RUN(1), "1", NULL);
    cancel(RUN(1), false);
    PGresult *res = ASK(ledger_sql_end_waiting, "w1", "9");
    assert_string_equal(err_name(ledger_claim_read(res, 0, &c, &err)), "OK");
    assert_string_equal(err_name(terminal_read(str_of(c.terminal), &e, &err)), "OK");
    assert_string_equal(event_type_name(e.type), "sandfleet.run.cancelled");
    assert_int_equal(e.attempt, 1);
    assert_int_equal(e.epoch, 2);
    assert_int_equal(e.n, 1);
    assert_int_equal(c.epoch, 2);
    claim_release(&c);
    PQclear(res);
    assert_string_equal(value("SELECT string_agg(k, ',' ORDER BY k) FROM ledger.claims,"
                              " json_object_keys(terminal::json -> 'data') k"),
                        "attempts,cache_read_tokens,cache_write_tokens,cost_usd,duration_ms,"
                        "input_tokens,outcome,output_tokens,reason,sandbox_cost_usd,sandbox_ms,"
                        "state");
    assert_string_equal(value("SELECT terminal::json -> 'data' ->> 'reason' FROM ledger.claims"),
                        "by ann");
}

static void one_that_is_held_ends_too(void **state)
{
    (void)state;
    insert_one(RUN(1), "s");
    insert_one(RUN(2), "s");
    take("w1", "1"); /* the session is busy with the first */
    run_sql(db.conn, "UPDATE ledger.claims SET hold_until = now() + interval '1 hour',"
                     " hold_reason = 'overloaded' WHERE state = 'waiting'");
    cancel(RUN(2), false);
    assert_int_equal(end_waiting("w2"), 1);
    assert_string_equal(value("SELECT state FROM ledger.claims WHERE run_id = '" RUN(1) "'"),
                        "running");
}

static void a_cancel_may_come_before_its_run(void **state)
{
    (void)state;
    assert_string_equal(cancel(RUN(1), false), "unknown");
    assert_int_equal(end_waiting("w1"), 0);
    assert_int_equal(open_cancels(), 1);
    insert_one(RUN(1), "NULL");
    assert_int_equal(take("w1", "9"), 0);
    assert_int_equal(end_waiting("w1"), 1);
}

static void a_running_one_is_told_to_its_owner(void **state)
{
    PGresult *res;

    (void)state;
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    assert_string_equal(cancel(RUN(1), true), "running");
    assert_int_equal(end_waiting("w1"), 0);
    assert_int_equal(ROWS(ledger_sql_cancelled, "w2"), 0);
    res = ASK(ledger_sql_cancelled, "w1");
    assert_int_equal(PQntuples(res), 1);
    assert_string_equal(PQgetvalue(res, 0, 0), RUN(1));
    assert_string_equal(PQgetvalue(res, 0, 1), "1");
    assert_string_equal(PQgetvalue(res, 0, 2), "t");
    assert_string_equal(PQgetvalue(res, 0, 3), "ann");
    PQclear(res);
}

static void the_next_owner_learns_of_it(void **state)
{
    (void)state;
    beat("w1");
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    cancel(RUN(1), false);
    ROWS(ledger_sql_leave, "w1");
    assert_int_equal(ROWS(ledger_sql_adopt, "w2", "9"), 1);
    assert_int_equal(ROWS(ledger_sql_cancelled, "w2"), 1);
    requeue_run(RUN(1), "2", NULL);
    assert_int_equal(end_waiting("w3"), 1);
}

static void several_are_one_and_force_stays(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    cancel(RUN(1), true);
    cancel(RUN(1), false);
    assert_int_equal(open_cancels(), 1);
    assert_string_equal(value("SELECT force FROM ledger.cancellations"), "t");
}

static void what_has_ended_stays(void **state)
{
    struct asked a;
    const char *id = RUN(1);

    (void)state;
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    close_run(RUN(1), "1", NULL, "parked");
    run_sql(db.conn, "UPDATE ledger.claims SET terminal = '{\"type\":\"sandfleet.run.failed\"}'");
    a = ask((struct cancel_want){.run_ids = &id, .n_runs = 1});
    assert_string_equal(cancel_found_name(a.runs[0].found), "ended");
    assert_true(a.runs[0].ended);
    assert_string_equal(a.runs[0].state, "failed");
    assert_int_equal(open_cancels(), 0);
    free(a.runs);
}

static void anothers_run_is_not_touched(void **state)
{
    const char *const ids[] = {RUN(1), RUN(2)};
    struct asked a;

    (void)state;
    insert_one(RUN(1), "NULL");
    insert_one(RUN(2), "NULL");
    take("w1", "1");
    a = ask((struct cancel_want){.tenant = "other", .run_ids = ids, .n_runs = 2});
    assert_string_equal(cancel_found_name(a.runs[0].found), "unknown");
    assert_string_equal(cancel_found_name(a.runs[1].found), "unknown");
    free(a.runs);
    a = ask((struct cancel_want){.tenant = "other", .batch_id = "nightly"});
    assert_int_equal(a.n, 0);
    free(a.runs);
    assert_int_equal(ROWS(ledger_sql_cancelled, "w1"), 0);
    assert_int_equal(end_waiting("w1"), 0);
}

static void a_batch_is_all_its_runs(void **state)
{
    struct asked a;

    (void)state;
    insert_one(RUN(1), "NULL");
    insert_one(RUN(2), "NULL");
    insert_one(RUN(3), "NULL");
    take("w1", "1");
    run_sql(db.conn, "UPDATE ledger.claims SET batch_id = NULL WHERE run_id = '" RUN(3) "'");
    a = ask((struct cancel_want){.batch_id = "nightly"});
    assert_int_equal(a.n, 2);
    free(a.runs);
    assert_int_equal(ROWS(ledger_sql_cancelled, "w1"), 1);
    assert_int_equal(end_waiting("w1"), 1);
    insert_one(RUN(4), "NULL");           /* it comes later */
    assert_int_equal(take("w1", "1"), 1); /* not it, but the one that is in no batch */
    assert_int_equal(end_waiting("w1"), 1);
    assert_int_equal(open_cancels(), 1);
}

/* A row whose run ended by itself has served, too. */
static void what_came_too_late_goes(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    cancel(RUN(1), false);
    close_run(RUN(1), "1", NULL, "parked");
    assert_int_equal(end_waiting("w1"), 0);
    assert_int_equal(open_cancels(), 0);
}

static void awaiting_ends_with_the_runs_or_the_time(void **state)
{
    const char *id = RUN(1);
    struct cancel_want w = {.conninfo = db.conninfo, .tenant = "t", .run_ids = &id, .n_runs = 1};
    struct err err = ERR_INIT;
    struct asked a;

    (void)state;
    insert_one(RUN(1), "NULL");
    a = ask(w);
    assert_string_equal(err_name(cancel_await(&w, a.runs, a.n, 1, &err)), "TIMEOUT");
    assert_int_equal(end_waiting("w1"), 1);
    assert_string_equal(err_name(cancel_await(&w, a.runs, a.n, 60000, &err)), "OK");
    assert_string_equal(cancel_found_name(a.runs[0].found), "queued");
    assert_string_equal(a.runs[0].state, "cancelled");
    free(a.runs);
}

/* The notification names the run, so that it can be told who it is about. */
static void workers_are_woken(void **state)
{
    PGnotify *told;

    (void)state;
    run_sql(db.conn, "LISTEN " CANCEL_CHANNEL);
    cancel(RUN(1), false);
    run_sql(db.conn, "SELECT 1");
    assert_true(PQconsumeInput(db.conn));
    told = PQnotifies(db.conn);
    assert_non_null(told);
    assert_string_equal(told->extra, RUN(1));
    PQfreemem(told);
    run_sql(db.conn, "UNLISTEN *");
}

#define TEST(f) cmocka_unit_test_setup(f, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_waiting_run_ends_where_it_is),
        TEST(its_terminal_is_one),
        TEST(one_that_is_held_ends_too),
        TEST(a_cancel_may_come_before_its_run),
        TEST(a_running_one_is_told_to_its_owner),
        TEST(the_next_owner_learns_of_it),
        TEST(several_are_one_and_force_stays),
        TEST(what_has_ended_stays),
        TEST(anothers_run_is_not_touched),
        TEST(a_batch_is_all_its_runs),
        TEST(what_came_too_late_goes),
        TEST(awaiting_ends_with_the_runs_or_the_time),
        TEST(workers_are_woken),
    };
    return cmocka_run_group_tests_name("ledger, cancels", tests, open_database, close_database);
}
