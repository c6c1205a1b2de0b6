/* SPDX-License-Identifier: Apache-2.0 */
/* CSV as RFC 4180 has it, a record at a time from a text that may end in the middle of one: commas,
 * quotes doubled inside quotes, line ends LF or CRLF, also inside of quotes. Strict: a quote in the
 * middle of a bare field, text behind a closing one or a lone CR is a fault. Pure. */
#ifndef SANDFLEET_PRODUCER_BATCH_CSV_H
#define SANDFLEET_PRODUCER_BATCH_CSV_H

#include <stdbool.h>

#include "common/buf.h"

enum { CSV_FIELDS_MAX = 256 };

struct csv_record {
    struct str fields[CSV_FIELDS_MAX]; /* decoded, in the text that was given */
    size_t n;
    int64_t lines; /* that it takes, its own end of line included */
    bool blank;    /* a line with nothing on it: n is 0 */
};

struct csv_fault {
    int64_t line;   /* of the record, from 0 */
    int64_t column; /* byte of that line, from 1 */
    const char *why;
};

enum csv_step {
    CSV_RECORD, /* out is one, *used bytes long */
    CSV_MORE,   /* the text ends before the record does */
    CSV_FAULT   /* *used bytes are to be skipped: to the end of the line with the fault */
};

/* Reads the record that text begins with, n > 0, and decodes its fields in place. last: nothing
 * follows text. */
enum csv_step csv_read(char *text, size_t n, bool last, struct csv_record *out, size_t *used,
                       struct csv_fault *fault);

#endif
