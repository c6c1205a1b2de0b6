/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal record as the ledger keeps it until the broker has it (claims.terminal):
 * {"type","attempt","epoch","n","time_ms","data"}. Pure. */
#ifndef SANDFLEET_WORKER_TERMINAL_H
#define SANDFLEET_WORKER_TERMINAL_H

#include "common/buf.h"
#include "common/err.h"
#include "schema/event.h"

void terminal_write(const struct event *e, struct buf *out);

/* out->data is a view into text: the same bytes that were written. ERR_INVALID. */
enum err_code terminal_read(struct str text, struct event *out, struct err *err) MUST_USE;

#endif
