/* SPDX-License-Identifier: Apache-2.0 */
/* A laboratory for the sink: topics and a database of the test's own on the servers
 * of ops/test, a producer, and sink processes that may be killed. */
#ifndef SANDFLEET_TESTS_INTEGRATION_SINK_LAB_H
#define SANDFLEET_TESTS_INTEGRATION_SINK_LAB_H

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "common/clock.h"
#include "common/kafka/kafka.h"
#include "common/loop.h"
#include "schema/event.h"
#include "schema/migrate.h"
#include "schema/topics.h"

enum { LAB_WAIT_MS = 120000, LAB_PARTITIONS = 4, LAB_SINKS = 4 };

struct lab {
    char prefix[64], database[64], conninfo[1024], log[128];
    const char *brokers, *admin; /* the admin's conninfo */
    struct topics topics;
    struct loop *loop;
    struct producer *producer;
    struct event_record record;
    PGconn *pg;
    pid_t sinks[LAB_SINKS];
};

static inline const char *lab_server(const char *variable)
{
    const char *value = getenv(variable);
    if (!value || !*value)
        fail_msg("%s is not set: run this by ops/test, or source the env file of `ops/dev up`",
                 variable);
    return value;
}

#define MUST(call)                                                                                 \
    do {                                                                                           \
        struct err err = ERR_INIT;                                                                 \
        if ((call) != ERR_OK)                                                                      \
            fail_msg("%s: %s", #call, err.msg);                                                    \
    } while (0)

/* --- the database --- */

static inline PGconn *lab_connect(const char *conninfo)
{
    PGconn *c = PQconnectdb(conninfo);
    if (PQstatus(c) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(c));
    return c;
}

static inline PGresult *lab_exec(PGconn *c, const char *sql)
{
    PGresult *res = PQexec(c, sql);
    if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    return res;
}

static inline void lab_do(struct lab *lab, const char *sql)
{
    PQclear(lab_exec(lab->pg, sql));
}

/* The statement's first value; NULL becomes "". */
static inline void lab_text(struct lab *lab, const char *sql, char *out, size_t room)
{
    PGresult *res = lab_exec(lab->pg, sql);
    if (PQntuples(res) < 1)
        fail_msg("no row: %s", sql);
    snprintf(out, room, "%s", PQgetvalue(res, 0, 0));
    PQclear(res);
}

static inline int64_t lab_int(struct lab *lab, const char *sql)
{
    char text[64];
    lab_text(lab, sql, text, sizeof(text));
    return strtoll(text, NULL, 10);
}

static inline void lab_expect(struct lab *lab, const char *sql, const char *want)
{
    char got[2048];
    lab_text(lab, sql, got, sizeof(got));
    if (strcmp(got, want) != 0)
        fail_msg("%s\n  gave %s\n  not  %s\n  log: %s", sql, got, want, lab->log);
}

static inline void lab_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
}

/* Awaits that the statement gives at least n. */
static inline void lab_await(struct lab *lab, const char *sql, int64_t n)
{
    int64_t until = clock_boot_ms() + LAB_WAIT_MS, got;
    while ((got = lab_int(lab, sql)) < n) {
        if (clock_boot_ms() > until)
            fail_msg("%s: still %lld, not %lld; log: %s", sql, (long long)got, (long long)n,
                     lab->log);
        lab_nap();
    }
}

/* The sinks' own login, of the role that the migrations left, as everywhere: who only takes the
 * role may not end a session of a sink that is frozen. */
#define LAB_LOGIN "user=lab_sink password=lab_sink"

