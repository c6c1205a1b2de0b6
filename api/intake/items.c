/* SPDX-License-Identifier: Apache-2.0 */
/* Lines in, records out, answers kept in order. What is read ahead is bounded: the rest of the body
 * waits at the client while Kafka's queue is full, or while too many lines await their word. */
#include "api/intake/items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "api/api_internal.h"
#include "api/intake/intake.h"
#include "api/intake/item.h"
#include "api/intake/item_answers.h"
#include "api/intake/item_names.h"
#include "api/intake/open_batch.h"
#include "common/banned.h"

enum {
    PENDING_MAX = 2000,                     /* lines that await their word */
    LINE_ROOM = ITEM_MAX_BYTES + (1 << 20), /* a line, and what came with its end */
    ANSWER_MAX = 8 << 10                    /* of one line */
};

struct line { /* one that has a number: from its reading to its answer */
    TAILQ_ENTRY(line) link;
    struct call *call;
    int64_t number;
    bool done, accepted;
    enum run_lane lane;
    struct item item;
};

struct items { /* c->state */
    struct open_batch open;
    struct call *call;
    struct item_batch batch;
    bool whole;        /* the body's end was there */
    bool skipping;     /* the rest of a line that is too long */
    bool kafka_failed; /* a line was not acknowledged in time */
    bool marked;       /* all lines have their word */
    int64_t numbered;
    struct buf in; /* read ahead, taken up to `at` */
    size_t at;
    TAILQ_HEAD(, line) lines;
    size_t pending;
    struct line *stuck; /* Kafka's queue has no room for it; its value is below */
    struct buf value;
    struct intake_waiter waiter;
    struct item_names *names;
    struct item_answers answers;
};

static void go_on(struct items *s);

/* --- answers ------------------------------------------------------------------------ */

static void line_free(struct items *s, struct line *l)
{
    TAILQ_REMOVE(&s->lines, l, link);
    s->pending--;
    item_release(&l->item);
    free(l);
}

/* Those at the head whose word is there. */
static void put_answers(struct items *s)
{
    struct line *l;

    while ((l = TAILQ_FIRST(&s->lines)) && l->done) {
        AUTO_BUF text = BUF_INIT(ANSWER_MAX);

        item_answer(&l->item, l->number, l->accepted, &text);
        item_answers_add(&s->answers, buf_str(&text));
        line_free(s, l);
    }
}

/* --- to Kafka -------------------------------------------------------------------------- */

static void refuse(struct line *l, enum problem p, const char *why)
{
    item_refuse(&l->item, p, "%s", why);
    l->done = true;
}

static void on_acked(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct line *l = ctx;
    struct call *c = l->call;
    struct items *s = c->state;

    l->done = true;
    l->accepted = e->code == ERR_OK;
    if (l->accepted && !marks_add(&s->open.marks, l->lane, partition, offset))
        call_problem(c, PROBLEM_INTERNAL,
                     "out of memory; send all of it again: nothing is doubled");
    s->kafka_failed = !l->accepted;
    if (!l->accepted)
        refuse(l, intake_problem(e), e->msg);
    put_answers(s);
    go_on(s);
    call_drop(c);
}

static void send(struct items *s, struct line *l)
{
    struct err err = ERR_INIT;
    enum err_code rc;

    s->stuck = NULL;
    call_keep(s->call);
    l->lane = l->item.run.lane;
    rc = intake_send(s->call->api, &l->item.run.request, l->item.run.lane, buf_str(&s->value),
                     on_acked, l, &err);
    if (rc == ERR_OK) {
        item_release(&l->item);
        return;
    }
    call_drop(s->call); /* the one who calls us has another */
    if (rc == ERR_THROTTLED) {
        s->stuck = l;
        intake_wait(s->call->api, &s->waiter);
    } else {
        refuse(l, intake_problem(&err), err.msg);
    }
}

static void on_room(struct intake_waiter *w)
{
    struct items *s = CONTAINER_OF(w, struct items, waiter);
    struct call *c = s->call;

    call_keep(c);
    if (s->stuck)
        send(s, s->stuck);
    put_answers(s);
    go_on(s);
    call_drop(c);
}

/* --- lines ------------------------------------------------------------------------------ */

static void submit(struct items *s, struct line *l)
{
    struct err err = ERR_INIT;

    buf_clear(&s->value);
    if (s->open.sealed)
        refuse(l, PROBLEM_BATCH_SEALED, "the batch was sealed meanwhile");
    else if (s->kafka_failed && !producer_is_up(s->call->api->producer))
        refuse(l, PROBLEM_KAFKA_AWAY, "kafka is away; send it again");
    else if (run_request_write(&l->item.run.request, &s->value, &err) != ERR_OK)
        refuse(l, PROBLEM_TOO_LARGE, body_reason_text(&err));
    else
        send(s, l);
}

