/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/session/carry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/uuid.h"
#include "worker/e2b/envd.h"
#include "common/banned.h"

enum { FOLDER_TEXT = 128, NO_TRANSCRIPT = 3, TOO_LONG = 4 };

/* A copy: the agent has ended, but what it left running may still write. $1 the attempt's
 * folder $2 Claude's conversation $3 the ceiling. Claude names the project's folder after the
 * working directory; where it resumes it goes on in the folder where it found the file. */
static const char script[] =
    "f=$(ls -t -- \"$HOME\"/.claude/projects/*/\"$2\".jsonl 2>/dev/null | head -n 1)\n"
    "[ -f \"$f\" ] || exit 3\n"
    "[ \"$(wc -c <\"$f\")\" -le \"$3\" ] || exit 4\n"
    "umask 077 && cp -f -- \"$f\" \"$HOME/$1/transcript.out\"";

/* At any time one thing is under way: stream, call, a job beside the loop, or stored. */
struct carry {
    struct carry_store s;
    carry_fn fn; /* NULL: freed, but a job still has it */
    void *ctx;
    char key[STORE_KEY_MAX + 1], sha256[TRANSCRIPT_HASH_TEXT], folder[FOLDER_TEXT];
    struct envd *envd;
    struct envd_stream *stream;
    struct envd_call *call;
    struct store_call *stored;
    struct timer *timer;
    struct buf from, to; /* of the job */
    int64_t bytes;
    struct err err;
    bool working; /* the job has it */
};

static void release(struct carry *c)
{
    timer_free(c->timer);
    buf_release(&c->from);
    buf_release(&c->to);
    free(c);
}

static void stop(struct carry *c)
{
    envd_stream_free(c->stream);
    envd_call_free(c->call);
    store_cancel(c->stored);
    timer_free(c->timer);
    c->stream = NULL;
    c->call = NULL;
    c->stored = NULL;
    c->timer = NULL;
}

void carry_free(struct carry *c)
{
    if (!c)
        return;
    stop(c);
    c->fn = NULL;
    if (!c->working)
        release(c);
}

static void end(struct carry *c, const struct err *e)
{
    const struct carry_done done = {.text = &c->to, .bytes = c->bytes, .sha256 = c->sha256};
    const struct err copy = *e;
    carry_fn fn = c->fn;

    stop(c);
    c->fn = NULL;
    fn(c->ctx, &done, &copy);
    if (!c->working)
        release(c);
}

static void on_late(void *ctx)
{
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_TIMEOUT, "transcript: not done in %d s", CARRY_MS / 1000);
    end(ctx, &e);
}

static struct carry *begin(const struct carry_store *s, const char *key, carry_fn fn, void *ctx)
{
    struct carry *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    *c = (struct carry){.s = *s, .fn = fn, .ctx = ctx, .from = BUF_INIT(TRANSCRIPT_MAX_BYTES)};
    (void)snprintf(c->key, sizeof(c->key), "%s", key);
    c->timer = timer_new(s->loop, on_late, c);
    if (!c->timer) {
        free(c);
        return NULL;
    }
    timer_start(c->timer, CARRY_MS);
    return c;
}

/* --- beside the loop ------------------------------------------------------------ */

static void job_done(struct carry *c, void (*next)(struct carry *c))
{
    c->working = false;
    if (!c->fn)
        release(c);
    else if (c->err.code != ERR_OK)
        end(c, &c->err);
    else
        next(c);
}

static void job_start(struct carry *c, loop_fn work, loop_fn done)
{
    struct err e = ERR_INIT;

    c->working = true;
    if (loop_work(c->s.loop, work, done, c, &e) == ERR_OK)
        return;
    c->working = false;
    end(c, &e);
}

/* --- out ------------------------------------------------------------------------ */

static void on_stored(void *ctx, struct buf *bytes, const struct err *e)
{
    struct carry *c = ctx;

    (void)bytes;
    c->stored = NULL;
    end(c, e);
}

static void put(struct carry *c)
{
    struct err e = ERR_INIT;

    c->bytes = (int64_t)c->to.len;
    if (store_put(c->s.store, c->key, &c->to, on_stored, c, &c->stored, &e) != ERR_OK)
        end(c, &e);
}

static void close_work(void *ctx)
{
    struct carry *c = ctx;

    (void)!transcript_close(c->s.seal, c->key, &c->from, &c->to, c->sha256, &c->err);
}

static void close_done(void *ctx)
{
    job_done(ctx, put);
}

static void on_piece(void *ctx, struct str piece)
{
    struct carry *c = ctx;

    buf_addstr(&c->from, piece); /* over the ceiling its rc says so */
}

