/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/dlq/redrive and /purge: dead letters back to where they came from, or away; a page of
 * them at a time. A letter is gone from the table in the statement that notes it as settled, and,
 * sent again, only behind Kafka's word: a crash in between sends it once more. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/intake/body.h"
#include "api/intake/handlers.h"
#include "api/intake/intake.h"
#include "api/letter_id.h"
#include "common/banned.h"

enum { IDS_MAX = 1000, ARRAY_MAX = 1 << 20, NAME_MAX_BYTES = 64, ANSWER_MAX = 64, TIME_TEXT = 64 };

struct arrays { /* places, as Postgres takes them */
    struct buf topics, partitions, offsets;
    size_t n;
};

struct settling { /* c->state */
    struct call *call;
    char reason[NAME_MAX_BYTES + 1]; /* "": any */
    bool by_id, redrive;
    struct arrays ids;     /* that were asked for */
    char until[TIME_TEXT]; /* of the table's when this began: what comes back meanwhile waits */
    struct letter_id last; /* the page's */
    PGresult *page;
    int at;             /* its row that is next */
    struct arrays sent; /* of this page, and acknowledged */
    size_t pending;
    struct err failed;
    int64_t count;
    struct intake_waiter waiter;
};

/* --- places --------------------------------------------------------------------------------- */

static void arrays_open(struct arrays *a)
{
    a->topics = a->partitions = a->offsets = BUF_INIT(ARRAY_MAX);
    a->n = 0;
}

static void arrays_release(struct arrays *a)
{
    buf_release(&a->topics);
    buf_release(&a->partitions);
    buf_release(&a->offsets);
}

/* A topic's name has no character that an array's text must escape. */
static void arrays_add(struct arrays *a, const char *topic, const char *partition,
                       const char *offset)
{
    buf_addf(&a->topics, "%c\"%s\"", a->n ? ',' : '{', topic);
    buf_addf(&a->partitions, "%c%s", a->n ? ',' : '{', partition);
    buf_addf(&a->offsets, "%c%s", a->n ? ',' : '{', offset);
    a->n++;
}

static void arrays_close(struct arrays *a)
{
    buf_adds(&a->topics, a->n ? "}" : "{}");
    buf_adds(&a->partitions, a->n ? "}" : "{}");
    buf_adds(&a->offsets, a->n ? "}" : "{}");
}

/* --- the answer ------------------------------------------------------------------------------ */

static void finish(struct settling *s)
{
    struct buf body = BUF_INIT(ANSWER_MAX);

    if (s->failed.code != ERR_OK) {
        call_problem(s->call, intake_problem(&s->failed), "%lld were sent; then: %s",
                     (long long)s->count, s->failed.msg);
        return;
    }
    buf_addf(&body, "{\"count\":%lld}\n", (long long)s->count);
    call_json(s->call, 200, &body);
}

/* --- what is asked of the tables ----------------------------------------------------------------
 */

/* $1 reason or NULL $2..$4 places or NULL $5 until; behind $6 topic $7 partition $8 offset */
#define CHOSEN                                                                                     \
    "($1::text IS NULL OR reason = $1) AND ($2::text[] IS NULL OR (topic, partition, \"offset\")"  \
    " IN (SELECT * FROM unnest($2::text[], $3::int[], $4::bigint[])))"                             \
    " AND at <= $5::timestamptz"

#define SETTLE(from)                                                                               \
    " gone AS (DELETE FROM fleet.quarantine q USING " from " AS l(topic, partition, \"offset\")"   \
    " WHERE (q.topic, q.partition, q.\"offset\") = (l.topic, l.partition, l.\"offset\")"           \
    " RETURNING q.topic, q.partition, q.\"offset\", q.at)"                                         \
    " INSERT INTO door.settled_letters (topic, partition, \"offset\", at, how)"                    \
    " SELECT topic, partition, \"offset\", at, "

#define SETTLED                                                                                    \
    " FROM gone ON CONFLICT (topic, partition, \"offset\") DO UPDATE SET at = excluded.at,"        \
    " how = excluded.how, settled_at = now() RETURNING true"

/* Letters of many sizes: so many that they are not too much at once, and one at least. */
static const char page_sql[] =
    "SELECT topic, partition, \"offset\", reason, key, value, headers FROM (SELECT *,"
    " sum(coalesce(octet_length(value), 0)) OVER w AS bytes, row_number() OVER w AS n FROM"
    " (SELECT * FROM fleet.quarantine WHERE " CHOSEN
    " AND (topic, partition, \"offset\") > ($6, $7::int, $8::bigint)"
    " ORDER BY topic, partition, \"offset\" LIMIT 200) AS few"
    " WINDOW w AS (ORDER BY topic, partition, \"offset\")) AS sized"
    " WHERE bytes <= 4000000 OR n = 1 ORDER BY topic, partition, \"offset\"";
enum { COL_TOPIC, COL_PARTITION, COL_OFFSET, COL_REASON, COL_KEY, COL_VALUE, COL_HEADERS };

