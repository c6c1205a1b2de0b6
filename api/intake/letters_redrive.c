/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/dlq/redrive: dead letters back to where they came from, a page of them at a time. A
 * letter is gone from the table in the statement that notes it as settled, and only behind Kafka's
 * word: a crash in between sends it once more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/intake/handlers.h"
#include "api/intake/intake.h"
#include "api/intake/letters_asked.h"
#include "api/letter_id.h"
#include "common/banned.h"

struct redrive { /* c->state */
    struct letters_asked asked;
    struct letter_id last; /* the page's */
    PGresult *page;
    int at;                    /* its row that is next */
    struct letter_places sent; /* of this page, and acknowledged */
    size_t pending;
    struct err failed;
    struct intake_waiter waiter;
};

/* LETTERS_CHOSEN's, and behind $6 topic $7 partition $8 offset. Letters of many sizes: so many that
 * they are not too much at once, and one at least. */
static const char page_sql[] =
    "SELECT topic, partition, \"offset\", reason, key, value, headers FROM (SELECT *,"
    " sum(coalesce(octet_length(value), 0)) OVER w AS bytes, row_number() OVER w AS n FROM"
    " (SELECT * FROM fleet.quarantine WHERE " LETTERS_CHOSEN
    " AND (topic, partition, \"offset\") > ($6, $7::int, $8::bigint)"
    " ORDER BY topic, partition, \"offset\" LIMIT 200) AS few"
    " WINDOW w AS (ORDER BY topic, partition, \"offset\")) AS sized"
    " WHERE bytes <= 4000000 OR n = 1 ORDER BY topic, partition, \"offset\"";
enum { COL_TOPIC, COL_PARTITION, COL_OFFSET, COL_REASON, COL_KEY, COL_VALUE, COL_HEADERS };

static const char redriven_sql[] =
    "WITH" LETTERS_SETTLED("unnest($1::text[], $2::int[], $3::bigint[])", "redriven");

static void finish(struct redrive *s)
{
    if (s->failed.code != ERR_OK)
        call_problem(s->asked.call, intake_problem(&s->failed), "%lld were sent; then: %s",
                     (long long)s->asked.count, s->failed.msg);
    else
        letters_answer(&s->asked);
}

static void go_on(struct redrive *s);
static void next_page(struct redrive *s);

struct letter { /* one that is under way */
    struct redrive *redrive;
    char topic[LETTER_TOPIC_TEXT], partition[LETTER_NUMBER_TEXT], offset[LETTER_NUMBER_TEXT];
};

static void on_acked(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct letter *l = ctx;
    struct redrive *s = l->redrive;
    struct call *c = s->asked.call;

    (void)partition, (void)offset;
    s->pending--;
    if (e->code == ERR_OK)
        letter_places_add(&s->sent, l->topic, l->partition, l->offset);
    else if (s->failed.code == ERR_OK)
        s->failed = *e;
    call_disown(l);
    go_on(s);
    call_drop(c);
}

struct bytes { /* of a bytea column */
    unsigned char *p;
    size_t n;
};

static struct bytes bytes_of(const PGresult *page, int row, int col)
{
    struct bytes b = {0};
    const char *text = pg_text(page, row, col);

    if (text)
        b.p = PQunescapeBytea((const unsigned char *)text, &b.n);
    return b;
}

/* The record's own headers; those that made it a letter stay here. */
static size_t headers_of(const cJSON *all, struct kafka_header out[KAFKA_HEADERS_MAX])
{
    const cJSON *one;
    size_t n = 0;

    cJSON_ArrayForEach(one, all)
    {
        if (n < KAFKA_HEADERS_MAX && cJSON_IsString(one) && strncmp(one->string, "dlq.", 4) != 0)
            out[n++] = (struct kafka_header){one->string, str_of(one->valuestring)};
    }
    return n;
}

/* Where it came from; NULL: that is no topic of ours, or it is not what it was: a token in it is
 * masked, or its end was cut off. What is sent again must be the same. */
static const char *origin(const struct api *a, const char *topic, const char *reason,
                          const cJSON *headers)
{
    const char *from = topic;

    if (strcmp(topic, a->topics.name[TOPIC_DLQ]) == 0)
        from = json_get_string(headers, "dlq.topic");
    if (!from || strcmp(reason, "secret_in_record") == 0 || json_get(headers, "dlq.bytes"))
        return NULL;
    for (size_t t = 0; t < TOPIC_DLQ; t++)
        if (strcmp(from, a->topics.name[t]) == 0)
            return a->topics.name[t];
    return NULL;
}

static struct letter *letter_new(struct redrive *s)
{
    struct letter *l = call_own(s->asked.call, sizeof(*l));

    if (!l)
        return NULL;
    l->redrive = s;
    (void)snprintf(l->topic, sizeof(l->topic), "%s", pg_text(s->page, s->at, COL_TOPIC));
    (void)snprintf(l->partition, sizeof(l->partition), "%s",
                   pg_text(s->page, s->at, COL_PARTITION));
    (void)snprintf(l->offset, sizeof(l->offset), "%s", pg_text(s->page, s->at, COL_OFFSET));
    return l;
}

