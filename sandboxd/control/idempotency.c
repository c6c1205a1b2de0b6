/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/control/idempotency.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/banned.h"

struct entry {
    char *key, *answer; /* NULL: empty */
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

enum idempotent idempotency_find(const struct idempotency *t, struct str key, struct str body,
                                 struct str *answer)
{
    unsigned char hash[crypto_generichash_BYTES];

    for (size_t i = 0; i < IDEMPOTENCY_KEPT; i++) {
        const struct entry *e = &t->entries[i];

        if (e->key == NULL || !str_is(key, e->key))
            continue;
        digest(body, hash);
        *answer = str_of(e->answer);
        return memcmp(hash, e->body, sizeof(hash)) == 0 ? IDEM_SAME : IDEM_OTHER_BODY;
    }
    return IDEM_NEW;
}

void idempotency_keep(struct idempotency *t, struct str key, struct str body, struct str answer)
{
    struct entry *e = &t->entries[t->next];

    t->next = (t->next + 1) % IDEMPOTENCY_KEPT;
    free(e->key);
    free(e->answer);
    e->key = str_dup(key);
    e->answer = str_dup(answer);
    digest(body, e->body);
    if (e->key != NULL && e->answer != NULL)
        return;
    free(e->key);
    free(e->answer);
    *e = (struct entry){0};
}
