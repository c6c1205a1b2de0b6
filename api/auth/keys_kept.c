/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/keys_kept.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/banned.h"

struct kept_key {
    struct key key;
    struct kept_key *chain;         /* the next one */
    struct kept_key *newer, *older; /* by their use */
    int64_t read_ms, told_ms;
    bool is_read, was_told, is_used; /* is_read: not in doubt; was_told: told_ms is set */
};

/* Ids are random digits: their first bytes are a hash already. */
static struct kept_key **chain_of(struct kept *t, const char *id)
{
    size_t h = 0;

    for (size_t i = 0; i < 4; i++)
        h = h << 4 | (size_t)(id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
    return &t->chain[h % KEPT_CHAINS];
}

static struct kept_key *find(struct kept *t, const char *id)
{
    struct kept_key *e = *chain_of(t, id);

    while (e && strcmp(e->key.id, id) != 0)
        e = e->chain;
    return e;
}

static struct kept_key *of(struct key *key)
{
    return CONTAINER_OF(key, struct kept_key, key);
}

/* --- by their use --------------------------------------------------------------------- */

static void take_out(struct kept *t, struct kept_key *e)
{
    *(e->newer ? &e->newer->older : &t->newest) = e->older;
    *(e->older ? &e->older->newer : &t->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void put_first(struct kept *t, struct kept_key *e)
{
    e->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = e;
    t->newest = e;
}

/* --- those there are -------------------------------------------------------------------- */

static void drop(struct kept *t, struct kept_key *e)
{
    struct kept_key **at = chain_of(t, e->key.id);

    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    take_out(t, e);
    t->n--;
    free(e);
}

struct key *kept_find(struct kept *t, const char *id, int64_t now_ms, int64_t *age_ms)
{
    struct kept_key *e = find(t, id);

    if (!e)
        return NULL;
    *age_ms = e->is_read ? now_ms - e->read_ms : INT64_MAX;
    take_out(t, e);
    put_first(t, e);
    return &e->key;
}

struct key *kept_add(struct kept *t, const char *id)
{
    struct kept_key *e = find(t, id), **at = chain_of(t, id);

    if (e)
        return &e->key;
    e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    (void)snprintf(e->key.id, sizeof(e->key.id), "%s", id);
    e->chain = *at;
    *at = e;
    put_first(t, e);
    if (++t->n > KEYS_KEPT)
        drop(t, t->oldest);
    return &e->key;
}

void kept_read(struct kept *t, struct key *key, int64_t now_ms)
{
    (void)t;
    of(key)->is_read = true;
    of(key)->read_ms = now_ms;
}

void kept_doubt(struct kept *t, const char *id)
{
    if (id && !api_key_id_ok(str_of(id)))
        return;
    struct kept_key *one = id ? find(t, id) : NULL;
    if (one)
        one->is_read = false;
    for (struct kept_key *e = id ? NULL : t->newest; e; e = e->older)
        e->is_read = false;
}

void kept_drop(struct kept *t, const char *id)
{
    struct kept_key *e = find(t, id);

    if (e)
        drop(t, e);
}

/* --- when they came in -------------------------------------------------------------------- */

bool kept_use(struct kept *t, struct key *key, int64_t now_ms)
{
    struct kept_key *e = of(key);

    (void)t;
    if (e->was_told && now_ms - e->told_ms < KEYS_USED_EVERY_MS)
        return false;
    e->told_ms = now_ms;
    e->was_told = e->is_used = true;
    return true;
}

void kept_take_used(struct kept *t, struct buf *ids)
{
    buf_addc(ids, '{');
    for (struct kept_key *e = t->newest; e; e = e->older) {
        if (!e->is_used)
            continue;
        e->is_used = false;
        buf_addf(ids, "%s%s", ids->len > 1 ? "," : "", e->key.id);
    }
    buf_addc(ids, '}');
}

void kept_release(struct kept *t)
{
    while (t->newest)
        drop(t, t->newest);
}
