/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/sandbox_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/ledger/ledger_op.h"
#include "worker/sandbox/sandbox_life.h"
#include "worker/sandbox/sandbox_sql.h"
#include "common/banned.h"

struct number {
    char text[32];
};

static const char *num(int64_t n, struct number *to)
{
    snprintf(to->text, sizeof(to->text), "%" PRId64, n);
    return to->text;
}

/* SQL NULL where it is not known. */
struct size_text {
    struct number n[3];
    const char *v[3];
};

static struct size_text *size_text(const struct sandbox_size *size, struct size_text *t)
{
    *t = (struct size_text){0};
    if (size->usd_per_hour <= 0)
        return t;
    t->v[0] = num(size->cpu_count, &t->n[0]);
    t->v[1] = num(size->memory_mb, &t->n[1]);
    snprintf(t->n[2].text, sizeof(t->n[2].text), "%.17g", size->usd_per_hour);
    t->v[2] = t->n[2].text;
    return t;
}

/* --- one run's --------------------------------------------------------------- */

enum column {
    COL_KEY,
    COL_SANDBOX,
    COL_STATE,
    COL_TALK,
    COL_WARM,
    COL_STATE_MS,
    COL_AGE_MS,
    COL_RUNNING_MS,
    COL_USD,
    COL_SESSION_TALK,
    COL_TRANSCRIPT,
    COL_SHA256
};

static void text(const PGresult *res, enum column col, char *out, size_t size)
{
    const char *s = pg_text(res, 0, (int)col);
    snprintf(out, size, "%s", s ? s : "");
}

void sandbox_row_place_read(const PGresult *res, struct sandbox_place *out)
{
    const char *warm = pg_text(res, 0, COL_WARM), *usd = pg_text(res, 0, COL_USD);

    *out = (struct sandbox_place){.warm = warm && *warm == 't',
                                  .state_ms = pg_int(res, 0, COL_STATE_MS),
                                  .age_ms = pg_int(res, 0, COL_AGE_MS),
                                  .running_ms = pg_int(res, 0, COL_RUNNING_MS),
                                  .usd_per_hour = usd ? strtod(usd, NULL) : 0};
    text(res, COL_KEY, out->key, sizeof(out->key));
    text(res, COL_SANDBOX, out->sandbox_id, sizeof(out->sandbox_id));
    text(res, COL_TALK, out->claude_session, sizeof(out->claude_session));
    text(res, COL_SESSION_TALK, out->talk.claude_session, sizeof(out->talk.claude_session));
    text(res, COL_TRANSCRIPT, out->talk.transcript, sizeof(out->talk.transcript));
    text(res, COL_SHA256, out->talk.sha256, sizeof(out->talk.sha256));
    out->busy = sandbox_life_parse(pg_text(res, 0, COL_STATE)) == LIFE_BUSY;
}

struct ledger_op *sandbox_row_place(struct ledger *l, struct ledger_run r, const char *template,
                                    const char *new_key, ledger_row_fn fn, void *ctx)
{
    struct number epoch;
    struct pg_cmd cmd = {.sql = sandbox_sql_place,
                         .keep = true,
                         .n = 4,
                         .v = {r.run_id, num(r.epoch, &epoch), template, new_key}};
    return ledger_op_start_row(l, &cmd, fn, ctx);
}

struct ledger_op *sandbox_row_own(struct ledger *l, struct ledger_run r, const char *key,
                                  const char *sandbox_id, const struct sandbox_size *size,
                                  ledger_fn fn, void *ctx)
{
    struct number epoch;
    struct size_text t;
    const char *const *z = size_text(size, &t)->v;
    struct pg_cmd cmd = {.sql = sandbox_sql_own,
                         .n = 7,
                         .v = {r.run_id, num(r.epoch, &epoch), key, sandbox_id, z[0], z[1], z[2]}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

struct ledger_op *sandbox_row_give_up(struct ledger *l, struct ledger_run r, const char *key,
                                      ledger_fn fn, void *ctx)
{
    struct number epoch;
    struct pg_cmd cmd = {
        .sql = sandbox_sql_give_up, .n = 3, .v = {r.run_id, num(r.epoch, &epoch), key}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

struct ledger_op *sandbox_row_freed(struct ledger *l, const char *key, ledger_fn fn, void *ctx)
{
    struct pg_cmd cmd = {.sql = sandbox_sql_freed, .n = 1, .v = {key}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

/* --- the pool's -------------------------------------------------------------- */

struct ledger_op *sandbox_row_warmed(struct ledger *l, const char *key, const char *maker,
                                     const char *sandbox_id, int64_t wait_ms,
                                     const struct sandbox_size *size, ledger_fn fn, void *ctx)
{
    struct number wait;
    struct size_text t;
    const char *const *z = size_text(size, &t)->v;
    struct pg_cmd cmd = {.sql = sandbox_sql_warmed,
                         .n = 7,
                         .v = {key, maker, sandbox_id, num(wait_ms, &wait), z[0], z[1], z[2]}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

struct ledger_op *sandbox_row_unmade(struct ledger *l, const char *key, const char *maker,
                                     ledger_fn fn, void *ctx)
{
    struct pg_cmd cmd = {.sql = sandbox_sql_unmade, .n = 2, .v = {key, maker}};
    return ledger_op_start(l, &cmd, fn, ctx);
}

/* --- the end ----------------------------------------------------------------- */

struct sandbox_figures sandbox_figures_read(const PGresult *res, int row)
{
    return (struct sandbox_figures){.key = pg_text(res, row, 0),
                                    .sandbox_id = pg_text(res, row, 1),
                                    .template = pg_text(res, row, 2),
                                    .age_ms = pg_int(res, row, 3),
                                    .running_ms = pg_int(res, row, 4),
                                    .cost_usd = pg_text(res, row, 5),
                                    .state = pg_text(res, row, 6)};
}
