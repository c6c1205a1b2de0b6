/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/note.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "api/api_internal.h"
#include "common/backoff.h"
#include "common/json/json.h"
#include "common/log.h"
#include "common/banned.h"

enum {
    NOTE_MAX = 2 * RUN_REQUEST_MAX_BYTES,
    AT_ONCE = 512, /* notes a statement */
    AT_ONCE_BYTES = 4 << 20,
    WAITING_BYTES = 32 << 20,
    AGAIN_BASE_MS = 100,
    AGAIN_CAP_MS = 5000
};

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

struct entry {
    TAILQ_ENTRY(entry) link;
    note_fn fn; /* NULL: was called */
    void *ctx;
    size_t n;
    char json[];
};
TAILQ_HEAD(entries, entry);

struct notes {
    struct api *api;
    struct timer *timer;
    struct entries waiting, flying;
    size_t bytes;  /* of all of them */
    size_t single; /* so many go one by one: the database refused one of them */
    size_t n_flying;
    struct backoff backoff;
};

/* --- telling ------------------------------------------------------------------------ */

static void fly(void *ctx);

static void end_entry(struct notes *t, struct entry *e, bool told)
{
    TAILQ_REMOVE(&t->flying, e, link);
    t->bytes -= e->n;
    if (e->fn)
        e->fn(e->ctx, told);
    free(e);
}

static void put_back(struct notes *t)
{
    struct entry *e;

    while ((e = TAILQ_LAST(&t->flying, entries))) {
        TAILQ_REMOVE(&t->flying, e, link);
        TAILQ_INSERT_HEAD(&t->waiting, e, link);
    }
}

/* Nobody waits longer for a database that is away. Those who still wait came last. */
static void let_go(struct notes *t)
{
    struct entry *e;

    TAILQ_FOREACH_REVERSE(e, &t->waiting, entries, link)
    {
        note_fn fn = e->fn;

        if (!fn)
            return;
        e->fn = NULL;
        fn(e->ctx, false);
    }
}

static void failed(struct notes *t, const struct err *e)
{
    if (err_action(e->code) != ERR_DO_REJECT) {
        log_event(LOG_WARN, "api.not_noted", LF_ERR(e), LF_INT("notes", t->n_flying));
        put_back(t);
        timer_start(t->timer, backoff_next_ms(&t->backoff));
        let_go(t);
    } else if (t->n_flying > 1) {
        t->single = t->n_flying;
        put_back(t);
        timer_start(t->timer, 0);
    } else {
        log_event(LOG_ERROR, "api.note_refused", LF_ERR(e));
        end_entry(t, TAILQ_FIRST(&t->flying), false);
        timer_start(t->timer, 0);
    }
}

static void on_told(void *ctx, PGresult *res, const struct err *e)
{
    struct notes *t = ctx;

    (void)res;
    if (e->code != ERR_OK) {
        failed(t, e);
        t->n_flying = 0;
        return;
    }
    backoff_reset(&t->backoff);
    while (!TAILQ_EMPTY(&t->flying))
        end_entry(t, TAILQ_FIRST(&t->flying), true);
    t->n_flying = 0;
    fly(t);
}

static void gather(struct notes *t, struct buf *out)
{
    struct entry *e;

    while ((e = TAILQ_FIRST(&t->waiting)) && t->n_flying < (t->single ? 1 : AT_ONCE) &&
           (t->n_flying == 0 || out->len + e->n < AT_ONCE_BYTES)) {
        TAILQ_REMOVE(&t->waiting, e, link);
        TAILQ_INSERT_TAIL(&t->flying, e, link);
        buf_addc(out, t->n_flying++ ? ',' : '[');
        buf_add(out, e->json, e->n);
    }
    t->single -= t->single > 0;
    buf_addc(out, ']');
}

static void fly(void *ctx)
{
    struct notes *t = ctx;
    AUTO_BUF text = BUF_INIT(AT_ONCE_BYTES + NOTE_MAX);
    struct pg *db = api_db(t->api);
    struct err err = ERR_INIT;

    if (!TAILQ_EMPTY(&t->flying) || TAILQ_EMPTY(&t->waiting))
        return;
    gather(t, &text);
    const struct pg_cmd cmd = {
        .before = loosely, .sql = tell_sql, .keep = true, .n = 1, .v = {text.p}};
    if (text.rc != ERR_OK)
        (void)err_set(&err, ERR_UNAVAILABLE, "out of memory");
    else if (!db)
        (void)err_set(&err, ERR_UNAVAILABLE, "the database is away");
    else
        (void)!pg_send(db, &cmd, on_told, t, &err);
    if (err.code == ERR_OK)
        return;
    failed(t, &err);
    t->n_flying = 0;
}

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

bool note_tell(struct notes *t, const struct note *n, note_fn fn, void *ctx)
{
    AUTO_BUF text = BUF_INIT(NOTE_MAX);
    struct entry *e;

    write_note(n, &text);
    if (text.rc != ERR_OK || t->bytes + text.len > WAITING_BYTES)
        return false;
    e = malloc(sizeof(*e) + text.len);
    if (!e)
        return false;
    *e = (struct entry){.fn = fn, .ctx = ctx, .n = text.len};
    memcpy(e->json, text.p, text.len);
    TAILQ_INSERT_TAIL(&t->waiting, e, link);
    t->bytes += e->n;
    if (!timer_pending(t->timer) || fn) /* somebody waits: no longer than for this turn's others */
        timer_start(t->timer, 0);
    return true;
}

/* --- life ------------------------------------------------------------------------------ */

struct notes *notes_new(struct api *a)
{
    struct notes *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->api = a;
    t->backoff = BACKOFF_INIT(AGAIN_BASE_MS, AGAIN_CAP_MS);
    TAILQ_INIT(&t->waiting);
    TAILQ_INIT(&t->flying);
    t->timer = timer_new(a->loop, fly, t);
    if (t->timer)
        return t;
    free(t);
    return NULL;
}

bool notes_idle(const struct notes *t)
{
    return TAILQ_EMPTY(&t->waiting) && TAILQ_EMPTY(&t->flying);
}

static void drop(struct entries *list)
{
    struct entry *e;

    while ((e = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, e, link);
        free(e);
    }
}

void notes_free(struct notes *t)
{
    if (!t)
        return;
    drop(&t->waiting);
    drop(&t->flying);
    timer_free(t->timer);
    free(t);
}
