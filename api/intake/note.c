/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/note.h"

#include "api/api_internal.h"
#include "common/json/json.h"
#include "common/log.h"
#include "common/banned.h"

enum { NOTE_MAX = 2 * RUN_REQUEST_MAX_BYTES };

/* A crash of the database's machine may lose the last moment of these, and that does no harm: the
 * sink tells of the run a moment later, and a key whose answer is lost gets it anew. */
static const char loosely[] = "SET LOCAL synchronous_commit = off";

/* $1 an array of notes */
static const char tell_sql[] =
    "WITH x AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) AS x(tenant text, run uuid,"
    " lane text, request json, key text, holder uuid, location text, answer text)),"
    " accepted AS (INSERT INTO door.accepted (run_id, tenant, lane, request)"
    " SELECT run, tenant, lane, request::text FROM x WHERE request IS NOT NULL"
    " ON CONFLICT (run_id) DO NOTHING),"
    " revoked AS (INSERT INTO ledger.cancellations (tenant, run_id, force, requested_by)"
    " SELECT tenant, run, true, '" NOTE_BY "' FROM x WHERE run IS NOT NULL AND request IS NULL"
    " ON CONFLICT (tenant, run_id) DO NOTHING)"
    " UPDATE door.idempotency i SET answer = x.answer, location = x.location, holder = NULL,"
    " locked_until = NULL FROM x"
    " WHERE i.tenant = x.tenant AND i.key = x.key AND i.holder = x.holder";

/* --- telling ------------------------------------------------------------------------ */

/* Nobody waits longer for a database that is away. Those who still wait came last. */
static void let_go(struct telling *t)
{
    struct told_row *r;

    TAILQ_FOREACH_REVERSE(r, &t->waiting, told_rows, link)
    {
        note_fn fn = r->fn;

        if (!fn)
            return;
        r->fn = NULL;
        fn(r->ctx, false);
    }
}

static void failed(struct telling *t, const struct err *e)
{
    if (err_action(e->code) != ERR_DO_REJECT) {
        log_event(LOG_WARN, "api.not_noted", LF_ERR(e), LF_INT("notes", t->n_flying));
        telling_again(t, backoff_next_ms(&t->backoff));
        let_go(t);
    } else if (t->n_flying > 1) {
        t->single = t->n_flying;
        telling_again(t, 0);
    } else {
        log_event(LOG_ERROR, "api.note_refused", LF_ERR(e));
        telling_end(t, false);
    }
}

static void landed(struct telling *t, const struct err *e)
{
    if (e->code != ERR_OK) {
        failed(t, e);
        return;
    }
    backoff_reset(&t->backoff);
    while (!TAILQ_EMPTY(&t->flying))
        telling_end(t, true);
}

const struct telling_kind note_telling = {
    .before = loosely,
    .sql = tell_sql,
    .row_max = NOTE_MAX,
    .at_once = 512,
    .at_once_bytes = 4 << 20,
    .waiting_bytes = 32 << 20,
    .landed = landed,
};

/* --- taking --------------------------------------------------------------------------- */

static void write_note(const struct note *n, struct buf *out)
{
    buf_addc(out, '{');
    json_kv(out, "tenant", n->tenant);
    json_kv(out, "run", n->run_id);
    json_kv(out, "lane", n->run_id ? run_lane_name(n->lane) : NULL);
    if (n->request.n)
        json_kv_raw(out, "request", n->request);
    if (n->key) {
        json_kv(out, "key", n->key);
        json_kv(out, "holder", n->holder);
        json_kv(out, "location", n->location);
        json_kv_str(out, "answer", n->answer);
    }
    buf_addc(out, '}');
}

bool note_tell(struct telling *t, const struct note *n, note_fn fn, void *ctx)
{
    AUTO_BUF text = BUF_INIT(NOTE_MAX);

    write_note(n, &text);
    return text.rc == ERR_OK && telling_add(t, buf_str(&text), fn, ctx);
}
