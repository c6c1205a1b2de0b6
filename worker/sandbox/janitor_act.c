/* SPDX-License-Identifier: Apache-2.0 */
/* One finding, one act: a kill, a second question, a row removed. All may be done twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/sandbox/janitor_internal.h"
#include "worker/sandbox/sandbox_sql.h"
#include "common/banned.h"

struct janitor_act {
    LIST_ENTRY(janitor_act) link;
    struct janitor *janitor;
    enum janitor_finding finding;
    char key[SANDBOX_KEY_TEXT], id[SANDBOX_ID_TEXT];
};

static void act_free(struct janitor_act *a)
{
    LIST_REMOVE(a, link);
    a->janitor->n_acts--;
    free(a);
}

void janitor_acts_free(struct janitor *j)
{
    while (!LIST_EMPTY(&j->acts))
        act_free(LIST_FIRST(&j->acts));
}

/* --- kills ------------------------------------------------------------------- */

static void on_freed(void *ctx, bool held, const struct err *e)
{
    (void)held, (void)e;
    act_free(ctx);
}

static void on_killed(void *ctx, const struct err *e)
{
    struct janitor_act *a = ctx;

    if (e->code != ERR_OK)
        log_event(LOG_WARN, "sandbox.not_killed", LF("sandbox", a->id), LF_ERR(e),
                  LF("next", "the next round tries again"));
    if (e->code != ERR_OK || a->key[0] == '\0' ||
        !sandbox_row_freed(a->janitor->opts.ledger, a->key, on_freed, a))
        act_free(a);
}

static void end_sandbox(struct janitor_act *a)
{
    struct err err = ERR_INIT;

    if (sandbox_kill(a->janitor->opts.sandboxes, a->id, on_killed, a, &err) != ERR_OK)
        on_killed(a, &err);
}

/* --- rows -------------------------------------------------------------------- */

static void on_removed(void *ctx, PGresult *res, const struct err *e)
{
    struct janitor_act *a = ctx;

    if (e->code == ERR_OK && PQntuples(res) > 0 && a->finding == FOUND_MISSING) {
        a->janitor->counts.lost++;
        log_event(LOG_WARN, "sandbox.lost", LF("sandbox", a->id), LF("key", a->key));
    }
    act_free(a);
}

static void remove_row(struct janitor_act *a, const char *sql, int n)
{
    struct pg_cmd cmd = {.sql = sql, .n = n, .v = {a->key, a->id}};
    struct err err = ERR_INIT;

    if (ledger_send(a->janitor->opts.ledger, &cmd, on_removed, a, &err) != ERR_OK)
        act_free(a);
}

/* A list may leave out what is there; asked for it by name, the service knows. */
static void on_asked(void *ctx, const struct sandbox_info *info, const struct err *e)
{
    struct janitor_act *a = ctx;

    (void)info;
    if (e->code == ERR_GONE)
        remove_row(a, sandbox_sql_missed, 2);
    else
        act_free(a);
}

static void ask(struct janitor_act *a)
{
    struct err err = ERR_INIT;

    if (sandbox_get(a->janitor->opts.sandboxes, a->id, on_asked, a, &err) != ERR_OK)
        act_free(a);
}

/* --- findings ---------------------------------------------------------------- */

static void count_and_tell(struct janitor *j, enum janitor_finding finding,
                           const struct sandbox_figures *f)
{
    static const char *const reasons[] = {
        [FOUND_DEAD] = "released", [FOUND_EXPIRED] = "expired", [FOUND_ORPHAN] = "orphan"};

    switch (finding) {
    case FOUND_ORPHAN:
        j->counts.orphans++;
        log_event(LOG_WARN, "sandbox.ended", LF("sandbox", f->sandbox_id),
                  LF("reason", reasons[finding]), LF("key", f->key ? f->key : ""));
        return;
    case FOUND_DEAD:
        j->counts.dead++;
        break;
    case FOUND_EXPIRED:
        j->counts.expired++;
        break;
    case FOUND_MISSING: /* not yet sure */
    case FOUND_EMPTY:
        return;
    }
    log_event(LOG_INFO, "sandbox.ended", LF("sandbox", f->sandbox_id),
              LF("reason", reasons[finding]), LF("template", f->template), LF("was", f->state),
              LF_INT("age_ms", f->age_ms), LF_INT("running_ms", f->running_ms),
              LF("cost_usd", f->cost_usd ? f->cost_usd : ""));
}

static void do_it(struct janitor_act *a)
{
    switch (a->finding) {
    case FOUND_DEAD:
    case FOUND_EXPIRED:
    case FOUND_ORPHAN:
        end_sandbox(a);
        return;
    case FOUND_MISSING:
        ask(a);
        return;
    case FOUND_EMPTY:
        remove_row(a, sandbox_sql_empty, 1);
        return;
    }
}

static bool under_way(const struct janitor *j, const char *key, const char *id)
{
    const struct janitor_act *a;

    LIST_FOREACH(a, &j->acts, link)
    {
        if ((id && strcmp(a->id, id) == 0) || (!id && key && strcmp(a->key, key) == 0))
            return true;
    }
    return false;
}

void janitor_act(struct janitor *j, enum janitor_finding finding, const struct sandbox_figures *f)
{
    struct janitor_act *a;

    if (j->n_acts >= JANITOR_ACTS_MAX || under_way(j, f->key, f->sandbox_id) ||
        !(a = calloc(1, sizeof(*a))))
        return;
    *a = (struct janitor_act){.janitor = j, .finding = finding};
    /* An orphan's key may be that of a row with another sandbox. */
    if (f->key && finding != FOUND_ORPHAN)
        snprintf(a->key, sizeof(a->key), "%s", f->key);
    snprintf(a->id, sizeof(a->id), "%s", f->sandbox_id ? f->sandbox_id : "");
    LIST_INSERT_HEAD(&j->acts, a, link);
    j->n_acts++;
    count_and_tell(j, finding, f);
    do_it(a);
}
