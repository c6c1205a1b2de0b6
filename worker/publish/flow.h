/* SPDX-License-Identifier: Apache-2.0 */
/* Does Kafka keep up? All of a worker's runs share one budget of bytes that no broker has
 * acknowledged yet, and a time within which something must be: beyond either their outputs
 * are not read on, for they lie safe in the sandboxes. Pure: the time is passed in. */
#ifndef SANDFLEET_WORKER_FLOW_H
#define SANDFLEET_WORKER_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FLOW_MAX_BYTES = 32 << 20, /* blocked above… */
    FLOW_LOW_BYTES = 8 << 20,  /* …until it is below */
    FLOW_SILENT_MS = 5000      /* blocked when nothing was acknowledged for so long */
};

struct flow { /* zero: nothing is under way */
    size_t unacked;
    int64_t moved_ms; /* when the newest acknowledgement came, or the first byte to wait for */
    bool blocked;
};

void flow_sent(struct flow *f, size_t bytes, int64_t now_ms);
void flow_acked(struct flow *f, size_t bytes, int64_t now_ms);
/* Judges anew; true when `blocked` changed. */
bool flow_look(struct flow *f, int64_t now_ms);

#endif
