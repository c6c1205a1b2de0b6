/* SPDX-License-Identifier: Apache-2.0 */
/* A byte stream cut into lines, each with its number and byte offset: however the
 * stream arrives in pieces, the lines are the same. Blank lines are skipped and
 * counted. Pure. */
#ifndef SANDFLEET_WORKER_LINES_H
#define SANDFLEET_WORKER_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

struct lines {
    struct buf held; /* the line under way, at most `max` bytes of it */
    size_t max;
    int64_t offset;    /* of the stream: behind the last complete line */
    int64_t under_way; /* bytes of the line under way, over the ceiling too */
    int64_t n;         /* non-blank lines so far */
    int64_t blank;
    bool given; /* the line in `held` was given out */
};

struct line {
    char *text; /* in `held`: good until the next call, may be changed in place */
    size_t len; /* without newline */
    int64_t n, end_offset;
    int64_t true_bytes; /* > len when it was over the ceiling */
    bool unterminated;
};

enum lines_step { LINES_MORE, LINES_LINE, LINES_NOMEM };

/* A stream that is read from byte `offset`, behind line `n`. */
void lines_init(struct lines *l, size_t max, int64_t offset, int64_t n);

/* Takes from *piece. LINES_LINE: *out is a line and more may be in *piece.
 * LINES_MORE: *piece is used up. */
enum lines_step lines_next(struct lines *l, struct str *piece, struct line *out);

/* The stream is over: a line without newline, or LINES_MORE when there is none. */
enum lines_step lines_end(struct lines *l, struct line *out);

/* Forgets the line under way: the stream will be read again from `offset`. */
void lines_rewind(struct lines *l);
void lines_release(struct lines *l);

#endif
