/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: queued, sent, answered in order. */
#include "common/pg/pg_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

/* --- a command --- */

static const char *copy_text(char **at, const char *s)
{
    if (!s)
        return NULL;
    size_t n = strlen(s) + 1;
    char *copy = memcpy(*at, s, n);
    *at += n;
    return copy;
}

struct pg_job *pg_job_new(const struct pg_cmd *cmd, pg_fn fn, void *ctx)
{
    size_t size = strlen(cmd->sql) + 1 + (cmd->before ? strlen(cmd->before) + 1 : 0);
    assert(cmd->n >= 0 && cmd->n <= PG_MAX_PARAMS);
    for (int i = 0; i < cmd->n; i++)
        size += cmd->v[i] ? strlen(cmd->v[i]) + 1 : 0;
    struct pg_job *j = calloc(1, sizeof *j + size);
    if (!j)
        return NULL;
    char *at = j->text;
    j->fn = fn;
    j->ctx = ctx;
    j->keep = cmd->keep ? cmd->sql : NULL;
    j->n = cmd->n;
    j->before = copy_text(&at, cmd->before);
    j->sql = copy_text(&at, cmd->sql);
    for (int i = 0; i < cmd->n; i++)
        j->v[i] = copy_text(&at, cmd->v[i]);
    return j;
}

void pg_job_free(struct pg_job *j)
{
    if (!j)
        return;
    PQclear(j->res);
    buf_release(&j->data);
    free(j);
}

void pg_jobs_drop(struct pg_jobs *jobs)
{
    struct pg_job *j;
    while ((j = TAILQ_FIRST(jobs))) {
        TAILQ_REMOVE(jobs, j, link);
        pg_job_free(j);
    }
}

/* --- out --- */

static struct pg_kept *kept(struct pg *p, const char *sql)
{
    for (size_t i = 0; i < PG_MAX_KEPT; i++)
        if (!p->kept[i].sql || p->kept[i].sql == sql)
            return &p->kept[i];
    return NULL; /* one more than there is room for is planned each time */
}

static bool send_query(struct pg *p, const struct pg_job *j)
{
    struct pg_kept *k = j->keep ? kept(p, j->keep) : NULL;
    char name[48];

    if (!k)
        return PQsendQueryParams(p->conn, j->sql, j->n, NULL, j->v, NULL, NULL, 0);
    k->sql = j->keep;
    snprintf(name, sizeof name, "kept_%zu_%u", (size_t)(k - p->kept), k->turn);
    if (!k->planned && !PQsendPrepare(p->conn, name, j->sql, j->n, NULL))
        return false;
    k->planned = true;
    return PQsendQueryPrepared(p->conn, name, j->n, j->v, NULL, NULL, 0);
}

/* Without parameters the simple protocol takes several statements at once. In a pipeline, what
 * stands before a sync is one transaction, whose statements each see what is committed by then. */
static bool send_one(struct pg *p, const struct pg_job *j)
{
    if (p->pipeline)
        return (!j->before ||
                PQsendQueryParams(p->conn, j->before, 0, NULL, NULL, NULL, NULL, 0)) &&
               send_query(p, j) && PQpipelineSync(p->conn);
    if (j->n == 0)
        return PQsendQuery(p->conn, j->sql);
    return PQsendQueryParams(p->conn, j->sql, j->n, NULL, j->v, NULL, NULL, 0);
}

void pg_jobs_send(struct pg *p)
{
    struct pg_job *j;
    while (!p->freed && !pg_doomed(p) && p->state == PG_UP && (j = TAILQ_FIRST(&p->waiting)) &&
           (p->pipeline || TAILQ_EMPTY(&p->sent))) {
        if (TAILQ_EMPTY(&p->sent)) {
            p->head_since_ms = loop_now_ms(p->loop);
            if (!timer_pending(p->deadline))
                timer_start(p->deadline, p->statement_ms + PG_GRACE_MS);
        }
        TAILQ_REMOVE(&p->waiting, j, link);
        TAILQ_INSERT_TAIL(&p->sent, j, link);
        if (!send_one(p, j)) {
            struct err e = ERR_INIT;
            pg_error(NULL, p->conn, &e);
            pg_doom(p, &e);
        }
    }
}

bool pg_jobs_copying(const struct pg *p)
{
    const struct pg_job *j = TAILQ_FIRST(&p->sent);
    return j && j->copying;
}

