/* SPDX-License-Identifier: Apache-2.0 */
/* The output by byte offset, until rc exists and offset == size.
 *
 *   stream  tail -f from the offset, for as long as the agent lives. Cut, silent or
 *           refused: again, at the last complete line.
 *   poll    ranged reads for a while, when streams in a row brought nothing.
 *   rc      looked for when tail ends by itself, when a stream has been idle for a
 *           keepalive (tail would wait for ever for a number that is somebody else's now),
 *           and between polls. Once it exists, the rest is read and the end is near. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "worker/capture/capture_internal.h"

#include "common/banned.h"

enum { PATH_ROOM = CAPTURE_DIR_MAX_BYTES + 32 };

static void read_rest(struct capture *c);
static void last_words(struct capture *c);

static void again(struct capture *c, capture_step step, const struct err *e)
{
    int64_t delay = e->retry_ms > 0 ? e->retry_ms : backoff_next_ms(&c->backoff);

    if (e->code == ERR_GONE) {
        capture_lost(c, step, e);
    } else if (e->code == ERR_NOMEM) {
        capture_fail(c, e);
    } else if (loop_now_ms(c->loop) + delay >= c->deadline_ms) {
        struct err late = *e;

        late.code = ERR_TIMEOUT;
        (void)err_wrap(&late, "cannot follow the agent's output");
        capture_fail(c, &late);
    } else {
        capture_later(c, step, delay);
    }
}

/* --- stream ----------------------------------------------------------------------- */

static void on_out(void *ctx, struct str bytes)
{
    (void)capture_feed(ctx, bytes);
}

static void on_idle(void *ctx)
{
    struct capture *c = ctx;

    capture_alive(c);
    if (!c->call)
        capture_look_for_rc(c);
}

static void on_tail_ended(void *ctx, int64_t exit_code, const struct err *e)
{
    struct capture *c = ctx;

    c->stream = NULL;
    envd_call_free(c->call); /* a look for rc beside the stream */
    c->call = NULL;
    if (e->code == ERR_OK && exit_code == 0) {
        c->gone = true;
        capture_look_for_rc(c);
        return;
    }
    c->stray = true;
    lines_rewind(&c->lines);
    if (!c->moved && ++c->failures >= CAPTURE_STREAMS)
        c->poll_until_ms = loop_now_ms(c->loop) + CAPTURE_POLL_MS;
    again(c, capture_follow,
          e->code != ERR_OK ? e : &(struct err){.code = ERR_UNAVAILABLE, .msg = "tail failed"});
}

void capture_open_stream(struct capture *c)
{
    /* Bound to the agent, not to the supervisor: the agent is reaped at once, by its
     * supervisor, while an orphan's end is told by an init that may take its time. */
    static const char script[] =
        "cd -- \"$HOME/$1\" || exit; tries=0\n"
        "until [ -s agent ] || [ -e rc ] || [ \"$tries\" = 250 ]; do\n"
        "sleep 0.02; tries=$((tries + 1)); done\n"
        "[ -s agent ] && read -r agent <agent\n"
        "exec tail -c \"+$2\" ${agent:+-f \"--pid=$agent\" -s 0.05} -- out.ndjson";
    static const struct envd_stream_events ev = {
        .out = on_out, .idle = on_idle, .ended = on_tail_ended};
    char from[24], tag[CAPTURE_TAG_MAX_BYTES];
    const char *const args[] = {"-c", script, "sh", c->dir, from, NULL};
    const struct envd_command command = {
        .cmd = "/bin/sh", .args = args, .tag = capture_tail_tag(c, tag)};
    struct err e;

    (void)snprintf(from, sizeof(from), "%" PRId64, c->lines.offset + 1);
    c->moved = false;
    if (envd_run(c->envd, &command, &ev, c, &c->stream, &e) != ERR_OK)
        again(c, capture_follow, &e);
}

/* --- ranged reads -------------------------------------------------------------------- */

static void on_piece(void *ctx, struct str piece)
{
    (void)capture_feed(ctx, piece);
}

static int64_t position(const struct capture *c)
{
    return c->lines.offset + c->lines.under_way;
}

static void on_polled(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct capture *c = ctx;

    c->call = NULL;
    if (e->code != ERR_OK) {
        lines_rewind(&c->lines);
        again(c, capture_follow, e);
        return;
    }
    capture_alive(c);
    if (a->at_end || !c->moved)
        capture_look_for_rc(c);
    else
        capture_later(c, capture_follow, CAPTURE_POLL_EVERY_MS);
}

/* The end of the file behind rc. Not all of it came: once more from where it ended. */
static void on_rest(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct capture *c = ctx;
    struct err why = *e;

    c->call = NULL;
    if (e->code == ERR_OK && (a->at_end || a->size == position(c))) {
        struct line line;

        if (lines_end(&c->lines, &line) == LINES_LINE && !capture_give(c, &line))
            return;
        capture_alive(c);
        last_words(c);
        return;
    }
    lines_rewind(&c->lines);
    if (why.code == ERR_OK)
        (void)err_set(&why, ERR_PROTOCOL, "sandbox: a read of the output ended early");
    again(c, read_rest, &why);
}

