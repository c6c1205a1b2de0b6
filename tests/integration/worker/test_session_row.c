/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: one row says where a session's conversation is, and it moves only behind the store
 * and only by who owns the session's run; a crash between any two steps leaves no transcript
 * that nobody will remove; two takers never run one session at once.
 * Proof: the statements against a real server, in the order of the steps and cut between them;
 * two connections that take at the same time. */
#include "tests/integration/worker/ledger_db.h"

#include "common/attrs.h"
#include "worker/session/session_sql.h"
#include "common/banned.h"

#define HASH  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TALK  "talk-1"
#define AGES  "86400000"
#define FRESH "DELETE FROM ledger.sessions; DELETE FROM ledger.transcripts;"

static int fresh(void **state)
{
    run_sql(db.conn, FRESH " DELETE FROM ledger.cancellations");
    return empty(state);
}

static int storing(const char *run, const char *epoch, const char *key)
{
    return ROWS(session_sql_storing, run, epoch, key);
}

static int kept(const char *run, const char *epoch, const char *key)
{
    return ROWS(session_sql_kept, run, epoch, TALK, key, key ? "123" : NULL, key ? HASH : NULL);
}

static const char *transcript(const char *key)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT coalesce((SELECT state FROM ledger.transcripts WHERE key = '%s'), '-')", key);
    return value(sql);
}

static const char *session(const char *column)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT coalesce((SELECT %s::text FROM ledger.sessions WHERE tenant = 't'"
             " AND session_id = 's'), '-')",
             column);
    return value(sql);
}

static void running(const char *run)
{
    insert_one(run, "s");
    assert_int_equal(take("w1", "1"), 1);
}

static void ended(const char *run, const char *epoch)
{
    assert_int_equal(close_run(run, epoch, NULL, "parked"), 1);
}

static void the_newest_transcript_is_the_sessions(void **state)
{
    (void)state;
    running(RUN(1));
    assert_int_equal(storing(RUN(1), "1", "k1"), 1);
    assert_string_equal(transcript("k1"), "storing");
    assert_string_equal(session("transcript"), "-");
    assert_int_equal(kept(RUN(1), "1", "k1"), 1);
    assert_string_equal(transcript("k1"), "kept");
    assert_string_equal(session("transcript"), "k1");
    assert_string_equal(session("encode(sha256, 'hex')"), HASH);
    ended(RUN(1), "1");

    running(RUN(2));
    assert_int_equal(storing(RUN(2), "1", "k2"), 1);
    assert_int_equal(kept(RUN(2), "1", "k2"), 1);
    assert_string_equal(session("transcript"), "k2");
    assert_string_equal(session("run_id"), RUN(2));
    assert_string_equal(transcript("k1"), "dead");
    assert_string_equal(transcript("k2"), "kept");
}

