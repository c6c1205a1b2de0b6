/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/submitter.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/banned.h"

/* Few large requests cost the broker less than many; the linger ends with the last record, which
 * is flushed. Prompts are small, and compressing them would take longer than sending them. */
enum { QUEUED_BYTES = 12 << 20, BATCH_BYTES = 1000000, LINGER_MS = 5, QUIET_PARTS = 4 };

struct submitter {
    struct loop *loop;
    struct producer *producer;
    struct timer *deadline; /* no acknowledgement for ack_ms */
    const struct topics *topics;
    const struct submit_events *ev;
    void *ctx;
    TAILQ_HEAD(, parcel) held; /* parcels that are not acknowledged */
    bool many;
    int64_t ack_ms, sent, acked;
    int64_t acked_then, quiet_since; /* when it was looked at last; 0: not yet */
    struct err failed;               /* the first failure */
};

static void give_back(struct submitter *s, struct parcel *p)
{
    TAILQ_REMOVE(&s->held, p, link);
    if (s->ev->returned)
        s->ev->returned(s->ctx, p);
    else
        parcel_free(p);
}

static void fail(struct submitter *s, const struct err *e)
{
    if (s->failed.code == ERR_OK)
        s->failed = *e;
    loop_stop(s->loop);
}

/* Asked from time to time. False: nothing came for too long, and it fails. */
static bool goes_on(struct submitter *s)
{
    int64_t now = clock_boot_ms();
    struct err e;

    if (s->acked != s->acked_then || s->quiet_since == 0) {
        s->acked_then = s->acked;
        s->quiet_since = now;
    }
    if (now - s->quiet_since < s->ack_ms)
        return true;
    err_set(&e, ERR_TIMEOUT, "kafka acknowledged nothing for %lld ms; %lld of %lld acknowledged",
            (long long)s->ack_ms, (long long)s->acked, (long long)s->sent);
    fail(s, &e);
    return false;
}

static void on_deadline(void *ctx)
{
    struct submitter *s = ctx;

    if (goes_on(s))
        timer_start(s->deadline, s->ack_ms / QUIET_PARTS);
}

static void on_fatal(void *ctx, const struct err *e)
{
    fail(ctx, e);
}

static void on_room(void *ctx)
{
    struct submitter *s = ctx;

    loop_stop(s->loop);
}

static void tell(struct submitter *s, const struct parcel *p, const struct parcel_item *item,
                 int32_t partition, int64_t offset)
{
    struct submit_receipt receipt = {.run_id = item->run_id,
                                     .custom_id = parcel_text(p, item->custom_id),
                                     .line = item->line,
                                     .topic = p->topic,
                                     .partition = partition,
                                     .offset = offset};

    s->ev->acked(s->ctx, &receipt);
}

static void on_acked(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct parcel_item *item = ctx;
    struct parcel *p = parcel_of(item);
    struct submitter *s = p->owner;

    if (e->code != ERR_OK) {
        fail(s, e);
        return;
    }
    s->acked++;
    if (s->ev->acked)
        tell(s, p, item, partition, offset);
    if (++p->acked == p->n)
        give_back(s, p);
    if (s->acked == s->sent)
        loop_stop(s->loop);
}

enum err_code submitter_new(struct loop *l, const struct client *c, const struct topics *topics,
                            bool many, const struct submit_events *ev, void *ctx,
                            struct submitter **out, struct err *err)
{
    struct kafka_conf conf = client_kafka(c);
    struct submitter *s = calloc(1, sizeof(*s));

    if (!s)
        return err_set(err, ERR_NOMEM, "cannot submit");
    *s = (struct submitter){
        .loop = l, .topics = topics, .ev = ev, .ctx = ctx, .many = many, .ack_ms = c->ack_ms};
    struct producer_opts opts = {.linger_ms = many ? LINGER_MS : 0,
                                 .batch_bytes = BATCH_BYTES,
                                 .compression = many ? "none" : NULL,
                                 .max_queued_bytes = QUEUED_BYTES,
                                 .room = on_room,
                                 .fatal = on_fatal,
                                 .ctx = s};
    TAILQ_INIT(&s->held);
    s->deadline = timer_new(l, on_deadline, s);
    if (!s->deadline || producer_new(l, &conf, &opts, &s->producer, err) != ERR_OK) {
        enum err_code rc = s->deadline ? err->code : err_set(err, ERR_NOMEM, "cannot submit");
        submitter_free(s);
        return rc;
    }
    *out = s;
    return ERR_OK;
}

