/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/capture/capture_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/session/transcript.h"

#include "common/banned.h"

enum { JOB_MAX_BYTES = 2 << 20, PROMPT_MAX_BYTES = 10 << 20, SAID_MAX_BYTES = 256 };

/* --- steps -------------------------------------------------------------------- */

static void on_timer(void *ctx)
{
    struct capture *c = ctx;

    c->next(c);
}

void capture_later(struct capture *c, capture_step step, int64_t delay_ms)
{
    c->next = step;
    timer_start(c->timer, delay_ms);
}

void capture_alive(struct capture *c)
{
    c->deadline_ms = loop_now_ms(c->loop) + CAPTURE_LOST_MS;
    backoff_reset(&c->backoff);
    c->refusals = 0;
}

const char *capture_path(const struct capture *c, const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "~/%s/%s", c->dir, name);
    return out;
}

enum err_code capture_shell(struct capture *c, const char *script, const char *word,
                            const struct envd_stream_events *ev, struct envd_stream **out,
                            struct err *err)
{
    const char *const args[] = {"-c", script, "sh", c->dir, word, NULL};

    return envd_run(c->envd, &(struct envd_command){.cmd = "/bin/sh", .args = args}, ev, c, out,
                    err);
}

/* --- the end -------------------------------------------------------------------- */

static void release(struct capture *c)
{
    timer_free(c->timer);
    timer_free(c->kill_timer);
    buf_release(&c->job);
    buf_release(&c->prompt);
    buf_release(&c->transcript);
    buf_release(&c->said);
    buf_release(&c->cost);
    secret_free(c->token);
    lines_release(&c->lines);
    free(c);
}

void capture_drop(struct capture *c)
{
    for (size_t i = 0; i < PUTS; i++) {
        envd_call_free(c->puts[i].call);
        c->puts[i].call = NULL;
    }
    envd_call_free(c->call);
    c->call = NULL;
    c->stray = c->stray || c->stream;
    envd_stream_free(c->stream);
    c->stream = NULL;
    capture_lost_drop(c);
    if (c->timer)
        timer_stop(c->timer);
}

static void stop_all(struct capture *c)
{
    capture_drop(c);
    envd_stream_free(c->killer);
    c->killer = NULL;
    if (c->kill_timer)
        timer_stop(c->kill_timer);
}

/* Around every call of our caller's code, which may free us. False: it did. */
static bool leave(struct capture *c)
{
    if (--c->busy > 0 || !c->freed)
        return !c->freed;
    release(c);
    return false;
}

void capture_fail(struct capture *c, const struct err *e)
{
    const struct err copy = *e;

    stop_all(c);
    c->over = true;
    c->busy++;
    c->ev.failed(c->ctx, &copy);
    (void)leave(c);
}

void capture_end(struct capture *c, struct str stderr_tail)
{
    const struct capture_end end = {.exit_status = c->status,
                                    .bytes = c->lines.offset,
                                    .lines = c->lines.n,
                                    .blank_lines = c->lines.blank,
                                    .stderr_tail = stderr_tail,
                                    .log_ceiling = c->log_ceiling,
                                    .cost_before = capture_cost_line(c, 0),
                                    .cost_after = capture_cost_line(c, 1)};

    stop_all(c);
    c->over = true;
    c->busy++;
    c->ev.ended(c->ctx, &end);
    (void)leave(c);
}

void capture_free(struct capture *c)
{
    if (!c)
        return;
    stop_all(c);
    c->freed = true;
    if (c->busy == 0)
        release(c);
}

/* --- lines ------------------------------------------------------------------------ */

bool capture_give(struct capture *c, const struct line *line)
{
    const struct capture_line out = {.text = {line->text, line->len},
                                     .mutable_text = line->text,
                                     .n = line->n,
                                     .end_offset = line->end_offset,
                                     .true_bytes = line->true_bytes,
                                     .unterminated = line->unterminated};

    c->busy++;
    c->ev.line(c->ctx, &out);
    return leave(c);
}

/* What is over the ceiling is not read any more; the agent is ended. */
static void hit_ceiling(struct capture *c)
{
    c->log_ceiling = true;
    capture_drop(c);
    lines_rewind(&c->lines);
    capture_kill(c, CAPTURE_CEILING_GRACE_MS);
    capture_later(c, capture_follow, CAPTURE_POLL_EVERY_MS);
}

/* Inside capture_feed, which keeps c alive. */
static bool feed_lines(struct capture *c, struct str piece)
{
    struct line line;
    enum lines_step step;

    while ((step = lines_next(&c->lines, &piece, &line)) == LINES_LINE)
        if (!capture_give(c, &line) || c->paused)
            return false;
    if (step == LINES_NOMEM) {
        capture_fail(c, &(struct err){.code = ERR_NOMEM, .msg = "hold a line"});
        return false;
    }
    return true;
}

bool capture_feed(struct capture *c, struct str piece)
{
    c->busy++;
    c->moved = true;
    c->failures = 0;
    capture_alive(c);
    if (feed_lines(c, piece) && c->lines.offset + c->lines.under_way > CAPTURE_LOG_MAX_BYTES)
        hit_ceiling(c);
    if (!c->freed && !c->over && c->paused) {
        capture_drop(c);
        lines_rewind(&c->lines);
    }
    return leave(c) && !c->over && !c->paused && !c->log_ceiling;
}

