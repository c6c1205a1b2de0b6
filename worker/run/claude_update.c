/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/claude_update.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/e2b/envd.h"
#include "common/banned.h"

/* The limit inside, $1 in seconds, and ours behind it for a sandbox that does not answer. */
#define SCRIPT                                                                                     \
    "PATH=\"$HOME/.local/bin:$PATH\"; exec timeout -k 5 \"$1\" claude update </dev/null "          \
    ">/dev/null 2>&1"
enum { GIVE_UP_MS = 10 * 1000 };

struct claude_update {
    struct sandbox *sb; /* borrowed */
    struct envd_stream *stream;
    struct timer *timer;
    int64_t began_ms, limit_ms;
    void (*done)(void *ctx);
    void *ctx;
};

bool claude_update_applies(bool policy_once, const char *template)
{
    return policy_once && strcmp(template, "claude") == 0;
}

void claude_update_free(struct claude_update *u)
{
    if (!u)
        return;
    envd_stream_free(u->stream);
    timer_free(u->timer);
    free(u);
}

static void failed(const struct sandbox *sb, const struct err *e)
{
    log_event(LOG_WARN, "claude.not_updated", LF("sandbox", sandbox_id(sb)), LF_ERR(e),
              LF("next", "the agent runs in the version that is there"));
}

static void end(struct claude_update *u)
{
    void (*done)(void *ctx) = u->done;
    void *ctx = u->ctx;

    claude_update_free(u);
    done(ctx);
}

static void on_ended(void *ctx, int64_t exit_code, const struct err *e)
{
    struct claude_update *u = ctx;
    struct err why = *e;

    u->stream = NULL;
    if (why.code == ERR_OK && exit_code != 0)
        (void)err_set(&why, exit_code == 124 ? ERR_TIMEOUT : ERR_UNAVAILABLE,
                      "claude update: exit status %d", (int)exit_code);
    if (why.code != ERR_OK)
        failed(u->sb, &why);
    else
        log_event(LOG_INFO, "claude.updated", LF("sandbox", sandbox_id(u->sb)),
                  LF_INT("ms", loop_now_ms(sandbox_loop(u->sb)) - u->began_ms));
    end(u);
}

static void on_late(void *ctx)
{
    struct claude_update *u = ctx;
    struct err e;

    (void)err_set(&e, ERR_TIMEOUT, "claude update: no end in time");
    failed(u->sb, &e);
    end(u);
}

static void on_out(void *ctx, struct str bytes)
{
    (void)ctx, (void)bytes;
}

static enum err_code start(struct claude_update *u, struct err *err)
{
    char limit_s[32];
    const char *const args[] = {"-c", SCRIPT, "sh", limit_s, NULL};
    static const struct envd_stream_events ev = {.out = on_out, .ended = on_ended};
    const struct envd_command command = {.cmd = "/bin/sh", .args = args};

    (void)snprintf(limit_s, sizeof(limit_s), "%.3f", (double)u->limit_ms / 1000);
    u->timer = timer_new(sandbox_loop(u->sb), on_late, u);
    if (!u->timer)
        return err_set(err, ERR_NOMEM, "claude update");
    timer_start(u->timer, u->limit_ms + GIVE_UP_MS);
    return envd_run(sandbox_envd(u->sb), &command, &ev, u, &u->stream, err);
}

struct claude_update *claude_update_within(struct sandbox *sb, int64_t limit_ms,
                                           void (*done)(void *ctx), void *ctx)
{
    struct claude_update *u = calloc(1, sizeof(*u));
    struct err e = ERR_INIT;

    if (u) {
        *u = (struct claude_update){.sb = sb,
                                    .began_ms = loop_now_ms(sandbox_loop(sb)),
                                    .limit_ms = limit_ms,
                                    .done = done,
                                    .ctx = ctx};
        if (start(u, &e) == ERR_OK)
            return u;
        claude_update_free(u);
    } else {
        (void)err_set(&e, ERR_NOMEM, "claude update");
    }
    failed(sb, &e);
    return NULL;
}

struct claude_update *claude_update_start(struct sandbox *sb, void (*done)(void *ctx), void *ctx)
{
    return claude_update_within(sb, CLAUDE_UPDATE_MS, done, ctx);
}