static inline void lab_login(const char *conninfo)
{
    PGconn *c = lab_connect(conninfo);

    PQclear(lab_exec(c, "DO $$ BEGIN"
                        " CREATE ROLE lab_sink LOGIN PASSWORD 'lab_sink' IN ROLE sandfleet_sink;"
                        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"));
    PQfinish(c);
}

static inline void lab_database(struct lab *lab, const char *suffix)
{
    char sql[128];
    PGconn *admin = lab_connect(lab->admin);
    FILE *quiet = fopen("/dev/null", "w");

    PQfinish(lab->pg);
    snprintf(lab->database, sizeof(lab->database), "sink_test_%d%s", (int)getpid(), suffix);
    snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)", lab->database);
    PQclear(lab_exec(admin, sql));
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s", lab->database);
    PQclear(lab_exec(admin, sql));
    PQfinish(admin);
    snprintf(lab->conninfo, sizeof(lab->conninfo), "%s dbname=%s", lab->admin, lab->database);
    MUST(migrate_apply(lab->conninfo, quiet, &err));
    lab_login(lab->conninfo);
    fclose(quiet);
    lab->pg = lab_connect(lab->conninfo);
}

static inline void lab_drop_database(struct lab *lab)
{
    char sql[128];
    PGconn *admin = lab_connect(lab->admin);
    snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)", lab->database);
    PQclear(lab_exec(admin, sql));
    PQfinish(admin);
}

/* As if nothing had been read yet. */
static inline void lab_clear(struct lab *lab)
{
    lab_do(lab, "TRUNCATE fleet.events, fleet.runs, fleet.attempts, fleet.gaps, fleet.quarantine,"
                " fleet.superseded, fleet.sandboxes, fleet.sink_offsets");
}

enum { LAB_PRINT = 4096 };

/* A line a table of the read model: its name, its rows, and a hash of all their columns but
 * the positions' times. Losses are no part of it: somebody decided them. */
static inline void lab_fingerprint(struct lab *lab, char out[LAB_PRINT])
{
    PGresult *tables = lab_exec(
        lab->pg, "SELECT relname FROM pg_class WHERE relnamespace = 'fleet'::regnamespace"
                 " AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'losses'"
                 " ORDER BY 1");
    char sql[512], line[128];
    size_t used = 0;

    assert_true(PQntuples(tables) >= 11);
    for (int i = 0; i < PQntuples(tables); i++) {
        const char *name = PQgetvalue(tables, i, 0);

        snprintf(sql, sizeof(sql),
                 "SELECT concat_ws(' ', '%s', count(*), md5(string_agg(t::text, E'\\n' ORDER BY"
                 " t::text COLLATE \"C\"))) FROM (SELECT %s FROM fleet.%s) AS t",
                 name, strcmp(name, "sink_offsets") == 0 ? "topic, partition, next" : "*", name);
        lab_text(lab, sql, line, sizeof(line));
        used += (size_t)snprintf(out + used, LAB_PRINT - used, "%s\n", line);
        assert_true(used < LAB_PRINT);
    }
    PQclear(tables);
}

/* The sums, kept batch by batch, are those that the runs give when they are added up anew. */
static inline void lab_check_sums(struct lab *lab)
{
    char kept[LAB_PRINT], anew[LAB_PRINT];

    lab_fingerprint(lab, kept);
    lab_do(lab, "SELECT fleet.derive_all()");
    lab_fingerprint(lab, anew);
    assert_string_equal(kept, anew);
}

/* --- topics and records --- */

static inline void lab_topics(struct lab *lab)
{
    struct kafka_admin *admin;
    FILE *quiet = fopen("/dev/null", "w");

    MUST(topics_load(lab->prefix, &lab->topics, &err));
    for (size_t t = 0; t < TOPICS; t++)
        lab->topics.partitions[t] = LAB_PARTITIONS;
    MUST(kafka_admin_new(&(struct kafka_conf){.brokers = lab->brokers}, &admin, &err));
    MUST(topics_apply(&lab->topics, admin, false, quiet, &err));
    kafka_admin_free(admin);
    fclose(quiet);
}

