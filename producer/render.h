/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees of a run: an event in, text out. Pure. Control characters of what the agent
 * printed never reach the terminal. */
#ifndef SANDFLEET_PRODUCER_RENDER_H
#define SANDFLEET_PRODUCER_RENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "schema/event.h"

struct render {
    bool colour, unicode;
    int columns;
    /* kept between events */
    int64_t lines;
    bool simulated; /* an init line said so */
    bool ended;
    enum event_type end;
};

/* Appends the text of one event to out; nothing for events that a person need not see. */
void render_event(struct render *r, const struct event_view *v, struct buf *out);

/* Text of the agent, safe for a terminal: control characters but newline and tab become '?'. */
void render_text(struct buf *out, struct str text);

#endif
