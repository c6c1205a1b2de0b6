/* SPDX-License-Identifier: Apache-2.0 */
/* What a sandbox used of this machine, over time. Looked at when somebody asks, at
 * most once a second. The disk is the whole one that the sandboxes' folder is on. */
#ifndef SANDFLEET_SANDBOXD_CONTROL_USAGE_H
#define SANDFLEET_SANDBOXD_CONTROL_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "sandboxd/sandbox/sandbox.h"

enum { USAGE_KEPT = 60, USAGE_EVERY_MS = 1000 };

struct usage {
    int64_t at_ms;                                 /* wall time */
    int64_t cpu_ns;                                /* since the sandbox began */
    double cpu_percent;                            /* since the look before; 100: one processor */
    int64_t mem, mem_total, disk_used, disk_total; /* bytes */
    int cpus;
};

struct usage_history {  /* zeroed: empty */
    struct usage *ring; /* of USAGE_KEPT, made with the first look */
    size_t first, n;
};

/* Looks, unless that was done within USAGE_EVERY_MS. */
void usage_look(struct usage_history *h, const struct sandbox *sb);
void usage_release(struct usage_history *h);

/* {"timestamp":…} of each look from start to end (seconds of Unix time; end 0: now). */
void usage_put(const struct usage_history *h, int64_t start_s, int64_t end_s, struct buf *out);
void usage_put_last(const struct usage_history *h, struct buf *out); /* nothing: null */

int64_t disk_size(const char *folder); /* bytes */

#endif