/* How much is there to be sent, after more of it was made if all was sent. */
static size_t copy_left(struct pg_job *j)
{
    if (j->data_at < j->data.len || !j->more)
        return j->data.len - j->data_at;
    buf_clear(&j->data);
    j->data_at = 0;
    if (j->more(j->ctx, &j->data, &j->no_more) != ERR_OK)
        buf_clear(&j->data);
    else if (j->data.rc != ERR_OK)
        err_set(&j->no_more, ERR_NOMEM, "data of a copy");
    if (j->no_more.code != ERR_OK || j->data.len == 0)
        j->more = NULL;
    return j->no_more.code == ERR_OK ? j->data.len : 0;
}

/* One piece at a time: libpq would buffer the whole copy, however slow the server is. */
void pg_jobs_copy(struct pg *p)
{
    struct pg_job *j = p->freed || pg_doomed(p) ? NULL : TAILQ_FIRST(&p->sent);
    while (j && j->copying && PQflush(p->conn) == 0) {
        size_t left = copy_left(j), n = left < PG_COPY_PIECE ? left : PG_COPY_PIECE;
        int rc = n > 0 ? PQputCopyData(p->conn, j->data.p + j->data_at, (int)n)
                       : PQputCopyEnd(p->conn, j->no_more.code == ERR_OK ? NULL : "given up");
        if (rc <= 0) /* 0: no room yet; an error shows as the connection's or the result's */
            return;
        j->data_at += n;
        j->copying = n > 0;
    }
}

/* --- in --- */

static bool is_error(const PGresult *res)
{
    switch (PQresultStatus(res)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        return false;
    default: /* libpq's enum: what is new there is no success to us */
        return true;
    }
}

/* Whether it was planned before it failed nobody knows: next time, under another name. */
static void plan_anew(struct pg *p, const char *sql)
{
    struct pg_kept *k = kept(p, sql);

    if (k && k->sql) {
        k->planned = false;
        k->turn++;
    }
}

static void job_end(struct pg *p, struct pg_job *j)
{
    struct err e = ERR_INIT;
    TAILQ_REMOVE(&p->sent, j, link);
    p->queued--;
    p->head_since_ms = loop_now_ms(p->loop);
    if (!j->res || is_error(j->res))
        pg_error(j->res, p->conn, &e);
    if (e.code != ERR_OK && j->keep)
        plan_anew(p, j->keep);
    if (e.code != ERR_OK && j->no_more.code != ERR_OK)
        e = j->no_more;
    j->fn(j->ctx, j->res, &e);
    pg_job_free(j);
}

/* Of several results the first error counts, else the last. */
static void job_result(struct pg_job *j, PGresult *res)
{
    if (j->res && is_error(j->res)) {
        PQclear(res);
        return;
    }
    PQclear(j->res);
    j->res = res;
}

/* A COPY the caller did not start by pg_copy() has no data; COPY TO has nowhere to go. */
static bool copy_begins(struct pg *p, struct pg_job *j, const PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    if (status == PGRES_COPY_IN && j->is_copy) {
        j->copying = true;
    } else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
        struct err e = ERR_INIT;
        err_set(&e, ERR_UNAVAILABLE, "postgres: a COPY that is not pg_copy()'s");
        pg_doom(p, &e);
    } else {
        return false;
    }
    return true;
}

void pg_jobs_read(struct pg *p)
{
    struct pg_job *j;
    while (!p->freed && !pg_doomed(p) && (j = TAILQ_FIRST(&p->sent)) && !j->copying &&
           !PQisBusy(p->conn)) {
        bool piped = PQpipelineStatus(p->conn) != PQ_PIPELINE_OFF;
        PGresult *res = PQgetResult(p->conn);
        if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
            PQclear(res);
            job_end(p, j);
        } else if (!res && !piped) {
            job_end(p, j);
        } else if (res && copy_begins(p, j, res)) {
            PQclear(res);
        } else if (res) {
            job_result(j, res);
        }
    }
}

/* --- public --- */

static void set_opts(struct pg *p, const struct pg_opts *opts)
{
    p->pipeline = opts->pipeline;
    p->max_queued = opts->max_queued ? opts->max_queued : PG_MAX_QUEUED;
    p->statement_ms = opts->statement_ms ? opts->statement_ms : PG_STATEMENT_MS;
    p->backoff = BACKOFF_INIT(PG_RETRY_MS, PG_RETRY_CAP_MS);
    p->conninfo = strdup(opts->conninfo);
    p->name = strdup(opts->name ? opts->name : "sandfleet");
}

