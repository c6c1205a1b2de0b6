/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/ledger/lease.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

void lease_init(struct lease *l, int64_t lease_ms)
{
    *l = (struct lease){.lease_ms = lease_ms};
}

void lease_release(struct lease *l)
{
    free(l->peers);
    *l = (struct lease){.lease_ms = l->lease_ms};
}

int64_t lease_beat_every_ms(const struct lease *l)
{
    return l->lease_ms / 5;
}

void lease_beaten(struct lease *l, int64_t sent_ms)
{
    if (sent_ms > l->beat_ms)
        l->beat_ms = sent_ms;
}

bool lease_holds(const struct lease *l, int64_t now_ms)
{
    return l->beat_ms != 0 && now_ms - l->beat_ms < l->lease_ms * 7 / 10;
}

void lease_look_begin(struct lease *l, int64_t asked_ms, int64_t answered_ms)
{
    bool silent = l->answered_ms != 0 && answered_ms - l->answered_ms > l->lease_ms / 2;

    l->asked_ms = asked_ms;
    l->answered_ms = answered_ms;
    for (size_t i = 0; i < l->n; i++) {
        l->peers[i].listed = false;
        if (silent)
            l->peers[i].since_ms = answered_ms;
    }
}

static struct lease_peer *find(struct lease *l, const char *worker_id)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->peers[i].worker_id, worker_id) == 0)
            return &l->peers[i];
    return NULL;
}

static enum err_code add(struct lease *l, const char *worker_id, struct lease_peer **out,
                         struct err *err)
{
    if (l->n == LEASE_PEERS_MAX)
        return err_set(err, ERR_CAPACITY, "more than %d workers in the ledger", LEASE_PEERS_MAX);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        struct lease_peer *more = realloc(l->peers, cap * sizeof(*more));
        if (!more)
            return err_set(err, ERR_NOMEM, "peer '%s'", worker_id);
        l->peers = more;
        l->cap = cap;
    }
    *out = &l->peers[l->n++];
    **out = (struct lease_peer){0};
    memcpy((*out)->worker_id, worker_id, strnlen(worker_id, LEASE_ID_TEXT - 1));
    return ERR_OK;
}

enum err_code lease_look(struct lease *l, const char *worker_id, int64_t counter, struct err *err)
{
    struct lease_peer *p = find(l, worker_id);

    if (!p) {
        enum err_code rc = add(l, worker_id, &p, err);
        if (rc != ERR_OK)
            return rc;
        p->counter = counter;
        p->since_ms = l->answered_ms;
    }
    if (p->counter != counter) {
        p->counter = counter;
        p->since_ms = l->answered_ms;
        p->told = false;
    }
    p->listed = true;
    return ERR_OK;
}

void lease_look_end(struct lease *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->peers[i].listed)
            l->peers[kept++] = l->peers[i];
    l->n = kept;
}

bool lease_dead(const struct lease *l, const struct lease_peer *p)
{
    return l->asked_ms - p->since_ms >= l->lease_ms;
}