static void read_from_position(struct capture *c, envd_fn done)
{
    char path[PATH_ROOM];
    struct err e;

    c->moved = false;
    if (envd_get(c->envd, capture_path(c, "out.ndjson", path, sizeof(path)), position(c), on_piece,
                 done, c, &c->call, &e) != ERR_OK)
        again(c, c->have_rc ? read_rest : capture_follow, &e);
}

static void read_rest(struct capture *c)
{
    if (!c->paused)
        read_from_position(c, on_rest);
}

/* --- rc ---------------------------------------------------------------------------------- */

static bool read_status(struct str text, int *status)
{
    int64_t n = 0;

    if (!str_int(str_trim(text), 999, &n))
        return false;
    *status = (int)n;
    return true;
}

static void got_rc(struct capture *c, int status)
{
    c->status = status;
    c->have_rc = true;
    capture_alive(c);
    envd_stream_free(c->stream);
    c->stream = NULL;
    if (c->log_ceiling)
        last_words(c);
    else
        read_rest(c);
}

/* No rc. That is as it should be while the agent lives; behind its end the supervisor
 * writes it within milliseconds, or never. */
static void no_rc(struct capture *c)
{
    int64_t now = loop_now_ms(c->loop);
    struct err e;

    capture_alive(c);
    if (c->stream)
        return;
    if (!c->gone || c->log_ceiling) {
        bool wait = c->poll_until_ms > 0 || c->log_ceiling;

        capture_later(c, capture_follow, wait ? CAPTURE_POLL_EVERY_MS : 0);
        return;
    }
    if (c->dead_since_ms == 0)
        c->dead_since_ms = now;
    if (now - c->dead_since_ms < CAPTURE_DEAD_MS) {
        capture_later(c, capture_look_for_rc, CAPTURE_POLL_EVERY_MS);
        return;
    }
    (void)err_set(&e, ERR_INTERNAL, "the agent's supervisor died without an exit status");
    e.retry_ms = 0;
    capture_fail(c, &e);
}

static void on_rc(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct capture *c = ctx;
    int status;

    c->call = NULL;
    if (e->code == ERR_OK && read_status(a->body, &status))
        got_rc(c, status);
    else if (e->code == ERR_OK || e->code == ERR_NOT_FOUND)
        no_rc(c);
    else if (!c->stream) /* else the stream tells */
        again(c, capture_look_for_rc, e);
}

void capture_look_for_rc(struct capture *c)
{
    char path[PATH_ROOM];
    struct err e;

    if (envd_get(c->envd, capture_path(c, "rc", path, sizeof(path)), 0, NULL, on_rc, c, &c->call,
                 &e) != ERR_OK &&
        !c->stream)
        again(c, capture_look_for_rc, &e);
}

void capture_follow(struct capture *c)
{
    if (c->paused && !c->log_ceiling)
        return;
    if (c->poll_until_ms > 0 && loop_now_ms(c->loop) >= c->poll_until_ms) {
        c->poll_until_ms = 0;
        c->failures = 0;
        lines_rewind(&c->lines);
    }
    if (c->log_ceiling)
        capture_look_for_rc(c);
    else if (c->have_rc)
        read_rest(c);
    else if (c->poll_until_ms > 0)
        read_from_position(c, on_polled);
    else if (c->stray)
        capture_end_tails(c);
    else
        capture_open_stream(c);
}

/* --- stderr -------------------------------------------------------------------------------- */

static void on_stderr_said(void *ctx, struct str bytes)
{
    struct capture *c = ctx;

    buf_addstr(&c->said, bytes);
}

/* Best effort: a run does not fail for the want of it. */
static void on_stderr_read(void *ctx, int64_t exit_code, const struct err *e)
{
    struct capture *c = ctx;

    (void)exit_code;
    c->stream = NULL;
    if (e->code == ERR_GONE || e->code == ERR_OK || ++c->failures >= CAPTURE_STREAMS)
        capture_end(c, buf_str(&c->said));
    else
        again(c, capture_read_stderr, e);
}

void capture_read_stderr(struct capture *c)
{
    static const char script[] = "tail -c \"$2\" -- \"$HOME/$1/err.log\"";
    static const struct envd_stream_events ev = {.out = on_stderr_said, .ended = on_stderr_read};
    struct err e;
    char n[24];

    buf_release(&c->said);
    c->said = BUF_INIT(CAPTURE_STDERR_MAX_BYTES);
    (void)snprintf(n, sizeof(n), "%d", (int)CAPTURE_STDERR_MAX_BYTES);
    if (capture_shell(c, script, n, &ev, &c->stream, &e) != ERR_OK)
        capture_end(c, (struct str){0});
}

static void last_words(struct capture *c)
{
    if (c->ev.wants_cost && c->ev.wants_cost(c->ctx))
        capture_ask_cost(c);
    else
        capture_read_stderr(c);
}
