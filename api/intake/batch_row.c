/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/batch_row.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/api_internal.h"
#include "common/clock.h"
#include "common/percent.h"
#include "common/banned.h"

/* $1 tenant $2 batch $3 defaults $4 metadata $5 retry_of $6 created, Unix ms $7 key $8 who asks
 * $9 location $10 answer or NULL. One that retries the same as this may have been
 * begun before. */
static const char insert_sql[] =
    "WITH made AS (INSERT INTO door.batches (tenant, batch_id, defaults, metadata, retry_of,"
    " created_at) SELECT $1, $2, $3, $4::json, $5, to_timestamp($6::bigint / 1000.0)"
    " WHERE NOT EXISTS (SELECT FROM fleet.batches WHERE tenant = $1 AND batch_id = $2)"
    " ON CONFLICT DO NOTHING RETURNING true AS yes),"
    " told AS (UPDATE door.idempotency i SET answer = $10, location = $9, holder = NULL,"
    " locked_until = NULL FROM made WHERE i.tenant = $1 AND i.key = $7 AND i.holder = $8::uuid"
    " AND $10::text IS NOT NULL)"
    " SELECT yes FROM made UNION ALL SELECT true FROM door.batches WHERE tenant = $1"
    " AND batch_id = $2 AND retry_of = $5";

static void make_name(const struct call *c, struct batch_row *b)
{
    char id[UUID_TEXT];

    if (b->idem.key[0])
        run_request_derive_id(c->who.tenant, b->idem.key, id);
    else
        uuid_v7(b->created_ms, id);
    (void)snprintf(b->batch_id, sizeof(b->batch_id), "batch-%s", id);
}

void batch_row_begin(struct call *c, const char *batch_id)
{
    struct batch_row *b = c->state;
    AUTO_BUF name = BUF_INIT(3 * RUN_NAME_MAX_BYTES);

    b->created_ms = clock_wall_ms();
    if (batch_id)
        (void)snprintf(b->batch_id, sizeof(b->batch_id), "%s", batch_id);
    else
        make_name(c, b);
    percent_encode(str_of(b->batch_id), &name);
    (void)snprintf(b->location, sizeof(b->location), "/v1/batches/%s", name.p ? name.p : "");
}

static void on_inserted(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    const struct batch_row *b = c->state;
    bool made = PQntuples(res) > 0;

    (void)e;
    if (!made)
        idem_let_go(c, true);
    b->made(c, made);
}

void batch_row_insert(struct call *c, void (*made)(struct call *c, bool made))
{
    struct batch_row *b = c->state;
    char created[24];

    b->made = made;
    (void)snprintf(created, sizeof(created), "%" PRId64, b->created_ms);
    if (b->answer.rc != ERR_OK) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    const struct pg_cmd cmd = {.sql = insert_sql,
                               .n = 10,
                               .v = {c->who.tenant, b->batch_id, b->defaults, b->metadata,
                                     b->retry_of, created, b->idem.key[0] ? b->idem.key : NULL,
                                     c->id, b->location, b->answer.p}};
    call_query(c, &cmd, on_inserted);
}

void batch_row_release(struct batch_row *b)
{
    buf_release(&b->answer);
}
