/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be run goes to runs.dlq as it came: key, bytes and headers, and in more
 * headers why and where it stood. Tokens in it are masked. */
#ifndef SANDFLEET_WORKER_DEAD_LETTER_H
#define SANDFLEET_WORKER_DEAD_LETTER_H

#include <stdbool.h>

#include "common/kafka/kafka.h"

enum {
    DEAD_LETTER_HEADERS_MAX = 64,       /* the rest of them is dropped */
    DEAD_LETTER_MAX_BYTES = 900 * 1000, /* of the value; more is cut, dlq.bytes tells */
    DEAD_LETTER_PART_BYTES = 4096,      /* of the key and of a header's value; more is cut */
    DEAD_LETTER_NAME_BYTES = 256,       /* of a header's name; one with a longer one is dropped */
    DEAD_LETTER_REASON_TEXT = 64
};

struct dead_letter {
    struct dead_letter *next;
    char reason[DEAD_LETTER_REASON_TEXT], detail[256];
    bool sent;
    int64_t true_bytes;         /* of the original value */
    size_t n_bytes;             /* of all copies */
    struct kafka_record record; /* views into bytes; topic is borrowed */
    struct kafka_header headers[DEAD_LETTER_HEADERS_MAX];
    char bytes[];
};

/* A copy of the record, yours: free() it. NULL: no memory. `topic` of the record must
 * outlive it. reason: one word of run_request_reason() or "conflict". */
struct dead_letter *dead_letter_new(const struct kafka_record *r, struct str reason,
                                    const char *detail);
/* What it takes in memory of the record. */
size_t dead_letter_bytes(const struct dead_letter *d);

/* As producer_send. */
enum err_code dead_letter_send(struct dead_letter *d, struct producer *p, const char *topic,
                               produced_fn fn, void *ctx, struct err *err) MUST_USE;

#endif
