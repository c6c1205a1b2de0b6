/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/follow.h"

#include <stdlib.h>
#include <string.h>

#include "common/uuid.h"
#include "schema/judge.h"
#include "common/banned.h"

enum { LOCATE_MS = 10000 };

struct follow {
    struct consumer *consumer;
    const struct follow_events *ev;
    void *ctx;
    char run_id[UUID_TEXT];
    struct judge judge;
    bool ended;
};

enum err_code follow_locate(const struct topics *topics, struct kafka_admin *admin,
                            const char *run_id, bool from_start, struct partition *out,
                            struct err *err)
{
    const char *topic = topics->name[TOPIC_EVENTS];
    int32_t partitions;
    int64_t low, high;

    if (kafka_admin_partitions(admin, topic, LOCATE_MS, &partitions, err) != ERR_OK)
        return err->code;
    *out = (struct partition){.topic = topic, .id = kafka_partition(str_of(run_id), partitions)};
    if (kafka_admin_offsets(admin, topic, out->id, LOCATE_MS, &low, &high, err) != ERR_OK)
        return err->code;
    out->offset = from_start ? low : high;
    return ERR_OK;
}

static void on_record(void *ctx, struct kafka_record *r)
{
    struct follow *f = ctx;
    struct event_view v;
    struct err e = ERR_INIT;
    int64_t missing;

    if (f->ended || !str_is(r->key, f->run_id) || event_read(r->key, r->value, &v, &e) != ERR_OK)
        return; /* another run's, or a record the sink quarantines */
    switch (judge_next(&f->judge, &v.event, &missing)) {
    case JUDGE_STORE:
    case JUDGE_GAP:
        f->ended = f->judge.ended;
        f->ev->event(f->ctx, &v, f->judge.sequence, r->value);
        return;
    case JUDGE_REPEAT:
    case JUDGE_SUPERSEDED:
        return;
    }
}

static void on_failed(void *ctx, const struct err *e)
{
    struct follow *f = ctx;

    if (err_action(e->code) != ERR_DO_RETRY)
        f->ev->failed(f->ctx, e);
}

enum err_code follow_start(struct loop *l, const struct client *c, const struct partition *at,
                           const char *run_id, const struct follow_events *ev, void *ctx,
                           struct follow **out, struct err *err)
{
    static const struct consumer_events events = {.record = on_record, .failed = on_failed};
    const struct consumer_opts opts = {.group = NULL};
    struct kafka_conf conf = client_kafka(c);
    struct follow *f = calloc(1, sizeof(*f));

    if (!f)
        return err_set(err, ERR_NOMEM, "cannot follow run '%s'", run_id);
    f->ev = ev;
    f->ctx = ctx;
    memcpy(f->run_id, run_id, UUID_TEXT);
    if (consumer_new(l, &conf, &opts, &events, f, &f->consumer, err) != ERR_OK ||
        consumer_assign(f->consumer, at, 1, err) != ERR_OK) {
        follow_free(f);
        return err_wrap(err, "follow run '%s'", run_id);
    }
    *out = f;
    return ERR_OK;
}

void follow_free(struct follow *f)
{
    if (f && f->consumer)
        consumer_free(f->consumer);
    free(f);
}
