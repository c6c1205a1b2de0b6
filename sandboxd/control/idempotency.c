/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/control/idempotency.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/banned.h"

struct entry {
    char *key;    /* NULL: empty */
    char *answer; /* NULL: under way */
    unsigned char body[crypto_generichash_BYTES];
};

struct idempotency {
    struct entry entries[IDEMPOTENCY_KEPT];
    size_t next; /* the oldest */
};

struct idempotency *idempotency_new(void)
{
    return calloc(1, sizeof(struct idempotency));
}

void idempotency_free(struct idempotency *t)
{
    for (size_t i = 0; t != NULL && i < IDEMPOTENCY_KEPT; i++) {
        free(t->entries[i].key);
        free(t->entries[i].answer);
    }
    free(t);
}

bool idempotency_key_valid(struct str key)
{
    if (key.n == 0 || key.n > IDEMPOTENCY_KEY_MAX)
        return false;
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

static void digest(struct str body, unsigned char out[crypto_generichash_BYTES])
{
    (void)crypto_generichash(out, crypto_generichash_BYTES, (const unsigned char *)body.p, body.n,
                             NULL, 0);
}

static struct entry *find(struct idempotency *t, struct str key)
{
    for (size_t i = 0; i < IDEMPOTENCY_KEPT; i++)
        if (t->entries[i].key != NULL && str_is(key, t->entries[i].key))
            return &t->entries[i];
    return NULL;
}

static void forget(struct entry *e)
{
    free(e->key);
    free(e->answer);
    *e = (struct entry){0};
}

/* Without memory it is not remembered: the same request then makes another. */
static void add(struct idempotency *t, struct str key, struct str body)
{
    struct entry *e = &t->entries[t->next];

    t->next = (t->next + 1) % IDEMPOTENCY_KEPT;
    forget(e);
    e->key = str_dup(key);
    digest(body, e->body);
}

enum idempotent idempotency_begin(struct idempotency *t, struct str key, struct str body,
                                  struct str *answer)
{
    unsigned char hash[crypto_generichash_BYTES];
    const struct entry *e = find(t, key);

    if (e == NULL) {
        add(t, key, body);
        return IDEM_NEW;
    }
    digest(body, hash);
    if (memcmp(hash, e->body, sizeof(hash)) != 0)
        return IDEM_OTHER_BODY;
    *answer = str_of(e->answer);
    return e->answer != NULL ? IDEM_SAME : IDEM_IN_PROGRESS;
}

void idempotency_keep(struct idempotency *t, struct str key, struct str answer)
{
    struct entry *e = find(t, key);

    if (e != NULL && (e->answer = str_dup(answer)) == NULL)
        forget(e);
}

void idempotency_drop(struct idempotency *t, struct str key)
{
    struct entry *e = find(t, key);

    if (e != NULL)
        forget(e);
}
