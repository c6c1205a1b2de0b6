/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/ledger/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "worker/ledger/ledger_op.h"
#include "worker/ledger/ledger_sql.h"
#include "worker/sandbox/sandbox_life.h"
#include "common/banned.h"

enum { QUEUED_MAX = 8192, HEART_QUEUED_MAX = 16 };

/* --- the connection ---------------------------------------------------------- */

/* It is up when both connections are. */
static void on_up(void *ctx)
{
    struct ledger *l = ctx;
    if (!ledger_is_up(l))
        return;
    l->told_up = true;
    if (l->events.up)
        l->events.up(l->ctx);
    timer_start(l->again, 0);
}

static void on_down(void *ctx, const struct err *e)
{
    struct ledger *l = ctx;
    l->told_up = false;
    if (l->events.down)
        l->events.down(l->ctx, e);
}

/* Both are refused by the same server: that is told once. */
static void on_heart_down(void *ctx, const struct err *e)
{
    if (((struct ledger *)ctx)->told_up)
        on_down(ctx, e);
}

static void on_notify(void *ctx, const char *channel, const char *payload)
{
    struct ledger *l = ctx;
    if (l->events.notify)
        l->events.notify(l->ctx, channel, payload);
}

static void on_again(void *ctx)
{
    ledger_op_send_all(ctx);
}

enum err_code ledger_new(struct loop *loop, const struct ledger_opts *opts, struct ledger **out,
                         struct err *err)
{
    static const struct pg_events events = {.up = on_up, .down = on_down, .notify = on_notify};
    static const struct pg_events heart = {.up = on_up, .down = on_heart_down};
    struct ledger *l = calloc(1, sizeof(*l));

    if (!l)
        return err_set(err, ERR_NOMEM, "the ledger");
    l->events = *opts->events;
    l->ctx = opts->ctx;
    l->last = &l->first;
    snprintf(l->worker_id, sizeof(l->worker_id), "%s", opts->worker_id);
    l->again = timer_new(loop, on_again, l);
    struct pg_opts pg = {.conninfo = opts->conninfo,
                         .name = "sandfleet-worker",
                         .pipeline = true,
                         .max_queued = QUEUED_MAX,
                         .statement_ms = opts->statement_ms};
    enum err_code rc = l->again ? pg_new(loop, &pg, &events, l, &l->pg, err)
                                : err_set(err, ERR_NOMEM, "the ledger");
    pg.name = "sandfleet-worker heartbeat";
    pg.max_queued = HEART_QUEUED_MAX;
    if (rc == ERR_OK)
        rc = pg_new(loop, &pg, &heart, l, &l->heart, err);
    if (rc != ERR_OK) {
        ledger_free(l);
        return rc;
    }
    *out = l;
    return ERR_OK;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    pg_free(l->pg);
    pg_free(l->heart);
    ledger_op_free_all(l);
    timer_free(l->again);
    free(l);
}

bool ledger_is_up(const struct ledger *l)
{
    return l->pg && l->heart && pg_is_up(l->pg) && pg_is_up(l->heart);
}

/* --- numbers as parameters --------------------------------------------------- */

struct number {
    char text[32];
};

static const char *num(int64_t n, struct number *to)
{
    snprintf(to->text, sizeof(to->text), "%" PRId64, n);
    return to->text;
}

static const char *money(double d, struct number *to)
{
    snprintf(to->text, sizeof(to->text), "%.17g", d);
    return to->text;
}

/* --- one run ----------------------------------------------------------------- */

