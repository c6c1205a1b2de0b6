/* SPDX-License-Identifier: Apache-2.0 */
/* Records that go to Kafka together: their text in one piece of memory, and what their receipts
 * say. A parcel belongs to whoever holds it; nothing here is shared. */
#ifndef SANDFLEET_PRODUCER_PARCEL_H
#define SANDFLEET_PRODUCER_PARCEL_H

#include <sys/queue.h>

#include "common/buf.h"
#include "common/kafka/kafka.h"
#include "common/uuid.h"

enum { PARCEL_RECORDS = PRODUCER_MANY, PARCEL_BYTES = 24 << 10 };

struct parcel_part { /* of the parcel's text */
    size_t at, n;
};

struct parcel_item {
    size_t nth;   /* of its parcel */
    int64_t line; /* of the file; 0: none */
    struct parcel_part custom_id, key, value;
    char run_id[UUID_TEXT];
};

struct parcel {
    TAILQ_ENTRY(parcel) link; /* the holder's */
    struct submitter *owner;  /* while it has it */
    const char *topic;        /* the same */
    size_t n, acked;
    struct buf text;
    struct parcel_item items[PARCEL_RECORDS];
};

struct parcel_record { /* borrowed for the call */
    const char *run_id;
    struct str custom_id, key, value;
    int64_t line;
};

struct parcel *parcel_new(void);     /* yours; NULL: no memory */
void parcel_free(struct parcel *p);  /* NULL is fine */
void parcel_clear(struct parcel *p); /* empty again; keeps its memory, unless that is much */

/* One more would make it larger than is good, or there is no room: it is time to send it. */
bool parcel_is_full(const struct parcel *p);
/* Copies the record into a parcel that is not full. ERR_NOMEM: nothing was added. */
enum err_code parcel_add(struct parcel *p, const struct parcel_record *r, struct err *err) MUST_USE;

struct str parcel_text(const struct parcel *p, struct parcel_part part); /* borrowed */
struct parcel *parcel_of(struct parcel_item *item);

#endif
