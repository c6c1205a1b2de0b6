/* SPDX-License-Identifier: Apache-2.0 */
/* A page of documentation being written: what there is to say, in one of several forms. Pure. */
#ifndef SANDFLEET_PRODUCER_MANUAL_PAGE_H
#define SANDFLEET_PRODUCER_MANUAL_PAGE_H

#include "common/buf.h"

/* Text: paragraphs with an empty line between; lines that begin with two spaces stay as they are.
 * `code` stands in backquotes. */
struct page_form {
    /* section: of the manual, 1. date: "2025-01-31" */
    void (*begin)(struct buf *out, const char *name, const char *help, const char *date);
    void (*heading)(struct buf *out, int level, const char *text); /* 1, 2 */
    void (*text)(struct buf *out, const char *text);
    void (*term)(struct buf *out, const char *term, const char *text); /* an option, a command */
    void (*code)(struct buf *out, const char *line); /* of an example, with what it is for */
};

extern const struct page_form page_roff;     /* man(7) */
extern const struct page_form page_markdown; /* GitHub's */

/* The next paragraph or block of such lines, without what separates them; false: none left. */
bool page_next(struct str *rest, struct str *block, bool *verbatim);

#endif
