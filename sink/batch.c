/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/batch.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "common/uuid.h"

#include "common/banned.h"

/* --- memory: blocks that never move, so that views stay valid ------------------ */

enum { BLOCK_BYTES = 1 << 20, LETTER_REASON_MAX = 64, LETTER_DETAIL_MAX = 512 };

struct batch_block {
    struct batch_block *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

static void *batch_alloc(struct batch *b, size_t n)
{
    struct batch_block *block = b->blocks;
    size_t need = (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);

    if (!block || block->size - block->used < need) {
        size_t size = need > BLOCK_BYTES ? need : BLOCK_BYTES;

        block = malloc(sizeof(*block) + size);
        if (!block)
            return NULL;
        block->next = b->blocks;
        block->size = size;
        block->used = 0;
        b->blocks = block;
    }
    block->used += need;
    return block->bytes + block->used - need;
}

/* One block stays: a quiet sink then allocates nothing, a busy one little. */
static void keep_one_block(struct batch *b)
{
    struct batch_block *kept = NULL;

    while (b->blocks) {
        struct batch_block *block = b->blocks;

        b->blocks = block->next;
        if (!kept && block->size == BLOCK_BYTES) {
            kept = block;
            kept->next = NULL;
            kept->used = 0;
        } else {
            free(block);
        }
    }
    b->blocks = kept;
}

void batch_init(struct batch *b, const struct topics *t, size_t max_rows, size_t max_bytes)
{
    *b = (struct batch){.topics = t, .max_rows = max_rows, .max_bytes = max_bytes};
}

void batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->items[i].request)
            run_request_release(b->items[i].request);
        kafka_message_free(kafka_message_take(&b->items[i].record));
    }
    b->n = b->bytes = b->refused = 0;
    keep_one_block(b);
}

void batch_release(struct batch *b)
{
    batch_clear(b);
    free(b->blocks);
    free(b->items);
    batch_init(b, b->topics, b->max_rows, b->max_bytes);
}

bool batch_full(const struct batch *b)
{
    return b->n >= b->max_rows || b->bytes >= b->max_bytes;
}

bool batch_knows(const struct batch *b, const char *topic, enum topic *out)
{
    for (size_t t = 0; t < TOPICS; t++) {
        if (strcmp(b->topics->name[t], topic) == 0) {
            *out = (enum topic)t;
            return true;
        }
    }
    return false;
}

static char *put(char *at, struct str from, struct str *view)
{
    if (!from.p)
        return at;
    *view = (struct str){memcpy(at, from.p, from.n), from.n};
    return at + from.n;
}

/* --- decoding ------------------------------------------------------------------ */

/* A copy in which what only jsonb would refuse is U+FFFD. */
static enum err_code sanitize(struct batch *b, struct str *data, struct err *err)
{
    char *mine = batch_alloc(b, data->n);

    if (!mine)
        return err_set(err, ERR_NOMEM, "batch");
    (void)put(mine, *data, data);
    (void)json_sanitize(mine, data->n);
    return ERR_OK;
}

/* The data is stored as it came, so it is checked as a producer's word is: not at all
 * trusted. */
static enum err_code check_data(struct batch *b, struct str *data, struct err *err)
{
    struct json_scan scan;

    if (json_scan(*data, NULL, 0, &scan, err) != ERR_OK)
        return err_wrap(err, "malformed: data");
    return scan.unsafe > 0 ? sanitize(b, data, err) : ERR_OK;
}

static enum err_code decode_event(struct batch *b, struct batch_item *item, struct err *err)
{
    const struct kafka_record *r = &item->record;
    struct err e = ERR_INIT;

    item->kind = ITEM_EVENT;
    if (event_read(r->key, r->value, &item->event, &e) == ERR_OK &&
        check_data(b, &item->event.event.data, &e) == ERR_OK) {
        (void)uuid_bytes(item->event.run_id, item->run);
        return ERR_OK;
    }
    if (e.code == ERR_NOMEM)
        return err_set(err, e.code, "batch");
    return batch_poison(b, (size_t)(item - b->items), event_reason(&e), e.msg, err);
}