static inline void lab_send(struct lab *lab, enum topic topic, struct str key, struct str value,
                            const struct kafka_header *headers, size_t n)
{
    struct err err = ERR_INIT;
    enum err_code rc;

    while ((rc = producer_send(lab->producer, lab->topics.name[topic], key, value, headers, n, NULL,
                               NULL, &err)) == ERR_THROTTLED)
        assert_true(producer_flush(lab->producer, LAB_WAIT_MS));
    if (rc != ERR_OK)
        fail_msg("produce: %s", err.msg);
}

static inline void lab_flush(struct lab *lab)
{
    assert_true(producer_flush(lab->producer, LAB_WAIT_MS));
}

static inline const struct event_record *lab_write(struct lab *lab, const char *run_id,
                                                   struct event e)
{
    struct event_run run = {.tenant = "acme",
                            .run_id = run_id,
                            .batch_id = "b-1",
                            .created_ms = INT64_C(1795219200000)};
    if (!e.data.p)
        e.data = STR("{\"text\":\"hello\"}");
    if (!e.time_ms)
        e.time_ms = INT64_C(1795219200000) + 1000 * e.n;
    MUST(event_write(&run, &e, &lab->record, &err));
    return &lab->record;
}

static inline void lab_event(struct lab *lab, const char *run_id, struct event e)
{
    const struct event_record *r = lab_write(lab, run_id, e);
    lab_send(lab, TOPIC_EVENTS, str_of(run_id), buf_str(&r->value), r->headers, r->n_headers);
}

static inline void lab_line(struct lab *lab, const char *run_id, int64_t attempt, int64_t epoch,
                            int64_t n)
{
    lab_event(lab, run_id,
              (struct event){.type = EVENT_AGENT_TEXT,
                             .attempt = attempt,
                             .epoch = epoch,
                             .n = n,
                             .offset = 100 * n});
}

static inline void lab_control(struct lab *lab, const char *run_id, enum event_type type,
                               int64_t attempt, int64_t epoch, int64_t n, const char *data)
{
    lab_event(lab, run_id,
              (struct event){
                  .type = type, .attempt = attempt, .epoch = epoch, .n = n, .data = str_of(data)});
}

static inline void lab_request(struct lab *lab, enum topic topic, const char *run_id,
                               const char *more)
{
    char json[1024];
    snprintf(json, sizeof(json),
             "{\"v\":1,\"run_id\":\"%s\",\"tenant\":\"acme\",\"batch_id\":\"b-1\","
             "\"created_at\":\"2026-11-21T00:00:00Z\",\"prompt\":\"say hi\"%s}",
             run_id, more);
    lab_send(lab, topic, str_of(run_id), str_of(json), NULL, 0);
}

/* The i-th run's id. */
static inline const char *lab_run(unsigned i, char out[UUID_TEXT])
{
    snprintf(out, UUID_TEXT, "01990000-0000-7000-8000-%012x", i);
    return out;
}

/* --- sinks --- */

static inline void lab_sink(struct lab *lab, size_t i, const char *const *args)
{
    char path[512], conninfo[sizeof(lab->conninfo) + sizeof(" " LAB_LOGIN)];
    const char *argv[32] = {path,       "--brokers", lab->brokers,  "--database", conninfo,
                            "--prefix", lab->prefix, "--log-level", "debug"};
    size_t n = 9;

    snprintf(path, sizeof(path), "%s/%s", lab_server("SANDFLEET_BIN"),
             getenv("SANDFLEET_FAULT") ? "../tests/sink.faults" : "sandfleet-sink");
    for (; args && *args && n < COUNTOF(argv) - 1; args++)
        argv[n++] = *args;
    bool owner = n > 9 && strcmp(argv[9], "rebuild") == 0; /* whose work that is */
    snprintf(conninfo, sizeof(conninfo), "%s %s", lab->conninfo, owner ? "" : LAB_LOGIN);
    lab->sinks[i] = fork();
    if (lab->sinks[i] == 0) {
        int fd = open(lab->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is killed leaves nothing behind */
        dup2(fd, STDERR_FILENO);
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_true(lab->sinks[i] > 0);
}

#define LAB_SINK(lab, i, ...)                                                                      \
    lab_sink(lab, i, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* Its exit status; 128 + signal when one ended it. */
static inline int lab_wait(struct lab *lab, size_t i)
{
    int64_t until = clock_boot_ms() + LAB_WAIT_MS;
    int status;

    while (waitpid(lab->sinks[i], &status, WNOHANG) == 0) {
        if (clock_boot_ms() > until)
            fail_msg("the sink does not end; log: %s", lab->log);
        lab_nap();
    }
    lab->sinks[i] = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void lab_kill(struct lab *lab, size_t i)
{
    kill(lab->sinks[i], SIGKILL);
    assert_int_equal(lab_wait(lab, i), 128 + SIGKILL);
}

/* Does it catch SIGTERM, or has it ended? As the kernel tells it. */
static inline bool lab_heeds(const struct lab *lab, size_t i)
{
    unsigned long long caught = ~0ULL; /* of one that has ended nothing is told */
    char path[64], line[256];

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)lab->sinks[i]);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "SigCgt:", 7) == 0)
            caught = strtoull(line + 7, NULL, 16);
    if (f)
        fclose(f);
    return caught >> (SIGTERM - 1) & 1;
}

