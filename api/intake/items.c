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
#include "api/intake/item_names.h"
#include "api/intake/marks.h"
#include "api/intake/spool.h"
#include "common/log.h"
#include "common/banned.h"

enum {
    PENDING_MAX = 2000,                     /* lines that await their word */
    LINE_ROOM = ITEM_MAX_BYTES + (1 << 20), /* a line, and what came with its end */
    ANSWER_MAX = 8 << 10,                   /* of one line */
    ANSWER_BOUND = 256 << 10,
    PIECE = 32 << 10,
    LOOK_EVERY_MS = 1000 /* whether it was sealed meanwhile */
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
    struct call *call;
    struct item_batch batch;
    cJSON *defaults;
    char *batch_id;
    bool known;        /* the batch was looked up, and is open */
    bool sealed;       /* …and is not any more */
    bool whole;        /* the body's end was there */
    bool skipping;     /* the rest of a line that is too long */
    bool kafka_failed; /* a line was not acknowledged in time */
    bool marked, told; /* all lines have their word; the batch knows how far they reach */
    int64_t numbered, looked_ms;
    struct buf in; /* read ahead, taken up to `at` */
    size_t at;
    TAILQ_HEAD(, line) lines;
    size_t pending;
    struct line *stuck; /* Kafka's queue has no room for it; its value is below */
    struct buf value;
    struct intake_waiter waiter;
    struct marks marks;
    struct item_names *names;
    struct spool answers;
    struct http_stream *stream;
};

static void go_on(struct items *s);

/* --- answers ------------------------------------------------------------------------ */

static void cut(struct items *s, const struct err *e)
{
    log_event(LOG_ERROR, "items.cut", LF("request", s->call->id), LF_ERR(e));
    if (s->stream)
        http_stream_cut(s->stream);
    else
        call_problem(s->call, PROBLEM_INTERNAL, "%s; send all of it again: nothing is doubled",
                     e->msg);
}

static void feed(void *ctx)
{
    struct items *s = ctx;
    struct buf *out = http_stream_buf(s->stream);
    struct err err = ERR_INIT;

    while (http_stream_waiting(s->stream) <= ANSWER_BOUND / 2) {
        size_t before = http_stream_waiting(s->stream);

        if (spool_read(&s->answers, PIECE, out, &err) != ERR_OK) {
            cut(s, &err);
            return;
        }
        if (http_stream_waiting(s->stream) == before) {
            http_stream_end(s->stream);
            return;
        }
    }
    http_stream_flush(s->stream);
}

static void on_closed(void *ctx)
{
    struct items *s = ctx;

    s->stream = NULL;
    call_drop(s->call);
}

static void answer(struct items *s)
{
    static const struct http_stream_events events = {.drained = feed, .closed = on_closed};

    if (!call_is_open(s->call))
        return;
    call_keep(s->call);
    s->stream =
        http_stream_open(s->call->http, 200, "application/x-ndjson", ANSWER_BOUND, &events, s);
    if (s->stream)
        feed(s);
    else
        call_drop(s->call);
}

static const char mark_sql[] =
    "UPDATE door.batches SET marks = " MARKS_MERGED("$3") " WHERE tenant = $1 AND batch_id = $2";

static void on_marked(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct items *s = c->state;

    (void)res, (void)e;
    s->told = true;
    answer(s);
}

/* Before anybody is told that all of it was accepted, the batch knows how far that reaches. */
static void mark(struct items *s)
{
    struct call *c = s->call;
    AUTO_BUF marks = BUF_INIT(MARKS_MAX_BYTES);

    if (s->marks.n == 0) {
        answer(s);
        return;
    }
    marks_write(&s->marks, &c->api->topics, &marks);
    if (marks.rc != ERR_OK)
        call_problem(c, PROBLEM_INTERNAL,
                     "out of memory; send all of it again: nothing is doubled");
    else
        call_query(
            c,
            &(struct pg_cmd){.sql = mark_sql, .n = 3, .v = {c->who.tenant, s->batch_id, marks.p}},
            on_marked);
}

static void ignore(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res, (void)e;
}

