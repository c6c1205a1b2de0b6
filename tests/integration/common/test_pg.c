/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: every command is answered once and in order, or fails with the error
 * whose action fits; a lost server is told once and comes back by itself.
 * Proof: a real server, whose backend or postmaster is killed under our hands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "common/attrs.h"
#include "common/pg/pg.h"
#include "tests/integration/common/dev_stack.h"

struct world {
    struct loop *l;
    struct pg *p;
    struct timer *guard, *poll;
    int ups, downs, notes, done, failed, want, backend;
    char down[256], note[64], text[64];
    char codes[32][16];
    struct err e;
    int64_t last;
    bool disorder;
};

static void too_long(void *ctx)
{
    struct world *w = ctx;
    fail_msg("nothing happened in 60 s (up %d, down %d, done %d: %s)", w->ups, w->downs, w->done,
             w->down);
}

static void on_up(void *ctx)
{
    struct world *w = ctx;
    w->ups++;
    loop_stop(w->l);
}

static void on_down(void *ctx, const struct err *e)
{
    struct world *w = ctx;
    w->downs++;
    snprintf(w->down, sizeof w->down, "%s", e->msg);
    loop_stop(w->l);
}

static void on_notify(void *ctx, const char *channel, const char *payload)
{
    struct world *w = ctx;
    w->notes++;
    snprintf(w->note, sizeof w->note, "%s:%s", channel, payload);
    loop_stop(w->l);
}

static const struct pg_events events = {.up = on_up, .down = on_down, .notify = on_notify};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_int_equal(loop_new(&w->l, NULL), ERR_OK);
    w->guard = timer_new(w->l, too_long, w);
    timer_start(w->guard, 60000);
    w->want = 1;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    pg_free(w->p);
    timer_free(w->guard);
    loop_free(w->l);
    free(w);
    return 0;
}

