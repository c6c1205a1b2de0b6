/* SPDX-License-Identifier: Apache-2.0 */
/* A file of prompts: JSON Lines, one object a line with `prompt`, usually `custom_id`, and any
 * field of a run request. Read twice: once to check every line, once to submit, so that a broken
 * line is known before anything is sent. Memory does not grow with the file but for 24 bytes a
 * custom_id. Blocks on the file. */
#ifndef SANDFLEET_PRODUCER_BATCH_FILE_H
#define SANDFLEET_PRODUCER_BATCH_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "producer/request_build.h"
#include "schema/run_request.h"

struct batch_file; /* opaque */

struct batch_counts {
    int64_t lines;      /* in the file, blank ones too */
    int64_t good;       /* runs it makes */
    int64_t bad;        /* refused */
    int64_t duplicates; /* the same custom_id with the same content again: one run */
};

/* path "-" reads standard input (spooled into an unlinked temporary file). ERR_NOT_FOUND, ERR_IO.
 */
enum err_code batch_file_open(const char *path, struct batch_file **out, struct err *err) MUST_USE;
void batch_file_close(struct batch_file *f);

/* Called for every bad line, in order; e says why. */
typedef void (*batch_bad_fn)(void *ctx, int64_t line, const struct err *e);

/* Reads the whole file once. ERR_OK also when lines are bad: see counts. */
enum err_code batch_file_check(struct batch_file *f, const struct request_defaults *d,
                               batch_bad_fn bad, void *ctx, struct batch_counts *out,
                               struct err *err) MUST_USE;

/* After a check: the good lines one after the other. ERR_OK and out->run_id NULL: the end.
 * The request is yours: run_request_release. */
enum err_code batch_file_next(struct batch_file *f, const struct request_defaults *d,
                              struct run_request *out, int64_t *line, struct err *err) MUST_USE;

#endif
