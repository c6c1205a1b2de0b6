/* SPDX-License-Identifier: Apache-2.0 */
/* One script in the sandbox does all of it (cancel.sh), so that neither our death nor the time
 * between here and there changes what happens when. Called again until it got through. */
#include "worker/capture/capture_internal.h"

#include <stdio.h>

#include "common/banned.h"

enum { TENTH_MS = 100, TERM_TENTHS = 1 };

extern const char cancel_sh[]; /* embedded by the build */

static void on_said(void *ctx, struct str bytes)
{
    (void)ctx, (void)bytes;
}

/* An agent that nobody follows yet: its end is looked for. */
static void on_done(void *ctx, int64_t exit_code, const struct err *e)
{
    struct capture *c = ctx;

    c->killer = NULL;
    if (e->code == ERR_GONE && c->pid == 0)
        capture_lost(c, capture_cancel_go, e);
    else if (e->code != ERR_OK || exit_code != 0)
        timer_start(c->kill_timer, CAPTURE_KILL_AGAIN_MS);
    else if (c->pid == 0)
        capture_later(c, capture_look_for_rc, 0);
}

void capture_cancel_go(struct capture *c)
{
    static const struct envd_stream_events ev = {.out = on_said, .ended = on_done};
    char first[16], second[16];
    const char *const args[] = {"-c", cancel_sh, "sh", c->dir, first, second, NULL};
    const struct envd_command command = {.cmd = "/bin/sh", .args = args};
    struct err e;

    if (c->killer)
        return;
    (void)snprintf(first, sizeof(first), "%d", (int)(c->grace_ms / TENTH_MS));
    (void)snprintf(second, sizeof(second), "%d", TERM_TENTHS);
    if (envd_run(c->envd, &command, &ev, c, &c->killer, &e) != ERR_OK)
        timer_start(c->kill_timer, CAPTURE_KILL_AGAIN_MS);
}

/* A start under way is broken off: the script knows what became of it, or that nothing will. */
void capture_cancel(struct capture *c, int64_t grace_ms)
{
    if (c->over || c->cancelled)
        return;
    c->cancelled = true;
    c->grace_ms = grace_ms;
    if (c->pid == 0)
        capture_drop(c);
    timer_start(c->kill_timer, 0);
}
