/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes between who brings them and who takes them, in memory for a few pieces: who is slower makes
 * the other wait. No I/O. */
#ifndef SANDFLEET_WORKER_PIPE_H
#define SANDFLEET_WORKER_PIPE_H

#include <sys/types.h>

#include "common/buf.h"

enum { PIPE_HIGH_BYTES = 256 << 10, PIPE_LOW_BYTES = 64 << 10, PIPE_MAX_BYTES = 1 << 20 };

struct pipe {
    struct buf bytes; /* from `at` on still to be taken */
    size_t at;
    bool whole; /* nothing follows */
};
#define PIPE_INIT ((struct pipe){.bytes = BUF_INIT(PIPE_MAX_BYTES)})

bool pipe_add(struct pipe *p, struct str piece); /* false: more than it holds */
/* As more() in http_events: 0 at the end, HTTP_LATER when there is nothing now. */
ssize_t pipe_take(struct pipe *p, char *to, size_t room);
bool pipe_full(const struct pipe *p); /* bring nothing more for now… */
bool pipe_low(const struct pipe *p);  /* …until now */
void pipe_release(struct pipe *p);

#endif
