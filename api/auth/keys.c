/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "api/auth/keys_kept.h"
#include "common/log.h"
#include "common/pg/pg.h"
#include "common/banned.h"

struct waiter {
    keys_fn fn;
    void *ctx;
    struct waiter *next;
};

struct look { /* a look-up under way */
    struct keys *keys;
    char id[API_KEY_ID];
    struct waiter *waiters; /* none: it is only read anew */
    struct look *next;
};

struct keys {
    struct loop *loop;
    void (*changed)(void *ctx, const char *id);
    void *ctx;
    struct pg *db;
    struct kept kept;
    struct look *looks;
    size_t n_looks;
    struct timer *used;
};

bool keys_up(const struct keys *k)
{
    return pg_is_up(k->db);
}

bool key_counts(const struct key *key, int64_t now_ms)
{
    return key->counts && now_ms < key->ends_ms;
}

/* --- reading one ------------------------------------------------------------------ */

enum { TENANT, SCOPES, HASH, COUNTS, LIFE_MS };
static const char look_sql[] =
    "SELECT tenant, array_to_string(scopes, ','), encode(hash, 'hex'),"
    " (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()))::int,"
    " ceil(extract(epoch FROM expires_at - now()) * 1000)::bigint"
    " FROM access.keys WHERE key_id = $1";

static bool fill(const struct keys *k, const PGresult *res, struct key *key)
{
    const char *hash = pg_text(res, 0, HASH);
    int64_t now = loop_now_ms(k->loop);

    (void)snprintf(key->tenant, sizeof(key->tenant), "%s", pg_text(res, 0, TENANT));
    key->counts = pg_int(res, 0, COUNTS) != 0;
    key->ends_ms = pg_text(res, 0, LIFE_MS) ? now + pg_int(res, 0, LIFE_MS) : INT64_MAX;
    return api_scopes_parse(str_of(pg_text(res, 0, SCOPES)), &key->scopes) &&
           sodium_hex2bin(key->hash, sizeof(key->hash), hash, strlen(hash), NULL, NULL, NULL) == 0;
}

/* What came is kept; NULL: there is no such key, or no memory for it. */
static struct key *take_result(struct keys *k, const char *id, const PGresult *res)
{
    struct key *key = PQntuples(res) > 0 ? kept_add(&k->kept, id) : NULL;

    if (key && fill(k, res, key)) {
        kept_read(&k->kept, key, loop_now_ms(k->loop));
        return key;
    }
    kept_drop(&k->kept, id);
    return NULL;
}

static void unlink_look(struct look *look)
{
    struct look **at = &look->keys->looks;

    while (*at != look)
        at = &(*at)->next;
    *at = look->next;
    look->keys->n_looks--;
}

static void on_look(void *ctx, PGresult *res, const struct err *e)
{
    struct look *look = ctx;
    struct waiter *w = look->waiters, *next;
    bool came = e->code == ERR_OK;
    struct key *key = came ? take_result(look->keys, look->id, res) : NULL;

    if (!came)
        log_event(LOG_WARN, "keys.unread", LF("key", look->id), LF_ERR(e));
    unlink_look(look);
    for (; w; w = next) {
        next = w->next;
        w->fn(w->ctx, key ? KEYS_FOUND : came ? KEYS_NONE : KEYS_AWAY, key);
        free(w);
    }
    free(look);
}

static enum keys_answer look_for(struct keys *k, const char *id, struct look **out)
{
    const struct pg_cmd cmd = {.sql = look_sql, .keep = true, .n = 1, .v = {id}};
    struct err err = ERR_INIT;

    for (*out = k->looks; *out; *out = (*out)->next)
        if (strcmp((*out)->id, id) == 0)
            return KEYS_FOUND;
    if (k->n_looks >= KEYS_LOOKS_MAX)
        return KEYS_BUSY;
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return KEYS_BUSY;
    (*out)->keys = k;
    (void)snprintf((*out)->id, sizeof((*out)->id), "%s", id);
    if (pg_send(k->db, &cmd, on_look, *out, &err) != ERR_OK) {
        free(*out);
        return err.code == ERR_THROTTLED ? KEYS_BUSY : KEYS_AWAY;
    }
    (*out)->next = k->looks;
    k->looks = *out;
    k->n_looks++;
    return KEYS_FOUND;
}

enum keys_answer keys_ask(struct keys *k, const char *id, keys_fn fn, void *ctx)
{
    struct waiter *w = calloc(1, sizeof(*w));
    enum keys_answer rc;
    struct look *look;

    if (!w)
        return KEYS_BUSY;
    rc = look_for(k, id, &look);
    if (rc != KEYS_FOUND) {
        free(w);
        return rc;
    }
    *w = (struct waiter){fn, ctx, look->waiters};
    look->waiters = w;
    return rc;
}

