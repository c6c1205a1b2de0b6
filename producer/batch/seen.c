/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing in a few tables that grow one at a time, so that never more than one of them
 * stands in memory twice. Places rise with the hash: a table grows by copying from front to back.
 */
#include "producer/batch/seen.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "common/hash64.h"
#include "common/banned.h"

enum { PARTS_LOG2 = 5, PARTS = 1 << PARTS_LOG2, FIRST_ROOM = 1024, SMALL_ROOM = 8192 };

struct entry {
    uint64_t key; /* 0: free */
    uint64_t value;
};

struct part {
    struct entry *at; /* mapped: what is freed goes back to the system at once */
    size_t room, used;
};

struct seen {
    struct part parts[PARTS];
};

struct seen *seen_new(void)
{
    return calloc(1, sizeof(struct seen));
}

static void unmap(struct part *p)
{
    if (p->at)
        (void)munmap(p->at, p->room * sizeof(*p->at));
}

void seen_free(struct seen *s)
{
    for (size_t i = 0; s && i < PARTS; i++)
        unmap(&s->parts[i]);
    free(s);
}

size_t seen_bytes(const struct seen *s)
{
    size_t n = 0;

    for (size_t i = 0; i < PARTS; i++)
        n += s->parts[i].room * sizeof(struct entry);
    return n;
}

static struct entry *slot_of(const struct part *p, uint64_t key)
{
    /* The top bits chose the part, the next ones the place. */
    size_t i = (size_t)((unsigned __int128)(key << PARTS_LOG2) * p->room >> 64);

    while (p->at[i].key != 0 && p->at[i].key != key)
        i = i + 1 == p->room ? 0 : i + 1;
    return &p->at[i];
}

/* From 80 % full on: to the double while it is small, then by a quarter. */
static enum err_code grow(struct part *p, struct err *err)
{
    size_t more = p->room < SMALL_ROOM ? p->room : p->room / 4;
    struct part bigger = {.room = p->room ? p->room + more : FIRST_ROOM, .used = p->used};
    void *at = mmap(NULL, bigger.room * sizeof(struct entry), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return err_set(err, ERR_NOMEM, "cannot remember so many custom_ids");
    bigger.at = at;
    for (size_t i = 0; i < p->room; i++)
        if (p->at[i].key)
            *slot_of(&bigger, p->at[i].key) = p->at[i];
    unmap(p);
    *p = bigger;
    return ERR_OK;
}

/* The entry of this key, made with value 0 when there was none. NULL: no memory. */
static struct entry *find(struct seen *s, uint64_t key, bool *made, struct err *err)
{
    key |= key == 0;
    struct part *p = &s->parts[key >> (64 - PARTS_LOG2)];

    if (5 * (p->used + 1) > 4 * p->room && grow(p, err) != ERR_OK)
        return NULL;
    struct entry *e = slot_of(p, key);
    *made = e->key == 0;
    e->key = key;
    p->used += *made;
    return e;
}

uint64_t seen_key(struct str name)
{
    return hash64(name.p, name.n, 1);
}

enum err_code seen_name(struct seen *s, uint64_t key, uint64_t work, enum sight *out,
                        struct err *err)
{
    bool made;
    struct entry *e = find(s, key, &made, err);

    if (!e)
        return err->code;
    *out = made ? SEEN_NEW : e->value == work ? SEEN_SAME : SEEN_OTHER;
    if (made)
        e->value = work;
    return ERR_OK;
}

enum err_code seen_times(struct seen *s, uint64_t work, uint64_t *out, struct err *err)
{
    bool made;
    /* by an odd number: no two works get one key, and none a name's but by chance */
    struct entry *e = find(s, work * UINT64_C(0x9e3779b97f4a7c15), &made, err);

    if (!e)
        return err->code;
    *out = ++e->value;
    return ERR_OK;
}
