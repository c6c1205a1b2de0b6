/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fleet/intake_batch.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "worker/ledger/ledger.h"
#include "common/banned.h"

static enum err_code mark(struct batch *b, enum run_lane lane, const struct kafka_record *r,
                          struct err *err)
{
    for (size_t i = 0; i < b->n_marks; i++) {
        struct batch_mark *m = &b->marks[i];
        if (m->lane == lane && m->partition == r->partition) {
            m->next = r->offset + 1;
            return ERR_OK;
        }
    }
    if (b->n_marks == b->cap_marks) {
        size_t cap = b->cap_marks ? 2 * b->cap_marks : 16;
        struct batch_mark *more = realloc(b->marks, cap * sizeof(*more));
        if (!more)
            return err_set(err, ERR_NOMEM, "the intake's offsets");
        b->marks = more;
        b->cap_marks = cap;
    }
    b->marks[b->n_marks++] =
        (struct batch_mark){.lane = lane, .partition = r->partition, .next = r->offset + 1};
    return ERR_OK;
}

static enum err_code grow(struct batch *b, struct err *err)
{
    if (b->n < b->cap)
        return ERR_OK;
    size_t cap = b->cap ? 2 * b->cap : 32;
    struct batch_item *more = realloc(b->items, cap * sizeof(*more));
    if (!more)
        return err_set(err, ERR_NOMEM, "the intake's records");
    b->items = more;
    b->cap = cap;
    return ERR_OK;
}

/* Is it a request that may run? Fills *out then; else *why says "<reason>: …". */
static bool read_request(const struct kafka_record *r, struct run_request *out, struct err *why)
{
    *out = RUN_REQUEST_INIT;
    if (!r->value.p || r->value.n == 0) {
        err_set(why, ERR_INVALID, "empty: the record has no value");
        return false;
    }
    if (r->value.n > RUN_REQUEST_MAX_BYTES) {
        err_set(why, ERR_TOO_BIG, "too_large: %zu bytes, at most %d are allowed", r->value.n,
                RUN_REQUEST_MAX_BYTES);
        return false;
    }
    if (run_request_parse(r->value, out, why) != ERR_OK)
        return false;
    if (run_request_check_key(out, r->key, why) == ERR_OK)
        return true;
    run_request_release(out);
    return false;
}

static void add_letter(struct batch *b, struct dead_letter *d)
{
    struct dead_letter **at = &b->letters;
    while (*at)
        at = &(*at)->next;
    *at = d;
}

static void add_item(struct batch *b, enum run_lane lane, struct run_request *request,
                     struct dead_letter *copy)
{
    struct batch_item *item = &b->items[b->n++];
    uint8_t hash[32];

    *item = (struct batch_item){.request = *request, .copy = copy, .lane = lane};
    run_request_hash(request, hash);
    sodium_bin2hex(item->hash, sizeof(item->hash), hash, sizeof(hash));
}

enum err_code batch_add(struct batch *b, enum run_lane lane, const struct kafka_record *r,
                        struct err *err)
{
    struct run_request request;
    struct err why = ERR_INIT;
    enum err_code rc = grow(b, err);
    if (rc != ERR_OK)
        return rc;

    bool good = read_request(r, &request, &why);
    if (!good && err_action(why.code) != ERR_DO_REJECT)
        return err_set(err, why.code, "%s", why.msg);
    struct dead_letter *copy =
        dead_letter_new(r, good ? (struct str){0} : run_request_reason(&why), why.msg);
    if (!copy || mark(b, lane, r, err) != ERR_OK) {
        free(copy);
        run_request_release(&request);
        return err_set(err, ERR_NOMEM, "a record of '%s'", r->topic);
    }
    b->n_records++;
    b->bytes += dead_letter_bytes(copy);
    if (good)
        add_item(b, lane, &request, copy);
    else
        add_letter(b, copy);
    return ERR_OK;
}

bool batch_is_full(const struct batch *b)
{
    return b->n_records >= BATCH_MAX_RECORDS || b->bytes >= BATCH_MAX_BYTES;
}

bool batch_is_empty(const struct batch *b)
{
    return b->n_marks == 0;
}

void batch_refuse(struct batch *b, size_t i, const char *reason, const char *detail)
{
    struct dead_letter *d = b->items[i].copy;

    if (!d)
        return;
    b->items[i].copy = NULL;
    memccpy(d->reason, reason, 0, sizeof(d->reason) - 1);
    memccpy(d->detail, detail, 0, sizeof(d->detail) - 1);
    add_letter(b, d);
}

void batch_release(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        run_request_release(&b->items[i].request);
        free(b->items[i].copy);
    }
    for (struct dead_letter *d = b->letters, *next; d; d = next) {
        next = d->next;
        free(d);
    }
    free(b->items);
    free(b->marks);
    *b = (struct batch){0};
}

static void add_time(struct buf *col, int64_t ms)
{
    if (ms > 0)
        ledger_array_int(col, ms);
    else
        ledger_array_text(col, NULL);
}

/* In the order of ledger_sql_insert's parameters. */
static void add_row(const struct batch_item *item, struct buf col[BATCH_COLUMNS])
{
    const struct run_request *q = &item->request;
    AUTO_BUF value = BUF_INIT(RUN_REQUEST_MAX_BYTES + 1);

    buf_addstr(&value, item->copy ? item->copy->record.value : STR("{}"));
    ledger_array_text(&col[BATCH_COL_RUN], q->run_id);
    ledger_array_text(&col[1], q->tenant);
    ledger_array_text(&col[2], run_lane_name(item->lane));
    ledger_array_text(&col[3], q->session_id);
    ledger_array_text(&col[4], q->credential);
    ledger_array_int(&col[5], q->priority);
    ledger_array_text(&col[BATCH_COL_HASH], item->hash);
    ledger_array_text(&col[7], value.p);
    add_time(&col[8], q->not_before_ms);
    ledger_array_text(&col[9], q->batch_id);
    add_time(&col[10], q->expires_ms);
    ledger_array_text(&col[11], q->fairness_key ? q->fairness_key : q->tenant);
    ledger_array_text(&col[12], on_busy_name(q->on_busy));
}

enum err_code batch_columns(const struct batch *b, size_t from, size_t n,
                            struct buf col[BATCH_COLUMNS], struct err *err)
{
    for (int c = 0; c < BATCH_COLUMNS; c++) {
        col[c] = BUF_INIT(4 * BATCH_MAX_BYTES);
        ledger_array_open(&col[c]);
    }
    for (size_t i = from; i < from + n; i++)
        add_row(&b->items[i], col);
    for (int c = 0; c < BATCH_COLUMNS; c++) {
        ledger_array_close(&col[c]);
        if (col[c].rc != ERR_OK)
            return err_set(err, col[c].rc, "the claims of %zu records", n);
    }
    return ERR_OK;
}