static void on_got(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct carry *c = ctx;
    struct err why = *e;

    (void)a;
    c->call = NULL;
    if (why.code == ERR_OK && c->from.rc != ERR_OK)
        (void)err_set(&why, c->from.rc, "the transcript");
    if (why.code == ERR_OK && c->from.len == 0)
        (void)err_set(&why, ERR_NOT_FOUND, "the transcript is empty");
    if (why.code != ERR_OK) {
        end(c, &why);
        return;
    }
    if (!c->s.seal)
        (void)redactor_cut(c->s.redactor, c->from.p, c->from.len, 0);
    job_start(c, close_work, close_done);
}

static void on_copied(void *ctx, int64_t exit_code, const struct err *e)
{
    struct carry *c = ctx;
    struct err why = *e;
    char path[FOLDER_TEXT + 32];

    c->stream = NULL;
    if (why.code == ERR_OK && exit_code == NO_TRANSCRIPT)
        (void)err_set(&why, ERR_NOT_FOUND, "the sandbox has no transcript");
    else if (why.code == ERR_OK && exit_code == TOO_LONG)
        (void)err_set(&why, ERR_TOO_BIG, "the transcript has more than %d MiB",
                      TRANSCRIPT_MAX_BYTES >> 20);
    else if (why.code == ERR_OK && exit_code != 0)
        (void)err_set(&why, ERR_IO, "copying the transcript: exit status %d", (int)exit_code);
    (void)snprintf(path, sizeof(path), "~/%s/transcript.out", c->folder);
    if (why.code != ERR_OK ||
        envd_get(c->envd, path, 0, on_piece, on_got, c, &c->call, &why) != ERR_OK)
        end(c, &why);
}

static void ignore(void *ctx, struct str bytes)
{
    (void)ctx, (void)bytes;
}

static enum err_code copy(struct carry *c, const char *talk, struct err *err)
{
    static const struct envd_stream_events ev = {.out = ignore, .ended = on_copied};
    char most[32];
    const char *const args[] = {"-c", script, "sh", c->folder, talk, most, NULL};
    const struct envd_command command = {.cmd = "/bin/sh", .args = args};

    (void)snprintf(most, sizeof(most), "%d", TRANSCRIPT_MAX_BYTES);
    return envd_run(c->envd, &command, &ev, c, &c->stream, err);
}

enum err_code carry_out(const struct carry_store *s, const struct carry_from *from, const char *key,
                        carry_fn fn, void *ctx, struct carry **out, struct err *err)
{
    if (!uuid_valid(str_of(from->claude_session))) /* an agent may say anything */
        return err_set(err, ERR_INVALID, "Claude's session id is no UUID");
    struct carry *c = begin(s, key, fn, ctx);
    if (!c)
        return err_set(err, ERR_NOMEM, "a transcript");
    c->envd = sandbox_envd(from->sb);
    (void)snprintf(c->folder, sizeof(c->folder), ".sandfleet/%s/%" PRId64, from->run_id,
                   from->attempt);
    enum err_code rc = copy(c, from->claude_session, err);
    if (rc != ERR_OK) {
        release(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

/* --- in ------------------------------------------------------------------------- */

static void opened(struct carry *c)
{
    struct err ok = ERR_INIT;

    end(c, &ok);
}

static void open_work(void *ctx)
{
    struct carry *c = ctx;

    (void)!transcript_open(c->s.seal, c->key, c->sha256, &c->from, &c->to, &c->err);
}

static void open_done(void *ctx)
{
    job_done(ctx, opened);
}

static void on_read(void *ctx, struct buf *bytes, const struct err *e)
{
    struct carry *c = ctx;

    c->stored = NULL;
    if (e->code != ERR_OK) {
        end(c, e);
        return;
    }
    c->from = *bytes;
    *bytes = BUF_INIT(0);
    job_start(c, open_work, open_done);
}

enum err_code carry_in(const struct carry_store *s, const char *key, const char *sha256,
                       carry_fn fn, void *ctx, struct carry **out, struct err *err)
{
    struct carry *c = begin(s, key, fn, ctx);

    if (!c)
        return err_set(err, ERR_NOMEM, "a transcript");
    (void)snprintf(c->sha256, sizeof(c->sha256), "%s", sha256);
    enum err_code rc = store_get(s->store, key, TRANSCRIPT_MAX_BYTES + TRANSCRIPT_SEAL_BYTES,
                                 on_read, c, &c->stored, err);
    if (rc != ERR_OK) {
        release(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}