static void a_lost_answer_is_asked_for_again(void **state)
{
    (void)state;
    running(RUN(1));
    for (int i = 0; i < 2; i++)
        assert_int_equal(storing(RUN(1), "1", "k1"), 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(kept(RUN(1), "1", "k1"), 1);
    assert_string_equal(transcript("k1"), "kept");
}

static void what_could_not_be_carried_out_is_in_its_sandbox_only(void **state)
{
    struct sandbox_place p;
    (void)state;
    running(RUN(1));
    storing(RUN(1), "1", "k1");
    kept(RUN(1), "1", "k1");
    ended(RUN(1), "1");
    running(RUN(2));
    assert_int_equal(kept(RUN(2), "1", NULL), 1);
    assert_string_equal(session("transcript"), "-");
    assert_string_equal(session("claude_session"), TALK);
    assert_string_equal(transcript("k1"), "dead"); /* it would be half of the conversation */
    ended(RUN(2), "1");
    running(RUN(3));
    p = placed(RUN(3), "1", "base", "new");
    assert_string_equal(p.talk.claude_session, TALK);
    assert_string_equal(p.talk.transcript, "");
    assert_string_equal(p.claude_session, "");
}

static void who_lost_the_run_changes_nothing(void **state)
{
    (void)state;
    beat("w1");
    running(RUN(1));
    storing(RUN(1), "1", "k1");
    run_sql(db.conn, "UPDATE ledger.claims SET epoch = 2");
    assert_int_equal(kept(RUN(1), "1", "k1"), 0);
    assert_int_equal(storing(RUN(1), "1", "k9"), 0);
    assert_string_equal(session("transcript"), "-");
    assert_string_equal(transcript("k9"), "-");
    /* the next owner does it again, and the first one's is nobody's */
    assert_int_equal(storing(RUN(1), "2", "k2"), 1);
    assert_int_equal(kept(RUN(1), "2", "k2"), 1);
    assert_string_equal(session("transcript"), "k2");
    assert_string_equal(transcript("k1"), "dead");
}

static void a_run_without_a_session_has_no_transcript(void **state)
{
    (void)state;
    insert_one(RUN(1), "NULL");
    take("w1", "1");
    assert_int_equal(storing(RUN(1), "1", "k1"), 0);
    assert_int_equal(kept(RUN(1), "1", "k1"), 0);
}

static void a_new_sandbox_is_told_where_the_transcript_is(void **state)
{
    struct sandbox_place p;
    (void)state;
    running(RUN(1));
    p = placed(RUN(1), "1", "base", "a");
    assert_string_equal(p.talk.claude_session, "");
    own(RUN(1), "1", "a", "sb1");
    storing(RUN(1), "1", "k1");
    kept(RUN(1), "1", "k1");
    assert_int_equal(close_run(RUN(1), "1", TALK, "parked"), 1);

    running(RUN(2)); /* its sandbox is there */
    p = placed(RUN(2), "1", "base", "b");
    assert_string_equal(p.claude_session, TALK);
    assert_string_equal(p.sandbox_id, "sb1");
    assert_int_equal(close_run(RUN(2), "1", NULL, "parked"), 1); /* and now it is not */

    running(RUN(3));
    p = placed(RUN(3), "1", "base", "c");
    assert_string_equal(p.key, "c");
    assert_string_equal(p.claude_session, "");
    assert_string_equal(p.talk.claude_session, TALK);
    assert_string_equal(p.talk.transcript, "k1");
    assert_string_equal(p.talk.sha256, HASH);
}

static void another_tenants_session_of_that_name_is_another_one(void **state)
{
    struct sandbox_place p;
    (void)state;
    running(RUN(1));
    storing(RUN(1), "1", "k1");
    kept(RUN(1), "1", "k1");
    ended(RUN(1), "1");
    insert_one(RUN(2), "s");
    run_sql(db.conn, "UPDATE ledger.claims SET tenant = 'u' WHERE state = 'waiting'");
    assert_int_equal(take("w1", "1"), 1);
    p = placed(RUN(2), "1", "base", "b");
    assert_string_equal(p.talk.claude_session, "");
    storing(RUN(2), "1", "k2");
    kept(RUN(2), "1", "k2");
    assert_string_equal(session("transcript"), "k1");
    assert_string_equal(transcript("k1"), "kept");
}

/* --- the sweep ----------------------------------------------------------------- */

static void what_a_crash_left_is_removed_and_nothing_else(void **state)
{
    (void)state;
    running(RUN(1));
    storing(RUN(1), "1", "k1");
    assert_int_equal(ROWS(session_sql_forget, AGES, "9"), 0); /* its run is at it */
    run_sql(db.conn, "UPDATE ledger.claims SET epoch = 2");
    assert_int_equal(ROWS(session_sql_forget, AGES, "9"), 1);
    assert_string_equal(transcript("k1"), "dead");
    assert_int_equal(ROWS(session_sql_dead, AGES, "9"), 0); /* a put may be under way */
    assert_int_equal(ROWS(session_sql_dead, "0", "9"), 1);
    assert_int_equal(ROWS(session_sql_removed, "k1"), 1);
    assert_string_equal(transcript("k1"), "-");
}

static void a_session_is_forgotten_once_nothing_of_it_is_left_to_do(void **state)
{
    (void)state;
    running(RUN(1));
    placed(RUN(1), "1", "base", "a");
    own(RUN(1), "1", "a", "sb1");
    storing(RUN(1), "1", "k1");
    kept(RUN(1), "1", "k1");
    run_sql(db.conn, "UPDATE ledger.sessions SET updated_at = now() - interval '2 days'");
    assert_int_equal(ROWS(session_sql_forget, AGES, "9"), 0); /* it runs */
    assert_int_equal(close_run(RUN(1), "1", TALK, "parked"), 1);
    assert_int_equal(ROWS(session_sql_forget, AGES, "9"), 0); /* it is parked */
    run_sql(db.conn, "DELETE FROM ledger.sandboxes");
    insert_one(RUN(2), "s");
    assert_int_equal(ROWS(session_sql_forget, AGES, "9"), 0); /* it will run */
    run_sql(db.conn, "DELETE FROM ledger.claims WHERE state = 'waiting'");
    assert_int_equal(ROWS(session_sql_removed, "k1"), 0); /* kept: not to be removed */
    assert_int_equal(ROWS(session_sql_forget, AGES, "9"), 1);
    assert_string_equal(session("claude_session"), "-");
    assert_string_equal(transcript("k1"), "dead");
}

/* --- one at a time --------------------------------------------------------------- */

enum { TAKERS = 4, TAKINGS = 6 };

static void takers_at_once_run_one_of_a_session(void **state)
{
    PGconn *takers[TAKERS];

    (void)state;
    for (int i = 0; i < TAKERS; i++)
        takers[i] = taker();
    insert_one(RUN(1), "s");
    insert_one(RUN(2), "s");
    insert_one(RUN(3), "s");
    for (int round = 0; round < TAKINGS; round++) {
        for (int i = 0; i < TAKERS; i++)
            send_take(takers[i], "w", "0", "2", "{}");
        for (int i = 0; i < TAKERS; i++)
            (void)taken_by(takers[i]);
        assert_string_equal(value("SELECT count(*) FROM ledger.claims WHERE state = 'running'"),
                            "1");
        /* the third time it fails and waits, and stays ahead of those that came later */
        run_sql(db.conn,
                round % 2 ? "UPDATE ledger.claims SET state = 'ended' WHERE state = 'running'"
                          : "UPDATE ledger.claims SET state = 'waiting' WHERE state = 'running'");
    }
    assert_string_equal(value("SELECT string_agg(attempt::text, ',' ORDER BY run_id)"
                              " FROM ledger.claims WHERE state = 'ended'"),
                        "2,2,2");
    for (int i = 0; i < TAKERS; i++)
        PQfinish(takers[i]);
}

/* --- on_busy ------------------------------------------------------------------- */

#define NEVER "4000000000000" /* Unix ms */

/* What became of it: its state, and the outcome of one that has ended. */
static const char *fate(const char *run)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT state || coalesce(' ' || (terminal::json -> 'data' ->> 'outcome'), '')"
             " FROM ledger.claims WHERE run_id = '%s'",
             run);
    return value(sql);
}

