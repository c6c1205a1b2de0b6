/* SPDX-License-Identifier: Apache-2.0 */
/* How far something is that takes a while: a bar that is written over on a terminal, a line from
 * time to time elsewhere. */
#ifndef SANDFLEET_PRODUCER_SHOW_METER_H
#define SANDFLEET_PRODUCER_SHOW_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "producer/show/terminal.h"

struct meter { /* zero: nothing is shown */
    bool on;
    struct terminal terminal; /* of standard error */
    const char *what;         /* "submitted" */
    int64_t began_ms, shown_ms;
    int64_t began_at; /* done when it began */
    bool open;        /* a bar stands on the terminal's line */
};

/* quiet: nothing is shown, whatever standard error is. */
void meter_begin(struct meter *p, const char *what, int64_t done, bool quiet);
/* done of total; total 0: it is not known. Looks at the clock, so not for each of a million. */
void meter_at(struct meter *p, int64_t done, int64_t total);
void meter_end(struct meter *p); /* takes the bar off the screen */

/* The bar, at most t->columns wide, or the line without end. Pure. */
void meter_text(const struct terminal *t, const char *what, int64_t done, int64_t total,
                double rate, struct buf *out);

#endif
