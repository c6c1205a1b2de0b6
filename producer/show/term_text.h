/* SPDX-License-Identifier: Apache-2.0 */
/* Text for a terminal: what of it may get there, how wide it is, where it breaks. Pure, but for
 * libc's table of widths (its C.UTF-8, whatever the user's locale is). */
#ifndef SANDFLEET_PRODUCER_SHOW_TERM_TEXT_H
#define SANDFLEET_PRODUCER_SHOW_TERM_TEXT_H

#include <stdbool.h>

#include "common/buf.h"

/* Appends a text that cannot drive a terminal: every control character but newline and tab, what
 * turns the direction of writing, and bytes that are no UTF-8 become '?'; colours are dropped. */
void term_text_safe(struct buf *out, struct str text);

/* --- of one line: safe, without newline ---------------------------------------- */
int term_text_width(struct str line);                   /* columns; wide characters take two */
struct str term_text_fit(struct str line, int columns); /* as much of it as fits */
void term_text_untab(struct buf *out, struct str line); /* tabs become spaces, up to fours */

/* A line in rows of at most `columns`, broken at spaces and between wide characters; rows behind
 * the first are indented as a list's or a code's are. Empty line: one empty row. */
struct term_rows {
    struct str rest;
    int columns; /* <= 0: one row, however long */
    int indent;  /* of the row that was given: spaces to put before it */
    int hang;    /* of those behind the first */
    bool begun;
};
bool term_rows_next(struct term_rows *rows, struct str *row);

#endif