static void one_that_comes_while_the_session_is_busy_is_rejected(void **state)
{
    (void)state;
    insert_on_busy(RUN(1), "s", "reject", "NULL"); /* the first one is at its place */
    assert_string_equal(fate(RUN(1)), "waiting");
    insert_on_busy(RUN(2), "s", "reject", "NULL");
    assert_string_equal(fate(RUN(2)), "ended session_busy");
    take("w1", "9");
    insert_on_busy(RUN(3), "s", "reject", "NULL");
    assert_string_equal(fate(RUN(3)), "ended session_busy");
    insert_on_busy(RUN(3), "s", "reject", "NULL"); /* delivered again */
    insert_on_busy(RUN(4), "other", "reject", "NULL");
    assert_string_equal(fate(RUN(4)), "waiting");
    ended(RUN(1), "1");
    insert_on_busy(RUN(3), "s", "reject", "NULL"); /* and when the session is free */
    assert_string_equal(fate(RUN(3)), "ended session_busy");
    insert_on_busy(RUN(5), "s", "reject", "NULL");
    assert_string_equal(fate(RUN(5)), "waiting");
}

static void a_rejected_run_owes_its_end_and_nothing_else(void **state)
{
    (void)state;
    insert_one(RUN(1), "s");
    insert_on_busy(RUN(2), "s", "reject", "NULL");
    assert_string_equal(value("SELECT epoch || ' ' || attempt || ' ' || (worker_id IS NULL)"
                              " FROM ledger.claims WHERE state = 'ended'"),
                        "1 0 true");
    assert_int_equal(take("w1", "9"), 1);
    assert_int_equal(ROWS(ledger_sql_outbox, "w2", "9"), 1);
    assert_int_equal(ROWS(ledger_sql_published, RUN(2), "1"), 1);
}

static void a_batch_of_them_is_decided_in_its_order(void **state)
{
    (void)state;
    ROWS(ledger_sql_insert, "{" RUN(1) "," RUN(2) "," RUN(3) "," RUN(4) "," RUN(5) "}",
         "{t,t,t,t,t}", "{batch,batch,batch,batch,batch}", "{s,s,s,NULL,o}", "{t,t,t,t,t}",
         "{5,5,5,5,5}", "{aa,aa,aa,aa,aa}", "{t,t,t,t,t}", "{" NEVER ",NULL,NULL,NULL,NULL}",
         "{NULL,NULL,NULL,NULL,NULL}", "{NULL,NULL,NULL,NULL,NULL}", "{t,t,t,t,t}",
         "{enqueue,reject,reject,reject,reject}");
    assert_string_equal(fate(RUN(1)), "waiting"); /* scheduled for later: nobody is busy by it */
    assert_string_equal(fate(RUN(2)), "waiting");
    assert_string_equal(fate(RUN(3)), "ended session_busy");
    assert_string_equal(fate(RUN(4)), "waiting");
    assert_string_equal(fate(RUN(5)), "waiting");
    insert_on_busy(RUN(7), "o2", "enqueue", NEVER);
    ROWS(ledger_sql_insert, "{" RUN(8) "," RUN(8) "}", "{t,t}", "{batch,batch}", "{o2,o2}", "{t,t}",
         "{5,5}", "{aa,aa}", "{t,t}", "{NULL,NULL}", "{NULL,NULL}", "{NULL,NULL}", "{t,t}",
         "{reject,reject}");
    assert_string_equal(fate(RUN(8)), "waiting"); /* it comes twice, behind one for later */
    /* again, with one that ended meanwhile before one that is new */
    run_sql(db.conn, "UPDATE ledger.claims SET state = 'ended'");
    ROWS(ledger_sql_insert, "{" RUN(2) "," RUN(6) "}", "{t,t}", "{batch,batch}", "{s,s}", "{t,t}",
         "{5,5}", "{aa,aa}", "{t,t}", "{NULL,NULL}", "{NULL,NULL}", "{NULL,NULL}", "{t,t}",
         "{reject,reject}");
    assert_string_equal(fate(RUN(6)), "waiting");
}

