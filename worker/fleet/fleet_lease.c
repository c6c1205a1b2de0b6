/* SPDX-License-Identifier: Apache-2.0 */
/* Our heartbeat and lease, and what we hold of our peers. */
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/fleet/fleet_internal.h"
#include "common/banned.h"

enum { LIST_MAX_BYTES = 4 << 20 };

/* --- our own lease ----------------------------------------------------------- */

bool fleet_may_publish(void *ctx)
{
    struct fleet *f = ctx;

    if (!f->muted && !lease_holds(&f->lease, clock_boot_ms())) {
        f->muted = true; /* stays so until all runs are confirmed: runs count on that */
        log_event(LOG_WARN, "lease.lapsed", LF("worker", f->worker_id),
                  LF_INT("silent_ms", clock_boot_ms() - f->lease.beat_ms));
    }
    return !f->muted;
}

static void lapse_all(struct fleet *f)
{
    for (size_t i = 0; i < f->n_runs; i++)
        run_lapse(f->runs[i]);
}

void fleet_check_lease(struct fleet *f)
{
    if (f->ready && !f->finishing && !fleet_may_publish(f))
        lapse_all(f);
}

/* --- comparing with the ledger ----------------------------------------------- */

static void mark_listed(struct fleet *f, const PGresult *res)
{
    run_index_unmark(&f->index);
    for (int row = 0; row < PQntuples(res); row++) {
        const char *id = pg_text(res, row, 0);
        struct run_entry *e = id ? fleet_entry(f, id, pg_int(res, row, 1)) : NULL;
        if (e)
            e->marked = true;
    }
}

/* Answers come in the order of the questions: a run that we know and the answer does not
 * is not ours any more. */
static void on_mine(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;
    bool was_muted = f->muted;

    if (e->code != ERR_OK || !lease_holds(&f->lease, clock_boot_ms())) {
        f->reconcile = true;
        return;
    }
    if (was_muted)
        lapse_all(f);
    f->muted = false;
    mark_listed(f, res);
    for (size_t i = 0; i < f->index.cap; i++) {
        const struct run_entry *entry = &f->index.all[i];
        if (!entry->id || !fleet_owns(entry->run))
            continue;
        if (!entry->marked)
            run_depose(entry->run);
        else if (was_muted)
            run_confirm(entry->run);
    }
    if (was_muted)
        log_event(LOG_INFO, "lease.regained", LF("worker", f->worker_id),
                  LF_INT("runs", fleet_active(f)));
}

static void on_disowned(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx;
    for (int row = 0; e->code == ERR_OK && row < PQntuples(res); row++)
        log_event(LOG_WARN, "run.disowned", LF("run", pg_text(res, row, 0)));
}

/* Rows in our name that nobody here works on: the answer to a taking got lost. Only while
 * no taking is under way, whose rows we could not know yet: else false, and it is asked for
 * again with the next beat. */
static bool disown(struct fleet *f)
{
    AUTO_BUF ids = BUF_INIT(LIST_MAX_BYTES);
    struct err err = ERR_INIT;

    if (!LIST_EMPTY(&f->takings))
        return false;
    fleet_known_ids(f, &ids);
    if (ids.rc == ERR_OK)
        (void)!ledger_disown(f->ledger, ids.p, on_disowned, f, &err);
    return true;
}

static void reconcile(struct fleet *f)
{
    struct err err = ERR_INIT;

    f->reconcile = ledger_mine(f->ledger, on_mine, f, &err) != ERR_OK;
    if (!disown(f))
        f->reconcile = true;
}

/* --- beating ----------------------------------------------------------------- */

static void on_beat(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;
    int64_t sent = f->beat_sent_ms;

    (void)res;
    f->beat_sent_ms = 0;
    if (e->code != ERR_OK)
        return;
    lease_beaten(&f->lease, sent);
    if (!f->ready)
        fleet_become_ready(f);
    else if (f->muted || f->reconcile)
        reconcile(f);
}

void fleet_beat(struct fleet *f)
{
    struct ledger_worker w = {
        .host = f->host_name, .pid = f->pid, .slots = f->slots.total, .keys = f->key_ids.p};
    struct err err = ERR_INIT;

    timer_start(f->beat, lease_beat_every_ms(&f->lease));
    if (!f->judged || f->finishing || f->beat_sent_ms)
        return;
    f->beat_sent_ms = clock_boot_ms();
    if (ledger_beat(f->ledger, &w, on_beat, f, &err) != ERR_OK)
        f->beat_sent_ms = 0;
}

/* --- peers ---------------------------------------------------------------------------------------
 */

static void on_buried(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx;
    if (e->code == ERR_OK && PQntuples(res) > 0)
        log_event(LOG_WARN, "worker.buried", LF("worker", pg_text(res, 0, 0)));
}

static void inherit(struct fleet *f, struct lease_peer *p)
{
    struct err err = ERR_INIT;

    if (!p->told)
        log_event(LOG_WARN, "worker.dead", LF("worker", p->worker_id),
                  LF_INT("counter", p->counter));
    p->told = true;
    fleet_take_over(f, p);
    (void)!ledger_bury(f->ledger, p->worker_id, p->counter, on_buried, f, &err);
}

static enum err_code read_peers(struct fleet *f, const PGresult *res, struct err *err)
{
    enum err_code rc = ERR_OK;

    lease_look_begin(&f->lease, f->look_sent_ms, clock_boot_ms());
    for (int row = 0; row < PQntuples(res) && rc == ERR_OK; row++)
        rc = lease_look(&f->lease, pg_text(res, row, 0), pg_int(res, row, 1), err);
    lease_look_end(&f->lease);
    return rc;
}

static void on_peers(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;
    struct err err = ERR_INIT;

    if (e->code == ERR_OK && read_peers(f, res, &err) != ERR_OK)
        log_event(LOG_ERROR, "lease.peers", LF_ERR(&err));
    f->look_sent_ms = 0;
    if (e->code != ERR_OK || f->muted || f->stopping || !lease_holds(&f->lease, clock_boot_ms()))
        return;
    for (size_t i = 0; i < f->lease.n; i++)
        if (lease_dead(&f->lease, &f->lease.peers[i]))
            inherit(f, &f->lease.peers[i]);
    fleet_adopt(f);
    fleet_look_backlog(f);
}

void fleet_look_peers(struct fleet *f)
{
    struct err err = ERR_INIT;

    if (!f->ready || f->stopping || f->look_sent_ms)
        return;
    f->look_sent_ms = clock_boot_ms();
    if (ledger_peers(f->ledger, on_peers, f, &err) != ERR_OK)
        f->look_sent_ms = 0;
}