static enum err_code send(struct redrive *s, const char *topic, const cJSON *headers,
                          struct err *err)
{
    struct kafka_header own[KAFKA_HEADERS_MAX];
    size_t n = headers_of(headers, own);
    struct bytes key = bytes_of(s->page, s->at, COL_KEY);
    struct bytes value = bytes_of(s->page, s->at, COL_VALUE);
    struct letter *l = letter_new(s);
    enum err_code rc =
        l ? producer_send(s->asked.call->api->producer, topic, (struct str){(char *)key.p, key.n},
                          (struct str){(char *)value.p, value.n}, own, n, on_acked, l, err)
          : err_set(err, ERR_NOMEM, "a letter");

    PQfreemem(key.p);
    PQfreemem(value.p);
    if (rc != ERR_OK)
        call_disown(l);
    return rc;
}

/* ERR_THROTTLED: once more, when there is room. */
static enum err_code send_one(struct redrive *s)
{
    const char *text = pg_text(s->page, s->at, COL_HEADERS), *topic;
    AUTO_JSON *headers = NULL;
    struct err err = ERR_INIT;
    enum err_code rc;

    (void)!json_parse(str_of(text ? text : "{}"), 0, &headers, &err);
    topic = headers ? origin(s->asked.call->api, pg_text(s->page, s->at, COL_TOPIC),
                             pg_text(s->page, s->at, COL_REASON), headers)
                    : NULL;
    if (!topic)
        return ERR_OK; /* it stays */
    call_keep(s->asked.call);
    rc = send(s, topic, headers, &err);
    if (rc == ERR_OK) {
        s->pending++;
        return rc;
    }
    call_drop(s->asked.call); /* never the last one: our caller has it */
    if (rc != ERR_THROTTLED)
        s->failed = err;
    return rc;
}

static bool send_rows(struct redrive *s)
{
    while (s->at < PQntuples(s->page)) {
        enum err_code rc = send_one(s);

        if (rc == ERR_THROTTLED)
            intake_wait(s->asked.call->api, &s->waiter);
        if (rc != ERR_OK)
            return false;
        s->at++;
    }
    return true;
}

static void on_settled(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct redrive *s = c->state;

    (void)e;
    s->asked.count += PQntuples(res);
    if (s->failed.code == ERR_OK)
        next_page(s);
    else
        finish(s);
}

static void settle(struct redrive *s)
{
    letter_places_close(&s->sent);
    const struct pg_cmd cmd = {.sql = redriven_sql,
                               .n = 3,
                               .v = {s->sent.topics.p, s->sent.partitions.p, s->sent.offsets.p}};
    call_query(s->asked.call, &cmd, on_settled);
}

/* The page, then Kafka's word, then the table's. The caller holds a reference. */
static void go_on(struct redrive *s)
{
    bool all = s->failed.code == ERR_OK && send_rows(s);

    if (s->pending == 0 && call_is_open(s->asked.call) && (all || s->failed.code != ERR_OK))
        settle(s);
}

static void on_room(struct intake_waiter *w)
{
    struct redrive *s = CONTAINER_OF(w, struct redrive, waiter);
    struct call *c = s->asked.call;

    call_keep(c);
    go_on(s);
    call_drop(c);
}

static void on_page(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct redrive *s = c->state;
    int n = PQntuples(res);

    (void)e;
    PQclear(s->page);
    s->page = PQcopyResult(res, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
    s->at = 0;
    letter_places_release(&s->sent);
    letter_places_open(&s->sent);
    if (!s->page) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    if (n == 0) {
        finish(s);
        return;
    }
    (void)snprintf(s->last.topic, sizeof(s->last.topic), "%s", pg_text(res, n - 1, COL_TOPIC));
    (void)snprintf(s->last.partition, sizeof(s->last.partition), "%s",
                   pg_text(res, n - 1, COL_PARTITION));
    (void)snprintf(s->last.offset, sizeof(s->last.offset), "%s", pg_text(res, n - 1, COL_OFFSET));
    go_on(s);
}

static void next_page(struct redrive *s)
{
    struct pg_cmd cmd = {.sql = page_sql};

    letters_choose(&s->asked, &cmd);
    cmd.v[5] = s->last.topic;
    cmd.v[6] = s->last.partition;
    cmd.v[7] = s->last.offset;
    cmd.n = 8;
    call_query(s->asked.call, &cmd, on_page);
}

/* --- the beginning --------------------------------------------------------------------------- */

static void begin(struct call *c)
{
    next_page(c->state);
}

static void release(struct call *c)
{
    struct redrive *s = c->state;

    intake_unwait(&s->waiter);
    PQclear(s->page);
    letter_places_release(&s->sent);
    letters_asked_release(&s->asked);
    free(s);
}

void letters_redrive(struct call *c)
{
    struct redrive *s = calloc(1, sizeof(*s));

    if (!s) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    *s = (struct redrive){.waiter.room = on_room, .last = {.partition = "-1", .offset = "-1"}};
    letter_places_open(&s->sent);
    c->state = s;
    c->release = release;
    letters_ask(c, &s->asked, begin);
}
