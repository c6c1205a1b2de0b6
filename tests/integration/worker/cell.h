/* SPDX-License-Identifier: Apache-2.0 */
/* A cell: topics, a database and workers for one run and nobody else, on the servers of
 * ops/test and fixture.h's sandboxd. What became of the run is read from the log, by the
 * judge that all readers use, from the ledger, and from what the agent left outside.
 * Cells do not meet, so that many of them may be under way at once. */
#ifndef SANDFLEET_TESTS_WORKER_CELL_H
#define SANDFLEET_TESTS_WORKER_CELL_H

#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/kafka/kafka.h"
#include "schema/event.h"
#include "schema/judge.h"
#include "schema/migrate.h"
#include "schema/topics.h"

enum { CELL_LINES = 8, CELL_WORKERS = 2, CELL_WAIT_MS = 60000, CELL_ARGS = 48 };

struct cell {
    const char *name; /* borrowed: told with every failure */
    char run_id[UUID_TEXT], prefix[64], database[64], conninfo[1024], ledger_id[UUID_TEXT];
    char log[128], starts[128]; /* of all workers; one line of the agent's a start */
    struct topics topics;
    PGconn *pg;
    pid_t workers[CELL_WORKERS];
};

#define CELL_MUST(c, call)                                                                         \
    do {                                                                                           \
        struct err err = ERR_INIT;                                                                 \
        if ((call) != ERR_OK)                                                                      \
            fail_msg("%s: %s: %s", (c)->name, #call, err.msg);                                     \
    } while (0)

static inline const char *cell_server(const char *variable)
{
    const char *value = getenv(variable);

    if (!value || !*value)
        fail_msg("%s is not set: run this by ops/test, or source the env file of `ops/dev up`",
                 variable);
    return value;
}

static inline void cell_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
}

/* --- the database ------------------------------------------------------------ */

/* The statement's first value; NULL and no row are "". Good until the next call. */
static inline const char *cell_ask(struct cell *c, const char *sql)
{
    static char text[4096];
    PGresult *res = PQexec(c->pg, sql);

    if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK)
        fail_msg("%s: %s: %s", c->name, sql, PQerrorMessage(c->pg));
    (void)snprintf(text, sizeof(text), "%s", PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "");
    PQclear(res);
    return text;
}

static inline void cell_expect(struct cell *c, const char *sql, const char *want)
{
    const char *got = cell_ask(c, sql);

    if (strcmp(got, want) != 0)
        fail_msg("%s: %s\n  gave %s\n  not  %s\n  log: %s", c->name, sql, got, want, c->log);
}

static inline void cell_await(struct cell *c, const char *sql, const char *want)
{
    int64_t until = clock_boot_ms() + CELL_WAIT_MS;

    while (strcmp(cell_ask(c, sql), want) != 0) {
        if (clock_boot_ms() > until)
            cell_expect(c, sql, want);
        cell_nap();
    }
}

static inline bool cell_logged(const struct cell *c, const char *text)
{
    static char all[1 << 20];
    FILE *f = fopen(c->log, "r");
    size_t n = f ? fread(all, 1, sizeof(all) - 1, f) : 0;

    if (f)
        (void)fclose(f);
    all[n] = '\0';
    return strstr(all, text) != NULL;
}

static inline void cell_await_log(const struct cell *c, const char *text, int64_t within_ms)
{
    int64_t until = clock_boot_ms() + within_ms;

    while (!cell_logged(c, text)) {
        if (clock_boot_ms() > until)
            fail_msg("%s: no '%s' in %s", c->name, text, c->log);
        cell_nap();
    }
}

static inline PGconn *cell_connect(const char *conninfo)
{
    PGconn *pg = PQconnectdb(conninfo);

    if (PQstatus(pg) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(pg));
    return pg;
}

/* "CREATE DATABASE", the name, and what follows it. */
static inline void cell_admin(const char *verb, const char *database, const char *rest)
{
    char sql[256];
    PGconn *admin = cell_connect(cell_server("SANDFLEET_DATABASE"));

    (void)snprintf(sql, sizeof(sql), "%s %s %s", verb, database, rest);
    PGresult *res = PQexec(admin, sql);
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(admin));
    PQclear(res);
    PQfinish(admin);
}

/* What the runs go by, sealed: so a kill between its upload and the agent's start is one, too. */
static inline void cell_add_credential(const char *conninfo)
{
    char command[4096];

    (void)snprintf(command, sizeof(command),
                   "'%s/sandfleet' cred add default --kind oauth --database \"$CELL_DATABASE\""
                   " >/dev/null",
                   cell_server("SANDFLEET_BIN"));
    assert_int_equal(setenv("CELL_DATABASE", conninfo, 1), 0);
    FILE *to = popen(command, "w");
    assert_non_null(to);
    (void)fputs("a-token-of-the-cells-agents", to);
    if (pclose(to) != 0)
        fail_msg("`%s` failed", command);
}

