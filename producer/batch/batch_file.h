/* SPDX-License-Identifier: Apache-2.0 */
/* A file of prompts: JSON Lines (an object a line: a run request's fields, or custom_id and params
 * as in the Message Batches format), plain text (a prompt a line), or rows that fill a template.
 * Read twice: once to check every line, once to submit, so that a broken line is known before
 * anything is sent. Memory does not grow with the file but for 20 to 25 bytes a name while it is
 * checked. Blocks on the file. */
#ifndef SANDFLEET_PRODUCER_BATCH_BATCH_FILE_H
#define SANDFLEET_PRODUCER_BATCH_BATCH_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "producer/batch/maker.h"
#include "producer/batch/message_params.h"

enum batch_form { BATCH_AUTO, BATCH_JSONL, BATCH_TEXT, BATCH_CSV, BATCH_FORMS };
bool batch_form_parse(const char *name, enum batch_form *out); /* "auto", "jsonl", … */

struct batch_opts {             /* borrowed until batch_file_close */
    const char *path;           /* "-": standard input */
    const char *template_path;  /* NULL: path holds requests, not rows */
    enum batch_form form;       /* BATCH_CSV: rows only */
    const struct client *flags; /* what they say for every line */
    const char *batch;          /* NULL: derives from the content */
};

struct batch_file; /* opaque */

struct batch_counts {
    int64_t lines;      /* in the file, blank ones too */
    int64_t good;       /* runs it makes */
    int64_t bad;        /* refused */
    int64_t duplicates; /* the same custom_id with the same content again: one run */
    int64_t unnamed;    /* runs that got their custom_id from us */
    int64_t repeated;   /* of them: like one above, a run of their own */
    int64_t max_tokens; /* lines whose params.max_tokens goes unheeded */
};

/* ERR_USAGE: flags, names or the template are no good. ERR_NOT_FOUND, ERR_IO. */
enum err_code batch_file_open(const struct batch_opts *opts, struct batch_file **out,
                              struct err *err) MUST_USE;
void batch_file_close(struct batch_file *f);

struct batch_problem {
    int64_t line, column;            /* column 0: none is known */
    char pointer[POINTER_MAX_BYTES]; /* into the line's object; "": none is known */
    struct err why;
};

struct batch_check_events {
    /* For every bad line, in order. */
    void (*bad)(void *ctx, const struct batch_problem *p);
    /* From time to time: counts so far; may be NULL. */
    void (*going)(void *ctx, const struct batch_counts *counts);
};

/* Reads the whole file once. ERR_OK also when lines are bad: see counts. ERR_INVALID: it cannot be
 * read as a whole (gzip is damaged, a CSV header or the template does not do). */
enum err_code batch_file_check(struct batch_file *f, const struct batch_check_events *ev, void *ctx,
                               struct batch_counts *out, struct err *err) MUST_USE;

/* After a check: the batch's name, given or derived ("file-<16 hex>": other content, another). */
const char *batch_file_name(const struct batch_file *f);
const char *batch_file_path(const struct batch_file *f); /* for messages */

/* After a check: the good lines one after the other, each record's value put into `value`, which
 * was empty. *line 0: the end. ERR_CONFLICT: the file is another one than was checked. */
enum err_code batch_file_next(struct batch_file *f, struct buf *value, struct made *out,
                              int64_t *line, struct err *err) MUST_USE;

#endif
