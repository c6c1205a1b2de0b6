/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of this worker: the list, and their positions in the ledger. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/fault.h"
#include "common/log.h"
#include "worker/fleet/fleet_internal.h"
#include "worker/ledger/ledger_sql.h"
#include "common/banned.h"

enum { LIST_MAX_BYTES = 4 << 20 };

/* --- the list ---------------------------------------------------------------- */

static bool append(struct fleet *f, struct run *r)
{
    if (f->n_runs == f->cap_runs) {
        size_t cap = f->cap_runs ? 2 * f->cap_runs : 64;
        struct run **more = realloc(f->runs, cap * sizeof(*more));
        if (!more)
            return false;
        f->runs = more;
        f->cap_runs = cap;
    }
    if (!run_index_add(&f->index, run_id(r), r))
        return false;
    f->runs[f->n_runs++] = r;
    return true;
}

static void ignore(void *ctx, bool held, const struct err *e)
{
    (void)ctx, (void)held, (void)e;
}

/* A newer program's request, most likely: such a worker may have it. */
static void put_back(struct fleet *f, struct claim *claim, const struct err *e)
{
    struct ledger_run who = {.run_id = claim->run_id, .epoch = claim->epoch};
    struct ledger_end end = {.used = claim->used,
                             .hold_reason = "unreadable",
                             .delay_ms = FLEET_UNREADABLE_MS,
                             .failures = claim->failures,
                             .uncounted = claim->uncounted};

    log_event(LOG_ERROR, "run.unreadable", LF("run", claim->run_id), LF_ERR(e));
    (void)ledger_requeue(f->ledger, who, &end, ignore, NULL);
    claim_release(claim);
}

void fleet_add_run(struct fleet *f, struct claim *claim, bool resumed)
{
    struct run *r = NULL;
    struct err err = ERR_INIT;

    if (run_new(&f->host, claim, resumed, &r, &err) != ERR_OK) {
        put_back(f, claim, &err);
        return;
    }
    if (!append(f, r)) {
        run_free(r); /* our row without us: disowned at the next comparison */
        return;
    }
    f->slots.running[run_lane(r)]++;
    run_start(r);
}

/* Another one may start. */
void fleet_run_streams(void *ctx)
{
    struct fleet *f = ctx;

    if (f->backlog[LANE_INTERACTIVE] + f->backlog[LANE_BATCH] > 0)
        fleet_take(f);
}

void fleet_run_gone(void *ctx, struct run *r)
{
    struct fleet *f = ctx;
    size_t i = 0;

    while (f->runs[i] != r) {
        i++;
        assert(i < f->n_runs);
    }
    f->runs[i] = f->runs[--f->n_runs];
    run_index_remove(&f->index, run_id(r), r);
    f->slots.running[run_lane(r)]--;
    run_free(r);
    if (f->finishing)
        return;
    if (f->stopping && fleet_active(f) == 0)
        timer_start(f->drain, 0);
    else if (f->backlog[LANE_INTERACTIVE] + f->backlog[LANE_BATCH] > 0)
        fleet_take(f);
    else
        fleet_look_backlog(f); /* its session's next run may start */
}

size_t fleet_active(const struct fleet *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_runs; i++)
        n += run_state(f->runs[i]) != RUN_GONE;
    return n;
}

bool fleet_owns(const struct run *r)
{
    return run_state(r) != RUN_GONE && run_state(r) != RUN_CLEANING;
}

struct run_entry *fleet_entry(const struct fleet *f, const char *id, int64_t epoch)
{
    struct run_entry *e = run_index_find(&f->index, id, NULL);

    while (e && !(fleet_owns(e->run) && run_epoch(e->run) == epoch))
        e = run_index_find(&f->index, id, e);
    return e;
}

struct run *fleet_find(const struct fleet *f, const char *id, int64_t epoch)
{
    struct run_entry *e = fleet_entry(f, id, epoch);
    return e ? e->run : NULL;
}

void fleet_known_ids(const struct fleet *f, struct buf *out)
{
    ledger_array_open(out);
    for (size_t i = 0; i < f->n_runs; i++)
        if (fleet_owns(f->runs[i]))
            ledger_array_text(out, run_id(f->runs[i]));
    outbox_ids(f->outbox, out);
    ledger_array_close(out);
}

/* --- positions --------------------------------------------------------------- */

