/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts from a template's file and rows that fill its places: members of an object, or fields of
 * a CSV record under the header's names. A row's custom_id names it. Only opening blocks. */
#ifndef SANDFLEET_PRODUCER_BATCH_TEMPLATE_ROWS_H
#define SANDFLEET_PRODUCER_BATCH_TEMPLATE_ROWS_H

#include "producer/batch/batch_file.h"
#include "producer/batch/csv.h"

struct template_rows; /* opaque */

/* Reads the template; the path is borrowed for its life. ERR_NOT_FOUND, ERR_NOMEM, or what is
 * wrong with it and where. */
enum err_code template_rows_open(const char *path, struct template_rows **out,
                                 struct err *err) MUST_USE;
void template_rows_close(struct template_rows *t); /* NULL is fine */
uint64_t template_rows_hash(const struct template_rows *t);

/* What the columns of the records to come are called; file and line: where that is said.
 * ERR_INVALID: one is missing, or there twice. */
enum err_code template_rows_header(struct template_rows *t, const struct csv_record *header,
                                   const char *file, int64_t line, struct err *err) MUST_USE;

struct filled {           /* borrowed until the next row is filled in */
    struct str prompt;    /* not checked */
    struct str custom_id; /* n 0: none was given */
};

/* Fill in a row. False: *problem says why it cannot be done.
 * line_bytes: of the line that the object stands in. */
bool template_rows_of_object(struct template_rows *t, const struct look *object, size_t line_bytes,
                             struct filled *out, struct batch_problem *problem);
bool template_rows_of_record(struct template_rows *t, const struct csv_record *record,
                             struct filled *out, struct batch_problem *problem);

#endif
