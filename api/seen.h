/* SPDX-License-Identifier: Apache-2.0 */
/* What this process counts, for Prometheus: the table is in seen.c, what all processes tell in
 * common/metrics.c. Single-threaded. */
#ifndef SANDFLEET_API_SEEN_H
#define SANDFLEET_API_SEEN_H

#include <stdint.h>

#include "api/route.h"
#include "common/metrics.h"

struct api;

enum seen_auth { /* what became of asking for a key */
                 SEEN_AUTH_OK,
                 SEEN_AUTH_NONE,    /* none was given */
                 SEEN_AUTH_REFUSED, /* it does not count */
                 SEEN_AUTH_SCOPE,   /* it does not permit this */
                 SEEN_AUTH_TOO_OFTEN,
                 SEEN_AUTH_UNKNOWABLE, /* the database is away, or strangers ask too much of it */
                 SEEN_AUTHS
};

struct metrics *seen_new(void); /* NULL: no memory */
/* A request is over; route NULL: it found none. A stream is not timed. */
void seen_request(struct metrics *m, const struct route *route, int status, int64_t began_us,
                  bool stream);
void seen_auth(struct metrics *m, enum seen_auth what);
void seen_write(const struct api *a, struct buf *out);

#endif
