/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: every command is answered once and in order, or fails with the error
 * whose action fits. Proof: a real server. */
#include "pg_world.h"

/* --- what errors mean --- */

static const struct row {
    const char *sql, *want;
} rows[] = {
    {"SELECT 1", "OK"},
    {"SELEC 1", "CONFIG"},
    {"SELECT 1 FROM no_such_table", "CONFIG"},
    {"SELECT 1 FROM no_such_schema.t", "CONFIG"},
    {"SELECT 1/0", "INVALID"},
    {"SELECT 'secret'::int", "INVALID"},
    {"INSERT INTO pg_temp.t VALUES (1)", "OK"},
    {"INSERT INTO pg_temp.t VALUES (1)", "CONFLICT"},
    {"INSERT INTO pg_temp.t VALUES (NULL)", "INVALID"},
    {"DO $$ BEGIN RAISE 'no'; END $$", "INVALID"},
    {"DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", "UNAVAILABLE"},
    {"DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$", "UNAVAILABLE"},
    {"DO $$ BEGIN SET TRANSACTION READ ONLY; DELETE FROM pg_temp.t; CREATE TABLE x(); END $$",
     "UNAVAILABLE"},
    {"SELECT pg_sleep(10)", "TIMEOUT"},
    {"SELECT 1", "OK"},
};

static void check_rows(struct world *w, bool pipeline)
{
    connect_up(w, (struct pg_opts){.pipeline = pipeline, .statement_ms = 300});
    run(w, "CREATE TEMP TABLE t (a int PRIMARY KEY)");
    w->done = 0;
    w->want = COUNTOF(rows);
    for (size_t i = 0; i < COUNTOF(rows); i++)
        send_cmd(w, &(struct pg_cmd){.sql = rows[i].sql});
    assert_int_equal(w->done, 0);
    loop_run(w->l);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (strcmp(w->codes[i], rows[i].want) != 0)
            fail_msg("%s: %s, not %s", rows[i].sql, w->codes[i], rows[i].want);
    }
    assert_int_equal(w->downs, 0);
}

static void errors_have_a_meaning(void **state)
{
    check_rows(*state, false);
}

static void errors_in_a_pipeline_stay_with_their_command(void **state)
{
    check_rows(*state, true);
}

static void a_message_holds_no_value(void **state)
{
    struct world *w = *state;
    connect_up(w, (struct pg_opts){0});
    run(w, "SELECT 'secret'::int");
    assert_null(strstr(w->e.msg, "secret"));
    assert_non_null(strstr(w->e.msg, "22P02"));
}

static void parameters_go_as_they_are(void **state)
{
    struct world *w = *state;
    connect_up(w, (struct pg_opts){.pipeline = true});
    w->want = 2;
    send_cmd(w, &(struct pg_cmd){.sql = "SELECT $1::text", .n = 1, .v = {"'; DROP \xc3\xa4 \\"}});
    send_cmd(w, &(struct pg_cmd){.sql = "SELECT $1::text || 'x'", .n = 1, .v = {NULL}});
    assert_int_equal(pg_queued(w->p), 2);
    loop_run(w->l);
    assert_string_equal(w->text, "NULL");
    assert_int_equal(pg_queued(w->p), 0);
    w->want = 3;
    send_cmd(w, &(struct pg_cmd){.sql = "SELECT $1::text", .n = 1, .v = {"'; DROP \xc3\xa4 \\"}});
    loop_run(w->l);
    assert_string_equal(w->text, "'; DROP \xc3\xa4 \\");
}

static void a_pipeline_keeps_order(void **state)
{
    struct world *w = *state;
    char n[16];
    connect_up(w, (struct pg_opts){.pipeline = true});
    w->want = 1000;
    for (int i = 1; i <= 1000; i++) {
        snprintf(n, sizeof n, "%d", i);
        send_cmd(w, &(struct pg_cmd){.sql = "SELECT $1::int", .n = 1, .v = {n}});
    }
    loop_run(w->l);
    assert_int_equal(w->failed, 0);
    assert_int_equal(w->last, 1000);
    assert_false(w->disorder);
}