/* Whoever asked went away: what was accepted is there all the same. */
static void mark_unasked(struct call *c, const struct items *s)
{
    struct pg *db = api_db(c->api);
    AUTO_BUF marks = BUF_INIT(MARKS_MAX_BYTES);
    struct err err = ERR_INIT;

    marks_write(&s->marks, &c->api->topics, &marks);
    const struct pg_cmd cmd = {.sql = mark_sql, .n = 3, .v = {c->who.tenant, s->batch_id, marks.p}};
    if (db && marks.rc == ERR_OK)
        (void)!pg_send(db, &cmd, ignore, NULL, &err);
}

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
    struct err err = ERR_INIT;
    struct line *l;

    while ((l = TAILQ_FIRST(&s->lines)) && l->done) {
        AUTO_BUF text = BUF_INIT(ANSWER_MAX);

        item_answer(&l->item, l->number, l->accepted, &text);
        if (call_is_open(s->call) && spool_add(&s->answers, buf_str(&text), &err) != ERR_OK)
            cut(s, &err);
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
    if (l->accepted && !marks_add(&s->marks, l->lane, partition, offset))
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

static void on_looked(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct items *s = c->state;

    if (e->code == ERR_OK && PQntuples(res) > 0)
        s->sealed = true;
    call_drop(c);
}

/* A seal in the middle of a long body is seen within a second. */
static void look(struct items *s)
{
    static const char sql[] = "SELECT FROM door.batches WHERE tenant = $1 AND batch_id = $2"
                              " AND sealed_at IS NOT NULL";
    struct call *c = s->call;
    int64_t now = loop_now_ms(c->api->loop);
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {c->who.tenant, s->batch_id}};
    struct pg *db = api_db(c->api);
    struct err err = ERR_INIT;

    if (now < s->looked_ms + LOOK_EVERY_MS || !db)
        return;
    s->looked_ms = now;
    call_keep(c);
    if (pg_send(db, &cmd, on_looked, c, &err) != ERR_OK)
        call_drop(c);
}

static void submit(struct items *s, struct line *l)
{
    struct err err = ERR_INIT;

    buf_clear(&s->value);
    if (s->sealed)
        refuse(l, PROBLEM_BATCH_SEALED, "the batch was sealed meanwhile");
    else if (s->kafka_failed && !producer_is_up(s->call->api->producer))
        refuse(l, PROBLEM_KAFKA_AWAY, "kafka is away; send it again");
    else if (run_request_write(&l->item.run.request, &s->value, &err) != ERR_OK)
        refuse(l, PROBLEM_TOO_LARGE, err.msg);
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
    return !s->known || s->stuck || s->pending >= PENDING_MAX;
}

/* As far as it goes. The caller holds a reference to the call. */
static void go_on(struct items *s)
{
    struct call *c = s->call;

    if (!call_is_open(c))
        return;
    look(s);
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
    if (s->whole && s->known && s->in.len == 0 && TAILQ_EMPTY(&s->lines) && !s->marked) {
        s->marked = true;
        mark(s);
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

/* The batch's defaults; whether it is open; whether there is one at all. */
static void on_batch(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct items *s = c->state;
    bool found = PQntuples(res) > 0;
    const char *open = found ? pg_text(res, 0, 1) : NULL;
    const char *defaults = found ? pg_text(res, 0, 0) : NULL;
    struct err err = ERR_INIT;

    (void)e;
    if (!open) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch: POST /v1/batches begins one");
    } else if (open[0] != 't') {
        call_problem(c, PROBLEM_BATCH_SEALED, "the batch takes no more items");
    } else if (defaults && json_parse(str_of(defaults), 0, &s->defaults, &err) != ERR_OK) {
        call_problem(c, PROBLEM_INTERNAL, "the batch's defaults: %s", err.msg);
    } else {
        s->batch.defaults = s->defaults;
        s->known = true;
        s->looked_ms = loop_now_ms(c->api->loop);
        go_on(s);
    }
}

static void release(struct call *c)
{
    struct items *s = c->state;
    struct line *l;

    if (s->marks.n > 0 && !s->told)
        mark_unasked(c, s);
    intake_unwait(&s->waiter);
    while ((l = TAILQ_FIRST(&s->lines)))
        line_free(s, l);
    buf_release(&s->in);
    buf_release(&s->value);
    marks_release(&s->marks);
    spool_release(&s->answers);
    cJSON_Delete(s->defaults);
    free(s->names);
    free(s->batch_id);
    free(s);
}

static struct items *items_new(struct call *c)
{
    struct items *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->batch_id = str_dup(c->param[0]);
    s->names = calloc(1, sizeof(*s->names));
    if (!s->batch_id || !s->names) {
        free(s->batch_id);
        free(s->names);
        free(s);
        return NULL;
    }
    s->call = c;
    s->batch = (struct item_batch){.tenant = c->who.tenant, .batch_id = s->batch_id};
    s->in = BUF_INIT(LINE_ROOM);
    s->value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    s->waiter.room = on_room;
    s->answers = SPOOL_INIT(c->api->set->spool);
    TAILQ_INIT(&s->lines);
    return s;
}

void items_begin(struct call *c)
{
    static const char *const none[] = {NULL};
    static const char sql[] =
        "SELECT b.defaults, b.sealed_at IS NULL FROM door.batches b WHERE tenant = $1"
        " AND batch_id = $2 UNION ALL SELECT NULL, false FROM fleet.batches WHERE tenant = $1"
        " AND batch_id = $2 AND NOT EXISTS (SELECT FROM door.batches WHERE tenant = $1"
        " AND batch_id = $2)";
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
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {c->who.tenant, s->batch_id}};
    call_query(c, &cmd, on_batch);
}