static struct ledger_op *mark(struct ledger *l, const char *sql, struct ledger_run r, ledger_fn fn,
                              void *ctx)
{
    struct number epoch;
    struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {r.run_id, num(r.epoch, &epoch)}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

struct ledger_op *ledger_set_started(struct ledger *l, struct ledger_run r, ledger_fn fn, void *ctx)
{
    return mark(l, ledger_sql_started, r, fn, ctx);
}

struct ledger_op *ledger_set_published(struct ledger *l, struct ledger_run r, ledger_fn fn,
                                       void *ctx)
{
    return mark(l, ledger_sql_published, r, fn, ctx);
}

struct ledger_op *ledger_hand_out(struct ledger *l, struct ledger_run r, ledger_fn fn, void *ctx)
{
    return mark(l, ledger_sql_hand_out, r, fn, ctx);
}

struct ledger_op *ledger_set_told(struct ledger *l, struct ledger_run r, const char *reason,
                                  ledger_fn fn, void *ctx)
{
    struct number epoch;
    struct pg_cmd cmd = {
        .sql = ledger_sql_told, .n = 3, .v = {r.run_id, num(r.epoch, &epoch), reason}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

struct ledger_op *ledger_hold_credential(struct ledger *l, const struct claim_credential *c,
                                         int64_t hold_ms, const char *reason, ledger_fn fn,
                                         void *ctx)
{
    struct number n[2];
    struct pg_cmd cmd = {.sql = ledger_sql_hold_credential,
                         .n = 4,
                         .v = {c->name, num(hold_ms, &n[0]), reason, num(c->generation, &n[1])}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

static void on_learned(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res;
    if (e->code != ERR_OK)
        log_event(LOG_WARN, "credential.limits_not_learned", LF_ERR(e));
}

enum err_code ledger_learn_windows(struct ledger *l, const struct claim_credential *c,
                                   const char *windows, struct err *err)
{
    struct number generation;
    struct pg_cmd cmd = {.sql = ledger_sql_learn_windows,
                         .n = 3,
                         .v = {c->name, windows, num(c->generation, &generation)}};
    return pg_send(l->pg, &cmd, on_learned, NULL, err);
}

static const char *park_state(const struct ledger_end *e)
{
    return sandbox_life_name(e->paused ? LIFE_PAUSED : LIFE_PARKED);
}

struct ledger_op *ledger_requeue(struct ledger *l, struct ledger_run r, const struct ledger_end *e,
                                 ledger_fn fn, void *ctx)
{
    struct number n[12];
    const struct usage *u = &e->used;
    struct pg_cmd cmd = {.sql = ledger_sql_requeue,
                         .n = 16,
                         .v = {r.run_id, num(r.epoch, &n[0]), e->park_session, park_state(e),
                               num(e->park_ms, &n[1]), e->hold_reason, num(e->delay_ms, &n[2]),
                               num(e->failures, &n[3]), num(e->uncounted, &n[4]),
                               money(u->cost_usd, &n[5]), num(u->input_tokens, &n[6]),
                               num(u->output_tokens, &n[7]), num(u->cache_read_tokens, &n[8]),
                               num(u->cache_write_tokens, &n[9]), num(u->sandbox_ms, &n[10]),
                               money(u->sandbox_usd, &n[11])}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

struct ledger_op *ledger_close(struct ledger *l, struct ledger_run r, const struct ledger_end *e,
                               ledger_fn fn, void *ctx)
{
    struct number n[9];
    const struct usage *u = &e->used;
    struct pg_cmd cmd = {.sql = ledger_sql_close,
                         .n = 13,
                         .v = {r.run_id, num(r.epoch, &n[0]), e->park_session, park_state(e),
                               num(e->park_ms, &n[1]), e->terminal, money(u->cost_usd, &n[2]),
                               num(u->input_tokens, &n[3]), num(u->output_tokens, &n[4]),
                               num(u->cache_read_tokens, &n[5]), num(u->cache_write_tokens, &n[6]),
                               num(u->sandbox_ms, &n[7]), money(u->sandbox_usd, &n[8])}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

/* --- takings and this worker's own ------------------------------------------- */

enum err_code ledger_send(struct ledger *l, const struct pg_cmd *cmd, pg_fn fn, void *ctx,
                          struct err *err)
{
    return pg_send(l->pg, cmd, fn, ctx, err);
}

enum err_code ledger_take(struct ledger *l, const int64_t limit[LANES], const char *keys, pg_fn fn,
                          void *ctx, struct err *err)
{
    struct number n[LANES];
    struct pg_cmd cmd = {.before = ledger_sql_take_lock,
                         .sql = ledger_sql_take,
                         .keep = true,
                         .n = 4,
                         .v = {l->worker_id, num(limit[LANE_INTERACTIVE], &n[0]),
                               num(limit[LANE_BATCH], &n[1]), keys}};
    return pg_send(l->pg, &cmd, fn, ctx, err);
}

enum err_code ledger_take_over(struct ledger *l, const char *dead_worker, int64_t counter,
                               int64_t limit, pg_fn fn, void *ctx, struct err *err)
{
    struct number n[2];
    struct pg_cmd cmd = {.sql = ledger_sql_take_over,
                         .n = 4,
                         .v = {l->worker_id, dead_worker, num(counter, &n[0]), num(limit, &n[1])}};
    return pg_send(l->pg, &cmd, fn, ctx, err);
}

static enum err_code mine_and_limit(struct ledger *l, const char *sql, int64_t limit, pg_fn fn,
                                    void *ctx, struct err *err)
{
    struct number n;
    struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {l->worker_id, num(limit, &n)}};
    return pg_send(l->pg, &cmd, fn, ctx, err);
}

enum err_code ledger_adopt(struct ledger *l, int64_t limit, pg_fn fn, void *ctx, struct err *err)
{
    return mine_and_limit(l, ledger_sql_adopt, limit, fn, ctx, err);
}

enum err_code ledger_outbox(struct ledger *l, int64_t limit, pg_fn fn, void *ctx, struct err *err)
{
    return mine_and_limit(l, ledger_sql_outbox, limit, fn, ctx, err);
}

enum err_code ledger_end_waiting(struct ledger *l, int64_t limit, pg_fn fn, void *ctx,
                                 struct err *err)
{
    return mine_and_limit(l, ledger_sql_end_waiting, limit, fn, ctx, err);
}

enum err_code ledger_backlog(struct ledger *l, int64_t limit, pg_fn fn, void *ctx, struct err *err)
{
    struct number n;
    struct pg_cmd cmd = {.sql = ledger_sql_backlog, .n = 1, .v = {num(limit, &n)}};
    return pg_send(l->pg, &cmd, fn, ctx, err);
}

enum err_code ledger_beat(struct ledger *l, const struct ledger_worker *w, pg_fn fn, void *ctx,
                          struct err *err)
{
    struct number n[2];
    struct pg_cmd cmd = {.sql = ledger_sql_beat,
                         .n = 6,
                         .v = {l->worker_id, w->host, num(w->pid, &n[0]), SF_VERSION,
                               num(w->slots, &n[1]), w->keys}};
    return pg_send(l->heart, &cmd, fn, ctx, err);
}

enum err_code ledger_bury(struct ledger *l, const char *dead_worker, int64_t counter, pg_fn fn,
                          void *ctx, struct err *err)
{
    struct number n;
    struct pg_cmd cmd = {.sql = ledger_sql_bury, .n = 2, .v = {dead_worker, num(counter, &n)}};
    return pg_send(l->pg, &cmd, fn, ctx, err);
}

enum err_code ledger_tell(struct ledger *l, int64_t limit, int64_t least_ms, int64_t again_ms,
                          pg_fn fn, void *ctx, struct err *err)
{
    struct number n[3];
    struct pg_cmd cmd = {.sql = ledger_sql_tell,
                         .keep = true,
                         .n = 3,
                         .v = {num(limit, &n[0]), num(least_ms, &n[1]), num(again_ms, &n[2])}};
    return pg_send(l->pg, &cmd, fn, ctx, err);
}

enum err_code ledger_tidy(struct ledger *l, pg_fn fn, void *ctx, struct err *err)
{
    struct pg_cmd cmd = {.sql = ledger_sql_tidy};
    return pg_send(l->pg, &cmd, fn, ctx, err);
}

static enum err_code about_me(struct ledger *l, const char *sql, pg_fn fn, void *ctx,
                              struct err *err)
{
    struct pg_cmd cmd = {.sql = sql, .n = 1, .v = {l->worker_id}};
    return pg_send(l->pg, &cmd, fn, ctx, err);
}

enum err_code ledger_peers(struct ledger *l, pg_fn fn, void *ctx, struct err *err)
{
    return about_me(l, ledger_sql_peers, fn, ctx, err);
}

enum err_code ledger_cancelled(struct ledger *l, pg_fn fn, void *ctx, struct err *err)
{
    return about_me(l, ledger_sql_cancelled, fn, ctx, err);
}

enum err_code ledger_mine(struct ledger *l, pg_fn fn, void *ctx, struct err *err)
{
    return about_me(l, ledger_sql_mine, fn, ctx, err);
}

enum err_code ledger_leave(struct ledger *l, pg_fn fn, void *ctx, struct err *err)
{
    return about_me(l, ledger_sql_leave, fn, ctx, err);
}

enum err_code ledger_disown(struct ledger *l, const char *known, pg_fn fn, void *ctx,
                            struct err *err)
{
    struct pg_cmd cmd = {.sql = ledger_sql_disown, .n = 2, .v = {l->worker_id, known}};
    return pg_send(l->pg, &cmd, fn, ctx, err);
}
