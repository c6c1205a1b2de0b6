/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a worker that is cut off from Postgres, or was itself away, publishes nothing once
 * another may have its runs, and disturbs nobody when it is back; an outage of Postgres moves no
 * claim; and while the sandbox service is away runs wait, and lose no attempt.
 * Proof: the workers' own backends in Postgres, or the workers, are stopped and go on later; the
 * service refuses by script. What was published says who wrote, and behind whom. */
#include "cell.h"
#include "faults.h"

#include "common/banned.h"

#define LEASE_MS 1000 /* cell_worker's */
#define RUNNING                                                                                    \
    "SELECT count(*) FROM ledger.claims WHERE state = 'running' AND log_line = 5 AND epoch = 1"
#define TAKEN_OVER "SELECT count(*) FROM ledger.claims WHERE state = 'running' AND epoch = 2"
#define ENDED      "SELECT count(*) FROM ledger.claims WHERE state = 'ended' AND published"

enum { BACKENDS = 16 }; /* of the workers: some connections each */

static unsigned nth; /* of this program's cells */
static pid_t frozen[BACKENDS], guard;

/* One run in the middle of its agent's lines, all of them so far acknowledged and saved. */
static void begin(struct cell *c, const char *name)
{
    AUTO_BUF agent = BUF_INIT(8192);

    cell_open(c, name, 1000 + nth++);
    cell_agent(c, false, &agent);
    cell_submit(c, agent.p, "");
    cell_worker(c, 0, NULL, NULL);
    cell_await(c, RUNNING, "1");
}

/* Each line once, the agent started once, and nothing of an old owner behind its successor. */
static void end(struct cell *c, const char *epoch)
{
    struct cell_log log;

    cell_await(c, ENDED, "1");
    for (size_t i = 0; i < CELL_WORKERS; i++)
        if (c->workers[i] > 0)
            cell_stop(c, i);
    log = cell_read_log(c);
    if (log.lines != CELL_LINES || log.terminals != 1 || log.old_behind != 0 || cell_starts(c) != 1)
        fail_msg(
            "%s: %d lines, %d terminals, %d records behind a higher epoch's, %d starts; log: %s",
            c->name, log.lines, log.terminals, (int)log.old_behind, cell_starts(c), c->log);
    cell_expect(c, "SELECT epoch FROM ledger.claims", epoch);
    cell_close(c);
}

static void wake_all(void)
{
    for (size_t i = 0; i < BACKENDS; i++)
        if (frozen[i] > 0)
            (void)kill(frozen[i], SIGCONT);
}

/* A server with frozen backends makes no database any more: they are woken though we are
 * killed. */
static void guard_backends(void)
{
    pid_t test = getpid();

    guard = fork();
    if (guard != 0)
        return;
    for (int fd = 0; fd < 3; fd++)
        (void)close(fd);
    while (getppid() == test)
        cell_nap();
    wake_all();
    _exit(0);
}

/* Stops the workers' backends. They are processes of this machine. */
static void freeze_backends(struct cell *c)
{
    PGresult *res = PQexec(c->pg, "SELECT pid FROM pg_stat_activity WHERE datname ="
                                  " current_database() AND pid <> pg_backend_pid()");

    assert_true(PQntuples(res) > 0 && PQntuples(res) <= BACKENDS);
    for (int i = 0; i < PQntuples(res); i++) {
        frozen[i] = (pid_t)strtol(PQgetvalue(res, i, 0), NULL, 10);
        assert_int_equal(kill(frozen[i], SIGSTOP), 0);
    }
    PQclear(res);
    guard_backends();
}

static void wake_backends(void)
{
    wake_all();
    memset(frozen, 0, sizeof(frozen));
    if (guard > 0) {
        (void)kill(guard, SIGKILL);
        (void)waitpid(guard, NULL, 0);
    }
    guard = 0;
}

/* --- Postgres ---------------------------------------------------------------- */

/* It still has Kafka and the sandbox, and its successor does, too. */
static void cut_off_from_the_ledger_it_publishes_no_more(void **state)
{
    struct cell c;

    (void)state;
    begin(&c, "cut off from Postgres");
    freeze_backends(&c);
    cell_worker(&c, 1, NULL, NULL);
    cell_await_log(&c, "event=lease.lapsed", CELL_WAIT_MS);
    cell_await(&c, TAKEN_OVER, "1");
    cell_go_on(&c); /* the rest of the lines: both could have them */
    cell_await(&c, ENDED, "1");
    wake_backends();
    cell_await_log(&c, "event=run.deposed", CELL_WAIT_MS);
    end(&c, "2");
}

