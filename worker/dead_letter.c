/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/dead_letter.h"

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

static size_t bytes_of(const struct kafka_record *r, size_t n_headers)
{
    size_t bytes = r->key.n;
    bytes += r->value.n < DEAD_LETTER_MAX_BYTES ? r->value.n : DEAD_LETTER_MAX_BYTES;
    for (size_t i = 0; i < n_headers; i++)
        bytes += strlen(r->headers[i].name) + 1 + r->headers[i].value.n;
    return bytes;
}

static void copy_headers(struct dead_letter *d, const struct kafka_record *r, size_t n, char **at)
{
    for (size_t i = 0; i < n; i++) {
        struct str name = {r->headers[i].name, strlen(r->headers[i].name) + 1};
        d->headers[i] =
            (struct kafka_header){.name = copy(at, name).p, .value = copy(at, r->headers[i].value)};
    }
    d->record.headers = d->headers;
    d->record.n_headers = n;
}

struct dead_letter *dead_letter_new(const struct kafka_record *r, struct str reason,
                                    const char *detail)
{
    size_t n = r->n_headers < DEAD_LETTER_HEADERS_MAX ? r->n_headers : DEAD_LETTER_HEADERS_MAX;
    size_t bytes = bytes_of(r, n);
    struct dead_letter *d = calloc(1, sizeof(*d) + bytes);
    if (!d)
        return NULL;

    char *at = d->bytes;
    struct str value = r->value;
    if (value.n > DEAD_LETTER_MAX_BYTES)
        value.n = DEAD_LETTER_MAX_BYTES;
    d->record = *r;
    d->record.key = copy(&at, r->key);
    if (value.p)
        d->record.value = copy(&at, value);
    copy_headers(d, r, n, &at);
    d->true_bytes = (int64_t)r->value.n;
    snprintf(d->reason, sizeof(d->reason), STR_FMT, STR_ARG(reason));
    snprintf(d->detail, sizeof(d->detail), "%s", detail ? detail : "");
    return d;
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
