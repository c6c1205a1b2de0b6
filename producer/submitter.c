/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/submitter.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "common/banned.h"

enum { SUBMIT_QUEUED_BYTES = 8 << 20, POLL_EVERY = 64, QUIET_PARTS = 4 };

struct submitter {
    struct loop *loop;
    struct producer *producer;
    struct timer *deadline; /* no acknowledgement for ack_ms */
    const struct topics *topics;
    const struct submit_events *ev;
    void *ctx;
    struct buf value;
    struct ticket *spare; /* to be used again */
    int64_t ack_ms, sent, acked;
    int64_t acked_then, quiet_since; /* when it was looked at last; 0: not yet */
    struct err failed;               /* the first failure */
};

struct ticket { /* one request under way */
    struct submitter *s;
    struct ticket *next; /* of the spare ones */
    const char *topic;
    int64_t line;
    char run_id[UUID_TEXT];
    uint8_t n; /* of custom_id */
    char custom_id[RUN_NAME_MAX_BYTES];
};

static struct ticket *ticket_take(struct submitter *s, const struct submit_record *r,
                                  const char *topic)
{
    struct ticket *t = s->spare ? s->spare : malloc(sizeof(*t));

    if (!t)
        return NULL;
    if (t == s->spare)
        s->spare = t->next;
    t->s = s;
    t->topic = topic;
    t->line = r->line;
    memcpy(t->run_id, r->run_id, UUID_TEXT);
    t->n = r->custom_id.n < sizeof(t->custom_id) ? (uint8_t)r->custom_id.n : sizeof(t->custom_id);
    if (t->n > 0)
        memcpy(t->custom_id, r->custom_id.p, t->n);
    return t;
}

static void ticket_give_back(struct ticket *t)
{
    t->next = t->s->spare;
    t->s->spare = t;
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

static void on_acked(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct ticket *t = ctx;
    struct submitter *s = t->s;

    if (e->code != ERR_OK) {
        fail(s, e);
    } else {
        struct submit_receipt receipt = {.run_id = t->run_id,
                                         .custom_id = {t->custom_id, t->n},
                                         .line = t->line,
                                         .topic = t->topic,
                                         .partition = partition,
                                         .offset = offset};
        s->acked++;
        if (s->ev->acked)
            s->ev->acked(s->ctx, &receipt);
        if (s->acked == s->sent)
            loop_stop(s->loop);
    }
    ticket_give_back(t);
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
    if (goes_on(s) && !timer_pending(s->deadline))
        timer_start(s->deadline, s->ack_ms / QUIET_PARTS);
    loop_run(s->loop);
    if (s->failed.code != ERR_OK) {
        *err = s->failed;
        return err->code;
    }
    return ERR_OK;
}

enum err_code submitter_put(struct submitter *s, const struct submit_record *r, enum run_lane lane,
                            struct err *err)
{
    const char *topic = s->topics->name[topic_of_lane(lane)];
    struct ticket *t = ticket_take(s, r, topic);
    enum err_code rc;

    if (!t)
        return err_set(err, ERR_NOMEM, "cannot submit run '%s'", r->run_id);
    do {
        rc = producer_send(s->producer, topic, r->key, r->value, NULL, 0, on_acked, t, err);
    } while (rc == ERR_THROTTLED && (rc = wait_turn(s, err)) == ERR_OK);
    if (rc != ERR_OK) {
        ticket_give_back(t);
        return rc;
    }
    if (++s->sent % POLL_EVERY == 0) {
        producer_poll(s->producer);
        if (s->failed.code != ERR_OK) {
            *err = s->failed;
            return err->code;
        }
    }
    return ERR_OK;
}

enum err_code submitter_send(struct submitter *s, const struct run_request *r, enum run_lane lane,
                             struct err *err)
{
    struct submit_record record = {
        .key = run_request_key(r), .run_id = r->run_id, .custom_id = str_of(r->custom_id)};

    buf_clear(&s->value);
    if (run_request_write(r, &s->value, err) != ERR_OK)
        return err->code;
    record.value = buf_str(&s->value);
    return submitter_put(s, &record, lane, err);
}

enum err_code submitter_drain(struct submitter *s, int64_t ms, bool *all, struct err *err)
{
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
    while (s->spare) {
        struct ticket *t = s->spare;

        s->spare = t->next;
        free(t);
    }
    buf_release(&s->value);
    free(s);
}
