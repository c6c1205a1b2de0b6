/* SPDX-License-Identifier: Apache-2.0 */
/* What a command waits for before it can answer: a row on the terminal that is gone when the wait
 * is over. Where nobody looks there is none, as there is no bar (meter.h). */
#ifndef SANDFLEET_PRODUCER_SHOW_WAITING_H
#define SANDFLEET_PRODUCER_SHOW_WAITING_H

#include <stdbool.h>

struct waiting_row { /* zero: nothing is shown */
    bool open;       /* it stands on the terminal's line */
};

/* text: ASCII of ours, cut to the terminal's columns. quiet: nothing is shown. */
void waiting_show(struct waiting_row *w, bool quiet, const char *text);
void waiting_end(struct waiting_row *w);

#endif
