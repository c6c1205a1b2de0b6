/* SPDX-License-Identifier: Apache-2.0 */
/* Before a paused sandbox the edge says the same as before one that is no more, and it has been
 * seen to say it of one that runs. The service knows: a paused one is woken, a running one is
 * tried a few times more. */
#include "worker/capture/capture_internal.h"

#include "common/banned.h"

static void probe(struct capture *c);

static void go_on(struct capture *c)
{
    capture_later(c, c->after_lost, backoff_next_ms(&c->backoff));
}

static void try_later(struct capture *c, const struct err *e)
{
    int64_t delay = e->retry_ms > 0 ? e->retry_ms : backoff_next_ms(&c->backoff);

    if (err_action(e->code) != ERR_DO_RETRY || e->code == ERR_GONE ||
        loop_now_ms(c->loop) + delay >= c->deadline_ms)
        capture_fail(c, e);
    else
        capture_later(c, probe, delay);
}

static void on_awake(void *ctx, struct sandbox *sb)
{
    struct capture *c = ctx;

    c->waking = NULL;
    sandbox_free(sb); /* the same one as ours, whose token has not changed */
    go_on(c);
}

static void on_not_awake(void *ctx, const struct err *e)
{
    struct capture *c = ctx;

    c->waking = NULL;
    try_later(c, e);
}

static void wake(struct capture *c)
{
    static const struct sandbox_events ev = {.ready = on_awake, .failed = on_not_awake};
    struct err e;

    if (sandbox_open(sandbox_service_of(c->sb), sandbox_id(c->sb), CAPTURE_REOPEN_TTL_MS, &ev, c,
                     &c->waking, &e) != ERR_OK)
        capture_fail(c, &e);
}

static void on_state(void *ctx, enum sandbox_state state, const struct err *e)
{
    struct capture *c = ctx;

    if (e->code != ERR_OK) {
        try_later(c, e);
        return;
    }
    switch (state) {
    case SANDBOX_PAUSED:
        wake(c);
        return;
    case SANDBOX_RUNNING:
        if (++c->refusals < CAPTURE_REFUSALS) {
            go_on(c);
            return;
        }
        break;
    case SANDBOX_GONE:
        break;
    }
    capture_fail(c, &c->lost);
}

static void probe(struct capture *c)
{
    struct err e;

    if (sandbox_probe(sandbox_service_of(c->sb), sandbox_id(c->sb), on_state, c, &e) != ERR_OK)
        capture_fail(c, &e);
}

void capture_lost(struct capture *c, capture_step step, const struct err *e)
{
    c->lost = *e;
    c->after_lost = step;
    probe(c);
}

void capture_lost_drop(struct capture *c)
{
    sandbox_forget(sandbox_service_of(c->sb), c);
    sandbox_op_cancel(c->waking);
    c->waking = NULL;
}