static const char redriven_sql[] =
    "WITH" SETTLE("unnest($1::text[], $2::int[], $3::bigint[])") "'redriven'" SETTLED;

static const char purge_sql[] =
    "WITH few AS (SELECT topic, partition, \"offset\" FROM fleet.quarantine WHERE " CHOSEN
    " LIMIT 2000)," SETTLE("few") "'purged'" SETTLED;

static const char now_sql[] = "SELECT now()";

static void choose(const struct settling *s, struct pg_cmd *cmd)
{
    cmd->v[0] = s->reason[0] ? s->reason : NULL;
    cmd->v[1] = s->by_id ? s->ids.topics.p : NULL;
    cmd->v[2] = s->by_id ? s->ids.partitions.p : NULL;
    cmd->v[3] = s->by_id ? s->ids.offsets.p : NULL;
    cmd->v[4] = s->until;
    cmd->n = 5;
}

/* --- away
 * ------------------------------------------------------------------------------------------ */

static void purge(struct settling *s);

static void on_purged(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct settling *s = c->state;

    (void)e;
    s->count += PQntuples(res);
    if (PQntuples(res) > 0)
        purge(s);
    else
        finish(s);
}

static void purge(struct settling *s)
{
    struct pg_cmd cmd = {.sql = purge_sql};

    choose(s, &cmd);
    call_query(s->call, &cmd, on_purged);
}

/* --- back
 * ------------------------------------------------------------------------------------------- */

static void go_on(struct settling *s);
static void next_page(struct settling *s);

struct letter { /* one that is under way */
    struct settling *settling;
    char topic[LETTER_TOPIC_TEXT], partition[LETTER_NUMBER_TEXT], offset[LETTER_NUMBER_TEXT];
};

