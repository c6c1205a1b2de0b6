/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/submitter.h"

#include <stdlib.h>
#include <string.h>

#include "common/uuid.h"
#include "common/banned.h"

enum { SUBMIT_QUEUED_BYTES = 32 << 20 };

struct submitter {
    struct loop *loop;
    struct producer *producer;
    struct timer *deadline; /* no acknowledgement for ack_ms */
    const struct topics *topics;
    const struct submit_events *ev;
    void *ctx;
    struct buf value;
    int64_t ack_ms, sent, acked;
    struct err failed; /* the first failure */
};

struct ticket { /* one request under way */
    struct submitter *s;
    const char *topic;
    char run_id[UUID_TEXT];
    char *custom_id;
};

static void ticket_free(struct ticket *t)
{
    if (t)
        free(t->custom_id);
    free(t);
}

static struct ticket *ticket_new(struct submitter *s, const struct run_request *r,
                                 const char *topic)
{
    struct ticket *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->s = s;
    t->topic = topic;
    memcpy(t->run_id, r->run_id, UUID_TEXT);
    if (r->custom_id && !(t->custom_id = strdup(r->custom_id))) {
        ticket_free(t);
        return NULL;
    }
    return t;
}

static void fail(struct submitter *s, const struct err *e)
{
    if (s->failed.code == ERR_OK)
        s->failed = *e;
    loop_stop(s->loop);
}

static void on_deadline(void *ctx)
{
    struct submitter *s = ctx;
    struct err e;

    err_set(&e, ERR_TIMEOUT, "kafka acknowledged nothing for %lld ms; %lld of %lld acknowledged",
            (long long)s->ack_ms, (long long)s->acked, (long long)s->sent);
    fail(s, &e);
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

static void on_acked(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct ticket *t = ctx;
    struct submitter *s = t->s;

    if (e->code != ERR_OK) {
        fail(s, e);
    } else {
        struct submit_receipt receipt = {.run_id = t->run_id,
                                         .custom_id = t->custom_id,
                                         .topic = t->topic,
                                         .partition = partition,
                                         .offset = offset};
        s->acked++;
        timer_start(s->deadline, s->ack_ms);
        if (s->ev->acked)
            s->ev->acked(s->ctx, &receipt);
        if (s->acked == s->sent)
            loop_stop(s->loop);
    }
    ticket_free(t);
}

enum err_code submitter_new(struct loop *l, const struct client *c, const struct topics *topics,
                            const struct submit_events *ev, void *ctx, struct submitter **out,
                            struct err *err)
{
    struct kafka_conf conf = client_kafka(c);
    struct submitter *s = calloc(1, sizeof(*s));

    if (!s)
        return err_set(err, ERR_NOMEM, "cannot submit");
    *s = (struct submitter){.loop = l,
                            .topics = topics,
                            .ev = ev,
                            .ctx = ctx,
                            .value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES),
                            .ack_ms = c->ack_ms};
    struct producer_opts opts = {.linger_ms = c->file ? 5 : 0,
                                 .max_queued_bytes = SUBMIT_QUEUED_BYTES,
                                 .room = on_room,
                                 .fatal = on_fatal,
                                 .ctx = s};
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
    if (!timer_pending(s->deadline))
        timer_start(s->deadline, s->ack_ms);
    loop_run(s->loop);
    if (s->failed.code != ERR_OK) {
        *err = s->failed;
        return err->code;
    }
    return ERR_OK;
}

enum err_code submitter_send(struct submitter *s, const struct run_request *r, enum run_lane lane,
                             struct err *err)
{
    const char *topic = s->topics->name[topic_of_lane(lane)];
    struct ticket *t = ticket_new(s, r, topic);
    enum err_code rc;

    buf_clear(&s->value);
    if (!t)
        return err_set(err, ERR_NOMEM, "cannot submit run '%s'", r->run_id);
    rc = run_request_write(r, &s->value, err);
    while (rc == ERR_OK) {
        rc = producer_send(s->producer, topic, run_request_key(r), buf_str(&s->value), NULL, 0,
                           on_acked, t, err);
        if (rc == ERR_OK) {
            s->sent++;
            return ERR_OK;
        }
        if (rc == ERR_THROTTLED)
            rc = wait_turn(s, err);
    }
    ticket_free(t);
    return rc;
}

enum err_code submitter_finish(struct submitter *s, struct err *err)
{
    while (s->acked < s->sent)
        if (wait_turn(s, err) != ERR_OK)
            return err->code;
    timer_stop(s->deadline);
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
    buf_release(&s->value);
    free(s);
}