/* One transaction, and the second statement sees what was committed before it began. */
static void what_goes_before_is_the_same_transaction(void **state)
{
    struct world *w = *state;
    const char *sql = "SELECT coalesce(nullif(current_setting('sandfleet.t', true), ''), 'none')";
    connect_up(w, (struct pg_opts){.pipeline = true});
    w->want = 1;
    send_cmd(w, &(struct pg_cmd){.before = "SELECT set_config('sandfleet.t', 'local', true)",
                                 .sql = sql});
    loop_run(w->l);
    assert_string_equal(w->text, "local");
    run(w, sql);
    assert_string_equal(w->text, "none");
    w->done = 0;
    send_cmd(w, &(struct pg_cmd){.before = "SELECT 1/0", .sql = "SELECT 1"});
    loop_run(w->l);
    assert_int_equal(w->done, 1);
    assert_string_equal(err_name(w->e.code), "INVALID");
    run(w, "SELECT 5");
    assert_string_equal(w->text, "5");
}

static void run_kept(struct world *w, const char *sql, const char *n)
{
    w->done = 0;
    w->want = 1;
    send_cmd(w, &(struct pg_cmd){.sql = sql, .keep = true, .n = 1, .v = {n}});
    while (w->done < 1)
        loop_run(w->l);
}

static void a_kept_statement_is_planned_once_a_connection(void **state)
{
    struct world *w = *state;
    static const char quotient[] = "SELECT 6 / $1::int";
    const char *planned = "SELECT count(*) FROM pg_prepared_statements";
    connect_up(w, (struct pg_opts){.pipeline = true});
    for (int i = 0; i < 3; i++)
        run_kept(w, quotient, "2");
    assert_string_equal(w->text, "3");
    run(w, planned);
    assert_string_equal(w->text, "1");
    run_kept(w, quotient, "0"); /* fails, and the next one works all the same */
    assert_string_equal(err_name(w->e.code), "INVALID");
    run_kept(w, quotient, "3");
    assert_string_equal(w->text, "2");
    pg_reset(w->p);
    while (w->ups < 2)
        loop_run(w->l);
    run_kept(w, quotient, "6");
    assert_string_equal(w->text, "1");
    run(w, planned);
    assert_string_equal(w->text, "1");
}

static void several_statements_without_parameters(void **state)
{
    struct world *w = *state;
    connect_up(w, (struct pg_opts){0});
    run(w, "CREATE TEMP TABLE s (a int); INSERT INTO s VALUES (5); SELECT a FROM s");
    assert_string_equal(w->text, "5");
    run(w, "SELECT 1; SELECT 1/0; SELECT 2");
    assert_string_equal(err_name(w->e.code), "INVALID");
}

/* --- the queue --- */

static void the_queue_is_bounded(void **state)
{
    struct world *w = *state;
    struct pg_cmd cmd = {.sql = "SELECT 1"};
    connect_to(w, shared_server("SANDFLEET_DATABASE"), (struct pg_opts){.max_queued = 2});
    assert_string_equal(err_name(pg_send(w->p, &cmd, on_done, w, NULL)), "UNAVAILABLE");
    loop_run(w->l);
    send_cmd(w, &cmd);
    send_cmd(w, &cmd);
    assert_string_equal(err_name(pg_send(w->p, &cmd, on_done, w, NULL)), "THROTTLED");
    w->want = 2;
    loop_run(w->l);
    send_cmd(w, &cmd);
}

/* --- COPY --- */

static void copy(struct world *w, struct buf *data)
{
    struct err e = ERR_INIT;
    w->done = 0;
    if (pg_copy(w->p, "COPY pg_temp.c FROM STDIN", data, on_done, w, &e) != ERR_OK)
        fail_msg("%s", e.msg);
    while (w->done < 1)
        loop_run(w->l);
}

