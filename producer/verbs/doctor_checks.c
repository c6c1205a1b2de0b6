/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of Kafka and of Postgres. Blocks; whoever calls has a deadline. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/pg/pg_once.h"
#include "producer/command.h"
#include "producer/config/config.h"
#include "producer/mask.h"
#include "producer/verbs/doctor.h"
#include "schema/migrate.h"
#include "common/banned.h"

enum {
    PG_LEAST = 150000, /* as PQserverVersion() tells it */
    SKEW_MS = 2000,    /* what clocks may differ by: times of events are compared by people only */
    MOVES_MS = 700     /* between two looks at the sink's position */
};

/* --- configuration -------------------------------------------------------------------- */

void doctor_config(const struct doctor_settings *s, struct doctor_result *r)
{
    const struct call *call = s->client.call;
    const struct config *c = call->config;

    if (call->config_fault.code != ERR_OK) {
        doctor_failed(r, ERR_CONFIG, "%s", call->config_fault.msg);
        doctor_next(r, "mend that line; until then the other checks go by flags, environment and "
                       "defaults alone (sandfleet config show)");
    } else if (!config_path(c)) {
        doctor_ok(r, "no file; flags, environment and defaults decide");
    } else {
        doctor_ok(r, "%.300s, %s%s", config_path(c), config_profile(c) ? "profile " : "no profile",
                  config_profile(c) ? config_profile(c) : "");
    }
}

/* --- Kafka ------------------------------------------------------------------------------ */

static enum err_code open_kafka(const struct doctor_settings *s, struct topics *topics,
                                struct kafka_admin **admin, struct err *err)
{
    struct kafka_conf conf = client_kafka(&s->client);

    if (topics_load(s->client.prefix, topics, err) != ERR_OK)
        return err->code;
    return kafka_admin_new(&conf, admin, err);
}

void doctor_kafka(const struct doctor_settings *s, struct doctor_result *r)
{
    struct kafka_admin *admin = NULL;
    struct topics topics = {0};
    struct err err = ERR_INIT;
    int32_t partitions;

    if (open_kafka(s, &topics, &admin, &err) == ERR_OK &&
        kafka_admin_partitions(admin, topics.name[TOPIC_EVENTS], s->deadline_ms * 9 / 10,
                               &partitions, &err) == ERR_OK) {
        doctor_ok(r, "%.400s", s->client.brokers);
        return;
    }
    doctor_failed(r, err.code, "%s", err.msg);
    if (err.code == ERR_USAGE)
        doctor_next(r, "mend the flag -X");
    else if (err.code == ERR_CONFIG || err.code == ERR_UNAUTHORIZED)
        doctor_next(r, "what is said to librdkafka: sandfleet config show, kafka-prop");
    else
        doctor_next(r, "is a broker there, and does it advertise an address that can be reached "
                       "from here? --brokers, SANDFLEET_BROKERS; here: ops/dev status");
}

void doctor_topics(const struct doctor_settings *s, struct doctor_result *r)
{
    struct kafka_admin *admin = NULL;
    struct topics topics = {0};
    struct err err = ERR_INIT;
    char *text = NULL;
    size_t n = 0;
    FILE *told = open_memstream(&text, &n);

    if (!told) {
        doctor_failed(r, ERR_NOMEM, "out of memory");
        doctor_next(r, "free some");
    } else if (open_kafka(s, &topics, &admin, &err) != ERR_OK ||
               topics_compare(&topics, admin, told, &err) != ERR_OK) {
        doctor_failed(r, err.code, "%s", err.msg);
        doctor_next(r, "sandfleet topics apply, which says what it cannot change; --prefix is '%s'",
                    s->client.prefix);
    } else {
        (void)fflush(told);
        doctor_ok(r, "%d topics with prefix '%s'%s%.300s", (int)TOPICS, s->client.prefix,
                  n > 0 ? "; " : "", n > 0 ? text : "");
    }
    if (told)
        (void)fclose(told);
    free(text);
}

/* --- Postgres ----------------------------------------------------------------------------- */

static enum err_code open_database(const struct doctor_settings *s, PGconn **conn, struct err *err)
{
    return pg_once_open(s->client.database, "sandfleet doctor", conn, err);
}

/* What every check behind the first meets: it was there a moment ago. */
static bool ask(const struct doctor_settings *s, struct doctor_result *r, PGconn **conn,
                const char *sql, PGresult **res)
{
    struct err err = ERR_INIT;

    if ((!*conn && open_database(s, conn, &err) != ERR_OK) ||
        pg_once(*conn, sql, 0, NULL, res, &err) != ERR_OK) {
        doctor_failed(r, err.code, "%s", err.msg);
        doctor_next(r, "may this user read the schemas fleet and ledger?");
        return false;
    }
    return true;
}

