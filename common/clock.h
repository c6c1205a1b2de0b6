/* SPDX-License-Identifier: Apache-2.0 */
/* Time: durations by the boot clock, wall time only at the edges. Any thread. */
#ifndef SANDFLEET_COMMON_CLOCK_H
#define SANDFLEET_COMMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

#define CLOCK_TEXT 32 /* bytes that hold any text written here, with its NUL */

int64_t clock_boot_ms(void); /* CLOCK_BOOTTIME: goes on through suspend, never set */
int64_t clock_boot_us(void);
int64_t clock_wall_ms(void); /* Unix milliseconds, UTC */

/* "2026-11-21T01:02:03.004Z"; years 1970..9999, else the text is "-". Returns out. */
char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_TEXT]);
char *clock_day(int64_t wall_ms, char out[CLOCK_TEXT]); /* "2026-11-21" */

/* The same with microseconds: "2026-11-21T01:02:03.004005Z". us: 0..999, behind wall_ms. */
char *clock_rfc3339_us(int64_t wall_ms, int us, char out[CLOCK_TEXT]);

/* RFC 3339 with any offset and fraction; false when it is not one. */
bool clock_parse_rfc3339(struct str s, int64_t *wall_ms);
bool clock_parse_rfc3339_us(struct str s, int64_t *wall_ms, int *us);

/* Unix microseconds, UTC: later than any that this process got from here before, so that what is
 * marked with them has an order. Any thread. */
int64_t clock_wall_next_us(void);

/* "90s" "5m" "1h30m" "250ms" "1.5s" "1d"; units fall from left to right, a plain number has
 * none and is refused, but for "0". */
bool clock_parse_duration(struct str s, int64_t *ms);
char *clock_duration(int64_t ms, char out[CLOCK_TEXT]); /* "1m04s", "250ms", "2h05m", "1.5s" */

#endif