struct saved { /* one row of the statement under way */
    char run_id[UUID_TEXT];
    int64_t epoch, line;
};

struct saving {
    LIST_ENTRY(saving) link;
    struct fleet *fleet;
    size_t n;
    struct saved rows[];
};

static void mark_held(const struct fleet *f, const char *id)
{
    for (struct run_entry *e = NULL; id && (e = run_index_find(&f->index, id, e));)
        e->marked = true;
}

/* A run whose row was not moved has another owner. */
static void settle_saved(const struct fleet *f, const struct saved *row)
{
    struct run_entry *e = fleet_entry(f, row->run_id, row->epoch);

    if (!e)
        return;
    if (e->marked)
        run_position_saved(e->run, row->line);
    else
        run_depose(e->run);
}

static void saving_free(struct saving *s)
{
    LIST_REMOVE(s, link);
    free(s);
}

void fleet_forget_savings(struct fleet *f)
{
    for (struct saving *s; (s = LIST_FIRST(&f->savings));)
        saving_free(s);
}

static void on_saved(void *ctx, PGresult *res, const struct err *e)
{
    struct saving *s = ctx;

    fault_pass("position", "saved");
    s->fleet->saving = false;
    if (e->code == ERR_OK) {
        run_index_unmark(&s->fleet->index);
        for (int row = 0; row < PQntuples(res); row++)
            mark_held(s->fleet, pg_text(res, row, 0));
        for (size_t i = 0; i < s->n; i++)
            settle_saved(s->fleet, &s->rows[i]);
    }
    saving_free(s);
}

static size_t collect(const struct fleet *f, struct saving *s, struct buf col[4])
{
    for (int c = 0; c < 4; c++)
        ledger_array_open(&col[c]);
    for (size_t i = 0; i < f->n_runs; i++) {
        struct publish_position p;
        const struct run *r = f->runs[i];
        if (!run_position_due(r, &p))
            continue;
        struct saved *row = &s->rows[s->n++];
        *row = (struct saved){.epoch = run_epoch(r), .line = p.line};
        memcpy(row->run_id, run_id(r), UUID_TEXT);
        ledger_array_text(&col[0], run_id(r));
        ledger_array_int(&col[1], run_epoch(r));
        ledger_array_int(&col[2], p.offset);
        ledger_array_int(&col[3], p.line);
    }
    for (int c = 0; c < 4; c++)
        ledger_array_close(&col[c]);
    return s->n;
}

static bool send(struct fleet *f, struct saving *s, const struct buf col[4])
{
    struct pg_cmd cmd = {.sql = ledger_sql_positions, .n = 4};
    struct err err = ERR_INIT;

    for (int c = 0; c < 4; c++) {
        if (col[c].rc != ERR_OK)
            return false;
        cmd.v[c] = col[c].p;
    }
    return ledger_send(f->ledger, &cmd, on_saved, s, &err) == ERR_OK;
}

/* Claims and leases are kept, whatever becomes of the streams. */
void fleet_look_flow(struct fleet *f)
{
    bool blocked;

    if (!publish_hub_look(f->hub, &blocked))
        return;
    if (blocked)
        log_event(LOG_WARN, "events.blocked", LF_INT("runs", fleet_active(f)),
                  LF("next", "their outputs are read on when Kafka acknowledges again"));
    else
        log_event(LOG_INFO, "events.flow", LF_INT("runs", fleet_active(f)));
    for (size_t i = 0; i < f->n_runs; i++)
        run_flow_changed(f->runs[i]);
}

void fleet_save_positions(struct fleet *f)
{
    struct buf col[4] = {BUF_INIT(LIST_MAX_BYTES), BUF_INIT(LIST_MAX_BYTES),
                         BUF_INIT(LIST_MAX_BYTES), BUF_INIT(LIST_MAX_BYTES)};
    if (f->n_runs == 0 || f->saving)
        return;
    struct saving *s = calloc(1, sizeof(*s) + f->n_runs * sizeof(s->rows[0]));
    if (!s)
        return;

    s->fleet = f;
    LIST_INSERT_HEAD(&f->savings, s, link);
    f->saving = collect(f, s, col) > 0 && send(f, s, col);
    if (!f->saving)
        saving_free(s);
    else
        fault_pass("position", "asked");
    for (int c = 0; c < 4; c++)
        buf_release(&col[c]);
}