void doctor_database(const struct doctor_settings *s, struct doctor_result *r)
{
    AUTO_BUF shown = BUF_INIT(4096);
    AUTO_CONN *conn = NULL;
    struct err err = ERR_INIT;

    if (!s->client.database) {
        doctor_skipped(r, "as no --database (SANDFLEET_DATABASE) is given; only administration, "
                          "workers, sink and API need it");
        return;
    }
    mask_conninfo(&shown, s->client.database);
    if (open_database(s, &conn, &err) != ERR_OK) {
        doctor_failed(r, err.code, "%s", err.msg);
        doctor_next(r, "is the server up, and are name, user and password right? it is %.250s",
                    shown.p ? shown.p : "***");
    } else if (PQserverVersion(conn) < PG_LEAST) {
        doctor_failed(r, ERR_CONFIG, "PostgreSQL %d is too old", PQserverVersion(conn) / 10000);
        doctor_next(r, "PostgreSQL 15 or a later one is needed");
    } else {
        doctor_ok(r, "PostgreSQL %d, %.400s", PQserverVersion(conn) / 10000, shown.p);
    }
}

void doctor_migrations(const struct doctor_settings *s, struct doctor_result *r)
{
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;
    struct err err = ERR_INIT;

    if (!ask(s, r, &conn, migrate_version_sql, &res))
        return;
    if (migrate_judge(pg_int(res, 0, 0), &err) == ERR_OK) {
        doctor_ok(r, "version %d", (int)SCHEMA_VERSION);
        return;
    }
    doctor_failed(r, err.code, "%s", err.msg);
    doctor_next(r, pg_int(res, 0, 0) > SCHEMA_VERSION ? "use a sandfleet of the database's version"
                                                      : "sandfleet migrate");
}

