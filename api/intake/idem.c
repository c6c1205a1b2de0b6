/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/idem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "api/api_internal.h"
#include "common/banned.h"

enum { LOCK_SLACK_MS = 5000, HASH_BYTES = 32 };

/* $1 tenant $2 key $3 work in hex $4 who asks $5 ms that it is locked $6 run or NULL $7 its
 * request's hash in hex. Is it ours; is what the row has the same; its answer; is the run's claim
 * the same. Without a row that is not ours, either: somebody made it at this moment. */
static const char begin_sql[] =
    "WITH mine AS (INSERT INTO door.idempotency AS i (tenant, key, work, holder, locked_until)"
    " VALUES ($1, $2, decode($3, 'hex'), $4::uuid,"
    " clock_timestamp() + $5::bigint * interval '1 ms')"
    " ON CONFLICT (tenant, key) DO UPDATE SET holder = excluded.holder,"
    " locked_until = excluded.locked_until WHERE i.answer IS NULL AND i.work = excluded.work"
    " AND i.locked_until <= clock_timestamp() RETURNING true AS yes)"
    " SELECT (SELECT yes FROM mine), i.work = decode($3, 'hex'), i.location, i.answer,"
    " c.body_hash = decode($7, 'hex') FROM (SELECT) AS one"
    " LEFT JOIN door.idempotency i ON i.tenant = $1 AND i.key = $2"
    " LEFT JOIN ledger.claims c ON c.run_id = $6::uuid";
enum { COL_MINE, COL_SAME, COL_LOCATION, COL_ANSWER, COL_CLAIM_SAME };

/* $1 tenant $2 key $3 who asked */
static const char forget_sql[] = "DELETE FROM door.idempotency WHERE tenant = $1 AND key = $2"
                                 " AND holder = $3::uuid AND answer IS NULL";
static const char unlock_sql[] = "UPDATE door.idempotency SET locked_until = clock_timestamp()"
                                 " WHERE tenant = $1 AND key = $2 AND holder = $3::uuid"
                                 " AND answer IS NULL";

static struct idem *idem_of(const struct call *c)
{
    return c->state;
}

/* --- what was asked ------------------------------------------------------------------ */

/* Printable ASCII, without blanks at its ends. */
static bool key_ok(struct str s)
{
    if (s.n == 0 || s.n > IDEM_KEY_MAX || s.p[0] == ' ' || s.p[s.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    return true;
}

bool idem_read(struct call *c, struct idem *i)
{
    const char *key = http_request_header(c->http, "Idempotency-Key");

    if (key && !key_ok(str_of(key))) {
        call_problem(c, PROBLEM_BAD_REQUEST,
                     "Idempotency-Key is 1 to %d printable ASCII characters", IDEM_KEY_MAX);
        return false;
    }
    (void)snprintf(i->key, sizeof(i->key), "%s", key ? key : "");
    return true;
}

void idem_work(struct idem *i, const char *op, const void *what, size_t n)
{
    crypto_generichash_state h;
    uint8_t hash[HASH_BYTES];

    crypto_generichash_init(&h, NULL, 0, sizeof(hash));
    crypto_generichash_update(&h, (const uint8_t *)op, strlen(op) + 1);
    crypto_generichash_update(&h, what, n);
    crypto_generichash_final(&h, hash, sizeof(hash));
    sodium_bin2hex(i->work, sizeof(i->work), hash, sizeof(hash));
}

/* --- whose it is ----------------------------------------------------------------------- */

static bool is(const PGresult *res, int col, char want)
{
    const char *text = pg_text(res, 0, col);

    return text && text[0] == want;
}

static void in_flight(struct call *c)
{
    http_reply_header(c->http, "Retry-After", "1");
    call_problem(c, PROBLEM_IN_FLIGHT,
                 "a request with this Idempotency-Key is under way: ask again");
}

static void reused(struct call *c)
{
    call_problem(c, PROBLEM_KEY_REUSED,
                 "this Idempotency-Key was used with another body: take a new key");
}

static void on_begun(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct idem *i = idem_of(c);
    const char *answer = pg_text(res, 0, COL_ANSWER);

    (void)e;
    i->held = is(res, COL_MINE, 't');
    if (i->held && is(res, COL_CLAIM_SAME, 'f')) {
        idem_let_go(c, true);
        reused(c);
    } else if (i->held) {
        i->next(c);
    } else if (is(res, COL_SAME, 'f')) {
        reused(c);
    } else if (answer) {
        idem_answer(c, pg_text(res, 0, COL_LOCATION), str_of(answer), true);
    } else {
        in_flight(c);
    }
}

void idem_begin(struct call *c, const char *run_id, const char *hash, void (*next)(struct call *c))
{
    struct idem *i = idem_of(c);
    char lock[24];

    if (!i->key[0]) {
        next(c);
        return;
    }
    i->next = next;
    (void)snprintf(lock, sizeof(lock), "%" PRId64, c->api->set->ack_ms + LOCK_SLACK_MS);
    const struct pg_cmd cmd = {.sql = begin_sql,
                               .keep = true,
                               .n = 7,
                               .v = {c->who.tenant, i->key, i->work, c->id, lock, run_id, hash}};
    call_query(c, &cmd, on_begun);
}

/* --- how it ended ------------------------------------------------------------------------ */

static void ignore(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res, (void)e;
}

/* If this gets lost, the key is locked a little longer. */
void idem_let_go(struct call *c, bool surely)
{
    struct idem *i = idem_of(c);
    const struct pg_cmd cmd = {
        .sql = surely ? forget_sql : unlock_sql, .n = 3, .v = {c->who.tenant, i->key, c->id}};
    struct pg *db = api_db(c->api);
    struct err err = ERR_INIT;

    if (i->held && db)
        (void)!pg_send(db, &cmd, ignore, NULL, &err);
    i->held = false;
}

void idem_answer(struct call *c, const char *location, struct str text, bool replayed)
{
    struct buf body = BUF_INIT(API_ANSWER_MAX);

    if (!call_is_open(c))
        return;
    buf_addstr(&body, text);
    if (location) {
        const char *name = strrchr(location, '/');

        (void)snprintf(c->made, sizeof(c->made), "%s", name ? name + 1 : location);
        http_reply_header(c->http, "Location", location);
    }
    if (replayed)
        http_reply_header(c->http, "Idempotent-Replayed", "true");
    call_json(c, 201, &body);
}
