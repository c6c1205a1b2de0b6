/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live/feed_runs.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

enum { FIRST_BUCKETS = 256 };

/* The end of a UUID is its random part. */
static size_t bucket_of(const uint8_t id[16], size_t n_buckets)
{
    uint64_t h;

    memcpy(&h, id + 8, sizeof(h));
    return (size_t)((h * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (n_buckets - 1);
}

struct feed_run *feed_runs_find(const struct feed_runs *t, const uint8_t id[16])
{
    struct feed_run *r = t->n ? t->buckets[bucket_of(id, t->n_buckets)] : NULL;

    while (r && memcmp(r->id, id, 16) != 0)
        r = r->next;
    return r;
}

static void put(struct feed_run **buckets, size_t n_buckets, struct feed_run *r)
{
    struct feed_run **at = &buckets[bucket_of(r->id, n_buckets)];

    r->next = *at;
    *at = r;
}

static bool grow(struct feed_runs *t)
{
    size_t n = t->n_buckets ? 2 * t->n_buckets : FIRST_BUCKETS;
    struct feed_run **buckets = calloc(n, sizeof(struct feed_run *)), *r, *next;

    if (!buckets)
        return false;
    for (size_t i = 0; i < t->n_buckets; i++)
        for (r = t->buckets[i]; r; r = next) {
            next = r->next;
            put(buckets, n, r);
        }
    free(t->buckets);
    t->buckets = buckets;
    t->n_buckets = n;
    return true;
}

struct feed_run *feed_runs_get(struct feed_runs *t, const uint8_t id[16])
{
    struct feed_run *r = feed_runs_find(t, id);

    if (r)
        return r;
    if (t->n >= t->n_buckets && !grow(t))
        return NULL;
    r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    memcpy(r->id, id, 16);
    LIST_INIT(&r->followers);
    put(t->buckets, t->n_buckets, r);
    t->n++;
    return r;
}

void feed_runs_remove(struct feed_runs *t, struct feed_run *r)
{
    struct feed_run **at = &t->buckets[bucket_of(r->id, t->n_buckets)];

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    t->n--;
    free(r);
}

void feed_runs_release(struct feed_runs *t)
{
    struct feed_run *r, *next;

    for (size_t i = 0; i < t->n_buckets; i++)
        for (r = t->buckets[i]; r; r = next) {
            next = r->next;
            free(r);
        }
    free(t->buckets);
    *t = (struct feed_runs){0};
}
