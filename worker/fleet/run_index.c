/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fleet/run_index.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

enum { LEAST = 64 }; /* a power of two, as every cap; at most half of the places are taken */

/* FNV-1a. Ids are ours or checked to be UUIDs: who wanted to make them collide would only slow
 * his own runs down. */
static size_t place_of(const struct run_index *x, const char *id)
{
    uint64_t h = 0xcbf29ce484222325;

    for (; *id; id++)
        h = (h ^ (unsigned char)*id) * 0x100000001b3;
    return (size_t)(h ^ h >> 32) & (x->cap - 1);
}

static size_t behind(const struct run_index *x, size_t at)
{
    return (at + 1) & (x->cap - 1);
}

static void put(struct run_index *x, const struct run_entry *e)
{
    size_t at = place_of(x, e->id);

    while (x->all[at].id)
        at = behind(x, at);
    x->all[at] = *e;
}

static bool grow(struct run_index *x)
{
    struct run_index bigger = {.cap = x->cap ? 2 * x->cap : LEAST, .n = x->n};

    bigger.all = calloc(bigger.cap, sizeof(*bigger.all));
    if (!bigger.all)
        return false;
    for (size_t i = 0; i < x->cap; i++)
        if (x->all[i].id)
            put(&bigger, &x->all[i]);
    free(x->all);
    *x = bigger;
    return true;
}

bool run_index_add(struct run_index *x, const char *id, struct run *r)
{
    if (2 * (x->n + 1) > x->cap && !grow(x))
        return false;
    put(x, &(struct run_entry){.id = id, .run = r});
    x->n++;
    return true;
}

struct run_entry *run_index_find(const struct run_index *x, const char *id,
                                 const struct run_entry *after)
{
    if (x->n == 0)
        return NULL;
    size_t at = after ? behind(x, (size_t)(after - x->all)) : place_of(x, id);
    for (; x->all[at].id; at = behind(x, at))
        if (strcmp(x->all[at].id, id) == 0)
            return &x->all[at];
    return NULL;
}

/* Those behind it in the same row of taken places may have gone past the one that is free now:
 * they are put anew. */
static void take_out(struct run_index *x, size_t at)
{
    x->all[at] = (struct run_entry){0};
    for (size_t i = behind(x, at); x->all[i].id; i = behind(x, i)) {
        struct run_entry e = x->all[i];
        x->all[i] = (struct run_entry){0};
        put(x, &e);
    }
    x->n--;
}

void run_index_remove(struct run_index *x, const char *id, const struct run *r)
{
    struct run_entry *e = run_index_find(x, id, NULL);

    while (e && e->run != r)
        e = run_index_find(x, id, e);
    if (e)
        take_out(x, (size_t)(e - x->all));
}

void run_index_unmark(struct run_index *x)
{
    for (size_t i = 0; i < x->cap; i++)
        x->all[i].marked = false;
}

void run_index_release(struct run_index *x)
{
    free(x->all);
    *x = (struct run_index){0};
}
