/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/publish/dead_letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "schema/run_request.h"
#include "common/banned.h"

enum { OWN_HEADERS = 7, NUMBER_TEXT = 32 };

/* Masked piece by piece: the next one must not look like the rest of a token. */
static struct str copy(char **at, struct str s)
{
    struct str to = {*at, s.n};
    if (s.n > 0)
        memcpy(*at, s.p, s.n);
    run_request_mask(*at, s.n);
    *at += s.n;
    return to;
}

static struct str cut(struct str s, size_t max)
{
    return (struct str){s.p, s.n < max ? s.n : max};
}

/* The record as the letter may hold it: the broker takes the letter, whatever of it is large. */
static struct kafka_record fitting(const struct kafka_record *r,
                                   struct kafka_header headers[DEAD_LETTER_HEADERS_MAX])
{
    struct kafka_record to = *r;

    to.key = cut(r->key, DEAD_LETTER_PART_BYTES);
    to.value = cut(r->value, DEAD_LETTER_MAX_BYTES);
    to.headers = headers;
    to.n_headers = 0;
    for (size_t i = 0; i < r->n_headers && to.n_headers < DEAD_LETTER_HEADERS_MAX; i++)
        if (strlen(r->headers[i].name) <= DEAD_LETTER_NAME_BYTES)
            headers[to.n_headers++] =
                (struct kafka_header){.name = r->headers[i].name,
                                      .value = cut(r->headers[i].value, DEAD_LETTER_PART_BYTES)};
    return to;
}

static size_t bytes_of(const struct kafka_record *r)
{
    size_t bytes = r->key.n + r->value.n;

    for (size_t i = 0; i < r->n_headers; i++)
        bytes += strlen(r->headers[i].name) + 1 + r->headers[i].value.n;
    return bytes;
}

static void copy_headers(struct dead_letter *d, const struct kafka_record *r, char **at)
{
    for (size_t i = 0; i < r->n_headers; i++) {
        struct str name = {r->headers[i].name, strlen(r->headers[i].name) + 1};
        d->headers[i] =
            (struct kafka_header){.name = copy(at, name).p, .value = copy(at, r->headers[i].value)};
    }
    d->record.headers = d->headers;
}

struct dead_letter *dead_letter_new(const struct kafka_record *r, struct str reason,
                                    const char *detail)
{
    struct kafka_header headers[DEAD_LETTER_HEADERS_MAX];
    struct kafka_record mine = fitting(r, headers);
    size_t bytes = bytes_of(&mine);
    struct dead_letter *d = calloc(1, sizeof(*d) + bytes);
    if (!d)
        return NULL;

    char *at = d->bytes;
    d->record = mine;
    d->record.key = copy(&at, mine.key);
    if (mine.value.p)
        d->record.value = copy(&at, mine.value);
    copy_headers(d, &mine, &at);
    d->n_bytes = bytes;
    d->true_bytes = (int64_t)r->value.n;
    snprintf(d->reason, sizeof(d->reason), STR_FMT, STR_ARG(reason));
    snprintf(d->detail, sizeof(d->detail), "%s", detail ? detail : "");
    return d;
}

size_t dead_letter_bytes(const struct dead_letter *d)
{
    return sizeof(*d) + d->n_bytes;
}

static struct kafka_header text(const char *name, const char *value)
{
    return (struct kafka_header){.name = name, .value = str_of(value)};
}

enum err_code dead_letter_send(struct dead_letter *d, struct producer *p, const char *topic,
                               produced_fn fn, void *ctx, struct err *err)
{
    struct kafka_header all[DEAD_LETTER_HEADERS_MAX + OWN_HEADERS];
    char partition[NUMBER_TEXT], offset[NUMBER_TEXT], bytes[NUMBER_TEXT], at[CLOCK_TEXT];
    size_t n = d->record.n_headers;

    snprintf(partition, sizeof(partition), "%" PRId32, d->record.partition);
    snprintf(offset, sizeof(offset), "%" PRId64, d->record.offset);
    snprintf(bytes, sizeof(bytes), "%" PRId64, d->true_bytes);
    memcpy(all, d->headers, n * sizeof(*all));
    all[n++] = text("dlq.reason", d->reason);
    all[n++] = text("dlq.detail", d->detail);
    all[n++] = text("dlq.topic", d->record.topic);
    all[n++] = text("dlq.partition", partition);
    all[n++] = text("dlq.offset", offset);
    all[n++] = text("dlq.at", clock_rfc3339(clock_wall_ms(), at));
    if (d->true_bytes > DEAD_LETTER_MAX_BYTES)
        all[n++] = text("dlq.bytes", bytes);
    return producer_send(p, topic, d->record.key, d->record.value, all, n, fn, ctx, err);
}
