/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/batches and /seal: where a batch begins, and where it takes no more. */
#include <stdlib.h>

#include "api/api_internal.h"
#include "api/intake/batch_row.h"
#include "api/intake/body.h"
#include "api/intake/doc.h"
#include "api/intake/handlers.h"
#include "api/reads/reads.h"
#include "common/clock.h"
#include "common/percent.h"
#include "common/banned.h"

enum { TEXT_MAX = API_BODY_MAX };

struct beginning {        /* c->state */
    struct batch_row row; /* begins with a struct idem */
    struct buf defaults, metadata;
};

/* --- beginning ------------------------------------------------------------------------- */

static void on_made(struct call *c, bool made)
{
    const struct beginning *b = c->state;

    if (made)
        idem_answer(c, b->row.location, buf_str(&b->row.answer), false);
    else
        call_problem_at(c, PROBLEM_BATCH_EXISTS, "/batch_id", "there is a batch '%s' already",
                        b->row.batch_id);
}

static void insert(struct call *c)
{
    batch_row_insert(c, on_made);
}

static void print(const cJSON *tree, struct buf *out)
{
    char *text = tree ? cJSON_PrintUnformatted(tree) : NULL;

    if (text)
        buf_adds(out, text);
    else if (tree)
        out->rc = ERR_NOMEM;
    cJSON_free(text);
}

static void release(struct call *c)
{
    struct beginning *b = c->state;

    batch_row_release(&b->row);
    buf_release(&b->defaults);
    buf_release(&b->metadata);
    free(b);
}

static struct beginning *beginning_of(struct call *c)
{
    struct beginning *b = calloc(1, sizeof(*b));

    if (!b) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return NULL;
    }
    b->defaults = b->metadata = BUF_INIT(TEXT_MAX);
    b->row.answer = BUF_INIT(DOC_MAX_BYTES + TEXT_MAX);
    c->state = b;
    c->release = release;
    return b;
}

static bool check(const cJSON *tree, const char **batch_id, struct body_errors *errors)
{
    static const char *const members[] = {"batch_id", "defaults", "metadata", NULL};
    const cJSON *defaults = json_get(tree, "defaults"), *metadata = json_get(tree, "metadata");

    body_only(tree, members, errors);
    *batch_id = body_name(tree, "batch_id", errors);
    if (defaults)
        (void)body_defaults_check(defaults, clock_wall_ms(), errors);
    if (metadata && !cJSON_IsObject(metadata))
        body_errors_add(errors, "", "metadata", PROBLEM_INVALID, "'metadata' must be an object");
    return errors->n == 0;
}

void batch_create(struct call *c)
{
    static const char *const none[] = {NULL};
    struct body_errors errors = BODY_ERRORS_INIT;
    AUTO_BUF body = BUF_INIT(TEXT_MAX);
    const char *batch_id = NULL;
    struct beginning *b;
    AUTO_JSON *tree = NULL;

    if (!call_params(c, none) || !(tree = call_object(c)) || !(b = beginning_of(c)) ||
        !idem_read(c, &b->row.idem))
        return;
    if (!check(tree, &batch_id, &errors)) {
        call_problem_fields(c, errors.fields, errors.n);
        return;
    }
    print(json_get(tree, "defaults"), &b->defaults);
    print(json_get(tree, "metadata"), &b->metadata);
    print(tree, &body);
    b->row.defaults = b->defaults.p;
    b->row.metadata = b->metadata.p;
    batch_row_begin(c, batch_id);
    doc_batch(&(struct doc_batch){.batch_id = b->row.batch_id,
                                  .tenant = c->who.tenant,
                                  .metadata = b->row.metadata,
                                  .created_ms = b->row.created_ms},
              &b->row.answer);
    idem_work(&b->row.idem, "POST /v1/batches", body.p, body.len);
    idem_begin(c, NULL, NULL, insert);
}

/* --- sealing ----------------------------------------------------------------------------- */

static void on_sealed(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;

    (void)e;
    if (PQntuples(res) > 0)
        batch_get(c);
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch");
}

/* One of the command-line client has no row to seal, and takes no items anyway. */
void batch_seal(struct call *c)
{
    static const char *const none[] = {NULL};
    static const char sql[] =
        "WITH sealed AS (UPDATE door.batches SET sealed_at = coalesce(sealed_at, clock_timestamp())"
        " WHERE tenant = $1 AND batch_id = $2 RETURNING true)"
        " SELECT FROM sealed UNION ALL SELECT FROM fleet.batches WHERE tenant = $1"
        " AND batch_id = $2";
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {c->who.tenant, c->param[0].p}};

    if (!call_params(c, none))
        return;
    if (run_name_ok(c->param[0]))
        call_query(c, &cmd, on_sealed);
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch");
}