static char cell_template[64]; /* a database with all tables, copied for each cell */

static inline int cell_make_template(void **state)
{
    char conninfo[1024];
    FILE *quiet = fopen("/dev/null", "w");
    struct err err = ERR_INIT;

    (void)state;
    (void)snprintf(cell_template, sizeof(cell_template), "cells_%d", (int)getpid());
    cell_admin("CREATE DATABASE", cell_template, "");
    (void)snprintf(conninfo, sizeof(conninfo), "%s dbname=%s", cell_server("SANDFLEET_DATABASE"),
                   cell_template);
    if (migrate_apply(conninfo, quiet, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    (void)fclose(quiet);
    cell_add_credential(conninfo);
    return 0;
}

static inline int cell_drop_template(void **state)
{
    (void)state;
    cell_admin("DROP DATABASE", cell_template, "WITH (FORCE)");
    return 0;
}

static inline void cell_open_database(struct cell *c)
{
    char copy_of[80];

    (void)snprintf(c->conninfo, sizeof(c->conninfo), "%s dbname=%s",
                   cell_server("SANDFLEET_DATABASE"), c->database);
    (void)snprintf(copy_of, sizeof(copy_of), "TEMPLATE %s", cell_template);
    cell_admin("CREATE DATABASE", c->database, copy_of);
    c->pg = cell_connect(c->conninfo);
    /* Its sandboxes carry this id: a copy of the template's would be another cell's. */
    (void)snprintf(c->ledger_id, sizeof(c->ledger_id), "%.36s",
                   cell_ask(c, "UPDATE ledger.installation SET id = gen_random_uuid() "
                               "RETURNING id"));
}

/* --- the topics -------------------------------------------------------------- */

static inline void cell_open_topics(struct cell *c)
{
    struct kafka_admin *admin;
    FILE *quiet = fopen("/dev/null", "w");

    CELL_MUST(c, topics_load(c->prefix, &c->topics, &err));
    for (size_t t = 0; t < TOPICS; t++)
        c->topics.partitions[t] = 1;
    const struct kafka_conf conf = {.brokers = cell_server("SANDFLEET_BROKERS")};
    CELL_MUST(c, kafka_admin_new(&conf, &admin, &err));
    CELL_MUST(c, topics_apply(&c->topics, admin, false, quiet, &err));
    kafka_admin_free(admin);
    (void)fclose(quiet);
}

/* The agent: a script that says CELL_LINES lines, each with its own number. In the middle it
 * waits for cell_go_on(). fails: the first one to start gives up behind its fourth line. */
static inline void cell_agent(const struct cell *c, bool fails, struct buf *out)
{
    buf_addf(out, "echo start >>%s\n", c->starts);
    buf_adds(out,
             "s='\"session_id\":\"7f2a5c1e-1b1d-4c62-9d5f-0123456789ab\"'\n"
             "echo '{\"type\":\"system\",\"subtype\":\"init\",'\"$s\"',\"k\":1}'\n"
             "for k in 2 3 4 5 6 7; do\n"
             "echo '{\"type\":\"assistant\",\"message\":{\"content\":[]},'\"$s\"',\"k\":'$k'}'\n"
             "[ $k != 5 ] || ");
    buf_addf(out, "until [ -e %s.go ]; do sleep 0.02; done\n", c->starts);
    if (fails)
        buf_addf(out, "[ $k != 4 ] || [ $(wc -l <%s) != 1 ] || exit 1\n", c->starts);
    buf_adds(out, "done\n"
                  "echo '{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,'"
                  "'\"result\":\"done\",'\"$s\"',\"k\":8}'\n");
    buf_adds(out, "mkdir -p ~/.claude/projects/x\n"
                  "echo {} >~/.claude/projects/x/7f2a5c1e-1b1d-4c62-9d5f-0123456789ab.jsonl\n");
}

static inline void cell_go_on(const struct cell *c)
{
    char path[160];

    (void)snprintf(path, sizeof(path), "%s.go", c->starts);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0 && close(fd) == 0);
}

/* One request, of which the prompt is the agent. more: ",\"name\":value…". */
static inline void cell_submit(struct cell *c, const char *script, const char *more)
{
    struct producer *p;
    AUTO_BUF json = BUF_INIT(64 << 10);
    const struct kafka_conf conf = {.brokers = cell_server("SANDFLEET_BROKERS")};

    buf_adds(&json, "{\"v\":1,\"created_at\":\"2026-11-21T00:00:00Z\"");
    json_kv(&json, "run_id", c->run_id);
    json_kv(&json, "prompt", script);
    buf_addf(&json, "%s}", more);
    CELL_MUST(c, producer_new(fx.loop, &conf, &(struct producer_opts){0}, &p, &err));
    CELL_MUST(c, producer_send(p, c->topics.name[TOPIC_BATCH], str_of(c->run_id), buf_str(&json),
                               NULL, 0, NULL, NULL, &err));
    assert_true(producer_flush(p, CELL_WAIT_MS));
    producer_free(p);
}

/* --- workers ----------------------------------------------------------------- */

static inline const char *cell_program(const char *fault)
{
    static char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", cell_server("SANDFLEET_BIN"),
                   fault ? "../tests/worker.faults" : "sandfleet-worker");
    return path;
}