static void refuse_twin(struct line *l)
{
    refuse(l, PROBLEM_INVALID, "this custom_id was used above for something else");
    (void)snprintf(l->item.pointer, sizeof(l->item.pointer), "/custom_id");
}

static void take_line(struct items *s, struct str text)
{
    struct line *l;

    s->numbered++;
    if (s->numbered == 1 && str_starts(text, "\xef\xbb\xbf"))
        text = (struct str){text.p + 3, text.n - 3};
    text = str_trim(text);
    if (text.n == 0)
        return;
    l = calloc(1, sizeof(*l));
    if (!l) {
        call_problem(s->call, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    l->call = s->call;
    l->number = s->numbered;
    TAILQ_INSERT_TAIL(&s->lines, l, link);
    s->pending++;
    if (!item_read(text, &s->batch, &l->item))
        l->done = true;
    else if (!item_names_take(s->names, &l->item.run.request))
        refuse_twin(l);
    else
        submit(s, l);
    if (l->done)
        item_release(&l->item);
}

/* The next one of what was read ahead. False: its end is not there yet. */
static bool next_line(struct items *s)
{
    struct str rest = {s->in.p + s->at, s->in.len - s->at};
    const char *end = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
    size_t n = end ? (size_t)(end - rest.p) : rest.n;

    if (!end && n > ITEM_MAX_BYTES && !s->skipping) {
        take_line(s, rest); /* which refuses it */
        s->skipping = true;
    }
    if (!end && s->skipping)
        s->at = s->in.len;
    if (!end && (!s->whole || s->at == s->in.len))
        return false;
    if (!s->skipping)
        take_line(s, (struct str){rest.p, n});
    s->skipping = false;
    s->at += end ? n + 1 : n;
    return true;
}

static bool is_full(const struct items *s)
{
    return !s->open.known || s->stuck || s->pending >= PENDING_MAX;
}

static void tell(struct call *c)
{
    struct items *s = c->state;

    item_answers_tell(&s->answers);
}

/* As far as it goes. The caller holds a reference to the call. */
static void go_on(struct items *s)
{
    struct call *c = s->call;

    if (!call_is_open(c))
        return;
    open_batch_look(&s->open);
    while (!is_full(s) && call_is_open(c) && next_line(s))
        put_answers(s);
    buf_drop(&s->in, s->at);
    s->at = 0;
    if (!call_is_open(c))
        return;
    if (is_full(s))
        http_request_hold(c->http);
    else
        http_request_go_on(c->http);
    if (s->whole && s->open.known && s->in.len == 0 && TAILQ_EMPTY(&s->lines) && !s->marked) {
        s->marked = true;
        open_batch_mark(&s->open, tell);
    }
}

/* --- the request -------------------------------------------------------------------------- */

static void on_piece(struct http_request *r, struct str piece)
{
    struct call *c = r->state;
    struct items *s = c->state;

    buf_addstr(&s->in, piece);
    if (s->in.rc != ERR_OK)
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
    else
        go_on(s);
}

void items_whole(struct call *c)
{
    struct items *s = c->state;

    s->whole = true;
    go_on(s);
}

static void on_open(struct call *c)
{
    struct items *s = c->state;

    s->batch.defaults = s->open.defaults;
    go_on(s);
}

static void release(struct call *c)
{
    struct items *s = c->state;
    struct line *l;

    intake_unwait(&s->waiter);
    while ((l = TAILQ_FIRST(&s->lines)))
        line_free(s, l);
    buf_release(&s->in);
    buf_release(&s->value);
    item_answers_release(&s->answers);
    open_batch_release(&s->open);
    free(s->names);
    free(s);
}

static struct items *items_new(struct call *c)
{
    struct items *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->names = calloc(1, sizeof(*s->names));
    if (!open_batch_init(&s->open, c) || !s->names) {
        open_batch_release(&s->open);
        free(s->names);
        free(s);
        return NULL;
    }
    s->call = c;
    s->batch = (struct item_batch){.tenant = c->who.tenant, .batch_id = s->open.id};
    s->in = BUF_INIT(LINE_ROOM);
    s->value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    s->waiter.room = on_room;
    item_answers_init(&s->answers, c);
    TAILQ_INIT(&s->lines);
    return s;
}

void items_begin(struct call *c)
{
    static const char *const none[] = {NULL};
    struct items *s;

    if (!call_params(c, none))
        return;
    if (!run_name_ok(c->param[0])) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch");
        return;
    }
    s = items_new(c);
    if (!s) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    c->state = s;
    c->release = release;
    c->http->piece = on_piece;
    open_batch_find(&s->open, on_open);
}
