/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by pg.c (commands and their answers) and pg_conn.c (the connection). */
#ifndef SANDFLEET_COMMON_PG_PG_INTERNAL_H
#define SANDFLEET_COMMON_PG_PG_INTERNAL_H

#include <sys/queue.h>

#include "common/backoff.h"
#include "common/pg/pg.h"

enum {
    PG_CONNECT_MS = 10000, /* from the first packet to a session that is set up */
    PG_STATEMENT_MS = 30000,
    PG_GRACE_MS = 2000, /* the server's own time-out speaks first */
    PG_MAX_QUEUED = 1024,
    PG_RETRY_MS = 100,
    PG_RETRY_CAP_MS = 2000,
    PG_MAX_KEPT = 8,
    PG_PIECE_MAX = 1 << 30,  /* of what more() gives at a time; a row's ceiling is its maker's */
    PG_COPY_PIECE = 64 << 10 /* handed to libpq at a time, so that its buffer stays small */
};

enum pg_state {
    PG_RESTING,    /* no connection; the retry timer runs */
    PG_CONNECTING, /* PQconnectPoll() */
    PG_GREETING,   /* our SET is under way */
    PG_UP
};

TAILQ_HEAD(pg_jobs, pg_job);

struct pg_kept { /* a statement that is planned once a connection; zero: a free place */
    const char *sql;
    unsigned turn;
    bool planned;
};

struct pg_job {
    TAILQ_ENTRY(pg_job) link;
    pg_fn fn;
    void *ctx;
    bool is_copy, copying; /* copying: the server waits for data */
    pg_more_fn more;       /* where data comes from when it is used up; NULL: that was all */
    struct err no_more;    /* more() failed */
    struct buf data;
    size_t data_at;
    PGresult *res; /* the last one so far, or the first error */
    const char
        *keep; /* the caller's sql, which tells which of them it is; NULL: planned each time */
    int n;
    const char *before, *sql, *v[PG_MAX_PARAMS]; /* into text */
    char text[];
};

struct pg {
    struct loop *loop;
    struct pg_events ev;
    void *ctx;
    char *conninfo, *name;
    bool pipeline;
    size_t max_queued;
    int64_t statement_ms;

    enum pg_state state;
    PGconn *conn;
    struct watch *watch;
    struct timer *retry, *deadline, *kick;
    struct backoff backoff;
    struct err doom; /* not ERR_OK: the connection is to be dropped as soon as nobody uses it */
    bool reset;      /* doomed by pg_reset(): connect again at once */
    bool told_down;
    char why_down[sizeof((struct err *)NULL)->msg];

    struct pg_kept kept[PG_MAX_KEPT];
    struct pg_jobs waiting, sent; /* sent: at most one without pipeline mode */
    size_t queued;
    int64_t head_since_ms; /* when the first of `sent` became the first */

    int busy; /* calls of ours on the stack that go on using p */
    bool freed;
};

/* --- pg_conn.c --- */
void pg_conn_on_retry(void *pg); /* timer callbacks */
void pg_conn_on_deadline(void *pg);
void pg_conn_on_kick(void *pg);
void pg_conn_close(struct pg *p);
/* The connection is given up, later, from the loop; the first reason stays. */
void pg_doom(struct pg *p, const struct err *why);
bool pg_doomed(const struct pg *p);
void pg_enter(struct pg *p);
void pg_leave(struct pg *p); /* p may be gone afterwards */

/* --- pg.c --- */
struct pg_job *pg_job_new(const struct pg_cmd *cmd, pg_fn fn, void *ctx); /* NULL: no memory */
void pg_job_free(struct pg_job *j);
void pg_jobs_send(struct pg *p);          /* as many of `waiting` as may go out */
void pg_jobs_copy(struct pg *p);          /* goes on with a COPY's data */
bool pg_jobs_copying(const struct pg *p); /* a copy has data left to send */
void pg_jobs_read(struct pg *p);          /* the answers that came */
void pg_jobs_drop(struct pg_jobs *jobs);
void pg_release(struct pg *p);

/* --- pg_error.c --- */
/* "connection refused…": the first line of libpq's text, without the line end. */
struct str pg_first_line(const char *text);

#endif