void capture_pause(struct capture *c, bool paused)
{
    if (c->paused == paused || c->over)
        return;
    c->paused = paused;
    if (c->pid == 0 || c->busy > 0) /* the start goes on; capture_feed looks behind its line */
        return;
    capture_drop(c);
    lines_rewind(&c->lines);
    if (!paused)
        capture_later(c, capture_follow, 0);
}

/* --- kill ---------------------------------------------------------------------------- */

static void on_kill_said(void *ctx, struct str bytes)
{
    (void)ctx;
    (void)bytes;
}

/* TERM was sent: KILL follows after the grace, and again for as long as it lives. Not
 * sent (the group is not known yet, or the call failed): the same once more. */
static void on_kill_ended(void *ctx, int64_t exit_code, const struct err *e)
{
    struct capture *c = ctx;
    bool warned = e->code == ERR_OK && exit_code == 0 && strcmp(c->signal, "TERM") == 0;

    c->killer = NULL;
    timer_start(c->kill_timer, warned ? c->grace_ms : CAPTURE_KILL_AGAIN_MS);
    if (warned)
        c->signal = "KILL";
}

void capture_kill_go(struct capture *c)
{
    static const char script[] =
        "read -r group <\"$HOME/$1/agent\" && kill -s \"$2\" -- \"-$group\"";
    static const struct envd_stream_events ev = {.out = on_kill_said, .ended = on_kill_ended};
    struct err e;

    if (c->pid == 0 || !c->signal || c->killer)
        return;
    if (capture_shell(c, script, c->signal, &ev, &c->killer, &e) != ERR_OK)
        timer_start(c->kill_timer, CAPTURE_KILL_AGAIN_MS);
}

static void on_kill_timer(void *ctx)
{
    struct capture *c = ctx;

    if (c->cancelled)
        capture_cancel_go(c);
    else
        capture_kill_go(c);
}

void capture_kill(struct capture *c, int64_t grace_ms)
{
    if (c->over || c->signal || c->cancelled)
        return;
    c->grace_ms = grace_ms;
    c->signal = grace_ms > 0 ? "TERM" : "KILL";
    timer_start(c->kill_timer, 0);
}

/* --- start ----------------------------------------------------------------------------- */

static bool dir_ok(const char *run_id)
{
    size_t n = strlen(run_id);

    return n > 0 && n < 64 && *run_id != '.' && *run_id != '-' &&
           strspn(run_id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static enum err_code keep_spec(struct capture *c, const struct capture_spec *spec, struct err *err)
{
    if (!dir_ok(spec->run_id))
        return err_set(err, ERR_INVALID, "capture: the run's id is no folder name");
    (void)snprintf(c->dir, sizeof(c->dir), ".sandfleet/%s/%" PRId64, spec->run_id, spec->attempt);
    if (capture_job_write(spec, &c->job, err) != ERR_OK)
        return err->code;
    buf_addstr(&c->prompt, spec->prompt);
    buf_addstr(&c->transcript, spec->transcript);
    if (c->prompt.rc != ERR_OK || c->transcript.rc != ERR_OK)
        return err_set(err, c->prompt.rc != ERR_OK ? c->prompt.rc : c->transcript.rc,
                       "capture: the prompt or the transcript");
    if (spec->credential && secret_new(secret_value(spec->credential), &c->token, err) != ERR_OK)
        return err->code;
    c->timer = timer_new(c->loop, on_timer, c);
    c->kill_timer = timer_new(c->loop, on_kill_timer, c);
    return c->timer && c->kill_timer ? ERR_OK : err_set(err, ERR_NOMEM, "capture");
}

enum err_code capture_start(struct sandbox *sb, const struct capture_spec *spec,
                            const struct capture_events *ev, void *ctx, struct capture **out,
                            struct err *err)
{
    struct capture *c = calloc(1, sizeof(*c));

    if (!c)
        return err_set(err, ERR_NOMEM, "capture");
    *c = (struct capture){.sb = sb,
                          .stray = spec->resume,
                          .envd = sandbox_envd(sb),
                          .loop = sandbox_loop(sb),
                          .ev = *ev,
                          .ctx = ctx,
                          .job = BUF_INIT(JOB_MAX_BYTES),
                          .prompt = BUF_INIT(PROMPT_MAX_BYTES),
                          .transcript = BUF_INIT(TRANSCRIPT_MAX_BYTES),
                          .said = BUF_INIT(SAID_MAX_BYTES),
                          .cost = BUF_INIT(CAPTURE_COST_MAX_BYTES),
                          .backoff = BACKOFF_INIT(100, 5000)};
    lines_init(&c->lines, CAPTURE_LINE_MAX_BYTES, spec->offset, spec->line);
    if (keep_spec(c, spec, err) != ERR_OK) {
        release(c);
        return err->code;
    }
    c->deadline_ms = loop_now_ms(c->loop) + CAPTURE_START_MS;
    capture_later(c, spec->resume ? capture_look : capture_prepare, 0);
    *out = c;
    return ERR_OK;
}