static void connect_to(struct world *w, const char *conninfo, struct pg_opts opts)
{
    struct err e = ERR_INIT;
    opts.conninfo = conninfo;
    opts.name = "test_pg";
    if (pg_new(w->l, &opts, &events, w, &w->p, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static void connect_up(struct world *w, struct pg_opts opts)
{
    connect_to(w, shared_server("SANDFLEET_DATABASE"), opts);
    loop_run(w->l);
    if (w->ups != 1)
        fail_msg("%s", w->down);
}

/* Notes the outcome; stops the loop when w->want answers have come. */
static void on_done(void *ctx, PGresult *res, const struct err *e)
{
    struct world *w = ctx;
    size_t slot = (size_t)w->done % COUNTOF(w->codes);
    w->done++;
    w->failed += e->code != ERR_OK;
    w->e = *e;
    snprintf(w->codes[slot], sizeof w->codes[slot], "%s", err_name(e->code));
    if (e->code == ERR_OK && PQntuples(res) > 0) {
        int64_t n = pg_int(res, 0, 0);
        w->disorder = w->disorder || n < w->last;
        w->last = n;
        snprintf(w->text, sizeof w->text, "%s", pg_text(res, 0, 0) ? pg_text(res, 0, 0) : "NULL");
    }
    if (w->done >= w->want)
        loop_stop(w->l);
}

static void send_cmd(struct world *w, const struct pg_cmd *cmd)
{
    struct err e = ERR_INIT;
    if (pg_send(w->p, cmd, on_done, w, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static void run(struct world *w, const char *sql)
{
    w->done = 0;
    w->want = 1;
    send_cmd(w, &(struct pg_cmd){.sql = sql});
    while (w->done < 1)
        loop_run(w->l);
}

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

/* --- loss --- */

static void lose_backend(struct world *w, bool pipeline)
{
    connect_up(w, (struct pg_opts){.pipeline = pipeline});
    w->want = 50;
    w->done = 0;
    send_cmd(w, &(struct pg_cmd){.sql = "SELECT pg_terminate_backend(pg_backend_pid())"});
    for (int i = 1; i < 50; i++)
        send_cmd(w, &(struct pg_cmd){.sql = "SELECT 1"});
    loop_run(w->l); /* down */
    loop_run(w->l); /* up again */
    assert_int_equal(w->done, 50);
    assert_int_equal(w->failed, 50);
    assert_string_equal(w->codes[49 % 32], "UNAVAILABLE");
    assert_int_equal(w->downs, 1);
    assert_int_equal(w->ups, 2);
    run(w, "SELECT 7");
    assert_string_equal(w->text, "7");
}

static void a_killed_backend_fails_what_was_sent(void **state)
{
    lose_backend(*state, true);
}

static void a_killed_backend_fails_what_waited(void **state)
{
    lose_backend(*state, false);
}

/* Each has its time; a long row of them is no silence. */
static void the_deadline_moves_with_every_answer(void **state)
{
    struct world *w = *state;
    connect_up(w, (struct pg_opts){.pipeline = true, .statement_ms = 500});
    w->want = 8;
    for (int i = 0; i < w->want; i++)
        send_cmd(w, &(struct pg_cmd){.sql = "SELECT pg_sleep(0.4)"});
    loop_run(w->l);
    assert_int_equal(w->done, 8);
    assert_int_equal(w->failed, 0);
    assert_int_equal(w->downs, 0);
}

static void reset_rolls_back(void **state)
{
    struct world *w = *state;
    connect_up(w, (struct pg_opts){0});
    run(w, "CREATE TABLE IF NOT EXISTS test_pg_reset (a int); TRUNCATE test_pg_reset");
    run(w, "BEGIN; INSERT INTO test_pg_reset VALUES (1)");
    pg_reset(w->p);
    assert_false(pg_is_up(w->p));
    assert_string_equal(
        err_name(pg_send(w->p, &(struct pg_cmd){.sql = "SELECT 1"}, on_done, w, NULL)),
        "UNAVAILABLE");
    loop_run(w->l);
    loop_run(w->l);
    assert_int_equal(w->ups, 2);
    run(w, "SELECT count(*) FROM test_pg_reset");
    assert_string_equal(w->text, "0");
    run(w, "DROP TABLE test_pg_reset");
}

/* The server's own time-out cannot speak: its process is frozen. */
static void a_frozen_backend_is_given_up(void **state)
{
    struct world *w = *state;
    connect_up(w, (struct pg_opts){.pipeline = true, .statement_ms = 200});
    run(w, "SELECT pg_backend_pid()");
    pid_t backend = (pid_t)w->last;
    assert_int_equal(kill(backend, SIGSTOP), 0);
    w->want = 4;
    for (int i = 0; i < 3; i++)
        send_cmd(w, &(struct pg_cmd){.sql = "SELECT 1"});
    while (w->ups < 2)
        loop_run(w->l);
    kill(backend, SIGCONT);
    assert_int_equal(w->done, 4);
    assert_int_equal(w->failed, 3);
    assert_non_null(strstr(w->down, "no answer in 2200 ms"));
    assert_int_equal(w->downs, 1);
}

static void a_restarted_server(void **state)
{
    struct world *w = *state;
    struct dev_stack s;
    dev_stack_up(&s, "postgres", "SANDFLEET_DATABASE");
    connect_to(w, s.address, (struct pg_opts){.pipeline = true});
    loop_run(w->l);
    w->want = 100;
    for (int i = 0; i < 100; i++)
        send_cmd(w, &(struct pg_cmd){.sql = "SELECT pg_sleep(0.05)"});
    dev_stack_do(&s, "kill", "postgres");
    while (w->downs < 1 || w->done < 100)
        loop_run(w->l);
    assert_string_equal(w->codes[99 % 32], "UNAVAILABLE");
    assert_false(pg_is_up(w->p));
    dev_stack_do(&s, "start", "postgres");
    while (w->ups < 2)
        loop_run(w->l);
    assert_int_equal(w->downs, 1);
    run(w, "SELECT 7");
    assert_string_equal(w->text, "7");
    pg_free(w->p);
    w->p = NULL;
    dev_stack_down(&s);
}

/* --- a server that is not there, or refuses --- */

static void look_at_downs(void *ctx)
{
    loop_stop(((struct world *)ctx)->l);
}

static void nobody_there_is_told_once(void **state)
{
    struct world *w = *state;
    connect_to(w, "host=127.0.0.1 port=1 password=pw", (struct pg_opts){0});
    loop_run(w->l);
    assert_non_null(strstr(w->down, "port 1"));
    assert_non_null(strstr(w->down, "is it running? ops/dev status"));
    w->poll = timer_new(w->l, look_at_downs, w);
    timer_start(w->poll, 700); /* several tries later */
    loop_run(w->l);
    timer_free(w->poll);
    assert_int_equal(w->downs, 1);
}

static void a_refusal_has_another_hint(void **state)
{
    struct world *w = *state;
    char conninfo[600];
    snprintf(conninfo, sizeof conninfo, "%s dbname=no_such_db",
             shared_server("SANDFLEET_DATABASE"));
    connect_to(w, conninfo, (struct pg_opts){0});
    loop_run(w->l);
    assert_non_null(strstr(w->down, "no_such_db"));
    assert_non_null(strstr(w->down, "check the connection string"));
}

static void a_bad_string_is_refused_at_once(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    struct pg_opts opts = {.conninfo = "password=hun ter2"};
    assert_string_equal(err_name(pg_new(w->l, &opts, &events, w, &w->p, &e)), "CONFIG");
    assert_null(strstr(e.msg, "ter2"));
    opts.conninfo = "hots=x";
    assert_string_equal(err_name(pg_new(w->l, &opts, &events, w, &w->p, &e)), "CONFIG");
    assert_non_null(strstr(e.msg, "hots"));
}

/* --- freed in a callback --- */

static void free_in_up(void *ctx)
{
    struct world *w = ctx;
    w->ups++;
    pg_free(w->p);
    w->p = NULL;
    loop_stop(w->l);
}

static void freed_when_it_came_up(void **state)
{
    struct world *w = *state;
    struct pg_opts opts = {.conninfo = shared_server("SANDFLEET_DATABASE"), .pipeline = true};
    assert_int_equal(pg_new(w->l, &opts, &(struct pg_events){.up = free_in_up}, w, &w->p, NULL), 0);
    loop_run(w->l);
    assert_int_equal(w->ups, 1);
}

static void free_in_answer(void *ctx, PGresult *res, const struct err *e)
{
    struct world *w = ctx;
    on_done(w, res, e);
    pg_free(w->p);
    w->p = NULL;
    loop_stop(w->l);
}

static void freed_in_an_answer(void **state)
{
    struct world *w = *state;
    connect_up(w, (struct pg_opts){.pipeline = true});
    assert_int_equal(pg_send(w->p, &(struct pg_cmd){.sql = "SELECT 1"}, free_in_answer, w, NULL),
                     0);
    send_cmd(w, &(struct pg_cmd){.sql = "SELECT 2"});
    loop_run(w->l);
    assert_int_equal(w->done, 1);
}

static void freed_in_a_failure(void **state)
{
    struct world *w = *state;
    connect_up(w, (struct pg_opts){.pipeline = true});
    assert_int_equal(pg_send(w->p, &(struct pg_cmd){.sql = "SELECT 1"}, free_in_answer, w, NULL),
                     0);
    send_cmd(w, &(struct pg_cmd){.sql = "SELECT 2"});
    pg_reset(w->p);
    loop_run(w->l); /* down */
    if (w->p)
        loop_run(w->l);
    assert_int_equal(w->done, 1);
    assert_int_equal(w->failed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        TEST(a_killed_backend_fails_what_was_sent),
        TEST(a_killed_backend_fails_what_waited),
        TEST(the_deadline_moves_with_every_answer),
        TEST(reset_rolls_back),
        TEST(a_frozen_backend_is_given_up),
        TEST(a_restarted_server),
        TEST(nobody_there_is_told_once),
        TEST(a_refusal_has_another_hint),
        TEST(a_bad_string_is_refused_at_once),
        TEST(freed_when_it_came_up),
        TEST(freed_in_an_answer),
        TEST(freed_in_a_failure),
    };
    return cmocka_run_group_tests_name("pg", tests, NULL, NULL);
}
