/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka_partitions.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

void partitions_clear(struct partitions *ps)
{
    for (size_t i = 0; i < ps->n; i++)
        free(ps->held[i].topic);
    free(ps->held);
    ps->held = NULL;
    ps->n = ps->last = 0;
}

enum err_code partitions_set(struct partitions *ps, const struct partition *list, size_t n,
                             struct err *err)
{
    partitions_clear(ps);
    if (n == 0)
        return ERR_OK;
    ps->held = calloc(n, sizeof *ps->held);
    if (!ps->held)
        return err_set(err, ERR_NOMEM, "hold %zu partitions", n);
    for (; ps->n < n; ps->n++) {
        char *topic = strdup(list[ps->n].topic);
        if (!topic) {
            partitions_clear(ps);
            return err_set(err, ERR_NOMEM, "hold %zu partitions", n);
        }
        ps->held[ps->n] =
            (struct held){.topic = topic, .id = list[ps->n].id, .next = list[ps->n].offset};
    }
    return ERR_OK;
}

static bool is(const struct held *h, const char *topic, int32_t id)
{
    return h->id == id && strcmp(h->topic, topic) == 0;
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

static void forget_topics(struct partitions *ps)
{
    for (size_t i = 0; i < ps->n_topics; i++)
        free(ps->topics[i].topic);
    free(ps->topics);
    ps->topics = NULL;
    ps->n_topics = 0;
}

static struct topic_pause *pause_of(const struct partitions *ps, const char *topic)
{
    for (size_t i = 0; i < ps->n_topics; i++) {
        if (strcmp(ps->topics[i].topic, topic) == 0)
            return &ps->topics[i];
    }
    return NULL;
}

static struct topic_pause *pause_new(struct partitions *ps, const char *topic)
{
    struct topic_pause *more = reallocarray(ps->topics, ps->n_topics + 1, sizeof *more);
    if (!more)
        return NULL;
    ps->topics = more;
    more[ps->n_topics].topic = strdup(topic);
    return more[ps->n_topics].topic ? &more[ps->n_topics++] : NULL;
}

enum err_code partitions_pause(struct partitions *ps, const char *topic, bool paused,
                               struct err *err)
{
    if (!topic) {
        forget_topics(ps);
        ps->all_paused = paused;
        return ERR_OK;
    }
    struct topic_pause *t = pause_of(ps, topic);
    if (!t)
        t = pause_new(ps, topic);
    if (!t)
        return err_set(err, ERR_NOMEM, "pause topic '%s'", topic);
    t->paused = paused;
    return ERR_OK;
}

bool partitions_paused(const struct partitions *ps, const char *topic)
{
    const struct topic_pause *t = pause_of(ps, topic);
    return t ? t->paused : ps->all_paused;
}

void partitions_release(struct partitions *ps)
{
    partitions_clear(ps);
    forget_topics(ps);
}