enum err_code pg_new(struct loop *l, const struct pg_opts *opts, const struct pg_events *ev,
                     void *ctx, struct pg **out, struct err *err)
{
    if (pg_conn_check(opts->conninfo, err) != ERR_OK)
        return ERR_CONFIG;
    struct pg *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(err, ERR_NOMEM, "make a database connection");
    p->loop = l;
    p->ev = ev ? *ev : (struct pg_events){0};
    p->ctx = ctx;
    TAILQ_INIT(&p->waiting);
    TAILQ_INIT(&p->sent);
    set_opts(p, opts);
    p->retry = timer_new(l, pg_conn_on_retry, p);
    p->deadline = timer_new(l, pg_conn_on_deadline, p);
    p->kick = timer_new(l, pg_conn_on_kick, p);
    if (!p->conninfo || !p->name || !p->retry || !p->deadline || !p->kick) {
        pg_release(p);
        return err_set(err, ERR_NOMEM, "make a database connection");
    }
    timer_start(p->retry, 0);
    *out = p;
    return ERR_OK;
}

void pg_release(struct pg *p)
{
    if (p->kick && p->deadline)
        pg_conn_close(p);
    pg_jobs_drop(&p->waiting);
    pg_jobs_drop(&p->sent);
    timer_free(p->retry);
    timer_free(p->deadline);
    timer_free(p->kick);
    free(p->conninfo);
    free(p->name);
    free(p);
}

void pg_free(struct pg *p)
{
    if (!p)
        return;
    p->freed = true;
    if (p->busy == 0)
        pg_release(p);
}

bool pg_is_up(const struct pg *p)
{
    return p->state == PG_UP && !pg_doomed(p);
}

size_t pg_queued(const struct pg *p)
{
    return p->queued;
}

static enum err_code may_queue(const struct pg *p, struct err *err)
{
    if (!pg_is_up(p))
        return err_set(err, ERR_UNAVAILABLE, "%s",
                       p->why_down[0] ? p->why_down : "postgres is not connected yet");
    if (p->queued >= p->max_queued)
        return err_set(err, ERR_THROTTLED, "%zu commands wait for postgres", p->queued);
    return ERR_OK;
}

static void queue(struct pg *p, struct pg_job *j)
{
    TAILQ_INSERT_TAIL(&p->waiting, j, link);
    p->queued++;
    timer_start(p->kick, 0);
}

enum err_code pg_send(struct pg *p, const struct pg_cmd *cmd, pg_fn fn, void *ctx, struct err *err)
{
    enum err_code rc = may_queue(p, err);
    if (rc != ERR_OK)
        return rc;
    assert(p->pipeline || (!cmd->before && !cmd->keep));
    struct pg_job *j = pg_job_new(cmd, fn, ctx);
    if (!j)
        return err_set(err, ERR_NOMEM, "queue a command");
    queue(p, j);
    return ERR_OK;
}

/* A job to be queued; *out only if ERR_OK. */
static enum err_code new_copy(struct pg *p, const char *sql, pg_fn fn, void *ctx,
                              struct pg_job **out, struct err *err)
{
    assert(!p->pipeline);
    enum err_code rc = may_queue(p, err);
    if (rc != ERR_OK)
        return rc;
    *out = pg_job_new(&(struct pg_cmd){.sql = sql}, fn, ctx);
    if (!*out)
        return err_set(err, ERR_NOMEM, "queue a copy");
    (*out)->is_copy = true;
    return ERR_OK;
}

enum err_code pg_copy_from(struct pg *p, const char *sql, pg_more_fn more, pg_fn fn, void *ctx,
                           struct err *err)
{
    struct pg_job *j;
    enum err_code rc = new_copy(p, sql, fn, ctx, &j, err);
    if (rc != ERR_OK)
        return rc;
    j->more = more;
    j->data = BUF_INIT(PG_PIECE_MAX);
    queue(p, j);
    return ERR_OK;
}

enum err_code pg_copy(struct pg *p, const char *sql, struct buf *data, pg_fn fn, void *ctx,
                      struct err *err)
{
    struct pg_job *j;
    enum err_code rc = new_copy(p, sql, fn, ctx, &j, err);
    if (rc != ERR_OK)
        return rc;
    j->data = *data;
    *data = BUF_INIT(data->max);
    queue(p, j);
    return ERR_OK;
}

void pg_reset(struct pg *p)
{
    struct err e = ERR_INIT;
    if (p->state == PG_RESTING)
        return;
    err_set(&e, ERR_UNAVAILABLE, "postgres: the connection was reset");
    p->reset = !pg_doomed(p);
    pg_doom(p, &e);
}

int64_t pg_int(const PGresult *res, int row, int col)
{
    const char *s = pg_text(res, row, col);
    return s ? strtoll(s, NULL, 10) : 0;
}
