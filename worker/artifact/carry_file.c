/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifact/carry_file.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/gzip.h"
#include "worker/artifact/collect.h"
#include "worker/artifact/sieve.h"
#include "worker/workspace/pipe.h"
#include "common/banned.h"

enum { ROOM_BYTES = 64 << 10, TURN_MAX_BYTES = 4 << 20 };

struct carry_file {
    struct carry_file_want want;
    struct envd_call *get; /* NULL: it has come to its end */
    struct store_call *put;
    struct timer *over;   /* the end, told from the loop: the others may be on the stack */
    struct timer *breath; /* pending: others have their turn */
    int64_t looked;       /* bytes since the last one */
    struct gzip *gzip;    /* NULL: it is not packed */
    struct sieve sieve;
    struct buf clean;
    struct pipe pipe;
    int64_t got;
    crypto_hash_sha256_state sum;
    struct err err;
    bool broken; /* nothing more is given to the store */
    carry_file_fn fn;
    void *ctx;
};

void carry_file_free(struct carry_file *c)
{
    if (!c)
        return;
    envd_call_free(c->get);
    store_cancel(c->put);
    timer_free(c->over);
    timer_free(c->breath);
    gzip_free(c->gzip);
    sieve_release(&c->sieve);
    buf_release(&c->clean);
    pipe_release(&c->pipe);
    free(c);
}

static void on_over(void *ctx)
{
    struct carry_file *c = ctx;
    unsigned char sum[crypto_hash_sha256_BYTES];
    char text[2 * sizeof(sum) + 1];
    struct carry_file_done done = {.sha256 = text, .masked = c->sieve.stretches};
    struct err e = c->err;
    carry_file_fn fn = c->fn;
    void *to = c->ctx;

    (void)crypto_hash_sha256_final(&c->sum, sum);
    sodium_bin2hex(text, sizeof(text), sum, sizeof(sum));
    carry_file_free(c);
    fn(to, &done, &e);
}

static void finish(struct carry_file *c, const struct err *e)
{
    if (timer_pending(c->over))
        return;
    c->err = *e;
    c->broken = e->code != ERR_OK;
    timer_start(c->over, 0);
}

/* --- out of the sandbox ----------------------------------------------------------------- */

static void throttle(struct carry_file *c)
{
    if (c->looked > TURN_MAX_BYTES && !timer_pending(c->breath))
        timer_start(c->breath, 0);
    if (!c->get)
        return;
    if (timer_pending(c->breath) || pipe_full(&c->pipe))
        envd_call_hold(c->get, true);
    else if (pipe_low(&c->pipe))
        envd_call_hold(c->get, false);
}

static void on_breath(void *ctx)
{
    struct carry_file *c = ctx;

    c->looked = 0;
    throttle(c);
}

static enum err_code found_one(struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "a file in it holds a secret that this worker knows: it is not stored");
}

/* What is in the files, which nobody wants from here. */
static enum err_code look_into(struct carry_file *c, struct str piece, bool last, struct err *err)
{
    char room[ROOM_BYTES];
    size_t n = sizeof(room);
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && (piece.n > 0 || n == sizeof(room))) {
        rc = gzip_step(c->gzip, &piece, last, room, sizeof(room), &n, err);
        if (rc == ERR_OK && sieve_feed(&c->sieve, (struct str){room, n}, NULL) != ERR_OK)
            rc = err_set(err, ERR_NOMEM, "artifact");
        c->looked += (int64_t)n;
        if (rc == ERR_OK && c->sieve.any)
            rc = found_one(err);
    }
    return rc;
}

static enum err_code pass(struct carry_file *c, struct str piece, bool last, struct err *err)
{
    if (c->gzip)
        return look_into(c, piece, last, err);
    if (sieve_feed(&c->sieve, piece, &c->clean) != ERR_OK ||
        (last && sieve_end(&c->sieve, &c->clean) != ERR_OK))
        return err_set(err, ERR_NOMEM, "artifact");
    c->looked += (int64_t)piece.n;
    return ERR_OK;
}

/* Looked at first, so that no byte behind a secret, and not all before it, gets to the store. */
static void take(struct carry_file *c, struct str piece, bool last)
{
    struct err e = ERR_INIT;
    enum err_code rc = pass(c, piece, last, &e);
    struct str clean = c->gzip ? piece : buf_str(&c->clean);

    if (rc == ERR_OK && !pipe_add(&c->pipe, clean))
        rc = err_set(&e, ERR_NOMEM, "artifact");
    if (rc != ERR_OK) {
        finish(c, &e);
        return;
    }
    if (clean.n > 0)
        (void)crypto_hash_sha256_update(&c->sum, (const unsigned char *)clean.p, clean.n);
    buf_clear(&c->clean);
    c->pipe.whole = last;
    throttle(c);
    store_go_on(c->put);
}

static void on_data(void *ctx, struct str piece)
{
    struct carry_file *c = ctx;

    c->got += (int64_t)piece.n;
    if (!timer_pending(c->over))
        take(c, piece, false);
}

static void on_got(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct carry_file *c = ctx;
    struct err why = *e;

    (void)a;
    c->get = NULL;
    if (why.code == ERR_OK && c->got != c->want.bytes)
        (void)err_set(&why, ERR_CONFLICT, "it changed while it was read");
    if (why.code != ERR_OK)
        finish(c, &why);
    else if (!timer_pending(c->over))
        take(c, (struct str){0}, true);
}

/* --- into the store ------------------------------------------------------------------------ */

static ssize_t on_more(void *ctx, char *p, size_t room)
{
    struct carry_file *c = ctx;
    ssize_t n = c->broken ? HTTP_STOP : pipe_take(&c->pipe, p, room);

    throttle(c);
    return n;
}

static void on_stored(void *ctx, struct buf *bytes, const struct err *e)
{
    struct carry_file *c = ctx;

    (void)bytes;
    c->put = NULL;
    finish(c, e);
}

enum err_code carry_file_start(const struct carry_file_want *want, carry_file_fn fn, void *ctx,
                               struct carry_file **out, struct err *err)
{
    struct carry_file *c = calloc(1, sizeof(*c));

    if (!c)
        return err_set(err, ERR_NOMEM, "artifact");
    *c = (struct carry_file){.want = *want,
                             .clean = BUF_INIT(PIPE_MAX_BYTES),
                             .pipe = PIPE_INIT,
                             .gzip = want->packed ? gzip_unpacker(2 * COLLECT_MAX_UNPACKED) : NULL,
                             .over = timer_new(want->loop, on_over, c),
                             .breath = timer_new(want->loop, on_breath, c),
                             .fn = fn,
                             .ctx = ctx};
    sieve_init(&c->sieve, want->redactor, want->packed ? REDACT_KNOWN : 0);
    (void)crypto_hash_sha256_init(&c->sum);
    enum err_code rc = c->over && c->breath && (c->gzip || !want->packed)
                           ? ERR_OK
                           : err_set(err, ERR_NOMEM, "artifact");
    if (rc == ERR_OK)
        rc = store_put_from(want->store, want->key, want->bytes, on_more, on_stored, c, &c->put,
                            err);
    if (rc == ERR_OK)
        rc = envd_get_all(want->envd, want->path, on_data, on_got, c, &c->get, err);
    if (rc != ERR_OK) {
        carry_file_free(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}
