/* SPDX-License-Identifier: Apache-2.0 */
/* An agent that is ended from outside may be gone before its result line, which tells the cost;
 * its program leaves the conversation's total in the transcript even so (measured on 2.1.329: at
 * INT, TERM and HUP). What this agent added is the difference to what the supervisor found. */
#include "worker/capture/capture_internal.h"

#include "common/banned.h"

static void on_said(void *ctx, struct str bytes)
{
    struct capture *c = ctx;

    buf_addstr(&c->cost, bytes);
}

/* Best effort, as stderr: a run does not fail for the want of it. */
static void on_told(void *ctx, int64_t exit_code, const struct err *e)
{
    struct capture *c = ctx;

    c->stream = NULL;
    if (e->code == ERR_OK && exit_code == 0 && c->cost.rc == ERR_OK) {
        capture_alive(c);
    } else {
        buf_clear(&c->cost);
        if (e->code != ERR_OK && e->code != ERR_GONE && ++c->failures < CAPTURE_STREAMS) {
            capture_later(c, capture_ask_cost, backoff_next_ms(&c->backoff));
            return;
        }
    }
    c->failures = 0;
    capture_read_stderr(c);
}

void capture_ask_cost(struct capture *c)
{
    static const char script[] = "cd -- \"$HOME/$1\" && exec sh ./job cost";
    static const struct envd_stream_events ev = {.out = on_said, .ended = on_told};
    struct err e;

    buf_clear(&c->cost);
    if (capture_shell(c, script, NULL, &ev, &c->stream, &e) != ERR_OK)
        capture_read_stderr(c);
}

struct str capture_cost_line(const struct capture *c, size_t line)
{
    struct str rest = buf_str(&c->cost), out = {0};

    for (size_t i = 0; i <= line; i++)
        if (!str_next(&rest, '\n', &out))
            return (struct str){0};
    return out;
}
