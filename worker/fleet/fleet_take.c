/* SPDX-License-Identifier: Apache-2.0 */
/* Takings: due runs, released ones, a dead worker's, and what the outbox owes. */
#include <stdlib.h>
#include <string.h>

#include "common/fault.h"
#include "common/log.h"
#include "worker/fleet/fleet_internal.h"
#include "worker/seen/seen.h"
#include "common/banned.h"

enum taking_kind { TAKE_DUE, TAKE_OVER, TAKE_ADOPT, TAKE_OUTBOX, TAKE_CANCELLED, TAKING_KINDS };

struct taking {
    LIST_ENTRY(taking) link;
    struct fleet *fleet;
    enum taking_kind kind;
    int64_t limit;
    int64_t lanes[LANES], got[LANES]; /* TAKE_DUE: of the limit; what came */
};

/* Ended runs need no slot: only their terminal is to be published. */
static bool ended(enum taking_kind kind)
{
    return kind == TAKE_OUTBOX || kind == TAKE_CANCELLED;
}

/* --- answers ----------------------------------------------------------------- */

static void count(const struct taking *t, int rows)
{
    for (int lane = 0; lane < LANES && t->kind == TAKE_DUE; lane++)
        seen_add(SEEN_TAKEN, (size_t)lane, (double)t->got[lane]);
    if (t->kind == TAKE_OVER || t->kind == TAKE_ADOPT)
        seen_add(SEEN_RESUMED, t->kind == TAKE_OVER ? SEEN_FROM_DEAD : SEEN_FROM_RELEASED, rows);
}

static void add_rows(struct taking *t, const PGresult *res)
{
    static const char *const kinds[TAKING_KINDS] = {[TAKE_DUE] = "take",
                                                    [TAKE_OVER] = "take over",
                                                    [TAKE_ADOPT] = "adopt",
                                                    [TAKE_OUTBOX] = "outbox",
                                                    [TAKE_CANCELLED] = "end waiting"};
    struct fleet *f = t->fleet;

    for (int row = 0; row < PQntuples(res); row++) {
        fault_pass(kinds[t->kind], "answered");
        struct claim claim;
        struct err err = ERR_INIT;
        if (ledger_claim_read(res, row, &claim, &err) != ERR_OK) {
            log_event(LOG_ERROR, "ledger.row", LF_ERR(&err));
        } else if (ended(t->kind)) {
            outbox_add(f->outbox, &claim);
        } else {
            t->got[claim.lane]++;
            fleet_add_run(f, &claim, t->kind != TAKE_DUE);
        }
    }
    count(t, PQntuples(res));
}

/* Where fewer came than were asked for, nothing more can start just now. */
static void count_backlog(const struct taking *t)
{
    for (int lane = 0; lane < LANES && t->kind == TAKE_DUE; lane++) {
        int64_t *backlog = &t->fleet->backlog[lane];
        *backlog -= t->got[lane] < *backlog ? t->got[lane] : *backlog;
        if (t->got[lane] < t->lanes[lane])
            *backlog = 0;
    }
}

static void after(const struct taking *t, int rows)
{
    struct fleet *f = t->fleet;

    if (t->kind == TAKE_CANCELLED && rows > 0)
        fleet_end_waiting(f); /* there may be more */
    if ((t->kind == TAKE_OVER || t->kind == TAKE_ADOPT) && rows > 0)
        fleet_look_cancels(f); /* their owner may have been at it */
    count_backlog(t);
}

/* It is under way no more. */
static void settle(struct taking *t)
{
    LIST_REMOVE(t, link);
    if (t->kind == TAKE_CANCELLED)
        t->fleet->ending_waiting = false;
    if (!ended(t->kind))
        t->fleet->reserved -= t->limit;
}

static void on_taken(void *ctx, PGresult *res, const struct err *e)
{
    struct taking *t = ctx;
    struct fleet *f = t->fleet;

    settle(t);
    if (e->code != ERR_OK)
        f->reconcile = true; /* it may have taken effect */
    else if (!f->finishing)  /* else they were released with all that is ours */
        add_rows(t, res);
    if (e->code == ERR_OK)
        after(t, PQntuples(res));
    free(t);
    if (e->code == ERR_OK)
        fleet_take(f);
}

/* --- questions --------------------------------------------------------------- */

static bool may_take(const struct fleet *f)
{
    return f->ready && !f->stopping && !f->muted && lease_holds(&f->lease, clock_boot_ms());
}

static int64_t room(const struct fleet *f)
{
    return slots_free(&f->slots) - f->reserved;
}

/* A run that another worker left is at work in its sandbox, whose time is limited: it is
 * followed even where there is no slot for a new one. */
static int64_t room_for_orphans(const struct fleet *f)
{
    struct slots s = f->slots;
    s.total *= FLEET_ORPHANS_SLOTS;
    return slots_free(&s) - f->reserved;
}

static struct taking *begin(struct fleet *f, enum taking_kind kind, int64_t limit)
{
    struct taking *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    *t = (struct taking){.fleet = f, .kind = kind, .limit = limit};
    LIST_INSERT_HEAD(&f->takings, t, link);
    if (!ended(kind))
        f->reserved += limit;
    return t;
}

