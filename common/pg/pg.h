/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL: one connection in the loop that reconnects by itself, with a
 * bounded queue of commands. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_COMMON_PG_PG_H
#define SANDFLEET_COMMON_PG_PG_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/loop.h"

struct pg;

struct pg_events {                                /* called from the loop; each may be NULL */
    void (*up)(void *ctx);                        /* connected, also again: re-LISTEN, re-read */
    void (*down)(void *ctx, const struct err *e); /* lost or refused; it tries again with backoff */
    void (*notify)(void *ctx, const char *channel, const char *payload);
};

struct pg_opts {
    const char *conninfo; /* libpq's; target_session_attrs=read-write is added. A host by
                           * name is looked up by libpq, which may block: prefer addresses */
    const char *name;     /* application_name */
    bool pipeline;        /* commands go out without waiting for answers; no COPY then */
    size_t max_queued;    /* commands; 0: 1024 */
    int64_t statement_ms; /* statement_timeout and the answer's deadline; 0: 30 s */
};

/* Text parameters; NULL is SQL NULL. */
#define PG_MAX_PARAMS 24
struct pg_cmd {
    const char *before; /* a statement without parameters that goes first in the same transaction,
                         * for a lock; its rows are dropped. NULL: none. Needs pipeline mode */
    const char *sql;
    bool keep; /* planned once a connection, not each time: for long statements, whose sql is the
                * same constant each time. Needs pipeline mode */
    int n;
    const char *v[PG_MAX_PARAMS];
};

/* e->code ERR_OK: res is the command's result, borrowed for the call. Else res is
 * NULL or the server's error, and e->code follows SQLSTATE (pg_error.c): 08 53 57 58
 * XX 40 55P03 25006 and a lost connection ERR_UNAVAILABLE (retry: whether it took
 * effect is unknown after a loss), 57014 ERR_TIMEOUT, 22 23 P0 ERR_INVALID (23505
 * ERR_CONFLICT), 42 3F 3D 28 ERR_CONFIG. The message holds no value of a row. */
typedef void (*pg_fn)(void *ctx, PGresult *res, const struct err *e);

/* ERR_CONFIG: libpq does not understand it. Nothing of it is quoted: it may hold a password. */
enum err_code pg_conn_check(const char *conninfo, struct err *err) MUST_USE;
enum err_code pg_new(struct loop *l, const struct pg_opts *opts, const struct pg_events *ev,
                     void *ctx, struct pg **out, struct err *err) MUST_USE;
bool pg_is_up(const struct pg *p);
size_t pg_queued(const struct pg *p);

/* Copies sql and parameters. In order; each its own transaction unless BEGIN
 * was sent (not in pipeline mode). Without parameters and pipeline, several
 * statements may come at once; the last result or the first error counts.
 * While the connection is down this returns ERR_UNAVAILABLE (fn is not called);
 * all that were queued at its loss fail. fn is never called from inside this
 * call. ERR_THROTTLED: the queue is full. */
enum err_code pg_send(struct pg *p, const struct pg_cmd *cmd, pg_fn fn, void *ctx,
                      struct err *err) MUST_USE;
/* Appends the next piece of a COPY's data to *piece, which is empty; nothing: that was all. */
typedef enum err_code (*pg_more_fn)(void *ctx, struct buf *piece, struct err *err);

/* COPY … FROM STDIN whose data is made while the server takes it: more() is called from the
 * loop each time the piece before is on its way, and not again once it failed: then the
 * server drops the rows, and fn gets that failure. Not in pipeline mode. */
enum err_code pg_copy_from(struct pg *p, const char *sql, pg_more_fn more, pg_fn fn, void *ctx,
                           struct err *err) MUST_USE;
/* The same of data that is there: *data is taken if ERR_OK, and left empty. */
enum err_code pg_copy(struct pg *p, const char *sql, struct buf *data, pg_fn fn, void *ctx,
                      struct err *err) MUST_USE;
/* Drops the connection (a transaction in doubt) and connects anew: what is queued
 * fails, then down() and up() as after a loss, none of it from inside this call. */
void pg_reset(struct pg *p);
void pg_free(struct pg *p); /* callbacks of what is queued are not called */

/* Results: NULL / 0 for SQL NULL. */
const char *pg_text(const PGresult *res, int row, int col);
int64_t pg_int(const PGresult *res, int row, int col);

/* Fills err from a result or connection; returns the code. */
enum err_code pg_error(const PGresult *res, const PGconn *conn, struct err *err);

#endif
