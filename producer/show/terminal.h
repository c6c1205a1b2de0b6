/* SPDX-License-Identifier: Apache-2.0 */
/* What may be printed where: colour, characters beyond ASCII, how many columns, progress. All that
 * asks for isatty(), NO_COLOR, TERM, COLUMNS or the locale is here. */
#ifndef SANDFLEET_PRODUCER_SHOW_TERMINAL_H
#define SANDFLEET_PRODUCER_SHOW_TERMINAL_H

#include <stdbool.h>

enum {
    TERMINAL_COLUMNS_MIN = 40,
    TERMINAL_COLUMNS = 80,
    TERMINAL_COLUMNS_PIPE = 160,
    TERMINAL_ROWS = 24
};

struct terminal {
    bool interactive; /* a person sees it, and lines can be written over: progress may be shown */
    bool colour;      /* a terminal, and neither NO_COLOR nor TERM=dumb */
    bool unicode;     /* a pipe, or a UTF-8 locale */
    int columns;      /* TERMINAL_COLUMNS_MIN or more */
    int rows;         /* of an interactive one; else 0 */
    bool terminal;    /* no pipe and no file, dumb though it may be */
};

/* What this descriptor is. Asks each time: a window may have another size now. */
struct terminal terminal_of(int fd);

/* The escape sequence while colour is on, else "". Names: bold dim red green yellow blue magenta
 * cyan, and plain, which ends all of them. An unknown name is "". */
const char *terminal_style(const struct terminal *t, const char *name);

#endif