/* One that began a moment ago would be ended by the signal itself. */
static inline void lab_stop(struct lab *lab, size_t i)
{
    int64_t until = clock_boot_ms() + LAB_WAIT_MS;

    while (!lab_heeds(lab, i)) {
        assert_true(clock_boot_ms() < until);
        lab_nap();
    }
    kill(lab->sinks[i], SIGTERM);
    assert_int_equal(lab_wait(lab, i), 0);
}

/* Awaits a text in the sinks' log. */
static inline void lab_await_log(struct lab *lab, const char *text)
{
    int64_t until = clock_boot_ms() + LAB_WAIT_MS;
    static char all[1 << 20];

    for (;;) {
        FILE *f = fopen(lab->log, "r");
        size_t n = f ? fread(all, 1, sizeof(all) - 1, f) : 0;

        if (f)
            fclose(f);
        all[n] = '\0';
        if (strstr(all, text))
            return;
        if (clock_boot_ms() > until)
            fail_msg("no '%s' in %s", text, lab->log);
        lab_nap();
    }
}

/* --- life --- */

static inline int lab_setup(void **state)
{
    static unsigned nth;
    struct lab *lab = calloc(1, sizeof(*lab));
    const char *dir = getenv("SANDFLEET_TEST_DIR");

    lab->brokers = lab_server("SANDFLEET_BROKERS");
    lab->admin = lab_server("SANDFLEET_DATABASE");
    snprintf(lab->prefix, sizeof(lab->prefix), "sinktest-%d-%u.", (int)getpid(), ++nth);
    snprintf(lab->log, sizeof(lab->log), "%s/sink-%d-%u.log", dir ? dir : "/tmp", (int)getpid(),
             nth);
    (void)unlink(lab->log);
    event_record_init(&lab->record);
    lab_topics(lab);
    lab_database(lab, "");
    MUST(loop_new(&lab->loop, &err));
    MUST(producer_new(lab->loop, &(struct kafka_conf){.brokers = lab->brokers},
                      &(struct producer_opts){.linger_ms = 5}, &lab->producer, &err));
    *state = lab;
    return 0;
}

static inline int lab_teardown(void **state)
{
    struct lab *lab = *state;

    for (size_t i = 0; i < LAB_SINKS; i++) {
        if (lab->sinks[i] <= 0)
            continue;
        kill(lab->sinks[i], SIGKILL);
        waitpid(lab->sinks[i], NULL, 0);
    }
    producer_free(lab->producer);
    loop_free(lab->loop);
    event_record_release(&lab->record);
    topics_release(&lab->topics);
    PQfinish(lab->pg);
    lab_drop_database(lab);
    free(lab);
    return 0;
}

#define LAB_TEST(fn) cmocka_unit_test_setup_teardown(fn, lab_setup, lab_teardown)

#endif
