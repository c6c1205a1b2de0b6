/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/suspects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

void suspects_begin(struct suspects *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    for (size_t i = 0; i < s->n; i++)
        s->items[i].seen = false;
}

static struct suspect *add(struct suspects *s, const char *name)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        struct suspect *more = cap <= SUSPECTS_MAX ? realloc(s->items, cap * sizeof(*more)) : NULL;
        if (!more)
            return NULL;
        s->items = more;
        s->cap = cap;
    }
    struct suspect *it = &s->items[s->n++];
    *it = (struct suspect){.since_ms = s->now_ms};
    snprintf(it->name, sizeof(it->name), "%s", name);
    return it;
}

int64_t suspects_see(struct suspects *s, const char *kind, const char *name)
{
    char full[SUSPECT_TEXT];
    struct suspect *it = NULL;

    snprintf(full, sizeof(full), "%s %s", kind, name);
    for (size_t i = 0; i < s->n && !it; i++)
        if (strcmp(s->items[i].name, full) == 0)
            it = &s->items[i];
    if (!it)
        it = add(s, full);
    if (!it)
        return 0;
    it->seen = true;
    return s->now_ms - it->since_ms;
}

void suspects_end(struct suspects *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->n; i++)
        if (s->items[i].seen)
            s->items[kept++] = s->items[i];
    s->n = kept;
}

void suspects_release(struct suspects *s)
{
    free(s->items);
    *s = (struct suspects){0};
}
