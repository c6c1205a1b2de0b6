/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are gone from the topic before they were read: by --accept-loss the sink goes
 * on at the first one there is, and what is missing is a row. */
#include "common/log.h"

#include "sink/sink_internal.h"

#include "common/banned.h"

enum { ASK_MS = 3000, ARRAY_MAX = 1 << 20 };

static const char sql_accept[] =
    "WITH moved AS (UPDATE sink_offsets AS o SET next = l.next, updated_at = now()"
    " FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS l(topic, partition, was, "
    "next)"
    " WHERE (o.topic, o.partition, o.next) = (l.topic, l.partition, l.was)"
    " RETURNING l.topic, l.partition, l.was, l.next)"
    " INSERT INTO losses (topic, partition, from_offset, to_offset)"
    " SELECT topic, partition, was, next FROM moved";

struct losses {
    struct buf v[4];
    size_t n;
};

static void losses_release(struct losses *l)
{
    for (size_t i = 0; i < COUNTOF(l->v); i++)
        buf_release(&l->v[i]);
}

static void add(struct losses *l, const char *topic, const struct position *p, int64_t low)
{
    const char *sep = l->n++ ? "," : "{";

    buf_addf(&l->v[0], "%s%s", sep, topic);
    buf_addf(&l->v[1], "%s%d", sep, (int)p->id);
    buf_addf(&l->v[2], "%s%lld", sep, (long long)p->next);
    buf_addf(&l->v[3], "%s%lld", sep, (long long)low);
    log_event(LOG_ERROR, "sink.loss", LF("topic", topic), LF_INT("partition", p->id),
              LF_INT("from", p->next), LF_INT("to", low));
}

/* Asks Kafka, which blocks: nothing else goes on before it is known where to begin. A
 * position behind the end is another topic's of that name, which begins anew. */
static enum err_code find(struct sink *s, struct losses *l, struct err *err)
{
    const struct kafka_conf conf = {.brokers = s->settings->brokers,
                                    .client_id = "sandfleet-sink",
                                    .file = s->settings->kafka_config,
                                    .props = &s->settings->kafka_props};
    struct kafka_admin *admin;
    int64_t low = 0, high = 0;
    enum err_code rc = kafka_admin_new(&conf, &admin, err);

    for (size_t i = 0; rc == ERR_OK && i < s->offsets.n; i++) {
        const struct position *p = &s->offsets.v[i];
        const char *topic = s->topics.name[p->topic];

        if (p->next < 0)
            continue;
        rc = kafka_admin_offsets(admin, topic, p->id, ASK_MS, &low, &high, err);
        if (rc == ERR_OK && (p->next < low || p->next > high))
            add(l, topic, p, low);
    }
    kafka_admin_free(admin);
    return rc;
}

static void on_accepted(void *ctx, PGresult *res, const struct err *e)
{
    struct sink *s = ctx;

    (void)res;
    s->asking = false;
    if (e->code == ERR_CONFIG)
        sink_fail(s, e);
    else if (e->code != ERR_OK)
        sink_retry_later(s);
    else
        sink_load(s);
}

bool sink_accepts_loss(struct sink *s)
{
    AUTO(losses_release)
    struct losses l = {
        .v = {BUF_INIT(ARRAY_MAX), BUF_INIT(ARRAY_MAX), BUF_INIT(ARRAY_MAX), BUF_INIT(ARRAY_MAX)}};
    struct pg_cmd cmd = {.sql = sql_accept, .n = COUNTOF(l.v)};
    struct err err = ERR_INIT;

    if (!s->settings->accept_loss)
        return false;
    if (find(s, &l, &err) != ERR_OK) {
        log_event(LOG_WARN, "sink.kafka_down", LF_ERR(&err));
        sink_retry_later(s);
        return true;
    }
    if (l.n == 0)
        return false;
    for (size_t i = 0; i < COUNTOF(l.v); i++) {
        buf_addc(&l.v[i], '}');
        cmd.v[i] = l.v[i].p;
    }
    s->asking = pg_send(s->pg, &cmd, on_accepted, s, &err) == ERR_OK;
    if (!s->asking)
        sink_retry_later(s);
    return true;
}
