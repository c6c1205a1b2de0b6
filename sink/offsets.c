/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/offsets.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

void offsets_init(struct offsets *o, const struct topics *t)
{
    *o = (struct offsets){.topics = t};
}

void offsets_release(struct offsets *o)
{
    free(o->v);
    offsets_init(o, o->topics);
}

static bool topic_of(const struct offsets *o, const char *name, enum topic *out)
{
    for (size_t t = 0; t < TOPICS; t++) {
        if (strcmp(o->topics->name[t], name) == 0) {
            *out = (enum topic)t;
            return true;
        }
    }
    return false;
}

enum err_code offsets_assign(struct offsets *o, const struct partition *ps, size_t n,
                             struct err *err)
{
    struct position *v = calloc(n ? n : 1, sizeof(*v));
    size_t kept = 0;

    if (!v)
        return err_set(err, ERR_NOMEM, "an assignment of %zu partitions", n);
    for (size_t i = 0; i < n; i++) {
        struct position *p = &v[kept];
        *p = (struct position){.id = ps[i].id,
                               .committed = KAFKA_EARLIEST,
                               .next = KAFKA_EARLIEST,
                               .jumped = -1,
                               .shown = KAFKA_EARLIEST,
                               .until = INT64_MAX};
        kept += topic_of(o, ps[i].topic, &p->topic);
    }
    offsets_release(o);
    o->v = v;
    o->n = kept;
    return ERR_OK;
}

struct position *offsets_find(struct offsets *o, enum topic topic, int32_t id)
{
    for (size_t i = 0; i < o->n; i++) {
        size_t at = (o->last + i) % o->n;
        if (o->v[at].id == id && o->v[at].topic == topic) {
            o->last = at;
            return &o->v[at];
        }
    }
    return NULL;
}

const char offsets_load_sql[] = "SELECT topic, partition, next FROM sink_offsets"
                                " WHERE topic = ANY ($1::text[])";

/* Kafka's topic names need no quotes in an array literal. */
void offsets_topics(const struct offsets *o, struct buf *out)
{
    buf_addc(out, '{');
    for (size_t t = 0; t < TOPICS; t++)
        buf_addf(out, "%s%s", t ? "," : "", o->topics->name[t]);
    buf_addc(out, '}');
}

/* The position of a row; NULL: not one of ours. */
static struct position *of_row(struct offsets *o, const PGresult *res, int row)
{
    enum topic topic;

    if (!topic_of(o, pg_text(res, row, 0), &topic))
        return NULL;
    return offsets_find(o, topic, (int32_t)pg_int(res, row, 1));
}

void offsets_take(struct offsets *o, const PGresult *res)
{
    for (size_t i = 0; i < o->n; i++) {
        o->v[i].committed = o->v[i].next = KAFKA_EARLIEST;
        o->v[i].jumped = -1;
    }
    for (int row = 0; row < PQntuples(res); row++) {
        struct position *p = of_row(o, res, row);
        if (p)
            p->committed = p->next = pg_int(res, row, 2);
    }
}

bool offsets_agree(struct offsets *o, const PGresult *res)
{
    size_t known = 0, rows = 0;

    for (size_t i = 0; i < o->n; i++)
        known += o->v[i].committed != KAFKA_EARLIEST;
    for (int row = 0; row < PQntuples(res); row++) {
        const struct position *p = of_row(o, res, row);
        if (p && p->committed != pg_int(res, row, 2))
            return false;
        rows += p != NULL;
    }
    return rows == known;
}

void offsets_limit(struct offsets *o, const PGresult *res)
{
    for (size_t i = 0; i < o->n; i++)
        o->v[i].until = 0;
    for (int row = 0; row < PQntuples(res); row++) {
        struct position *p = of_row(o, res, row);
        if (p)
            p->until = pg_int(res, row, 2);
    }
}

bool offsets_done(const struct offsets *o)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->v[i].until > 0 && o->v[i].committed < o->v[i].until)
            return false;
    return true;
}

void offsets_partitions(const struct offsets *o, struct partition *out)
{
    for (size_t i = 0; i < o->n; i++)
        out[i] = (struct partition){
            .topic = o->topics->name[o->v[i].topic], .id = o->v[i].id, .offset = o->v[i].next};
}

/* Records of our topics follow each other without holes, but a transactional
 * producer's markers make some. A hole is believed only when it is seen twice: what
 * comes first behind a seek may have been fetched before it. */
enum offsets_verdict offsets_next(struct offsets *o, enum topic topic, int32_t id, int64_t offset,
                                  struct position **out, int64_t *from)
{
    struct position *p = offsets_find(o, topic, id);

    *out = p;
    if (!p || offset < p->next || offset >= p->until)
        return OFFSETS_DROP;
    if (p->next != KAFKA_EARLIEST && offset > p->next && offset != p->jumped) {
        p->jumped = offset;
        return OFFSETS_SEEK;
    }
    *from = p->next;
    p->next = offset + 1;
    p->jumped = -1;
    return OFFSETS_TAKE;
}
