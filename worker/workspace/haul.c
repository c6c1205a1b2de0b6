/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/workspace/haul.h"

#include <stdlib.h>
#include <string.h>

#include "worker/workspace/inspect.h"
#include "worker/workspace/pipe.h"
#include "common/banned.h"

enum { TURN_MAX_BYTES = 4 << 20 };

struct haul {
    struct loop *loop;
    struct fetch *fetch; /* NULL: it has come to its end */
    struct envd_call *upload;
    struct timer *over;   /* the end, told from the loop: both others may be on the stack */
    struct timer *breath; /* pending: others have their turn, so much was unpacked in this one */
    int64_t unpacked;     /* before this turn */
    struct inspect inspect;
    struct pipe pipe;
    const char *sha256;
    enum fill_end end;
    struct err err;
    fill_fn fn;
    void *ctx;
};

static void stop(struct haul *h)
{
    fetch_free(h->fetch);
    envd_call_free(h->upload);
    h->fetch = NULL;
    h->upload = NULL;
}

void haul_free(struct haul *h)
{
    if (!h)
        return;
    stop(h);
    timer_free(h->over);
    timer_free(h->breath);
    inspect_release(&h->inspect);
    pipe_release(&h->pipe);
    free(h);
}

static void on_over(void *ctx)
{
    struct haul *h = ctx;
    enum fill_end end = h->end;
    struct err e = h->err;
    fill_fn fn = h->fn;
    void *to = h->ctx;

    haul_free(h);
    fn(to, end, &e);
}

static void finish(struct haul *h, enum fill_end end, const struct err *e)
{
    h->end = end;
    h->err = *e;
    timer_start(h->over, 0);
}

static enum fill_end end_of(const struct err *e, enum fill_end otherwise)
{
    return e->code == ERR_INVALID ? FILL_REFUSED : e->code == ERR_NOMEM ? FILL_SANDBOX : otherwise;
}

/* Who is slower makes the other wait; and a few bytes may unpack to very many. */
static void throttle(struct haul *h)
{
    if (h->inspect.unpacked - h->unpacked > TURN_MAX_BYTES && !timer_pending(h->breath))
        timer_start(h->breath, 0);
    if (!h->fetch)
        return;
    if (timer_pending(h->breath) || pipe_full(&h->pipe))
        fetch_hold(h->fetch, true);
    else if (pipe_low(&h->pipe))
        fetch_hold(h->fetch, false);
}

static void on_breath(void *ctx)
{
    struct haul *h = ctx;

    h->unpacked = h->inspect.unpacked;
    throttle(h);
}

/* --- from where it lies -------------------------------------------------------------- */

static void on_data(void *ctx, struct str piece)
{
    struct haul *h = ctx;
    struct err e = ERR_INIT;

    if (timer_pending(h->over))
        return;
    if (inspect_feed(&h->inspect, piece, &e) != ERR_OK) {
        finish(h, end_of(&e, FILL_REFUSED), &e);
        return;
    }
    if (!pipe_add(&h->pipe, piece)) {
        (void)err_set(&e, ERR_NOMEM, "archive");
        finish(h, FILL_SANDBOX, &e);
        return;
    }
    throttle(h);
    envd_call_go_on(h->upload);
}

static void on_fetched(void *ctx, const struct err *e)
{
    struct haul *h = ctx;
    struct err why = *e;

    h->fetch = NULL;
    if (timer_pending(h->over))
        return;
    if (why.code != ERR_OK) {
        finish(h, end_of(&why, FILL_SOURCE), &why);
        return;
    }
    if (inspect_end(&h->inspect, h->sha256, &why) != ERR_OK) {
        finish(h, end_of(&why, FILL_REFUSED), &why);
        return;
    }
    h->pipe.whole = true;
    envd_call_go_on(h->upload);
}

/* --- to the sandbox ------------------------------------------------------------------ */

static ssize_t on_more(void *ctx, char *p, size_t room)
{
    struct haul *h = ctx;
    ssize_t n = pipe_take(&h->pipe, p, room);

    throttle(h);
    return n;
}

static void on_uploaded(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct haul *h = ctx;

    (void)a;
    h->upload = NULL;
    if (!timer_pending(h->over))
        finish(h, e->code == ERR_OK ? FILL_DONE : FILL_SANDBOX, e);
}

enum err_code haul_start(const struct fetch_policy *policy, struct envd *envd,
                         const struct run_archive *archive, const char *path, fill_fn fn, void *ctx,
                         struct haul **out, struct err *err)
{
    static const struct fetch_events ev = {.data = on_data, .done = on_fetched};
    struct haul *h = calloc(1, sizeof(*h));

    if (!h)
        return err_set(err, ERR_NOMEM, "archive");
    *h = (struct haul){
        .loop = policy->loop, .pipe = PIPE_INIT, .sha256 = archive->sha256, .fn = fn, .ctx = ctx};
    h->over = timer_new(policy->loop, on_over, h);
    h->breath = timer_new(policy->loop, on_breath, h);
    enum err_code rc = h->over && h->breath ? inspect_init(&h->inspect, archive->strip, err)
                                            : err_set(err, ERR_NOMEM, "archive");
    if (rc == ERR_OK)
        rc = envd_put_from(envd, path, -1, on_more, on_uploaded, h, &h->upload, err);
    if (rc == ERR_OK)
        rc = fetch_start(policy, archive->url, &ev, h, &h->fetch, err);
    if (rc != ERR_OK) {
        haul_free(h);
        return rc;
    }
    *out = h;
    return ERR_OK;
}
