/* SPDX-License-Identifier: Apache-2.0 */
/* The connection: comes up, is watched, is given up, comes up again. */
#include "common/pg/pg_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "common/banned.h"

static void connect_step(struct pg *p);

/* --- who still uses p --- */

void pg_enter(struct pg *p)
{
    p->busy++;
}

void pg_leave(struct pg *p)
{
    if (--p->busy == 0 && p->freed)
        pg_release(p);
}

/* --- down --- */

bool pg_doomed(const struct pg *p)
{
    return p->doom.code != ERR_OK;
}

void pg_doom(struct pg *p, const struct err *why)
{
    if (pg_doomed(p) || p->freed)
        return;
    p->doom = *why;
    p->doom.code = ERR_UNAVAILABLE;
    timer_start(p->kick, 0);
}

static void doom_by_conn(struct pg *p)
{
    struct err e = ERR_INIT;
    pg_error(NULL, p->conn, &e);
    pg_doom(p, &e);
}

void pg_conn_close(struct pg *p)
{
    watch_free(p->watch);
    p->watch = NULL;
    PQfinish(p->conn);
    p->conn = NULL;
    memset(p->kept, 0, sizeof p->kept);
    p->state = PG_RESTING;
    timer_stop(p->deadline);
    timer_stop(p->kick);
}

static void tell_down(struct pg *p, const struct err *e)
{
    if (p->told_down)
        return;
    p->told_down = true;
    if (p->ev.down)
        p->ev.down(p->ctx, e);
}

/* Everything that was asked for fails; nothing is sent twice behind the caller's back. */
static void lose(struct pg *p)
{
    struct pg_jobs failed = TAILQ_HEAD_INITIALIZER(failed);
    struct pg_job *j;
    struct err e = p->doom;
    pg_enter(p);
    pg_conn_close(p);
    timer_start(p->retry, p->reset ? 0 : backoff_next_ms(&p->backoff));
    p->doom = ERR_INIT;
    p->reset = false;
    snprintf(p->why_down, sizeof p->why_down, "%s", e.msg);
    TAILQ_CONCAT(&failed, &p->sent, link);
    TAILQ_CONCAT(&failed, &p->waiting, link);
    p->queued = 0;
    tell_down(p, &e);
    while ((j = TAILQ_FIRST(&failed))) {
        TAILQ_REMOVE(&failed, j, link);
        if (!p->freed)
            j->fn(j->ctx, NULL, &e);
        pg_job_free(j);
    }
    pg_leave(p);
}

/* --- up --- */

static void came_up(struct pg *p)
{
    if (p->pipeline && !PQenterPipelineMode(p->conn)) {
        doom_by_conn(p);
        return;
    }
    p->state = PG_UP;
    p->told_down = false;
    backoff_reset(&p->backoff);
    timer_stop(p->deadline);
    if (p->ev.up)
        p->ev.up(p->ctx);
}

static void greeted(void *ctx, PGresult *res, const struct err *e)
{
    struct pg *p = ctx;
    (void)res;
    if (p->state != PG_GREETING)
        return; /* lost meanwhile */
    if (e->code != ERR_OK)
        pg_doom(p, e);
    else
        came_up(p);
}

/* The session's settings go by a command: poolers refuse them in the start packet. Our statements
 * are short of work: to compile them takes longer than to run them, and a plan that is kept is one
 * for all parameters, from the first time on. */
static void greet(struct pg *p)
{
    char sql[160];
    snprintf(sql, sizeof sql, "SET statement_timeout = %" PRId64 "; SET jit = off%s",
             p->statement_ms, p->pipeline ? "; SET plan_cache_mode = force_generic_plan" : "");
    struct pg_job *j = pg_job_new(&(struct pg_cmd){.sql = sql}, greeted, p);
    p->state = PG_GREETING;
    if (!j || PQsetnonblocking(p->conn, 1) != 0 || !PQsendQuery(p->conn, sql)) {
        pg_job_free(j);
        doom_by_conn(p);
        return;
    }
    TAILQ_INSERT_TAIL(&p->sent, j, link);
    p->queued++;
}

static void refused(struct pg *p)
{
    struct err e = ERR_INIT;
    const char *text = PQerrorMessage(p->conn);
    bool answered = strstr(text, "FATAL");
    err_set(&e, ERR_UNAVAILABLE, "cannot connect to postgres: " STR_FMT " (%s)",
            STR_ARG(pg_first_line(text)),
            answered ? "check the connection string and the server's log"
                     : "is it running? ops/dev status");
    pg_doom(p, &e);
}

/* --- the socket --- */

/* A copy under way waits for room even when all is flushed by now: the socket may have been full
 * when pg_jobs_copy() looked, and had room again a moment later. */
static void flush(struct pg *p)
{
    int rc = pg_doomed(p) ? 0 : PQflush(p->conn);
    if (rc < 0)
        doom_by_conn(p);
    else if (p->watch)
        watch_set(p->watch, WATCH_READ | (rc > 0 || pg_jobs_copying(p) ? WATCH_WRITE : 0));
}

static void tell_notifications(struct pg *p)
{
    PGnotify *n;
    while (!p->freed && !pg_doomed(p) && (n = PQnotifies(p->conn))) {
        if (p->ev.notify)
            p->ev.notify(p->ctx, n->relname, n->extra);
        PQfreemem(n);
    }
}

