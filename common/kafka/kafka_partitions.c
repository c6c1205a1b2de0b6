/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/kafka_partitions.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

/* --- lanes --- */

static struct lane *lane_of(struct partitions *ps, const char *topic)
{
    struct lane *l;
    LIST_FOREACH(l, &ps->lanes, link)
    {
        if (strcmp(l->topic, topic) == 0)
            return l;
    }
    size_t n = strlen(topic) + 1;
    l = calloc(1, sizeof *l + n);
    if (!l)
        return NULL;
    memcpy(l->topic, topic, n);
    l->paused = ps->all_paused;
    TAILQ_INIT(&l->kept);
    LIST_INSERT_HEAD(&ps->lanes, l, link);
    return l;
}

enum err_code lane_keep(struct lane *l, rd_kafka_message_t *m, struct err *err)
{
    struct kept *k = calloc(1, sizeof *k);
    if (!k)
        return err_set(err, ERR_NOMEM, "keep a record of topic '%s'", l->topic);
    k->m = m;
    TAILQ_INSERT_TAIL(&l->kept, k, link);
    l->n_kept++;
    l->kept_bytes += m->len + m->key_len;
    return ERR_OK;
}

static rd_kafka_message_t *unlink_kept(struct lane *l, struct kept *k)
{
    rd_kafka_message_t *m = k->m;
    TAILQ_REMOVE(&l->kept, k, link);
    l->n_kept--;
    l->kept_bytes -= m->len + m->key_len;
    free(k);
    return m;
}

rd_kafka_message_t *lane_take(struct lane *l)
{
    struct kept *k = TAILQ_FIRST(&l->kept);
    return k ? unlink_kept(l, k) : NULL;
}

void lane_forget(struct lane *l, int32_t partition)
{
    for (struct kept *k = TAILQ_FIRST(&l->kept), *next; k; k = next) {
        next = TAILQ_NEXT(k, link);
        if (partition == -1 || k->m->partition == partition)
            rd_kafka_message_destroy(unlink_kept(l, k));
    }
}

enum err_code partitions_pause(struct partitions *ps, const char *topic, bool paused,
                               struct err *err)
{
    struct lane *l;
    if (topic) {
        l = lane_of(ps, topic);
        if (!l)
            return err_set(err, ERR_NOMEM, "pause topic '%s'", topic);
        l->paused = paused;
        return ERR_OK;
    }
    ps->all_paused = paused;
    LIST_FOREACH(l, &ps->lanes, link)
    l->paused = paused;
    return ERR_OK;
}

/* --- partitions --- */

void partitions_clear(struct partitions *ps)
{
    struct lane *l;
    LIST_FOREACH(l, &ps->lanes, link)
    lane_forget(l, -1);
    free(ps->held);
    ps->held = NULL;
    ps->n = ps->last = 0;
}

enum err_code partitions_set(struct partitions *ps, const struct partition *list, size_t n,
                             struct err *err)
{
    partitions_clear(ps);
    ps->held = calloc(n + 1, sizeof *ps->held);
    if (!ps->held)
        return err_set(err, ERR_NOMEM, "hold %zu partitions", n);
    for (size_t i = 0; i < n; i++) {
        struct lane *l = lane_of(ps, list[i].topic);
        if (!l)
            return err_set(err, ERR_NOMEM, "hold %zu partitions", n);
        ps->held[ps->n++] = (struct held){.lane = l, .id = list[i].id, .next = list[i].offset};
    }
    return ERR_OK;
}

static bool is(const struct held *h, const char *topic, int32_t id)
{
    return h->id == id && strcmp(h->lane->topic, topic) == 0;
}

struct held *partitions_find(struct partitions *ps, const char *topic, int32_t id)
{
    if (ps->last < ps->n && is(&ps->held[ps->last], topic, id))
        return &ps->held[ps->last];
    for (size_t i = 0; i < ps->n; i++) {
        if (!is(&ps->held[i], topic, id))
            continue;
        ps->last = i;
        return &ps->held[i];
    }
    return NULL;
}

void partitions_release(struct partitions *ps)
{
    struct lane *l;
    partitions_clear(ps);
    while ((l = LIST_FIRST(&ps->lanes))) {
        LIST_REMOVE(l, link);
        free(l);
    }
}
