/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/workspace/tar_names.h"

#include <sodium.h>
#include <stdlib.h>

#include "worker/workspace/tar_check.h"
#include "common/banned.h"

enum { FIRST_ROOM = 256, KIND_MASK = 3 };

void tar_names_init(struct tar_names *t)
{
    *t = (struct tar_names){0};
    randombytes_buf(t->key, sizeof(t->key));
}

void tar_names_release(struct tar_names *t)
{
    free(t->slots);
    t->slots = NULL;
}

static uint64_t hash(const struct tar_names *t, struct str path)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t h = 0;

    crypto_shorthash(out, (const unsigned char *)path.p, path.n, t->key);
    for (size_t i = 0; i < sizeof(out); i++)
        h = h << 8 | out[i];
    return h & ~(uint64_t)KIND_MASK;
}

/* Where it is, or where it would go: there is always a free slot. */
static uint64_t *slot_of(uint64_t *slots, size_t room, uint64_t h)
{
    size_t i = (size_t)(h >> 2) & (room - 1);

    while (slots[i] != 0 && (slots[i] & ~(uint64_t)KIND_MASK) != h)
        i = (i + 1) & (room - 1);
    return &slots[i];
}

enum tar_kind tar_names_find(const struct tar_names *t, struct str path)
{
    return t->room > 0 ? (enum tar_kind)(*slot_of(t->slots, t->room, hash(t, path)) & KIND_MASK)
                       : TAR_NOTHING;
}

static bool grow(struct tar_names *t)
{
    size_t room = t->room ? 2 * t->room : FIRST_ROOM;
    uint64_t *slots = calloc(room, sizeof(*slots));

    if (!slots)
        return false;
    for (size_t i = 0; i < t->room; i++)
        if (t->slots[i])
            *slot_of(slots, room, t->slots[i] & ~(uint64_t)KIND_MASK) = t->slots[i];
    free(t->slots);
    t->slots = slots;
    t->room = room;
    return true;
}

enum err_code tar_names_add(struct tar_names *t, struct str path, enum tar_kind kind)
{
    uint64_t h = hash(t, path);

    if (t->n >= TAR_NAMES_MAX)
        return ERR_TOO_BIG;
    if (t->n >= t->room / 4 * 3 && !grow(t))
        return ERR_NOMEM;
    *slot_of(t->slots, t->room, h) = h | (uint64_t)kind;
    t->n++;
    return ERR_OK;
}
