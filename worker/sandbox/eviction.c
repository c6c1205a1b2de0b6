/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/eviction.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "worker/sandbox/sandbox_sql.h"
#include "common/banned.h"

struct eviction {
    struct ledger *ledger;
    struct sandbox_service *service;
    eviction_fn fn;
    void *ctx;
    struct sandbox_figures figures; /* into the texts */
    char key[SANDBOX_KEY_TEXT], id[SANDBOX_ID_TEXT], template[SANDBOX_KEY_TEXT], state[16];
    char cost[32];
};

static void end(struct eviction *v, const struct sandbox_figures *f)
{
    eviction_fn fn = v->fn;
    void *ctx = v->ctx;

    fn(ctx, f);
    free(v);
}

static void ignore(void *ctx, bool held, const struct err *e)
{
    (void)ctx, (void)held, (void)e;
}

/* What could not be killed is the janitor's. */
static void on_killed(void *ctx, const struct err *e)
{
    struct eviction *v = ctx;

    if (e->code == ERR_OK)
        (void)sandbox_row_freed(v->ledger, v->key, ignore, NULL);
    else
        log_event(LOG_WARN, "sandbox.not_killed", LF("sandbox", v->id), LF_ERR(e));
    end(v, e->code == ERR_OK ? &v->figures : NULL);
}

static const char *copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
    return from ? to : NULL;
}

static void keep(struct eviction *v, struct sandbox_figures f)
{
    f.key = copy(v->key, sizeof(v->key), f.key);
    f.sandbox_id = copy(v->id, sizeof(v->id), f.sandbox_id);
    f.template = copy(v->template, sizeof(v->template), f.template);
    f.state = copy(v->state, sizeof(v->state), f.state);
    f.cost_usd = copy(v->cost, sizeof(v->cost), f.cost_usd);
    v->figures = f;
}

static void on_chosen(void *ctx, PGresult *res, const struct err *e)
{
    struct eviction *v = ctx;
    struct err err = ERR_INIT;

    if (e->code != ERR_OK || PQntuples(res) == 0) {
        end(v, NULL);
        return;
    }
    keep(v, sandbox_figures_read(res, 0));
    log_event(LOG_INFO, "sandbox.evicted", LF("sandbox", v->id), LF("template", v->template),
              LF("was", v->state), LF_INT("age_ms", v->figures.age_ms),
              LF_INT("running_ms", v->figures.running_ms), LF("cost_usd", v->cost));
    if (sandbox_kill(v->service, v->id, on_killed, v, &err) != ERR_OK)
        on_killed(v, &err);
}

enum err_code eviction_start(struct ledger *l, struct sandbox_service *s, eviction_fn fn, void *ctx,
                             struct eviction **out, struct err *err)
{
    struct pg_cmd cmd = {.sql = sandbox_sql_evict};
    struct eviction *v = calloc(1, sizeof(*v));

    if (!v)
        return err_set(err, ERR_NOMEM, "eviction of a sandbox");
    *v = (struct eviction){.ledger = l, .service = s, .fn = fn, .ctx = ctx};
    if (ledger_send(l, &cmd, on_chosen, v, err) != ERR_OK) {
        free(v);
        return err->code;
    }
    *out = v;
    return ERR_OK;
}

void eviction_free(struct eviction *v)
{
    free(v);
}
