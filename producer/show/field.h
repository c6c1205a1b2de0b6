/* SPDX-License-Identifier: Apache-2.0 */
/* What the API answers, as people read it: fields of a JSON document as rows of a table, or one
 * under the other. A row each, so that a list and a page of details are data. Pure. */
#ifndef SANDFLEET_PRODUCER_SHOW_FIELD_H
#define SANDFLEET_PRODUCER_SHOW_FIELD_H

#include <stdint.h>

#include "common/json/json.h"
#include "producer/show/terminal.h"

enum field_kind {
    FIELD_TEXT, /* safe, on one line; of a list, its members */
    FIELD_COUNT,
    FIELD_USD,
    FIELD_BYTES,
    FIELD_MS, /* a duration */
    FIELD_S,
    FIELD_TIME,
    FIELD_AGO,  /* a time, as how long it is ago */
    FIELD_SPAN, /* between two times: "started_at..ended_at"; without the second, until now */
    FIELD_YES   /* a bool: the title's word, or nothing */
};

struct field {
    const char *title;
    const char *path; /* "usage.input_tokens"; "reason|outcome": the first that is not null */
    enum field_kind kind;
    int from_columns; /* on a terminal only where it is as wide; 0: always */
};

/* Appends the value; nothing where there is none. */
void field_text(const struct field *f, const cJSON *doc, int64_t now_ms, struct buf *out);

/* "title  value" for each field that has one. */
void field_details(const struct field *fields, size_t n, const cJSON *doc, int64_t now_ms,
                   const struct terminal *t, struct buf *out);

/* --- tables --------------------------------------------------------------------- */
enum { TABLE_COLUMNS = 12 };

struct table {
    const struct field *fields[TABLE_COLUMNS]; /* those that are shown */
    size_t n;
    int width[TABLE_COLUMNS];
    const struct terminal *terminal;
    struct buf cells; /* of the rows that wait: each value ends in NUL */
    int64_t now_ms;
    bool headed;
};

void table_init(struct table *t, const struct field *fields, size_t n,
                const struct terminal *terminal, int64_t now_ms);
void table_release(struct table *t);
void table_add(struct table *t, const cJSON *doc);
/* Writes the rows that were added since, with a header before the first. */
void table_flush(struct table *t, struct buf *out);

#endif