struct key *keys_find(struct keys *k, const char *id)
{
    int64_t age = 0;
    struct key *key = kept_find(&k->kept, id, loop_now_ms(k->loop), &age);
    struct look *look;

    if (!key || age > KEYS_STALE_MS)
        return NULL;
    if (age > KEYS_FRESH_MS)
        (void)look_for(k, id, &look); /* what comes of it, the next one sees */
    return key;
}

/* --- told ---------------------------------------------------------------------------- */

static void on_listening(void *ctx, PGresult *res, const struct err *e)
{
    struct keys *k = ctx;

    (void)res;
    if (e->code == ERR_OK)
        return;
    log_event(LOG_WARN, "keys.deaf", LF_ERR(e));
    pg_reset(k->db); /* and comes again */
}

/* What was told meanwhile is not known: all of them are read again before they are used. */
static void on_up(void *ctx)
{
    struct keys *k = ctx;
    const struct pg_cmd cmd = {.sql = "LISTEN " API_KEY_CHANNEL};
    struct err err = ERR_INIT;

    kept_doubt(&k->kept, NULL);
    if (pg_send(k->db, &cmd, on_listening, k, &err) != ERR_OK)
        log_event(LOG_WARN, "keys.deaf", LF_ERR(&err));
}

static void on_down(void *ctx, const struct err *e)
{
    (void)ctx;
    log_event(LOG_WARN, "keys.database_down", LF_ERR(e));
}

/* The answer to a look-up that the server took before the change has come before this. */
static void on_notify(void *ctx, const char *channel, const char *payload)
{
    struct keys *k = ctx;

    if (strcmp(channel, API_KEY_CHANNEL) != 0)
        return;
    kept_doubt(&k->kept, payload);
    if (api_key_id_ok(str_of(payload)))
        k->changed(k->ctx, payload);
}

/* --- used ---------------------------------------------------------------------------- */

static void on_written(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res;
    if (e->code != ERR_OK)
        log_event(LOG_WARN, "keys.use_untold", LF_ERR(e));
}

/* Other servers write it, too; a row is written once a minute all the same. */
static void on_used(void *ctx)
{
    struct keys *k = ctx;
    AUTO_BUF ids = BUF_INIT(KEYS_KEPT * (size_t)(API_KEY_ID + 1) + 2);
    struct pg_cmd cmd = {
        .sql = "UPDATE access.keys SET last_used_at = now() WHERE key_id = ANY($1::text[])"
               " AND (last_used_at IS NULL OR last_used_at < now() - interval '55 s')",
        .n = 1};
    struct err err = ERR_INIT;

    kept_take_used(&k->kept, &ids);
    cmd.v[0] = ids.p;
    if (ids.rc != ERR_OK || pg_send(k->db, &cmd, on_written, k, &err) != ERR_OK)
        log_event(LOG_DEBUG, "keys.use_untold", LF_ERR(&err)); /* the next minute tells it */
}

void keys_used(struct keys *k, struct key *key)
{
    if (kept_use(&k->kept, key, loop_now_ms(k->loop)) && !timer_pending(k->used))
        timer_start(k->used, KEYS_USED_WITHIN_MS);
}

/* --- life ----------------------------------------------------------------------------- */

enum err_code keys_new(struct loop *l, const struct keys_opts *opts, struct keys **out,
                       struct err *err)
{
    static const struct pg_events events = {.up = on_up, .down = on_down, .notify = on_notify};
    const struct pg_opts pg = {.conninfo = opts->conninfo,
                               .name = "sandfleet-api keys",
                               .pipeline = true,
                               .max_queued = 2 * KEYS_LOOKS_MAX,
                               .statement_ms = opts->statement_ms};
    struct keys *k = calloc(1, sizeof(*k));

    if (!k)
        return err_set(err, ERR_NOMEM, "API keys");
    k->loop = l;
    k->changed = opts->changed;
    k->ctx = opts->ctx;
    k->used = timer_new(l, on_used, k);
    if (!k->used)
        err_set(err, ERR_NOMEM, "API keys");
    else if (pg_new(l, &pg, &events, k, &k->db, err) == ERR_OK) {
        *out = k;
        return ERR_OK;
    }
    keys_free(k);
    return err->code;
}

static void free_look(struct look *look)
{
    struct waiter *next;

    for (struct waiter *w = look->waiters; w; w = next) {
        next = w->next;
        free(w);
    }
    free(look);
}

void keys_free(struct keys *k)
{
    struct look *next;

    if (!k)
        return;
    pg_free(k->db);
    timer_free(k->used);
    for (struct look *look = k->looks; look; look = next) {
        next = look->next;
        free_look(look);
    }
    kept_release(&k->kept);
    free(k);
}