static void a_copy_bigger_than_any_buffer(void **state)
{
    struct world *w = *state;
    AUTO_BUF data = BUF_INIT(64 << 20);
    connect_up(w, (struct pg_opts){0});
    run(w, "CREATE TEMP TABLE c (a int, b text)");
    for (int i = 0; i < 20000; i++)
        buf_addf(&data, "%d\t%01000d\n", i, i);
    copy(w, &data);
    assert_string_equal(w->codes[0], "OK");
    assert_int_equal(data.len, 0);
    run(w, "SELECT count(*) FROM c");
    assert_string_equal(w->text, "20000");
}

/* The socket was full when the copy looked, and has room when the loop asks what to wait for. */
static int flushes;
static bool full_at_times;

int __real_PQflush(PGconn *conn);
int __wrap_PQflush(PGconn *conn);
int __wrap_PQflush(PGconn *conn)
{
    int rc = __real_PQflush(conn);
    return rc == 0 && full_at_times && flushes++ % 3 == 0 ? 1 : rc;
}

static void a_copy_goes_on_when_the_room_came_between_two_looks(void **state)
{
    struct world *w = *state;
    AUTO_BUF data = BUF_INIT(4 << 20);
    connect_up(w, (struct pg_opts){.statement_ms = 5000});
    run(w, "CREATE TEMP TABLE c (a int, b text)");
    for (int i = 0; i < 2000; i++)
        buf_addf(&data, "%d\t%01000d\n", i, i);
    flushes = 0;
    full_at_times = true;
    copy(w, &data);
    full_at_times = false;
    assert_string_equal(w->codes[0], "OK");
    assert_true(flushes > 3);
    run(w, "SELECT count(*) FROM c");
    assert_string_equal(w->text, "2000");
}

static void a_bad_copy_leaves_the_connection_usable(void **state)
{
    struct world *w = *state;
    AUTO_BUF data = BUF_INIT(4 << 20);
    connect_up(w, (struct pg_opts){0});
    buf_adds(&data, "1\tx\n");
    copy(w, &data);
    assert_string_equal(w->codes[0], "CONFIG"); /* no such table */
    run(w, "CREATE TEMP TABLE c (a int, b text)");
    buf_adds(&data, "1\tx\nnot a number\ty\n");
    for (int i = 0; i < 1000; i++)
        buf_addf(&data, "%d\t%01000d\n", i, i);
    copy(w, &data);
    assert_string_equal(w->codes[0], "INVALID");
    run(w, "SELECT count(*) FROM c");
    assert_string_equal(w->text, "0");
    assert_int_equal(w->downs, 0);
}

/* --- NOTIFY --- */

static void notifications_arrive(void **state)
{
    struct world *w = *state;
    connect_up(w, (struct pg_opts){.pipeline = true});
    run(w, "LISTEN test_pg");
    w->want = 100; /* the NOTIFY's own answer must not stop the loop */
    send_cmd(w, &(struct pg_cmd){.sql = "NOTIFY test_pg, 'hello'"});
    loop_run(w->l);
    assert_string_equal(w->note, "test_pg:hello");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(errors_have_a_meaning),
        TEST(errors_in_a_pipeline_stay_with_their_command),
        TEST(a_message_holds_no_value),
        TEST(parameters_go_as_they_are),
        TEST(a_pipeline_keeps_order),
        TEST(what_goes_before_is_the_same_transaction),
        TEST(a_kept_statement_is_planned_once_a_connection),
        TEST(several_statements_without_parameters),
        TEST(the_queue_is_bounded),
        TEST(a_copy_bigger_than_any_buffer),
        TEST(a_copy_goes_on_when_the_room_came_between_two_looks),
        TEST(a_bad_copy_leaves_the_connection_usable),
        TEST(notifications_arrive),
    };
    return cmocka_run_group_tests_name("pg", tests, NULL, NULL);
}
