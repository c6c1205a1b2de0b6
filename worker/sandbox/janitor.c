/* SPDX-License-Identifier: Apache-2.0 */
/* A round: expire -> the dead -> list -> compare. A step that fails ends the round, the next
 * one begins anew. */
#include "worker/sandbox/janitor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/log.h"
#include "worker/sandbox/janitor_internal.h"
#include "worker/sandbox/sandbox_sql.h"
#include "common/banned.h"

enum { LIST_MAX_BYTES = 8 << 20 };

static void end_round(struct janitor *j)
{
    j->busy = false;
    if (!j->leading)
        return;
    j->counts.rounds++;
    timer_start(j->timer, j->opts.every_ms);
    if (j->opts.done)
        j->opts.done(j->opts.ctx);
}

static void ask(struct janitor *j, const struct pg_cmd *cmd, pg_fn fn)
{
    struct err err = ERR_INIT;

    if (ledger_send(j->opts.ledger, cmd, fn, j, &err) != ERR_OK)
        end_round(j);
}

static bool failed(struct janitor *j, const char *step, const struct err *e)
{
    if (e->code == ERR_OK && j->leading)
        return false;
    if (j->leading)
        log_event(LOG_WARN, "janitor.failed", LF("step", step), LF_ERR(e));
    end_round(j);
    return true;
}

/* --- compare ----------------------------------------------------------------- */

static void suspect(struct janitor *j, const char *kind, const struct sandbox_figures *f)
{
    const char *name = f->sandbox_id ? f->sandbox_id : f->key;
    int64_t age = name ? suspects_see(&j->suspects, kind, name) : 0;

    if (age == 0 || age < j->opts.grace_ms)
        return;
    janitor_act(j,
                strcmp(kind, "orphan") == 0    ? FOUND_ORPHAN
                : strcmp(kind, "missing") == 0 ? FOUND_MISSING
                                               : FOUND_EMPTY,
                f);
}

static void on_compared(void *ctx, PGresult *res, const struct err *e)
{
    struct janitor *j = ctx;

    if (failed(j, "compare", e))
        return;
    suspects_begin(&j->suspects, clock_boot_ms());
    for (int row = 0; row < PQntuples(res); row++)
        suspect(j, pg_text(res, row, 0),
                &(struct sandbox_figures){.sandbox_id = pg_text(res, row, 1),
                                          .key = pg_text(res, row, 2)});
    suspects_end(&j->suspects);
    end_round(j);
}

static void ignore(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res, (void)e;
}

/* Rows that do not know yet what their sandbox costs. */
static void tell_sizes(struct janitor *j)
{
    struct pg_cmd cmd = {
        .sql = sandbox_sql_sizes, .n = 4, .v = {j->sized.p, j->cpus.p, j->memories.p, j->prices.p}};
    struct err err = ERR_INIT;

    if (j->sized.rc == ERR_OK && j->prices.rc == ERR_OK)
        (void)!ledger_send(j->opts.ledger, &cmd, ignore, NULL, &err);
}

/* --- list -------------------------------------------------------------------- */

static struct buf *arrays(struct janitor *j, size_t i)
{
    struct buf *all[] = {&j->ids, &j->keys, &j->sized, &j->cpus, &j->memories, &j->prices};
    return i < COUNTOF(all) ? all[i] : NULL;
}

static void on_each(void *ctx, const struct sandbox_info *info)
{
    struct janitor *j = ctx;
    struct sandbox_size size =
        sandbox_sizes_learn(j->opts.sizes, NULL, info->cpu_count, info->memory_mb);
    char price[40];

    j->counts.listed++;
    ledger_array_text(&j->ids, info->id);
    ledger_array_text(&j->keys, json_get_string(info->metadata, "key"));
    if (size.usd_per_hour <= 0)
        return;
    snprintf(price, sizeof(price), "%.17g", size.usd_per_hour);
    ledger_array_text(&j->sized, info->id);
    ledger_array_int(&j->cpus, size.cpu_count);
    ledger_array_int(&j->memories, size.memory_mb);
    ledger_array_text(&j->prices, price);
}

