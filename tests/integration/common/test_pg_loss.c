/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a lost server is told once and comes back by itself; what was under way fails with the
 * error whose action fits, once; a connection may be freed in each of its callbacks.
 * Proof: a real server, whose backend or postmaster is killed under our hands. */
#include "pg_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    return cmocka_run_group_tests_name("pg, lost", tests, NULL, NULL);
}
