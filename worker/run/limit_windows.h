/* SPDX-License-Identifier: Apache-2.0 */
/* What a line of type rate_limit_event tells of the service's limits. A sandbox may print any such
 * line: what is odd in it is left out. Pure. */
#ifndef SANDFLEET_WORKER_LIMIT_WINDOWS_H
#define SANDFLEET_WORKER_LIMIT_WINDOWS_H

#include "common/buf.h"

enum { LIMIT_WINDOWS_MAX = 8, LIMIT_WINDOWS_BYTES = 4096 };

/* Appends an object as ledger.credentials.windows has them, without seen_at:
 * {"five_hour":{"status":"rejected","utilization":1,"resets_at":"…"}}. line: JSON that was scanned.
 * False: it tells of no window. */
bool limit_windows(struct str line, struct buf *out);

#endif
