/* SPDX-License-Identifier: Apache-2.0 */
/* From an object that a line of a batch is, or stands for, to the record that goes to Kafka: what
 * the flags say and the names come first, the line's own members follow as they stand.
 * Looking (is it good?) and making are two steps, as a file is read twice. Pure but for the clock.
 */
#ifndef SANDFLEET_PRODUCER_BATCH_MAKER_H
#define SANDFLEET_PRODUCER_BATCH_MAKER_H

#include "common/uuid.h"
#include "producer/client.h"
#include "schema/run_request.h"

enum { MAKER_MEMBERS = 48, AUTO_NAME_BYTES = 48 };

struct maker; /* opaque */

/* Checks what the flags say, once for all lines: ERR_USAGE. flags is borrowed for its life. */
enum err_code maker_new(const struct client *flags, struct maker **out, struct err *err) MUST_USE;
void maker_free(struct maker *m);

uint64_t maker_flags_hash(const struct maker *m); /* other flags make other work */
/* The batch that records get from now on; at most RUN_NAME_MAX_BYTES. */
enum err_code maker_set_batch(struct maker *m, const char *batch_id, struct err *err) MUST_USE;
const char *maker_batch(const struct maker *m);

struct look { /* what is known of a good line: views into the object and the maker, for a while */
    struct str object;
    struct json_member members[MAKER_MEMBERS];
    size_t n;
    bool strict;          /* nothing in it that a record must not have, and all members are here */
    bool plain;           /* run_request_is_plain() */
    uint64_t fields;      /* then: which it has */
    struct str custom_id; /* n 0: none was given */
    struct str key;       /* the line's own idempotency_key; n 0: none */
    struct str session;   /* its id; n 0: none */
    uint64_t work;        /* the same for lines that ask for the same */
};

/* Is the text an object? Fills what is found without the maker: object and members.
 * *at: the byte where it is no JSON, else SIZE_MAX. */
enum err_code look_at(struct str text, struct look *out, size_t *at, struct err *err) MUST_USE;
/* Is it a request? Fills the rest. An object without custom_id will be given one. */
enum err_code maker_judge(struct maker *m, struct look *look, struct err *err) MUST_USE;

struct made { /* beside its value; borrowed until the next line is looked at */
    struct str key;
    char run_id[UUID_TEXT];
    struct str custom_id;
};

/* Puts the record's value into `value`, which was empty.
 * custom_id: the line's own, or the one it was given. Run ids derive from batch and custom_id, or
 * from the line's idempotency_key, so the same line makes the same run again. */
enum err_code maker_make(struct maker *m, const struct look *look, struct str custom_id,
                         struct buf *value, struct made *out, struct err *err) MUST_USE;

/* Whether an object that was judged good needs no second look: its custom_id is all that
 * maker_make_known() must know of it. */
bool maker_knows(const struct maker *m, const struct look *look);
enum err_code maker_make_known(struct maker *m, struct str object, struct str custom_id,
                               struct buf *value, struct made *out, struct err *err) MUST_USE;

struct glance {
    const char *at;           /* where the line begins, white space left out */
    bool known;               /* a plain object with a custom_id; else the rest tells nothing */
    uint32_t name_at, name_n; /* that, in the object */
    uint64_t name, work;      /* seen_key() of it; as look.work */
};
/* Looks at a line without changing the maker, so that threads may do it, each with a look. */
void maker_glance(const struct maker *m, struct str line, struct look *look, struct glance *out);

/* "auto-<the first 16 hex digits of the text's BLAKE2b-128>", and "-<times>" behind it from the
 * second time on: a line without a name gets the same one each time its file is submitted. */
void auto_name(struct str text, uint64_t times, char out[AUTO_NAME_BYTES]);

#endif
