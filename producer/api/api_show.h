/* SPDX-License-Identifier: Apache-2.0 */
/* What a reading command does: asks the API, and prints what it answers as -o says. Blocks. */
#ifndef SANDFLEET_PRODUCER_API_API_SHOW_H
#define SANDFLEET_PRODUCER_API_API_SHOW_H

#include "producer/api/api_client.h"
#include "producer/show/field.h"

/* A list, page by page: a table, one document, or a line each. */
struct api_list {
    const char *path; /* with its filters */
    const struct field *fields;
    size_t n_fields;
    const char *what; /* "runs": for saying that there are none, or more */
    bool paged;       /* it has limit and cursor */
    int64_t limit;    /* at most so many; 0: all */
};
enum err_code api_show_list(struct api_client *a, const struct client *c,
                            const struct api_list *list, struct err *err) MUST_USE;

/* One document: its fields one under the other, or as it came. */
enum err_code api_show_one(struct api_client *a, const struct client *c, const char *path,
                           const struct field *fields, size_t n_fields, struct err *err) MUST_USE;
/* The same of one that is there already; its text, when it is to be printed as it came. */
enum err_code api_show_doc(const struct client *c, const cJSON *doc, const struct field *fields,
                           size_t n_fields, struct err *err) MUST_USE;

/* To standard output; a reader that went away is no error. */
enum err_code api_show_put(struct str text, struct err *err) MUST_USE;

#endif
