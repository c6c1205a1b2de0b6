/* SPDX-License-Identifier: Apache-2.0 */
/* A source in lines or CSV records, in one buffer that grows to READER_MAX_BYTES at most: what is
 * longer is skipped and told. Blocks. */
#ifndef SANDFLEET_PRODUCER_BATCH_READER_H
#define SANDFLEET_PRODUCER_BATCH_READER_H

#include "common/buf.h"
#include "producer/batch/csv.h"
#include "producer/batch/source.h"
#include "schema/run_request.h"

enum { READER_MAX_BYTES = 2 * RUN_REQUEST_MAX_BYTES, READER_CHUNK = 512 << 10 };

struct reader {            /* reader_init makes one, reader_release frees what it has */
    struct source *source; /* borrowed */
    char *buffer;
    size_t room, at, end, seen; /* seen: no newline between at and this */
    int64_t line;               /* of what was given last, from 1 */
    int64_t next_line;
    bool ended, begun;
};

void reader_init(struct reader *r, struct source *source);
void reader_release(struct reader *r);
enum err_code reader_rewind(struct reader *r, struct err *err) MUST_USE;

/* The first bytes, a byte order mark and white space skipped over in the view only. */
enum err_code reader_peek(struct reader *r, struct str *out, struct err *err) MUST_USE;

enum reader_step { READER_GIVEN, READER_TOO_LONG, READER_FAULT, READER_END };

/* The next line without its LF or CRLF, and without a byte order mark at the very beginning. */
enum err_code reader_line(struct reader *r, enum reader_step *step, struct str *out,
                          struct err *err) MUST_USE;
/* The lines that reader_line will give without reading on, max at most: views until it does. */
size_t reader_lines(const struct reader *r, struct str *out, size_t max);
/* The next CSV record that is not blank; views into the buffer until the next call. */
enum err_code reader_record(struct reader *r, enum reader_step *step, struct csv_record *out,
                            struct csv_fault *fault, struct err *err) MUST_USE;

#endif