/* The runs of w1 that are to be interrupted, and for whom. */
static const char *interrupts(void)
{
    static char text[256];
    PGresult *res = ASK(ledger_sql_cancelled, "w1");
    size_t n = 0;

    text[0] = '\0';
    for (int row = 0; row < PQntuples(res); row++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s for %s", PQgetvalue(res, row, 0) + 35,
                              PQgetvalue(res, row, 4) + 35);
    PQclear(res);
    return text;
}

static void the_running_one_is_interrupted_for_one_that_says_so(void **state)
{
    (void)state;
    running(RUN(1));
    insert_one(RUN(2), "s");
    assert_string_equal(interrupts(), "");
    insert_on_busy(RUN(3), "s", "interrupt", "NULL");
    insert_on_busy(RUN(4), "other", "interrupt", "NULL");
    assert_string_equal(interrupts(), "1 for 3");
    assert_int_equal(take("w1", "9"), 1); /* the other session's */
    ended(RUN(1), "1");
    assert_string_equal(interrupts(), "");
    assert_int_equal(take("w1", "9"), 1);
    assert_string_equal(fate(RUN(3)), "running"); /* before the one that waited */
    assert_string_equal(interrupts(), "");
    ended(RUN(3), "1");
    assert_int_equal(take("w1", "9"), 1);
    assert_string_equal(fate(RUN(2)), "running");
}

static void interrupting_ones_keep_their_order(void **state)
{
    (void)state;
    running(RUN(1));
    insert_on_busy(RUN(2), "s", "interrupt", "NULL");
    insert_on_busy(RUN(3), "s", "interrupt", "NULL");
    ended(RUN(1), "1");
    assert_int_equal(take("w1", "9"), 1);
    assert_string_equal(fate(RUN(2)), "running");
    assert_string_equal(interrupts(), "2 for 3");
}

static void nobody_is_interrupted_for_one_that_could_not_start(void **state)
{
    (void)state;
    running(RUN(1));
    insert_on_busy(RUN(2), "s", "interrupt", NEVER);
    assert_string_equal(interrupts(), "");
    run_sql(db.conn, "UPDATE ledger.claims SET hold_until = now(), hold_reason = NULL");
    assert_string_equal(interrupts(), "1 for 2");
    run_sql(db.conn,
            "INSERT INTO ledger.cancellations (tenant, run_id) VALUES ('t', '" RUN(2) "')");
    assert_string_equal(interrupts(), "");
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_transcript_is_the_sessions),
        TEST(a_lost_answer_is_asked_for_again),
        TEST(what_could_not_be_carried_out_is_in_its_sandbox_only),
        TEST(who_lost_the_run_changes_nothing),
        TEST(a_run_without_a_session_has_no_transcript),
        TEST(a_new_sandbox_is_told_where_the_transcript_is),
        TEST(another_tenants_session_of_that_name_is_another_one),
        TEST(what_a_crash_left_is_removed_and_nothing_else),
        TEST(a_session_is_forgotten_once_nothing_of_it_is_left_to_do),
        TEST(takers_at_once_run_one_of_a_session),
        TEST(one_that_comes_while_the_session_is_busy_is_rejected),
        TEST(a_rejected_run_owes_its_end_and_nothing_else),
        TEST(a_batch_of_them_is_decided_in_its_order),
        TEST(the_running_one_is_interrupted_for_one_that_says_so),
        TEST(interrupting_ones_keep_their_order),
        TEST(nobody_is_interrupted_for_one_that_could_not_start),
    };
    return cmocka_run_group_tests_name("session_row", tests, open_database, close_database);
}