/* What the worker refuses must not make a run here: it would never end. */
static enum err_code decode_request(struct batch *b, struct batch_item *item, struct err *err)
{
    struct run_request *request = batch_alloc(b, sizeof(*request));
    struct err e = ERR_INIT;

    if (!request)
        return err_set(err, ERR_NOMEM, "batch");
    *request = RUN_REQUEST_INIT;
    if (run_request_parse(item->record.value, request, &e) == ERR_OK &&
        str_eq(run_request_key(request), item->record.key) &&
        uuid_bytes(str_of(request->run_id), item->run)) {
        item->kind = ITEM_REQUEST;
        item->request = request;
        return ERR_OK;
    }
    run_request_release(request);
    if (e.code == ERR_NOMEM)
        return err_set(err, e.code, "batch");
    item->kind = ITEM_REFUSED;
    b->refused++;
    return ERR_OK;
}

/* A header's value; the last one of that name, which is the worker's and not the record's own. */
static struct str header_of(const struct kafka_header *all, size_t n, const char *name)
{
    while (n-- > 0)
        if (strcmp(all[n].name, name) == 0)
            return all[n].value;
    return (struct str){0};
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '_' && (s.p[i] < 'a' || s.p[i] > 'z'))
            return false;
    return s.n > 0 && s.n <= LETTER_REASON_MAX;
}

/* Written by anybody: what the table cannot hold is not taken over. */
static enum err_code decode_letter(struct batch *b, struct batch_item *item, struct err *err)
{
    struct kafka_header all[KAFKA_HEADERS_MAX];
    size_t n = item->record.message ? kafka_headers_read(item->record.message, all) : 0;
    struct str reason = header_of(all, n, "dlq.reason"), detail = header_of(all, n, "dlq.detail");
    char text[LETTER_DETAIL_MAX];

    (void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(detail));
    return batch_poison(b, (size_t)(item - b->items), is_word(reason) ? reason : STR("unspecified"),
                        text, err);
}

static bool room_for_one(struct batch *b)
{
    struct batch_item *bigger;
    size_t cap = b->cap ? b->cap * 2 : 64;

    if (b->n < b->cap)
        return true;
    bigger = reallocarray(b->items, cap, sizeof(*bigger));
    if (!bigger)
        return false;
    b->items = bigger;
    b->cap = cap;
    return true;
}

enum err_code batch_add(struct batch *b, enum topic topic, struct kafka_record *r, int64_t from,
                        struct err *err)
{
    struct batch_item *item;
    enum err_code rc;

    if (!room_for_one(b))
        return err_set(err, ERR_NOMEM, "batch");
    item = &b->items[b->n];
    *item = (struct batch_item){.topic = topic, .from = from, .record = *r};
    item->record.topic = b->topics->name[topic];
    rc = topic == TOPIC_EVENTS ? decode_event(b, item, err)
         : topic == TOPIC_DLQ  ? decode_letter(b, item, err)
                               : decode_request(b, item, err);
    if (rc != ERR_OK)
        return rc;
    (void)!kafka_message_take(r);
    b->bytes += r->key.n + r->value.n;
    b->n++;
    return ERR_OK;
}

/* Messages are cut to fit: not in the middle of a character. */
static struct str whole_characters(const char *text)
{
    struct str s = str_of(text);
    size_t bad_at;

    if (!str_utf8(s, &bad_at))
        s.n = bad_at;
    return s;
}

enum err_code batch_poison(struct batch *b, size_t i, struct str reason, const char *detail,
                           struct err *err)
{
    struct batch_item *item = &b->items[i];
    struct str text = whole_characters(detail);
    char *copy = batch_alloc(b, text.n + reason.n + 1);

    if (!copy)
        return err_set(err, ERR_NOMEM, "batch");
    (void)put(put(copy, reason, &item->reason), text, &item->detail);
    item->kind = ITEM_POISON;
    return ERR_OK;
}
