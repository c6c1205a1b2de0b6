/* SPDX-License-Identifier: Apache-2.0 */
/* An event as the API has it (Event in schema/openapi.yaml): read into what the renderer takes,
 * and written from what is on the events topic, so that a script sees one form. Pure. */
#ifndef SANDFLEET_PRODUCER_API_API_EVENT_H
#define SANDFLEET_PRODUCER_API_API_EVENT_H

#include "schema/event.h"

/* Views into json. A type of a newer program is no error: known_type says so. ERR_PROTOCOL. */
enum err_code api_event_read(struct str json, struct event_view *out, int64_t *sequence,
                             struct err *err) MUST_USE;

void api_event_write(const struct event_view *v, int64_t sequence, struct buf *out);

#endif
