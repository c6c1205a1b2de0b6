/* SPDX-License-Identifier: Apache-2.0 */
/* A put in pieces, of a store in a directory: the loop asks for a piece, another thread writes it,
 * by turns. The file gets its name when all of it is there. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/store/store_internal.h"
#include "common/banned.h"

enum { PIECE_BYTES = 64 << 10 };

struct store_stream {
    struct timer *turn; /* more() is asked from the loop */
    char tmp[64];
    int fd; /* -1: not made yet */
    int failure;
    size_t n; /* of the piece */
    int64_t written;
    bool busy;  /* the thread has it */
    bool whole; /* the last piece was written: it gets its name */
    bool stop;  /* it does not */
    char piece[PIECE_BYTES];
};

/* --- the thread's side: these block ------------------------------------------------- */

static int open_tmp(struct store_call *c)
{
    struct store_stream *s = c->stream;
    int rc = store_dir_make_parents(c->store->dir, c->key);

    if (rc != 0)
        return rc;
    s->fd =
        openat(c->store->dir, s->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return s->fd >= 0 ? 0 : errno;
}

static int write_piece(struct store_stream *s)
{
    size_t at = 0;

    while (at < s->n) {
        ssize_t n = write(s->fd, s->piece + at, s->n - at);

        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void work(void *ctx)
{
    struct store_call *c = ctx;
    struct store_stream *s = c->stream;

    if (!s->stop && s->fd < 0)
        s->failure = open_tmp(c);
    if (s->failure == 0 && !s->stop)
        s->failure = write_piece(s);
    if (s->failure == 0 && s->whole && !s->stop)
        s->failure = store_dir_settle(c->store->dir, s->tmp, c->key, s->fd);
    else if ((s->stop || s->failure != 0) && s->fd >= 0)
        (void)unlinkat(c->store->dir, s->tmp, 0);
}

/* --- the loop's side ------------------------------------------------------------------ */

static void end(struct store_call *c)
{
    struct store_stream *s = c->stream;

    if (s->failure != 0 && c->err.code == ERR_OK)
        (void)err_errno(&c->err, s->failure, "store: '%s'", c->key);
    if (s->fd >= 0)
        (void)close(s->fd);
    timer_free(s->turn);
    free(s);
    c->stream = NULL;
    c->more = NULL;
    store_call_end(c);
}

static void on_worked(void *ctx)
{
    struct store_call *c = ctx;
    struct store_stream *s = c->stream;

    s->busy = false;
    if (s->whole || s->stop || s->failure != 0)
        end(c);
    else
        timer_start(s->turn, 0);
}

static void hand_over(struct store_call *c)
{
    c->stream->busy = true;
    if (loop_work(c->store->loop, work, on_worked, c, &c->err) == ERR_OK)
        return;
    (void)unlinkat(c->store->dir, c->stream->tmp, 0);
    end(c);
}

static void stop(struct store_call *c, enum err_code code, const char *why)
{
    (void)err_set(&c->err, code, "store: '%s': %s", c->key, why);
    c->stream->stop = true;
    hand_over(c);
}

static void ask(struct store_call *c)
{
    struct store_stream *s = c->stream;
    ssize_t n = c->more ? c->more(c->ctx, s->piece, sizeof(s->piece)) : HTTP_STOP;

    if (n == HTTP_LATER)
        return;
    s->n = n > 0 ? (size_t)n : 0;
    s->written += (int64_t)s->n;
    s->whole = n == 0;
    if (n < 0)
        stop(c, ERR_CANCELLED, "given up");
    else if (s->written > c->size || (s->whole && s->written != c->size))
        stop(c, ERR_CONFLICT, "it changed while it was read");
    else
        hand_over(c);
}

static void on_turn(void *ctx)
{
    ask(ctx);
}

enum err_code store_stream_start(struct store_call *c, struct err *err)
{
    struct store_stream *s = calloc(1, sizeof(*s));

    if (!s || !(s->turn = timer_new(c->store->loop, on_turn, c))) {
        free(s);
        return err_set(err, ERR_NOMEM, "a call of the store");
    }
    s->fd = -1;
    store_dir_tmp_name(s->tmp);
    c->stream = s;
    timer_start(s->turn, 0);
    return ERR_OK;
}

void store_stream_go_on(struct store_call *c)
{
    if (c->stream && !c->stream->busy)
        timer_start(c->stream->turn, 0);
}

void store_stream_cancel(struct store_call *c)
{
    store_stream_go_on(c);
}