/* fault: where it is killed; NULL: nowhere. more: further arguments, NULL-terminated. */
static inline void cell_worker(struct cell *c, size_t i, const char *fault, const char *const *more)
{
    const char *path = cell_program(fault);
    const char *argv[CELL_ARGS] = {path,
                                   "--brokers",
                                   cell_server("SANDFLEET_BROKERS"),
                                   "--database",
                                   c->conninfo,
                                   "--prefix",
                                   c->prefix,
                                   "--e2b-api-url",
                                   fx.url,
                                   "--e2b-sandbox-url",
                                   fx.url,
                                   "--lease",
                                   "1s",
                                   "--janitor",
                                   "300ms",
                                   "--janitor-grace",
                                   "300ms",
                                   "--drain",
                                   "0s",
                                   "--log-level",
                                   "debug",
                                   "-X",
                                   "session.timeout.ms=1500",
                                   "-X",
                                   "heartbeat.interval.ms=300"};
    size_t n = 25;

    for (; more && *more && n < CELL_ARGS - 1; more++)
        argv[n++] = *more;
    c->workers[i] = fx_fork();
    if (c->workers[i] == 0) {
        int fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        if (fault)
            (void)setenv("SANDFLEET_FAULT", fault, 1);
        (void)setenv("PGOPTIONS", "-c role=sandfleet_worker", 1); /* its rights, and no more */
        (void)setenv("E2B_API_KEY", FIXTURE_KEY, 1);
        (void)setenv("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-test", 1);
        (void)dup2(fd, STDERR_FILENO);
        (void)execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_true(c->workers[i] > 0);
}

/* Its exit status, 128 + signal when one ended it; -1: it is still there. */
static inline int cell_ended(struct cell *c, size_t i)
{
    int status;

    if (waitpid(c->workers[i], &status, WNOHANG) == 0)
        return -1;
    c->workers[i] = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void cell_stop(struct cell *c, size_t i)
{
    int64_t until = clock_boot_ms() + CELL_WAIT_MS;
    int status;

    (void)kill(c->workers[i], SIGTERM);
    while ((status = cell_ended(c, i)) < 0) {
        if (clock_boot_ms() > until)
            fail_msg("%s: the worker does not end; log: %s", c->name, c->log);
        cell_nap();
    }
    if (status != 0)
        fail_msg("%s: the worker ended with %d; log: %s", c->name, status, c->log);
}

/* --- what became of the run -------------------------------------------------- */

struct cell_log { /* of the events topic */
    struct cell *cell;
    struct judge judge;
    int64_t records, wanted;           /* read so far; there are so many */
    int lines, verdicts, terminals;    /* that count */
    int64_t highest_epoch, old_behind; /* records of an epoch behind one of a higher one */
    int of[EVENT_TYPES];               /* that count, by type */
    char state[64];                    /* of the terminal */
};

static inline void cell_check_line(struct cell *c, const struct event *e)
{
    AUTO_BUF data = BUF_INIT(EVENT_DATA_MAX_BYTES);
    char want[32];

    buf_addstr(&data, e->data);
    (void)snprintf(want, sizeof(want), "\"k\":%d}", (int)e->n);
    if (!data.p || !strstr(data.p, want))
        fail_msg("%s: line %d holds %s", c->name, (int)e->n, data.p);
}

static inline void cell_count(struct cell_log *l, const struct event *e)
{
    if (event_is_line(e->type)) {
        l->lines++;
        cell_check_line(l->cell, e);
    }
    l->of[e->type]++;
    l->verdicts += e->type == EVENT_ATTEMPT_ENDED;
    if (!event_is_terminal(e->type))
        return;
    l->terminals++;
    (void)snprintf(l->state, sizeof(l->state), "%s", event_type_name(e->type));
}

static inline void cell_on_record(void *ctx, struct kafka_record *r)
{
    struct cell_log *l = ctx;
    struct event_view v;
    int64_t missing;

    CELL_MUST(l->cell, event_read(r->key, r->value, &v, &err));
    l->old_behind += v.event.epoch < l->highest_epoch;
    if (v.event.epoch > l->highest_epoch)
        l->highest_epoch = v.event.epoch;
    switch (judge_next(&l->judge, &v.event, &missing)) {
    case JUDGE_STORE:
        cell_count(l, &v.event);
        break;
    case JUDGE_GAP:
        fail_msg("%s: %d lines are missing; log: %s", l->cell->name, (int)missing, l->cell->log);
        break;
    case JUDGE_REPEAT:
    case JUDGE_SUPERSEDED:
        break;
    }
    if (++l->records == l->wanted)
        loop_stop(fx.loop);
}

static inline void cell_on_failed(void *ctx, const struct err *e)
{
    fail_msg("%s: %s", ((struct cell_log *)ctx)->cell->name, e->msg);
}

/* Reads all of the events topic. */
static inline struct cell_log cell_read_log(struct cell *c)
{
    static const struct consumer_events events = {.record = cell_on_record,
                                                  .failed = cell_on_failed};
    const char *topic = c->topics.name[TOPIC_EVENTS];
    const struct partition from = {.topic = topic, .offset = 0};
    const struct kafka_conf conf = {.brokers = cell_server("SANDFLEET_BROKERS")};
    struct cell_log log = {.cell = c};
    struct kafka_admin *admin;
    struct consumer *consumer;
    int64_t low;

    CELL_MUST(c, kafka_admin_new(&conf, &admin, &err));
    CELL_MUST(c, kafka_admin_offsets(admin, topic, 0, CELL_WAIT_MS, &low, &log.wanted, &err));
    kafka_admin_free(admin);
    if (log.wanted == 0)
        return log;
    CELL_MUST(c, consumer_new(fx.loop, &conf, &(struct consumer_opts){0}, &events, &log, &consumer,
                              &err));
    CELL_MUST(c, consumer_assign(consumer, &from, 1, &err));
    fx_run();
    consumer_free(consumer);
    return log;
}

/* How often the agent was started. */
static inline int cell_starts(const struct cell *c)
{
    FILE *f = fopen(c->starts, "r");
    int n = 0;

    for (int ch; f && (ch = getc(f)) != EOF;)
        n += ch == '\n';
    if (f)
        (void)fclose(f);
    return n;
}

struct cell_sandboxes {
    int n;
    struct err e;
};

static inline void cell_on_sandbox(void *ctx, const struct sandbox_info *info)
{
    (void)info;
    ((struct cell_sandboxes *)ctx)->n++;
}

static inline void cell_on_listed(void *ctx, const struct err *e)
{
    ((struct cell_sandboxes *)ctx)->e = *e;
    loop_stop(fx.loop);
}

/* How many sandboxes the service has of this cell. */
static inline int cell_sandboxes(struct cell *c, struct sandbox_service *s)
{
    const char *const mine[] = {"ledger", c->ledger_id, NULL};
    const struct sandbox_query query = {.metadata = mine};
    struct cell_sandboxes found = {0};
    struct sandbox_list *list;

    CELL_MUST(c, sandbox_list(s, &query, cell_on_sandbox, cell_on_listed, &found, &list, &err));
    fx_run();
    if (found.e.code != ERR_OK)
        fail_msg("%s: %s", c->name, found.e.msg);
    return found.n;
}

/* --- life -------------------------------------------------------------------- */

static inline void cell_open(struct cell *c, const char *name, unsigned nth)
{
    const char *dir = getenv("SANDFLEET_TEST_DIR");
    int pid = (int)getpid();

    *c = (struct cell){.name = name};
    (void)snprintf(c->run_id, sizeof(c->run_id), "01990000-0000-7000-8000-%06x%06x", (unsigned)pid,
                   nth);
    (void)snprintf(c->prefix, sizeof(c->prefix), "cell-%d-%u.", pid, nth);
    (void)snprintf(c->database, sizeof(c->database), "cell_%d_%u", pid, nth);
    (void)snprintf(c->log, sizeof(c->log), "%s/cell-%d-%u.log", dir ? dir : "/tmp", pid, nth);
    (void)snprintf(c->starts, sizeof(c->starts), "%s/starts-%u", fx.dir, nth);
    (void)unlink(c->log);
    int fd = open(c->starts, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0 && fchmod(fd, 0666) == 0 && close(fd) == 0);
    cell_open_topics(c);
    cell_open_database(c);
}

static inline void cell_close(struct cell *c)
{
    for (size_t i = 0; i < CELL_WORKERS; i++)
        if (c->workers[i] > 0) {
            (void)kill(c->workers[i], SIGKILL);
            (void)waitpid(c->workers[i], NULL, 0);
        }
    PQfinish(c->pg);
    cell_admin("DROP DATABASE", c->database, "WITH (FORCE)");
    topics_release(&c->topics);
}

#endif
