/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/submitter.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "common/banned.h"

/* Few large requests cost the broker less than many; the linger ends with the last record, which
 * is flushed. Prompts are small, and compressing them would take longer than sending them. */
enum {
    QUEUED_BYTES = 12 << 20,
    BATCH_BYTES = 1000000,
    LINGER_MS = 5,
    POLL_EVERY = 2 * PRODUCER_MANY,
    QUIET_PARTS = 4,
    TICKET_KEEPS_BYTES = 8 << 10 /* of its value's memory, for the next one */
};

struct submitter {
    struct loop *loop;
    struct producer *producer;
    struct timer *deadline; /* no acknowledgement for ack_ms */
    const struct topics *topics;
    const struct submit_events *ev;
    void *ctx;
    struct ticket *all, *spare; /* spare: to be used again */
    struct ticket *next;        /* that submitter_value() gave out */
    const char *topic;          /* of those that wait to be sent together */
    struct producer_record waiting[PRODUCER_MANY];
    size_t n_waiting;
    bool many;
    int64_t ack_ms, sent, acked;
    int64_t acked_then, quiet_since; /* when it was looked at last; 0: not yet */
    struct err failed;               /* the first failure */
};

struct ticket { /* one request under way */
    struct submitter *s;
    struct ticket *made_before, *next; /* of all; of the spare ones */
    struct buf value;                  /* stays here until it is acknowledged */
    const char *topic;
    int64_t line;
    char run_id[UUID_TEXT];
    uint8_t n; /* of custom_id */
    char custom_id[RUN_NAME_MAX_BYTES];
};

static struct ticket *ticket_take(struct submitter *s)
{
    struct ticket *t = s->spare;

    if (t) {
        s->spare = t->next;
        return t;
    }
    t = malloc(sizeof(*t));
    if (!t)
        return NULL;
    t->s = s;
    t->value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    t->made_before = s->all;
    s->all = t;
    return t;
}

static void ticket_give_back(struct ticket *t)
{
    if (t->value.cap > TICKET_KEEPS_BYTES)
        buf_release(&t->value);
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

/* Sends what waits, and drops from it what is on its way. */
static enum err_code send_waiting(struct submitter *s, struct err *err)
{
    while (s->n_waiting > 0) {
        size_t left = 0;
        enum err_code rc = producer_send_many(s->producer, s->topic, s->waiting, s->n_waiting, err);

        for (size_t i = 0; i < s->n_waiting; i++)
            if (s->waiting[i].rc != ERR_OK)
                s->waiting[left++] = s->waiting[i];
        s->sent += (int64_t)(s->n_waiting - left);
        s->n_waiting = left;
        if (rc != ERR_OK && (rc != ERR_THROTTLED || wait_turn(s, err) != ERR_OK))
            return err->code;
    }
    return ERR_OK;
}

struct buf *submitter_value(struct submitter *s)
{
    if (!s->next)
        s->next = ticket_take(s);
    if (!s->next)
        return NULL;
    buf_clear(&s->next->value);
    return &s->next->value;
}

/* A record with a key of its own goes at once: the key is the caller's. */
static bool may_wait(const struct submitter *s, const struct submit_record *r)
{
    return s->many && r->key.p == r->run_id && s->n_waiting < PRODUCER_MANY;
}

enum err_code submitter_put(struct submitter *s, const struct submit_record *r, enum run_lane lane,
                            struct err *err)
{
    const char *topic = s->topics->name[topic_of_lane(lane)];
    struct ticket *t = s->next;

    if (topic != s->topic && send_waiting(s, err) != ERR_OK)
        return err->code;
    s->next = NULL;
    s->topic = t->topic = topic;
    t->line = r->line;
    memcpy(t->run_id, r->run_id, UUID_TEXT);
    t->n = r->custom_id.n < sizeof(t->custom_id) ? (uint8_t)r->custom_id.n : sizeof(t->custom_id);
    if (t->n > 0)
        memcpy(t->custom_id, r->custom_id.p, t->n);
    s->waiting[s->n_waiting++] = (struct producer_record){
        .key = r->key.p == r->run_id ? (struct str){t->run_id, UUID_TEXT - 1} : r->key,
        .value = buf_str(&t->value),
        .fn = on_acked,
        .ctx = t};
    if (may_wait(s, r))
        return ERR_OK;
    if (send_waiting(s, err) != ERR_OK)
        return err->code;
    if (s->sent % POLL_EVERY < PRODUCER_MANY)
        producer_poll(s->producer);
    if (s->failed.code != ERR_OK)
        *err = s->failed;
    return s->failed.code;
}

enum err_code submitter_send(struct submitter *s, const struct run_request *r, enum run_lane lane,
                             struct err *err)
{
    struct buf *value = submitter_value(s);
    struct submit_record record = {
        .key = run_request_key(r), .run_id = r->run_id, .custom_id = str_of(r->custom_id)};

    if (!value)
        return err_set(err, ERR_NOMEM, "cannot submit run '%s'", r->run_id);
    if (run_request_write(r, value, err) != ERR_OK)
        return err->code;
    return submitter_put(s, &record, lane, err);
}

enum err_code submitter_drain(struct submitter *s, int64_t ms, bool *all, struct err *err)
{
    *all = false;
    if (send_waiting(s, err) != ERR_OK)
        return err->code;
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
    while (s->all) {
        struct ticket *t = s->all;

        s->all = t->made_before;
        buf_release(&t->value);
        free(t);
    }
    free(s);
}
