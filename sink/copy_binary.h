/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's binary COPY format (PostgreSQL manual, "COPY", section "Binary
 * Format"): the quickest way in, and one that needs no escaping. Pure.
 *
 * copy_begin(), then for each row copy_row() and exactly that many fields, then
 * copy_end(). The types must match the columns' to the byte: the server does not
 * convert. Failure sticks in buf.rc. */
#ifndef SANDFLEET_SINK_COPY_BINARY_H
#define SANDFLEET_SINK_COPY_BINARY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

void copy_begin(struct buf *b);
void copy_row(struct buf *b, int fields);
void copy_end(struct buf *b);

void copy_null(struct buf *b);
void copy_bool(struct buf *b, bool v);
void copy_int4(struct buf *b, int32_t v);
void copy_int8(struct buf *b, int64_t v);
void copy_float8(struct buf *b, double v);
void copy_uuid(struct buf *b, const uint8_t id[16]);
void copy_date(struct buf *b, int64_t wall_ms);        /* the UTC day of Unix milliseconds */
void copy_timestamptz(struct buf *b, int64_t wall_ms); /* Unix milliseconds */
/* text, json and bytea look the same on the wire. p NULL gives SQL NULL. */
void copy_text(struct buf *b, struct str s);

/* 0 means "absent" in the records' headers: SQL NULL. */
void copy_int8_or_null(struct buf *b, int64_t v);
void copy_timestamptz_or_null(struct buf *b, int64_t wall_ms);

#endif