static void on_listed(void *ctx, const struct err *e)
{
    struct janitor *j = ctx;
    struct err err = *e;

    j->list = NULL;
    for (size_t i = 0; arrays(j, i); i++)
        ledger_array_close(arrays(j, i));
    if (err.code == ERR_OK && (j->ids.rc != ERR_OK || j->keys.rc != ERR_OK))
        (void)err_set(&err, ERR_TOO_BIG, "the list of sandboxes");
    if (failed(j, "list", &err))
        return;
    tell_sizes(j);
    struct pg_cmd cmd = {.sql = sandbox_sql_compare, .n = 2, .v = {j->ids.p, j->keys.p}};
    ask(j, &cmd, on_compared);
}

static void list(struct janitor *j)
{
    const char *const mine[] = {"ledger", j->opts.ledger_id, NULL};
    const struct sandbox_query query = {.metadata = mine};
    struct err err = ERR_INIT;

    for (size_t i = 0; arrays(j, i); i++) {
        buf_clear(arrays(j, i));
        ledger_array_open(arrays(j, i));
    }
    if (sandbox_list(j->opts.sandboxes, &query, on_each, on_listed, j, &j->list, &err) != ERR_OK)
        (void)failed(j, "list", &err);
}

/* --- what the ledger knows by itself ------------------------------------------ */

static void act_on_all(struct janitor *j, const PGresult *res, enum janitor_finding finding)
{
    for (int row = 0; row < PQntuples(res); row++) {
        struct sandbox_figures f = sandbox_figures_read(res, row);
        janitor_act(j, finding, &f);
    }
}

static void on_dead(void *ctx, PGresult *res, const struct err *e)
{
    struct janitor *j = ctx;

    if (failed(j, "dead", e))
        return;
    act_on_all(j, res, FOUND_DEAD);
    list(j);
}

static void on_expired(void *ctx, PGresult *res, const struct err *e)
{
    struct janitor *j = ctx;
    char since[24], limit[24];

    if (failed(j, "expire", e))
        return;
    act_on_all(j, res, FOUND_EXPIRED);
    snprintf(since, sizeof(since), "%" PRId64, j->opts.every_ms);
    snprintf(limit, sizeof(limit), "%d", JANITOR_ACTS_MAX);
    struct pg_cmd cmd = {.sql = sandbox_sql_dead, .n = 2, .v = {since, limit}};
    ask(j, &cmd, on_dead);
}

static void on_timer(void *ctx)
{
    struct janitor *j = ctx;
    char limit[24];

    if (!j->leading || j->busy)
        return;
    j->busy = true;
    snprintf(limit, sizeof(limit), "%d", JANITOR_ACTS_MAX);
    struct pg_cmd cmd = {.sql = sandbox_sql_expire, .n = 1, .v = {limit}};
    ask(j, &cmd, on_expired);
}

/* --- life -------------------------------------------------------------------- */

struct janitor *janitor_new(const struct janitor_opts *opts)
{
    struct janitor *j = calloc(1, sizeof(*j));
    if (!j)
        return NULL;
    *j = (struct janitor){.opts = *opts};
    LIST_INIT(&j->acts);
    for (size_t i = 0; arrays(j, i); i++)
        *arrays(j, i) = BUF_INIT(LIST_MAX_BYTES);
    j->timer = timer_new(opts->loop, on_timer, j);
    if (!j->timer) {
        janitor_free(j);
        return NULL;
    }
    return j;
}

void janitor_lead(struct janitor *j, bool leading)
{
    if (leading && !j->leading && !j->busy)
        timer_start(j->timer, 0);
    if (!leading)
        timer_stop(j->timer);
    j->leading = leading;
}

const struct janitor_counts *janitor_counts(const struct janitor *j)
{
    return &j->counts;
}

bool janitor_is_idle(const struct janitor *j)
{
    return !j->busy && j->n_acts == 0;
}

void janitor_free(struct janitor *j)
{
    if (!j)
        return;
    janitor_acts_free(j);
    timer_free(j->timer);
    suspects_release(&j->suspects);
    for (size_t i = 0; arrays(j, i); i++)
        buf_release(arrays(j, i));
    free(j);
}
