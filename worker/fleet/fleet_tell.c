/* SPDX-License-Identifier: Apache-2.0 */
/* The waiting room, kept by the worker that leads: each run in it is looked at from time to time,
 * and why it waits is told when that is news. A few at a time: a long queue is no flood. */
#include "worker/fleet/fleet_internal.h"
#include "common/banned.h"

enum {
    TELL_MS = 1000,
    TELL_LIMIT = 100,      /* at most so many are looked at each time */
    TELL_LEAST_MS = 2000,  /* who waits no longer than that is not told */
    TELL_AGAIN_MS = 10000, /* so often each is looked at, at most */
    TIDY_EVERY = 60        /* turns */
};

static void ignore(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res, (void)e;
}

static void on_looked(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;

    f->telling = false;
    if (e->code == ERR_OK && !f->muted && !f->finishing)
        teller_add(f->teller, res); /* else it is looked at again, and told then */
}

static void look(struct fleet *f)
{
    struct err err = ERR_INIT;

    if (!f->telling && !f->muted && teller_size(f->teller) == 0)
        f->telling = ledger_tell(f->ledger, TELL_LIMIT, TELL_LEAST_MS, TELL_AGAIN_MS, on_looked, f,
                                 &err) == ERR_OK;
}

void fleet_tell(struct fleet *f)
{
    struct err err = ERR_INIT;

    timer_start(f->tell, TELL_MS);
    if (!f->ready || f->stopping)
        return;
    bool tidy = ++f->tell_turns % TIDY_EVERY == 0;
    if (!f->leads)
        return;
    look(f);
    if (tidy)
        (void)!ledger_tidy(f->ledger, ignore, NULL, &err);
}