static void on_acked(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct letter *l = ctx;
    struct settling *s = l->settling;
    struct call *c = s->call;

    (void)partition, (void)offset;
    s->pending--;
    if (e->code == ERR_OK)
        arrays_add(&s->sent, l->topic, l->partition, l->offset);
    else if (s->failed.code == ERR_OK)
        s->failed = *e;
    free(l);
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

static struct letter *letter_new(struct settling *s)
{
    struct letter *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->settling = s;
    (void)snprintf(l->topic, sizeof(l->topic), "%s", pg_text(s->page, s->at, COL_TOPIC));
    (void)snprintf(l->partition, sizeof(l->partition), "%s",
                   pg_text(s->page, s->at, COL_PARTITION));
    (void)snprintf(l->offset, sizeof(l->offset), "%s", pg_text(s->page, s->at, COL_OFFSET));
    return l;
}

static enum err_code send(struct settling *s, const char *topic, const cJSON *headers,
                          struct err *err)
{
    struct kafka_header own[KAFKA_HEADERS_MAX];
    size_t n = headers_of(headers, own);
    struct bytes key = bytes_of(s->page, s->at, COL_KEY);
    struct bytes value = bytes_of(s->page, s->at, COL_VALUE);
    struct letter *l = letter_new(s);
    enum err_code rc =
        l ? producer_send(s->call->api->producer, topic, (struct str){(char *)key.p, key.n},
                          (struct str){(char *)value.p, value.n}, own, n, on_acked, l, err)
          : err_set(err, ERR_NOMEM, "a letter");

    PQfreemem(key.p);
    PQfreemem(value.p);
    if (rc != ERR_OK)
        free(l);
    return rc;
}

/* ERR_THROTTLED: once more, when there is room. */
static enum err_code send_one(struct settling *s)
{
    const char *text = pg_text(s->page, s->at, COL_HEADERS), *topic;
    AUTO_JSON *headers = NULL;
    struct err err = ERR_INIT;
    enum err_code rc;

    (void)!json_parse(str_of(text ? text : "{}"), 0, &headers, &err);
    topic = headers ? origin(s->call->api, pg_text(s->page, s->at, COL_TOPIC),
                             pg_text(s->page, s->at, COL_REASON), headers)
                    : NULL;
    if (!topic)
        return ERR_OK; /* it stays */
    call_keep(s->call);
    rc = send(s, topic, headers, &err);
    if (rc == ERR_OK) {
        s->pending++;
        return rc;
    }
    call_drop(s->call); /* never the last one: our caller has it */
    if (rc != ERR_THROTTLED)
        s->failed = err;
    return rc;
}

static bool send_rows(struct settling *s)
{
    while (s->at < PQntuples(s->page)) {
        enum err_code rc = send_one(s);

        if (rc == ERR_THROTTLED)
            intake_wait(s->call->api, &s->waiter);
        if (rc != ERR_OK)
            return false;
        s->at++;
    }
    return true;
}

static void on_settled(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct settling *s = c->state;

    (void)e;
    s->count += PQntuples(res);
    if (s->failed.code == ERR_OK)
        next_page(s);
    else
        finish(s);
}

static void settle(struct settling *s)
{
    arrays_close(&s->sent);
    const struct pg_cmd cmd = {.sql = redriven_sql,
                               .n = 3,
                               .v = {s->sent.topics.p, s->sent.partitions.p, s->sent.offsets.p}};
    call_query(s->call, &cmd, on_settled);
}

/* The page, then Kafka's word, then the table's. The caller holds a reference. */
static void go_on(struct settling *s)
{
    bool all = s->failed.code == ERR_OK && send_rows(s);

    if (s->pending == 0 && call_is_open(s->call) && (all || s->failed.code != ERR_OK))
        settle(s);
}

static void on_room(struct intake_waiter *w)
{
    struct settling *s = CONTAINER_OF(w, struct settling, waiter);
    struct call *c = s->call;

    call_keep(c);
    go_on(s);
    call_drop(c);
}

static void on_page(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct settling *s = c->state;
    int n = PQntuples(res);

    (void)e;
    PQclear(s->page);
    s->page = PQcopyResult(res, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
    s->at = 0;
    arrays_release(&s->sent);
    arrays_open(&s->sent);
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

static void next_page(struct settling *s)
{
    struct pg_cmd cmd = {.sql = page_sql};

    choose(s, &cmd);
    cmd.v[5] = s->last.topic;
    cmd.v[6] = s->last.partition;
    cmd.v[7] = s->last.offset;
    cmd.n = 8;
    call_query(s->call, &cmd, on_page);
}

/* --- the beginning
 * -------------------------------------------------------------------------------------- */

static void on_now(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct settling *s = c->state;

    (void)e;
    (void)snprintf(s->until, sizeof(s->until), "%s", pg_text(res, 0, 0));
    if (s->redrive)
        next_page(s);
    else
        purge(s);
}

static bool word_ok(const char *word)
{
    size_t n = strlen(word);

    return n > 0 && n <= NAME_MAX_BYTES && strspn(word, "abcdefghijklmnopqrstuvwxyz_") == n;
}

/* What is no id names no letter. */
static void read_ids(const cJSON *ids, struct settling *s, struct body_errors *errors)
{
    int n = cJSON_GetArraySize(ids);
    bool good = cJSON_IsArray(ids) && n >= 1 && n <= IDS_MAX;
    const cJSON *one;

    s->by_id = true;
    cJSON_ArrayForEach(one, ids)
    {
        struct letter_id id;

        good = good && cJSON_IsString(one);
        if (good && letter_id_parse(str_of(one->valuestring), &id) && !strpbrk(id.topic, "\"\\"))
            arrays_add(&s->ids, id.topic, id.partition, id.offset);
    }
    arrays_close(&s->ids);
    if (!good)
        body_errors_add(errors, "", "ids", PROBLEM_INVALID, "'ids' must be 1 to %d texts", IDS_MAX);
}

static void read_selection(const cJSON *tree, struct settling *s, struct body_errors *errors)
{
    static const char *const members[] = {"ids", "reason", "all", NULL};
    const cJSON *ids = json_get(tree, "ids"), *reason = json_get(tree, "reason");
    const cJSON *all = json_get(tree, "all");

    body_only(tree, members, errors);
    if ((ids != NULL) + (reason != NULL) + (all != NULL) != 1)
        body_errors_add(errors, "", "", PROBLEM_INVALID,
                        "say which: one of 'ids', 'reason' and 'all'");
    if (ids)
        read_ids(ids, s, errors);
    if (reason && cJSON_IsString(reason) && word_ok(reason->valuestring))
        (void)snprintf(s->reason, sizeof(s->reason), "%s", reason->valuestring);
    else if (reason)
        body_errors_add(errors, "", "reason", PROBLEM_INVALID,
                        "'reason' must be a word of small letters");
    if (all && !cJSON_IsTrue(all))
        body_errors_add(errors, "", "all", PROBLEM_INVALID, "'all' must be true");
}

static void release(struct call *c)
{
    struct settling *s = c->state;

    intake_unwait(&s->waiter);
    PQclear(s->page);
    arrays_release(&s->ids);
    arrays_release(&s->sent);
    free(s);
}

static void begin(struct call *c, bool redrive)
{
    static const char *const none[] = {NULL};
    struct body_errors errors = BODY_ERRORS_INIT;
    AUTO_JSON *tree = NULL;
    struct settling *s;

    if (!call_params(c, none) || !(tree = call_object(c)))
        return;
    s = calloc(1, sizeof(*s));
    if (!s) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    *s = (struct settling){.call = c,
                           .redrive = redrive,
                           .waiter.room = on_room,
                           .last = {.partition = "-1", .offset = "-1"}};
    arrays_open(&s->ids);
    arrays_open(&s->sent);
    c->state = s;
    c->release = release;
    read_selection(tree, s, &errors);
    if (errors.n > 0)
        call_problem_fields(c, errors.fields, errors.n);
    else
        call_query(c, &(struct pg_cmd){.sql = now_sql}, on_now);
}

void letters_redrive(struct call *c)
{
    begin(c, true);
}

void letters_purge(struct call *c)
{
    begin(c, false);
}
