/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for the loop, the clock, the ledger and the broker. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_world.h"
#include "worker/sandbox/sandbox_row.h"
#include "worker/session/session_row.h"
#include "common/banned.h"

struct world w;

void world_note(const char *fmt, ...)
{
    va_list ap;
    if (w.trace.len > 0)
        buf_addc(&w.trace, ' ');
    va_start(ap, fmt);
    buf_vaddf(&w.trace, fmt, ap);
    va_end(ap);
}

enum err_code loop_defer(struct loop *l, loop_fn fn, void *ctx, struct err *err)
{
    (void)l, (void)err;
    assert_null(w.deferred);
    w.deferred = fn;
    w.deferred_ctx = ctx;
    return ERR_OK;
}

struct timer *timer_new(struct loop *l, loop_fn fn, void *ctx)
{
    struct timer *t = calloc(1, sizeof(*t));
    (void)l;
    *t = (struct timer){fn, ctx};
    return t;
}

void timer_start(struct timer *t, int64_t delay_ms)
{
    w.timer = *t;
    w.timer_ms = delay_ms;
}

void timer_stop(struct timer *t)
{
    (void)t;
}

void timer_free(struct timer *t)
{
    free(t);
}

/* Everything waits by this clock, which "later" sets to the moment when the timer is due. */
int64_t __real_clock_boot_ms(void);
int64_t __wrap_clock_boot_ms(void);
int64_t __wrap_clock_boot_ms(void)
{
    return __real_clock_boot_ms() + w.later_ms;
}

/* Only so that no connection, and with it the real loop, is linked. */
const char *pg_text(const PGresult *res, int row, int col)
{
    (void)res, (void)row, (void)col;
    return NULL;
}

int64_t pg_int(const PGresult *res, int row, int col)
{
    (void)res, (void)row, (void)col;
    return 0;
}

static struct ledger_op *owe(ledger_fn fn, void *ctx)
{
    assert_null(w.saved);
    w.saved = fn;
    w.saved_ctx = ctx;
    return (struct ledger_op *)&w.saved;
}

struct ledger_op *sandbox_row_place(struct ledger *l, struct ledger_run r, const char *template,
                                    const char *new_key, ledger_row_fn fn, void *ctx)
{
    (void)l, (void)r, (void)template;
    assert_string_equal(new_key, ID "-1");
    world_note("place");
    w.placed = fn;
    w.placed_ctx = ctx;
    return (struct ledger_op *)&w.placed;
}

void sandbox_row_place_read(const PGresult *res, struct sandbox_place *out)
{
    (void)res;
    *out = w.place;
}

struct ledger_op *sandbox_row_own(struct ledger *l, struct ledger_run r, const char *key,
                                  const char *sandbox_id, const struct sandbox_size *size,
                                  ledger_fn fn, void *ctx)
{
    (void)l, (void)r, (void)size;
    assert_string_equal(key, w.place.key);
    world_note("own:%s", sandbox_id);
    return owe(fn, ctx);
}

struct ledger_op *sandbox_row_give_up(struct ledger *l, struct ledger_run r, const char *key,
                                      ledger_fn fn, void *ctx)
{
    (void)l, (void)r;
    world_note("give-up:%s", key);
    return owe(fn, ctx);
}

struct ledger_op *sandbox_row_freed(struct ledger *l, const char *key, ledger_fn fn, void *ctx)
{
    (void)l, (void)key;
    world_note("freed");
    return owe(fn, ctx);
}

struct ledger_op *session_row_storing(struct ledger *l, struct ledger_run r, const char *key,
                                      ledger_fn fn, void *ctx)
{
    (void)l, (void)r, (void)key;
    world_note("storing");
    return owe(fn, ctx);
}