static void an_outage_of_the_ledger_moves_no_claim(void **state)
{
    struct cell c;

    (void)state;
    begin(&c, "Postgres is away for two leases");
    cell_worker(&c, 1, NULL, NULL);
    cell_await(&c, "SELECT count(*) FROM ledger.workers WHERE counter > 3", "2");
    freeze_backends(&c);
    int64_t until = clock_boot_ms() + 2 * LEASE_MS + LEASE_MS / 2;
    cell_await_log(&c, "event=lease.lapsed", CELL_WAIT_MS);
    while (clock_boot_ms() < until) /* what is proved needs the time to pass */
        cell_nap();
    wake_backends();
    cell_await_log(&c, "event=lease.regained", CELL_WAIT_MS);
    cell_go_on(&c);
    end(&c, "1");
}

/* --- the worker itself ------------------------------------------------------- */

static void one_that_was_asleep_disturbs_nobody(void **state)
{
    struct cell c;

    (void)state;
    begin(&c, "asleep for three leases");
    assert_int_equal(kill(c.workers[0], SIGSTOP), 0);
    int64_t until = clock_boot_ms() + 3 * LEASE_MS;
    cell_worker(&c, 1, NULL, NULL);
    cell_await(&c, TAKEN_OVER, "1");
    cell_await(&c, "SELECT count(*) FROM ledger.claims WHERE epoch = 2 AND started", "1");
    while (clock_boot_ms() < until)
        cell_nap();
    assert_int_equal(kill(c.workers[0], SIGCONT), 0);
    cell_await_log(&c, "event=run.deposed", 1000);
    cell_expect(&c, TAKEN_OVER, "1");
    assert_int_equal(cell_starts(&c), 1);
    cell_go_on(&c);
    end(&c, "2");
}

/* --- the sandbox service ----------------------------------------------------- */

enum { RUNS = 8 };

static void while_the_service_is_away_runs_wait(void **state)
{
    struct cell c;
    AUTO_BUF agent = BUF_INIT(8192);

    (void)state;
    faults_set("[{\"on\":\"POST /v2/sandboxes\",\"times\":0,\"do\":\"answer\",\"status\":503,"
               "\"headers\":{\"Should-Retry\":\"false\"}}]");
    cell_open(&c, "the sandbox service is away", 1000 + nth++);
    cell_agent(&c, false, &agent);
    cell_go_on(&c);
    for (unsigned i = 0; i < RUNS; i++) {
        c.run_id[UUID_TEXT - 2] = (char)('0' + i);
        cell_submit(&c, agent.p, "");
    }
    cell_worker(&c, 0, NULL, NULL);
    cell_await_log(&c, "event=sandboxes.down", CELL_WAIT_MS);
    cell_await(&c, "SELECT count(*) FROM ledger.claims WHERE state = 'waiting'", "8");
    cell_expect(
        &c, "SELECT count(*) >= 5 FROM ledger.claims WHERE hold_reason = 'sandbox_service_down'",
        "t");
    faults_set("[]");
    cell_await_log(&c, "event=sandboxes.up", CELL_WAIT_MS);
    cell_await(&c, ENDED, "8");
    cell_expect(&c, "SELECT sum(failures) + sum(uncounted) FROM ledger.claims", "0");
    assert_int_equal(cell_starts(&c), RUNS);
    cell_stop(&c, 0);
    cell_close(&c);
}

static int up(void **state)
{
    fx_not_isolated = true;
    return fx_up(state) == 0 ? cell_make_template(state) : -1;
}

static int down(void **state)
{
    wake_backends(); /* of a test that failed */
    (void)cell_drop_template(state);
    return fx_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_off_from_the_ledger_it_publishes_no_more),
        cmocka_unit_test(an_outage_of_the_ledger_moves_no_claim),
        cmocka_unit_test(one_that_was_asleep_disturbs_nobody),
        cmocka_unit_test(while_the_service_is_away_runs_wait)};
    return cmocka_run_group_tests_name("cut off", tests, up, down);
}
