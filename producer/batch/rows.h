/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch file holds, row by row, each as the object of a run request that it is or stands
 * for: its form is told by the first byte, and a template makes a prompt of each row. Blocks. */
#ifndef SANDFLEET_PRODUCER_BATCH_ROWS_H
#define SANDFLEET_PRODUCER_BATCH_ROWS_H

#include "producer/batch/batch_file.h"

struct rows; /* opaque */

enum err_code rows_open(const struct batch_opts *opts, struct rows **out, struct err *err) MUST_USE;
void rows_close(struct rows *r);
enum err_code rows_rewind(struct rows *r, struct err *err) MUST_USE;

uint64_t rows_template_hash(const struct rows *r); /* 0: no template */
const char *rows_path(const struct rows *r);
int64_t rows_lines(const struct rows *r); /* of the file, so far */

bool rows_are_same(const struct rows *r); /* the file is still what it was when it was opened */

/* A row is fetched, and then read, unless one knows all of it. */
enum row_step { ROW_GIVEN, ROW_BAD, ROW_END };

/* Fetches the next row that is not blank. ROW_BAD: *problem says why it is none, and where.
 * An error: the file cannot be read on. */
enum err_code rows_fetch(struct rows *r, enum row_step *step, struct batch_problem *problem,
                         struct err *err) MUST_USE;
/* The lines, blank ones too, that will be fetched next without reading on, where rows are objects
 * a line; max at most. Views until the last of them was fetched. */
size_t rows_lines_ahead(const struct rows *r, struct str *out, size_t max);
int64_t rows_line(const struct rows *r); /* where the fetched row begins */
/* Its line, without white space at both ends; views live until the next fetch. */
struct str rows_text(const struct rows *r);

struct row {          /* borrowed until the next rows_read or rows_fetch */
    struct look look; /* its object, and the members */
    struct str text;  /* what a name for it derives from */
    bool as_is;       /* the object is rows_text() */
    bool of_params;   /* it came in the Message Batches format */
    bool max_tokens;
};

/* Reads the fetched row. False: *problem says why it is bad. */
bool rows_read(struct rows *r, struct row *out, struct batch_problem *problem);

#endif