struct ledger_op *session_row_kept(struct ledger *l, struct ledger_run r,
                                   const struct session_end *e, ledger_fn fn, void *ctx)
{
    (void)l, (void)r;
    assert_string_equal(e->claude_session, TALK);
    world_note("session:%s", e->transcript ? "stored" : "not-stored");
    return owe(fn, ctx);
}

struct ledger_op *ledger_set_started(struct ledger *l, struct ledger_run r, ledger_fn fn, void *ctx)
{
    (void)l, (void)r;
    world_note("mark:started");
    w.started = fn;
    w.started_ctx = ctx;
    return (struct ledger_op *)&w.started;
}

struct ledger_op *ledger_requeue(struct ledger *l, struct ledger_run r, const struct ledger_end *e,
                                 ledger_fn fn, void *ctx)
{
    (void)l, (void)r;
    world_note("requeue:%s,%d,%d%s", e->hold_reason, (int)e->failures, (int)e->uncounted,
               e->paused         ? ",paused"
               : e->park_session ? ",parked"
                                 : "");
    w.delay_ms = e->delay_ms;
    return owe(fn, ctx);
}

struct ledger_op *ledger_hold_credential(struct ledger *l, const struct claim_credential *c,
                                         int64_t hold_ms, const char *reason, ledger_fn fn,
                                         void *ctx)
{
    (void)l;
    world_note("hold:%s,%s", c->name, reason);
    w.hold_ms = hold_ms;
    w.holding = fn;
    w.holding_ctx = ctx;
    return (struct ledger_op *)&w.holding;
}

enum err_code ledger_learn_windows(struct ledger *l, const struct claim_credential *c,
                                   const char *windows, struct err *err)
{
    (void)l, (void)err;
    world_note("learn:%s,%s", c->name, windows);
    return ERR_OK;
}

struct ledger_op *ledger_close(struct ledger *l, struct ledger_run r, const struct ledger_end *e,
                               ledger_fn fn, void *ctx)
{
    (void)l, (void)r;
    world_note("close%s", e->paused ? ":paused" : e->park_session ? ":parked" : "");
    return owe(fn, ctx);
}

struct ledger_op *ledger_set_published(struct ledger *l, struct ledger_run r, ledger_fn fn,
                                       void *ctx)
{
    (void)l, (void)r;
    world_note("mark:published");
    return owe(fn, ctx);
}

void ledger_cancel(struct ledger_op *op)
{
    if (op == (struct ledger_op *)&w.saved)
        w.saved = NULL;
    if (op == (struct ledger_op *)&w.started)
        w.started = NULL;
    if (op == (struct ledger_op *)&w.holding)
        w.holding = NULL;
    if (op == (struct ledger_op *)&w.placed)
        w.placed = NULL;
}

struct publish_log *publish_log_new(struct publish_hub *h, const struct event_run *run,
                                    void (*moved)(void *ctx), void *ctx)
{
    (void)h, (void)run;
    w.moved = moved;
    w.moved_ctx = ctx;
    return (struct publish_log *)&w.moved;
}

void publish_log_free(struct publish_log *log)
{
    (void)log;
    w.moved = NULL;
}

enum err_code publish_event(struct publish_log *log, const struct event *e, struct err *err)
{
    (void)log, (void)err;
    if (event_is_line(e->type))
        world_note("line:%d", (int)e->n);
    else
        world_note("say:%s", event_type_name(e->type) + sizeof("sandfleet.") - 1);
    snprintf(w.data, sizeof(w.data), STR_FMT, STR_ARG(e->data));
    w.unacked++;
    return ERR_OK;
}

struct publish_position publish_log_position(const struct publish_log *log)
{
    (void)log;
    return (struct publish_position){0};
}

bool publish_log_idle(const struct publish_log *log)
{
    (void)log;
    return w.unacked == 0;
}

bool publish_log_blocked(const struct publish_log *log)
{
    (void)log;
    return w.blocked;
}

size_t publish_log_unacked(const struct publish_log *log)
{
    (void)log;
    return 0;
}