/* The answer was made between the question and its arrival: half of that is what is unknown. */
void doctor_clock(const struct doctor_settings *s, struct doctor_result *r)
{
    AUTO_CONN *conn = NULL;
    AUTO_RES *warm = NULL, *res = NULL;
    int64_t before, after, skew, unsure;

    if (!ask(s, r, &conn, "SELECT 1", &warm))
        return;
    before = clock_wall_ms();
    if (!ask(s, r, &conn, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", &res))
        return;
    after = clock_wall_ms();
    unsure = (after - before) / 2;
    skew = pg_int(res, 0, 0) - (before + unsure);
    if (llabs(skew) <= SKEW_MS + unsure) {
        doctor_ok(r, "%+" PRId64 " ms, give or take %" PRId64, skew, unsure + 1);
        return;
    }
    doctor_failed(r, ERR_CONFIG, "the database's clock is %" PRId64 " ms %s this machine's",
                  (int64_t)llabs(skew), skew > 0 ? "ahead of" : "behind");
    doctor_next(r, "let both take their time from the same place (NTP): limits, expiry and "
                   "schedules go by the database's");
}

/* --- workers ------------------------------------------------------------------------------ */

void doctor_workers(const struct doctor_settings *s, struct doctor_result *r)
{
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;
    char sql[512];
    int64_t alive, silent;

    (void)snprintf(
        sql, sizeof sql,
        "SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh),"
        " coalesce(sum(slots) FILTER (WHERE fresh), 0),"
        " coalesce(string_agg(worker_id || ' on ' || host, ', ') FILTER (WHERE NOT fresh), '')"
        " FROM (SELECT *, beat_at > now() - %" PRId64 " * interval '1 ms' AS fresh"
        " FROM ledger.workers) w",
        s->lease_ms * 3 / 2);
    if (!ask(s, r, &conn, sql, &res))
        return;
    alive = pg_int(res, 0, 0);
    silent = pg_int(res, 0, 1);
    if (alive == 0) {
        doctor_failed(r, ERR_UNAVAILABLE,
                      silent ? "none is alive; silent: %.300s" : "none is there%s",
                      silent ? pg_text(res, 0, 3) : "");
        doctor_next(r,
                    "start sandfleet-worker; runs wait on Kafka meanwhile. Its log and /readyz say "
                    "why one does not take runs");
        return;
    }
    doctor_ok(r, "%" PRId64 " alive, %" PRId64 " slots%s%.300s", alive, pg_int(res, 0, 2),
              silent ? "; silent: " : "", silent ? pg_text(res, 0, 3) : "");
}

/* --- sink --------------------------------------------------------------------------------- */

struct position {
    int64_t behind; /* records that are on Kafka and not in the tables */
    int64_t idle_s; /* since it last moved; -1: never did */
    int64_t sinks;  /* connections */
};

static const char position_sql[] =
    "SELECT topic, partition, next,"
    " extract(epoch FROM now() - updated_at)::bigint FROM fleet.sink_offsets";

/* Where the sink stands in this partition; -1: nowhere yet. */
static int64_t next_of(const PGresult *res, const char *topic, int32_t partition, int64_t *idle_s)
{
    for (int row = 0; row < PQntuples(res); row++) {
        if (*idle_s < 0 || pg_int(res, row, 3) < *idle_s)
            *idle_s = pg_int(res, row, 3);
    }
    for (int row = 0; row < PQntuples(res); row++)
        if (strcmp(pg_text(res, row, 0), topic) == 0 && pg_int(res, row, 1) == partition)
            return pg_int(res, row, 2);
    return -1;
}

static enum err_code add_topic(struct kafka_admin *admin, const char *topic, const PGresult *res,
                               struct position *p, struct err *err)
{
    int32_t partitions = 0;

    if (kafka_admin_partitions(admin, topic, 5000, &partitions, err) != ERR_OK)
        return err->code;
    for (int32_t i = 0; i < partitions; i++) {
        int64_t low, high, next = next_of(res, topic, i, &p->idle_s);

        if (kafka_admin_offsets(admin, topic, i, 5000, &low, &high, err) != ERR_OK)
            return err->code;
        next = next < low ? low : next;
        p->behind += high > next ? high - next : 0;
    }
    return ERR_OK;
}

static bool look(const struct doctor_settings *s, struct doctor_result *r, PGconn **conn,
                 struct kafka_admin *admin, const struct topics *topics, struct position *p)
{
    static const enum topic read_by_sink[] = {TOPIC_INTERACTIVE, TOPIC_BATCH, TOPIC_EVENTS};
    AUTO_RES *res = NULL, *sinks = NULL;
    struct err err = ERR_INIT;

    *p = (struct position){.idle_s = -1};
    if (!ask(s, r, conn, position_sql, &res) ||
        !ask(s, r, conn,
             "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sandfleet-sink'",
             &sinks))
        return false;
    p->sinks = pg_int(sinks, 0, 0);
    for (size_t i = 0; i < COUNTOF(read_by_sink); i++)
        if (add_topic(admin, topics->name[read_by_sink[i]], res, p, &err) != ERR_OK) {
            doctor_failed(r, err.code, "%s", err.msg);
            doctor_next(r,
                        "Kafka answers, but not for this topic; its log says why, and it may pass");
            return false;
        }
    return true;
}

static void judge_sink(struct doctor_result *r, const struct position *p, int64_t moved)
{
    char idle[48] = "it never committed";

    if (p->idle_s >= 0)
        (void)snprintf(idle, sizeof idle, "its last commit was %" PRId64 " s ago", p->idle_s);
    if (p->behind == 0 && p->sinks > 0)
        doctor_ok(r, "up to date; %s", idle);
    else if (p->behind > 0 && moved > 0)
        doctor_ok(r, "%" PRId64 " records behind, and catching up", p->behind);
    else if (p->behind == 0)
        doctor_failed(r, ERR_UNAVAILABLE, "all is read, but no sink is connected to the database");
    else
        doctor_failed(r, ERR_UNAVAILABLE,
                      "%" PRId64 " records behind and not moving; %s, %" PRId64
                      " connected to the database",
                      p->behind, idle, p->sinks);
    if (r->state == DOCTOR_FAILED)
        doctor_next(r, "start sandfleet-sink, or read its log: tables and API show nothing new "
                       "meanwhile, and nothing is lost while the topics keep it");
}

/* Behind is no fault as long as it moves; so it is looked at again for half of the time there is.
 */
void doctor_sink(const struct doctor_settings *s, struct doctor_result *r)
{
    int64_t until = clock_boot_ms() + s->deadline_ms / 2, moved = 0;
    struct position first, now;
    struct kafka_admin *admin = NULL;
    struct topics topics = {0};
    AUTO_CONN *conn = NULL;
    struct err err = ERR_INIT;

    if (open_kafka(s, &topics, &admin, &err) != ERR_OK) {
        doctor_failed(r, err.code, "%s", err.msg);
        doctor_next(r, "sandfleet config show");
        return;
    }
    if (!look(s, r, &conn, admin, &topics, &first))
        return;
    now = first;
    while (now.behind > 0 && moved <= 0 && clock_boot_ms() < until) {
        (void)usleep(MOVES_MS * 1000);
        if (!look(s, r, &conn, admin, &topics, &now))
            return;
        moved = first.behind - now.behind;
        if (now.idle_s >= 0 && now.idle_s * 1000 < MOVES_MS)
            moved = 1; /* more came than it took; but it took some */
    }
    judge_sink(r, &now, moved);
}