static void end_unless_sent(struct taking *t, enum err_code rc)
{
    if (rc == ERR_OK)
        return;
    settle(t);
    free(t);
}

void fleet_forget_takings(struct fleet *f)
{
    for (struct taking *t; (t = LIST_FIRST(&f->takings));) {
        settle(t);
        free(t);
    }
}

/* A start is a dozen statements and calls. Thousands at once would stand in each other's way,
 * and in the way of those who already run: they come in groups, the next when the last is on
 * its way. While the sandbox service is away, one by one or none: they would only fail. */
static void share_starts(const struct fleet *f, int64_t take[LANES])
{
    int64_t starting = 0, may;

    for (size_t i = 0; i < f->n_runs; i++)
        starting += run_is_starting(f->runs[i]);
    may = FLEET_STARTING - starting;
    if (may < FLEET_STARTING / 2)
        may = 0;
    int64_t room = sandbox_service_room(f->sandboxes, starting);
    if (may > room)
        may = room;
    for (int lane = 0; lane < LANES; lane++) {
        take[lane] = take[lane] < may ? take[lane] : may;
        may -= take[lane];
    }
}

void fleet_take(struct fleet *f)
{
    int64_t take[LANES];
    struct err err = ERR_INIT;

    if (!may_take(f) || f->reserved > 0) /* an answer is awaited, and takes again */
        return;
    slots_share(&f->slots, f->backlog, take);
    share_starts(f, take);
    int64_t limit = take[LANE_INTERACTIVE] + take[LANE_BATCH];
    struct taking *t = limit > 0 ? begin(f, TAKE_DUE, limit) : NULL;
    if (!t)
        return;
    memcpy(t->lanes, take, sizeof(take));
    end_unless_sent(t, ledger_take(f->ledger, take, f->key_ids.p, on_taken, t, &err));
}

void fleet_adopt(struct fleet *f)
{
    struct err err = ERR_INIT;
    int64_t limit = room_for_orphans(f);
    struct taking *t = may_take(f) && limit > 0 ? begin(f, TAKE_ADOPT, limit) : NULL;

    if (t)
        end_unless_sent(t, ledger_adopt(f->ledger, limit, on_taken, t, &err));
}

void fleet_take_over(struct fleet *f, const struct lease_peer *dead)
{
    struct err err = ERR_INIT;
    int64_t limit = room_for_orphans(f);
    struct taking *t = may_take(f) && limit > 0 ? begin(f, TAKE_OVER, limit) : NULL;

    if (t)
        end_unless_sent(t, ledger_take_over(f->ledger, dead->worker_id, dead->counter, limit,
                                            on_taken, t, &err));
}

void fleet_work_outbox(struct fleet *f)
{
    struct err err = ERR_INIT;
    struct taking *t = f->ready && !f->muted && !f->finishing && outbox_size(f->outbox) == 0
                           ? begin(f, TAKE_OUTBOX, FLEET_OUTBOX_LIMIT)
                           : NULL;

    if (t)
        end_unless_sent(t, ledger_outbox(f->ledger, t->limit, on_taken, t, &err));
}

void fleet_end_waiting(struct fleet *f)
{
    struct err err = ERR_INIT;
    struct taking *t = !f->ending_waiting && f->ready && !f->muted && !f->finishing &&
                               outbox_size(f->outbox) < FLEET_CANCEL_OWED
                           ? begin(f, TAKE_CANCELLED, FLEET_CANCEL_LIMIT)
                           : NULL;

    if (!t)
        return;
    f->ending_waiting = true;
    end_unless_sent(t, ledger_end_waiting(f->ledger, t->limit, on_taken, t, &err));
}

/* --- backlog ----------------------------------------------------------------- */

static int64_t backlog_limit(const struct fleet *f)
{
    return FLEET_BACKLOG_SLOTS * f->slots.total;
}

static void judge_backlog(struct fleet *f)
{
    for (int lane = 0; lane < LANES && f->intake; lane++)
        intake_pause(f->intake, (enum run_lane)lane, f->backlog[lane] > backlog_limit(f));
}

static void on_backlog(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;

    if (e->code != ERR_OK || f->finishing)
        return;
    for (int lane = 0; lane < LANES; lane++)
        f->backlog[lane] = pg_int(res, 0, lane);
    judge_backlog(f);
    fleet_take(f);
}

void fleet_look_backlog(struct fleet *f)
{
    struct err err = ERR_INIT;

    if (may_take(f))
        (void)!ledger_backlog(f->ledger, backlog_limit(f) + 1, on_backlog, f, &err);
}

static void ignore(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res, (void)e;
}

/* More than we can start: others may. */
static void wake_others(struct fleet *f)
{
    struct pg_cmd cmd = {.sql = "NOTIFY ledger_due"};
    struct err err = ERR_INIT;
    (void)!ledger_send(f->ledger, &cmd, ignore, NULL, &err);
}

void fleet_claimed(struct fleet *f, const int64_t claimed[LANES])
{
    int64_t sum = 0;

    for (int lane = 0; lane < LANES; lane++) {
        f->backlog[lane] += claimed[lane];
        sum += f->backlog[lane];
    }
    judge_backlog(f);
    if (sum > room(f))
        wake_others(f);
    fleet_take(f);
}
