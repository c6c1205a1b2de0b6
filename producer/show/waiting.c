/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/show/waiting.h"

#include <stdio.h>
#include <unistd.h>

#include "producer/show/terminal.h"
#include "common/banned.h"

enum { LEAD = sizeof("sandfleet: ") };

void waiting_show(struct waiting_row *w, bool quiet, const char *text)
{
    struct terminal t = terminal_of(STDERR_FILENO);

    if (quiet || !t.interactive)
        return;
    (void)fprintf(stderr, "\rsandfleet: %.*s\033[K", t.columns - LEAD, text);
    w->open = true;
}

void waiting_end(struct waiting_row *w)
{
    if (w->open)
        (void)fputs("\r\033[K", stderr);
    w->open = false;
}
