/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/dlq/purge: dead letters away, some at a time. */
#include <stdlib.h>

#include "api/api_internal.h"
#include "api/intake/handlers.h"
#include "api/intake/letters_asked.h"
#include "common/banned.h"

static const char purge_sql[] =
    "WITH few AS (SELECT topic, partition, \"offset\" FROM fleet.quarantine WHERE " LETTERS_CHOSEN
    " LIMIT 2000)," LETTERS_SETTLED("few", "purged");

static void purge(struct call *c);

static void on_purged(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct letters_asked *a = c->state;

    (void)e;
    a->count += PQntuples(res);
    if (PQntuples(res) > 0)
        purge(c);
    else
        letters_answer(a);
}

static void purge(struct call *c)
{
    struct pg_cmd cmd = {.sql = purge_sql};

    letters_choose(c->state, &cmd);
    call_query(c, &cmd, on_purged);
}

static void release(struct call *c)
{
    letters_asked_release(c->state);
    free(c->state);
}

void letters_purge(struct call *c)
{
    struct letters_asked *a = calloc(1, sizeof(*a));

    if (!a) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    c->state = a;
    c->release = release;
    letters_ask(c, a, purge);
}
