/* SPDX-License-Identifier: Apache-2.0 */
/* What looked wrong, look after look: one look may be wrong itself (something is just being
 * made, a list is old), so it takes two, a grace apart by one's own clock. Pure: the time
 * (clock_boot_ms) is passed in. */
#ifndef SANDFLEET_WORKER_SUSPECTS_H
#define SANDFLEET_WORKER_SUSPECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUSPECT_TEXT = 192, SUSPECTS_MAX = 20000 };

struct suspect {
    char name[SUSPECT_TEXT];
    int64_t since_ms; /* seen in every look since */
    bool seen;        /* in the newest one */
};

struct suspects { /* zero: none */
    struct suspect *items;
    size_t n, cap;
    int64_t now_ms;
};

/* One look: begin, one call for each that looks wrong, end. */
void suspects_begin(struct suspects *s, int64_t now_ms);
/* How long it has looked wrong without a break, 0 for the first time, or when there is no
 * room to remember it. kind: one word. */
int64_t suspects_see(struct suspects *s, const char *kind, const char *name);
void suspects_end(struct suspects *s); /* forgets those that were not seen */
void suspects_release(struct suspects *s);

#endif