/* Runs the loop until something happened that may let us go on. */
static enum err_code wait_turn(struct submitter *s, struct err *err)
{
    if (goes_on(s) && !timer_pending(s->deadline))
        timer_start(s->deadline, s->ack_ms / QUIET_PARTS);
    loop_run(s->loop);
    if (s->failed.code != ERR_OK) {
        *err = s->failed;
        return err->code;
    }
    return ERR_OK;
}

static size_t make_records(struct parcel *p, struct producer_record *out)
{
    for (size_t i = 0; i < p->n; i++)
        out[i] = (struct producer_record){.key = parcel_text(p, p->items[i].key),
                                          .value = parcel_text(p, p->items[i].value),
                                          .fn = on_acked,
                                          .ctx = &p->items[i]};
    return p->n;
}

/* Drops from the records those that are on their way; how many are left. */
static size_t drop_sent(struct submitter *s, struct producer_record *records, size_t n)
{
    size_t left = 0;

    for (size_t i = 0; i < n; i++)
        if (records[i].rc != ERR_OK)
            records[left++] = records[i];
    s->sent += (int64_t)(n - left);
    return left;
}

enum err_code submitter_put(struct submitter *s, struct parcel *p, enum run_lane lane,
                            struct err *err)
{
    struct producer_record records[PARCEL_RECORDS];
    size_t left = make_records(p, records);

    p->owner = s;
    p->topic = s->topics->name[topic_of_lane(lane)];
    TAILQ_INSERT_TAIL(&s->held, p, link);
    while (left > 0) {
        enum err_code rc = producer_send_many(s->producer, p->topic, records, left, err);

        left = drop_sent(s, records, left);
        if (rc == ERR_THROTTLED && wait_turn(s, err) != ERR_OK)
            return err->code;
        if (rc != ERR_OK && rc != ERR_THROTTLED) {
            const struct parcel_item *item = records[0].ctx;

            return item->line ? err_wrap(err, "line %lld", (long long)item->line) : rc;
        }
    }
    producer_poll(s->producer);
    if (s->failed.code != ERR_OK)
        *err = s->failed;
    return s->failed.code;
}

/* A parcel with nothing but this request. */
static enum err_code wrap(const struct run_request *r, struct parcel **out, struct err *err)
{
    AUTO_BUF value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    struct parcel *p = parcel_new();

    if (!p)
        return err_set(err, ERR_NOMEM, "cannot submit run '%s'", r->run_id);
    *out = p;
    if (run_request_write(r, &value, err) != ERR_OK)
        return err->code;
    return parcel_add(p,
                      &(struct parcel_record){.run_id = r->run_id,
                                              .custom_id = str_of(r->custom_id),
                                              .key = run_request_key(r),
                                              .value = buf_str(&value)},
                      err);
}

enum err_code submitter_send(struct submitter *s, const struct run_request *r, enum run_lane lane,
                             struct err *err)
{
    struct parcel *p = NULL;

    if (wrap(r, &p, err) == ERR_OK)
        return submitter_put(s, p, lane, err);
    parcel_free(p);
    return err->code;
}

enum err_code submitter_drain(struct submitter *s, int64_t ms, bool *all, struct err *err)
{
    *all = false;
    timer_stop(s->deadline);
    if (s->acked < s->sent && goes_on(s))
        producer_flush(s->producer, ms);
    *all = s->acked == s->sent;
    if (s->failed.code != ERR_OK)
        *err = s->failed;
    return s->failed.code;
}

enum err_code submitter_finish(struct submitter *s, struct err *err)
{
    bool all = false;

    while (!all)
        if (submitter_drain(s, s->ack_ms / QUIET_PARTS, &all, err) != ERR_OK)
            return err->code;
    return ERR_OK;
}

int64_t submitter_acked(const struct submitter *s)
{
    return s->acked;
}

void submitter_free(struct submitter *s)
{
    if (!s)
        return;
    if (s->producer)
        producer_free(s->producer);
    if (s->deadline)
        timer_free(s->deadline);
    while (!TAILQ_EMPTY(&s->held))
        give_back(s, TAILQ_FIRST(&s->held));
    free(s);
}
