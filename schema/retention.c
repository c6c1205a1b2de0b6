/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/retention.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/pg/pg_once.h"
#include "common/banned.h"

enum { TRIES = 5, WAIT_MS = 200, SQL_MAX = 512 };

struct retention {
    PGconn *conn;
    char cutoff[16]; /* the first day that stays */
    bool dry_run;
    FILE *out;
    int held; /* days that were left */
};

/* $1 days to keep */
static const char cutoff_sql[] = "SELECT (now() AT TIME ZONE 'UTC')::date - $1::int";

/* $1 the first day that stays: name, day, rows (an estimate; -1: never counted), size, open runs */
static const char days_sql[] =
    "SELECT c.relname, d.day, c.reltuples::bigint, pg_size_pretty(pg_total_relation_size(c.oid)),"
    " (SELECT count(*) FROM fleet.runs AS r WHERE r.run_day = d.day AND NOT r.ended)"
    " FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid"
    " CROSS JOIN LATERAL (SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day) AS d"
    " WHERE i.inhparent = 'fleet.events'::regclass AND c.relname ~ '^events_[0-9]{8}$'"
    " AND d.day < $1::date ORDER BY 2";

/* Events whose day had no partition when they came: those of runs that came to life again behind
 * their retention, and of days that nobody could mean. */
#define BEFORE(table, time) " FROM fleet." table " WHERE " time " < $1::date"
#define COUNT(table, time)  "SELECT count(*)" BEFORE(table, time)
#define DROP_SOME(table, time)                                                                     \
    "WITH gone AS (DELETE FROM fleet." table " WHERE ctid = ANY (ARRAY(SELECT ctid" BEFORE(        \
        table, time) " LIMIT 10000)) RETURNING 1) SELECT count(*) FROM gone"

static const char *const rest_sql[][3] = {
    {"events_default", COUNT("events_default", "run_day"), DROP_SOME("events_default", "run_day")},
    {"quarantine", COUNT("quarantine", "at"), DROP_SOME("quarantine", "at")},
};

/* One transaction a day. Whoever reads fleet.events is in the way for a moment, and everybody
 * else waits behind us: so we wait little, and try again. CONCURRENTLY is not to be had where
 * there is a default partition; the file itself goes when the locks are gone already. */
static enum err_code drop_day(struct retention *r, const char *name, struct err *err)
{
    AUTO_RES *res = NULL;
    char sql[SQL_MAX];

    snprintf(sql, sizeof(sql),
             "BEGIN; SET LOCAL lock_timeout = '1s';"
             " ALTER TABLE fleet.events DETACH PARTITION fleet.%s; DROP TABLE fleet.%s; COMMIT",
             name, name); /* a name of digits: see days_sql */
    return pg_once(r->conn, sql, 0, NULL, &res, err);
}

static enum err_code roll_back(struct retention *r, struct err *err)
{
    AUTO_RES *res = NULL;

    return pg_once(r->conn, "ROLLBACK", 0, NULL, &res, err);
}

/* *held: it could not be had. */
static enum err_code drop_patiently(struct retention *r, const char *name, bool *held,
                                    struct err *err)
{
    *held = false;
    for (int i = 0; i < TRIES; i++) {
        struct err why = ERR_INIT;

        if (drop_day(r, name, &why) == ERR_OK)
            return ERR_OK;
        if (roll_back(r, err) != ERR_OK)
            return err->code;
        if (why.code != ERR_UNAVAILABLE) {
            *err = why;
            return err->code;
        }
        nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000 * 1000}, NULL);
    }
    *held = true;
    return ERR_OK;
}

static enum err_code one_day(struct retention *r, const PGresult *days, int row, struct err *err)
{
    const char *day = pg_text(days, row, 1);
    int64_t rows = pg_int(days, row, 2), open = pg_int(days, row, 4);
    bool held = false;

    if (!r->dry_run && drop_patiently(r, pg_text(days, row, 0), &held, err) != ERR_OK)
        return err_wrap(err, "the events of %s", day);
    r->held += held;
    (void)fprintf(r->out, "%s %s",
                  held         ? "in use, left:"
                  : r->dry_run ? "would drop"
                               : "dropped",
                  day);
    if (rows >= 0)
        (void)fprintf(r->out, ", about %" PRId64 " events", rows);
    (void)fprintf(r->out, ", %s", pg_text(days, row, 3));
    if (open > 0)
        (void)fprintf(r->out, "; %" PRId64 " runs of that day have not ended", open);
    (void)fputc('\n', r->out);
    return ERR_OK;
}

static enum err_code all_days(struct retention *r, struct err *err)
{
    const char *const v[] = {r->cutoff};
    AUTO_RES *days = NULL;
    enum err_code rc = pg_once(r->conn, days_sql, 1, v, &days, err);

    for (int row = 0; rc == ERR_OK && row < PQntuples(days); row++)
        rc = one_day(r, days, row, err);
    return rc;
}

/* A piece at a time, so that no lock is held for long. */
static enum err_code all_rows(struct retention *r, const char *const sql[3], struct err *err)
{
    const char *const v[] = {r->cutoff};
    int64_t total = 0, n = 1;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && n > 0) {
        AUTO_RES *res = NULL;

        rc = pg_once(r->conn, sql[r->dry_run ? 1 : 2], 1, v, &res, err);
        n = rc == ERR_OK ? pg_int(res, 0, 0) : 0;
        total += n;
        if (r->dry_run)
            break;
    }
    if (rc == ERR_OK && total > 0)
        (void)fprintf(r->out, "%s %" PRId64 " rows of %s before %s\n",
                      r->dry_run ? "would delete" : "deleted", total, sql[0], r->cutoff);
    return rc;
}

static enum err_code find_cutoff(struct retention *r, int64_t keep_days, struct err *err)
{
    char days[24];
    const char *const v[] = {days};
    AUTO_RES *res = NULL;

    snprintf(days, sizeof(days), "%" PRId64, keep_days);
    if (pg_once(r->conn, cutoff_sql, 1, v, &res, err) != ERR_OK)
        return err->code;
    snprintf(r->cutoff, sizeof(r->cutoff), "%s", pg_text(res, 0, 0));
    return ERR_OK;
}

enum err_code retention_apply(const char *conninfo, int64_t keep_days, bool dry_run, FILE *out,
                              struct err *err)
{
    AUTO_CONN *conn = NULL;
    enum err_code rc = pg_once_open(conninfo, "sandfleet retention", &conn, err);
    struct retention r = {.conn = conn, .dry_run = dry_run, .out = out};

    if (rc == ERR_OK)
        rc = find_cutoff(&r, keep_days, err);
    if (rc == ERR_OK)
        rc = all_days(&r, err);
    for (size_t i = 0; rc == ERR_OK && i < COUNTOF(rest_sql); i++)
        rc = all_rows(&r, rest_sql[i], err);
    if (rc == ERR_OK && r.held > 0)
        rc = err_set(err, ERR_UNAVAILABLE,
                     "%d days are in use by somebody and were left: run it again", r.held);
    if (rc == ERR_OK)
        (void)fprintf(out, "events of runs created since %s are kept\n", r.cutoff);
    return rc;
}
