/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of a capture: one that writes down what it is told. */
#ifndef SANDFLEET_TESTS_WORKER_CAPTURE_WORLD_H
#define SANDFLEET_TESTS_WORKER_CAPTURE_WORLD_H

#include "fixture.h"

#include "worker/capture/capture.h"

struct got {
    struct capture *c;
    struct buf text; /* the lines as they came, each with its newline */
    int64_t started, lines, blank, bytes, last_offset;
    int64_t stop_at;  /* stop the loop at this line; 0: at the end */
    int64_t pause_at; /* pause there, and go on a little later; 0: never */
    int64_t longest, true_bytes;
    bool unterminated, ended, paused, stays_paused, log_ceiling;
    int status;
    char stderr_tail[256];
    bool wants_cost;
    char cost_before[64], cost_after[64];
    struct err e;
    struct timer *later;
};

FX_HELPER void on_started(void *ctx)
{
    ((struct got *)ctx)->started++;
}

FX_HELPER void on_line(void *ctx, const struct capture_line *line)
{
    struct got *g = ctx;

    assert_false(g->ended);
    assert_int_equal(line->n, ++g->lines);
    assert_true(line->end_offset > g->last_offset);
    g->last_offset = line->end_offset;
    g->unterminated = line->unterminated;
    g->longest = (int64_t)line->text.n > g->longest ? (int64_t)line->text.n : g->longest;
    g->true_bytes = line->true_bytes > g->true_bytes ? line->true_bytes : g->true_bytes;
    buf_addstr(&g->text, line->text);
    buf_addc(&g->text, '\n');
    if (line->n == g->pause_at) {
        capture_pause(g->c, true);
        if (!g->stays_paused)
            timer_start(g->later, 50);
    }
    if (line->n == g->stop_at)
        loop_stop(fx.loop);
}

FX_HELPER bool on_wants_cost(void *ctx)
{
    return ((struct got *)ctx)->wants_cost;
}

FX_HELPER void on_ended(void *ctx, const struct capture_end *end)
{
    struct got *g = ctx;

    assert_false(g->ended);
    g->ended = true;
    g->status = end->exit_status;
    g->bytes = end->bytes;
    g->blank = end->blank_lines;
    g->log_ceiling = end->log_ceiling;
    assert_int_equal(end->lines, g->lines);
    (void)snprintf(g->stderr_tail, sizeof(g->stderr_tail), STR_FMT, STR_ARG(end->stderr_tail));
    (void)snprintf(g->cost_before, sizeof(g->cost_before), STR_FMT, STR_ARG(end->cost_before));
    (void)snprintf(g->cost_after, sizeof(g->cost_after), STR_FMT, STR_ARG(end->cost_after));
    loop_stop(fx.loop);
}

FX_HELPER void on_failed(void *ctx, const struct err *e)
{
    struct got *g = ctx;

    assert_false(g->ended);
    g->ended = true;
    g->e = *e;
    loop_stop(fx.loop);
}

static const struct capture_events events = {.started = on_started,
                                             .line = on_line,
                                             .wants_cost = on_wants_cost,
                                             .ended = on_ended,
                                             .failed = on_failed};

FX_HELPER void on_later(void *ctx)
{
    capture_pause(((struct got *)ctx)->c, false);
}

FX_HELPER void begin(struct got *g, struct sandbox *sb, const char *run_id, const char *script,
                     struct capture_spec spec)
{
    struct err e = ERR_INIT;

    spec.run_id = run_id;
    spec.attempt = 1;
    spec.prompt = str_of(script);
    if (spec.timeout_s == 0)
        spec.timeout_s = 120;
    g->text = BUF_INIT(64 << 20);
    g->lines = spec.line;
    g->last_offset = spec.offset;
    g->later = timer_new(fx.loop, on_later, g);
    assert_string_equal(err_name(capture_start(sb, &spec, &events, g, &g->c, &e)), "OK");
}

FX_HELPER void end(struct got *g)
{
    capture_free(g->c);
    buf_release(&g->text);
    timer_free(g->later);
}

/* One sandbox and its service a test. */
struct world {
    struct sandbox_service *service;
    struct sandbox *sb;
    const char *run_id;
};

FX_HELPER struct world world_of(const char *run_id, const char *sandbox_url)
{
    struct world w = {.service = fx_service(sandbox_url, NULL), .run_id = run_id};
    struct fx_got got = fx_create(w.service, "claude", run_id);

    assert_string_equal(got.e.msg, "");
    assert_non_null(got.sb);
    w.sb = got.sb;
    return w;
}

FX_HELPER void on_killed(void *ctx, const struct err *e)
{
    (void)ctx;
    assert_string_equal(err_name(e->code), "OK");
    loop_stop(fx.loop);
}

FX_HELPER void kill_sandbox(struct world *w)
{
    struct err e = ERR_INIT;

    assert_string_equal(err_name(sandbox_kill(w->service, sandbox_id(w->sb), on_killed, NULL, &e)),
                        "OK");
}

FX_HELPER void world_end(struct world *w)
{
    kill_sandbox(w);
    fx_run();
    sandbox_free(w->sb);
    sandbox_service_free(w->service);
}

FX_HELPER void on_command_said(void *ctx, struct str bytes)
{
    (void)ctx, (void)bytes;
}

FX_HELPER void on_command_ended(void *ctx, int64_t exit_code, const struct err *e)
{
    assert_string_equal(err_name(e->code), "OK");
    *(int64_t *)ctx = exit_code;
    loop_stop(fx.loop);
}

/* Runs a script in the sandbox, beside the agent. */
FX_HELPER int64_t exit_of(const struct world *w, const char *script)
{
    static const struct envd_stream_events ev = {.out = on_command_said, .ended = on_command_ended};
    const char *const args[] = {"-c", script, NULL};
    const struct envd_command command = {.cmd = "/bin/sh", .args = args};
    struct envd_stream *stream;
    int64_t code = -1;
    struct err e;

    assert_string_equal(err_name(envd_run(sandbox_envd(w->sb), &command, &ev, &code, &stream, &e)),
                        "OK");
    fx_run();
    return code;
}

FX_HELPER void assert_ended(const struct got *g, int status)
{
    assert_string_equal(g->e.msg, "");
    assert_true(g->ended);
    assert_int_equal(g->status, status);
    assert_int_equal(g->started, 1);
}

/* What `count N` in the scripts prints. */
#define COUNT(from, to)                                                                            \
    "awk 'BEGIN { for (i = " #from "; i <= " #to "; i++)"                                          \
    " printf \"{\\\"type\\\":\\\"x\\\",\\\"n\\\":%d}\\n\", i }'\n"

FX_HELPER void assert_counted(struct str text, int64_t from, int64_t to)
{
    AUTO_BUF want = BUF_INIT(64 << 20);

    for (int64_t i = from; i <= to; i++)
        buf_addf(&want, "{\"type\":\"x\",\"n\":%lld}\n", (long long)i);
    assert_int_equal(text.n, want.len);
    assert_memory_equal(text.p, want.p, want.len);
}

#endif