static void session_step(struct pg *p, int events)
{
    if (events & WATCH_READ && !PQconsumeInput(p->conn)) {
        doom_by_conn(p);
        return;
    }
    pg_jobs_read(p);
    tell_notifications(p);
    pg_jobs_copy(p);
    pg_jobs_send(p);
    flush(p);
}

static void on_ready(void *ctx, int events)
{
    struct pg *p = ctx;
    pg_enter(p);
    if (p->state == PG_CONNECTING)
        connect_step(p);
    else
        session_step(p, events);
    if (pg_doomed(p) && !p->freed)
        lose(p);
    pg_leave(p);
}

static bool watch_socket(struct pg *p, int events)
{
    p->watch = watch_new(p->loop, PQsocket(p->conn), on_ready, p);
    if (p->watch)
        watch_set(p->watch, events);
    return p->watch;
}

/* libpq may change the socket between two steps: the watch is made anew for each. */
static void connect_step(struct pg *p)
{
    watch_free(p->watch);
    p->watch = NULL;
    PostgresPollingStatusType step = PQconnectPoll(p->conn);
    if (step == PGRES_POLLING_FAILED) {
        refused(p);
        return;
    }
    if (step == PGRES_POLLING_OK)
        greet(p);
    if (pg_doomed(p))
        return;
    if (!watch_socket(p, step == PGRES_POLLING_WRITING ? WATCH_WRITE : WATCH_READ)) {
        pg_doom(p, &(struct err){.code = ERR_NOMEM, .msg = "watch the connection: no memory"});
        return;
    }
    if (step == PGRES_POLLING_OK)
        flush(p);
}

static void on_notice(void *ctx, const char *text)
{
    (void)ctx;
    log_event(LOG_DEBUG, "pg.notice", LF_USER("text", pg_first_line(text)));
}

static PGconn *conn_start(const struct pg *p)
{
    /* Later rows win over earlier ones: the caller's string may change only the first. */
    const char *const keys[] = {"connect_timeout",      "keepalives_idle",
                                "keepalives_interval",  "keepalives_count",
                                "tcp_user_timeout",     "dbname",
                                "application_name",     "client_encoding",
                                "target_session_attrs", NULL};
    const char *const values[] = {"10",        "30",    "10",   "3",          "60000",
                                  p->conninfo, p->name, "UTF8", "read-write", NULL};
    return PQconnectStartParams(keys, values, 1);
}

void pg_conn_on_retry(void *ctx)
{
    struct pg *p = ctx;
    pg_enter(p);
    p->conn = conn_start(p);
    p->state = PG_CONNECTING;
    timer_start(p->deadline, PG_CONNECT_MS);
    if (!p->conn || PQstatus(p->conn) == CONNECTION_BAD) {
        refused(p);
    } else {
        PQsetNoticeProcessor(p->conn, on_notice, NULL);
        if (!watch_socket(p, WATCH_WRITE))
            pg_doom(p, &(struct err){.code = ERR_NOMEM, .msg = "watch the connection: no memory"});
    }
    pg_leave(p);
}

/* --- deadlines --- */

static int64_t deadline_left_ms(const struct pg *p)
{
    if (p->state != PG_UP)
        return 0;
    return p->head_since_ms + p->statement_ms + PG_GRACE_MS - loop_now_ms(p->loop);
}

/* The deadline moves with every answer; the timer only looks when it fires. */
void pg_conn_on_deadline(void *ctx)
{
    struct pg *p = ctx;
    struct err e = ERR_INIT;
    int64_t left = deadline_left_ms(p);
    if (p->state == PG_UP && TAILQ_EMPTY(&p->sent))
        return;
    if (left > 0) {
        timer_start(p->deadline, left);
        return;
    }
    err_set(&e, ERR_UNAVAILABLE, "postgres: no answer in %" PRId64 " ms",
            p->state == PG_UP ? p->statement_ms + PG_GRACE_MS : (int64_t)PG_CONNECT_MS);
    pg_doom(p, &e);
}

void pg_conn_on_kick(void *ctx)
{
    struct pg *p = ctx;
    pg_enter(p);
    if (!pg_doomed(p) && p->state == PG_UP) {
        pg_jobs_send(p);
        flush(p);
    }
    if (pg_doomed(p))
        lose(p);
    pg_leave(p);
}

/* The parser's text may quote a piece of a password: only the harmless one is passed on. */
enum err_code pg_conn_check(const char *conninfo, struct err *err)
{
    char *text = NULL;
    PQconninfoOption *o = PQconninfoParse(conninfo, &text);
    bool ok = o, named = text && strncmp(text, "invalid connection option", 25) == 0;
    if (!ok)
        err_set(err, ERR_CONFIG,
                "the connection string (--database, SANDFLEET_DATABASE) is wrong: " STR_FMT,
                STR_ARG(named ? pg_first_line(text)
                              : STR("want \"host=… port=… dbname=… user=…\" or postgresql://…")));
    PQconninfoFree(o);
    PQfreemem(text);
    return ok ? ERR_OK : ERR_CONFIG;
}
