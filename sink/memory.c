/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/memory.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

enum { SLOTS = 2 * MEMORY_RUNS };

void memory_release(struct memory *m)
{
    free(m->runs);
    free(m->slots);
    *m = (struct memory){0};
}

void memory_forget(struct memory *m)
{
    if (m->n > 0)
        memset(m->slots, 0, SLOTS * sizeof(*m->slots));
    m->n = 0;
}

/* The run's slot: its own, or the free one where it belongs. */
static uint32_t *slot_of(const struct memory *m, const uint8_t id[16])
{
    for (size_t i = projection_hash(id) % SLOTS;; i = (i + 1) % SLOTS) {
        uint32_t *slot = &m->slots[i];
        if (*slot == 0 || memcmp(m->runs[*slot - 1].id, id, 16) == 0)
            return slot;
    }
}

void memory_recall(const struct memory *m, struct run_row *run)
{
    const uint32_t *slot = m->n > 0 ? slot_of(m, run->id) : NULL;

    run->known = slot && *slot;
    if (run->known)
        memcpy(run, &m->runs[*slot - 1], RUN_MEMORY_BYTES);
}

static bool make_room(struct memory *m)
{
    if (!m->runs) {
        m->runs = calloc(MEMORY_RUNS, sizeof(*m->runs));
        m->slots = calloc(SLOTS, sizeof(*m->slots));
    }
    if (!m->runs || !m->slots) {
        memory_release(m);
        return false;
    }
    if (m->n == MEMORY_RUNS)
        memory_forget(m);
    return true;
}

void memory_keep(struct memory *m, const struct run_row *run)
{
    struct run_row *mine;
    uint32_t *slot;

    if (!make_room(m))
        return;
    slot = slot_of(m, run->id);
    if (*slot == 0)
        *slot = (uint32_t)++m->n;
    mine = &m->runs[*slot - 1];
    memcpy(mine, run, RUN_MEMORY_BYTES);
    mine->has_request |= run->request != NULL;
    mine->has_model |= run->model.p != NULL;
}
